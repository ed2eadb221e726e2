"""Word similarity: do cosines of vectors rank pairs of words as people do?"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.stats import spearmanr

from skembed.study._input import InputError, read_lines


class Pair(NamedTuple):
    """Two words and how similar people found them."""

    first: str
    second: str
    score: float


class Similarity(NamedTuple):
    """Agreement with people.

    Attributes
    ----------
    correlation : float
        Spearman's rank correlation of cosines with scores; NaN where it is not
        defined, for lack of pairs or because all are equal.
    n_pairs : int
        Pairs of which both words have a vector.
    """

    correlation: float
    n_pairs: int


def read_similarities(folder: Path) -> dict[str, list[Pair]]:
    """Return the similarity sets in a folder.

    A set is a file ``.tsv`` in UTF-8: on every line two words and a number, separated
    by tabs. The first line may be a header instead. Empty lines and comments, which
    start with #, are skipped.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    dict of str to list of Pair
        By the name of the file without its ending; words in lower case.

    Raises
    ------
    InputError
        If there is no such file, or one cannot be read or is of another form.
    """
    paths = sorted(Path(folder).glob("*.tsv"))
    if not paths:
        raise InputError(f"{folder}: holds no .tsv files")
    return {path.stem: _read(path) for path in paths}


def _read(path: Path) -> list[Pair]:
    pairs = []
    may_be_header = True
    for number, line in enumerate(read_lines(path), start=1):
        line = line.rstrip("\r\n")
        if not line.strip() or line.startswith("#"):
            continue
        fields = line.split("\t")
        score = _number(fields[2]) if len(fields) == 3 else None
        if score is not None:
            pairs.append(Pair(fields[0].lower(), fields[1].lower(), score))
        elif not may_be_header or len(fields) != 3:
            raise InputError(
                f"{path}, line {number}: two words and a number are needed, separated "
                f"by tabs, not {line[:40]!r}"
            )
        may_be_header = False
    if not pairs:
        raise InputError(f"{path}: holds no pairs of words")
    return pairs


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if np.isfinite(number) else None


def similarity(
    pairs: Iterable[Pair], vocabulary: Mapping[str, int], vectors: np.ndarray
) -> Similarity:
    """Compare the cosines of words' vectors with what people said.

    Parameters
    ----------
    pairs : iterable of Pair
    vocabulary : mapping of str to int
        Row of each word. Pairs with other words are left out.
    vectors : ndarray of shape (n_words, n_components)

    Returns
    -------
    Similarity
    """
    known = [p for p in pairs if p.first in vocabulary and p.second in vocabulary]
    scores = np.array([p.score for p in known])
    first = vectors[[vocabulary[p.first] for p in known]].astype(np.float64)
    second = vectors[[vocabulary[p.second] for p in known]].astype(np.float64)
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    cosines = (first * second).sum(axis=1) / np.maximum(lengths, 1e-300)
    if len(known) < 2 or np.ptp(scores) == 0 or np.ptp(cosines) == 0:
        return Similarity(float("nan"), len(known))
    return Similarity(float(spearmanr(cosines, scores).statistic), len(known))
