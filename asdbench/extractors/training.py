"""The training loop that every extractor that trains shares."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from asdbench.core.digests import derive_seed
from asdbench.core.errors import TrainingError
from asdbench.extractors.base import Context
from asdbench.extractors.checkpoints import Checkpoints, Curves

KEEP_EVERY_S = 1.0  # writing a state safely takes as long as a short epoch


@dataclass(frozen=True)
class Recipe:
    """How long and how fast to train with Adam.

    Attributes:
        name: shown beside the progress bar and in errors; with the machine type, where each has a network.
        epochs: passes over the training clips.
        learning_rate: at the start of each cycle.
        restarts: cosine annealing returns the rate to its start this often; a cycle lasts epochs / (restarts + 1).
            None keeps the rate as it is.
        mixed_precision: on a GPU, run the forward pass in bfloat16 where that is safe.
    """

    name: str
    epochs: int
    learning_rate: float
    restarts: int | None = None
    mixed_precision: bool = True


def train(
    network: nn.Module,
    batches: Callable[[int], Iterable[Any]],
    batches_per_epoch: int,
    loss: Callable[[Any], Tensor],
    recipe: Recipe,
    context: Context,
    measure: Callable[[], Mapping[str, float]] = dict,
) -> Curves:
    """Train ``network`` in place and return what was measured in each epoch, "loss" (its mean) first.

    After each epoch the state is kept in the context's checkpoints (once a second where epochs are shorter), and a
    training that finds some goes on from there; batches depend on the seed and the epoch alone, so both give the same
    network. The context's ``after_epoch`` is called then; it changes nothing, as every epoch has a seed of its own.

    Args:
        network: already on the context's device.
        batches: epoch number -> that epoch's batches.
        batches_per_epoch: how many those are.
        loss: batch -> scalar loss.
        recipe: epochs and learning rate.
        context: seed, device, progress, checkpoints.
        measure: called after each epoch, the network in evaluation mode; numbers by name (a validation loss, say).

    Raises:
        TrainingError: the loss is no longer finite.
    """
    optimizer = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate)
    set_rate = _schedule(optimizer, recipe)
    checkpoints = Checkpoints(context.training.checkpoints) if context.training else None
    curves = checkpoints.restore(network, optimizer) if checkpoints else {}
    kept_at = time.monotonic()
    mixed = recipe.mixed_precision and context.device == "cuda"
    with context.progress.stage(f"train {recipe.name}", recipe.epochs * batches_per_epoch) as stage:
        done = len(curves.get("loss", []))
        stage.advance(done * batches_per_epoch)
        for epoch in range(done, recipe.epochs):
            network.train()
            total = 0.0
            torch.manual_seed(derive_seed(context.seed, "epoch", epoch))
            for step, batch in enumerate(batches(epoch)):
                set_rate(epoch + step / batches_per_epoch)
                with torch.autocast(context.device, dtype=torch.bfloat16, enabled=mixed):
                    value = loss(batch)
                number = _finite(value, recipe, epoch)
                optimizer.zero_grad(set_to_none=True)
                value.backward()
                optimizer.step()
                total += number
                stage.advance(1, f"epoch {epoch + 1}/{recipe.epochs}, loss {number:.3f}")
            network.eval()
            with torch.inference_mode():
                found = {"loss": total / batches_per_epoch, **measure()}
            for name, figure in found.items():
                curves.setdefault(name, []).append(figure)
            if checkpoints and time.monotonic() - kept_at >= KEEP_EVERY_S:
                checkpoints.save(network, optimizer, curves)
                kept_at = time.monotonic()
            if context.training and context.training.after_epoch:
                context.training.after_epoch(epoch + 1, recipe.epochs)
    return curves


def _schedule(optimizer: torch.optim.Optimizer, recipe: Recipe) -> Callable[[float], None]:
    """Sets the rate for a place in the training, counted in epochs; fractions are meant.

    Loshchilov and Hutter (2016), equation (5) with equal cycles; torch's own takes whole epochs a cycle only, and so
    loses restarts where the epochs are no multiple of the cycles.
    """
    if recipe.restarts is None:
        return lambda place: None
    cycles = recipe.restarts + 1

    def set_rate(place: float) -> None:
        within = place * cycles / recipe.epochs % 1.0
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate * (1.0 + math.cos(math.pi * within)) / 2.0

    return set_rate


def _finite(value: Tensor, recipe: Recipe, epoch: int) -> float:
    number = float(value.detach())
    if not math.isfinite(number):
        raise TrainingError(
            f"Training {recipe.name} stopped in epoch {epoch + 1}: the loss is {number}.\n"
            f"A lower learning rate usually mends it: -p extractor.learning_rate={recipe.learning_rate / 10:g}"
        )
    return number


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep torch to one thread, for small networks and for work that is parallel already.

    They gain little from more threads, and suffer much from other work on the machine.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def reproducible(seed: int) -> Iterator[None]:
    """Seed torch and ask for deterministic algorithms; what was set before is restored."""
    strict, warn_only = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        torch.use_deterministic_algorithms(True, warn_only=True)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(strict, warn_only=warn_only)
