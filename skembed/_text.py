"""The funnel: whatever users call documents becomes an iterator of tokens."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer

_ADVICE = "Pass an iterable of str, one per document, or of lists of str."


def iter_tokens(X: Any, vectorizer: CountVectorizer) -> Iterator[Collection[str]]:
    """Yield the tokens of each document of `X`.

    Parameters
    ----------
    X : iterable of str, or of lists, tuples or 1-D arrays of str
        Raw or tokenised documents. It is iterated once.
    vectorizer : CountVectorizer
        Tokenises raw documents; of tokenised ones it only drops the stop words.

    Yields
    ------
    collection of str

    Raises
    ------
    ValueError
        If `X` or one of its documents is of another kind.
    """
    analyze = vectorizer.build_analyzer()
    stop_words = vectorizer.get_stop_words()
    tokens_are_str = not callable(vectorizer.analyzer)
    first_kind = None
    for position, document in enumerate(_as_iterable(X)):
        kind = _kind(position, document)
        if first_kind is None:
            first_kind = kind
        elif kind is not first_kind:
            raise ValueError(
                f"Document {position} is {_describe(document)}, but document 0 is of "
                "another kind. Pass either raw documents (str) or tokenised ones "
                "(lists of str), not both."
            )
        if kind is str:
            tokens = analyze(document)
            if not tokens_are_str:
                _check_tokens(position, tokens)
            yield tokens
        else:
            tokens = document.tolist() if isinstance(document, np.ndarray) else document
            _check_tokens(position, tokens)
            if stop_words:
                tokens = [token for token in tokens if token not in stop_words]
            yield tokens


def _as_iterable(X: Any) -> Iterable[Any]:
    """Take a column out of its frame or array; refuse what holds no documents."""
    if isinstance(X, (str, bytes)):
        raise ValueError(f"X is a single {_describe(X)}. {_ADVICE} Did you mean [X]?")
    if isinstance(X, Mapping):
        raise ValueError(
            f"X is a {type(X).__name__}, which is iterated by its keys. {_ADVICE} "
            "Did you mean list(X.values())?"
        )
    if sparse.issparse(X):
        raise ValueError(f"X is a sparse matrix of shape {X.shape}. {_ADVICE}")
    if hasattr(X, "columns") and len(getattr(X, "shape", ())) == 2:
        if X.shape[1] != 1:
            raise ValueError(
                f"X is a frame of {X.shape[1]} columns ({list(X.columns)[:5]}). Pass "
                "one column of text, e.g. X[name], or use a ColumnTransformer."
            )
        return X[X.columns[0]]
    if isinstance(X, np.ndarray):
        return _as_column(X)
    if not isinstance(X, Iterable) and not hasattr(X, "__getitem__"):
        raise ValueError(f"X is {_describe(X)}, not an iterable. {_ADVICE}")
    return X


def _as_column(X: np.ndarray) -> np.ndarray:
    if X.ndim == 2 and X.shape[1] == 1 and X.dtype.kind not in "biufc":
        return X[:, 0]
    if X.ndim != 1:
        raise ValueError(
            f"X is a {X.ndim}-dimensional array of shape {X.shape} and dtype "
            f"{X.dtype}; documents are a 1-D array of str. {_ADVICE}"
        )
    return X


def _kind(position: int, document: Any) -> type:
    """Return `str` for a raw and `list` for a tokenised document."""
    if isinstance(document, str):
        return str
    if isinstance(document, (list, tuple)):
        return list
    if isinstance(document, np.ndarray) and document.ndim == 1:
        return list
    if document is None or _is_missing(document):
        raise ValueError(
            f"Document {position} is missing ({document!r}). Fill missing values "
            "first, e.g. Series.fillna(''), or drop them."
        )
    advice = "Decode it to str first." if isinstance(document, bytes) else _ADVICE
    raise ValueError(f"Document {position} is {_describe(document)}. {advice}")


def _is_missing(document: Any) -> bool:
    if isinstance(document, (float, np.floating)):
        return bool(np.isnan(document))
    return type(document).__name__ in ("NAType", "NaTType")


def _check_tokens(position: int, tokens: Collection[Any]) -> None:
    # The set of types is built in C; only a failing document is walked in Python.
    if all(issubclass(kind, str) for kind in set(map(type, tokens))):
        return
    index, token = next(
        (i, token) for i, token in enumerate(tokens) if not isinstance(token, str)
    )
    raise ValueError(
        f"Token {index} of document {position} is {_describe(token)}. Tokens must be "
        "str."
    )


def _describe(value: Any) -> str:
    text = repr(value)
    if len(text) > 40:
        text = text[:37] + "..."
    return f"{type(value).__name__} ({text})"
