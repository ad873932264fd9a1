"""SimCLR on log-mel clips."""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import timm
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from asdbench.core.digests import derive_seed
from asdbench.core.errors import TrainingError, UsageError, did_you_mean
from asdbench.datasets.clips import BlindClip, TrainingClip
from asdbench.extractors.base import Context, Embeddings, Extractor
from asdbench.extractors.checkpoints import count_parameters, load_weights, save_weights
from asdbench.extractors.learning import Learning, two_standard_errors
from asdbench.extractors.nt_xent import nt_xent
from asdbench.extractors.prefetch import prefetched, to_device
from asdbench.extractors.standardise import level
from asdbench.extractors.training import Recipe, epochs_for, reproducible, settled, train, whole_clips
from asdbench.extractors.views import augmented_views
from asdbench.frontends.pack import Pack

EXAMINED = 48  # clips at most whose new copies show whether anything was learned


class Network(nn.Module):
    """Backbone of timm and projection head linear - ReLU - linear; standardises its input."""

    mean: Tensor
    std: Tensor

    def __init__(self, backbone: str, channels: int, hidden_dim: int, projection_dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("std", torch.ones(()))
        self.backbone = timm.create_model(backbone, pretrained=False, in_chans=channels, num_classes=0)
        width = _width(backbone, self.backbone, channels)
        hidden = hidden_dim or width
        self.head = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, projection_dim))

    def forward(self, features: Tensor, layer: str = "projection") -> Tensor:
        """(batch, channels, bins, frames) -> (batch, dim) of the layer "backbone" or "projection"."""
        pooled: Tensor = self.backbone((features - self.mean) / self.std)
        return pooled if layer == "backbone" else self.head(pooled)


class SimCLR(Extractor):
    """One network for all machine types, trained to recognise a clip in its augmented copies.

    Shin and Lee (2023): pairs of an original and one of its augmented copies, NT-Xent, Adam, cosine annealing with
    warm restarts. An epoch pairs every clip with one of its copies, drawn anew. Clips of differing length in one
    batch are cut to the shortest, at a random place common to the pair.

    Raises:
        UsageError: timm knows no such backbone.
    """

    def __init__(
        self,
        *,
        backbone: str,
        projection_dim: int,
        hidden_dim: int,
        layer: str,
        copies: int,
        temperature: float,
        batch_size: int,
        epochs: int,
        steps: int,
        min_steps: int,
        learning_rate: float,
        restarts: int,
        crop_s: float,
    ) -> None:
        if not timm.is_model(backbone):
            hint = did_you_mean(backbone, timm.list_models())
            raise UsageError(f"simclr.backbone: timm has no model '{backbone}'.{hint} See: timm.list_models()")
        self._make: Callable[[int], Network] = lambda channels: Network(backbone, channels, hidden_dim, projection_dim)
        self._layer = layer
        self._copies = copies
        self._temperature = temperature
        self._batch_size = batch_size
        self._crop_s = crop_s
        self._epochs = epochs
        self._steps = steps
        self._min_steps = min_steps
        self._learning_rate = learning_rate
        self._restarts = restarts
        self._network: Network | None = None

    def fit(self, clips: Sequence[TrainingClip], context: Context) -> None:
        """Train on all clips at once.

        Raises:
            TrainingError: fewer than two clips, no augmentation, or a loss that is no longer finite.
        """
        keys = sorted({clip.key for clip in clips})
        if len(keys) < 2:
            raise TrainingError(f"simclr tells clips apart, so it needs at least two; there is {len(keys)}.")
        if context.training is not None and not context.training.augmentations:
            raise TrainingError("simclr learns from augmented copies, so it needs at least one augmentation.")
        views = augmented_views(clips, self._copies, context)
        examined = keys[:EXAMINED]  # keys are digests, so that is as good as random
        unseen = augmented_views([clip for clip in clips if clip.key in examined], 1, context, "unseen view")
        batches = math.ceil(len(keys) / self._batch_size) - (len(keys) % self._batch_size == 1)
        epochs = epochs_for(self._epochs, self._steps, self._min_steps, batches)
        with reproducible(context.seed):
            network = self._make(context.features.shape(keys[0])[0])
            network.mean, network.std = level(keys, context)
            network.to(context.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
            self._network = network

            def as_embedded() -> Iterator[Tensor]:
                yield from map(network, prefetched(whole_clips(keys, self._batch_size, context)))

            recipe = Recipe("simclr", epochs, self._learning_rate, self._restarts, as_embedded=as_embedded)

            def epoch_of(number: int) -> Iterator[Tensor]:
                return prefetched(self._batches(number, keys, views, context))

            def loss(batch: Tensor) -> Tensor:
                return self._loss(network, batch)

            with settled(network, epoch_of, loss, recipe, context):
                untrained, _ = partners_found(network, examined, unseen, context)
            self.curves = train(network, epoch_of, batches, loss, recipe, context)
            value, copies = partners_found(network, examined, unseen, context)
        self.learning = Learning(
            figure="partners found",
            value=value,
            chance=1.0 / len(examined),
            untrained=untrained,
            margin=two_standard_errors(value, [copies]),
            measured_on=f"{copies} new augmented copies of {len(examined)} training clips, whole, by the projection",
        )
        self.parameter_count = count_parameters(network)

    def _loss(self, network: Network, batch: Tensor) -> Tensor:
        originals, copies = network(batch).chunk(2)
        return nt_xent(originals, copies, self._temperature)

    def _batches(self, epoch: int, keys: list[str], views: Pack, context: Context) -> Iterator[Tensor]:
        """Each batch holds the originals first, then a copy of each in the same order."""
        rng = np.random.default_rng(derive_seed(context.seed, "pairs", epoch))
        order = rng.permutation(len(keys))
        for start in range(0, len(keys), self._batch_size):
            chosen = [keys[index] for index in order[start : start + self._batch_size]]
            if len(chosen) < 2:  # a lone clip has nothing to be told apart from
                continue
            frames = min(context.features.shape(key)[-1] for key in chosen)
            if self._crop_s:
                frames = min(frames, max(1, round(self._crop_s * context.frame_rate_hz)))
            batch = np.empty((2, len(chosen), *context.features.shape(chosen[0])[:-1], frames), np.float32)
            for position, key in enumerate(chosen):
                original, copies = context.features[key], views[key]
                place = int(rng.integers(original.shape[-1] - frames + 1))
                cut = slice(place, place + frames)
                batch[0, position] = original[..., cut]
                batch[1, position] = copies[rng.integers(len(copies))][..., cut]
            yield to_device(batch.reshape(-1, *batch.shape[2:]), context.device)

    def embed(self, clips: Sequence[BlindClip], context: Context) -> Embeddings:
        """(n_clips, dim) of the layer that is scored."""
        assert self._network is not None, "fit or load first"
        network = self._network.to(context.device).eval()
        result: Embeddings | None = None
        with torch.inference_mode(), context.progress.stage("embed simclr", len(clips)) as stage:
            keys = [clip.key for clip in clips]
            for positions, features in prefetched(context.features.batches(keys, self._batch_size)):
                rows = network(to_device(features, context.device), self._layer)
                if result is None:
                    result = np.empty((len(clips), rows.shape[1]), np.float32)
                result[positions] = rows.float().cpu().numpy()
                stage.advance(len(positions))
        assert result is not None, "no clips"
        return result

    def save(self, folder: Path) -> None:
        """Write the weights."""
        assert self._network is not None, "fit first"
        save_weights(self._network, folder / "network.safetensors")
        channels = next(self._network.backbone.parameters()).shape[1]
        (folder / "simclr.json").write_text(json.dumps({"channels": channels}))

    def load(self, folder: Path) -> None:
        """Read the weights."""
        facts = json.loads((folder / "simclr.json").read_text())
        self._network = self._make(facts["channels"])
        load_weights(self._network, folder / "network.safetensors")
        self._network.to(memory_format=torch.channels_last)


@torch.inference_mode()
def partners_found(network: Network, keys: Sequence[str], copies: Pack, context: Context) -> tuple[float, int]:
    """Part of the copies to which their own clip is the nearest of all by the cosine of projections, and their number.

    Clips and copies are whole, and the network is in evaluation mode, as it is when it embeds.
    """
    rows = []
    with torch.autocast(context.device, torch.bfloat16, context.device == "cuda"):
        for key in keys:
            clip = np.concatenate([np.asarray(context.features[key])[None], copies[key]]).astype(np.float32)
            rows.append(normalize(network(to_device(clip, context.device)).float(), dim=1))
    projections = torch.stack(rows)  # (clips, 1 + copies, dim)
    nearest = (projections[:, 1:] @ projections[:, 0].T).argmax(2)
    right = nearest == torch.arange(len(keys), device=nearest.device)[:, None]
    return float(right.float().mean()), right.numel()


def _width(name: str, backbone: nn.Module, channels: int) -> int:
    """Dimensions that a backbone gives for inputs of any size; timm's own number leaves out some last layers."""
    try:
        with torch.no_grad():
            return int(backbone.eval()(torch.zeros(1, channels, 128, 64)).shape[1])
    except (RuntimeError, AssertionError, ValueError) as error:
        raise UsageError(
            f"simclr.backbone: '{name}' does not take spectrograms of any length ({str(error).splitlines()[0]}). "
            "Accepted: timm's convolutional networks, resnet18 for instance."
        ) from error
    finally:
        backbone.train()
