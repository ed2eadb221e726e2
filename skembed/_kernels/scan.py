"""From the code points of texts to the numbers of their words."""

from typing import NamedTuple

import numpy as np

from skembed._utils.jit import kernel

# Indices are unsigned: a signed one costs a test for negative values each time.
ONE = np.uintp(1)
HALF = np.uint64(32)
FREE = np.uint64(0)
NUMBER = np.uint64(0xFFFFFFFF)
NO_LETTER = np.uint32(0xFFFFFFFF)  # in place of a code point
# Of the hash by Fowler, Noll and Vo, "1a" in 64 bits.
BASIS = np.uint64(0xCBF29CE484222325)
PRIME = np.uint64(0x100000001B3)
# Positions in the array `reached`.
POSITION, DOCUMENT, N_IDS, N_WORDS, PATIENCE = range(5)
# The limit of a scan: a number of steps in total, plus a number for each letter of the
# texts. Steps are probes of wrong slots and letters that are compared there. Ordinary
# text needs a hundredth of them.
_STEPS, _STEPS_PER_LETTER = 2**16, 16


class Texts(NamedTuple):
    """The code points of documents, concatenated."""

    codes: np.ndarray  # uint32 (n_codes,)
    ends: np.ndarray  # int64 (n_documents,): where each ends
    # What words hold in place of each code point, such as its lower case, or NO_LETTER
    # for those that are no word characters.
    letter_of: np.ndarray  # uint32 (more than the largest code,)


class Table(NamedTuple):
    """Words in the order of their numbers, and a hash table that finds them."""

    slots: np.ndarray  # uint64 (2**k,): upper half of the hash, number + 1; 0 is free
    letters: np.ndarray  # uint32 (n_letters,): the words' code points
    bounds: np.ndarray  # uint64 (capacity + 1,): of each word's letters


@kernel
def scan(texts, table, shortest, fixed, n_dropped, reached, ids):
    """Write the numbers of all words of documents.

    A word is a longest run of word characters. A word that is not in the table is
    dropped if the words are fixed, and otherwise added at the end. If the table is
    full, the kernel returns before that word, and has to be called again with a larger
    table. It also returns early when the limit of steps is reached, which happens only
    if words were chosen to collide. ``reached[PATIENCE]`` is then negative, and the
    words should be looked up in another way.

    Parameters
    ----------
    texts : Texts, INOUT
        `ends` of finished documents becomes where they end in `ids`.
    table : Table, INOUT
        Has more slots than words.
    shortest : int
        Runs of fewer characters are no words.
    fixed : bool
    n_dropped : int
        The first words of the table are left out, and the next is written as 0.
    reached : int64 (5,), INOUT
        Position in `codes`, finished documents, words in `ids` and in the table; and
        patience, see `start`.
    ids : int32 (at least as many as the documents have words,), OUT
    """
    # Locals, and no helper with a loop: an array that is passed on is counted, by
    # atomic operations, at every call.
    codes, letter_of = texts.codes, texts.letter_of
    slots, letters, bounds = table.slots, table.letters, table.bounds
    mask = np.uintp(slots.size - 1)
    i = np.uintp(reached[POSITION])
    n_ids = np.uintp(reached[N_IDS])
    n_words = reached[N_WORDS]
    patience = reached[PATIENCE]
    for document in range(reached[DOCUMENT], texts.ends.size):
        end = np.uintp(texts.ends[document])
        while i < end:
            first = i
            hashed = BASIS
            while i < end:
                letter = letter_of[codes[i]]
                if letter == NO_LETTER:
                    break
                hashed = (hashed ^ np.uint64(letter)) * PRIME
                i += ONE
            length = i - first
            # What ended the run is no word character.
            i += ONE
            if length < np.uintp(shortest):
                continue
            # Multiplications carry upwards only: the low bits need those above.
            hashed ^= hashed >> HALF
            slot = np.uintp(hashed) & mask
            entry = slots[slot]
            # Equal halves of hashes are a hint; the letters decide.
            while entry != FREE:
                same = np.uintp(0)
                if entry >> HALF == hashed >> HALF:
                    start = np.uintp(bounds[(entry & NUMBER) - ONE])
                    if np.uintp(bounds[entry & NUMBER]) - start == length:
                        while same < length and (
                            letters[start + same] == letter_of[codes[first + same]]
                        ):
                            same += ONE
                        if same == length:
                            break
                slot = (slot + ONE) & mask
                patience -= np.int64(ONE + same)
                entry = slots[slot] if patience >= 0 else FREE
            if entry == FREE:
                if fixed and patience >= 0:
                    continue
                start = np.uintp(bounds[n_words])
                room = np.uintp(letters.size) - start
                if patience < 0 or n_words == bounds.size - 1 or room < length:
                    reached[POSITION] = first
                    reached[DOCUMENT] = document
                    reached[N_IDS] = n_ids
                    reached[N_WORDS] = n_words
                    reached[PATIENCE] = patience
                    return
                for k in range(length):
                    letter = letter_of[codes[first + np.uintp(k)]]
                    letters[start + np.uintp(k)] = letter
                n_words += 1
                bounds[n_words] = start + length
                entry = (hashed >> HALF << HALF) | np.uint64(n_words)
                slots[slot] = entry
            if entry & NUMBER > np.uint64(n_dropped):
                ids[n_ids] = np.int64(entry & NUMBER) - 1 - n_dropped
                n_ids += ONE
        i = end
        texts.ends[document] = n_ids
    reached[DOCUMENT] = texts.ends.size
    reached[N_WORDS] = n_words
    reached[PATIENCE] = patience


def start(n_codes, n_words):
    """Return what a scan of so many letters has reached before it begins."""
    patience = _STEPS + _STEPS_PER_LETTER * n_codes
    return np.array([0, 0, 0, n_words, patience], dtype=np.int64)


def table_bytes(capacity, n_letters):
    """Return the size of a table, as `new_table` makes it."""
    return 8 * _n_slots(capacity) + 4 * n_letters + 8 * (capacity + 1)


def _n_slots(capacity):
    return 2 ** int(2 * capacity).bit_length()


def new_table(codes, ends, capacity, n_letters):
    """Return a table that holds given words.

    Parameters
    ----------
    codes : uint32 (n_codes,)
        The words' code points; the words are distinct and not empty.
    ends : int64 (n_words,)
        Where each word ends in `codes`.
    capacity : int
        Words for which there is room.
    n_letters : int
        Code points for which there is room.

    Returns
    -------
    Table or None
        None if too many of the words are in each other's way.
    """
    table = Table(
        np.zeros(_n_slots(capacity), dtype=np.uint64),
        np.empty(n_letters, dtype=np.uint32),
        np.zeros(capacity + 1, dtype=np.uint64),
    )
    # Each word is a document in which all characters are word characters.
    letter_of = np.arange(int(codes.max(initial=0)) + 1, dtype=np.uint32)
    # One compiled signature: elsewhere codes are the bytes of a str, and read-only.
    codes = codes.copy()
    codes.flags.writeable = letter_of.flags.writeable = False
    ids = np.empty(ends.size, dtype=np.int32)
    reached = start(codes.size, 0)
    scan(Texts(codes, ends.copy(), letter_of), table, 1, False, 0, reached, ids)
    return table if reached[PATIENCE] >= 0 else None


@kernel
def keep_known(token_ids, offsets, documents, begin, new_rows, n_kept):
    """Give tokens of some documents their new rows, and drop those without one.

    Kept tokens move to the front, behind those of earlier documents.

    Parameters
    ----------
    token_ids : int32 (n_tokens,), INOUT
    offsets : int64 (n_documents + 1,), INOUT
        Where documents end. Those of earlier documents have changed.
    documents : (int, int)
        The first document, and the one behind the last.
    begin : int
        Where the tokens of the first document begin.
    new_rows : int32 (n_words,), IN
        Negative if tokens are dropped.
    n_kept : int
        Number of tokens that are kept of earlier documents.

    Returns
    -------
    int
        Number of tokens that are kept of these and earlier documents.
    """
    for document in range(documents[0], documents[1]):
        end = offsets[document + 1]
        for position in range(begin, end):
            row = new_rows[token_ids[position]]
            # Written every time: a branch would often go wrong.
            token_ids[n_kept] = row
            n_kept += row >= 0
        offsets[document + 1] = n_kept
        begin = end
    return n_kept
