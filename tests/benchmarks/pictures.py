"""The figures of the page on pictures, from docstrings of SciPy.

    python -m tests.benchmarks.pictures docs/figures

The documents are those of `skembed.datasets.load_docstrings`, so the figures change
with the installed versions of the libraries.
"""

import argparse
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from skembed import PPMISVDEmbedder
from skembed.datasets import load_docstrings
from skembed.inspection import (
    ContributionsDisplay,
    StrategiesDisplay,
    WordMapDisplay,
)

# Words of letters only: code and formulas are full of names.
EMBEDDER = PPMISVDEmbedder(
    50,
    window=5,
    stop_words="english",
    token_pattern=r"(?u)\b[a-z]{3,}\b",
    random_state=0,
)
# The document of the contributions, by the name of its object.
DOCUMENT = "scipy.stats.gaussian_kde.integrate_box"


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where the figures are written")
    folder = parser.parse_args().folder
    documents = load_docstrings(subset="scipy")
    X = np.array(documents.data, dtype=object)
    y = np.array(documents.target_names)[documents.target]
    model = Pipeline([("embed", EMBEDDER), ("classify", LogisticRegression())])
    grid = {
        "embed__share_context": [False, True, "signed"],
        "embed__n_components": [10, 20, 50],
    }
    search = GridSearchCV(model, grid, cv=4).fit(X, y)
    StrategiesDisplay.from_estimator(search, x="embed__n_components", reference=False)
    save(folder / "strategies.png")
    model.fit(X, y)
    WordMapDisplay.from_estimator(model["embed"], n_words=100, method="tsne")
    save(folder / "word_map.png")
    document = X[[documents.names.index(DOCUMENT)]]
    ContributionsDisplay.from_estimator(model, document, n_words=12)
    save(folder / "contributions.png")


def save(path):
    import matplotlib.pyplot as plt

    plt.savefig(path, dpi=100)
    plt.close()


if __name__ == "__main__":
    main()
