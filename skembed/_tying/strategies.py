"""Tying strategies: how the context vectors relate to the word vectors.

A strategy is an object that describes, as data, which tables hold the context and noise
vectors, and which map A the score has. A method factorises a PMI matrix in closed form.
The built-in strategies have names and are kept in a registry. The allowed values of
`share_context`, error messages, docstrings and tests are derived from it. Users may
pass objects of their own classes.

The score of word w with context c is ``s(w, c) = x_w' A y_c + beta(w, c)``. The module
`bias` has the registry of the choices of beta (`bias` of SGNS).
"""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, clone

from skembed._tying.bias import biases
from skembed._tying.layout import LARGEST, Layout
from skembed._utils.memory import check_room

# Kinds of the map A in ``x_w' A y_c``, see `Tying.map_kind`.
IDENTITY, DIAGONAL, MATRIX = "identity", "diagonal", "matrix"
# How an estimator learns, see `Tying.methods`.
SAMPLING, SOFTMAX = "sampling", "softmax"
LEAST_SQUARES, CLOSED_FORM = "least squares", "closed form"
_METHODS = {
    "SGNSEmbedder": SAMPLING,
    "CBOWEmbedder": SAMPLING,
    "SoftmaxEmbedder": SOFTMAX,
    "GloVeEmbedder": LEAST_SQUARES,
    "PPMISVDEmbedder": CLOSED_FORM,
}
# What a method requires of an object, beyond what negative sampling needs.
_FIXED = "whose map is the identity or a fixed diagonal, without a table of noise words"
_NEEDS = {
    SOFTMAX: _FIXED,
    LEAST_SQUARES: _FIXED,
    CLOSED_FORM: "whose class defines factorise",
}


class Factoriser(ABC):
    """Decompositions of one matrix M, for the closed form of a strategy."""

    @abstractmethod
    def svd(self, n_components: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the largest singular values of M and their vectors.

        Parameters
        ----------
        n_components : int
            The number d of singular values.

        Returns
        -------
        left : ndarray of shape (n_words, d)
            Left singular vectors P. M is approximately ``P * values @ Q.T``.
        values : ndarray of shape (d,)
            Singular values, largest first. Zeros follow if the rank of M is below d.
        right : ndarray of shape (n_columns, d)
            Right singular vectors Q. M has as many columns as words, or twice as many
            with ``directional=True``.
        """

    @abstractmethod
    def eigh(self, n_components: int, positive: bool) -> tuple[np.ndarray, np.ndarray]:
        """Return eigenvalues of (M + M') / 2 and their vectors.

        Parameters
        ----------
        n_components : int
            The number d of eigenvalues.
        positive : bool
            False: the eigenvalues of largest absolute value. True: the largest
            eigenvalues, with 0 in place of negative ones.

        Returns
        -------
        values : ndarray of shape (d,)
            Eigenvalues, in descending order: of the absolute values, or with
            `positive` of the values.
        vectors : ndarray of shape (n_words, d)
            Eigenvectors Q. (M + M') / 2 is approximately ``Q * values @ Q.T``.
        """

    @abstractmethod
    def dedicom(self, n_components: int) -> tuple[np.ndarray, np.ndarray]:
        """Return one table and a matrix that approximate M, which must be square.

        Parameters
        ----------
        n_components : int
            The number d of columns of the table.

        Returns
        -------
        vectors : ndarray of shape (n_words, d)
            Orthonormal columns Q, or columns of zeros if the rank of M is too low.
        core : ndarray of shape (d, d)
            ``Q.T @ M @ Q``. M is approximately ``Q @ core @ Q.T``. The matrix
            ``core @ core.T + core.T @ core`` is diagonal, largest entries first.
        """


class Tying(BaseEstimator):
    """Base class of the strategies: how word and context vectors share parameters.

    The score of a word w with a context c is ``x_w' A y_c`` plus a bias. Here x_w is
    the word vector of w, y_c is a row of the table of context vectors, and A is a map.
    The attributes of a strategy say which tables there are and what kind of map A is.
    The defaults below describe one table without a map.

    Derive from this class to write a strategy, and pass an object of the new class as
    `share_context`. Its parameters are arguments of ``__init__``, as in any
    scikit-learn estimator. It learns nothing itself: estimators work with a clone.

    Attributes
    ----------
    context_table : {0, 1}, default=0
        Table of the context vectors: 0 is the table of the word vectors, 1 is a
        separate table.
    noise_table : int, default=0
        Table of the vectors of noise words: the same number as `context_table`, or the
        next number for a separate table.
    map_kind : {"identity", "diagonal", "matrix"}, default="identity"
        The map A: none, a factor for each dimension, or a matrix.
    learns_map : bool, default=False
        Whether the map is trained. A matrix has to be trained. A diagonal that is not
        trained keeps the factors that `start_map` returns.
    has_sides : bool, default=False
        Whether ``directional=True`` is possible, with separate tables for contexts to
        the left and to the right. It needs a separate table of contexts.
    default_bias : {None, "shift", "exact", "word"}, default=None
        The bias that ``bias="auto"`` of SGNS and CBOW stands for.
    combine_notes : dict of str to str, default={}
        Warnings for values of `combine` whose result may surprise.
    note : str, default=""
        A warning that every fit gives.
    name : bool, str or None, default=None
        The value of `share_context` that stands for a built-in strategy.
    summary : str, default=""
        Description of a built-in strategy in docstrings.
    """

    context_table: ClassVar[int] = 0
    noise_table: ClassVar[int] = 0
    map_kind: ClassVar[str] = IDENTITY
    learns_map: ClassVar[bool] = False
    has_sides: ClassVar[bool] = False
    default_bias: ClassVar[str | None] = None
    combine_notes: ClassVar[dict[str, str]] = {}
    note: ClassVar[str] = ""
    name: ClassVar[bool | str | None] = None
    summary: ClassVar[str] = ""

    @property
    def n_tables(self) -> int:
        """Number of tables of n_words x n_components parameters."""
        return 1 + max(self.context_table, self.noise_table)

    @property
    def needs_constant(self) -> bool:
        """Whether scores cannot be negative on average without a bias."""
        return self.n_tables == 1 and self.map_kind == IDENTITY

    @property
    def is_symmetric(self) -> bool:
        """Whether ``x_w' A y_c`` always equals ``x_c' A y_w``.

        If so, the two scores differ at most by the constants of the two contexts.
        """
        return self.context_table == 0 and self.map_kind != MATRIX

    @property
    def methods(self) -> set[str]:
        """Methods of learning that are possible with this strategy.

        "sampling" (SGNS, CBOW) is always possible. "softmax" and "least squares"
        (GloVe) need the identity or a fixed diagonal, and no separate table of noise
        words. "closed form" (PPMI-SVD) needs a method `factorise`.
        """
        found = {SAMPLING}
        fixed = self.map_kind != MATRIX and not self.learns_map
        if self.noise_table == self.context_table and fixed:
            found |= {SOFTMAX, LEAST_SQUARES}
        if type(self).factorise is not Tying.factorise:
            found.add(CLOSED_FORM)
        return found

    def start_map(self, n_components: int, n_negative: int) -> np.ndarray:
        """Return the map before training. A map that is not learned does not change.

        By default, the factors of a diagonal are -1 in the last `n_negative` dimensions
        and 1 in the others. A matrix starts as the identity.

        Parameters
        ----------
        n_components : int
            Number of dimensions.
        n_negative : int
            Number of dimensions that `negative_dims` of the estimator asks for.

        Returns
        -------
        ndarray of shape (n_components,) or (n_components, n_components)
            The factors of a diagonal, or the matrix. They must be the same in every
            call. Factors that are not learned must not be 0.
        """
        if self.map_kind == MATRIX:
            check_room(
                4.0 * n_components**2,
                f"The matrix of share_context={label(self)} with "
                f"n_components={n_components}",
                "Lower n_components.",
            )
            return np.eye(n_components, dtype=np.float32)
        signs = np.ones(n_components, dtype=np.float32)
        signs[n_components - n_negative :] = -1.0
        return signs

    def factorise(
        self, factoriser: Factoriser, n_components: int, exponent: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the closed form of a PMI matrix under this strategy.

        Parameters
        ----------
        factoriser : Factoriser
            Decomposes the matrix.
        n_components : int
            The number d of dimensions.
        exponent : float
            `singular_exponent` of the estimator: the power of the singular values by
            which word vectors are multiplied.

        Returns
        -------
        word_vectors : ndarray of shape (n_words, d)
            Word vectors.
        context_vectors : ndarray of shape (n_columns, d)
            Context vectors, one for each column of the matrix. If they are equal to the
            word vectors, the same object.
        scale : ndarray of shape (d,)
            Factors such that ``(word_vectors * scale) @ context_vectors.T``
            approximates the matrix.
        """
        raise NotImplementedError(f"{type(self).__name__} has no closed form.")

    def _layout(
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
            Whether contexts to the left and to the right have separate tables.

        Raises
        ------
        ValueError
            If the strategy has no sides, if `negative_dims` is too large, or if the
            map is not of the declared kind.
        """
        if directional and not self.has_sides:
            raise ValueError(
                "directional=True keeps tables of left and of right contexts beside "
                f"that of words, which share_context={label(self)} does not have. "
                "Pass share_context=False or directional=False."
            )
        n_negative = count_negative(negative_dims, n_components)
        return Layout(
            n_words=n_words,
            # Kernels would be compiled again for other types, such as NumPy's int32.
            n_components=int(n_components),
            n_tables=self.n_tables + directional,
            context_row=n_words * self.context_table,
            noise_row=n_words * self.noise_table,
            map=self._checked_map(n_components, n_negative),
            learns_map=bool(self.learns_map),
            is_matrix=self.map_kind == MATRIX,
            directional=bool(directional),
        )

    def _checked_map(self, n_components: int, n_negative: int) -> np.ndarray:
        """Return the rows of `Layout.map` before training.

        Raises
        ------
        ValueError
            If `start_map` does not return what `map_kind` declares.
        """
        declared = f"{type(self).__name__} declares map_kind={self.map_kind!r}"
        if self.map_kind == IDENTITY:
            if type(self).start_map is not Tying.start_map:
                raise ValueError(
                    f"{declared}, for which start_map is not used. Declare "
                    f"map_kind={DIAGONAL!r} or {MATRIX!r}, or leave start_map out."
                )
            return np.empty((0, n_components), dtype=np.float32)
        with np.errstate(over="ignore"):
            start = np.array(self.start_map(n_components, n_negative), np.float32)
        shape = (n_components,) * (2 if self.map_kind == MATRIX else 1)
        if start.shape != shape:
            raise ValueError(
                f"{declared}, for which start_map must return an array of shape "
                f"{shape}, got {start.shape}."
            )
        if not (np.abs(start) <= LARGEST).all():
            raise ValueError(
                f"start_map of {label(self)} returned numbers that are infinite, "
                f"missing or larger than {LARGEST:.0e}."
            )
        if self.map_kind == DIAGONAL and not (self.learns_map or start.all()):
            raise ValueError(
                f"start_map of {label(self)} returned the factor 0 for a dimension, "
                "which would then learn nothing. Lower n_components instead."
            )
        return start.reshape(-1, n_components)


def check_declarations(strategy: Tying) -> None:
    """Raise an error if the attributes of a strategy contradict each other.

    Parameters
    ----------
    strategy : Tying

    Raises
    ------
    ValueError
        If the kernels do not support it.
    """
    name, table = type(strategy).__name__, strategy.context_table
    allowed = {
        "context_table": (0, 1),
        "noise_table": (table, table + 1),
        "map_kind": (IDENTITY, DIAGONAL, MATRIX),
        # Without "auto", which refers to this attribute.
        "default_bias": biases()[1:],
    }
    for attribute, values in allowed.items():
        value = getattr(strategy, attribute)
        if value not in values:
            raise ValueError(
                f"{name} declares {attribute}={value!r}: it must be one of "
                f"{list(values)}."
            )
    if strategy.map_kind == IDENTITY and strategy.learns_map:
        raise ValueError(
            f"{name} declares learns_map=True, which needs map_kind={DIAGONAL!r} or "
            f"{MATRIX!r}."
        )
    if strategy.map_kind == MATRIX and not strategy.learns_map:
        raise ValueError(
            f"{name} declares map_kind={MATRIX!r}, which needs learns_map=True: only a "
            "diagonal can be fixed."
        )
    if strategy.has_sides and not (table == strategy.noise_table == 1):
        raise ValueError(
            f"{name} declares has_sides=True, which needs context_table=1 and "
            "noise_table=1."
        )


def check_factors(
    strategy: Tying, factors: tuple[np.ndarray, ...], shape: tuple[int, int], d: int
) -> None:
    """Raise an error if the arrays of a closed form do not match the matrix.

    Parameters
    ----------
    strategy : Tying
    factors : tuple of ndarray
        The arrays that `factorise` returned.
    shape : (int, int)
        Shape of the matrix.
    d : int
        Number of dimensions.

    Raises
    ------
    ValueError
        If a shape is wrong, or a number is not finite.
    """
    wanted = [(shape[0], d), (shape[1], d), (d,)]
    found = [np.shape(factor) for factor in factors]
    if found != wanted:
        raise ValueError(
            f"factorise of {label(strategy)} must return word vectors, context vectors "
            f"and a scale of the shapes {wanted}, got {found}."
        )
    if not all(np.isfinite(factor).all() for factor in factors):
        raise ValueError(
            f"factorise of {label(strategy)} returned numbers that are infinite or NaN."
        )


def count_negative(negative_dims: float, n_components: int) -> int:
    """Return the number of negative dimensions.

    Parameters
    ----------
    negative_dims : float or int
        A float is a share. Unless it is 0, it stands for at least one dimension. An int
        is the number itself.
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


def _closed_form(method: Callable) -> Callable:
    """Append the sections of the docstring of `Tying.factorise` to that of a method."""
    shared = inspect.cleandoc(Tying.factorise.__doc__ or "")
    # Python's option -OO removes docstrings.
    if method.__doc__ is not None:
        sections = shared[shared.index("\n\nParameters\n") :]
        method.__doc__ = f"{inspect.cleandoc(method.__doc__)}{sections}\n"
    return method


class Separate(Tying):
    """Two tables, as in word2vec and GloVe."""

    name = False
    summary = "two tables, as published"
    context_table = noise_table = 1
    has_sides = True

    @_closed_form
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
    combine_notes = {
        "sum": "the sum of a word's two equal vectors is twice its word vector",
        "concat": "the concatenation repeats the word vector",
    }

    @_closed_form
    def factorise(self, factoriser, n_components, exponent):
        """Return the best positive semi-definite approximation, U = Q L+^p."""
        values, vectors = factoriser.eigh(n_components, positive=True)
        table = vectors * _power(values, exponent)
        return table, table, _power(values, 1 - 2 * exponent)


class Signed(Tying):
    """One table with fixed signs: some dimensions count negatively in the score.

    Assylbekov & Takhanov (2019) reflect half of the dimensions.
    """

    name = "signed"
    summary = "one table; some dimensions count negatively in the score"
    map_kind = DIAGONAL
    combine_notes = {
        "sum": "the sum is zero in the negative dimensions",
        "concat": "the concatenation has the cosines of the word vectors alone",
    }

    @_closed_form
    def factorise(self, factoriser, n_components, exponent):
        """Return U = Q abs(L)^p and V = Q sign(L) abs(L)^(1-p) for eigenvalues L."""
        values, vectors = factoriser.eigh(n_components, positive=False)
        size = np.abs(values)
        signed = np.where(values < 0, -1.0, 1.0) * _power(size, 1 - exponent)
        return vectors * _power(size, exponent), vectors * signed, np.ones(n_components)


class Diagonal(Tying):
    """One table and a learned factor per dimension, which starts as 1 or -1.

    A factor hardly ever changes its sign, so `negative_dims` chooses the signs.
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
    """One table and a learned matrix between word and context vector.

    In closed form this is DEDICOM with one table (Harshman 1978). For a symmetric
    matrix, it gives the scores of `Signed`.
    """

    name = "bilinear"
    summary = (
        "one table, and a learned matrix A between the two vectors of a score "
        "``x' A y``. In training, A starts as the identity"
    )
    map_kind = MATRIX
    learns_map = True
    combine_notes: ClassVar[dict[str, str]] = {
        "sum": "the sum is computed from the word vector and the learned matrix",
        "concat": "the concatenation is the word vector and a linear map of it",
    }

    @_closed_form
    def factorise(self, factoriser, n_components, exponent):
        """Return U = Q D^p and V = Q R' D^-p, where ``Q R Q'`` approximates the matrix.

        ``D^2 = (R R' + R' R) / 2`` is diagonal. The factor of a dimension in D is how
        much it contributes to the scores, as the mean over words and contexts. For a
        symmetric matrix, these are the absolute eigenvalues.
        """
        vectors, core = factoriser.dedicom(n_components)
        size = np.sqrt(((core**2).sum(axis=0) + (core**2).sum(axis=1)) / 2)
        # Without BLAS, whose sums depend on its number of threads.
        context = np.einsum(
            "wj,ij->wi", vectors, core * _power(size, -exponent)[:, None]
        )
        return vectors * _power(size, exponent), context, np.ones(n_components)


class OwnNoise(Tying):
    """One table for words and contexts, one for noise words. It degenerates."""

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
    """Three tables: words, contexts and noise words. It degenerates like `OwnNoise`."""

    name = "three"
    summary = "tables of words, contexts and noise words. It degenerates likewise"
    context_table = 1
    noise_table = 2
    note = OwnNoise.note.replace("'noise'", "'three'")


def _power(values: np.ndarray, exponent: float) -> np.ndarray:
    """Return values**exponent for non-negative values. Zeros stay 0."""
    return np.where(values > 0, np.maximum(values, 1e-300) ** exponent, 0.0)


_STRATEGIES: dict[bool | str | None, Tying] = {}


def register(strategy: Tying) -> None:
    """Add a built-in strategy to the registry, under its name.

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


def label(strategy: Tying) -> str:
    """Return a strategy as a program writes it: its name, or the object itself."""
    is_built_in = _STRATEGIES.get(strategy.name) is strategy
    return repr(strategy.name if is_built_in else strategy)


def get_strategy(share_context: Any, method: str | None = None) -> Tying:
    """Return the strategy of a value of `share_context`.

    Parameters
    ----------
    share_context : bool, str or Tying
    method : {"sampling", "softmax", "least squares", "closed form"}, optional
        The method of learning that the strategy must support.

    Returns
    -------
    Tying
        If an object is given, a clone of it.

    Raises
    ------
    ValueError
        If it is neither the name of a strategy nor a `Tying` object, if the strategy
        does not support the method, or if the declarations of an object are not valid.
    """
    strategy = _find(share_context)
    if strategy is None:
        kinds, advice = "", ""
        if not isinstance(share_context, str):
            kinds = " or an object of a class that derives from skembed.tying.Tying"
        if isinstance(share_context, type) and issubclass(share_context, Tying):
            advice = f" Pass an object, {share_context.__name__}(), not the class."
        raise ValueError(
            f"share_context must be one of {_names(method)}{kinds}, got "
            f"{share_context!r}.{advice}"
        )
    if method is not None and method not in strategy.methods:
        able = [kind for kind in _METHODS if _METHODS[kind] in strategy.methods]
        own = isinstance(share_context, Tying)
        advice = f" or an object {_NEEDS[method]}" if own else ""
        raise ValueError(
            f"share_context={label(strategy)} is available in {', '.join(able)} only; "
            f"here it must be one of {_names(method)}{advice}."
        )
    return strategy


def _names(method: str | None) -> list[bool | str | None]:
    return [one.name for one in strategies(method)]


def _find(share_context: Any) -> Tying | None:
    if isinstance(share_context, Tying):
        strategy = clone(share_context)
        check_declarations(strategy)
        return strategy
    if isinstance(share_context, (bool, np.bool_)):
        return _STRATEGIES[bool(share_context)]
    return _STRATEGIES.get(share_context) if isinstance(share_context, str) else None
