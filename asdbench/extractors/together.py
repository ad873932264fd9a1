"""Steps of several trainings at once."""

import math
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

T = TypeVar("T")
Steps = Generator["Step", float, T]
Losses = Callable[[Sequence["Step"]], Tensor]


@dataclass(frozen=True)
class Step:
    """What a training waits for: one update of its network by one batch.

    Attributes:
        network: on its device.
        optimizer: of its parameters.
        batch: that the update is by.
        loss: batch -> scalar loss of the network.
    """

    network: nn.Module
    optimizer: Optimizer
    batch: Any
    loss: Callable[[Any], Tensor]


def loss_alone(steps: Sequence[Step]) -> Tensor:
    """The loss (1,) of one step."""
    (step,) = steps
    return step.loss(step.batch)[None]


def drive(trainings: Sequence[Steps[T]], losses: Losses = loss_alone, lanes: int = 1) -> list[T | Exception]:
    """Do the steps that trainings ask for until all have ended.

    Steps whose batches are tensors of one shape are done together, an equal share of them in each lane; others one by
    one. Each then goes on by itself.

    Args:
        trainings: generators as ``training_steps``, each of which is sent the loss of the step that it asked for.
        losses: steps of several trainings -> their losses (steps,).
        lanes: threads of this process that share the trainings. In each torch has as many threads as here.

    Returns:
        Of each training what it returned, or the exception that it raised between two steps; the others go on.

    Raises:
        Exception: whatever a loss or its gradient raises, which ends all.
    """
    waiting: list[Step | None] = [None] * len(trainings)
    ended: dict[int, T | Exception] = {}

    def begin(number: int) -> None:
        go_on(number, trainings[number].__next__)

    def do(numbers: Sequence[int], steps: Sequence[Step]) -> None:
        for number, loss in zip(numbers, _update(steps, losses), strict=True):
            go_on(number, partial(trainings[number].send, loss))

    def go_on(number: int, to_next_step: Callable[[], Step]) -> None:
        try:
            waiting[number] = to_next_step()
        except StopIteration as end:
            ended[number] = end.value
        except Exception as error:  # of this training alone
            ended[number] = error

    with ExitStack() as stack:
        for training in trainings:
            stack.callback(training.close)
        executor = stack.enter_context(_Here() if lanes == 1 else _pool(lanes))
        at_work: dict[Future[None], Sequence[int]] = {executor.submit(begin, n): [n] for n in range(len(trainings))}
        while len(ended) < len(trainings):
            for future in wait(at_work, return_when=FIRST_COMPLETED).done:
                del at_work[future]
                future.result()
            while len(at_work) < lanes:
                busy = {number for numbers in at_work.values() for number in numbers} | ended.keys()
                free = {number: step for number, step in enumerate(waiting) if step is not None and number not in busy}
                if not free:
                    break
                share = _alike(free, math.ceil((len(trainings) - len(ended)) / lanes))
                at_work[executor.submit(do, list(share), list(share.values()))] = list(share)
    return [ended[number] for number in range(len(trainings))]


class _Here(Executor):
    """Does what is submitted at once, in the thread that submits it."""

    def submit(self, function: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(function(*args, **options))
        return future


def _pool(lanes: int) -> Executor:
    return ThreadPoolExecutor(lanes, "steps", partial(torch.set_num_threads, torch.get_num_threads()))


def _alike(steps: dict[int, Step], most: int) -> dict[int, Step]:
    """The first step and others with batches of its shape; ``most`` of them."""
    first, *_ = steps.items()
    if not isinstance(first[1].batch, Tensor):
        return dict([first])
    alike = [(number, step) for number, step in steps.items() if step.batch.shape == first[1].batch.shape]
    return dict(alike[:most])


def _update(steps: Sequence[Step], losses: Losses) -> list[float]:
    """Update the networks; their losses."""
    values = losses(steps)
    read = _sent_for(values)
    for step in steps:
        step.optimizer.zero_grad()
    values.sum().backward()
    for step in steps:
        step.optimizer.step()
    return read()


def _sent_for(values: Tensor) -> Callable[[], list[float]]:
    """Reads the losses; a GPU sends them now, so that reading waits for no work that is queued later."""
    values = values.detach()
    if not values.is_cuda:
        return values.tolist
    copy = values.to("cpu", non_blocking=True)
    arrived = torch.cuda.Event()
    arrived.record()

    def read() -> list[float]:
        arrived.synchronize()
        return copy.tolist()

    return read
