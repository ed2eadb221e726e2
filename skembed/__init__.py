"""Word embedders for scikit-learn with tied or separate word and context vectors."""

from skembed._glove import GloVeEmbedder
from skembed._ppmi_svd import PPMISVDEmbedder
from skembed._sgns import SGNSEmbedder

__version__ = "0.1.0.dev0"

__all__ = ["GloVeEmbedder", "PPMISVDEmbedder", "SGNSEmbedder", "__version__"]
