"""The comparison of tying strategies on one classification task.

Every line of the comparison is one point of a parameter grid: estimator,
`share_context` and, where there is one, `bias`. scikit-learn's `GridSearchCV`
cross-validates it on the same folds and with the same classifier as all others. The
classifier is fitted twice on the same features: on all labels of the training
documents, and on a few of each class.
"""

import math
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import median_low
from time import perf_counter
from typing import Any

import joblib
import numpy as np
from scipy import sparse
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    StratifiedShuffleSplit,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from threadpoolctl import threadpool_limits  # scikit-learn requires it too

from skembed._warmup import prepare
from skembed.study._candidates import Candidate, Settings
from skembed.study._options import in_options

# Inverse strengths of the penalty: features of embedders are best served by the first
# ones, tf-idf by the last.
HEAD_CS = (0.1, 1.0, 10.0, 100.0)
_MAX_ITER = 1000  # of the classifier
# Folds by which C is chosen where labels are few.
_FEW_FOLDS = 3
# So few rows are replaced by coordinates; smaller eigenvalues come from rounding.
_MOST_SPANNED, _ROUNDING = 2000, 1e-10

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

# What names of accuracies begin with: those of all labels, and of few.
KINDS = ("", "few_")


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


def few_of_each(labels: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Return the numbers of `n` documents of each class, drawn at random, in order.

    Of a class that has fewer, these are all.
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    shuffled = labels[order]
    few = [order[shuffled == one][:n] for one in np.unique(labels)]
    return np.sort(np.concatenate(few))


def warm_up(candidates: Sequence[Candidate], n_jobs: int) -> None:
    """Compile the kernels that candidates need, or load them from numba's cache.

    Otherwise the first lines of a comparison would pay for it with their seconds.
    """
    ways: dict[type, set[Any]] = {}
    for made in (c.make() for c in candidates if not c.is_reference):
        embedder = getattr(made, "embedder", made)
        ways.setdefault(type(embedder), set()).add(embedder.share_context)
    # Compiled once and kept on disk, if that is possible, before all processes ask.
    _prepare(ways)
    n_jobs = joblib.effective_n_jobs(n_jobs)
    if n_jobs > 1:
        load = joblib.delayed(_prepare)
        joblib.Parallel(n_jobs)(load(ways) for _ in range(n_jobs))


def _prepare(ways: dict[type, set[Any]]) -> None:
    for kind, share_contexts in ways.items():
        prepare(kind, share_contexts)


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
        [{"features": [candidate.make()]} for candidate in batch],
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
            return [
                without_result(
                    batch[0],
                    in_options(" ".join(str(error).split()) or type(error).__name__),
                )
            ]
        # The search does not say whose error it is: one by one they show.
        alone = [_run(documents, labels, [c], settings) for c in batch]
        return [row for rows in alone for row in rows]
    return [
        _labels(candidate)
        | _measured(candidate, search.cv_results_, number, settings.cv)
        for number, candidate in enumerate(batch)
    ]


def _labels(candidate: Candidate) -> dict[str, Any]:
    """Return what identifies a row; parameters that it does not have are left out."""
    own: dict[str, Any] = {
        name: candidate.params[name]
        for name in ("share_context", "bias")
        if name in candidate.params
    }
    return {
        "estimator": candidate.title,
        **own,
        "is_reference": candidate.is_reference,
    }


def without_result(candidate: Candidate, error: str) -> dict[str, Any]:
    """Return the row of a line that has no numbers, as `compare` does, and why."""
    nothing: dict[str, Any] = {"n_embedding_parameters": None, "fit_seconds": None}
    for kind in KINDS:
        nothing |= {f"{kind}accuracy": None, f"{kind}accuracy_sd": None}
        nothing[f"{kind}fold_accuracies"] = []
    return _labels(candidate) | nothing | {"pipeline": None, "error": error}


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
    classifier = LogisticRegression(C=C)
    if C > 1.0:
        # It takes longer then.
        classifier.set_params(max_iter=_MAX_ITER)
    with config_context(print_changed_only=True):
        steps = [repr(step) for step in (candidate.make(), classifier)]
    return f"make_pipeline({', '.join(' '.join(step.split()) for step in steps)})"
