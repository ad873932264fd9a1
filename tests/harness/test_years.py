"""A run on every year's data, in miniature, from the card's name to the official score and back."""

import pytest
from miniatures import MACHINES, miniature
from official_score import official_score_of_files

FILES = {
    2020: "{kind}_fan_id_00.csv",
    2021: "{kind}_fan_section_01_target_test.csv",
    2022: "{kind}_fan_section_02_test.csv",
    2024: "{kind}_ToyTrain_section_00_test.csv",
    2026: "{kind}_sliderEmu_section_00_test.csv",
}


@pytest.fixture(scope="module")
def data_root(tmp_path_factory):
    root = tmp_path_factory.mktemp("years")
    for year, split in MACHINES:
        if year in FILES:
            miniature(year, split).write(root / f"dcase{year}" / f"{split}_data" / "raw")
    return root


def run(cli, data_root, tmp_path, year, split, *words):
    outcome = cli(
        "run", "--dataset", f"dcase{year}", "--split", split, "--data-root", data_root, "--out", tmp_path,
        "--extractor", "raw-mel", "--scorer", "random", "--json", *words,
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    return outcome.json["runs"][0]


@pytest.mark.parametrize("year", FILES)
def test_a_development_set_comes_to_the_years_official_score(cli, data_root, tmp_path, year):
    record = run(cli, data_root, tmp_path, year, "dev")
    assert (record["dataset"], record["protocol"]) == (f"dcase{year}-dev", f"dcase{year}")
    assert set(record["machines"]) == set(MACHINES[year, "dev"])
    folder = tmp_path / record["run_id"]
    for kind in ("anomaly_score", "decision_result"):
        assert (folder / "scores" / FILES[year].format(kind=kind)).is_file(), "the year's official file names"
    assert record["official_score"] == pytest.approx(official_score_of_files(folder / "scores", year), abs=1e-12)
    assert record["partial"], "fewer clips than the card says"
    again = cli("evaluate", folder / "scores", "--protocol", f"dcase{year}", "--split", "own", "--ci", "none", "--json")
    assert again.json["official_score"] == record["official_score"]
    checked = cli("evaluate", folder, "--ci", "none", "--json")
    assert (checked.code, checked.json["official_score"]) == (1, None)


@pytest.mark.parametrize("year", [2020, 2021, 2026])
def test_an_evaluation_set_is_scored_without_labels(cli, data_root, tmp_path, year):
    record = run(cli, data_root, tmp_path, year, "eval")
    assert record["official_score"] is None
    files = list((tmp_path / record["run_id"] / "scores").glob("anomaly_score_*"))
    assert len({file.name.split("_")[2] for file in files}) == len(MACHINES[year, "eval"])


def test_some_machine_types_of_a_challenge_give_a_partial_score(cli, data_root, tmp_path):
    words = ("--machine", "fan", "--machine", "valve")
    record = run(cli, data_root, tmp_path, 2022, "dev", *words)
    assert set(record["machines"]) == {"fan", "valve"}
    shown = cli(
        "run", "--dataset", "dcase2022", "--data-root", data_root, "--out", tmp_path, "--extractor", "raw-mel",
        "--scorer", "random", *words,
    )  # fmt: skip
    assert "PARTIAL score by dcase2022, not official" in shown.out
    assert "dcase2022-dev is partial: left out: ToyCar, ToyTrain, bearing, gearbox, slider" in shown.err
    assert "official score" not in shown.out
    evaluated = cli("evaluate", tmp_path / record["run_id"], "--json")
    assert evaluated.code == 1
    assert evaluated.json["official_score"] is None


def test_a_machine_type_that_is_not_there_stops_the_run_and_names_the_download(cli, data_root, tmp_path):
    import shutil

    shutil.copytree(data_root / "dcase2024", tmp_path / "dcase2024")
    shutil.rmtree(tmp_path / "dcase2024" / "dev_data" / "raw" / "valve")
    words = ("run", "--dataset", "dcase2024", "--data-root", tmp_path, "--extractor", "raw-mel", "--scorer", "random")
    outcome = cli(*words, "--out", tmp_path / "runs")
    assert outcome.code == 3
    assert "no recordings of valve" in outcome.err
    assert f"asdbench data download dcase2024 --split dev --machine valve --data-root {tmp_path}" in outcome.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--dataset", "dcase2023", "--split", "test"], "split"),
        (["--dataset", "synthetic", "--split", "dev"], "is not the data set of a challenge"),
        (
            ["--dataset", "dcase2023", "--machine", "fann", "--data-root", "."],
            "has no machine 'fann'. Did you mean 'fan'",
        ),
    ],
)
def test_mistakes(cli, words, message):
    outcome = cli("run", *words, "--extractor", "raw-mel", "--scorer", "random")
    assert outcome.code == 2
    assert message in outcome.err


def test_another_years_data_is_refused(cli, data_root, tmp_path):
    """Machine types recur from year to year; sections and folders tell the years apart."""
    import shutil

    for year in (2022, 2021):
        place = tmp_path / str(year)
        shutil.copytree(data_root / f"dcase{year}" / "dev_data" / "raw", place / "dev_data" / "raw")
        outcome = cli(
            "run", "--dataset", "dcase2023", "--data-root", place, "--machine", "fan", "--extractor", "raw-mel",
            "--scorer", "random", "--out", tmp_path / "runs",
        )  # fmt: skip
        assert outcome.code == 3
        assert "fan: section 01, 02" in outcome.err
    one_section = tmp_path / "2021" / "dev_data" / "raw" / "fan"
    for path in one_section.rglob("section_0[12]_*"):
        path.unlink()
    outcome = cli(
        "run", "--dataset", "dcase2023", "--data-root", tmp_path / "2021", "--machine", "fan", "--extractor", "raw-mel",
        "--scorer", "random", "--out", tmp_path / "runs",
    )  # fmt: skip
    assert outcome.code == 3
    assert "names and folders of dcase2021, not those of dcase2023" in outcome.err


def test_two_channels_where_the_card_says_one_are_told(cli, data_root, tmp_path):
    import shutil

    shutil.copytree(data_root / "dcase2026" / "dev_data" / "raw" / "fan", tmp_path / "dev_data" / "raw" / "fan")
    outcome = cli(
        "run", "--dataset", "dcase2025", "--data-root", tmp_path, "--machine", "fan", "--extractor", "raw-mel",
        "--scorer", "random", "--out", tmp_path / "runs",
    )  # fmt: skip
    assert "fan has 2 channels, not 1" in outcome.err
