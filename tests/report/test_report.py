import os
import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest

from asdbench.core.errors import RequirementError, UsageError
from asdbench.harness.record import Failure, RecordError, TrainedNetwork, load_record, write_record
from asdbench.report import write_report
from asdbench.report.contents import read_contents
from asdbench.report.write import render_report

HOSTILE = "<script>alert(1)</script>"


class Page(HTMLParser):
    """Text and tags of a page; void tags aside, every tag is closed in order."""

    VOID = frozenset({"meta", "link", "br", "hr", "img", "input"})

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self.ids, self.open = [], [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.words))


def titles(page):
    return re.findall(r"<title>([^<]*)</title>", page)


def written(folder, **options):
    path = write_report(folder, **options)
    return path.read_text(encoding="utf-8")


def test_a_real_run_shows_everything(real_run):
    text = written(real_run)
    page = Page(text)
    record = load_record(real_run)
    for machine in ("fan", "valve"):
        assert any(title.startswith(f"ROC of {machine}, section 00") for title in titles(text))
        assert f"Anomaly scores of {machine}, section 00" in titles(text)
        assert f"Embeddings of {machine}, section 00" in titles(text)
        assert f"{100 * record.results.machines[machine].official_score:.1f}" in page.text
    assert f"{100 * record.results.official_score:.1f} %" in page.text
    assert f"95 % interval {100 * record.ci95[0]:.1f} to {100 * record.ci95[1]:.1f}" in page.text
    assert "of the variance of training and test clips" in page.text
    assert any(title.startswith("Log-mel of section_00_") for title in titles(text))
    assert record.run_id in page.text
    assert record.dataset.fingerprint in page.text
    assert "No embedding map" not in page.text
    assert len(text) < 2_000_000


def test_the_same_run_gives_the_same_bytes(real_run, tmp_path):
    first = write_report(real_run, to=tmp_path / "one.html")
    second = write_report(real_run, to=tmp_path / "two.html")
    assert first.read_bytes() == second.read_bytes()


def test_nothing_is_fetched_and_every_reference_is_met(real_run):
    text = written(real_run, audio=True, worst=1)
    assert not re.search(r"https?:|//[a-z]+\.", text)
    page = Page(text)
    assert len(page.ids) == len(set(page.ids))
    for _, attrs in page.tags:
        for name in ("src", "href"):
            address = attrs.get(name) or "#"
            assert address.startswith("data:") or address == "#" or address[1:] in page.ids
    assert any(tag == "audio" and attrs["src"].startswith("data:audio/wav") for tag, attrs in page.tags)
    assert not any(tag == "audio" for tag, _ in Page(written(real_run)).tags)


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

    contents = read_contents(real_run)
    page = Page(render_report(contents, Replay(reopen(contents.record).dataset), 3, "pca", False))
    assert "The embeddings of fan are gone; --fresh makes them again." in page.text
    assert "No pictures of the clips." not in page.text


def test_a_recording_that_is_gone_costs_its_own_picture_alone(real_run, small_dataset, tmp_path):
    from asdbench.harness.replay import reopen

    contents = read_contents(real_run, machines=["fan"])
    replay = reopen(contents.record)
    copy = shutil.copytree(small_dataset, tmp_path / "copy")
    text = render_report(contents, replay, 2, "none", False)
    first = next(title for title in titles(text) if title.startswith("Log-mel of")).removeprefix("Log-mel of ")
    (copy / "fan" / "test" / f"{first}.wav").unlink()
    moved = tuple(_moved(clip, small_dataset, copy) for clip in replay.dataset)

    class Replay:
        dataset = type(replay.dataset)("small", "dcase2023", "dcase2023", moved)

    less = render_report(contents, Replay(), 2, "none", False)
    assert "The recording cannot be shown: cannot be read: No such file or directory" in Page(less).text
    pictures = [{title for title in titles(page) if title.startswith("Log-mel")} for page in (text, less)]
    assert pictures[0] - pictures[1] == {f"Log-mel of {first}"}


def _moved(clip, old, new):
    from dataclasses import replace

    return replace(clip, path=new / clip.path.relative_to(old))


@pytest.mark.parametrize("protocol", ["dcase2020", "dcase2021", "dcase2022", "dcase2024"])
def test_every_year_and_several_sections(make_run, clips_of, protocol):
    sections = ("00", "02") if protocol == "dcase2020" else ("00", "01", "02")
    rows = {("fan", number): clips_of(number, 8, int(number), protocol) for number in sections}
    text = written(make_run(rows, protocol))
    page = Page(text)
    for number in sections:
        assert any(title.startswith(f"ROC of fan, section {number}") for title in titles(text))
        assert f"{'Machine id' if protocol == 'dcase2020' else 'Section'} {number}" in page.text
    assert ("AUC source" in page.text) == (protocol != "dcase2020")
    counted = {"dcase2020": "(all clips)", "dcase2021": "% (target)"}.get(protocol, "(all clips)")
    assert counted in page.text


def test_names_from_files_are_text_and_nothing_else(make_run, clips_of):
    clips = [(name.replace(".wav", f"_{HOSTILE.replace('/', '')}_$x$.wav"), score) for name, score in clips_of()]
    machine = "fan & <b>co"
    folder = make_run({(machine, "00"): clips})
    record = load_record(folder)
    write_record(
        folder,
        record.model_copy(
            update={
                "notes": [HOSTILE],
                "failures": [Failure(stage="embed", machine=HOSTILE, reason=HOSTILE, detail=HOSTILE)],
                "asked": record.asked.model_copy(update={"system": HOSTILE, "params": {HOSTILE: HOSTILE}}),
                "training": [TrainedNetwork(machines=[machine], parameters=1, curves={HOSTILE: [1.0, 2.0]})],
            }
        ),
    )
    page = Page(written(folder))
    assert "alert(1)" not in [data for data in page.words if data.startswith("alert")]
    assert sum(tag == "script" for tag, _ in page.tags) == 2  # the page's own: theme, report
    assert not any(tag == "b" and not attrs for tag, attrs in page.tags if "co" in str(attrs))
    assert HOSTILE in page.text
    assert machine in page.text
    assert "_$x$" in page.text


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


def test_a_reason_is_told_once_with_the_machine_types_that_it_concerns(make_run, clips_of):
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


def test_recordings_that_are_gone_are_told_of_once(make_run, clips_of):
    page = Page(written(make_run({(name, "00"): clips_of() for name in ("fan", "pump", "valve")})))
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


def test_score_files_that_were_changed_are_told(make_run, clips_of):
    folder = make_run({("fan", "00"): clips_of()})
    path = folder / "scores" / "anomaly_score_fan_section_00_test.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:-1], lines[-1].split(",")[0] + ",-5.0"]) + "\n")
    assert "The score files of fan are not those of the record" in Page(written(folder)).text


def unlabelled(make_run, clips_of, tmp_path):
    """A run on an evaluation set, and the evaluator's ground truth."""
    told = clips_of()
    random = np.random.default_rng(3).permutation(len(told))
    rows, labels, domains = [], [], []
    for number, index in enumerate(random):
        name, score = told[index]
        rows.append((f"section_00_{number:04d}.wav", score))
        labels.append(f"section_00_{number:04d}.wav,{int('anomaly' in name)}")
        domains.append(f"section_00_{number:04d}.wav,{int('target' in name)}")
    for kind, lines in (("data", labels), ("domain", domains)):
        place = tmp_path / "truth" / f"ground_truth_{kind}"
        place.mkdir(parents=True)
        (place / "ground_truth_fan_section_00_test.csv").write_text("\n".join(lines) + "\n")
    return (
        make_run({("fan", "00"): rows}, results=None),
        tmp_path / "truth",
        make_run({("fan", "00"): told}, "dcase2024"),
    )


def test_labels_may_come_with_the_command(make_run, clips_of, tmp_path):
    folder, truth, labelled = unlabelled(make_run, clips_of, tmp_path)
    page = Page(written(folder))
    assert "The test clips carry no labels." in page.text
    assert f"asdbench report {folder.name} --ground-truth DIR" in page.text
    assert "it is not known which clips are anomalies" in page.text
    assert "above the threshold" in page.text
    page = Page(written(folder, ground_truth=truth))
    expected = load_record(labelled).results.official_score
    assert f"{100 * expected:.1f} % official score" in page.text
    assert "Labels and domains are from the ground truth" in page.text
    path = next((folder / "scores").glob("*.csv"))
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))
    page = Page(written(folder, ground_truth=truth))
    assert "% partial score" in page.text
    assert "no score for section_00_0000" in page.text


def test_machine_types_can_be_picked(make_run, clips_of):
    folder = make_run({("fan", "00"): clips_of(), ("pump", "00"): clips_of(seed=1)})
    text = written(folder, machines=["pump"])
    assert any(title.startswith("ROC of pump") for title in titles(text))
    assert not any(title.startswith(("ROC of fan", "Anomaly scores of fan")) for title in titles(text))
    with pytest.raises(UsageError, match=r"--machine pumpe: the run has none of it\. Did you mean 'pump'"):
        write_report(folder, machines=["pumpe"])


def test_many_machine_types_are_folded_and_the_file_stays_small(make_run, clips_of):
    names = [f"a-machine-of-a-very-long-name-{number}" * 2 for number in range(4)]
    rows = {(name, "00"): clips_of(each=100, seed=number) for number, name in enumerate(names)}
    text = written(make_run(rows))
    page = Page(text)
    parts = [attrs for tag, attrs in page.tags if tag == "details" and attrs.get("class") == "machine"]
    assert len(parts) == 8
    assert not any("open" in attrs for attrs in parts)
    links = [attrs["href"][1:] for tag, attrs in page.tags if tag == "a"]
    assert {attrs["id"] for attrs in parts if "id" in attrs} <= set(links)
    assert len(text) < 600_000


def test_a_damaged_record_is_an_error_that_names_it(make_run, clips_of, cli):
    folder = make_run({("fan", "00"): clips_of()})
    (folder / "run.json").write_text("{")
    with pytest.raises(RecordError, match=r"run\.json is damaged"):
        write_report(folder)
    outcome = cli("report", folder)
    assert outcome.code == 1
    assert "is damaged" in outcome.err
    assert not (folder / "report.html").exists()


def test_nothing_but_a_report_is_replaced(make_run, clips_of, tmp_path):
    folder = make_run({("fan", "00"): clips_of()})
    first = write_report(folder, to=tmp_path / "a.html").read_bytes()
    assert write_report(folder, to=tmp_path / "a.html").read_bytes() == first
    (tmp_path / "mine.html").write_text("my own page")
    with pytest.raises(UsageError, match=r"mine.html is there already and is no report"):
        write_report(folder, to=tmp_path / "mine.html")
    with pytest.raises(UsageError, match="is a folder"):
        write_report(folder, to=tmp_path)
    assert (tmp_path / "mine.html").read_text() == "my own page"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_to(make_run, clips_of, tmp_path):
    folder = make_run({("fan", "00"): clips_of()})
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    with pytest.raises(UsageError, match="Cannot write"):
        write_report(folder, to=closed / "a.html")


def test_the_command_prints_the_path_and_refuses_what_it_does_not_know(real_run, tmp_path, cli):
    outcome = cli("report", real_run.name[:12], "--out", real_run.parent, "--to", tmp_path / "r.html", "--worst", 0)
    assert outcome.out.strip() == str(tmp_path / "r.html")
    assert "What went wrong" not in Page((tmp_path / "r.html").read_text()).text
    assert cli("report", "nothing-like-it", "--out", real_run.parent).code == 2
    outcome = cli("report", real_run, "--embedding-map", "tsne")
    assert outcome.code == 2
    assert "accepted are pca, umap, none, auto" in outcome.err


def test_curves_are_drawn_as_measured(make_run, clips_of):
    from asdbench.report.training import draw_curves

    falling = [1000.0, 10.0, 1.0]
    curves = {"accuracy": [0.5, 0.9, 1.0], "loss": falling, "validation_loss": [900.0, 12.0, 2.0]}
    first, second = draw_curves(TrainedNetwork(machines=["fan"], parameters=3, curves=curves)).axes
    np.testing.assert_array_equal(first.lines[1].get_xydata(), [[1, 900], [2, 12], [3, 2]])
    assert [text.get_text() for text in first.get_legend().get_texts()] == ["training", "validation"]
    np.testing.assert_array_equal(first.lines[0].get_xydata(), [[1, 1000], [2, 10], [3, 1]])
    assert (first.get_yscale(), second.get_yscale()) == ("log", "linear")
    assert second.get_title(loc="left") == "accuracy"
    assert draw_curves(TrainedNetwork(machines=["fan"], parameters=3, curves={})) is None
    page = Page(written(make_run({("fan", "00"): clips_of()})))
    assert "12 345 learned parameters" in page.text
