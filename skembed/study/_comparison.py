"""The quick comparison: candidates cross-validated on one classification task.

All candidates have the same folds and the same classifier. It is fitted twice on the
same features: with all labels of the training documents, and with a few labels of each
class.
"""

import math
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from statistics import median_low
from time import perf_counter
from typing import Any

import joblib
import numpy as np
from scipy import sparse
from sklearn import config_context
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.model_selection import StratifiedKFold, StratifiedShuffleSplit
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import normalize
from threadpoolctl import threadpool_limits  # scikit-learn requires it too

from skembed._base import BaseEmbedder
from skembed._warmup import prepare
from skembed.study._candidates import Candidate, Settings
from skembed.study._options import message
from skembed.study._progress import tell
from skembed.study._verdict import Row

# Inverse strengths of the penalty. The first ones suit features of embedders, the last
# ones suit tf-idf.
HEAD_CS = (0.1, 1.0, 10.0, 100.0)
_MAX_ITER = 1000  # of the classifier
# Folds for choosing C with few labels.
_FEW_FOLDS = 3
# Up to so many rows are replaced by coordinates. Smaller eigenvalues are rounding
# errors.
_MOST_SPANNED, _ROUNDING = 2000, 1e-10

METHOD_HELP = f"""\
  A cross-validation of every line on the same stratified, shuffled folds. Features
  are fitted on the texts of all training documents. All lines use the same
  classifier, LogisticRegression, with C from
  {", ".join(f"{c:g}" for c in HEAD_CS)}.
  For all labels C is chosen on a fifth of the training documents, for few labels
  by cross-validation on these alone, which are the same for all lines.
  Parameters without an option keep the estimators' defaults, except combine: GloVe
  uses the sum of a word's two vectors, or its only vector if there is one table. On
  one machine, and with the same versions of all packages, the same seed gives the
  same table, apart from the seconds.
"""

_SHORT = (
    "note: a process was killed, probably for lack of memory; from here on, one fold "
    "runs at a time. --max-documents and --max-features save memory."
)
_KILLED = (
    "its process was killed, probably for lack of memory: try --max-documents or "
    "--max-features"
)

# Prefixes of the names of accuracies: with all labels, and with few labels.
KINDS = ("", "few_")


def check_labels(labels: Sequence[str], cv: int) -> None:
    """Raise an error for labels that cannot be cross-validated.

    Parameters
    ----------
    labels : sequence of str
    cv : int
        Number of folds.

    Raises
    ------
    ValueError
        If there is only one class, or a class has too few documents for `cv` folds.
    """
    counts = Counter(labels)
    if len(counts) < 2:
        raise ValueError(
            f"All {len(labels)} documents have the same label, {labels[0]!r}: there is "
            "nothing to tell apart."
        )
    # The documents outside a fold are split again to choose the classifier's C, so they
    # must contain two documents of each class.
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
    """Return the numbers of `n` random documents of each class, in ascending order.

    A class with fewer documents contributes all of them.
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    shuffled = labels[order]
    few = [order[shuffled == one][:n] for one in np.unique(labels)]
    return np.sort(np.concatenate(few))


def warm_up(candidates: Sequence[Candidate]) -> None:
    """Compile the kernels that candidates need, or load them from numba's cache.

    They are compiled once and, if possible, stored on disk, before all processes need
    them.
    """
    for candidate in candidates:
        _load_kernels(candidate.make())


def _load_kernels(features: Any) -> None:
    embedder = getattr(features, "embedder", features)
    if isinstance(embedder, BaseEmbedder):
        _prepare(type(embedder), embedder.share_context)


@cache
def _prepare(kind: type[BaseEmbedder], share_context: Any) -> None:
    prepare(kind, [share_context])


def compare(
    documents: Sequence[str],
    labels: Sequence[Any],
    lines: Sequence[Candidate],
    settings: Settings,
) -> Iterator[list[dict[str, Any]]]:
    """Cross-validate the candidates, a few at a time, and yield a row for each.

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
        "estimator", "share_context", "bias" (if the candidate has them),
        "is_reference", "n_embedding_parameters" (None for tf-idf), "fit_seconds",
        "accuracy", "accuracy_sd", "fold_accuracies", the same three for few labels
        with the prefix "few_", "pipeline" (Python code, None for references) and
        "error". It is None, or the reason why the candidate could not be fitted. Such a
        row has no numbers.
    """
    y = np.asarray(labels)
    folds = StratifiedKFold(settings.cv, shuffle=True, random_state=settings.seed)
    splits = list(folds.split(y, y))
    n_jobs = joblib.effective_n_jobs(settings.n_jobs)
    # So many candidates at a time that their folds keep all processes busy.
    n_together = n_jobs // math.gcd(n_jobs, settings.cv)
    todo, is_short = list(lines), False
    while todo:
        batch = todo[: 1 if is_short else n_together]
        tasks = [
            joblib.delayed(_measure)(line.make(), documents, y, *split, settings)
            for line in batch
            for split in splits
        ]
        try:
            found = _run(tasks, n_jobs, one_by_one=is_short)
        except BrokenProcessPool:
            if not is_short:
                # The same again, with less memory in use.
                is_short = True
                tell(_SHORT)
                continue
            found = [_KILLED] * len(tasks)
        todo = todo[len(batch) :]
        yield [
            _row(line, found[i * settings.cv : (i + 1) * settings.cv])
            for i, line in enumerate(batch)
        ]


def _run(tasks: list[Any], n_jobs: int, one_by_one: bool) -> list[Any]:
    """Return the results of tasks in other processes, or here if `n_jobs` is 1."""
    with warnings.catch_warnings():
        # joblib replaces a process that has grown by 300 MB between tasks, which are
        # few documents and vectors here. Nothing is lost.
        warnings.filterwarnings("ignore", "A worker stopped", UserWarning)
        return joblib.Parallel(n_jobs, pre_dispatch=1 if one_by_one else "2*n_jobs")(
            tasks
        )


def _measure(
    features: Any,
    documents: Sequence[str],
    labels: np.ndarray,
    train: np.ndarray,
    test: np.ndarray,
    settings: Settings,
) -> dict[str, float] | str:
    """Return the measurements of one fold, or the reason why there are none.

    It may run in a separate process, where warning filters of the parent do not apply.
    BLAS has one thread, because results depend on its number of threads, and more
    threads are slower for matrices as small as those of the classifier.
    """
    with warnings.catch_warnings(), threadpool_limits(limits=1, user_api="blas"):
        warnings.simplefilter("ignore")
        try:
            # Not part of the seconds. A new process has loaded nothing yet.
            _load_kernels(features)
            start = perf_counter()
            X = features.fit_transform([documents[i] for i in train], labels[train])
            found = {"seconds": perf_counter() - start}
            Z = features.transform([documents[i] for i in test])
            return found | {
                "n_parameters": _n_parameters(features),
                **_classify(X, labels[train], Z, labels[test], settings),
            }
        except (ValueError, ArithmeticError, MemoryError, RuntimeError) as error:
            return message(error)


def _classify(
    X: Any, y: np.ndarray, Z: Any, z: np.ndarray, settings: Settings
) -> dict[str, float]:
    """Fit and score the classifier, with all labels and with a few of each class."""
    n_test = max(len(y) // 5, np.unique(y).size)
    holdout = StratifiedShuffleSplit(1, test_size=n_test, random_state=settings.seed)
    X_all, Z_all = merge_rare(X, Z) if sparse.issparse(X) else (X, Z)
    of_all = head(list(holdout.split(y, y))).fit(X_all, y)
    few = few_of_each(y, settings.labels_per_class, settings.seed)
    n_folds = min(_FEW_FOLDS, *Counter(y[few]).values())
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=settings.seed)
    X_few, Z_few = X[few], Z
    # With many words and few documents, the same result is found faster in their span.
    if sparse.issparse(X) and few.size <= _MOST_SPANNED:
        basis = span(X_few)
        X_few, Z_few = X_few @ basis, Z @ basis
    of_few = head(folds).fit(X_few, y[few])
    return {
        "accuracy": of_all.score(Z_all, z),
        "few_accuracy": of_few.score(Z_few, z),
        "C": float(np.ravel(of_all.C_)[0]),
    }


def span(X: Any) -> Any:
    """Return an orthonormal basis of the span of sparse rows, as columns.

    The weights of a linear classifier with an L2 penalty are in this span. It therefore
    learns and predicts the same from coordinates.
    """
    values, vectors = np.linalg.eigh((X @ X.T).toarray())
    some = values > _ROUNDING * values.max()
    return X.T @ (vectors[:, some] / np.sqrt(values[some]))


def merge_rare(X: Any, Z: Any) -> tuple[Any, Any]:
    """Merge the columns of two sparse matrices that are zero in all rows of X but one.

    The columns of one row become one column, a part of an orthonormal basis of their
    span. With fewer columns, a linear classifier with an L2 penalty learns and predicts
    the same. Half of the words of a corpus may occur in only one document.
    """
    is_rare = np.diff(X.tocsc().indptr) == 1
    if not is_rare.any():
        return X, Z
    rare = X.tocsr()[:, is_rare]
    basis = normalize(rare[np.diff(rare.indptr) > 0]).T
    first, second = (
        sparse.hstack([Y[:, ~is_rare], Y[:, is_rare] @ basis], format="csr")
        for Y in (X.tocsr(), Z.tocsr())
    )
    return first, second


def _labels(candidate: Candidate) -> dict[str, Any]:
    """Return the fields that identify a row, without parameters that it lacks."""
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
    """Return the row of a failed candidate, as `compare` does, with the error."""
    nothing: dict[str, Any] = {"n_embedding_parameters": None, "fit_seconds": None}
    for kind in KINDS:
        nothing |= {f"{kind}accuracy": None, f"{kind}accuracy_sd": None}
        nothing[f"{kind}fold_accuracies"] = []
    return _labels(candidate) | nothing | {"pipeline": None, "error": error}


def head(cv: Any) -> LogisticRegressionCV:
    """Return the classifier of all candidates. It chooses C by the splits of `cv`."""
    return LogisticRegressionCV(
        Cs=HEAD_CS, cv=cv, scoring="accuracy", max_iter=_MAX_ITER
    )


def _n_parameters(features: Any) -> int:
    if isinstance(features, Pipeline):
        return features[1].components_.size
    embedder = getattr(features, "embedder_", features)
    return getattr(embedder, "n_embedding_parameters_", 0)


def _row(candidate: Candidate, folds: Sequence[dict[str, float] | str]) -> Row:
    measured = [fold for fold in folds if not isinstance(fold, str)]
    if len(measured) < len(folds):
        reason = next(fold for fold in folds if isinstance(fold, str))
        return without_result(candidate, reason)
    found: dict[str, Any] = {
        "n_embedding_parameters": round(_mean(measured, "n_parameters")) or None,
        "fit_seconds": _mean(measured, "seconds"),
    }
    for kind in KINDS:
        name = f"{kind}accuracy"
        accuracies = [float(fold[name]) for fold in measured]
        found[name] = _mean(measured, name)
        found[f"{name}_sd"] = float(np.std(accuracies))
        found[f"{kind}fold_accuracies"] = accuracies
    C = median_low(fold["C"] for fold in measured)
    return (
        _labels(candidate)
        | found
        | {"pipeline": _pipeline(candidate, C), "error": None}
    )


def _mean(measured: Sequence[dict[str, float]], name: str) -> float:
    return float(np.mean([fold[name] for fold in measured]))


def _pipeline(candidate: Candidate, C: float) -> str | None:
    """Return code for the pipeline of a candidate, with the median C of the folds."""
    if candidate.is_reference:
        return None
    classifier = LogisticRegression(C=C)
    if C > 1.0:
        # It takes longer then.
        classifier.set_params(max_iter=_MAX_ITER)
    with config_context(print_changed_only=True):
        steps = [repr(step) for step in (candidate.make(), classifier)]
    return f"make_pipeline({', '.join(' '.join(step.split()) for step in steps)})"
