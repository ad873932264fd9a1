"""Tell a collapsed network from one that learned something."""

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

CONSTANT = 1e-6  # spread over size: below it, float32 holds nothing but rounding
RANK_ONE = 1e-3  # second over first singular value: all clips lie on one line


def collapse(rows: NDArray[np.float32]) -> str | None:
    """Why a trained network's embeddings (n, dim) of training clips are of no use, or None when they are.

    They are constant, or all lie on one line though they have several dimensions. Fewer than three clips lie on a
    line always and are not judged.
    """
    count, dim = rows.shape
    if count < 3:
        return None
    values = rows.astype(np.float64)
    centred = values - values.mean(axis=0)
    if np.sqrt(np.square(centred).mean()) <= CONSTANT * np.sqrt(np.square(values).mean()):
        return f"all {count} clips have the same embedding"
    if dim == 1:
        return None
    gram = centred @ centred.T if count < dim else centred.T @ centred
    second, first = scipy.linalg.eigh(gram, eigvals_only=True, subset_by_index=[len(gram) - 2, len(gram) - 1])
    if np.sqrt(max(second, 0.0)) <= RANK_ONE * np.sqrt(first):
        return f"the embeddings of its {count} clips lie on one line of {dim} dimensions (rank one)"
    return None
