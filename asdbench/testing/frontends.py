"""What every front end and every augmentation is put through."""

from typing import Any

import numpy as np

from asdbench.core.errors import DataError
from asdbench.frontends.base import NamedFeatures, Place
from asdbench.harness.machine import torch_threads
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
from asdbench.testing.sounds import make_sounds
from asdbench.testing.subjects import Subject

CLIPS = 6
ROUNDING = 1e-5  # relative to the largest number
WORKS_ON = ("waveform", "spectrogram")


def frontend_checks(subject: Subject) -> list[Check]:
    """Do all checks of a front end.

    Raises:
        RequirementError: something that it needs is not there.
        UsageError: it refuses its parameters.
    """
    checks = Checks()
    with torch_threads(1):
        frontend = built(checks, subject)
        if frontend is None:
            return checks.done
        if isinstance(frontend, NamedFeatures):
            checks.holds("names", "recordings that it does not know to be refused", lambda: _refuses(frontend))
            return checks.done
        if checks.holds("attributes", "rates above 0, a channel as text, a shortest length", lambda: _rates(frontend)):
            _check_frontend(checks, subject, frontend)
    return checks.done


def _rates(frontend: Any) -> None:
    rate, least = frontend.sample_rate_hz, frontend.min_samples
    require(int(rate) == rate and rate > 0, f"sample_rate_hz is {rate!r}, no whole number above 0")
    require(frontend.frame_rate_hz > 0, f"frame_rate_hz is {frontend.frame_rate_hz!r}, no number above 0")
    require(int(least) == least and least > 0, f"min_samples is {least!r}, no whole number above 0")
    require(isinstance(frontend.channel, str), f"channel is {frontend.channel!r}, no text")


def _refuses(frontend: Any) -> None:
    try:
        frontend.require([Place("no machine", "train", "no-recording.wav", "0" * 32)])
    except DataError:
        return
    raise Mismatch("require() raised no DataError")


def _check_frontend(checks: Checks, subject: Subject, frontend: Any) -> None:
    import torch

    samples = max(int(frontend.sample_rate_hz), int(frontend.min_samples))
    sounds = make_sounds(int(frontend.sample_rate_hz), samples, ["fan"])
    waveforms = torch.from_numpy(np.stack(list(sounds.waveforms.values())[:CLIPS]))
    before = waveforms.clone()

    def called(batch: torch.Tensor, by: Any = frontend) -> Any:
        made = by(batch.clone())
        require(isinstance(made, torch.Tensor), f"features are of the type {type(made).__name__}, not a tensor")
        require_array(made.detach().numpy(), np.float32, (len(batch), None, None, None), "features")
        require(made.shape[2] and made.shape[3], f"features are {tuple(made.shape)}")
        return made.detach().numpy()

    expected = f"finite features float32 ({CLIPS}, channels, bins, frames)"
    features = checks.holds("features", expected, lambda: called(waveforms))
    if features is None:
        return

    changed: list[str] = []

    def again() -> None:
        with random_state(ELSEWHERE) as found:
            made = called(waveforms, subject.build())
            changed.append(found())
        require_close(features, made, 0.0, "features")

    def alone() -> None:
        for place in (0, CLIPS - 1):
            one = called(waveforms[place : place + 1])
            require_close(features[[place]], one, ROUNDING, "features of a clip alone and among others")

    def inputs() -> None:
        frontend(given := waveforms.clone())
        require(torch.equal(given, before), "the waveforms are altered")

    checks.holds("seed", "the same features each time", again)
    checks.holds("random state", "the global generators to be left as they are", lambda: require_all(changed))
    checks.holds("inputs", "the waveforms to be left as they are", inputs)
    checks.holds("blindness", "a clip's features not to depend on the other clips", alone)
    checks.holds("silence", "finite features of silence", lambda: called(torch.zeros_like(waveforms)))
    shortest = f"features of the shortest waveform, {frontend.min_samples} samples"
    checks.holds("shortest", shortest, lambda: called(waveforms[:, : int(frontend.min_samples)]))


def augmentation_checks(subject: Subject) -> list[Check]:
    """Do all checks of an augmentation.

    Raises:
        UsageError: it refuses its parameters.
    """
    import torch

    checks = Checks()
    with torch_threads(1):
        augmentation = built(checks, subject)
        if augmentation is None:
            return checks.done
        works_on = f"works_on to be one of {' and '.join(WORKS_ON)}"
        if not checks.holds(
            "works_on", works_on, lambda: require(augmentation.works_on in WORKS_ON, f"it is {augmentation.works_on!r}")
        ):
            return checks.done
        batch, rate_hz = _batch(subject, augmentation.works_on)

        def altered(seed: int) -> Any:
            made = subject.build()
            made.rate_hz = rate_hz
            result = made(batch.clone(), torch.Generator().manual_seed(seed))
            require(isinstance(result, torch.Tensor), f"the batch is of the type {type(result).__name__}, not a tensor")
            require_array(result.numpy(), np.float32, tuple(batch.shape), "clips")
            return result.numpy()

        copies = checks.holds(
            "batch", f"a finite batch float32 {tuple(batch.shape)}, as it was given", lambda: altered(3)
        )
        if copies is None:
            return checks.done

        changed: list[str] = []

        def seed() -> None:
            with random_state(ELSEWHERE) as found:
                again = altered(3)
                changed.append(found())
            require_close(copies, again, 0.0, "clips")

        checks.holds("seed", "the same clips for the same generator, whatever was drawn elsewhere", seed)
        checks.holds("random state", "the global generators to be left as they are", lambda: require_all(changed))
        checks.holds(
            "effect",
            "clips to be altered",
            lambda: require(not np.array_equal(copies, batch.numpy()), "all are as before"),
        )
    return checks.done


def _batch(subject: Subject, works_on: str) -> tuple[Any, float]:
    """Clips as the augmentation takes them, and steps per second along their last axis."""
    import torch

    frontend = subject.part("frontends", subject.frontend).build()
    sounds = make_sounds(frontend.sample_rate_hz, 2 * frontend.sample_rate_hz, ["fan"])
    waveforms = torch.from_numpy(np.stack(list(sounds.waveforms.values())[:CLIPS]))
    if works_on == "waveform":
        return waveforms, float(frontend.sample_rate_hz)
    return frontend(waveforms), frontend.frame_rate_hz
