"""Which rows may lie near a query: upper bounds of a scalar product that are cheap and proven.

For rows a and queries b, both less a common mean, ``|a - b|^2 = |b|^2 - 2 s`` with ``s = a.b - |a|^2 / 2``. One matrix
product gives a number that is ``s`` at least:

- With ``a = a1 + a2``, split into leading principal directions and the rest, ``a.b <= a1.b1 + |a2| |b2|`` (Cauchy and
  Schwarz). Only the leading directions are multiplied, and one column for the rest.
- Vectors of length n that are rounded to the unit u and multiplied in that precision give their product but for
  ``g |x|.|y|``, ``g = (n + 2) u / (1 - (n + 2) u)``, summed in whatever order (Higham, 2002, section 3.1). The error is
  added in columns of its own, a tenth larger than it need be: that is more than what the columns' own rounding and
  the double precision of norms and directions come to.
"""

import numpy as np
from numpy.typing import DTypeLike, NDArray

Rows = NDArray[np.floating]
Doubles = NDArray[np.float64]

EXTRA = 3  # columns: the rest, its error, the rows' norm
BLOCK = 4096  # rows made at a time
TINY = 1e-30  # more than underflow takes away, where the largest norm is 1


class Centre:
    """Takes the mean off rows, and scales them so that none is longer than 1; the scale is a power of two."""

    def __init__(self, rows: Rows) -> None:
        self.mean: Doubles = rows.mean(axis=0, dtype=np.float64)
        longest = max(float(_squared(block - self.mean).max()) for block in blocks(rows)) ** 0.5
        self.scale = 2.0 ** -np.ceil(np.log2(longest)) if longest else 1.0

    def __call__(self, rows: Rows) -> Doubles:
        """Float64 (n, dim)."""
        result: Doubles = (rows - self.mean) * self.scale
        return result


def blocks(rows: Rows) -> list[Rows]:
    """The rows, ``BLOCK`` at a time."""
    return [rows[first : first + BLOCK] for first in range(0, len(rows), BLOCK)]


def _squared(rows: Doubles) -> Doubles:
    lengths: Doubles = np.einsum("ij,ij->i", rows, rows)
    return lengths


class Bounds:
    """Upper bounds of ``s`` for fixed rows.

    Args:
        rows: (n, dim).
        centre: of the rows.
        directions: float64 (dim, p), orthonormal; None multiplies all dimensions as they are.
        precision: of the product, float32 or float64.
    """

    def __init__(self, rows: Rows, centre: Centre, directions: Doubles | None, precision: DTypeLike) -> None:
        self._centre = centre
        self._directions = directions
        self._precision = np.dtype(precision)
        self.dimensions = rows.shape[1] if directions is None else directions.shape[1]
        unit = float(np.finfo(precision).eps) / 2 * (self.dimensions + EXTRA + 2)
        self._error = 1.1 * unit / (1 - unit)
        self._columns = np.empty((len(rows), self.dimensions + EXTRA), self._precision)
        for first, block in zip(range(0, len(rows), BLOCK), blocks(rows), strict=True):
            leading, rest, squared = self._parts(block)
            columns = self._columns[first : first + BLOCK]
            columns[:, :-EXTRA] = leading
            columns[:, -3] = rest
            columns[:, -2] = self._error * np.sqrt(squared) + TINY
            columns[:, -1] = (self._error - 1) * squared / 2 + TINY

    def of_queries(self, queries: Rows) -> tuple[Rows, Doubles]:
        """Factors of queries for ``product``, and their squared norms, float64 (m,), in the scale of the centre."""
        leading, rest, squared = self._parts(queries)
        factors = np.empty((len(queries), self.dimensions + EXTRA), self._precision)
        factors[:, :-EXTRA] = leading
        factors[:, -3] = rest
        factors[:, -2] = np.sqrt(squared)
        factors[:, -1] = 1.0
        return factors, squared

    def memory(self, queries: int, rows: int) -> Rows:
        """Room for the bounds of so many queries and rows, to be used again: new memory costs more than the product."""
        return np.empty(queries * rows, self._precision)

    def product(self, factors: Rows, rows: slice, memory: Rows) -> Rows:
        """Bounds (m, rows) of queries and some rows, in ``memory``."""
        columns = self._columns[rows]
        result: Rows = memory[: len(factors) * len(columns)].reshape(len(factors), len(columns))
        return np.matmul(factors, columns.T, out=result)

    def threshold(self, squared: Doubles, distances: Doubles, scale: float) -> Rows:
        """What a row's bound exceeds when it may lie nearer than the squared distances, (m,).

        Args:
            squared: norms of the queries, from ``of_queries``.
            distances: squared, of the data as they are.
            scale: of the centre.
        """
        scaled = distances * scale**2
        least = (squared - scaled) / 2 - 1e-12 * (squared + scaled) - TINY
        rounded: Rows = least.astype(self._precision)
        return np.asarray(np.nextafter(rounded, np.full_like(rounded, -np.inf)))

    def _parts(self, rows: Rows) -> tuple[Doubles, Doubles, Doubles]:
        """Leading part, length of the rest, squared length of the whole."""
        centred = self._centre(rows)
        squared = _squared(centred)
        if self._directions is None:
            return centred, np.zeros(len(rows)), squared
        leading = centred @ self._directions
        rest = squared - _squared(leading)
        return leading, np.sqrt(np.maximum(rest, 0.0) + 1e-12 * squared), squared
