"""How often a task is done again, whose node or process was lost."""

from types import SimpleNamespace

import pytest

from asdbench.core.errors import RequirementError
from asdbench.core.progress import Silent
from asdbench.harness.cluster import executor as of_executor
from asdbench.harness.cluster.calls import LostError
from asdbench.harness.cluster.executor import RETRIES, RayExecutor
from asdbench.harness.executors import Outcome
from asdbench.harness.tasks import FitTask, perform

TASK = FitTask(0, ("fan",))


LOST = LostError("the node b was lost")


@pytest.fixture
def results_of(monkeypatch):
    """Results and notes of one task, of whose tries one after the other comes to the given ends."""

    def run(*ends, messages=()):
        progress, begun = Silent(), []

        def end(reference, _node):
            if isinstance(ends[reference], Exception):
                raise ends[reference]
            return ends[reference]

        plan = SimpleNamespace(spec=SimpleNamespace(jobs=1), cells=[SimpleNamespace(name="x + y", seed=3)])
        monkeypatch.setattr(of_executor, "begin", lambda *_args, **_options: begun.append(0) or len(begun) - 1)
        monkeypatch.setattr(of_executor, "ended", lambda references, _timeout: list(references))
        monkeypatch.setattr(of_executor, "outcome_of_reference", end)
        monkeypatch.setattr(of_executor, "taken", lambda _mail: list(messages))
        monkeypatch.setattr(of_executor, "slots", lambda _request: 1)
        executor = RayExecutor(plan, progress)
        executor._fit, executor._env, executor._shared, executor._folders = SimpleNamespace(cpus=1), {}, [], None
        executor._slots, executor._looked, executor._store, executor._mail = 1, 0.0, None, None
        assert executor.submit(perform, TASK, False, progress=progress) == 1
        assert executor.free == 0
        results = [outcome for _, outcome in executor.results()]
        assert executor.free == 1
        assert len(begun) == len(ends)
        return results, progress.notes

    return run


def test_a_lost_task_is_done_again_by_another_node(results_of):
    """What the first try had reported is shown no more, when it comes late."""
    results, notes = results_of(LOST, Outcome(([], None)), messages=[(1, ("note", "hm")), (2, ("node", "c"))])
    assert results == [Outcome([])]
    assert notes == ["hm", "the node b was lost; what was lost is done again."]


def test_a_task_that_takes_every_process_with_it_is_given_up(results_of):
    (result,), notes = results_of(*(LostError(f"its process on {node} died") for node in "abcd"))
    assert result.death == "its process on d died; it was tried 4 times."
    assert len(notes) == RETRIES == 3


@pytest.mark.parametrize("outcome", [Outcome(error=RequirementError("it does not see the cache")), Outcome(death="no")])
def test_an_error_of_the_task_itself_is_not_tried_again(results_of, outcome):
    assert results_of(outcome) == ([outcome], [])
