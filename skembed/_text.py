"""The funnel: whatever users call documents becomes numbers of words.

Much text whose words are runs of word characters, as with the default
`token_pattern`, is scanned by a kernel. Anything else is cut into tokens by
scikit-learn's analyzer, and the tokens are looked up in a dict. Both give the same.
"""

import re
import sys
from array import array
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import chain, pairwise, repeat
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer

from skembed._vocabulary import Corpus

_ADVICE = "Pass an iterable of str, one per document, or of lists of str."
# Patterns that find the longest runs of word characters, of at least so many: ``\w+``
# takes all that follow, and ``\b`` before one holds only where a run begins.
_SHORTEST_RUN = {r"(?u)\b\w\w+\b": 2, r"(?u)\b\w+\b": 1}
# Characters from which on the kernel is worth loading and, for each word to look up,
# its table worth filling.
_MUCH = 2**21
_MUCH_PER_WORD = 2
_BATCH = 2**18  # characters that are scanned at once
_MIN_ROOM = 2**13  # for new words in the table
_UTF32 = f"utf-32-{sys.byteorder[0]}e"


def number(X: Any, vectorizer: CountVectorizer) -> tuple[array, array, list[str]]:
    """Number the distinct tokens of documents, in the order of first appearance.

    Parameters
    ----------
    X : iterable of str, or of lists, tuples or 1-D arrays of str
        Raw or tokenised documents. It is iterated once.
    vectorizer : CountVectorizer
        Tokenises raw documents; of tokenised ones only its stop words are dropped.

    Returns
    -------
    ids : array of C int
        The numbers of all tokens, documents one behind the other.
    offsets : array of C long long
        Where each document begins in `ids`, and where the last one ends.
    words : list of str
        The distinct tokens.

    Raises
    ------
    ValueError
        If `X` or one of its documents is of another kind.
    """
    documents, batches = _open(X, vectorizer, 0)
    if not batches:
        seen: defaultdict[str, int] = defaultdict()
        seen.default_factory = seen.__len__
        tokens = _cut(documents, vectorizer)
        ids, offsets = _join_ids(map(seen.__getitem__, words) for words in tokens)
        return ids, offsets, list(seen)
    stop_words = vectorizer.get_stop_words() or ()
    dropped = [word for word in stop_words if isinstance(word, str) and word]
    scanner = _Scanner(vectorizer, dropped, fixed=False)
    ids, offsets = _join(map(scanner.number, batches))
    return ids, offsets, scanner.words()


def look_up(X: Any, vectorizer: CountVectorizer, rows: Mapping[str, int]) -> Corpus:
    """Return documents as the rows of given words, without all other tokens.

    Parameters
    ----------
    X : iterable of str, or of lists, tuples or 1-D arrays of str
        Raw or tokenised documents. It is iterated once.
    vectorizer : CountVectorizer
        As in `number`.
    rows : mapping of str to int

    Returns
    -------
    Corpus

    Raises
    ------
    ValueError
        Likewise.
    """
    documents, batches = _open(X, vectorizer, len(rows))
    if not batches:
        tokens = _cut(documents, vectorizer)
        found = (map(rows.get, words, repeat(-1)) for words in tokens)
        return Corpus.of_known(*_join_ids(found))
    stop_words = vectorizer.get_stop_words() or ()
    words = [word for word in rows if word and word not in stop_words]
    row_of = np.fromiter(map(rows.__getitem__, words), np.int32, len(words))
    scanner = _Scanner(vectorizer, words, fixed=True)
    numbered = map(scanner.number, batches)
    return Corpus.of_known(*_join((row_of[ids], ends) for ids, ends in numbered))


def compile_kernel() -> None:
    """Compile what scans much text, ahead of time."""
    _Scanner(CountVectorizer(), [], fixed=False).number(["amber birch"])


def _open(
    X: Any, vectorizer: CountVectorizer, n_words: int
) -> tuple[Iterator[Any], Iterator[list[str]] | None]:
    """Return checked documents, or batches of texts where the kernel shall scan."""
    documents = _checked(X)
    first = next(documents, None)
    documents = iter(()) if first is None else chain([first], documents)
    finds_runs = vectorizer.token_pattern in _SHORTEST_RUN
    if not isinstance(first, str) or vectorizer.analyzer != "word" or not finds_runs:
        return documents, None
    held, size = [], 0
    for document in documents:
        held.append(document)
        size += len(document)
        if size >= _MUCH + _MUCH_PER_WORD * n_words:
            break
    else:
        return iter(held), None
    # Not used, but it warns of stop words that no token equals.
    vectorizer.build_analyzer()
    prepare = vectorizer.build_preprocessor()
    batches = _batches(chain(held, documents))
    return documents, (list(map(prepare, batch)) for batch in batches)


def _batches(documents: Iterable[str]) -> Iterator[list[str]]:
    batch, size = [], 0
    for document in documents:
        batch.append(document)
        size += len(document)
        if size >= _BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _join_ids(documents: Iterable[Iterable[int]]) -> tuple[array, array]:
    # array.extend(map(...)) keeps the loop over tokens out of Python code.
    ids, offsets = array("i"), array("q", [0])
    for numbers in documents:
        ids.extend(numbers)
        offsets.append(len(ids))
    return ids, offsets


def _join(parts: Iterable[tuple[np.ndarray, np.ndarray]]) -> tuple[array, array]:
    ids, offsets = array("i"), array("q", [0])
    for part, ends in parts:
        offsets.frombytes((ends + len(ids)).tobytes())
        ids.frombytes(part.tobytes())
    return ids, offsets


class _Scanner:
    """Numbers `words` alone in texts or, if they are not fixed, all words but these.

    The words given are distinct and not empty.
    """

    def __init__(self, vectorizer: CountVectorizer, words: list[str], fixed: bool):
        from skembed._kernels import documents

        self._kernels = documents
        self._shortest = _SHORTEST_RUN[vectorizer.token_pattern]
        self._fixed = fixed
        self._n_dropped = 0 if fixed else len(words)
        self._n_words = len(words)
        codes, ends = _as_codes(words)
        self._table = documents.new_table(codes, ends, len(words), codes.size)

    def number(self, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers of the texts' words, and where each text ends in them."""
        codes, ends = _as_codes(texts)
        is_word = _word_characters(int(codes.max(initial=0)).bit_length())
        prepared = self._kernels.Texts(codes, ends, is_word)
        ids = np.empty(codes.size // self._shortest, dtype=np.int32)
        reached = np.array([0, 0, 0, self._n_words], dtype=np.int64)
        modes = self._shortest, self._fixed, self._n_dropped
        while True:
            self._kernels.scan(prepared, self._table, *modes, reached, ids)
            self._n_words = int(reached[self._kernels.N_WORDS])
            if reached[self._kernels.DOCUMENT] == len(texts):
                return ids[: ends[-1]], ends
            self._make_room(codes.size)

    def _make_room(self, n_letters: int) -> None:
        """Double the table, for at least one more word of so many letters."""
        codes, ends = self._entered()
        self._table = self._kernels.new_table(
            codes, ends, 2 * ends.size + _MIN_ROOM, 2 * codes.size + n_letters
        )

    def words(self) -> list[str]:
        """Return the words by their numbers."""
        codes, ends = self._entered()
        letters = codes.tobytes().decode(_UTF32, "surrogatepass")
        bounds = pairwise([0, *ends.tolist()])
        return [letters[first:last] for first, last in bounds][self._n_dropped :]

    def _entered(self) -> tuple[np.ndarray, np.ndarray]:
        ends = self._table.bounds[1 : self._n_words + 1].astype(np.int64)
        return self._table.letters[: ends[-1] if ends.size else 0], ends


def _as_codes(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the code points of texts, and where each text ends in them."""
    codes = "".join(texts).encode(_UTF32, "surrogatepass")
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    return np.frombuffer(codes, dtype=np.uint32), lengths.cumsum()


@lru_cache
def _word_characters(n_bits: int) -> np.ndarray:
    r"""Return which of the first 2**n_bits code points ``\w`` stands for."""
    is_word = np.zeros(2**n_bits, dtype=bool)
    signs = "".join(map(chr, range(min(2**n_bits, sys.maxunicode + 1))))
    for run in re.finditer(r"\w+", signs):
        is_word[slice(*run.span())] = True
    is_word.flags.writeable = False
    return is_word


def _cut(
    documents: Iterable[Any], vectorizer: CountVectorizer
) -> Iterator[Collection[str]]:
    """Yield the tokens of each document."""
    analyze = None
    stop_words = vectorizer.get_stop_words()
    for position, document in enumerate(documents):
        if isinstance(document, str):
            if analyze is None:
                analyze = _build_analyzer(vectorizer)
            tokens = analyze(document)
            if callable(vectorizer.analyzer):
                tokens = _check_analyzed(position, tokens)
        else:
            tokens = document.tolist() if isinstance(document, np.ndarray) else document
            _check_tokens(position, tokens)
            if stop_words:
                tokens = [token for token in tokens if token not in stop_words]
        yield tokens


def _checked(X: Any) -> Iterator[Any]:
    """Yield the documents, all raw or all tokenised."""
    first_kind = None
    for position, document in enumerate(_as_iterable(X)):
        kind = _kind(position, document)
        if first_kind is None:
            first_kind = kind
        elif kind is not first_kind:
            raise ValueError(
                f"Document {position} is {_describe(document)}, but document 0 is of "
                "another kind. Pass either raw documents (str) or tokenised ones "
                "(lists of str), not both."
            )
        yield document


def _build_analyzer(vectorizer: CountVectorizer) -> Callable[[str], Any]:
    """Build what cuts raw documents; nothing here concerns tokenised ones."""
    if vectorizer.analyzer == "word":
        pattern = vectorizer.token_pattern
        if pattern is None:
            raise ValueError(
                "token_pattern=None cannot cut raw documents into words. Pass a "
                "regular expression, another analyzer, or tokenised documents."
            )
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(
                f"token_pattern={pattern!r} is not a regular expression: {error}."
            ) from error
    return vectorizer.build_analyzer()


def _as_iterable(X: Any) -> Iterable[Any]:
    """Take a column out of its frame or array; refuse what holds no documents."""
    if isinstance(X, (str, bytes)):
        raise ValueError(f"X is a single {_describe(X)}. {_ADVICE} Did you mean [X]?")
    if isinstance(X, Mapping):
        raise ValueError(
            f"X is a {type(X).__name__}, which is iterated by its keys. {_ADVICE} "
            "Did you mean list(X.values())?"
        )
    if isinstance(X, (set, frozenset)):
        raise ValueError(f"X is a {type(X).__name__}, which has no order. Pass a list.")
    if sparse.issparse(X):
        raise ValueError(f"X is a sparse matrix of shape {X.shape}. {_ADVICE}")
    if hasattr(X, "columns") and len(getattr(X, "shape", ())) == 2:
        X = _only_column(X)
    if isinstance(X, np.ndarray):
        return _as_column(X)
    if not isinstance(X, Iterable) and not hasattr(X, "__getitem__"):
        raise ValueError(f"X is {_describe(X)}, not an iterable. {_ADVICE}")
    return _as_python(X)


def _only_column(X: Any) -> Any:
    names = list(X.column_names if _library(X) == "pyarrow" else X.columns)
    if len(names) != 1:
        raise ValueError(
            f"X is a frame of {len(names)} columns ({names[:5]}). Pass one column of "
            "text, e.g. X[name], or use a ColumnTransformer."
        )
    return X[names[0]]


def _as_python(X: Any) -> Any:
    """Convert the columns whose elements are neither str nor list nor array."""
    if _library(X) == "pyarrow" and hasattr(X, "to_pylist"):
        return X.to_pylist()
    if _library(X) == "polars" and hasattr(X, "dtype") and X.dtype.is_nested():
        return X.to_list()
    return X


def _library(X: Any) -> str:
    return type(X).__module__.partition(".")[0]


def _as_column(X: np.ndarray) -> np.ndarray:
    if X.ndim == 2 and X.shape[1] == 1 and X.dtype.kind not in "biufc":
        return X[:, 0]
    if X.ndim != 1:
        raise ValueError(
            f"X is a {X.ndim}-dimensional array of shape {X.shape} and dtype "
            f"{X.dtype}; documents are a 1-D array of str. {_ADVICE}"
        )
    return X


def _kind(position: int, document: Any) -> type:
    """Return `str` for a raw and `list` for a tokenised document."""
    if isinstance(document, str):
        return str
    if isinstance(document, (list, tuple)):
        return list
    if isinstance(document, np.ndarray) and document.ndim == 1:
        return list
    if document is None or _is_missing(document):
        raise ValueError(
            f"Document {position} is missing ({document!r}). Fill missing values "
            "first, e.g. Series.fillna(''), or drop them."
        )
    advice = "Decode it to str first." if isinstance(document, bytes) else _ADVICE
    raise ValueError(f"Document {position} is {_describe(document)}. {advice}")


def _is_missing(document: Any) -> bool:
    if isinstance(document, (float, np.floating)):
        return bool(np.isnan(document))
    return type(document).__name__ in ("NAType", "NaTType")


def _check_analyzed(position: int, tokens: Any) -> Collection[str]:
    """Check what a callable analyzer returned; a generator becomes a list."""
    if isinstance(tokens, (str, bytes)) or not isinstance(tokens, Iterable):
        raise ValueError(
            f"analyzer returned {_describe(tokens)} for document {position}; it must "
            "return a list of str."
        )
    if not isinstance(tokens, (list, tuple)):
        tokens = list(tokens)
    _check_tokens(position, tokens)
    return tokens


def _check_tokens(position: int, tokens: Collection[Any]) -> None:
    # The set of types is built in C; only a failing document is walked in Python.
    if all(issubclass(kind, str) for kind in set(map(type, tokens))):
        return
    index, token = next(
        (i, token) for i, token in enumerate(tokens) if not isinstance(token, str)
    )
    raise ValueError(
        f"Token {index} of document {position} is {_describe(token)}. Tokens must be "
        "str."
    )


def _describe(value: Any) -> str:
    text = " ".join(repr(value).split())
    if len(text) > 40:
        text = text[:37] + "..."
    return f"{type(value).__name__} ({text})"
