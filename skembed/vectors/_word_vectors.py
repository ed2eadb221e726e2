"""`WordVectors`: an immutable table of words and their vectors."""

import json
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from numbers import Integral
from types import MappingProxyType
from typing import Any

import numpy as np

from skembed.vectors import _exchange, _files, _search, _sources
from skembed.vectors._validation import (
    as_json,
    as_numbers,
    check_counts,
    check_vectors,
    check_words,
    is_word,
    rows_of_words,
)

METHODS = ("add", "multiply")
# Words that the representations show.
_SHOWN = 5
# Queries of `nearest` whose vectors are prepared at once.
_QUERIES = 2**12


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
        others = counts, self._source, self.parameters
        return _restore(type(self), words, self._vectors[rows], *others)

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
        _check_method(method)
        terms, minus = self._terms(positive), self._terms(negative)
        if _is_empty(terms, minus, method):
            raise ValueError(
                "positive is empty, so there is nothing to be similar to. Pass a word."
            )
        rows, scores = self._search_combinations(
            [terms], [minus], _check_n(n), method, self._among(among)
        )
        return [
            (self._words[row], float(score))
            for row, score in zip(rows[0], scores[0], strict=True)
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
        _check_method(method)
        n, allowed = _check_n(n), self._among(among)
        if negative is not None or method != "add" or _are_combinations(queries):
            return self._nearest_of_combinations(queries, negative, n, method, allowed)
        vectors = _as_vectors(queries)
        if vectors is None:
            return self._nearest_of_words(queries, n, allowed)
        self._check_width(vectors)
        rows, scores = self._search_all(np.atleast_2d(vectors), None, n, allowed)
        return (rows[0], scores[0]) if vectors.ndim == 1 else (rows, scores)

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
        words = _listed(words)
        if len(words) < 3:
            raise ValueError(
                f"doesnt_match needs at least three words, got {len(words)}: {words}."
            )
        units = self._table.units(self._rows(words))
        middle = _search.unit_vectors(units.mean(axis=0))
        return words[int(np.argmin(_search.cosines(units, middle)))]

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

    def _nearest_of_words(
        self, queries: Any, n: int, allowed: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        own = self._rows(queries)
        n_allowed = len(self) if allowed is None else len(allowed)
        n_own = 1 if allowed is None else int(np.isin(own, allowed).any())
        if n_allowed == n_own and own.size:
            only = self._words[0 if allowed is None else allowed[0]]
            raise ValueError(
                f"{only!r} is the only word that may be a result, and a word is not "
                "among its own results. Pass a larger `among`."
            )
        n = min(n, n_allowed - n_own)
        rows, scores = self._search_all(self._vectors, own, n, allowed)
        return (rows[0], scores[0]) if is_word(queries) else (rows, scores)

    def _nearest_of_combinations(
        self,
        queries: Any,
        negative: Any,
        n: int,
        method: str,
        allowed: np.ndarray | None,
    ) -> tuple[np.ndarray, np.ndarray]:
        is_vector = isinstance(queries, np.ndarray) and queries.ndim == 1
        is_one = is_word(queries) or (is_vector and _is_vectors(queries))
        if is_one:
            queries, negative = [queries], None if negative is None else [negative]
        positive = [self._terms(query) for query in _as_sequence(queries, "queries")]
        if negative is None:
            minus: list[list[Any]] = [[] for _ in positive]
        else:
            minus = [self._terms(query) for query in _as_sequence(negative, "negative")]
        if len(minus) != len(positive):
            raise ValueError(
                f"queries has {len(positive)} queries and negative has {len(minus)}: "
                "pass a list of words for each query, which may be empty."
            )
        n = self._fewest_results(positive, minus, n, method, allowed)
        rows, scores = self._search_combinations(positive, minus, n, method, allowed)
        return (rows[0], scores[0]) if is_one else (rows, scores)

    def _fewest_results(
        self,
        positive: list[list[Any]],
        negative: list[list[Any]],
        n: int,
        method: str,
        allowed: np.ndarray | None,
    ) -> int:
        """Return how many of `n` results every query has, which is at least one."""
        may_be = range(len(self)) if allowed is None else set(allowed.tolist())
        for number, (plus, minus) in enumerate(zip(positive, negative, strict=True)):
            if _is_empty(plus, minus, method):
                raise ValueError(
                    f"queries[{number}] is empty, so there is nothing to be similar "
                    "to. Pass a word."
                )
            own = {term for term in plus + minus if isinstance(term, int)}
            n_left = len(may_be) - sum(row in may_be for row in own)
            if not n_left:
                raise ValueError(
                    f"No word may be a result of queries[{number}], whose own words "
                    "are not among its results. Pass a larger `among`."
                )
            n = min(n, n_left)
        return n

    def _search_combinations(
        self,
        positive: list[list[Any]],
        negative: list[list[Any]],
        n: int,
        method: str,
        allowed: np.ndarray | None,
        excluded: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Search for the neighbours of combinations of rows and unit vectors.

        Parameters
        ----------
        positive, negative : list of list of int or ndarray
            The terms of each query, see `_terms`.
        n : int
        method : {"add", "multiply"}
        allowed : ndarray of int64 or None
            Rows that may be results, in ascending order.
        excluded : ndarray of shape (n_queries, n_excluded), int64, default=None
            Rows that are no results of a query; -1 stands for none. None means those
            of its terms.

        Returns
        -------
        rows, scores : ndarray of shape (n_queries, n)
            As `_search.search` returns them.
        """
        kind = _search.Directions.sums if method == "add" else _search.Products
        n = min(n, len(self) if allowed is None else len(allowed))
        rows = np.empty((len(positive), n), np.int64)
        scores = np.empty((len(positive), n))
        # One array holds only queries with the same numbers of terms.
        groups: dict[tuple[int, int], list[int]] = {}
        for number, terms in enumerate(zip(positive, negative, strict=True)):
            groups.setdefault((len(terms[0]), len(terms[1])), []).append(number)
        for sizes, numbers in groups.items():
            step = max(1, _QUERIES // sum(sizes))
            for first in range(0, len(numbers), step):
                some = numbers[first : first + step]
                own, plus = self._units([positive[number] for number in some])
                own_minus, minus = self._units([negative[number] for number in some])
                if excluded is None:
                    places = np.hstack([own, own_minus])
                else:
                    places = excluded[some]
                rows[some], scores[some] = _search.search(
                    self._table, kind(plus, minus), n, excluded=places, among=allowed
                )
        return rows, scores

    def _search_all(
        self, vectors: np.ndarray, own: np.ndarray | None, n: int, allowed: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        """Search for the neighbours of vectors, or of the table's rows `own`."""
        n_queries = len(vectors) if own is None else len(own)
        n = min(n, len(self) if allowed is None else len(allowed))
        rows = np.empty((n_queries, n), np.int64)
        scores = np.empty((n_queries, n))
        for first in range(0, n_queries, _QUERIES):
            some = slice(first, first + _QUERIES)
            excluded = None if own is None else own[some, np.newaxis]
            if own is None:
                units = _search.unit_vectors(vectors[some].astype(np.float64))
            else:
                units = self._table.units(own[some])
            rows[some], scores[some] = _search.search(
                self._table,
                _search.Directions(units),
                n,
                excluded=excluded,
                among=allowed,
            )
        return rows, scores

    def _terms(self, given: Any) -> list[Any]:
        """Return words as rows, which are int, and vectors as arrays."""
        if is_word(given):
            return [self._row(given)]
        if isinstance(given, np.ndarray) and given.ndim == 1 and _is_vectors(given):
            given = [given]
        if not isinstance(given, (list, tuple, np.ndarray)):
            given = _listed(given)
        return [
            self._row(one) if is_word(one) else self._as_direction(one) for one in given
        ]

    def _as_direction(self, given: Any) -> np.ndarray:
        if isinstance(given, (tuple, Mapping, set)) or not hasattr(given, "__len__"):
            raise TypeError(
                f"{given!r} is neither a word nor a vector of {self.n_components} "
                "numbers."
            )
        vector = as_numbers(given, "a vector")
        if vector.ndim != 1:
            raise ValueError(f"A vector must have one dimension, got {vector.shape}.")
        self._check_width(vector)
        return _search.unit_vectors(vector.astype(np.float64))

    def _check_width(self, vectors: np.ndarray) -> None:
        if vectors.shape[-1] != self.n_components:
            raise ValueError(
                f"The vectors of the table have {self.n_components} dimensions, and a "
                f"given one has {vectors.shape[-1]}."
            )
        if not np.isfinite(vectors).all():
            raise ValueError("A given vector holds numbers that are not finite.")

    def _units(self, terms: list[list[Any]]) -> tuple[np.ndarray, np.ndarray]:
        """Return rows, -1 for vectors, and vectors of length 1 of queries.

        Parameters
        ----------
        terms : list of list of int or ndarray
            As many terms for each query.

        Returns
        -------
        rows : ndarray of shape (n_queries, n_terms), int64
        units : ndarray of shape (n_queries, n_terms, n_components), float64
        """
        rows = np.full((len(terms), len(terms[0])), -1, np.int64)
        given = {}
        for number, query in enumerate(terms):
            for place, term in enumerate(query):
                if isinstance(term, int):
                    rows[number, place] = term
                else:
                    given[number, place] = term
        units = self._table.units(rows)
        for at, vector in given.items():
            units[at] = vector
        return rows, units

    def _among(self, among: Any) -> np.ndarray | None:
        """Return the rows that may be results, in ascending order, or None for all."""
        if among is None:
            return None
        if isinstance(among, Integral) and not isinstance(among, bool):
            return self._most_frequent(int(among))
        if isinstance(among, str):
            raise TypeError(f"among must be an int or a list of words, got {among!r}.")
        rows = np.unique(self._rows(among))
        if not rows.size:
            raise ValueError("among is empty: no word may be a result.")
        return rows

    def _most_frequent(self, n: int) -> np.ndarray | None:
        if n < 1:
            raise ValueError(f"among must be positive, got {n}.")
        if n >= len(self):
            return None
        counts = self._counts
        if counts is None or (counts[:-1] >= counts[1:]).all():
            return np.arange(n)
        return np.sort(np.argsort(-counts, kind="stable")[:n])

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


def _listed(words: Any) -> list[Any]:
    """Return an iterable of words as a list.

    Raises
    ------
    TypeError
        If it is not an iterable of words.
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
                f"{word!r} ({type(word).__name__}) is not a word: pass str, or int if "
                "the words of the table are int."
            )
    return words


def _as_sequence(queries: Any, name: str) -> list[Any]:
    """Return combinations of words as a list of one for each query.

    Raises
    ------
    TypeError
        If it is not a sequence.
    """
    if isinstance(queries, (str, bytes, Mapping, set, frozenset)) or not hasattr(
        queries, "__iter__"
    ):
        raise TypeError(
            f"{name} must be a list with the words of each query, got {queries!r} "
            f"({type(queries).__name__})."
        )
    return list(queries)


def _are_combinations(queries: Any) -> bool:
    """Return whether queries are lists of words, and not words or vectors."""
    if isinstance(queries, np.ndarray):
        return queries.ndim == 2 and queries.dtype.kind not in "biuf"
    if not isinstance(queries, (list, tuple)):
        return False
    lists = (
        one
        for one in queries
        if isinstance(one, (list, tuple))
        or (isinstance(one, np.ndarray) and one.dtype.kind not in "biuf")
    )
    return any(isinstance(word, str) for one in lists for word in one)


def _is_empty(positive: list[Any], negative: list[Any], method: str) -> bool:
    """Return whether there is nothing to be similar to."""
    return not positive and (method == "multiply" or not negative)


def _check_method(method: Any) -> None:
    if method not in METHODS:
        raise ValueError(f"method must be one of {METHODS}, got {method!r}.")


def _as_vectors(queries: Any) -> np.ndarray | None:
    """Return queries as an array of numbers, or None if they are words."""
    if isinstance(queries, np.ndarray):
        is_array = _is_vectors(queries)
    else:
        first = queries[:1] if isinstance(queries, (list, tuple)) else ()
        is_array = not all(map(is_word, first))
    if not is_array:
        return None
    vectors = as_numbers(queries, "queries")
    if vectors.ndim > 2:
        raise ValueError(
            f"queries must have one or two dimensions, got shape {vectors.shape}."
        )
    return vectors


def _is_vectors(array: np.ndarray) -> bool:
    """Return whether an array holds vectors. In one dimension, int are words."""
    kinds = "f" if array.ndim == 1 else "iuf"
    return array.dtype.kind in kinds


def _check_n(n: Any) -> int:
    if not isinstance(n, Integral) or isinstance(n, bool) or n < 1:
        raise ValueError(f"n must be a positive int, got {n!r}.")
    return int(n)


def _or_empty(counts: np.ndarray | None) -> np.ndarray:
    return np.empty(0) if counts is None else counts
