"""Every display is drawn, and what it shows is read off the artists."""

import sys

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import Pipeline, make_pipeline
from threadpoolctl import threadpool_info, threadpool_limits

from skembed import PPMISVDEmbedder, PretrainedEmbedder, SGNSEmbedder
from skembed.inspection import (
    ContributionsDisplay,
    LossCurveDisplay,
    NeighborsDisplay,
    SelfScoresDisplay,
    Spectrum,
    SpectrumDisplay,
    StrategiesDisplay,
    WordMapDisplay,
    _word_map,
    self_scores,
    word_contributions,
)
from skembed.inspection._drawing import NEGATIVE, NEUTRAL, POSITIVE
from skembed.vectors import WordVectors
from tests.helpers import DOCUMENTS, WORDS, cheap

plt = pytest.importorskip("matplotlib.pyplot")
colours = pytest.importorskip("matplotlib.colors")
Text = pytest.importorskip("matplotlib.text").Text

pytestmark = pytest.mark.small
LABELS = np.arange(20) % 2
CLASSES = np.array(["a", "b", "c"])[np.arange(20) % 3]


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def ppmi(**params):
    return cheap(PPMISVDEmbedder, **params).fit(DOCUMENTS)


def tick_labels(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def legend_of(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def colours_of(bars):
    return [colours.to_hex(bar.get_facecolor()) for bar in bars]


def hexed(*names):
    return [colours.to_hex(name) for name in names]


def table(n_words=60, seed=0, n_components=4):
    rng = np.random.default_rng(seed)
    words = [f"word{number}" for number in range(n_words)]
    vectors = rng.normal(size=(n_words, n_components))
    return WordVectors(words, vectors, counts=rng.permutation(n_words) + 1)


# --- all of them ----------------------------------------------------------------------

SPECTRUM = Spectrum(np.array([-3.0, 2.0, 1.0]), 1 / 3, 9 / 14)


def contributions():
    model = make_pipeline(cheap(PPMISVDEmbedder), LogisticRegression())
    return word_contributions(model.fit(DOCUMENTS, LABELS), DOCUMENTS)[0]


ALL = {
    "map": lambda: WordMapDisplay(["a", "b"], [[0, 0], [1, 1]]),
    "losses": lambda: LossCurveDisplay({"a": [2.0, 1.0]}),
    "spectrum": lambda: SpectrumDisplay(SPECTRUM.eigenvalues),
    "self scores": lambda: SelfScoresDisplay({"a": [0.0, 1.0, 3.0]}),
    "strategies": lambda: StrategiesDisplay(["a", "b"], np.ones((2, 1, 3))),
    "neighbours": lambda: NeighborsDisplay(["a", "b"], [0.5, 0.1]),
    "contributions": lambda: ContributionsDisplay(contributions()),
}


@pytest.mark.parametrize("name", ALL)
def test_axes_are_made_or_given(name):
    display = ALL[name]()
    assert display.plot() is display
    assert display.figure_ is display.ax_.figure
    assert display.figure_ in map(plt.figure, plt.get_fignums())
    figure, axes = plt.subplots(1, 2)
    display.plot(axes[1])
    assert display.ax_ is axes[1]
    assert display.figure_ is figure
    assert axes[1].has_data()
    assert not axes[0].has_data()


def test_without_matplotlib(monkeypatch):
    """The error names the extra, before anything is computed."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for name, display in ALL.items():
        with pytest.raises(ImportError, match=r"plot needs .*skembed\[plot\]"):
            display().plot()
        if name not in ("spectrum", "strategies"):
            given = (None,) * (1 + (name in ("neighbours", "contributions")))
            with pytest.raises(ImportError, match=r"from_estimator .*skembed\[plot\]"):
                type(display()).from_estimator(*given)
    with pytest.raises(ImportError, match=r"from_cv_results .*skembed\[plot\]"):
        StrategiesDisplay.from_cv_results({})
    with pytest.raises(ImportError, match=r"from_estimator .*skembed\[plot\]"):
        SpectrumDisplay.from_estimator(None)


def test_names_are_drawn_as_they_are():
    """Names that would be wrong as formulas."""
    name = "$\\foo$ a_b^c 100 %"
    found = contributions()
    found = found._replace(words=np.array([name] * len(found.words), dtype=object))
    for display in (
        WordMapDisplay([name, "b"], [[0, 0], [1, 1]], method=name),
        LossCurveDisplay({name: [2.0, 1.0]}),
        SelfScoresDisplay({name: [0.0, 1.0, 3.0]}),
        StrategiesDisplay([name], np.ones((1, 1, 3))),
        StrategiesDisplay([name], np.ones((1, 2, 3)), [name, "b"], x=name),
        NeighborsDisplay([name, "b"], [0.5, 0.1], title=name),
        ContributionsDisplay(found),
    ):
        display.plot().figure_.canvas.draw()


# --- curves and histograms ------------------------------------------------------------


def test_loss_curves():
    params = {"max_iter": 6, "early_stopping": True, "n_iter_no_change": 1}
    stopped = cheap(SGNSEmbedder, **params).fit(DOCUMENTS * 3)
    plain = cheap(SGNSEmbedder, max_iter=3).fit(DOCUMENTS)
    display = LossCurveDisplay.from_estimator({"first": stopped, "second": plain})
    curves = [stopped.loss_curve_, plain.loss_curve_, stopped.validation_loss_curve_]
    assert len(display.lines_) == 3
    for line, curve in zip(display.lines_, curves, strict=True):
        np.testing.assert_array_equal(line.get_ydata(), curve)
        np.testing.assert_array_equal(line.get_xdata(), np.arange(len(curve)) + 1)
    names = ["first, training", "second, training", "first, validation"]
    assert legend_of(display.ax_) == names
    first, second, held_out = (line.get_color() for line in display.lines_)
    assert first == held_out != second
    styles = [line.get_linestyle() for line in display.lines_]
    assert styles == ["-", "-", "--"]
    single = LossCurveDisplay.from_estimator(plain, ax=display.ax_, linewidth=5)
    assert single.lines_[0].get_linewidth() == 5
    assert single.ax_ is display.ax_
    listed = LossCurveDisplay.from_estimator([plain, plain])
    assert legend_of(listed.ax_) == ["SGNSEmbedder, False", "SGNSEmbedder, False #2"]
    with pytest.raises(TypeError, match="PPMISVDEmbedder has no loss curve, because"):
        LossCurveDisplay.from_estimator(ppmi())
    with pytest.raises(TypeError, match="got str"):
        LossCurveDisplay.from_estimator("model")
    with pytest.raises(ValueError, match="no embedder"):
        LossCurveDisplay.from_estimator([])


def test_spectrum_of_the_pmi_matrix():
    display = SpectrumDisplay.from_spectrum(SPECTRUM)
    positive, negative = display.points_
    assert positive.get_offsets().tolist() == [[2.0, 2.0], [3.0, 1.0]]
    assert negative.get_offsets().tolist() == [[1.0, 3.0]]
    assert hexed(positive.get_facecolor()[0]) == hexed(POSITIVE)
    assert hexed(negative.get_facecolor()[0]) == hexed(NEGATIVE)
    assert legend_of(display.ax_)[1] == "negative: 1 of 3, 64.3% of energy"
    for wrong in ([], [0.0, 0.0], [[1.0]], [np.nan, 1.0]):
        with pytest.raises(ValueError, match="eigenvalues"):
            SpectrumDisplay(wrong).plot()


@pytest.mark.parametrize("share_context", [False, True, "signed"])
def test_spectrum_of_scores(share_context):
    """That of the whole matrix of scores, in its symmetric part."""
    model = ppmi(share_context=share_context)
    words = np.array(list(model.vocabulary_), dtype=object)
    scores = model.score_pairs(words[:, None], words[None, :]).astype(float)
    expected = np.linalg.eigvalsh((scores + scores.T) / 2)
    expected = expected[np.abs(expected) > 1e-5 * np.abs(expected).max()]
    display = SpectrumDisplay.from_estimator(model, s=30)
    positive, negative = display.points_
    for points, values in (
        (positive, expected[expected > 0]),
        (negative, -expected[expected < 0]),
    ):
        found = np.sort(np.asarray(points.get_offsets())[:, 1])
        np.testing.assert_allclose(found, np.sort(values), rtol=1e-3)
    assert positive.get_sizes().tolist() == [30]
    if share_context is True:
        assert not len(negative.get_offsets())
    entries = [text.partition(":")[0] for text in legend_of(display.ax_)]
    assert entries == ["positive", "negative"][: 1 + (share_context is not True)]


def test_self_scores():
    models = {"two": ppmi(), "one": ppmi(share_context=True)}
    display = SelfScoresDisplay.from_estimator(models, bins=7)
    for name, steps in zip(models, display.steps_, strict=True):
        scores = self_scores(models[name])
        density, edges, _ = steps.get_data()
        assert len(density) == 7
        np.testing.assert_allclose((density * np.diff(edges)).sum(), 1.0)
        assert edges[0] == scores.min()
        assert edges[-1] == scores.max()
        assert f"{name}: mean {scores.mean():.2f}" in legend_of(display.ax_)


# --- strategies -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def search():
    """Three strategies, two numbers of dimensions and four folds."""
    steps = [("embed", cheap(PPMISVDEmbedder)), ("classify", LogisticRegression())]
    grid = {
        "embed__n_components": [3, 2],
        "embed__share_context": [False, True, "signed"],
    }
    model, folds = Pipeline(steps), KFold(4)
    metrics = {"hits": "accuracy", "loss": "neg_log_loss"}
    search = GridSearchCV(model, grid, cv=folds, scoring=metrics, refit=False)
    return search.fit(DOCUMENTS, LABELS)


def scores_of(search, metric, **params):
    """Return the scores in all folds of the candidate with these parameters."""
    (place,) = [
        number
        for number, one in enumerate(search.cv_results_["params"])
        if all(one[f"embed__{name}"] == value for name, value in params.items())
    ]
    folds = range(search.n_splits_)
    return np.array(
        [search.cv_results_[f"split{i}_test_{metric}"][place] for i in folds]
    )


def bar_of(bars, axis):
    """Return the places of the points of error bars, and half their lengths."""
    line, _, (segments,) = bars
    places = np.asarray(line.get_data(), dtype=float)[axis].ravel()
    lengths = [np.ptp(one[:, axis]) / 2 for one in segments.get_segments()]
    return places, lengths


STRATEGIES = [False, True, "signed"]


def test_strategies_are_compared(search):
    display = StrategiesDisplay.from_estimator(search, metric="loss")
    assert display.strategies == ["False", "True", "signed"]
    assert display.param == "embed__share_context"
    assert tick_labels(display.ax_.yaxis) == display.strategies
    best = []
    for strategy, bars in zip(STRATEGIES, display.bars_, strict=True):
        # The better number of dimensions of each strategy.
        choices = [
            scores_of(search, "loss", share_context=strategy, n_components=n)
            for n in (2, 3)
        ]
        best.append(max(choices, key=np.mean))
        places, lengths = bar_of(bars, axis=0)
        np.testing.assert_allclose(places, [best[-1].mean()])
        np.testing.assert_allclose(lengths, [best[-1].std()])
    for fold, line in enumerate(display.folds_):
        np.testing.assert_allclose(line.get_xdata(), [one[fold] for one in best])
    assert len(display.folds_) == 4
    differences = StrategiesDisplay.from_estimator(
        search, metric="loss", reference=False
    )
    for found, bars in zip(best, differences.bars_, strict=True):
        places, lengths = bar_of(bars, axis=0)
        np.testing.assert_allclose(places, [(found - best[0]).mean()], atol=1e-12)
        np.testing.assert_allclose(lengths, [(found - best[0]).std()], atol=1e-12)
    assert "difference from False" in differences.ax_.get_xlabel()


def test_another_parameter_on_the_x_axis(search):
    display = StrategiesDisplay.from_cv_results(
        search.cv_results_, x="embed__n_components", metric="hits"
    )
    assert display.values == tick_labels(display.ax_.xaxis) == ["2", "3"]
    assert display.ax_.get_xlabel() == "n_components"
    assert legend_of(display.ax_) == ["False", "True", "signed"]
    for strategy, bars in zip(STRATEGIES, display.bars_, strict=True):
        expected = [
            scores_of(search, "hits", share_context=strategy, n_components=n)
            for n in (2, 3)
        ]
        places, lengths = bar_of(bars, axis=1)
        np.testing.assert_allclose(places, np.mean(expected, axis=1))
        np.testing.assert_allclose(lengths, np.std(expected, axis=1))
    swapped = StrategiesDisplay.from_estimator(
        search, param="embed__n_components", metric="hits"
    )
    assert swapped.strategies == ["3", "2"]
    assert not np.isnan(swapped.scores).any()


def test_failed_fits_and_parameters_that_are_not_set():
    results = {
        "params": [{"a__share_context": True}, {"a__share_context": "signed"}, {}],
        **{f"split{i}_test_score": [0.5 + i, np.nan, 0.1] for i in range(11)},
    }
    results["split10_test_score"] = [99.0, 1.0, 0.1]
    display = StrategiesDisplay.from_cv_results(results)
    names = ["True", "signed (failed)", "(not set)"]
    assert tick_labels(display.ax_.yaxis) == names
    assert display.scores[0, 0, 10] == 99.0  # after fold 9, not after fold 1
    assert np.isnan(display.scores[1]).all()
    for i in range(11):
        results[f"split{i}_test_score"] = [np.nan] * 3
    with pytest.raises(ValueError, match="fits have failed"):
        StrategiesDisplay.from_cv_results(results)


def test_what_strategies_display_refuses(search):
    draw = StrategiesDisplay.from_cv_results
    results = search.cv_results_
    with pytest.raises(ValueError, match=r"one of \['hits', 'loss'\], got 'score'"):
        draw(results)
    with pytest.raises(ValueError, match="'bias' was not searched"):
        draw(results, param="bias", metric="hits")
    with pytest.raises(ValueError, match="'bias' was not searched"):
        draw(results, x="bias", metric="hits")
    with pytest.raises(ValueError, match="reference='three' is not among"):
        draw(results, metric="hits", reference="three")
    with pytest.raises(ValueError, match="0 searched parameters"):
        draw({"params": [{"a": 1}], "split0_test_score": [1.0]})
    with pytest.raises(ValueError, match="Successive halving"):
        draw({**results, "iter": [0]})
    with pytest.raises(TypeError, match="got Ridge"):
        StrategiesDisplay.from_estimator(Ridge())


# --- bars -----------------------------------------------------------------------------


def test_neighbours():
    model = ppmi()
    display = NeighborsDisplay.from_estimator(model, "amber", n=5, height=0.5)
    expected = WordVectors.from_estimator(model).most_similar("amber", n=5)
    assert tick_labels(display.ax_.yaxis) == [word for word, _ in expected]
    widths = [bar.get_width() for bar in display.bars_]
    np.testing.assert_allclose(widths, [value for _, value in expected])
    # The first one stands on top.
    assert display.ax_.yaxis_inverted()
    assert {bar.get_height() for bar in display.bars_} == {0.5}
    signs = [NEGATIVE if value < 0 else POSITIVE for _, value in expected]
    assert colours_of(display.bars_) == hexed(*signs)
    assert {*hexed(NEGATIVE, POSITIVE)} == set(colours_of(display.bars_))
    display = NeighborsDisplay.from_estimator(
        table(), ["word1", "word2"], "word3", n=4, among=["word4", "word5"]
    )
    assert display.ax_.get_title(loc="left") == ("Neighbours of word1 + word2 − word3")
    assert set(display.words) == {"word4", "word5"}
    with pytest.raises(KeyError, match="jetty"):
        NeighborsDisplay.from_estimator(model, "jetty")
    with pytest.raises(NotFittedError):
        NeighborsDisplay.from_estimator(SGNSEmbedder(), "amber")


def test_titles_of_neighbours():
    words = table()
    vector = words["word1"]
    for positive, negative, title in [
        (vector, (), "a vector"),
        (vector.tolist(), (), None),
        ([vector, "word2"], vector, "a vector + word2 − a vector"),
        (words[["word1", "word2"]], "word3", "a vector + a vector − word3"),
        ((word for word in ["word1", "word2"]), (), "word1 + word2"),
        (np.array(["word1", "word2"], dtype=object), (), "word1 + word2"),
        ([], ["word1"], "− word1"),
    ]:
        if title is None:  # a list holds words or vectors, not numbers
            with pytest.raises(TypeError, match="neither a word nor a vector"):
                NeighborsDisplay.from_estimator(words, positive, negative)
            continue
        display = NeighborsDisplay.from_estimator(words, positive, negative)
        assert display.title == f"Neighbours of {title}"
        if positive is vector:
            expected = [word for word, _ in words.most_similar(vector)]
            assert display.words == expected
    by_id = WordVectors([17, 4, 23], words.vectors[:3])
    assert NeighborsDisplay.from_estimator(by_id, 4).title == "Neighbours of 4"


class Keyed:
    """Looks like gensim's KeyedVectors."""

    def __init__(self, words):
        self.key_to_index, self.vectors = dict(words.vocabulary), words.vectors
        self.index_to_key = list(words.words)


@pytest.mark.parametrize("form", ["mapping", "gensim", "path", "pretrained"])
def test_given_vectors(form, tmp_path):
    """Tables of any kind have the same pictures as WordVectors."""
    words = WordVectors(WORDS, table(len(WORDS)).vectors)
    if form == "mapping":
        given = {word: words[word] for word in WORDS}
    elif form == "gensim":
        given = Keyed(words)
    elif form == "path":
        given = tmp_path / "vectors.txt"
        words.save(given)
    else:
        given = PretrainedEmbedder(words).fit(DOCUMENTS)
    found = NeighborsDisplay.from_estimator(given, "amber")
    expected = NeighborsDisplay.from_estimator(words, "amber")
    assert found.words == expected.words
    np.testing.assert_allclose(found.similarities, expected.similarities, rtol=1e-5)
    places = WordMapDisplay.from_estimator(given).positions
    expected = WordMapDisplay.from_estimator(words).positions
    np.testing.assert_allclose(places, expected, atol=1e-5)


@pytest.mark.parametrize("display", [NeighborsDisplay, WordMapDisplay])
def test_what_has_no_vectors(display):
    arguments = ["amber"] if display is NeighborsDisplay else []
    with pytest.raises(ValueError, match="'absent' is not a file"):
        display.from_estimator("absent", *arguments)
    with pytest.raises(TypeError, match=r"estimator must be .* got 3"):
        display.from_estimator(3, *arguments)
    with pytest.raises(TypeError, match="pipeline"):
        display.from_estimator(make_pipeline(ppmi()), *arguments)


ASKED = ["frost", "amber birch birch cedar delta ember grove"]


def test_contributions_of_two_classes():
    model = make_pipeline(cheap(PPMISVDEmbedder), LogisticRegression())
    model.fit(DOCUMENTS, LABELS)
    display = ContributionsDisplay.from_estimator(model, ASKED, document=1, n_words=4)
    found = word_contributions(model, ASKED)[1]
    values = dict(zip(found.words, found.contributions, strict=True))
    largest = sorted(values, key=lambda word: -abs(values[word]))[:4]
    largest.sort(key=lambda word: -values[word])
    names = [word.replace("birch", "birch ×2") for word in largest]
    others = ["[2 other words]", "[centring]", "[intercept]"]
    assert tick_labels(display.ax_.yaxis) == names + others
    widths = [bar.get_width() for bar in display.bars_]
    np.testing.assert_allclose(widths[:4], [values[word] for word in largest])
    # The bars add up to the decision.
    decision = model.decision_function(ASKED)[1]
    assert sum(widths) == pytest.approx(decision, abs=1e-5)
    title = display.ax_.get_title(loc="left")
    assert title == f"Decision for 1: {decision:.3g}"
    assert colours_of(display.bars_)[4:] == hexed(*[NEUTRAL] * 3)
    signs = [NEGATIVE if value < 0 else POSITIVE for value in widths[:4]]
    assert colours_of(display.bars_)[:4] == hexed(*signs)
    centred = ContributionsDisplay.from_estimator(
        model, ASKED, document=1, centred=True
    )
    assert tick_labels(centred.ax_.yaxis)[-1] == "[intercept]"
    assert len(centred.bars_) == 7
    for wrong in (2, -3):
        with pytest.raises(IndexError, match="X holds 2 documents"):
            ContributionsDisplay.from_estimator(model, ASKED, document=wrong)
    with pytest.raises(ValueError, match="one decision only"):
        display.plot(output=0)
    display.plot(output=1)


def test_contributions_of_several_outputs():
    model = make_pipeline(cheap(PPMISVDEmbedder), LogisticRegression())
    model.fit(DOCUMENTS, CLASSES)
    decisions = model.decision_function(ASKED)[1]
    for output in (None, "a", "b", "c"):
        display = ContributionsDisplay.from_estimator(
            model, ASKED, document=-1, output=output
        )
        column = decisions.argmax() if output is None else "abc".index(output)
        widths = [bar.get_width() for bar in display.bars_]
        assert sum(widths) == pytest.approx(decisions[column], abs=1e-5)
        title = f"Decision for {'abc'[column]}: {decisions[column]:.3g}"
        assert display.ax_.get_title(loc="left") == title
    with pytest.raises(ValueError, match=r"one of \['a', 'b', 'c'\], got 'd'"):
        display.plot(output="d")
    y = np.random.default_rng(0).normal(size=(20, 2))
    model = make_pipeline(cheap(PPMISVDEmbedder), Ridge()).fit(DOCUMENTS, y)
    display = ContributionsDisplay.from_estimator(model, ASKED, output=1)
    title = f"Prediction of target 1: {model.predict(ASKED)[0, 1]:.3g}"
    assert display.ax_.get_title(loc="left") == title
    model.fit(DOCUMENTS, y[:, 0])
    display = ContributionsDisplay.from_estimator(model, ["jetty"])
    assert tick_labels(display.ax_.yaxis) == ["[centring]", "[intercept]"]
    title = f"Prediction: {model.predict(['jetty'])[0]:.3g}"
    assert display.ax_.get_title(loc="left") == title


# --- maps of words --------------------------------------------------------------------


def boxes_of(display):
    """Return left, bottom, right and top of all labels in pixels."""
    extents = [Text.get_window_extent(label) for label in display.labels_]
    return np.array([extent.extents for extent in extents])


def assert_readable(display):
    """No label overlaps another one, covers a point or leaves the axes."""
    display.figure_.canvas.draw()
    boxes = boxes_of(display)
    left, bottom, right, top = boxes.T
    beside = (left[:, None] >= right) | (right[:, None] <= left)
    beside |= (bottom[:, None] >= top) | (top[:, None] <= bottom)
    assert beside[~np.eye(len(boxes), dtype=bool)].all()
    points = display.ax_.transData.transform(display.points_.get_offsets())
    x, y = points.T[:, :, None]
    assert not ((x > left) & (x < right) & (y > bottom) & (y < top)).any()
    frame = display.ax_.get_window_extent()
    assert (boxes[:, :2] >= frame.min).all()
    assert (boxes[:, 2:] <= frame.max).all()
    drawn = [label.get_text() for label in display.labels_]
    assert sorted([*drawn, *display.unlabelled_]) == sorted(display.words)


def test_map_of_the_most_frequent_words():
    words = table()
    display = WordMapDisplay.from_estimator(words, n_words=40, s=20)
    order = np.argsort(-words.counts)[:40]
    assert list(display.words) == [words.words[row] for row in order]
    assert_readable(display)
    assert len(display.labels_) > 30
    # The first two principal components of vectors of length 1, up to their signs.
    vectors = words.vectors[order].astype(float)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    left, sizes, _ = np.linalg.svd(vectors - vectors.mean(axis=0))
    expected = left[:, :2] * sizes[:2]
    found = np.asarray(display.points_.get_offsets())
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-6)
    assert display.points_.get_sizes().tolist() == [20]
    # A second picture is the same, in every position. LAPACK may round otherwise where
    # its work space lies elsewhere in memory.
    again = WordMapDisplay.from_estimator(words, n_words=40, s=20)
    np.testing.assert_allclose(boxes_of(display), boxes_of(again), rtol=1e-12)


def test_labels_stay_apart_at_another_resolution():
    display = WordMapDisplay.from_estimator(table(80))
    display.figure_.set_dpi(200)
    # Letters are fitted to pixels, so extents change slightly.
    display.figure_.canvas.draw()
    boxes = boxes_of(display) + np.array([1, 1, -1, -1]) * 2
    left, bottom, right, top = boxes.T
    beside = (left[:, None] >= right) | (right[:, None] <= left)
    beside |= (bottom[:, None] >= top) | (top[:, None] <= bottom)
    assert beside[~np.eye(len(boxes), dtype=bool)].all()


def test_crowded_maps():
    """Words in one place: some labels are joined by a line, others left out."""
    names = [f"word{number}" for number in range(50)]
    display = WordMapDisplay(names, np.zeros((50, 2))).plot()
    assert_readable(display)
    assert 0 < len(display.labels_) < 50
    assert display.labels_[0].get_text() == "word0"
    lines = [text for text in display.ax_.texts if text.get_text() == ""]
    assert 0 < len(lines) < len(display.labels_)
    _, axes = plt.subplots(figsize=(1, 1))
    display = WordMapDisplay(["a word that is far too long"], [[0, 0]]).plot(axes)
    assert display.unlabelled_ == ["a word that is far too long"]
    assert len(display.points_.get_offsets()) == 1


@pytest.mark.parametrize("which", ["word", "sum"])
def test_map_of_chosen_words(which):
    model = ppmi()
    words = ["haven", "amber", "frost", "amber"]
    display = WordMapDisplay.from_estimator(model, words=words, which=which)
    assert display.words == words[:3]
    vectors = WordVectors.from_estimator(model, which)[words[:3]].astype(float)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = np.asarray(display.points_.get_offsets())
    # Three points lie in a plane, so their distances are kept.
    for first, second in [(0, 1), (0, 2), (1, 2)]:
        expected = np.linalg.norm(vectors[first] - vectors[second])
        assert np.linalg.norm(found[first] - found[second]) == pytest.approx(
            expected, rel=1e-4
        )
    with pytest.raises(KeyError, match="jetty"):
        WordMapDisplay.from_estimator(model, words=["amber", "jetty"])


class Columns:
    """A method of its own: it takes the first two columns."""

    def fit_transform(self, X):
        return X[:, :2]


def test_methods():
    words = table(20)
    tsne = WordMapDisplay.from_estimator(words, method="tsne")
    assert_readable(tsne)
    assert tsne.ax_.get_xlabel() == "t-SNE"
    assert tick_labels(tsne.ax_.xaxis) == []
    again = WordMapDisplay.from_estimator(words, method="tsne")
    np.testing.assert_array_equal(tsne.positions, again.positions)
    own = WordMapDisplay.from_estimator(words, n_words=9, method=Columns())
    lengths = np.linalg.norm(words[own.words], axis=1, keepdims=True)
    expected = words[own.words][:, :2] / lengths
    np.testing.assert_allclose(own.positions, expected, rtol=1e-6)
    assert own.ax_.get_xlabel() == "Columns"
    few = WordMapDisplay.from_estimator(words, n_words=2, method="tsne")
    assert np.isfinite(few.positions).all()
    for wrong in ("isomap", 3, None):
        with pytest.raises(ValueError, match="method must be one of"):
            WordMapDisplay.from_estimator(words, method=wrong)


class Counting(Columns):
    """The same, noting how many threads its libraries have."""

    def fit_transform(self, X):
        self.n_threads = {one["num_threads"] for one in threadpool_info()}
        return super().fit_transform(X)


def test_methods_have_one_thread():
    """Threads add up in any order, so that places would depend on their number."""
    method = Counting()
    with threadpool_limits(2):
        assert 2 in {one["num_threads"] for one in threadpool_info()}
        WordMapDisplay.from_estimator(table(20), method=method)
    assert method.n_threads == {1}


def test_umap():
    pytest.importorskip("umap", reason="needs umap-learn")
    display = WordMapDisplay.from_estimator(table(20), method="umap")
    assert_readable(display)


def test_umap_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(ImportError, match="pip install umap-learn"):
        WordMapDisplay.from_estimator(table(20), method="umap")


def test_words_without_a_map():
    words = table(20)
    with pytest.raises(ValueError, match="at least 2 words"):
        WordMapDisplay.from_estimator(words, words="word1")
    with pytest.raises(ValueError, match=r"at least 2 words .* got 20 of 1"):
        WordMapDisplay.from_estimator(table(20, n_components=1))
    with pytest.raises(ValueError, match="n_words"):
        WordMapDisplay.from_estimator(words, n_words=1)
    # Vectors of zeros, and extreme numbers, have places.
    vectors = np.zeros((4, 3), np.float32)
    vectors[1], vectors[2] = 1e38, [1e-38, 0, 0]
    display = WordMapDisplay.from_estimator(WordVectors([*"abcd"], vectors))
    assert list(display.words) == ["a", "b", "c", "d"]
    assert np.isfinite(display.positions).all()
    assert len(WORDS) == len(WordMapDisplay.from_estimator(ppmi()).words)


@pytest.mark.parametrize("vectors", [[[1, 1], [2, 2], [3, 3]], np.zeros((3, 2))])
def test_map_of_one_direction(vectors, monkeypatch):
    """It is refused before any method sees it."""
    monkeypatch.setattr(_word_map, "_reducer", None)
    table = WordVectors(["a", "b", "c"], vectors)
    with pytest.raises(ValueError, match="all 3 words have the same direction"):
        WordMapDisplay.from_estimator(table)


def test_map_in_a_part_of_a_figure():
    table = WordVectors(["a", "b", "c"], np.eye(3))
    part = plt.figure().subfigures(1, 2)[0]
    display = WordMapDisplay.from_estimator(table, ax=part.subplots())
    assert len(display.labels_) == 3


def test_strategies_of_the_same_text():
    tables = [WordVectors(["a"], [[number]]) for number in (1, 2)]
    results = {
        "params": [{"vectors": one} for one in (tables[0], tables[1], tables[0])],
        "split0_test_score": np.array([0.1, 0.2, 0.3]),
        "split1_test_score": np.array([0.1, 0.2, 0.3]),
    }
    display = StrategiesDisplay.from_cv_results(results, param="vectors")
    text = str(tables[0])
    assert display.strategies == [text, f"{text} #2"]
    assert display.scores[:, 0].tolist() == [[0.3, 0.3], [0.2, 0.2]]


def test_names_that_are_the_same_text():
    model = cheap(SGNSEmbedder).fit(DOCUMENTS)
    with pytest.raises(ValueError, match=r"must differ as text, got \[1, '1'\]"):
        LossCurveDisplay.from_estimator({1: model, "1": model})


def test_which_vectors_of_a_table():
    table = WordVectors(["a", "b", "c"], np.eye(3))
    with pytest.raises(ValueError, match="which='context' needs a fitted embedder"):
        NeighborsDisplay.from_estimator(table, "a", which="context")


@pytest.mark.parametrize("n_words", [0, -1, 2.5, "x"])
def test_numbers_of_words_of_contributions(n_words):
    with pytest.raises(ValueError, match="n_words must be a positive int"):
        ContributionsDisplay(contributions()).plot(n_words=n_words)
