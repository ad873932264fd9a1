"""Score against cost, and the map of systems by machine types: what is drawn is what the rows say."""

import re

import numpy as np
import pytest

from asdbench.leaderboard.board_page import board_pages, score_map
from asdbench.leaderboard.cost_picture import cost_pictures, front_of


def test_the_front_holds_those_that_nothing_cheaper_equals():
    rng = np.random.default_rng(0)
    for _ in range(50):
        costs, scores = rng.integers(0, 6, 12).tolist(), rng.integers(0, 6, 12).tolist()
        front = front_of(costs, scores)
        points = list(zip(costs, scores, strict=True))
        expected = {
            point for point in points if not any(
                (other[0] <= point[0] and other[1] > point[1]) or (other[0] < point[0] and other[1] >= point[1])
                for other in points
            )
        }  # fmt: skip
        assert [points[place] for place in front] == sorted(expected)


@pytest.fixture
def board(put, table):
    for place, (score, cost) in enumerate(((1.0, 0.5), (2.0, 5.0), (0.5, 50.0), (3.0, 500.0))):
        seconds = {"fit": cost, "score": 1.2}
        put(extractor=f"e{place}", quality=score, seconds=seconds, clips=40, parameters=10**place)
    return table()


def test_systems_stand_by_cost_and_score_with_their_intervals(board):
    pictures = {picture.name: picture for picture in cost_pictures(board)}
    assert set(pictures) == {"total", "training", "parameters"}, (
        "all score a clip in the same time, and MACs are unknown"
    )
    by_name = {point.title.split(" + ")[0]: point for point in pictures["training"].points}
    assert [point.on_front for _, point in sorted(by_name.items())] == [True, True, False, True]
    places = [by_name[f"e{place}"].x for place in range(4)]
    steps = np.diff(places)
    assert steps == pytest.approx([steps[0]] * 3), "ten times the cost is as far again"
    best, worst = by_name["e3"], by_name["e2"]
    assert best.y < worst.y, "the better is higher"
    assert best.high < best.y < best.low
    assert pictures["training"].front.startswith("e0 + knn (")
    assert pictures["training"].path.count("H") == 2


def test_the_map_has_every_score_by_its_distance_from_chance(board):
    rows = score_map(board)
    assert [row.name for row, _ in rows] == [row.name for row in board.rows if row.kind != "chance"]
    level = board.chance.total
    values = [cell.value for _, cells in rows for _, cell, _ in cells]
    for _, cells in rows:
        for machine, cell, reach in cells:
            assert reach == pytest.approx((cell.value - level) / (max(values) - level)), machine


def test_the_page_draws_a_circle_for_each_and_switches_without_scripts(board):
    _, page = board_pages(board)
    assert len(re.findall("<circle", page)) == 3 * 4
    for name in ("total", "training", "parameters"):
        assert f'<input type="radio" name="cost" id="by-{name}"' in page
        assert f"#by-{name}:checked ~ .by-{name}" in page


def test_a_board_of_few_systems_has_no_picture(put, table):
    put(extractor="one")
    put(extractor="two")
    assert cost_pictures(table()) == []
