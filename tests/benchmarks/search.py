"""What `memory` saves in a grid search of twelve PPMI-SVD candidates on five folds.

    python -m tests.benchmarks.search --data reviews.jsonl.gz

The same search runs without a memory, with an empty folder and with the folder that it
has filled, each time as if in a new process, in one thread. Timed are the calls that
read documents in `fit`, that count co-occurrences, and that look up words in
`transform` or `score`, with all that a memory does in them: telling documents apart,
writing, reading. In a search, the first candidate has to do this work for every fold;
the other eleven repeat it. Seconds are those of the processor.
"""

import argparse
import contextlib
import gzip
import json
import tempfile
import time
from itertools import islice
from unittest import mock

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

import skembed
from skembed import PPMISVDEmbedder
from skembed._corpus import cache, reader
from tests.benchmarks.common import describe_machine, print_table

GRID = {
    "embed__n_components": [50, 100],
    "embed__share_context": [False, True, "signed"],
    "embed__shift": [1.0, 5.0],
}
N_FOLDS = 5
N_CANDIDATES = int(np.prod([len(values) for values in GRID.values()]))
FITS = ("read", "count_pairs")
ROWS = {
    "tokenising in `fit`": ("read",),
    "counting": ("count_pairs",),
    "both": FITS,
    "words of `transform` or `score`": ("look_up",),
    "all": (*FITS, "look_up"),
}


def read_labelled(path, limit):
    """Return texts and labels of a JSON-lines file; those of label -1 have none."""
    opener = gzip.open if str(path).endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8") as lines:
        labelled = (row for row in map(json.loads, lines) if row["label"] != -1)
        pairs = [(row["text"], row["label"]) for row in islice(labelled, limit)]
    documents, labels = zip(*pairs, strict=True)
    return list(documents), np.array(labels)


@contextlib.contextmanager
def timed_calls():
    """Note the seconds of each call of the functions that a memory may replace.

    What they remember in this process is put away, as if a new one had started.
    """
    seconds = {name: [] for name in ROWS["all"]}
    with contextlib.ExitStack() as stack:
        for module, name in ((cache, "_digests"), (reader, "_looked_up")):
            fresh = cache.Recent(getattr(module, name).limit)
            stack.enter_context(mock.patch.object(module, name, fresh))
        for name, found in seconds.items():
            call = _timed(getattr(reader, name), found)
            stack.enter_context(mock.patch.object(reader, name, call))
        yield seconds


def _timed(function, found):
    def call(*arguments, **named):
        start = time.thread_time()
        result = function(*arguments, **named)
        found.append(time.thread_time() - start)
        return result

    return call


def run(documents, labels, memory):
    """Return the seconds of the calls, those of the whole search, and the scores."""
    embedder = PPMISVDEmbedder(window=5, random_state=0, memory=memory)
    grid = GRID
    head = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    model = Pipeline([("embed", embedder), ("head", head)])
    if labels is None:
        model = embedder
        grid = {name.removeprefix("embed__"): values for name, values in GRID.items()}
    folds = KFold(N_FOLDS, shuffle=True, random_state=0)
    search = GridSearchCV(model, grid, cv=folds, refit=False, error_score="raise")
    with timed_calls() as seconds:
        start = time.process_time()
        search.fit(documents, labels)
        total = time.process_time() - start
    return seconds, total, search.cv_results_["mean_test_score"]


def compare(documents, labels):
    """Print what the first candidate and the others take in the three searches."""
    with tempfile.TemporaryDirectory() as folder:
        runs = [run(documents, labels, memory) for memory in (None, folder, folder)]
    for _, _, scores in runs[1:]:
        np.testing.assert_array_equal(scores, runs[0][2])
    rows = []
    for row, names in ROWS.items():
        first, rest = zip(
            *(_split(seconds, names) for seconds, _, _ in runs), strict=True
        )
        saved = [f"{1 - some / rest[0]:.1%}" for some in rest[1:]]
        cells = [
            f"{some:.2f}" for pair in zip(first, rest, strict=True) for some in pair
        ]
        rows.append([row, *cells, *saved])
    ways = ("no memory", "empty", "filled")
    header = [f"{way}: {which}" for way in ways for which in ("first", "other 11")]
    print_table(["seconds", *header, "saved: empty", "saved: filled"], rows)
    totals = ", ".join(
        f"{way} {run[1]:.1f} s" for way, run in zip(ways, runs, strict=True)
    )
    scores = f"{min(runs[0][2]):.4f} to {max(runs[0][2]):.4f}"
    print(f"\nWhole search: {totals}. Scores: {scores}.")


def _split(seconds, names):
    """Return the seconds of the first candidate, and those of all others."""
    # Candidates come one after the other, each with all folds.
    calls = [seconds[name] for name in names]
    n_first = [len(found) // N_CANDIDATES for found in calls]
    pairs = list(zip(calls, n_first, strict=True))
    return sum(sum(c[:n]) for c, n in pairs), sum(sum(c[n:]) for c, n in pairs)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--data", required=True, help="JSON lines with fields text and label"
    )
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument(
        "--without-labels", action="store_true", help="score by `score`, too"
    )
    options = parser.parse_args()
    print(describe_machine())
    skembed.warmup()
    documents, labels = read_labelled(options.data, options.documents)
    print(f"{len(documents)} documents, {N_CANDIDATES} candidates, {N_FOLDS} folds\n")
    compare(documents, labels)
    if options.without_labels:
        print("\nWithout labels, by the held-out objective:\n")
        compare(documents, None)


if __name__ == "__main__":
    main()
