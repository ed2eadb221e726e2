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

# Text by the name of its placeholder. Placeholders within it are words that estimators
# differ in, defaults, and values that come from registries.
_TEXTS = {
    "n_components": r"""
n_components : int, default=100
    Number of dimensions of a word vector.
""",
    "share_context": r"""
share_context : %(strategies)s, default=False
    How context vectors relate to word vectors:

    %(strategy_list)s
""",
    "subsampled_counts": r"""
subsample : float, default=%(default_subsample)s
    Counts of frequent words weigh less: that of a pair is multiplied by the keep
    probabilities of both words, each ``sqrt(subsample / f) + subsample / f`` or 1,
    where f is the word's share of all contexts. It is as if occurrences were left
    out as in :class:`~skembed.SGNSEmbedder`, but nothing is drawn, and windows are
    those of the whole text. 0 keeps all.
""",
    "subsampled_tokens": r"""
subsample : float, default=%(default_subsample)s
    Occurrences of words of a relative frequency f are kept with probability
    ``sqrt(subsample / f) + subsample / f``. 0 keeps all.
learning_rate : float, default=%(default_learning_rate)s
    Decays linearly to 1e-4 of itself.
""",
    "vectors_moved": r"""
update : {"both", "word"}, default="both"
    Which vectors of a pair gradients reach: both, or the word vector alone, with
    context vectors left at random values where they have a table of their own.
    Learned biases and maps learn in either case.
exclude_window_noise : bool, default=False
    Leave out noise words that occur in the window, and not only one that equals
    the context at hand, as word2vec does.
""",
    "noise": r"""
negative : int, default=5
    Noise words per %(predicted)s.
noise_exponent : float, default=0.75
    Noise words are drawn in proportion to count ** noise_exponent.
""",
    "training": r"""
max_iter : int or "auto", default="auto"
    Number of epochs, at most. "auto" is 25 for 100,000 tokens, and in inverse
    proportion to the square root of their number for others, at least
    %(fewest_epochs)s and at most 60; `n_iter_` tells the number.
early_stopping : bool, default=False
    Hold out some %(held_out)s, and end training when the loss on them stops
    falling, by the rule of :class:`~sklearn.neural_network.MLPClassifier`. The
    vectors are then those of the epoch with the least validation loss.
validation_fraction : float or None, default=0.1
    With `early_stopping`: share of the %(held_out)s that is held out, at random.
    None holds out nothing: the training loss is watched, and the last epoch kept.
n_iter_no_change : int, default=3
    With `early_stopping`: training ends when the loss has not fallen by `tol` for
    more than so many epochs in a row.
tol : float, default=%(default_tol)s
    With `early_stopping`: what a loss must be below the least one before, to count
    as falling.
warm_start : bool, default=False
    Whether `fit` begins with the vectors of the fit before, if there was one.
    %(also_kept)s
    Rows stay, see `new_words`.
init : dict or array-like of shape (n_words, n_components), default=None
    Word vectors to begin with: of each word, or of the words of `vocabulary` in the
    order of its rows; gensim's ``KeyedVectors`` are taken like a dict. Words
    without one begin with a random vector. In a fit that goes on, those of words
    that it knows already are not used.
""",
    "shared_parameters": r"""
window : int, default=%(default_window)s
    Largest distance between a word and its context, in tokens of the vocabulary.
window_weighting : %(window_weightings)s, default=%(default_window_weighting)s
    How a context at distance d counts: ``(window + 1 - d) / window``, 1 or
    ``1 / d``%(windows)s.
analyzer : {"word", "char", "char_wb"} or callable, default="word"
    How a raw document is cut into tokens, as in
    :class:`~sklearn.feature_extraction.text.TfidfVectorizer`. A callable takes a
    document and returns a list of str. Does not apply to tokenised documents;
    the same holds for `lowercase`, `strip_accents` and `token_pattern`.
lowercase : bool, default=True
    Convert raw documents to lower case.
strip_accents : {"ascii", "unicode"} or callable, default=None
    Remove accents from raw documents.
stop_words : {"english"} or list of str, default=None
    Words to leave out, before windows are laid. As in scikit-learn, of raw
    documents only those of ``analyzer="word"``.
token_pattern : str or None, default=r"(?u)\b\w\w+\b"
    Regular expression of a token, for ``analyzer="word"``.
min_count : int, default=5
    Words that occur less often are left out. Ignored with `vocabulary`.
max_features : int, default=None
    Keep only this many of the most frequent words.
vocabulary : mapping of str to int, or collection of str, default=None
    The words to learn vectors of, instead of those that `min_count` and
    `max_features` select. Of a matrix: the columns to keep or, where these have
    no names, the names of all; these may also be int, such as ids of nodes.
new_words : {"grow", "freeze"}, default="grow"
    Controls what happens to words that a further fit on text is the first to meet
    (%(further_fits)s). With "grow", those that occur `min_count` times in its
    documents get rows after the others, up to `max_features` in all. With "freeze",
    or with `vocabulary`, they are left out.
input : {"content", "cooccurrence"}, default="content"
    What `fit` takes: documents, as text or as a matrix of shape
    (n_documents, n_words); or a square matrix of co-occurrence counts,
    words x contexts. `window`, `window_weighting`, `min_count` and the parameters
    of tokens do not apply to matrices.
missing : {"error", "empty"}, default="error"
    What becomes of missing documents (None, NaN, ``pd.NA``, ``NaT``): an error, or
    "empty" documents.
combine : %(combinations)s, default=%(default_combine)s
    Which vector stands for a word in `transform`. "sum" adds the context vector,
    scaled to the length of the word vector; "concat" concatenates the two.
pooling : str or object, default="tfidf"
    How the vectors of a document's words become one row: the name of a
    pooling, which is one of
    %(poolings)s,
    or an object with the methods ``fit`` and ``pool``; see :mod:`skembed.pooling`.
scale : %(scales)s, default="spherical"
    The scale of the features. `fit` learns it from the training documents, and
    `partial_fit` keeps it. "spherical" centres the columns and then makes each row
    3 long, which suits classifiers with default parameters. "standard" centres the
    columns, divides them by their standard deviations, and makes rows 3 long as
    root mean square. None leaves the pooled vectors as they are. A document
    without known words is a row of zeros.
norm : {"l2"}, default=None
    Scale each row to unit length, after `scale`.
dtype : {"auto", "float32", "float64"} or type, default="auto"
    Type of the features; "auto" is float64 for a matrix of float64, else float32.
    Vectors are float32.
random_state : int, RandomState instance or None, default=None
    Pass an int for the same bits on every run.
n_jobs : int or None, default=None
    Number of threads, by joblib's rules: None is 1 outside a
    :func:`joblib.parallel_config`, -1 all processors. The result does not depend
    on it.
verbose : int, default=0
    1: print a line for each %(steps)s, and one every ten seconds within them;
    2 or more: one every second.
memory : str, path or object with the joblib.Memory interface, default=None
    Keep %(kept)s of a text in this folder: another
    `fit` of the same documents, as in a grid search, reads them from there. A
    callable `analyzer` is known by its code, but not by that of other functions
    which it calls: clear the folder when these change.
""",
    "shared_attributes": r"""
vocabulary_ : dict of str to int
    Row of each word; by count, descending, then by word. Words are int where the
    columns of a matrix are labelled by int.
word_counts_ : ndarray of shape (n_words,), int64 or float64
    Occurrences of each word; float64 with sample weights or a matrix of floats.
    Of co-occurrence counts, the sum of each row.
pooling_ : object
    The fitted pooling.
feature_means_, feature_scales_ : ndarray of shape (n_features_out,), float64
    Means and standard deviations of the training documents' pooled vectors; not
    there with ``scale=None``.
n_features_in_ : int
    Columns of the matrix in `fit`; not there after a fit on text.
feature_names_in_ : ndarray of shape (`n_features_in_`,), object
    Their names, if all of them are str.
""",
    "context_vectors": r"""
context_vectors_ : ndarray of shape (n_words, n_components), float32
    Context vectors, as they enter the score; the same object as
    `word_vectors_` where the two are shared.
""",
    "context_signs": r"""
context_signs_ : ndarray of shape (n_components,), float32
    With ``share_context="signed"``: the sign of each dimension in the score.
""",
    "sampled_vectors": r"""
word_vectors_ : ndarray of shape (n_words, n_components), float32
    Word vectors. A word that was in no pair has zeros, unless it was drawn as a
    noise word and its context vector is its word vector.
""",
    "sampled_biases": r"""
word_biases_, context_biases_ : ndarray of shape (n_words,), float32
    Learned biases, with ``bias="word"`` only: `context_biases_` with two tables,
    both (the same object) with one.
""",
    "sampled_maps": r"""
context_map_ : ndarray of shape (n_components,) or (n_components, n_components)
    With "diagonal" the learned factors, with "bilinear" the matrix A; float32.
noise_vectors_ : ndarray of shape (n_words, n_components), float32
    With "noise" and "three": what scores of noise words are taken with.
""",
    "sided_vectors": r"""
left_context_vectors_, right_context_vectors_ : ndarray, float32
    With ``directional=True``: vectors of contexts on either side, of the shape of
    `context_vectors_`, which is their mean.
""",
    "loss_curves": r"""
loss_curve_ : ndarray of shape (`n_iter_`,), float64
    Mean objective per %(predicted)s and epoch%(unit)s.
validation_loss_curve_ : ndarray, float64
    With ``early_stopping=True``: the same of the %(held_out)s that are held out,
    after every epoch.
n_iter_ : int
    Number of epochs, of all fits that went on from each other.
""",
    "parameter_count": r"""
n_embedding_parameters_ : int
    Learned numbers: %(counted)s.
""",
    "determinism": r"""
The result does not depend on the process or the number of processors: tokens are
cut into a fixed number of lanes whose updates are added in a fixed order. Words
of a span share their noise words, weighted so that the expected gradient is that
of `negative` draws per pair. Updates of one row that were computed side by side
are added up to a bound on its curvature only, so that training stays finite at
learning rates that are too large.
""",
    "negative_dims": r"""
negative_dims : float or int, default=0.1
    Share of the dimensions that count negatively under "signed" (and do so at the
    start under "diagonal"), at least one; an int is their number. They come last.
""",
}
# A placeholder that has a line of its own, whose indentation its text gets; or another.
_PLACEHOLDER = re.compile(r"^( *)%\((\w+)\)s$|%\((\w+)\)s", re.MULTILINE)


def complete_docstring(**words: str) -> Callable[[type], type]:
    """Return a class decorator that fills in the placeholders of a docstring.

    A placeholder is ``%(name)s``. What it stands for is one of the texts above, a word
    that is given here, ``default_`` and the name of a parameter, or a list of allowed
    values.

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
        known = {**_TEXTS, **_values(estimator), **words}

        def text_of(match: re.Match[str]) -> str:
            indentation, block, word = match.groups()
            text = _PLACEHOLDER.sub(text_of, known[block or word].strip("\n"))
            return textwrap.indent(text, indentation) if block else text

        # Python's option -OO leaves no docstrings.
        if estimator.__doc__ is not None:
            estimator.__doc__ = _PLACEHOLDER.sub(text_of, estimator.__doc__)
        return estimator

    return decorate


def _values(estimator: Any) -> Mapping[str, str]:
    """Return the defaults and the allowed values of an estimator's parameters."""
    parameters = inspect.signature(estimator).parameters.values()
    held = strategies.strategies(estimator._method)
    items = [f"- {_code(one.name)}: {one.summary}" for one in held]
    return {
        **{f"default_{one.name}": _code(one.default) for one in parameters},
        "strategies": _choices(one.name for one in held),
        "strategy_list": _listed(items),
        "biases": _choices(bias.biases()),
        "window_weightings": _choices(WINDOW_WEIGHTINGS),
        "combinations": _choices(_features.COMBINATIONS),
        "poolings": ", ".join(map(_code, POOLINGS)),
        "scales": _choices(_features.SCALES),
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
