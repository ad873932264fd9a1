import csv
import zipfile

import numpy as np
import pytest
import soundfile

from asdbench import Detector, Sound
from asdbench.core.digests import file_digest
from asdbench.core.errors import UsageError
from asdbench.detector.fitting import fit_run
from asdbench.detector.recordings import Recording

EMBEDS_ONE_BY_ONE = [("raw-mel", "knn"), ("raw-mel", "gmm"), ("autoencoder", "identity")]


def written(runs, record, machine, kind="anomaly_score"):
    """The run's own file: scores, or decisions, by the clip's name."""
    rows = csv.reader((runs / record.run_id / "scores" / f"{kind}_{machine}_section_00_test.csv").open())
    return {name: float(value) for name, value in rows}


@pytest.mark.parametrize(("extractor", "scorer"), EMBEDS_ONE_BY_ONE)
def test_a_saved_detector_gives_the_scores_and_decisions_of_its_run_to_the_last_bit(
    extractor, scorer, trained_run, trained_runs, small_dataset, tmp_path
):
    record = trained_run(extractor, scorer)
    system = Detector.load(fit_run(record).save(tmp_path / "fan.asd"))
    assert system.machines == {"fan": ["00"], "valve": ["00"]}
    for machine in system.machines:
        expected = written(trained_runs, record, machine)
        paths = [small_dataset / machine / "test" / name for name in expected]
        arrays = [Sound(*soundfile.read(path, dtype="float32")) for path in paths]
        for recordings in (paths, arrays):
            found = system.score(recordings, machine, "00")
            assert found.scores.tolist() == list(expected.values())
            assert found.decisions.tolist() == list(written(trained_runs, record, machine, "decision_result").values())
            assert found.threshold == record.thresholds[machine]["00"].value
        alone = [system.score([path], machine).scores[0] for path in paths]
        np.testing.assert_allclose(alone, list(expected.values()), rtol=1e-9)


def test_a_network_gives_the_same_bits_for_the_same_batches_and_else_the_same_but_for_rounding(
    trained_run, trained_runs, small_dataset, tmp_path
):
    record = trained_run("simclr", "mahalanobis-lw")
    system = Detector.load(fit_run(record).save(tmp_path / "fan.asd"))
    assert {fit.number for fit in system.content.members[0].fits.values()} == {0}  # one for both machine types
    for machine in system.machines:
        expected = written(trained_runs, record, machine)
        as_the_run = sorted(small_dataset.glob(f"{machine}/*/*.wav"), key=file_digest)
        scores = system.score(as_the_run, machine).scores
        found = {path.name: score for path, score in zip(as_the_run, scores, strict=True) if path.name in expected}
        assert found == expected
        some = sorted(expected)[::4]
        alone = [system.score([small_dataset / machine / "test" / name], machine).scores[0] for name in some]
        np.testing.assert_allclose(alone, [expected[name] for name in some], rtol=1e-4)


@pytest.fixture
def system(trained_run, tmp_path):
    return Detector.load(fit_run(trained_run("raw-mel", "knn")).save(tmp_path / "fan.asd"))


def test_the_folder_needs_neither_cache_nor_recordings_and_holds_no_pickle(
    trained_run, small_dataset, tmp_path, monkeypatch
):
    path = fit_run(trained_run("autoencoder", "identity")).save(tmp_path / "fan.asd")
    monkeypatch.setenv("ASDBENCH_CACHE", str(tmp_path / "empty"))
    clip = next((small_dataset / "fan" / "test").iterdir())
    (tmp_path / "elsewhere").mkdir()
    moved = path.rename(tmp_path / "elsewhere" / "moved.asd")
    assert np.isfinite(Detector.load(moved).score([clip], "fan").scores).all()
    assert {name.rpartition(".")[2] for name in zipfile.ZipFile(moved).namelist()} == {"json", "safetensors"}
    assert not (tmp_path / "empty").exists()


def test_recordings_of_another_rate_or_with_channels_are_taken_as_a_run_takes_them(system, tmp_path):
    samples = 0.1 * np.random.default_rng(0).standard_normal((48000, 2))
    soundfile.write(tmp_path / "a.wav", samples, 48000, subtype="FLOAT")
    read, _ = soundfile.read(tmp_path / "a.wav", dtype="float32")
    of_file = system.score([tmp_path / "a.wav"], "fan").scores
    name = tmp_path / "a.wav"
    assert system.score(name, "fan").notes == (
        f"{name} at 48000 Hz: resampled to 16000.",
        f"{name} with 2 channels: channel 0 is taken.",
    )
    assert of_file == system.score([Sound(read, 48000)], "fan").scores
    assert of_file == system.score([Sound(read[:, 0], 48000.0)], "fan").scores  # log-mel takes channel 0
    assert of_file != system.score([Sound(read[:, 1], 48000)], "fan").scores
    assert system.score([], "fan").scores.shape == (0,)


def test_every_recording_that_cannot_be_used_is_named_with_its_reason(system, tmp_path, write_wav):
    (tmp_path / "text.wav").write_text("no sound")
    noise = 0.1 * np.random.default_rng(0).standard_normal(16000)
    recordings = [
        write_wav(tmp_path / "good.wav"),
        tmp_path / "gone.wav",
        tmp_path / "text.wav",
        write_wav(tmp_path / "short.wav", seconds=0.01),
        Recording(tmp_path, str(tmp_path)),
        Sound(np.where(np.arange(16000) == 7, np.nan, noise), 16000, "with a hole"),
        Sound(np.zeros(16000), 16000),
        Sound((noise * 9999).astype(np.int16), 16000),
        Sound(noise, 0.0),
        Sound(noise.reshape(2, 2, -1), 16000),
    ]
    scored = system.score(recordings, "fan")
    assert np.isfinite(scored.scores).tolist() == [True] + 9 * [False]
    expected = [
        (str(tmp_path / "gone.wav"), "no such file"),
        (str(tmp_path / "text.wav"), "cannot be decoded"),
        (str(tmp_path / "short.wav"), "too short: 160 samples, at least 1025"),
        (str(tmp_path), "is a folder"),
        ("with a hole", "not numbers"),
        ("recording 6 (an array)", "silent"),
        ("recording 7 (an array)", "int16; accepted are floating-point"),
        ("recording 8 (an array)", "sample rate of 0 Hz"),
        ("recording 9 (an array)", "(2, 2, 4000)"),
    ]
    for (name, reason), result in zip(expected, scored.errors, strict=True):
        assert result.path == name
        assert reason in result.error
        assert result.to_json() == {"path": name, "error": result.error}


def test_a_clip_that_the_extractor_refuses_is_named(trained_run, tmp_path, write_wav):
    system = fit_run(trained_run("autoencoder", "identity"))
    recordings = [write_wav(tmp_path / "long.wav"), write_wav(tmp_path / "brief.wav", seconds=0.1)]
    long, brief = system.score(recordings, "fan")
    assert long.error is None
    assert brief.error.startswith("autoencoder stacks 5 frames")


def test_a_machine_type_or_section_that_was_not_trained_is_refused_with_those_that_were(system, small_dataset):
    clip = next((small_dataset / "fan" / "test").iterdir())
    with pytest.raises(UsageError, match="several machine types; name one with --machine: fan, valve"):
        system.score([clip])
    with pytest.raises(UsageError, match=r"not fitted to 'fann'\. Did you mean 'fan'"):
        system.score([clip], "fann")
    with pytest.raises(UsageError, match=r"no section '01'\. Accepted: 00"):
        system.score([clip], "fan", "01")
