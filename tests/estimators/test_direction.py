"""Windows on one side of a word, for every estimator: `direction`."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import CountVectorizer

from skembed import (
    CBOWEmbedder,
    GloVeEmbedder,
    PPMISVDEmbedder,
    SGNSEmbedder,
    cooccurrence,
)
from skembed._counts.count import DIRECTIONS, window_weights
from skembed._kernels.spans import Sampler
from skembed._solvers.sampling import alias_table, window_thresholds
from tests import reference
from tests.helpers import (
    CHEAP,
    COUNTING,
    DOCUMENTS,
    EPOCHS,
    ESTIMATORS,
    MORE,
    SAMPLED,
    TOKENISED,
    TreeEmbedder,
    assert_same_fit,
    cheap,
    same,
)

ONE_SIDED = ("left", "right")
every_estimator = pytest.mark.parametrize("estimator", CHEAP)
every_side = pytest.mark.parametrize("direction", ONE_SIDED)
OTHER = {"left": "right", "right": "left"}
# Walks over a directed cycle of five nodes.
N_NODES = 5
WALKS = (np.arange(20)[:, np.newaxis] + np.arange(20)) % N_NODES
NODES = np.arange(N_NODES)
NEXT = (NODES + 1) % N_NODES


def forward_minus_backward(estimator, direction, **params):
    """Return s(i, i + 1) - s(i + 1, i) of the nodes of a directed cycle."""
    if estimator is not PPMISVDEmbedder:
        params["max_iter"] = 30
    if estimator is GloVeEmbedder:
        # Slow vectors would leave these counts, all equal, to the biases.
        params["learning_rate"] = 1.0
    embedder = cheap(
        estimator,
        n_components=4,
        window=1,
        input="token_ids",
        direction=direction,
        **params,
    ).fit(WALKS)
    return embedder.score_pairs(NODES, NEXT) - embedder.score_pairs(NEXT, NODES)


@every_estimator
def test_direction_of_a_cycle(estimator):
    sides = {side: forward_minus_backward(estimator, side) for side in DIRECTIONS}
    assert sides["right"].min() > -1e-6
    assert sides["left"].max() < 1e-6
    least = min(sides["right"].mean(), -sides["left"].mean())
    assert least > 0.8
    assert np.abs(sides["both"]).mean() < least / 4


@pytest.mark.small
@every_side
@pytest.mark.parametrize("estimator", SAMPLED)
@pytest.mark.parametrize("window_weighting", ["flat", "dynamic"])
def test_drawn_pairs_are_those_of_the_counts(estimator, direction, window_weighting):
    """Rows of counts are word vectors in a score, and columns context vectors."""
    counts, vocabulary = cooccurrence(
        TOKENISED,
        window=3,
        window_weighting=window_weighting,
        direction=direction,
        min_count=1,
    )
    rows = [[vocabulary[word] for word in tokens] for tokens in TOKENISED]
    tokens = reference.mark(rows)
    window_side = direction if estimator is SGNSEmbedder else OTHER[direction]
    reach = [3 if side == window_side else 0 for side in ("left", "right")]
    noise = alias_table(np.full(len(vocabulary), 1 / len(vocabulary)))
    thresholds = window_thresholds(window_weights(3, window_weighting))
    sampler = Sampler(thresholds, *noise, 16, 5.0, False, *reach)
    n_rounds = 1 if window_weighting == "flat" else 20
    found = np.zeros(counts.shape)
    stream = reference.Stream(1)
    words = reference.unmark(tokens)[0]
    for _ in range(n_rounds):
        windows, _ = reference.draw_words(tokens, sampler, stream, 0, len(tokens))
        for middle, around in zip(words, windows, strict=True):
            for other, _ in around:
                pair = (middle, other) if estimator is SGNSEmbedder else (other, middle)
                found[pair] += 1 / n_rounds
    if n_rounds == 1:
        np.testing.assert_array_equal(found, counts.toarray())
    else:
        # A sum of independent draws of 0 or 1.
        bounds = 5 * np.sqrt((counts.toarray() + 1) / n_rounds)
        assert (np.abs(found - counts.toarray()) < bounds).all()
        assert abs(found.sum() / counts.sum() - 1) < 0.05


@every_side
@pytest.mark.parametrize(
    ("estimator", "params"),
    [
        (SGNSEmbedder, {}),
        (CBOWEmbedder, {"aggregation": "mean"}),
        (CBOWEmbedder, {"aggregation": "sum"}),
    ],
)
def test_loss_of_an_epoch_is_the_score(estimator, direction, params):
    """Kernels draw windows, `score` counts pairs or draws windows of its own."""
    walks = np.tile(WALKS, (20, 1))
    embedder = cheap(
        estimator, input="token_ids", direction=direction, warm_start=True, **params
    )
    embedder.set_params(max_iter=20).fit(walks)
    embedder.set_params(max_iter=1, learning_rate=1e-12).fit(walks)
    loss = embedder.loss_curve_[-1]
    assert loss == pytest.approx(-embedder.score(walks), rel=0.03)
    # The other side is a worse model of these walks.
    embedder.direction = OTHER[direction]
    assert -embedder.score(walks) > 1.2 * loss


@every_side
@every_estimator
def test_reversed_documents_have_the_other_side(estimator, direction):
    params = {"window_weighting": "flat", "pooling": "mean"}
    embedder = cheap(estimator, direction=direction, **params).fit(TOKENISED)
    mirrored = [tokens[::-1] for tokens in TOKENISED]
    score = embedder.score(TOKENISED)
    if estimator in COUNTING:
        other = cheap(estimator, direction=OTHER[direction], **params).fit(mirrored)
        assert_same_fit(embedder, other, without=("_made_with",))
    embedder.direction = OTHER[direction]
    assert embedder.score(mirrored) == pytest.approx(score, rel=1e-6)
    assert embedder.score(TOKENISED) != pytest.approx(score, rel=1e-6)


@every_side
@pytest.mark.parametrize("estimator", COUNTING)
def test_counts_given_or_counted(estimator, direction):
    if estimator is TreeEmbedder:
        pytest.skip("trees of words and of counts of pairs differ")
    embedder = cheap(estimator, direction=direction).fit(TOKENISED)
    params = {name: getattr(embedder, name) for name in ("window", "window_weighting")}
    counts, rows = cooccurrence(TOKENISED, min_count=1, direction=direction, **params)
    given = cheap(estimator, input="cooccurrence", vocabulary=rows).fit(counts)
    for name in ("word_vectors_", "context_vectors_"):
        np.testing.assert_allclose(
            getattr(embedder, name), getattr(given, name), atol=1e-6
        )


@every_side
@pytest.mark.parametrize("estimator", COUNTING)
def test_counts_of_parts_add_up(estimator, direction):
    vocabulary = sorted({word for text in DOCUMENTS for word in text.split()})
    params = {"direction": direction, "vocabulary": vocabulary, "warm_start": True}
    parts = cheap(estimator, **params).partial_fit(DOCUMENTS).partial_fit(MORE)
    whole = cheap(estimator, **params).fit(DOCUMENTS + MORE)
    kept = [one._counts.toarray() for one in (parts, whole)]
    if estimator in EPOCHS:
        kept = [
            counts[np.ix_(one._counts_order, one._counts_order)]
            for counts, one in zip(kept, (parts, whole), strict=True)
        ]
    np.testing.assert_array_equal(*kept)
    if estimator is PPMISVDEmbedder:
        assert same(parts.word_vectors_, whole.word_vectors_)


@pytest.mark.parametrize("estimator", COUNTING)
def test_memory_tells_directions_apart(estimator, tmp_path):
    for direction in ("both", *ONE_SIDED):
        kept = cheap(estimator, direction=direction, memory=tmp_path).fit(DOCUMENTS)
        plain = cheap(estimator, direction=direction).fit(DOCUMENTS)
        assert_same_fit(kept, plain, without=("_counts_key", "_squares"))


@pytest.mark.small
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_words_without_a_context(estimator):
    """The last word of a document has none to the right, the first none to the left."""
    documents = [["a", "b"], ["a", "b", "c"]] * 5
    rights = cheap(estimator, n_components=2, direction="right").fit(documents)
    lefts = cheap(estimator, n_components=2, direction="left").fit(documents)
    for embedder, last in ((rights, "c"), (lefts, "a")):
        zeros = ~embedder.word_vectors_.any(axis=1)
        assert [w for w, row in embedder.vocabulary_.items() if zeros[row]] == [last]
    if estimator not in SAMPLED:
        # There, context vectors move as those of noise words, too.
        assert not rights.context_vectors_[rights.vocabulary_["a"]].any()
        assert not lefts.context_vectors_[lefts.vocabulary_["c"]].any()


@pytest.mark.parametrize("estimator", EPOCHS)
def test_early_stopping_follows_the_direction(estimator):
    params = {"max_iter": 15, "early_stopping": True, "n_iter_no_change": 15}
    params |= {"input": "token_ids"}
    walks = np.tile(WALKS, (5, 1))
    with pytest.warns(ConvergenceWarning):
        both = cheap(estimator, **params).fit(walks)
    with pytest.warns(ConvergenceWarning):
        right = cheap(estimator, direction="right", **params).fit(walks)
    assert right.validation_loss_curve_[-1] < right.validation_loss_curve_[0]
    if estimator in SAMPLED:
        # What follows is certain in these walks; what is near is not.
        assert right.validation_loss_curve_.min() < both.validation_loss_curve_.min()


@every_estimator
def test_estimated_memory(estimator):
    sizes = {"n_tokens": 10**7, "n_words": 10**4}
    both = cheap(estimator).estimate_memory(**sizes)
    one_sided = cheap(estimator, direction="left").estimate_memory(**sizes)
    assert one_sided == both if estimator in SAMPLED else one_sided < both


@pytest.mark.small
@every_side
@every_estimator
def test_matrices_have_no_sides(estimator, direction):
    embedder = cheap(estimator, direction=direction)
    with pytest.raises(ValueError, match=rf"direction='{direction}'.* by a matrix"):
        embedder.fit(CountVectorizer().fit_transform(DOCUMENTS))
    embedder.set_params(input="cooccurrence")
    with pytest.raises(ValueError, match=rf"direction='{direction}'.* by a matrix"):
        embedder.fit(np.ones((4, 4)))


@pytest.mark.small
@every_side
@pytest.mark.parametrize("estimator", [SGNSEmbedder, PPMISVDEmbedder])
def test_tables_of_both_sides_need_both(estimator, direction):
    embedder = cheap(estimator, directional=True, direction=direction)
    for method in (embedder.fit, embedder.estimate_memory):
        with pytest.raises(ValueError, match=r"directional=True .*direction="):
            method(DOCUMENTS)


@pytest.mark.small
@every_estimator
def test_symmetric_scores_cannot_tell_sides_apart(estimator):
    embedder = cheap(estimator, share_context=True, direction="right", combine="word")
    with pytest.warns(UserWarning, match=r"direction='right' are not symmetric"):
        embedder.fit(DOCUMENTS)
