"""Tasks of a Ray cluster: what they need of a node, what they send while they run, and how they end."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from asdbench.core.errors import AsdbenchError, RequirementError

Message = tuple[Any, ...]
RETRIES = 3  # of what was lost with its node


@dataclass(frozen=True)
class Request:
    """What of a node a task needs. A node has as many GPUs as it was started with; of one, a task may take a part."""

    cpus: int
    gpus: float = 0.0

    def fits(self, node: Mapping[str, float]) -> int:
        """How many such tasks a node with these resources does at a time."""
        most = int(node.get("CPU", 0) // self.cpus)
        if not self.gpus:
            return most
        whole = int(node.get("GPU", 0))
        return min(most, whole * int(1 / self.gpus + 1e-6) if self.gpus < 1 else int(whole // self.gpus))

    def __str__(self) -> str:
        gpus = f" and {self.gpus:g} GPU{'s' * (self.gpus > 1)}" if self.gpus else ""
        return f"{self.cpus} CPU{'s' * (self.cpus != 1)}{gpus}"


class LostError(Exception):
    """The node or the process that a call ran on is gone; the message says which."""


@dataclass(eq=False)
class Call:
    """A task at work on the cluster.

    Attributes:
        generator: Ray's, of lists of messages.
        node: address of the node that it runs on, as soon as it does.
    """

    generator: Any
    node: str = ""

    def receive(self) -> list[Message] | None:
        """The next messages, when ``listen`` has said that there are some; None at the end.

        Raises:
            LostError: node or process are gone.
            RequirementError: the node could not do it at all.
            AsdbenchError: the task raised it.
            Exception: what else it raised.
        """
        import ray
        from ray import exceptions

        try:
            messages: list[Message] = ray.get(next(self.generator))
        except StopIteration:
            return None
        except exceptions.RayTaskError as error:
            raise (error.cause if isinstance(error.cause, AsdbenchError) else error) from error
        except exceptions.RuntimeEnvSetupError as error:
            raise RequirementError(f"A node of the cluster cannot set up a process: {error}") from error
        except exceptions.RayError as error:
            raise LostError(_cause(error, self.node)) from error
        for kind, *content in messages:
            if kind == "node":
                (self.node,) = content
        return [message for message in messages if message[0] != "node"]

    def cancel(self) -> None:
        """Stop it, whatever it does; files are written whole, so nothing is spoilt."""
        import ray

        ray.cancel(self.generator, force=True)


def call(
    target: Callable[..., Iterator[list[Message]]], *args: Any, request: Request, env: Mapping[str, str], name: str
) -> Call:
    """Let ``target(*args)``, which yields messages, run on some node."""
    import ray

    remote = ray.remote(target).options(
        num_cpus=request.cpus,
        num_gpus=request.gpus,
        num_returns="streaming",
        max_retries=0,  # Ray would retry without an end where memory is short, and say nothing
        scheduling_strategy="SPREAD",
        runtime_env={"env_vars": dict(env)},
        name=name,
    )
    return Call(remote.remote(*args))


def listen(calls: Collection[Call], timeout_s: float) -> list[Call]:
    """Calls that have something to say, or have ended; waits for one, but no longer than that."""
    import ray

    by_generator = {one.generator: one for one in calls}
    if not by_generator:
        return []
    ready, others = ray.wait(list(by_generator), num_returns=1, timeout=timeout_s, fetch_local=False)
    if others:
        ready += ray.wait(others, num_returns=len(others), timeout=0, fetch_local=False)[0]
    return [by_generator[generator] for generator in ready]


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
