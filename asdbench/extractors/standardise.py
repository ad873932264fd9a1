"""Mean and spread by which a network standardises its input."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from asdbench.extractors.base import Context

LEAST_SPREAD = 1e-6  # features that are all the same become zeros, not infinities


def level(keys: Sequence[str], context: Context) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation over all features of the clips, scalars."""
    count, total, squares = 0, 0.0, 0.0
    for key in keys:
        values = np.asarray(context.features[key], np.float64)
        count += values.size
        total += values.sum()
        squares += np.square(values).sum()
    mean = total / count
    spread = max(squares / count - mean**2, LEAST_SPREAD**2) ** 0.5
    return torch.tensor(float(mean)), torch.tensor(float(spread))
