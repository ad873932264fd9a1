"""A task on a Ray cluster: how it is begun, what it reports meanwhile, how it ended or was lost."""

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Any

from asdbench.core.errors import RequirementError
from asdbench.harness.cluster.nodes import Request
from asdbench.harness.executors import Outcome

CANCELLED_S = 10.0


class LostError(Exception):
    """The node or the process that a task ran on is gone; the message says which."""


def begin(target: Callable[..., Outcome], *args: Any, request: Request, env: Mapping[str, str], name: str) -> Any:
    """Let ``target(*args)`` run on some node, by that name for Ray's pages; Ray's reference to what it will return."""
    import ray

    remote = ray.remote(target).options(
        num_cpus=request.cpus,
        num_gpus=request.gpus,
        max_retries=0,  # Ray would retry without an end where memory is short, and say nothing
        scheduling_strategy="SPREAD",
        runtime_env={"env_vars": dict(env)},
        name=name,
    )
    return remote.remote(*args)


def ended(references: Collection[Any], timeout_s: float) -> list[Any]:
    """Tasks that have ended; waits for one, but no longer than that."""
    import ray

    ready, others = ray.wait(list(references), num_returns=1, timeout=timeout_s, fetch_local=False)
    if ready and others:
        ready += ray.wait(others, num_returns=len(others), timeout=0, fetch_local=False)[0]
    return list(ready)


def outcome_of_reference(reference: Any, node: str) -> Outcome:
    """The outcome of a task that has ended. Raises LostError: its node or process is gone."""
    import ray
    from ray import exceptions

    try:
        outcome: Outcome = ray.get(reference)
    except exceptions.RayTaskError as error:  # before it began: its arguments cannot be read there, say
        return Outcome(death=f"{type(error).__name__}: {error}")
    except exceptions.RuntimeEnvSetupError as error:
        return Outcome(error=RequirementError(f"A node of the cluster cannot set up a process: {error}"))
    except exceptions.RayError as error:
        raise LostError(_cause(error, node)) from error
    return outcome


def cancel_all(references: Collection[Any]) -> None:
    """Stop tasks, whatever they do, and wait a little until they have; files are written whole, nothing is spoilt."""
    import ray

    with suppress(Exception):  # the cluster itself may be what is lost
        for one in references:
            ray.cancel(one, force=True)
        ray.wait(list(references), num_returns=len(references), timeout=CANCELLED_S, fetch_local=False)


def make_mail() -> Any:
    """An actor on this node that holds the messages of tasks until the command takes them."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    class Mail:
        def __init__(self) -> None:
            self._messages: list[Any] = []

        def add(self, number: int, message: tuple[Any, ...]) -> None:
            self._messages.append((number, message))

        def flush(self) -> None:
            """Answer when all that was added before is there."""

        def take(self) -> list[Any]:
            messages, self._messages = self._messages, []
            return messages

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return ray.remote(num_cpus=0)(Mail).options(scheduling_strategy=here).remote()


def taken(mail: Any) -> list[tuple[int, tuple[Any, ...]]]:
    """The messages that have come, with the number of their try; none where the actor is gone."""
    import ray

    messages: list[tuple[int, tuple[Any, ...]]] = []
    with suppress(ray.exceptions.RayError):
        messages = ray.get(mail.take.remote())
    return messages


def _cause(error: Exception, node: str) -> str:
    from ray import exceptions

    at = f" on {node}" if node else ""
    if isinstance(error, exceptions.OutOfMemoryError):
        return f"its process{at} was ended by Ray for want of memory"
    if isinstance(error, exceptions.NodeDiedError | exceptions.LocalRayletDiedError):
        return f"the node {node} was lost" if node else "its node was lost"
    if isinstance(error, exceptions.WorkerCrashedError):
        return f"its process{at} died"
    return f"{type(error).__name__}{at}: {str(error).splitlines()[0] if str(error) else ''}"
