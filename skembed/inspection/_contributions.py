"""What the words of a document contributed to the decision of a linear model."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils._param_validation import validate_params
from sklearn.utils.validation import check_is_fitted

from skembed._corpus import reader
from skembed._transformer import DocumentTransformer
from skembed.inspection._vectors import check_estimator
from skembed.pooling import (
    MaxPooling,
    MeanMaxPooling,
    MeanPooling,
    SIFPooling,
    SumPooling,
    TfidfPooling,
    TopicalPooling,
    USIFPooling,
    VLADPooling,
    _features,
)

# Poolings that add up vectors times weights, and the attribute of the words' weights.
_WEIGHTS: dict[type, str | None] = {
    MeanPooling: None,
    SumPooling: None,
    TfidfPooling: "idf_",
    SIFPooling: "word_weights_",
    USIFPooling: "word_weights_",
}
_REASONS: dict[type, str] = {
    MaxPooling: "takes the maximum of each dimension over the words",
    MeanMaxPooling: "takes the maximum of each dimension over the words",
    TopicalPooling: "also adds vectors that it learned from documents",
    VLADPooling: "takes square roots of sums over words",
}
# A larger difference, as a share of the absolute terms of the sum over words and
# dimensions, is not due to rounding in float32.
_ROUNDING = 8 * float(np.finfo(np.float32).eps)


class WordContributions(NamedTuple):
    """What the words of one document contributed to the decision of a linear model.

    With several classes or targets, every contribution has one column for each of
    them, as the model's `decision_function` (or `predict`) has. The sum of
    `contributions`, `tfidf_contributions` and the values of `other` is `decision`.

    Parameters
    ----------
    words : ndarray of shape (n_words,), object
        The distinct words of the document that the model knows, in the order of their
        first occurrence. Other words have no effect.
    counts : ndarray of shape (n_words,), float64
        How often each word occurs in the document.
    contributions : ndarray of shape (n_words,) or (n_words, n_outputs), float64
        What all occurrences of a word contributed through its vector.
    tfidf_terms : ndarray of shape (n_terms,), object
        The terms of the document that the vectorizer of a `TextUnion` knows, words or
        pairs of words; empty for other models.
    tfidf_contributions : ndarray of shape (n_terms,) or (n_terms, n_outputs), float64
        What each of these terms contributed through its tf-idf.
    other : dict of str to float or ndarray of shape (n_outputs,)
        What no single word contributed. ``"common components"`` is their removal by
        SIF and uSIF. ``"centring"`` is the means that `scale` and `TextUnion` subtract.
        With ``centred=True``, words have shares of these two. Each `StandardScaler` has
        a term with the name of its step. ``"intercept"`` is that of the model.
        ``"rounding"`` is the rest: models compute in float32.
    decision : float or ndarray of shape (n_outputs,)
        What `decision_function` (for a regressor `predict`) returns.
    outputs : tuple
        The class of each column, or the class that a positive decision of two classes
        stands for. Empty for a regressor.
    """

    words: np.ndarray
    counts: np.ndarray
    contributions: np.ndarray
    tfidf_terms: np.ndarray
    tfidf_contributions: np.ndarray
    other: dict[str, Any]
    decision: Any
    outputs: tuple


@validate_params({"centred": ["boolean"]}, prefer_skip_nested_validation=True)
def word_contributions(
    model: Any, X: Any, *, centred: bool = False
) -> list[WordContributions]:
    """Return what the words of documents contributed to a linear model's decision.

    A linear model adds up features times coefficients. If the pooling of the embedder
    adds up word vectors, the decision is a sum over the words of the document, and what
    remains are constants. No sampling and no approximation is involved.

    The contribution of a word is that of its vector in this document. It is not the
    change of the decision without the word: in a mean, the other words would then have
    larger weights. With ``scale="spherical"`` or ``norm="l2"``, rows are divided by
    their length, and contributions refer to the length of the complete document.

    Parameters
    ----------
    model : Pipeline, or tuple of estimators
        Fitted: an embedder or a `TextUnion`, any number of `StandardScaler`, and a
        linear classifier or regressor with `coef_` and `intercept_`.
    X : iterable of documents, or matrix
        Documents, as in `transform` of the embedder.
    centred : bool, default=False
        Whether the terms "common components" and "centring" are shared out among the
        words. The common components are removed from the vector of each word, and the
        means are subtracted from it, in proportion to its weight in the document. A
        positive contribution then means that the word speaks for the class more than
        the average document does. With False, these terms are in `other`.

    Returns
    -------
    list of WordContributions
        One object for each document.

    Raises
    ------
    TypeError
        If a step is of another kind, or the model is not linear.
    ValueError
        If the decision is not a sum over words because of the embedder's `pooling`
        ("max", "mean_max", "topical", "vlad" or an object of another class), or if a
        document is not valid.
    sklearn.exceptions.NotFittedError
        If a step is not fitted.

    Notes
    -----
    The poolings "mean", "sum", "tfidf", "sif" and "usif" are sums, with every `combine`
    and `scale`. The decision of a classifier of two classes is positive for the second
    class.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from skembed import PPMISVDEmbedder
    >>> from skembed.inspection import word_contributions
    >>> documents, labels = ["good fine film", "bad poor film"] * 10, [1, 0] * 10
    >>> embedder = PPMISVDEmbedder(n_components=2, random_state=0)
    >>> model = make_pipeline(embedder, LogisticRegression()).fit(documents, labels)
    >>> found = word_contributions(model, ["a good film"])[0]
    >>> found.words.tolist()
    ['good', 'film']
    """
    parts = _take_apart(model)
    if hasattr(X, "__next__"):
        X = list(X)  # it can be consumed once only
    features = parts.first.transform(X)
    if not features.shape[0]:
        return []
    decisions = parts.decide(features)
    outputs = _outputs(parts.last, decisions)
    found = []
    for number, document in enumerate(_documents(parts, X, features, centred)):
        decision = np.atleast_1d(decisions[number])
        found.append(_add_up(parts, document, decision, decisions.ndim == 1, outputs))
    return found


class _Parts(NamedTuple):
    """The steps of a model."""

    union: Any | None  # a TextUnion
    embedder: Any
    scalers: list[tuple[str, StandardScaler]]
    last: Any
    coef: np.ndarray  # float64 (n_columns, n_outputs) of the union or the embedder
    constants: dict[str, np.ndarray]  # float64 (n_outputs,)
    size: np.ndarray  # float64 (n_outputs,), sum of the constants' absolute terms

    @property
    def first(self) -> Any:
        return self.embedder if self.union is None else self.union

    def decide(self, features: Any) -> np.ndarray:
        """Return the decisions of the model itself."""
        for _, scaler in self.scalers:
            features = scaler.transform(features)
        decide = getattr(self.last, "decision_function", self.last.predict)
        return np.asarray(decide(features), dtype=np.float64)


class _Document(NamedTuple):
    """Contributions to the features of a document, times the coefficients."""

    words: np.ndarray
    counts: np.ndarray
    contributions: np.ndarray  # (n_words, n_outputs)
    other: dict[str, np.ndarray]
    terms: np.ndarray
    term_contributions: np.ndarray  # (n_terms, n_outputs)
    size: np.ndarray  # (n_outputs,), sum of all absolute terms


def _take_apart(model: Any) -> _Parts:
    """Return the steps of a model, or raise an error that names the wrong one."""
    steps = _steps(model)
    (_, first), (last_name, last) = steps[0], steps[-1]
    union = None
    # TextUnion, which this module cannot import: it stands beside it, not below.
    if {"embedder", "vectorizer", "weight"} <= getattr(first, "__dict__", {}).keys():
        check_is_fitted(first)
        union, first = first, first.embedder_
    embedder = check_estimator(first, (DocumentTransformer,))
    _check_pooling(embedder)
    scalers = steps[1:-1]
    for name, scaler in scalers:
        if type(scaler) is not StandardScaler:
            raise TypeError(
                f"Step {name!r} is a {type(scaler).__name__}. Between the embedder and "
                "the linear model, word_contributions only supports StandardScaler. "
                "(Embedders have a scale of their own, the parameter `scale`.)"
            )
        check_is_fitted(scaler)
    coef, constants, size = _collapse(scalers, last_name, last)
    return _Parts(union, embedder, scalers, last, coef, constants, size)


def _steps(model: Any) -> list[tuple[str, Any]]:
    if isinstance(model, Pipeline):
        steps = list(model.steps)
    elif isinstance(model, (tuple, list)):
        steps = [(type(step).__name__.lower(), step) for step in model]
    else:
        raise TypeError(
            "model must be a fitted Pipeline of an embedder and a linear model, or a "
            f"tuple of the two, got {type(model).__name__}. For a search, use "
            "best_estimator_."
        )
    steps = [(name, step) for name, step in steps if step not in (None, "passthrough")]
    if len(steps) < 2:
        raise TypeError(
            f"model must hold an embedder and a linear model, got {len(steps)} steps."
        )
    return steps


def _check_pooling(embedder: Any) -> None:
    kind = type(embedder.pooling_)
    if kind not in _WEIGHTS:
        reason = _REASONS.get(kind, "is not a pooling of skembed")
        raise ValueError(
            f"pooling={embedder.pooling!r} {reason}, so the decision is not a sum over "
            "words. Pass a model with pooling 'mean', 'sum', 'tfidf', 'sif' or 'usif'."
        )


def _collapse(
    scalers: list[tuple[str, Any]], name: str, last: Any
) -> tuple[np.ndarray, dict[str, np.ndarray], np.ndarray]:
    """Return coefficients of unscaled features, and what the steps add.

    The last value is the sum of the absolute terms of what they add.
    """
    check_is_fitted(last)
    if not (hasattr(last, "coef_") and hasattr(last, "intercept_")):
        raise TypeError(
            f"Step {name!r} is a {type(last).__name__}, which has no coef_ and "
            "intercept_. Only the decision of a linear model is a sum over words."
        )
    coef = last.coef_.toarray() if sparse.issparse(last.coef_) else last.coef_
    coef = np.atleast_2d(np.asarray(coef, dtype=np.float64)).T
    intercept = np.broadcast_to(np.asarray(last.intercept_, float), coef.shape[1])
    constants, size = {}, np.abs(intercept)
    for name, scaler in reversed(scalers):
        if scaler.scale_ is not None:
            coef = coef / scaler.scale_[:, np.newaxis]
        if scaler.with_mean:
            constants[name] = -scaler.mean_ @ coef
            size = size + np.abs(scaler.mean_) @ np.abs(coef)
    constants = {**dict(reversed(constants.items())), "intercept": intercept}
    return coef, constants, size


def _outputs(last: Any, decisions: np.ndarray) -> tuple:
    classes = getattr(last, "classes_", None)
    if classes is None:
        return ()
    return tuple((classes[1:] if decisions.ndim == 1 else classes).tolist())


def _documents(
    parts: _Parts, X: Any, features: Any, centred: bool
) -> Iterator[_Document]:
    """Yield the contributions of the words of every document."""
    embedder, union, coef = parts.embedder, parts.union, parts.coef
    rows = np.asarray(features if union is None else embedder.transform(X))
    n_tfidf = len(coef) - rows.shape[1]
    of_vectors = coef[n_tfidf:] * (1.0 if union is None else union.multiplier_)
    embedding = _Embedding(embedder, of_vectors)
    corpus, _ = reader.look_up(embedder, X)
    names = _term_names(parts)
    words = np.empty(len(embedder.word_vectors_), dtype=object)
    words[list(embedder.vocabulary_.values())] = list(embedder.vocabulary_)
    for number, row in enumerate(rows):
        tokens = slice(*corpus.doc_offsets[number : number + 2])
        weights = corpus.token_weights
        found, counts = _distinct(
            corpus.token_ids[tokens], None if weights is None else weights[tokens]
        )
        contributions, other, size = embedding.explain(found, counts, row, centred)
        if union is not None and row.any():
            other["centring"] = other.get("centring", 0.0) - union.mean_ @ of_vectors
            size = size + np.abs(union.mean_) @ np.abs(of_vectors)
        if centred and "centring" in other:
            shares = embedding.shares(found, counts)[:, np.newaxis]
            contributions += shares * other.pop("centring")
        terms, values = _tfidf_of(parts, features, number, n_tfidf)
        of_terms = values[:, np.newaxis] * coef[terms]
        size = size + np.abs(of_terms).sum(axis=0)
        yield _Document(
            words[found], counts, contributions, other, names[terms], of_terms, size
        )


def _term_names(parts: _Parts) -> np.ndarray:
    if parts.union is None:
        return np.zeros(0, dtype=object)
    names = parts.union.vectorizer_.get_feature_names_out()
    return np.asarray(names, dtype=object)


def _tfidf_of(
    parts: _Parts, features: Any, number: int, n_tfidf: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the columns and the values of the tf-idf of a document."""
    if parts.union is None:
        return np.zeros(0, dtype=np.intp), np.zeros(0)
    entries = slice(*features.indptr[number : number + 2])
    columns, values = features.indices[entries], features.data[entries]
    chosen = (columns < n_tfidf) & (values != 0)
    return columns[chosen], values[chosen].astype(np.float64)


def _distinct(
    ids: np.ndarray, weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct words of a document, in their order, and their counts."""
    weights = np.ones(ids.size) if weights is None else weights.astype(np.float64)
    ids, weights = ids[weights > 0], weights[weights > 0]
    found, first, places = np.unique(ids, return_index=True, return_inverse=True)
    counts = np.bincount(places, weights, minlength=found.size)
    order = np.argsort(first)
    return found[order], counts[order]


class _Embedding:
    """How an embedder turns the words of a document into features."""

    def __init__(self, embedder: Any, coef: np.ndarray) -> None:
        self.coef = coef
        self.pooling = embedder.pooling_
        self.combine = embedder.combine
        word = embedder.word_vectors_
        # Given vectors are those of words.
        self.tables = word, getattr(embedder, "context_vectors_", word)
        n_components = self.tables[0].shape[1]
        plan = _features.plan_of(embedder, self.pooling, n_components, np.float64)
        self.means, self.columns = None, np.ones(len(coef))
        if plan.scale is not None:
            self.means, deviations = _features.learned_scaling(embedder, plan)
            if plan.scale == "standard":
                self.columns = _features.LENGTH / np.sqrt(len(coef)) / deviations
        self.has_length = plan.scale == "spherical" or plan.norm is not None

    def explain(
        self, ids: np.ndarray, counts: np.ndarray, features: np.ndarray, centred: bool
    ) -> tuple[np.ndarray, dict[str, np.ndarray], np.ndarray]:
        """Return contributions of words, and of what is done to their sum.

        Parameters
        ----------
        ids : ndarray of shape (n_words,), int
            Distinct rows.
        counts : ndarray of shape (n_words,), float64
        features : ndarray of shape (n_features,)
            What the embedder makes of the document.
        centred : bool
            Whether common components are removed from the vectors of words.

        Returns
        -------
        contributions : ndarray of shape (n_words, n_outputs), float64
        other : dict of str to ndarray of shape (n_outputs,), float64
        size : ndarray of shape (n_outputs,), float64
            The sum of absolute terms, over words and dimensions.
        """
        tables = tuple(table[ids] for table in self.tables)
        vectors = _features._combined(tables, self.combine).astype(np.float64)
        vectors *= self._weights(ids, counts)[:, np.newaxis]
        sizes = np.abs(vectors).sum(axis=0)
        added = {}
        if hasattr(self.pooling, "components_"):
            components = self.pooling.components_
            common = self.pooling.component_weights_ * (vectors @ components.T)
            common = common @ components
            sizes += np.abs(common).sum(axis=0)
            if centred:
                vectors -= common
            else:
                added["common components"] = -common.sum(axis=0)
        row = vectors.sum(axis=0)
        if self.means is not None:
            added["centring"] = -self.means
            sizes += np.abs(self.means)
        scaled = self.columns * sum(added.values(), row)
        direction = (self._factor(scaled, features) * self.columns)[:, np.newaxis]
        direction = direction * self.coef
        other = {name: values @ direction for name, values in added.items()}
        return vectors @ direction, other, sizes @ np.abs(direction)

    def shares(self, ids: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Return weights of words that add up to 1."""
        weights = self._weights(ids, counts)
        return weights / (weights.sum() or 1.0)

    def _weights(self, ids: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Return the weights of words in the pooled row."""
        name = _WEIGHTS[type(self.pooling)]
        weights = counts if name is None else counts * getattr(self.pooling, name)[ids]
        if type(self.pooling) is SumPooling:
            return weights
        by_weight = type(self.pooling) is TfidfPooling
        return weights / ((weights if by_weight else counts).sum() or 1.0)

    def _factor(self, scaled: np.ndarray, features: np.ndarray) -> float:
        """Return by what a row is multiplied to get its length."""
        # Rows of zeros stay zero: they are not even centred.
        if not features.any():
            return 0.0
        if not self.has_length:
            return 1.0
        # Squares of large numbers would be infinite.
        size = np.abs(scaled).max() or 1.0
        scaled = scaled / size
        return float(scaled @ features / (scaled @ scaled or 1.0) / size)


def _add_up(
    parts: _Parts,
    document: _Document,
    decision: np.ndarray,
    is_single: bool,
    outputs: tuple,
) -> WordContributions:
    """Return what a document's words contributed, and what is left of the decision."""
    other: dict[str, Any] = {**document.other, **parts.constants}
    values = [document.contributions, document.term_contributions]
    values.append(np.array(list(other.values())))
    every = np.vstack(values)
    if decision.size == every.shape[1]:
        other["rounding"] = decision - every.sum(axis=0)
    if decision.size != every.shape[1] or np.any(
        np.abs(other["rounding"]) > _ROUNDING * (document.size + parts.size)
    ):
        raise TypeError(
            f"The decision of {type(parts.last).__name__} is not the product of "
            "features and coef_ plus intercept_. Only that of a linear model is a sum "
            "over words."
        )
    if is_single:
        other = {name: float(value[0]) for name, value in other.items()}
        values = [value[:, 0] for value in values]
    return WordContributions(
        document.words,
        document.counts,
        values[0],
        document.terms,
        values[1],
        other,
        float(decision[0]) if is_single else decision,
        outputs,
    )
