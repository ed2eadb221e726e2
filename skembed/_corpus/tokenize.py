"""From documents to token ids.

A kernel scans large texts if tokens are runs of word characters, as with the default
`token_pattern`. Otherwise scikit-learn's analyzer splits documents into tokens, which
are looked up in a dict. Both give the same result.
"""

import codecs
import re
import sys
from array import array
from collections import defaultdict
from collections.abc import (
    Callable,
    Collection,
    Container,
    Iterable,
    Iterator,
    Mapping,
)
from functools import lru_cache
from itertools import chain, islice, pairwise, repeat
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.utils._param_validation import Interval, StrOptions

from skembed._corpus.validation import (
    check_analyzed,
    check_tokens,
    checked,
    inside,
    rows_of,
)
from skembed._corpus.vocabulary import Corpus
from skembed._utils.files import FileArray
from skembed._utils.memory import check_room
from skembed._utils.threads import AHEAD, ThreadTeam, n_threads

# Parameters of everything that reads text.
PARAMETERS = {
    "analyzer": [StrOptions({"word", "char", "char_wb"}), callable],
    "lowercase": ["boolean"],
    "strip_accents": [StrOptions({"ascii", "unicode"}), None, callable],
    "stop_words": [StrOptions({"english"}), list, None],
    "token_pattern": [str, None],
    "min_count": [Interval(Integral, 1, None, closed="left")],
    "max_features": [Interval(Integral, 1, None, closed="left"), None],
    "vocabulary": [Mapping, Iterable, None],
    "missing": [StrOptions({"error", "empty"})],
}

# Patterns that find the longest runs of word characters, with their minimum length:
# ``\w+`` matches all that follow, and ``\b`` before it matches only where a run begins.
_SHORTEST_RUN = {r"(?u)\b\w\w+\b": 2, r"(?u)\b\w+\b": 1, r"\w\w+": 2, r"\w+": 1}
# Patterns that find the same runs in less time.
SAME_RUNS = {r"(?u)\b\w\w+\b": r"\w\w+", r"(?u)\b\w+\b": r"\w+"}
# Number of characters for which it is worth loading the kernel. A process that has met
# so many in small texts, such as partitions of Dask, loads it, too.
_MUCH = 2**21
# Number of characters for which it is worth calling the kernel and, per word to look
# up, filling its table.
_SOME = 2**14
_MUCH_PER_WORD = 2
_BATCH = 2**19  # characters that are scanned at once
# Batches for which threads are worth starting, and the most threads. The calling thread
# prepares batches in a quarter of the time in which one thread scans them.
_MANY_BATCHES, _MOST_THREADS = 4, 4
# Bytes of a character of a batch that waits, as text and as numbers of words, or that
# is scanned, and of a word in the table of a thread, about.
_WAITING, _SCANNED, _ENTERED = 2, 9, 100
_TOKEN = 6  # characters of a token and of what follows it, about
_MIN_ROOM = 2**13  # for new words in the table
# New words in a dict after which the available memory is looked at, and about what a
# word takes as a str, and while the dict is copied to grow.
_NEW_WORDS, _WORD_BYTES = 2**18, 150
_UNKNOWN = object()  # in place of the row of a word
_UTF32 = f"utf-32-{sys.byteorder[0]}e"
# Python imports a codec when it is first used. A process that is forked meanwhile would
# wait for ever for the thread that imports.
codecs.lookup(_UTF32)
# The lower case of the capital sigma depends on the letters around it. That of the
# capital I with a dot is two characters. That of any other character is one, always the
# same.
_LOWER_IN_CONTEXT = "\u03a3\u0130"
# Numbers of the words of some texts, and where each text ends.
_Part = tuple[np.ndarray, np.ndarray]
_n_met = 0  # characters of texts that this process has met


def number(
    X: Any,
    vectorizer: CountVectorizer,
    report: Callable[[float], bool] | None = None,
    missing: str = "error",
    ids: FileArray | None = None,
    n_jobs: int | None = None,
) -> tuple[Any, array, list[str]]:
    """Number the distinct tokens of documents, in the order of first appearance.

    Parameters
    ----------
    X : iterable of str, or of lists, tuples or 1-D arrays of str
        Raw or tokenised documents. It is iterated once.
    vectorizer : CountVectorizer
        It tokenises raw documents. From tokenised documents, only its stop words are
        dropped.
    report : callable, default=None
        Called now and then with the share of the documents that are done.
    missing : {"error", "empty"}, default="error"
        Whether missing documents raise an error or count as empty documents.
    ids : FileArray, default=None
        An empty array of C int for the numbers. By default, a new array in memory.
    n_jobs : int or None, default=None
        Number of threads that scan much text, by joblib's rules.

    Returns
    -------
    ids : array of C int, or FileArray
        The numbers of all tokens, document after document.
    offsets : array of C long long
        Where each document begins in `ids`, and where the last one ends.
    words : list of str
        The distinct tokens.

    Raises
    ------
    ValueError
        If `X` or one of its documents is not valid.
    """
    documents, batches = _open(X, vectorizer, 0, report, missing)
    if not batches:
        seen: defaultdict[str, int] = defaultdict()
        seen.default_factory = seen.__len__
        tokens = _cut(documents, vectorizer)
        numbers = (map(seen.__getitem__, words) for words in _watch(tokens, seen))
        found, offsets = _join_ids(numbers, ids)
        return found, offsets, list(seen)
    stop_words = vectorizer.get_stop_words() or ()
    dropped = [word for word in stop_words if isinstance(word, str) and word]
    team, batches = _team(batches, n_jobs)
    rows: dict[str, int] = {}
    scanners = [
        _Scanner(vectorizer, dropped, fixed=False, of_all=rows)
        for _ in range(team.size)
    ]
    with team:
        if team.size == 1:
            found, offsets = _join(map(scanners[0].number, batches), ids)
            return found, offsets, scanners[0].words()
        parts = _number_in_threads(batches, rows, scanners, team)
        found, offsets = _join(parts, ids)
    return found, offsets, list(rows)


def look_up(
    X: Any,
    vectorizer: CountVectorizer,
    rows: Mapping[str, int],
    report: Callable[[float], bool] | None = None,
    missing: str = "error",
    n_rows: int | None = None,
    ids: FileArray | None = None,
    n_jobs: int | None = None,
) -> Corpus:
    """Return documents as rows of the given words, without other tokens.

    Parameters
    ----------
    X : iterable of str, or of lists, tuples or 1-D arrays of str
        Raw or tokenised documents. It is iterated once.
    vectorizer : CountVectorizer
        As in `number`.
    rows : mapping of str to int
    report : callable, default=None
        As in `number`.
    missing : {"error", "empty"}, default="error"
        As in `number`.
    n_rows : int, default=None
        Number of rows. By default the number of words.
    ids : FileArray, default=None
        An empty array of C int for the rows. By default, a new array in memory.
    n_jobs : int or None, default=None
        As in `number`.

    Returns
    -------
    Corpus

    Raises
    ------
    ValueError
        As in `number`, or if the row of a word in the documents is not valid.
    """
    n_rows = len(rows) if n_rows is None else n_rows
    documents, batches = _open(X, vectorizer, len(rows), report, missing)
    try:
        if batches:
            found, offsets = _scan(batches, vectorizer, rows, n_rows, ids, n_jobs)
        else:
            tokens = _cut(documents, vectorizer)
            found, offsets = _join_ids((_known(words, rows) for words in tokens), ids)
    except (TypeError, OverflowError):
        # The error may be about X, or a row is not an int or is too large.
        rows_of(rows, rows, n_rows)
        raise
    token_ids = np.asarray(found)
    if not inside(token_ids, n_rows):
        rows_of(rows, rows, n_rows)
    return Corpus(token_ids, np.asarray(offsets))


def _watch(documents: Iterable[Any], seen: Collection[str]) -> Iterator[Any]:
    """Yield documents, and check that their distinct words leave enough memory."""
    checked = 0
    for tokens in documents:
        if len(seen) >= checked + _NEW_WORDS:
            checked = len(seen)
            _check_room_for_words(checked)
        yield tokens


def _check_room_for_words(n_words: int, n_bytes: float | None = None) -> None:
    """Raise a MemoryError if there is no memory for more distinct words.

    By default, these are as many as there are.
    """
    if n_bytes is None:
        n_bytes = _WORD_BYTES * n_words
    check_room(
        n_bytes,
        f"More words than the {n_words} distinct ones that X holds so far",
        "min_count is applied after all words are found. Pass the words to keep as "
        "`vocabulary`, or parameters that find fewer of them, such as token_pattern, "
        "stop_words or lowercase.",
    )


def _known(words: Iterable[str], rows: Mapping[str, int]) -> list[int]:
    """Return the rows of those words that have one."""
    found = map(rows.get, words, repeat(_UNKNOWN))
    return [row for row in found if row is not _UNKNOWN]  # type: ignore[misc]


def coverage(
    X: Any,
    vectorizer: CountVectorizer,
    words: Container[str],
    missing: str = "error",
) -> np.ndarray:
    """Return the share of each document's tokens that are among given words.

    Parameters
    ----------
    X, vectorizer, missing
        As in `number`.
    words : container of str

    Returns
    -------
    ndarray of shape (n_documents,), float64
        0 for a document without tokens.

    Raises
    ------
    ValueError
        As in `number`.
    """
    # The kernel does not count the tokens that it drops.
    documents = _cut(checked(X, None, missing), vectorizer)
    shares = (
        sum(map(words.__contains__, tokens)) / max(1, len(tokens))
        for tokens in documents
    )
    return np.fromiter(shares, np.float64)


def _scan(
    batches: Iterator[list[str]],
    vectorizer: CountVectorizer,
    rows: Mapping[str, int],
    n_rows: int,
    ids: FileArray | None,
    n_jobs: int | None,
) -> tuple[Any, array]:
    """Return the rows of given words in texts, and offsets of texts, by the kernel."""
    stop_words = vectorizer.get_stop_words() or ()
    words = [word for word in rows if word and word not in stop_words]
    row_of = rows_of(rows, words, n_rows).astype(np.int32)
    scanner = _Scanner(vectorizer, words, fixed=True)

    def find(_: int, texts: list[str]) -> _Part:
        numbers, ends = scanner.number(texts)
        return row_of[numbers], ends

    team, batches = _team(batches, n_jobs)
    with team:
        return _join(team.stream(find, batches), ids)


def _team(
    batches: Iterator[list[str]], n_jobs: int | None
) -> tuple[ThreadTeam, Iterator[list[str]]]:
    """Return threads for batches of texts, one if there are few, and the batches."""
    first = list(islice(batches, _MANY_BATCHES))
    at_most = _MOST_THREADS if len(first) == _MANY_BATCHES else 1
    return ThreadTeam(n_threads(n_jobs, at_most)), chain(first, batches)


def _number_in_threads(
    batches: Iterable[list[str]],
    rows: dict[str, int],
    scanners: list["_Scanner"],
    team: ThreadTeam,
) -> Iterator[_Part]:
    """Yield the numbers of words in batches, as one scanner gives them.

    Each thread has a scanner with numbers of its own. The words that are new to it in a
    batch get numbers of all threads in `rows`, which is empty at first, in the order of
    the batches. Others have them already. So words are numbered in the order of first
    appearance.
    """
    numbers = [array("i") for _ in scanners]
    checked = 0

    def scan(thread: int, texts: list[str]) -> tuple[int, _Part, str]:
        scanner = scanners[thread]
        n_words = scanner.n_words
        return thread, scanner.number(texts), scanner.entered_since(n_words)

    for thread, (found, ends), new in team.stream(scan, batches):
        numbers[thread].extend(
            [rows.setdefault(word, len(rows)) for word in new.split()]
        )
        if len(rows) >= checked + _NEW_WORDS:
            checked = len(rows)
            _check_room_for_words(checked)
        yield np.asarray(numbers[thread]).take(found), ends


def scanning_memory(n_tokens: int, n_words: int, n_jobs: int | None) -> float:
    """Return the memory of scanning in bytes, beside what is found."""
    n_characters = _TOKEN * n_tokens
    if n_characters < _MUCH:
        return 0.0
    n_batches = -(-n_characters // _BATCH)
    at_most = _MOST_THREADS if n_batches >= _MANY_BATCHES else 1
    size = n_threads(n_jobs, at_most)
    n_waiting = min(n_batches, AHEAD * size) if size > 1 else 1
    of_batches = _WAITING * n_waiting + _SCANNED * min(n_batches, size)
    return float(_BATCH * of_batches + _ENTERED * n_words * size)


def compile_kernel() -> None:
    """Compile the kernel that scans text in advance."""
    _Scanner(CountVectorizer(), [], fixed=False).number(["amber birch"])


def _open(
    X: Any,
    vectorizer: CountVectorizer,
    n_words: int,
    report: Callable[[float], bool] | None,
    missing: str,
) -> tuple[Iterator[Any], Iterator[list[str]] | None]:
    """Return checked documents, or batches of texts if the kernel scans them."""
    documents = checked(X, report, missing)
    first = next(documents, None)
    documents = iter(()) if first is None else chain([first], documents)
    finds_runs = vectorizer.token_pattern in _SHORTEST_RUN
    if not isinstance(first, str) or vectorizer.analyzer != "word" or not finds_runs:
        return documents, None
    held, size = [], 0
    for document in documents:
        held.append(document)
        size += len(document)
        if _is_worth_scanning(size, n_words):
            break
    else:
        _meet(size)
        return iter(held), None
    _meet(size)
    # The result is not used, but this warns about stop words that are never tokens.
    vectorizer.build_analyzer()
    batches = _batches(chain(held, documents))
    if vectorizer.strip_accents is None:
        # The kernel turns letters into lower case, where that is wanted.
        return documents, batches
    prepare = vectorizer.build_preprocessor()
    return documents, (list(map(prepare, batch)) for batch in batches)


def _is_worth_scanning(size: int, n_words: int) -> bool:
    """Return whether the kernel takes less time for a text, or for those that follow.

    Parameters
    ----------
    size : int
        Number of characters.
    n_words : int
        Number of words to look up.
    """
    if size < min(_SOME, _MUCH) + _MUCH_PER_WORD * n_words or _n_met + size < _MUCH:
        return False
    from skembed._utils.jit import COMPILED

    return COMPILED or size >= _MUCH


def _meet(size: int) -> None:
    """Count characters. Threads may lose some, which changes the time only."""
    global _n_met
    _n_met += size


def _batches(documents: Iterable[str]) -> Iterator[list[str]]:
    batch, size = [], 0
    for document in documents:
        batch.append(document)
        size += len(document)
        if size >= _BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _join_ids(
    documents: Iterable[Iterable[int]], given: FileArray | None
) -> tuple[Any, array]:
    ids, offsets = array("i") if given is None else given, array("q", [0])
    for numbers in documents:
        # Loops over tokens run in C. An array of a list takes half the time of one of
        # an iterator, whose length is not known.
        ids.extend(array("i", list(numbers)))
        offsets.append(len(ids))
    return ids, offsets


def _join(parts: Iterable[_Part], given: FileArray | None) -> tuple[Any, array]:
    ids, offsets = array("i") if given is None else given, array("q", [0])
    for part, ends in parts:
        offsets.frombytes((ends + len(ids)).tobytes())
        ids.frombytes(part.tobytes())
    return ids, offsets


class _Scanner:
    """Finds only `words` in texts or, if they are not fixed, all words except these.

    The given words are distinct and not empty. A kernel looks them up in its hash
    table. If words are chosen to collide there, a dict is used instead. `of_all` are
    words that several scanners have found, for errors.
    """

    def __init__(
        self,
        vectorizer: CountVectorizer,
        words: list[str],
        fixed: bool,
        of_all: Collection[str] = (),
    ):
        from skembed._kernels import scan

        self._of_all = of_all
        self._kernels = scan
        self._lowers = vectorizer.lowercase and vectorizer.strip_accents is None
        self._shortest = _SHORTEST_RUN[vectorizer.token_pattern]
        self._fixed = fixed
        self._n_dropped = 0 if fixed else len(words)
        self._n_words = len(words)
        self._tokenize = vectorizer.build_tokenizer()
        self._numbers: dict[str, int] | None = None
        codes, ends = _as_codes(words)
        self._table = scan.new_table(codes, ends, len(words), codes.size)
        if self._table is None:
            self._numbers = {word: number for number, word in enumerate(words)}

    @property
    def n_words(self) -> int:
        """How many words are known, with those that are given."""
        return self._n_words if self._numbers is None else len(self._numbers)

    def number(self, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers of the texts' words, and where each text ends."""
        if self._numbers is None:
            found = self._scan(texts)
            if found is not None:
                return found
            self._numbers = {word: n for n, word in enumerate(self._entered_words())}
        return self._look_up(texts, self._numbers)

    def _look_up(
        self, texts: list[str], numbers: dict[str, int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Do the same as `number`, with a dict of all words of the table."""
        if not self._fixed:
            self._check_room(_WORD_BYTES * len(numbers))
        ids, offsets = array("i"), []
        for text in texts:
            tokens = self._tokenize(text.lower() if self._lowers else text)
            if not self._fixed:
                for token in tokens:
                    numbers.setdefault(token, len(numbers))
            found = map(numbers.get, tokens, repeat(-1))
            ids.extend(n - self._n_dropped for n in found if n >= self._n_dropped)
            offsets.append(len(ids))
        return np.array(ids, dtype=np.int32), np.array(offsets, dtype=np.int64)

    def _scan(self, texts: list[str]) -> tuple[np.ndarray, np.ndarray] | None:
        """Do the same as `number`, by the kernel. Return None if that would be slow."""
        codes, ends = _as_codes(texts, self._lowers)
        n_bits = int(codes.max(initial=0)).bit_length()
        prepared = self._kernels.Texts(codes, ends, _letters(n_bits, self._lowers))
        ids = np.empty(codes.size // self._shortest, dtype=np.int32)
        reached = self._kernels.start(codes.size, self._n_words)
        modes = self._shortest, self._fixed, self._n_dropped
        while True:
            self._kernels.scan(prepared, self._table, *modes, reached, ids)
            self._n_words = int(reached[self._kernels.N_WORDS])
            if reached[self._kernels.DOCUMENT] == len(texts):
                return ids[: ends[-1]], ends
            if reached[self._kernels.PATIENCE] < 0 or not self._make_room(codes.size):
                return None

    def _make_room(self, n_letters: int) -> bool:
        """Double the table, for at least one more word of up to `n_letters` letters.

        Returns whether this is possible.
        """
        codes, ends = self._entered()
        size = 2 * ends.size + _MIN_ROOM, 2 * codes.size + n_letters
        n_bytes = self._kernels.table_bytes(*size)
        self._check_room(n_bytes + 2 * codes.nbytes)
        table = self._kernels.new_table(codes, ends, *size)
        if table is not None:
            self._table = table
        return table is not None

    def _check_room(self, n_bytes: float) -> None:
        """Raise a MemoryError if there is no memory for more words of this scanner."""
        n_found = self.n_words - self._n_dropped
        _check_room_for_words(max(n_found, len(self._of_all)), n_bytes)

    def words(self) -> list[str]:
        """Return the words in the order of their numbers."""
        self._check_room(_WORD_BYTES * self.n_words)
        words = self._entered_words() if self._numbers is None else list(self._numbers)
        return words[self._n_dropped :]

    def entered_since(self, n_words: int) -> str:
        """Return the words after so many, with spaces between them."""
        if self._numbers is not None:
            return " ".join(islice(self._numbers, n_words, None))
        codes, ends = self._entered(n_words)
        return _decode(np.insert(codes, ends, ord(" ")))

    def _entered_words(self) -> list[str]:
        codes, ends = self._entered()
        letters = _decode(codes)
        bounds = pairwise([0, *ends.tolist()])
        return [letters[first:last] for first, last in bounds]

    def _entered(self, n_before: int = 0) -> tuple[np.ndarray, np.ndarray]:
        bounds = self._table.bounds[n_before : self._n_words + 1].astype(np.int64)
        letters = self._table.letters[bounds[0] : bounds[-1]]
        return letters, bounds[1:] - bounds[0]


def _decode(codes: np.ndarray) -> str:
    return codes.tobytes().decode(_UTF32, "surrogatepass")


def _as_codes(
    texts: list[str], to_lower: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Return the code points of texts, and where each text ends.

    With `to_lower`, they are those from which `_letters` makes the lower case.
    """
    joined = "".join(texts)
    if to_lower and any(sign in joined for sign in _LOWER_IN_CONTEXT):
        texts = [text.lower() for text in texts]
        joined = "".join(texts)
    codes = joined.encode(_UTF32, "surrogatepass")
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    return np.frombuffer(codes, dtype=np.uint32), lengths.cumsum()


@lru_cache
def _letters(n_bits: int, to_lower: bool) -> np.ndarray:
    r"""Return what words hold in place of each of the first 2**n_bits code points.

    That is its lower case or itself, or NO_LETTER if ``\w`` does not match it.
    """
    from skembed._kernels.scan import NO_LETTER

    signs = "".join(map(chr, range(min(2**n_bits, sys.maxunicode + 1))))
    if to_lower:
        # Texts with these have none of them when `_as_codes` has encoded them.
        for sign in _LOWER_IN_CONTEXT:
            signs = signs.replace(sign, " ")
        signs = signs.lower()
    codes, _ = _as_codes([signs])
    letters = np.full(2**n_bits, NO_LETTER)
    for run in re.finditer(r"\w+", signs):
        letters[slice(*run.span())] = codes[slice(*run.span())]
    letters.flags.writeable = False
    return letters


def _cut(
    documents: Iterable[Any], vectorizer: CountVectorizer
) -> Iterator[Collection[str]]:
    """Yield the tokens of each document."""
    analyze = None
    stop_words = vectorizer.get_stop_words()
    for position, document in enumerate(documents):
        if isinstance(document, str):
            if analyze is None:
                analyze = _build_analyzer(vectorizer)
            tokens = analyze(document)
            if callable(vectorizer.analyzer):
                tokens = check_analyzed(position, tokens)
        else:
            tokens = document.tolist() if isinstance(document, np.ndarray) else document
            tokens = check_tokens(position, tokens)
            if stop_words:
                tokens = [token for token in tokens if token not in stop_words]
        yield tokens


def _build_analyzer(vectorizer: CountVectorizer) -> Callable[[str], Any]:
    """Build the analyzer of raw documents."""
    if vectorizer.analyzer == "word":
        pattern = vectorizer.token_pattern
        if pattern is None:
            raise ValueError(
                "token_pattern=None cannot cut raw documents into words. Pass a "
                "regular expression, another analyzer, or tokenised documents."
            )
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(
                f"token_pattern={pattern!r} is not a regular expression: {error}."
            ) from error
    return vectorizer.build_analyzer()
