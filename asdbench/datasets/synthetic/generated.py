"""A data set that is made, not found: clips are rendered one by one and written whole or not at all."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from asdbench.core.files import whole_folder
from asdbench.core.progress import Progress
from asdbench.datasets.synthetic.signals import RATE_HZ

Plan = TypeVar("Plan")


class GeneratedDataset(ABC, Generic[Plan]):
    """What every generator of recordings does alike."""

    @abstractmethod
    def plans(self) -> Iterator[Plan]:
        """All clips to be made."""

    @abstractmethod
    def recording(self, plan: Plan) -> tuple[Path, NDArray[np.float64]]:
        """Place below the data set's folder and samples in [-1, 1], (samples,) or (samples, channels), of one clip."""

    @abstractmethod
    def describe(self, folder: Path) -> None:
        """Write what the clips were made of beside them."""

    def make(self, folder: Path, jobs: int, progress: Progress) -> None:
        """Write all clips to ``folder``, whole or not at all, ``jobs`` at a time."""
        plans = list(self.plans())
        with whole_folder(folder) as place, progress.stage("synthetic machines", len(plans)) as stage:
            pool = ThreadPoolExecutor(jobs)
            try:
                for _ in pool.map(lambda plan: self._write(plan, place), plans):
                    stage.advance()
            finally:
                pool.shutdown(cancel_futures=True)
            self.describe(place)

    def _write(self, plan: Plan, folder: Path) -> None:
        import soundfile

        place, samples = self.recording(plan)
        wav = BytesIO()  # soundfile does not say why it cannot write to a disk; Python does
        soundfile.write(wav, samples, RATE_HZ, subtype="PCM_16", format="WAV")
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_bytes(wav.getvalue())
