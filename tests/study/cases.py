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

STUDY = [*SIZES, "--seeds", "2", "--rates", "1", "4"]

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
