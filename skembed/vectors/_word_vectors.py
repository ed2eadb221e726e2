"""`WordVectors`: an immutable table of words and their vectors."""

from collections.abc import Iterable, Iterator, Mapping
from html import escape
from types import MappingProxyType
from typing import Any

import numpy as np

from skembed.vectors import _exchange, _files, _sources
from skembed.vectors._validation import (
    as_numbers,
    check_counts,
    check_vectors,
    check_words,
    is_word,
    rows_of_words,
)

# Words that the representations show.
_SHOWN = 5


class WordVectors:
    """An immutable table of words and their vectors.

    Parameters
    ----------
    words : iterable of str or int
        The words, each of them once, in the order of the rows. Words are int only if
        the columns of a matrix were named by int.
    vectors : array-like of shape (n_words, n_components)
        The vectors. All values must be finite. A float32 array is not copied, and a
        memory map stays one. Do not change the array afterwards.
    counts : array-like of shape (n_words,), default=None
        How often each word occurred in training.
    source : str, default=""
        Where the vectors came from, for people to read.

    Attributes
    ----------
    words : tuple of str or int
        The words, in the order of the rows.
    vectors : ndarray of shape (n_words, n_components), float32
        The vectors, read-only.
    vocabulary : mapping of str or int to int
        The row of each word, read-only.
    counts : ndarray of shape (n_words,), int64 or float64, or None
        How often each word occurred in training, read-only.
    n_components : int
        Number of dimensions.
    source : str
        Where the vectors came from.

    Raises
    ------
    TypeError
        If words are not str or int, or vectors are not real numbers.
    ValueError
        If a word is given twice, the shapes do not match, a value is not finite, or
        the table would be empty.

    Notes
    -----
    Two tables are equal if their words, vectors and counts are. A table is not
    hashable. Copies are the table itself, since nothing can change it.

    Examples
    --------
    >>> from skembed.vectors import WordVectors
    >>> table = WordVectors(["cat", "dog", "car"], [[2, 1], [2, 2], [-1, 2]])
    >>> table["cat"]
    array([2., 1.], dtype=float32)
    >>> "bird" in table
    False
    """

    def __init__(
        self,
        words: Iterable[Any],
        vectors: Any,
        *,
        counts: Any = None,
        source: str = "",
    ) -> None:
        if not isinstance(source, str):
            raise TypeError(f"source must be a str, got {source!r}.")
        self._words = check_words(words)
        self._vocabulary = rows_of_words(self._words)
        self._vectors = check_vectors(vectors, self._words)
        self._counts = None
        if counts is not None:
            self._counts = check_counts(counts, len(self._words))
        self._source = source

    # --- from and to other objects ----------------------------------------------------

    @classmethod
    def from_estimator(cls, estimator: Any, which: str = "word") -> "WordVectors":
        """Return the vectors of a fitted embedder.

        Parameters
        ----------
        estimator : BaseEmbedder
            A fitted embedder. Its attributes are read and nothing is computed from
            documents. Later fits do not change the table.
        which : {"word", "context", "sum", "concat"}, default="word"
            Which vectors: those of words, those of contexts, their sum or both side by
            side, as `combine` of the embedders defines them. For "sum", each context
            vector is scaled to the length of its word vector.

        Returns
        -------
        WordVectors
            With the words in the order of rows, and with `word_counts_` as counts.

        Raises
        ------
        NotFittedError
            If the embedder is not fitted.
        TypeError
            If it is no embedder.
        ValueError
            If it has no context vectors, or its attributes do not come from one fit.
        """
        return cls._from_parts(_sources.of_estimator(estimator, which))

    @classmethod
    def from_dict(cls, mapping: Mapping[Any, Any]) -> "WordVectors":
        """Return a table of the words and vectors of a mapping.

        Parameters
        ----------
        mapping : mapping of str or int to array-like of shape (n_components,)
            The vector of each word. The vectors are copied.

        Returns
        -------
        WordVectors
            With the words in the order of the mapping.

        Raises
        ------
        TypeError
            If it is no mapping of words to vectors of real numbers.
        ValueError
            If vectors differ in length, or a number is not finite.
        """
        return cls._from_parts(_sources.of_mapping(mapping))

    @classmethod
    def from_gensim(cls, keyed_vectors: Any) -> "WordVectors":
        """Return the words, vectors and counts of gensim's KeyedVectors.

        Parameters
        ----------
        keyed_vectors : gensim.models.KeyedVectors
            Or a model with KeyedVectors as its attribute `wv`. They are copied, since
            gensim trains in place, unless the array is read-only. Places without a
            word, which gensim leaves when it reads a file with repeated words, are
            dropped. So are the vectors of n-grams of FastText.

        Returns
        -------
        WordVectors
            With gensim's attribute "count", if there is one, as counts.

        Raises
        ------
        TypeError
            If it is no such object.
        ValueError
            If a number is not finite.
        """
        return cls._from_parts(_sources.of_gensim(keyed_vectors))

    def to_gensim(self) -> Any:
        """Return a copy as gensim's KeyedVectors.

        Returns
        -------
        gensim.models.KeyedVectors
            With the same words in the same order, and with the counts, if there are
            any, as its attribute "count".

        Raises
        ------
        ImportError
            If gensim is not installed.
        """
        return _sources.to_gensim(self._words, self._vectors, self._counts)

    # --- files ------------------------------------------------------------------------

    @classmethod
    def load(
        cls,
        path: Any,
        format: str = "auto",
        *,
        limit: int | None = None,
        errors: str = "strict",
        duplicates: str = "error",
        mmap: bool = False,
    ) -> "WordVectors":
        """Read a file of vectors.

        Parameters
        ----------
        path : str or path-like
            The file. Text and binary files may be packed by gzip.
        format : {"auto", "word2vec", "word2vec-binary", "glove", "fasttext", \
                "safetensors", "fasttext-bin"}, default="auto"
            The format. "auto" looks at the first bytes of the file. "fasttext-bin" is
            read through gensim or fasttext, which have to be installed.
        limit : int, default=None
            How many words to read. None reads all.
        errors : {"strict", "replace"}, default="strict"
            What to do with words that are not UTF-8: raise an error, or replace the
            bytes that are wrong by U+FFFD.
        duplicates : {"error", "first"}, default="error"
            What to do with a word that occurs twice: raise an error, or keep the first
            of its vectors.
        mmap : bool, default=False
            Whether the vectors stay in the file as a read-only memory map, which
            several processes share. Only for "safetensors".

        Returns
        -------
        WordVectors

        Raises
        ------
        ImportError
            If a library is needed for this format and not installed.
        ValueError
            If the file is damaged, or a parameter is wrong. The message names the line
            or the byte.
        """
        options = _files.Options(limit, errors, duplicates, mmap)
        return cls._from_parts(_files.read(path, format, options))

    def save(self, path: Any, format: str = "safetensors") -> None:
        """Write a file of vectors.

        Parameters
        ----------
        path : str or path-like
            The file. It is replaced when the new one is complete. A name that ends in
            ".gz" packs files of text and "word2vec-binary" by gzip.
        format : {"safetensors", "word2vec", "word2vec-binary", "glove", "fasttext", \
                "model2vec"}, default="safetensors"
            The format. "safetensors" keeps everything, and the same table gives the
            same bytes. The others hold words and vectors. The numbers of text are the
            shortest that give the same float32. "model2vec" is a folder.

        Raises
        ------
        ValueError
            If the format cannot hold one of the words, such as one with a space.
        """
        _files.write(self._parts(), path, format)

    def to_spacy(self) -> Any:
        """Return a copy as spaCy's Vectors, such as for ``nlp.vocab.vectors``.

        Returns
        -------
        spacy.vectors.Vectors
            With the same rows, and with the words among its strings.

        Raises
        ------
        ImportError
            If spaCy is not installed.
        ValueError
            If a word is no str, or empty.
        """
        return _exchange.to_spacy(self._parts())

    def _parts(self) -> "_sources.Parts":
        return _sources.Parts(self._words, self._vectors, self._counts, self._source)

    @classmethod
    def _from_parts(cls, parts: "_sources.Parts") -> "WordVectors":
        words, vectors, counts, source = parts
        return cls(words, vectors, counts=counts, source=source)

    # --- attributes -------------------------------------------------------------------

    @property
    def words(self) -> tuple[Any, ...]:
        return self._words

    @property
    def vectors(self) -> np.ndarray:
        return self._vectors

    @property
    def vocabulary(self) -> Mapping[Any, int]:
        return MappingProxyType(self._vocabulary)

    @property
    def counts(self) -> np.ndarray | None:
        return self._counts

    @property
    def n_components(self) -> int:
        return self._vectors.shape[1]

    @property
    def source(self) -> str:
        return self._source

    # --- look-ups ---------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._words)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._words)

    def __contains__(self, word: object) -> bool:
        return is_word(word) and word in self._vocabulary

    def __getitem__(self, key: Any) -> Any:
        """Return the vector of a word, those of some words, or a part of the table.

        Parameters
        ----------
        key : str, int, iterable of these, or slice
            A word gives its vector, of shape (n_components,) and read-only. An iterable
            of words gives an array of shape (n_given, n_components). A slice of rows
            gives a table that shares memory with this one.

        Raises
        ------
        KeyError
            If a word is not in the table.
        """
        if isinstance(key, slice):
            return self._part(key)
        if is_word(key):
            return np.asarray(self._vectors[self._row(key)])
        return np.asarray(self._vectors[self._rows(key)])

    def get(self, key: Any, default: Any = None) -> Any:
        """Return the vector of a word or those of some words, or a default.

        Parameters
        ----------
        key : str, int, or iterable of these
            A word, or some words.
        default : object, default=None
            What stands in for words that are not in the table. For a single word it is
            returned as it is. For some words it is a number, or an array of shape
            (n_components,).

        Returns
        -------
        ndarray of shape (n_components,) or (n_given, n_components), float32
            The vectors, or the default for a single word.

        Raises
        ------
        ValueError
            If a default is needed for one of some words, and it is no such number or
            array.
        """
        if is_word(key):
            row = self._vocabulary.get(key)
            return default if row is None else np.asarray(self._vectors[row])
        words = _listed(key)
        rows = np.array([self._vocabulary.get(word, -1) for word in words], np.int64)
        found = np.asarray(self._vectors[rows])
        if (rows < 0).any():
            found[rows < 0] = self._default(default, words[int(np.argmin(rows))])
        return found

    def restrict(self, words: Iterable[Any]) -> "WordVectors":
        """Return the table of some of the words, in the given order.

        Parameters
        ----------
        words : iterable of str or int
            Words of the table, each of them once.

        Returns
        -------
        WordVectors
            Its vectors are copied.

        Raises
        ------
        KeyError
            If a word is not in the table.
        ValueError
            If a word is given twice, or none is given.
        """
        return self._part(self._rows(words))

    def _part(self, rows: Any) -> "WordVectors":
        words: Any
        if isinstance(rows, slice):
            words = self._words[rows]
        else:
            words = [self._words[row] for row in rows]
        counts = None if self._counts is None else self._counts[rows]
        source = self._source
        return type(self)(words, self._vectors[rows], counts=counts, source=source)

    def _row(self, word: Any) -> int:
        try:
            return self._vocabulary[word]
        except KeyError:
            raise KeyError(self._unknown(word)) from None

    def _rows(self, words: Any) -> np.ndarray:
        words = _listed(words)
        return np.array([self._row(word) for word in words], dtype=np.int64)

    def _unknown(self, word: Any) -> str:
        text = f"{word!r} is not among the {len(self):,} words of the table."
        if isinstance(word, str) and word.lower() in self._vocabulary:
            text += f" {word.lower()!r} is."
        elif not isinstance(word, str) and isinstance(self._words[0], str):
            text += " Its words are str; table.vectors has the rows by number."
        return text

    def _default(self, default: Any, word: Any) -> np.ndarray:
        try:
            values = as_numbers(np.atleast_1d(default), "default")
            return np.broadcast_to(values, (self.n_components,))
        except (TypeError, ValueError):
            raise ValueError(
                f"{word!r} is not in the table, and default={default!r} cannot stand "
                "in for its vector. Pass a number, or an array of shape "
                f"({self.n_components},)."
            ) from None

    # --- comparing, copying, showing --------------------------------------------------

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, WordVectors):
            return NotImplemented
        if self is other:
            return True
        return (
            self._words == other._words
            and np.array_equal(self._vectors, other._vectors)
            and (self._counts is None) == (other._counts is None)
            and np.array_equal(_or_empty(self._counts), _or_empty(other._counts))
        )

    __hash__ = None  # type: ignore[assignment]

    def __copy__(self) -> "WordVectors":
        return self

    def __deepcopy__(self, memo: Any) -> "WordVectors":
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        parts = self._words, self._vectors, self._counts, self._source
        return _restore, (type(self), *parts)

    def __repr__(self) -> str:
        origin = f", {self._source}" if self._source else ""
        return f"<{type(self).__name__}: {self._size()}{origin}>"

    def _repr_html_(self) -> str:
        rows = [("size", self._size()), ("from", self._source)]
        rows.append(("words", ", ".join(self._first_words())))
        lines = "".join(
            f'<tr><th style="text-align: left">{escape(name)}</th>'
            f'<td style="text-align: left">{escape(value)}</td></tr>'
            for name, value in rows
            if value
        )
        title = escape(type(self).__name__)
        return f"<table><caption><b>{title}</b></caption>{lines}</table>"

    def _size(self) -> str:
        n_words, n_components = len(self), self.n_components
        words = "word" if n_words == 1 else "words"
        components = "dimension" if n_components == 1 else "dimensions"
        return f"{n_words:,} {words}, {n_components:,} {components}"

    def _first_words(self) -> list[str]:
        shown = [str(word) for word in self._words[:_SHOWN]]
        if self._counts is not None:
            shown = [
                f"{word} ({count:,.6g})" if count % 1 else f"{word} ({int(count):,})"
                for word, count in zip(shown, self._counts, strict=False)
            ]
        return shown + ["…"] * (len(self) > _SHOWN)


def _restore(
    cls: Any, words: tuple[Any, ...], vectors: np.ndarray, counts: Any, source: str
) -> WordVectors:
    return cls(words, vectors, counts=counts, source=source)


def _listed(words: Any) -> list[Any]:
    """Return an iterable of words as a list.

    Raises
    ------
    TypeError
        If it is none.
    """
    if isinstance(words, (bytes, Mapping, set, frozenset)) or not hasattr(
        words, "__iter__"
    ):
        raise TypeError(
            f"Pass a word or a list of words, got {words!r} ({type(words).__name__})."
        )
    words = [words] if is_word(words) else list(words)
    for word in words:
        if not is_word(word):
            raise TypeError(
                f"{word!r} ({type(word).__name__}) is no word: pass str, or int if the "
                "words of the table are int."
            )
    return words


def _or_empty(counts: np.ndarray | None) -> np.ndarray:
    return np.empty(0) if counts is None else counts
