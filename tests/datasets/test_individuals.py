"""Individuals of one design: what tells them apart, what a fault changes, and how they are written."""

import numpy as np
import pytest

import asdbench
from asdbench.core.progress import Silent
from asdbench.datasets import read_folder
from asdbench.datasets.synthetic.individuals.parts import HEAT, Bearing, Structure, Ticks
from asdbench.datasets.synthetic.individuals.units import UNITS, State
from asdbench.datasets.synthetic.signals import RATE_HZ, Mode, Synthesizer

SMALL = {"machines": ["fan", "slider"], "ids": 2, "train": 3, "test": 4, "clip_s": 1.0}


def synth(seed=0, seconds=2):
    return Synthesizer(seconds * RATE_HZ, np.random.default_rng(seed))


def of(unit, machine):
    return UNITS[machine](np.random.default_rng(unit))


def made(folder, **params):
    asdbench.build("synthetic-ids", **{**SMALL, **params}).make(folder, 2, Silent())
    return read_folder(folder)


def test_layout_of_2020_with_ids_as_sections(tmp_path):
    table = made(tmp_path / "data")
    assert table.layout == "dcase2020"
    counts = {}
    for clip in table:
        key = clip.machine, clip.section, clip.split, clip.label
        counts[key] = counts.get(key, 0) + 1
    assert counts == {
        (machine, section, *group): number
        for machine in ("fan", "slider")
        for section in ("00", "02")
        for group, number in ((("train", 0), 3), (("test", 0), 2), (("test", 1), 2))
    }


def test_a_clip_depends_on_the_seed_and_its_own_place_alone(tmp_path):
    def keys(folder, **params):
        return {(clip.machine, clip.name): clip.key for clip in made(tmp_path / folder, **params)}

    first = keys("a", machines=["slider"])
    with_more = keys("b", ids=3, train=4)
    assert {name: with_more["slider", name] for _, name in first} == {name: key for (_, name), key in first.items()}
    assert not set(keys("c", machines=["slider"], seed=1).values()) & set(first.values())


def test_tolerances_are_of_the_individual_not_of_the_clip():
    first, again, other = (Structure(np.random.default_rng(unit), UNITS["fan"].HOUSING) for unit in (1, 1, 2))
    assert first.modes == again.modes
    apart = [one.frequency_hz / two.frequency_hz for one, two in zip(first.modes, other.modes, strict=True)]
    assert 0.005 < np.std(apart) < 0.15


def resonance_hz(structure, **state):
    """Where white noise comes out of a structure loudest."""
    noise = np.random.default_rng(3).standard_normal(8 * RATE_HZ)
    level = np.abs(np.fft.rfft(structure.radiates(noise, **state))) ** 2
    smooth = np.convolve(level, np.hanning(160), mode="same")  # over 20 Hz
    return np.argmax(smooth) / 8


def test_heat_and_a_loose_foot_lower_a_resonance():
    structure = Structure(np.random.default_rng(0), [Mode(1000.0, 0.01)])
    cold, hot = resonance_hz(structure, heat=0.0, loose=0.0), resonance_hz(structure, heat=1.0, loose=0.0)
    assert hot / cold == pytest.approx(1 - HEAT, abs=0.004)
    assert resonance_hz(structure, heat=0.0, loose=1.0) / cold == pytest.approx(0.91, abs=0.01)


def test_a_defect_of_the_inner_race_strikes_at_its_pass_rate():
    bearing = Bearing(np.random.default_rng(0))
    shaft = 2 * np.pi * 20.0 * np.arange(4 * RATE_HZ) / RATE_HZ
    blows = bearing.blows(shaft, synth(seconds=4), 1.0)
    inner_hz = 20.0 * 9 / 2 * (1 + bearing.ratio)
    level = np.abs(np.fft.rfft(np.abs(blows)))
    place = int(0.8 * inner_hz * 4) + np.argmax(level[int(0.8 * inner_hz * 4) : int(1.2 * inner_hz * 4)])
    assert place / 4 == pytest.approx(inner_hz, rel=0.01)
    assert np.sqrt(np.mean(blows**2)) == pytest.approx(1.0)


@pytest.mark.parametrize("machine", UNITS)
def test_every_fault_is_heard_and_none_without_it(machine):
    healthy = of(0, machine).sound(State(1.0, 0.5, 0.5), synth())
    assert np.sqrt(np.mean(healthy**2)) == pytest.approx(1.0)
    for fault in UNITS[machine].FAULTS:
        gone = of(0, machine).sound(State(1.0, 0.5, 0.5, fault, 0.0), synth())
        np.testing.assert_array_equal(gone, healthy)
        faulty = of(0, machine).sound(State(1.0, 0.5, 0.5, fault, 1.0), synth())
        assert np.isfinite(faulty).all()
        assert np.sqrt(np.mean((faulty - healthy) ** 2)) > 0.05


def test_a_frayed_belt_ticks_once_more_in_each_turn():
    belt = Ticks(np.random.default_rng(0), 1.0)
    turn = 2 * np.pi * 1.5 * np.arange(4 * RATE_HZ) / RATE_HZ  # six turns
    healthy, frayed = (
        np.count_nonzero(belt.blows(turn, synth(seconds=4), severity)[1:] > 0) for severity in (0.0, 1.0)
    )
    assert frayed - healthy == pytest.approx(2 * 6, abs=2)  # an impulse between samples takes two of them
