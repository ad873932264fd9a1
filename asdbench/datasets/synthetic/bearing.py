"""Rolling bearing: defects strike once a pass and excite the resonances of ring and housing."""

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

BALLS, DIAMETER_RATIO = 9, 0.28  # ball over pitch diameter; contact angle 0
OUTER_PASS = BALLS / 2 * (1 - DIAMETER_RATIO)
INNER_PASS = BALLS / 2 * (1 + DIAMETER_RATIO)
BALL_SPIN = (1 - DIAMETER_RATIO**2) / (2 * DIAMETER_RATIO)
CAGE = (1 - DIAMETER_RATIO) / 2
RING = (Mode(1150, 0.02), Mode(2400, 0.015, 0.9), Mode(3900, 0.012, 0.7), Mode(5600, 0.01, 0.4))


def sound(operation: Operation, fault: Fault, rng: Rng) -> Signal:
    """One clip of the machine's sound, of unit RMS.

    Faults: defects of the outer race, the inner race (louder once a turn, in the load zone) and a ball (louder
    with each turn of the cage), lack of grease (rough rolling noise).
    """
    shaft = rotation(rng, operation.samples, operation.speed, 0.005)
    rolling = resonate(shaped_noise(rng, operation.samples, band(300, 6500, slope=0.3)), RING)
    hum = harmonics(shaft, (1, 2, 3, 4), (1.0, 0.6, 0.3, 0.2), rng)
    passing = harmonics(shaft, (OUTER_PASS, 2 * OUTER_PASS), (0.25, 0.15), rng)
    floor = shaped_noise(rng, operation.samples, band(80, 2500, slope=0.7))
    dry = fault.of("dry")
    total = (0.7 + 0.6 * dry) * unit_rms(rolling) + (0.4 + 0.4 * operation.load) * hum + 0.4 * passing + 0.7 * floor

    for mode, order, envelope in (
        ("outer-race", OUTER_PASS, np.ones_like(shaft)),
        ("inner-race", INNER_PASS, np.clip(0.35 + np.cos(shaft), 0, None)),
        ("ball", 2 * BALL_SPIN, np.clip(0.4 + np.cos(CAGE * shaft), 0, None)),
    ):
        severity = fault.of(mode)
        if severity:
            blows = impulses_at(shaft, order, rng, slip=0.015, spread=0.25) * envelope
            total += severity * (1.2 + 0.5 * operation.load) * 0.4 * unit_rms(resonate(blows, RING))
    return unit_rms(total)


MACHINE = Machine(
    name="bearing",
    sound=sound,
    faults=("outer-race", "inner-race", "ball", "dry"),
    source=Domain(speeds=(21.0, 25.0), loads=(0.3, 0.6), noises=("A",), microphones=("1", "2")),
    target=Domain(speeds=(30.0,), loads=(0.3, 0.9), noises=("A", "D"), microphones=("3",)),
    severity=(0.15, 0.8),
    snr_db=(-4.0, 8.0),
)
