"""Files that the tests of the command lines read."""

import csv
import gzip
import json

import pytest

from tests.study.cases import (
    PAIRS,
)


@pytest.fixture(scope="module")
def tiny_csv(tiny_corpus, tiny_labels, tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "tiny.csv"
    with path.open("w", encoding="utf8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text", "label"])
        rows = zip(tiny_corpus, tiny_labels, strict=True)
        writer.writerows([i, *row] for i, row in enumerate(rows))
    return path


@pytest.fixture
def write(tmp_path):
    """Write bytes or text to a file of the given name, packed where it says so."""

    def write(name, content):
        data = content if isinstance(content, bytes) else content.encode()
        path = tmp_path / name
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    return write


@pytest.fixture(scope="module")
def files(tiny_corpus, tiny_labels, tmp_path_factory):
    """A labelled file, a plain one, and a folder of similarity sets."""
    folder = tmp_path_factory.mktemp("study")
    lines = [
        json.dumps({"text": text, "label": label})
        for text, label in zip(tiny_corpus, tiny_labels.tolist(), strict=True)
    ]
    (folder / "tiny.jsonl").write_text("\n".join(lines))
    (folder / "tiny.txt").write_text("\n\n".join(tiny_corpus))
    (folder / "sets").mkdir()
    rows = ["\t".join(map(str, pair)) for pair in [("word1", "word2", "s"), *PAIRS]]
    (folder / "sets" / "six.tsv").write_text("\n".join(rows) + "\n")
    return folder
