"""Entries: everything that a board needs, nothing of anybody's disk, and no number that its scores do not give."""

import csv
import json

import numpy as np
import pytest
from made_runs import made_run, pair_accuracy

from asdbench.harness.record import load_record
from asdbench.leaderboard import EntryError, add_run, load_entry, read_entries
from asdbench.leaderboard.paths import private_folders, shortened


@pytest.fixture
def entry_path(tmp_path):
    return add_run(made_run(tmp_path / "runs", learning=pair_accuracy(0.5)), tmp_path / "boards").path


def edited(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return path


def test_an_entry_holds_the_record_and_every_score_to_the_last_digit(tmp_path):
    folder = made_run(tmp_path / "runs", seed=3)
    path = add_run(folder, tmp_path / "boards").path
    entry = load_entry(path)
    assert path == tmp_path / "boards" / "results" / f"{folder.name}.json"
    assert entry.record == load_record(folder)
    for (machine, section), rows in entry.sections().items():
        with (folder / "scores" / f"anomaly_score_{machine}_section_{section}_test.csv").open() as file:
            written = sorted((name, float(score)) for name, score in csv.reader(file))
        assert rows.scores.tolist() == [score for _, score in written]
        assert rows.labels.tolist() == [int("anomaly" in name) for name, _ in written]
        assert rows.domains.tolist() == ["source" if "_source_" in name else "target" for name, _ in written]
        with (folder / "scores" / f"decision_result_{machine}_section_{section}_test.csv").open() as file:
            decided = sorted((name, int(float(one))) for name, one in csv.reader(file))
        assert rows.decisions.tolist() == [one for _, one in decided]
    assert load_entry(path).text() == path.read_text(), "written again it is the same file"


def test_the_official_score_follows_from_the_entry_alone(entry_path):
    from brute_force import official_score

    entry = load_entry(entry_path)
    rows = {}
    for (machine, section), section_rows in entry.sections().items():
        members = zip(
            section_rows.scores.tolist(), section_rows.labels.tolist(), section_rows.domains.tolist(), strict=True
        )
        rows.setdefault(machine, {})[section] = list(members)
    assert official_score(2023, rows) == pytest.approx(entry.record.results.official_score, abs=1e-12)


def test_an_entry_with_a_record_of_the_last_schema_is_read(entry_path):
    def older(content):
        del content["digest"]
        content["schema_version"] = 1
        content["record"]["schema_version"] = 3
        del content["record"]["salvaged"]
        del content["record"]["dataset"]["fingerprints"]
        del content["record"]["environment"]["threads"]

    entry = load_entry(edited(entry_path, older))
    assert entry.record.schema_version > 3
    assert entry.record.dataset.fingerprints == {}


def test_an_entry_of_the_first_schema_has_no_digest_and_is_read(entry_path):
    def older(content):
        del content["digest"]
        content["schema_version"] = 1

    before = load_entry(entry_path)
    assert load_entry(edited(entry_path, older)) == before
    assert read_entries(entry_path.parent.parent).problems == []


def test_an_altered_entry_is_reported_when_the_run_is_added_again_and_is_replaced(tmp_path):
    folder = made_run(tmp_path / "runs")
    path = add_run(folder, tmp_path / "boards").path
    whole = path.read_bytes()
    edited(path, lambda content: content["record"].update(finished_at="2020-01-01T00:00:00Z"))
    with pytest.raises(EntryError, match="is altered"):
        add_run(folder, tmp_path / "boards")
    assert add_run(folder, tmp_path / "boards", replace=True).outcome == "replaced"
    assert path.read_bytes() == whole


DAMAGE = {
    "newer": (lambda content: content.update(schema_version=99), "has schema 99; this asdbench knows 3"),
    "newer record": (lambda content: content["record"].update(schema_version=99), "has a record of schema 99"),
    "lacks": (lambda content: content["record"].pop("asked"), "is damaged: record.asked: Field required"),
    "unknown": (lambda content: content.update(comment="x"), "is damaged: comment: Extra inputs"),
    "nan": (
        lambda content: content["scores"]["fan"]["00"]["scores"].__setitem__(0, float("nan")),
        "is damaged: scores.fan.00.scores.0: Input should be a finite number",
    ),
    "short": (
        lambda content: content["scores"]["fan"]["00"]["scores"].pop(),
        "is damaged: scores.fan.00: not one label, domain, score and decision a clip",
    ),
    "better": (
        lambda content: content["record"]["results"].update(official_score=0.99),
        "is altered: results.official_score is recorded as 0.99, but its scores give",
    ),
    "one section better": (
        lambda content: content["record"]["results"]["machines"]["fan"]["sections"]["00"].update(pauc=0.99),
        "is altered: results.fan.sections.00.pauc",
    ),
    "another score": (
        lambda content: content["scores"]["fan"]["00"]["scores"].__setitem__(10, 99.0),
        "is altered: results.fan",
    ),
    # No result changes with these, so that the digest alone shows it.
    "a score among others": (
        lambda content: content["scores"]["fan"]["00"]["scores"].__setitem__(
            0, content["scores"]["fan"]["00"]["scores"][0] + 1e-9
        ),
        "is altered: its record or scores are not those that were added",
    ),
    "a parameter": (
        lambda content: content["record"]["scorer"]["params"].update(n_neighbors=1),
        "is altered: its record or scores are not those that were added",
    ),
    "a figure of its training": (
        lambda content: content["record"]["training"][0]["learning"].update(value=0.99),
        "is altered: its record or scores are not those that were added",
    ),
    "without digest": (lambda content: content.pop("digest"), "is damaged: it has no digest"),
    "a machine less": (
        lambda content: content["scores"].pop("fan"),
        "is altered: results and scores are not of the same machine types: fan",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_cannot_be_used_is_named_and_hides_no_other(tmp_path, entry_path, damage):
    change, message = DAMAGE[damage]
    other = add_run(made_run(tmp_path / "runs", seed=1), tmp_path / "boards").path
    edited(entry_path, change)
    found = read_entries(tmp_path / "boards")
    assert list(found.entries) == [other]
    (problem,) = found.problems
    assert str(entry_path) in problem
    assert message in problem


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"schema_version": 1}', "\x00\xff", "[" * 200_000])
def test_a_file_that_is_no_entry_is_named(entry_path, text):
    entry_path.write_text(text)
    with pytest.raises(EntryError, match="is damaged"):
        load_entry(entry_path)


def test_an_entry_under_another_name_would_count_twice_and_is_refused(entry_path):
    copy = entry_path.with_name("copy.json")
    copy.write_bytes(entry_path.read_bytes())
    with pytest.raises(EntryError, match=r"copy\.json holds the run raw-mel-knn-synthetic-s0"):
        load_entry(copy)


def test_no_place_on_a_disk_goes_into_an_entry(tmp_path):
    folder = made_run(
        tmp_path / "runs",
        asked_dataset="/home/jane/recordings/pumps",
        extractor_params={"weights": "/home/jane/models/best.pt", "dim": 4},
        failed=["fan"],
        reason="cannot read '/home/jane/my recordings/a.wav': /home/jane/x/b.wav is gone",
    )
    added = add_run(folder, tmp_path / "boards")
    text = added.path.read_text()
    assert "jane" not in text
    assert "/home/me" not in text, "tracebacks are left out"
    record = load_entry(added.path).record
    assert record.asked.dataset == "pumps"
    assert record.extractor.params == {"weights": "best.pt", "dim": 4}
    assert record.failures[0].reason == "cannot read 'a.wav': b.wav is gone"
    assert set(added.shortened) == {"asked.dataset", "extractor.params.weights", "failures.reason"}


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("/data/dcase2023/dev", "dev"),
        ("~/data", "data"),
        ("../../data/pumps", "pumps"),
        (r"C:\Users\jane\pumps", "pumps"),
        ("see /srv/data/pumps/a.wav.", "see a.wav."),
        ("at https://example.org/a/b and 3 km/h of 1/2", "at https://example.org/a/b and 3 km/h of 1/2"),
        ("Error:/home/jane/secret/x.wav", "Error:x.wav"),
        ("file:///home/jane/x/y.wav", "y.wav"),
        ("cannot open file:///home/jane/x/y.wav.", "cannot open y.wav."),
        (r"\\server\share\dir\x.wav", "x.wav"),
        (r"no file \\server\share\dir\x.wav here", "no file x.wav here"),
        (r"[Errno 2] No such file: 'C:\\Users\\Jane Doe\\x.wav'", "[Errno 2] No such file: 'x.wav'"),
        ("see ../private/thing/x.wav, ./private/thing/y.wav", "see x.wav, y.wav"),
        ("/home/me/My Data/x.wav", "x.wav"),
        ("no such file: /home/me/My Data/x.wav", "no such file: x.wav"),
        (r"C:\Users\Jane Doe\data\x", "x"),
        ("/home/me/a.wav is not as /home/me/secret/b.wav", "a.wav is not as b.wav"),
        ('cannot read "/home/o\'brien/x/a.wav"', 'cannot read "a.wav"'),
        ("weights=/home/jane/a/b.pt|cache=/var/tmp/c", "weights=b.pt|cache=c"),
        (
            "(https://example.org/a/b c/d) and http://example.org/~jane/e",
            "(https://example.org/a/b c/d) and http://example.org/~jane/e",
        ),
        ("asdbench.extractors.raw_mel:RawMel", "asdbench.extractors.raw_mel:RawMel"),
        ("linear", "linear"),
    ],
)
def test_of_paths_the_last_part_is_kept(text, short):
    assert shortened(text) == short


def test_whose_folders_they_are_is_left_out_whatever_stands_around_them(monkeypatch, tmp_path):
    home = tmp_path / "jane doe (laptop), new"
    for variable, place in (("HOME", home), ("ASDBENCH_CACHE", home / "c"), ("ASDBENCH_DATA", tmp_path / "d [1]")):
        monkeypatch.setenv(variable, str(place))
    for text in (f"{home}/x/a.wav", f"read:{home}/a.wav", f"{home}/c/trained/a.wav is", f"{tmp_path}/d [1]/e/a.wav"):
        short = shortened(text, private_folders())
        assert short.removeprefix("read:").removesuffix(" is") == "a.wav"


def test_a_run_that_still_names_the_home_folder_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", "/home/jane")
    folder = made_run(tmp_path / "runs", extractor_params={"flags": "-I/home/jane/include"})
    with pytest.raises(EntryError, match=r"names your home folder in extractor\.params\.flags"):
        add_run(folder, tmp_path / "boards")
    assert not (tmp_path / "boards").exists()


def test_scores_survive_as_they_are(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "asdbench.score_files.evaluation.other_results", lambda *_: []
    )  # these are not those of the record
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.standard_normal(17) * 10.0 ** rng.integers(-300, 300, 17), [0.1 + 0.2, 5e-324, -0.0]])
    folder = made_run(tmp_path / "runs", machines=("fan",), clips=5)
    path = folder / "scores" / "anomaly_score_fan_section_00_test.csv"
    names = [line.split(",")[0] for line in path.read_text().splitlines()]
    path.write_text("".join(f"{name},{value!r}\n" for name, value in zip(names, values.tolist(), strict=True)))
    from asdbench.leaderboard.store import entry_of

    entry, _ = entry_of(folder)
    order = np.argsort(names, kind="stable")
    assert entry.sections()["fan", "00"].scores.tobytes() == values[order].tobytes()
