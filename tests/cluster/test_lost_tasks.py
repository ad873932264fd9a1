"""How often a task is done again, whose node or process was lost."""

from types import SimpleNamespace

import pytest

from asdbench.core.errors import RequirementError
from asdbench.core.progress import Silent
from asdbench.harness.cluster import executor as of_executor
from asdbench.harness.cluster.calls import RETRIES, LostError
from asdbench.harness.cluster.executor import RayExecutor
from asdbench.harness.executors import Outcome
from asdbench.harness.tasks import FitTask, perform

TASK = FitTask(0, ("fan",))


class Answering:
    """A call that says what it is told to say, or fails so."""

    def __init__(self, *answers):
        self._answers = list(answers)

    def receive(self):
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def results_of(monkeypatch):
    """Results and notes of one task, whose calls are those that are given, one after the other."""

    def run(*calls):
        progress, left = Silent(), list(calls)
        plan = SimpleNamespace(spec=SimpleNamespace(jobs=1), cells=[SimpleNamespace(name="x + y", seed=3)])
        monkeypatch.setattr(of_executor, "call", lambda *_args, **_options: left.pop(0))
        monkeypatch.setattr(of_executor, "listen", lambda calls, _timeout: list(calls))
        monkeypatch.setattr(of_executor, "slots", lambda _request: 1)
        executor = RayExecutor(plan, progress)
        executor._fit, executor._env, executor._shared, executor._folders = SimpleNamespace(cpus=1), {}, [], None
        executor._slots, executor._looked, executor._store = 1, 0.0, None
        assert executor.submit(perform, TASK, False) == 1
        assert executor.free == 0
        results = [outcome for _, outcome in executor.results()]
        assert executor.free == 1
        assert not left
        return results, progress.notes

    return run


def test_a_lost_task_is_done_again_by_another_node(results_of):
    done = Outcome([])
    results, notes = results_of(
        Answering([("open", 1, "epochs", 5)], LostError("the node b was lost")), Answering([("outcome", done)], None)
    )
    assert results == [done]
    assert notes == ["the node b was lost; what was lost is done again."]


def test_a_task_that_takes_every_process_with_it_is_given_up(results_of):
    lost = [Answering(LostError(f"its process on {node} died")) for node in "abcd"]
    assert len(lost) == RETRIES + 1
    (result,), notes = results_of(*lost)
    assert result.death == "its process on d died; it was tried 4 times."
    assert len(notes) == RETRIES


def test_a_result_that_was_told_before_the_loss_counts(results_of):
    done = Outcome([])
    assert results_of(Answering([("outcome", done)], LostError("gone"))) == ([done], [])


@pytest.mark.parametrize("error", [RequirementError("it does not see the cache"), ValueError("no")])
def test_an_error_of_the_task_itself_is_not_tried_again(results_of, error):
    (result,), notes = results_of(Answering(error))
    assert not notes
    if isinstance(error, RequirementError):
        assert result.error is error
    else:
        assert result.death == "ValueError: no"


def test_a_call_that_ends_without_a_result_is_told(results_of):
    (result,), _ = results_of(Answering(None))
    assert "without a word" in result.death
