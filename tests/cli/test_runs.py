"""Runs are found, shown and exported; a damaged record hides nothing."""

import json

import pandas as pd
import pytest
from typer.testing import CliRunner


@pytest.fixture(scope="module")
def out(small_dataset, session_cache, tmp_path_factory):
    from asdbench.cli.app import app

    folder = tmp_path_factory.mktemp("runs")
    words = ["run", "--dataset", str(small_dataset), "--extractor", "raw-mel", "--scorer", "mahalanobis-lw"]
    words += ["--scorer", "random", "--seed", "0", "--seed", "1", "--out", str(folder), "--quiet"]
    outcome = CliRunner().invoke(app, words, env={"ASDBENCH_CACHE": str(session_cache)})
    assert outcome.exit_code == 0, outcome.output
    return folder


@pytest.fixture
def damaged(out, tmp_path):
    """A copy with records that cannot be read."""
    import shutil

    shutil.copytree(out, tmp_path / "runs")
    first = next(iter(sorted((tmp_path / "runs").iterdir())))
    for name, text in (
        ("broken", (first / "run.json").read_text()[:-40]),
        ("newer", json.dumps({**json.loads((first / "run.json").read_text()), "schema_version": 99})),
        ("strange", "[1, 2]"),
        ("deep", "[" * 200_000),
    ):
        (tmp_path / "runs" / name).mkdir()
        (tmp_path / "runs" / name / "run.json").write_text(text)
    (tmp_path / "runs" / ".half-written.partial").mkdir()
    (tmp_path / "runs" / ".half-written.partial" / "run.json").write_text("{")
    return tmp_path / "runs"


def ids(out, part):
    return sorted(path.name for path in out.iterdir() if part in path.name)


def test_runs_are_listed(cli, out):
    rows = cli("runs", "list", "--out", out, "--json").json["runs"]
    assert len(rows) == 4
    assert {row["system"] for row in rows} == {"raw-mel + mahalanobis-lw", "raw-mel + random"}
    only = cli("runs", "list", "--out", out, "--system", "random", "--json").json["runs"]
    assert {row["scorer"] for row in only} == {"random"}
    shown = cli("runs", "list", "--out", out).out
    assert all(path.name in shown for path in out.iterdir())
    assert shown.index("mahalanobis-lw") < shown.index("random"), "the best first"


def test_where_there_is_none_the_runs_of_studies_are_named(cli, out, tmp_path):
    narrowed = cli("runs", "list", "--out", out, "--system", "gmm")
    assert (narrowed.code, narrowed.out) == (0, "")
    assert "is of that kind" in narrowed.err
    (tmp_path / "studies" / "mine").mkdir(parents=True)
    (tmp_path / "studies" / "mine" / "runs").symlink_to(out)
    told = cli("runs", "list", "--out", tmp_path).err
    (place,) = [line.rpartition("--out ")[2] for line in told.splitlines() if "study mine" in line]
    assert len(cli("runs", "list", "--out", place, "--json").json["runs"]) == 4


def test_one_run_is_shown_by_the_beginning_of_its_name(cli, out):
    (name, _) = ids(out, "mahalanobis-lw")
    record = json.loads((out / name / "run.json").read_text())
    del record["digests"]["run.json"]  # of the file itself
    assert cli("runs", "show", name, "--out", out, "--json").json == record
    shown = cli("runs", "show", name[:-4], "--out", out).out
    assert f"{100 * record['results']['official_score']:.2f}" in shown
    several = cli("runs", "show", "raw-mel", "--out", out)
    assert (several.code, "'raw-mel' means" in several.err) == (2, True)
    none = cli("runs", "show", "rwa-mel", "--out", out)
    assert (none.code, "No run 'rwa-mel'" in none.err) == (2, True)


def test_all_parameters_of_a_run_are_shown(cli, out):
    (name, _) = ids(out, "mahalanobis-lw")
    record = json.loads((out / name / "run.json").read_text())
    shown = cli("runs", "show", name, "--out", out).out.splitlines()
    for role, part in (("extractor", "extractor"), ("front end", "frontend"), ("scorer", "scorer")):
        head = f"{role} {record[part]['name']}, version {record[part]['version']}: "
        (line,) = [line for line in shown if line.startswith(head)]
        for param in record[part]["params"]:
            assert f"{param}=" in line
    assert "asked by hand: no parameters" in shown
    (machine,) = [line for line in shown if line.startswith("ran on cpu, ")]
    assert f"Python {record['environment']['python']}" in machine


def test_what_was_asked_by_hand_is_shown(cli, small_dataset, tmp_path):
    words = ("--dataset", small_dataset, "--extractor", "raw-mel", "--scorer", "knn", "-p", "knn.n_neighbors=3")
    cli("run", *words, "--machine", "fan", "--out", tmp_path, "--quiet")
    shown = cli("runs", "show", "raw-mel-knn", "--out", tmp_path).out
    assert "asked by hand: knn.n_neighbors=3" in shown
    assert "n_neighbors=3," in shown


@pytest.mark.parametrize("words", [("list",), ("show", "raw-mel-random")])
def test_a_narrow_terminal_cuts_and_folds_no_cell(cli, out, tmp_path, monkeypatch, words):
    import shutil

    name = ids(out, "random")[0]
    shutil.copytree(out / name, tmp_path / name)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("FORCE_COLOR", "1")
    shown = cli("runs", *words, "--out", tmp_path).out
    assert "\x1b[" in shown, "not taken for a terminal, so nothing is tested"
    assert (name.rpartition("-")[2] if words == ("list",) else name) in shown
    assert "…" not in shown
    assert words == ("list",) or "95 % interval" in shown


@pytest.mark.parametrize(("ending", "read"), [("csv", pd.read_csv), ("parquet", pd.read_parquet)])
def test_the_table_holds_every_machine_type_and_the_whole(cli, out, tmp_path, ending, read):
    file = tmp_path / f"table.{ending}"
    assert "12 rows of 4 runs" in cli("runs", "export", file, "--out", out).out
    table = read(file)
    assert set(table["machine"]) == {"fan", "valve", "all"}
    for path in out.iterdir():
        record = json.loads((path / "run.json").read_text())
        own = table[table["run_id"] == record["run_id"]].set_index("machine")
        assert own.loc["all", "official_score"] == pytest.approx(record["results"]["official_score"], abs=1e-15)
        assert own.loc["fan", "pauc"] == pytest.approx(record["results"]["machines"]["fan"]["pauc"], abs=1e-15)
        assert list(own.loc["all", ["ci95_low", "ci95_high"]]) == pytest.approx(record["intervals"]["official_score"])


def test_damaged_and_newer_records_are_named_and_hide_nothing(cli, damaged, tmp_path):
    outcome = cli("runs", "list", "--out", damaged, "--json")
    assert outcome.code == 1
    assert len(outcome.json["runs"]) == 4
    for words in ("broken/run.json is damaged", "newer/run.json has schema 99", "strange/run.json is damaged"):
        assert words in outcome.err
    assert "deep/run.json is damaged" in outcome.err
    assert cli("runs", "export", tmp_path / "all.csv", "--out", damaged).code == 1
    assert len(pd.read_csv(tmp_path / "all.csv")) == 12
    shown = cli("runs", "show", "newer", "--out", damaged)
    assert (shown.code, "A newer asdbench reads it" in shown.err) == (1, True)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["runs", "list", "--out", "{tmp}/none"], 3, "There is no folder"),
        (["runs", "show", "foo", "--out", "{tmp}/none"], 3, "There is no folder {tmp}/none"),
        (["report", "foo", "--out", "{tmp}/none"], 3, "There is no folder {tmp}/none"),
        (["submit", "foo", "--label", "A_B_task2_1", "--runs", "{tmp}/none"], 3, "There is no folder {tmp}/none"),
        (["runs", "list", "--out", "{out}", "--status", "good"], 2, "accepted are done and failed"),
        (["runs", "export", "{tmp}/table.xlsx", "--out", "{out}"], 2, "accepted are .csv and .parquet"),
        (["compare", "raw-mel-x", "raw-mel-y", "--out", "{out}"], 2, "No run 'raw-mel-x'"),
    ],
)
def test_mistakes(cli, out, tmp_path, words, code, message):
    outcome = cli(*(word.format(out=out, tmp=tmp_path) for word in words))
    assert outcome.code == code
    assert message.format(tmp=tmp_path) in outcome.err
    assert not list(tmp_path.iterdir())


def test_latest_names_the_run_that_ended_last(cli, out):
    records = sorted(out.glob("*/run.json"), key=lambda path: path.stat().st_mtime_ns)
    shown = cli("runs", "show", "latest", "--out", out, "--json")
    assert shown.code == 0, shown.err
    assert shown.json["run_id"] == records[-1].parent.name


def test_a_table_of_seeds_has_no_spread_where_nothing_is_random(cli, out, small_dataset):
    words = ["--dataset", small_dataset, "--extractor", "raw-mel", "--scorer", "mahalanobis-lw", "--scorer", "random"]
    shown = cli("run", *words, "--seed", 0, "--seed", 1, "--out", out).out
    fixed, drawn = (next(line for line in shown.splitlines() if name in line) for name in ("mahalanobis-lw", "random"))
    assert "±" not in fixed
    assert "±" in drawn
    assert "The same with every seed, so one is enough: raw-mel + mahalanobis-lw\n" in shown
