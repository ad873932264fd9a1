"""Reports of runs of which something is missing or failed."""

import shutil

import pytest
from report_pages import Page, titles, written

from asdbench.core.errors import RequirementError
from asdbench.harness.record import Failure, RecordError, load_record, write_record
from asdbench.report import write_report
from asdbench.report.contents import read_contents
from asdbench.report.write import render_report


def test_without_the_recordings_it_says_so_and_shows_the_rest(real_run, tmp_path):
    folder = shutil.copytree(real_run, tmp_path / "run")
    record = load_record(folder)
    gone = record.model_copy(update={"asked": record.asked.model_copy(update={"dataset": str(tmp_path / "gone")})})
    write_record(folder, gone)
    page = Page(written(folder))
    assert "No embedding map." in page.text
    assert "No pictures of the clips." in page.text
    assert "asdbench report run" in page.text
    assert "pAUC, the shaded region" in page.text
    assert "section_00_" in page.text  # the worst clips are named all the same


def test_without_the_cache_it_says_which_command_brings_the_map_back(real_run, tmp_path, monkeypatch):
    class Replay:
        def __init__(self, dataset):
            self.dataset = dataset

        def embeddings(self, machine):
            raise RequirementError(f"The embeddings of {machine} are gone; --fresh makes them again.")

    from asdbench.harness.replay import reopen

    contents = read_contents(real_run, machines=["fan"])
    page = Page(render_report(contents, Replay(reopen(contents.record).dataset), 1, "pca", False))
    assert "The embeddings of fan are gone; --fresh makes them again." in page.text
    assert "No pictures of the clips." not in page.text


def test_a_recording_that_is_gone_costs_its_own_picture_alone(real_run, small_dataset, tmp_path):
    from asdbench.harness.replay import reopen

    contents = read_contents(real_run, machines=["fan"])
    replay = reopen(contents.record)
    copy = shutil.copytree(small_dataset, tmp_path / "copy")
    text = render_report(contents, replay, 1, "none", False)
    first = next(title for title in titles(text) if title.startswith("Log-mel of")).removeprefix("Log-mel of ")
    (copy / "fan" / "test" / f"{first}.wav").unlink()
    moved = tuple(_moved(clip, small_dataset, copy) for clip in replay.dataset)

    class Replay:
        dataset = type(replay.dataset)("small", "dcase2023", "dcase2023", moved)

    less = render_report(contents, Replay(), 1, "none", False)
    assert "The recording cannot be shown: cannot be read: No such file or directory" in Page(less).text
    pictures = [{title for title in titles(page) if title.startswith("Log-mel")} for page in (text, less)]
    assert pictures[0] - pictures[1] == {f"Log-mel of {first}"}


def _moved(clip, old, new):
    from dataclasses import replace

    return replace(clip, path=new / clip.path.relative_to(old))


def test_a_failed_run_shows_what_is_there(make_run, clips_of):
    rows = {("fan", "00"): clips_of(), ("pump", "00"): clips_of(seed=1)}
    folder = make_run(rows)
    record = load_record(folder)
    (folder / "scores" / "anomaly_score_pump_section_00_test.csv").unlink()
    failure = Failure(stage="embed", machine="pump", reason="it collapsed", detail="Traceback ...")
    salvaged = {"fan": record.results.machines["fan"]}
    changed = {"status": "failed", "results": None, "failures": [failure], "salvaged": salvaged}
    write_record(folder, record.model_copy(update=changed))
    text = written(folder)
    page = Page(text)
    assert "1 of 2 machine types were scored, so there is no official score." in page.text
    assert "embed failed for pump: it collapsed" in page.text
    assert page.text.count("it collapsed") == 1
    assert any(title.startswith("ROC of fan") for title in titles(text))
    assert f"{100 * salvaged['fan'].official_score:.1f}" in page.text


def test_a_reason_is_shown_once_with_the_machine_types_that_it_concerns(make_run, clips_of):
    names = ("fan", "pump", "valve")
    folder = make_run({(name, "00"): clips_of() for name in names})
    shutil.rmtree(folder / "scores")
    failures = [Failure(stage="fit", machine=name, reason="the loss is NaN", detail="Traceback ...") for name in names]
    failures.append(Failure(stage="fit", machine="pump", reason="out of memory", detail=""))
    changed = {"status": "failed", "results": None, "failures": failures, "thresholds": {}}
    write_record(folder, load_record(folder).model_copy(update=changed))
    page = Page(written(folder))
    assert "fit failed for fan, pump, valve: the loss is NaN" in page.text
    assert "fit failed for pump: out of memory" in page.text
    assert (page.text.count("the loss is NaN"), page.text.count("Traceback ...")) == (1, 1)
    assert page.text.count("Nothing to show: fit failed, for the reason at the top.") == 3


def test_recordings_that_are_gone_are_mentioned_once(make_run, clips_of):
    page = Page(written(make_run({(name, "00"): clips_of() for name in ("fan", "pump")})))
    assert page.text.count("No embedding map.") == 1
    assert page.text.count("No pictures of the clips.") == 1


@pytest.mark.parametrize("remove", ["files", "folder"])
def test_without_score_files_the_record_is_shown(make_run, clips_of, remove):
    folder = make_run({("fan", "00"): clips_of()})
    score = load_record(folder).results.official_score
    shutil.rmtree(folder / "scores")
    if remove == "files":
        (folder / "scores").mkdir()
    page = Page(written(folder))
    assert f"{100 * score:.1f} %" in page.text
    assert "score files" in page.text
    assert "no pictures" in page.text.lower() or "Nothing to show" in page.text


def test_score_files_that_were_changed_are_reported(make_run, clips_of):
    folder = make_run({("fan", "00"): clips_of()})
    path = folder / "scores" / "anomaly_score_fan_section_00_test.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:-1], lines[-1].split(",")[0] + ",-5.0"]) + "\n")
    assert "the score files of fan come to" in Page(written(folder)).text


def test_a_damaged_record_is_an_error_that_names_it(make_run, clips_of, cli):
    folder = make_run({("fan", "00"): clips_of()})
    (folder / "run.json").write_text("{")
    with pytest.raises(RecordError, match=r"run\.json is damaged"):
        write_report(folder)
    outcome = cli("report", folder)
    assert outcome.code == 1
    assert "is damaged" in outcome.err
    assert not (folder / "report.html").exists()
