"""What every extractor is put through."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asdbench.core.digests import digest
from asdbench.core.progress import Silent
from asdbench.core.threads import torch_threads
from asdbench.datasets.clips import BlindClip
from asdbench.extractors.base import Context, Training
from asdbench.frontends.base import NamedFeatures
from asdbench.frontends.pack import InMemoryFeatures
from asdbench.harness.outputs import checked_count, checked_curves, checked_notes
from asdbench.testing.checks import Checks, Mismatch, require, require_array, require_close
from asdbench.testing.sounds import MadeWaveforms, Sounds, make_sounds
from asdbench.testing.subjects import Subject

ROUNDING = 1e-3  # relative to the largest number of an embedding; networks sum batches in orders of their own
PAIRS = 0.9  # of a normal and an anomalous clip that must be in the right order; networks are hardly trained here
CLIP_S = 1.0
SEED = 7
PICKLES = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK\x03\x04")  # the last is torch.save's, a zip

Embeddings = NDArray[np.float32]
Features = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Setting:
    """What an extractor meets in a run: clips, their features, and what a fit may use besides."""

    sounds: Sounds  # of all machine types
    fitted_to: Sounds  # of the machine types that the extractor is fitted to
    features: Features
    frontend: Any
    augmentations: Mapping[str, Any]
    folder: Path

    @property
    def blind(self) -> list[BlindClip]:
        """All that it embeds: training clips, normal and anomalous test clips."""
        training = [BlindClip(clip.key, clip.machine, clip.section) for clip in self.fitted_to.training]
        return [*training, *self.fitted_to.normal, *self.fitted_to.anomalous]

    def fitted(self, extractor: Any) -> Any:
        """The extractor after a fit, in a context as the harness gives it: without features of test clips."""
        known = {clip.key for clip in self.sounds.training}
        waveforms = {key: samples for key, samples in self.sounds.waveforms.items() if key in known}
        training = Training(
            waveforms=MadeWaveforms(waveforms),
            frontend=self.frontend,
            augmentations=self.augmentations,
            identity="check",
            views=self.folder / "views",
            checkpoints=self.new_folder(),
            others=[clip for clip in self.sounds.training if clip not in self.fitted_to.training],
        )
        features = {key: values for key, values in self.features.items() if key in known}
        extractor.fit(list(self.fitted_to.training), self._context(features, training))
        return extractor

    def embedded(
        self, extractor: Any, clips: Sequence[BlindClip], features: Features | None = None, seed: int = SEED
    ) -> Embeddings:
        """Embeddings of the clips, whose shape and type are checked."""
        context = replace(self._context(features or self.features, None), seed=seed)
        rows: Embeddings = extractor.embed(list(clips), context)
        require_array(rows, np.float32, (len(clips), *[None] * (2 if np.ndim(rows) == 3 else 1)), "embeddings")
        return rows

    def _context(self, features: Features, training: Training | None) -> Context:
        return Context(SEED, "cpu", 1, Silent(), InMemoryFeatures(features), self.frontend.frame_rate_hz, training)

    def new_folder(self) -> Path:
        """An empty folder, removed with all others at the end."""
        return Path(tempfile.mkdtemp(dir=self.folder))


@torch_threads(1)
def check_embeddings(checks: Checks, subject: Subject, _: Any) -> None:
    """Do all checks of an extractor."""
    with tempfile.TemporaryDirectory() as folder:
        with checks.expect("front end", "features of its front end", needed=True):
            setting = _setting(subject, Path(folder))
        _check(checks, subject, setting)


def _setting(subject: Subject, folder: Path) -> Setting:
    component = subject.component_of("frontends", subject.frontend)
    target = component.load()
    if isinstance(target, type) and issubclass(target, NamedFeatures):  # has features of known recordings alone
        component = subject.component_of("frontends", "log-mel")
    frontend = component.build()
    samples = max(round(CLIP_S * frontend.sample_rate_hz), frontend.min_samples)
    sounds = make_sounds(frontend.sample_rate_hz, samples)
    features = {key: features_of(frontend, waveform) for key, waveform in sounds.waveforms.items()}
    augmentations = {}
    for name in subject.augmentations:
        augmentation = subject.component_of("augmentations", name).build()
        on_waveforms = augmentation.works_on == "waveform"
        augmentation.rate_hz = frontend.sample_rate_hz if on_waveforms else frontend.frame_rate_hz
        augmentations[name] = augmentation
    machines = {clip.machine for clip in (sounds.training if subject.fit_on == "dataset" else sounds.training[:1])}
    groups = (sounds.training, sounds.normal, sounds.anomalous)
    chosen: Any = [[clip for clip in group if clip.machine in machines] for group in groups]
    return Setting(sounds, Sounds(sounds.waveforms, *chosen), features, frontend, augmentations, folder)


def features_of(frontend: Any, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
    """Features (channels, bins, frames) of one waveform, read-only as those of a run are."""
    import torch

    made = np.ascontiguousarray(frontend(torch.from_numpy(np.array(waveform[None])))[0].numpy(), np.float32)
    made.setflags(write=False)
    return made


def _check(checks: Checks, subject: Subject, setting: Setting) -> None:
    clips = setting.blind
    with checks.expect("fit", "a fit to training clips", needed=True):
        extractor = setting.fitted(subject.build())
    with checks.expect("embeddings", f"finite embeddings float32 ({len(clips)}, dim)", needed=True):
        rows = setting.embedded(extractor, clips)
    checks.expect_same(
        "the same embeddings for the same seed, whatever was drawn elsewhere",
        rows,
        lambda: setting.embedded(setting.fitted(subject.build()), clips),
        "embeddings",
    )
    with checks.expect("save and load", "the same embeddings after save and load, and nothing pickled"):
        folder = setting.new_folder()
        extractor.save(folder)
        pickles = [path.name for path in folder.rglob("*") if path.is_file() and _is_pickle(path)]
        require(not pickles, f"{', '.join(pickles)} is read by unpickling; safetensors and JSON are not")
        loaded = subject.build()
        loaded.load(folder)
        require_close(rows, setting.embedded(loaded, clips), 0.0, "embeddings")
    if not extractor.needs_fit:
        with checks.expect("no fit", "the same embeddings without a fit and with any seed, as needs_fit says"):
            require_close(rows, setting.embedded(subject.build(), clips, seed=SEED + 1), 0.0, "embeddings")
    untrained = subject.component is not None and getattr(subject.component.card, "untrained", False)
    if untrained:
        with checks.expect("untrained", "needs_fit to be false, as the card says that it is untrained"):
            require(not extractor.needs_fit, "needs_fit is true")
    with checks.expect("blindness", "a clip's embedding not to depend on the order of clips, nor on others"):
        reverse = setting.embedded(extractor, clips[::-1])[::-1]
        require_close(rows, reverse, ROUNDING, "embeddings in another order")
        fewer = setting.embedded(extractor, clips[::3])
        require_close(rows[::3], fewer, ROUNDING, "embeddings among fewer clips")
        require_close(rows[-1:], setting.embedded(extractor, clips[-1:]), ROUNDING, "embeddings of a clip alone")
    with checks.expect("names", "an embedding not to depend on a clip's key"):
        keys = {clip.key: digest(["renamed", clip.key]) for clip in clips}
        features = {keys[key]: values for key, values in setting.features.items() if key in keys}
        renamed = setting.embedded(extractor, [replace(clip, key=keys[clip.key]) for clip in clips], features)
        require_close(rows, renamed, ROUNDING, "embeddings under other keys")
    with checks.expect("record", "curves of finite numbers, a parameter count and notes that JSON can hold"):
        checked_curves(extractor.curves, "it")
        checked_count(extractor.parameter_count, "it")
        checked_notes(extractor.notes, "it")
    _check_direction(checks, subject, setting, extractor, rows)


def _is_pickle(path: Path) -> bool:
    with path.open("rb") as file:
        return path.suffix != ".npz" and file.read(4).startswith(PICKLES)


def _check_direction(checks: Checks, subject: Subject, setting: Setting, extractor: Any, rows: Embeddings) -> None:
    if rows[0].size > 1 and extractor.parameter_count:  # so short a training on so few clips says no more
        with checks.expect("direction", "a trained network to embed a clear anomaly elsewhere than normal clips"):
            normal, anomalous = np.split(rows, [len(rows) - len(setting.fitted_to.anomalous)])
            distance = float(np.abs(anomalous.mean(axis=0) - normal.mean(axis=0)).max())
            require(distance > ROUNDING * float(np.abs(rows).max()), f"their means are {distance:.3g} apart")
        return
    expected = "a clear anomaly to lie farther from the training clips than normal clips"
    if rows[0].size == 1:
        expected = "the only column, which is an anomaly score, to be higher for a clear anomaly"
    with checks.expect("direction", expected):
        try:
            _require_order(rows, setting)
        except Mismatch:
            if not subject.shortened:
                raise
            whole = setting.fitted(subject.build_full())  # a score needs the whole training
            _require_order(setting.embedded(whole, setting.blind), setting)


def _require_order(rows: Embeddings, setting: Setting) -> None:
    """Require anomalous clips to have higher scores, or nearest training clips farther off, than normal ones."""
    row_of = {clip.key: row.astype(np.float64).ravel() for clip, row in zip(setting.blind, rows, strict=True)}
    ordered = []
    for machine in sorted({clip.machine for clip in setting.fitted_to.training}):
        training, normal, anomalous = (
            np.array([row_of[clip.key] for clip in clips if clip.machine == machine])
            for clips in (setting.fitted_to.training, setting.fitted_to.normal, setting.fitted_to.anomalous)
        )
        low, high = (
            some[:, 0] if rows[0].size == 1 else np.linalg.norm(some[:, None] - training[None], axis=2).min(axis=1)
            for some in (normal, anomalous)
        )
        ordered.append(np.mean(high[:, None] > low[None]))
    share = float(np.mean(ordered))
    require(share >= PAIRS, f"that holds for {share:.0%} of pairs of clips, {PAIRS:.0%} are asked for")
