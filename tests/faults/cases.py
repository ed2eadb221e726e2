"""What fault tests run in processes of their own; each prints its answer as JSON.

python -m tests.faults.cases NAME [ARGUMENT ...]
"""

import json
import os
import signal
import sys
import threading
import warnings
from hashlib import sha256
from pathlib import Path

import joblib
import numpy as np
from joblib.externals.loky.process_executor import TerminatedWorkerError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skembed import SGNSEmbedder
from tests.benchmarks import bits
from tests.faults.interrupts import make_documents
from tests.helpers import ESTIMATORS, cheap, draw_documents

LABELS = np.tile([0, 1], 20)
DOCUMENTS = [
    text if label else text.replace("amber", "zinc")
    for text, label in zip(draw_documents(0, 40), LABELS, strict=True)
]
# The document at which a worker process dies, while there is such a word.
DEADLY = "deadly"
PARENT = os.getpid()


def search(estimator, n_jobs=None, **params):
    """Return a search over tying strategies that has been fitted."""
    pipeline = make_pipeline(cheap(estimator, **params), LogisticRegression())
    grid = {f"{estimator.__name__.lower()}__share_context": [False, True]}
    return GridSearchCV(pipeline, grid, cv=2, n_jobs=n_jobs, error_score="raise")


def scores(found):
    return found.cv_results_["mean_test_score"].tolist()


def searches(backend):
    """Search with every estimator, on two workers of a backend and without any."""
    # Recent versions of Python warn of any fork beside threads, as those of a BLAS.
    warnings.filterwarnings("ignore", "This process .* is multi-threaded")
    here, there = [], []
    for estimator in ESTIMATORS:
        here.append(scores(search(estimator).fit(DOCUMENTS, LABELS)))
        if backend == "dask":
            place = bits.dask_cluster()
        else:
            place = joblib.parallel_config(backend)
        with place:
            there.append(scores(search(estimator, n_jobs=2).fit(DOCUMENTS, LABELS)))
    return {"here": here, "there": there}


class DyingAnalyzer:
    """Splits documents; kills a worker that it works in at a word."""

    def __call__(self, document):
        if DEADLY in document and os.environ["SKEMBED_PARENT"] != str(os.getpid()):
            os.kill(os.getpid(), signal.SIGKILL)
        return document.split()


def killed_worker():
    """Search with a worker that is killed in the middle, and then once more."""
    os.environ["SKEMBED_PARENT"] = str(PARENT)
    documents = [*DOCUMENTS[:-1], DEADLY]
    found = search(SGNSEmbedder, 2, analyzer=DyingAnalyzer())
    try:
        found.fit(documents, LABELS)
    except TerminatedWorkerError as error:
        message = str(error)
    fitted = hasattr(found, "best_estimator_") or hasattr(found, "cv_results_")
    # The same search on documents that kill nobody, with new workers.
    found.fit(DOCUMENTS, LABELS)
    alone = search(SGNSEmbedder, analyzer=str.split).fit(DOCUMENTS, LABELS)
    return {
        "message": message,
        "fitted": fitted,
        "again": scores(found),
        "alone": scores(alone),
    }


# --- threads and forks ----------------------------------------------------------------

MANY = make_documents(400, n_words=2000, length=100)


PARAMS = {"n_components": 32, "min_count": 2}


def large(name):
    """Return the hash of a fit of some length, of two threads however short it is."""
    return bits.forced_fingerprint(name, False, PARAMS, MANY, 2)


def two_at_once():
    """Fit in two threads at the same time, each with two threads of its own."""
    names = [kind.__name__ for kind in ESTIMATORS]
    found = {name: [large(name)] for name in names}
    gate = threading.Barrier(2)

    def work(name):
        gate.wait()
        found[name].append(large(name))

    # Of one kind, and of different ones.
    for one, other in zip(names * 2, [*names, *names[::-1]], strict=True):
        threads = [threading.Thread(target=work, args=(n,)) for n in (one, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return found


def fork_while_fitting():
    """Fork, and fit in the child, while another thread fits."""
    found = {}
    for kind in ESTIMATORS:
        name = kind.__name__
        found[name] = [large(name)]
        stop = threading.Event()

        def work(name=name, stop=stop, results=found[name]):
            while not stop.is_set():
                results.append(large(name))

        thread = threading.Thread(target=work)
        thread.start()
        for _ in range(3):
            found[name] += bits.in_forked_child([(name, False, PARAMS, MANY, 2)])
        stop.set()
        thread.join()
    return found


# --- disks and memory -----------------------------------------------------------------


def fit_all(memory=None):
    """Return the hash of what each estimator learns."""
    found = []
    for kind in ESTIMATORS:
        embedder = cheap(kind, memory=memory)
        with warnings.catch_warnings():
            # joblib tells of files that it cannot write.
            warnings.filterwarnings("ignore", "Unable to (cache to disk|write)")
            features = embedder.fit_transform(DOCUMENTS)
        assert np.isfinite(features).all()
        found.append(sha256(features.tobytes()).hexdigest())
    return found


def fit_with(memory):
    """Fit twice with a folder of results, and once without one."""
    return [fit_all(memory), fit_all(memory), fit_all()]


def fit_and_list(*folders):
    """Fit; tell the kernels that are in folders, and what was loaded from them."""
    hashes = fit_all()
    files = [str(file) for one in folders for file in Path(one).rglob("*.nb[ci]")]
    return {"hashes": hashes, "files": files, "loaded": loaded_kernels()}


def loaded_kernels():
    """Return how many compiled kernels of this process come from a disk."""
    names = [name for name in sys.modules if name.startswith("skembed._kernels.")]
    kernels = [one for name in names for one in vars(sys.modules[name]).values()]
    stats = [one.stats for one in set(filter(is_kernel, kernels))]
    return sum(sum(one.cache_hits.values()) for one in stats)


def is_kernel(value):
    return hasattr(value, "stats") and hasattr(value, "py_func")


def main():
    name, *arguments = sys.argv[1:]
    print(json.dumps(globals()[name](*arguments)))


if __name__ == "__main__":
    main()
