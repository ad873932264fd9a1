"""How a command knows how long it still takes."""

from types import SimpleNamespace

import pytest

from asdbench.core.progress import Silent
from asdbench.harness import pace
from asdbench.harness.estimate import Estimates
from asdbench.harness.executors import Outcome
from asdbench.harness.experiment import Matrix
from asdbench.harness.pace import Pace, WatchedProgress
from asdbench.harness.tasks import FitTask, ScoreTask, fit_tasks


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(s=0.0)
    monkeypatch.setattr(pace, "time", SimpleNamespace(monotonic=lambda: now.s))
    return now


def test_the_pace_of_trainings_under_way_says_how_long_they_take(clock):
    """Two trainings of 100 steps: one a second, and one that was resumed at 60 and takes two seconds a step.

    Besides them one of another extractor, whose steps are half as many and take 10 seconds.
    """
    watched = WatchedProgress(Silent())
    with (
        watched.stage("train siamese fan", 100) as one,
        watched.stage("train siamese valve", 100) as other,
        watched.stage("train simclr", 50) as slow,
        watched.stage("embed", 5),
    ):
        assert watched.trainings() == {}
        one.advance(0)
        other.advance(60)
        slow.advance(0)
        for _ in range(5):
            clock.s += 2.0
            one.advance(2)
            other.advance(1)
        slow.advance(1)
        paces = watched.trainings()
        pace = paces.pop("siamese")
        assert (pace.whole_s, pace.count) == (pytest.approx((100 + 200) / 2), 2)
        assert pace.done_s == pytest.approx((10 + 0.65 * 200) / 2)
        assert paces == {"simclr": Pace(pytest.approx(500), pytest.approx(10), 1)}
    assert watched.trainings() == {}


class Two:
    """An executor of two processes, which asks ``look`` when both are at work."""

    def __init__(self, look):
        self._look, self._tasks, self.started = look, {}, []

    @property
    def free(self):
        return 2 - len(self._tasks)

    def submit(self, function, *args):
        self.started.append(args[0])
        self._tasks[len(self.started)] = args[0]
        return len(self.started)

    def results(self):
        if len(self._tasks) == 2:
            self._look(self.started)
        number, task = next(iter(self._tasks.items()))
        del self._tasks[number]
        yield number, Outcome(task if isinstance(task, ScoreTask) else [])


def test_networks_that_are_unlike_are_each_foretold_by_their_own_pace(plan):
    """Four short fits (two seeds, two machine types of 36 clips) and two long ones, of which nothing is known before.

    One of each begins first, so what all of them take is known as soon as these two have a pace; the long ones follow.
    """
    whole = plan(seed=[0, 1], extractor=["twfr", "simclr"], jobs=2)
    needs = fit_tasks(whole, range(len(whole.cells)))
    matrix = Matrix(whole, needs, dict.fromkeys(needs, 0.0))
    told = []

    def look(started):
        if len(started) == 2:
            paces = {"twfr": Pace(10.0, 4.0, 1), "simclr": Pace(100.0, 20.0, 1)}
            told.extend([matrix.left_s(2, {}), matrix.left_s(2, paces), matrix.left_s(1, paces)])

    executor = Two(look)
    assert len(list(matrix.run(executor))) == 4
    unknown, by_two, by_one = told
    assert unknown is None
    assert by_one == pytest.approx((10 - 4) + 3 * 10 + (100 - 20) + 100)
    assert by_two == pytest.approx(by_one / 2)
    fits = [whole.cells[task.cell].extractor.name for task in executor.started if isinstance(task, FitTask)]
    assert sorted(fits[:2]) == ["simclr", "twfr"]
    assert fits[2] == "simclr"


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
