"""The autoencoder of the official DCASE baselines since 2023."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from asdbench.core.digests import derive_seed
from asdbench.core.errors import TrainingError
from asdbench.core.files import write_bytes
from asdbench.core.threads import torch_threads
from asdbench.datasets.clips import TrainingClip
from asdbench.extractors import stacked
from asdbench.extractors.base import Context
from asdbench.extractors.batches import common_length, minibatches
from asdbench.extractors.learning import Learning
from asdbench.extractors.network import FitsTogether
from asdbench.extractors.selective_mahalanobis import Scatter, inverse, paper_score, program_score
from asdbench.extractors.together import Step, Steps
from asdbench.extractors.training import Recipe

Places = NDArray[np.int64]
AT_ONCE = 4096  # vectors in a batch where nothing is learned
CLIPS_AT_ONCE = 8  # that are scored; their vectors still lie in the processor's cache
DOMAINS = ("source", "target")


class Network(nn.Module):
    """Dense layers with batch normalisation and ReLU around a bottleneck; the last layer is linear."""

    def __init__(self, dim: int, hidden_dim: int, hidden_layers: int, bottleneck_dim: int) -> None:
        super().__init__()
        inner = [hidden_dim] * hidden_layers
        widths = [dim, *inner, bottleneck_dim, *inner]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            # Momentum and epsilon are the official program's.
            layers += [nn.Linear(before, after), nn.BatchNorm1d(after, momentum=0.01, eps=1e-3), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], dim))

    def forward(self, vectors: Tensor) -> Tensor:
        """(batch, dim) -> the same, reconstructed."""
        result: Tensor = self.layers(vectors)
        return result


class Autoencoder(FitsTogether):
    """Reconstructs stacks of consecutive frames; the embedding is one number, the clip's anomaly score.

    Harada et al. (2023) and the official program. Some of the vectors are held out of training, as there; they
    come from the clips that are trained on, so the validation loss says nothing of other clips.

    Args:
        frames: consecutive frames stacked to one vector.
        hidden_dim: width of the hidden layers.
        hidden_layers: of them on either side of the bottleneck.
        bottleneck_dim: width of the bottleneck.
        score: "mse" (mean squared error over the clip's vectors), "mahalanobis-code" or "mahalanobis-paper".
        epochs: passes over the training vectors.
        batch_size: vectors in a batch; a last batch of a single vector is left out.
        learning_rate: Adam's.
        held_out: share of the vectors that is not trained on.
    """

    name = "autoencoder"

    def __init__(
        self,
        *,
        frames: int,
        hidden_dim: int,
        hidden_layers: int,
        bottleneck_dim: int,
        score: str,
        epochs: int,
        batch_size: int,
        learning_rate: float,
        held_out: float,
    ) -> None:
        self._frames = frames
        self._shape = (hidden_dim, hidden_layers, bottleneck_dim)
        self._score = score
        self._epochs = epochs
        self._learning_rate = learning_rate
        self.batch_size = batch_size
        self._held_out = held_out
        self._precisions: dict[str, Tensor] = {}

    def make_network(self) -> Network:
        """For vectors of so many numbers."""
        return Network(self.facts["dim"], *self._shape)

    @classmethod
    def fit_together(
        cls, extractors: Sequence[Self], clips: Sequence[Sequence[TrainingClip]], contexts: Sequence[Context]
    ) -> list[Exception | None]:
        """With sums on one thread each, which suits layers of this width."""
        with torch_threads(1):
            return super().fit_together(extractors, clips, contexts)

    def fit_steps(self, clips: Sequence[TrainingClip], context: Context) -> Steps[None]:
        """Train on the clips' frames, then measure the residuals of either domain.

        Raises:
            TrainingError: fewer than two vectors to train on, a clip that is too short for one, or a loss that is no
                longer finite.
        """
        machine = clips[0].machine
        domain_of = {clip.key: clip.domain or "source" for clip in clips}
        keys = sorted(domain_of)
        self._require_frames(keys, context)
        vectors = Vectors(keys, self._frames, context)
        order = np.random.default_rng(derive_seed(context.seed, "held out")).permutation(len(vectors))
        held_out, trained = np.split(order, [round(self._held_out * len(order))])
        if len(trained) < 2:
            raise TrainingError(f"autoencoder needs at least two vectors to train on; there are {len(trained)}.")

        def shuffled(epoch: int) -> Iterator[Places]:
            rng = np.random.default_rng(derive_seed(context.seed, "order", epoch))
            yield from minibatches(rng.permutation(trained), self.batch_size)

        def loss(batch: Tensor) -> Tensor:
            return mse_loss(network(batch), batch)

        def validation() -> dict[str, float]:
            batches = [vectors[held_out[start : start + AT_ONCE]] for start in range(0, len(held_out), AT_ONCE)]
            total = sum(float(loss(batch)) * len(batch) for batch in batches)
            return {"validation_loss": total / len(held_out)} if batches else {}

        network = self.begin_seeded(context.seed, dim=vectors.dim)
        examined = held_out if len(held_out) else trained
        mean = vectors.mean(trained)
        (untrained, _), (value, margin) = yield from self.training(
            network,
            lambda epoch: (vectors[places] for places in shuffled(epoch)),
            len(minibatches(trained, self.batch_size)),
            loss,
            Recipe(f"autoencoder {machine}", self._epochs, self._learning_rate, mixed_precision=False),
            context,
            lambda: self._explained(network, vectors, examined, mean),
            validation,
            fused=True,
        )
        if np.isfinite([value, untrained, margin]).all():  # recordings that are all the same leave nothing to explain
            self.learning = Learning(
                figure="explained variance",
                value=value,
                chance=0.0,  # of the mean spectrum
                untrained=untrained,
                margin=margin,
                measured_on=f"{len(examined)} vectors of the training clips, "
                + ("held out of training" if len(held_out) else "all of which it was trained on"),
            )
        scatters = {domain: Scatter(vectors.bins) for domain in DOMAINS}
        domains = np.array([domain_of[key] for key in keys])[vectors.clip_of]
        with torch.inference_mode():
            for places in shuffled(self._epochs):
                batch = vectors[places]
                residuals = (batch - network(batch)).reshape(len(batch), self._frames, vectors.bins)
                for domain, scatter in scatters.items():
                    scatter.add(residuals[torch.from_numpy(domains[places] == domain)])
        self._invert(scatters, machine)

    @staticmethod
    def losses(steps: Sequence[Step]) -> Tensor:
        """Mean squared errors (steps,) of reconstructing each training's batch."""
        batches = torch.stack([step.batch for step in steps])
        reconstructed = stacked.forward([step.network.get_submodule("layers") for step in steps], batches)
        return torch.stack([mse_loss(*pair) for pair in zip(reconstructed, batches, strict=True)])

    def _explained(self, network: Network, vectors: "Vectors", places: Places, mean: Tensor) -> tuple[float, float]:
        """1 - error / error of the mean vector, over the vectors at ``places``, and twice its standard error.

        Vectors of a clip are alike, so the standard error is of the clips' sums (of a ratio estimator).
        """
        sums = np.zeros((2, vectors.clip_of[-1] + 1))
        for start in range(0, len(places), AT_ONCE):
            chosen = places[start : start + AT_ONCE]
            batch = vectors[chosen]
            for row, reconstruction in enumerate((network(batch), mean)):
                squared = (batch - reconstruction).square().mean(1).double().cpu().numpy()
                np.add.at(sums[row], vectors.clip_of[chosen], squared)
        errors, baseline = sums
        if not baseline.sum():
            return math.nan, math.nan
        ratio = errors.sum() / baseline.sum()
        return float(1.0 - ratio), float(2.0 * np.linalg.norm(errors - ratio * baseline) / baseline.sum())

    def _invert(self, scatters: dict[str, Scatter], machine: str) -> None:
        notes = []
        for domain, scatter in scatters.items():
            if scatter.vectors < 2:
                notes.append(f"{machine}: no {domain} clips to train on; selective Mahalanobis knows one domain only")
                continue
            for variant, covariance in (("code", scatter.program()), ("paper", scatter.paper())):
                precision, rank = inverse(covariance)
                self._precisions[f"{variant}.{domain}"] = precision
            if rank < len(covariance):
                notes.append(
                    f"{machine}: the covariance of the {domain} residuals is singular (rank {rank} of "
                    f"{len(covariance)}); its pseudo-inverse is used"
                )
        self.notes = notes

    def at_once(self, keys: Sequence[str], context: Context) -> int:
        """Clips whose vectors still lie in the processor's cache; none may be too short for one vector."""
        self._require_frames(keys, context)
        return CLIPS_AT_ONCE

    def rows(self, network: Network, features: Tensor) -> Tensor:
        """(batch, 1), the anomaly scores."""
        frames = features.flatten(1, 2).transpose(1, 2)  # (batch, frames, bins)
        vectors = frames.unfold(1, self._frames, 1).transpose(2, 3).flatten(2)
        residuals = (vectors - network(vectors.flatten(0, 1)).view(vectors.shape)).cpu()
        return torch.stack([self._clip_score(clip, frames.shape[2]) for clip in residuals])[:, None]

    def _require_frames(self, keys: Sequence[str], context: Context) -> None:
        shortest = common_length(keys, 0.0, context)
        if shortest < self._frames:
            raise TrainingError(
                f"autoencoder stacks {self._frames} frames, and a clip has {shortest}: it must last at least "
                f"{self._frames / context.frame_rate_hz:.2f} s. Fewer frames: -p autoencoder.frames={shortest}"
            )

    def _clip_score(self, residuals: Tensor, bins: int) -> Tensor:
        """Of one clip's residuals (vectors, dim)."""
        if self._score == "mse":
            return residuals.square().mean()
        variant = self._score.removeprefix("mahalanobis-")
        precisions = [precision for name, precision in self._precisions.items() if name.startswith(f"{variant}.")]
        if not precisions:
            raise TrainingError("autoencoder: too few training vectors for a covariance; the score 'mse' needs none.")
        measure = program_score if variant == "code" else paper_score
        return measure(residuals.reshape(-1, bins), precisions)

    def save(self, folder: Path) -> None:
        """Write weights and precisions."""
        super().save(folder)
        write_bytes(folder / "precisions.safetensors", save(self._precisions))

    def load(self, folder: Path) -> None:
        """Read weights and precisions."""
        super().load(folder)
        self._precisions = load_file(folder / "precisions.safetensors")


class Vectors:
    """Every stack of consecutive frames of some clips, stored as frames and stacked when asked for.

    Attributes:
        bins: numbers in a frame.
        dim: numbers in a vector; frame follows frame.
        clip_of: position of the clip that each vector comes from.
    """

    def __init__(self, keys: Sequence[str], frames: int, context: Context) -> None:
        features = [np.asarray(context.features[key], np.float32) for key in keys]
        lengths = np.array([one.shape[-1] for one in features])
        flat = np.concatenate([one.reshape(-1, one.shape[-1]).T for one in features])
        counts = lengths - frames + 1
        self.clip_of = np.repeat(np.arange(len(features)), counts)
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        starts = np.repeat(np.cumsum(lengths) - lengths, counts) + within
        self.bins = flat.shape[1]
        self.dim = frames * self.bins
        self._starts = torch.from_numpy(starts).to(context.device)
        self._flat = torch.from_numpy(np.ascontiguousarray(flat)).to(context.device)
        self._windows = self._flat.as_strided((len(flat) - frames + 1, self.dim), (self.bins, 1))

    def __len__(self) -> int:
        return len(self._starts)

    def mean(self, places: Places) -> Tensor:
        """The mean (dim,) of the vectors at some places."""
        total = torch.zeros(self.dim, dtype=torch.float64, device=self._flat.device)
        for start in range(0, len(places), AT_ONCE):
            total += self[places[start : start + AT_ONCE]].sum(0, dtype=torch.float64)
        return (total / len(places)).float()

    def __getitem__(self, places: Places) -> Tensor:
        """The vectors (n, dim) at some places."""
        return self._windows.index_select(0, self._starts[torch.from_numpy(places).to(self._starts.device)])
