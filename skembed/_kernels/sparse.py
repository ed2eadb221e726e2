"""Sparse matrix times dense block."""

from skembed._kernels._jit import kernel


@kernel
def multiply(indptr, indices, data, dense, out):
    """Write the product of a CSR matrix and a dense matrix.

    Parameters
    ----------
    indptr : int64 (n_rows + 1,), IN
    indices : int32 (n_entries,), IN
    data : float32 (n_entries,), IN
    dense : float64 (n_columns, width), IN
    out : float64 (n_rows, width), OUT
    """
    width = dense.shape[1]
    for row in range(indptr.size - 1):
        for k in range(width):
            out[row, k] = 0.0
        for entry in range(indptr[row], indptr[row + 1]):
            column = indices[entry]
            value = data[entry]
            for k in range(width):
                out[row, k] += value * dense[column, k]
