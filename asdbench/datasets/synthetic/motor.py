"""Induction motor: hum at twice the mains frequency, slot tones, cooling air."""

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

MAINS_HZ, POLE_PAIRS, SLOTS = 50.0, 2, 28
FRAME = (Mode(520, 0.03), Mode(1330, 0.02, 0.8), Mode(2600, 0.02, 0.5))


def sound(operation: Operation, fault: Fault, rng: Rng) -> Signal:
    """One clip of the machine's sound, of unit RMS.

    ``speed`` is that of the inverter, relative to the mains. Faults: a broken rotor bar (hum and slot tones beat
    at the slip), eccentricity (sidebands of the slot tones), a loose foot (the frame rattles), winding faults
    (odd harmonics of the supply).
    """
    supply_hz = MAINS_HZ * operation.speed
    slip = 0.01 + 0.05 * operation.load
    supply = rotation(rng, operation.samples, supply_hz, 0.0005)
    shaft = rotation(rng, operation.samples, supply_hz / POLE_PAIRS * (1 - slip), 0.002)
    broken, eccentric = fault.of("broken-bar"), fault.of("eccentricity")
    beat = 1 + 1.0 * broken * np.sin(2 * slip * supply)
    hum = harmonics(supply, (2, 4, 6, 8), (1.0, 0.45, 0.25, 0.15), rng) * beat
    slots = harmonics(shaft, (SLOTS, 2 * SLOTS, 3 * SLOTS), (1.0, 0.5, 0.25), rng)
    slots *= (1 + 1.3 * eccentric * np.sin(shaft)) * beat
    air = shaped_noise(rng, operation.samples, band(200, 3800, slope=0.5))
    total = 0.7 * hum + (0.4 + 0.4 * operation.load) * slots + 0.8 * air

    winding = fault.of("winding")
    if winding:
        odd = harmonics(supply, (1, 3, 5, 7, 9, 11, 13), (0.6, 1, 0.8, 0.7, 0.5, 0.4, 0.3), rng)
        total += 0.45 * winding * odd
    loose = fault.of("loose-foot")
    if loose:
        rattle = impulses_at(shaft, 2, rng, slip=0.05, spread=0.5)
        total += 0.9 * loose * unit_rms(resonate(rattle, FRAME))
    return unit_rms(total + 0.7 * resonate(total, FRAME))


MACHINE = Machine(
    name="motor",
    sound=sound,
    faults=("broken-bar", "eccentricity", "loose-foot", "winding"),
    source=Domain(speeds=(0.8, 1.0), loads=(0.2, 0.5), noises=("A", "C"), microphones=("1",)),
    target=Domain(speeds=(1.0, 1.15), loads=(0.2, 0.6), noises=("C", "B"), microphones=("1",)),
    severity=(0.15, 0.8),
    snr_db=(-4.0, 8.0),
)
