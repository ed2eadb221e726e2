"""`PPMISVDEmbedder` of two sides, and of one table and a matrix, against formulas."""

import warnings

import numba
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from skembed import PPMISVDEmbedder
from skembed._solvers import svd
from skembed._utils import threads
from tests import reference
from tests.benchmarks import bits
from tests.helpers import assert_same_fit, draw_documents, learned

WEIGHTS = {
    "flat": lambda distance, window: 1.0,
    "harmonic": lambda distance, window: 1.0 / distance,
    "dynamic": lambda distance, window: (window + 1 - distance) / window,
}
WORDS = [f"word{number}" for number in range(40)]


def draw_sentences(seed, n_documents=150, n_tokens=12):
    """Documents in which words attract the words of the next numbers behind them."""
    rng = np.random.default_rng(seed)
    documents = []
    for _ in range(n_documents):
        steps = rng.choice([1, 2, 5, 17], size=n_tokens, p=[0.5, 0.2, 0.2, 0.1])
        numbers = (rng.integers(len(WORDS)) + np.cumsum(steps)) % len(WORDS)
        documents.append([WORDS[number] for number in numbers])
    return documents


SENTENCES = draw_sentences(0)


def fit(documents, **parameters):
    given = {"n_components": 6, "min_count": 1, "window": 3, "random_state": 0}
    given["subsample"] = 0
    return PPMISVDEmbedder(directional=True, **given | parameters).fit(documents)


def counts_on_the_left(embedder, documents):
    """N[w, c]: how often, and how near, c stands before w."""
    rows, window = embedder.vocabulary_, embedder.window
    weigh = WEIGHTS[embedder.window_weighting]
    counts = np.zeros((len(rows), len(rows)))
    for words in documents:
        for i, word in enumerate(words):
            for j in range(max(0, i - window), i):
                counts[rows[word], rows[words[j]]] += weigh(i - j, window)
    return counts


def dense_matrix(embedder, documents):
    """The matrix of n_words rows and twice as many columns, left ones first."""
    left = counts_on_the_left(embedder, documents)
    sides = [
        reference.ppmi(counts, embedder.shift, embedder.context_exponent)
        for counts in (left, left.T)
    ]
    return np.hstack(sides)


def product(embedder):
    """What the vectors make of that matrix."""
    sides = embedder.left_context_vectors_, embedder.right_context_vectors_
    return embedder.word_vectors_.astype(float) @ np.vstack(sides).astype(float).T


def assert_close(found, wanted, rtol=1e-5):
    """In Frobenius norm, relative."""
    assert np.linalg.norm(found - wanted) <= rtol * np.linalg.norm(wanted)


@pytest.fixture(params=["dense", "krylov"])
def path(request, monkeypatch):
    """Both ways through the factoriser, for a vocabulary of any size."""
    if request.param == "krylov":
        monkeypatch.setattr(svd, "DENSE_LIMIT", 10)
        # Fail loudly should the dense way be taken all the same.
        monkeypatch.delattr(svd.TruncatedFactoriser, "_dense")


# --- the definition -------------------------------------------------------------------


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("window_weighting", WEIGHTS)
@pytest.mark.parametrize(("shift", "context_exponent"), [(1.0, 0.75), (1.5, 1.0)])
def test_best_approximation(path, exponent, window_weighting, shift, context_exponent):
    embedder = fit(
        SENTENCES,
        singular_exponent=exponent,
        window_weighting=window_weighting,
        shift=shift,
        context_exponent=context_exponent,
    )
    matrix = dense_matrix(embedder, SENTENCES)
    assert_close(product(embedder), reference.best_rank(matrix, 6))
    # How the singular values are divided between the two sides.
    values = np.linalg.svd(matrix, compute_uv=False)[:6]
    lengths = np.linalg.norm(embedder.word_vectors_, axis=0)
    np.testing.assert_allclose(lengths, values**exponent, rtol=1e-5)
    contexts = embedder.left_context_vectors_, embedder.right_context_vectors_
    lengths = np.linalg.norm(np.vstack(contexts), axis=0)
    np.testing.assert_allclose(lengths, values ** (1 - exponent), rtol=1e-5)


@pytest.mark.small
def test_what_is_learned():
    embedder = fit(SENTENCES[:20])
    n_words = len(embedder.vocabulary_)
    names = [f"{part}_vectors_" for part in ("left_context", "right_context")]
    left, right = (getattr(embedder, name) for name in names)
    for vectors in (left, right, embedder.word_vectors_, embedder.context_vectors_):
        assert vectors.shape == (n_words, 6)
        assert vectors.dtype == np.float32
        assert vectors.flags.c_contiguous
    mean = (left.astype(float) + right) / 2
    np.testing.assert_allclose(embedder.context_vectors_, mean, rtol=1e-6, atol=1e-7)
    assert embedder.n_embedding_parameters_ == 3 * n_words * 6
    words = list(embedder.vocabulary_)
    scores = embedder.score_pairs(np.array(words)[:, None], words)
    both = np.hsplit(product(embedder), 2)
    np.testing.assert_allclose(scores, (both[0] + both[1]) / 2, atol=1e-5)


@pytest.mark.small
def test_left_is_before_the_word():
    """Every b follows an a, and nothing else: the scores tell which comes first."""
    documents = [["a", "b"]] * 5 + [["c", "d"]] * 5
    embedder = fit(documents, n_components=4)
    a, b = (embedder.vocabulary_[word] for word in "ab")
    left, right = np.hsplit(product(embedder), 2)
    # P(a, b) = 1/2 of each side's pairs, and contexts are smoothed to 1/2.
    for scores, word, context in ((left, b, a), (right, a, b)):
        assert scores[word, context] == pytest.approx(np.log(2), rel=1e-5)
        assert scores[context, word] == pytest.approx(0, abs=1e-6)


def test_documents_backwards():
    """Left and right change places, and nothing else does."""
    forth = fit(SENTENCES)
    back = fit([words[::-1] for words in SENTENCES])
    assert list(forth.vocabulary_) == list(back.vocabulary_)
    left, right = np.hsplit(product(forth), 2)
    assert_close(product(back), np.hstack([right, left]))
    assert not np.allclose(left, right, atol=0.1)


@pytest.mark.small
def test_off_by_default():
    documents = draw_documents(0)
    plain = PPMISVDEmbedder(3, min_count=1, subsample=0, random_state=0).fit(documents)
    assert not plain.directional
    assert not [name for name in learned(plain) if "left" in name or "right" in name]
    assert plain.n_embedding_parameters_ == 2 * plain.word_vectors_.size
    again = fit(documents, n_components=3, window=plain.window)
    assert again.word_vectors_.tobytes() != plain.word_vectors_.tobytes()
    # Nothing of the other fit is left.
    assert_same_fit(again.set_params(directional=False).fit(documents), plain)


# --- the same bits --------------------------------------------------------------------


@pytest.mark.skipif(
    bool(numba.config.DISABLE_JIT), reason="threads run compiled kernels only"
)
def test_number_of_threads(monkeypatch):
    """With more words than are factorised densely, and any team of threads."""
    words = [f"word{number}" for number in range(1100)]
    documents = [words[first : first + 10] for first in range(0, len(words), 10)]
    documents += [text.split() for text in draw_documents(0, 400, 20)]
    for module in bits.modules_with_threads():
        monkeypatch.setattr(module, "n_threads", bits.as_told)
    for name in ("_TASK_ROWS", "_TASK_ENTRIES"):
        monkeypatch.setattr(svd, name, 256)
    sizes = set()

    class Recorded(threads.ThreadPoolExecutor):
        def __init__(self, max_workers):
            sizes.add(max_workers)
            super().__init__(max_workers)

    monkeypatch.setattr(threads, "ThreadPoolExecutor", Recorded)
    one, *others = (fit(documents, n_components=4, n_jobs=n) for n in (1, 2, 3))
    assert sizes == {2, 3}
    for other in others:
        assert_same_fit(one, other)
    # The dense way has no random start.
    other_seed = fit(documents, n_components=4, random_state=1)
    assert other_seed.word_vectors_.tobytes() != one.word_vectors_.tobytes()


# --- small vocabularies and wrong parameters ------------------------------------------


@pytest.mark.small
@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(
    "documents",
    [
        [["a", "b"]],
        [["a", "b"], ["c"]],
        [["a", "a", "a"]],
        [["a", "b"], ["b", "a"], ["c", "a"]],
        [["a", "b", "c", "d"]] * 3,
    ],
    ids=lambda documents: " ".join(map("".join, documents)),
)
def test_few_words(documents, exponent):
    """Fewer words than dimensions, no entry above 0, a word without a neighbour."""
    embedder = fit(documents, singular_exponent=exponent)
    for name in ("word", "context", "left_context", "right_context"):
        assert np.isfinite(getattr(embedder, f"{name}_vectors_")).all()
    matrix = dense_matrix(embedder, documents)
    np.testing.assert_allclose(product(embedder), matrix, atol=1e-6)
    rank = np.linalg.matrix_rank(matrix)
    assert not embedder.word_vectors_[:, rank:].any()
    assert not embedder.left_context_vectors_[:, rank:].any()
    assert not embedder.right_context_vectors_[:, rank:].any()
    assert embedder.transform(documents).shape == (len(documents), 6)


@pytest.mark.small
@pytest.mark.parametrize("documents", [[], [[]], [["a"], ["b"]]], ids=str)
def test_no_pairs(documents):
    embedder = PPMISVDEmbedder(directional=True, min_count=1)
    with pytest.raises(ValueError, match=r"(?i)no "):
        embedder.fit(documents)
    with pytest.raises(NotFittedError):
        check_is_fitted(embedder)


@pytest.mark.small
@pytest.mark.parametrize("share_context", [True, "signed", "bilinear"])
def test_needs_separate_tables(share_context):
    embedder = PPMISVDEmbedder(3, directional=True, share_context=share_context)
    with pytest.raises(ValueError, match=r"directional=True .* share_context=False"):
        embedder.set_params(min_count=1).fit(draw_documents(0))
    assert not learned(embedder)
    with pytest.raises(NotFittedError):
        embedder.transform(draw_documents(0))


@pytest.mark.small
@pytest.mark.parametrize("value", ["left", 2, None])
def test_invalid_values(value):
    with pytest.raises(ValueError, match="'directional' parameter"):
        PPMISVDEmbedder(directional=value).fit(draw_documents(0))


# --- one table and a matrix -----------------------------------------------------------


def draw_links(n_nodes=40, n_links=300):
    """Counts of links, most of which go from a node to one of a lower number."""
    rng = np.random.default_rng(4)
    first, second = rng.integers(0, n_nodes, size=(2, n_links))
    down = rng.random(n_links) < 0.9
    sources = np.where(down, np.maximum(first, second), first)
    targets = np.where(down, np.minimum(first, second), second)
    counts = np.zeros((n_nodes, n_nodes))
    np.add.at(counts, (sources, targets), 1.0)
    np.fill_diagonal(counts, 0.0)
    return counts


LINKS = draw_links()


def fit_links(counts, share_context="bilinear", **parameters):
    given = {"n_components": 6, "context_exponent": 1, "random_state": 0}
    given |= {"input": "cooccurrence", "subsample": 0, "n_jobs": 1}
    return PPMISVDEmbedder(share_context=share_context, **given | parameters).fit(
        counts
    )


def scores_of(embedder):
    words = list(embedder.vocabulary_)
    return embedder.score_pairs(np.array(words)[:, None], words)


@pytest.mark.parametrize("exponent", [0.0, 0.3, 0.5, 1.0])
def test_the_score_is_that_of_the_map(path, exponent):
    """x'Ay with vectors of the one table; the exponent scales A and x, not scores."""
    embedder = fit_links(LINKS, singular_exponent=exponent)
    word, a = embedder.word_vectors_.astype(float), embedder.context_map_
    assert a.shape == (6, 6)
    assert a.dtype == np.float32
    assert embedder.n_embedding_parameters_ == word.size + a.size
    np.testing.assert_allclose(word @ a.T, embedder.context_vectors_, atol=1e-5)
    np.testing.assert_allclose(scores_of(embedder), word @ a @ word.T, atol=1e-5)
    middle = scores_of(fit_links(LINKS))
    np.testing.assert_allclose(scores_of(embedder), middle, atol=1e-5)
    # Lengths of columns: U = Q D^p, where D^2 is the mean over both roles.
    scores = word @ a.astype(float) @ word.T
    squares = (scores @ scores.T + scores.T @ scores) / 2
    sizes = np.sqrt(np.linalg.eigvalsh(squares)[::-1][:6])
    np.testing.assert_allclose(np.linalg.norm(word, axis=0), sizes**exponent, rtol=1e-4)


def test_scores_approximate_the_matrix():
    """Rows are sources: fewer errors with more dimensions, until none is left."""
    matrix = reference.ppmi(LINKS, 1.0, 1.0)
    errors = [
        np.linalg.norm(scores_of(fit_links(LINKS, n_components=d)) - matrix)
        for d in (4, 10, 40)
    ]
    assert errors[0] > errors[1] > 0.1
    assert errors[2] < 1e-4


def test_one_table_tells_the_direction():
    """With a matrix, as two tables do; with signs alone it cannot."""
    one_way = (LINKS > 0) & (LINKS.T == 0)
    shares = {}
    for share_context in (False, "signed", "bilinear"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scores = scores_of(fit_links(LINKS, share_context))
        difference = (scores - scores.T)[one_way]
        shares[share_context] = (difference > 1e-6).mean()
    assert shares["signed"] == 0.0
    assert min(shares[False], shares["bilinear"]) > 0.8


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
def test_symmetric_counts_give_the_scores_of_signed(path, exponent):
    counts = LINKS + LINKS.T
    signed, bilinear = (
        fit_links(counts, share_context, singular_exponent=exponent)
        for share_context in ("signed", "bilinear")
    )
    assert (signed.context_signs_ < 0).any()
    np.testing.assert_allclose(scores_of(bilinear), scores_of(signed), atol=1e-5)
    if exponent == 0.5:
        signs = np.diag(signed.context_signs_)
        np.testing.assert_allclose(bilinear.context_map_, signs, atol=1e-3)


def test_nodes_without_links_have_vectors_of_zeros(path):
    counts = LINKS.copy()
    counts[[3, 7]] = 0.0
    counts[:, [5, 7]] = 0.0
    embedder = fit_links(counts)
    rows = [embedder.vocabulary_[f"x{node}"] for node in (3, 5, 7)]
    assert embedder.word_vectors_[rows].any(axis=1).tolist() == [True, True, False]
    assert not embedder.context_vectors_[rows[2]].any()


def test_documents_in_parts_are_one_fit():
    options = {"n_components": 4, "min_count": 1, "subsample": 0, "random_state": 0}
    parts = PPMISVDEmbedder(share_context="bilinear", **options)
    parts.partial_fit(SENTENCES[:70]).partial_fit(SENTENCES[70:])
    whole = PPMISVDEmbedder(share_context="bilinear", **options).fit(SENTENCES)
    words = list(whole.vocabulary_)
    np.testing.assert_allclose(
        parts.score_pairs(words, words[::-1]),
        whole.score_pairs(words, words[::-1]),
        atol=1e-5,
    )
    assert parts.context_map_.shape == (4, 4)
    assert parts.n_embedding_parameters_ == 4 * len(words) + 16
    # Another strategy has no such attribute.
    assert not hasattr(
        parts.set_params(share_context=True).fit(SENTENCES), "context_map_"
    )
