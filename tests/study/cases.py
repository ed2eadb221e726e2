"""Options, records and files of the tests of the command lines."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import skembed

COLUMNS = ["--text", "text", "--label", "label"]

TINY = ["--n-components", "4", "--epochs", "2", "--min-count", "1", "--n-jobs", "1"]

QUICK = [*TINY, "--estimators", "ppmi-svd"]

SIZES = ["--size", "4", "--max-iter", "2", "--min-count", "1", "--n-jobs", "1"]

STUDY = [*SIZES, "--seeds", "2", "--rates", "1", "4", "--penalties", "0", "10"]

STRATEGIES = ["--strategies", "separate", "tied", "half-size"]

PAIRS = [("bread", "butter", 9.0), ("bread", "boat", 1.0), ("seed", "soil", 8.5)]

PAIRS += [("train", "root", 2.0), ("sail", "rope", 7.0), ("unknown", "boat", 5.0)]

ROW = '{"text": "t", "label": "a"}\n'

RECORDS = [("one, two", "a"), ('three\n"four"', "b"), ("", "a"), ("fünf", "b")]


def as_csv(records):
    out = io.StringIO(newline="")
    csv.writer(out).writerows([("text", "label"), *records])
    return out.getvalue()


def as_json_lines(records):
    lines = [json.dumps({"n": 1, "text": t, "label": c}) for t, c in records]
    return "\n\n".join(lines)


def run_process(arguments, **options):
    path = str(Path(skembed.__file__).parents[1])
    return subprocess.Popen(
        [sys.executable, "-m", "skembed", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def without_seconds(rows):
    return [{k: v for k, v in row.items() if k != "fit_seconds"} for row in rows]


def arguments(files, output, *more):
    data = ["--data", files / "tiny.jsonl", "--label", "label"]
    data += ["--wordsim", files / "sets", "--output", output]
    return [str(a) for a in [*data, *STUDY, *STRATEGIES, *more]]


def read_results(folder):
    with (folder / "results.csv").open(newline="", encoding="utf8") as file:
        return list(csv.DictReader(file))


def row(estimator, accuracy, sd=0.01, is_reference=False, **labels):
    return {
        "estimator": estimator,
        **labels,
        "is_reference": is_reference,
        "n_embedding_parameters": None if estimator == "tf-idf" else 1234567,
        "fit_seconds": 1.25,
        "accuracy": accuracy,
        "accuracy_sd": sd,
        "fold_accuracies": [accuracy - sd, accuracy + sd],
        "few_accuracy": accuracy / 2,
        "few_accuracy_sd": sd,
        "few_fold_accuracies": [accuracy / 2 - sd, accuracy / 2 + sd],
        "pipeline": None if is_reference else f"make_pipeline(Model(d={accuracy}))",
        "error": None,
    }


ROWS = [
    row("tf-idf", 0.9, is_reference=True),
    row("GloVe", 0.7, share_context=False),
    row("GloVe", 0.6, share_context=True),
    row("PPMI-SVD", 0.5, share_context="signed"),
    row("SGNS", 0.785, share_context=False, bias=None),
    row("SGNS", 0.8, sd=0.02, share_context=True, bias="exact"),
    row("SGNS", 0.7, share_context=True, bias=None),
]

ABOUT = {
    "data": "some.csv",
    "n_documents": 10,
    "n_classes": 2,
    "cv": 2,
    "n_components": 5,
    "seed": 7,
    "labels_per_class": 10,
}
