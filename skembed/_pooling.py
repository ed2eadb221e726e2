"""From the words of a document to one row of features."""

import numpy as np
from scipy import sparse

from skembed._vocabulary import Corpus

POOLINGS = ("mean",)


def pool(corpus: Corpus, vectors: np.ndarray) -> np.ndarray:
    """Return the mean of each document's word vectors.

    Parameters
    ----------
    corpus : Corpus
    vectors : ndarray of shape (n_words, n_features), float32

    Returns
    -------
    ndarray of shape (n_documents, n_features), float32
        Zeros for a document without known words.
    """
    lengths = np.diff(corpus.doc_offsets)
    weights = np.repeat((1.0 / np.maximum(lengths, 1)).astype(vectors.dtype), lengths)
    documents = sparse.csr_array(
        (weights, corpus.token_ids, corpus.doc_offsets),
        shape=(corpus.n_documents, vectors.shape[0]),
    )
    return np.asarray(documents @ vectors)
