"""Three designs, each a class whose objects are individuals: fan, gearbox, slide rail.

Every individual keeps its tolerances for life; a clip has speed, load and temperature of its own. A fault changes what
makes up the fine structure (which orders, how modulated, which transients, where a resonance is), at a level that is
small against the spread of the mean spectrum between days and loads.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from asdbench.datasets.synthetic.individuals.parts import Bearing, Pattern, Structure, Ticks, pulse, scaled
from asdbench.datasets.synthetic.signals import RATE_HZ, Mode, Rng, Signal, Synthesizer, unit_rms

TICK = 70.0  # of a joint, to a force of unit RMS


@dataclass(frozen=True)
class State:
    """How an individual runs during one clip.

    Attributes:
        speed: relative to the nominal speed of the design.
        load: from 0 (idle) to 1 (full).
        heat: from 0 (cold) to 1 (at full temperature).
        fault: fault mode; empty for a healthy machine.
        severity: how far the fault has gone, from 0 to 1.
    """

    speed: float
    load: float
    heat: float
    fault: str = ""
    severity: float = 0.0

    def of(self, fault: str) -> float:
        """Severity when this is the fault asked for, else 0."""
        return self.severity if self.fault == fault else 0.0


class Unit(Protocol):
    """An individual: made of its tolerances, gives the sound of a state at unit RMS."""

    def __init__(self, rng: Rng) -> None: ...

    def sound(self, state: State, synth: Synthesizer) -> Signal:
        """The machine's sound at its surface."""
        ...


class Fan:
    """Axial fan of seven blades that stand not quite evenly, on a shaft with a rolling bearing, in a housing.

    A belt with a few joints drives it. Faults: a cracked blade (its pressure pulse weakens and comes late), a defect of
    the bearing, a loose foot, a frayed belt (one tick more in each of its turns).
    """

    FAULTS = ("cracked-blade", "bearing", "loose-foot", "frayed-belt")
    HOUSING = (
        Mode(290, 0.03), Mode(610, 0.025, 0.9), Mode(1120, 0.02, 0.8), Mode(1750, 0.02, 0.6),
        Mode(2900, 0.015, 0.6), Mode(4400, 0.012, 0.5),
    )  # fmt: skip
    BLADES, SHAFT_HZ = 7, 26.0

    def __init__(self, rng: Rng) -> None:
        self.pattern = Pattern(rng, self.BLADES, 0.25)
        self.bearing = Bearing(rng)
        self.structure = Structure(rng, self.HOUSING)
        self.belt_turns = rng.uniform(0.04, 0.07)  # of the belt, to one of the shaft
        self.belt = Ticks(rng, TICK)
        self.imbalance = 0.06 * rng.lognormal(0, 0.4)
        self.blade_tones = rng.lognormal(0, 0.3, 8) / np.arange(1, 9) ** 0.8

    def sound(self, state: State, synth: Synthesizer) -> Signal:
        """Blade tones, errors and bearing through the housing; the flow beside them."""
        shaft = synth.rotation(self.SHAFT_HZ * state.speed, 0.001)
        cracked = state.of("cracked-blade")
        weak = cracked * pulse(shaft, 1.0, 2.2 / self.BLADES)
        late = 0.5 * cracked * pulse(shaft, 1.4, 2.2 / self.BLADES)
        blades = synth.harmonics(self.BLADES * (shaft - late / self.BLADES), range(1, 9), self.blade_tones)
        tones = blades * np.clip(1 - 0.9 * weak, 0, None) * (1 + self.imbalance * np.sin(shaft))
        tones += self.pattern.tones(shaft, synth, 0.7 * cracked)
        force = (0.5 + 0.6 * state.load) * tones + 0.3 * self.bearing.tones(shaft, synth)
        force = unit_rms(force) + 0.3 * self.bearing.blows(shaft, synth, state.of("bearing"))
        force += self.belt.blows(self.belt_turns * shaft, synth, state.of("frayed-belt"))
        edge_hz = 1500 + 2500 * state.load * state.speed
        flow = synth.noise(80, edge_hz, slope=0.6) * (1 + 0.1 * synth.slow_walk(2))
        body = unit_rms(tones) * 0.25 + self.structure.radiates(force, state.heat, state.of("loose-foot"))
        return unit_rms(scaled(body, 1.0) + (0.2 + 0.5 * state.load) * flow)


class Gearbox:
    """One stage of 19 and 31 teeth: the mesh, modulated by the runout of both wheels, and each wheel's pitch errors.

    The transmission error of a profile is least at the load that it was ground for, so every harmonic of the mesh
    rises and falls with the load in its own way. Faults: a pitted tooth (the mesh falters once a turn), a defect of
    the bearing, a loose foot, a stretched chain behind it (one tick more in each of its turns).
    """

    FAULTS = ("pitted-tooth", "bearing", "loose-foot", "stretched-chain")
    CASE = (
        Mode(380, 0.025), Mode(820, 0.02, 0.9), Mode(1350, 0.015, 0.9), Mode(2150, 0.015, 0.7),
        Mode(3300, 0.012, 0.6), Mode(4700, 0.01, 0.5),
    )  # fmt: skip
    TEETH, WHEEL, SHAFT_HZ = 19, 31, 23.0

    def __init__(self, rng: Rng) -> None:
        self.pinion = Pattern(rng, self.TEETH, 0.2)
        self.wheel = Pattern(rng, self.WHEEL, 0.15)
        self.bearing = Bearing(rng)
        self.structure = Structure(rng, self.CASE)
        self.chain_turns = rng.uniform(0.04, 0.07)  # of the chain behind it, to one of the shaft
        self.chain = Ticks(rng, TICK)
        self.runout = 0.15 * rng.lognormal(0, 0.4, 2)
        self.ground_for = rng.uniform(0.2, 0.9, 6)

    def sound(self, state: State, synth: Synthesizer) -> Signal:
        """The mesh and all errors through the case; oil that is churned, more when cold."""
        shaft = synth.rotation(self.SHAFT_HZ * state.speed, 0.001)
        other = shaft * self.TEETH / self.WHEEL
        heights = (0.25 + np.abs(state.load - self.ground_for)) / np.arange(1, 7) ** 0.6
        mesh = synth.harmonics(self.TEETH * shaft, range(1, 7), heights)
        pitted = state.of("pitted-tooth")
        mesh *= 1 + self.runout[0] * np.sin(shaft) + self.runout[1] * np.sin(other)
        mesh *= np.clip(1 - pitted * pulse(shaft, 1.0), 0, None)
        force = mesh + self.pinion.tones(shaft, synth, 0.8 * pitted) + self.wheel.tones(other, synth)
        force = unit_rms(force + 0.3 * self.bearing.tones(shaft, synth))
        force += 0.3 * self.bearing.blows(shaft, synth, state.of("bearing"))
        force += self.chain.blows(self.chain_turns * shaft, synth, state.of("stretched-chain"))
        oil = synth.noise(120, 3500, slope=0.6) * (1 + 0.1 * synth.slow_walk(2))
        body = unit_rms(force) * 0.25 + self.structure.radiates(force, state.heat, state.of("loose-foot"))
        return unit_rms(scaled(body, 1.0) + (0.6 - 0.3 * state.heat) * (0.6 + 0.5 * state.load) * oil)


class Slider:
    """Slide rail on a ball screw: strokes to and fro, balls that enter the nut, friction, a thud where it turns.

    Faults: a dent in the rail (a tick more, where it is passed), a worn screw (the balls' tone falters once a turn), a
    loose foot, backlash (a second blow after each turn).
    """

    FAULTS = ("dent", "worn-screw", "loose-foot", "backlash")
    RAIL = (
        Mode(340, 0.025), Mode(720, 0.02, 0.9), Mode(1230, 0.015, 0.9), Mode(2050, 0.015, 0.7),
        Mode(3150, 0.012, 0.6), Mode(4600, 0.01, 0.5),
    )  # fmt: skip
    STROKES_HZ, SCREW_TURNS = 0.8, 7.0

    def __init__(self, rng: Rng) -> None:
        self.balls = 4.7 * (1 + 0.01 * rng.standard_normal())  # that pass in a turn: lead and diameter
        self.ball_tones = rng.lognormal(0, 0.4, 6) / np.arange(1, 7) ** 0.5
        self.errors = Pattern(rng, 5, 0.2)
        self.structure = Structure(rng, self.RAIL)
        self.joints = Ticks(rng, 2 * TICK)
        self.wobble = 0.1 * rng.lognormal(0, 0.4)

    def sound(self, state: State, synth: Synthesizer) -> Signal:
        """All through the rail; the drive's noise beside it."""
        rng = synth.rng
        crank = synth.rotation(self.STROKES_HZ * state.speed, 0.008)
        velocity = np.abs(np.sin(crank))
        screw = 2 * np.pi * self.SCREW_TURNS * (1 - np.cos(crank))
        balls = synth.harmonics(self.balls * screw, range(1, 7), self.ball_tones)
        worn = state.of("worn-screw")
        balls *= 1 + (self.wobble + 0.9 * worn) * np.sin(screw)
        friction = synth.noise(300, 5000, slope=0.4)
        force = (0.6 + 0.5 * state.load) * (balls + self.errors.tones(screw, synth, 2 * worn)) * velocity
        force += (0.9 - 0.5 * state.heat) * friction * velocity
        blows = synth.impulses_at(crank, 2, slip=0.004, spread=0.2)
        late = np.roll(blows, round(RATE_HZ * rng.uniform(0.04, 0.08)))
        force += (40 + 50 * state.load) * (blows + 2.0 * state.of("backlash") * late)
        force += self.joints.blows(crank, synth, state.of("dent"))
        body = 0.25 * force + self.structure.radiates(force, state.heat, state.of("loose-foot"))
        drive = synth.noise(100, 2500, slope=0.6) * (1 + 0.1 * synth.slow_walk(2))
        return unit_rms(scaled(body, 1.0) + (0.3 + 0.5 * state.load) * drive)


UNITS: dict[str, type[Fan] | type[Gearbox] | type[Slider]] = {"fan": Fan, "gearbox": Gearbox, "slider": Slider}
