"""Long recordings: scores over time, alarms of several windows, memory that does not grow."""

import tracemalloc

import numpy as np
import pytest
import soundfile

from asdbench import Detector, Sound
from asdbench.core.errors import UsageError
from asdbench.detector.recordings import read_windows
from asdbench.detector.results import Alarm, alarm_of


@pytest.fixture(scope="module")
def detector(fan_detector):
    return Detector.load(fan_detector)


@pytest.fixture
def long(small_dataset, tmp_path):
    """All of the fan's test clips one after the other, and 0.3 s more."""
    clips = [soundfile.read(path, dtype="float32")[0] for path in sorted(small_dataset.glob("fan/test/*.wav"))]
    samples = np.concatenate([*clips, clips[0][:4800]])
    soundfile.write(tmp_path / "long.wav", samples, 16000, "FLOAT")
    return tmp_path / "long.wav", samples


@pytest.mark.parametrize("hop_s", [1.0, 0.5, 0.37])
def test_windows_are_scored_as_clips_of_their_own_and_leave_nothing_out(detector, long, hop_s):
    path, samples = long
    (scored,) = detector.score(path, window_s=1.0, hop_s=hop_s)
    starts = [round(one.start_s * 16000) for one in scored.windows]
    assert starts[:-1] == [step * round(hop_s * 16000) for step in range(len(starts) - 1)]
    assert starts[-1] == len(samples) - 16000  # the last ends with the recording
    assert np.diff(starts).max() <= round(hop_s * 16000)
    alone = detector.score([Sound(samples[start : start + 16000], 16000) for start in starts])
    np.testing.assert_allclose([one.score for one in scored.windows], alone.scores, rtol=1e-6)
    assert scored.score == max(one.score for one in scored.windows)
    assert detector.score([Sound(samples, 16000)], window_s=1.0, hop_s=hop_s)[0].windows == scored.windows


def test_a_recording_shorter_than_a_window_is_one_and_one_that_is_cut_off_is_an_error(detector, long, tmp_path):
    path, samples = long
    soundfile.write(tmp_path / "short.wav", samples[:8000], 16000, "FLOAT")
    (short,) = detector.score(tmp_path / "short.wav", window_s=1.0)
    assert [one.start_s for one in short.windows] == [0.0]
    assert short.score == detector.score(tmp_path / "short.wav").scores
    (tmp_path / "cut.wav").write_bytes(path.read_bytes()[:200_000])
    assert "announces" in detector.score(tmp_path / "cut.wav", window_s=1.0)[0].error


def test_a_silent_stretch_is_no_alarm_and_says_so(detector, tmp_path):
    noise = 0.1 * np.random.default_rng(0).standard_normal(16000)
    soundfile.write(tmp_path / "off.wav", np.concatenate([noise, np.zeros(16000)]), 16000, "FLOAT")
    (scored,) = detector.score(tmp_path / "off.wav", window_s=1.0)
    assert scored.to_json()["windows"][1] == {"start_s": 1.0, "error": scored.windows[1].error}
    assert "silent" in scored.windows[1].error
    assert scored.score == scored.windows[0].score


def test_memory_is_that_of_a_window_however_long_the_recording_is(tmp_path):
    peaks = []
    for minutes in (1, 8):
        path = tmp_path / f"{minutes}.wav"
        with soundfile.SoundFile(path, "w", 16000, 1) as file:
            for _ in range(minutes):
                file.write(np.random.default_rng(0).uniform(-0.5, 0.5, 60 * 16000))
        tracemalloc.start()
        assert sum(1 for _ in read_windows(path, 10.0, 5.0)) == 12 * minutes - 1
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]


def test_a_long_recording_is_not_scored_as_one_clip(detector, tmp_path):
    soundfile.write(tmp_path / "hour.wav", np.tile([0.5, -0.5], 61 * 8000), 16000)
    (scored,) = detector.score(tmp_path / "hour.wav")
    assert scored.error == "lasts 61 s, healthy clips 1 s; score windows: --window 1"


def test_an_alarm_goes_off_when_some_of_several_windows_in_a_row_lie_above():
    rng = np.random.default_rng(0)
    for count, among in ((1, 1), (2, 2), (3, 5)):
        for _ in range(50):
            above = (rng.random(rng.integers(1, 12)) < 0.4).tolist()
            runs = [above[max(0, end - among) : end] for end in range(1, len(above) + 1)]
            assert Alarm(count, among).is_raised(above) == any(sum(run) >= count for run in runs)
    assert alarm_of("3/5") == Alarm(3, 5)
    assert alarm_of("1/1000000000000").is_raised([False, True])
    assert not alarm_of("1/1").is_raised([])
    assert alarm_of("3") == Alarm(3, 3)


def test_options_that_do_not_fit_are_refused(detector, long):
    for bad in ("0/2", "3/2", "x", "1/2/3"):
        with pytest.raises(UsageError, match="K/N"):
            alarm_of(bad)
    with pytest.raises(UsageError, match="--window"):
        detector.score(long[0], hop_s=1.0)
    with pytest.raises(UsageError, match="--window"):
        detector.score(long[0], alarm_after="3/5")
    for windows in ({"window_s": 1e-9}, {"window_s": 1.0, "hop_s": 1e-9}, {"window_s": 1.0, "hop_s": 2.0}):
        with pytest.raises(UsageError, match="at least"):
            detector.score(long[0], **windows)
    with pytest.raises(UsageError, match="at most the window"):
        detector.score(long[0], window_s=1.0, hop_s=2.0)
