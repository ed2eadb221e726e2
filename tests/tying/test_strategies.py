"""Tying strategies and biases: the registry, scores, and what models learn."""

import warnings
from collections import Counter

import numpy as np
import pytest

from skembed import CBOWEmbedder, GloVeEmbedder, PPMISVDEmbedder, SGNSEmbedder
from skembed._solvers import negative_sampling, sampling
from skembed._tying import bias as _bias
from skembed._tying import strategies
from tests import reference

ESTIMATORS = [SGNSEmbedder, CBOWEmbedder, GloVeEmbedder, PPMISVDEmbedder]
STRATEGIES = strategies.strategies()
NAMES = [strategy.name for strategy in STRATEGIES]
# Without "auto", which stands for one of the others.
BIASES = _bias.biases()[1:]

every_estimator = pytest.mark.parametrize("estimator", ESTIMATORS)
every_name = pytest.mark.parametrize("name", NAMES, ids=str)
# Names that every estimator of counts can hold.
every_name_of_counts = pytest.mark.parametrize("name", [False, True, "signed"], ids=str)
every_bias = pytest.mark.parametrize("bias", BIASES, ids=str)


def make(estimator, **parameters):
    """A quick embedder of six dimensions; `combine` as no strategy warns about it."""
    quick = {"n_components": 6, "window": 3, "random_state": 0, "combine": "word"}
    if estimator is not PPMISVDEmbedder:
        quick["max_iter"] = 3
    return estimator(**{**quick, **parameters})


def fit(embedder, documents):
    """Fit; only models that cannot hold the constant or degenerate warn, and must."""
    strategy = strategies.get_strategy(embedder.share_context)
    without = strategy.needs_constant and getattr(embedder, "bias", "") is None
    if without or strategy.note:
        note = r"bias='exact'" if without else "vectors become parallel"
        with pytest.warns(UserWarning, match=note) as caught:
            embedder.fit(documents)
        assert len(caught) == 1
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            embedder.fit(documents)
    return embedder


# --- the registry ---------------------------------------------------------------------


@pytest.mark.small
def test_registered_values():
    assert [*(False, True, "signed", "diagonal", "bilinear", "noise", "three")] == NAMES
    assert _bias.biases() == ("auto", None, "shift", "exact", "word")
    assert [s.n_tables for s in STRATEGIES] == [2, 1, 1, 1, 1, 2, 3]
    assert {s.name: s.default_bias for s in STRATEGIES if s.default_bias} == {
        True: "exact"
    }
    assert [s.name for s in STRATEGIES if s._layout(3, 4).is_signed] == ["signed"]
    assert [s.name for s in STRATEGIES if s.needs_constant] == [True]
    assert [s.name for s in STRATEGIES if s.learns_map] == ["diagonal", "bilinear"]
    assert [s.name for s in STRATEGIES if s.has_sides] == [False]
    assert {s.name: s.map_kind for s in STRATEGIES if s.map_kind != "identity"} == {
        "signed": "diagonal",
        "diagonal": "diagonal",
        "bilinear": "matrix",
    }
    for method, others in (
        (strategies.LEAST_SQUARES, []),
        (strategies.CLOSED_FORM, ["bilinear"]),
    ):
        held = [strategy.name for strategy in strategies.strategies(method)]
        assert held == [False, True, "signed", *others]
    assert strategies.strategies(strategies.SAMPLING) == STRATEGIES


@pytest.mark.small
@pytest.mark.parametrize(
    ("estimator", "name"),
    [
        *((GloVeEmbedder, name) for name in ("diagonal", "bilinear", "noise", "three")),
        *((PPMISVDEmbedder, name) for name in ("diagonal", "noise", "three")),
    ],
)
def test_what_an_estimator_cannot_hold_is_refused(estimator, name, tiny_corpus):
    """By an error that names the estimators that can."""
    embedder = make(estimator, share_context=name)
    able = "SGNSEmbedder, CBOWEmbedder"
    able += ", PPMISVDEmbedder" if name == "bilinear" else ""
    wanted = rf"'{name}' is available in {able} only; .*signed"
    with pytest.raises(ValueError, match=wanted):
        embedder.fit(tiny_corpus)
    assert not hasattr(embedder, "word_vectors_")


@pytest.mark.small
@every_name
def test_strategies_are_found_by_name(name):
    assert strategies.get_strategy(name).name is name
    if isinstance(name, bool):
        assert strategies.get_strategy(np.bool_(name)).name is name


@pytest.mark.small
@pytest.mark.parametrize("wrong", [0, 1, 1.0, np.int64(1), None, "tied", "", "True"])
def test_other_values_are_refused(wrong):
    """Numbers too, although 1 == True and 0 == False."""
    with pytest.raises(ValueError, match="share_context must be one of") as caught:
        strategies.get_strategy(wrong)
    for allowed in NAMES:
        assert repr(allowed) in str(caught.value)
    assert repr(wrong) in str(caught.value)


@pytest.mark.small
@every_estimator
@pytest.mark.parametrize("wrong", [0, 1, None, "tied"])
def test_estimators_refuse_other_values(estimator, wrong, tiny_corpus):
    with pytest.raises(ValueError, match="share_context") as caught:
        make(estimator, share_context=wrong).fit(tiny_corpus)
    assert repr(wrong) in str(caught.value)


@pytest.mark.small
def test_an_unknown_strategy_is_answered_with_the_known_ones(tiny_corpus):
    with pytest.raises(ValueError, match=r"\[False, True, 'signed'\], got 'tied'"):
        make(GloVeEmbedder, share_context="tied").fit(tiny_corpus)
    with pytest.raises(ValueError, match=r"\[False, .*, 'three'\], got 'tied'"):
        make(SGNSEmbedder, share_context="tied").fit(tiny_corpus)


@pytest.mark.small
@pytest.mark.parametrize("wrong", ["none", 0, True])
def test_other_biases_are_refused(wrong, tiny_corpus):
    with pytest.raises(ValueError, match="bias") as caught:
        make(SGNSEmbedder, bias=wrong).fit(tiny_corpus)
    for allowed in ("auto", "shift", "exact", "word", "None"):
        assert allowed in str(caught.value)
    with pytest.raises(ValueError, match="bias must be one of") as caught:
        _bias.get_bias("none", STRATEGIES[0])
    for allowed in _bias.biases():
        assert repr(allowed) in str(caught.value)


@every_estimator
def test_numpy_booleans_are_booleans(estimator, tiny_corpus):
    """A search over an array of strategies passes them."""
    for value in (False, True):
        plain = make(estimator, share_context=value).fit(tiny_corpus)
        numpy = make(estimator, share_context=np.bool_(value)).fit(tiny_corpus)
        assert plain.word_vectors_.tobytes() == numpy.word_vectors_.tobytes()
        tied = numpy.word_vectors_ is numpy.context_vectors_
        assert tied == value


class Mirrored(strategies.Tying):
    """A toy: context vectors are the word vectors, every second dimension negated."""

    name = "mirrored"
    map_kind = strategies.DIAGONAL

    def start_map(self, n_components, n_negative):
        """Return +1, -1, +1, ..."""
        odd = np.arange(n_components) % 2
        return np.where(odd, -1, 1)

    def factorise(self, factoriser, n_components, exponent):
        """Return any table of the right form, with the signs in its contexts."""
        values, vectors = factoriser.eigh(n_components, positive=True)
        table = vectors * np.sqrt(values)
        signs = self.start_map(n_components, 0)
        return table, table * signs, np.ones(n_components)


@pytest.mark.small
@pytest.mark.parametrize(
    ("kind", "shape"), [("identity", (0, 4)), ("diagonal", (1, 4)), ("matrix", (4, 4))]
)
def test_maps_are_of_the_declared_kind(kind, shape):
    class Declared(strategies.Tying):
        name = "declared"
        map_kind = kind

    class Wrong(Declared):
        def start_map(self, n_components, n_negative):
            return np.ones((2, n_components), dtype=np.float32)

    assert Declared()._layout(3, 4).map.shape == shape
    assert Declared()._layout(3, 4).is_signed == (kind == "diagonal")
    assert Declared().is_symmetric == (kind != "matrix")
    why = r"start_map is not used" if kind == "identity" else r"got \(2, 4\)"
    with pytest.raises(ValueError, match=f"Wrong declares map_kind='{kind}'.*{why}"):
        Wrong()._layout(3, 4)


@pytest.fixture
def mirrored():
    strategies.register(Mirrored())
    yield Mirrored.name
    del strategies._STRATEGIES[Mirrored.name]


@every_estimator
def test_a_new_strategy_needs_one_class_and_one_line(estimator, tiny_corpus, mirrored):
    assert mirrored in [strategy.name for strategy in strategies.strategies()]
    embedder = fit(make(estimator, share_context=mirrored), tiny_corpus)
    signs = [1, -1, 1, -1, 1, -1]
    np.testing.assert_array_equal(
        embedder.context_vectors_, embedder.word_vectors_ * signs
    )
    np.testing.assert_array_equal(embedder.context_signs_, signs)
    assert np.abs(embedder.word_vectors_).min(axis=1).max() > 0
    assert np.isfinite(embedder.transform(tiny_corpus)).all()
    with pytest.raises(ValueError, match="'mirrored'"):
        make(estimator, share_context="tied").fit(tiny_corpus)


@every_estimator
def test_a_removed_strategy_is_unknown(estimator, tiny_corpus):
    with pytest.raises(ValueError, match="share_context must be one of"):
        make(estimator, share_context="mirrored").fit(tiny_corpus)


class Open(strategies.Tying):
    """A toy without a closed form."""

    name = "open"
    default_bias = "exact"


def test_a_strategy_without_closed_form_says_so(tiny_corpus, monkeypatch):
    monkeypatch.setitem(strategies._STRATEGIES, "open", Open())
    able = "SGNSEmbedder, CBOWEmbedder, SoftmaxEmbedder, GloVeEmbedder only"
    with pytest.raises(ValueError, match=f"'open' is available in {able}"):
        make(PPMISVDEmbedder, share_context="open").fit(tiny_corpus)
    with pytest.raises(NotImplementedError, match="Open has no closed form"):
        Open().factorise(None, 2, 0.5)
    for estimator in (SGNSEmbedder, CBOWEmbedder, GloVeEmbedder):
        fit(make(estimator, share_context="open"), tiny_corpus)


# --- layouts and numbers --------------------------------------------------------------


@pytest.mark.small
@every_name
@pytest.mark.parametrize("n_components", [1, 15, 16, 100])
def test_layout(name, n_components):
    strategy = strategies.get_strategy(name)
    layout = strategy._layout(7, n_components)
    params = layout.allocate()
    assert params.shape[0] == 7 * strategy.n_tables
    assert params.shape[1] > n_components
    assert params.shape[1] % 16 == 0
    assert params.dtype == np.float32
    assert not params.any()
    if len(layout.map) < 2:
        scale = layout.scale()
        diagonal = layout.map[0] if len(layout.map) else np.ones(n_components)
        np.testing.assert_array_equal(scale[:n_components], diagonal)
        assert not scale[n_components:].any()
    params[:] = np.random.default_rng(0).normal(size=params.shape)
    used = params.copy()
    a = layout.map.copy()
    if layout.learns_map:
        a += np.random.default_rng(1).normal(size=a.shape).astype(np.float32)
    word, context, attributes = layout.consume_params(used, a if len(a) else None)
    np.testing.assert_array_equal(word, params[:7, :n_components])
    rows = params[7 * strategy.context_table :][:7]
    matrix = np.eye(n_components)
    if len(a):
        matrix = np.diag(a[0]) if len(a) == 1 else a
        if name == "bilinear":
            matrix = a
    wanted = rows[:, :n_components] @ matrix.T
    np.testing.assert_allclose(context, wanted, rtol=1e-4, atol=1e-4)
    if strategy.noise_table != strategy.context_table:
        noise = params[7 * strategy.noise_table :][:7, :n_components]
        np.testing.assert_array_equal(attributes["noise_vectors_"], noise)
    found = {"noise_vectors_", "context_map_", "context_signs_"} & attributes.keys()
    assert len(found) == len(attributes) == (name not in (False, True))
    word_biases, context_biases, other_biases = layout.biases(params)
    assert list(other_biases) == (
        ["noise_biases_"] if name in ("noise", "three") else []
    )
    np.testing.assert_array_equal(word_biases, params[:7, n_components])
    np.testing.assert_array_equal(context_biases, rows[:, n_components])
    assert (word_biases is context_biases) == (strategy.context_table == 0)
    # Both lie in the table's own memory, so that there is no second copy.
    assert np.shares_memory(word, used)
    assert word.flags.c_contiguous
    assert context.flags.c_contiguous
    if len(layout.map) == 0:
        assert np.shares_memory(context, used)


@pytest.mark.small
@pytest.mark.parametrize(
    ("n_components", "negative"), [(1, 1), (2, 1), (10, 1), (16, 2), (100, 10)]
)
def test_a_tenth_of_the_dimensions_is_negative(n_components, negative):
    (signs,) = strategies.get_strategy("signed")._layout(9, n_components).map
    assert signs.dtype == np.float32
    assert (signs == -1).sum() == negative
    assert (signs == 1).sum() == n_components - negative


@pytest.mark.small
def test_number_of_negative_dimensions():
    """A share gives at least one, unless it is 0; an int is the number itself."""
    shares = [(0.0, 0), (0.001, 1), (0.25, 2), (0.5, 5), (1.0, 10), (0, 0), (1, 1)]
    for share, wanted in [*shares, (10, 10)]:
        for name in ("signed", "diagonal"):
            layout = strategies.get_strategy(name)._layout(9, 10, share)
            assert layout.map.tolist() == [[1.0] * (10 - wanted) + [-1.0] * wanted]
    assert strategies.count_negative(np.int64(1), 10) == 1
    with pytest.raises(ValueError, match=r"negative_dims=11 .* n_components=10"):
        strategies.get_strategy("signed")._layout(9, 10, 11)


@every_name
@every_bias
def test_number_of_parameters_of_sgns(name, bias, tiny_corpus):
    """Tables and learned biases; fixed signs and offsets cost nothing."""
    embedder = fit(make(SGNSEmbedder, share_context=name, bias=bias), tiny_corpus)
    n_words = len(embedder.vocabulary_)
    own_noise = name in ("noise", "three")
    tables = {False: 2, "noise": 2, "three": 3}.get(name, 1)
    others = {"diagonal": 6, "bilinear": 36}.get(name, 0)
    # With a table for noise words, these have biases of their own.
    others += n_words * (2 if own_noise else 1) if bias == "word" else 0
    assert embedder.n_embedding_parameters_ == tables * n_words * 6 + others


@every_name_of_counts
def test_number_of_parameters_of_the_others(name, tiny_corpus):
    tables = 2 if name is False else 1
    glove = fit(make(GloVeEmbedder, share_context=name), tiny_corpus)
    n_words = len(glove.vocabulary_)
    assert glove.n_embedding_parameters_ == tables * n_words * 7
    ppmi = fit(make(PPMISVDEmbedder, share_context=name), tiny_corpus)
    assert ppmi.n_embedding_parameters_ == tables * n_words * 6


def test_number_of_parameters_of_a_matrix_in_closed_form(tiny_corpus):
    ppmi = fit(make(PPMISVDEmbedder, share_context="bilinear"), tiny_corpus)
    assert ppmi.n_embedding_parameters_ == len(ppmi.vocabulary_) * 6 + 36


# --- biases ---------------------------------------------------------------------------


@pytest.mark.small
@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: str(s.name))
def test_auto_bias(strategy):
    wanted = "exact" if strategy.name is True else None
    assert _bias.get_bias("auto", strategy).name == wanted
    for bias in BIASES:
        assert _bias.get_bias(bias, strategy).name == bias


@pytest.mark.small
def test_offsets():
    p, p_noise = np.array([0.5, 0.3, 0.2, 0.0]), np.array([0.4, 0.4, 0.2, 0.0])
    offsets = {
        bias: _bias.get_bias(bias, STRATEGIES[0]).offset(p, p_noise, 3)
        for bias in BIASES
    }
    assert all(offset.dtype == np.float32 for offset in offsets.values())
    np.testing.assert_array_equal(offsets[None], np.zeros(4))
    np.testing.assert_array_equal(offsets["word"], np.zeros(4))
    np.testing.assert_allclose(offsets["shift"], np.full(4, -np.log(3)), rtol=1e-6)
    exact = np.log(p[:3]) - np.log(3 * p_noise[:3])
    np.testing.assert_allclose(offsets["exact"], [*exact, exact.min()], rtol=1e-6)


def expected_offset(embedder, documents):
    """o_c = ln p(c) - ln(k p_noise(c)), with p after subsampling, from the text."""
    words = [word for text in documents for word in text.split()]
    counts = Counter(word for word in words if word in embedder.vocabulary_)
    count = np.array([counts[word] for word in embedder.vocabulary_], dtype=float)
    frequency = count / count.sum()
    t = embedder.subsample
    keep = np.minimum(1.0, np.sqrt(t / frequency) + t / frequency) if t else 1.0
    p = count * keep / (count * keep).sum()
    p_noise = count**embedder.noise_exponent
    p_noise /= p_noise.sum()
    return np.log(p) - np.log(embedder.negative * p_noise)


@pytest.mark.parametrize(
    "parameters",
    [
        {"subsample": 0, "noise_exponent": 1.0},
        {"subsample": 0, "noise_exponent": 0.75, "negative": 2},
        {"subsample": 1e-2, "noise_exponent": 0.0, "negative": 1},
        {"subsample": 3e-2},
    ],
    ids=str,
)
def test_exact_bias(parameters, tiny_corpus):
    """Score minus dot product is the offset, which is -ln k without any smoothing."""
    embedder = fit(
        make(SGNSEmbedder, share_context=True, bias="exact", **parameters), tiny_corpus
    )
    words = list(embedder.vocabulary_)
    dots = embedder.word_vectors_ @ embedder.context_vectors_.T
    offset = embedder.score_pairs(np.array(words)[:, None], words) - dots
    wanted = expected_offset(embedder, tiny_corpus)
    np.testing.assert_allclose(offset, np.tile(wanted, (len(words), 1)), atol=1e-5)
    if parameters.get("noise_exponent") == 1.0:
        np.testing.assert_allclose(wanted, -np.log(5), rtol=1e-12)
    else:
        assert np.ptp(wanted) > 0.1


# --- scores and attributes ------------------------------------------------------------


def documented_scores(embedder, documents):
    """s(w, c) = x_w . y_c + beta(w, c), from public attributes and the text."""
    scores = embedder.word_vectors_.astype(float) @ embedder.context_vectors_.T
    bias = getattr(embedder, "bias", None)
    if bias == "auto":
        bias = "exact" if embedder.share_context is True else None
    if bias == "shift":
        scores -= np.log(embedder.negative)
    if bias == "exact":
        scores += expected_offset(embedder, documents)
    if bias == "word":
        scores += embedder.context_biases_
        if embedder.share_context not in (False, "three"):
            scores += embedder.context_biases_[:, None]
    if isinstance(embedder, GloVeEmbedder):
        scores += embedder.word_biases_[:, None] + embedder.context_biases_
    return scores


def assert_documented(embedder, documents):
    words = np.array(list(embedder.vocabulary_))
    scores = embedder.score_pairs(words[:, None], words)
    assert scores.dtype == np.float32
    wanted = documented_scores(embedder, documents)
    np.testing.assert_allclose(scores, wanted, rtol=1e-5, atol=1e-5)
    # One pair, and pairs side by side.
    one = embedder.score_pairs(words[3], words[1])
    assert one.shape == ()
    np.testing.assert_allclose(one, wanted[3, 1], rtol=1e-5, atol=1e-5)
    some = embedder.score_pairs(words[:4], words[4:8])
    np.testing.assert_allclose(some, wanted[range(4), range(4, 8)], atol=1e-5)


def assert_attributes(embedder, biases):
    """Which attributes exist, and which of them are one object."""
    name = embedder.share_context
    n_words = len(embedder.vocabulary_)
    word, context = embedder.word_vectors_, embedder.context_vectors_
    for vectors in (word, context):
        assert vectors.shape == (n_words, 6)
        assert vectors.dtype == np.float32
        assert vectors.flags.c_contiguous
    assert (word is context) == (name in (True, "noise"))
    assert hasattr(embedder, "context_signs_") == (name == "signed")
    if name == "signed":
        assert embedder.context_signs_.shape == (6,)
        assert set(embedder.context_signs_) <= {-1.0, 1.0}
    found = {b for b in ("word_biases_", "context_biases_") if hasattr(embedder, b)}
    assert found == set(biases)
    for bias in found:
        assert getattr(embedder, bias).shape == (n_words,)
        assert getattr(embedder, bias).dtype == np.float32
        assert getattr(embedder, bias).any()
    if len(found) == 2:
        shared = embedder.word_biases_ is embedder.context_biases_
        assert shared == (name not in (False, "three"))
    trained = not isinstance(embedder, PPMISVDEmbedder)
    assert hasattr(embedder, "loss_curve_") == trained
    assert hasattr(embedder, "n_iter_") == trained


def biases_of_sgns(name, bias):
    if bias != "word":
        return []
    both = ["word_biases_", "context_biases_"]
    return both[1:] if name in (False, "three") else both


@every_name
@pytest.mark.parametrize("bias", _bias.biases(), ids=str)
def test_sgns_scores_and_attributes(name, bias, tiny_corpus):
    embedder = fit(make(SGNSEmbedder, share_context=name, bias=bias), tiny_corpus)
    assert_documented(embedder, tiny_corpus)
    assert_attributes(embedder, biases_of_sgns(name, bias))
    if name == "signed":
        np.testing.assert_array_equal(
            embedder.context_vectors_, embedder.word_vectors_ * embedder.context_signs_
        )


@every_name
@every_bias
@pytest.mark.parametrize("estimator", [SGNSEmbedder, CBOWEmbedder])
def test_biases_are_learned_where_they_are_published(
    estimator, name, bias, tiny_corpus, monkeypatch
):
    """The context's with two tables, both words' with one; else none at all."""
    models = []
    publish = negative_sampling._Training.fitted

    def spy(training, *arguments, **named):
        models.append(training.model.params.copy())
        return publish(training, *arguments, **named)

    monkeypatch.setattr(negative_sampling._Training, "fitted", spy)
    embedder = fit(make(estimator, share_context=name, bias=bias), tiny_corpus)
    n_words = len(embedder.vocabulary_)
    tables = models[0][:, 6].reshape(-1, n_words)
    of_contexts = tables[strategies.get_strategy(name).context_table]
    assert of_contexts.any() == (bias == "word")
    if name in (False, "three"):
        assert not tables[0].any()
    if bias == "word":
        np.testing.assert_array_equal(embedder.context_biases_, of_contexts)


@every_name_of_counts
def test_glove_scores_and_attributes(name, tiny_corpus):
    embedder = fit(make(GloVeEmbedder, share_context=name), tiny_corpus)
    assert_documented(embedder, tiny_corpus)
    assert_attributes(embedder, ["word_biases_", "context_biases_"])
    if name == "signed":
        np.testing.assert_array_equal(
            embedder.context_vectors_, embedder.word_vectors_ * embedder.context_signs_
        )


@every_name_of_counts
def test_ppmi_svd_scores_and_attributes(name, tiny_corpus):
    embedder = fit(make(PPMISVDEmbedder, share_context=name), tiny_corpus)
    assert_documented(embedder, tiny_corpus)
    assert_attributes(embedder, [])
    if name == "signed":
        np.testing.assert_allclose(
            embedder.context_vectors_,
            embedder.word_vectors_ * embedder.context_signs_,
            rtol=1e-6,
        )


def assert_like_new(embedder, documents, **parameters):
    """Refit with other parameters and compare with an estimator that starts so."""
    embedder.set_params(**parameters)
    fit(embedder, documents)
    new = fit(type(embedder)(**embedder.get_params()), documents)
    assert vars(embedder).keys() == vars(new).keys()
    assert embedder.word_vectors_.tobytes() == new.word_vectors_.tobytes()
    words = list(embedder.vocabulary_)
    ours, theirs = (e.score_pairs(words, words[::-1]) for e in (embedder, new))
    assert ours.tobytes() == theirs.tobytes()


def test_a_refit_with_another_bias_leaves_nothing_behind(tiny_corpus):
    for name in NAMES:
        embedder = fit(make(SGNSEmbedder, share_context=name, bias="word"), tiny_corpus)
        for bias in ("shift", "exact", "word", "auto"):
            assert_like_new(embedder, tiny_corpus, bias=bias)


@every_estimator
def test_a_refit_with_another_strategy_leaves_nothing_behind(estimator, tiny_corpus):
    embedder = fit(make(estimator, share_context="signed"), tiny_corpus)
    for name in (True, "signed", False, "signed"):
        assert_like_new(embedder, tiny_corpus, share_context=name)


@pytest.mark.parametrize("name", [True, "signed"])
@pytest.mark.parametrize("combine", ["sum", "concat"])
def test_combining_one_table_says_what_it_amounts_to(name, combine, tiny_corpus):
    embedder = make(SGNSEmbedder, share_context=name, combine=combine)
    with pytest.warns(UserWarning, match=f"combine='{combine}'") as caught:
        embedder.fit(tiny_corpus)
    assert len(caught) == 1
    note = strategies.get_strategy(name).combine_notes[combine]
    assert note in str(caught[0].message)


def test_one_table_without_constant_warns(tiny_corpus):
    """With k = 1 there is no constant to miss, and no warning."""
    embedder = make(SGNSEmbedder, share_context=True, bias=None)
    with pytest.warns(UserWarning, match="cannot express the negative mean"):
        embedder.fit(tiny_corpus)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        embedder.set_params(negative=1).fit(tiny_corpus)


@pytest.mark.parametrize("name", ["signed", "diagonal"])
def test_a_positive_diagonal_without_constant_warns(tiny_corpus, name):
    """With its default bias, too, which is none; a negative dimension is enough."""
    embedder = make(SGNSEmbedder, share_context=name, negative_dims=0)
    with pytest.warns(UserWarning, match=f"{name}.*hardly learns; use bias='exact'"):
        embedder.fit(tiny_corpus)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        embedder.set_params(bias="exact").fit(tiny_corpus)
        embedder.set_params(bias="auto", negative_dims=1).fit(tiny_corpus)


def test_at_most_one_warning(tiny_corpus):
    embedder = make(SGNSEmbedder, share_context=True, bias=None, combine="sum")
    with pytest.warns(UserWarning, match="cannot express.* combine='sum'") as caught:
        embedder.fit(tiny_corpus)
    assert len(caught) == 1
    assert str(caught[0].message).count("cannot express") == 1


# --- what models learn ----------------------------------------------------------------

N_WORDS = 12


@pytest.fixture(scope="module")
def pairs():
    """Documents of two words each, drawn from a symmetric joint distribution.

    Its PMI is positive semi-definite but for the margins, so that every strategy can
    come near it. Returns the documents, and the counts of all ordered pairs.
    """
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(N_WORDS, 3))
    margins = rng.dirichlet(np.full(N_WORDS, 5.0))
    joint = np.outer(margins, margins) * np.exp(0.4 * vectors @ vectors.T)
    joint /= joint.sum()
    drawn = rng.choice(joint.size, size=15_000, p=joint.ravel())
    left, right = np.unravel_index(drawn, joint.shape)
    names = [f"w{i}" for i in range(N_WORDS)]
    documents = [[names[i], names[j]] for i, j in zip(left, right, strict=True)]
    counts = np.zeros((N_WORDS, N_WORDS))
    np.add.at(counts, (left, right), 1.0)
    return documents, counts + counts.T


def correlation(embedder, wanted, counts):
    """Weighted by the counts, as every model's objective weights its errors."""
    names = [f"w{i}" for i in range(N_WORDS)]
    scores = embedder.score_pairs(np.array(names)[:, None], names)
    covariance = np.cov(scores.ravel(), wanted.ravel(), aweights=counts.ravel())
    return covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])


def learn(estimator, documents, **parameters):
    return estimator(
        window=1, min_count=1, random_state=0, combine="word", **parameters
    ).fit(documents)


@pytest.mark.parametrize(
    ("name", "bias"), [(False, None), (True, "exact"), ("signed", "exact")]
)
def test_sgns_learns_the_pmi(name, bias, pairs):
    """Levy & Goldberg (2014): with unsmoothed noise the optimum is PMI - ln k.

    That a draw equal to the pair's context is skipped makes it
    ``ln P(w, c) - ln(k p(c) (p(w) - P(w, c)))``, nearly the same for many words.
    """
    documents, counts = pairs
    embedder = learn(
        SGNSEmbedder,
        documents,
        n_components=N_WORDS,
        share_context=name,
        bias=bias,
        subsample=0,
        noise_exponent=1.0,
        learning_rate=0.02,
        max_iter=30,
    )
    joint = counts / counts.sum()
    margins = joint.sum(axis=1)
    k = embedder.negative
    pmi = np.log(joint / np.outer(margins, margins))
    assert correlation(embedder, pmi - np.log(k), counts) > 0.9
    skipped = np.log(joint / (k * margins * (margins[:, None] - joint)))
    assert correlation(embedder, skipped, counts) > 0.97
    words = [f"w{i}" for i in range(N_WORDS)]
    scores = embedder.score_pairs(np.array(words)[:, None], words)
    assert abs(((scores - skipped) * joint).sum()) < 0.1


@every_name_of_counts
def test_glove_learns_the_logarithms_of_counts(name, pairs):
    documents, counts = pairs
    embedder = learn(
        GloVeEmbedder,
        documents,
        n_components=N_WORDS,
        share_context=name,
        max_iter=300,
    )
    assert correlation(embedder, np.log(counts), counts) > 0.95


@every_name_of_counts
def test_ppmi_svd_learns_the_ppmi(name, pairs):
    documents, counts = pairs
    embedder = learn(
        PPMISVDEmbedder,
        documents,
        n_components=4,
        share_context=name,
        context_exponent=1.0,
        subsample=0,
    )
    assert correlation(embedder, reference.ppmi(counts), counts) > 0.95


# --- training as a whole --------------------------------------------------------------


@pytest.fixture(scope="module")
def long_corpus():
    """Some 12,000 tokens of 40 words: several lanes, many rounds."""
    rng = np.random.default_rng(40)
    return [[f"w{i}" for i in rng.integers(0, 40, size=30)] for _ in range(400)]


@pytest.mark.parametrize("estimator", [SGNSEmbedder, CBOWEmbedder])
def test_slices_do_not_show(estimator, long_corpus, monkeypatch):
    """An epoch is trained whole, in however many calls."""
    options = {"subsample": 0, "max_iter": 2, "random_state": 0}
    whole = estimator(8, **options).fit(long_corpus)
    monkeypatch.setattr(negative_sampling, "_WORK_OF_A_SLICE", 1)
    sliced = estimator(8, **options).fit(long_corpus)
    assert sliced.word_vectors_.tobytes() == whole.word_vectors_.tobytes()
    assert sliced.loss_curve_.tolist() == whole.loss_curve_.tolist()
    monkeypatch.setattr(negative_sampling, "_WORK_OF_A_SLICE", 10**15)
    assert (
        estimator(8, **options).fit(long_corpus).word_vectors_.tobytes()
        == whole.word_vectors_.tobytes()
    )


@pytest.mark.small
@pytest.mark.parametrize("chunk", [1, 7, 50, 10**6])
def test_chunks_hold_all_documents(chunk, monkeypatch):
    monkeypatch.setattr(sampling, "_CHUNK", chunk)
    lengths = [0, 3, 0, 60, 1, 1, 0, 5, 30, 0]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    edges = sampling._cut(offsets)
    assert edges[0] == 0
    assert edges[-1] == len(lengths)
    assert (np.diff(edges) > 0).all()
    assert len(edges) - 1 <= max(1, 100 // chunk)
    # None is longer than wished by more than a document.
    assert np.diff(offsets[edges]).max() <= 2 * chunk + 60 or chunk > 100


@pytest.mark.parametrize("estimator", [SGNSEmbedder, CBOWEmbedder])
def test_many_chunks_learn_as_one(estimator, long_corpus, monkeypatch):
    """Other draws, but the same number of pairs and about the same loss."""
    options = {"subsample": 0.02, "max_iter": 3, "random_state": 0}
    monkeypatch.setattr(sampling, "_CHUNK", 1000)
    parts = estimator(8, **options).fit(long_corpus)
    monkeypatch.undo()
    whole = estimator(8, **options).fit(long_corpus)
    assert parts.word_vectors_.tobytes() != whole.word_vectors_.tobytes()
    np.testing.assert_allclose(parts.loss_curve_, whole.loss_curve_, rtol=0.02)


@pytest.mark.small
def test_learning_rates_decay_linearly():
    """From the first round to 1e-4 of it after the last, without a gap."""
    rates = []
    for part in range(3):
        done = np.array([part / 3, (part + 1) / 3])
        first, change = negative_sampling._rates(0.5, done, 10)
        rates += [first + change * index for index in range(11)]
        if part:
            assert rates[-11] == pytest.approx(rates[-12])
    assert rates[0] == 0.5
    assert rates[-1] == pytest.approx(0.5e-4)
    assert np.diff(rates).max() < 1e-12


@pytest.mark.parametrize("estimator", [SGNSEmbedder, CBOWEmbedder])
@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: str(s.name))
def test_word_vectors_start_small_and_even(estimator, strategy, long_corpus):
    """As word2vec's program: uniform within 1 / (2 d), contexts of their own at 0."""
    embedder = estimator(
        50,
        share_context=strategy.name,
        bias="exact" if strategy.needs_constant else None,
        learning_rate=1e-12,
        max_iter=1,
        subsample=0,
        random_state=0,
    )
    fit(embedder, long_corpus)
    scaled = np.sort((50 * embedder.word_vectors_).ravel())
    even = (np.arange(scaled.size) + 0.5) / scaled.size - 0.5
    np.testing.assert_allclose(scaled, even, atol=0.04)
    if strategy.context_table:
        assert np.abs(embedder.context_vectors_).max() < 1e-8
    if strategy.noise_table:
        noise = getattr(embedder, "noise_vectors_", embedder.context_vectors_)
        assert np.abs(noise).max() < 1e-8


def test_many_tokens_are_trained_in_many_lanes(long_corpus, monkeypatch):
    """As many as the most frequent word bears, and never more for more threads."""
    monkeypatch.setattr(negative_sampling, "MAX_LANES", 100)
    seen = []
    allocate = negative_sampling._Training._allocate
    monkeypatch.setattr(
        negative_sampling._Training,
        "_allocate",
        lambda self, n: (seen.append(self.n_lanes), allocate(self, n))[1],
    )
    for n_jobs in (1, 2):
        SGNSEmbedder(8, subsample=0, max_iter=1, n_jobs=n_jobs).fit(long_corpus)
    _, counts = np.unique(long_corpus, return_counts=True)
    # Three contexts on either side on average, spans of 32 words, 64 pairs at most.
    pairs_of_a_span = 2 * 3 * 32 * counts.max() / counts.sum()
    assert seen == [int(64 / pairs_of_a_span)] * 2
    assert seen[0] > 4


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: str(s.name))
@pytest.mark.parametrize("estimator", [SGNSEmbedder, CBOWEmbedder])
@pytest.mark.parametrize("learning_rate", [0.5, 1e6])
def test_training_stays_finite_at_any_rate(
    estimator, strategy, learning_rate, long_corpus
):
    """Two words, each beside the other for ever; and many words."""
    for documents in (["cat dog " * 200] * 20, long_corpus):
        embedder = estimator(
            4,
            share_context=strategy.name,
            learning_rate=learning_rate,
            max_iter=10,
            subsample=0,
            random_state=0,
        )
        fit(embedder, documents)
        chance = (1 + embedder.negative) * np.log(2.0)
        assert embedder.loss_curve_.max() < 3.0 * chance
        assert np.abs(embedder.word_vectors_).max() < 100.0


def test_vectors_that_become_infinite_are_an_error(long_corpus):
    embedder = GloVeEmbedder(4, learning_rate=1e30, random_state=0)
    with pytest.raises(ValueError, match=r"infinite or NaN in epoch 1.*learning_rate"):
        embedder.fit(long_corpus)
    assert not hasattr(embedder, "word_vectors_")
