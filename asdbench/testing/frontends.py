"""What every front end and every augmentation is put through."""

from typing import Any

import numpy as np

from asdbench.core.errors import DataError
from asdbench.core.threads import torch_threads
from asdbench.frontends.base import NamedFeatures, Place
from asdbench.testing.checks import Checks, Mismatch, require, require_array, require_close
from asdbench.testing.sounds import make_sounds
from asdbench.testing.subjects import Subject

CLIPS = 6
ROUNDING = 1e-5  # relative to the largest number


@torch_threads(1)
def check_features(checks: Checks, subject: Subject, frontend: Any) -> None:
    """Do all checks of a front end."""
    import torch

    if isinstance(frontend, NamedFeatures):
        with checks.expect("names", "recordings that it does not know to be refused"):
            try:
                frontend.require([Place("no machine", "train", "no-recording.wav", "0" * 32)])
            except DataError:
                return
            raise Mismatch("require() raised no DataError")
    with checks.expect("attributes", "rates above 0, a channel as text, a shortest length", needed=True):
        for name in ("sample_rate_hz", "min_samples"):
            value = getattr(frontend, name)
            require(int(value) == value and value > 0, f"{name} is {value!r}, no whole number above 0")
        require(frontend.frame_rate_hz > 0, f"frame_rate_hz is {frontend.frame_rate_hz!r}, no number above 0")
        require(isinstance(frontend.channel, str), f"channel is {frontend.channel!r}, no text")

    def features_of(batch: torch.Tensor, by: Any = frontend) -> Any:
        made = by(batch.clone())
        require(isinstance(made, torch.Tensor), f"features are of the type {type(made).__name__}, not a tensor")
        require_array(made.detach().numpy(), np.float32, (len(batch), None, None, None), "features")
        require(made.shape[2] and made.shape[3], f"features are {tuple(made.shape)}")
        return made.detach().numpy()

    waveforms = _waveforms(frontend, max(int(frontend.sample_rate_hz), int(frontend.min_samples)))
    with checks.expect("features", f"finite features float32 ({CLIPS}, channels, bins, frames)", needed=True):
        features = features_of(waveforms)
    checks.expect_same(
        "the same features each time", features, lambda: features_of(waveforms, subject.build()), "features"
    )
    with checks.expect("inputs", "the waveforms to be left as they are"):
        frontend(given := waveforms.clone())
        require(torch.equal(given, waveforms), "the waveforms are altered")
    with checks.expect("blindness", "a clip's features not to depend on the other clips"):
        for place in (0, CLIPS - 1):
            alone = features_of(waveforms[place : place + 1])
            require_close(features[[place]], alone, ROUNDING, "features of a clip alone and among others")
    with checks.expect("silence", "finite features of silence"):
        features_of(torch.zeros_like(waveforms))
    with checks.expect("shortest", f"features of the shortest waveform, {frontend.min_samples} samples"):
        features_of(waveforms[:, : int(frontend.min_samples)])


@torch_threads(1)
def check_alterations(checks: Checks, subject: Subject, augmentation: Any) -> None:
    """Do all checks of an augmentation."""
    import torch

    with checks.expect("works_on", "works_on to be one of waveform and spectrogram", needed=True):
        works_on = augmentation.works_on
        require(works_on in ("waveform", "spectrogram"), f"it is {works_on!r}")
    frontend = subject.component_of("frontends", subject.frontend).build()
    batch, rate_hz = _waveforms(frontend, 2 * frontend.sample_rate_hz), float(frontend.sample_rate_hz)
    if works_on == "spectrogram":
        batch, rate_hz = frontend(batch), frontend.frame_rate_hz

    def altered() -> Any:
        made = subject.build()
        made.rate_hz = rate_hz
        result = made(batch.clone(), torch.Generator().manual_seed(3))
        require(isinstance(result, torch.Tensor), f"the batch is of the type {type(result).__name__}, not a tensor")
        require_array(result.numpy(), np.float32, tuple(batch.shape), "clips")
        return result.numpy()

    with checks.expect("batch", f"a finite batch float32 {tuple(batch.shape)}, as it was given", needed=True):
        clips = altered()
    checks.expect_same("the same clips for the same generator, whatever was drawn elsewhere", clips, altered, "clips")
    with checks.expect("effect", "clips to be altered"):
        require(not np.array_equal(clips, batch.numpy()), "all are as before")


def _waveforms(frontend: Any, samples: int) -> Any:
    """A tensor (clips, samples) of made sounds."""
    import torch

    sounds = make_sounds(int(frontend.sample_rate_hz), samples, ("fan",))
    return torch.from_numpy(np.stack(list(sounds.waveforms.values())[:CLIPS]))
