"""How a command knows how long it still takes."""

from types import SimpleNamespace

import pytest

from asdbench.core.progress import Silent
from asdbench.harness import pace
from asdbench.harness.estimate import Estimates
from asdbench.harness.pace import WatchedProgress
from asdbench.harness.tasks import ScoreTask, fit_tasks


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(s=0.0)
    monkeypatch.setattr(pace, "time", SimpleNamespace(monotonic=lambda: now.s))
    return now


def test_the_pace_of_trainings_under_way_says_how_long_they_take(clock):
    """Two trainings of 100 steps: one a second, and one that was resumed at 60 and takes two seconds a step."""
    watched = WatchedProgress(Silent())
    with watched.stage("train one", 100) as one, watched.stage("train other", 100) as other, watched.stage("embed", 5):
        assert watched.trainings() is None
        one.advance(0)
        other.advance(60)
        for _ in range(5):
            clock.s += 2.0
            one.advance(2)
            other.advance(1)
        pace = watched.trainings()
        assert (pace.whole_s, pace.count) == (pytest.approx((100 + 200) / 2), 2)
        assert pace.done_s == pytest.approx((10 + 0.65 * 200) / 2)
    assert watched.trainings() is None


def test_what_is_not_known_counts_as_its_like(plan):
    """Fits by those under way; scores, which take little, as nothing until one has ended."""
    whole = plan(seed=[0, 1], extractor=["autoencoder"])
    estimates = Estimates(whole)
    needs = fit_tasks(whole, range(2))
    fits = [task for tasks in needs.values() for task in tasks]
    scores = [ScoreTask(number) for number in needs]
    assert estimates.left_s([*fits[1:], *scores], {fits[0]: 3.0}, 1) is None
    estimates.expect(fits[:1], 10.0)
    assert estimates.left_s([*fits[1:], *scores], {fits[0]: 3.0}, 1) == pytest.approx(7.0 + 3 * 10.0)
    assert estimates.left_s([*fits[1:], *scores], {fits[0]: 3.0}, 2) == pytest.approx((7.0 + 3 * 10.0) / 2)
    estimates.learn(scores[0], 4.0)
    assert estimates.left_s([*fits[1:], *scores], {fits[0]: 3.0}, 1) == pytest.approx(7.0 + 3 * 10.0 + 2 * 4.0)
