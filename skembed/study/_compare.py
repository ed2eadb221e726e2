"""The comparison of tying strategies on one classification task.

Every line of the comparison is one point of a parameter grid: estimator,
`share_context` and, where there is one, `bias`. scikit-learn's `GridSearchCV`
cross-validates it on the same folds and with the same classifier as all others. The
classifier is fitted twice on the same features: on all labels of the training
documents, and on a few of each class.
"""

import math
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median_low
from time import perf_counter
from typing import Any, NamedTuple

import joblib
import numpy as np
from scipy import sparse
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.model_selection import (
    GridSearchCV,
    ParameterGrid,
    StratifiedKFold,
    StratifiedShuffleSplit,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer
from threadpoolctl import threadpool_limits  # scikit-learn requires it too

from skembed._cbow import CBOWEmbedder
from skembed._glove import GloVeEmbedder
from skembed._ppmi_svd import PPMISVDEmbedder
from skembed._sgns import SGNSEmbedder
from skembed._tying import strategies
from skembed._warmup import warmup
from skembed.features import TextUnion

# Inverse strengths of the penalty: features of embedders are best served by the first
# ones, tf-idf by the last.
HEAD_CS = (0.1, 1.0, 10.0, 100.0)
_MAX_ITER = 1000  # of the classifier
# Folds by which C is chosen where labels are few.
_FEW_FOLDS = 3
# So few rows are replaced by coordinates; smaller eigenvalues come from rounding.
_MOST_SPANNED, _ROUNDING = 2000, 1e-10

# What the options of the command line are called as parameters.
_OPTIONS = {
    "n_components": "--n-components",
    "min_count": "--min-count",
    "max_iter": "--epochs",
    "x_max": "--x-max",
}

METHOD_HELP = f"""\
  One search of scikit-learn (GridSearchCV) per line or few lines, on the same
  stratified, shuffled folds. Features are fitted on the texts of all training
  documents. All lines have the same classifier behind them, LogisticRegression,
  with C out of {", ".join(f"{c:g}" for c in HEAD_CS)}.
  For all labels C is chosen on a fifth of the training documents, for few labels
  by cross-validation on these alone, which are the same for all lines.
  What has no option here has the estimators' default, except combine: GloVe adds
  a word's two vectors, and with one table takes that one. On one machine, and with
  the same versions of all packages, the same seed gives the same table, apart from
  the seconds.
"""

# The study has all strategies.
_SHOWN = [strategies.get_strategy(name) for name in (False, True, "signed")]


@dataclass(frozen=True)
class Settings:
    """What a comparison is run with; the fields are options of the command line."""

    estimators: tuple[str, ...] = ("sgns", "cbow", "glove", "ppmi-svd", "union")
    n_components: int = 100
    epochs: int | None = None
    x_max: float = 10.0
    min_count: int = 5
    cv: int = 3
    labels_per_class: int = 10
    seed: int = 0
    n_jobs: int = 1


# What names of accuracies begin with: those of all labels, and of few.
KINDS = ("", "few_")


class Candidate(NamedTuple):
    """One line of the comparison, before it is run."""

    estimator: str
    point: dict[str, Any]  # parameters of the pipeline, by name
    is_reference: bool = False

    @property
    def labels(self) -> dict[str, Any]:
        """What identifies the line; parameters that it does not have are left out."""
        labels = {"estimator": self.estimator}
        for name in ("share_context", "bias"):
            if f"features__{name}" in self.point:
                labels[name] = self.point[f"features__{name}"]
        return {**labels, "is_reference": self.is_reference}


class _Stage(Pipeline):
    """A pipeline that fits without a word and remembers how long it took.

    Fits may run in processes of their own, where no filter of warnings set elsewhere
    holds. One BLAS thread: results depend on their number, and for matrices as small
    as those of the classifier more of them only get into each other's way.
    """

    def fit(self, X, y=None, **params):
        """Fit all steps."""
        start = perf_counter()
        with warnings.catch_warnings(), threadpool_limits(limits=1, user_api="blas"):
            warnings.simplefilter("ignore")
            super().fit(X, y, **params)
        self.seconds_ = perf_counter() - start
        return self


class _CappedSVD(TruncatedSVD):
    """A TruncatedSVD that makes do with fewer features than components."""

    n_components: int

    def fit_transform(self, X, y=None):
        """Fit to the input and return its components."""
        wanted = self.n_components
        self.n_components = max(1, min(wanted, X.shape[1] - 1))
        try:
            return super().fit_transform(X, y)
        finally:
            self.n_components = wanted


class _Span(TransformerMixin, BaseEstimator):
    """Turns sparse rows into coordinates in the span of those that it is fitted on.

    A linear classifier with an L2 penalty has its weights in this span, so it learns
    and predicts the same.
    """

    def fit(self, X, y=None):
        """Find an orthonormal basis."""
        values, vectors = np.linalg.eigh((X @ X.T).toarray())
        some = values > _ROUNDING * values.max()
        self.basis_ = X.T @ (vectors[:, some] / np.sqrt(values[some]))
        return self

    def transform(self, X):
        """Return the coordinates of rows."""
        return X @ self.basis_


class _Heads(BaseEstimator):
    """The classifier, fitted on all labels and on a few of each class.

    Parameters
    ----------
    labels_per_class : int
    seed : int
        Of what is held out to choose C, and of the few.
    """

    def __init__(self, labels_per_class, seed):
        self.labels_per_class = labels_per_class
        self.seed = seed

    def fit(self, X, y):
        """Fit both."""
        start = perf_counter()
        self.of_all_ = head(_Holdout(self.seed)).fit(X, y)
        few = few_of_each(y, self.labels_per_class, self.seed)
        least = min(Counter(y[few]).values())
        folds = StratifiedKFold(
            min(_FEW_FOLDS, least), shuffle=True, random_state=self.seed
        )
        X = X[few]
        # Many words and few documents: in their span the same is found in less time.
        spans = sparse.issparse(X) and few.size <= _MOST_SPANNED
        shorten = _Span() if spans else FunctionTransformer()
        self.of_few_ = make_pipeline(shorten, head(folds)).fit(X, y[few])
        self.seconds_ = perf_counter() - start
        return self


class _Holdout:
    """Splits off a fifth of the documents, and at least one of each class."""

    def __init__(self, seed: int):
        self.seed = seed

    def split(self, X, y, groups=None):
        """Yield the one split."""
        n_test = max(len(y) // 5, np.unique(y).size)
        splitter = StratifiedShuffleSplit(1, test_size=n_test, random_state=self.seed)
        return splitter.split(X, y)

    def get_n_splits(self, X=None, y=None, groups=None):
        """Return 1."""
        return 1


def check_labels(labels: Sequence[str], cv: int) -> None:
    """Refuse labels that cannot be cross-validated.

    Parameters
    ----------
    labels : sequence of str
    cv : int
        Number of folds.

    Raises
    ------
    ValueError
        If there is one class only, or one with too few documents for `cv` folds.
    """
    counts = Counter(labels)
    if len(counts) < 2:
        raise ValueError(
            f"All {len(labels)} documents have the same label, {labels[0]!r}: there is "
            "nothing to tell apart."
        )
    # The documents outside a fold are split once more, to choose the head's C: they
    # must hold two of each class.
    least = cv if cv > 2 else 4
    small = sorted((n, label) for label, n in counts.items() if n < least)
    if small:
        named = ", ".join(f"{label!r} ({n})" for n, label in small[:5])
        more = f" and {len(small) - 5} more" if len(small) > 5 else ""
        raise ValueError(
            f"{len(small)} of {len(counts)} classes have fewer than the {least} "
            f"documents that {cv} folds need: {named}{more}. Merge or leave out small "
            "classes, or choose another label column (--label) or fewer folds (--cv)."
        )


def sample(n_documents: int, size: int, seed: int) -> list[int]:
    """Return the numbers of `size` documents, or all, drawn at random, in order."""
    size = min(size, n_documents)
    drawn = np.random.default_rng(seed).choice(n_documents, size, replace=False)
    return sorted(drawn.tolist())


def few_of_each(labels: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Return the numbers of `n` documents of each class, drawn at random, in order.

    Of a class that has fewer, these are all.
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    shuffled = labels[order]
    few = [order[shuffled == one][:n] for one in np.unique(labels)]
    return np.sort(np.concatenate(few))


def candidates(settings: Settings) -> list[Candidate]:
    """Return the lines of a comparison: two references, then the embedders."""
    # References first: they are quick, and what cannot be run at all shows early.
    svd = _CappedSVD(settings.n_components, random_state=settings.seed)
    references = {
        "tf-idf": TfidfVectorizer(),
        "TruncatedSVD of tf-idf": make_pipeline(TfidfVectorizer(), svd, Normalizer()),
    }
    lines = [
        Candidate(title, {"features": features}, is_reference=True)
        for title, features in references.items()
    ]
    for key in settings.estimators:
        title, grid = GRIDS[key]
        lines += [Candidate(title, point) for point in ParameterGrid(grid(settings))]
    return lines


def _common(settings: Settings) -> dict[str, Any]:
    return {
        "n_components": settings.n_components,
        "min_count": settings.min_count,
        "random_state": settings.seed,
    }


def _epochs(settings: Settings) -> dict[str, Any]:
    return {} if settings.epochs is None else {"max_iter": settings.epochs}


def _sgns_grid(settings: Settings) -> list[dict[str, list]]:
    embedder = SGNSEmbedder(**_common(settings), **_epochs(settings))
    grid = []
    for strategy in _SHOWN:
        # One table is tried with all that can stand for the constant it lacks.
        constants = ["exact", "shift", "word", None]
        biases = constants if strategy.needs_constant else [None, "exact"]
        grid.append(_grid_of(embedder, strategy, bias=biases))
    return grid


def _cbow_grid(settings: Settings) -> list[dict[str, list]]:
    embedder = CBOWEmbedder(**_common(settings), **_epochs(settings))
    return [
        _grid_of(embedder, strategy, bias=[strategy.default_bias])
        for strategy in _SHOWN
    ]


def _glove_grid(settings: Settings) -> list[dict[str, list]]:
    embedder = GloVeEmbedder(
        **_common(settings), **_epochs(settings), x_max=settings.x_max
    )
    # The sum of both tables, as published. One table has no second vector to add.
    return [
        _grid_of(
            embedder, strategy, combine=["word" if strategy.n_tables < 2 else "sum"]
        )
        for strategy in _SHOWN
    ]


def _ppmi_svd_grid(settings: Settings) -> list[dict[str, list]]:
    embedder = PPMISVDEmbedder(**_common(settings))
    return [_grid_of(embedder, strategy) for strategy in _SHOWN]


def _union_grid(settings: Settings) -> list[dict[str, list]]:
    # The tf-idf of the references, so that the two can be compared.
    embedder = PPMISVDEmbedder(**_common(settings))
    return [{"features": [TextUnion(embedder, vectorizer=TfidfVectorizer())]}]


def _grid_of(
    embedder: Any, strategy: strategies.Tying, **values: list
) -> dict[str, list]:
    grid = {"features": [embedder], "features__share_context": [strategy.name]}
    return grid | {f"features__{name}": choice for name, choice in values.items()}


Grid = Callable[[Settings], list[dict[str, list]]]
GRIDS: dict[str, tuple[str, Grid]] = {
    "sgns": ("SGNS", _sgns_grid),
    "cbow": ("CBOW", _cbow_grid),
    "glove": ("GloVe", _glove_grid),
    "ppmi-svd": ("PPMI-SVD", _ppmi_svd_grid),
    "union": ("tf-idf + PPMI-SVD", _union_grid),
}


def warm_up(settings: Settings) -> None:
    """Compile the kernels of the chosen estimators, or load them from numba's cache.

    Otherwise the first lines of a comparison would pay for it with their seconds.
    """
    lines = [line for line in candidates(settings) if not line.is_reference]
    features = [line.point["features"] for line in lines]
    kinds = dict.fromkeys(type(getattr(one, "embedder", one)) for one in features)
    # Compiled once and kept on disk, if that is possible, before all processes ask.
    warmup(*kinds)
    n_jobs = joblib.effective_n_jobs(settings.n_jobs)
    if n_jobs > 1:
        joblib.Parallel(n_jobs)(joblib.delayed(warmup)(*kinds) for _ in range(n_jobs))


def compare(
    documents: Sequence[str],
    labels: Sequence[Any],
    lines: Sequence[Candidate],
    settings: Settings,
) -> Iterator[list[dict[str, Any]]]:
    """Cross-validate the lines, a few at a time, and yield a row about each.

    Parameters
    ----------
    documents : sequence of str
    labels : sequence
        The class of each document.
    lines : sequence of Candidate
    settings : Settings

    Yields
    ------
    list of dict
        "estimator", "share_context", "bias" (where the line has them),
        "is_reference", "n_embedding_parameters" (None for tf-idf), "fit_seconds",
        "accuracy", "accuracy_sd", "fold_accuracies", the same three of few labels
        with "few_" before them, "pipeline" (Python code, None for references) and
        "error": None, or why the line could not be fitted, in which case it has no
        numbers.
    """
    n_jobs = joblib.effective_n_jobs(settings.n_jobs)
    # So many lines at a time that their folds keep all processes busy to the end.
    n_together = n_jobs // math.gcd(n_jobs, settings.cv)
    for first in range(0, len(lines), n_together):
        batch = lines[first : first + n_together]
        yield _run(documents, np.asarray(labels), batch, settings)


def _run(
    documents: Sequence[str],
    labels: np.ndarray,
    batch: Sequence[Candidate],
    settings: Settings,
) -> list[dict[str, Any]]:
    search = GridSearchCV(
        _Stage(
            [
                ("features", "passthrough"),
                ("heads", _Heads(settings.labels_per_class, settings.seed)),
            ]
        ),
        [{name: [value] for name, value in c.point.items()} for c in batch],
        scoring=_measure,
        cv=StratifiedKFold(settings.cv, shuffle=True, random_state=settings.seed),
        refit=False,
        error_score="raise",
        n_jobs=settings.n_jobs,
    )
    try:
        search.fit(documents, labels)
    except (ValueError, ArithmeticError, MemoryError, RuntimeError) as error:
        if len(batch) == 1:
            return [without_result(batch[0], _in_options(error))]
        # The search does not say whose error it is: one by one they show.
        alone = [_run(documents, labels, [c], settings) for c in batch]
        return [row for rows in alone for row in rows]
    return [
        candidate.labels | _measured(candidate, search.cv_results_, number, settings.cv)
        for number, candidate in enumerate(batch)
    ]


def without_result(candidate: Candidate, error: str) -> dict[str, Any]:
    """Return the row of a line that has no numbers, as `compare` does, and why."""
    nothing: dict[str, Any] = {"n_embedding_parameters": None, "fit_seconds": None}
    for kind in KINDS:
        nothing |= {f"{kind}accuracy": None, f"{kind}accuracy_sd": None}
        nothing[f"{kind}fold_accuracies"] = []
    return candidate.labels | nothing | {"pipeline": None, "error": error}


def _in_options(error: Exception) -> str:
    """Return an error's text in one line, with options in place of parameters."""
    text = " ".join(str(error).split()) or type(error).__name__
    for name, option in _OPTIONS.items():
        text = re.sub(rf"\b{name}=", f"{option} ", text)
        text = re.sub(rf"\b{name}\b", option, text)
    return text


def head(cv: Any) -> LogisticRegressionCV:
    """Return the classifier of all lines, which chooses its C by the splits of `cv`."""
    return LogisticRegressionCV(
        Cs=HEAD_CS, cv=cv, scoring="accuracy", max_iter=_MAX_ITER
    )


def _measure(model: _Stage, X: Any, y: Any) -> dict[str, float]:
    """Return all that is measured of a fitted line, in the form of a scorer."""
    X = model[:-1].transform(X)
    heads = model[-1]
    return {
        "accuracy": heads.of_all_.score(X, y),
        "few_accuracy": heads.of_few_.score(X, y),
        "C": float(np.ravel(heads.of_all_.C_)[0]),
        "n_parameters": _n_parameters(model["features"]),
        # Those of the features, without the classifiers.
        "seconds": model.seconds_ - heads.seconds_,
    }


def _n_parameters(features: Any) -> float:
    if isinstance(features, Pipeline):
        return float(features[1].components_.size)
    embedder = getattr(features, "embedder_", features)
    return float(getattr(embedder, "n_embedding_parameters_", 0))


def _measured(
    candidate: Candidate, results: dict[str, Any], number: int, cv: int
) -> dict[str, Any]:
    found = {
        "n_embedding_parameters": round(results["mean_test_n_parameters"][number])
        or None,
        "fit_seconds": float(results["mean_test_seconds"][number]),
    }
    for kind in KINDS:
        name = f"{kind}accuracy"
        folds = [results[f"split{i}_test_{name}"][number] for i in range(cv)]
        found[name] = float(results[f"mean_test_{name}"][number])
        found[f"{name}_sd"] = float(results[f"std_test_{name}"][number])
        found[f"{kind}fold_accuracies"] = [float(accuracy) for accuracy in folds]
    chosen = float(median_low(results[f"split{i}_test_C"][number] for i in range(cv)))
    return found | {"pipeline": _pipeline(candidate, chosen), "error": None}


def _pipeline(candidate: Candidate, C: float) -> str | None:
    """Return code that makes a line's pipeline, with the middle C of the folds."""
    if candidate.is_reference:
        return None
    names = {name: value for name, value in candidate.point.items() if "__" in name}
    features = clone(candidate.point["features"]).set_params(
        **{name.partition("__")[2]: value for name, value in names.items()}
    )
    classifier = LogisticRegression(C=C)
    if C > 1.0:
        # It takes longer then.
        classifier.set_params(max_iter=_MAX_ITER)
    with config_context(print_changed_only=True):
        steps = [repr(step) for step in (features, classifier)]
    return f"make_pipeline({', '.join(' '.join(step.split()) for step in steps)})"
