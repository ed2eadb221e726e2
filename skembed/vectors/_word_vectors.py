"""`WordVectors`: an immutable table of words and their vectors."""

import json
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from types import MappingProxyType
from typing import Any

import numpy as np

from skembed.vectors import _exchange, _files, _queries, _search, _sources
from skembed.vectors._validation import (
    as_json,
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
    parameters : mapping of str to object, default=None
        How the vectors were made, such as the parameters of an embedder. The values
        are those that JSON can hold. None is an empty mapping.

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
    parameters : mapping of str to object
        How the vectors were made, read-only.

    Raises
    ------
    TypeError
        If words are not str or int, vectors are not real numbers, or JSON cannot hold
        the parameters.
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
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        if not isinstance(source, str):
            raise TypeError(f"source must be a str, got {source!r}.")
        self._words = check_words(words)
        self._vocabulary = rows_of_words(self._words)
        self._vectors = check_vectors(vectors, self._words)
        self._counts = None
        if counts is not None:
            self._counts = check_counts(counts, len(self._words))
        # Names of files may not be Unicode.
        self._source = source.encode(errors="replace").decode()
        # Text, since nobody can change it.
        self._parameters = as_json(
            {} if parameters is None else parameters, "parameters"
        )
        self._found_table: _search.Table | None = None

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
            With the words in the order of rows, with `word_counts_` as counts, and with
            the class and the parameters of the estimator as parameters. Values that
            JSON cannot hold, and long ones such as a vocabulary, are replaced by their
            repr, which is shortened.

        Raises
        ------
        NotFittedError
            If the embedder is not fitted.
        TypeError
            If it is not an embedder.
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
            If it is not a mapping of words to vectors of real numbers.
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
            If it is not such an object.
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
            bytes that are wrong by U+FFFD. "replace" is only for text and
            "word2vec-binary".
        duplicates : {"error", "first"}, default="error"
            What to do with a word that occurs twice: raise an error, or keep the first
            of its vectors. "first" is only for text and "word2vec-binary".
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
        parts = _files.read(path, format, options)
        try:
            return cls._from_parts(parts)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path}: {error}") from None

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
            If a word is not a str, or is empty.
        """
        return _exchange.to_spacy(self._parts())

    def _parts(self) -> "_sources.Parts":
        return _sources.Parts(
            self._words, self._vectors, self._counts, self._source, self.parameters
        )

    @classmethod
    def _from_parts(cls, parts: "_sources.Parts") -> "WordVectors":
        words, vectors, *others = parts
        return _restore(cls, words, vectors, *others)

    # --- attributes -------------------------------------------------------------------

    @property
    def words(self) -> tuple[Any, ...]:
        """Return the words, in the order of the rows."""
        return self._words

    @property
    def vectors(self) -> np.ndarray:
        """Return the vectors, read-only."""
        return self._vectors

    @property
    def vocabulary(self) -> Mapping[Any, int]:
        """Return the row of each word, read-only."""
        return MappingProxyType(self._vocabulary)

    @property
    def counts(self) -> np.ndarray | None:
        """Return how often each word occurred in training, if that is known."""
        return self._counts

    @property
    def n_components(self) -> int:
        """Return the number of dimensions."""
        return self._vectors.shape[1]

    @property
    def source(self) -> str:
        """Return where the vectors came from."""
        return self._source

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Return how the vectors were made, read-only."""
        return MappingProxyType(json.loads(self._parameters))

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
            If a default is needed for one of some words, and it is not such a number or
            array.
        """
        if is_word(key):
            row = self._vocabulary.get(key)
            return default if row is None else np.asarray(self._vectors[row])
        words = _queries.as_words(key)
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
        others = counts, self._source, self.parameters
        return _restore(type(self), words, self._vectors[rows], *others)

    def _row(self, word: Any) -> int:
        try:
            return self._vocabulary[word]
        except KeyError:
            raise KeyError(self._unknown(word)) from None

    def _rows(self, words: Any) -> np.ndarray:
        words = _queries.as_words(words)
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

    # --- neighbours -------------------------------------------------------------------

    def most_similar(
        self,
        positive: Any,
        negative: Any = (),
        *,
        n: int = 10,
        method: str = "add",
        among: Any = None,
    ) -> list[tuple[Any, float]]:
        """Return the words that are most similar to a combination of words.

        Parameters
        ----------
        positive : str, int, ndarray of shape (n_components,), or list of these
            Words, or vectors of float, that a result should be similar to.
        negative : str, int, ndarray of shape (n_components,), or list of these
            Words, or vectors of float, that a result should not be similar to. For the
            analogy "Paris is to France as ... is to Italy", `positive` is Paris and
            Italy, and `negative` is France.
        n : int, default=10
            Number of results.
        method : {"add", "multiply"}, default="add"
            How similarities to several words are combined [1]_. "add" is 3CosAdd: the
            cosine with the sum of the positive minus the negative vectors, all of
            length 1. "multiply" is 3CosMul: the product of the cosines with positive
            vectors, divided by the product of those with negative ones plus 1e-6, after
            shifting all cosines to the range from 0 to 1.
        among : int or iterable of str or int, default=None
            Which words may be results. An int stands for this number of the most
            frequent words, by `counts` or otherwise by row. None means all words.

        Returns
        -------
        list of (str or int, float)
            Words and similarities, by descending similarity, then by row. Words of
            `positive` and `negative` are left out. There are fewer than `n` if the
            table has no more.

        Raises
        ------
        KeyError
            If a word is not in the table.
        ValueError
            If there is nothing to be similar to, or if a vector or a parameter is not
            valid.

        Notes
        -----
        The search is exact. One matrix product finds the candidates in float32, and
        their similarities are computed again in float64, so that equal vectors have
        equal similarities, and results do not depend on the number of threads. Vectors
        of zeros have cosine 0 with all others.

        References
        ----------
        .. [1] O. Levy and Y. Goldberg. "Linguistic Regularities in Sparse and Explicit
           Word Representations". CoNLL, 2014. Equations (3) and (4).

        Examples
        --------
        >>> from skembed.vectors import WordVectors
        >>> table = WordVectors(["cat", "dog", "car"], [[2, 1], [2, 2], [-1, 2]])
        >>> [(word, round(cosine, 2)) for word, cosine in table.most_similar("cat")]
        [('dog', 0.95), ('car', 0.0)]
        """
        found = _queries.most_similar(self, positive, negative, n, method, among)
        return [
            (self._words[row], float(score))
            for row, score in zip(*found, strict=True)
            if row >= 0
        ]

    def nearest(
        self,
        queries: Any,
        n: int = 10,
        *,
        negative: Any = None,
        method: str = "add",
        among: Any = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows that are most similar to each of many words or vectors.

        For many queries this is much faster than as many calls of `most_similar`.

        Parameters
        ----------
        queries : iterable of str or int, or ndarray of shape (n_queries, n_components)
            Words, or vectors of float. A single word or vector is also allowed. For
            combinations of words: lists of words, or an array of words of shape
            (n_queries, n_positive). Each list is a `positive` of `most_similar`.
        n : int, default=10
            Number of results for each query. It is reduced to the number of words that
            may be results of every query.
        negative : sequence of lists of str or int, default=None
            For each query, the words that a result should not be similar to, as in
            `most_similar`. The lists may differ in length. None means no words.
        method : {"add", "multiply"}, default="add"
            How similarities to several words are combined, as in `most_similar`.
        among : int or iterable of str or int, default=None
            Which words may be results, as in `most_similar`.

        Returns
        -------
        rows : ndarray of shape (n_queries, n), int64
            Rows by descending similarity, then by row. ``table.words[row]`` is the
            word. The words of a query are not among its results. Of shape (n,) for a
            single query.
        similarities : ndarray of shape (n_queries, n), float64
            The same as those of `most_similar`, bit for bit.

        Raises
        ------
        KeyError
            If a word is not in the table.
        ValueError
            If a vector or a parameter is not valid, no word is left that may be a
            result, or `negative` has another number of queries.
        """
        return _queries.nearest(self, queries, n, negative, method, among)

    def similarity(self, a: Any, b: Any) -> Any:
        """Return the cosine of two words, or those of many pairs.

        Parameters
        ----------
        a : str, int, or array-like of these
            Words.
        b : str, int, or array-like of these
            Words, broadcast against `a`.

        Returns
        -------
        float or ndarray, float64
            Between -1 and 1, in the broadcast shape. 0 if one of the two vectors is
            zero.

        Raises
        ------
        KeyError
            If a word is not in the table.
        ValueError
            If the shapes do not match.
        """
        rows_a, rows_b = self._rows_of_array(a), self._rows_of_array(b)
        try:
            rows_a, rows_b = np.broadcast_arrays(rows_a, rows_b)
        except ValueError:
            raise ValueError(
                f"a of shape {rows_a.shape} and b of shape {rows_b.shape} cannot be "
                "broadcast: pass as many words in both, or one word in either."
            ) from None
        found = _search.pair_cosines(self._table, rows_a.ravel(), rows_b.ravel())
        return found.reshape(rows_a.shape) if rows_a.ndim else float(found[0])

    def doesnt_match(self, words: Iterable[Any]) -> Any:
        """Return the word that fits least to the others.

        Parameters
        ----------
        words : iterable of str or int
            At least three words of the table.

        Returns
        -------
        str or int
            The word whose vector has the smallest cosine with the mean of all vectors
            at length 1. The first one if there are several.

        Raises
        ------
        KeyError
            If a word is not in the table.
        ValueError
            If there are fewer than three words.
        """
        words = _queries.as_words(words)
        if len(words) < 3:
            raise ValueError(
                f"doesnt_match needs at least three words, got {len(words)}: {words}."
            )
        rows = self._rows(words)
        units = self._table.units(rows)
        middle = _search.unit_vectors(units.mean(axis=0))
        return self._words[rows[np.argmin(_search.cosines(units, middle))]]

    def rank(self, word: Any, other: Any) -> int:
        """Return the place of a word among the neighbours of another.

        Parameters
        ----------
        word : str or int
            The word whose neighbours are meant.
        other : str or int
            The word whose place is returned.

        Returns
        -------
        int
            The place in the list that `most_similar` returns for all words; 1 for the
            nearest.

        Raises
        ------
        KeyError
            If a word is not in the table.
        ValueError
            If both are the same word.
        """
        rows = self._row(word), self._row(other)
        if rows[0] == rows[1]:
            raise ValueError(f"rank compares two different words, got {word!r} twice.")
        return _search.rank(self._table, *rows)

    @property
    def _table(self) -> _search.Table:
        """What is searched. The lengths of vectors are computed once."""
        # Two threads may both compute them, and get the same.
        if self._found_table is None:
            self._found_table = _search.Table.of(self._vectors)
        return self._found_table

    def _rows_of_array(self, words: Any) -> np.ndarray:
        if is_word(words):
            return np.array(self._row(words))
        words = np.asarray(words, dtype=object)
        return self._rows(words.ravel()).reshape(words.shape)

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
        return _restore, (type(self), *parts, dict(self.parameters))

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
    cls: Any,
    words: Iterable[Any],
    vectors: np.ndarray,
    counts: Any,
    source: str,
    parameters: Mapping[str, Any] | None = None,
) -> WordVectors:
    return cls(words, vectors, counts=counts, source=source, parameters=parameters)


def _or_empty(counts: np.ndarray | None) -> np.ndarray:
    return np.empty(0) if counts is None else counts
