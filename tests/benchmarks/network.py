"""The study's measures of single settings of `SoftmaxEmbedder`, on reviews.

    python -m tests.benchmarks.network --data reviews.jsonl.gz --wordsim FOLDER \\
        --shares True --biases None --epochs 12 48 --rates 0.3 0.6 --penalties 0 10

Fits every combination of the options on the documents of the study's split. Prints
held-out cross-entropies in nats per pair, of the documents on which the study chooses a
setting and of those on which it judges, and the other measures. `--output` names a
file of finished fits, from which a run that was stopped continues.
"""

import argparse
import itertools
import json
from pathlib import Path

from skembed import SoftmaxEmbedder
from skembed.study import _evaluation
from tests.benchmarks.common import describe_machine, print_table, read_documents

CHOICES = {"None": None, "False": False, "True": True}
HEADER = ["loss", "share_context", "bias", "epochs", "rate", "l2", "draws", "seed"]
MEASURES = ["chosen on", "judged on", "gain", "accuracy", "training loss", "fit s"]


def combinations(options):
    """Return the settings to fit, as dicts of parameters."""
    named = {
        "loss": options.losses,
        "share_context": options.shares,
        "bias": options.biases,
        "max_iter": options.epochs,
        "learning_rate": options.rates,
        "l2": options.penalties,
        "n_draws": options.draws,
        "random_state": options.seeds,
    }
    found = itertools.product(*named.values())
    return [dict(zip(named, values, strict=True)) for values in found]


def fit(params, data, options):
    """Return the study's record of one fit."""
    embedder = SoftmaxEmbedder(
        options.size,
        pooling="mean",
        scale=None,
        subsample=options.subsample,
        window=5,
        n_jobs=options.n_jobs,
        **{name: CHOICES.get(value, value) for name, value in params.items()},
    )
    return _evaluation.measure(embedder, ("word",), data, params["random_state"])


def row(params, record):
    """Return a row of the table."""
    chosen, judged = record["validation"], record["test"]
    reading = record["readings"]["word"]
    numbers = [
        chosen["cross_entropy"],
        judged["cross_entropy"],
        judged["unigram"] - judged["cross_entropy"],
        reading["accuracy"],
        record["loss_curve"][-1],
    ]
    shown = [*(f"{x:.4f}" for x in numbers), f"{record['seconds']:.0f}"]
    correlations = [f"{rho:.3f}" for rho, _ in reading["similarity"].values()]
    return [*params.values(), *shown, *correlations]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="JSON lines: text, label")
    parser.add_argument("--wordsim", required=True, help="folder of .tsv files")
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--losses", nargs="+", default=["softmax"])
    parser.add_argument("--shares", nargs="+", default=["False", "True", "signed"])
    parser.add_argument("--biases", nargs="+", default=["None", "exact"])
    parser.add_argument("--epochs", type=int, nargs="+", default=[12])
    parser.add_argument("--rates", type=float, nargs="+", default=[0.3])
    parser.add_argument("--penalties", type=float, nargs="+", default=[10.0])
    parser.add_argument("--draws", type=int, nargs="+", default=[256])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--size", type=int, default=100)
    parser.add_argument("--subsample", type=float, default=1e-3)
    parser.add_argument("--n-jobs", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path("network.jsonl"))
    options = parser.parse_args()
    texts = read_documents(options.data, options.documents)
    labels = read_documents(options.data, options.documents, "label")
    # Reviews without a class are labelled -1.
    classes = [None if label == -1 else str(label) for label in labels]
    sets = _evaluation.read_similarities(options.wordsim)
    data = _evaluation.Data(texts, classes, sets)
    common = {"documents": options.documents, "size": options.size}
    common["subsample"] = options.subsample
    done = {}
    if options.output.exists():
        lines = map(json.loads, options.output.read_text().splitlines())
        done = {json.dumps(line["key"]): line["record"] for line in lines}
    print(describe_machine())
    rows = []
    for params in combinations(options):
        key = common | params
        record = done.get(json.dumps(key))
        if record is None:
            record = fit(params, data, options)
            with options.output.open("a") as file:
                file.write(json.dumps({"key": key, "record": record}) + "\n")
        rows.append(row(params, record))
        print(*rows[-1], flush=True)
    print_table([*HEADER, *MEASURES, *sets], rows)


if __name__ == "__main__":
    main()
