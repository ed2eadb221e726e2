"""Tying strategies: how the context vectors relate to the word vectors.

Every strategy is one object in a registry. It says, as data, which table holds a
word's context and noise vector, how a word vector is mapped in the score, and how a
PMI matrix is factorised in closed form. Allowed values of `share_context`, error
messages and tests derive from the registry.

The score of word w with context c is ``s(w, c) = x_w' A y_c + beta(w, c)``. What beta
is (`bias` of SGNS) has a registry of its own.
"""

from typing import Any, ClassVar, Protocol

import numpy as np

from skembed._tying.layout import Layout
from skembed._utils.memory import check_room

# What a strategy says of the map A in ``x_w' A y_c``, see `Tying.map_kind`.
IDENTITY, DIAGONAL, MATRIX = "identity", "diagonal", "matrix"
# What an estimator needs of a strategy, see `Tying.methods`.
SAMPLING, LEAST_SQUARES, CLOSED_FORM = "sampling", "least squares", "closed form"
_METHODS = {
    "SGNSEmbedder": SAMPLING,
    "CBOWEmbedder": SAMPLING,
    "GloVeEmbedder": LEAST_SQUARES,
    "PPMISVDEmbedder": CLOSED_FORM,
}


class Factoriser(Protocol):
    """The decompositions a strategy can ask for; largest first."""

    def svd(self, n_components: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return P (n, d), singular values (d,) and Q (n, d): M ~ P S Q'."""

    def eigh(self, n_components: int, positive: bool) -> tuple[np.ndarray, np.ndarray]:
        """Return eigenvalues (d,) and vectors (n, d) of (M + M') / 2.

        The largest by size; with `positive` the largest, and 0 instead of negatives.
        """


class Tying:
    """Base class of the strategies: one table, unless a subclass says otherwise.

    Attributes
    ----------
    name : bool or str
        The value of `share_context`.
    summary : str
        Its line in the docstrings of estimators.
    context_table, noise_table : int
        Tables of context vectors, and of noise words' vectors; 0 is the words' own.
    map_kind : {"identity", "diagonal", "matrix"}
        The map between word and context vectors. A diagonal that is not learned holds
        signs.
    learns_map : bool
        Whether the map is trained.
    has_sides : bool
        Whether contexts to the left and to the right may have tables of their own.
    default_bias : str or None
        What ``bias="auto"`` stands for.
    combine_notes : dict of str to str
        What a value of `combine` amounts to, where that may surprise.
    note : str
        What every fit warns of.
    needs_constant : bool
        Whether scores cannot be negative on average without a bias.
    """

    name: ClassVar[bool | str]
    summary: ClassVar[str] = ""
    context_table: ClassVar[int] = 0
    noise_table: ClassVar[int] = 0
    map_kind: ClassVar[str] = IDENTITY
    learns_map: ClassVar[bool] = False
    has_sides: ClassVar[bool] = False
    default_bias: ClassVar[str | None] = None
    combine_notes: ClassVar[dict[str, str]] = {}
    note: ClassVar[str] = ""
    needs_constant: ClassVar[bool] = False

    @property
    def n_tables(self) -> int:
        """Tables of n_words x n_components parameters."""
        return 1 + max(self.context_table, self.noise_table)

    @property
    def signed(self) -> bool:
        """Whether dimensions have a fixed sign in the score."""
        return self.map_kind == DIAGONAL and not self.learns_map

    @property
    def is_symmetric(self) -> bool:
        """Whether ``x_w' A y_c`` is ``x_c' A y_w``, whatever is learned.

        Then scores differ by the constants of the two contexts at most, see `Bias`.
        """
        return self.context_table == 0 and self.map_kind != MATRIX

    @property
    def methods(self) -> set[str]:
        """What kinds of estimators can hold this strategy."""
        found = {SAMPLING}
        fixed = self.map_kind != MATRIX and not self.learns_map
        if self.noise_table == self.context_table and fixed:
            found.add(LEAST_SQUARES)
        if type(self).factorise is not Tying.factorise:
            found.add(CLOSED_FORM)
        return found

    def start_map(self, n_components: int, n_negative: int) -> np.ndarray:
        """Return the map before training.

        Parameters
        ----------
        n_components : int
        n_negative : int
            Dimensions that count negatively in the score; they come last.

        Returns
        -------
        ndarray of shape (n_rows, n_components), float32
            No row for the identity, one for a diagonal, `n_components` for a matrix.
        """
        if self.map_kind == MATRIX:
            check_room(
                4.0 * n_components**2,
                f"The matrix of share_context={self.name!r} with "
                f"n_components={n_components}",
                "Lower n_components.",
            )
            return np.eye(n_components, dtype=np.float32)
        n_rows = 1 if self.map_kind == DIAGONAL else 0
        signs = np.ones((n_rows, n_components), dtype=np.float32)
        signs[:, n_components - n_negative :] = -1.0
        return signs

    def layout(
        self,
        n_words: int,
        n_components: int,
        negative_dims: float = 0.1,
        directional: bool = False,
    ) -> Layout:
        """Return where the vectors of `n_words` words are stored.

        Parameters
        ----------
        n_words, n_components : int
        negative_dims : float or int
            Share of the negative dimensions, or their number.
        directional : bool
            Whether contexts to the left and to the right have tables of their own.

        Raises
        ------
        ValueError
            If the strategy has no sides, or `negative_dims` is too large; or if its
            map is not of the kind that it declares.
        """
        if directional and not self.has_sides:
            raise ValueError(
                "directional=True keeps tables of left and of right contexts beside "
                f"that of words, which share_context={self.name!r} does not have. "
                "Pass share_context=False or directional=False."
            )
        n_negative = count_negative(negative_dims, n_components)
        start_map = self.start_map(n_components, n_negative)
        n_rows = {IDENTITY: 0, DIAGONAL: 1, MATRIX: n_components}[self.map_kind]
        if start_map.shape != (n_rows, n_components):
            raise ValueError(
                f"{type(self).__name__} declares map_kind={self.map_kind!r}, for which "
                f"start_map must return an array of shape {(n_rows, n_components)}, "
                f"got {start_map.shape}."
            )
        return Layout(
            n_words=n_words,
            # Kernels are compiled anew for other types, such as NumPy's int32.
            n_components=int(n_components),
            n_tables=self.n_tables + directional,
            context_row=n_words * self.context_table,
            noise_row=n_words * self.noise_table,
            map=start_map,
            learns_map=self.learns_map,
            is_matrix=self.map_kind == MATRIX,
            directional=bool(directional),
        )

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


def count_negative(negative_dims: float, n_components: int) -> int:
    """Return how many dimensions count negatively.

    Parameters
    ----------
    negative_dims : float or int
        A share, of which at least one dimension comes unless it is 0; an int is the
        number itself.
    n_components : int
    """
    if isinstance(negative_dims, (int, np.integer)):
        if not 0 <= negative_dims <= n_components:
            raise ValueError(
                f"negative_dims={negative_dims} as a number of dimensions must be "
                f"between 0 and n_components={n_components}. A share is a float."
            )
        return int(negative_dims)
    return max(negative_dims > 0, round(negative_dims * n_components))


class Separate(Tying):
    """Two tables, as in word2vec and GloVe."""

    name = False
    summary = "two tables, as published"
    context_table = noise_table = 1
    has_sides = True

    def factorise(self, factoriser, n_components, exponent):
        """Return U = P S^p and V = Q S^(1-p) of the singular value decomposition."""
        left, values, right = factoriser.svd(n_components)
        ones = np.ones(n_components)
        word = left * _power(values, exponent)
        return word, right * _power(values, 1 - exponent), ones


class Tied(Tying):
    """One table: the context vector of a word is its word vector."""

    name = True
    summary = "one table, a word's context vector is its word vector"
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

    Assylbekov & Takhanov (2019) reflect half of them.
    """

    name = "signed"
    summary = "one table; some dimensions count negatively in the score"
    map_kind = DIAGONAL
    combine_notes = {
        "sum": "the sum is zero in the negative dimensions",
        "concat": "the concatenation has the cosines of the word vectors alone",
    }

    def factorise(self, factoriser, n_components, exponent):
        """Return U = Q |L|^p and V = Q sign(L) |L|^(1-p), largest |L| first."""
        values, vectors = factoriser.eigh(n_components, positive=False)
        size = np.abs(values)
        signed = np.where(values < 0, -1.0, 1.0) * _power(size, 1 - exponent)
        return vectors * _power(size, exponent), vectors * signed, np.ones(n_components)


class Diagonal(Tying):
    """One table and a learned factor per dimension, which starts as a fixed sign.

    A factor hardly ever changes its sign, so the negative dimensions are chosen.
    """

    name = "diagonal"
    summary = (
        "one table, and a learned factor per dimension, which starts at the signs of "
        '"signed"'
    )
    map_kind = DIAGONAL
    learns_map = True
    combine_notes: ClassVar[dict[str, str]] = {
        "sum": "the sum is the word vector, each dimension rescaled by its factor",
        "concat": "the concatenation repeats the word vector, scaled by the factors",
    }


class Bilinear(Tying):
    """One table and a learned matrix between word and context vector."""

    name = "bilinear"
    summary = (
        "one table, and a learned matrix A between the two vectors of a score "
        "``x' A y``, which starts as the identity"
    )
    map_kind = MATRIX
    learns_map = True
    combine_notes: ClassVar[dict[str, str]] = {
        "sum": "the sum is computed from the word vector and the learned matrix",
        "concat": "the concatenation is the word vector and a linear map of it",
    }


class OwnNoise(Tying):
    """One table for words and contexts, and one for noise words, which degenerates."""

    name = "noise"
    summary = (
        "one table for words and contexts, one for noise words. It degenerates, and "
        "says so in a warning: nothing keeps the scores of observed pairs from growing"
    )
    noise_table = 1
    combine_notes = Tied.combine_notes
    note = (
        "share_context='noise' lets noise words have vectors of their own, so nothing "
        "keeps the scores of observed pairs from growing: the loss goes to 0 and all "
        "vectors become parallel. It is there to show this."
    )


class Three(Tying):
    """Tables of words, of contexts and of noise words, which degenerate likewise."""

    name = "three"
    summary = "tables of words, contexts and noise words. It degenerates likewise"
    context_table = 1
    noise_table = 2
    note = OwnNoise.note.replace("'noise'", "'three'")


def _power(values: np.ndarray, exponent: float) -> np.ndarray:
    """Return values**exponent, and 0 for the zeros that only fill up the rank."""
    return np.where(values > 0, np.maximum(values, 1e-300) ** exponent, 0.0)


_STRATEGIES: dict[bool | str, Tying] = {}


def register(strategy: Tying) -> None:
    """Make a strategy a value of `share_context` in every estimator that can hold it.

    Parameters
    ----------
    strategy : Tying
    """
    _STRATEGIES[strategy.name] = strategy


for _strategy in (
    Separate(),
    Tied(),
    Signed(),
    Diagonal(),
    Bilinear(),
    OwnNoise(),
    Three(),
):
    register(_strategy)


def strategies(method: str | None = None) -> tuple[Tying, ...]:
    """Return the registered strategies, or those that a method can hold."""
    found = _STRATEGIES.values()
    return tuple(one for one in found if method is None or method in one.methods)


def get_strategy(share_context: Any, method: str | None = None) -> Tying:
    """Return the strategy of a value of `share_context`.

    Parameters
    ----------
    share_context : bool or str
    method : {"sampling", "least squares", "closed form"}, optional
        What must hold it.

    Returns
    -------
    Tying

    Raises
    ------
    ValueError
        If no strategy has that name, or the method cannot hold it.
    """
    name = bool(share_context) if isinstance(share_context, np.bool_) else share_context
    if not isinstance(name, (bool, str)) or name not in _STRATEGIES:
        raise ValueError(
            f"share_context must be one of {[s.name for s in strategies(method)]}, "
            f"got {share_context!r}."
        )
    strategy = _STRATEGIES[name]
    if method is not None and method not in strategy.methods:
        able = [kind for kind in _METHODS if _METHODS[kind] in strategy.methods]
        raise ValueError(
            f"share_context={name!r} is available in {', '.join(able)} only; here it "
            f"must be one of {[s.name for s in strategies(method)]}."
        )
    return strategy
