import numpy as np
import pytest
import soundfile

import asdbench
from asdbench.core.progress import Silent
from asdbench.datasets import read_folder
from asdbench.datasets.far_cancellation import (
    hop_at,
    least_squares_gain,
    near_minus_far,
    short_time_spectrum,
    waveform_of,
)
from asdbench.datasets.synthetic.recording import CRITICAL_M, SOUND_M_S, impulse_response
from asdbench.datasets.synthetic.signals import RATE_HZ

SMALL = {"machines": ["fan"], "clip_s": 1.0, "train_source": 2, "train_target": 1, "test": 8}


def level_db(signal):
    return 10 * np.log10(np.mean(signal**2))


def makers():
    return (asdbench.build("synthetic", **SMALL), asdbench.build("synthetic-stereo", **SMALL))


def test_recordings_hold_two_channels_and_the_machines_run_as_before_one(tmp_path):
    tables = []
    for folder, maker in zip(("one", "two"), makers(), strict=True):
        maker.make(tmp_path / folder, 1, Silent())
        tables.append(read_folder(tmp_path / folder))
    one, two = tables
    assert two.layout == one.layout
    assert [clip.name for clip in two] == [clip.name for clip in one]  # the same speeds, loads, noises, microphones
    assert {soundfile.info(clip.path).channels for clip in two} == {2}
    name, stereo = makers()[1].render(next(makers()[1].plans()))
    [path] = [clip.path for clip in two if clip.name == name]
    np.testing.assert_allclose(soundfile.read(path)[0], stereo.samples, atol=2**-15)


def test_an_impulse_response_is_as_long_and_as_loud_as_its_distance_and_reflections_fall_off():
    response = impulse_response(np.random.default_rng(0), 0.5)
    arrival = 0.5 / SOUND_M_S * RATE_HZ
    assert np.argmax(np.abs(response)) == pytest.approx(arrival, abs=1)
    far = impulse_response(np.random.default_rng(0), 2 * CRITICAL_M)
    direct = int(2 * CRITICAL_M / SOUND_M_S * RATE_HZ)
    assert not far[:direct].any()
    assert np.sum(far**2) == pytest.approx(1 / (2 * CRITICAL_M) ** 2 + 1 / CRITICAL_M**2, rel=0.15)
    assert level_db(far[-200:]) < level_db(far[direct + 2 : direct + 202]) - 40


def test_the_near_channel_holds_the_machine_and_the_far_one_the_noise():
    _, maker = makers()
    for plan in list(maker.plans())[::3]:
        _, stereo = maker.render(plan)
        near, far = (level_db(stereo.machine[:, k]) - level_db(stereo.rest[:, k]) for k in (0, 1))
        low, high = plan.machine.snr_db
        assert low - 6 < near < high + 6  # drawn before the microphone, whose response weighs the two unlike
        assert far < near - 8
        assert np.abs(stereo.samples).max() < 1


def test_subtracting_the_far_channel_lifts_the_machine_out_of_the_noise_but_not_wholly():
    _, maker = makers()
    gained = []
    for plan in list(maker.plans())[::2]:
        _, stereo = maker.render(plan)
        hop = hop_at(RATE_HZ)

        def spectrum(samples, hop=hop):
            return short_time_spectrum(samples.astype(np.float32), hop)

        gain = least_squares_gain(spectrum(stereo.samples[:, 0]), spectrum(stereo.samples[:, 1]))
        machine, rest = (
            waveform_of(spectrum(part[:, 0]) - gain * spectrum(part[:, 1]), hop, len(part))
            for part in (stereo.machine, stereo.rest)
        )
        whole = near_minus_far(*stereo.samples.astype(np.float32).T, RATE_HZ)
        np.testing.assert_allclose(machine + rest, whole, atol=1e-5)  # the parts of what a front end gets
        before = level_db(stereo.machine[:, 0]) - level_db(stereo.rest[:, 0])
        gained.append(level_db(machine) - level_db(rest) - before)
    assert 1.5 < np.mean(gained) < 15
