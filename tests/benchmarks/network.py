"""The study's measures of skip-gram with a softmax beside other estimators, on reviews.

    python -m tests.benchmarks.network search --data reviews.jsonl.gz \\
        --shares True --biases exact --rates 0.1 0.3 --penalties 3 10 30
    python -m tests.benchmarks.network table --data reviews.jsonl.gz \\
        --wordsim FOLDER --figure cross_entropy.png

`search` fits every combination of its options on one split of the study, and prints the
cross-entropy of the documents on which the study chooses, in nats per pair. `table`
fits the rows below, with the settings that were chosen. It prints what the study
reports, from the documents on which it judges, and draws the figure of the study. Both
keep finished fits in a folder, from which a run that was stopped continues.
"""

import argparse
import itertools
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from skembed import SoftmaxEmbedder
from skembed.inspection import held_out_cross_entropy
from skembed.study import _evaluation, _figures, _search
from skembed.study._candidates import Settings, study
from skembed.vectors import WordVectors
from tests.benchmarks.common import describe_machine, print_table, read_documents

CHOICES = {"None": None, "False": False, "True": True}
# The same pairs for all estimators, so that cross-entropies can be compared.
PAIRS = {"window": 5, "subsample": 1e-3}
# The mean score of a table that starts from the unigram is the square of this.
LEVEL = 10.0


class Row(NamedTuple):
    """A row of the table: an estimator with the settings that were chosen."""

    family: str
    label: str
    rate: float | None = None
    l2: float | None = None
    epochs: int | None = None
    draws: int | None = None
    starts_from_unigram: bool = False


ROWS = [
    # The exact sum over all contexts.
    Row("softmax", "separate, bias=exact", 0.3, 10, 12, 0),
    Row("softmax", "tied, bias=exact", 0.15, 10, 12, 0),
    # Other ways to the same scores.
    Row("softmax", "tied, bias=None", 0.3, 10, 48, 1024),
    Row("softmax", "tied, bias=None", 0.1, 10, 12, 1024, starts_from_unigram=True),
    Row("softmax", "separate, bias=None", 0.3, 10, 12, 1024),
    Row("softmax", "tied, bias=None", 0.3, 10, 12, 1024),
    Row("softmax", "signed, bias=None", 0.3, 10, 12, 1024),
    Row("softmax", "separate, bias=exact", 0.3, 10, 12, 1024),
    Row("softmax", "tied, bias=exact", 0.15, 10, 12, 1024),
    Row("softmax", "signed, bias=exact", 0.3, 10, 12, 1024),
    Row("hierarchical", "separate, bias=exact", 0.3, 10, 12),
    Row("hierarchical", "tied, bias=exact", 0.3, 10, 12),
    Row("hierarchical", "signed, bias=exact", 0.3, 10, 12),
    Row("hierarchical", "separate, bias=None", 0.3, 10, 12),
    Row("hierarchical", "tied, bias=None", 0.3, 10, 12),
    Row("hierarchical", "signed, bias=None", 0.3, 10, 12),
    Row("sgns", "separate", 0.025),
    Row("sgns", "tied, bias=None", 0.0125),
    Row("sgns", "tied, bias=exact", 0.025),
    Row("sgns", "signed, bias=None", 0.0125),
    Row("sgns", "signed, bias=exact", 0.025),
    Row("glove", "separate", 0.1),
    Row("glove", "tied", 0.1),
    Row("glove", "signed", 0.1),
    Row("ppmi-svd", "separate"),
    Row("ppmi-svd", "tied"),
    Row("ppmi-svd", "signed"),
]


def search(data, options):
    """Print the cross-entropy of the validation documents for each setting."""
    store = _search.Store(options.output, data.digest())
    named = {
        "loss": options.losses,
        "share_context": [CHOICES.get(x, x) for x in options.shares],
        "bias": [CHOICES.get(x, x) for x in options.biases],
        "max_iter": options.epochs,
        "learning_rate": options.rates,
        "l2": options.penalties,
        "n_draws": options.draws,
        "random_state": options.seeds,
    }
    rows = []
    for values in itertools.product(*named.values()):
        params = dict(zip(named, values, strict=True))
        key = {"search": params, **PAIRS, "size": options.size}
        record = store.get(key)
        if record is None:
            record = _entropy(params, data, options)
            store.put(key, record)
        rows.append([*values, *(f"{x:.4f}" for x in record.values())])
        print(*rows[-1], flush=True)
    print_table([*named, *record], rows)


def _entropy(params, data, options):
    numbers = _evaluation.split(len(data.documents), params["random_state"])
    train, validation, _ = ([data.documents[i] for i in part] for part in numbers)
    embedder = SoftmaxEmbedder(options.size, n_jobs=options.n_jobs, **PAIRS, **params)
    start = time.perf_counter()
    embedder.fit(train)
    seconds = time.perf_counter() - start
    found = held_out_cross_entropy(embedder, validation)
    return {
        "nats": found.model,
        "gain": found.unigram - found.model,
        "training loss": float(embedder.loss_curve_[-1]),
        "seconds": seconds,
    }


def table(data, options):
    """Print a row for each of `ROWS`, and draw the figure."""
    store = _search.Store(options.output, data.digest())
    chosen = [ROWS[number] for number in options.rows]
    outcomes = [_outcome(row, options) for row in chosen]
    for seed in range(options.n_seeds):
        for row, outcome in zip(chosen, outcomes, strict=True):
            record = _record(row, outcome, seed, data, options, store)
            outcome.records[outcome.setting, seed] = record
            print(row, seed, record["validation"], record["test"], flush=True)
    header = ["estimator", "strategy", "rate", "l2", "epochs", "draws", "parameters"]
    header += ["nats", "unigram", "accuracy", *data.sets, "fit s"]
    lines = [_cells(*pair, data) for pair in zip(chosen, outcomes, strict=True)]
    print_table(header, lines)
    if options.figure:
        # Of several rows of one strategy, the last one is drawn.
        shown = {row[:2]: o for row, o in zip(chosen, outcomes, strict=True)}
        figure = _figures._cross_entropies(list(shown.values()))
        _figures.save_figure(figure, options.figure)


def _outcome(row, options):
    """Return the study's candidate of a row, without fits."""
    settings = Settings(
        (row.family,), n_components=options.size, max_iter=row.epochs, **PAIRS
    )
    (candidate,) = (c for c in study(settings) if c.label == row.label)
    setting = {"learning_rate": row.rate, "l2": row.l2, "n_draws": row.draws}
    known = {name: value for name, value in setting.items() if value is not None}
    return _search.Outcome(candidate, setting=tuple(known.items()))


def _record(row, outcome, seed, data, options, store):
    """Return the study's record of one fit."""
    key = {"row": row, "size": options.size, "seed": seed, **PAIRS}
    record = store.get(key)
    if record is None:
        embedder = outcome.candidate.make(
            random_state=seed,
            n_jobs=options.n_jobs,
            combine="word",
            pooling="mean",
            scale=None,
            **dict(outcome.setting),
        )
        if row.starts_from_unigram:
            train, _, _ = _evaluation.split(len(data.documents), seed)
            documents = [data.documents[i] for i in train]
            embedder.set_params(init=unigram_start(documents, options.size, seed))
        record = _evaluation.measure(embedder, ("word",), data, seed)
        store.put(key, record)
    return record


def unigram_start(documents, size, seed):
    """Return word vectors whose products with each other give the unigram.

    One dimension holds ``t + a(w) / t``, where a is the logarithm of a word's share of
    all contexts, minus its mean. Its product of w and c is ``t**2 + a(w) + a(c)``, plus
    ``a(w) * a(c) / t**2``, which is small. The softmax ignores what depends on w alone.
    """
    # Learned biases start at the logarithms of the shares. Here they hardly move.
    still = {"bias": "word", "learning_rate": 1e-9, "max_iter": 1, "n_draws": 1}
    embedder = SoftmaxEmbedder(1, random_state=seed, **still, **PAIRS).fit(documents)
    logarithms = embedder.context_biases_.astype(np.float64)
    shares = np.exp(logarithms)
    logarithms -= shares @ logarithms / shares.sum()
    random = np.random.default_rng(seed)
    vectors = random.uniform(-0.5, 0.5, (len(shares), size)) / size
    vectors[:, 0] = LEVEL + logarithms / LEVEL
    words = embedder.vocabulary_
    return WordVectors(sorted(words, key=words.get), vectors.astype(np.float32))


def _cells(row, outcome, data):
    records = outcome.chosen()
    readings = [record["readings"]["word"] for record in records]
    sets = [[r["similarity"][name][0] for r in readings] for name in data.sets]
    label = f"{row.label}, from the unigram" if row.starts_from_unigram else row.label
    settings = [row.rate, row.l2, row.epochs, row.draws]
    return [
        outcome.candidate.title,
        label,
        *("" if x is None else x for x in settings),
        f"{np.mean([record['n_parameters'] for record in records]) / 1e6:.2f} M",
        _spread([record["test"]["cross_entropy"] for record in records]),
        _spread([record["test"]["unigram"] for record in records]),
        _spread([reading["accuracy"] for reading in readings]),
        *map(_spread, sets),
        f"{np.mean([record['seconds'] for record in records]):.0f}",
    ]


def _spread(values):
    return f"{np.mean(values):.3f} ({min(values):.3f}–{max(values):.3f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=["search", "table"])
    parser.add_argument("--data", required=True, help="JSON lines: text, label")
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--size", type=int, default=100)
    parser.add_argument("--n-jobs", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path("network"))
    of_table = parser.add_argument_group("table")
    of_table.add_argument("--wordsim", type=Path, help="folder of .tsv files")
    every = range(len(ROWS))
    of_table.add_argument("--rows", type=int, nargs="+", default=every)
    of_table.add_argument("--n-seeds", type=int, default=3)
    of_table.add_argument("--figure", type=Path, help="file to draw")
    of_search = parser.add_argument_group("search")
    of_search.add_argument("--losses", nargs="+", default=["softmax"])
    of_search.add_argument("--shares", nargs="+", default=["False", "True", "signed"])
    of_search.add_argument("--biases", nargs="+", default=["None", "exact"])
    of_search.add_argument("--epochs", type=int, nargs="+", default=[12])
    of_search.add_argument("--rates", type=float, nargs="+", default=[0.3])
    of_search.add_argument("--penalties", type=float, nargs="+", default=[10.0])
    of_search.add_argument("--draws", type=int, nargs="+", default=[256])
    of_search.add_argument("--seeds", type=int, nargs="+", default=[0])
    options = parser.parse_args()
    texts = read_documents(options.data, options.documents)
    labels = read_documents(options.data, options.documents, "label")
    # Reviews without a class are labelled -1.
    classes = [None if label == -1 else str(label) for label in labels]
    sets = _evaluation.read_similarities(options.wordsim) if options.wordsim else {}
    data = _evaluation.Data(texts, classes, sets)
    print(describe_machine())
    {"search": search, "table": table}[options.command](data, options)


if __name__ == "__main__":
    main()
