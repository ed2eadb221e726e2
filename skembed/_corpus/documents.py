"""Containers of documents, as users pass them: checked, one document at a time."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sized
from itertools import repeat
from numbers import Number
from typing import Any

import numpy as np
from scipy import sparse

from skembed._corpus.kinds import check_holds_data, is_frame

# Documents between two reports.
_REPORTED = 64
_ADVICE = "Pass an iterable of str, one per document, or of lists of str."
EDGES_ADVICE = (
    "For a frame of edges, pass the adjacency matrix with input='cooccurrence': "
    "networkx.from_pandas_edgelist and networkx.to_pandas_adjacency make it."
)


def checked(
    X: Any,
    report: Callable[[float], Any] | None = None,
    missing: str = "error",
) -> Iterator[Any]:
    """Yield documents, all raw or all tokenised.

    Parameters
    ----------
    X : iterable of str, or of lists, tuples or 1-D arrays of str
        A list, an array, a column or a frame of one, a generator. Iterated once.
    report : callable, default=None
        Called now and then with the share of the documents that were taken, 0 if
        nobody knows.
    missing : {"error", "empty"}, default="error"
        Whether missing documents are refused, or are empty ones of the kind of the
        others.

    Raises
    ------
    ValueError
        If it or one of its documents is of another kind.
    """
    first_kind: type | None = None
    n_waiting = 0
    documents = _as_iterable(X)
    n_documents = np.inf
    if report is not None and isinstance(documents, Sized):
        n_documents = len(documents)
    for position, document in enumerate(documents):
        kind = _kind(position, document, missing)
        if kind is None:
            if first_kind is None:
                n_waiting += 1
                continue
            document = first_kind()
        elif first_kind is None:
            first_kind = kind
            yield from (kind() for _ in range(n_waiting))
        elif kind is not first_kind:
            raise ValueError(
                f"Document {position} is {describe(document)}, but document 0 is of "
                "another kind. Pass either raw documents (str) or tokenised ones "
                "(lists of str), not both."
            )
        if report is not None and not position % _REPORTED:
            report(position / n_documents)
        yield document
    if first_kind is None:
        yield from repeat("", n_waiting)


def _as_iterable(X: Any) -> Iterable[Any]:
    """Take a column out of its frame or array; refuse what holds no documents."""
    check_holds_data(X)
    if isinstance(X, (str, bytes)):
        raise ValueError(f"X is a single {describe(X)}. {_ADVICE} Did you mean [X]?")
    if isinstance(X, Mapping):
        raise ValueError(
            f"X is a {type(X).__name__}, which is iterated by its keys. {_ADVICE} "
            "Did you mean list(X.values())?"
        )
    if isinstance(X, (set, frozenset)):
        raise ValueError(f"X is a {type(X).__name__}, which has no order. Pass a list.")
    if sparse.issparse(X):
        raise ValueError(f"X is a sparse matrix of shape {X.shape}. {_ADVICE}")
    if hasattr(X, "columns") and len(getattr(X, "shape", ())) == 2:
        X = _only_column(X)
    if isinstance(X, np.ndarray):
        return _as_column(X)
    if not isinstance(X, Iterable) and not hasattr(X, "__getitem__"):
        raise ValueError(f"X is {describe(X)}, not an iterable. {_ADVICE}")
    return _as_python(X)


def _only_column(X: Any) -> Any:
    names = list(X.column_names if _library(X) == "pyarrow" else X.columns)
    if len(names) != 1:
        raise ValueError(
            f"X is a frame of {len(names)} columns ({names[:5]}), and not all of them "
            "have a numeric dtype. Pass one column of text, e.g. X[name], or use a "
            "ColumnTransformer; or pass numbers only, words as columns. " + EDGES_ADVICE
        )
    return X[names[0]]


def _as_python(X: Any) -> Any:
    """Convert the columns whose elements are neither str nor list nor array."""
    if _library(X) == "pyarrow" and hasattr(X, "to_pylist"):
        return X.to_pylist()
    if _library(X) == "polars" and hasattr(X, "dtype") and X.dtype.is_nested():
        return X.to_list()
    return X


def _library(X: Any) -> str:
    return type(X).__module__.partition(".")[0]


def _as_column(X: np.ndarray) -> np.ndarray:
    if X.ndim == 2 and X.shape[1] == 1 and X.dtype.kind not in "biufc":
        return X[:, 0]
    if X.ndim != 1:
        raise ValueError(
            f"X is a {X.ndim}-dimensional array of shape {X.shape} and dtype "
            f"{X.dtype}; documents are a 1-D array of str. {_ADVICE}"
        )
    return X


def _kind(position: int, document: Any, missing: str) -> type | None:
    """Return `str` for a raw, `list` for a tokenised and None for a missing document.

    A missing one is refused unless it shall be empty.
    """
    if isinstance(document, str):
        return str
    if isinstance(document, (list, tuple)):
        return list
    if isinstance(document, np.ndarray) and document.ndim == 1:
        return list
    if is_missing(document):
        if missing == "empty":
            return None
        raise ValueError(
            f"Document {position} is missing ({document!r}). Pass missing='empty' to "
            "take missing documents for empty ones, or fill them first, e.g. by "
            "Series.fillna(''), or drop them."
        )
    advice = "Decode it to str first." if isinstance(document, bytes) else _ADVICE
    if isinstance(document, (Number, np.bool_)):
        advice += " Is it a row of a matrix? Reshape your data: X.reshape(1, -1)."
    raise ValueError(f"Document {position} is {describe(document)}. {advice}")


def is_missing(value: Any) -> bool:
    """Return whether it is None or what pandas and others take for a missing value."""
    if isinstance(value, (float, np.floating)):
        return bool(np.isnan(value))
    return value is None or type(value).__name__ in ("NAType", "NaTType")


def is_missing_column(X: Any) -> bool:
    """Return whether it is a frame or an array of one column, all of it missing.

    pandas holds NaN, which is a number, where no text of a column is there.
    """
    if len(getattr(X, "shape", ())) != 2 or X.shape[1] != 1 or sparse.issparse(X):
        return False
    if isinstance(X, np.ndarray):
        return X.dtype.kind == "O" and all(map(is_missing, X[:, 0]))
    return is_frame(X) and all(map(is_missing, _only_column(X)))


def check_analyzed(position: int, tokens: Any) -> Collection[str]:
    """Check what a callable analyzer returned; a generator becomes a list."""
    if isinstance(tokens, (str, bytes)) or not isinstance(tokens, Iterable):
        raise ValueError(
            f"analyzer returned {describe(tokens)} for document {position}; it must "
            "return a list of str."
        )
    if not isinstance(tokens, (list, tuple)):
        tokens = list(tokens)
    check_tokens(position, tokens)
    return tokens


def check_tokens(position: int, tokens: Collection[Any]) -> None:
    # The set of types is built in C; only a failing document is walked in Python.
    if all(issubclass(kind, str) for kind in set(map(type, tokens))):
        return
    index, token = next(
        (i, token) for i, token in enumerate(tokens) if not isinstance(token, str)
    )
    raise ValueError(
        f"Token {index} of document {position} is {describe(token)}. Tokens must be "
        "str."
    )


def describe(value: Any) -> str:
    """Return an object's type and the beginning of its text, for an error."""
    try:
        text = " ".join(repr(value).split())
    except ValueError:
        # Python does not write out ints of thousands of digits.
        return f"{type(value).__name__} (too long to show)"
    if len(text) > 40:
        text = text[:37] + "..."
    return f"{type(value).__name__} ({text})"
