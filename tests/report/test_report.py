"""Reports: what they show, whatever names hold, and what they replace."""

import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from report_pages import Page, titles, written

from asdbench.core.errors import UsageError
from asdbench.harness.record import Failure, TrainedNetwork, load_record, write_record
from asdbench.report import write_report

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def real_report(real_run, session_cache):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASDBENCH_CACHE", str(session_cache))
        return written(real_run, worst=1)


def test_a_real_run_shows_everything(real_run, real_report):
    text = real_report
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


def test_the_same_run_gives_the_same_bytes(real_run, real_report, tmp_path):
    assert written(real_run, to=tmp_path / "again.html", worst=1) == real_report


def test_nothing_is_fetched_and_every_reference_is_met(real_run, real_report):
    text = written(real_run, audio=True, worst=1, machines=["fan"])
    assert not re.search(r"https?:|//[a-z]+\.", text)
    page = Page(text)
    assert len(page.ids) == len(set(page.ids))
    for _, attrs in page.tags:
        for name in ("src", "href"):
            address = attrs.get(name) or "#"
            assert address.startswith("data:") or address == "#" or address[1:] in page.ids
    assert any(tag == "audio" and attrs["src"].startswith("data:audio/wav") for tag, attrs in page.tags)
    assert not any(tag == "audio" for tag, _ in Page(real_report).tags)


@pytest.mark.parametrize("protocol", ["dcase2020", "dcase2021", "dcase2024"])
def test_every_year_and_several_sections(make_run, clips_of, protocol):
    sections = ("00", "02")
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
    assert "alert(1)" not in [data for data in page.texts if data.startswith("alert")]
    assert sum(tag == "script" for tag, _ in page.tags) == 2  # the page's: theme, report
    assert not any(tag == "b" and not attrs for tag, attrs in page.tags if "co" in str(attrs))
    assert HOSTILE in page.text
    assert machine in page.text
    assert "_$x$" in page.text


def unlabelled(make_run, clips_of, tmp_path):
    """A run on an evaluation set, and the evaluator's ground truth."""
    labelled = clips_of()
    random = np.random.default_rng(3).permutation(len(labelled))
    rows, labels, domains = [], [], []
    for number, index in enumerate(random):
        name, score = labelled[index]
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
        make_run({("fan", "00"): labelled}, "dcase2024"),
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
    rows = {(name, "00"): clips_of(each=61, seed=number) for number, name in enumerate(names)}
    text = written(make_run(rows))
    page = Page(text)
    parts = [attrs for tag, attrs in page.tags if tag == "details" and attrs.get("class") == "machine"]
    assert len(parts) == 8
    assert not any("open" in attrs for attrs in parts)
    links = [attrs["href"][1:] for tag, attrs in page.tags if tag == "a"]
    assert {attrs["id"] for attrs in parts if "id" in attrs} <= set(links)
    assert len(text) < 600_000


def test_nothing_but_a_report_is_replaced(make_run, clips_of, tmp_path):
    folder = make_run({("fan", "00"): clips_of()})
    first = write_report(folder, to=tmp_path / "a.html").read_bytes()
    assert write_report(folder, to=tmp_path / "a.html").read_bytes() == first
    (tmp_path / "mine.html").write_text("my own page")
    with pytest.raises(UsageError, match=r"mine.html is there already and is no asdbench report"):
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


def test_the_most_suspicious_clip_of_an_unlabelled_run_is_explained(cli, small_dataset, tmp_path):
    for split in ("train", "test"):
        (tmp_path / "pump" / split).mkdir(parents=True)
        for number, clip in enumerate(sorted(small_dataset.glob(f"fan/{split}/*.wav"))):
            shutil.copyfile(clip, tmp_path / "pump" / split / f"{split} {number}.wav")
    words = ("--dataset", tmp_path / "pump", "--extractor", "raw-mel", "--scorer", "knn", "--out", tmp_path / "runs")
    ran = cli("run", *words, "--json")
    assert ran.code == 0, ran.err
    folder = Path(ran.json["runs"][0]["record"]).parent
    text = write_report(folder).read_text(encoding="utf-8")
    page = Page(text)
    assert "no score" in page.text
    rows = [
        line.split(",")
        for path in folder.glob("scores/anomaly_score*.csv")
        for line in path.read_text().split("\n")
        if line
    ]
    highest = max(rows, key=lambda row: float(row[1]))[0]
    (article,) = re.findall(r'<article class="clip">.*?</article>', text, re.DOTALL)
    assert f"<h3>{highest.removesuffix('.wav')}</h3>" in article
    assert article.count("<svg") == 3
    assert "<article" not in write_report(folder, explain=0).read_text(encoding="utf-8")
