"""Piston pump: pressure pulsation at the rate of its pistons, flow noise, a motor."""

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
    resonate,
    rotation,
    shaped_noise,
    unit_rms,
)

PISTONS = 5
PIPE = (Mode(230, 0.04), Mode(690, 0.03, 0.8), Mode(1400, 0.03, 0.5), Mode(4800, 0.02, 0.4))


def sound(operation: Operation, fault: Fault, rng: Rng) -> Signal:
    """One clip of the machine's sound, of unit RMS.

    Faults: cavitation (bubbles collapse at random), a worn piston (one pulse in five is weak), a blocked inlet
    (deep throbbing), a leaking seal (hissing in step with the pulses).
    """
    shaft = rotation(rng, operation.samples, operation.speed, 0.004)
    phases = rng
    pulses = harmonics(shaft, np.arange(1, 9) * PISTONS, 1 / np.arange(1, 9) ** 0.8, phases)
    worn = fault.of("worn-piston")
    pulses *= 1 - 0.95 * worn * np.clip(np.cos(shaft), 0, None) ** 2
    blocked = fault.of("blocked-inlet")
    flow = shaped_noise(rng, operation.samples, band(100, 3000, slope=0.6)) * (1 + 0.2 * np.sin(PISTONS * shaft))
    total = (0.6 + 0.6 * operation.load) * pulses * (1 + 1.2 * blocked * np.sin(shaft / 2)) + 0.9 * flow

    cavitation = fault.of("cavitation")
    if cavitation:
        count = rng.poisson(120 * operation.samples / RATE_HZ)
        collapses = impulses(operation.samples, rng.uniform(0, operation.samples, count), rng.lognormal(0, 0.7, count))
        gate = 0.4 + 0.6 * np.clip(np.sin(PISTONS * shaft), 0, None)
        total += 0.4 * cavitation * unit_rms(resonate(collapses * gate, (Mode(3300, 0.05), Mode(5600, 0.05))))
    leak = fault.of("leaking-seal")
    if leak:
        hiss = shaped_noise(rng, operation.samples, band(2500, 7000))
        total += 0.25 * leak * hiss * (1 + 0.7 * np.sin(PISTONS * shaft))
    return unit_rms(total + 0.6 * resonate(total, PIPE))


MACHINE = Machine(
    name="pump",
    sound=sound,
    faults=("cavitation", "worn-piston", "blocked-inlet", "leaking-seal"),
    source=Domain(speeds=(22.0, 25.0), loads=(0.3, 0.6), noises=("A", "B"), microphones=("1",)),
    target=Domain(speeds=(22.0, 29.0), loads=(0.9,), noises=("D",), microphones=("1",)),
    severity=(0.15, 0.8),
    snr_db=(-4.0, 8.0),
)
