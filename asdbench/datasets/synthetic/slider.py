"""Slide rail: strokes to and fro, sliding noise that follows the velocity, a thud at each end."""

import numpy as np

from asdbench.datasets.synthetic.machine import Domain, Fault, Machine, Operation
from asdbench.datasets.synthetic.signals import (
    RATE_HZ,
    Mode,
    Rng,
    Signal,
    band,
    harmonics,
    impulses,
    impulses_at,
    resonate,
    rotation,
    shaped_noise,
    unit_rms,
)

RAIL = (Mode(420, 0.02), Mode(1250, 0.015, 0.8), Mode(3100, 0.012, 0.5))
SCREW_TURNS = 26.0


def sound(operation: Operation, fault: Fault, rng: Rng) -> Signal:
    """One clip of the machine's sound, of unit RMS.

    Faults: stick-slip (the carriage creeps and jumps), a dent in the rail (a click where it is passed), a dry rail
    (sharp friction), loose end stops (rattling thuds).
    """
    crank = rotation(rng, operation.samples, operation.speed, 0.01)
    velocity = np.abs(np.sin(crank))
    dry = fault.of("dry")
    friction = shaped_noise(rng, operation.samples, band(400, 2800, slope=0.3)) * velocity
    screw = harmonics(SCREW_TURNS * (1 - np.cos(crank)), (6, 12, 18), (1.0, 0.5, 0.3), rng) * np.sqrt(velocity)
    motor = shaped_noise(rng, operation.samples, band(100, 1500, slope=0.6))
    stops = impulses_at(crank, 2, rng, slip=0.004, spread=0.15)
    loose = fault.of("loose-stop")
    if loose:
        for bounce in (1, 2, 3):
            stops += np.roll(stops, int(RATE_HZ * rng.uniform(0.012, 0.03) * bounce)) * loose * 1.2 / bounce
    thud = resonate(stops, RAIL)
    total = 0.9 * friction + 0.5 * screw + 0.45 * motor + (22 + 12 * operation.load) * thud

    if dry:
        total += 0.4 * dry * shaped_noise(rng, operation.samples, band(2500, 6500)) * velocity**2
    sticking = fault.of("stick-slip")
    if sticking:
        chatter = 0.5 + 0.5 * np.sign(np.sin(2 * np.pi * 38.0 * np.arange(operation.samples) / RATE_HZ))
        slow = np.exp(-((velocity / 0.45) ** 2))
        squeal = resonate(shaped_noise(rng, operation.samples, band(600, 4000)), RAIL)
        total += 0.85 * sticking * unit_rms(squeal) * chatter * slow
    dent = fault.of("dent")
    if dent:
        position = np.cos(crank)
        passed = np.flatnonzero(np.diff(np.sign(position - 0.35)))
        clicks = impulses(operation.samples, passed.astype(float), 1 + 0.2 * rng.standard_normal(len(passed)))
        total += 110 * dent * resonate(clicks, RAIL[1:])
    return unit_rms(total)


MACHINE = Machine(
    name="slider",
    sound=sound,
    faults=("stick-slip", "dent", "dry", "loose-stop"),
    source=Domain(speeds=(0.7, 0.9), loads=(0.3, 0.6), noises=("A", "D"), microphones=("1",)),
    target=Domain(speeds=(1.1, 1.3), loads=(0.3, 0.9), noises=("A", "C"), microphones=("1",)),
    severity=(0.15, 0.8),
    snr_db=(-4.0, 8.0),
)
