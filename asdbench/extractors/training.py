"""The training loop that every extractor that trains shares."""

import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from asdbench.core.digests import derive_seed
from asdbench.core.errors import TrainingError
from asdbench.extractors.base import Context
from asdbench.extractors.batch_statistics import buffers_restored, recompute
from asdbench.extractors.checkpoints import Checkpoints, Curves
from asdbench.extractors.together import Step, Steps, drive

T = TypeVar("T")
SEEDING = threading.Lock()  # torch's global random numbers, where trainings share a process
SAVE_EVERY_S = 1.0  # writing a state safely takes as long as a short epoch
SAVE_SHARE = 0.02  # of the time, at most, goes into saving states; a large network's takes a second to write


@dataclass(frozen=True)
class Recipe:
    """How long and how fast to train with Adam, or with AdamW where weights decay.

    Attributes:
        name: shown beside the progress bar and in errors: the extractor, and the machine type where each has a network.
            The remaining time goes by the first word.
        epochs: passes over the training clips.
        learning_rate: at the start of each cycle.
        restarts: cosine annealing returns the rate to its start this often; a cycle lasts epochs / (restarts + 1).
            None keeps the rate as it is.
        warmup_steps: batches over which the rate rises from nothing, step by step.
        weight_decay: AdamW's, relative to the rate.
        mixed_precision: on a GPU, run the forward pass in bfloat16 where that is safe.
        as_embedded: passes the training clips through the network, whole, as it embeds them, batch by batch; for
            networks that are trained on cuts or mixtures. The statistics of batch normalisation are those of these
            passes then.
    """

    name: str
    epochs: int
    learning_rate: float
    restarts: int | None = None
    warmup_steps: int = 0
    weight_decay: float = 0.0
    mixed_precision: bool = True
    as_embedded: Callable[[], Iterable[object]] | None = None


def train(
    network: nn.Module,
    batches: Callable[[int], Iterable[Any]],
    batches_per_epoch: int,
    loss: Callable[[Any], Tensor],
    recipe: Recipe,
    context: Context,
    measure: Callable[[], Mapping[str, float]] = dict,
) -> Curves:
    """Train one network in place; ``training_steps`` says what the arguments are, what is returned and raised."""
    optimizer = adam(network, recipe)
    return alone(training_steps(network, optimizer, batches, batches_per_epoch, loss, recipe, context, measure))


def alone(training: Steps[T]) -> T:
    """Do all steps of one training; what it returned.

    Raises:
        TrainingError: the loss is no longer finite.
    """
    (result,) = drive([training])
    if isinstance(result, Exception):
        raise result
    return result


def adam(network: nn.Module, recipe: Recipe, *, fused: bool = False) -> Optimizer:
    """Adam, or AdamW where weights decay; ``fused`` is faster, and differs in the last digits."""
    kernel: dict[str, Any] = {"fused": True} if fused else {"foreach": True}
    return AdamW(network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay, **kernel)


def training_steps(
    network: nn.Module,
    optimizer: Optimizer,
    batches: Callable[[int], Iterable[Any]],
    batches_per_epoch: int,
    loss: Callable[[Any], Tensor],
    recipe: Recipe,
    context: Context,
    measure: Callable[[], Mapping[str, float]] = dict,
) -> Steps[Curves]:
    """Train ``network`` in place and return what was measured in each epoch, "loss" (its mean) first.

    A generator, for ``drive``: it asks for one step after the other and does all that lies between them.

    After the last epoch the statistics of batch normalisation are computed anew over the training clips, or where the
    recipe does not say how they are embedded over one more epoch of batches, before anything is measured.

    After each epoch the state is saved in the context's checkpoints (once a second where epochs are shorter, more
    seldom where writing takes long), and a training that finds one goes on from there; batches depend on the seed and
    the epoch alone, so both give the same network.

    Args:
        network: already on the context's device.
        optimizer: of its parameters; its rate is the recipe's.
        batches: epoch number -> that epoch's batches.
        batches_per_epoch: how many those are.
        loss: batch -> scalar loss.
        recipe: epochs and learning rate.
        context: seed, device, progress, checkpoints.
        measure: called after each epoch, the network in evaluation mode; numbers by name (a validation loss, say).

    Raises:
        TrainingError: the loss is no longer finite.
    """

    def precise_loss(batch: Any) -> Tensor:
        with _precision(recipe, context):
            return loss(batch)

    checkpoints = Checkpoints(context.training.checkpoints, context.progress.note) if context.training else None
    curves = checkpoints.restore(network, optimizer) if checkpoints else {}
    save_at = time.monotonic() + SAVE_EVERY_S
    with context.progress.stage(f"train {recipe.name}", recipe.epochs * batches_per_epoch) as stage:
        done = len(curves.get("loss", []))
        stage.advance(done * batches_per_epoch)
        for epoch in range(done, recipe.epochs):
            network.train()
            total = 0.0
            _seed(derive_seed(context.seed, "epoch", epoch))
            for step, batch in enumerate(batches(epoch)):
                optimizer.param_groups[0]["lr"] = rate(recipe, epoch + step / batches_per_epoch) * min(
                    1.0, (epoch * batches_per_epoch + step + 1) / max(1, recipe.warmup_steps)
                )
                number = _finite((yield Step(network, optimizer, batch, precise_loss)), recipe, epoch)
                total += number
                stage.advance(1, f"epoch {epoch + 1}/{recipe.epochs}, loss {number:.3f}")
            network.eval()
            if epoch + 1 == recipe.epochs:
                _settle(network, batches, loss, recipe, context)
            with torch.inference_mode():
                measured = {"loss": total / batches_per_epoch, **measure()}
            for name, figure in measured.items():
                curves.setdefault(name, []).append(figure)
            if checkpoints and (started := time.monotonic()) >= save_at:
                checkpoints.save(network, optimizer, curves)
                ended = time.monotonic()
                save_at = ended + (max(SAVE_EVERY_S, (ended - started) / SAVE_SHARE) if SAVE_EVERY_S else 0.0)
    network.eval()
    return curves


@contextmanager
def settled(
    network: nn.Module,
    batches: Callable[[int], Iterable[Any]],
    loss: Callable[[Any], Tensor],
    recipe: Recipe,
    context: Context,
) -> Iterator[None]:
    """The network as it would be at the end of a training if its weights were final, for a while.

    Within it is in evaluation mode, and its statistics of batch normalisation are those of the same batches as at the
    end of ``train``, which takes the same arguments. Used on a network before its training, so that what is compared
    with the trained one differs in the weights alone. torch's global seed is set.
    """
    with buffers_restored(network):
        _settle(network, batches, loss, recipe, context)
        yield


def _settle(
    network: nn.Module,
    batches: Callable[[int], Iterable[Any]],
    loss: Callable[[Any], Tensor],
    recipe: Recipe,
    context: Context,
) -> None:
    """Statistics of an epoch that is never trained on, so a training that is resumed has the same."""

    def as_trained() -> Iterator[Tensor]:
        for batch in batches(recipe.epochs):
            yield loss(batch)

    _seed(derive_seed(context.seed, "epoch", recipe.epochs))
    with _precision(recipe, context):
        recompute(network, (recipe.as_embedded or as_trained)())


def _seed(seed: int) -> None:
    with SEEDING:
        torch.manual_seed(seed)


def _precision(recipe: Recipe, context: Context) -> torch.autocast:
    enabled = recipe.mixed_precision and context.device == "cuda"
    return torch.autocast(context.device, dtype=torch.bfloat16, enabled=enabled)


def epochs_for(epochs: int, steps: int, min_steps: int, batches_per_epoch: int) -> int:
    """Passes over the training clips.

    Args:
        epochs: asked for.
        steps: batches to train for in place of epochs, rounded up to whole ones; 0 is ``epochs``.
        min_steps: batches to train for at least, so that a small training set gets more than the few updates that the
            epochs of a large one make of it.
        batches_per_epoch: how many batches a pass has.
    """
    return math.ceil(steps / batches_per_epoch) if steps else max(epochs, math.ceil(min_steps / batches_per_epoch))


def rate(recipe: Recipe, place: float) -> float:
    """Learning rate at a place in the training, counted in epochs, with fractions.

    Loshchilov and Hutter (2016), equation (5) with equal cycles; torch's scheduler takes whole epochs a cycle only, and
    so loses restarts where the epochs are no multiple of the cycles.
    """
    if recipe.restarts is None:
        return recipe.learning_rate
    within = place * (recipe.restarts + 1) / recipe.epochs % 1.0
    return recipe.learning_rate * (1.0 + math.cos(math.pi * within)) / 2.0


def _finite(number: float, recipe: Recipe, epoch: int) -> float:
    if not math.isfinite(number):
        raise TrainingError(
            f"Training {recipe.name} stopped in epoch {epoch + 1}: the loss is {number}.\n"
            f"A lower learning rate usually mends it: -p extractor.learning_rate={recipe.learning_rate / 10:g}"
        )
    return number


@contextmanager
def reproducible(seed: int) -> Iterator[None]:
    """Seed torch and ask for deterministic algorithms; what was set before is restored."""
    memory: Any = torch.utils.deterministic
    mode, fill = torch.get_deterministic_debug_mode(), memory.fill_uninitialized_memory
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        torch.set_deterministic_debug_mode("warn")  # use_deterministic_algorithms imports a compiler, for seconds
        memory.fill_uninitialized_memory = False  # it costs time, and nothing reads such memory
        try:
            yield
        finally:
            torch.set_deterministic_debug_mode(mode)
            memory.fill_uninitialized_memory = fill
