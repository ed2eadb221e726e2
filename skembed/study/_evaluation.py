"""The evaluation of one fit of a study.

It measures the held-out loss and cross-entropy, the accuracy of a simple classifier on
held-out documents, and the agreement with human similarity scores of words.
"""

import hashlib
import json
import math
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from joblib import effective_n_jobs
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits  # scikit-learn requires it too

from skembed import inspection, metrics
from skembed.study._documents import InputError
from skembed.vectors import WordVectors

_TEST, _VALIDATION = 0.2, 0.1  # shares of the documents
_BINS = 60
_LOSSES = ("loss", "zero", "shift", "offset")  # the loss, and those of baselines


class Data(NamedTuple):
    """The data of a study: documents, their classes, word-similarity sets.

    A document without a class has the label None. It is used only for training vectors
    and for losses.
    """

    documents: list[str]
    labels: list[str | None] | None
    sets: dict[str, list[Any]]

    def labelled(self, numbers: np.ndarray) -> list[int]:
        """Return the numbers of the documents that have a class."""
        labels = self.labels or [None] * len(self.documents)
        return [int(i) for i in numbers if labels[i] is not None]

    def digest(self) -> str:
        """Return a hash of everything."""
        state = hashlib.sha256()
        for text in self.documents:
            state.update(hashlib.sha256(text.encode("utf-8", "replace")).digest())
        state.update(json.dumps([self.labels, self.sets]).encode())
        return state.hexdigest()


def split(n_documents: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the numbers of the documents for training, validation and test."""
    order = np.random.default_rng(seed).permutation(n_documents)
    n_test = max(1, round(_TEST * n_documents))
    n_validation = max(1, round(_VALIDATION * n_documents))
    test, validation = order[:n_test], order[n_test : n_test + n_validation]
    train = order[n_test + n_validation :]
    return np.sort(train), np.sort(validation), np.sort(test)


def measure(
    embedder: Any, combines: Sequence[str], data: Data, seed: int
) -> dict[str, Any]:
    """Fit an estimator and evaluate it on held-out documents.

    Parameters
    ----------
    embedder : BaseEmbedder
    combines : sequence of str
        Values of `combine` for document features and similarities.
    data : Data
    seed : int
        Seed of the split into training, validation and test documents.

    Returns
    -------
    dict
        Can be stored as JSON: "seconds" of the fit, "n_parameters", "loss_curve",
        "validation" and "test" (held-out losses, cross-entropies and their baselines),
        "self_scores" (mean and histogram), "readings" by `combine`, "notes".
    """
    train, validation, test = split(len(data.documents), seed)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with threadpool_limits(limits=1, user_api="blas"):
            start = perf_counter()
            embedder.fit(_at(data.documents, train))
            seconds = perf_counter() - start
            notes: list[str] = []
            curve = getattr(embedder, "loss_curve_", None)
            record: dict[str, Any] = {
                "seconds": seconds,
                "n_parameters": int(embedder.n_embedding_parameters_),
                "n_words": len(embedder.vocabulary_),
                "loss_curve": None if curve is None else [float(x) for x in curve],
                "validation": _held_out(embedder, data, validation, notes),
                "test": _held_out(embedder, data, test, notes),
                "self_scores": _histogram(inspection.self_scores(embedder)),
                "readings": {
                    combine: _reading(embedder, combine, data, train, test)
                    for combine in combines
                },
            }
    notes += [" ".join(str(warning.message).split()) for warning in caught]
    record["notes"] = list(dict.fromkeys(notes))
    return record


def _at(items: Sequence[Any], numbers: Iterable[int]) -> list[Any]:
    return [items[i] for i in numbers]


def _held_out(
    embedder: Any, data: Data, numbers: np.ndarray, notes: list[str]
) -> dict[str, float | None]:
    """Return what an estimator and its baselines give for held-out documents.

    What an estimator does not define is missing.
    """
    documents = _at(data.documents, numbers)
    found: dict[str, float | None] = {}
    # They consist of a few large products, and get as many threads as the fit.
    with threadpool_limits(effective_n_jobs(embedder.n_jobs), user_api="blas"):
        if hasattr(embedder, "negative"):
            try:
                losses = inspection.held_out_loss(embedder, documents, random_state=0)
                found |= {name: _finite(getattr(losses, name)) for name in _LOSSES}
            except ValueError as error:
                notes.append(f"No held-out loss: {' '.join(str(error).split())}")
        try:
            nats = inspection.held_out_cross_entropy(embedder, documents)
            found |= {"cross_entropy": _finite(nats.model)}
            found |= {"unigram": nats.unigram, "uniform": nats.uniform}
        except TypeError:
            pass  # it does not predict contexts from one word
        except ValueError as error:
            notes.append(f"No held-out cross-entropy: {' '.join(str(error).split())}")
    return found


def _histogram(scores: np.ndarray) -> dict[str, Any]:
    scores = np.asarray(scores, dtype=np.float64).ravel()
    counts, edges = np.histogram(scores, bins=_BINS)
    return {
        "mean": _finite(scores.mean()),
        "counts": counts.tolist(),
        "edges": [round(float(edge), 6) for edge in edges],
    }


def _finite(number: Any) -> float | None:
    return float(number) if math.isfinite(number) else None


def _reading(
    embedder: Any,
    combine: str,
    data: Data,
    train: np.ndarray,
    test: np.ndarray,
) -> dict[str, Any]:
    """Evaluate one value of `combine`, without another fit."""
    embedder.set_params(combine=combine)
    vectors = WordVectors.from_estimator(embedder, which=combine)
    found = {name: similarity(pairs, vectors) for name, pairs in data.sets.items()}
    reading: dict[str, Any] = {
        "accuracy": None,
        "similarity": {name: [_finite(rho), n] for name, (rho, n) in found.items()},
    }
    if data.labels is not None:
        head = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        known = data.labelled(train)
        features = embedder.transform(_at(data.documents, known))
        head.fit(features, _at(data.labels, known))
        known = data.labelled(test)
        features = embedder.transform(_at(data.documents, known))
        reading["accuracy"] = float(head.score(features, _at(data.labels, known)))
    return reading


class Similarity(NamedTuple):
    """Agreement with human similarity scores.

    Attributes
    ----------
    correlation : float
        Spearman's rank correlation of cosines and scores. NaN if fewer than two pairs
        have vectors.
    n_pairs : int
        Number of pairs whose words both have a vector.
    """

    correlation: float
    n_pairs: int


def read_similarities(folder: Path) -> dict[str, list[Any]]:
    """Return the similarity sets in a folder.

    A set is a file ``.tsv`` in UTF-8 that `metrics.read_pairs` reads.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    dict of str to list of (str, str, float)
        The keys are file names without the ending. Words are in lower case.

    Raises
    ------
    InputError
        If there is no such file, or if a file cannot be read or has another format.
    """
    paths = sorted(Path(folder).glob("*.tsv"))
    if not paths:
        raise InputError(f"{folder}: holds no .tsv files")
    return {path.stem: _read_pairs(path) for path in paths}


def _read_pairs(path: Path) -> list[tuple[str, str, float]]:
    try:
        pairs = metrics.read_pairs(path, delimiter="\t")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    except ValueError as error:
        raise InputError(str(error)) from error
    return [(first.lower(), second.lower(), score) for first, second, score in pairs]


def similarity(pairs: Iterable[Any], vectors: WordVectors) -> Similarity:
    """Compare the cosines of words' vectors with human similarity scores.

    Parameters
    ----------
    pairs : iterable of (str, str, float)
        Two words and their score. Pairs with words that have no vector are ignored.
    vectors : WordVectors

    Returns
    -------
    Similarity
    """
    known = [pair for pair in pairs if pair[0] in vectors and pair[1] in vectors]
    if len(known) < 2:
        return Similarity(float("nan"), len(known))
    found = metrics.word_similarity(vectors, known, ignore_case=False, n_resamples=0)
    return Similarity(found.spearman, found.n_pairs)
