"""Two models: neighbours that they share, and the rotation between them."""

from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from scipy import linalg
from sklearn.utils._param_validation import Interval, validate_params

from skembed._utils.threads import one_blas_thread
from skembed.metrics._files import as_list
from skembed.metrics._words import as_word_vectors
from skembed.vectors import WordVectors


class NeighborOverlap(NamedTuple):
    """How many nearest neighbours words have in common in two models.

    Parameters
    ----------
    overlap : float
        Mean share of a word's `n` neighbours that are the same in both models.
    jaccard : float
        Mean of the words' Jaccard indices: neighbours in both models, divided by
        neighbours in at least one of them.
    words : tuple of str or int
        The words that were compared, in the order of the first model.
    overlaps : ndarray of shape (n_words,), float64
        The share of each word.
    """

    overlap: float
    jaccard: float
    words: tuple[Any, ...]
    overlaps: np.ndarray


class Procrustes(NamedTuple):
    """One model, rotated such that it comes close to another one.

    Parameters
    ----------
    aligned : WordVectors
        All words of the first model with rotated vectors.
    rotation : ndarray of shape (n_components, n_components), float64
        Orthogonal matrix R: the aligned vectors are ``A @ R``.
    disparity : float
        Sum of squared differences between the aligned vectors and those of the second
        model, if both are scaled to a sum of squares of 1 and the former then to the
        best fit: 0 for vectors that differ in a rotation and a scale, 1 for vectors
        that have nothing in common.
    residual : float
        Norm of the differences between the aligned vectors and those of the second
        model (Frobenius norm, without any scaling).
    n_words : int
        Number of words that both models have, which the rotation is computed from.
    """

    aligned: WordVectors
    rotation: np.ndarray
    disparity: float
    residual: float
    n_words: int


@validate_params(
    {"n": [Interval(Integral, 1, None, closed="left")]},
    prefer_skip_nested_validation=True,
)
def neighbor_overlap(
    a: Any, b: Any, *, n: int = 10, words: Any = None
) -> NeighborOverlap:
    """Compare the nearest neighbours of words in two models.

    Fitted twice with different seeds, a model shows in this way how stable it is. The
    neighbours of a word are the `n` words with the largest cosines. They are searched
    among the words that both models have and whose vector is zero in neither.

    Parameters
    ----------
    a : WordVectors, embedder, mapping, KeyedVectors, str or path
        One model; what `as_word_vectors` takes.
    b : WordVectors, embedder, mapping, KeyedVectors, str or path
        The other model. Its vectors may have another length.
    n : int, default=10
        Number of neighbours.
    words : sequence of words, default=None
        Words whose neighbours are compared. They must be among those that are
        searched. None means all of these, which takes long for large models.

    Returns
    -------
    NeighborOverlap
        The mean overlap, the mean Jaccard index, and the overlap of each word.

    Raises
    ------
    ValueError
        If both models have fewer than ``n + 1`` words in common, or one of `words` is
        not among them.
    TypeError
        If an argument is of another kind.

    References
    ----------
    Wendlandt, Kummerfeld, Mihalcea: Factors influencing the surprising instability of
    word embeddings. NAACL 2018, section 3 (overlap of ten neighbours). Antoniak, Mimno:
    Evaluating the stability of embedding-based word similarities. TACL 2018 (Jaccard
    index).

    Examples
    --------
    >>> from skembed.metrics import neighbor_overlap
    >>> a = {"cat": [1, 0.2], "dog": [1, 0.5], "car": [0, 1], "bus": [0.3, 1]}
    >>> b = {"cat": [0.2, 1], "dog": [1, 0], "car": [0, 1], "bus": [0.9, 0.1]}
    >>> neighbor_overlap(a, b, n=2).overlap
    0.625
    """
    a, b = as_word_vectors(a), as_word_vectors(b)
    both = _words_with_vectors(a) & _words_with_vectors(b)
    common = [word for word in a if word in both]
    if len(common) <= n:
        raise ValueError(
            f"n={n} neighbours need at least {n + 1} words that both models have, with "
            f"vectors other than zero, got {len(common)}. Pass a smaller n."
        )
    a, b = a.restrict(common), b.restrict(common)
    compared = common if words is None else _common_words(a, b, words)
    rows = np.hstack([model.nearest(compared, n)[0] for model in (a, b)])
    rows.sort(axis=1)  # a neighbour in both models stands side by side
    shared = np.sum(rows[:, 1:] == rows[:, :-1], axis=1)
    return NeighborOverlap(
        float(np.mean(shared / n)),
        float(np.mean(shared / (2 * n - shared))),
        tuple(compared),
        shared / n,
    )


def _words_with_vectors(vectors: WordVectors) -> set[Any]:
    """Return the words whose vector is not zero."""
    rows = np.flatnonzero(vectors.vectors.any(axis=1))
    return {vectors.words[row] for row in rows}


def procrustes(a: Any, b: Any, *, words: Any = None) -> Procrustes:
    """Rotate the vectors of one model such that they come close to another model's.

    Two fits with different seeds learn vectors that differ in a rotation at least. The
    orthogonal matrix R minimises the squared differences ``||A @ R - B||²`` over the
    words of both models. It may contain a reflection. Cosines between words of one
    model stay as they are.

    Parameters
    ----------
    a : WordVectors, embedder, mapping, KeyedVectors, str or path
        The model to rotate; what `as_word_vectors` takes.
    b : WordVectors, embedder, mapping, KeyedVectors, str or path
        The model that stays, with vectors of the same length.
    words : sequence of words, default=None
        Words from which to compute the rotation. All must be in both models. None
        means all words that both models have.

    Returns
    -------
    Procrustes
        The rotated vectors, the rotation, and how much the models differ.

    Raises
    ------
    ValueError
        If the vectors differ in length, no word is in both models, or one of `words` is
        not.
    TypeError
        If an argument is of another kind.

    References
    ----------
    Schönemann: A generalized solution of the orthogonal Procrustes problem.
    Psychometrika 31, 1966. Hamilton, Leskovec, Jurafsky: Diachronic word embeddings
    reveal statistical laws of semantic change. ACL 2016, equation 4.

    Examples
    --------
    >>> from skembed.metrics import procrustes
    >>> a = {"left": [1, 0], "up": [0, 1], "down": [0, -1]}
    >>> b = {"left": [0, 2], "up": [2, 0]}
    >>> result = procrustes(a, b)
    >>> (result.aligned["down"] + 0.0).tolist(), round(result.disparity, 6)
    ([-1.0, 0.0], 0.0)
    """
    a, b = as_word_vectors(a), as_word_vectors(b)
    if a.n_components != b.n_components:
        raise ValueError(
            "The vectors of both models must have the same length, got "
            f"{a.n_components} and {b.n_components} dimensions."
        )
    common = _common_words(a, b, words)
    x = a.vectors[[a.vocabulary[word] for word in common]].astype(np.float64)
    y = b.vectors[[b.vocabulary[word] for word in common]].astype(np.float64)
    with one_blas_thread():
        rotation, sum_of_scales = linalg.orthogonal_procrustes(x, y)
        aligned = (a.vectors.astype(np.float64) @ rotation).astype(np.float32)
        residual = linalg.norm(x @ rotation - y)
    sizes = linalg.norm(x) * linalg.norm(y)
    fit = sum_of_scales / sizes if sizes > 0 else 0.0
    return Procrustes(
        WordVectors(
            a.words,
            aligned,
            counts=a.counts,
            source=a.source,
            parameters=a.parameters,
        ),
        rotation,
        float(np.clip(1.0 - fit**2, 0.0, 1.0)),
        float(residual),
        len(common),
    )


def _common_words(a: WordVectors, b: WordVectors, words: Any) -> list[Any]:
    """Return the words that both models have, in the order of the first one."""
    if words is None:
        common = [word for word in a if word in b]
    else:
        common = as_list(words, "words")
        if not common:
            raise ValueError("words is empty. Pass words of both models, or None.")
    for name, model in (("first", a), ("second", b)):
        missing = [word for word in common if word not in model]
        if missing:
            raise ValueError(
                f"words: {len(missing)} of {len(common)} words are not in the {name} "
                f"model, for example {missing[0]!r}."
            )
    if not common:
        raise ValueError(
            "The models have no word in common. Their first words are "
            f"{a.words[:3]} and {b.words[:3]}."
        )
    return common
