from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

import asdbench
from asdbench.core.progress import Silent
from asdbench.datasets import TrainingClip, read_folder
from asdbench.extractors import Context
from asdbench.extractors.base import Training
from asdbench.extractors.checkpoints import Checkpoints
from asdbench.frontends import FeatureStore
from asdbench.frontends.decoding import TrainingWaveforms
from asdbench.registry import load_catalog


@pytest.fixture
def table(small_dataset):
    return read_folder(small_dataset)


@pytest.fixture
def make_context(table, own_cache, tmp_path) -> Callable[..., Context]:
    """A context as the harness gives it; ``training=False`` leaves out what only a fit may use."""

    def make(
        seed: int = 0,
        training: bool = True,
        checkpoints: Path = tmp_path / "checkpoints",
        frontend: str = "log-mel",
        others: Sequence[TrainingClip] = (),
        **params: object,
    ) -> Context:
        component = load_catalog().component("frontends", frontend, params)
        frontend = component.build()
        features = FeatureStore(own_cache / "features", 2, Silent()).read(table, component)
        augmentations = {name: asdbench.build(name) for name in ("pitch-shift", "gaussian-noise", "time-mask")}
        augmentations["time-mask"].rate_hz = frontend.frame_rate_hz
        train = table.select(split="train")
        more = Training(
            waveforms=TrainingWaveforms({clip.key: clip.path for clip in train}, frontend),
            frontend=frontend,
            augmentations=augmentations,
            identity="tests",
            views=own_cache / "views",
            checkpoints=checkpoints,
            others=others,
        )
        return Context(seed, "cpu", 2, Silent(), features, frontend.frame_rate_hz, more if training else None)

    return make


@pytest.fixture
def cut_off_after(monkeypatch) -> Callable[[int], AbstractContextManager[None]]:
    """Within it a training ends as by Ctrl-C, as soon as its state after so many epochs is kept."""
    monkeypatch.setattr("asdbench.extractors.training.SAVE_EVERY_S", 0.0)
    save = Checkpoints.save

    @contextmanager
    def cut_off(epochs: int) -> Iterator[None]:
        def save_and_stop(self: Checkpoints, network, optimizer, curves) -> None:
            save(self, network, optimizer, curves)
            if len(curves["loss"]) == epochs:
                raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(Checkpoints, "save", save_and_stop)
            yield

    return cut_off
