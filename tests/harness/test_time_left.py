"""How a command knows how long it still takes."""

from types import SimpleNamespace

import pytest

from asdbench.core.progress import Silent
from asdbench.harness import experiment, pace
from asdbench.harness.estimate import Estimates, UnderWay
from asdbench.harness.executors import Outcome
from asdbench.harness.experiment import Matrix
from asdbench.harness.pace import WatchedProgress
from asdbench.harness.tasks import FitTask, ScoreTask, fit_tasks


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(s=0.0)
    shown = SimpleNamespace(monotonic=lambda: now.s, perf_counter=lambda: now.s)
    monkeypatch.setattr(pace, "time", shown)
    monkeypatch.setattr(experiment, "time", shown)
    return now


def test_a_training_under_way_says_how_long_it_takes(clock):
    """Of 100 steps, 60 of them done before it was resumed; what comes before and after it is no part of its pace."""
    watched = WatchedProgress(Silent())
    with watched.stage("embed before", 2) as before:
        before.advance(2)
        clock.s += 50
    with watched.stage("train siamese fan", 100) as stage:
        assert watched.left_s(1) is None
        stage.advance(60)
        clock.s += 5
        assert watched.left_s(1) is None, "no step of its own"
        stage.advance(10)
        clock.s += 5
        stage.advance(10)
        assert watched.left_s(1) == pytest.approx(20 * 10 / 20)
    with watched.stage("embed siamese", 5):
        assert watched.left_s(1) == 0


@pytest.mark.parametrize("together", [False, True])
def test_trainings_of_one_task_do_so_whether_one_after_the_other_or_together(clock, together):
    """Four of 10 steps, a step a second; 10 of 40 are done."""
    watched = WatchedProgress(Silent())
    names = ["train siamese a", "train siamese b", "train siamese c", "train siamese d"]
    with (
        watched.stage(names[0], 10) as one,
        watched.stage(names[1], 10) as two,
        watched.stage(names[2], 10) as three,
        watched.stage(names[3], 10) as four,
    ):
        stages = [one, two, three, four]
        if together:
            for stage in stages:
                stage.advance(0)
        else:
            one.advance(0)
        for step in range(12):
            clock.s += 1.0
            stages[step % 4 if together else step // 10].advance(1)
        assert watched.left_s(4) == pytest.approx(28, rel=0.1)


def test_a_network_that_only_embeds_is_as_far_as_its_clips(clock):
    watched = WatchedProgress(Silent())
    with watched.stage("embed", 50) as stage:
        stage.advance(0)
        clock.s += 10
        stage.advance(20)
        assert watched.left_s(1) == pytest.approx(15)


class Two:
    """An executor of two processes, which asks ``look`` when both are at work."""

    width = 2

    def __init__(self, look):
        self._look, self._tasks, self.started = look, {}, []

    @property
    def free(self):
        return 2 - len(self._tasks)

    def submit(self, function, *args, progress):
        self.started.append((args[0], progress))
        self._tasks[len(self.started)] = args[0]
        return len(self.started)

    def results(self):
        if len(self._tasks) == 2:
            self._look(self.started)
        number, task = next(iter(self._tasks.items()))
        del self._tasks[number]
        yield number, Outcome(task if isinstance(task, ScoreTask) else [])


def test_networks_that_are_unlike_are_each_foretold_by_their_own_pace(plan, clock):
    """Four short fits (two seeds, two machine types of 36 clips) and two long ones, of which nothing is known before.

    One of each begins first, so what all of them take is known as soon as these two have a pace; the long ones follow.
    """
    whole = plan(seed=[0, 1], extractor=["twfr", "simclr"], jobs=2)
    needs = fit_tasks(whole, range(len(whole.cells)))
    matrix = Matrix(whole, needs, dict.fromkeys(needs, 0.0))
    told = []

    def look(started):
        if len(started) > 2:
            return
        told.append(matrix.left_s(2))
        (_, short), (_, long) = started
        with short.stage("train twfr fan", 10) as of_short, long.stage("train simclr", 100) as of_long:
            of_short.advance(0)
            of_long.advance(0)
            clock.s += 40.0
            of_short.advance(4)
            of_long.advance(4)
            told.extend([matrix.left_s(2), matrix.left_s(1)])

    executor = Two(look)
    assert len(list(matrix.run(executor, Silent()))) == 4
    unknown, by_two, by_one = told
    assert unknown is None
    assert by_one == pytest.approx((60 + 960) + 3 * 100 + 1000)
    assert by_two == pytest.approx(by_one / 2)
    fits = [whole.cells[task.cell].extractor.name for task, _ in executor.started if isinstance(task, FitTask)]
    assert sorted(fits[:2]) == ["simclr", "twfr"]
    assert fits[2] == "simclr"


def test_what_is_not_known_counts_as_its_like(plan):
    """Fits by those under way; scores, which take little, as nothing until one has ended."""
    whole = plan(seed=[0, 1], extractor=["autoencoder"])
    estimates = Estimates(whole)
    needs = fit_tasks(whole, range(2))
    fits = [task for tasks in needs.values() for task in tasks]
    scores = [ScoreTask(number) for number in needs]
    waiting, begun = [*fits[1:], *scores], UnderWay(fits[:1], 3.0)
    assert estimates.left_s(waiting, [begun], 1) is None
    paced = UnderWay(fits[:1], 3.0, 7.0)
    assert estimates.left_s(waiting, [paced], 1) == pytest.approx(7.0 + 3 * 10.0)
    assert estimates.left_s(waiting, [paced], 2) == pytest.approx((7.0 + 3 * 10.0) / 2)
    estimates.learn(scores[0], 4.0)
    assert estimates.left_s(waiting, [paced], 1) == pytest.approx(7.0 + 3 * 10.0 + 2 * 4.0)


def test_what_takes_longer_than_foretold_and_what_one_process_has_left_is_not_shared_out(plan):
    whole = plan(seed=[0, 1], extractor=["autoencoder"])
    fits = [task for tasks in fit_tasks(whole, range(2)).values() for task in tasks]
    late = UnderWay(fits[:1], 30.0, 0.0)  # trained, and at its embeddings
    assert Estimates(whole).left_s(fits[1:], [late], 1) == pytest.approx(3 * 30.0)
    assert Estimates(whole).left_s([], [UnderWay(fits, 10.0, 50.0)], 2) == pytest.approx(50.0)
