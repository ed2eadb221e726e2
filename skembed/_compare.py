"""The comparison of tying strategies on one classification task.

Every line of the comparison is one point of a parameter grid: estimator,
`share_context` and, where there is one, `bias`. scikit-learn's `GridSearchCV`
cross-validates it on the same folds and with the same classifier as all others.
"""

import math
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, NamedTuple

import joblib
import numpy as np
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import (
    GridSearchCV,
    ParameterGrid,
    StratifiedKFold,
    StratifiedShuffleSplit,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import Normalizer
from threadpoolctl import threadpool_limits  # scikit-learn requires it too

from skembed import _tying
from skembed._glove import GloVeEmbedder
from skembed._ppmi_svd import PPMISVDEmbedder
from skembed._sgns import SGNSEmbedder
from skembed._warmup import warmup

# Inverse strengths of the penalty which suit features of unit length: tf-idf is best
# served by the first ones, word vectors with a large common part by the last.
HEAD_CS = (1.0, 10.0, 100.0, 1000.0)

# What the options of the command line are called as parameters.
_OPTIONS = {
    "n_components": "--n-components",
    "min_count": "--min-count",
    "max_iter": "--epochs",
    "x_max": "--x-max",
}

METHOD_HELP = f"""\
  One search of scikit-learn (GridSearchCV) per line or few lines, on the same
  stratified, shuffled folds. A document is the mean of its words' vectors. All
  lines have the same classifier: Normalizer and LogisticRegressionCV, with C out
  of {", ".join(f"{c:g}" for c in HEAD_CS)}, chosen on a fifth of training documents.
  What has no option here has the estimators' default, except combine: GloVe adds
  a word's two vectors, and with one table takes that one. On one machine, and with
  the same versions of all packages, the same seed gives the same table, apart from
  the seconds.
"""

# The study has all strategies.
_SHOWN = [_tying.get_strategy(name) for name in (False, True, "signed")]


@dataclass(frozen=True)
class Settings:
    """What a comparison is run with; the fields are options of the command line."""

    estimators: tuple[str, ...] = ("sgns", "glove", "ppmi-svd")
    n_components: int = 50
    epochs: int | None = None
    x_max: float = 10.0
    min_count: int = 5
    cv: int = 3
    seed: int = 0
    n_jobs: int = 1


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


def candidates(settings: Settings) -> list[Candidate]:
    """Return the lines of a comparison: two references, then the embedders."""
    # References first: they are quick, and what cannot be run at all shows early.
    svd = _CappedSVD(settings.n_components, random_state=settings.seed)
    references = {
        "tf-idf": TfidfVectorizer(),
        "TruncatedSVD of tf-idf": make_pipeline(TfidfVectorizer(), svd),
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


def _grid_of(embedder: Any, strategy: _tying.Tying, **values: list) -> dict[str, list]:
    grid = {"features": [embedder], "features__share_context": [strategy.name]}
    return grid | {f"features__{name}": choice for name, choice in values.items()}


Grid = Callable[[Settings], list[dict[str, list]]]
GRIDS: dict[str, tuple[str, Grid]] = {
    "sgns": ("SGNS", _sgns_grid),
    "glove": ("GloVe", _glove_grid),
    "ppmi-svd": ("PPMI-SVD", _ppmi_svd_grid),
}


def warm_up(settings: Settings) -> None:
    """Compile the kernels of the chosen estimators, or load them from numba's cache.

    Otherwise the first lines of a comparison would pay for it with their seconds.
    """
    lines = [line for line in candidates(settings) if not line.is_reference]
    kinds = dict.fromkeys(type(line.point["features"]) for line in lines)
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
        "accuracy", "accuracy_sd", "fold_accuracies" and "error": None, or why the
        line could not be fitted, in which case it has no numbers.
    """
    n_jobs = joblib.effective_n_jobs(settings.n_jobs)
    # So many lines at a time that their folds keep all processes busy to the end.
    n_together = n_jobs // math.gcd(n_jobs, settings.cv)
    for first in range(0, len(lines), n_together):
        batch = lines[first : first + n_together]
        yield _run(documents, labels, batch, settings)


def _run(
    documents: Sequence[str],
    labels: Sequence[str],
    batch: Sequence[Candidate],
    settings: Settings,
) -> list[dict[str, Any]]:
    search = GridSearchCV(
        _Stage([("features", "passthrough"), ("head", _head(settings.seed))]),
        [{name: [value] for name, value in c.point.items()} for c in batch],
        scoring={
            "accuracy": "accuracy",
            "n_parameters": _n_parameters,
            "seconds": _seconds,
        },
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
        candidate.labels | _measured(search.cv_results_, number, settings.cv)
        for number, candidate in enumerate(batch)
    ]


def without_result(candidate: Candidate, error: str) -> dict[str, Any]:
    """Return the row of a line that has no numbers, as `compare` does, and why."""
    names = ("n_embedding_parameters", "fit_seconds", "accuracy", "accuracy_sd")
    no_numbers: dict[str, Any] = dict.fromkeys(names)
    return candidate.labels | no_numbers | {"fold_accuracies": [], "error": error}


def _in_options(error: Exception) -> str:
    """Return an error's text in one line, with options in place of parameters."""
    text = " ".join(str(error).split()) or type(error).__name__
    for name, option in _OPTIONS.items():
        text = re.sub(rf"\b{name}=", f"{option} ", text)
        text = re.sub(rf"\b{name}\b", option, text)
    return text


def _head(seed: int) -> _Stage:
    """Return the classifier of all lines.

    Rows of unit length, which those of tf-idf already are, make one range of C fit
    all kinds of features; C is chosen on a part of the training documents.
    """
    classifier = LogisticRegressionCV(
        Cs=HEAD_CS, cv=_Holdout(seed), scoring="accuracy", max_iter=1000
    )
    return _Stage([("scale", Normalizer()), ("classify", classifier)])


def _n_parameters(model: _Stage, X: Any = None, y: Any = None) -> float:
    """Return the number of embedding parameters, in the form of a scorer."""
    features = model["features"]
    if isinstance(features, Pipeline):
        return float(features[-1].components_.size)
    return float(getattr(features, "n_embedding_parameters_", 0))


def _seconds(model: _Stage, X: Any = None, y: Any = None) -> float:
    """Return the seconds that the features took to fit, in the form of a scorer."""
    return model.seconds_ - model["head"].seconds_


def _measured(results: dict[str, Any], number: int, cv: int) -> dict[str, Any]:
    folds = [results[f"split{i}_test_accuracy"][number] for i in range(cv)]
    return {
        "n_embedding_parameters": round(results["mean_test_n_parameters"][number])
        or None,
        "fit_seconds": float(results["mean_test_seconds"][number]),
        "accuracy": float(results["mean_test_accuracy"][number]),
        "accuracy_sd": float(results["std_test_accuracy"][number]),
        "fold_accuracies": [float(accuracy) for accuracy in folds],
        "error": None,
    }
