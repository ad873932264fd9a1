"""Axial fan: tones at the blade-pass frequency over the broadband noise of the flow."""

import numpy as np

from asdbench.datasets.synthetic.machine import Domain, Fault, Machine, Operation
from asdbench.datasets.synthetic.signals import (
    Mode,
    Rng,
    Signal,
    band,
    harmonics,
    resonate,
    rotation,
    shaped_noise,
    unit_rms,
)

BLADES = 7
HOUSING = (Mode(310, 0.03), Mode(780, 0.02, 0.7), Mode(1650, 0.03, 0.4))


def sound(operation: Operation, fault: Fault, rng: Rng) -> Signal:
    """One clip of the machine's sound, of unit RMS.

    Faults: imbalance (the shaft modulates flow and shakes the housing), a bent blade (tones between those of the
    blade pass), clogging (less and duller flow), bearing wear (a rough whine).
    """
    shaft = rotation(rng, operation.samples, operation.speed, 0.004)
    orders = np.arange(1, 9) * BLADES
    tones = harmonics(shaft, orders, 0.9 ** np.arange(8) / np.arange(1, 9) ** 0.6, rng)
    clogging = fault.of("clogging")
    edge_hz = (1200 + 60 * operation.speed) * (1 - 0.35 * clogging)
    flow = shaped_noise(rng, operation.samples, band(80, edge_hz, slope=0.5))
    flow *= 1 + 0.08 * np.sin(BLADES * shaft)
    total = (0.5 + 0.3 * operation.load) * tones + (0.8 + 0.5 * operation.load) * (1 - 0.3 * clogging) * flow

    imbalance = fault.of("imbalance")
    if imbalance:
        total *= 1 + 0.35 * imbalance * np.sin(shaft)
        total += 0.35 * imbalance * harmonics(shaft, (1, 2, 3), (1.0, 0.5, 0.25), rng)
    bent = fault.of("bent-blade")
    if bent:
        between = [order for order in range(1, 5 * BLADES) if order % BLADES]
        heights = 0.22 / np.sqrt(np.arange(1, len(between) + 1))
        total += bent * harmonics(shaft, between, heights, rng)
    wear = fault.of("bearing-wear")
    if wear:
        rough = shaped_noise(rng, operation.samples, band(2200, 3600)) * (1 + np.sin(3.1 * shaft))
        total += 0.4 * wear * rough
    return unit_rms(total + 0.6 * resonate(total, HOUSING))


MACHINE = Machine(
    name="fan",
    sound=sound,
    faults=("imbalance", "bent-blade", "clogging", "bearing-wear"),
    source=Domain(speeds=(24.0, 28.0), loads=(0.4, 0.7), noises=("A", "B"), microphones=("1",)),
    target=Domain(speeds=(31.0, 35.0), loads=(0.4, 0.9), noises=("C", "D"), microphones=("2",)),
    severity=(0.15, 0.8),
    snr_db=(-4.0, 8.0),
)
