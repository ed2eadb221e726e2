"""Whether two versions of the package learn the same bits.

    python -m tests.benchmarks.same_bits write FILE
    python -m tests.benchmarks.same_bits compare FILE

`write` fits every estimator with every strategy and `n_jobs` of 1 and 2, and in some
further ways, and writes the hashes of all public attributes, of features and of scores
to a file. `compare` does the same and exits with 1 if any hash differs from those of
the file. Only public names are used, so either can run with another version: set
PYTHONPATH to the folder of that version, and start this file by its path.
"""

import argparse
import hashlib
import json
import sys
import warnings

import numpy as np

import skembed

STRATEGIES = (False, True, "signed", "diagonal", "bilinear", "noise", "three")
N_JOBS = (1, 2)
COMMON = {"n_components": 20, "min_count": 1, "max_iter": 6, "window": 3}
N_WORDS = 1200
# Ways of a fit beside the plain one: parameters, and the method that is called twice.
WAYS = {
    "directional": ({"directional": True}, None),
    "update": ({"update": "word"}, None),
    "word bias": ({"bias": "word"}, None),
    "sum": ({"aggregation": "sum", "exclude_window_noise": True}, None),
    "early stopping": ({"early_stopping": True, "n_iter_no_change": 1}, None),
    "auto epochs": ({"max_iter": "auto", "max_features": 50}, None),
    "subsample": ({"subsample": 1e-2}, None),
    "vlad": ({"pooling": "vlad", "combine": "concat"}, None),
    "standard": ({"pooling": "sif", "scale": "standard", "combine": "sum"}, None),
    "init": ({"init": {"w0": np.arange(20.0) / 100, "w3": np.full(20, 0.1)}}, None),
    "warm start": ({"warm_start": True}, "fit"),
    "partial_fit": ({}, "partial_fit"),
    "partial_fit signed": ({"share_context": "signed"}, "partial_fit"),
    "matrix": ({"input": "content"}, "matrix"),
    "counts": ({"input": "cooccurrence"}, "counts"),
}


def make_documents(n_documents=1500, n_tokens=30):
    """Return tokenised documents of words whose frequencies follow Zipf's law."""
    random = np.random.default_rng(0)
    shares = 1.0 / np.arange(1, N_WORDS + 1)
    words = random.choice(N_WORDS, (n_documents, n_tokens), p=shares / shares.sum())
    words[:, 1::2] = np.minimum(words[:, ::2] + words[:, 1::2] % 7, N_WORDS - 1)
    return [[f"w{word}" for word in row] for row in words]


def digest(value):
    """Return the start of a hash of a value, whatever it is made of."""
    found = hashlib.sha256()
    _add(found, value)
    return found.hexdigest()[:16]


def _add(found, value):
    if isinstance(value, np.ndarray) and value.dtype != object:
        found.update(f"{value.dtype}{value.shape}".encode())
        found.update(np.ascontiguousarray(value).tobytes())
    elif isinstance(value, np.ndarray):
        found.update(repr(value.tolist()).encode())
    elif isinstance(value, dict):
        for key, one in value.items():
            found.update(repr(key).encode())
            _add(found, one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            _add(found, one)
    elif type(value).__module__.startswith("skembed"):
        found.update(type(value).__name__.encode())
        _add(found, vars(value))
    else:
        found.update(repr(value).encode())


def fit(kind, params, documents, call):
    """Return a fitted estimator, and what its `transform` takes."""
    known = {name: params[name] for name in params if name in kind._get_param_names()}
    if set(params) - set(known) - set(COMMON):
        return None, None
    embedder = kind(random_state=0, **known)
    if call in ("matrix", "counts"):
        random = np.random.default_rng(1)
        X = random.poisson(0.5, (60, 60)).astype(float)
        return embedder.fit(X), X
    if call is None:
        return embedder.fit(documents), documents
    half = len(documents) // 2
    for part in (documents[:half], documents[half:]):
        getattr(embedder, call)(part)
    return embedder, documents


def hashes_of(embedder, X):
    """Return {name: hash} of all that is public of a fitted estimator."""
    found = {
        name: digest(value)
        for name, value in sorted(vars(embedder).items())
        if not name.startswith("_")
    }
    found["transform"] = digest(embedder.transform(X))
    found["score"] = digest(embedder.score(X))
    words = list(embedder.vocabulary_)[:10]
    found["score_pairs"] = digest(embedder.score_pairs(words, words[::-1]))
    found["get_feature_names_out"] = digest(embedder.get_feature_names_out())
    found["coverage"] = digest(embedder.coverage(X))
    return found


def cases():
    """Yield name, class, parameters and call of everything that is fitted."""
    for name in skembed.__all__:
        kind = getattr(skembed, name)
        # What learns no vectors has no scores of words.
        if not hasattr(kind, "score_pairs"):
            continue
        for n_jobs in N_JOBS:
            for value in STRATEGIES:
                yield (
                    f"{name} {value} n_jobs={n_jobs}",
                    kind,
                    {"share_context": value, "n_jobs": n_jobs},
                    None,
                )
            for way, (params, call) in WAYS.items():
                params = {**params, "n_jobs": n_jobs}
                yield f"{name} {way} n_jobs={n_jobs}", kind, params, call


def collect():
    """Return {case: {name: hash}}; the error where a fit has been refused."""
    documents, found = make_documents(), {}
    for name, kind, params, call in cases():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                embedder, X = fit(kind, {**COMMON, **params}, documents, call)
                if embedder is not None:
                    found[name] = hashes_of(embedder, X)
            except ValueError as error:
                found[name] = {"error": str(error)}
    return found


def differences(before, after):
    """Yield a line for each hash that is not the same in both."""
    for case in sorted(before.keys() | after.keys()):
        one, other = before.get(case, {}), after.get(case, {})
        for name in sorted(one.keys() | other.keys()):
            if one.get(name) != other.get(name):
                yield f"{case}: {name}: {one.get(name)} -> {other.get(name)}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=["write", "compare"])
    parser.add_argument("file")
    arguments = parser.parse_args()
    found = collect()
    n_hashes = sum(map(len, found.values()))
    if arguments.command == "write":
        with open(arguments.file, "w", encoding="utf-8") as file:
            json.dump(found, file, indent=1)
        print(f"{n_hashes} hashes of {len(found)} fits written.")
        return
    with open(arguments.file, encoding="utf-8") as file:
        lines = list(differences(json.load(file), found))
    print(*lines, sep="\n")
    print(f"{len(lines)} of {n_hashes} hashes of {len(found)} fits differ.")
    sys.exit(bool(lines))


if __name__ == "__main__":
    main()
