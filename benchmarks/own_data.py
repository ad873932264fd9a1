"""Clips and a context as the harness gives them to an extractor, of synthetic recordings in a folder of one's own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import asdbench
from asdbench.core.progress import Progress, Silent, SilentStage
from asdbench.datasets import Dataset, read_folder
from asdbench.extractors.base import Context, Training
from asdbench.frontends import FeatureStore
from asdbench.frontends.decoding import TrainingWaveforms
from asdbench.registry import load_catalog


def made(folder: Path, **params: object) -> Dataset:
    """The recordings of the card ``synthetic``, made in a folder."""
    asdbench.build("synthetic", **params).make(folder / "recordings", 2, Silent())
    return read_folder(folder / "recordings")


class StepTimes(Silent):
    """Progress that notes the time after each step of a training."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self.times: list[float] = []
        self._clock = clock

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[SilentStage]:
        """Note steps of stages of training alone."""
        yield _Noting(self.times, self._clock) if name.startswith("train") else SilentStage()


class _Noting(SilentStage):
    def __init__(self, times: list[float], clock: Callable[[], float]) -> None:
        self._times, self._clock = times, clock

    def advance(self, steps: int = 1, detail: str = "", left_s: float | None = None) -> None:
        if steps:
            self._times.append(self._clock())


def fitting(table: Dataset, folder: Path, progress: Progress | None = None) -> Context:
    """What a fit is given on a CPU: features from the store, augmented views kept in the folder."""
    component = load_catalog().component("frontends", "log-mel", {})
    frontend = component.build()
    augmentations = {name: asdbench.build(name) for name in ("pitch-shift", "gaussian-noise", "time-mask")}
    augmentations["time-mask"].rate_hz = frontend.frame_rate_hz
    training = Training(
        waveforms=TrainingWaveforms({clip.key: clip.path for clip in table.select(split="train")}, frontend),
        frontend=frontend,
        augmentations=augmentations,
        identity="benchmark",
        views=folder / "views",
        checkpoints=folder / "checkpoints",
    )
    features = FeatureStore(folder / "features", 2, Silent()).read(table, component)
    return Context(0, "cpu", 2, progress or Silent(), features, frontend.frame_rate_hz, training)
