"""Analogy questions: a is to b as c is to d."""

from typing import Any, NamedTuple

import numpy as np
from sklearn.utils._param_validation import StrOptions, validate_params

from skembed.metrics._files import check_questions
from skembed.metrics._words import Rows, as_word_vectors
from skembed.vectors import WordVectors, _queries


class AnalogyScore(NamedTuple):
    """How many analogy questions were answered correctly.

    Parameters
    ----------
    accuracy : float
        Share of correct answers; 0 if there is no question.
    n_correct : int
        Number of correct answers.
    n_questions : int
        Number of questions that the accuracy is computed over.
    coverage : float
        Share of questions whose four words all have a vector; 0 if there is no
        question.
    """

    accuracy: float
    n_correct: int
    n_questions: int
    coverage: float


class Analogies(NamedTuple):
    """How many analogy questions were answered correctly, by section.

    Parameters
    ----------
    total : AnalogyScore
        Of all questions.
    semantic : AnalogyScore
        Of questions in sections whose names do not begin with "gram".
    syntactic : AnalogyScore
        Of questions in sections whose names begin with "gram".
    sections : dict of str to AnalogyScore
        Of each section.
    answers : dict of str to list
        The words that were found for the questions of each section; None for questions
        with a word that has no vector.
    """

    total: AnalogyScore
    semantic: AnalogyScore
    syntactic: AnalogyScore
    sections: dict[str, AnalogyScore]
    answers: dict[str, list[Any]]


@validate_params(
    {
        "method": [StrOptions({"add", "multiply"})],
        "missing": [StrOptions({"drop", "zero"})],
        "ignore_case": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def analogies(
    vectors: Any,
    questions: Any,
    *,
    method: str = "add",
    among: Any = None,
    missing: str = "drop",
    ignore_case: bool = True,
) -> Analogies:
    """Answer analogy questions: a is to b as c is to what.

    The answer is the word whose vector is closest to ``b - a + c``, other than a, b and
    c. It is correct if it is d.

    Parameters
    ----------
    vectors : WordVectors, embedder, mapping, KeyedVectors, str or path
        What `as_word_vectors` takes. To look only at the most frequent words, pass a
        slice of `WordVectors`, such as ``vectors[:30000]``.
    questions : str, path, mapping or sequence of (a, b, c, d)
        A file that `read_analogies` reads, or questions of four words each. A mapping
        has names of sections as keys and sequences of questions as values.
    method : {"add", "multiply"}, default="add"
        "add" maximises ``cos(d, b) - cos(d, a) + cos(d, c)`` (3CosAdd), "multiply"
        ``cos(d, b) * cos(d, c) / (cos(d, a) + 1e-6)`` with cosines moved to the range
        from 0 to 1 (3CosMul).
    among : int or iterable of words, default=None
        Which words may be answers, as in ``WordVectors.most_similar``: the most
        frequent ones, or the given ones. A question whose answer d is not among
        them counts as one with a missing word. None means all words.
    missing : {"drop", "zero"}, default="drop"
        What happens to a question with a word that has no vector: it is left out, or
        its answer is wrong.
    ignore_case : bool, default=True
        Compare words without regard to case, as in `word_similarity`.

    Returns
    -------
    Analogies
        Accuracies, counts and coverage in total and by section, and the answers.

    Raises
    ------
    ValueError
        If a question is not valid, or no question has vectors for all words and
        `missing` is "drop".
    KeyError
        If one of the words in `among` has no vector.
    TypeError
        If `vectors` or `questions` are of another kind.

    Notes
    -----
    A question whose answer d is a, b or c itself is always answered wrongly.

    References
    ----------
    Mikolov, Yih, Zweig: Linguistic regularities in continuous space word
    representations. NAACL 2013. Levy, Goldberg: Linguistic regularities in sparse and
    explicit word representations. CoNLL 2014, equations 3 and 4.

    Examples
    --------
    >>> from skembed.metrics import analogies
    >>> vectors = {"man": [1, 0, 0], "woman": [1, 1, 0], "boy": [1, 0, 1]}
    >>> vectors.update(girl=[1, 1, 1], tree=[-1, 0, 0])
    >>> analogies(vectors, [("man", "woman", "boy", "girl")]).total.accuracy
    1.0
    """
    vectors = as_word_vectors(vectors)
    sections = check_questions(questions)
    rows = Rows(vectors, ignore_case)
    asked = [question for some in sections.values() for question in some]
    found = rows.find(word for question in asked for word in question).reshape(-1, 4)
    allowed = _queries.rows_among(vectors, among)
    known = np.all(found >= 0, axis=1)
    if allowed is not None:
        known &= np.isin(found[:, 3], rows.find(vectors.words[i] for i in allowed))
    if not known.any() and missing == "drop":
        size = "1 question" if len(asked) == 1 else f"{len(asked)} questions"
        raise ValueError(
            f"No question has vectors for all four words ({size}, the first: "
            f"{asked[0]}). Check the spelling of words, or pass "
            'missing="zero".'
        )
    answers: list[Any] = [None] * len(asked)
    solved = _solve(vectors, rows, found[known, :3], method, allowed)
    for number, row in zip(np.flatnonzero(known), solved, strict=True):
        answers[number] = vectors.words[row] if row >= 0 else None
    return _summarise(sections, answers, known, rows, missing)


def _solve(
    vectors: WordVectors,
    rows: Rows,
    asked: np.ndarray,
    method: str,
    allowed: np.ndarray | None,
) -> np.ndarray:
    """Return the rows of the answers, -1 where no word may be one.

    Parameters
    ----------
    vectors : WordVectors
    rows : Rows
    asked : ndarray of shape (n_questions, 3), int64
        Rows of a, b and c.
    method : {"add", "multiply"}
    allowed : ndarray of int64 or None
        Rows that may be answers, in ascending order.
    """
    found, _ = _queries.search(
        vectors,
        asked[:, 1:].tolist(),
        asked[:, :1].tolist(),
        1,
        method,
        allowed,
        excluded=_with_variants(asked, vectors, rows),
    )
    return found[:, 0]


def _with_variants(asked: np.ndarray, vectors: WordVectors, rows: Rows) -> np.ndarray:
    """Return rows and those of the same words in another case, -1 for none.

    Parameters
    ----------
    asked : ndarray of shape (n_questions, n_words), int64
    vectors : WordVectors
    rows : Rows

    Returns
    -------
    ndarray of shape (n_questions, n_words * n_variants), int64
    """
    if len(rows.vocabulary) == len(vectors):
        return asked
    others: dict[int, list[int]] = {int(row): [] for row in np.unique(asked)}
    for row, first in enumerate(rows.find(vectors.words).tolist()):
        if first != row and first in others:
            others[first].append(row)
    n_others = max(map(len, others.values()), default=0)
    table = np.full((len(vectors), n_others), -1, np.int64)
    for first, variants in others.items():
        table[first, : len(variants)] = variants
    return np.hstack([asked, table[asked].reshape(len(asked), -1)])


def _summarise(
    sections: dict[str, list[Any]],
    answers: list[Any],
    known: np.ndarray,
    rows: Rows,
    missing: str,
) -> Analogies:
    """Count correct answers in total and by section."""
    counts, answered = {}, {}
    first = 0
    for name, questions in sections.items():
        some = slice(first, first + len(questions))
        first = some.stop
        answered[name] = answers[some]
        n_right = sum(
            answer is not None and rows.key(answer) == rows.key(question[3])
            for answer, question in zip(answers[some], questions, strict=True)
        )
        counts[name] = np.array([n_right, known[some].sum(), len(questions)])
    kinds: dict[bool, list[np.ndarray]] = {True: [], False: []}
    for name, numbers in counts.items():
        kinds[str(name).startswith("gram")].append(numbers)
    syntactic, semantic = kinds[True], kinds[False]
    return Analogies(
        _score([*semantic, *syntactic], missing),
        _score(semantic, missing),
        _score(syntactic, missing),
        {name: _score([n], missing) for name, n in counts.items()},
        answered,
    )


def _score(counts: list[np.ndarray], missing: str) -> AnalogyScore:
    """Return the score for counts of right answers, known questions and questions."""
    n_right, n_known, n_all = (int(n) for n in sum(counts, np.zeros(3, dtype=int)))
    n_used = n_known if missing == "drop" else n_all
    return AnalogyScore(
        n_right / max(n_used, 1), n_right, n_used, n_known / max(n_all, 1)
    )
