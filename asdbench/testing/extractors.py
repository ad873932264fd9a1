"""What every extractor is put through."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asdbench.core.digests import digest
from asdbench.core.progress import Silent
from asdbench.datasets.clips import BlindClip, TrainingClip
from asdbench.extractors.base import Context, Training
from asdbench.frontends.base import NamedFeatures
from asdbench.frontends.pack import InMemoryFeatures
from asdbench.harness.machine import torch_threads
from asdbench.harness.outputs import checked_count, checked_curves, checked_notes
from asdbench.testing.checks import (
    ELSEWHERE,
    Check,
    Checks,
    Mismatch,
    random_state,
    require,
    require_all,
    require_array,
    require_close,
)
from asdbench.testing.common import built
from asdbench.testing.sounds import MadeWaveforms, Sounds, make_sounds
from asdbench.testing.subjects import Subject

ROUNDING = 1e-3  # relative to the largest number of an embedding; networks sum batches in orders of their own
PAIRS = 0.9  # of a normal and an anomalous clip that are told right; networks are hardly trained here
CLIP_S = 1.0
SEED = 7
PICKLES = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK\x03\x04")  # the last is torch.save's, a zip

Embeddings = NDArray[np.float32]
Features = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Setting:
    """What an extractor meets in a run: clips, their features, and what a fit may use besides."""

    sounds: Sounds
    features: Features
    frontend: Any
    augmentations: Mapping[str, Any]
    machine: str | None  # whose clips it is fitted to; None is all
    folder: Path

    @property
    def training(self) -> list[TrainingClip]:
        """Clips that it is fitted to."""
        return [clip for clip in self.sounds.training if self.machine in (None, clip.machine)]

    @property
    def normal(self) -> list[BlindClip]:
        """Test clips."""
        return [clip for clip in self.sounds.normal if self.machine in (None, clip.machine)]

    @property
    def anomalous(self) -> list[BlindClip]:
        """Test clips."""
        return [clip for clip in self.sounds.anomalous if self.machine in (None, clip.machine)]

    @property
    def blind(self) -> list[BlindClip]:
        """All that it embeds: training clips, normal and anomalous test clips."""
        return [
            *(BlindClip(clip.key, clip.machine, clip.section) for clip in self.training),
            *self.normal,
            *self.anomalous,
        ]

    def context(self, training: bool, features: Features | None = None) -> Context:
        """As the harness gives it; what only a fit may use is left out where it embeds."""
        others = [clip for clip in self.sounds.training if clip not in self.training]
        known = {clip.key for clip in self.sounds.training}
        waveforms = {key: samples for key, samples in self.sounds.waveforms.items() if key in known}
        more = Training(
            waveforms=MadeWaveforms(waveforms),
            frontend=self.frontend,
            augmentations=self.augmentations,
            identity="check",
            views=self.folder / "views",
            checkpoints=self.new_folder(),
            others=others,
        )
        given = features if features is not None else self.features
        if training:
            given = {key: values for key, values in given.items() if key in known}
        return Context(
            SEED, "cpu", 1, Silent(), InMemoryFeatures(given), self.frontend.frame_rate_hz, more if training else None
        )

    def new_folder(self) -> Path:
        """An empty folder, removed with all others at the end."""
        return Path(tempfile.mkdtemp(dir=self.folder))


def extractor_checks(subject: Subject) -> list[Check]:
    """Do all checks of an extractor.

    Raises:
        RequirementError: something that it needs (weights, a package) is not there.
        UsageError: it refuses its parameters.
    """
    checks = Checks()
    with tempfile.TemporaryDirectory() as folder, torch_threads(1):
        if built(checks, subject) is not None:
            setting = checks.holds("front end", "features of its front end", lambda: _setting(subject, Path(folder)))
            if setting is not None:
                _check(checks, subject, setting)
    return checks.done


def _setting(subject: Subject, folder: Path) -> Setting:
    component = subject.part("frontends", subject.frontend)
    target = component.load()
    if isinstance(target, type) and issubclass(target, NamedFeatures):  # has features of known recordings alone
        component = subject.part("frontends", "log-mel")
    frontend = component.build()
    samples = max(round(CLIP_S * frontend.sample_rate_hz), frontend.min_samples)
    sounds = make_sounds(frontend.sample_rate_hz, samples)
    features = {key: features_of(frontend, waveform) for key, waveform in sounds.waveforms.items()}
    augmentations = {}
    for name in subject.augmentations:
        augmentation = subject.part("augmentations", name).build()
        on_waveforms = augmentation.works_on == "waveform"
        augmentation.rate_hz = frontend.sample_rate_hz if on_waveforms else frontend.frame_rate_hz
        augmentations[name] = augmentation
    machine = None if subject.fit_on == "dataset" else sounds.training[0].machine
    return Setting(sounds, features, frontend, augmentations, machine, folder)


def features_of(frontend: Any, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
    """Features (channels, bins, frames) of one waveform, read-only as those of a run are."""
    import torch

    made = np.ascontiguousarray(frontend(torch.from_numpy(np.array(waveform[None])))[0].numpy(), np.float32)
    made.setflags(write=False)
    return made


def _check(checks: Checks, subject: Subject, setting: Setting) -> None:
    clips = setting.blind
    if (extractor := checks.holds("fit", "a fit to training clips", lambda: _fitted(subject, setting))) is None:
        return
    expected = f"finite embeddings float32 ({len(clips)}, dim)"
    rows = checks.holds("embeddings", expected, lambda: _embedded(extractor, clips, setting))
    if rows is None:
        return

    changed: list[str] = []

    def seed() -> None:
        with random_state(ELSEWHERE) as found:
            again = _embedded(_fitted(subject, setting), clips, setting)
            changed.append(found())
        require_close(rows, again, 0.0, "embeddings")

    def saved() -> None:
        folder = setting.new_folder()
        extractor.save(folder)
        files = [path for path in folder.rglob("*") if path.is_file()]
        pickles = [path.name for path in files if _is_pickle(path)]
        require(not pickles, f"{', '.join(pickles)} is read by unpickling; safetensors and JSON are not")
        loaded = subject.build()
        loaded.load(folder)
        require_close(rows, _embedded(loaded, clips, setting), 0.0, "embeddings")

    def order() -> None:
        require_close(rows, _embedded(extractor, clips[::-1], setting)[::-1], ROUNDING, "embeddings in another order")
        half = list(range(0, len(clips), 3))
        some = _embedded(extractor, [clips[place] for place in half], setting)
        require_close(rows[half], some, ROUNDING, "embeddings among fewer clips")
        require_close(rows[-1:], _embedded(extractor, clips[-1:], setting), ROUNDING, "embeddings of a clip alone")

    def names() -> None:
        other = {clip.key: digest(["renamed", clip.key]) for clip in clips}
        features = {other[key]: values for key, values in setting.features.items() if key in other}
        renamed = [replace(clip, key=other[clip.key]) for clip in clips]
        require_close(rows, _embedded(extractor, renamed, setting, features), ROUNDING, "embeddings under other keys")

    checks.holds("seed", "the same embeddings for the same seed, whatever was drawn elsewhere", seed)
    checks.holds("random state", "the global generators to be left as they are", lambda: require_all(changed))
    checks.holds("save and load", "the same embeddings after save and load, and nothing pickled", saved)
    if not extractor.needs_fit:
        unfitted = "the same embeddings without a fit, as needs_fit says"
        checks.holds(
            "no fit",
            unfitted,
            lambda: require_close(rows, _embedded(subject.build(), clips, setting), 0.0, "embeddings"),
        )
    checks.holds("blindness", "a clip's embedding not to depend on the order of clips, nor on others", order)
    checks.holds("names", "an embedding not to depend on a clip's key", names)
    checks.holds(
        "record",
        "curves of finite numbers, a parameter count and notes that JSON can hold",
        partial(_record, extractor),
    )

    checks.holds(
        "direction", _direction_expected(rows, extractor), lambda: _check_direction(subject, extractor, rows, setting)
    )


def _fitted(subject: Subject, setting: Setting) -> Any:
    extractor = subject.build()
    extractor.fit(setting.training, setting.context(training=True))
    return extractor


def _embedded(
    extractor: Any, clips: Sequence[BlindClip], setting: Setting, features: Features | None = None
) -> Embeddings:
    rows = extractor.embed(list(clips), setting.context(training=False, features=features))
    require_array(rows, np.float32, (len(clips), None), "embeddings")
    found: Embeddings = rows
    return found


def _is_pickle(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(4)
    return path.suffix != ".npz" and start.startswith(PICKLES)


def _record(extractor: Any) -> None:
    checked_curves(extractor.curves, "it")
    checked_count(extractor.parameter_count, "it")
    checked_notes(extractor.notes, "it")


def _check_direction(subject: Subject, extractor: Any, rows: Embeddings, setting: Setting) -> None:
    clips = setting.blind
    if rows.shape[1] > 1 and extractor.parameter_count:  # so short a training on so few clips says no more
        _apart(rows, clips, setting)
        return
    try:
        _direction(rows, clips, setting)
    except Mismatch:
        if not subject.shortened or subject.build_whole is None:
            raise
        whole = subject.build_whole()  # a score needs the whole training
        whole.fit(setting.training, setting.context(training=True))
        _direction(_embedded(whole, clips, setting), clips, setting)


def _direction_expected(rows: Embeddings, extractor: Any) -> str:
    if rows.shape[1] == 1:
        return "the only column, which is an anomaly score, to be higher for a clear anomaly"
    if extractor.parameter_count:
        return "a trained network to embed a clear anomaly elsewhere than normal clips"
    return "a clear anomaly to lie farther from the training clips than normal clips"


def _apart(rows: Embeddings, clips: Sequence[BlindClip], setting: Setting) -> None:
    anomalous = {clip.key for clip in setting.anomalous}
    chosen = np.array([clip.key in anomalous for clip in clips])
    distance = float(np.abs(rows[chosen].mean(axis=0) - rows[~chosen].mean(axis=0)).max())
    require(distance > ROUNDING * float(np.abs(rows).max()), f"their means are {distance:.3g} apart")


def _direction(rows: Embeddings, clips: Sequence[BlindClip], setting: Setting) -> None:
    place = {clip.key: number for number, clip in enumerate(clips)}
    values = rows.astype(np.float64)

    def scores(some: Sequence[BlindClip], training: Sequence[TrainingClip]) -> NDArray[np.float64]:
        own = values[[place[clip.key] for clip in some]]
        if values.shape[1] == 1:
            return own[:, 0]
        near = values[[place[clip.key] for clip in training]]
        distances: NDArray[np.float64] = np.linalg.norm(own[:, None] - near[None], axis=2).min(axis=1)
        return distances

    right = []
    for machine in sorted({clip.machine for clip in setting.training}):
        training, normal, anomalous = (
            [clip for clip in group if clip.machine == machine]
            for group in (setting.training, setting.normal, setting.anomalous)
        )
        right.append(np.mean(scores(anomalous, training)[:, None] > scores(normal, training)[None]))  # type: ignore[arg-type]
    found = float(np.mean(right))
    require(found >= PAIRS, f"that holds for {found:.0%} of pairs of clips, {PAIRS:.0%} are asked for")
