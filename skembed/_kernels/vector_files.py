"""Rows of files of word vectors, from bytes to float32.

The bytes of words are copied, each with a separator behind it, and decoded elsewhere.
A line of text is left to the caller if it is not plain, or if the nearest float32 of a
number is in doubt.
"""

import numpy as np

from skembed._utils.jit import kernel

ONE = np.uintp(1)
# Powers of ten, each rounded to the nearest float64.
_LOWEST, _HIGHEST = -80, 60
POWERS = np.array([float(f"1e{power}") for power in range(_LOWEST, _HIGHEST + 1)])
# A number is a whole number times a power of ten. Rounding both, their product, and
# what lies behind 17 digits cost less than one part in 2**50.
BELOW, ABOVE = 1.0 - 2.0**-50, 1.0 + 2.0**-50
LARGEST = np.finfo(np.float32).max
# With one more digit it still fits into int64.
_MANY_DIGITS = 10**17
# Positions in the array `reached`.
POSITION, N_ROWS, N_LETTERS = range(3)
_TAB, _NEWLINE, _RETURN, _SPACE = np.uint8(9), np.uint8(10), np.uint8(13), np.uint8(32)
_MINUS, _POINT, _ZERO = np.uint8(45), np.uint8(46), np.uint8(48)
_CAPITAL_E, _SMALL_E, _PLUS = np.uint8(69), np.uint8(101), np.uint8(43)
_TEN = np.uint8(10)


@kernel
def read_text_rows(data, end, vectors, letters, reached):
    """Read lines of a word and numbers until one is not plain.

    A plain line has a word without spaces, exactly as many numbers as there are
    columns, and single spaces or tabs between them. Spaces may follow.

    Parameters
    ----------
    data : uint8 (n_bytes,), IN
    end : int
        Where the last line ends: a line break precedes it.
    vectors : float32 (n_rows, n_components), INOUT
        Reading stops when it is full.
    letters : uint8 (as many as are left in `data`,), OUT
        The bytes of the words, with a line break after each.
    reached : int64 (3,), INOUT
        Position in `data`, rows in `vectors`, bytes in `letters`.
    """
    n_rows, n_components = vectors.shape
    row = reached[N_ROWS]
    first = np.uintp(reached[POSITION])
    last = np.uintp(end)
    n_letters = np.uintp(reached[N_LETTERS])
    while first < last and row < n_rows:
        # A line break ends every loop: none of them has to look for `end`.
        i = first
        byte = data[i]
        while byte != _SPACE and byte != _TAB and byte != _NEWLINE:
            letters[n_letters + i - first] = byte
            i += ONE
            byte = data[i]
        length = i - first
        plain = bool(length > 0)
        column = 0
        while plain and column < n_components:
            plain = bool(byte == _SPACE or byte == _TAB)
            if not plain:
                break
            i += ONE
            byte = data[i]
            negative = byte == _MINUS
            if negative:
                i += ONE
                byte = data[i]
            digits = power = np.int64(0)
            n_digits = 0
            # Below the code of "0", bytes wrap around to large values.
            digit = np.uint8(byte - _ZERO)
            while digit < _TEN:
                if digits < _MANY_DIGITS:
                    digits = digits * 10 + np.int64(digit)
                else:
                    power += 1
                n_digits += 1
                i += ONE
                byte = data[i]
                digit = np.uint8(byte - _ZERO)
            if byte == _POINT:
                i += ONE
                byte = data[i]
                digit = np.uint8(byte - _ZERO)
                while digit < _TEN:
                    if digits < _MANY_DIGITS:
                        digits = digits * 10 + np.int64(digit)
                        power -= 1
                    n_digits += 1
                    i += ONE
                    byte = data[i]
                    digit = np.uint8(byte - _ZERO)
            plain = n_digits > 0
            if byte == _SMALL_E or byte == _CAPITAL_E:
                i += ONE
                byte = data[i]
                minus = byte == _MINUS
                if minus or byte == _PLUS:
                    i += ONE
                    byte = data[i]
                exponent = np.int64(0)
                digit = np.uint8(byte - _ZERO)
                plain = bool(plain and digit < _TEN)
                while digit < _TEN:
                    if exponent < 1000:
                        exponent = exponent * 10 + np.int64(digit)
                    i += ONE
                    byte = data[i]
                    digit = np.uint8(byte - _ZERO)
                power += -exponent if minus else exponent
            if power < _LOWEST or power > _HIGHEST:
                plain = False
                break
            value = np.float64(digits) * POWERS[power - _LOWEST]
            # If both ends of what it may be round to one float32, then so does it.
            number = np.float32(value * BELOW)
            if number != np.float32(value * ABOVE) or number > LARGEST:
                plain = False
            vectors[row, column] = -number if negative else number
            column += 1
        while byte == _SPACE or byte == _TAB or byte == _RETURN:
            i += ONE
            byte = data[i]
        if not plain or byte != _NEWLINE:
            break
        first = i + ONE
        n_letters += length
        letters[n_letters] = _NEWLINE
        n_letters += ONE
        row += 1
    reached[POSITION] = first
    reached[N_ROWS] = row
    reached[N_LETTERS] = n_letters


@kernel
def read_binary_rows(data, rows, letters, reached):
    """Read records of a word, a space and the bytes of a vector.

    Line breaks before a word are skipped. Reading stops before a record that is not
    complete, or whose word is empty.

    Parameters
    ----------
    data : uint8 (n_bytes,), IN
    rows : uint8 (n_rows, n_bytes of a vector), INOUT
        Reading stops when it is full.
    letters : uint8 (as many as are left in `data`,), OUT
        The bytes of the words, with a space after each.
    reached : int64 (3,), INOUT
        Position in `data`, rows in `rows`, bytes in `letters`.
    """
    n_rows, width = rows.shape
    row = reached[N_ROWS]
    position = np.uintp(reached[POSITION])
    last = np.uintp(data.size)
    n_letters = np.uintp(reached[N_LETTERS])
    while row < n_rows:
        first = position
        while first < last and data[first] == _NEWLINE:
            first += ONE
        i = first
        while i < last and data[i] != _SPACE:
            letters[n_letters + i - first] = data[i]
            i += ONE
        if i == first or i + ONE + np.uintp(width) > last:
            break
        n_letters += i - first
        letters[n_letters] = _SPACE
        n_letters += ONE
        i += ONE
        for k in range(width):
            rows[row, k] = data[i + np.uintp(k)]
        position = i + np.uintp(width)
        row += 1
    reached[POSITION] = position
    reached[N_ROWS] = row
    reached[N_LETTERS] = n_letters
