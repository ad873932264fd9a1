"""Score files that are not those that the run wrote are noticed by every command that reads them."""

import hashlib
import json
from pathlib import Path

import pytest
from made_runs import made_run

from asdbench.core.errors import RequirementError
from asdbench.harness.record import load_record, write_record
from asdbench.report.contents import read_contents
from asdbench.submission import require_label, write_submission


def with_digests(folder):
    """The record of a run with the digests of its score files, as ``run`` writes it."""
    files = (folder / "scores").iterdir()
    digests = {f"scores/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    write_record(folder, load_record(folder).model_copy(update={"digests": digests}))


def edit(path):
    name, value = path.read_text().splitlines()[0].split(",")
    path.write_text("\n".join([f"{name},{float(value) + 100}", *path.read_text().splitlines()[1:]]) + "\n")


FAULTS = {
    "an edited score": edit,
    "a row gone": lambda path: path.write_text("\n".join(path.read_text().splitlines()[1:])),
    "a file gone": Path.unlink,
}


@pytest.mark.parametrize("old", [True, False], ids=["old record", "record with digests"])
@pytest.mark.parametrize("fault", FAULTS)
def test_changed_score_files_are_noticed(cli, tmp_path, fault, old):
    machines = ("fan", "valve")
    folder, other = (made_run(tmp_path, "raw-mel", scorer, machines=machines) for scorer in ("gmm", "knn"))
    if not old:
        with_digests(folder)
    official = json.loads((folder / "run.json").read_text())["results"]["official_score"]
    assert cli("evaluate", folder, "--ci", "none", "--json").json["official_score"] == official
    FAULTS[fault](folder / "scores" / "anomaly_score_fan_section_00_test.csv")
    for place in (folder, folder / "scores", folder.name):
        outcome = cli("evaluate", place, "--out", tmp_path, "--ci", "none", "--json")
        assert (outcome.code, outcome.json["official_score"]) == (1, None)
        assert any("fan" in problem["text"] + str(problem["file"]) for problem in outcome.json["problems"])
    for command in (("compare", folder, other), ("leaderboard", "add", folder, "--board-dir", tmp_path / "board")):
        assert cli(*command).code != 0
    with pytest.raises(RequirementError):
        write_submission(folder, require_label("Sato_NTU_task2_1"), tmp_path / "team")
    read = read_contents(folder)
    assert read.problems or read.missing
