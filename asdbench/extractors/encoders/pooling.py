"""Patches of a clip to one vector, or to one for each band."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]
Pool = Callable[[Values], Values]  # (positions, dim) -> (dim,)
SMALLEST = 1e-6  # what GeM takes in the place of values that have no real power


def generalised_mean(power: float) -> Pool:
    """GeM: (mean of x^p)^(1/p), of values raised to at least 1e-6 (Radenovic et al., 2019)."""
    return lambda x: np.mean(np.maximum(x.astype(np.float64), SMALLEST) ** power, axis=0) ** (1 / power)


def relative_deviation(gamma: float) -> Pool:
    """RDP: a mean in which positions that deviate weigh more (arXiv 2608.00447).

    d_t = |x_t - mean_t x|, w_t proportional to (1 + d_t / max d)^gamma, sum of w_t x_t. Gamma 0 is the mean, and so is
    it where no position deviates.
    """

    def pool(x: Values) -> Values:
        wide = x.astype(np.float64)
        deviations = np.linalg.norm(wide - wide.mean(axis=0), axis=1)
        largest = deviations.max()
        weights = (1 + deviations / largest) ** gamma if largest > 0 else np.ones(len(wide))
        return np.asarray(weights @ wide / weights.sum())

    return pool


def pooling(name: str, gem_p: float, rdp_gamma: float) -> Pool:
    """The pooling of that name."""
    by_name: dict[str, Pool] = {
        "mean": lambda x: x.mean(axis=0, dtype=np.float64),
        "max": lambda x: x.max(axis=0),
        "std": lambda x: x.std(axis=0, dtype=np.float64),
        "gem": generalised_mean(gem_p),
        "rdp": relative_deviation(rdp_gamma),
    }
    return by_name[name]


def pooled(patches: Values, pool: Pool, over: str) -> Values:
    """Pool patches (time, bands, dim).

    Args:
        patches: of one layer.
        pool: a pooling.
        over: "patches" pools all of them, (1, dim); "time" and "band" those of each band, (bands, dim).
    """
    times, bands, dim = patches.shape
    groups = [patches.reshape(times * bands, dim)] if over == "patches" else list(patches.swapaxes(0, 1))
    return np.stack([pool(group) for group in groups]).astype(np.float32)
