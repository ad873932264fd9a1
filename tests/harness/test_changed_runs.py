"""A run whose record or files were changed afterwards is never called done: it is told, and made again or refused."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from made_runs import made_run

from asdbench.core.errors import UsageError
from asdbench.core.progress import Silent
from asdbench.harness import RunSpec, execute, make_plan
from asdbench.harness.record import RecordError, load_record, read_record
from asdbench.harness.store import find_runs


@pytest.fixture(scope="module")
def finished(small_dataset, session_cache, tmp_path_factory):
    """The folder of a run."""
    out = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASDBENCH_CACHE", str(session_cache))
        spec = RunSpec(extractor=["raw-mel"], scorer=["knn"], dataset=str(small_dataset), out=out)
        (record,) = execute(make_plan(spec, Silent()), Silent())
    return out / record.run_id


@pytest.fixture
def done(finished, tmp_path):
    """A copy of it, where ``plan`` has its runs."""
    return Path(shutil.copytree(finished, tmp_path / "runs" / finished.name))


def files_of(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_the_record_holds_the_digest_of_every_file_of_scores_and_decisions(done):
    digests = json.loads((done / "run.json").read_text())["digests"]
    assert set(digests) == files_of(done)
    for name in files_of(done) - {"run.json"}:
        assert digests[name] == hashlib.sha256((done / name).read_bytes()).hexdigest()
    assert set(load_record(done).digests) == files_of(done) - {"run.json"}


def edited(path, change):
    content = path.read_bytes()
    path.write_bytes(change(content))
    assert path.read_bytes() != content


CHANGES = {
    "emptied": ("scores/anomaly_score_fan_section_00_test.csv", lambda path: path.write_bytes(b"")),
    "edited": (
        "scores/anomaly_score_fan_section_00_test.csv",
        lambda path: edited(path, lambda content: content[:-3] + b"9\r\n"),
    ),
    "decisions": (
        "scores/decision_result_valve_section_00_test.csv",
        lambda path: edited(path, lambda content: content.replace(b",0", b",1")),
    ),
    "removed": ("scores/decision_result_fan_section_00_test.csv", lambda path: path.unlink()),
    "number": (
        "run.json",
        lambda path: edited(path, lambda content: content.replace(b'"official_score": 0.', b'"official_score": 0.9')),
    ),
    "threshold": ("run.json", lambda path: edited(path, lambda content: content.replace(b'"value": ', b'"value": 1'))),
    "unsealed": ("run.json", lambda path: edited(path, lambda content: content.replace(b"run.json", b"run.jsom"))),
}


@pytest.mark.parametrize("change", CHANGES)
def test_it_is_told_and_made_again(plan, done, change):
    file, alter = CHANGES[change]
    before = load_record(done)
    scores = {name: (done / name).read_bytes() for name in files_of(done) if name != "run.json"}
    alter(done / file)
    assert read_record(done) is None
    with pytest.raises(RecordError, match=file):
        load_record(done)
    assert list(find_runs(done.parent).damaged) == [done]
    progress = Silent()
    (record,) = execute(plan(), progress)
    (told,) = [note for note in progress.notes if "made again" in note]
    assert str(done) in told
    assert file in told
    assert "\n" not in told
    assert record.results == before.results
    assert {name: (done / name).read_bytes() for name in scores} == scores
    assert load_record(done) == record


def test_every_letter_of_a_record_counts(done):
    whole = (done / "run.json").read_bytes()
    for place in range(0, len(whole), 149):
        changed = bytearray(whole)
        changed[place] ^= 1 << place % 7
        (done / "run.json").write_bytes(changed)
        with pytest.raises(RecordError):
            load_record(done)


@pytest.mark.parametrize("command", [("runs", "show"), ("evaluate",), ("leaderboard", "add"), ("submit",)])
def test_every_command_refuses_it_by_name(cli, done, command, tmp_path):
    CHANGES["edited"][1](done / CHANGES["edited"][0])
    more = {"add": ("--board-dir", tmp_path / "boards"), "submit": ("--label", "Sato_NTU_task2_1")}.get(command[-1], ())
    outcome = cli(*command, done, *more)
    assert outcome.code != 0
    assert "anomaly_score_fan_section_00_test.csv" in outcome.err + outcome.out
    assert "is not as it was written" in outcome.err or "was changed after the run" in outcome.err + outcome.out


def test_a_comparison_refuses_it_and_the_list_marks_it(cli, plan, done):
    other, _ = [done.parent / record.run_id for record in execute(plan(scorer=["lof", "knn"]), Silent())]
    CHANGES["number"][1](done / "run.json")
    outcome = cli("compare", done, other)
    assert outcome.code != 0
    assert "run.json is damaged" in outcome.err
    assert "run.json is damaged" in cli("runs", "list", "--out", done.parent).err


def test_records_of_older_schemas_are_read_without_digests(done):
    content = json.loads((done / "run.json").read_text())
    del content["digests"]
    (done / "run.json").write_text(json.dumps({**content, "schema_version": 4}))
    assert load_record(done).digests == {}


def test_a_run_of_an_older_schema_that_has_lost_score_files_is_done_again(plan, done):
    content = json.loads((done / "run.json").read_text())
    del content["digests"]
    (done / "run.json").write_text(json.dumps({**content, "schema_version": 4}))
    (record,) = execute(plan(), Silent())
    assert not record.digests, "it was read"
    next((done / "scores").glob("anomaly_score_*.csv")).unlink()
    (record,) = execute(plan(), Silent())
    assert record.digests, "it was made again"


def test_records_of_the_first_schema_are_still_read(tmp_path):
    record = load_record(made_run(tmp_path, parameters=10))
    content = json.loads(record.model_dump_json())
    interval, protocol = [0.4, 0.6], content["dataset"]["protocol"]
    old = {**content, "schema_version": 1, "loss": [3.0, 2.0], "ci95": interval}
    del old["digests"], old["training"], old["asked"]["system"], old["intervals"], old["dataset"]["protocol"]
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "run.json").write_text(json.dumps(old))
    migrated = read_record(tmp_path / "old")
    assert migrated.schema_version == 6
    assert list(migrated.ci95) == interval
    assert migrated.dataset.protocol == protocol
    assert migrated.training[0].curves == {"loss": [3.0, 2.0]}
    assert migrated.results == record.results


@pytest.mark.parametrize("content", ["[]", "{}", '{"schema_version": 1}', "not JSON", '"text"'])
def test_a_damaged_record_is_no_record(tmp_path, content):
    (tmp_path / "run.json").write_text(content)
    assert read_record(tmp_path) is None


def test_the_record_of_a_newer_asdbench_is_not_written_over(plan, done):
    file = done / "run.json"
    newer = file.read_text().replace('"schema_version": 6', '"schema_version": 7')
    file.write_text(newer)
    with pytest.raises(UsageError, match=r"A newer asdbench reads it\.\nGive another folder for runs, or remove"):
        list(execute(plan(), Silent()))
    assert file.read_text() == newer
