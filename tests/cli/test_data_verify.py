"""``asdbench data verify`` and ``asdbench data info`` as people and programs see them."""

import shutil

import numpy as np
import pytest
import soundfile

CARD = """
summary = "Two machine types of a few clips."
description = "For tests."
year = 2023
protocol = "dcase2023"
layout = "dcase2023"
licence = "none"
sample_rate_hz = 16000
channels = 1
[problems]
general = "The moon is full."
[splits.dev]
sections = ["00"]
labelled = true
zips = ["https://example.org/files/dev_{machine}.zip"]
counts = { train = { source = 8, target = 2 }, test = { source_normal = 3, source_anomaly = 3, target_normal = 3, target_anomaly = 3 } }
clip_s = [0.5, 0.5]
[splits.dev.machines]
fan  = {}
pump = {}
"""  # noqa: E501


@pytest.fixture
def challenge(tmp_path, make_folder, dcase2023_names):
    """Root of a challenge's data and the words that name it."""
    place = tmp_path / "plugin" / "registry" / "datasets"
    place.mkdir(parents=True)
    (place / "tiny.toml").write_text(CARD)
    root = make_folder({"fan": dcase2023_names(), "pump": dcase2023_names()})
    return root, ("tiny", "--data-root", root, "--plugin-path", tmp_path / "plugin")


def test_data_that_are_right(cli, challenge):
    _, words = challenge
    outcome = cli("data", "verify", *words)
    assert outcome.code == 0
    assert "44 recordings of 2 machine types, 22.0 s" in outcome.out
    assert outcome.out.count(" ok ") == 2
    assert "general: The moon is full." in outcome.out
    assert outcome.out.splitlines()[-1] == "tiny-dev: no errors, 0 warnings."


def test_warnings_alone_end_with_0_and_errors_with_1(cli, challenge):
    root, words = challenge
    clipped = root / "fan" / "train" / "section_00_source_train_normal_0001_vel_1.wav"
    soundfile.write(clipped, np.clip(np.random.default_rng(1).standard_normal(8000), -1, 1), 16000)
    outcome = cli("data", "verify", *words)
    assert outcome.code == 0
    assert "fan: 1 recording of 22 clipped" in outcome.out
    assert outcome.out.splitlines()[-1] == "tiny-dev: no errors, 1 warning."
    shutil.rmtree(root / "pump")
    outcome = cli("data", "verify", *words)
    assert outcome.code == 1
    assert f"pump: no folder of it below {root}" in outcome.out
    last = f"Get what is missing: asdbench data download tiny --split dev --machine pump --data-root {root}"
    assert outcome.out.splitlines()[-2:] == ["tiny-dev: 1 error, 1 warning.", last]


def test_long_lists_are_cut_short_unless_asked(cli, challenge):
    root, words = challenge
    for machine in ("fan", "pump"):
        for path in (root / machine / "train").iterdir():
            path.write_bytes(b"")
    outcome = cli("data", "verify", *words)
    assert "  fan, pump: 10 recordings that cannot be used each\n" in outcome.out
    assert outcome.out.count("the file is empty") == 5
    assert "and 15 more" in outcome.out
    assert "with --verbose names every file" in outcome.out
    outcome = cli("data", "verify", *words, "--verbose")
    assert outcome.out.count("the file is empty") == 20
    assert "more" not in outcome.out


def test_one_json_object_with_every_file(cli, challenge):
    root, words = challenge
    for path in (root / "fan" / "train").iterdir():
        path.write_bytes(b"")
    outcome = cli("data", "verify", *words, "--json")
    assert outcome.code == 1
    found = outcome.json
    assert (found["ok"], found["errors"], found["warnings"], found["recordings"]) == (False, 1, 0, 44)
    (finding,) = found["findings"]
    assert (finding["kind"], finding["level"], finding["machine"], len(finding["files"])) == (
        "unusable", "error", "fan", 10,
    )  # fmt: skip
    assert [(row["machine"], row["status"]) for row in found["machines"]] == [("fan", "error"), ("pump", "ok")]
    assert found["known_problems"] == {"general": "The moon is full."}


@pytest.mark.parametrize("verb", ["info", "verify"])
def test_what_cannot_be_looked_at(cli, challenge, tmp_path, verb):
    root, words = challenge
    outcome = cli("data", verb, *words, "--machine", "pmp")
    assert (outcome.code, "Did you mean 'pump'" in outcome.err) == (2, True)
    outcome = cli("data", verb, *words, "--split", "eval")
    assert (outcome.code, "has no split 'eval'. Accepted: dev" in outcome.err) == (2, True)
    outcome = cli("data", verb, root, "--split", "dev")
    assert (outcome.code, "not the data set of a challenge" in outcome.err) == (2, True)
    outcome = cli("data", verb, tmp_path / "nowhere")
    assert (outcome.code, "neither a folder nor a card" in outcome.err) == (2, True)
    outcome = cli("data", verb, "dcase2023", "--data-root", tmp_path / "nowhere")
    assert (outcome.code, "Get it: asdbench data download dcase2023 --split dev" in outcome.err) == (3, True)


def test_ground_truth_that_is_not_there(cli, challenge, tmp_path):
    _, words = challenge
    outcome = cli("data", "verify", *words, "--ground-truth", tmp_path / "nowhere")
    assert outcome.code == 3
    assert "no ground truth of fan, pump lies there" in outcome.err


def test_info_of_a_whole_challenge(cli, challenge):
    _, words = challenge
    found = cli("data", "info", *words, "--json").json
    assert (found["name"], found["layout"], found["missing"], found["unreadable"]) == ("tiny-dev", "dcase2023", [], 0)
    assert len(found["fingerprint"]) == 32
    assert sum(row["clips"] for row in found["clips"]) == 44
    assert found["clips"][0] == {
        "machine": "fan", "section": "00", "split": "test", "domain": "source", "label": "anomaly", "clips": 3,
    }  # fmt: skip
    row = found["machines"][1]
    assert (row["machine"], row["rates_hz"], row["channels"], row["shortest_s"], row["attributes"]) == (
        "pump", [16000], [1], 0.5, "known",
    )  # fmt: skip


def test_info_and_run_give_the_same_fingerprint(cli, challenge):
    root, words = challenge
    run = ("run", "--dataset", *words, "--extractor", "raw-mel", "--scorer", "knn", "--dry-run", "--json")
    assert cli(*run).json["datasets"][0]["fingerprint"] == cli("data", "info", *words, "--json").json["fingerprint"]
    assert cli("data", "info", root, "--json").json["fingerprint"] is not None


def test_info_of_what_is_not_complete(cli, challenge):
    root, words = challenge
    shutil.rmtree(root / "pump")
    shutil.rmtree(root / "fan" / "test")
    outcome = cli("data", "info", *words)
    assert outcome.code == 0
    assert "missing: pump: nothing of it" in outcome.out
    assert "missing: fan section 00: no test recordings" in outcome.out
    assert "0 of 12" in outcome.out
    assert f"asdbench data download tiny --split dev --machine pump --data-root {root}" in outcome.out
    found = cli("data", "info", *words, "--machine", "fan", "--json").json
    assert found["fingerprint"] is None
    assert found["missing"] == ["fan section 00: no test recordings"]


def test_info_counts_supplemental_clips(cli, challenge, write_wav):
    root, words = challenge
    write_wav(root / "fan" / "supplemental" / "section_00_noise_supplemental_0000.wav", seed=70)
    found = cli("data", "info", *words, "--json").json
    (row,) = [row for row in found["clips"] if row["split"] == "supplemental"]
    assert (row["machine"], row["label"], row["clips"]) == ("fan", "unlabelled", 1)
    assert "44 clips and 1 supplemental" in cli("data", "info", *words).out


def test_info_says_what_cannot_be_used(cli, challenge):
    root, words = challenge
    (root / "fan" / "train" / "strange.wav").write_bytes(b"")
    outcome = cli("data", "info", *words)
    assert outcome.code == 0
    assert "cannot be used: fan/train/strange.wav: the name fits no known layout" in outcome.out
    assert f"asdbench data verify tiny --split dev --data-root {root}" in outcome.out


def test_bad_recordings_are_listed_with_their_cure_by_every_command(cli, challenge, tmp_path):
    root, _ = challenge
    rate, half = sorted((root / "fan" / "train").iterdir())[:2]
    soundfile.write(rate, np.random.default_rng(1).uniform(-1, 1, 100), 1)
    content = bytearray(half.read_bytes())
    content[40:44] = (8000).to_bytes(4, "little")
    half.write_bytes(content)
    run = ("run", "--dataset", root, "--extractor", "raw-mel", "--scorer", "knn", "--out", tmp_path / "runs")
    for words in (("data", "info", root), ("data", "verify", root), run):
        outcome = cli(*words)
        lines = [line for line in (outcome.out + outcome.err).splitlines() if rate.name in line or half.name in line]
        assert sorted("copy or record it again" in line for line in lines) == [False, True]
        assert sorted("sox --ignore-length" in line for line in lines) == [False, True]
    assert cli("data", "info", root, "--json").json["unreadable"] == 2


def test_names_of_two_recordings_are_told_by_every_command(cli, challenge, tmp_path):
    root, _ = challenge
    one = sorted((root / "fan" / "test").iterdir())[0]
    shutil.copy(one, one.with_suffix(".WAV"))
    run = ("run", "--dataset", root, "--extractor", "raw-mel", "--scorer", "knn", "--out", tmp_path / "runs")
    for words in (("data", "info", root), ("data", "verify", root), run, (*run, "--dry-run")):
        outcome = cli(*words)
        assert outcome.code == (0 if "info" in words else 1 if "verify" in words else 3)
        assert (outcome.out + outcome.err).count("has the name of") == 2
