"""Whether the bits of a fit depend on the number of threads or on where it runs.

    python -m tests.benchmarks.bits [--data reviews.jsonl.gz]

Fits every estimator with every strategy and several `n_jobs`: in this process, in
workers of joblib's backends, in processes that are spawned, on workers of dask where it
is installed, and in a forked child. Prints the start of the SHA-256
of word vectors, context vectors and features, and exits with 1 if any two differ
that should not. As many threads are started as `n_jobs` says, however little work
there is and whatever joblib grants a worker. A cell of the table shows one hash where
all `n_jobs` agree.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import sys
import traceback
import warnings
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec

import joblib

import skembed
from skembed import datasets
from skembed._tying import strategies
from tests.benchmarks.common import (
    describe_machine,
    print_table,
    public_embedders,
    read_documents,
)

N_JOBS = (1, 2, 3, 7)
BACKENDS = ("loky", "threading", "multiprocessing")
# Ways to start a process that multiprocessing knows, beside a fork.
METHODS = ("spawn", "forkserver")


def as_told(n_jobs, at_most):
    """Stand in for `skembed._utils.threads.n_threads`."""
    return n_jobs or 1


def modules_with_threads():
    """Return the modules of the package that hold `n_threads`."""
    public_embedders()  # loads them
    return [
        module
        for name, module in sorted(sys.modules.items())
        if name.startswith("skembed.") and hasattr(module, "n_threads")
    ]


def fingerprint(name, share_context, params, documents, n_jobs):
    """Fit one estimator and return the hash of what it learned.

    Parameters
    ----------
    name : str
    share_context : bool or str
    params : dict
        Further parameters; those that the estimator does not have are left out.
    documents : list of str
    n_jobs : int
    """
    kind = getattr(skembed, name)
    known = {key: params[key] for key in params if key in kind._get_param_names()}
    embedder = kind(
        share_context=share_context,
        combine="word",
        random_state=0,
        n_jobs=n_jobs,
        **known,
    )
    features = embedder.fit_transform(documents)
    digest = hashlib.sha256()
    for learned in (embedder.word_vectors_, embedder.context_vectors_, features):
        digest.update(learned.tobytes())
    return digest.hexdigest()


def forced_fingerprint(*case):
    """Return the fingerprint of a fit that starts threads at any rate."""
    # In here because a worker process has modules of its own.
    for module in modules_with_threads():
        module.n_threads = as_told
    return fingerprint(*case)


def in_this_process(cases):
    """Return the fingerprint of each case."""
    return [forced_fingerprint(*case) for case in cases]


def in_workers(cases, backend):
    """Return fingerprints from two workers of a backend of joblib."""
    workers = joblib.Parallel(n_jobs=2, backend=backend)
    return workers(joblib.delayed(forced_fingerprint)(*case) for case in cases)


def in_started_processes(cases, method):
    """Return fingerprints from two processes that multiprocessing has started."""
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(2, mp_context=context) as workers:
        return list(workers.map(forced_fingerprint, *zip(*cases, strict=True)))


@contextmanager
def dask_cluster():
    """Start two workers of dask on this machine, which joblib uses in this block."""
    from distributed import Client, LocalCluster

    settings = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    with (
        LocalCluster(processes=True, **settings) as cluster,
        Client(cluster) as client,
        joblib.parallel_config("dask"),
    ):
        yield client


def on_dask(cases):
    """Return fingerprints from workers of dask, as joblib hands them out."""
    with dask_cluster():
        workers = joblib.Parallel(n_jobs=2)
        return workers(joblib.delayed(forced_fingerprint)(*case) for case in cases)


def in_forked_child(cases):
    """Return fingerprints from a child that was forked after threads had run here."""
    source, sink = os.pipe()
    with warnings.catch_warnings():
        # Recent versions of Python warn of any fork where a thread, as those of a
        # BLAS, may be alive: this one is the point.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            os.close(source)
            with os.fdopen(sink, "w") as file:
                json.dump(in_this_process(cases), file)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    os.close(sink)
    with os.fdopen(source) as file:
        answer = file.read()
    if os.waitpid(child, 0)[1]:
        raise RuntimeError("the forked child has failed")
    return json.loads(answer)


def places():
    """Return {name: function of cases} of everywhere that this system can fit."""
    found = {"this process": in_this_process}
    found.update({name: partial(in_workers, backend=name) for name in BACKENDS})
    for method in METHODS:
        if method in multiprocessing.get_all_start_methods():
            found[method] = partial(in_started_processes, method=method)
    if find_spec("distributed"):
        found["dask"] = on_dask
    if hasattr(os, "fork"):
        found["forked child"] = in_forked_child
    return found


def compare(documents, params, n_jobs=N_JOBS):
    """Yield estimator, strategy, place and one fingerprint for each of `n_jobs`."""
    for place, fit_all in places().items():
        for kind in public_embedders():
            for strategy in strategies.strategies(kind._method):
                case = (kind.__name__, strategy.name, params, documents)
                found = fit_all([(*case, threads) for threads in n_jobs])
                yield kind.__name__, strategy.name, place, found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="JSON lines with a field text")
    parser.add_argument("--documents", type=int, default=2000)
    arguments = parser.parse_args()
    if arguments.data:
        documents = read_documents(arguments.data, arguments.documents)
    else:
        documents = list(datasets.load_docstrings().data[: arguments.documents])
    print(describe_machine())
    skembed.warmup()
    cells, hashes = {}, {}
    for *case, place, found in compare(documents, {"max_iter": 2}):
        here = " ".join(dict.fromkeys(one[:12] for one in found))
        cells.setdefault(tuple(case), []).append(here)
        hashes.setdefault(tuple(case), set()).update(found)
        print(*case, place, here, flush=True)
    print(
        f"\n{len(documents)} documents, SHA-256 of vectors and features, n_jobs = "
        f"{', '.join(map(str, N_JOBS))} in every cell:\n"
    )
    header = ["estimator", "share_context", *places()]
    print_table(header, [[*case, *found] for case, found in cells.items()])
    different = [case for case, found in hashes.items() if len(found) > 1]
    print(f"\nDifferent: {different}" if different else "\nAll the same.")
    sys.exit(bool(different))


if __name__ == "__main__":
    main()
