"""Tying strategies: how the context vectors relate to the word vectors.

Every strategy is one object in a registry. It says, as data, which row of the
stacked parameter table holds a word's context and noise vector, how each dimension
of a context vector is scaled, and how a PMI matrix is factorised in closed form.
Allowed values of `share_context`, error messages and tests derive from the registry.

The score of word w with context c is ``s(w, c) = x_w . y_c + beta(w, c)``. What beta
is (`bias` of SGNS) has a registry of its own.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from skembed._memory import aligned_zeros

_ROWS_AT_ONCE = 4096


class Factoriser(Protocol):
    """The decompositions a strategy can ask for; largest first."""

    def svd(self, n_components: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return P (n, d), singular values (d,) and Q (n, d): M ~ P S Q'."""

    def eigh(self, n_components: int, positive: bool) -> tuple[np.ndarray, np.ndarray]:
        """Return eigenvalues (d,) and vectors (n, d) of (M + M') / 2.

        The largest by size; with `positive` the largest, and 0 instead of negatives.
        """


@dataclass(frozen=True)
class Layout:
    """Where the parameters of a model are stored: tables stacked in one array.

    A row holds a vector, its bias in column `n_components`, and zeros up to a
    multiple of 16 columns, which lets kernels work in whole vector registers. At
    least one column is left for their own use.

    Attributes
    ----------
    n_words, n_components, n_tables : int
        Size of the tables. Word w's word vector is row w.
    context_row, noise_row : int
        Word w's context and noise vectors are rows ``context_row + w`` and
        ``noise_row + w``.
    signs : ndarray of shape (n_components,), float32
        What each dimension of a context or noise vector is multiplied with.
    """

    n_words: int
    n_components: int
    n_tables: int
    context_row: int
    noise_row: int
    signs: np.ndarray

    @property
    def one_table(self) -> bool:
        return self.n_tables == 1

    @property
    def width(self) -> int:
        """Columns of a row."""
        return -(-(self.n_components + 2) // 16) * 16

    def allocate(self) -> np.ndarray:
        """Return the stacked table, float32, all zeros."""
        return aligned_zeros((self.n_words * self.n_tables, self.width))

    def scale(self, fill: float) -> np.ndarray:
        """Return the signs, followed by `fill` up to a row's width."""
        scale = np.full(self.width, fill, dtype=np.float32)
        scale[: self.n_components] = self.signs
        return scale

    def vectors(self, params: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return word vectors, and context vectors as they enter the score.

        They are moved together within `params`, which has no other use afterwards, so
        that memory never holds the tables twice. Take the biases first.
        """
        flat, d = params.reshape(-1), self.n_components
        for first in range(0, len(params), _ROWS_AT_ONCE):
            rows = params[first : first + _ROWS_AT_ONCE, :d].copy()
            flat[first * d : (first + len(rows)) * d] = rows.reshape(-1)
        tables = flat[: len(params) * d].reshape(-1, d)
        word, context = tables[: self.n_words], self._contexts(tables)
        if (self.signs == 1).all():
            return word, (word if self.context_row == 0 else context)
        return word, context * self.signs

    def biases(self, params: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the biases of words and contexts, one object where they share."""
        word = params[: self.n_words, self.n_components].copy()
        if self.context_row == 0:
            return word, word
        return word, self._contexts(params)[:, self.n_components].copy()

    def _contexts(self, params: np.ndarray) -> np.ndarray:
        return params[self.context_row : self.context_row + self.n_words]


class Tying:
    """Base class of the strategies.

    Attributes
    ----------
    name : bool or str
        The value of `share_context`.
    n_tables : int
        Tables of n_words x n_components parameters.
    default_bias : str or None
        What ``bias="auto"`` stands for.
    combine_notes : dict of str to str
        What a value of `combine` amounts to, where that may surprise.
    needs_constant : bool
        Whether scores cannot be negative on average without a bias.
    signed : bool
        Whether dimensions have a sign in the score.
    """

    name: ClassVar[bool | str]
    n_tables: ClassVar[int] = 1
    default_bias: ClassVar[str | None] = None
    combine_notes: ClassVar[dict[str, str]] = {}
    needs_constant: ClassVar[bool] = False
    signed: ClassVar[bool] = False

    def signs(self, n_components: int) -> np.ndarray:
        """Return what each dimension of a context vector is multiplied with."""
        return np.ones(n_components, dtype=np.float32)

    def layout(self, n_words: int, n_components: int) -> Layout:
        """Return where the vectors of `n_words` words are stored."""
        context_row = n_words if self.n_tables > 1 else 0
        return Layout(
            n_words=n_words,
            # Kernels are compiled anew for other types, such as NumPy's int32.
            n_components=int(n_components),
            n_tables=self.n_tables,
            context_row=context_row,
            noise_row=context_row,
            signs=self.signs(n_components),
        )

    def n_parameters(self, n_words: int, n_components: int, n_biases: int) -> int:
        """Return the number of embedding parameters."""
        return n_words * n_components * self.n_tables + n_biases

    def factorise(
        self, factoriser: Factoriser, n_components: int, exponent: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return a PMI matrix's closed form under this strategy.

        Parameters
        ----------
        factoriser : Factoriser
        n_components : int
        exponent : float
            How much of the singular values goes to the word vectors.

        Returns
        -------
        word_vectors, context_vectors : ndarray of shape (n_words, n_components)
        scale : ndarray of shape (n_components,)
            ``(word_vectors * scale) @ context_vectors.T`` approximates the matrix.
        """
        raise NotImplementedError(f"{type(self).__name__} has no closed form.")


class Separate(Tying):
    """Two tables, as in word2vec and GloVe."""

    name = False
    n_tables = 2

    def factorise(self, factoriser, n_components, exponent):
        """Return U = P S^p and V = Q S^(1-p) of the singular value decomposition."""
        left, values, right = factoriser.svd(n_components)
        ones = np.ones(n_components)
        word = left * _power(values, exponent)
        return word, right * _power(values, 1 - exponent), ones


class Tied(Tying):
    """One table: the context vector of a word is its word vector."""

    name = True
    default_bias = "exact"
    needs_constant = True
    combine_notes = {
        "sum": "the sum of a word's two equal vectors is twice its word vector",
        "concat": "the concatenation repeats the word vector",
    }

    def factorise(self, factoriser, n_components, exponent):
        """Return the best positive semi-definite approximation, U = Q L+^p."""
        values, vectors = factoriser.eigh(n_components, positive=True)
        table = vectors * _power(values, exponent)
        return table, table, _power(values, 1 - 2 * exponent)


class Signed(Tying):
    """One table with fixed signs: some dimensions count negatively in the score.

    A share of 10 % of the dimensions is negative; at least one. Assylbekov &
    Takhanov (2019) reflect half of them.
    """

    name = "signed"
    signed = True
    combine_notes = {
        "sum": "the sum is zero in the negative dimensions",
        "concat": "the concatenation has the cosines of the word vectors alone",
    }

    def signs(self, n_components):
        """Return -1 for the negative dimensions, which come last, and 1 before."""
        signs = np.ones(n_components, dtype=np.float32)
        signs[n_components - max(1, round(0.1 * n_components)) :] = -1.0
        return signs

    def factorise(self, factoriser, n_components, exponent):
        """Return U = Q |L|^p and V = Q sign(L) |L|^(1-p), largest |L| first."""
        values, vectors = factoriser.eigh(n_components, positive=False)
        size = np.abs(values)
        signed = np.where(values < 0, -1.0, 1.0) * _power(size, 1 - exponent)
        return vectors * _power(size, exponent), vectors * signed, np.ones(n_components)


def _power(values: np.ndarray, exponent: float) -> np.ndarray:
    """Return values**exponent, and 0 for the zeros that only fill up the rank."""
    return np.where(values > 0, np.maximum(values, 1e-300) ** exponent, 0.0)


class Bias:
    """What is added to the dot product; the base class adds nothing (word2vec).

    Attributes
    ----------
    name : str or None
        The value of `bias`.
    learned : bool
        Whether every word has a learned bias: that of the context where there are
        two tables, and of both words where there is one.
    """

    name: ClassVar[str | None] = None
    learned: ClassVar[bool] = False

    def offset(self, p: np.ndarray, p_noise: np.ndarray, negative: int) -> np.ndarray:
        """Return the constant part of a score by its context.

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
        """Return the offset; for words that never occur the least of the others."""
        seen = (p > 0) & (p_noise > 0)
        offset = np.log(np.where(seen, p, 1.0))
        offset -= np.log(np.where(seen, negative * p_noise, 1.0))
        offset[~seen] = offset[seen].min()
        return offset.astype(np.float32)


class WordBias(Bias):
    """A learned bias per word."""

    name = "word"
    learned = True


_STRATEGIES: dict[bool | str, Tying] = {}
_BIASES: dict[str | None, Bias] = {
    bias.name: bias for bias in (Bias(), ShiftBias(), ExactBias(), WordBias())
}


def register(strategy: Tying) -> None:
    """Make a strategy a value of `share_context` in every estimator that can hold it.

    Parameters
    ----------
    strategy : Tying
    """
    _STRATEGIES[strategy.name] = strategy


for _strategy in (Separate(), Tied(), Signed()):
    register(_strategy)


def strategies() -> tuple[Tying, ...]:
    """Return the registered strategies."""
    return tuple(_STRATEGIES.values())


def get_strategy(share_context: Any) -> Tying:
    """Return the strategy of a value of `share_context`.

    Parameters
    ----------
    share_context : bool or str

    Returns
    -------
    Tying

    Raises
    ------
    ValueError
        If no strategy has that name.
    """
    name = bool(share_context) if isinstance(share_context, np.bool_) else share_context
    if isinstance(name, (bool, str)) and name in _STRATEGIES:
        return _STRATEGIES[name]
    raise ValueError(
        f"share_context must be one of {list(_STRATEGIES)}, got {share_context!r}."
    )


def biases() -> tuple[str | None, ...]:
    """Return the allowed values of `bias`."""
    return ("auto", *_BIASES)


def get_bias(bias: str | None, strategy: Tying) -> Bias:
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
