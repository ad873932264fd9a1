"""What extractors share that train one network: fitting, embedding, saving, loading."""

import json
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save
from torch import Tensor, nn

from asdbench.core.files import write_bytes, write_text
from asdbench.datasets.clips import BlindClip, TrainingClip
from asdbench.extractors.base import Context, Embeddings, Extractor
from asdbench.extractors.batches import prefetched, to_device
from asdbench.extractors.together import Step, Steps, drive, loss_alone
from asdbench.extractors.training import SEEDING, Recipe, adam, alone, reproducible, settled, training_steps

T = TypeVar("T")
WEIGHTS = "network.safetensors"


class NetworkExtractor(Extractor):
    """An extractor that trains one network; a subclass says what the network is and how it is trained.

    Attributes:
        name: of its card; shown beside progress, and the name of the file that ``facts`` are saved in.
        facts: what the network's shape depends on besides the parameters, such as the number of bins; JSON.
        network: None before ``fit`` or ``load``.
        batch_size: clips that go through the network together.
    """

    name: ClassVar[str]
    facts: Mapping[str, Any]
    network: Any = None
    batch_size: int

    @abstractmethod
    def make_network(self) -> nn.Module:
        """The network for ``facts``, with random weights."""

    @abstractmethod
    def rows(self, network: Any, features: Tensor) -> Tensor:
        """Embeddings (batch, dim) of features (batch, channels, bins, frames) on the device."""

    def begin(self, **facts: Any) -> Any:
        """Make the network with random weights, still on the CPU."""
        self.facts = facts
        self.network = self.make_network()
        return self.network

    def train(
        self,
        network: nn.Module,
        batches: Callable[[int], Iterable[Any]],
        count: int,
        loss: Callable[[Any], Tensor],
        recipe: Recipe,
        context: Context,
        examine: Callable[[], T],
        measure: Callable[[], Mapping[str, float]] = dict,
    ) -> tuple[T, T]:
        """Train, see ``training_steps``; what ``examine`` gives of the network before and after."""
        training = self.training(network, batches, count, loss, recipe, context, examine, measure)
        return alone(training)

    def training(
        self,
        network: nn.Module,
        batches: Callable[[int], Iterable[Any]],
        count: int,
        loss: Callable[[Any], Tensor],
        recipe: Recipe,
        context: Context,
        examine: Callable[[], T],
        measure: Callable[[], Mapping[str, float]] = dict,
        *,
        fused: bool = False,
    ) -> Steps[tuple[T, T]]:
        """The same as a generator for ``drive``, which does the steps of several networks together."""
        network.to(context.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        with settled(network, batches, loss, recipe, context), torch.inference_mode():
            before = examine()
        optimizer = adam(network, recipe, fused=fused)
        self.curves = yield from training_steps(network, optimizer, batches, count, loss, recipe, context, measure)
        self.parameter_count = sum(parameter.numel() for parameter in self.network.parameters())
        with torch.inference_mode():
            return before, examine()

    def at_once(self, keys: Sequence[str], context: Context) -> int:
        """Clips that are embedded together."""
        return self.batch_size

    def ready(self, context: Context) -> Any:
        """The trained network on the device, in evaluation mode."""
        assert self.network is not None, "fit or load first"
        return self.network.to(context.device).eval()

    def embed(self, clips: Sequence[BlindClip], context: Context) -> Embeddings:
        """(n_clips, dim)."""
        network = self.ready(context)
        size = self.at_once([clip.key for clip in clips], context)

        def rows(features: NDArray[np.float32]) -> Tensor:
            return self.rows(network, to_device(features, context.device))

        return embedded(rows, clips, size, self.name, context)

    def save(self, folder: Path) -> None:
        """Write the weights and ``facts``."""
        assert self.network is not None, "fit first"
        weights = {name: value.contiguous().cpu() for name, value in self.network.state_dict().items()}
        write_bytes(folder / WEIGHTS, save(weights))
        write_text(folder / f"{self.name}.json", json.dumps(self.facts))

    def load(self, folder: Path) -> None:
        """Read what ``save`` wrote."""
        self.begin(**json.loads((folder / f"{self.name}.json").read_text()))
        self.network.load_state_dict(load_file(folder / WEIGHTS))
        self.network.to(memory_format=torch.channels_last)


class FitsTogether(NetworkExtractor):
    """Trains the networks of several machine types and seeds at once; each is to the bit as it would be alone.

    ``fit_steps`` may use torch's global random numbers in ``begin_seeded`` only.
    """

    fits_together = True

    @abstractmethod
    def fit_steps(self, clips: Sequence[TrainingClip], context: Context) -> Steps[None]:
        """Fit, with ``training`` in the middle: a generator that asks for the steps of the training."""

    @staticmethod
    def losses(steps: Sequence[Step]) -> Tensor:
        """Losses (steps,) of steps of several trainings where their batches are tensors, of one shape; else of one."""
        return loss_alone(steps)

    def begin_seeded(self, seed: int, **facts: Any) -> Any:
        """``begin`` with weights that depend on the seed, whatever other threads do meanwhile."""
        with SEEDING:
            torch.manual_seed(seed)
            return self.begin(**facts)

    def fit(self, clips: Sequence[TrainingClip], context: Context) -> None:
        """Fit this one alone.

        Raises:
            TrainingError: too few clips, clips that are too short, or a loss that is no longer finite.
        """
        (error,) = self.fit_together([self], [clips], [context])
        if error is not None:
            raise error

    @classmethod
    def fit_together(
        cls, extractors: Sequence[Self], clips: Sequence[Sequence[TrainingClip]], contexts: Sequence[Context]
    ) -> list[Exception | None]:
        """Fit several in one training, on as many cores as there are; see ``together.drive``."""
        fits = zip(extractors, clips, contexts, strict=True)
        trainings = [extractor.fit_steps(training_clips, context) for extractor, training_clips, context in fits]
        first, threads = contexts[0], torch.get_num_threads()
        lanes = min(len(trainings), max(1, first.jobs // threads)) if first.device == "cpu" else 1
        with reproducible(first.seed):
            return drive(trainings, cls.losses, lanes)


def embedded(
    rows: Callable[[NDArray[np.float32]], Tensor], clips: Sequence[BlindClip], size: int, name: str, context: Context
) -> Embeddings:
    """Embeddings (n_clips, dim), ``size`` clips of equal length at a time, in the order of ``clips``.

    Args:
        rows: features (batch, channels, bins, frames) -> embeddings (batch, dim).
        clips: all of which are embedded.
        size: of a batch.
        name: shown beside progress.
        context: features and progress.
    """
    order: list[int] = []
    batches: list[Embeddings] = []
    with torch.inference_mode(), context.progress.stage(f"embed {name}", len(clips)) as stage:
        for positions, features in prefetched(context.features.batches([clip.key for clip in clips], size)):
            batches.append(rows(features).float().cpu().numpy())
            order += positions
            stage.advance(len(positions))
    return np.concatenate(batches)[np.argsort(order)]
