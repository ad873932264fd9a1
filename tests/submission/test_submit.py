"""A submission from a run to the check and back to the numbers, on a miniature challenge."""

from itertools import pairwise

import numpy as np
import pytest
import soundfile
import yaml

CARD = """
summary = "A miniature challenge."
year = 2023
protocol = "dcase2023"
layout = "dcase2023"
licence = "none"
sample_rate_hz = 16000
channels = 1
[splits.dev]
sections = ["00"]
labelled = true
zips = ["http://localhost/{machine}.zip"]
counts = { test = { source_normal = 3, source_anomaly = 3, target_normal = 3, target_anomaly = 3 } }
[splits.dev.machines]
fan = {}
[splits.eval]
sections = ["00"]
labelled = false
zips = ["http://localhost/{machine}.zip"]
counts = { test = { clips = 12 } }
[splits.eval.machines]
3DPrinter = {}
Vacuum = {}
"""
LABEL = "Sato_NTU_task2_1"


@pytest.fixture(scope="module")
def challenge(tmp_path_factory):
    """A plugin folder with the card, and its data root."""
    root = tmp_path_factory.mktemp("challenge")
    (root / "plugin" / "registry" / "datasets").mkdir(parents=True)
    (root / "plugin" / "registry" / "datasets" / "mini.toml").write_text(CARD)
    rng = np.random.default_rng(0)
    test = [
        f"section_00_{domain}_test_{label}_{number:04d}_vel_1.wav"
        for domain in ("source", "target")
        for label in ("normal", "anomaly")
        for number in range(3)
    ]
    for split, machines in (("dev", ["fan"]), ("eval", ["3DPrinter", "Vacuum"])):
        names = test if split == "dev" else [f"section_00_{number:04d}.wav" for number in range(12)]
        train = [f"section_00_{d}_train_normal_{n:04d}_vel_1.wav" for d in ("source", "target") for n in range(6)]
        for machine in machines:
            for folder, files in (("train", train), ("test", names)):
                place = root / "data" / "dcase2023" / f"{split}_data" / "raw" / machine / folder
                place.mkdir(parents=True)
                for file in files:
                    loudness = 0.3 if "anomaly" in file else 0.1
                    soundfile.write(place / file, loudness * rng.standard_normal(8000), 16000)
    return root


@pytest.fixture(scope="module")
def runs(challenge, session_cache, tmp_path_factory):
    """Folders of a run on the evaluation and one on the development data."""
    from typer.testing import CliRunner

    from asdbench.cli.app import app

    out = tmp_path_factory.mktemp("runs")
    for split in ("eval", "dev"):
        arguments = [
            "run",
            "--dataset",
            "mini",
            "--split",
            split,
            "--data-root",
            str(challenge / "data"),
            "--out",
            str(out),
        ]
        arguments += ["--plugin-path", str(challenge / "plugin"), "--extractor", "autoencoder", "--scorer", "identity"]
        environment = {"ASDBENCH_CACHE": str(session_cache)}
        outcome = CliRunner().invoke(app, [*arguments, "-p", "autoencoder.epochs=1", "--quiet"], env=environment)
        assert outcome.exit_code == 0, outcome.output
    return {split: next(out.glob(f"*mini-{split}-*")) for split in ("eval", "dev")}


@pytest.fixture
def submitted(cli, challenge, runs, tmp_path):
    outcome = cli("submit", runs["eval"], "--label", LABEL, "--out", tmp_path, "--plugin-path", challenge / "plugin")
    return outcome, tmp_path / "Sato_NTU" / LABEL


def test_a_run_is_found_by_the_beginning_of_its_id(cli, challenge, runs, tmp_path):
    arguments = ("--label", LABEL, "--out", tmp_path, "--plugin-path", challenge / "plugin")
    folder, beginning = runs["eval"].parent, runs["eval"].name[:-4]
    outcome = cli("submit", beginning, "--runs", folder, *arguments, "--development", runs["dev"].name)
    assert outcome.code == 0, outcome.err
    assert (tmp_path / "Sato_NTU" / LABEL).is_dir()
    none = cli("submit", "autoencdr", "--runs", folder, *arguments)
    assert (none.code, "No run 'autoencdr'" in none.err) == (2, True)


def checked(cli, challenge, folder):
    outcome = cli("submit", "--check", folder, "--json", "--plugin-path", challenge / "plugin", "--protocol", "mini")
    return outcome.json["findings"], outcome.code


def write_list(path):
    """Labels of the evaluation clips, as the baselines have them."""
    rows = []
    for machine in ("3DPrinter", "Vacuum"):
        rows.append(machine)
        for number in range(12):
            domain, label = ("source", "target")[number % 2], ("normal", "anomaly")[number // 6]
            rows.append(f"section_00_{number:04d}.wav,section_00_{domain}_test_{label}_{number:04d}_vel_1.wav")
    path.write_text("\n".join(rows) + "\n")
    return path


def errors(findings):
    return [finding for finding in findings if finding["level"] == "error"]


def test_the_folder_holds_what_the_organisers_want(submitted):
    outcome, folder = submitted
    assert outcome.code == 0, outcome.out
    assert {path.name for path in folder.iterdir()} == {
        f"{kind}_{machine}_section_00_test.csv"
        for kind in ("anomaly_score", "decision_result")
        for machine in ("3DPrinter", "Vacuum")
    } | {f"{LABEL}.meta.yaml"}
    assert "authors[0].email is not filled in" in outcome.out


def test_the_meta_file_counts_the_network_and_has_the_development_results(submitted, runs, cli):
    _, folder = submitted
    meta = yaml.safe_load((folder / f"{LABEL}.meta.yaml").read_text())
    assert meta["submission"]["label"] == LABEL
    # Nine dense layers with biases and eight batch normalisations, written out.
    sizes = [640, 128, 128, 128, 128, 8, 128, 128, 128, 128, 640]
    weights = sum(a * b for a, b in pairwise(sizes))
    assert meta["system"]["complexity"]["total_parameters"] == weights + sum(sizes[1:]) + 2 * sum(sizes[1:-1])
    frames = 8000 // 512 + 1  # of 0.5 s, the ends padded; five in a row make one vector
    assert meta["system"]["complexity"]["MACS"] == weights * (frames - 4)
    result = cli("evaluate", runs["dev"], "--json", "--ci", "none").json["machines"]["fan"]
    assert meta["results"]["development_dataset"] == {
        "fan": {key: pytest.approx(100 * result[key]) for key in ("auc_source", "auc_target", "pauc")}
    }


def test_what_is_written_is_evaluated_to_the_same_numbers(submitted, runs, cli, tmp_path):
    _, folder = submitted
    truth = write_list(tmp_path / "eval_data_list_2023.csv")
    arguments = (
        "--protocol",
        "dcase2023",
        "--ground-truth",
        truth,
        "--split",
        "own",
        "--json",
        "--replicates",
        100,
        "--clip-s",
        10,
    )
    written, from_run = (cli("evaluate", place, *arguments).json for place in (folder, runs["eval"]))
    assert from_run.pop("notes"), "the run's record says that a short training did not learn"
    assert not written.pop("notes")
    assert written == from_run
    assert written["official_score"] is not None


def test_runs_without_labels_are_compared_with_the_ground_truth(runs, cli, tmp_path):
    refused = cli("compare", runs["eval"], runs["eval"])
    assert (refused.code, "--ground-truth" in refused.err) == (3, True)
    truth = write_list(tmp_path / "eval_data_list_2023.csv")
    same = cli("compare", runs["eval"], runs["eval"], "--ground-truth", truth, "--json", "--replicates", 100).json
    assert same["official_score"] == {"difference": 0.0, "ci95": [0.0, 0.0], "probability_of_being_better": 0.5}


def test_values_of_the_author_win(cli, challenge, runs, tmp_path):
    values = tmp_path / "own.yaml"
    values.write_text(
        "submission:\n  authors:\n  - {firstname: Yu, lastname: Sato, email: sato@ntu.example, corresponding: true}\n"
        "system:\n  description: {external_data_usage: none, attribute_usage: none, development_data_usage: none}\n"
    )
    arguments = ("--label", LABEL, "--out", tmp_path, "--meta", values, "--plugin-path", challenge / "plugin")
    assert cli("submit", runs["eval"], *arguments).code == 0
    folder = tmp_path / "Sato_NTU" / LABEL
    meta = yaml.safe_load((folder / f"{LABEL}.meta.yaml").read_text())
    assert meta["submission"]["authors"][0]["firstname"] == "Yu"
    assert meta["system"]["description"]["front_end"] == "log-mel"
    findings, code = checked(cli, challenge, folder)
    assert (findings, code) == ([], 0)
    again = cli("submit", runs["eval"], *arguments)
    assert again.code == 2
    assert "is there already" in again.err


def rename(name):
    return lambda folder: (folder / "anomaly_score_Vacuum_section_00_test.csv").rename(folder / name)


def edit(name, old, new):
    def change(folder):
        path = folder / name
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new, 1))

    return change


SCORES = "anomaly_score_Vacuum_section_00_test.csv"
META = f"{LABEL}.meta.yaml"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda folder: (folder / SCORES).unlink(), f"{SCORES}: is missing"),
        (rename("anomaly_score_DCASE2023T2Vacuum_section_00_test_seed1.csv"), f"the official name is {SCORES}"),
        (rename("anomaly_score_Vacum_section_00_test.csv"), "mini eval has no Vacum"),
        (edit(SCORES, "section_00_0003.wav", "section_00_0002.wav"), f"{SCORES}:4: section_00_0002 stands twice"),
        (edit(SCORES, "section_00_0003.wav,", "section_00_0003.wav,nan#"), f"{SCORES}:4: 'nan#"),
        (edit(SCORES, "section_00_0003.wav", "section_00_0103.wav"), "holds other clips than the score file"),
        (
            edit(SCORES, "section_00_0003.wav", "section_01_0003.wav"),
            "section_01_0003 is no name of a test clip",
        ),
        (lambda folder: (folder / META).unlink(), f"no meta file; expected {META}"),
        (edit(META, f"label: {LABEL}", "label: Sato_NTU_task2_2"), "submission.label is Sato_NTU_task2_2"),
        (edit(META, "submission:", "submission"), f"{META}: is no YAML"),
        (edit(META, "label:", "lable:"), "submission.label: Field required"),
        (edit(META, "corresponding: true", "corresponding: false"), "exactly one must be corresponding"),
        (edit(META, "abbreviation: ", "abbreviation: a-very-long-"), "more than 10 letters"),
        (edit(META, "fan:", "fans:"), "results.development_dataset.fans is no development machine type"),
        (edit(META, "pauc: ", "pauc: 1"), "is not in percent"),
    ],
)
def test_the_check_names_what_is_wrong(cli, challenge, submitted, change, text):
    _, folder = submitted
    change(folder)
    findings, code = checked(cli, challenge, folder)
    assert code == 1
    shown = "\n".join(f"{f['file']}:{f['line']}: {f['text']}" for f in errors(findings))
    assert text in shown.replace(":None:", ":"), shown


def test_numbers_with_gaps_are_a_warning(cli, challenge, submitted):
    _, folder = submitted
    for kind in ("anomaly_score", "decision_result"):
        edit(f"{kind}_Vacuum_section_00_test.csv", "section_00_0011.wav", "section_00_0012.wav")(folder)
    findings, code = checked(cli, challenge, folder)
    assert code == 0
    assert any("numbers have gaps: 0 to 12" in finding["text"] for finding in findings)


def test_a_folder_made_elsewhere_with_too_many_systems(cli, challenge, submitted, tmp_path):
    import shutil

    _, folder = submitted
    for number in range(2, 6):
        name = f"Sato_NTU_task2_{number}"
        shutil.copytree(folder, folder.parent / name)
        (folder.parent / name / META).rename(folder.parent / name / f"{name}.meta.yaml")
    findings, code = checked(cli, challenge, folder.parent)
    texts = [finding["text"] for finding in errors(findings)]
    assert code == 1
    assert "5 systems; a team may hand in 4" in texts
    assert any("the folder's name is no label" in text for text in texts), "task2_5"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["{run}"], 2, "Give a run and a label"),
        (["{run}", "--label", "Sato_task2_1"], 2, "expected <Name>_<Org>_task2_<1..4>"),
        (["{run}", "--label", "Sato_NTU_task2_5"], 2, "expected <Name>_<Org>_task2_<1..4>"),
        (["{empty}", "--label", LABEL], 3, "No run in"),
        (["--check", "{empty}"], 3, "No submission in"),
        (["--check", "{empty}/x"], 3, "There is no folder"),
        (["{run}", "--check", "{empty}"], 2, "--check takes no RUN"),
        (["{dev}", "--label", LABEL, "--out", "{empty}"], 2, "is a run on development data"),
        (["{run}", "--label", LABEL, "--meta", "{empty}/x.yaml"], 2, "--meta"),
        (["{run}", "--label", LABEL, "--development", "{run}", "--out", "{empty}"], 2, "carry no labels"),
    ],
)
def test_mistakes(cli, runs, tmp_path, arguments, code, message):
    places = {"run": runs["eval"], "dev": runs["dev"], "empty": tmp_path}
    outcome = cli("submit", *(word.format(**places) for word in arguments))
    assert outcome.code == code, outcome.err
    assert message in outcome.err
    assert not (tmp_path / "Sato_NTU").exists()


def test_what_is_refused_leaves_no_folder(cli, challenge, runs, tmp_path, monkeypatch):
    """Neither that of the team nor the one around it, whatever the reason; others in it stay."""
    plugin, out = ("--plugin-path", challenge / "plugin"), tmp_path / "out"
    words = ("submit", runs["eval"], "--label", LABEL, "--out", out)
    refused = cli(*words)  # without the card these score files are of no challenge
    assert (refused.code, "Nothing was left in" in refused.err) == (1, True)
    assert not out.exists()
    assert cli(*words, *plugin, "--protocol", "dcase2032").code == 2
    assert not out.exists()
    with monkeypatch.context() as patched:
        patched.setattr("asdbench.submission.write.shutil.copyfile", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            cli(*words, *plugin)
    assert not out.exists()
    (out / "Sato_NTU").mkdir(parents=True)
    assert cli(*words).code == 1
    assert list(out.iterdir()) == [out / "Sato_NTU"]
