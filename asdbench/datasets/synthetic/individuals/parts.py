"""Parts that individuals of one design have in common, each within its tolerances."""

from collections.abc import Sequence

import numpy as np

from asdbench.datasets.synthetic.signals import Mode, Rng, Signal, Synthesizer, resonate, unit_rms

BALLS = 9
DIAMETER_RATIO = 0.28  # ball over pitch diameter
DIAMETER_TOLERANCE = 0.02  # relative spread of it, contact angle included
MODE_TOLERANCE = 0.05  # of a resonance, between individuals: mounting, castings
GAIN_TOLERANCE_DB = 3.0
HEAT = 0.01  # relative fall of resonances from a cold machine to a hot one
ROUGHNESS = 0.35  # of the angle over which a defect is felt (rad)


class Bearing:
    """Rolling bearing of a shaft: faint tones at its pass orders; a defect strikes once a pass.

    Args:
        rng: of the individual: pass orders (geometry) and the waviness of the outer race.
    """

    def __init__(self, rng: Rng) -> None:
        self.ratio = DIAMETER_RATIO * (1 + DIAMETER_TOLERANCE * rng.standard_normal())
        self.waviness = 0.5 * rng.lognormal(0, 0.5, 5) / np.arange(1, 6) ** 0.7

    def tones(self, shaft: Signal, synth: Synthesizer) -> Signal:
        """What a healthy bearing is heard by."""
        outer = BALLS / 2 * (1 - self.ratio)
        return synth.harmonics(shaft, outer * np.arange(1, 6), self.waviness)

    def blows(self, shaft: Signal, synth: Synthesizer, severity: float) -> Signal:
        """Force of a defect of the inner race, of an RMS of ``severity``: impulses, louder where the load is."""
        inner = BALLS / 2 * (1 + self.ratio)
        blows = synth.impulses_at(shaft, inner, slip=0.015, spread=0.25)
        return scaled(blows * np.clip(0.4 + np.cos(shaft), 0, None), severity)


class Ticks:
    """Joints of a belt, a chain or a rail: a few ticks at places of their own in every turn.

    Args:
        rng: of the individual: how many joints there are, where, how high they stand.
        height: of a joint of the drawing.
    """

    def __init__(self, rng: Rng, height: float) -> None:
        self.places = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(2, 5)))
        self.heights = height * rng.lognormal(0, 0.4, len(self.places))

    def blows(self, turn: Signal, synth: Synthesizer, frayed: float = 0.0) -> Signal:
        """Impulses where ``turn`` passes a joint, and, where it is frayed, at one more place."""
        total = np.zeros(synth.samples)
        places = [*self.places, synth.rng.uniform(0, 2 * np.pi)]
        heights = [*self.heights, 3 * frayed * self.heights.mean()]
        for place, height in zip(places, heights, strict=True):
            total += height * synth.impulses_at(turn - place, 1, slip=0.002, spread=0.15)
        return total


class Pattern:
    """Errors around a wheel (teeth, blades), heard at every multiple of the shaft's rate.

    Args:
        rng: of the individual.
        parts: teeth or blades, whose own orders are not errors.
        level: amplitude of the first orders, relative to the wheel's own tone.
    """

    def __init__(self, rng: Rng, parts: int, level: float) -> None:
        self.orders = np.array([order for order in range(1, 3 * parts) if order % parts])
        self.level = level
        self.heights = level * rng.lognormal(0, 1.0, len(self.orders)) / self.orders**0.35

    def tones(self, shaft: Signal, synth: Synthesizer, worn: float = 0.0) -> Signal:
        """What the errors add; wear adds errors of its own, another pattern in each clip."""
        more = self.level * worn * synth.rng.lognormal(0, 1.0, len(self.orders)) / self.orders**0.35
        return synth.harmonics(shaft, self.orders, self.heights + more)


class Structure:
    """Housing and mounting: modes near those of the design.

    Args:
        rng: of the individual.
        design: modes of the drawing.
    """

    def __init__(self, rng: Rng, design: Sequence[Mode]) -> None:
        self.modes = [
            Mode(
                mode.frequency_hz * (1 + MODE_TOLERANCE * rng.standard_normal()),
                mode.damping * float(np.exp(0.15 * rng.standard_normal())),
                mode.gain * 10 ** (GAIN_TOLERANCE_DB / 20 * rng.standard_normal()),
            )
            for mode in design
        ]

    def radiates(self, force: Signal, heat: float, loose: float) -> Signal:
        """Sound of a force; heat lowers every mode alike, a loose foot the modes that it holds (every other one)."""
        modes = [
            Mode(
                mode.frequency_hz * (1 - HEAT * heat) * (1 - 0.09 * loose * (place % 2 == 0)),
                mode.damping * (1 + 0.8 * loose * (place % 2 == 0)),
                mode.gain,
            )
            for place, mode in enumerate(self.modes)
        ]
        return resonate(force, modes)


def pulse(shaft: Signal, at: float, width: float = ROUGHNESS) -> Signal:
    """1 once a turn, where the angle passes ``at``, else 0: the engagement of one tooth or blade."""
    away = np.angle(np.exp(1j * (shaft - at)))
    result: Signal = np.exp(-((away / width) ** 2))
    return result


def scaled(signal: Signal, level: float) -> Signal:
    """The signal at an RMS of ``level``."""
    return level * unit_rms(signal)
