"""The bias of a score, which is added to the dot product: `bias` of SGNS and CBOW."""

from typing import Any, ClassVar

import numpy as np


class Bias:
    """The bias that is added to the dot product. The base class adds 0 (word2vec).

    Attributes
    ----------
    name : str or None
        The value of `bias`.
    learned : bool
        Whether every word has a learned bias. With two tables, the bias of the context
        is added. With one table, the biases of both words are added.
    """

    name: ClassVar[str | None] = None
    learned: ClassVar[bool] = False

    def offset(self, p: np.ndarray, p_noise: np.ndarray, negative: int) -> np.ndarray:
        """Return the constant part of a score by its context.

        If it differs between contexts, scores are not symmetric.

        Parameters
        ----------
        p : ndarray of shape (n_words,)
            Distribution of the words after subsampling.
        p_noise : ndarray of shape (n_words,)
            Distribution of the noise words.
        negative : int
            Noise words per pair.

        Returns
        -------
        ndarray of shape (n_words,), float32
        """
        return np.zeros(p.size, dtype=np.float32)


class ShiftBias(Bias):
    """-ln k: the constant by which Levy & Goldberg (2014) shift the PMI."""

    name = "shift"

    def offset(self, p, p_noise, negative):
        """Return -ln k for every context."""
        return np.full(p.size, -np.log(negative), dtype=np.float32)


class ExactBias(Bias):
    """The whole known part of the optimum: ln p(c) - ln(k p_noise(c)).

    With it, the dot products only have to learn the PMI.
    """

    name = "exact"

    def offset(self, p, p_noise, negative):
        """Return the offsets. Words that never occur get the smallest of the others."""
        seen = (p > 0) & (p_noise > 0)
        offset = np.log(np.where(seen, p, 1.0))
        offset -= np.log(np.where(seen, negative * p_noise, 1.0))
        offset[~seen] = offset[seen].min()
        return offset.astype(np.float32)


class WordBias(Bias):
    """A learned bias per word."""

    name = "word"
    learned = True


_BIASES: dict[str | None, Bias] = {
    bias.name: bias for bias in (Bias(), ShiftBias(), ExactBias(), WordBias())
}


def biases() -> tuple[str | None, ...]:
    """Return the allowed values of `bias`."""
    return ("auto", *_BIASES)


def get_bias(bias: str | None, strategy: Any) -> Bias:
    """Return the bias of a value of `bias`; ``"auto"`` asks the strategy.

    Parameters
    ----------
    bias : str or None
    strategy : Tying

    Returns
    -------
    Bias

    Raises
    ------
    ValueError
        If no bias has that name.
    """
    name = strategy.default_bias if bias == "auto" else bias
    if name not in _BIASES:
        raise ValueError(f"bias must be one of {list(biases())}, got {bias!r}.")
    return _BIASES[name]
