"""Document features from given word vectors."""

import warnings
from collections.abc import Callable, Mapping
from functools import partial
from os import PathLike
from typing import Any, ClassVar

import numpy as np
from sklearn.base import _fit_context
from sklearn.feature_extraction.text import strip_accents_unicode

from skembed import _fit
from skembed._corpus import reader, vocabulary
from skembed._corpus.reader import Known, Reading
from skembed._corpus.validation import rows_of
from skembed._docstrings import complete_docstring
from skembed._solvers.job import Resume
from skembed._transformer import DocumentTransformer
from skembed.pooling import _features, _poolings
from skembed.vectors import WordVectors
from skembed.vectors._given import table_to_fit

# A fit warns if the share of tokens that have a vector is lower.
_FEW = 0.75
# What hides differences in spelling, by the parameter that makes or avoids them.
_SPELLINGS: dict[str, Callable[[str], str]] = {
    "lowercase": str.lower,
    "strip_accents": strip_accents_unicode,
}


@complete_docstring(
    steps="step",
    kept="tokens and words",
)
class PretrainedEmbedder(DocumentTransformer):
    r"""Document features from given word vectors.

    It computes the same features as the other embedders of this package, but learns no
    vectors: they come from a file, another program or another embedder. `fit` learns
    only what `pooling` and `scale` need, such as document frequencies, from the
    documents. The vectors stay as they are. A word of later documents has a vector if
    the table has one, even if the documents in `fit` do not contain the word.

    Parameters
    ----------
    vectors : WordVectors, str, path or KeyedVectors
        The vectors: a :class:`~skembed.vectors.WordVectors`, a file that
        :meth:`WordVectors.load <skembed.vectors.WordVectors.load>` reads, or the
        ``KeyedVectors`` of a model of gensim (``model.wv``). `fit` reads a file each
        time it is called, and a search copies ``KeyedVectors`` for each candidate: pass
        ``WordVectors`` to avoid both.
    %(reading)s
    %(missing)s
    %(features)s
    %(running)s

    Attributes
    ----------
    vocabulary_ : dict of str to int
        Row of each word of the table.
    word_vectors_ : ndarray of shape (n_words, n_components), float32
        The vectors, read-only. They are not copied.
    n_tokens_ : int or float
        Number of tokens of the documents in `fit`, without stop words. With sample
        weights or a matrix of floats, it is the sum of the weights.
    n_known_tokens_ : int or float
        Number of those tokens that have a vector.
    %(feature_attributes)s

    See Also
    --------
    skembed.vectors.WordVectors : A table of words and vectors, and its files.
    PPMISVDEmbedder : Learns vectors from the documents, in closed form.

    Notes
    -----
    Poolings that weigh words by their frequency (``"tfidf"``, ``"sif"``, ``"usif"``,
    ``"topical"``, ``"vlad"``) count the words of the documents in `fit`. The counts
    that a table may have are those of another corpus and are not used.

    The columns of a matrix are looked up by their names. Columns without a vector are
    dropped. If the columns have no names, there must be one for each word of the
    table, in its order. Otherwise they have the names x0, x1 and so on.

    `fit` warns if fewer than 75% of the tokens have a vector, and says so if the
    vectors have more of the words with other capitals or accents.

    Examples
    --------
    >>> from skembed import PretrainedEmbedder
    >>> from skembed.vectors import WordVectors
    >>> vectors = WordVectors(["good", "bad", "film"], [[1, 0], [-1, 0], [0, 1]])
    >>> embedder = PretrainedEmbedder(vectors, pooling="mean", scale=None)
    >>> embedder.fit_transform(["A good film", "Bad film"])
    array([[ 0.5,  0.5],
           [-0.5,  0.5]], dtype=float32)
    """

    _parameter_constraints: ClassVar[dict] = {
        **DocumentTransformer._parameter_constraints,
        "vectors": [object],  # see `_given.as_word_vectors`
    }

    def __init__(
        self,
        vectors,
        *,
        analyzer="word",
        lowercase=True,
        strip_accents=None,
        stop_words=None,
        token_pattern=r"(?u)\b\w\w+\b",
        missing="error",
        pooling="tfidf",
        scale="spherical",
        norm=None,
        dtype="auto",
        n_jobs=None,
        verbose=0,
        memory=None,
    ):
        self.vectors = vectors
        self.analyzer = analyzer
        self.lowercase = lowercase
        self.strip_accents = strip_accents
        self.stop_words = stop_words
        self.token_pattern = token_pattern
        self.missing = missing
        self.pooling = pooling
        self.scale = scale
        self.norm = norm
        self.dtype = dtype
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.memory = memory

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None):
        """Learn the pooling and the scale from documents.

        Parameters
        ----------
        X : iterable of documents, or matrix
            Raw documents (str) or tokenised documents (lists, tuples or 1-D arrays of
            str). They come as a list, an array, a Series, a one-column frame or a
            generator (consumed once). Or a sparse matrix, an array or a frame of shape
            (n_documents, n_words) with non-negative counts or weights, whose columns
            are named by words.
        y : Ignored
            Not used, present for API consistency by convention.
        sample_weight : array-like of shape (n_documents,), default=None
            How often each document counts; 2 is the same as passing it twice.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter, a vector or a document is not valid, or if no word of the
            documents has a vector.
        """
        self._fit(X, y, sample_weight, stacklevel=4)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, sample_weight=None):
        """Continue learning the pooling from further documents.

        Frequencies of words add up. The scale is that of the first documents, so that
        a model that was trained on the features stays valid. If the estimator is not
        fitted, these documents are the first ones.

        Parameters
        ----------
        X : iterable of documents, or matrix
            Documents as in `fit`, of the same kind as before. A matrix needs the same
            columns.
        y : Ignored
            Not used, present for API consistency by convention.
        sample_weight : array-like of shape (n_documents,), default=None
            As in `fit`.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            As in `fit`. Also if `vectors` or `pooling` have changed. The estimator is
            then unchanged.
        """
        # scikit-learn checks parameters at the first call only.
        self._validate_params()
        self._fit(X, y, sample_weight, stacklevel=4, adds=True)
        return self

    def _facts(self) -> list[str]:
        share = self.n_known_tokens_ / self.n_tokens_
        facts = [*super()._facts(), f"{share:.0%} of the tokens have a vector"]
        is_file = isinstance(self.vectors, (str, PathLike))
        source = self.vectors if is_file else getattr(self.vectors, "source", "")
        return [*facts, f"from {source}"] if source else facts

    def _fit(self, X, y, sample_weight, stacklevel, adds=False):
        _fit.check_numbers(self)
        resume = _resume(self, adds)
        pooling = _fit.pooling_to_fit(self, _poolings.make(self.pooling), resume)
        rows, vectors = _table(self, resume)
        read = partial(reader.read_all, self, X, rows, sample_weight, resume.known)
        reading, _, progress = _fit.read_documents(self, X, y, read)
        corpus, counted, note = _translate(self, reading, rows, vectors, resume)
        tables = vectors, vectors
        learned = {
            "vocabulary_": rows,
            "word_vectors_": vectors,
            "_made_with": {"vectors": self.vectors},
            **counted,
            **_fit.columns_of(reading.columns),
            **_features.learn(self, pooling, corpus, tables, resume.learned),
        }
        progress.end(lambda: learned)
        seconds = progress.seconds
        notes = [*note, *reading.notes]
        if notes:
            warnings.warn(" ".join(notes), UserWarning, stacklevel=stacklevel)
        return reading._replace(corpus=corpus), _fit.set_learned(self, learned, seconds)


def _resume(estimator: PretrainedEmbedder, adds: bool) -> Resume:
    """Return what earlier fits have learned, if this fit adds to them."""
    if not adds or not hasattr(estimator, "word_vectors_"):
        return Resume(streams=adds)
    learned = {name: v for name, v in vars(estimator).items() if _fit.is_learned(name)}
    earlier, now = learned["_made_with"]["vectors"], estimator.vectors
    # Models of gensim may not be compared.
    are_comparable = isinstance(now, (str, PathLike, WordVectors))
    if earlier is not now and not (are_comparable and earlier == now):
        shown = now if are_comparable else type(now).__name__
        raise ValueError(
            f"{type(estimator).__name__} was fitted with vectors={earlier!r}, and "
            f"cannot resume with vectors={shown!r}. Set them back, or call fit."
        )
    known = Known(learned["vocabulary_"], False, estimator._columns)
    return Resume(True, True, True, learned, len(learned["word_vectors_"]), known)


def _table(
    estimator: PretrainedEmbedder, resume: Resume
) -> tuple[dict[Any, int], np.ndarray]:
    """Return the row of each word, and the vectors."""
    if resume.adds:
        return resume.learned["vocabulary_"], resume.learned["word_vectors_"]
    if isinstance(estimator.vectors, Mapping):
        # Its representation would hold all numbers, and each clone a copy of it.
        raise ValueError(
            "vectors must not be a mapping. Pass WordVectors.from_dict(mapping)."
        )
    table = table_to_fit(estimator.vectors, "vectors")
    return dict(table.vocabulary), table.vectors


def _translate(
    estimator: PretrainedEmbedder,
    reading: Reading,
    rows: dict[Any, int],
    vectors: np.ndarray,
    resume: Resume,
) -> tuple[Any, dict[str, Any], list[str]]:
    """Return documents as rows of the table, numbers of tokens, and warnings."""
    words, counts = reading.vocabulary.words, reading.vocabulary.counts
    is_known = np.fromiter((word in rows for word in words), bool, len(words))
    row_of = np.full(len(words), -1)
    known = [word for word, has_row in zip(words, is_known, strict=True) if has_row]
    row_of[is_known] = rows_of(rows, known, len(vectors))
    n_tokens, n_known = counts.sum(), counts[is_known].sum()
    notes = []
    if not n_tokens and not resume.adds:
        raise ValueError(
            "No word occurs in the documents, apart from those whose sample_weight is "
            "0: pass documents with words."
        )
    if not n_known and not resume.adds:
        raise ValueError(
            f"None of the words of the documents ({len(words)}) has a vector. "
            + _advice(estimator, reading, rows, is_known)
        )
    if n_known < _FEW * n_tokens and not resume.adds:
        notes.append(
            f"Only {n_known / n_tokens:.0%} of the tokens of the documents have a "
            f"vector. {_advice(estimator, reading, rows, is_known)}"
        )
    counted = {"n_tokens_": n_tokens.item(), "n_known_tokens_": n_known.item()}
    for name in counted:
        counted[name] += resume.learned.get(name, 0)
    return vocabulary.translate([reading.corpus], [row_of]), counted, notes


def _advice(
    estimator: PretrainedEmbedder,
    reading: Reading,
    rows: dict[Any, int],
    is_known: np.ndarray,
) -> str:
    """Return why words may have no vectors, and what to do about it."""
    words, counts = reading.vocabulary.words, reading.vocabulary.counts
    unknown = {words[i]: counts[i] for i in np.flatnonzero(~is_known)}
    found = {
        parameter: _spelt(fold, bool(getattr(estimator, parameter)), unknown, rows)
        for parameter, fold in _SPELLINGS.items()
    }
    parameter = max(found, key=lambda one: sum(unknown[word] for word in found[one]))
    pairs = found[parameter]
    if not pairs:
        return (
            f"Words without a vector: {list(unknown)[:3]}. The table begins with "
            f"{list(rows)[:3]}. Pass vectors of the same language and domain, or "
            "tokenise documents as the training text of the vectors was tokenised."
        )
    share = sum(unknown[word] for word in pairs) / counts.sum()
    word = max(pairs, key=unknown.__getitem__)
    return (
        f"The vectors have {len(pairs)} of the other words ({share:.0%} of the tokens) "
        f"in another spelling, such as {pairs[word]!r} for {word!r}: "
        f"{_other_value(estimator, parameter, word)}spell tokens as the vectors do."
    )


def _spelt(
    fold: Callable[[str], str],
    is_folded: bool,
    unknown: dict[Any, Any],
    rows: dict[Any, int],
) -> dict[str, str]:
    """Return unknown words with the word of the table that equals them when folded.

    If documents are not folded yet, only those that folding would find.
    """
    folded = {word: fold(word) for word in unknown if isinstance(word, str)}
    if not is_folded:
        return {word: same for word, same in folded.items() if same in rows}
    # The first word of the table is probably the most frequent one.
    spelt = {fold(word): word for word in reversed(rows) if isinstance(word, str)}
    return {word: spelt[same] for word, same in folded.items() if same in spelt}


def _other_value(estimator: PretrainedEmbedder, parameter: str, word: str) -> str:
    """Return the advice to change a parameter, unless tokens do not depend on it."""
    if callable(estimator.analyzer):
        return ""
    if not getattr(estimator, parameter):
        value: Any = True if parameter == "lowercase" else "unicode"
    elif _SPELLINGS[parameter](word) == word:
        value = False if parameter == "lowercase" else None
    else:
        return ""
    return f"pass {parameter}={value!r}, or "
