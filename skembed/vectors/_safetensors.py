"""Our own files: safetensors with a card.

The file begins with 8 bytes, the length of a header; the header is JSON and says where
in the rest each tensor is. There is one tensor, ``vectors``. The header's metadata have
one key, ``skembed``, whose value is the card as JSON: a format that holds several keys
may write them in any order, and one key leaves nothing to order.

See https://huggingface.co/docs/safetensors for the format.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from skembed.vectors._sources import Parts

KEY = "skembed"
TENSOR = "vectors"
_VERSION = 1
# What the library `safetensors` accepts.
_LONGEST_HEADER = 100_000_000
_ALIGNMENT = 8


def is_safetensors(head: bytes, size: int) -> bool:
    """Return whether a file of this size that begins like this may be one."""
    length = int.from_bytes(head[:8], "little")
    return head[8:9] == b"{" and 2 <= length <= size - 8


def pieces(parts: Parts, version: str) -> Iterator[bytes]:
    """Yield the pieces of a file.

    Parameters
    ----------
    parts : Parts
    version : str
        Of skembed.
    """
    counts = parts.counts
    card = {
        "format": _VERSION,
        "skembed": version,
        "source": parts.source,
        # `WordVectors` sorts them: the same parameters give the same bytes.
        "parameters": dict(parts.parameters or {}),
        "words": parts.words,
        "counts": None if counts is None else counts.tolist(),
    }
    yield from file(TENSOR, parts.vectors, {KEY: _compact(card)})


def file(name: str, vectors: np.ndarray, metadata: dict[str, str]) -> Iterator[bytes]:
    """Yield the pieces of a file with one tensor.

    Parameters
    ----------
    name : str
    vectors : ndarray of shape (n_words, n_components), float32
    metadata : dict of str to str
    """
    entry = {
        "dtype": "F32",
        "shape": list(vectors.shape),
        "data_offsets": [0, 4 * vectors.size],
    }
    contents = {"__metadata__": metadata, name: entry}
    header = _compact(contents if metadata else {name: entry}).encode()
    header += b" " * (-len(header) % _ALIGNMENT)
    if len(header) > _LONGEST_HEADER:
        raise ValueError(
            f"{len(vectors)} words take {len(header)} bytes of the header, and "
            f"{_LONGEST_HEADER} are allowed. Save fewer words (see `restrict`), or "
            "pass format='word2vec-binary'."
        )
    yield len(header).to_bytes(8, "little")
    yield header
    for first in range(0, len(vectors), 4096):
        yield vectors[first : first + 4096].astype("<f4").tobytes()


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def read(path: Path, limit: int | None, mmap: bool) -> Parts:
    """Read what `pieces` wrote.

    Parameters
    ----------
    path : Path
    limit : int or None
        Rows to read; None for all.
    mmap : bool
        Whether the vectors remain in the file, to be read when they are needed.

    Returns
    -------
    Parts

    Raises
    ------
    ValueError
        If the file was not written by skembed, or is damaged.
    """
    size = path.stat().st_size
    with path.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        if size < 10 or not 2 <= length <= size - 8:
            raise ValueError(
                f"{path}, byte 0: a header of {length} bytes does not fit into a file "
                f"of {size} bytes. The file is truncated, or not a safetensors file."
            )
        header = _json(opened.read(length), f"{path}, byte 8: the header")
    card, shape, begin = _check_header(header, path)
    n_words, n_components = shape
    data = 8 + length + begin
    if data + 4 * n_words * n_components != size:
        raise ValueError(
            f"{path}, byte {data}: {n_words} vectors of {n_components} numbers take "
            f"{4 * n_words * n_components} bytes, and {size - data} follow. "
            "The file is truncated or damaged."
        )
    words, counts = _check_card(card, n_words, path)
    rows = n_words if limit is None else min(limit, n_words)
    vectors = _vectors(path, data, (rows, n_components), mmap)
    return Parts(
        words[:rows],
        vectors,
        counts if counts is None else counts[:rows],
        card.get("source", ""),
        card.get("parameters"),
    )


def _vectors(path: Path, data: int, shape: tuple[int, int], mmap: bool) -> np.ndarray:
    if mmap and shape[0]:
        return np.memmap(path, dtype="<f4", mode="r", offset=data, shape=shape)
    vectors = np.fromfile(path, dtype="<f4", count=shape[0] * shape[1], offset=data)
    return vectors.reshape(shape)


def _json(text: bytes | str, what: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{what} is not JSON: {error}. It is damaged.") from error


def _check_header(header: Any, path: Path) -> tuple[dict, tuple[int, int], int]:
    """Return the card, the shape of the vectors and where they begin."""
    metadata = header.get("__metadata__") if isinstance(header, dict) else None
    text = metadata.get(KEY) if isinstance(metadata, dict) else None
    if not isinstance(text, str):
        raise ValueError(
            f"{path} was not written by skembed: the metadata key {KEY!r} is missing. "
            "Read it with the library `safetensors`, and pass words and "
            "vectors to WordVectors."
        )
    card = _json(text, f"{path}: the card {KEY!r}")
    if not isinstance(card, dict) or card.get("format") != _VERSION:
        found = card.get("format") if isinstance(card, dict) else card
        raise ValueError(
            f"{path}: the card has the format {found!r:.60}, and this version of "
            f"skembed reads {_VERSION}. A newer one may read it."
        )
    return card, *_check_entry(header.get(TENSOR), path)


def _check_entry(entry: Any, path: Path) -> tuple[tuple[int, int], int]:
    try:
        n_words, n_components = entry["shape"]
        begin, end = entry["data_offsets"]
        numbers = n_words, n_components, begin, end
        right = all(type(number) is int for number in numbers)
        right = right and entry["dtype"] == "F32" and min(n_words, begin) >= 0
        right = right and n_components > 0 and end - begin == 4 * n_words * n_components
    except (KeyError, TypeError, ValueError):
        right = False
    if not right:
        raise ValueError(
            f"{path}: the entry {TENSOR!r} of the header is not a float32 table: "
            f"{entry!r:.100}. The file is damaged."
        )
    return (n_words, n_components), begin


def _check_card(
    card: dict, n_words: int, path: Path
) -> tuple[list[Any], np.ndarray | None]:
    """Return the words and counts of a card, if there are as many as vectors."""
    words: Any = card.get("words")
    counts: Any = card.get("counts")
    for name, values, kinds in (
        ("words", words, (str, int)),
        ("counts", counts, (int, float)),
    ):
        if values is None and name == "counts":
            continue
        if not isinstance(values, list) or len(values) != n_words:
            found = len(values) if isinstance(values, list) else "no list of"
            raise ValueError(
                f"{path}: the card has {found} {name} for {n_words} vectors. The file "
                "is damaged."
            )
        wrong = [value for value in values if type(value) not in kinds]
        if wrong:
            raise ValueError(
                f"{path}: {wrong[0]!r:.60} is among the {name} of the card. The file "
                "is damaged."
            )
    if not isinstance(card.get("source", ""), str):
        raise ValueError(
            f"{path}: the source of the card is not text. The file is damaged."
        )
    if not isinstance(card.get("parameters", {}), dict):
        raise ValueError(
            f"{path}: the parameters of the card are not a mapping. The file is "
            "damaged."
        )
    return words, _counts(counts, words, path)


def _counts(counts: list | None, words: list, path: Path) -> np.ndarray | None:
    if counts is None:
        return None
    for word, count in zip(words, counts, strict=True):
        # A whole number may be too large for any float.
        if not 0 <= count < 2**63:
            raise ValueError(
                f"{path}: the count of {word!r:.60} in the card is {count!r:.60}, and "
                "should be finite and not negative. The file is damaged."
            )
    whole = all(type(count) is int for count in counts)
    return np.array(counts, dtype=np.int64 if whole else np.float64)
