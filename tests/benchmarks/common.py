"""What the benchmarks share: reading documents and similarity sets, printing tables."""

import gzip
import json
import platform
from itertools import islice
from pathlib import Path

import numpy as np

import skembed
from skembed._base import BaseEmbedder
from skembed.metrics import read_pairs, word_similarity
from skembed.vectors import WordVectors


def public_embedders():
    """Return the classes of all public estimators that learn vectors."""
    public = [getattr(skembed, name) for name in skembed.__all__]
    kinds = [kind for kind in public if isinstance(kind, type)]
    return [kind for kind in kinds if issubclass(kind, BaseEmbedder)]


def read_documents(path, limit=None, field="text"):
    """Return a field of all lines of a JSON-lines file (may end in .gz)."""
    opener = gzip.open if str(path).endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line)[field] for line in islice(lines, limit)]


def read_similarities(folder):
    """Return {name: [(word, word, score), ...]} of the .tsv files of a folder."""
    paths = sorted(Path(folder).glob("*.tsv"))
    return {path.stem: read_pairs(path) for path in paths}


def similarity(pairs, rows, vectors):
    """Spearman correlation of cosines with human scores, and the pairs covered."""
    table = WordVectors(sorted(rows, key=rows.get), vectors)
    try:
        found = word_similarity(table, pairs, n_resamples=0)
    except ValueError:
        return np.nan, 0
    return found.spearman, found.n_pairs


def describe_machine():
    """Return one line about the processor and the versions in use."""
    import numba
    import scipy
    import sklearn

    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [x for x in cpuinfo.read_text().splitlines() if "model name" in x]
        model = f"{names[0].split(':')[1].strip()} x {len(names)}" if names else model
    return (
        f"{model}; Python {platform.python_version()}, numpy {np.__version__}, "
        f"scipy {scipy.__version__}, scikit-learn {sklearn.__version__}, "
        f"numba {numba.__version__}"
    )


def print_table(header, rows):
    """Print a Markdown table."""
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |"
        for row in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    print("\n".join(lines))


def median_ratio(first, second):
    """Return the median of the ratios of paired measurements."""
    return float(np.median(np.asarray(first) / np.asarray(second)))
