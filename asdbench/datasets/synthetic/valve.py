"""Solenoid valve: timed clicks of opening and closing, a puff of air after each opening."""

import numpy as np

from asdbench.datasets.synthetic.machine import Domain, Fault, Machine, Operation
from asdbench.datasets.synthetic.signals import (
    RATE_HZ,
    Mode,
    Rng,
    Signal,
    band,
    bursts,
    harmonics,
    impulses,
    resonate,
    rotation,
    shaped_noise,
    unit_rms,
)

BODY = (Mode(880, 0.02), Mode(2100, 0.015, 0.9), Mode(3700, 0.012, 0.7), Mode(5900, 0.01, 0.4))
OPEN_PART = 0.45  # of the period


def sound(operation: Operation, fault: Fault, rng: Rng) -> Signal:
    """One clip of the machine's sound, of unit RMS.

    Faults: a leak (hissing while closed), missed strokes, a sluggish armature (late and soft closing), chatter
    (the armature bounces).
    """
    period = RATE_HZ / operation.speed
    count = int(operation.samples / period) + 2
    opening = (rng.random() + np.arange(count) - 1) * period + rng.normal(0, 0.004 * period, count)
    closing = opening + OPEN_PART * period * (1 + rng.normal(0, 0.01, count))
    strength = 1 + 0.12 * rng.standard_normal(count)
    sluggish = fault.of("sluggish")
    closing += sluggish * period * rng.uniform(0.1, 0.4, count)
    made = rng.random(count) >= 0.8 * fault.of("missed-stroke")

    strikes = impulses(operation.samples, opening[made], strength[made])
    strikes += 0.7 * (1 - 0.9 * sluggish) * impulses(operation.samples, closing[made], strength[made])
    for bounce in (1, 2, 3):
        late = closing[made] + RATE_HZ * rng.uniform(0.012, 0.02) * bounce
        height = (0.12 + 1.1 * fault.of("chatter")) * strength[made] / bounce
        strikes += impulses(operation.samples, late, height)
    clicks = resonate(strikes, BODY)
    air = shaped_noise(rng, operation.samples, band(1200, 6500))
    puffs = bursts(operation.samples, opening[made], strength[made], 0.004, 0.03 + 0.05 * operation.load)
    coil = harmonics(rotation(rng, operation.samples, 50.0, 0.0005), (2, 4, 6), (1.0, 0.4, 0.2), rng)
    total = 30 * clicks + (0.5 + 0.5 * operation.load) * puffs * air + 0.12 * coil

    leak = fault.of("leak")
    if leak:
        closed = 1 - np.clip(bursts(operation.samples, opening, np.ones(count), 0.01, 0.2), 0, 1)
        total += 0.3 * leak * air * closed
    return unit_rms(total)


MACHINE = Machine(
    name="valve",
    sound=sound,
    faults=("leak", "missed-stroke", "sluggish", "chatter"),
    source=Domain(speeds=(2.2, 2.8), loads=(0.3, 0.6), noises=("A", "C"), microphones=("1",)),
    target=Domain(speeds=(3.6,), loads=(0.3, 0.6), noises=("B", "D"), microphones=("1", "3")),
    severity=(0.15, 0.8),
    snr_db=(-4.0, 8.0),
)
