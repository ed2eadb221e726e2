"""From co-occurrence counts to positive pointwise mutual information."""

import numpy as np
from scipy import sparse, special


def ppmi(
    counts: sparse.csr_array, shift: float, context_exponent: float
) -> sparse.csr_array:
    """Return the shifted positive PMI matrix of co-occurrence counts.

    ``max(0, ln(P(w, c) / (P(w) P_a(c))) - ln(shift))``, with contexts smoothed as
    ``P_a(c) = #(c)**a / sum #(c')**a``: Levy, Goldberg & Dagan (2015), eq. 3 and
    section 3.1; the shift is that of Levy & Goldberg (2014), eq. 11.

    Parameters
    ----------
    counts : csr_array of shape (n_words, n_words), float64
    shift : float
        The number k >= 1 of noise words that the shift stands for.
    context_exponent : float
        The exponent a; 1 smooths nothing.

    Returns
    -------
    csr_array of shape (n_words, n_words), float32
        Without stored zeros.
    """
    word_totals = np.asarray(counts.sum(axis=1)).ravel()
    context_totals = np.asarray(counts.sum(axis=0)).ravel()
    seen = context_totals > 0
    log_word = np.log(np.where(word_totals > 0, word_totals, 1.0))
    # In logarithms no exponent is too large for the sum of powers.
    log_context = context_exponent * np.log(np.where(seen, context_totals, 1.0))
    if seen.any():
        log_context -= special.logsumexp(log_context[seen])
    pmi = np.log(counts.data)
    pmi -= np.repeat(log_word + np.log(shift), np.diff(counts.indptr))
    pmi -= log_context[counts.indices]
    positive = pmi > 0.0
    before = np.concatenate([[0], np.cumsum(positive)])
    return sparse.csr_array(
        (
            pmi[positive].astype(np.float32),
            counts.indices[positive],
            before[counts.indptr],
        ),
        shape=counts.shape,
    )
