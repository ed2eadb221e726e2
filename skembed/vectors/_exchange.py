"""Tables of other libraries, which are loaded when they are needed."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np

from skembed.vectors._sources import Parts


def _require(*names: str, what: str) -> Any:
    """Return the first of some modules that is installed."""
    for name in names:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    packages = " or ".join(name.partition(".")[0] for name in names)
    raise ImportError(f"{what} needs {packages}, which is not installed.")


def read_fasttext(
    path: Path, limit: int | None
) -> tuple[list[str], np.ndarray, np.ndarray | None]:
    """Read fastText's own ``.bin`` through gensim or fasttext."""
    raise NotImplementedError


def write_model2vec(parts: Parts, path: Path) -> None:
    raise NotImplementedError
