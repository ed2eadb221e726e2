"""Word embedders for scikit-learn with tied or separate word and context vectors.

An embedder learns word vectors and turns documents into features, in place of
`TfidfVectorizer`::

    from skembed import PPMISVDEmbedder

    embedder = PPMISVDEmbedder(n_components=100, share_context="signed")
    features = embedder.fit_transform(documents)  # a row per document
    vector = embedder.word_vectors_[embedder.vocabulary_["word"]]

Estimators:

- SGNSEmbedder: skip-gram with negative sampling
- CBOWEmbedder: continuous bag of words with negative sampling
- SoftmaxEmbedder: skip-gram with a full or hierarchical softmax
- GloVeEmbedder: global vectors
- PPMISVDEmbedder: positive pointwise mutual information, factorised
- PretrainedEmbedder: features from given vectors

Functions:

- cooccurrence: co-occurrence counts of words, as a sparse matrix
- read_cooccurrence: such counts from Parquet files of Spark, Ray and others
- warmup: compiles the kernels of estimators in advance

Modules:

- skembed.pooling: ways to turn vectors of words into features of documents
- skembed.tying: ways in which word and context vectors share parameters
- skembed.vectors: tables of words and vectors: look-ups, neighbours, files
- skembed.features: tf-idf and word vectors side by side
- skembed.graphs: vectors of the nodes of a graph, scorers of links, random walks
- skembed.inspection: what a fitted model is like
- skembed.metrics: how good word vectors are, in numbers
- skembed.datasets: documents that come with every installation

Commands:

- ``python -m skembed``: compares estimators and strategies on a classification task
- ``python -m skembed study``: compares all strategies over learning rates and seeds
- ``python -m skembed study --edges FILE``: compares strategies on a graph

Modules whose names start with an underscore are private.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from skembed._version import __version__

if TYPE_CHECKING:
    from skembed._cbow import CBOWEmbedder
    from skembed._counts.count import cooccurrence
    from skembed._counts.triples import read_cooccurrence
    from skembed._glove import GloVeEmbedder
    from skembed._ppmi_svd import PPMISVDEmbedder
    from skembed._pretrained import PretrainedEmbedder
    from skembed._sgns import SGNSEmbedder
    from skembed._softmax import SoftmaxEmbedder
    from skembed._warmup import warmup

__all__ = [
    "CBOWEmbedder",
    "GloVeEmbedder",
    "PPMISVDEmbedder",
    "PretrainedEmbedder",
    "SGNSEmbedder",
    "SoftmaxEmbedder",
    "__version__",
    "cooccurrence",
    "read_cooccurrence",
    "warmup",
]

# Loaded at first use, as scikit-learn takes a second to import.
_HOMES = {
    "CBOWEmbedder": "skembed._cbow",
    "GloVeEmbedder": "skembed._glove",
    "PPMISVDEmbedder": "skembed._ppmi_svd",
    "PretrainedEmbedder": "skembed._pretrained",
    "SGNSEmbedder": "skembed._sgns",
    "SoftmaxEmbedder": "skembed._softmax",
    "cooccurrence": "skembed._counts.count",
    "datasets": "skembed.datasets",
    "features": "skembed.features",
    "inspection": "skembed.inspection",
    "metrics": "skembed.metrics",
    "pooling": "skembed.pooling",
    "read_cooccurrence": "skembed._counts.triples",
    "tying": "skembed.tying",
    "vectors": "skembed.vectors",
    "warmup": "skembed._warmup",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = import_module(_HOMES[name])
    value = home if home.__name__ == f"{__name__}.{name}" else getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
