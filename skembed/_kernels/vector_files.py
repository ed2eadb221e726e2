"""Rows of files of word vectors, from bytes to float32 and back to text.

The bytes of words are copied, each with a separator behind it, and decoded elsewhere.
A line of text is left to the caller if it is not plain, or if the rounding of a number
is in doubt.
"""

import math

import numpy as np

from skembed._utils.jit import helper, kernel

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
# Bytes that a number takes at most, with the space before it.
WIDEST = 24
# How near to one half a fraction is in doubt, after a product of at most 10**9.
_DOUBT = 1e-6
# Powers of first digits. Beyond these, numbers are written with an exponent.
_SMALLEST, _GREATEST = -4, 5


@helper
def read_number(data, i):
    """Read a number.

    Returns
    -------
    number : float32
    i : uintp
        Position of the byte behind it.
    plain : bool
        False if it is not a plain number, or if its rounding is in doubt.
    """
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
    plain = bool(n_digits > 0)
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
        return np.float32(0.0), i, False
    value = np.float64(digits) * POWERS[power - _LOWEST]
    # If both ends of what it may be round to one float32, then so does it.
    number = np.float32(value * BELOW)
    if number != np.float32(value * ABOVE) or number > LARGEST:
        plain = False
    return -number if negative else number, i, plain


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
        while data[i] != _SPACE and data[i] != _TAB and data[i] != _NEWLINE:
            letters[n_letters + i - first] = data[i]
            i += ONE
        length = i - first
        plain = bool(length > 0)
        column = 0
        while plain and column < n_components:
            plain = bool(data[i] == _SPACE or data[i] == _TAB)
            if plain:
                number, i, plain = read_number(data, i + ONE)
                vectors[row, column] = number
                column += 1
        while data[i] == _SPACE or data[i] == _TAB or data[i] == _RETURN:
            i += ONE
        if not plain or data[i] != _NEWLINE:
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


@helper
def shortest_digits(size):
    """Return the fewest decimal digits that give a positive float32 again.

    Returns
    -------
    digits : int
        A whole number of `n_digits` digits, or 0 if rounding is in doubt.
    n_digits : int
    power : int
        That of the first digit.
    """
    value = np.float64(size)
    nothing = np.int64(0)
    power = np.int64(math.floor(math.log10(value)))
    if power < _LOWEST + 40 or power > _HIGHEST - 24:
        return nothing, 0, power
    # The logarithm may be off by one next to a power of ten.
    if value >= POWERS[power + 1 - _LOWEST]:
        power += 1
    elif value < POWERS[power - _LOWEST]:
        power -= 1
    digits = nothing
    n_digits = 0
    # Most numbers need eight. Nine are always enough.
    n_tried = 8
    while 0 < n_tried <= 9:
        scale = n_tried - 1 - power
        scaled = value * POWERS[scale - _LOWEST]
        tried = np.int64(scaled + 0.5)
        again = np.float64(tried) * POWERS[-scale - _LOWEST]
        below = np.float32(again * BELOW)
        above = np.float32(again * ABOVE)
        fits = below == size or above == size
        if fits:
            if below != above or abs(scaled - np.float64(tried)) > 0.5 - _DOUBT:
                return nothing, 0, power
            digits = tried
            n_digits = n_tried
        # Fewer if these are enough, more if not, until both are known.
        if fits and n_tried <= 8:
            n_tried -= 1
        elif not fits and n_tried == 8:
            n_tried = 9
        else:
            break
    # Rounding may have carried into one more digit.
    if n_digits > 0 and np.float64(digits) >= POWERS[n_digits - _LOWEST]:
        return np.int64(1), 1, power + 1
    return digits, n_digits, power


@helper
def write_number(out, j, number):
    """Write a space and the shortest number that gives a float32 again, as NumPy does.

    Returns
    -------
    j : uintp
        Position behind it in `out`.
    certain : bool
        False if rounding is in doubt.
    """
    out[j] = _SPACE
    j += ONE
    if np.signbit(number):
        out[j] = _MINUS
        j += ONE
    digits = power = np.int64(0)
    n_digits = 1
    if number != 0.0:
        digits, n_digits, power = shortest_digits(np.float32(abs(number)))
        if n_digits == 0:
            return j, False
    exponent = bool(power < _SMALLEST or power > _GREATEST)
    # Digits before the point. If it is first, zeros come before the digits.
    n_before = np.int64(1) if exponent else power + 1
    if n_before <= 0:
        out[j] = _ZERO
        out[j + ONE] = _POINT
        j += ONE + ONE
        for _ in range(-n_before):
            out[j] = _ZERO
            j += ONE
    unit = np.int64(1)
    for _ in range(n_digits - 1):
        unit *= 10
    n_written = 0
    while n_written < n_digits or n_written < n_before:
        if n_written == n_before and n_written > 0:
            out[j] = _POINT
            j += ONE
        if unit > 0:
            digit = digits // unit
            digits -= digit * unit
            unit //= 10
            out[j] = np.uint8(digit + 48)
        else:
            out[j] = _ZERO
        j += ONE
        n_written += 1
    if exponent:
        out[j] = _SMALL_E
        out[j + ONE] = _MINUS if power < 0 else _PLUS
        j += ONE + ONE
        out[j] = np.uint8(abs(power) // 10 + 48)
        out[j + ONE] = np.uint8(abs(power) % 10 + 48)
        j += ONE + ONE
    elif n_written <= n_before:
        out[j] = _POINT
        out[j + ONE] = _ZERO
        j += ONE + ONE
    return j, True


@kernel
def write_text_rows(vectors, letters, out, reached):
    """Write lines of a word and the shortest numbers that give its vector.

    Writing stops at a row in which the rounding of a number is in doubt.

    Parameters
    ----------
    vectors : float32 (n_rows, n_components), IN
    letters : uint8 (n_letters,), IN
        The bytes of the words, with a line break after each.
    out : uint8 (n_letters + `WIDEST` for each number,), OUT
    reached : int64 (3,), INOUT
        Position in `letters`, rows of `vectors`, bytes in `out`.
    """
    n_rows, n_components = vectors.shape
    row = reached[N_ROWS]
    position = np.uintp(reached[POSITION])
    n_out = np.uintp(reached[N_LETTERS])
    certain = True
    while row < n_rows:
        i = position
        j = n_out
        while letters[i] != _NEWLINE:
            out[j] = letters[i]
            i += ONE
            j += ONE
        column = 0
        while certain and column < n_components:
            j, certain = write_number(out, j, vectors[row, column])
            column += 1
        if not certain:
            break
        out[j] = _NEWLINE
        n_out = j + ONE
        position = i + ONE
        row += 1
    reached[POSITION] = position
    reached[N_ROWS] = row
    reached[N_LETTERS] = n_out
