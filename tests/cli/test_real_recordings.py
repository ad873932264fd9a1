"""The main job on real recordings, as the README gives it."""

from pathlib import Path

import pytest


@pytest.mark.slow
def test_both_extractors_on_the_real_slider(cli, shared_data, tmp_path, official_score_of_files):
    for split in ("train", "test"):  # every sixth clip
        (tmp_path / "few" / "slider" / split).mkdir(parents=True)
        for path in sorted((shared_data / "real" / "slider-2023" / "slider" / split).iterdir())[::6]:
            (tmp_path / "few" / "slider" / split / path.name).symlink_to(path)
    outcome = cli(
        "run", "--dataset", tmp_path / "few", "--extractor", "raw-mel", "--extractor", "simclr",
        "--scorer", "mahalanobis-ml", "--scorer", "knn", "-p", "simclr.steps=2",
        "-p", "simclr.backbone=resnet10t", "-p", "simclr.crop_s=1", "-p", "simclr.copies=1", "-p", "log-mel.n_mels=64",
        "--json", "--out", tmp_path / "runs",
    )  # fmt: skip
    assert outcome.code == 0
    runs = outcome.json["runs"]
    assert [(run["extractor"], run["scorer"], run["status"]) for run in runs] == [
        ("raw-mel", "mahalanobis-ml", "done"),
        ("raw-mel", "knn", "done"),
        ("simclr", "mahalanobis-ml", "done"),
        ("simclr", "knn", "done"),
    ]
    for run in runs:
        expected = official_score_of_files(Path(run["record"]).parent / "scores")
        assert run["official_score"] == pytest.approx(expected, abs=1e-12)
    raw = runs[0]["machines"]["slider"]
    assert raw["auc_source"] > raw["auc_target"], "the other rail is the harder one"
    assert raw["auc_source"] > 0.7
