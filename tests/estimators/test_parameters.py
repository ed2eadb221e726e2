"""Any parameters on any tiny corpus: finite features, or an error that says what to do.

SKEMBED_EXAMPLES=5000 python -m pytest tests/estimators/test_parameters.py -k generated
"""

import os
import re
import warnings
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.utils import _param_validation

from skembed import _transformer, pooling
from skembed._counts.count import DIRECTIONS, WINDOW_WEIGHTINGS
from skembed._tying import bias, strategies
from skembed.pooling import _features
from tests.helpers import ESTIMATORS

N_EXAMPLES = int(os.environ.get("SKEMBED_EXAMPLES", settings().max_examples))
# What begins every error that users may meet: the parameter or what is wrong with X.
CLEAR = re.compile(
    r"(No document holds two words |None of the \d+ words |Empty vocabulary: "
    r"|X (holds|has|is|contains) |Counts of words that co-occur "
    r"|Contexts on the left and on the right |Features of document |"
    r"(\w+Embedder: vectors became larger than 1e.15, infinite or NaN in epoch \d+\. )?"
    r"(share_context|directional|sample_weight|subsample|early_stopping|validation_fraction|bias|init"
    r"|input|exclude_window_noise|n_components|negative_dims|pooling|learning_rate"
    r"|max_features|vocabulary|window|negative|tol|min_count|x_max|alpha|shift|random_state"
    r"|max_iter|n_iter_no_change|partial_fit|context_exponent|l2|n_draws|combine|loss)\b)"
)

CORPORA = {
    "two words": [["a", "b"]] * 6,
    "one word": [["a"] * 5] * 4,
    "three words": [["a", "b", "c"], ["c", "a"]] * 4,
    "all the same": [["a", "b", "a", "c", "d"]] * 12,
    "words alone": [["a"], ["b"], ["c"]] * 3,
    "some alone": [["a"], [], ["b", "a", "d"], ["c", "c", "b"]] * 3,
    "raw": ["Amber birch amber cedar", "", "birch delta", "amber"] * 4,
    "many words": [[f"w{i * i % 97}" for i in range(j, j + 30)] for j in range(40)],
    "counts": sparse.csr_array(np.array([[0, 3, 1], [2, 0, 0], [0, 0, 5]] * 3)),
    "fractions": np.array([[0.5, 0, 1e-9], [0, 1e9, 1e-9], [0, 0, 0.0]] * 3),
    "one column": np.array([[1.0], [2.0]]),
    "zeros": np.zeros((3, 3)),
}
SQUARE = {
    "zero": np.zeros((3, 3)),
    "one": [[3.0]],
    "diagonal": np.diag([1.0, 2.0, 3.0]),
    "enormous": np.full((3, 3), 1e140),
    "tiny": np.full((2, 2), 1e-90),
    "mixed": [[0, 1e-90, 1], [1e-90, 1e90, 0], [1, 0, 0]],
    "directed": [[0, 5, 0, 0], [0, 0, 5, 0], [0, 0, 0, 5], [5, 0, 0, 0]],
}


def numbers(least, *some):
    """Any number from `least` on, often an extreme one."""
    sizes = st.floats(least, 1e3, exclude_min=True)
    return st.one_of(sizes, st.sampled_from(some))


LARGE_INTEGERS = (2**31, 2**53, 2**53 + 1, 2**63, 10**40)
PARAMETERS = {
    "n_components": st.one_of(st.integers(1, 9), st.sampled_from([17, 100, 700])),
    "share_context": st.sampled_from([s.name for s in strategies.strategies()]),
    "window": st.one_of(st.integers(1, 6), st.sampled_from([1000, *LARGE_INTEGERS])),
    "window_weighting": st.sampled_from(WINDOW_WEIGHTINGS),
    "min_count": st.one_of(st.just(1), st.integers(1, 5), st.just(2**53 + 1)),
    "max_features": st.one_of(st.none(), st.integers(1, 4), st.just(2**53 + 1)),
    "combine": st.sampled_from(_features.COMBINATIONS),
    "pooling": st.sampled_from(list(pooling.POOLINGS)),
    "norm": st.sampled_from(_transformer.NORMS),
    "dtype": st.sampled_from(_transformer.DTYPES),
    "n_jobs": st.sampled_from([None, 1, 2]),
    "random_state": st.sampled_from([0, 1, 2**32 - 1]),
    "new_words": st.sampled_from(["grow", "freeze"]),
    "aggregation": st.sampled_from(["mean", "sum"]),
    "loss": st.sampled_from(["softmax", "hierarchical"]),
    "bias": st.sampled_from([*bias.biases(), "word"]),
    "l2": numbers(0.0, 0.0, 1e-300, 1e15, 1e300),
    "n_draws": st.one_of(st.just("auto"), st.integers(0, 40), st.just(1024)),
    "negative": st.one_of(
        st.integers(1, 20), st.sampled_from([1000, 10**9, *LARGE_INTEGERS])
    ),
    "noise_exponent": numbers(0.0, 0.0, 1e4, 1e308),
    "subsample": numbers(0.0, 0.0, 1e-300, 1e-5, 1e300),
    "learning_rate": numbers(0.0, 5e-324, 1e-9, 1e6, 1e30, 1e38, 1e39, 1e300),
    "max_iter": st.integers(1, 4),
    "early_stopping": st.booleans(),
    "validation_fraction": st.sampled_from([None, 1e-9, 0.1, 0.5, 1 - 1e-9]),
    "n_iter_no_change": st.integers(1, 3),
    "tol": numbers(0.0, 0.0, 1e300),
    "warm_start": st.booleans(),
    "x_max": numbers(0.0, 5e-324, 1e-30, 1e300),
    "alpha": numbers(0.0, 0.0, 1e300),
    "negative_dims": st.one_of(st.integers(0, 9), st.floats(0.0, 1.0)),
    "directional": st.booleans(),
    "direction": st.sampled_from(DIRECTIONS),
    "update": st.sampled_from(["both", "word"]),
    "exclude_window_noise": st.booleans(),
    "shift": st.one_of(st.floats(1.0, 50.0), st.sampled_from([1e300, 2**53])),
    "context_exponent": numbers(0.0, 0.0, 1e-300, 1e300),
    "singular_exponent": st.floats(0.0, 1.0),
}


def allows(estimator, name, value):
    """Whether the constraints of an estimator allow a value: not all have each bias."""
    try:
        _param_validation.validate_parameter_constraints(
            {name: estimator._parameter_constraints[name]}, {name: value}, "estimator"
        )
    except _param_validation.InvalidParameterError:
        return False
    return True


@st.composite
def cases(draw, estimator):
    """Parameters, some at their defaults, and a corpus."""
    known = [name for name in PARAMETERS if name in estimator._get_param_names()]
    names = draw(st.lists(st.sampled_from(known), unique=True, max_size=12))
    params = {
        name: draw(PARAMETERS[name].filter(partial(allows, estimator, name)))
        for name in names
    }
    params.setdefault("min_count", 1)
    square = draw(st.integers(0, 3)) == 0
    name = draw(st.sampled_from(list(SQUARE if square else CORPORA)))
    if square:
        params["input"] = "cooccurrence"
    if draw(st.integers(0, 3)) == 0 and "init" in estimator._get_param_names():
        size = draw(st.sampled_from([0.0, 1e-30, 1.0, 1e10, 3e38]))
        params["init"] = {"a": [size] * params.get("n_components", 100)}
    return params, name, draw(st.integers(0, 2))


def check_finite(embedder, X):
    for name, value in vars(embedder).items():
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            assert np.isfinite(value).all(), name
    if embedder.input == "content":
        features = embedder.transform(X)
        assert features.shape[1] == embedder.get_feature_names_out().size
        assert np.isfinite(features).all()


def learn(embedder, X, n_more):
    """Fit, and go on; return the message of the error that has ended it, if any."""
    calls = [embedder.fit, *[embedder.partial_fit, embedder.fit][:n_more]]
    with warnings.catch_warnings():
        # Such as one that there is no end to what can be learned.
        warnings.simplefilter("ignore", UserWarning)
        # For `partial_fit`, the first fit keeps its counts.
        warm_start = embedder.warm_start
        embedder.set_params(warm_start=True)
        for number, call in enumerate(calls):
            if number == 2:
                embedder.set_params(warm_start=warm_start)
            try:
                call(X)
            except ValueError as error:
                return str(error)
            check_finite(embedder, X)
    return None


@pytest.mark.small
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_bools_are_no_numbers(estimator):
    """Python takes True for 1."""
    for name in ("n_components", "window", "min_count", "learning_rate", "max_iter"):
        if name in estimator().get_params():
            with pytest.raises(ValueError, match=f"{name}=True is a bool"):
                estimator(**{name: True}).fit(["a text"])


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_generated(estimator):
    @settings(max_examples=max(1, N_EXAMPLES // len(ESTIMATORS)))
    @given(cases(estimator))
    def check(case):
        params, name, n_more = case
        embedder = estimator(**params)
        X = (SQUARE if embedder.input == "cooccurrence" else CORPORA)[name]
        message = learn(embedder, X, n_more)
        assert message is None or CLEAR.match(message), message
        if hasattr(embedder, "word_vectors_"):
            check_finite(embedder, X)

    check()
