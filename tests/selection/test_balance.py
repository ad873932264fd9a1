import numpy as np
import pytest
from labelled_clips import labelled, source_then_target

import asdbench
from asdbench.selection import SelectionError, domain_balance


class Column:
    """Scores are the first column, whatever the fit; keeps how many clips each fit saw."""

    def __init__(self):
        self.seen = []

    def __call__(self, rows, clips):
        self.seen.append([sum(clip.domain == domain for clip in clips) for domain in ("source", "target")])
        return self

    def score(self, rows):
        return rows[:, 0].astype(float)


def test_a_worked_example():
    """Source scores 0 and 1 in halves, target scores all 1: of any 4 source clips left out some part are 0."""
    rows = np.array([[0.0]] * 4 + [[1.0]] * 4 + [[1.0]] * 3, np.float32)
    clips = source_then_target(8, 3)
    column = Column()
    drawn, expected = np.random.default_rng(0), []
    for _ in range(10):
        source = drawn.permutation(8)[:4]
        drawn.permutation(3)
        expected.append(np.mean(source < 4))  # the step of the source's distribution below 1, where the target has none
    assert domain_balance(rows, clips, column) == pytest.approx(np.mean(expected))
    assert column.seen == [[4, 2]] * 10


def test_ends_of_the_range_and_any_rising_change_of_scores():
    clips = source_then_target(20, 10)
    rows = np.arange(30, dtype=np.float32)[:, None]
    assert domain_balance(rows, clips, Column()) == 1.0
    assert domain_balance(np.zeros_like(rows), clips, Column()) == 0.0
    mixed = np.random.default_rng(1).normal(size=(30, 1)).astype(np.float32)
    assert domain_balance(mixed, clips, Column()) == domain_balance(np.exp(mixed), clips, Column())


def test_calibrating_by_domain_balances_a_scorer_that_is_not():
    rng = np.random.default_rng(2)
    rows = np.concatenate([rng.normal(size=(80, 6)) + 4, 3 * rng.normal(size=(20, 6)) - 4]).astype(np.float32)
    clips = source_then_target(80, 20)
    plain, calibrated = (
        domain_balance(rows, clips, lambda *seen, name=name: asdbench.build(name, kind="scorers").fit(*seen))
        for name in ("knn", "calibrate+knn")
    )
    assert calibrated < plain - 0.3


def test_one_domain_and_scores_that_are_no_numbers_are_refused():
    rows = np.zeros((12, 1), np.float32)
    with pytest.raises(SelectionError, match=r"there are 11 source and 1 target clips\.\n.*--select normal-only"):
        domain_balance(rows, labelled(["source"] * 11 + ["target"]), Column())
    with pytest.raises(SelectionError, match="not finite"):
        domain_balance(rows * np.nan, source_then_target(8, 4), Column())
