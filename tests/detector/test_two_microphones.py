"""A run on two-channel recordings, from the files to its report and to a system that scores others."""

import base64
import io
import re

import numpy as np
import pytest
import soundfile

import asdbench
from asdbench import Detector, Sound
from asdbench.core.progress import Silent
from asdbench.datasets.audio import read_audio
from asdbench.datasets.far_cancellation import near_minus_far
from asdbench.detector.fitting import fit_run
from asdbench.report import write_report


@pytest.fixture(scope="module")
def stereo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "stereo"
    small = {"machines": ["fan"], "clip_s": 1.0, "train_source": 12, "train_target": 4, "test": 8}
    asdbench.build("synthetic-stereo", **small).make(folder, 1, Silent())
    return folder


def run_of(trained_run, stereo, channel):
    return trained_run("raw-mel", "knn", dataset=str(stereo), params={"log-mel.channel": channel})


def test_files_and_arrays_get_the_scores_of_the_run_and_each_channel_scores_of_its_own(
    trained_run, trained_runs, stereo, tmp_path
):
    seen = set()
    for channel in ("0", "0-1"):
        record = run_of(trained_run, stereo, channel)
        scores = (trained_runs / record.run_id / "scores" / "anomaly_score_fan_section_00_test.csv").read_text()
        expected = {name: float(score) for name, score in (line.split(",") for line in scores.split())}
        paths = [stereo / "fan" / "test" / name for name in expected]
        system = Detector.load(fit_run(record).save(tmp_path / f"{channel}.asd"))
        for recordings in (paths, [Sound(*soundfile.read(path, dtype="float32")) for path in paths]):
            assert system.score(recordings, "fan").scores.tolist() == list(expected.values())
        seen.add(tuple(expected.values()))
    assert len(seen) == 2
    near = soundfile.read(paths[0], dtype="float32")[0][:, 0]
    (alone,) = system.score([Sound(near, 16000, "alone")], "fan")
    assert alone.error.startswith("has 1 channel(s); 0-1 takes two")


def test_the_report_plays_what_the_front_end_heard(trained_run, trained_runs, stereo):
    record = run_of(trained_run, stereo, "0-1")
    page = write_report(trained_runs / record.run_id, audio=True, worst=1, embedding_map="none").read_text(
        encoding="utf-8"
    )
    residuals = []
    for path in (stereo / "fan" / "test").iterdir():
        both = soundfile.read(path, dtype="float32")[0]
        residuals.append(near_minus_far(both[:, 0], both[:, 1], 16000))
        np.testing.assert_array_equal(residuals[-1], read_audio(path, 16000, "0-1"))
    sounds = re.findall(r"data:audio/wav;base64,([A-Za-z0-9+/=]+)", page)
    assert sounds
    for sound in sounds:
        played, _ = soundfile.read(io.BytesIO(base64.b64decode(sound)))
        assert min(np.abs(played - one).max() for one in residuals) < 1e-4
