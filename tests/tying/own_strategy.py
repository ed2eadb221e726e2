"""The example of docs/own_strategy.md: a strategy, and a search that compares it."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from skembed.tying import Signed, Tying


class FixedFactors(Tying):
    """One table; in the score, each dimension is multiplied by a fixed factor."""

    map_kind = "diagonal"

    def __init__(self, factors=(1.0, 1.0, 1.0, -1.0)):
        self.factors = factors

    def start_map(self, n_components, n_negative):
        return np.resize(self.factors, n_components)

    def factorise(self, factoriser, n_components, exponent):
        word, context, scale = Signed().factorise(factoriser, n_components, exponent)
        root = np.sqrt(np.abs(self.start_map(n_components, 0)))
        return word / root, context * root, scale


def compare(embedder, documents, labels, n_jobs=None):
    """Search over built-in strategies and one of our own."""
    model = Pipeline([("embed", embedder), ("classify", LogisticRegression())])
    grid = [
        {"embed__share_context": [False, True, "signed"]},
        {
            "embed__share_context": [FixedFactors()],
            "embed__share_context__factors": [(1.0, -1.0), (1.0, 1.0, -0.5)],
        },
    ]
    return GridSearchCV(model, grid, cv=2, n_jobs=n_jobs).fit(documents, labels)
