"""The public function that counts co-occurrences of documents."""

import warnings
from types import SimpleNamespace
from typing import Any

from scipy import sparse
from sklearn.utils._param_validation import StrOptions, validate_params

from skembed._base import BaseEmbedder
from skembed._corpus import reader
from skembed._counts import count

_PARAMETERS = (
    "window",
    "window_weighting",
    "analyzer",
    "lowercase",
    "strip_accents",
    "stop_words",
    "token_pattern",
    "min_count",
    "max_features",
    "vocabulary",
    "missing",
    "n_jobs",
)


@validate_params(
    {
        **{name: BaseEmbedder._parameter_constraints[name] for name in _PARAMETERS},
        "direction": [StrOptions({"both", "left", "right"})],
    },
    prefer_skip_nested_validation=True,
)
def cooccurrence(
    X: Any,
    *,
    window: int = 5,
    window_weighting: str = "dynamic",
    direction: str = "both",
    analyzer: Any = "word",
    lowercase: bool = True,
    strip_accents: Any = None,
    stop_words: Any = None,
    token_pattern: str | None = r"(?u)\b\w\w+\b",
    min_count: int = 5,
    max_features: int | None = None,
    vocabulary: Any = None,
    missing: str = "error",
    sample_weight: Any = None,
    n_jobs: int | None = None,
) -> tuple[sparse.csr_array, dict[str, int]]:
    r"""Count how often words stand in each other's window.

    The counts are those that :class:`~skembed.PPMISVDEmbedder` and
    :class:`~skembed.GloVeEmbedder` learn from. An embedder with
    ``input="cooccurrence"`` and the vocabulary as its `vocabulary` takes them.

    Parameters
    ----------
    X : iterable of str, or of lists, tuples or 1-D arrays of str
        Documents, as in the `fit` of embedders. Of a matrix of shape
        (n_documents, n_words), words co-occur that share a document.
    window : int, default=5
        Largest distance between a word and its context, in tokens of the vocabulary.
    window_weighting : {"dynamic", "flat", "harmonic"}, default="dynamic"
        How a context at distance d counts: ``(window + 1 - d) / window``, 1 or
        ``1 / d``.
    direction : {"both", "left", "right"}, default="both"
        Where contexts, the columns, are counted: on either side of a word, before it
        only or behind it only.
    analyzer, lowercase, strip_accents, stop_words, token_pattern : object
        How a raw document is cut into tokens, as in the embedders.
    min_count : int, default=5
        Words that occur less often are left out. Ignored with `vocabulary`.
    max_features : int, default=None
        Keep only this many of the most frequent words.
    vocabulary : mapping of str to int, or collection of str, default=None
        The words to count; of a matrix they may be int.
    missing : {"error", "empty"}, default="error"
        Whether missing documents are an error, or empty documents.
    sample_weight : array-like of shape (n_documents,), default=None
        How often each document counts. Whole numbers are the same as repeating it.
    n_jobs : int or None, default=None
        Number of threads, by joblib's rules. The result does not depend on it.

    Returns
    -------
    counts : csr_array of shape (n_words, n_words), float64
        Rows are words, columns are contexts; symmetric with ``direction="both"``.
        Each count of text is within 1e-12 (relative) of the exact sum, however
        different weights are. Counts of a matrix are exact if all its numbers and all
        weights are whole, up to ``2**53``. Otherwise they are rounded to the 24
        significant bits of float32.
    vocabulary : dict of str to int
        Row of each word.

    Raises
    ------
    ValueError
        If a parameter or a document is not valid, no word is left, or a sum is too
        large for float64.

    Examples
    --------
    >>> from skembed import cooccurrence
    >>> documents = [["one", "two", "three"], ["two", "three"]]
    >>> counts, vocabulary = cooccurrence(
    ...     documents, window=1, window_weighting="flat", min_count=1
    ... )
    >>> vocabulary
    {'three': 0, 'two': 1, 'one': 2}
    >>> counts.toarray()
    array([[0., 2., 0.],
           [2., 0., 1.],
           [0., 1., 0.]])
    """
    given = locals()
    settings = SimpleNamespace(
        input="content", memory=None, **{name: given[name] for name in _PARAMETERS}
    )
    reading = reader.read(settings, X, sample_weight)
    for note in reading.notes:
        warnings.warn(note, UserWarning, stacklevel=3)
    corpus, words = reading.corpus, reading.vocabulary
    return count.count_pairs(settings, corpus, len(words), direction), words.rows
