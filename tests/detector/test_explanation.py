"""Explanations point at what was put into a recording."""

import os

import numpy as np
import pytest
import soundfile
from browser import shown
from scipy.signal import butter, sosfilt

import asdbench
from asdbench import Detector, Sound
from asdbench.core.errors import DataError, UsageError
from asdbench.detector.explanation import _spread

RATE = 16000


def rumble(seed, seconds=4.0):
    """Healthy: low noise."""
    noise = np.random.default_rng(seed).standard_normal(round(seconds * RATE))
    return 0.1 * sosfilt(butter(2, 1000, fs=RATE, output="sos"), noise)


def with_whistle(seed, start_s=2.0, end_s=3.0, hz=3400.0):
    samples = rumble(seed)
    times = np.arange(len(samples)) / RATE
    samples[(times >= start_s) & (times < end_s)] += (
        0.05 * np.sin(2 * np.pi * hz * times)[(times >= start_s) & (times < end_s)]
    )
    return samples


@pytest.fixture(scope="module")
def healthy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("healthy") / "pump"
    folder.mkdir()
    for seed in range(12):
        soundfile.write(folder / f"rec {seed}.wav", rumble(seed), RATE)
    return folder


@pytest.fixture(scope="module")
def pump(healthy, session_cache):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASDBENCH_CACHE", str(session_cache))
        return asdbench.fit(healthy, "raw-mel", "mahalanobis-lw")


def test_the_region_that_was_added_contributes_most(pump):
    for start_s, hz in ((2.0, 3400.0), (0.0, 6500.0), (3.0, 1800.0)):
        one = pump.explain(Sound(with_whistle(99, start_s, start_s + 1, hz), RATE, "whistle"))
        region = one.regions(1)[0]
        assert (region.start_s, region.end_s) == (start_s, start_s + 1)
        assert region.low_hz <= hz < region.high_hz
        assert one.score > one.threshold
        assert one.contributions.shape == (8, 4)
        assert one.contributions.max() > 3 * np.median(np.abs(one.contributions))


def test_examples_of_embeddings_with_bands_are_those_of_all_bands_together():
    rows = np.random.default_rng(0).normal(size=(40, 3, 5)).astype(np.float32)
    assert _spread(rows, 6) == _spread(rows.reshape(40, 15), 6)
    assert len(set(_spread(rows, 6))) == 6


def test_the_nearest_healthy_clip_is_the_nearest_and_the_score_is_the_detectors(pump, healthy):
    path = healthy / "rec 7.wav"
    one = pump.explain(path)
    assert one.nearest == "rec 7.wav"
    np.testing.assert_allclose(one.nearest_log_mel_db, one.log_mel_db, atol=0.3)  # stored in 256 steps
    assert one.score == pytest.approx(pump.score(path).scores[0])
    assert one.seconds == one.nearest_seconds == 4.0


def test_an_ensemble_is_explained_as_well(healthy, session_cache, monkeypatch):
    monkeypatch.setenv("ASDBENCH_CACHE", str(session_cache))
    both = asdbench.fit(healthy, "raw-mel:knn,psd:knn", "ensemble")
    region = both.explain(Sound(with_whistle(5), RATE)).regions(1)[0]
    assert region.low_hz <= 3400 < region.high_hz


def test_what_cannot_be_read_is_no_explanation(pump, tmp_path):
    (tmp_path / "text.wav").write_text("x")
    with pytest.raises(DataError, match=r"text\.wav cannot be explained"):
        pump.explain(tmp_path / "text.wav")


def test_the_page_shows_the_suspicious_clips_and_asks_the_network_for_nothing(pump, cli, tmp_path, browser):
    pump.save(tmp_path / "pump.asd")
    (tmp_path / "new").mkdir()
    soundfile.write(tmp_path / "new" / "good.wav", rumble(50), RATE)
    soundfile.write(tmp_path / "new" / "<b>bad.wav", with_whistle(51), RATE)
    (tmp_path / "new" / "broken.wav").write_text("x")
    page = tmp_path / "why.html"
    ran = cli("score", tmp_path / "pump.asd", tmp_path / "new", "--explain", page, "--json")
    assert ran.code == 1
    assert [(one["path"], one.get("anomalous")) for one in ran.json["clips"]] == [
        ("<b>bad.wav", True), ("broken.wav", None), ("good.wav", False)
    ]  # fmt: skip
    for dark in (False, True):
        with shown(browser, page, dark=dark) as opened:
            assert opened.page.locator("article h3").all_text_contents() == ["<b>bad.wav"]
            assert opened.page.locator("article svg").count() == 3
            assert "2.0 to 3.0 s" in opened.page.locator("article p").first.inner_text()
            assert "broken.wav" in opened.page.locator("section ul").inner_text()
            assert not opened.complaints
            assert not opened.requests
            assert opened.overflow_px == 0
    (tmp_path / "mine.html").write_text("mine")
    ran = cli("score", tmp_path / "pump.asd", tmp_path / "new" / "good.wav", "--explain", tmp_path / "mine.html")
    assert ran.code == 2
    assert (tmp_path / "mine.html").read_text() == "mine"


def test_of_a_long_recording_the_highest_window_is_explained(pump, cli, tmp_path):
    pump.save(tmp_path / "pump.asd")
    soundfile.write(tmp_path / "long.wav", np.concatenate([rumble(60), with_whistle(61), rumble(62)]), RATE)
    ran = cli("score", tmp_path / "pump.asd", tmp_path / "long.wav", "--window", 4, "--explain", tmp_path / "why.html")
    assert ran.code == 0, ran.err
    text = (tmp_path / "why.html").read_text(encoding="utf-8")
    assert "highest from 4.0 to 8.0 s" in text
    assert "6.0 to 7.0 s" in text


def test_the_page_is_written_whatever_bytes_a_name_holds_and_not_over_other_files(pump, cli, tmp_path):
    pump.save(tmp_path / "pump.asd")
    (tmp_path / os.fsdecode(b"caf\xe9.wav")).write_text("no sound")
    assert cli("score", tmp_path / "pump.asd", tmp_path, "--explain", tmp_path / "why.html").code == 1
    assert "caf\\udce9.wav" in (tmp_path / "why.html").read_text(encoding="utf-8")
    (tmp_path / "mine.html").write_text("mine")
    ran = cli("score", tmp_path / "pump.asd", tmp_path / "gone.wav", "--explain", tmp_path / "mine.html")
    assert ran.code == 2
    assert (tmp_path / "mine.html").read_text() == "mine"


def test_an_exported_or_foreign_file_is_refused(cli, tmp_path):
    (tmp_path / "x.asd").write_bytes(b"PK")
    ran = cli("score", tmp_path / "x.asd", "a.wav")
    assert ran.code == 3
    assert "is no detector, or damaged" in ran.err


def test_detectors_are_loaded_without_the_recordings(pump, healthy, tmp_path):
    path = pump.save(tmp_path / "pump.asd")
    whistle = Sound(with_whistle(70), RATE)
    np.testing.assert_array_equal(
        Detector.load(path).explain(whistle).contributions, pump.explain(whistle).contributions
    )
    with pytest.raises(UsageError, match="is a folder"):
        pump.save(tmp_path)
