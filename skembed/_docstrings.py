"""Text that the docstrings of several estimators share, and how it gets there."""

import inspect
import json
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from skembed._counts.count import WINDOW_WEIGHTINGS
from skembed._tying import bias, strategies
from skembed.pooling import POOLINGS, _features

# Shared texts, by the name of their placeholder. A text may contain placeholders: for
# words that differ between estimators, for defaults, and for values from registries.
_TEXTS = {
    "n_components": r"""
n_components : int, default=100
    Number of dimensions of a word vector.
""",
    "share_context": r"""
share_context : %(strategies)s or object, default=False
    How context vectors relate to word vectors:

    %(strategy_list)s

    Or an object of a class that derives from :class:`skembed.tying.Tying`, for a
    strategy of your own.
""",
    "subsampled_counts": r"""
subsample : float, default=%(default_subsample)s
    Reduces the weight of frequent words. The count of a pair is multiplied by the
    keep probabilities of its two words. The keep probability of a word is
    ``sqrt(subsample / f) + subsample / f``, but at most 1, where f is the word's
    share of all contexts. In :class:`~skembed.SGNSEmbedder`, occurrences are
    dropped at random instead. Here nothing is random, and context windows are those
    of the whole text. 0 keeps all counts as they are.
""",
    "subsampled_tokens": r"""
subsample : float, default=%(default_subsample)s
    An occurrence of a word is kept with probability
    ``sqrt(subsample / f) + subsample / f``, where f is the word's relative
    frequency. 0 keeps all occurrences.
learning_rate : float, default=%(default_learning_rate)s
    Initial learning rate. It decays linearly to 1e-4 of this value.
""",
    "vectors_moved": r"""
update : {"both", "word"}, default="both"
    Which vectors of a pair are updated: both, or only the word vector. With "word",
    the vectors of a separate table of contexts keep their random values. Biases
    and maps are learned in both cases.
exclude_window_noise : bool, default=False
    Whether noise words that occur in the window are excluded. By default, as in
    word2vec, only a noise word that equals the current context is excluded.
""",
    "noise": r"""
negative : int, default=5
    Number of noise words per %(predicted)s.
noise_exponent : float, default=0.75
    The probability of a noise word is proportional to count ** noise_exponent.
""",
    "training": r"""
max_iter : int or "auto", default="auto"
    Maximum number of epochs. "auto" means 25 epochs for 100,000 tokens. For other
    corpora, the number is inversely proportional to the square root of the number
    of tokens, but at least %(fewest_epochs)s and at most 60. `n_iter_` is the number of
    epochs that were run.
early_stopping : bool, default=False
    Whether to hold out some %(held_out)s and to end training when the loss on them
    no longer falls. The rule is that of
    :class:`~sklearn.neural_network.MLPClassifier`. The vectors are then those of
    the epoch with the lowest validation loss.
validation_fraction : float or None, default=0.1
    With `early_stopping`: share of the %(held_out)s that is held out at random.
    None holds out nothing: the training loss is monitored, and the vectors are
    those of the last epoch.
n_iter_no_change : int, default=3
    With `early_stopping`: training ends when the loss has not fallen by `tol` for
    more than this number of epochs in a row.
tol : float, default=%(default_tol)s
    With `early_stopping`: a loss counts as falling if it is lower than the lowest
    loss before by at least this amount.
warm_start : bool, default=False
    Whether `fit` starts from the vectors of the previous fit, if there was one.
    %(also_kept)s
    Words keep their rows, see `new_words`.
init : WordVectors, str, path, dict or array-like, default=None
    Initial word vectors: a :class:`~skembed.vectors.WordVectors`, a file that its
    method ``load`` reads, a mapping of words to vectors, ``KeyedVectors`` or a model
    of gensim, or an array of shape (n_words, n_components) with a row for each word
    of `vocabulary`.
    Words that are missing start with a random vector. A fit that resumes from an
    earlier one does not use the vectors of words that it already knows.
""",
    "reading": r"""
analyzer : {"word", "char", "char_wb"} or callable, default="word"
    How a raw document is split into tokens, as in
    :class:`~sklearn.feature_extraction.text.TfidfVectorizer`. A callable takes a
    document and returns a list of str. `analyzer`, `lowercase`, `strip_accents`
    and `token_pattern` do not apply to tokenised documents.
lowercase : bool, default=True
    Convert raw documents to lower case.
strip_accents : {"ascii", "unicode"} or callable, default=None
    Remove accents from raw documents.
stop_words : {"english"} or list of str, default=None
    Words that are dropped%(dropped)s. As in scikit-learn,
    stop words of raw documents are dropped only with ``analyzer="word"``.
token_pattern : str or None, default=r"(?u)\b\w\w+\b"
    Regular expression of a token, for ``analyzer="word"``.
""",
    "missing": r"""
missing : {"error", "empty"}, default="error"
    Whether missing documents (None, NaN, ``pd.NA``, ``NaT``) raise an error or are
    treated as empty documents.
""",
    "shared_parameters": r"""
window : int, default=%(default_window)s
    Largest distance between a word and its context, in tokens of the vocabulary.
window_weighting : %(window_weightings)s, default=%(default_window_weighting)s
    Weight of a context at distance d: ``(window + 1 - d) / window``, 1 or
    ``1 / d``%(windows)s.
direction : {"both", "left", "right"}, default="both"
    Where the contexts of a word are: on both sides of it, only before it, or only
    after it, as in :func:`~skembed.cooccurrence`.
    %(directed)s
    It has to be "both" for matrices, which do not tell the two sides apart.
%(reading)s
min_count : int, default=5
    Words that occur less often are dropped. Ignored if `vocabulary` is given.
max_features : int, default=None
    Keep only this many of the most frequent words.
vocabulary : mapping of str to int, or collection of str, default=None
    The words to learn vectors of, instead of those that `min_count` and
    `max_features` select. For a matrix: the columns to keep or, if the columns have
    no names, the names of all columns. Names may also be int, such as ids of nodes.
    With ``input="token_ids"``: the ids to learn vectors of.
new_words : {"grow", "freeze"}, default="grow"
    Controls what happens to new words when further text is fitted
    (%(further_fits)s). With "grow", words that
    occur `min_count` times in the new documents get rows after the existing ones,
    up to `max_features` rows in total. With "freeze", or if `vocabulary` is given,
    new words are dropped.
input : {"content", "token_ids", "cooccurrence"}, default="content"
    What `fit` takes. With "content": documents, as text or as a matrix of shape
    (n_documents, n_words). With "cooccurrence": a square matrix of co-occurrence
    counts, words x contexts. `transform` treats its rows as documents: the features
    of a row are means over the contexts of a word. The word's own vector is in
    `word_vectors_`. For graphs, see :class:`~skembed.graphs.GraphEmbedder`. `window`,
    `window_weighting`, `min_count` and the tokenisation parameters do not apply to
    matrices. With "token_ids": a 2-D integer array, or an iterable of 1-D integer
    arrays. Rows are documents, entries are ids of words, and -1 stands for no
    token. Words are then int, and the parameters of tokenisation do not apply.
%(missing)s
combine : %(combinations)s, default=%(default_combine)s
    Which vector represents a word in `transform`. "sum" adds the context vector,
    scaled to the length of the word vector. "concat" concatenates the two.
%(features)s
random_state : int, RandomState instance or None, default=None
    Pass an int to get the same bits on every run.
%(running)s
""",
    "features": r"""
pooling : str or object, default="tfidf"
    How the vectors of a document's words become one row: the name of a
    pooling, which is one of
    %(poolings)s,
    or an object with the methods ``fit`` and ``pool``; see :mod:`skembed.pooling`.
scale : %(scales)s, default="spherical"
    The scale of the features. `fit` learns it from the training documents, and
    `partial_fit` keeps it. "spherical" centres the columns and then scales each row
    to length 3, which suits classifiers with default parameters. "standard" centres
    the columns, divides them by their standard deviations, and scales the features
    so that the root mean square of the rows' lengths is 3. None leaves the pooled
    vectors unchanged. A document without known words is a row of zeros.
norm : {"l2"}, default=None
    Scale each row to unit length, after `scale`.
dtype : {"auto", "float32", "float64"} or type, default="auto"
    Type of the features. "auto" means float64 for a matrix of float64, and float32
    otherwise. Word vectors are always float32.
""",
    "running": r"""
n_jobs : int or None, default=None
    Number of threads, by joblib's rules: None means 1 outside a
    :func:`joblib.parallel_config`, and -1 means all processors. The result does not
    depend on it.
verbose : int, default=0
    1 prints a line for each %(steps)s, and one every ten seconds within them;
    2 or more prints one every second.
memory : str, path or object with the joblib.Memory interface, default=None
    Store %(kept)s of a text in this folder.
    Another `fit` on the same documents, as in a grid search, reads them from there.
    The documents of an iterator are read one at a time. Their token ids are not stored
    for another `fit`, but held in a file without a name in this folder, not in memory.
    A callable `analyzer` is identified by its code, but not by the code of the
    functions that it calls: clear the folder when these change.
""",
    "feature_attributes": r"""
pooling_ : object
    The fitted pooling.
feature_means_, feature_scales_ : ndarray of shape (n_features_out,), float64
    Means and standard deviations of the training documents' pooled vectors. Not
    defined with ``scale=None``.
n_features_in_ : int
    Number of columns of the matrix in `fit`. Not defined after a fit on text.
feature_names_in_ : ndarray of shape (`n_features_in_`,), object
    Names of the columns, if all of them are str.
""",
    "shared_attributes": r"""
vocabulary_ : dict of str to int
    Row of each word. Words are sorted by count, the most frequent first, and then
    by word. They are int if the columns of a matrix have int labels, and with
    ``input="token_ids"``.
word_counts_ : ndarray of shape (n_words,), int64 or float64
    Occurrences of each word; float64 with sample weights or a matrix of floats. For
    a matrix of co-occurrence counts, the sum of each row.
%(feature_attributes)s
""",
    "context_vectors": r"""
context_vectors_ : ndarray of shape (n_words, n_components), float32
    Context vectors, as they enter the score. They are the same object as
    `word_vectors_` if the two are shared.
""",
    "context_signs": r"""
context_signs_ : ndarray of shape (n_components,), float32
    With ``share_context="signed"``, or a fixed diagonal of your own whose factors are
    all 1 or -1: the sign of each dimension in the score.
""",
    "sampled_vectors": r"""
word_vectors_ : ndarray of shape (n_words, n_components), float32
    Word vectors. The vector of a word that occurred in no pair is zero, unless the
    word was drawn as a noise word and its context vector is its word vector.
""",
    "sampled_biases": r"""
word_biases_, context_biases_ : ndarray of shape (n_words,), float32
    Learned biases, only with ``bias="word"``. With two tables there is
    `context_biases_` only. With one table, both exist and are the same object.
""",
    "sampled_maps": r"""
context_map_ : ndarray of shape (n_components,) or (n_components, n_components)
    With "diagonal" the learned factors, with "bilinear" the matrix A; with a strategy
    of your own, its learned map, or its fixed factors unless all are signs. float32.
noise_vectors_ : ndarray of shape (n_words, n_components), float32
    With "noise" and "three": the vectors that score noise words.
""",
    "sided_vectors": r"""
left_context_vectors_, right_context_vectors_ : ndarray, float32
    With ``directional=True``: vectors of the contexts on each side. They have the
    shape of `context_vectors_`, which is their mean.
""",
    "loss_curves": r"""
loss_curve_ : ndarray of shape (`n_iter_`,), float64
    Mean objective per %(predicted)s and epoch%(unit)s.
validation_loss_curve_ : ndarray, float64
    With ``early_stopping=True``: mean objective of the held-out %(held_out)s after
    each epoch.
n_iter_ : int
    Number of epochs, including those of the fits that this fit resumed from.
""",
    "parameter_count": r"""
n_embedding_parameters_ : int
    Number of learned parameters: %(counted)s.
""",
    "determinism": r"""
The result does not depend on the process or the number of processors: tokens are
split into a fixed number of segments, whose updates are added in a fixed order.
Neighbouring words (a span) share their noise words. These are weighted so that the
expected gradient is that of `negative` draws per pair. The step of a row is bounded
by its curvature, so that training stays finite even if the learning rate is too
large.
""",
    "negative_dims": r"""
negative_dims : float or int, default=0.1
    Share of the dimensions that have a negative sign in the score with "signed" (and
    at the start with "diagonal"); at least one dimension. An int is the number of
    these dimensions. They are the last ones.
""",
}
# A placeholder on a line of its own, whose text gets the indentation of the line, or a
# placeholder within a line.
_PLACEHOLDER = re.compile(r"^( *)%\((\w+)\)s$|%\((\w+)\)s", re.MULTILINE)


def complete_docstring(**words: str) -> Callable[[type], type]:
    """Return a class decorator that fills in the placeholders of a docstring.

    A placeholder is ``%(name)s``. It is replaced by a shared text, by a word that is
    passed here, by a list of allowed values, or by the default of a parameter. In the
    last case, the name is ``default_`` and the name of the parameter.

    Parameters
    ----------
    **words : str
        What differs between estimators within the shared texts.

    Returns
    -------
    callable
        Changes the docstring of a class, and returns the class.
    """

    def decorate(estimator: Any) -> Any:
        known = {**_TEXTS, **_values(estimator)}
        if hasattr(estimator, "_method"):
            known |= _values_of_learning(estimator)
        fill_in(estimator, known | words)
        return estimator

    return decorate


def fill_in(documented: Any, texts: Mapping[str, str]) -> None:
    """Replace the placeholders in the docstring of a class or a function.

    Parameters
    ----------
    documented : class or function
        Its docstring is changed.
    texts : mapping of str to str
        Texts by the name of their placeholder. They may contain placeholders.
    """

    def text_of(match: re.Match[str]) -> str:
        indentation, block, word = match.groups()
        text = _PLACEHOLDER.sub(text_of, texts[block or word].strip("\n"))
        return textwrap.indent(text, indentation) if block else text

    # Python's option -OO leaves no docstrings.
    if documented.__doc__ is not None:
        documented.__doc__ = _PLACEHOLDER.sub(text_of, documented.__doc__)


def _values(estimator: Any) -> Mapping[str, str]:
    """Return the defaults and the allowed values of an estimator's parameters."""
    parameters = inspect.signature(estimator).parameters.values()
    return {
        **{f"default_{one.name}": _code(one.default) for one in parameters},
        "dropped": "",
        "poolings": ", ".join(map(_code, POOLINGS)),
        "scales": _choices(_features.SCALES),
    }


def _values_of_learning(estimator: Any) -> Mapping[str, str]:
    """Return what docstrings of estimators that learn vectors say in addition."""
    held = strategies.strategies(estimator._method)
    items = [f"- {_code(one.name)}: {one.summary}" for one in held]
    return {
        "dropped": " before context windows are formed",
        "directed": 'With "right", s(w, c) is the score of a context c that follows w.',
        "strategies": _choices(one.name for one in held),
        "strategy_list": _listed(items),
        "biases": _choices(bias.biases()),
        "window_weightings": _choices(WINDOW_WEIGHTINGS),
        "combinations": _choices(_features.COMBINATIONS),
        "fewest_epochs": str(estimator._fewest_epochs),
    }


def _listed(items: list[str]) -> str:
    """Return the items of a list, wrapped, which ends with a full stop."""
    lines = [f"{item};" for item in items[:-1]] + [f"{items[-1]}."]
    return "\n".join(textwrap.fill(line, 76, subsequent_indent="  ") for line in lines)


def _choices(values: Iterable[Any]) -> str:
    return "{" + ", ".join(map(_code, values)) + "}"


def _code(value: Any) -> str:
    """Return a value as it is written in a program."""
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, float) and 0.0 < value < 1e-3:
        return np.format_float_scientific(value, trim="-", exp_digits=1)
    return repr(value)
