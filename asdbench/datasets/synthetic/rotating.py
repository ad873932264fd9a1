"""Machines whose parts turn: fan, gearbox, bearing, motor."""

import numpy as np

from asdbench.datasets.synthetic.machine import Domain, Machine, Operation
from asdbench.datasets.synthetic.signals import Mode, Signal, Synthesizer, resonate, unit_rms

BLADES = 7
HOUSING = (Mode(310, 0.03), Mode(780, 0.02, 0.7), Mode(1650, 0.03, 0.4))
TEETH = 23
CASE = (Mode(640, 0.02), Mode(1480, 0.015, 0.9), Mode(2750, 0.015, 0.7), Mode(4300, 0.01, 0.4))
BALLS, DIAMETER_RATIO = 9, 0.28  # ball over pitch diameter; contact angle 0
OUTER_PASS = BALLS / 2 * (1 - DIAMETER_RATIO)
INNER_PASS = BALLS / 2 * (1 + DIAMETER_RATIO)
BALL_SPIN = (1 - DIAMETER_RATIO**2) / (2 * DIAMETER_RATIO)
CAGE = (1 - DIAMETER_RATIO) / 2
RING = (Mode(1150, 0.02), Mode(2400, 0.015, 0.9), Mode(3900, 0.012, 0.7), Mode(5600, 0.01, 0.4))
MAINS_HZ, POLE_PAIRS, SLOTS = 50.0, 2, 28
FRAME = (Mode(520, 0.03), Mode(1330, 0.02, 0.8), Mode(2600, 0.02, 0.5))


def fan(operation: Operation, synth: Synthesizer) -> Signal:
    """Axial fan: tones at the blade-pass frequency over the broadband noise of the flow.

    Faults: imbalance (the shaft modulates flow and shakes the housing), a bent blade (tones between those of the
    blade pass), clogging (less and duller flow), bearing wear (a rough whine).
    """
    shaft = synth.rotation(operation.speed, 0.004)
    orders = np.arange(1, 9) * BLADES
    tones = synth.harmonics(shaft, orders, 0.9 ** np.arange(8) / np.arange(1, 9) ** 0.6)
    clogging = operation.of("clogging")
    edge_hz = (1200 + 60 * operation.speed) * (1 - 0.35 * clogging)
    flow = synth.noise(80, edge_hz, slope=0.5)
    flow *= 1 + 0.08 * np.sin(BLADES * shaft)
    total = (0.5 + 0.3 * operation.load) * tones + (0.8 + 0.5 * operation.load) * (1 - 0.3 * clogging) * flow

    imbalance = operation.of("imbalance")
    if imbalance:
        total *= 1 + 0.35 * imbalance * np.sin(shaft)
        total += 0.35 * imbalance * synth.harmonics(shaft, (1, 2, 3), (1.0, 0.5, 0.25))
    bent = operation.of("bent-blade")
    if bent:
        between = [order for order in range(1, 5 * BLADES) if order % BLADES]
        heights = 0.22 / np.sqrt(np.arange(1, len(between) + 1))
        total += bent * synth.harmonics(shaft, between, heights)
    wear = operation.of("bearing-wear")
    if wear:
        rough = synth.noise(2200, 3600) * (1 + np.sin(3.1 * shaft))
        total += 0.4 * wear * rough
    return unit_rms(total + 0.6 * resonate(total, HOUSING))


def gearbox(operation: Operation, synth: Synthesizer) -> Signal:
    """Gearbox: the mesh frequency and its harmonics, with sidebands at the rate of the shaft.

    Faults: a broken tooth (a knock once a turn), wear (stronger sidebands), misalignment (the second harmonic of
    the mesh), dry gears (rough noise in step with the mesh).
    """
    shaft = synth.rotation(operation.speed, 0.003)
    wear, misaligned = operation.of("wear"), operation.of("misalignment")
    modulation = 1 + (0.12 + 0.8 * wear) * np.sin(shaft + 0.3) + 0.05 * np.sin(2 * shaft)
    wobble = (0.05 + 0.9 * wear) * np.sin(shaft)
    heights = np.array([1.0, 0.55 + 0.9 * misaligned, 0.35, 0.2, 0.12])
    mesh = synth.harmonics(TEETH * shaft + wobble, (1, 2, 3, 4, 5), heights) * modulation
    churning = synth.noise(150, 3500, slope=0.6)
    drive = (0.6 + 0.6 * operation.load) * mesh + (0.7 - 0.2 * operation.load) * churning

    dry = operation.of("dry")
    if dry:
        rough = synth.noise(1800, 6000)
        drive += 0.28 * dry * rough * (1 + 0.8 * np.sin(TEETH * shaft))
    broken = operation.of("broken-tooth")
    if broken:
        knocks = synth.impulses_at(shaft, 1, slip=0.002, spread=0.2)
        drive += 45 * broken * (0.5 + 0.5 * operation.load) * resonate(knocks, CASE)
    return unit_rms(drive + 0.9 * resonate(drive, CASE))


def bearing(operation: Operation, synth: Synthesizer) -> Signal:
    """Rolling bearing: defects strike once a pass and excite the resonances of ring and housing.

    Faults: defects of the outer race, the inner race (louder once a turn, in the load zone) and a ball (louder
    with each turn of the cage), lack of grease (rough rolling noise).
    """
    shaft = synth.rotation(operation.speed, 0.005)
    rolling = resonate(synth.noise(300, 6500, slope=0.3), RING)
    hum = synth.harmonics(shaft, (1, 2, 3, 4), (1.0, 0.6, 0.3, 0.2))
    passing = synth.harmonics(shaft, (OUTER_PASS, 2 * OUTER_PASS), (0.25, 0.15))
    floor = synth.noise(80, 2500, slope=0.7)
    dry = operation.of("dry")
    total = (0.7 + 0.6 * dry) * unit_rms(rolling) + (0.4 + 0.4 * operation.load) * hum + 0.4 * passing + 0.7 * floor

    for fault, order, envelope in (
        ("outer-race", OUTER_PASS, np.ones_like(shaft)),
        ("inner-race", INNER_PASS, np.clip(0.35 + np.cos(shaft), 0, None)),
        ("ball", 2 * BALL_SPIN, np.clip(0.4 + np.cos(CAGE * shaft), 0, None)),
    ):
        severity = operation.of(fault)
        if severity:
            blows = synth.impulses_at(shaft, order, slip=0.015, spread=0.25) * envelope
            total += severity * (1.2 + 0.5 * operation.load) * 0.4 * unit_rms(resonate(blows, RING))
    return unit_rms(total)


def motor(operation: Operation, synth: Synthesizer) -> Signal:
    """Induction motor: hum at twice the mains frequency, slot tones, cooling air.

    ``speed`` is that of the inverter, relative to the mains. Faults: a broken rotor bar (hum and slot tones beat
    at the slip), eccentricity (sidebands of the slot tones), a loose foot (the frame rattles), winding faults
    (odd harmonics of the supply).
    """
    supply_hz = MAINS_HZ * operation.speed
    slip = 0.01 + 0.05 * operation.load
    supply = synth.rotation(supply_hz, 0.0005)
    shaft = synth.rotation(supply_hz / POLE_PAIRS * (1 - slip), 0.002)
    broken, eccentric = operation.of("broken-bar"), operation.of("eccentricity")
    beat = 1 + 1.0 * broken * np.sin(2 * slip * supply)
    hum = synth.harmonics(supply, (2, 4, 6, 8), (1.0, 0.45, 0.25, 0.15)) * beat
    slots = synth.harmonics(shaft, (SLOTS, 2 * SLOTS, 3 * SLOTS), (1.0, 0.5, 0.25))
    slots *= (1 + 1.3 * eccentric * np.sin(shaft)) * beat
    air = synth.noise(200, 3800, slope=0.5)
    total = 0.7 * hum + (0.4 + 0.4 * operation.load) * slots + 0.8 * air

    winding = operation.of("winding")
    if winding:
        odd = synth.harmonics(supply, (1, 3, 5, 7, 9, 11, 13), (0.6, 1, 0.8, 0.7, 0.5, 0.4, 0.3))
        total += 0.45 * winding * odd
    loose = operation.of("loose-foot")
    if loose:
        rattle = synth.impulses_at(shaft, 2, slip=0.05, spread=0.5)
        total += 0.9 * loose * unit_rms(resonate(rattle, FRAME))
    return unit_rms(total + 0.7 * resonate(total, FRAME))


ROTATING = (
    Machine(
        "fan", fan, ("imbalance", "bent-blade", "clogging", "bearing-wear"),
        source=Domain(speeds=(24.0, 28.0), loads=(0.4, 0.7), noises=("A", "B"), microphones=("1",)),
        target=Domain(speeds=(31.0, 35.0), loads=(0.4, 0.9), noises=("C", "D"), microphones=("2",)),
    ),
    Machine(
        "gearbox", gearbox, ("broken-tooth", "wear", "misalignment", "dry"),
        source=Domain(speeds=(16.0, 19.0), loads=(0.2, 0.5), noises=("A", "C"), microphones=("1",)),
        target=Domain(speeds=(16.0, 21.0), loads=(0.7,), noises=("C", "B"), microphones=("1",)),
    ),
    Machine(
        "bearing", bearing, ("outer-race", "inner-race", "ball", "dry"),
        source=Domain(speeds=(21.0, 25.0), loads=(0.3, 0.6), noises=("A",), microphones=("1", "2")),
        target=Domain(speeds=(30.0,), loads=(0.3, 0.9), noises=("A", "D"), microphones=("3",)),
    ),
    Machine(
        "motor", motor, ("broken-bar", "eccentricity", "loose-foot", "winding"),
        source=Domain(speeds=(0.8, 1.0), loads=(0.2, 0.5), noises=("A", "C"), microphones=("1",)),
        target=Domain(speeds=(1.0, 1.15), loads=(0.2, 0.6), noises=("C", "B"), microphones=("1",)),
    ),
)  # fmt: skip
