"""The critical-difference diagram: places, bars and labels as they are drawn."""

import itertools

import numpy as np
import pytest

from asdbench.leaderboard.critical_difference import bar_rows, draw_critical_difference
from asdbench.pages.figures import BLUE, figure_svg
from asdbench.protocols.average_ranks import average_ranks


def ranked(systems, blocks=6, spread=2.0, alike=False):
    rng = np.random.default_rng(systems)
    names = [f"extractor-{'long-' * (number % 4)}{number} + scorer$_{number}" for number in range(systems)]
    return average_ranks(
        {
            name: {
                ("data", f"machine{block}"): 0.0 if alike else float(-number * spread / systems + rng.normal())
                for block in range(blocks)
            }
            for number, name in enumerate(names)
        }
    )


@pytest.mark.parametrize(("systems", "alike"), [(3, False), (3, True), (8, False), (15, False), (16, True)])
def test_no_two_texts_meet_and_all_are_within(systems, alike):
    figure = draw_critical_difference(ranked(systems, alike=alike))
    figure.canvas.draw()
    boxes = {text.get_text(): text.get_window_extent() for text in figure.axes[0].texts}
    assert len(boxes) == 2 * systems + 1, "a label and a tick for each system, and the ruler's"
    for (one, first), (two, second) in itertools.combinations(boxes.items(), 2):
        assert not first.overlaps(second), f"{one} meets {two}"
    for box in boxes.values():
        assert 0 <= box.x0 < box.x1 <= figure.bbox.x1
        assert 0 <= box.y0 < box.y1 <= figure.bbox.y1


def test_lines_start_at_the_ranks_and_bars_cover_the_groups():
    result = ranked(8, spread=6.0)
    figure = draw_critical_difference(result)
    lines = figure.axes[0].lines
    axis = next(line for line in lines if line.get_linewidth() == 1.2 and np.ptp(line.get_ydata()) == 0)
    left, right = axis.get_xdata()

    def rank(x):
        return 1 + (x - left) / (right - left) * 7

    elbows = sorted(rank(line.get_xdata()[0]) for line in lines if len(line.get_xdata()) == 3)
    assert elbows == pytest.approx(list(result.ranks.values()))
    bars = [line.get_xdata() for line in lines if line.get_color() == BLUE]
    assert len(result.groups) == len(bars) > 1
    for (start, end), group in zip(bars, result.groups, strict=True):
        covered = [name for name, average in result.ranks.items() if rank(start) <= average <= rank(end)]
        assert covered == list(group)
    ruler = next(line for line in lines if np.ptp(line.get_ydata()) == 0 and line.get_ydata()[0] < axis.get_ydata()[0])
    assert np.ptp(ruler.get_xdata()) / (right - left) * 7 == pytest.approx(result.critical_difference)


def test_bars_of_a_row_do_not_overlap():
    result = ranked(15, blocks=30, spread=12.0)
    rows = bar_rows(result)
    assert len(rows) == len(result.groups) > 3
    for (row, group), (other_row, other) in itertools.combinations(zip(rows, result.groups, strict=True), 2):
        assert row != other_row or result.ranks[group[-1]] < result.ranks[other[0]]


def test_a_critical_difference_wider_than_the_axis_is_written_out():
    result = ranked(3, blocks=1)
    assert result.critical_difference > 2
    texts = [text.get_text() for text in draw_critical_difference(result).axes[0].texts]
    assert "CD 3.31, more than the ranks can differ" in texts


def test_the_page_gets_the_same_bytes_every_time():
    once, again = (figure_svg(draw_critical_difference(ranked(8)), "Ranks") for _ in range(2))
    assert once == again
    assert "scorer$_7" in once, "names are no mathematics"
