"""Files of graphs: edges, and labels of nodes."""

import argparse
import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from skembed.study._documents import InputError, read_lines

_COLUMNS = ("source", "target", "weight")
_LABEL_HEADERS = [["node", "label"], ["node", "labels"]]
_INT = re.compile("0|-?[1-9][0-9]{0,18}")


class Graph(NamedTuple):
    """A graph, as it is in its files.

    Attributes
    ----------
    edges : ndarray of shape (n_edges, 2)
        Ids of sources and targets, int64 or object.
    weights : ndarray of shape (n_edges,), float64
    labelled : ndarray of shape (n_labelled,)
        Ids of nodes with labels.
    labels : list of set of str
        Their labels.
    """

    edges: np.ndarray
    weights: np.ndarray
    labelled: np.ndarray
    labels: list[set[str]]


def read_graph(options: argparse.Namespace) -> Graph:
    """Return the graph in the files of the options.

    Raises
    ------
    InputError
        If a file cannot be read, or a line has the wrong number of fields or a weight
        that is not a number.
    """
    sources: list[str] = []
    targets: list[str] = []
    weights: list[float] = []
    columns: Sequence[str] = _COLUMNS
    for number, fields in _records(options.edges, options.encoding):
        if not sources and {*fields} >= {*_COLUMNS[:2]}:
            columns = fields
            continue
        place = f"{options.edges}, line {number}"
        record = dict(zip(columns, fields, strict=False))
        if len(fields) not in (2, 3) or len(record) < len(fields) or not all(fields):
            raise InputError(
                f"{place}: {len(fields)} fields{'' if all(fields) else ', one empty'}; "
                "a source and a target, and perhaps a weight, are needed"
            )
        if unknown := {*record} - {*_COLUMNS}:
            raise InputError(
                f"{options.edges}: a column {min(unknown)!r}; the columns are source, "
                "target, and perhaps weight"
            )
        sources.append(record["source"])
        targets.append(record["target"])
        weights.append(_weight(record.get("weight", "1"), place))
    if not sources:
        raise InputError(f"{options.edges}: no edges")
    _check_first(sources, targets, options.edges)
    nodes: list[str] = []
    labels: list[set[str]] = []
    if options.labels is not None:
        nodes, labels = _read_labels(options)
    ids = _as_ids([*sources, *targets, *nodes])
    edges, labelled = ids[: 2 * len(sources)], ids[2 * len(sources) :]
    return Graph(edges.reshape(2, -1).T, np.array(weights), labelled, labels)


def _check_first(sources: list[str], targets: list[str], path: Path) -> None:
    """Raise an error if the first line looks like a header of other names."""
    (source, *others), (target, *more) = sources, targets
    others += more
    if (
        not (_is_int(source) or _is_int(target))
        and others
        and all(map(_is_int, others))
    ):
        raise InputError(
            f"{path}: the first edge goes from {source!r} to {target!r}, and all other "
            "ids are int; name the columns of a header source, target and weight, or "
            "begin its line with #"
        )


def _read_labels(options: argparse.Namespace) -> tuple[list[str], list[set[str]]]:
    found: dict[str, set[str]] = {}
    for number, (node, *labels) in _records(options.labels, options.encoding):
        if not found and [node, *labels] in _LABEL_HEADERS:
            continue
        names = {name for label in labels for name in label.split()}
        if not (names and node):
            raise InputError(
                f"{options.labels}, line {number}: a node without a label, or a label "
                "without a node"
            )
        found.setdefault(node, set()).update(names)
    if not found:
        raise InputError(f"{options.labels}: no labels")
    return list(found), list(found.values())


def _records(path: Path, encoding: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the fields of each line that is not empty."""
    of_commas = path.name.lower().removesuffix(".gz").endswith(".csv")
    for number, line in enumerate(read_lines(path, encoding), start=1):
        # A tab at the beginning stands for an empty field.
        text = line.strip(" \r\n")
        if not text.strip() or text.startswith("#"):
            continue
        if of_commas:
            try:
                # Line by line: a missing quote must not swallow other lines.
                (fields,) = csv.reader([text], strict=True, skipinitialspace=True)
            except csv.Error as error:
                raise InputError(f"{path}, line {number}: not CSV ({error})") from error
        else:
            fields = text.split("\t") if "\t" in text else text.split()
        yield number, [field.strip() for field in fields]


def _weight(text: str, place: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        raise InputError(f"{place}: the weight {text!r} is not a number") from None
    if not 0.0 <= weight < np.inf:
        raise InputError(
            f"{place}: the weight is {text}; weights are finite and not negative"
        )
    return weight


def _is_int(text: str) -> bool:
    """Tell whether this is how an int of 64 bits is written.

    "007", "+7" and "7" are different nodes.
    """
    return bool(_INT.fullmatch(text)) and -(2**63) <= int(text) < 2**63


def _as_ids(ids: list[str]) -> np.ndarray:
    """Return ids as integers, if all are, or as strings."""
    if all(map(_is_int, ids)):
        return np.array([int(name) for name in ids], dtype=np.int64)
    return np.array(ids, dtype=object)
