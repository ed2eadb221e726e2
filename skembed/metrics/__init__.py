"""How good word vectors are, in numbers, and how much two models have in common.

Every function takes `WordVectors`, a fitted embedder, or anything else that
`as_word_vectors` takes. `make_scorer` turns the measures of one model into scorers for
`GridSearchCV`.
"""

from skembed.metrics._analogies import Analogies, AnalogyScore, analogies
from skembed.metrics._files import read_analogies, read_pairs
from skembed.metrics._groups import (
    Categorization,
    OutlierDetection,
    categorization,
    outlier_detection,
)
from skembed.metrics._models import (
    NeighborOverlap,
    Procrustes,
    neighbor_overlap,
    procrustes,
)
from skembed.metrics._scorers import make_scorer
from skembed.metrics._similarity import WordSimilarity, word_similarity
from skembed.metrics._words import as_word_vectors

__all__ = [
    "Analogies",
    "AnalogyScore",
    "Categorization",
    "NeighborOverlap",
    "OutlierDetection",
    "Procrustes",
    "WordSimilarity",
    "analogies",
    "as_word_vectors",
    "categorization",
    "make_scorer",
    "neighbor_overlap",
    "outlier_detection",
    "procrustes",
    "read_analogies",
    "read_pairs",
    "word_similarity",
]
