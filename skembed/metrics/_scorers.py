"""Measures of one model as scorers of scikit-learn."""

import inspect
from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any

from sklearn.utils._param_validation import StrOptions, validate_params

from skembed._transformer import DocumentTransformer
from skembed.metrics._analogies import analogies
from skembed.metrics._files import check_pairs, check_questions
from skembed.metrics._groups import (
    categorization,
    check_categories,
    check_groups,
    outlier_detection,
)
from skembed.metrics._similarity import word_similarity
from skembed.vectors import WordVectors

# Of each measure: what reads its data, options of scorers, fields that can be a score.
_MEASURES: dict[Any, tuple[Callable, dict[str, Any], tuple[str, ...]]] = {
    word_similarity: (check_pairs, {"n_resamples": 0}, ("spearman", "pearson")),
    analogies: (
        check_questions,
        {},
        ("total.accuracy", "semantic.accuracy", "syntactic.accuracy"),
    ),
    categorization: (check_categories, {"random_state": 0}, ("purity",)),
    outlier_detection: (check_groups, {}, ("accuracy", "opp")),
}


class _Scorer:
    """A callable that scores a fitted embedder; see `make_scorer`."""

    def __init__(
        self, measure: Callable, data: Any, field: str, which: str, options: dict
    ) -> None:
        self.measure = measure
        self.data = data
        self.field = field
        self.which = which
        self.options = options

    def __call__(self, estimator: Any, X: Any = None, y: Any = None) -> float:
        embedder = embedder_of(estimator)
        vectors = WordVectors.from_estimator(embedder, which=self.which)
        result = self.measure(vectors, self.data, **self.options)
        return float(attrgetter(self.field)(result))

    def __repr__(self) -> str:
        given = "".join(f", {name}={value!r}" for name, value in self.options.items())
        return f"make_scorer({self.measure.__name__}, ..., field={self.field!r}{given})"


@validate_params(
    {
        "measure": [callable],
        "field": [str, None],
        "which": [StrOptions({"word", "context", "sum", "concat"})],
        "missing": [StrOptions({"drop", "zero"})],
    },
    prefer_skip_nested_validation=True,
)
def make_scorer(
    measure: Callable,
    data: Any,
    *,
    field: str | None = None,
    which: str = "word",
    missing: str = "zero",
    **options: Any,
) -> Callable:
    """Return a scorer of fitted embedders for scikit-learn's model selection.

    The scorer can be passed as `scoring` to `GridSearchCV`, `cross_val_score` and the
    like. It looks at the word vectors only, not at the documents that it is given. It
    takes an embedder, or a pipeline, union or `ColumnTransformer` in which exactly one
    step is an embedder.

    Parameters
    ----------
    measure : callable
        `word_similarity`, `analogies`, `categorization` or `outlier_detection`.
    data : object
        Second argument of the measure. A file is read once, right here.
    field : str, default=None
        The field of the result that is the score. None means the first one of:
        "spearman", "pearson"; "total.accuracy", "semantic.accuracy",
        "syntactic.accuracy"; "purity"; "accuracy", "opp".
    which : {"word", "context", "sum", "concat"}, default="word"
        Which vectors stand for the words, as in ``WordVectors.from_estimator``.
    missing : {"drop", "zero"}, default="zero"
        What happens to missing words, as in the measure. With "zero", models with
        different vocabularies are compared on the same data, and no score is NaN. With
        "drop", a model that knows only a few frequent words may get a high score, and
        one that knows none raises an error.
    **options : dict
        Further arguments of the measure. Unlike the measure itself, the scorer does
        not compute intervals, and `random_state` is 0.

    Returns
    -------
    callable
        Takes a fitted estimator and, optionally, X and y, which are ignored. Returns a
        float that is larger for better vectors. It can be pickled.

    Raises
    ------
    ValueError
        If the measure, the field or the data are not valid.
    TypeError
        If the measure has no such argument.

    Examples
    --------
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skembed import PPMISVDEmbedder
    >>> from skembed.metrics import make_scorer, word_similarity
    >>> pairs = [("cat", "dog", 8), ("cat", "car", 1), ("dog", "bus", 2)]
    >>> search = GridSearchCV(
    ...     PPMISVDEmbedder(),
    ...     {"window": [2, 5]},
    ...     scoring=make_scorer(word_similarity, pairs),
    ... )
    """
    if measure not in _MEASURES:
        names = ", ".join(one.__name__ for one in _MEASURES)
        raise ValueError(f"measure must be one of {names}, got {measure!r}.")
    read, defaults, fields = _MEASURES[measure]
    if field is None:
        field = fields[0]
    elif field not in fields:
        raise ValueError(
            f"field must be one of {fields} for {measure.__name__}, got {field!r}."
        )
    options = {**defaults, "missing": missing, **options}
    inspect.signature(measure).bind(None, None, **options)
    return _Scorer(measure, read(data), field, which, options)


def embedder_of(estimator: Any) -> DocumentTransformer:
    """Return the embedder that an estimator is or holds.

    Raises
    ------
    TypeError
        If it holds no embedder, or several.
    """
    found = list(_embedders(estimator))
    if len(found) != 1:
        raise TypeError(
            "The scorer needs an embedder, or an estimator with exactly one embedder "
            f"in its steps, and found {len(found)} in {type(estimator).__name__}."
        )
    return found[0]


def _embedders(estimator: Any) -> Iterator[DocumentTransformer]:
    """Yield the embedders in pipelines, unions and searches, at any depth."""
    if isinstance(estimator, DocumentTransformer):
        yield estimator
    # A fitted ColumnTransformer has fitted copies of its transformers.
    columns = "transformers_" if hasattr(estimator, "transformers_") else "transformers"
    for name in ("steps", "transformer_list", columns):
        for _, step, *_ in getattr(estimator, name, ()):
            yield from _embedders(step)
    for name in ("embedder_", "best_estimator_"):
        if hasattr(estimator, name):
            yield from _embedders(getattr(estimator, name))
