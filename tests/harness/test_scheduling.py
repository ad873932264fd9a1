"""What is started when, what is shared, and how long it takes by past runs."""

import json
import pickle
import textwrap
from collections import deque

import pytest

from asdbench.core.errors import DataError
from asdbench.core.progress import Silent
from asdbench.harness import execute
from asdbench.harness.estimate import forecast
from asdbench.harness.executors import Outcome
from asdbench.harness.experiment import Matrix
from asdbench.harness.record import Failure, sealed
from asdbench.harness.tasks import FitTask, ScoreTask, fit_tasks

TRAINED = ["twfr"]  # fitted to each machine type and seed


def test_the_estimate_scales_a_past_run_to_the_clips(plan, small_dataset, other_dataset, tmp_path, fresh_cache):
    (record,) = execute(plan(extractor=TRAINED), Silent())
    path = tmp_path / "runs" / record.run_id / "run.json"
    content = json.loads(path.read_text())
    content["seconds"] = {"features": 1.0, "fit": 80.0, "embed": 36.0, "score": 7.2}  # of 40 + 32 clips
    path.write_text(sealed(content))
    seen = forecast(plan(dataset=[str(small_dataset), str(other_dataset)], seed=[0, 1], extractor=TRAINED))
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
    whole = plan(scorer=["knn", "lof", "gmm"], seed=[0, 1], extractor=TRAINED)
    needs = fit_tasks(whole, range(len(whole.cells)))
    assert len({task for tasks in needs.values() for task in tasks}) == 2 * 2  # seeds x machine types


def test_seeds_share_what_neither_learns_nor_draws(plan):
    whole = plan(scorer=["knn", "gmm"], seed=[0, 1, 2])
    needs = fit_tasks(whole, range(len(whole.cells)))
    assert len({task for tasks in needs.values() for task in tasks}) == 2  # machine types
    assert len({cell.run_id for cell in whole.cells}) == 6
    assert [record.status for record in execute(whole, Silent())] == ["done"] * 6


class Fake:
    """An executor of ``width`` that ends the oldest task first and answers as the test says."""

    def __init__(self, width, answer):
        self.width, self.answer = width, answer
        self.under_way, self.started = deque(), []

    @property
    def free(self):
        return self.width - len(self.under_way)

    def submit(self, function, task, wait, *, progress):
        self.started.append((task, wait))
        self.under_way.append((len(self.started), task, wait))
        return len(self.started)

    def results(self):
        number, task, wait = self.under_way.popleft()
        yield number, self.answer(task, wait)


def done(task, wait):
    """A fit without failures; the task itself in the place of a record."""
    return Outcome(task if isinstance(task, ScoreTask) else [])


@pytest.mark.parametrize("width", [1, 3])
def test_every_fit_is_started_once_and_every_run_scored_after_its_fits(plan, width):
    whole = plan(scorer=["knn", "lof"], seed=[0, 1], extractor=TRAINED)
    needs = fit_tasks(whole, range(4))
    executor = Fake(width, done)
    records = list(Matrix(whole, needs, dict.fromkeys(needs, 0.0)).run(executor, Silent()))
    assert sorted(task.cell for task in records) == [0, 1, 2, 3]
    order = [task for task, _ in executor.started]
    assert len(order) == len(set(order)) == 4 + 4
    for task in records:
        assert all(order.index(fit) < order.index(task) for fit in needs[task.cell])


def test_work_of_another_command_is_waited_for_last(plan):
    whole = plan(seed=[0, 1], extractor=TRAINED)
    needs = fit_tasks(whole, range(2))
    theirs = needs[0][0]
    executor = Fake(1, lambda task, wait: Outcome() if task == theirs and not wait else done(task, wait))
    assert [task.cell for task in Matrix(whole, needs, {0: 0.0, 1: 0.0}).run(executor, Silent())] == [1, 0]
    assert [wait for task, wait in executor.started if task == theirs] == [False, True]


def test_the_failure_of_a_fit_reaches_its_runs_and_no_other(plan):
    whole = plan(scorer=["knn", "lof"], seed=[0, 1], extractor=TRAINED)
    needs = fit_tasks(whole, range(4))
    failure = Failure(stage="fit", machine="fan", reason="on purpose")
    executor = Fake(2, lambda task, wait: Outcome([failure]) if task == needs[0][0] else done(task, wait))
    tasks = list(Matrix(whole, needs, dict.fromkeys(needs, 0.0)).run(executor, Silent()))
    assert {task.cell: task.failures for task in tasks} == {0: (failure,), 1: (failure,), 2: (), 3: ()}


STACKED = ["autoencoder"]  # whose fits can be done together


@pytest.mark.parametrize(("width", "stacks"), [(1, [4]), (2, [2, 2])])
def test_fits_that_can_be_done_together_are_and_processes_have_equal_shares(plan, width, stacks):
    whole = plan(seed=[0, 1], extractor=STACKED)  # two machine types
    needs = fit_tasks(whole, range(2))
    executor = Stacks(width, dies=False)
    records = list(Matrix(whole, needs, dict.fromkeys(needs, 0.0)).run(executor, Silent()))
    assert sorted(task.cell for task in records) == [0, 1]
    assert [len(tasks) for tasks in executor.stacks] == stacks
    assert {task for tasks in executor.stacks for task in tasks} == {task for tasks in needs.values() for task in tasks}


def test_a_process_that_is_at_another_task_has_its_share_when_it_is_free(plan):
    """Of two unknown kinds one of each comes first; two of the four alike are left for the other process."""
    whole = plan(seed=[0, 1], extractor=["simclr", *STACKED])
    needs = fit_tasks(whole, range(4))
    executor = Stacks(2, dies=False)
    assert len(list(Matrix(whole, needs, dict.fromkeys(needs, 0.0)).run(executor, Silent()))) == 4
    assert [len(tasks) for tasks in executor.stacks] == [2]
    begun = [task for task, _ in executor.started if isinstance(task, FitTask)] + list(executor.stacks[0])
    assert sorted(map(repr, begun)) == sorted({repr(task) for tasks in needs.values() for task in tasks})


def test_all_that_want_one_fit_are_in_one_stack(plan):
    """Three scores of one autoencoder: one fit for each seed and machine type, read in three ways."""
    systems = ["dcase2023-baseline-mse", "dcase2023-baseline-mahala", "dcase2023-baseline-mahala-paper"]
    whole = plan(seed=[0, 1], extractor=[], scorer=[], system=systems)
    needs = fit_tasks(whole, range(len(whole.cells)))
    executor = Stacks(2, dies=False)
    matrix = Matrix(whole, needs, dict.fromkeys(needs, 0.0))
    assert len(list(matrix.run(executor, Silent()))) == 6
    fits = [{whole.cells[task.cell].fit_key(task.machines) for task in tasks} for tasks in executor.stacks]
    assert [len(tasks) for tasks in executor.stacks] == [6, 6]
    assert [len(keys) for keys in fits] == [2, 2]
    assert not fits[0] & fits[1]


def test_fits_whose_process_died_together_are_done_alone(plan):
    whole = plan(seed=[0, 1], extractor=STACKED)
    needs = fit_tasks(whole, range(2))
    executor = Stacks(1, dies=True)
    records = list(Matrix(whole, needs, dict.fromkeys(needs, 0.0)).run(executor, Silent()))
    assert sorted(task.cell for task in records) == [0, 1]
    assert len(executor.stacks) == 1
    assert [task for task, _ in executor.started if isinstance(task, FitTask)] == list(executor.stacks[0])
    assert all(task.failures == () for task in records)


class Stacks(Fake):
    """Notes which fits come together."""

    def __init__(self, width, dies):
        super().__init__(width, self.answer_all)
        self.stacks = []
        self.dies = dies

    def submit(self, function, *args, progress):
        if len(args) > 1:
            return super().submit(function, *args, progress=progress)
        self.stacks.append(args[0])
        return super().submit(function, args[0], False, progress=progress)

    def answer_all(self, task, wait):
        if isinstance(task, FitTask | ScoreTask):
            return done(task, wait)
        return Outcome(death="killed", process_died=True) if self.dies else Outcome([[] for _ in task])


def test_errors_reach_the_command_from_another_process():
    error = pickle.loads(pickle.dumps(DataError("Two recordings cannot be used:", ["a.wav", "b.wav"], "Repair them.")))
    assert str(error) == textwrap.dedent("Two recordings cannot be used:\n  a.wav\n  b.wav\nRepair them.")
    assert error.exit_code == 3
