"""What a board is worth elsewhere: by systems that both have, measured or published."""

import os
import shutil
from pathlib import Path

import pytest
from made_runs import made_run
from markdown_it import MarkdownIt
from scipy.stats import kendalltau, spearmanr

import asdbench as asd
from asdbench.leaderboard import add_run
from asdbench.leaderboard.render import make_pages
from asdbench.leaderboard.transfer import Side, leading_word, transfer
from asdbench.leaderboard.transfer_page import transfer_pages

SHARED = os.environ.get("ASDBENCH_TEST_DATA")
with_shared = pytest.mark.skipif(not SHARED, reason="ASDBENCH_TEST_DATA is not set")
TABLE = """config,dev_omega,eval_omega,seconds
raw-k1,60,50,1
raw-k2,59,51,2
conf-k1,55,58,3
conf-k2,54,59,4
ldn-K1,57,57,5
"""


@pytest.fixture
def table_file(tmp_path):
    def write(text=TABLE, name="grid.csv"):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


@pytest.fixture
def transfers(cli, tmp_path):
    return lambda *names: cli("transfer", *names, "--board-dir", tmp_path / "boards", "--replicates", "200")


@pytest.fixture(scope="module")
def made_boards(tmp_path_factory):
    """Four systems on two data sets; the order of one is turned round on the other."""
    root, others = tmp_path_factory.mktemp("two"), {}
    for number, scorer in enumerate(("knn", "lof", "gmm", "kde")):
        for data, quality in (("here", 2.5 - 0.6 * number), ("there", 0.7 + 0.6 * number)):
            made = made_run(
                root / "runs", extractor=f"e{number}", scorer=scorer, dataset=data, quality=quality, clips=40
            )
            add_run(made, root / "boards", others=others)
    return root / "boards"


@pytest.fixture
def two_boards(made_boards, tmp_path):
    return Path(shutil.copytree(made_boards, tmp_path / "boards"))


def test_the_winner_its_loss_and_the_correlations_are_those_of_the_table(table_file):
    (one,) = asd.transfer(table_file())
    dev, there = [60, 59, 55, 54, 57], [50, 51, 58, 59, 57]
    assert one.spearman.value == pytest.approx(spearmanr(dev, there).statistic)
    assert one.kendall.value == pytest.approx(kendalltau(dev, there).statistic)
    assert (one.on_second.winner, one.on_second.best, one.on_second.lost) == ("raw-k1", "conf-k2", 9)
    assert one.on_second.at_random == pytest.approx(59 - sum(there) / 5)
    assert (one.on_first.winner, one.on_first.lost) == ("conf-k2", 6)
    assert set(one.systems.values()) == {"raw", "conf", "ldn"}
    assert one.agreement is None, "nobody knows what is significant"
    assert one.verdict == "do not choose by it"


@with_shared
@pytest.mark.parametrize(("year", "expected"), [(2023, 0.18), (2024, 0.13), (2025, -0.03)])
def test_published_grids_come_to_their_known_correlations(year, expected, cli):
    path = Path(SHARED) / "published" / "backend-grids" / f"beats-{year}.csv"
    found = cli("transfer", path, "--json").json["transfers"]
    assert [(one["first"], one["second"]) for one in found] == [
        (f"beats-{year}.csv:dev_omega", f"beats-{year}.csv:eval_omega")
    ]
    assert round(found[0]["spearman"]["value"], 2) == expected
    assert (len(found[0]["systems"]), found[0]["families"]) == (51, 5)


def test_boards_are_compared_by_the_systems_that_both_have_with_the_pairs_that_are_apart(two_boards, transfers):
    outcome = transfers("here", "there", "--json")
    assert outcome.code == 0
    (one,) = outcome.json["transfers"]
    assert one["spearman"]["value"] == -1.0
    assert one["chosen_by_first"]["winner"] == "e0 + knn"
    assert one["chosen_by_first"]["best"] == "e3 + kde"
    assert one["pairs"]["same"] == 0
    assert one["pairs"]["of"] > 0
    assert {each["family"] for each in one["systems"]} == {"e0", "e1", "e2", "e3"}
    text = transfers("here", "there").out
    assert "here and there: 4 systems of 4 families" in text
    assert "Spearman -1.00 [-1.00, -1.00], Kendall -1.00 [-1.00, -1.00]: do not choose by it" in text


def test_published_rows_count_by_the_card_that_runs_the_same_system(put, publish, transfers, tmp_path):
    for place, system in enumerate(("one", "two", "three")):
        put(extractor=f"e{place}", system=system, dataset="here", quality=2.0 - 0.7 * place)
        publish(percent=50.0 + 5 * place, system=f"Published {system}")
        path = tmp_path / "boards" / "references" / f"Published {system}-dcase2023.toml"
        path.write_text(f'card = "{system}"\n{path.read_text()}')
    (one,) = transfers("here", "dcase2023-dev", "--json").json["transfers"]
    assert [each["system"] for each in one["systems"]] == ["one", "two", "three"]
    assert one["spearman"]["value"] == -1.0
    page = make_pages(tmp_path / "boards").texts
    assert "**Elsewhere:** rank correlation with DCASE 2023 dev -1.00" in page["here.md"]
    assert "over 3 systems of 3 families: do not choose by it. More: [transfer.md](transfer.md)." in page["here.md"]
    assert "Elsewhere" not in page["dcase2023-dev.md"], "nothing was measured there"
    assert "DCASE 2023 dev → here" in page["transfer.md"]


def test_a_page_of_one_board_says_the_same_as_all_and_leaves_the_page_of_transfers(two_boards):
    every, alone = make_pages(two_boards), make_pages(two_boards, "here")
    assert alone.texts["here.md"] == every.texts["here.md"]
    assert "Elsewhere" in every.texts["here.md"]
    assert "transfer.md" in alone.untouched
    assert "transfer.md" not in alone.texts


def test_systems_that_nothing_tells_apart_are_one():
    first = Side("a", "a", {"x": 0.5, "y": 0.5, "z": 0.4, "w": 0.3}, results={"x": "1", "y": "1", "z": "2", "w": "3"})
    second = Side("b", "b", {"x": 0.6, "y": 0.4, "z": 0.7, "w": 0.2})
    found = transfer(first, second)
    assert found.scores == {"x = y": (0.5, 0.5), "z": (0.4, 0.7), "w": (0.3, 0.2)}
    assert transfer(first, Side("b", "b", {"x": 0.6, "y": 0.4, "z": 0.7})) is None, "two that differ"


def test_a_name_tells_the_family_where_nothing_else_does():
    names = ("conf-soft-m0-k1", "ASDKit: raw BEATs", "frozen BEATs, near", "SimCLR ResNet-18 + ML", "raw-k1")
    assert [leading_word(name) for name in names] == ["conf", "BEATs", "BEATs", "SimCLR", "raw"]


def test_columns_are_named_behind_a_colon_and_families_in_a_column(table_file):
    path = table_file()
    (one,) = asd.transfer(f"{path}:dev_omega", f"{path}:seconds")
    assert one.second.name == "grid.csv:seconds"
    families = table_file("system,family,dev,eval\na,x,1,2\nb,x,2,3\nc,y,3,1\n", "own.csv")
    assert list(asd.transfer(families)[0].systems.values()) == ["y", "x", "x"]


FAULTS = {
    "one board": (["here"], "here is one board; a transfer is from one to another.\nName two or more"),
    "twice": (["here", "here"], "here is named twice"),
    "misspelt": (["here", "ther"], "No board 'ther' in {boards}. Did you mean 'there'?\nThere are: here, there;"),
    "no file": (["no.csv"], "no.csv cannot be read: No such file or directory.\nNeeded: a CSV"),
    "no column": (
        ["{grid}:dev"],
        "grid.csv has no column 'dev' of numbers. Did you mean 'dev_omega'?\nThere are: dev_",
    ),
    "nothing shared": (["{grid}:dev_omega", "here"], "No two boards share 3 systems that differ (grid.csv:dev_omega"),
    "form": (["here", "there", "--page", "x.pdf"], "--page x.pdf: the ending decides the form.\nAccepted: .html, .md."),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_cannot_be_compared_is_named(fault, two_boards, table_file, transfers):
    arguments, message = FAULTS[fault]
    places = {"grid": table_file(), "boards": two_boards}
    outcome = transfers(*(argument.format(**places) for argument in arguments))
    assert outcome.code in (2, 3)
    lines = [line for line in outcome.err.splitlines() if not line.endswith(" ...")]
    assert message.format(**places) in "\n".join(lines)
    assert len(lines) == 2


WRONG = {
    "system,dev,eval\na,1,2\nb,x,3\nc,4,5\n": "dev of b is 'x'.\nNeeded: a finite number",
    "system,dev,eval\na,1,2\na,2,3\n": "has a twice.\nEach system has one row.",
    "system,dev,eval\na,1\n": "row 2: 2 cells under 3 columns.",
    "dev,eval\n1,2\n": "has no column with names of systems.",
    "system,dev,eval\n": "has no rows.",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_table_is_named_with_its_place(text, table_file, transfers):
    outcome = transfers(table_file(text))
    assert outcome.code == 3
    assert WRONG[text] in outcome.err


def test_the_page_is_written_where_it_is_wanted(table_file, transfers, tmp_path):
    assert transfers(table_file(), "--page", tmp_path / "page.html").code == 0
    page = (tmp_path / "page.html").read_text()
    assert "<circle" in page
    assert "http" not in page.split("<main>")[1]


def test_names_are_shown_as_text_on_the_page_of_transfers(tmp_path):
    names = [f"{word} <script>alert(1)</script>|`[x](javascript:y)" for word in ("one", "two", "three")]
    sides = [Side(board, f"{board}|<b>", {name: float(n * place) for n, name in enumerate(names)})
             for board, place in (("a", 1), ("b", -1))]  # fmt: skip
    markdown, html = transfer_pages(sides, [transfer(*sides)])
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert" in html
    shown = MarkdownIt("commonmark").enable("table").render(markdown)
    assert "<script" not in shown
    assert "<a " not in shown


def test_the_projects_synthetic_board_is_opposed_to_published_results_of_2023():
    boards = Path(__file__).resolve().parents[2] / "leaderboards"
    lines = (boards / "synthetic.md").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith("**Elsewhere:**")]
    assert "with DCASE 2023 dev -0.60" in line
    assert "over 5 systems of 3 families: do not choose by it" in line
