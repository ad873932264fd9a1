"""What the index answers: what to use by size of data, and who ranks where over several boards."""

import re

import numpy as np
import pytest

from asdbench.leaderboard.average_ranks import overall_ranks
from asdbench.leaderboard.index import index_html, index_markdown, overview
from asdbench.leaderboard.table import make_table
from asdbench.leaderboard.verdict import advice_of
from asdbench.protocols.average_ranks import average_ranks

QUALITIES = {"also": 1.2, "same": 1.2, "poor": -2.0}


@pytest.fixture
def tables(put, boards):
    """Two small boards and a large one; "also" is the cheaper of two that are alike, "poor" the cheapest of all."""

    def call(**updates):
        for dataset, machines in (("one", ("fan", "valve")), ("two", ("pump", "slider", "gearbox"))):
            for place, (scorer, quality) in enumerate(QUALITIES.items()):
                seconds = {"fit": 0.0, "embed": 2.0, "score": [3.0, 9.0, 1.0][place]}
                options = {"dataset": dataset, "machines": machines, "seconds": seconds, "parameters": None, **updates}
                put(scorer=scorer, quality=quality, device="cpu", **options)
        made, problems = boards()
        assert not problems
        return {name: make_table(board, 300) for name, board in made.items()}

    return call


def test_the_cheapest_of_those_that_are_nowhere_worse_is_recommended(tables):
    (few,) = advice_of(tables())
    assert few.label == "raw-mel + also"
    assert few.size == "up to 200 training clips a machine type"
    assert "not significantly worse than the best; the cheapest of 2 of which that holds" in few.reason
    assert few.command == "asdbench fit FOLDER --extractor raw-mel --scorer also --false-alarms 0.05 --to machine.asd"


def test_what_is_not_above_chance_is_not_recommended(tables, monkeypatch):
    monkeypatch.setitem(QUALITIES, "also", 0.3)  # the cheapest, and these clips do not tell it from the best
    (few,) = advice_of(tables())
    assert few.label == "raw-mel + same"


def test_where_nothing_is_above_chance_the_index_says_so(tables, monkeypatch):
    monkeypatch.setattr(f"{__name__}.QUALITIES", dict.fromkeys(QUALITIES, 0.0))
    made = tables()
    (few,) = advice_of(made)
    assert few.reason == "Of 3 measured on the CPU none is shown to be better than chance on each of: one, two."
    content = overview(made, transfers=False)
    assert f"a machine type: no system.** {few.reason}\n" in index_markdown(content)


def test_nothing_is_recommended_where_nothing_was_measured_on_a_cpu(put, boards):
    put(device="cuda")
    (board,) = boards()[0].values()
    assert advice_of({"synthetic": make_table(board, 50)}) == []


def test_ranks_over_boards_are_those_of_all_machine_types(tables):
    made = tables()
    found = overall_ranks(made)
    scores = {
        name: {
            (board, machine): cell.value
            for board, table in made.items()
            for row in table.rows
            if row.label == f"raw-mel + {name}"
            for machine, cell in row.machines.items()
        }
        for name in QUALITIES
    }
    expected = average_ranks(scores)
    assert {name.removeprefix("raw-mel + "): rank for name, rank in found.ranks.items()} == dict(expected.ranks)
    assert len(found.blocks) == 5
    assert found.apart(*[next(iter(found.ranks)), "raw-mel + poor"])
    assert overall_ranks({name: table for name, table in made.items() if name == "one"}) is None


def test_the_index_tells_both(tables):
    made = tables()
    content = overview(made, transfers=False)
    markdown, html = index_markdown(content), index_html(content)
    for page in (markdown, re.sub("</?span>", "", html)):
        assert "asdbench fit FOLDER --extractor raw-mel --scorer also --false-alarms 0.05 --to machine.asd" in page
        assert "3 systems on 5 machine types of 2 boards" in page
    assert html.count('class="dot"') == 3
    ranks = np.array(list(content.ranks.ranks.values()))
    assert f"{ranks[0]:.2f}" in markdown
