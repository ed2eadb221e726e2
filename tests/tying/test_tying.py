"""`skembed.tying`: strategies that users write, from their declarations to a search."""

import copy
import pickle
import re
import warnings
from pathlib import Path

import joblib
import numba
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

import skembed
from skembed import (
    GloVeEmbedder,
    PPMISVDEmbedder,
    SGNSEmbedder,
    SoftmaxEmbedder,
    tying,
    warmup,
)
from skembed._tying import strategies
from tests import reference
from tests.helpers import (
    COUNTING,
    DOCUMENTS,
    EPOCHS,
    ESTIMATORS,
    MORE,
    SAMPLED,
    SOFTMAX,
    assert_same_fit,
    cheap,
    learned,
    run_python,
    sound_strategies,
)
from tests.kernels import test_sgns
from tests.kernels.helpers import random_documents
from tests.solvers import test_gradients
from tests.tying.own_strategy import FixedFactors, compare

DOCS = Path(__file__).resolve().parents[2] / "docs"
FACTORS = np.array([1.0, -0.5, 2.0], dtype=np.float32)

every_estimator = pytest.mark.parametrize("estimator", ESTIMATORS)
pytestmark = pytest.mark.small


class OwnSigned(tying.Tying):
    """What "signed" declares, in a class of its own."""

    map_kind = "diagonal"
    factorise = tying.Signed.factorise


class Table(tying.Tying):
    """One table, and nothing else; without a closed form."""


class Rotated(tying.Tying):
    """One table, and a matrix that tells the direction of a pair from the start."""

    map_kind = "matrix"
    learns_map = True

    def start_map(self, n_components, n_negative):
        upper = np.triu(np.ones((n_components, n_components)))
        return upper - upper.T + np.eye(n_components)


def declared(**declarations):
    """Return an object of a new class with these declarations."""
    return type("Declared", (tying.Tying,), declarations)()


def quietly(embedder, *documents):
    """Fit, with warnings as errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return embedder.fit(*documents)


# --- an object like any other of scikit-learn -----------------------------------------


def test_names_are_public():
    assert skembed.tying is tying
    assert {type(one).__name__ for one in strategies.strategies()} == {
        name for name in tying.__all__ if name not in ("Tying", "Factoriser")
    }
    assert all(hasattr(tying, name) for name in tying.__all__)


def test_module_is_loaded_at_first_use_without_the_compiler():
    code = """
        import json, sys, skembed
        before = sorted({"numba", "sklearn", "skembed.tying"} & set(sys.modules))
        skembed.tying.Tying
        after = sorted({"numba", "sklearn", "skembed.tying"} & set(sys.modules))
        print(json.dumps([before, after]))
    """
    wanted = [[], ["skembed.tying", "sklearn"]]
    assert run_python(code, DOCS.parent) == wanted


def test_parameters():
    given = FixedFactors(factors=(2.0, -1.0))
    embedder = SGNSEmbedder(share_context=given)
    assert embedder.get_params()["share_context__factors"] == (2.0, -1.0)
    assert repr(given) == "FixedFactors(factors=(2.0, -1.0))"
    assert "share_context=FixedFactors(factors=(2.0, -1.0))" in repr(embedder)
    embedder.set_params(share_context__factors=(1.0,))
    assert given.factors == (1.0,)
    twin = clone(embedder)
    assert twin.share_context is not given
    assert twin.share_context.get_params() == {"factors": (1.0,)}
    again = pickle.loads(pickle.dumps(given))
    assert type(again) is FixedFactors
    assert again.get_params() == given.get_params()


def test_nested_parameters():
    model = Pipeline([("embed", cheap(PPMISVDEmbedder, share_context=FixedFactors()))])
    model.set_params(embed__share_context__factors=(1.0, -3.0))
    assert model["embed"].share_context.factors == (1.0, -3.0)


@every_estimator
def test_a_fit_leaves_the_object_as_it_is(estimator):
    given = FixedFactors(factors=FACTORS.copy())
    embedder = cheap(estimator, share_context=given).fit(DOCUMENTS)
    assert embedder.share_context is given
    assert vars(given).keys() == {"factors"}
    assert given.factors.tobytes() == FACTORS.tobytes()
    before = copy.deepcopy(learned(embedder))
    given.factors[:] = 7.0
    for name in ("context_vectors_", "context_map_", "context_signs_"):
        if name in before:
            np.testing.assert_array_equal(getattr(embedder, name), before[name])


# --- bits -----------------------------------------------------------------------------


@every_estimator
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_objects_of_built_in_classes_are_what_their_names_are(estimator, n_jobs):
    for strategy in sound_strategies(estimator):
        pair = [
            cheap(estimator, share_context=value, n_jobs=n_jobs).fit(DOCUMENTS)
            for value in (strategy.name, type(strategy)())
        ]
        assert_same_fit(*pair, without=("_made_with",))


@every_estimator
def test_a_copy_of_signed_is_signed(estimator):
    """Also in further fits, in the features of a combination, and in scores."""
    pair = []
    for value in ("signed", OwnSigned()):
        embedder = cheap(estimator, share_context=value, combine="context")
        embedder.partial_fit(DOCUMENTS).partial_fit(MORE)
        pair.append(embedder)
    assert_same_fit(*pair, without=("_made_with",))
    features = [embedder.transform(DOCUMENTS) for embedder in pair]
    assert features[0].tobytes() == features[1].tobytes()
    assert pair[0].score(MORE) == pair[1].score(MORE)
    assert (pair[0].context_signs_ == -1).any()


@pytest.mark.parametrize("estimator", EPOCHS)
def test_negative_dims_reach_the_object(estimator):
    pair = [
        cheap(estimator, share_context=value, negative_dims=2).fit(DOCUMENTS)
        for value in ("signed", OwnSigned())
    ]
    assert pair[1].context_signs_.tolist() == [1, -1, -1]
    assert_same_fit(*pair, without=("_made_with",))


# --- what is declared is what is trained ----------------------------------------------

TABLES = [(0, 0), (1, 1), (0, 1), (1, 2)]


def maps(size):
    """Yield all kinds of maps, with values that no built-in strategy has."""

    def factors(self, n_components, n_negative):
        return np.resize(size * FACTORS, n_components)

    def matrix(self, n_components, n_negative):
        noise = np.random.default_rng(0).normal(size=(n_components,) * 2)
        return size * (np.eye(n_components) + 0.2 * noise)

    yield {}
    yield {"map_kind": "diagonal", "start_map": factors}
    yield {"map_kind": "diagonal", "start_map": factors, "learns_map": True}
    yield {"map_kind": "matrix", "start_map": matrix, "learns_map": True}


POSSIBLE = [
    declared(context_table=context, noise_table=noise, **of_map)
    for context, noise in TABLES
    # Small, so that no step has to be damped.
    for of_map in maps(0.4)
]


def said(strategy):
    tables = strategy.context_table, strategy.noise_table
    return f"{tables} {strategy.map_kind} {'learned' if strategy.learns_map else ''}"


every_possible = pytest.mark.parametrize("strategy", POSSIBLE, ids=said)


@every_possible
@pytest.mark.parametrize("bias", ["exact", "word"])
def test_steps_of_sgns(strategy, bias):
    """A compiled step goes along the gradient, which finite differences confirm."""
    test_gradients.test_sgns_gradient_equals_finite_differences(strategy, bias)
    test_gradients.test_compiled_sgns_step_is_the_gradient(strategy, bias)
    if strategy.learns_map:
        test_gradients.test_sgns_gradient_of_a_learned_map(strategy, bias)


@pytest.mark.parametrize(
    "strategy",
    [one for one in POSSIBLE if strategies.LEAST_SQUARES in one.methods],
    ids=said,
)
def test_steps_of_glove(strategy):
    test_gradients.test_glove_gradient_equals_finite_differences(strategy)
    test_gradients.test_compiled_glove_steps_follow_half_the_gradient(strategy)


def test_glove_holds_two_tables_and_fixed_factors():
    held = [said(one) for one in POSSIBLE if strategies.LEAST_SQUARES in one.methods]
    assert held == [
        f"{tables} {kind} "
        for tables in ((0, 0), (1, 1))
        for kind in ("identity", "diagonal")
    ]


@pytest.mark.parametrize("of_map", list(maps(1.0)), ids=lambda m: said(declared(**m)))
@pytest.mark.parametrize("directional", [False, True])
def test_rounds_with_maps_that_stretch(of_map, directional):
    """Whole rounds, with steps that are damped; also in tables for both directions."""
    tables = {"context_table": 1, "noise_table": 1, "has_sides": True}
    strategy = declared(**of_map, **(tables if directional else {}))
    random = np.random.default_rng(3)
    documents = random_documents(random, 11, test_sgns.DOCUMENT_LENGTHS)
    tokens = reference.mark(documents)
    choice = {"directional": directional}
    model = test_sgns.sgns_model(strategy, "word", 11, 7, random, **choice)
    sampler = test_sgns.make_sampler(test_sgns.NOISE, 3)
    rates = (0.01, 0.0)
    test_sgns.assert_equals_twin(tokens, model, sampler, [1, 2, 3], rates)


def test_own_strategies_need_no_kernel_of_their_own():
    """So `warmup` compiles what they need, too."""
    kinds = {}
    for strategy in [*strategies.strategies(), *POSSIBLE]:
        model = test_sgns.sgns_model(strategy, "word", 11, 7, np.random.default_rng(7))
        sampler = test_sgns.make_sampler(test_sgns.NOISE, 3)
        lanes, _ = test_sgns.sgns_buffers(sampler, model, [1])
        kind = str(tuple(map(numba.typeof, (model, lanes))))
        kinds.setdefault(kind, set()).add(strategy.name is None)
    assert list(kinds.values()) == [{True, False}] * 2


@pytest.mark.parametrize("estimator", EPOCHS)
def test_factors_are_those_of_the_score(estimator):
    embedder = cheap(estimator, share_context=FixedFactors(FACTORS), max_iter=3)
    if estimator in SAMPLED:
        embedder.set_params(bias="exact")
    quietly(embedder, DOCUMENTS)
    word, context = embedder.word_vectors_, embedder.context_vectors_
    assert context.dtype == np.float32
    np.testing.assert_array_equal(context, word * FACTORS)
    np.testing.assert_array_equal(embedder.context_map_, FACTORS)
    assert not hasattr(embedder, "context_signs_")
    tables = word.size
    if estimator is GloVeEmbedder:
        tables += len(word)
    assert embedder.n_embedding_parameters_ == tables
    if estimator in SOFTMAX:
        # `score_pairs` returns logarithms of probabilities, see test_softmax.py.
        return
    words = list(embedder.vocabulary_)
    scores = embedder.score_pairs(words, words[::-1])
    without = scores - np.einsum("ik,ik->i", word * FACTORS, word[::-1])
    constants = embedder._score_offset[::-1]
    if estimator is GloVeEmbedder:
        constants = embedder.word_biases_ + embedder.context_biases_[::-1]
    np.testing.assert_allclose(without, constants, atol=1e-5)


@pytest.mark.parametrize("estimator", EPOCHS)
def test_signs_are_published_as_signs(estimator):
    own = FixedFactors((1.0, -1.0))
    embedder = cheap(estimator, share_context=own).fit(DOCUMENTS)
    np.testing.assert_array_equal(embedder.context_signs_, [1, -1, 1])
    assert not hasattr(embedder, "context_map_")


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
def test_closed_form_with_factors(exponent):
    """The same matrix as under "signed"; the sizes of the factors in its contexts."""
    signed, own = (
        cheap(PPMISVDEmbedder, share_context=value, singular_exponent=exponent)
        for value in ("signed", FixedFactors(FACTORS))
    )
    words = list(quietly(signed, DOCUMENTS).vocabulary_)
    quietly(own, DOCUMENTS)
    for context in words:
        np.testing.assert_allclose(
            own.score_pairs(words, context),
            signed.score_pairs(words, context),
            atol=1e-5,
        )
    np.testing.assert_array_equal(own.context_signs_, signed.context_signs_)
    np.testing.assert_allclose(
        own.word_vectors_ * np.sqrt(np.abs(FACTORS)), signed.word_vectors_, rtol=1e-5
    )
    if exponent == 0.5:
        factors = own.context_signs_ * np.abs(FACTORS)
        np.testing.assert_allclose(
            own.context_vectors_, own.word_vectors_ * factors, rtol=1e-5
        )


def test_the_sign_of_a_closed_form_may_be_in_its_scale():
    class Scaled(OwnSigned):
        def factorise(self, factoriser, n_components, exponent):
            word, context, _ = super().factorise(factoriser, n_components, exponent)
            return word, np.abs(context) * np.sign(word), np.sign(word * context)[0]

    signs = [
        cheap(PPMISVDEmbedder, share_context=one).fit(DOCUMENTS).context_signs_
        for one in (OwnSigned(), Scaled())
    ]
    np.testing.assert_array_equal(*signs)
    assert (signs[0] == -1).any()


@pytest.mark.parametrize("estimator", SAMPLED)
def test_a_matrix_starts_as_declared(estimator):
    options = {"learning_rate": 1e-6, "bias": "exact"}
    embedder = cheap(estimator, share_context=Rotated(), **options)
    quietly(embedder, DOCUMENTS)
    matrix = embedder.context_map_
    np.testing.assert_allclose(matrix, Rotated().start_map(3, 0), atol=1e-3)
    wanted = embedder.word_vectors_ @ matrix.T
    np.testing.assert_allclose(embedder.context_vectors_, wanted, rtol=1e-5, atol=1e-7)
    assert embedder.n_embedding_parameters_ == embedder.word_vectors_.size + 9
    there, back = (embedder.score_pairs(*pair) for pair in (WORDS, WORDS[::-1]))
    assert there != back


WORDS = ("amber", "birch")


@pytest.mark.parametrize("estimator", SAMPLED)
def test_bias_that_auto_stands_for(estimator):
    pair = [
        cheap(estimator, share_context=declared(default_bias=bias), bias=given)
        for bias, given in (("exact", "auto"), (None, "exact"))
    ]
    for embedder in pair:
        quietly(embedder, DOCUMENTS)
    assert_same_fit(*pair, without=("_made_with",))


@pytest.mark.parametrize("estimator", SAMPLED)
@pytest.mark.parametrize("own", [Table(), FixedFactors((1.0, 0.5))])
def test_a_table_that_cannot_express_the_constant(estimator, own):
    message = f"share_context={own!r} with bias=None cannot express"
    with pytest.warns(UserWarning, match=re.escape(message)):
        cheap(estimator, share_context=own).fit(DOCUMENTS)
    quietly(cheap(estimator, share_context=own, negative=1), DOCUMENTS)
    two = declared(context_table=1, noise_table=1, map_kind="diagonal")
    quietly(cheap(estimator, share_context=two, negative_dims=0), DOCUMENTS)


@every_estimator
def test_own_warnings(estimator):
    class Noted(FixedFactors):
        combine_notes = {"sum": "it is odd"}
        note = "Nothing but a test."

    own = Noted((1.0, -1.0))
    with pytest.warns(UserWarning, match="it is odd") as caught:
        cheap(estimator, share_context=own, combine="sum").fit(DOCUMENTS)
    (text,) = (str(warning.message) for warning in caught)
    assert f"combine='sum' with share_context={own!r}: it is odd." in text
    assert text.startswith(own.note)


# --- memory, other processes, further fits --------------------------------------------


def n_results(folder):
    return len(list(folder.rglob("output.pkl")))


def test_memory_of_a_pipeline_knows_equal_objects(tmp_path):
    """Equal parameters are the same entry; others, or another class, are not."""
    steps = [("embed", None), ("classify", LogisticRegression())]
    labels = np.arange(len(DOCUMENTS)) % 2
    seen = []
    for own in (
        FixedFactors((1.0, -1.0)),
        FixedFactors((1.0, -1.0)),
        FixedFactors(),
        OwnSigned(),
        FixedFactors(),
    ):
        model = Pipeline(steps, memory=str(tmp_path))
        model.set_params(embed=cheap(PPMISVDEmbedder, share_context=own))
        model.fit(DOCUMENTS, labels)
        seen.append(n_results(tmp_path))
    assert seen == [1, 1, 2, 3, 3]


def test_hashes():
    own = FixedFactors(FACTORS.copy())
    for twin in (FixedFactors(FACTORS.copy()), clone(own), copy.deepcopy(own)):
        assert joblib.hash(twin) == joblib.hash(own)
    assert joblib.hash(FixedFactors(-FACTORS)) != joblib.hash(own)
    assert joblib.hash(OwnSigned()) != joblib.hash(tying.Signed())


@pytest.mark.parametrize("estimator", COUNTING)
def test_tokens_and_counts_are_kept_for_all_strategies(estimator, tmp_path):
    seen = []
    for own in ("signed", FixedFactors(), FixedFactors((1.0, -1.0)), OwnSigned()):
        cheap(estimator, share_context=own, memory=str(tmp_path)).fit(DOCUMENTS)
        seen.append(n_results(tmp_path))
    assert seen[0] > 0
    assert seen == seen[:1] * 4


@pytest.mark.parametrize("estimator", [SGNSEmbedder, PPMISVDEmbedder])
def test_search_of_the_documentation(estimator):
    """Objects beside names, in two processes as in one."""
    labels = np.arange(len(DOCUMENTS)) % 2
    found = [
        compare(cheap(estimator), DOCUMENTS, labels, n_jobs).cv_results_
        for n_jobs in (None, 2)
    ]
    names = [row["embed__share_context"] for row in found[0]["params"]]
    assert names[:3] == [False, True, "signed"]
    factors = [row.get("embed__share_context__factors") for row in found[0]["params"]]
    assert factors == [None, None, None, (1.0, -1.0), (1.0, 1.0, -0.5)]
    assert all(type(name) is FixedFactors for name in names[3:])
    scores = [one["mean_test_score"] for one in found]
    assert np.isfinite(scores[0]).all()
    np.testing.assert_array_equal(*scores)


@every_estimator
def test_a_pickled_model_is_the_same(estimator):
    own = FixedFactors((1.0, -1.0))
    model = cheap(estimator, share_context=own).partial_fit(DOCUMENTS)
    again = pickle.loads(pickle.dumps(model))
    assert again.share_context.get_params() == model.share_context.get_params()
    features = model.transform(MORE)
    assert again.transform(MORE).tobytes() == features.tobytes()
    for one in (model, again):
        one.partial_fit(MORE)
    assert_same_fit(model, again, without=("_made_with",))


def many(middle):
    """Factors of which `repr` shows the first and the last only."""
    factors = np.ones(2001)
    factors[1000] = middle
    factors[1] = -1.0
    return factors


@pytest.mark.parametrize("estimator", EPOCHS)
@pytest.mark.parametrize("way", ["partial_fit", "warm_start"])
def test_further_fits_need_equal_parameters(estimator, way):
    embedder = cheap(estimator, share_context=FixedFactors(many(2.0)))
    embedder.set_params(warm_start=way == "warm_start")
    fit = embedder.fit if way == "warm_start" else embedder.partial_fit
    fit(DOCUMENTS)
    n_iter = embedder.n_iter_
    embedder.set_params(share_context=FixedFactors(many(2.0)))
    fit(DOCUMENTS)
    assert embedder.n_iter_ == 2 * n_iter
    before = learned(embedder)
    for other in (many(3.0), (1.0, -1.0)):
        embedder.set_params(share_context__factors=other)
        with pytest.raises(
            ValueError, match=r"share_context=FixedFactors.* cannot resume"
        ):
            fit(DOCUMENTS)
    embedder.set_params(share_context="signed")
    with pytest.raises(ValueError, match="cannot resume with share_context='signed'"):
        fit(DOCUMENTS)
    assert learned(embedder).keys() == before.keys()
    assert all(learned(embedder)[name] is before[name] for name in before)


@pytest.mark.parametrize("estimator", EPOCHS)
def test_further_fits_need_the_same_kind_of_value(estimator):
    """A name and an object are different values, whichever comes first."""
    values = True, tying.Tied()
    for first, second in (values, values[::-1]):
        embedder = cheap(estimator, share_context=first).partial_fit(DOCUMENTS)
        before = learned(embedder)
        embedder.set_params(share_context=second)
        with pytest.raises(ValueError, match=r"with share_context=.* cannot resume"):
            embedder.partial_fit(MORE)
        assert learned(embedder).keys() == before.keys()
        assert all(learned(embedder)[name] is before[name] for name in before)


def test_negative_dims_of_further_fits():
    """They are bound to what was learned only where a fixed map depends on them."""
    own = declared(map_kind="diagonal", learns_map=True)
    options = {"share_context": own, "bias": "exact"}
    embedder = cheap(SGNSEmbedder, **options).partial_fit(DOCUMENTS)
    embedder.set_params(negative_dims=2).partial_fit(MORE)
    embedder = cheap(SGNSEmbedder, share_context=OwnSigned()).partial_fit(DOCUMENTS)
    embedder.set_params(negative_dims=2)
    with pytest.raises(ValueError, match=r"fitted with negative_dims=0\.1"):
        embedder.partial_fit(MORE)


@every_estimator
def test_memory_estimate(estimator):
    sizes = {"n_tokens": 10**6, "n_words": 10**4}
    one, two, own = (
        cheap(estimator, n_components=64, share_context=value)
        for value in ("signed", False, FixedFactors())
    )
    assert own.estimate_memory(**sizes) == one.estimate_memory(**sizes)
    if estimator is not PPMISVDEmbedder:
        assert two.estimate_memory(**sizes) > own.estimate_memory(**sizes)


def test_warmup_takes_estimators_with_objects():
    own = FixedFactors()
    warmup(PPMISVDEmbedder(share_context=own))
    assert own.get_params() == FixedFactors().get_params()


# --- errors ---------------------------------------------------------------------------


@every_estimator
@pytest.mark.parametrize(
    "wrong", [object(), {"factors": 1}, ["signed"], LogisticRegression(), 3, np.ones(2)]
)
def test_not_a_strategy(estimator, wrong):
    embedder = cheap(estimator, share_context=wrong)
    for call in (embedder.fit, embedder.partial_fit, embedder.estimate_memory):
        with pytest.raises(ValueError, match="share_context must be one of") as caught:
            call(DOCUMENTS)
        assert repr(wrong) in str(caught.value)
        assert "derives from skembed.tying.Tying" in str(caught.value)
    assert not learned(embedder)


@every_estimator
def test_a_class_is_not_an_object(estimator):
    embedder = cheap(estimator, share_context=FixedFactors)
    with pytest.raises(ValueError, match=r"got <class .*FixedFactors") as caught:
        embedder.fit(DOCUMENTS)
    assert "Pass an object, FixedFactors(), not the class." in str(caught.value)


@pytest.mark.parametrize(
    ("estimator", "own", "able", "offered", "advice"),
    [
        (
            PPMISVDEmbedder,
            Table(),
            "SGNSEmbedder, CBOWEmbedder, SoftmaxEmbedder, GloVeEmbedder",
            "[False, True, 'signed', 'bilinear']",
            "an object whose class defines factorise",
        ),
        (
            GloVeEmbedder,
            Rotated(),
            "SGNSEmbedder, CBOWEmbedder",
            "[False, True, 'signed']",
            "an object whose map is the identity or a fixed diagonal",
        ),
    ],
)
def test_what_an_estimator_cannot_hold(estimator, own, able, offered, advice):
    embedder = cheap(estimator, share_context=own)
    with pytest.raises(ValueError, match=f"is available in {able} only") as caught:
        embedder.fit(DOCUMENTS)
    text = str(caught.value)
    assert text.startswith(f"share_context={own!r} ")
    assert offered in text
    assert advice in text


@pytest.mark.parametrize(
    ("declarations", "message"),
    [
        ({"context_table": 2}, r"context_table=2: it must be one of \[0, 1\]"),
        ({"noise_table": 2}, r"noise_table=2: it must be one of \[0, 1\]"),
        ({"context_table": 1}, r"noise_table=0: it must be one of \[1, 2\]"),
        ({"map_kind": "signs"}, "map_kind='signs': it must be one of .*'diagonal'"),
        ({"default_bias": "auto"}, "default_bias='auto': it must be one of .*'exact'"),
        ({"learns_map": True}, "learns_map=True, which needs map_kind='diagonal'"),
        ({"map_kind": "matrix"}, "map_kind='matrix', which needs learns_map=True"),
        ({"has_sides": True}, "has_sides=True, which needs context_table=1"),
    ],
)
def test_declarations_that_are_not_possible(declarations, message):
    embedder = cheap(SGNSEmbedder, share_context=declared(**declarations))
    for call in (embedder.fit, embedder.estimate_memory):
        with pytest.raises(ValueError, match=f"Declared declares {message}"):
            call(DOCUMENTS)


@pytest.mark.parametrize("estimator", EPOCHS)
@pytest.mark.parametrize(
    ("factors", "message"),
    [
        ((1.0, 0.0), "returned the factor 0"),
        ((), "returned the factor 0"),
        ((1.0, np.nan), "infinite, missing or larger"),
        ((1.0, np.inf), "infinite, missing or larger"),
        ((1.0, 1e300), "infinite, missing or larger"),
        ((1.0, -1e16), "infinite, missing or larger"),
    ],
)
def test_factors_that_are_refused(estimator, factors, message):
    own = FixedFactors(factors)
    with pytest.raises(ValueError, match=message) as caught:
        cheap(estimator, share_context=own).fit(DOCUMENTS)
    assert repr(own) in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w, c, s: (w[:-1], c, s), r"of the shapes \[\(8, 3\), \(8, 3\), \(3,\)"),
        (lambda w, c, s: (w, c), r"got \[\(8, 3\), \(8, 3\)\]"),
        (lambda w, c, s: (w, c * np.inf, s), "infinite or NaN"),
        (lambda w, c, s: (w, c, s * np.nan), "infinite or NaN"),
    ],
)
def test_closed_forms_that_are_refused(change, message):
    class Wrong(OwnSigned):
        def factorise(self, factoriser, n_components, exponent):
            return change(*super().factorise(factoriser, n_components, exponent))

    embedder = cheap(PPMISVDEmbedder, share_context=Wrong())
    with pytest.raises(ValueError, match=rf"factorise of Wrong\(\) .*{message}"):
        embedder.fit(DOCUMENTS)
    assert not learned(embedder)


def test_directions_need_sides():
    embedder = cheap(SGNSEmbedder, share_context=FixedFactors(), directional=True)
    with pytest.raises(ValueError, match=r"share_context=FixedFactors\(\) does not"):
        embedder.fit(DOCUMENTS)
    sided = type("Sided", (tying.Separate,), {"map_kind": "diagonal"})()
    for estimator in (SGNSEmbedder, PPMISVDEmbedder):
        embedder = cheap(estimator, share_context=sided, directional=True)
        quietly(embedder, DOCUMENTS)
        assert embedder.left_context_vectors_.any()
        assert hasattr(embedder, "context_signs_") == (estimator is SGNSEmbedder)


# --- the documentation ----------------------------------------------------------------


def test_page_explains_all_declarations():
    text = (DOCS / "own_strategy.md").read_text("utf-8")
    names = [
        name
        for name, value in vars(tying.Tying).items()
        if not (name[0] == "_" or callable(value) or isinstance(value, property))
    ]
    assert "map_kind" in names
    for name in {*names, "start_map", "factorise"} - {"name", "summary"}:
        assert f"`{name}" in text
    for kind in ("FixedFactors", "compare"):
        assert f":pyobject: {kind}\n" in text
    for page in ("index.md", "guide.md"):
        assert "own_strategy" in (DOCS / page).read_text("utf-8")


TITLES = {"sampling": "SGNS, CBOW", "least squares": "GloVe", "closed form": "PPMI-SVD"}


def test_table_of_the_guide_has_all_strategies():
    text = (DOCS / "guide.md").read_text("utf-8")
    table = text[text.index("| `share_context` |") :].partition("\n\n")[0]
    rows = [row.split("|") for row in table.splitlines()[2:]]
    for row, strategy in zip(rows, strategies.strategies(), strict=True):
        name = strategy.name
        assert row[1].strip() == f'`"{name}"`' if isinstance(name, str) else f"`{name}`"
        able = [
            titles for method, titles in TITLES.items() if method in strategy.methods
        ]
        everywhere = len(able) == len(TITLES)
        assert row[4].strip() == ("all" if everywhere else ", ".join(able))


class TwoTables(tying.Tying):
    """Two tables and a map between them."""

    context_table = noise_table = 1

    def __init__(self, map_kind="diagonal", learns_map=False):
        self.map_kind = map_kind
        self.learns_map = learns_map

    def start_map(self, n_components, n_negative):
        factors = np.linspace(-0.5, 2.0, n_components)
        if self.map_kind == "diagonal":
            return factors
        return np.diag(factors) + np.tri(n_components, k=-1)


@pytest.mark.small
@pytest.mark.parametrize(
    ("estimator", "strategy"),
    [
        (GloVeEmbedder, TwoTables()),
        (SoftmaxEmbedder, TwoTables()),
        (SGNSEmbedder, TwoTables()),
        (SGNSEmbedder, TwoTables(learns_map=True)),
        (SGNSEmbedder, TwoTables("matrix", learns_map=True)),
    ],
)
def test_later_fits_undo_the_map_of_two_tables(estimator, strategy):
    """`context_vectors_` are mapped, but the table is not."""
    embedder = estimator(
        4,
        share_context=strategy,
        subsample=0,
        min_count=1,
        max_iter=3,
        warm_start=True,
        random_state=0,
    ).fit(DOCUMENTS)
    before = embedder.context_vectors_
    assert np.abs(before).max() > 1e-3
    # Too small a step to change float32 numbers.
    embedder.set_params(learning_rate=1e-30, max_iter=1).fit(DOCUMENTS)
    np.testing.assert_allclose(embedder.context_vectors_, before, rtol=1e-4, atol=1e-6)
