"""Published results: every file that the project has is sound, and a wrong one is reported by file and key."""

from pathlib import Path
from statistics import harmonic_mean

import pytest

from asdbench.leaderboard.references import PublishedError, load_references, read_references
from asdbench.leaderboard.rows import published_row
from asdbench.registry import load_catalog

BOARDS = Path(__file__).resolve().parents[2] / "leaderboards"
SOUND = """
system = "Mine"
dataset = "dcase2023"
split = "dev"
protocol = "dcase2023"
year = 2023
source = "A paper"
url = "https://example.org/paper"
official_score = 60.0
[machines]
fan = { auc_source = 60.0, auc_target = 60.0, pauc = 60.0 }
valve = { auc_source = 80.0, auc_target = 48.0, pauc = 60.0 }
"""


@pytest.fixture
def reference(tmp_path):
    def write(text=SOUND):
        path = tmp_path / "references" / "mine.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    return write


def one(path):
    (found,) = load_references(path).values()
    return found


def test_those_of_the_project_are_sound_and_name_their_years_protocol():
    found = read_references(BOARDS)
    assert not found.problems
    assert sum(bool(reference.machines) for reference in found.references.values()) == 30
    catalog = load_catalog()
    for reference in found.references.values():
        challenge = catalog.find("datasets", reference.dataset).challenge
        assert reference.protocol == challenge.protocol
        if not reference.machines:
            continue
        assert set(reference.machines) == set(challenge.splits[reference.split].machines)
    for card in {reference.card for reference in found.references.values()} - {None}:
        catalog.find("systems", card)


PUBLISHED_TOTALS = {  # percent, as published: what the rows by machine have to come to
    "dcase2025-eval": {"AE baseline selective Mahalanobis": 56.51, "AE baseline MSE": 54.43,
                       "frozen BEATs, nearest neighbour": 55.83, "frozen BEATs, local density normalisation": 61.04},
    "dcase2025-dev": {"GenRep system 2": 63.74, "GenRep system 3": 61.51, "GenRep system 4 (CED-tiny)": 62.15},
    "dcase2026-eval": {"frozen BEATs, near microphone": 62.84, "frozen BEATs, near minus far": 66.84,
                       "BEATs LoRA, near microphone": 67.92, "BEATs LoRA, near minus far": 70.66},
    "dcase2026-dev": {"frozen BEATs, near microphone": 61.32, "frozen BEATs, near minus far": 67.48,
                      "BEATs LoRA, near minus far": 69.53},
}  # fmt: skip


@pytest.mark.parametrize("board", PUBLISHED_TOTALS)
def test_rows_by_machine_come_to_the_published_totals(board):
    harmonic = {
        one.system: harmonic_mean([value for terms in one.machines.values() for value in terms.values()])
        for one in read_references(BOARDS).references.values()
        if one.board == board and one.machines
    }
    expected = PUBLISHED_TOTALS[board]
    assert [harmonic[name] for name in expected] == pytest.approx([*expected.values()], abs=0.011)


def test_means_over_sections_give_no_official_score(boards, publish, tmp_path):
    publish()
    path = next((tmp_path / "boards" / "references").iterdir())
    path.write_text(path.read_text().replace("year=2023", "year=2023\nsection_means=true"))
    made, _ = boards()
    (row,) = [published_row(made["dcase2023-dev"], one) for one in made["dcase2023-dev"].references.values()]
    assert row.score.value == pytest.approx(0.6)
    assert row.score.reason == "computed from the published means over sections, not the official score"


def test_cards_of_totals_are_those_of_systems_in_it(reference):
    text = SOUND.partition("official_score")[0].partition('system = "Mine"')[2]
    found = load_references(reference(f'{text}[totals]\nA = 60\nB = 61\n[cards]\nB = "twfr"\n'))
    assert {one.system: one.card for one in found.values()} == {"A": None, "B": "twfr"}
    with pytest.raises(PublishedError, match="cards takes a table of systems in totals and their cards, not 'C'"):
        load_references(reference(f'{text}[totals]\nA = 60\n[cards]\nC = "twfr"\n'))


def test_a_sound_one_gives_its_scores(reference):
    found = one(reference())
    assert found.board == "dcase2023-dev"
    assert found.score_of("fan") == pytest.approx(0.6)
    assert found.score_of("valve") == pytest.approx(3 / (1 / 0.8 + 1 / 0.48 + 1 / 0.6))
    assert found.computed_score == pytest.approx(0.6), "six terms: 60, 60, 60, 80, 48, 60"


def test_the_partial_auc_of_2021_stands_for_both_domains(reference):
    text = SOUND.replace("2023", "2021").replace("official_score = 60.0\n", "")
    found = one(reference(text))
    assert found.score_of("valve") == pytest.approx(4 / (1 / 0.8 + 1 / 0.48 + 2 / 0.6))


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('split = "dev"', 'splitt = "dev"', "unknown key 'splitt'. Did you mean 'split'?"),
        ("pauc = 60.0 }\nvalve", "puac = 60.0 }\nvalve", "unknown key 'machines.fan.puac'. Did you mean 'pauc'?"),
        ('source = "A paper"\n', "", "source: Field required"),
        ("protocol = \"dcase2023\"", "protocol = \"dcase2032\"", "no protocol 'dcase2032'; accepted are dcase2020"),
        ("official_score = 60.0", "official_score = 61.0", "official_score is 61.0, but its machine types give 60.00"),
        ("auc_target = 48.0", "auc_target = 480.0", "machines.valve.auc_target"),
        ("auc_target = 48.0", "auc_target = 0.48", "machines.valve.auc_target is 0.48, a fraction; percent are wanted"),
        ("auc_target = 48.0", "auc_target = true", "machines.valve.auc_target: Input should be a valid number"),
        ('source = "A paper"', 'source = "A \\u001b[31mpaper"', "source: String should match"),
        ('url = "https://example.org/paper"', 'url = "javascript:alert(1)"', "url: String should match"),
        ("official_score =", "card = 'a`<script>alert(1)</script>'\nofficial_score =", "card: String should match"),
        ("official_score =", "card = 'a; rm -rf b'\nofficial_score =", "card: String should match"),
        ('dataset = "dcase2023"', 'dataset = "a|[b](javascript:c)"', "dataset: String should match"),
        ("auc_source = 80.0, auc_target = 48.0", "auc = 80.0", "dcase2023 has auc_source, auc_target, pauc"),
        ("[machines]", "[machines", "not a TOML file"),
    ],
)  # fmt: skip
def test_a_wrong_one_is_reported_by_file_and_key(reference, before, after, said):
    assert before in SOUND
    path = reference(SOUND.replace(before, after, 1))
    with pytest.raises(PublishedError) as caught:
        load_references(path)
    assert str(path) in str(caught.value)
    assert said in str(caught.value)
    found = read_references(path.parent.parent)
    assert not found.references
    assert len(found.problems) == 1


TOTALS = """
dataset = "dcase2023"
split = "dev"
protocol = "dcase2023"
year = 2025
source = "A paper"
[totals]
"One" = 60.0
"Another, larger" = 66.08
"""


def test_a_file_of_totals_holds_a_result_for_each_system(reference):
    found = load_references(reference(TOTALS))
    assert [(reference.system, reference.official_score) for reference in found.values()] == [
        ("One", 60.0),
        ("Another, larger", 66.08),
    ]
    assert all(reference.computed_score is None and reference.score_of("fan") is None for reference in found.values())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TOTALS.partition("[totals]")[0] + "totals = 3", "totals takes a table"),
        (TOTALS.replace("66.08", "166.08"), "official_score"),
        (SOUND.partition("official_score")[0], "neither machines nor official_score"),
    ],
)
def test_wrong_totals_are_reported(reference, text, message):
    with pytest.raises(PublishedError, match=message):
        load_references(reference(text))


def test_the_totals_are_the_published_ones(shared_data):
    import csv

    with (shared_data / "published" / "official_score.csv").open() as file:
        theirs = {(row["dataset"], row["split"], float(row["percent"])) for row in csv.DictReader(file)}
    found = read_references(BOARDS).references.values()
    totals = [one for one in found if not one.machines and one.dataset != "dcase2026"]
    assert len(totals) == 136
    assert {(reference.dataset, reference.split, reference.official_score) for reference in totals} <= theirs
