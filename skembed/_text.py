"""The funnel: whatever users call documents becomes an iterator of tokens."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
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
        Tokenises raw documents; of tokenised ones only its stop words are dropped.

    Yields
    ------
    collection of str

    Raises
    ------
    ValueError
        If `X` or one of its documents is of another kind.
    """
    analyze = None
    stop_words = vectorizer.get_stop_words()
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
            if analyze is None:
                analyze = _build_analyzer(vectorizer)
            tokens = analyze(document)
            if callable(vectorizer.analyzer):
                tokens = _check_analyzed(position, tokens)
        else:
            tokens = document.tolist() if isinstance(document, np.ndarray) else document
            _check_tokens(position, tokens)
            if stop_words:
                tokens = [token for token in tokens if token not in stop_words]
        yield tokens


def _build_analyzer(vectorizer: CountVectorizer) -> Callable[[str], Any]:
    """Build what cuts raw documents; nothing here concerns tokenised ones."""
    if vectorizer.analyzer == "word":
        pattern = vectorizer.token_pattern
        if pattern is None:
            raise ValueError(
                "token_pattern=None cannot cut raw documents into words. Pass a "
                "regular expression, another analyzer, or tokenised documents."
            )
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(
                f"token_pattern={pattern!r} is not a regular expression: {error}."
            ) from error
    return vectorizer.build_analyzer()


def _as_iterable(X: Any) -> Iterable[Any]:
    """Take a column out of its frame or array; refuse what holds no documents."""
    if isinstance(X, (str, bytes)):
        raise ValueError(f"X is a single {_describe(X)}. {_ADVICE} Did you mean [X]?")
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
        raise ValueError(f"X is {_describe(X)}, not an iterable. {_ADVICE}")
    return _as_python(X)


def _only_column(X: Any) -> Any:
    names = list(X.column_names if _library(X) == "pyarrow" else X.columns)
    if len(names) != 1:
        raise ValueError(
            f"X is a frame of {len(names)} columns ({names[:5]}). Pass one column of "
            "text, e.g. X[name], or use a ColumnTransformer."
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


def _check_analyzed(position: int, tokens: Any) -> Collection[str]:
    """Check what a callable analyzer returned; a generator becomes a list."""
    if isinstance(tokens, (str, bytes)) or not isinstance(tokens, Iterable):
        raise ValueError(
            f"analyzer returned {_describe(tokens)} for document {position}; it must "
            "return a list of str."
        )
    if not isinstance(tokens, (list, tuple)):
        tokens = list(tokens)
    _check_tokens(position, tokens)
    return tokens


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
    text = " ".join(repr(value).split())
    if len(text) > 40:
        text = text[:37] + "..."
    return f"{type(value).__name__} ({text})"
