"""The critical-difference diagram in letters: marks, ruler and columns where the ranks say."""

import numpy as np
import pytest

from asdbench.cli.comparison_results import rank_diagram
from asdbench.protocols.average_ranks import average_ranks


def ranked(systems, blocks=14, spread=4.0):
    rng = np.random.default_rng(systems)
    return average_ranks(
        {
            f"an-extractor + scorer{number}": {
                ("data", f"machine{block}"): float(-number * spread / systems + rng.normal()) for block in range(blocks)
            }
            for number in range(systems)
        }
    )


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("systems", [3, 8, 15])
def test_marks_ruler_and_columns(systems, width):
    result = ranked(systems)
    ruler, scale, *lines = rank_diagram(result, width).splitlines()
    assert all(len(line) <= width for line in (ruler, scale, *lines))
    start = scale.index("1")
    per_rank = (lines[0].rindex("·") - start) / (systems - 1)
    assert ruler.index("┤") - ruler.index("├") == round(result.critical_difference * per_rank)
    assert f"critical difference {result.critical_difference:.2f}" in ruler
    for line, (name, rank) in zip(lines, result.ranks.items(), strict=True):
        assert line.startswith(f"{name} ")
        assert f" {rank:.2f} " in line
        assert line.index("●") - start == round((rank - 1) * per_rank)
    columns = [max(line.rindex("·"), line.index("●")) + 3 for line in lines]
    for number, group in enumerate(result.groups):
        marked = [
            name
            for name, line, column in zip(result.ranks, lines, columns, strict=True)
            if line[column + 2 * number : column + 2 * number + 1] == "┃"
        ]
        assert marked == list(group)


def test_a_difference_that_ranks_cannot_have_is_said():
    shown = rank_diagram(ranked(3, blocks=1), 80)
    assert "critical difference 3.31, more than the ranks can differ" in shown
    assert "├" not in shown
