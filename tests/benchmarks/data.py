"""The documents of one run in the forms that the programs take."""

from collections import Counter
from functools import cached_property
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer

from skembed._corpus.vocabulary import Corpus
from tests.benchmarks.common import read_documents, read_similarities

MIN_COUNT = 5


class Data:
    """Documents, tokens, and files of tokens; each is made when first asked for.

    Parameters
    ----------
    path : str
        JSON lines with a field ``text``.
    n_documents : int or None
    wordsim : str or None
        Folder of word-similarity sets.
    folder : str
        For files of this run.
    """

    def __init__(self, path, n_documents, wordsim, folder):
        self.path = path
        self.n_documents = n_documents
        self.wordsim = wordsim
        self.folder = Path(folder)

    @cached_property
    def documents(self):
        return read_documents(self.path, self.n_documents)

    @cached_property
    def sets(self):
        return read_similarities(self.wordsim) if self.wordsim else {}

    @cached_property
    def tokens(self):
        analyze = CountVectorizer().build_analyzer()
        return [analyze(text) for text in self.documents]

    @cached_property
    def n_tokens(self):
        """Tokens of all words, also of those that are too rare to be learned."""
        return sum(map(len, self.tokens))

    def pieces(self, size):
        """The same tokens in documents of at most `size`."""
        return [
            tokens[first : first + size]
            for tokens in self.tokens
            for first in range(0, len(tokens), size)
        ]

    @cached_property
    def token_file(self):
        """Path of a file with one document a line, tokens separated by spaces."""
        path = self.folder / "tokens.txt"
        write_token_file(self.tokens, path)
        return str(path)

    @cached_property
    def corpus(self):
        """`Corpus` of the words that occur often enough, the most frequent first."""
        return encode(self.tokens)

    @property
    def n_words(self):
        return int(self.corpus.token_ids.max()) + 1


def write_token_file(documents, path):
    """Write one document a line."""
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(" ".join(tokens) + "\n" for tokens in documents)


def encode(documents):
    """Return documents of words as a `Corpus` of ids, without rare words."""
    counts = Counter(token for tokens in documents for token in tokens)
    words = sorted(
        (w for w in counts if counts[w] >= MIN_COUNT), key=lambda w: -counts[w]
    )
    row = {word: i for i, word in enumerate(words)}
    ids = [[row[token] for token in tokens if token in row] for tokens in documents]
    lengths = [0, *map(len, ids)]
    return Corpus(
        np.fromiter((i for tokens in ids for i in tokens), np.int32, sum(lengths)),
        np.cumsum(lengths, dtype=np.int64),
    )
