"""What scikit-learn users expect of an estimator, checked for every one of ours.

scikit-learn's own checks run on matrices; the others here are written for documents.
Those of a class have the parameter "estimator". Those of a fit have the parameter
"make", and run under every tying strategy. How many there are is asserted, so that
none can get lost.
"""

import ast
import contextlib
import copy
import hashlib
import inspect
import io
import os
import pickle
import re
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from fractions import Fraction
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.utils import estimator_checks, estimator_html_repr, get_tags

import skembed
from skembed import CBOWEmbedder, SGNSEmbedder, SoftmaxEmbedder, pooling
from skembed._base import BaseEmbedder
from skembed._counts.count import WINDOW_WEIGHTINGS
from skembed._tying import bias as _bias
from skembed._tying import strategies
from skembed.pooling import _features
from tests.benchmarks.common import public_embedders
from tests.helpers import (
    CHEAP,
    DOCUMENTS,
    ESTIMATORS,
    OTHER_DOCUMENTS,
    TOKENISED,
    WORDS,
    Once,
    TreeEmbedder,
    assert_same_fit,
    cheap,
    learned,
    same,
    sound_strategies,
)

LABELS = [0, 1] * (len(DOCUMENTS) // 2)
LEAST_SKLEARN_CHECKS = 54
N_CLASS_CHECKS = 12
N_FIT_CHECKS = 51


class Variant:
    """An estimator with a tying strategy; a call makes a fresh, unfitted one."""

    def __init__(self, estimator, share_context):
        self.estimator = estimator
        self.params = {"share_context": share_context}

    def __call__(self, **params):
        return cheap(self.estimator, **{**self.params, **params})

    @property
    def draws(self):
        """Whether the fit of a small vocabulary uses random numbers."""
        return "max_iter" in self.estimator._parameter_constraints

    @property
    def has_contexts(self):
        """Whether context vectors exist. A tree may have nodes in their place."""
        is_tree = self.estimator is TreeEmbedder
        return not is_tree or self.strategy.context_table == 0

    @property
    def combinations(self):
        """The values of `combine` that it can hold."""
        return _features.COMBINATIONS if self.has_contexts else ("word",)

    @property
    def strategy(self):
        return strategies.get_strategy(self.params["share_context"])


# Those with two tables once more without the compiler; the kernels' own tests see to
# the other strategies there.
VARIANTS = [
    pytest.param(
        Variant(estimator, strategy.name),
        id=f"{estimator.__name__}-{strategy.name}",
        marks=[pytest.mark.small] if strategy.name is False else [],
    )
    for estimator in CHEAP
    for strategy in sound_strategies(estimator)
]


# --- scikit-learn's own checks --------------------------------------------------------


def checks_that_fail(embedder):
    results = estimator_checks.check_estimator(embedder, on_skip=None, on_fail=None)
    assert len(results) >= LEAST_SKLEARN_CHECKS
    # It needs a setting of SciPy's that must be made before SciPy is loaded.
    return {
        result["check_name"]: str(result["exception"])
        for result in results
        if result["status"] != "passed"
        and result["check_name"] != "check_array_api_input"
    }


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_check_estimator(estimator):
    """scikit-learn runs all of its checks of a transformer, on matrices.

    One of them calls `partial_fit` after `fit`. Estimators that add up counts need
    ``warm_start=True`` for that.
    """
    failed = checks_that_fail(estimator())
    if "_counts" in estimator._state:
        assert "warm_start=True" in failed.pop("check_fit_score_takes_y")
        estimator_checks.check_fit_score_takes_y(
            estimator.__name__, estimator(warm_start=True)
        )
    assert not failed


# --- checks of a class ----------------------------------------------------------------


def parameters(estimator):
    signature = dict(inspect.signature(estimator.__init__).parameters)
    del signature["self"]
    return signature


def parsed(docstring):
    """A docstring by sections; needs numpydoc, which the extra dev brings."""
    return pytest.importorskip("numpydoc.docscrape").NumpyDocString(docstring)


def documented(estimator, section):
    """Name -> type of each entry of a section of a class's docstring."""
    entries = parsed(inspect.getdoc(estimator))[section]
    return {
        name.strip(): entry.type for entry in entries for name in entry.name.split(",")
    }


@pytest.mark.small
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_all_but_the_first_parameter_are_keyword_only(estimator):
    first, *others = parameters(estimator).values()
    assert first.name == "n_components"
    assert first.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    assert {other.kind for other in others} == {inspect.Parameter.KEYWORD_ONLY}
    assert estimator(7).n_components == 7
    with pytest.raises(TypeError, match="positional"):
        estimator(7, True)


@pytest.mark.small
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_every_parameter_has_constraints(estimator):
    assert estimator._parameter_constraints.keys() == parameters(estimator).keys()
    assert BaseEmbedder._parameter_constraints.keys() <= parameters(estimator).keys()


@pytest.mark.small
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_every_parameter_is_documented_in_order(estimator):
    assert list(documented(estimator, "Parameters")) == list(parameters(estimator))


@pytest.mark.small
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_documented_defaults_are_the_defaults(estimator):
    kinds = documented(estimator, "Parameters")
    for name, parameter in parameters(estimator).items():
        _, _, default = kinds[name].partition("default=")
        assert ast.literal_eval(default) == parameter.default, name


# A shift of all scores does not change a softmax.
NO_BIASES = {SoftmaxEmbedder: {"shift"}}


@pytest.mark.small
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_documented_choices_are_the_choices(estimator):
    choices = {
        "bias": set(_bias.biases()) - NO_BIASES.get(estimator, set()),
        "combine": set(_features.COMBINATIONS),
        "window_weighting": set(WINDOW_WEIGHTINGS),
    }
    kinds = documented(estimator, "Parameters")
    for name in choices.keys() & kinds.keys():
        listed = re.match(r"\{.*?\}", kinds[name]).group()
        assert ast.literal_eval(listed) == choices[name], name
    lines = parsed(inspect.cleandoc(estimator.__doc__))["Parameters"]
    (described,) = (text for name, _, text in lines if name == "pooling")
    listed = re.findall('"([^"]*)"', "\n".join(described))
    assert listed == list(pooling.POOLINGS)
    (described,) = (text for name, _, text in lines if name == "share_context")
    items = re.findall(r"^- (\S+):", "\n".join(described), re.MULTILINE)
    allowed = [one.name for one in strategies.strategies(estimator._method)]
    assert [ast.literal_eval(item) for item in items] == allowed


@pytest.mark.small
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_tokenising_defaults_are_those_of_tfidf(estimator):
    from sklearn.feature_extraction.text import TfidfVectorizer

    ours, theirs = estimator().get_params(), TfidfVectorizer().get_params()
    # Those two are of features, whose meaning is another.
    shared = (ours.keys() & theirs.keys()) - {"norm", "dtype"}
    assert shared >= {"analyzer", "lowercase", "strip_accents", "stop_words"}
    assert shared >= {"token_pattern", "max_features", "vocabulary"}
    assert {name: ours[name] for name in shared} == {n: theirs[n] for n in shared}


@pytest.mark.small
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_signatures_of_methods(estimator):
    for name in ("fit", "fit_transform"):
        signature = inspect.signature(getattr(estimator, name)).parameters
        assert list(signature) == ["self", "X", "y", "sample_weight"]
        assert signature["y"].default is None
        assert signature["sample_weight"].default is None
    assert list(inspect.signature(estimator.transform).parameters) == ["self", "X"]


@pytest.mark.small
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_tags_are_truthful(estimator):
    tags = get_tags(estimator())
    assert tags.requires_fit
    assert tags.input_tags.string
    assert tags.input_tags.two_d_array
    assert tags.input_tags.sparse
    assert tags.input_tags.positive_only
    # Cross-validation would cut the columns of documents, too.
    assert not tags.input_tags.pairwise
    assert not tags.input_tags.allow_nan
    assert not tags.target_tags.required
    assert tags.transformer_tags is not None


@pytest.mark.small
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_estimator_is_public(estimator):
    assert estimator.__name__ in skembed.__all__
    assert issubclass(estimator, BaseEmbedder)
    assert estimator in CHEAP


NAN = float("nan")
INVALID = {
    "n_components": [0, -1, 2.5, "3", None, NAN],
    "share_context": ["tied", "True", 0, 1, None, NAN],
    "window": [0, 2.5, None],
    "window_weighting": ["linear", None, 1],
    "analyzer": ["words", None, 3],
    "lowercase": ["yes", 1, None],
    "strip_accents": ["latin", True],
    "stop_words": ["german", {"the"}, ("the",)],
    "token_pattern": ["[", None, 3, re.compile("a")],
    "min_count": [0, 1.5, None],
    "max_features": [0, 0.5, "all"],
    "vocabulary": [3, "amber", b"amber", [], ["a", "a"], {"a": 1}, [1], {"a": None}],
    "new_words": ["add", None, True],
    "combine": ["mean", None, ["word"]],
    "input": ["filename", None],
    "missing": ["drop", None, True],
    "pooling": ["median", None, 3],
    "scale": ["l2", 1.0, True, ["standard"]],
    "norm": ["l1", "max", 2],
    "dtype": ["float16", np.int64, None],
    "memory": [3, True],
    "random_state": ["seed", -1, 0.5],
    "n_jobs": [0, 1.5, "all"],
    "aggregation": ["max", None],
    "verbose": [-1, "yes", None],
    "bias": ["nonsense", True, 1],
    "loss": ["hs", None, 1],
    "l2": [-1e-3, NAN, None, "auto"],
    "n_draws": [-1, 2.5, None, "all"],
    "negative": [0, 2.5, None],
    "noise_exponent": [-0.1, NAN, None],
    "subsample": [-1e-3, NAN, None],
    "learning_rate": [0, -1.0, NAN, "auto"],
    "max_iter": [0, 1.5, None],
    "early_stopping": ["yes", 1, None],
    "validation_fraction": [0.0, 1.0, 1, -0.1, NAN, "half"],
    "n_iter_no_change": [0, 1.5, None],
    "tol": [-1e-4, NAN, None],
    "warm_start": ["yes", 1, None],
    "init": [{"amber"}, 3, [[0.0, 1.0, 2.0]], {"amber": [1.0]}, {"amber": [NAN] * 3}],
    "x_max": [0, -1.0, NAN],
    "alpha": [-0.1, NAN],
    "negative_dims": [-1, 1.5, NAN, None, "half", 4],
    "directional": ["left", 1, None],
    "direction": ["up", True, None],
    "update": ["context", None, True],
    "exclude_window_noise": ["yes", 1, None],
    "shift": [0.5, NAN, None],
    "context_exponent": [-1.0, NAN],
    "singular_exponent": [-0.1, 1.1, NAN],
}


@pytest.mark.small
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_invalid_values_are_refused_by_fit(estimator):
    """By name, before anything is learned, and leaving an earlier fit as it was."""
    fitted = cheap(estimator).fit(DOCUMENTS)
    before = copy.deepcopy(learned(fitted))
    assert parameters(estimator).keys() <= INVALID.keys()
    for name, parameter in parameters(estimator).items():
        for value in INVALID[name]:
            embedder = cheap(estimator, **{name: value})
            for method in (embedder.fit, embedder.fit_transform):
                with pytest.raises(ValueError, match=name):
                    method(DOCUMENTS)
                assert not learned(embedder)
            valid = getattr(fitted, name, parameter.default)
            fitted.set_params(**{name: value})
            with pytest.raises(ValueError, match=name):
                fitted.fit(OTHER_DOCUMENTS)
            fitted.set_params(**{name: valid})
    assert all(same(value, before[name]) for name, value in learned(fitted).items())


# --- checks of a fit ------------------------------------------------------------------


@pytest.mark.parametrize("make", VARIANTS)
def test_fit_returns_self(make):
    embedder = make()
    assert embedder.fit(DOCUMENTS) is embedder
    assert embedder.fit(DOCUMENTS, LABELS) is embedder


@pytest.mark.parametrize("make", VARIANTS)
def test_two_estimators_learn_the_same(make):
    assert_same_fit(make().fit(DOCUMENTS), make().fit(DOCUMENTS))


@pytest.mark.parametrize("make", VARIANTS)
def test_fit_is_idempotent(make):
    embedder = make().fit(DOCUMENTS)
    before = copy.deepcopy(embedder)
    assert_same_fit(embedder.fit(DOCUMENTS), before)


@pytest.mark.parametrize("make", VARIANTS)
def test_y_is_ignored(make):
    assert_same_fit(make().fit(DOCUMENTS, LABELS), make().fit(DOCUMENTS))


@pytest.mark.parametrize("make", VARIANTS)
def test_refit_on_other_documents_forgets_the_first(make):
    embedder = make().fit(DOCUMENTS)
    assert_same_fit(embedder.fit(OTHER_DOCUMENTS), make().fit(OTHER_DOCUMENTS))
    assert "inlet" in embedder.vocabulary_


@pytest.mark.parametrize("make", VARIANTS)
def test_refit_with_other_parameters_forgets_the_first(make):
    """No attribute of another strategy or bias is left behind."""
    for strategy in sound_strategies(make.estimator):
        others = {"share_context": strategy.name}
        if make.estimator in (SGNSEmbedder, CBOWEmbedder):
            others["bias"] = "word"
        embedder = make(**others).fit(OTHER_DOCUMENTS)
        embedder.set_params(**make().get_params()).fit(DOCUMENTS)
        assert_same_fit(embedder, make().fit(DOCUMENTS))


@pytest.mark.parametrize("make", VARIANTS)
def test_fit_after_an_error_is_a_fresh_fit(make):
    embedder = make()
    with pytest.raises(ValueError, match="Document 1"):
        embedder.fit([DOCUMENTS[0], None])
    assert not learned(embedder)
    assert_same_fit(embedder.fit(DOCUMENTS), make().fit(DOCUMENTS))


@pytest.mark.parametrize("make", VARIANTS)
def test_failing_fit_keeps_the_earlier_one(make):
    embedder = make().fit(DOCUMENTS)
    before = copy.deepcopy(embedder)
    for X in ([*OTHER_DOCUMENTS, None], [], ["lonely"], "amber birch"):
        with pytest.raises(ValueError, match=r"Document|document|str"):
            embedder.fit(X)
        assert_same_fit(embedder, before)


@pytest.mark.parametrize("make", VARIANTS)
def test_fit_changes_no_parameter(make):
    embedder = make(stop_words=["amber"], vocabulary=set(WORDS[1:]))
    before = embedder.get_params(deep=False)
    vocabulary, stop_words = set(embedder.vocabulary), list(embedder.stop_words)
    embedder.fit(DOCUMENTS)
    after = embedder.get_params(deep=False)
    assert all(after[name] is value for name, value in before.items())
    assert embedder.vocabulary == vocabulary
    assert embedder.stop_words == stop_words


@pytest.mark.parametrize("make", VARIANTS)
def test_fit_adds_only_names_that_say_so(make):
    embedder = make()
    assert vars(embedder).keys() == embedder.get_params().keys()
    for name in learned(embedder.fit(DOCUMENTS)):
        assert name.startswith("_") or name.endswith("_")


def is_one_object(embedder):
    """Whether word and context vectors are the same; a tree may lack the latter."""
    return getattr(embedder, "context_vectors_", None) is embedder.word_vectors_


@pytest.mark.parametrize("make", VARIANTS)
def test_pickle(make):
    embedder = make().fit(DOCUMENTS)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(embedder, protocol=protocol))
        assert_same_fit(again, embedder)
        assert same(again.transform(DOCUMENTS), embedder.transform(DOCUMENTS))
        assert is_one_object(again) == is_one_object(embedder)
        assert again.get_params() == embedder.get_params()
    unfitted = pickle.loads(pickle.dumps(make()))
    assert_same_fit(unfitted.fit(DOCUMENTS), embedder)


@pytest.mark.parametrize("make", VARIANTS)
def test_joblib_dump(make):
    """Also with arrays that are memory maps which cannot be written to."""
    embedder = make().fit(DOCUMENTS)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "embedder.joblib"
        joblib.dump(embedder, path)
        for mmap_mode in (None, "r"):
            again = joblib.load(path, mmap_mode=mmap_mode)
            assert again.word_vectors_.flags.writeable == (mmap_mode is None)
            assert same(again.transform(DOCUMENTS), embedder.transform(DOCUMENTS))
            assert same(
                again.score_pairs(WORDS, WORDS), embedder.score_pairs(WORDS, WORDS)
            )
            assert_same_fit(again.fit(DOCUMENTS), embedder)


@pytest.mark.parametrize("make", VARIANTS)
def test_clone_keeps_parameters_and_forgets_the_fit(make):
    embedder = make(verbose=False, stop_words=["amber"]).fit(DOCUMENTS)
    again = clone(embedder)
    assert again.get_params() == embedder.get_params()
    assert not learned(again)
    assert_same_fit(again.fit(DOCUMENTS), embedder)


@pytest.mark.parametrize("make", VARIANTS)
def test_not_fitted(make):
    embedder = make()
    name = f"This {make.estimator.__name__} instance is not fitted yet"
    for method, arguments in [
        (embedder.transform, (DOCUMENTS,)),
        (embedder.transform, (None,)),
        (embedder.get_feature_names_out, ()),
        (embedder.score_pairs, ("amber", "birch")),
    ]:
        with pytest.raises(NotFittedError, match=name):
            method(*arguments)


@pytest.mark.parametrize("make", VARIANTS)
def test_learned_attributes_are_as_documented(make):
    """Every public one is documented, with its shape and dtype."""
    embedder = make().fit(DOCUMENTS)
    kinds = documented(make.estimator, "Attributes")
    public = {name for name in learned(embedder) if not name.startswith("_")}
    assert public <= kinds.keys()
    assert public >= {"vocabulary_", "word_counts_", "n_embedding_parameters_"}
    assert public >= {"word_vectors_"}
    assert ("context_vectors_" in public) == make.has_contexts
    sizes = {"n_words": len(WORDS), "n_components": embedder.n_components}
    sizes |= {"n_words - 1": len(WORDS) - 1, "2": 2}
    sizes["n_features_out"] = len(embedder.get_feature_names_out())
    sizes["`n_iter_`"] = getattr(embedder, "n_iter_", None)
    for name in public:
        value = getattr(embedder, name)
        array = re.match(r"ndarray of shape \((.*?),?\), (\w+)", kinds[name])
        if array is None:
            kind = kinds[name].split()[0]
            assert type(value).__name__ == kind or kind == "object", name
            continue
        assert isinstance(value, np.ndarray), name
        assert value.shape == tuple(sizes[n] for n in array[1].split(", ")), name
        assert value.dtype == np.dtype(array[2]), name
        assert np.isfinite(value).all(), name
        assert value.flags.c_contiguous, name


@pytest.mark.parametrize("make", VARIANTS)
def test_rows_of_the_vocabulary(make):
    embedder = make().fit(DOCUMENTS)
    counts = Counter(word for tokens in TOKENISED for word in tokens)
    expected = sorted(counts, key=lambda word: (-counts[word], word))
    assert list(embedder.vocabulary_.items()) == list(
        zip(expected, range(len(expected)), strict=True)
    )
    assert embedder.word_counts_.tolist() == [counts[word] for word in expected]


@pytest.mark.parametrize("make", VARIANTS)
def test_number_of_embedding_parameters(make):
    embedder = make().fit(DOCUMENTS)
    expected = make.strategy.n_tables * embedder.word_vectors_.size
    # A tree has one inner node less than words.
    expected -= 0 if make.has_contexts else embedder.n_components
    expected += np.size(getattr(embedder, "context_map_", ()))
    names = [n for n in ("word_biases_", "context_biases_") if hasattr(embedder, n)]
    expected += sum({id(b): b.size for b in map(vars(embedder).get, names)}.values())
    assert embedder.n_embedding_parameters_ == expected


@pytest.mark.parametrize("make", VARIANTS)
def test_shared_vectors_are_one_object(make):
    embedder = make().fit(DOCUMENTS)
    assert is_one_object(embedder) == (make.params["share_context"] is True)
    signed = make.params["share_context"] == "signed"
    if signed:
        np.testing.assert_allclose(
            np.abs(embedder.context_vectors_),
            np.abs(embedder.word_vectors_),
            rtol=1e-6,
        )
    assert hasattr(embedder, "context_signs_") == signed


@pytest.mark.parametrize("make", VARIANTS)
def test_transform_gives_float32(make):
    embedder = make()
    for features in (embedder.fit_transform(DOCUMENTS), embedder.transform(DOCUMENTS)):
        assert isinstance(features, np.ndarray)
        assert features.dtype == np.float32
        assert features.shape == (len(DOCUMENTS), 3)
        assert np.isfinite(features).all()
        assert features.any(axis=1).all()
        assert features.flags.c_contiguous
        assert features.flags.writeable


@pytest.mark.parametrize("make", VARIANTS)
def test_fit_transform_equals_fit_and_transform(make):
    for X in (DOCUMENTS, TOKENISED, [*DOCUMENTS, "", "zebra"]):
        first, second = make(min_count=2), make(min_count=2)
        assert same(first.fit_transform(X), second.fit(X).transform(X))
        assert_same_fit(first, second)
        assert same(first.fit_transform(X, LABELS), second.transform(X))


@pytest.mark.parametrize("make", VARIANTS)
def test_transform_learns_nothing(make):
    embedder = make().fit(DOCUMENTS)
    before = copy.deepcopy(embedder)
    first = embedder.transform(DOCUMENTS)
    embedder.transform(OTHER_DOCUMENTS)
    assert same(embedder.transform(DOCUMENTS), first)
    assert_same_fit(embedder, before)


@pytest.mark.parametrize("make", VARIANTS)
def test_transform_does_not_depend_on_the_order(make):
    embedder = make().fit(DOCUMENTS)
    order = np.random.default_rng(0).permutation(len(DOCUMENTS))
    shuffled = embedder.transform([DOCUMENTS[i] for i in order])
    assert same(shuffled, embedder.transform(DOCUMENTS)[order])


@pytest.mark.parametrize("make", VARIANTS)
def test_transform_does_not_depend_on_the_batch(make):
    embedder = make().fit(DOCUMENTS)
    whole = embedder.transform(DOCUMENTS)
    for size in (1, 7):
        batches = [
            embedder.transform(DOCUMENTS[first : first + size])
            for first in range(0, len(DOCUMENTS), size)
        ]
        assert same(np.vstack(batches), whole)


@pytest.mark.parametrize("make", VARIANTS)
def test_raw_and_tokenised_documents_are_equal(make):
    first, second = make(), make()
    assert same(first.fit_transform(DOCUMENTS), second.fit_transform(TOKENISED))
    assert_same_fit(first, second)
    assert same(first.transform(TOKENISED), first.transform(DOCUMENTS))


@pytest.mark.parametrize("make", VARIANTS)
def test_coverage_is_the_share_of_known_tokens(make):
    """Stop words are no tokens; 0 is also for a document without any."""
    words = ["birch", "cedar", "delta"]
    embedder = make(n_components=1, stop_words=["amber"], vocabulary=words)
    embedder.fit(DOCUMENTS)
    documents = [*OTHER_DOCUMENTS, "amber birch ember", "amber", "", "!", "unknown"]
    expected = []
    for text in documents:
        tokens = re.findall(r"\w\w+", text.lower())
        tokens = [word for word in tokens if word != "amber"]
        known = sum(word in embedder.vocabulary_ for word in tokens)
        expected.append(float(Fraction(known, max(1, len(tokens)))))
    assert expected[-5:] == [0.5, 0.0, 0.0, 0.0, 0.0]
    found = embedder.coverage(documents)
    assert (found.dtype, found.shape) == (np.float64, (len(documents),))
    assert found.tolist() == expected
    tokenised = [re.findall(r"\w\w+", text.lower()) for text in documents]
    for same_documents in (iter(documents), pd.Series(documents), tokenised):
        assert embedder.coverage(same_documents).tolist() == expected
    known = embedder.transform(documents).any(axis=1)
    assert (known <= (found > 0)).all()
    assert embedder.coverage(np.eye(3)).tolist() == [1.0, 1.0, 1.0]
    embedder.set_params(missing="empty")
    assert embedder.coverage(["birch", None]).tolist() == [1.0, 0.0]
    with pytest.raises(NotFittedError):
        make().coverage(documents)


@pytest.mark.parametrize("make", VARIANTS)
def test_coverage_of_a_matrix_weighs_its_entries(make):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 9, size=(12, 6)) * rng.choice(
        [1e-300, 0.1, 1.0, 2e307], (12, 1)
    )
    X[3], X[4, 1:], X[5, :5] = 0.0, 0.0, 0.0
    names = [f"w{i}" for i in range(6)]
    frame = pd.DataFrame(X, columns=names)
    fitted_on = pd.DataFrame(rng.integers(1, 9, size=(12, 6)), columns=names)
    chosen = {"vocabulary": ["w4", "w0"]}, {"max_features": 3}, {}
    for params in chosen:
        embedder = make(n_components=1, **params).fit(fitted_on)
        is_known = np.isin(names, list(embedder.vocabulary_))
        assert is_known.sum() == (
            len(params.get("vocabulary", ())) or 3 * len(params) or 6
        )
        expected = []
        for row in X:
            numbers = [Fraction(value) for value in row]
            known = sum(
                n for n, is_one in zip(numbers, is_known, strict=True) if is_one
            )
            expected.append(float(known / (sum(numbers) or 1)))
        found = embedder.coverage(frame)
        assert ((found >= 0.0) & (found <= 1.0)).all()
        np.testing.assert_allclose(found, expected, rtol=1e-14)
    with pytest.raises(ValueError, match="feature"):
        embedder.coverage(frame[names[:5]])
    text = embedder.coverage(["w1 w2 other", "other"])
    np.testing.assert_allclose(text, [2 / 3, 0])
    unnamed = make(n_components=1).fit(fitted_on.to_numpy())
    with pytest.raises(ValueError, match="does not know the words"):
        unnamed.coverage(["w1"])


@pytest.mark.parametrize("make", VARIANTS)
def test_empty_and_unknown_documents_become_zeros(make):
    known = make().fit(DOCUMENTS)
    for combine in make.combinations:
        # Read where the features are made: no other fit is needed.
        embedder = copy.deepcopy(known).set_params(combine=combine)
        if combine != known.combine:
            embedder.set_params(scale=None)  # which is that of the other features
        for X in (["", "zebra yak", "amber", "?!"], [[], ["zebra"], ["amber"], []]):
            features = embedder.transform(X)
            np.testing.assert_array_equal(features[[0, 1, 3]], 0.0)
            assert features[2].any() or combine == "sum"
        nothing = embedder.transform(["zebra", ""])
        np.testing.assert_array_equal(nothing, np.zeros_like(features[:2]))
        none = embedder.transform([])
        assert none.shape == (0, features.shape[1])
        assert none.dtype == np.float32
    # Unknown words do not dilute a document either.
    assert same(known.transform(["amber"]), known.transform(["zebra amber yak"]))


@pytest.mark.parametrize("make", VARIANTS)
def test_empty_documents_may_take_part_in_fit(make):
    X = ["", *DOCUMENTS[:5], "", *DOCUMENTS[5:], "?"]
    embedder = make()
    features = embedder.fit_transform(X)
    empty = [not text.strip("?") for text in X]
    np.testing.assert_array_equal(features[empty], 0.0)
    assert same(embedder.word_vectors_, make().fit(DOCUMENTS).word_vectors_)


ODD_CORPORA = {
    "two words": [["a", "b"]] * 3,
    "one word": [["a", "a", "a"]],
    "one pair": [["a", "b"]],
    "one document": [[word for tokens in TOKENISED for word in tokens]],
    "mostly empty": [[], ["a", "b"], [], ["c"], []],
    "hapaxes": [[f"w{i}", f"w{i + 1}", f"w{i + 2}"] for i in range(0, 30, 3)],
    "one frequent word": [["a"] * 30 + ["b", "c", "a", "a"]],
    "two islands": [["a", "b"]] * 4 + [["c", "d"]] * 4,
}


@pytest.mark.parametrize("make", VARIANTS)
def test_nothing_is_ever_nan(make):
    for name, X in ODD_CORPORA.items():
        for n_components in (1, 20):
            embedder = make(n_components=n_components)
            features = embedder.fit_transform(X)
            assert features.shape == (len(X), n_components), name
            words = list(embedder.vocabulary_)
            scores = embedder.score_pairs(np.array(words)[:, None], words)
            for values in (features, scores, *learned(embedder).values()):
                if isinstance(values, np.ndarray):
                    assert np.isfinite(values).all(), name


@pytest.mark.parametrize("make", VARIANTS)
def test_feature_names(make):
    prefix = make.estimator.__name__.lower()
    plain = [f"{prefix}{i}" for i in range(3)]
    parted = [f"{prefix}_{part}{i}" for part in ("word", "context") for i in range(3)]
    embedder = make().fit(DOCUMENTS)
    for combine in make.combinations:
        embedder.set_params(combine=combine, scale=None)
        names = embedder.get_feature_names_out()
        assert isinstance(names, np.ndarray)
        assert names.dtype == object
        assert names.tolist() == (parted if combine == "concat" else plain)
        assert names.size == embedder.transform(DOCUMENTS).shape[1]
        for ignored in (["text"], np.array(["a", "b"], dtype=object)):
            assert embedder.get_feature_names_out(ignored).tolist() == names.tolist()


class Lengths(TransformerMixin, BaseEstimator):
    """As little as scikit-learn needs to put out frames."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return np.array([[len(text)] for text in np.ravel(X)])

    def get_feature_names_out(self, input_features=None):
        return np.array(["length"], dtype=object)


@pytest.mark.parametrize("make", VARIANTS)
def test_set_output_pandas(make):
    expected = make().fit_transform(DOCUMENTS)
    index = [f"row{i // 2}" for i in range(len(DOCUMENTS))]
    embedder = make().set_output(transform="pandas")
    # Not all versions of scikit-learn keep the index of a Series.
    by_sklearn = Lengths().set_output(transform="pandas").transform
    series = pd.Series(DOCUMENTS, index=index)
    for X, wanted in [
        (DOCUMENTS, list(range(len(DOCUMENTS)))),
        (series, by_sklearn(series).index.tolist()),
        (series.to_frame(), index),
    ]:
        for frame in (embedder.fit_transform(X), embedder.transform(X)):
            assert isinstance(frame, pd.DataFrame)
            assert frame.index.tolist() == wanted
            assert list(frame.columns) == list(embedder.get_feature_names_out())
            assert set(frame.dtypes) == {np.dtype(np.float32)}
            np.testing.assert_array_equal(frame.to_numpy(), expected)
    if make.has_contexts:
        embedder.set_params(combine="concat", scale=None)
        assert embedder.transform(DOCUMENTS).shape == (len(DOCUMENTS), 6)
    embedder.set_output(transform="default")
    assert isinstance(embedder.transform(DOCUMENTS), np.ndarray)


@pytest.mark.parametrize("make", VARIANTS)
def test_set_output_polars(make):
    expected = make().fit_transform(DOCUMENTS)
    embedder = make().set_output(transform="polars")
    for X in (DOCUMENTS, pl.Series(DOCUMENTS), pl.DataFrame({"text": DOCUMENTS})):
        for frame in (embedder.fit_transform(X), embedder.transform(X)):
            assert isinstance(frame, pl.DataFrame)
            assert frame.columns == list(embedder.get_feature_names_out())
            assert set(frame.dtypes) == {pl.Float32}
            np.testing.assert_array_equal(frame.to_numpy(), expected)


@pytest.mark.parametrize("make", VARIANTS)
def test_global_set_output(make):
    embedder = make()
    with config_context(transform_output="pandas"):
        assert isinstance(embedder.fit_transform(DOCUMENTS), pd.DataFrame)
    assert isinstance(embedder.transform(DOCUMENTS), np.ndarray)


@pytest.mark.parametrize("make", VARIANTS)
def test_pipeline(make):
    pipeline = make_pipeline(make(), LogisticRegression())
    assert pipeline.fit(DOCUMENTS, LABELS).predict(DOCUMENTS).shape == (20,)
    assert same(pipeline[:-1].transform(DOCUMENTS), make().fit_transform(DOCUMENTS))
    assert pipeline[:-1].get_feature_names_out().size == 3
    assert pipeline[-1].n_features_in_ == 3
    again = pickle.loads(pickle.dumps(pipeline))
    assert same(again.predict_proba(DOCUMENTS), pipeline.predict_proba(DOCUMENTS))


@pytest.mark.parametrize("make", VARIANTS)
def test_column_transformer(make):
    frame = pd.DataFrame({"text": DOCUMENTS, "length": 6.0, "title": DOCUMENTS[::-1]})
    columns = ColumnTransformer(
        [
            ("body", make(), "text"),
            ("title", make(n_components=2), "title"),
            ("rest", "passthrough", ["length"]),
        ]
    )
    features = columns.fit_transform(frame)
    assert features.shape == (len(DOCUMENTS), 3 + 2 + 1)
    np.testing.assert_array_equal(features[:, :3], make().fit_transform(DOCUMENTS))
    np.testing.assert_array_equal(columns.transform(frame), features)
    prefix = make.estimator.__name__.lower()
    names = columns.get_feature_names_out()
    assert names[0] == f"body__{prefix}0"
    assert names[3] == f"title__{prefix}0"
    columns.set_output(transform="pandas")
    assert list(columns.fit_transform(frame).columns) == list(names)
    # A list of one column hands over a frame.
    framed = ColumnTransformer([("body", make(), ["text"])]).fit_transform(frame)
    np.testing.assert_array_equal(framed, features[:, :3])


@pytest.mark.parametrize("make", VARIANTS)
def test_feature_union(make):
    union = FeatureUnion([("small", make(n_components=1)), ("wide", make(window=4))])
    features = union.fit_transform(DOCUMENTS)
    assert features.shape == (len(DOCUMENTS), 4)
    np.testing.assert_array_equal(union.transform(DOCUMENTS), features)
    assert union.get_feature_names_out().size == 4


@pytest.mark.parametrize("make", VARIANTS)
def test_grid_search(make):
    pipeline = make_pipeline(make(), LogisticRegression())
    name = make.estimator.__name__.lower()
    grid = {f"{name}__n_components": [2, 4], f"{name}__window": [1, 3]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise")
    search.fit(DOCUMENTS, LABELS)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    best = search.best_estimator_[0]
    assert best.word_vectors_.shape[1] == search.best_params_[f"{name}__n_components"]
    assert not learned(pipeline[0])


@pytest.mark.parametrize("make", VARIANTS)
def test_documents_stay_as_they_are(make):
    for X in (
        list(DOCUMENTS),
        [list(tokens) for tokens in TOKENISED],
        np.array(DOCUMENTS, dtype=object),
        pd.Series(DOCUMENTS),
        pd.DataFrame({"text": DOCUMENTS}),
    ):
        before = copy.deepcopy(X)
        make(stop_words=["amber"]).fit(X).transform(X)
        assert type(X) is type(before)
        assert np.array_equal(np.array(X), np.array(before))


@pytest.mark.parametrize("make", VARIANTS)
def test_read_only_documents(make):
    expected = make().fit_transform(DOCUMENTS)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "documents.npy"
        np.save(path, np.array(DOCUMENTS))
        for X in (
            np.array(DOCUMENTS, dtype=object),
            np.array(DOCUMENTS),
            np.load(path, mmap_mode="r"),
        ):
            X.flags.writeable = False
            assert same(make().fit_transform(X), expected)


@pytest.mark.parametrize("make", VARIANTS)
def test_generators_are_consumed_once(make):
    n_next = len(DOCUMENTS) + 1
    embedder = make()
    for method in (embedder.fit, embedder.transform, embedder.fit_transform):
        for documents in (DOCUMENTS, TOKENISED):
            once = Once(documents)
            method(once)
            assert (once.n_iter, once.n_next) == (1, n_next)
    assert_same_fit(make().fit(text for text in DOCUMENTS), make().fit(DOCUMENTS))


@pytest.mark.parametrize("make", VARIANTS)
def test_documents_are_tokenised_once(make):
    seen = []

    def analyzer(text):
        seen.append(text)
        return text.split()

    embedder = make(analyzer=analyzer)
    embedder.fit_transform(DOCUMENTS)
    assert seen == DOCUMENTS
    embedder.transform(DOCUMENTS)
    assert seen == DOCUMENTS * 2
    embedder.fit(DOCUMENTS)
    assert seen == DOCUMENTS * 3


@pytest.mark.parametrize("make", VARIANTS)
def test_random_state(make):
    seven = make(random_state=7).fit(DOCUMENTS)
    assert_same_fit(make(random_state=7).fit(DOCUMENTS), seven)
    instance = np.random.RandomState(7)
    embedder = make(random_state=instance)
    assert_same_fit(embedder.fit(DOCUMENTS), seven)
    # The instance has moved on, as everywhere in scikit-learn.
    moved = same(embedder.fit(DOCUMENTS).word_vectors_, seven.word_vectors_)
    assert moved != make.draws
    for random_state in (8, None):
        other = make(random_state=random_state).fit(DOCUMENTS)
        assert same(other.word_vectors_, seven.word_vectors_) != make.draws
    unseeded = make(random_state=None)
    first = unseeded.fit(DOCUMENTS).word_vectors_
    assert same(unseeded.fit(DOCUMENTS).word_vectors_, first) != make.draws


@pytest.mark.parametrize("make", VARIANTS)
def test_global_random_state_is_left_alone(make):
    # A few draws move the position only; the key changes every 624 of them.
    before = pickle.dumps(np.random.get_state())  # noqa: NPY002
    make(random_state=0).fit_transform(DOCUMENTS)
    assert pickle.dumps(np.random.get_state()) == before  # noqa: NPY002


@pytest.mark.parametrize("make", VARIANTS)
def test_fits_in_threads_are_equal(make):
    expected = make().fit(DOCUMENTS)
    fits = joblib.Parallel(n_jobs=2, backend="threading")(
        joblib.delayed(make().fit)(DOCUMENTS) for _ in range(4)
    )
    for fitted in fits:
        assert_same_fit(fitted, expected)


@pytest.mark.parametrize("make", VARIANTS)
def test_numpy_scalars_as_parameters(make):
    name = make.params["share_context"]
    embedder = make(
        n_components=np.int64(3),
        window=np.int32(2),
        min_count=np.int16(1),
        lowercase=np.True_,
        share_context=np.str_(name) if isinstance(name, str) else np.bool_(name),
        random_state=np.int64(0),
    )
    assert_same_fit(embedder.fit(DOCUMENTS), make().fit(DOCUMENTS))


@pytest.mark.parametrize("make", VARIANTS)
def test_verbose_only_prints(make):
    silent, spoken = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(silent):
        expected = make().fit(DOCUMENTS)
    with contextlib.redirect_stdout(spoken):
        embedder = make(verbose=1).fit(DOCUMENTS)
    assert silent.getvalue() == ""
    lines = spoken.getvalue().splitlines()
    assert lines
    assert all(line.startswith(f"[{make.estimator.__name__}] ") for line in lines)
    assert_same_fit(embedder, expected)


@pytest.mark.parametrize("make", VARIANTS)
def test_score_pairs(make):
    embedder = make().fit(DOCUMENTS)
    table = embedder.score_pairs(np.array(WORDS)[:, None], WORDS)
    assert table.shape == (len(WORDS), len(WORDS))
    assert table.dtype == np.float32
    assert np.isfinite(table).all()
    np.testing.assert_array_equal(embedder.score_pairs(WORDS, WORDS), np.diag(table))
    np.testing.assert_array_equal(embedder.score_pairs("cedar", WORDS), table[2])
    single = embedder.score_pairs("cedar", "amber")
    assert np.ndim(single) == 0
    assert single == table[2, 0]
    assert embedder.score_pairs([], []).shape == (0,)
    for words in ("zebra", ["amber", "zebra"]):
        with pytest.raises(ValueError, match="'zebra' is not in the vocabulary of 8"):
            embedder.score_pairs(words, "amber")
        with pytest.raises(ValueError, match="'zebra' is not in the vocabulary of 8"):
            embedder.score_pairs("amber", words)


@pytest.mark.parametrize("make", VARIANTS)
def test_repr(make):
    embedder = make()
    text = repr(embedder)
    assert text.startswith(f"{make.estimator.__name__}(")
    assert "n_components=3" in text
    assert "strip_accents" not in text
    assert repr(embedder.fit(DOCUMENTS)) == text
    assert repr(make.estimator()) == f"{make.estimator.__name__}()"


@pytest.mark.parametrize("make", VARIANTS)
def test_html_repr(make):
    embedder = make()
    for _ in range(2):
        html = estimator_html_repr(embedder)
        assert make.estimator.__name__ in html
        assert "n_components" in html
        embedder.fit(DOCUMENTS)
    assert make.estimator.__name__ in estimator_html_repr(make_pipeline(embedder))


@pytest.mark.parametrize("make", VARIANTS)
def test_model_does_not_keep_the_documents(make):
    once = len(pickle.dumps(make().fit(DOCUMENTS)))
    often = len(pickle.dumps(make().fit(DOCUMENTS * 20)))
    assert abs(once - often) < 100


@pytest.mark.parametrize("make", VARIANTS)
def test_surprising_combinations_warn_once(make):
    """In the line that called, naming the parameters, and for one table only."""
    for combine in make.combinations:
        note = make.strategy.combine_notes.get(combine)
        for method in ("fit", "fit_transform"):
            embedder = make(combine=combine)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                getattr(embedder, method)(DOCUMENTS)
            assert len(caught) == (note is not None)
            for warning in caught:
                assert warning.category is UserWarning
                assert f"combine={combine!r}" in str(warning.message)
                assert f"share_context={make.strategy.name!r}" in str(warning.message)
                assert note in str(warning.message)
                assert warning.filename == __file__
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                embedder.transform(DOCUMENTS)


def test_no_check_is_lost():
    found = Counter(
        argument
        for name, function in globals().items()
        if name.startswith("test_")
        for mark in getattr(function, "pytestmark", ())
        if mark.name == "parametrize"
        for argument in mark.args[:1]
    )
    assert found["estimator"] == N_CLASS_CHECKS
    assert found["make"] == N_FIT_CHECKS
    assert len(VARIANTS) == 5 + 5 + 3 + 3 + 3 + 4
    assert set(public_embedders()) == set(ESTIMATORS)


# --- what is special to one estimator, or takes another process -----------------------


@pytest.mark.small
def test_one_table_without_its_constant_warns():
    """Together with what else is to be said, in one warning."""
    embedder = cheap(SGNSEmbedder, share_context=True, bias=None, combine="sum")
    with pytest.warns(UserWarning, match="bias=None cannot express") as caught:
        embedder.fit(DOCUMENTS)
    assert len(caught) == 1
    assert "combine='sum'" in str(caught[0].message)
    for params in (
        {"share_context": True, "bias": None, "negative": 1},
        {"share_context": True},
        {"share_context": True, "bias": "shift"},
        {"share_context": True, "bias": "word"},
        {"share_context": False, "bias": None},
        {"share_context": "signed", "bias": None},
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            cheap(SGNSEmbedder, **params).fit(DOCUMENTS)


@pytest.mark.small
@pytest.mark.parametrize("bias", _bias.biases())
@pytest.mark.parametrize("strategy", strategies.strategies(), ids=lambda s: str(s.name))
def test_biases_that_exist(strategy, bias):
    """`word_biases_` and `context_biases_` are there where they are learned."""
    embedder = cheap(SGNSEmbedder, share_context=strategy.name, bias=bias, negative=1)
    if strategy.note:
        with pytest.warns(UserWarning, match="parallel"):
            embedder.fit(DOCUMENTS)
    else:
        embedder.fit(DOCUMENTS)
    one_table = strategy.context_table == 0
    assert hasattr(embedder, "context_biases_") == (bias == "word")
    assert hasattr(embedder, "word_biases_") == (bias == "word" and one_table)
    if bias == "word" and one_table:
        assert embedder.word_biases_ is embedder.context_biases_
    own_noise = strategy.noise_table != strategy.context_table
    n_biases = len(WORDS) * (1 + own_noise) if bias == "word" else 0
    assert hasattr(embedder, "noise_biases_") == (bias == "word" and own_noise)
    expected = strategy.n_tables * embedder.word_vectors_.size + n_biases
    expected += np.size(getattr(embedder, "context_map_", ()))
    assert embedder.n_embedding_parameters_ == expected


@pytest.mark.small
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_share_context_names_the_allowed_values(estimator):
    names = [strategy.name for strategy in strategies.strategies(estimator._method)]
    allowed = re.escape(str(names))
    with pytest.raises(ValueError, match=f"must be one of {allowed}, got 'tied'"):
        cheap(estimator, share_context="tied").fit(DOCUMENTS)


def fingerprints():
    """A hash of everything that each estimator learns under each strategy."""
    found = {}
    for parameter in VARIANTS:
        make = parameter.values[0]
        for vocabulary in (None, set(WORDS)):
            digest = hashlib.sha256()
            embedder = make(vocabulary=vocabulary, stop_words=["amber"])
            digest.update(embedder.fit_transform(DOCUMENTS).tobytes())
            for name, value in sorted(learned(embedder).items()):
                data = value.tobytes() if isinstance(value, np.ndarray) else repr(value)
                digest.update(f"{name} {data}".encode())
            found[f"{parameter.id} {vocabulary is None}"] = digest.hexdigest()
    return found


@pytest.mark.parametrize("seed", ["1", "2"])
def test_the_same_bits_in_another_process(seed):
    """Whatever the order of sets there, and the number of threads of BLAS."""
    environment = {
        **os.environ,
        "PYTHONHASHSEED": seed,
        "OMP_NUM_THREADS": seed,
        "OPENBLAS_NUM_THREADS": seed,
        "MKL_NUM_THREADS": seed,
    }
    statement = (
        "from tests.estimators.test_common import fingerprints; print(fingerprints())"
    )
    result = subprocess.run(
        [sys.executable, "-c", statement],
        cwd=Path(__file__).resolve().parents[2],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert ast.literal_eval(result.stdout) == fingerprints()
