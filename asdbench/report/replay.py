"""What a report needs besides the run's own files: recordings and embeddings, which lie elsewhere and may be gone."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from asdbench.core.errors import AsdbenchError
from asdbench.datasets.clips import BlindClip, Dataset
from asdbench.harness.record import RunRecord


class Replay(Protocol):
    """The recordings of a run and what its extractor made of them; ``asdbench.harness.replay`` has the real one."""

    @property
    def dataset(self) -> Dataset:
        """The clips of the data set that was run on."""

    def embeddings(self, machine: str) -> tuple[Sequence[BlindClip], NDArray[np.float32]]:
        """Clips of a machine type, and their embeddings, float32 (n, dim), in that order.

        Raises:
            RequirementError: the cache does not hold them any more.
        """


def reopened(
    record: RunRecord, folder: Path, data_root: Path | None = None, plugin_path: Sequence[Path] = ()
) -> Replay | str:
    """The run's recordings and embeddings, or in words why they are not to be had."""
    from asdbench.harness.replay import reopen

    try:
        return reopen(record, data_root=data_root, plugin_path=plugin_path)
    except (AsdbenchError, OSError) as error:
        return f"{error}\nOnce they are there: asdbench report {folder.name}"
