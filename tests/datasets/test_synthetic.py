import numpy as np
import pytest

import asdbench
from asdbench.core.progress import Silent
from asdbench.datasets import read_folder
from asdbench.datasets.synthetic import rotating
from asdbench.datasets.synthetic.dataset import MACHINES
from asdbench.datasets.synthetic.machine import Operation
from asdbench.datasets.synthetic.signals import RATE_HZ, Synthesizer

SAMPLES = 4 * RATE_HZ


def sound(machine, *operation, seed=0, samples=SAMPLES):
    return MACHINES[machine].sound(Operation(*operation), Synthesizer(samples, np.random.default_rng(seed)))


def spectrum(signal):
    return np.abs(np.fft.rfft(signal * np.hanning(len(signal)))), np.fft.rfftfreq(len(signal), 1 / RATE_HZ)


def peak_over_floor(signal, frequency_hz, width=0.015):
    """Level of the strongest line near a frequency over the median around it, in dB."""
    level, frequencies = spectrum(signal)
    near = np.abs(frequencies / frequency_hz - 1) < width
    around = np.abs(frequencies / frequency_hz - 1) < 8 * width
    return 20 * np.log10(level[near].max() / np.median(level[around]))


def envelope(signal):
    level = np.fft.fft(signal)
    level[: int(1000 * len(signal) / RATE_HZ)] = 0  # the resonances, without hum
    level[len(signal) // 2 :] = 0
    return np.abs(np.fft.ifft(level)) ** 2


def test_layout_and_counts(small_dataset):
    table = read_folder(small_dataset)
    assert table.layout == "dcase2023"
    counts = {}
    for clip in table:
        counts[clip.split, clip.domain, clip.label] = counts.get((clip.split, clip.domain, clip.label), 0) + 1
    assert counts["train", "source", 0] == 2 * 16
    assert counts["train", "target", 0] == 2 * 4
    assert counts["test", "source", 1] == counts["test", "target", 0] == 2 * 4
    assert all({key for key, _ in clip.attributes} == {"speed", "load", "noise", "mic"} for clip in table)


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(tmp_path):
    def keys(folder, **params):
        small = {"machines": ["slider"], "clip_s": 1.0, "train_source": 2, "train_target": 1, "test": 4}
        asdbench.build("synthetic", **{**small, **params}).make(tmp_path / folder, 2, Silent())
        return {(clip.machine, clip.name): clip.key for clip in read_folder(tmp_path / folder)}

    first = keys("a")
    assert keys("b") == first
    assert not set(keys("c", seed=1).values()) & set(first.values())
    with_more = keys("d", machines=["pump", "slider"], train_source=3)
    assert {name: with_more[name] for name in first} == first


@pytest.mark.parametrize("machine", MACHINES.values(), ids=list(MACHINES))
def test_domains_differ_and_every_fault_changes_the_sound(machine):
    assert machine.source != machine.target
    operation = (machine.source.speeds[0], machine.source.loads[0])
    healthy = sound(machine.name, *operation, samples=RATE_HZ)
    assert np.sqrt(np.mean(healthy**2)) == pytest.approx(1.0)
    assert len(machine.faults) >= 3
    for fault in machine.faults:
        broken, slight = (sound(machine.name, *operation, fault, severity, samples=RATE_HZ) for severity in (1.0, 0.05))
        assert np.isfinite(broken).all()
        assert not np.allclose(broken, healthy)
        assert not np.allclose(slight, broken)


def test_a_fan_hums_at_the_blade_pass_frequency():
    healthy, bent = sound("fan", 25.0, 0.5, seed=1), sound("fan", 25.0, 0.5, "bent-blade", 5.0, seed=1)
    assert peak_over_floor(healthy, 25.0 * rotating.BLADES) > 20
    between = 25.0 * (rotating.BLADES + 3)
    assert peak_over_floor(bent, between) > peak_over_floor(healthy, between) + 6


def test_a_worn_gear_grows_sidebands_around_the_mesh():
    speed = 18.0
    level, frequencies = spectrum(sound("gearbox", speed, 0.5, seed=2))
    worn_level, _ = spectrum(sound("gearbox", speed, 0.5, "wear", 1.0, seed=2))
    mesh = np.abs(frequencies / (speed * rotating.TEETH) - 1) < 0.01
    sideband = np.abs(frequencies / (speed * (rotating.TEETH + 1)) - 1) < 0.01
    assert worn_level[sideband].max() / worn_level[mesh].max() > 2 * level[sideband].max() / level[mesh].max()


@pytest.mark.parametrize(("fault", "order"), [("outer-race", rotating.OUTER_PASS), ("inner-race", rotating.INNER_PASS)])
def test_a_bearing_defect_shows_in_the_envelope_at_its_pass_frequency(fault, order):
    speed = 24.0
    healthy, broken = sound("bearing", speed, 0.5, seed=3), sound("bearing", speed, 0.5, fault, 1.0, seed=3)
    assert peak_over_floor(envelope(broken), order * speed, 0.02) > 15
    assert peak_over_floor(envelope(healthy), order * speed, 0.02) < 15
