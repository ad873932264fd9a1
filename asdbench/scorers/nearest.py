"""The k nearest rows by Euclidean distance: found by bounds in single precision, measured in double.

A row is measured where its bound (see ``bounds``) says that it may lie nearer than the k-th nearest so far. The bounds
are proven, so what comes out depends neither on rounding in the matrix product, nor on the number of threads, nor on
how the work is cut into blocks.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_info, threadpool_limits

from asdbench.scorers.bounds import EXTRA, Bounds, Centre, Doubles, Rows

QUERIES = 256  # in a block; a thread takes one after the other
ROWS = 4096  # in a block
CHUNK = 32  # rows that are looked at together, by their largest bound
NUMBERS = 2**18  # measured at a time
MEASURING = 60  # costs as much as multiplying so many pairs of rows
SAMPLE = 8192  # rows, and
TRIED = 32  # queries that tell how many directions are worth multiplying
WORTH_A_TRY = 2**26  # pairs of a query and a row; fewer take less time than finding the directions
CHOICES = (16, 32, 64, 128, 256, 512)  # of leading directions


class NearestRows:
    """Rows that can be asked for the nearest of them.

    Args:
        rows: finite, (n, dim).
    """

    def __init__(self, rows: Rows) -> None:
        self._rows = np.ascontiguousarray(rows)
        self._centre = Centre(self._rows)
        self._plain: Bounds | None = None
        self._exact: Bounds | None = None
        self._making = Lock()

    def distances(self, queries: Rows, k: int) -> Doubles:
        """Distances to the k nearest rows, float64 (m, k), nearest first; k is at most n."""
        return self._search(queries, k, itself=False)

    def distances_within(self, k: int) -> Doubles:
        """The same for each row among the others; k is less than n."""
        return self._search(self._rows, k, itself=True)

    def _search(self, queries: Rows, k: int, itself: bool) -> Doubles:
        bounds = self._bounds_for(queries, k)

        def nearest(first: int) -> Doubles:
            block = queries[first : first + QUERIES]
            own = np.arange(first, first + len(block)) if itself else None
            found = self._nearest(block, k, own, bounds, limit=len(block) * (50 * k + len(self._rows) // 50))
            if found is None:  # single precision does not tell the rows apart
                found = self._nearest(block, k, own, self._exact_bounds(), limit=None)
            assert found is not None  # without limit
            return found

        parts = _in_threads(nearest, range(0, len(queries), QUERIES))
        return np.sqrt(np.concatenate(parts)) if parts else np.empty((0, k))

    def _exact_bounds(self) -> Bounds:
        with self._making:
            self._exact = self._exact or Bounds(self._rows, self._centre, None, np.float64)
            return self._exact

    def _nearest(
        self, queries: Rows, k: int, own: NDArray[np.intp] | None, bounds: Bounds, limit: int | None
    ) -> Doubles | None:
        """Squared distances (m, k) in ascending order; None where more than ``limit`` rows would be measured."""
        factors, squared = bounds.of_queries(queries)
        best = np.full((len(queries), k), np.inf)
        memory = bounds.memory(len(queries), min(ROWS, len(self._rows)))
        reach = self._first_guess(bounds.product(factors, slice(0, ROWS), memory), queries, k, own)
        measured = 0
        for first in range(0, len(self._rows), ROWS):
            products = bounds.product(factors, slice(first, first + ROWS), memory)
            asked, rows = _above(products, bounds.threshold(squared, reach, self._centre.scale))
            rows += first
            if own is not None:
                others = rows != own[asked]
                asked, rows = asked[others], rows[others]
            measured += len(rows)
            if limit is not None and measured > limit:
                return None
            _merge(best, asked, self._measure(queries, asked, rows))
            reach = np.minimum(reach, best[:, -1])
        return best

    def _first_guess(self, products: Rows, queries: Rows, k: int, own: NDArray[np.intp] | None) -> Doubles:
        """A squared distance (m,) within which k rows lie: those of the first block with the largest bounds."""
        count = k if own is None else k + 1
        if count > products.shape[1]:
            return np.full(len(queries), np.inf)
        rows = np.argpartition(products, -count, axis=1)[:, -count:]
        asked = np.repeat(np.arange(len(queries)), count)
        distances = self._measure(queries, asked, rows.ravel()).reshape(rows.shape)
        if own is not None:
            distances[rows == own[:, None]] = np.inf
        nearest: Doubles = np.sort(distances, axis=1)[:, k - 1]
        return nearest

    def _measure(self, queries: Rows, asked: NDArray[np.intp], rows: NDArray[np.intp]) -> Doubles:
        """Squared distances of pairs, each summed by itself."""
        result = np.empty(len(rows))
        step = max(1, NUMBERS // self._rows.shape[1])
        for first in range(0, len(rows), step):
            pairs = slice(first, first + step)
            offset = np.subtract(self._rows[rows[pairs]], queries[asked[pairs]], dtype=np.float64)
            result[pairs] = np.square(offset, out=offset).sum(axis=1)
        return result

    def _bounds_for(self, queries: Rows, k: int) -> Bounds:
        """Bounds by the number of leading directions that promises the least work; all dimensions for small work."""
        directions = self._directions(queries, k) if len(queries) * len(self._rows) >= WORTH_A_TRY else None
        if directions is not None:
            return Bounds(self._rows, self._centre, directions, np.float32)
        self._plain = self._plain or Bounds(self._rows, self._centre, None, np.float32)
        return self._plain

    def _directions(self, queries: Rows, k: int) -> Doubles | None:
        """Leading principal directions (dim, p), as many as promise the least work; None where all do."""
        rows = self._centre(self._rows[:: -(-len(self._rows) // SAMPLE)])
        tried = self._centre(queries[:: -(-len(queries) // TRIED)])
        axes: Doubles = np.linalg.eigh(rows.T @ rows)[1][:, ::-1]
        rows, tried = rows @ axes, tried @ axes
        half, dimensions = np.square(rows).sum(axis=1) / 2, rows.shape[1]
        nearest = -(-k * len(rows) // len(self._rows)) + 1  # of the sample, about as far as the k-th of all
        reach = np.partition(tried @ rows.T - half, -nearest, axis=1)[:, -nearest]
        least, best = float(dimensions), None
        for count in CHOICES:
            if count + EXTRA >= dimensions:
                break
            rest = np.outer(*(np.linalg.norm(one[:, count:], axis=1) for one in (tried, rows)))
            near = tried[:, :count] @ rows[:, :count].T + rest - half > reach[:, None]
            cost = count + MEASURING * dimensions * float(near.mean())
            if cost < least:
                least, best = cost, np.ascontiguousarray(axes[:, :count])
        return best


def _in_threads(task: Callable[[int], Doubles], items: Sequence[int]) -> list[Doubles]:
    """Results in order, by as many threads as the matrix products may take, each with products of its own.

    Threads that share one product wait for each other at its end, which costs much where other work is on the machine.
    """
    threads = 1
    if len(items) > 1:
        threads = max((one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"), default=1)
    if threads == 1:
        return [task(item) for item in items]
    with threadpool_limits(limits=1, user_api="blas"), ThreadPoolExecutor(threads) as pool:
        return list(pool.map(task, items))


def _above(products: Rows, threshold: Rows) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Queries and rows whose product exceeds the query's threshold, by query."""
    count = products.shape[1]
    width = count // CHUNK
    if width == 0 or count % CHUNK:
        asked, rows = np.nonzero(products > threshold[:, None])
        return asked, rows
    # Rows width apart form a chunk: the maximum over them runs along memory.
    chunks = products.reshape(len(products), CHUNK, width)
    queries, places = np.nonzero(chunks.max(axis=1) > threshold[:, None])
    hits, within = np.nonzero(chunks[queries, :, places] > threshold[queries, None])
    return queries[hits], places[hits] + width * within


def _merge(best: Doubles, asked: NDArray[np.intp], distances: Doubles) -> None:
    """Put squared distances in among the k least of each query, in place; ``asked`` is in ascending order."""
    if not len(asked):
        return
    order = np.lexsort((distances, asked))
    queries, starts, counts = np.unique(asked, return_index=True, return_counts=True)
    rank = np.arange(len(asked)) - np.repeat(starts, counts)
    group = np.repeat(np.arange(len(queries)), counts)
    kept = rank < best.shape[1]
    new = np.full((len(queries), best.shape[1]), np.inf)
    new[group[kept], rank[kept]] = distances[order][kept]
    best[queries] = np.sort(np.concatenate([best[queries], new], axis=1), axis=1)[:, : best.shape[1]]
