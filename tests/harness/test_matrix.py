"""Several data sets, systems and seeds in one command: what is planned and shown."""

import json
import shlex
from pathlib import Path

import pytest

from asdbench.core.errors import UsageError
from asdbench.core.progress import Silent
from asdbench.harness import execute


def test_data_sets_times_systems_times_seeds(plan, small_dataset, other_dataset, tmp_path):
    whole = plan(dataset=[str(small_dataset), str(other_dataset)], scorer=["knn", "mahalanobis-lw"], seed=[0, 1])
    assert len({cell.run_id for cell in whole.cells}) == 8
    records = list(execute(whole, Silent()))
    assert [record.status for record in records] == ["done"] * 8
    machines = {record.dataset.name: set(record.results.machines) for record in records}
    assert machines == {"small": {"fan", "valve"}, "recordings": {"pump"}}
    alone = list(execute(plan(dataset=[str(other_dataset)], out=tmp_path / "alone"), Silent()))
    (same,) = (record for record in records if record.run_id == alone[0].run_id)
    assert same.results == alone[0].results, "another data set in the command changes nothing"


def test_one_data_set_twice_is_refused(plan, small_dataset):
    with pytest.raises(UsageError, match="--dataset names the same one twice"):
        plan(dataset=[str(small_dataset), str(small_dataset)])
    spelt = f"{small_dataset.parent}/./{small_dataset.name}"
    with pytest.raises(UsageError, match=f"the same recordings as {small_dataset}, under the same name"):
        plan(dataset=[str(small_dataset), spelt])


def test_a_run_file_covers_a_matrix(cli, small_dataset, other_dataset, tmp_path):
    config = tmp_path / "matrix.toml"
    config.write_text(
        f"dataset = ['{small_dataset}', '{other_dataset}']\nextractor = 'raw-mel'\nscorer = ['knn', 'lof']\n"
        f"seed = [0, 1, 2]\nout = '{tmp_path / 'runs'}'\n"
    )
    found = cli("run", "--config", config, "--dry-run", "--json").json
    assert [data["name"] for data in found["datasets"]] == ["small", "recordings"]
    assert len(found["plan"]) == 12
    assert {run["state"] for run in found["plan"]} == {"to do"}


def test_a_table_for_each_data_set(cli, small_dataset, other_dataset, tmp_path):
    words = ("--dataset", small_dataset, "--dataset", other_dataset, "--extractor", "raw-mel", "--scorer", "knn")
    told = cli("run", *words, "--out", tmp_path)
    assert told.code == 0
    titles = [line for line in told.out.splitlines() if "official score of dcase2023" in line]
    assert [title.split(",")[0] for title in titles] == ["small", "recordings"]


def test_the_next_command_compares_what_was_run(cli, small_dataset, tmp_path):
    words = ("--dataset", small_dataset, "--extractor", "raw-mel", "--scorer", "knn", "--scorer", "mahalanobis-lw")
    told = cli("run", *words, "--out", tmp_path)
    following = told.out.partition("Next: asdbench ")[2].partition("   (")[0].split()
    assert following == ["compare", "raw-mel+knn", "raw-mel+mahalanobis-lw", "--out", str(tmp_path)]
    assert cli(*following, "--replicates", "100").code == 0


def test_the_next_command_runs_the_same_with_more_seeds(cli, small_dataset, tmp_path):
    words = ("--dataset", small_dataset, "--extractor", "raw-mel", "--scorer", "whiten+knn", "--out", tmp_path / "a b")
    told = cli("run", *words, "-p", "knn.n_neighbors=1", "-p", "raw-mel.poolings=mean,max")
    following = shlex.split(told.out.partition("Next: asdbench ")[2].partition("   (")[0])
    ran = cli(*following, "--json")
    assert ran.code == 0
    records = [json.loads(Path(run["record"]).read_text()) for run in ran.json["runs"]]
    assert [record["asked"]["seed"] for record in records] == [0, 1, 2]
    assert {record["scorer"]["params"]["n_neighbors"] for record in records} == {1}
    assert {tuple(record["extractor"]["params"]["poolings"]) for record in records} == {("mean", "max")}
    assert len(list((tmp_path / "a b").glob("*/run.json"))) == 3, "seed 0 was there"


def test_reports_are_left_when_asked_for(cli, small_dataset, tmp_path):
    words = ("run", "--dataset", small_dataset, "--extractor", "raw-mel", "--scorer", "knn", "--scorer", "identity")
    words += ("--machine", "fan")
    assert cli(*words, "--out", tmp_path).code == 1
    assert not list(tmp_path.glob("*/report.html"))
    assert cli(*words, "--out", tmp_path, "--report").code == 1
    done, failed = sorted(tmp_path.glob("*/report.html"), key=lambda path: "identity" in str(path))
    assert "<svg" in done.read_text()
    assert "256 dimensions" in failed.read_text()


def test_a_record_tells_the_parameters_that_concern_it_alone(plan):
    params = {"knn.n_neighbors": "3", "lof.n_neighbors": "5", "frontend.n_mels": "64"}
    knn, lof = execute(plan(scorer=["knn", "lof"], params=params), Silent())
    assert knn.asked.params == {"knn.n_neighbors": "3", "frontend.n_mels": "64"}
    assert lof.asked.params == {"lof.n_neighbors": "5", "frontend.n_mels": "64"}


def test_bars_say_which_seed_and_data_set_they_are_of(plan, small_dataset, other_dataset, fresh_cache):
    class Listening(Silent):
        def stage(self, name, total):
            names.append(name)
            return super().stage(name, total)

    names: list[str] = []
    list(execute(plan(dataset=[str(small_dataset), str(other_dataset)], seed=[0, 1]), Listening()))
    assert {"features (s0, small)", "features (s0, recordings)", "score knn (s1, small)"} <= set(names)
    names.clear()
    list(execute(plan(fresh=True), Listening()))
    assert "score knn" in names
