"""Analogies, against a loop over all words and against gensim."""

import numpy as np
import pytest

from skembed.metrics import analogies, read_analogies
from skembed.vectors import WordVectors, _queries

pytestmark = pytest.mark.small

MEN = ["man", "king", "boy", "uncle", "actor", "prince"]
WOMEN = ["woman", "queen", "girl", "aunt", "actress", "princess"]
PAIRS = list(zip(MEN, WOMEN, strict=True))
FAMILY = [(a, b, c, d) for a, b in PAIRS for c, d in PAIRS if a != c]
QUESTIONS = {"family": FAMILY[:20], "gram1-x": FAMILY[20:]}


def build(questions, noise, seed=0, extra=(), n_components=12):
    """Vectors in which the words of a section's pairs differ in about one vector."""
    rng = np.random.default_rng(seed)
    vectors = {}
    for some in questions.values():
        offset = rng.standard_normal(n_components)
        for a, b, c, d in some:
            for first, second in ((a, b), (c, d)):
                base = vectors.setdefault(first, rng.standard_normal(n_components))
                error = noise * rng.standard_normal(n_components)
                vectors.setdefault(second, base + offset + error)
    vectors.update((word, rng.standard_normal(n_components)) for word in extra)
    return WordVectors.from_dict(vectors)


def answer(vectors, question, method, candidates=None):
    """The definition of the paper, word by word."""
    units = vectors.vectors.astype(float)
    units /= np.maximum(np.linalg.norm(units, axis=1, keepdims=True), 1e-300)
    a, b, c = (units[vectors.vocabulary[word]] for word in question[:3])
    scores = {}
    for word, x in zip(vectors.words, units, strict=True):
        if word in question[:3] or word not in (candidates or vectors):
            continue
        if method == "add":
            scores[word] = x @ b - x @ a + x @ c
        else:
            to_a, to_b, to_c = ((1 + x @ y) / 2 for y in (a, b, c))
            scores[word] = to_b * to_c / (to_a + 1e-6)
    return max(scores, key=scores.get)


@pytest.mark.parametrize("method", ["add", "multiply"])
@pytest.mark.parametrize("among", [None, WOMEN, 9])
def test_answers_are_those_of_a_loop(method, among, monkeypatch):
    monkeypatch.setattr(_queries, "_TERMS", 21)
    vectors = build(QUESTIONS, 0.8)
    result = analogies(vectors, QUESTIONS, method=method, among=among)
    candidates = vectors.words[:9] if among == 9 else among
    n_right = {}
    for name, questions in QUESTIONS.items():
        known = [q for q in questions if q[3] in (candidates or vectors)]
        expected = [answer(vectors, q, method, candidates) for q in known]
        found = [word for word in result.answers[name] if word is not None]
        assert found == expected
        right = [word == q[3] for word, q in zip(expected, known, strict=True)]
        n_right[name] = sum(right), len(right), len(questions)
        n, n_known, n_all = n_right[name]
        assert result.sections[name] == (n / n_known, n, n_known, n_known / n_all)
    assert result.semantic == result.sections["family"]
    assert result.syntactic == result.sections["gram1-x"]
    n, n_known, n_all = np.sum([*n_right.values()], axis=0)
    assert 0 < n < n_known
    assert result.total == (n / n_known, n, n_known, n_known / n_all)


def test_methods_differ():
    vectors = build(QUESTIONS, 0.8)
    add, multiply = (
        analogies(vectors, QUESTIONS, method=m).answers for m in ("add", "multiply")
    )
    assert add != multiply


def test_missing_words():
    vectors = build({"family": FAMILY}, 0.0).restrict([*MEN[:4], *WOMEN[:5]])
    result = analogies(vectors, QUESTIONS)
    assert result.total.accuracy == 1.0
    assert result.total.n_correct == result.total.n_questions == 12
    assert result.total.coverage == 12 / 30
    assert result.answers["gram1-x"][-1] is None
    assert result.syntactic == (0.0, 0, 0, 0.0)
    result = analogies(vectors, QUESTIONS, missing="zero")
    assert result.total == (12 / 30, 12, 30, 12 / 30)
    assert result.syntactic == (0.0, 0, 10, 0.0)
    assert analogies(vectors, FAMILY[:5]).syntactic == (0.0, 0, 0, 0.0)
    unknown = [("A", "b", "c", "d")] * 2
    with pytest.raises(ValueError, match=r"No question .*\(2 questions, .*\('A', 'b'"):
        analogies(vectors, unknown)
    assert analogies(vectors, unknown, missing="zero").total == (0.0, 0, 2, 0.0)
    # Nor can a word that may not be an answer be found.
    assert analogies(vectors, FAMILY, among=WOMEN[1:5]).total[1:] == (9, 9, 9 / 30)
    with pytest.raises(ValueError, match=r"for all four words \(1 question, the first"):
        analogies(vectors, [("nobody", "a", "b", "c")])
    with pytest.raises(KeyError, match="nobody"):
        analogies(vectors, FAMILY, among=["nobody"])


def test_case():
    """Words that differ from the given ones only in case are no answers."""
    same = build({"family": FAMILY}, 0.0)
    words = [word.upper() for word in same.words]
    vectors = WordVectors([*same.words, *words], np.vstack([same.vectors] * 2))
    title = [tuple(word.title() for word in question) for question in FAMILY]
    result = analogies(vectors, title)
    assert result.total.accuracy == 1.0
    assert result.answers[""] == [question[3] for question in FAMILY]
    with pytest.raises(ValueError, match=r"No question .*\(30 questions, "):
        analogies(vectors, title, ignore_case=False)
    result = analogies(vectors, FAMILY, ignore_case=False)
    assert set(result.answers[""]) <= {*WOMEN, *words}


def test_zero_vectors_and_answers_among_the_questions():
    vectors = WordVectors([*"abcd"], [[0, 0], [0, 0], [1, 0], [0.5, 1]])
    result = analogies(vectors, [tuple("abcd"), tuple("abcb"), tuple("aabd")])
    assert result.answers[""] == ["d", "d", "c"]
    assert result.total.accuracy == 1 / 3
    few = vectors[:3]
    assert analogies(few, [tuple("abca")]).answers[""] == [None]
    assert analogies(few, [tuple("abca")]).total == (0.0, 0, 1, 1.0)


@pytest.fixture(scope="module")
def google(tmp_path_factory):
    """Every twentieth question of the file that gensim ships, and its path."""
    path = pytest.importorskip("gensim.test.utils").datapath("questions-words.txt")
    some = {name: all_[::20] for name, all_ in read_analogies(path).items()}
    lines = [f": {name}\n" + "\n".join(map(" ".join, q)) for name, q in some.items()]
    path = tmp_path_factory.mktemp("questions") / "questions.txt"
    path.write_text("\n".join(lines), encoding="utf8")
    return some, path


@pytest.mark.parametrize(
    ("missing", "ignore_case", "n_first"),
    [("drop", True, None), ("zero", True, 700), ("drop", False, 800)],
)
def test_equals_gensim(google, missing, ignore_case, n_first):
    gensim = pytest.importorskip("gensim.models")
    questions, path = google
    known = {name: some[: 2 * len(some) // 3] for name, some in questions.items()}
    words = {word for some in known.values() for q in some for word in q}
    extra = sorted({word.upper() for word in words} - words)[::3]
    vectors = build(known, 0.3, extra=extra, n_components=30)
    model = gensim.KeyedVectors(30)
    model.add_vectors(list(vectors.words), vectors.vectors)
    accuracy, sections = model.evaluate_word_analogies(
        str(path),
        restrict_vocab=n_first or len(vectors),
        case_insensitive=ignore_case,
        dummy4unknown=missing == "zero",
    )
    options = {"missing": missing, "ignore_case": ignore_case}
    result = analogies(vectors[:n_first], path, **options)
    assert result.total.accuracy == pytest.approx(accuracy, abs=1e-6)
    assert 0.1 < accuracy < 0.9
    for section in sections[:-1]:
        n_right, n_wrong = len(section["correct"]), len(section["incorrect"])
        score = result.sections[section["section"]]
        assert (score.n_correct, score.n_questions) == (n_right, n_right + n_wrong)
    assert len(sections) == len(result.sections) + 1


@pytest.mark.filterwarnings("ignore:Call to deprecated:DeprecationWarning")
def test_multiply_equals_gensim(google):
    gensim = pytest.importorskip("gensim.models")
    questions, _ = google
    vectors = build(questions, 0.3, n_components=30)
    model = gensim.KeyedVectors(30)
    model.add_vectors(list(vectors.words), vectors.vectors)
    some = [q for all_ in questions.values() for q in all_[::3]]
    found = analogies(vectors, some, method="multiply").answers[""]
    expected = [
        model.most_similar_cosmul([b, c], [a], topn=1)[0][0] for a, b, c, _ in some
    ]
    assert found == expected
