"""``asdbench fit``, ``score`` and ``export`` by hand: what an engineer types, and what goes wrong."""

import csv
import io
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest

import asdbench
from asdbench import Detector
from asdbench.datasets.folds import folds


@pytest.fixture(scope="module")
def pump(small_dataset, tmp_path_factory):
    """Twenty healthy recordings of one machine with a recorder's names, and others of tomorrow."""
    folder = tmp_path_factory.mktemp("own")
    for split, place in (("train", "pump"), ("test", "tomorrow")):
        (folder / place).mkdir()
        for number, clip in enumerate(sorted(small_dataset.glob(f"fan/{split}/*.wav"))):
            shutil.copyfile(clip, folder / place / f"pump_2025-03-{number + 1:02d}T10-00.wav")
    return folder


def fitted(cli, pump, path, *more):
    return cli("fit", pump / "pump", "--extractor", "raw-mel", "--scorer", "knn", "--to", path, *more)


def test_three_commands_from_healthy_recordings_to_an_alarm(cli, pump, tmp_path):
    ran = fitted(cli, pump, tmp_path / "pump.asd", "--false-alarms", 0.1, "--json")
    assert ran.code == 0, ran.err
    threshold = ran.json["machines"]["pump"]["thresholds"]["00"]["value"]
    ran = cli("score", tmp_path / "pump.asd", pump / "tomorrow", "--json")
    assert ran.code == 0, ran.err
    clips = ran.json["clips"]
    assert [one["path"] for one in clips] == sorted(path.name for path in (pump / "tomorrow").iterdir())
    assert [one["anomalous"] for one in clips] == [one["score"] > threshold for one in clips]
    healthy = Detector.load(tmp_path / "pump.asd").training_scores()
    assert len(healthy) == 20
    assert threshold == np.sort(healthy)[18]  # the 19th of 20: one of 21 may lie above
    for one in clips:
        assert one["p_value"] == pytest.approx((1 + (healthy >= one["score"]).sum()) / 21)
    assert cli("score", tmp_path / "pump.asd", pump / "tomorrow", "--fail-on-alarm", "--threshold", 0).code == 4
    assert cli("score", tmp_path / "pump.asd", pump / "tomorrow", "--fail-on-alarm", "--threshold", 1e9).code == 0


def test_the_same_system_as_a_run_has_the_threshold_and_scores_of_that_run(cli, small_dataset, tmp_path):
    words = ("--extractor", "raw-mel", "--scorer", "mahalanobis-lw")
    ran = cli("run", *words, "--dataset", small_dataset, "--out", tmp_path / "runs", "--json")
    record = ran.json["runs"][0]["record"]
    cli("fit", "--from", tmp_path / "runs" / record.split("/")[-2], "--to", tmp_path / "run.asd")
    cli("fit", small_dataset, *words, "--to", tmp_path / "fit.asd")
    one, other = (Detector.load(tmp_path / name) for name in ("run.asd", "fit.asd"))
    for machine in ("fan", "valve"):
        clips = sorted(small_dataset.glob(f"{machine}/test/*.wav"))
        assert one.score(clips, machine).clips == other.score(clips, machine).clips
    assert cli("score", tmp_path / "fit.asd", clips[0]).code == 2  # which machine type?


def test_rates_that_the_clips_cannot_promise_are_refused_before_anything_is_written(cli, pump, tmp_path):
    ran = fitted(cli, pump, tmp_path / "pump.asd", "--false-alarms", 0.01)
    assert ran.code == 2
    assert "1/21 = 0.04762; 0.01 takes 99 clips" in ran.err
    assert not (tmp_path / "pump.asd").exists()
    assert fitted(cli, pump, tmp_path / "pump.asd", "--false-alarms", 0.2, "--threshold", 3).code == 2
    (tmp_path / "pump.asd").write_text("mine")
    assert fitted(cli, pump, tmp_path / "pump.asd").code == 2
    assert (tmp_path / "pump.asd").read_text() == "mine"


def test_bad_recordings_are_rows_and_all_others_are_scored(cli, pump, fan_detector, tmp_path):
    good = next((pump / "tomorrow").iterdir())
    (tmp_path / "bad.wav").write_text("no sound")
    (tmp_path / "empty").mkdir()
    ran = cli("score", fan_detector, tmp_path / "bad.wav", good, tmp_path / "gone.wav", "--csv")
    assert ran.code == 1
    rows = list(csv.DictReader(io.StringIO(ran.out)))
    assert [one["path"] for one in rows] == [str(tmp_path / "bad.wav"), str(good), str(tmp_path / "gone.wav")]
    assert [bool(one["error"]) for one in rows] == [True, False, True]
    assert rows[1]["anomalous"] in ("0", "1")
    table = cli("score", fan_detector, tmp_path / "bad.wav", good)
    assert "1 could not be scored" in table.out
    assert cli("score", fan_detector, tmp_path / "empty").code == 2
    assert cli("score", fan_detector).code == 2
    assert cli("score", fan_detector, "").code == 2


def test_every_name_is_a_row_whatever_is_in_it_and_whoever_prints(cli, pump, fan_detector, tmp_path, monkeypatch):
    good, score = next((pump / "tomorrow").iterdir()), Detector.score
    names = ["a,b\"c'.wav", "line\nbreak.wav", "delete\x7f.wav", "\u00fcml\u00e4ut 1.wav"]
    for name in names:
        shutil.copyfile(good, tmp_path / name)

    def loud(*words, **options):
        print("a plugin prints")
        return score(*words, **options)

    monkeypatch.setattr(Detector, "score", loud)
    rows = list(csv.DictReader(io.StringIO(cli("score", fan_detector, tmp_path, "--csv").out)))
    assert [row["path"] for row in rows] == sorted(names)
    assert len({row["score"] for row in rows}) == 1
    lines = cli("score", fan_detector, tmp_path).out.splitlines()
    assert len(lines) == 1 + 1 + len(names) + 1  # what the plugin prints, the head, the sum


def test_names_on_standard_input_may_hold_any_bytes(pump, fan_detector, tmp_path, monkeypatch):
    good = next((pump / "tomorrow").iterdir())
    (tmp_path / os.fsdecode(b"caf\xe9.wav")).write_bytes(good.read_bytes())
    names = io.TextIOWrapper(io.BytesIO(os.fsencode(tmp_path) + b"/caf\xe9.wav\n\n" + os.fsencode(good) + b"\n"))
    monkeypatch.setattr("sys.stdin", names)
    scored = Detector.load(fan_detector).score(["-"])
    assert [os.fsencode(one.path)[-8:] for one in scored] == [b"caf\xe9.wav", os.fsencode(good)[-8:]]
    assert scored[1].error is None


def test_wrong_use_of_fit_is_told_before_anything_is_trained(cli, pump, tmp_path, monkeypatch):
    monkeypatch.setattr(asdbench, "fit", None)
    for words, message in (
        (("--extractor", "raw-mel", "--scorer", "knn", "--to", tmp_path, "--force"), "is a folder; a detector is one"),
        (("--extractor", "raw-mel", "--scorer", "knn", "--to", pump / "pump.txt" / "x.asd"), "--to FILE.asd"),
        (("--extractor", "raw-mel"), "--scorer is missing"),
        (("--extractor", "raw-mel", "--scorer", "knn", "--system", "shin2023-simclr-ml"), "give one or the other"),
    ):
        (pump / "pump.txt").write_text("in the way")
        ran = cli("fit", pump / "pump", *words)
        assert ran.code == 2
        assert message in ran.err


def test_an_exported_model_is_a_detector_as_well(cli, pump, fan_detector, tmp_path):
    exported = cli("export", fan_detector, "--onnx", tmp_path / "fan.onnx", "--check", pump / "tomorrow")
    assert exported.code == 0, exported.err
    ran, expected = (
        cli("score", one, pump / "tomorrow", "--json").json for one in (tmp_path / "fan.onnx", fan_detector)
    )
    for one, other in zip(ran["clips"], expected["clips"], strict=True):
        assert one["score"] == pytest.approx(other["score"], rel=1e-4)
        assert {**one, "score": 0, "threshold": 0} == {**other, "score": 0, "threshold": 0}
    (tmp_path / "folder.onnx").mkdir()
    (tmp_path / "bad.wav").write_text("no sound")
    for words, message in (
        (("fan.onnx",), "it is there already"),
        (("folder.onnx", "--force"), "it is there already"),
        (("fan.txt",), "ends in .onnx"),
        (("new.onnx", "--check", tmp_path / "bad.wav"), "bad.wav: cannot be decoded"),
    ):
        refused = cli("export", fan_detector, "--onnx", tmp_path / words[0], *words[1:])
        assert refused.code == 2
        assert message in refused.err
    explained = cli("score", tmp_path / "fan.onnx", pump / "tomorrow", "--explain", tmp_path / "why.html")
    assert explained.code == 3
    assert "cannot explain" in explained.err
    asdbench.fit(pump / "pump", "raw-mel", "pyod:IForest").save(tmp_path / "forest.asd")
    refused = cli("export", tmp_path / "forest.asd", "--onnx", tmp_path / "forest.onnx")
    assert refused.code == 3
    assert not (tmp_path / "forest.onnx").exists()
    windows = ("--window", 0.5, "--hop", 0.25, "--alarm-after", "2/3", "--json")
    assert cli("score", tmp_path / "fan.onnx", pump / "tomorrow", *windows).code == 0


def test_an_extractor_that_is_trained_is_trained_without_the_clips_whose_scores_set_the_threshold(
    pump, session_cache, monkeypatch
):
    """The scores of the healthy clips are those of detectors fitted to the other folds alone."""
    monkeypatch.setenv("ASDBENCH_CACHE", str(session_cache))
    quick = {"autoencoder.epochs": 1, "autoencoder.hidden_dim": 16}
    healthy = asdbench.load(pump / "pump")
    detector = asdbench.fit(healthy, "autoencoder", "identity", params=quick, held_out=2)
    fold = folds(healthy.training("pump"), 2)
    expected = np.empty(len(fold))
    for number in (0, 1):
        others = {clip.key for clip, one in zip(healthy.training("pump"), fold, strict=True) if one != number}
        part = replace(healthy, clips=tuple(clip for clip in healthy if clip.key in others))
        of_fold = asdbench.fit(part, "autoencoder", "identity", params=quick, held_out=0)
        paths = {clip.key: clip.path for clip in healthy}
        left_out = [paths[clip.key] for clip, one in zip(healthy.training("pump"), fold, strict=True) if one == number]
        expected[fold == number] = of_fold.score(left_out).scores
    np.testing.assert_allclose(detector.training_scores(), expected, rtol=1e-6)
    assert any("has seen the healthy clips" in note for note in of_fold.notes)
