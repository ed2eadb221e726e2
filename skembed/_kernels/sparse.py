"""Sparse matrix times a block of columns, and products with a basis of many columns.

One row of a sparse product stays in registers while its entries are added up, as
explicit vector code; a plain loop would write it to memory after every entry. The
vectors are LLVM's portable ones, so they compile for every processor. Without the JIT
the same is a NumPy expression.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from skembed._kernels import simd
from skembed._utils.jit import COMPILED, kernel

WIDTH = 16
# Rows of a basis whose columns are visited in turn: they stay in the cache.
_ROWS = 128
_LANES, _CHAINS = 8, 2
_DOUBLE, _INT32, _INT64 = ir.DoubleType(), ir.IntType(32), ir.IntType(64)
_VECTOR = ir.VectorType(_DOUBLE, _LANES)
_FLAGS = ("reassoc", "contract", "arcp", "nsz", "afn")


def _int(value: int) -> ir.Constant:
    return ir.Constant(_INT64, value)


class _Block:
    """Sixteen columns of an array argument, seen from inside an intrinsic."""

    def __init__(self, context, builder, kind, value, column):
        array = context.make_array(kind)(context, builder, value)
        self.builder = builder
        self.column = column
        self.data = array.data
        self.stride = cgutils.unpack_tuple(builder, array.shape, 2)[1]

    def _places(self, row):
        builder = self.builder
        start = builder.add(builder.mul(row, self.stride), self.column)
        for lane in range(0, WIDTH, _LANES):
            place = builder.gep(self.data, [builder.add(start, _int(lane))])
            yield builder.bitcast(place, _VECTOR.as_pointer())

    def load(self, row):
        """Return the vectors of one row."""
        return [self.builder.load(place, align=8) for place in self._places(row)]

    def store(self, row, vectors):
        for place, vector in zip(self._places(row), vectors, strict=True):
            self.builder.store(vector, place, align=8)


def _add_entry(builder, matrix, entry, totals):
    """Add one entry's value times its row of the dense block to `totals` (slots)."""
    indices, data, dense = matrix
    undefined = ir.Constant(_VECTOR, ir.Undefined)
    value = builder.fpext(builder.load(builder.gep(data, [entry])), _DOUBLE)
    value = builder.insert_element(undefined, value, ir.Constant(_INT32, 0))
    mask = ir.Constant(ir.VectorType(_INT32, _LANES), None)
    value = builder.shuffle_vector(value, undefined, mask)
    column = builder.zext(builder.load(builder.gep(indices, [entry])), _INT64)
    for total, vector in zip(totals, dense.load(column), strict=True):
        product = builder.fmul(value, vector, flags=_FLAGS)
        builder.store(builder.fadd(product, builder.load(total), flags=_FLAGS), total)


def _sum_row(builder, matrix, first, last):
    """Return a row's sum as vectors.

    The entries are added up in two chains, which need not wait for each other.
    """
    chains = [
        [cgutils.alloca_once(builder, _VECTOR) for _ in range(WIDTH // _LANES)]
        for _ in range(_CHAINS)
    ]
    for total in (total for chain in chains for total in chain):
        builder.store(ir.Constant(_VECTOR, [0.0] * _LANES), total)
    rounds = builder.sdiv(builder.sub(last, first), _int(_CHAINS))
    with cgutils.for_range(builder, rounds) as loop:
        at = builder.add(first, builder.mul(loop.index, _int(_CHAINS)))
        for i, chain in enumerate(chains):
            _add_entry(builder, matrix, builder.add(at, _int(i)), chain)
    done = builder.add(first, builder.mul(rounds, _int(_CHAINS)))
    with cgutils.for_range(builder, builder.sub(last, done)) as loop:
        _add_entry(builder, matrix, builder.add(done, loop.index), chains[0])
    return [
        builder.fadd(builder.load(one), builder.load(other), flags=_FLAGS)
        for one, other in zip(*chains, strict=True)
    ]


@intrinsic
def _sum_entries(typing_context, indices, data, dense, entries, out, at):
    """Write sixteen numbers of the product at (row, column) ``at``."""
    signature = types.void(indices, data, dense, entries, out, at)

    def generate(context, builder, signature, arguments):
        kinds = signature.args
        row, column = cgutils.unpack_tuple(builder, arguments[5], 2)
        indices, data = (
            context.make_array(kinds[i])(context, builder, arguments[i]).data
            for i in range(2)
        )
        dense, out = (
            _Block(context, builder, kinds[i], arguments[i], column) for i in (2, 4)
        )
        first, last = cgutils.unpack_tuple(builder, arguments[3], 2)
        out.store(row, _sum_row(builder, (indices, data, dense), first, last))
        return context.get_dummy_value()

    return signature, generate


def _sum_entries_plainly(indices, data, dense, entries, out, at):
    entries, columns = slice(*entries), slice(at[1], at[1] + WIDTH)
    values = data[entries].astype(out.dtype)
    out[at[0], columns] = values @ dense[indices[entries], columns]


if not COMPILED:
    _sum_entries = _sum_entries_plainly


@kernel
def multiply_rows(indptr, indices, data, dense, rows, out):
    """Write some rows of the product of a CSR matrix and a dense one.

    Parameters
    ----------
    indptr : int64 (n_rows + 1,), IN
    indices : int32 (n_entries,), IN
    data : float32 (n_entries,), IN
    dense : float64 (n_columns, width), IN
        The width is a multiple of 16. Best aligned to a cache line: rows are read in
        any order.
    rows : (int, int)
        The first row and the end.
    out : float64 (n_rows, width), OUT
    """
    for row in range(rows[0], rows[1]):
        entries = indptr[row], indptr[row + 1]
        for column in range(0, dense.shape[1], WIDTH):
            _sum_entries(indices, data, dense, entries, out, (row, column))


@kernel
def count_columns(indices, entries, counts):
    """Count how many entries of a CSR matrix each column has.

    Parameters
    ----------
    indices : int32 (n_entries,), IN
    entries : (int, int)
        The first entry that counts and the end.
    counts : int64 (n_columns,), INOUT
    """
    for entry in range(entries[0], entries[1]):
        counts[indices[entry]] += 1


@kernel
def place_entries(indptr, indices, data, rows, places, out_rows, out_data):
    """Write the entries of some rows of a CSR matrix into its transpose.

    Parameters
    ----------
    indptr : int64 (n_rows + 1,), IN
    indices : int32 (n_entries,), IN
    data : float32 (n_entries,), IN
    rows : (int, int)
        The first row and the end.
    places : int64 (n_columns,), INOUT
        Where the next entry of each column goes.
    out_rows : int32 (n_entries,), OUT
    out_data : float32 (n_entries,), OUT
    """
    for row in range(rows[0], rows[1]):
        for entry in range(indptr[row], indptr[row + 1]):
            place = places[indices[entry]]
            places[indices[entry]] = place + 1
            out_rows[place] = row
            out_data[place] = data[entry]


@kernel
def project(basis, block, rows, inside):
    """Add ``basis[rows].T @ block[rows]`` to `inside`.

    Parameters
    ----------
    basis : float32 (n, size or more), IN
        A multiple of 4 columns.
    block : float32 (n, 16), IN
    rows : (int, int)
        The first row and the end.
    inside : float32 (size, 16), INOUT
    """
    for first in range(rows[0], rows[1], _ROWS):
        count = min(_ROWS, rows[1] - first)
        for at in range(0, inside.shape[0], simd.TILE):
            simd.add_columns(inside, at, basis, (first, at), block, first, count)


@kernel
def combine(basis, inside, rows, block):
    """Write ``basis[rows] @ inside`` to ``block[rows]``.

    Parameters
    ----------
    basis : float32 (n, size or more), IN
        A multiple of 4 rows.
    inside : float32 (size, 16), IN
    rows : (int, int)
        The first row, a multiple of 4, and the end: the next multiple of it counts.
    block : float32 (n, 16), OUT
    """
    for at in range(rows[0], rows[1], simd.TILE):
        simd.clear_rows(block, at, simd.TILE)
        simd.add_rows(block, at, basis, (at, 0), inside, 0, inside.shape[0])
