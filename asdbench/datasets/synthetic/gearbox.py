"""Gearbox: the mesh frequency and its harmonics, with sidebands at the rate of the shaft."""

import numpy as np

from asdbench.datasets.synthetic.machine import Domain, Fault, Machine, Operation
from asdbench.datasets.synthetic.signals import (
    Mode,
    Rng,
    Signal,
    band,
    harmonics,
    impulses_at,
    resonate,
    rotation,
    shaped_noise,
    unit_rms,
)

TEETH = 23
CASE = (Mode(640, 0.02), Mode(1480, 0.015, 0.9), Mode(2750, 0.015, 0.7), Mode(4300, 0.01, 0.4))


def sound(operation: Operation, fault: Fault, rng: Rng) -> Signal:
    """One clip of the machine's sound, of unit RMS.

    Faults: a broken tooth (a knock once a turn), wear (stronger sidebands), misalignment (the second harmonic of
    the mesh), dry gears (rough noise in step with the mesh).
    """
    shaft = rotation(rng, operation.samples, operation.speed, 0.003)
    wear, misaligned = fault.of("wear"), fault.of("misalignment")
    modulation = 1 + (0.12 + 0.8 * wear) * np.sin(shaft + 0.3) + 0.05 * np.sin(2 * shaft)
    wobble = (0.05 + 0.9 * wear) * np.sin(shaft)
    heights = np.array([1.0, 0.55 + 0.9 * misaligned, 0.35, 0.2, 0.12])
    mesh = harmonics(TEETH * shaft + wobble, (1, 2, 3, 4, 5), heights, rng) * modulation
    churning = shaped_noise(rng, operation.samples, band(150, 3500, slope=0.6))
    drive = (0.6 + 0.6 * operation.load) * mesh + (0.7 - 0.2 * operation.load) * churning

    dry = fault.of("dry")
    if dry:
        rough = shaped_noise(rng, operation.samples, band(1800, 6000))
        drive += 0.28 * dry * rough * (1 + 0.8 * np.sin(TEETH * shaft))
    broken = fault.of("broken-tooth")
    if broken:
        knocks = impulses_at(shaft, 1, rng, slip=0.002, spread=0.2)
        drive += 45 * broken * (0.5 + 0.5 * operation.load) * resonate(knocks, CASE)
    return unit_rms(drive + 0.9 * resonate(drive, CASE))


MACHINE = Machine(
    name="gearbox",
    sound=sound,
    faults=("broken-tooth", "wear", "misalignment", "dry"),
    source=Domain(speeds=(16.0, 19.0), loads=(0.2, 0.5), noises=("A", "C"), microphones=("1",)),
    target=Domain(speeds=(16.0, 21.0), loads=(0.7,), noises=("C", "B"), microphones=("1",)),
    severity=(0.15, 0.8),
    snr_db=(-4.0, 8.0),
)
