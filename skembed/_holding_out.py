"""What early stopping holds out of the training data: documents, or pairs of words."""

from typing import Any

import numpy as np
from scipy import sparse

from skembed._limits import check_room
from skembed._vocabulary import Corpus

# Bytes of a pair while counts are cut up, beside its own.
_SPLIT_BYTES = 22.0
_ADVICE = (
    "Lower max_features or window, pass fewer documents, or early_stopping=False or "
    "validation_fraction=None."
)
# Pairs that are looked at at once.
_CHUNK = 1 << 20


def holds_out(estimator: Any) -> bool:
    """Return whether an estimator wants a part of its data held out."""
    return estimator.early_stopping and estimator.validation_fraction is not None


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
    n_tokens = corpus.token_ids.size
    check_room(
        (5.0 if corpus.token_weights is None else 13.0) * n_tokens,
        f"Copies of {n_tokens} tokens, of which documents are held out,",
        _ADVICE,
    )
    n_held = int(np.ceil(fraction * n_documents))
    held = np.zeros(n_documents, dtype=bool)
    held[random.permutation(n_documents)[:n_held]] = True
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


def hold_out_pairs(
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
    n_words = counts.shape[0]
    check_room(
        _SPLIT_BYTES * counts.nnz,
        f"Copies of {counts.nnz} pairs of words, of which some are held out,",
        _ADVICE,
    )
    # Every pair has a random number of its own, the same in both directions.
    numbers = np.empty(n_words, dtype=np.uint64)
    numbers[row_of] = random.integers(2**64, size=n_words, dtype=np.uint64)
    rows = np.repeat(np.arange(n_words, dtype=np.int32), np.diff(counts.indptr))
    held = np.empty(counts.nnz, dtype=bool)
    limit = np.uint64(min(fraction * 2.0**64, 2.0**64 - 2048))
    for at in range(0, held.size, _CHUNK):
        here = slice(at, at + _CHUNK)
        sums = numbers[rows[here]] + numbers[counts.indices[here]]
        held[here] = _mix(sums) < limit
    parts = []
    for mask, what in ((~held, "train on"), (held, "hold out")):
        indptr = np.concatenate(
            [[0], np.cumsum(np.bincount(rows[mask], None, n_words))]
        )
        if not indptr[-1]:
            raise ValueError(
                f"validation_fraction={fraction} of {counts.nnz} pairs of words leaves "
                f"none to {what}. Change validation_fraction, pass more documents, or "
                "early_stopping=False."
            )
        entries = counts.data[mask], counts.indices[mask], indptr.astype(np.int64)
        part = sparse.csr_array(entries, shape=counts.shape)
        part.has_canonical_format = True
        parts.append(part)
    return parts[0], parts[1]


def _mix(numbers: np.ndarray) -> np.ndarray:
    """Scramble 64 bits, as the generator splitmix64 does (Steele et al. 2014)."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))
