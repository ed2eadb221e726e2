"""What fault tests run in processes of their own; each prints its answer as JSON.

python -m tests.faults.cases NAME [ARGUMENT ...]
"""

import json
import os
import re
import signal
import sys
import threading
import time
import warnings
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import joblib
import numpy as np
from joblib.externals.loky.process_executor import TerminatedWorkerError
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skembed import (
    GloVeEmbedder,
    PPMISVDEmbedder,
    SGNSEmbedder,
    SoftmaxEmbedder,
    cooccurrence,
)
from skembed._corpus import tokenize
from skembed._counts import partitions
from tests.benchmarks import bits
from tests.faults.interrupts import make_documents
from tests.helpers import ESTIMATORS, cheap, draw_documents, in_fork

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
    # A fit scans text by this kernel once its process has met much text. A child that
    # is forked while another thread compiles it cannot.
    tokenize.compile_kernel()
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


def fit_or_error():
    """Return the vectors of a short fit, or the error that it raises."""
    try:
        return cheap(PPMISVDEmbedder).fit(DOCUMENTS).word_vectors_.tolist()
    except RuntimeError as error:
        return str(error)


def fork_while_compiling():
    """Fork, and fit in the child, while another thread loads kernels and compiles."""
    thread = threading.Thread(target=fit_all)
    thread.start()
    found = []
    while thread.is_alive():
        found.append(in_fork(fit_or_error, seconds=120))
        time.sleep(0.2)
    thread.join()
    alone = fit_or_error()
    return {"meanwhile": found, "afterwards": in_fork(fit_or_error), "alone": alone}


def read_while_fitting():
    """Read models while another thread fits the same object to one of two texts."""
    texts = {10: MANY[:100], 6: MANY[100:160]}
    probe = MANY[160:180]
    found = {}
    for kind in ESTIMATORS:
        embedder = cheap(kind, n_components=2)
        allowed, stop = [], threading.Event()
        for width, text in texts.items():
            model = cheap(kind, n_components=width).fit(text)
            word = next(iter(model.vocabulary_))
            allowed += [readings(model, probe, word)]
        embedder.set_params(n_components=10).fit(texts[10])

        def refit(embedder=embedder, stop=stop):
            while not stop.is_set():
                for width, text in texts.items():
                    embedder.set_params(n_components=width).fit(text)

        thread = threading.Thread(target=refit)
        thread.start()
        seen = [readings(embedder, probe, word) for _ in range(100)]
        stop.set()
        thread.join()
        mixed = [one for part in zip(*seen, strict=True) for one in part]
        fine = {one for part in allowed for one in part}
        found[kind.__name__] = [len(mixed), sum(one not in fine for one in mixed)]
    return found


def readings(model, documents, word):
    """Return hashes of what a model says, each of which may be of another fit."""
    results = [
        model.transform(documents),
        np.float64(model.score(documents)),
        model.score_pairs(word, word),
        "".join(model.get_feature_names_out()).encode(),
    ]
    return [sha256(bytes(memoryview(np.asarray(one)))).hexdigest() for one in results]


def large_fits():
    """Fit with two threads."""
    return {kind.__name__: large(kind.__name__) for kind in ESTIMATORS}


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


# --- interrupts -----------------------------------------------------------------------


def answer_of(embedder, how):
    """Return what has become of an estimator, and whether it can be fitted anew."""
    attributes = sorted(name for name in vars(embedder) if name.endswith("_"))
    features = embedder.fit(DOCUMENTS).transform(DOCUMENTS)
    finite = bool(np.isfinite(features).all() and features.any())
    return {"how": how, "attributes": attributes, "finite": finite}


def how_it_ends(fit, *arguments):
    """Say that something begins; return how it has ended."""
    how = "raised"
    print("begin", flush=True)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            fit(*arguments)
            how = "kept" if caught else "complete"
            # An interrupt that is still to come.
            time.sleep(1.0)
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    return how


def interrupted_cold_fit():
    """Fit without compiled kernels, until an interrupt comes."""
    embedder = cheap(SGNSEmbedder)
    return answer_of(embedder, how_it_ends(embedder.fit, MANY))


def interrupted_fit(name):
    """Fit for long, until interrupts come."""
    kind = next(kind for kind in ESTIMATORS if kind.__name__ == name)
    params = {"max_iter": 10_000} if "max_iter" in kind._get_param_names() else {}
    embedder = cheap(kind, n_components=100, **params).fit(DOCUMENTS)
    embedder = cheap(kind, n_components=100, window=10, **params)
    documents = make_documents(20_000)
    return answer_of(embedder, how_it_ends(embedder.fit, documents))


def interrupted_search(n_jobs):
    """Search for long, until an interrupt comes."""
    found = search(SGNSEmbedder, int(n_jobs), max_iter=5000)
    how = how_it_ends(found.fit, DOCUMENTS, LABELS)
    return {
        "how": "complete" if how == "kept" else how,
        "fitted": hasattr(found, "best_estimator_"),
    }


# --- memory ---------------------------------------------------------------------------


def limited(n_bytes):
    """Run a function with so much more memory than the process has now."""
    import resource

    status = Path("/proc/self/status").read_text()
    used = 1024 * int(re.search(r"VmSize:\s+(\d+)", status)[1])
    resource.setrlimit(resource.RLIMIT_AS, (used + n_bytes, resource.RLIM_INFINITY))


def too_large(name):
    """Fit what does not fit into 400 MB, and then what does."""
    kind = next(kind for kind in ESTIMATORS if kind.__name__ == name)
    small, params = {"n_components": 20, "n_jobs": 1}, {"n_components": 20_000}
    embedder = kind(min_count=1, random_state=0, **small)
    embedder.fit(MANY).transform(MANY)
    documents = [
        " ".join(f"v{i}" for i in range(j, j + 20)) for j in range(0, 9000, 20)
    ]
    limited(400_000_000)
    expected = kind(min_count=1, **params).estimate_memory(documents)
    found = kind(min_count=1, **params)
    try:
        found.fit(documents)
        message = None
    except MemoryError as error:
        message = str(error)
    attributes = sorted(one for one in vars(found) if one.endswith("_"))
    found.set_params(**small).fit(documents)
    finite = bool(np.isfinite(found.transform(documents)).all())
    return {
        "message": message,
        "attributes": attributes,
        "finite": finite,
        "expected": expected,
    }


def too_many_pairs(name):
    """Count pairs of which there are more than memory for them."""
    kind = next(kind for kind in ESTIMATORS if kind.__name__ == name)
    kind(5, min_count=1, n_jobs=1).fit(MANY)
    rng = np.random.default_rng(0)
    words = [f"v{i}" for i in range(20_000)]
    documents = [list(rng.choice(words, 2000)) for _ in range(100)]
    X = sparse.csr_array((rng.random((400, 20_000), np.float32) < 0.05) * 1.0)
    limited(250_000_000)
    messages = []
    for data in (documents, X):
        found = kind(5, window=1000, min_count=1)
        try:
            found.fit(data)
            messages.append(None)
        except MemoryError as error:
            messages.append(str(error))
        assert not [one for one in vars(found) if one.endswith("_")]
    return messages


# --- clusters of Dask -----------------------------------------------------------------

TEXTS = [*draw_documents(3, 59), f"{DEADLY} amber birch"]


class OnceDeadly:
    """Splits documents; kills its worker at a word, unless the path exists."""

    def __init__(self, path):
        self.path = path

    def __call__(self, document):
        if DEADLY in document and not (self.path and os.path.exists(self.path)):
            if self.path:
                Path(self.path).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return document.split()


def slow_split(document):
    time.sleep(0.05)
    return document.split()


@contextmanager
def dask_workers(n_workers, **settings):
    """Start workers of Dask in processes, and return their client."""
    from distributed import Client, LocalCluster

    settings = {"dashboard_address": ":0", "threads_per_worker": 1, **settings}
    with (
        LocalCluster(n_workers=n_workers, processes=True, **settings) as cluster,
        Client(cluster) as client,
    ):
        yield client


def hash_of_counts(X, analyzer=str.split):
    counts, rows = cooccurrence(X, analyzer=analyzer, min_count=1)
    parts = (counts.data, counts.indices, counts.indptr)
    found = sha256(b"".join(part.tobytes() for part in parts))
    found.update(repr(list(rows)).encode())
    return found.hexdigest()


def hash_of_fit(kind, X):
    fitted = cheap(kind).fit(X)
    tables = fitted.word_vectors_, fitted.context_vectors_, fitted.word_counts_
    return sha256(b"".join(table.tobytes() for table in tables)).hexdigest()


def cluster_bits():
    """Count and fit on clusters of one and two workers, from 1, 3 and 8 partitions."""
    from dask import bag

    kinds = GloVeEmbedder, PPMISVDEmbedder, SoftmaxEmbedder
    found = {"counts": [hash_of_counts(TEXTS)]}
    for kind in kinds:
        found[kind.__name__] = [hash_of_fit(kind, TEXTS)]
    for n_workers in (1, 2):
        with dask_workers(n_workers):
            for n_partitions in (1, 3, 8):
                X = bag.from_sequence(TEXTS, npartitions=n_partitions)
                found["counts"].append(hash_of_counts(X))
            for kind in kinds:
                found[kind.__name__].append(hash_of_fit(kind, X))
    return found


def cluster_killed(when, folder):
    """Count while a worker is killed: once while it reads or counts, or always."""
    from dask import bag

    analyzer = str.split
    if when != "counting":
        path = os.path.join(folder, "killed") if when == "reading" else None
        analyzer = OnceDeadly(path)
    with dask_workers(2) as client:
        X = bag.from_sequence(TEXTS, npartitions=6)
        if when == "counting":
            # Its token ids are there when the counts of a part are asked for.
            victim = next(iter(client.run(os.getpid).values()))
            original = partitions.share

            def share(value):
                os.kill(victim, signal.SIGKILL)
                partitions.share = original
                return original(value)

            partitions.share = share
        embedder = PPMISVDEmbedder(5, min_count=1, analyzer=analyzer)
        if when == "always":
            return ended(embedder, X)
        return hash_of_counts(X, analyzer) == hash_of_counts(TEXTS)


def ended(embedder, X):
    """Return the error that ends a fit, and whether the embedder looks fitted."""
    try:
        embedder.fit(X)
    except Exception as error:
        return [type(error).__name__, str(error), embedder.__sklearn_is_fitted__()]


def cluster_without_scheduler():
    """Fit while the scheduler goes away."""
    from dask import bag

    embedder = PPMISVDEmbedder(5, min_count=1, analyzer=slow_split)
    with dask_workers(2) as client:
        X = bag.from_sequence(TEXTS * 4, npartitions=6)
        scheduler = client.cluster.scheduler
        timer = threading.Timer(1.0, lambda: client.sync(scheduler.close))
        timer.start()
        found = ended(embedder, X)
        timer.join()
        return found


def cluster_without_memory():
    """Fit on workers whose memory is full before they start."""
    import dask
    from dask import bag

    # They pause as soon as they look at their memory, and are not killed.
    dask.config.set({"distributed.worker.memory.terminate": False})
    with dask_workers(2, memory_limit=10**7):
        X = bag.from_sequence(TEXTS, npartitions=4)
        return ended(PPMISVDEmbedder(5, min_count=1), X)


def cluster_with_a_lock():
    """Fit with a function that cannot be pickled, then with one that can."""
    from dask import bag

    lock = threading.Lock()

    def locked_split(text):
        with lock:
            return text.split()

    embedder = PPMISVDEmbedder(5, min_count=1, analyzer=locked_split)
    with dask_workers(1):
        X = bag.from_sequence(TEXTS, npartitions=2)
        found = ended(embedder, X)
        embedder.set_params(analyzer=str.split).fit(X)
        return [*found, embedder.__sklearn_is_fitted__()]


# --- files ----------------------------------------------------------------------------


def pickle_to(path):
    """Write fitted estimators."""
    fitted = [cheap(kind).fit(DOCUMENTS) for kind in ESTIMATORS]
    joblib.dump(fitted, path)
    return [sha256(one.transform(DOCUMENTS).tobytes()).hexdigest() for one in fitted]


def unpickle_from(path):
    """Return what estimators of a file give, and what is warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted = joblib.load(path)
    messages = [f"{one.category.__name__}: {one.message}" for one in caught]
    found = [sha256(one.transform(DOCUMENTS).tobytes()).hexdigest() for one in fitted]
    return {"messages": messages, "hashes": found}


def main():
    name, *arguments = sys.argv[1:]
    print(json.dumps(globals()[name](*arguments)))


if __name__ == "__main__":
    main()
