"""Machines that work in strokes: pump, slide rail, valve."""

import numpy as np

from asdbench.datasets.synthetic.machine import Domain, Machine, Operation
from asdbench.datasets.synthetic.signals import RATE_HZ, Mode, Signal, Synthesizer, resonate, unit_rms

PISTONS = 5
PIPE = (Mode(230, 0.04), Mode(690, 0.03, 0.8), Mode(1400, 0.03, 0.5), Mode(4800, 0.02, 0.4))
RAIL = (Mode(420, 0.02), Mode(1250, 0.015, 0.8), Mode(3100, 0.012, 0.5))
SCREW_TURNS = 26.0
BODY = (Mode(880, 0.02), Mode(2100, 0.015, 0.9), Mode(3700, 0.012, 0.7), Mode(5900, 0.01, 0.4))
OPEN_FRACTION = 0.45  # of the period


def pump(operation: Operation, synth: Synthesizer) -> Signal:
    """Piston pump: pressure pulsation at the rate of its pistons, flow noise, a motor.

    Faults: cavitation (bubbles collapse at random), a worn piston (one pulse in five is weak), a blocked inlet
    (deep throbbing), a leaking seal (hissing in step with the pulses).
    """
    rng = synth.rng
    shaft = synth.rotation(operation.speed, 0.004)
    pulses = synth.harmonics(shaft, np.arange(1, 9) * PISTONS, 1 / np.arange(1, 9) ** 0.8)
    worn = operation.of("worn-piston")
    pulses *= 1 - 0.95 * worn * np.clip(np.cos(shaft), 0, None) ** 2
    blocked = operation.of("blocked-inlet")
    flow = synth.noise(100, 3000, slope=0.6) * (1 + 0.2 * np.sin(PISTONS * shaft))
    total = (0.6 + 0.6 * operation.load) * pulses * (1 + 1.2 * blocked * np.sin(shaft / 2)) + 0.9 * flow

    cavitation = operation.of("cavitation")
    if cavitation:
        count = rng.poisson(120 * synth.samples / RATE_HZ)
        collapses = synth.impulses(rng.uniform(0, synth.samples, count), rng.lognormal(0, 0.7, count))
        gate = 0.4 + 0.6 * np.clip(np.sin(PISTONS * shaft), 0, None)
        total += 0.4 * cavitation * unit_rms(resonate(collapses * gate, (Mode(3300, 0.05), Mode(5600, 0.05))))
    leak = operation.of("leaking-seal")
    if leak:
        hiss = synth.noise(2500, 7000)
        total += 0.25 * leak * hiss * (1 + 0.7 * np.sin(PISTONS * shaft))
    return unit_rms(total + 0.6 * resonate(total, PIPE))


def slider(operation: Operation, synth: Synthesizer) -> Signal:
    """Slide rail: strokes to and fro, sliding noise that follows the velocity, a thud at each end.

    Faults: stick-slip (the carriage creeps and jumps), a dent in the rail (a click where it is passed), a dry rail
    (sharp friction), loose end stops (rattling thuds).
    """
    rng = synth.rng
    crank = synth.rotation(operation.speed, 0.01)
    velocity = np.abs(np.sin(crank))
    friction = synth.noise(400, 2800, slope=0.3) * velocity
    screw = synth.harmonics(SCREW_TURNS * (1 - np.cos(crank)), (6, 12, 18), (1.0, 0.5, 0.3)) * np.sqrt(velocity)
    motor = synth.noise(100, 1500, slope=0.6)
    stops = synth.impulses_at(crank, 2, slip=0.004, spread=0.15)
    loose = operation.of("loose-stop")
    if loose:
        for bounce in (1, 2, 3):
            stops += np.roll(stops, int(RATE_HZ * rng.uniform(0.012, 0.03) * bounce)) * loose * 1.2 / bounce
    thud = resonate(stops, RAIL)
    total = 0.9 * friction + 0.5 * screw + 0.45 * motor + (22 + 12 * operation.load) * thud

    dry = operation.of("dry")
    if dry:
        total += 0.4 * dry * synth.noise(2500, 6500) * velocity**2
    sticking = operation.of("stick-slip")
    if sticking:
        chatter = 0.5 + 0.5 * np.sign(np.sin(2 * np.pi * 38.0 * np.arange(synth.samples) / RATE_HZ))
        slow = np.exp(-((velocity / 0.45) ** 2))
        squeal = resonate(synth.noise(600, 4000), RAIL)
        total += 0.85 * sticking * unit_rms(squeal) * chatter * slow
    dent = operation.of("dent")
    if dent:
        position = np.cos(crank)
        passed = np.flatnonzero(np.diff(np.sign(position - 0.35)))
        clicks = synth.impulses(passed.astype(float), 1 + 0.2 * rng.standard_normal(len(passed)))
        total += 110 * dent * resonate(clicks, RAIL[1:])
    return unit_rms(total)


def valve(operation: Operation, synth: Synthesizer) -> Signal:
    """Solenoid valve: timed clicks of opening and closing, a puff of air after each opening.

    Faults: a leak (hissing while closed), missed strokes, a sluggish armature (late and soft closing), chatter
    (the armature bounces).
    """
    rng = synth.rng
    period = RATE_HZ / operation.speed
    count = int(synth.samples / period) + 2
    opening = (rng.random() + np.arange(count) - 1) * period + rng.normal(0, 0.004 * period, count)
    closing = opening + OPEN_FRACTION * period * (1 + rng.normal(0, 0.01, count))
    strength = 1 + 0.12 * rng.standard_normal(count)
    sluggish = operation.of("sluggish")
    closing += sluggish * period * rng.uniform(0.1, 0.4, count)
    made = rng.random(count) >= 0.8 * operation.of("missed-stroke")

    strikes = synth.impulses(opening[made], strength[made])
    strikes += 0.7 * (1 - 0.9 * sluggish) * synth.impulses(closing[made], strength[made])
    for bounce in (1, 2, 3):
        late = closing[made] + RATE_HZ * rng.uniform(0.012, 0.02) * bounce
        height = (0.12 + 1.1 * operation.of("chatter")) * strength[made] / bounce
        strikes += synth.impulses(late, height)
    clicks = resonate(strikes, BODY)
    air = synth.noise(1200, 6500)
    puffs = synth.bursts(opening[made], strength[made], 0.004, 0.03 + 0.05 * operation.load)
    coil = synth.harmonics(synth.rotation(50.0, 0.0005), (2, 4, 6), (1.0, 0.4, 0.2))
    total = 30 * clicks + (0.5 + 0.5 * operation.load) * puffs * air + 0.12 * coil

    leak = operation.of("leak")
    if leak:
        closed = 1 - np.clip(synth.bursts(opening, np.ones(count), 0.01, 0.2), 0, 1)
        total += 0.3 * leak * air * closed
    return unit_rms(total)


STROKES = (
    Machine(
        "pump", pump, ("cavitation", "worn-piston", "blocked-inlet", "leaking-seal"),
        source=Domain(speeds=(22.0, 25.0), loads=(0.3, 0.6), noises=("A", "B"), microphones=("1",)),
        target=Domain(speeds=(22.0, 29.0), loads=(0.9,), noises=("D",), microphones=("1",)),
    ),
    Machine(
        "slider", slider, ("stick-slip", "dent", "dry", "loose-stop"),
        source=Domain(speeds=(0.7, 0.9), loads=(0.3, 0.6), noises=("A", "D"), microphones=("1",)),
        target=Domain(speeds=(1.1, 1.3), loads=(0.3, 0.9), noises=("A", "C"), microphones=("1",)),
    ),
    Machine(
        "valve", valve, ("leak", "missed-stroke", "sluggish", "chatter"),
        source=Domain(speeds=(2.2, 2.8), loads=(0.3, 0.6), noises=("A", "C"), microphones=("1",)),
        target=Domain(speeds=(3.6,), loads=(0.3, 0.6), noises=("B", "D"), microphones=("1", "3")),
    ),
)  # fmt: skip
