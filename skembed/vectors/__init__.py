"""Tables of words and vectors: look-ups, neighbours, files.

`WordVectors` is an immutable table. It comes from a fitted embedder, a file, a mapping
or a gensim model, whatever they were trained with.
"""

from skembed.vectors._word_vectors import WordVectors

__all__ = ["WordVectors"]
