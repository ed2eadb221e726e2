"""What early stopping holds out of the training data: documents, or pairs of words."""

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from skembed._corpus.vocabulary import Corpus
from skembed._utils.threads import row_ranges

# Pairs that are looked at at once.
_CHUNK = 1 << 17


class EarlyStopping(NamedTuple):
    """When a training ends before its last epoch: parameters of an estimator."""

    is_on: bool
    validation_fraction: float | None
    n_iter_no_change: int
    tol: float

    @classmethod
    def of(cls, estimator: Any) -> "EarlyStopping":
        """Return the parameters of an estimator that is trained in epochs."""
        return cls(
            estimator.early_stopping,
            estimator.validation_fraction,
            estimator.n_iter_no_change,
            estimator.tol,
        )

    @property
    def holds_out(self) -> bool:
        """Whether a part of the data is held out."""
        return self.is_on and self.validation_fraction is not None


def hold_out_documents(
    corpus: Corpus, fraction: float, random: np.random.Generator
) -> tuple[Corpus, Corpus]:
    """Cut documents at random into those to train on and those that are held out.

    Parameters
    ----------
    corpus : Corpus
    fraction : float
        Share of the documents that is held out, rounded up.
    random : Generator
        What it draws for a document does not depend on those behind it.

    Returns
    -------
    train, held_out : Corpus
        Documents in their order.

    Raises
    ------
    ValueError
        If there are no documents, or one of the two parts holds no two words.
    """
    if corpus.counts is not None:
        raise ValueError(
            "early_stopping=True holds documents out, and with input='cooccurrence' "
            "there are none. Pass documents, validation_fraction=None to watch the "
            "training loss, or early_stopping=False."
        )
    n_documents = corpus.n_documents
    n_held = int(np.ceil(fraction * n_documents))
    held = np.zeros(n_documents, dtype=bool)
    held[np.argsort(random.random(n_documents), kind="stable")[:n_held]] = True
    parts = _choose(corpus, ~held), _choose(corpus, held)
    for part, what in zip(parts, ("train on", "hold out"), strict=True):
        if part.longest < 2:
            raise ValueError(
                f"validation_fraction={fraction} of {n_documents} documents leaves no "
                f"document of two words of the vocabulary to {what}. Change "
                "validation_fraction, pass more documents, or early_stopping=False."
            )
    return parts


def _choose(corpus: Corpus, chosen: np.ndarray) -> Corpus:
    lengths = np.diff(corpus.doc_offsets)
    tokens = np.repeat(chosen, lengths)
    offsets = np.concatenate([[0], np.cumsum(lengths[chosen])]).astype(np.int64)
    part: dict[str, Any] = {
        name: None if value is None else value[mask]
        for name, value, mask in (
            ("token_weights", corpus.token_weights, tokens),
            ("doc_weights", corpus.doc_weights, chosen),
        )
    }
    return Corpus(corpus.token_ids[tokens], offsets, **part)


def hold_out_pairs_inplace(
    counts: sparse.csr_array,
    fraction: float,
    random: np.random.Generator,
    row_of: np.ndarray,
) -> tuple[sparse.csr_array, sparse.csr_array]:
    """Cut co-occurrence counts at random into pairs to train on and pairs held out.

    A pair and the one in the other direction stay together. What is drawn depends on
    the words of a pair, not on the order of the rows or on how many there are.

    Parameters
    ----------
    counts : csr_array of shape (n_words, n_words), float64
        Is used up.
    fraction : float
        Probability that a pair is held out.
    random : Generator
    row_of : ndarray of shape (n_words,), int
        Row and column of each word.

    Returns
    -------
    train, held_out : csr_array of shape (n_words, n_words), float64

    Raises
    ------
    ValueError
        If one of the two parts is empty.
    """
    n_words, n_pairs = counts.shape[0], counts.nnz
    # Every pair has a random number of its own, the same in both directions.
    numbers = np.empty(n_words, dtype=np.uint64)
    numbers[row_of] = random.integers(2**64, size=n_words, dtype=np.uint64)
    limit = np.uint64(min(fraction * 2.0**64, 2.0**64 - 2048))
    entries, lengths = (counts.data, counts.indices), np.diff(counts.indptr)
    n_held = np.zeros(n_words, dtype=np.int64)
    pieces = []
    n_kept = 0
    for first, last in row_ranges(counts.indptr, _CHUNK):
        here = slice(counts.indptr[first], counts.indptr[last])
        rows = np.repeat(np.arange(first, last), lengths[first:last])
        held = _mix(numbers[rows] + numbers[counts.indices[here]]) < limit
        n_held[first:last] = np.bincount(rows[held] - first, minlength=last - first)
        pieces.append([array[here][held] for array in entries])
        # What is left moves together, in the memory that all of it has had.
        end = n_kept + int(np.count_nonzero(~held))
        for array in entries:
            array[n_kept:end] = array[here][~held]
        n_kept = end
    held_out = [np.concatenate(arrays) for arrays in zip(*pieces, strict=True)]
    train = [array[:n_kept] for array in entries]
    parts = _matrix(train, lengths - n_held), _matrix(held_out, n_held)
    for part, what in zip(parts, ("train on", "hold out"), strict=True):
        if not part.nnz:
            raise ValueError(
                f"validation_fraction={fraction} of {n_pairs} pairs of words leaves "
                f"none to {what}. Change validation_fraction, pass more documents, or "
                "early_stopping=False."
            )
    return parts


def _matrix(entries: list[np.ndarray], lengths: np.ndarray) -> sparse.csr_array:
    """Return a canonical square matrix of counts and columns, row by row."""
    # Of the type of the columns, since SciPy would copy these to the larger of two.
    indptr = np.zeros(lengths.size + 1, dtype=entries[1].dtype)
    np.cumsum(lengths, out=indptr[1:])
    matrix = sparse.csr_array((*entries, indptr), shape=(lengths.size, lengths.size))
    matrix.has_canonical_format = True
    return matrix


def _mix(numbers: np.ndarray) -> np.ndarray:
    """Scramble 64 bits, as the generator splitmix64 does (Steele et al. 2014)."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))
