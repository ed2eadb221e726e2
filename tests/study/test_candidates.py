"""What is compared: all strategies in the study, some in the quick comparison."""

import pytest

from skembed._tying import strategies
from skembed.study import _candidates
from skembed.study._candidates import Settings


@pytest.mark.small
def test_candidates_come_from_the_registry():
    names = {strategy.name for strategy in strategies.strategies()}
    for family in _candidates.EMBEDDERS:
        settings = Settings(estimators=(family,), n_components=8)
        found = _candidates.study(settings)
        assert {c.params["share_context"] for c in found} == names
        assert len({c.label for c in found}) == len(found)
        assert {c.group for c in found} <= set(_candidates.groups())
        for candidate in found:
            embedder = candidate.make(random_state=3)
            kind = {"hierarchical": "softmax"}.get(family, family).replace("-", "")
            assert type(embedder).__name__.lower() == f"{kind}embedder"
            assert embedder.random_state == 3
            assert embedder.min_count == 5
            assert embedder.n_components in (4, 8)


@pytest.mark.small
def test_candidates_of_skip_gram():
    found = _candidates.study(Settings(("sgns",), n_components=9))
    by_label = {c.label: c for c in found}
    biases = [
        (c.params["share_context"], c.params["bias"])
        for c in found
        if c.group in ("separate", "tied", "signed")
    ]
    constants = [None, "shift", "word", "exact"]
    assert biases[:5] == [(False, None), *[(True, bias) for bias in constants]]
    assert biases[5:] == [("signed", None), ("signed", "exact")]
    assert by_label["separate"].combines == ("word", "sum")
    assert by_label["tied, bias=word"].combines == ("word",)
    assert [c.label for c in found if c.is_main] == [
        "separate",
        "tied, bias=None",
        "tied, bias=exact",
        "signed, bias=None",
        "signed, bias=exact",
    ]
    half = by_label["separate, half size"]
    assert half.params == {**by_label["separate"].params, "n_components": 4}


@pytest.mark.small
def test_choices_beside_sharing_need_their_parameter(monkeypatch):
    choices = [("wide", "window", 9, (False, True)), ("other", "absent", 1, (False,))]
    monkeypatch.setattr(_candidates, "_CHOICES", tuple(choices))
    assert "wide" in _candidates.groups()
    assert "other" not in _candidates.groups()
    settings = Settings(("sgns", "glove"), strategies=("wide",))
    found = _candidates.study(settings)
    assert [(c.title, c.label) for c in found] == [
        ("SGNS", "separate, wide"),
        ("SGNS", "tied, wide"),
        ("GloVe", "separate, wide"),
        ("GloVe", "tied, wide"),
    ]
    assert [c.params["window"] for c in found] == [9] * 4
    assert [c.params.get("bias") for c in found] == [None, "exact", None, None]


@pytest.mark.small
@pytest.mark.parametrize("family", ["softmax", "hierarchical"])
def test_candidates_of_a_softmax(family):
    """Every strategy with and without the constant; nodes of a tree are no contexts."""
    strategies = ("separate", "tied", "signed")
    found = _candidates.study(Settings((family,), strategies=strategies))
    assert [(c.params["share_context"], c.params["bias"]) for c in found] == [
        (share_context, bias)
        for share_context in (False, True, "signed")
        for bias in (None, "exact")
    ]
    assert all(c.is_main for c in found)
    sums = [c for c in found if c.combines == ("word", "sum")]
    assert len(sums) == {"softmax": 2, "hierarchical": 0}[family]
    assert {c.make().loss for c in found} == {family}
    assert not any({"l2", "learning_rate"} & set(c.params) for c in found)


@pytest.mark.small
def test_searched_parameters_are_those_of_the_estimator():
    """Rates are multiples of the default, penalties are values."""
    families, rates = ("glove", "ppmi-svd", "softmax"), (2.0, 1.5, 2.0)
    settings = Settings(
        families, strategies=("half-size",), rates=rates, penalties=(40.0, 4.0)
    )
    glove, ppmi, *softmax = _candidates.study(settings)
    ((name, values, default),) = glove.searched(settings)
    assert (name, default) == ("learning_rate", 0.1)
    assert values == pytest.approx((0.15, 0.2))
    assert ppmi.searched(settings) == []
    assert len(softmax) == 2
    for candidate in softmax:
        of_rates, penalties = candidate.searched(settings)
        assert of_rates.values == pytest.approx((0.45, 0.6))
        # The value nearest to the default.
        assert of_rates.start == of_rates.values[0]
        assert penalties == ("l2", (4.0, 40.0), 10.0)
        assert penalties.start == 4.0


@pytest.mark.small
def test_quick_comparison_is_in_the_order_of_estimators():
    found = _candidates.quick(Settings(estimators=("sgns", "glove", "union"), seed=7))
    titles = [candidate.title for candidate in found]
    assert titles == [
        *["tf-idf", "TruncatedSVD of tf-idf"],
        *["SGNS"] * 8,
        *["GloVe"] * 3,
        "tf-idf + PPMI-SVD",
    ]
    assert [c.is_reference for c in found] == [True, True, *[False] * 12]
    assert [c.params["combine"] for c in found[10:13]] == ["sum", "word", "word"]
    assert all(c.params["random_state"] == 7 for c in found[1:])


@pytest.mark.small
def test_quick_comparison_has_a_softmax_if_asked_for():
    titles = [candidate.title for candidate in _candidates.quick(Settings())]
    assert not any("softmax" in title.lower() for title in titles)
    found = _candidates.quick(Settings(estimators=("softmax", "hierarchical")))[2:]
    assert [(c.title, c.params["share_context"], c.params["bias"]) for c in found] == [
        (title, share_context, "exact")
        for title in ("Softmax", "Softmax tree")
        for share_context in (False, True, "signed")
    ]


@pytest.mark.small
def test_parameters_reach_whatever_has_them():
    """The words of tf-idf are those of the embedders; the rest is for embedders."""
    text = {"token_pattern": r"\w+", "lowercase": False, "stop_words": "english"}
    settings = Settings(
        subsample=0.5, window=3, max_features=9, learning_rate=0.2, **text
    )
    for candidate in _candidates.quick(settings):
        params = candidate.make().get_params()
        kept = [name for name in params if name.split("__")[-1] in text]
        assert len(kept) % 3 == 0
        assert kept
        assert {name.split("__")[-1]: params[name] for name in kept} == text
        if not candidate.is_reference and candidate.family != "union":
            assert (params["subsample"], params["window"]) == (0.5, 3)
            assert params["max_features"] == 9
            assert params.get("learning_rate", 0.2) == 0.2
    for candidate in _candidates.study(settings):
        params = candidate.make().get_params()
        assert {name: params[name] for name in text} == text
        assert params["window"] == 3
        assert "learning_rate" not in candidate.params
