"""What is started when, what is shared, and how long it takes by past runs."""

import json
import pickle
import textwrap
from collections import deque

import pytest

from asdbench.core.errors import DataError
from asdbench.core.progress import Silent
from asdbench.harness import execute
from asdbench.harness.forecast import forecast
from asdbench.harness.record import Failure, sealed
from asdbench.harness.schedule import Schedule
from asdbench.harness.tasks import FitTask, Result, ScoreTask, fit_tasks


def test_the_estimate_scales_a_past_run_to_the_clips(plan, small_dataset, other_dataset, tmp_path, fresh_cache):
    (record,) = execute(plan(), Silent())
    path = tmp_path / "runs" / record.run_id / "run.json"
    content = json.loads(path.read_text())
    content["seconds"] = {"features": 1.0, "fit": 80.0, "embed": 36.0, "score": 7.2}  # of 40 + 32 clips
    path.write_text(sealed(content))
    seen = forecast(plan(dataset=[str(small_dataset), str(other_dataset)], seed=[0, 1]))
    states = [outlook.state for outlook in seen.cells]
    assert states == ["done", "to do", "to do", "to do"]
    other = seen.cells[2]
    assert other.estimate_s == pytest.approx(80 / 40 * 10 + 36 / 72 * 22 + 7.2 / 72 * 22)
    embedded = seen.cells[1]
    assert embedded.fits == 2, "seed 1 has fits of its own"
    assert (seen.fits, seen.unknown_fits) == (4, 0)
    fits = 2 * (80 / 40 * 10 + 36 / 72 * 22) + (80 + 36)
    scores = 2 * 7.2 / 72 * 22 + 7.2
    assert seen.total_s == pytest.approx(fits + scores)


def test_without_a_past_run_nothing_is_foretold(plan, fresh_cache):
    seen = forecast(plan())
    assert (seen.total_s, seen.unknown_fits) == (None, 2)


def test_runs_that_share_an_extractor_share_its_fits(plan):
    whole = plan(scorer=["knn", "lof", "gmm"], seed=[0, 1])
    needs = fit_tasks(whole, range(len(whole.cells)))
    assert len({task for tasks in needs.values() for task in tasks}) == 2 * 2  # seeds x machine types


class Fake:
    """A crew of ``size`` that ends the oldest task first and answers as the test says."""

    def __init__(self, size, answer):
        self.size, self.answer = size, answer
        self.at_work, self.started = deque(), []

    @property
    def free(self):
        return self.size - len(self.at_work)

    def start(self, task, *, wait):
        self.started.append((task, wait))
        self.at_work.append((task, wait))

    def results(self):
        yield self.answer(*self.at_work.popleft())


@pytest.mark.parametrize("size", [1, 3])
def test_every_fit_is_started_once_and_every_run_scored_after_its_fits(plan, size):
    whole = plan(scorer=["knn", "lof"], seed=[0, 1])
    needs = fit_tasks(whole, range(4))
    crew = Fake(size, lambda task, wait: Result(task, record=task if isinstance(task, ScoreTask) else None))
    records = list(Schedule(whole, needs, dict.fromkeys(needs, 0.0)).run(crew))
    assert sorted(task.cell for task in records) == [0, 1, 2, 3]
    order = [task for task, _ in crew.started]
    assert len(order) == len(set(order)) == 4 + 4
    for task in records:
        assert all(order.index(fit) < order.index(task) for fit in needs[task.cell])


def test_work_of_another_command_is_waited_for_last(plan):
    whole = plan(seed=[0, 1])
    needs = fit_tasks(whole, range(2))
    theirs = needs[0][0]

    def answer(task, wait):
        if task == theirs and not wait:
            return Result(task, busy=True)
        return Result(task, record=task if isinstance(task, ScoreTask) else None)

    crew = Fake(1, answer)
    assert [task.cell for task in Schedule(whole, needs, {0: 0.0, 1: 0.0}).run(crew)] == [1, 0]
    assert [wait for task, wait in crew.started if task == theirs] == [False, True]


def test_the_failure_of_a_fit_reaches_its_runs_and_no_other(plan):
    whole = plan(scorer=["knn", "lof"], seed=[0, 1])
    needs = fit_tasks(whole, range(4))
    failure = Failure(stage="fit", machine="fan", reason="on purpose")

    def answer(task, wait):
        if isinstance(task, FitTask):
            return Result(task, failures=(failure,) if task == needs[0][0] else ())
        return Result(task, record=task)

    tasks = list(Schedule(whole, needs, dict.fromkeys(needs, 0.0)).run(Fake(2, answer)))
    assert {task.cell: task.failures for task in tasks} == {0: (failure,), 1: (failure,), 2: (), 3: ()}


def test_errors_reach_the_command_from_another_process():
    error = pickle.loads(pickle.dumps(DataError("Two recordings cannot be used:", ["a.wav", "b.wav"], "Repair them.")))
    assert str(error) == textwrap.dedent("Two recordings cannot be used:\n  a.wav\n  b.wav\nRepair them.")
    assert error.exit_code == 3
