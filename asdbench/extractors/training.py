"""The training loop that every extractor that trains shares."""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingWarmRestarts

from asdbench.core.digests import derive_seed
from asdbench.core.errors import TrainingError
from asdbench.extractors.base import Context
from asdbench.extractors.checkpoints import Checkpoints


@dataclass(frozen=True)
class Recipe:
    """How long and how fast to train: Adam, cosine annealing with warm restarts.

    Attributes:
        name: shown beside the progress bar and in errors.
        epochs: passes over the training clips.
        learning_rate: at the start of each cycle.
        restarts: the rate returns to its start this often; a cycle lasts epochs / (restarts + 1).
    """

    name: str
    epochs: int
    learning_rate: float
    restarts: int


def train(
    network: nn.Module,
    batches: Callable[[int], Iterable[Any]],
    batches_per_epoch: int,
    loss: Callable[[Any], Tensor],
    recipe: Recipe,
    context: Context,
) -> list[float]:
    """Train ``network`` in place and return the mean loss of each epoch.

    After each epoch the state is kept in the context's checkpoints, and a training that finds some goes on from
    there; batches depend on the seed and the epoch alone, so both give the same network. On a GPU the forward pass
    runs in bfloat16 where that is safe (autocast).

    Args:
        network: already on the context's device.
        batches: epoch number -> that epoch's batches.
        batches_per_epoch: how many those are.
        loss: batch -> scalar loss.
        recipe: epochs and learning rate.
        context: seed, device, progress, checkpoints.

    Raises:
        TrainingError: the loss is no longer finite.
    """
    optimizer = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate)
    cycle = max(1, math.ceil(recipe.epochs / (recipe.restarts + 1)))
    scheduler = CosineAnnealingWarmRestarts(optimizer, T_0=cycle)
    checkpoints = Checkpoints(context.training.checkpoints) if context.training else None
    losses = checkpoints.restore(network, optimizer) if checkpoints else []
    network.train()
    with context.progress.stage(f"train {recipe.name}", recipe.epochs * batches_per_epoch) as stage:
        stage.advance(len(losses) * batches_per_epoch)
        for epoch in range(len(losses), recipe.epochs):
            total = 0.0
            torch.manual_seed(derive_seed(context.seed, "epoch", epoch))
            for step, batch in enumerate(batches(epoch)):
                scheduler.step(epoch + step / batches_per_epoch)  # fractions are meant
                with torch.autocast(context.device, dtype=torch.bfloat16, enabled=context.device == "cuda"):
                    value = loss(batch)
                _refuse_non_finite(value, recipe, epoch)
                optimizer.zero_grad(set_to_none=True)
                value.backward()
                optimizer.step()
                total += float(value.detach())
                stage.advance(1, f"epoch {epoch + 1}/{recipe.epochs}, loss {float(value.detach()):.3f}")
            losses.append(total / batches_per_epoch)
            if checkpoints:
                checkpoints.save(network, optimizer, losses)
    return losses


def _refuse_non_finite(value: Tensor, recipe: Recipe, epoch: int) -> None:
    if not torch.isfinite(value):
        raise TrainingError(
            f"Training {recipe.name} stopped in epoch {epoch + 1}: the loss is {float(value.detach())}.\n"
            f"A lower learning rate usually mends it: -p extractor.learning_rate={recipe.learning_rate / 10:g}"
        )


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
