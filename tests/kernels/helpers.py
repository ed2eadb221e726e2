"""Documents for tests of kernels."""

import numpy as np


def random_documents(rng, n_words, lengths):
    """Documents of given lengths; many begin with word 0, whose mark is -1."""
    return [
        [word if i else word * int(rng.integers(2)) for i, word in enumerate(document)]
        for document in (
            rng.binomial(n_words - 1, 0.3, size=n).tolist() for n in lengths
        )
    ]


def as_corpus(documents):
    token_ids = np.array([word for doc in documents for word in doc], dtype=np.int32)
    doc_offsets = np.cumsum([0, *map(len, documents)]).astype(np.int64)
    return token_ids, doc_offsets
