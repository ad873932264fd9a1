"""SimCLR on log-mel clips."""

from collections.abc import Iterator, Sequence

import numpy as np
import timm
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from asdbench.core.digests import derive_seed
from asdbench.core.errors import TrainingError, UsageError, did_you_mean
from asdbench.datasets.clips import TrainingClip
from asdbench.extractors.base import Context
from asdbench.extractors.batches import common_length, mean_and_spread, minibatches, prefetched, to_device, whole_clips
from asdbench.extractors.learning import Learning, two_standard_errors
from asdbench.extractors.losses import nt_xent
from asdbench.extractors.network import NetworkExtractor
from asdbench.extractors.training import Recipe, epochs_for, reproducible
from asdbench.extractors.views import augmented_views
from asdbench.frontends.pack import Pack

EXAMINED = 48  # clips at most whose new copies show whether anything was learned


class Network(nn.Module):
    """Backbone of timm and projection head linear - ReLU - linear; standardises its input."""

    mean: Tensor
    std: Tensor

    def __init__(self, channels: int, backbone: str, hidden_dim: int, projection_dim: int) -> None:
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


class SimCLR(NetworkExtractor):
    """One network for all machine types, trained to recognise a clip in its augmented copies.

    Shin and Lee (2023): pairs of an original and one of its augmented copies, NT-Xent, Adam, cosine annealing with
    warm restarts. An epoch pairs every clip with one of its copies, drawn anew. Clips of differing length in one
    batch are cut to the shortest, at a random place common to the pair.

    Raises:
        UsageError: timm knows no such backbone.
    """

    name = "simclr"

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
        self._shape = (backbone, hidden_dim, projection_dim)
        self._layer = layer
        self._copies = copies
        self._temperature = temperature
        self.batch_size = batch_size
        self._crop_s = crop_s
        self._epochs = (epochs, steps, min_steps)
        self._rate = (learning_rate, restarts)

    def make_network(self) -> Network:
        """For features of so many channels."""
        return Network(self.facts["channels"], *self._shape)

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
        count = len(minibatches(keys, self.batch_size))
        with reproducible(context.seed):
            network = self.begin(channels=context.features.shape(keys[0])[0])
            network.mean, network.std = mean_and_spread(keys, context)

            def as_embedded() -> Iterator[Tensor]:
                yield from map(network, prefetched(whole_clips(keys, self.batch_size, context)))

            def loss(batch: Tensor) -> Tensor:
                originals, copies = network(batch).chunk(2)
                return nt_xent(originals, copies, self._temperature)

            (untrained, _), (value, copies) = self.train(
                network,
                lambda epoch: prefetched(self._batches(epoch, keys, views, context)),
                count,
                loss,
                Recipe(self.name, epochs_for(*self._epochs, count), *self._rate, as_embedded=as_embedded),
                context,
                lambda: partners_found(network, examined, unseen, context),
            )
        self.learning = Learning(
            figure="partners found",
            value=value,
            chance=1.0 / len(examined),
            untrained=untrained,
            margin=two_standard_errors(value, [copies]),
            measured_on=f"{copies} new augmented copies of {len(examined)} training clips, whole, by the projection",
        )

    def _batches(self, epoch: int, keys: list[str], views: Pack, context: Context) -> Iterator[Tensor]:
        """Each batch holds the originals first, then a copy of each in the same order."""
        rng = np.random.default_rng(derive_seed(context.seed, "pairs", epoch))
        for chosen in minibatches(rng.permutation(keys).tolist(), self.batch_size):
            frames = common_length(chosen, self._crop_s, context)
            batch = np.empty((2, len(chosen), *context.features.shape(chosen[0])[:-1], frames), np.float32)
            for position, key in enumerate(chosen):
                original, copies = context.features[key], views[key]
                place = int(rng.integers(original.shape[-1] - frames + 1))
                cut = slice(place, place + frames)
                batch[0, position] = original[..., cut]
                batch[1, position] = copies[rng.integers(len(copies))][..., cut]
            yield to_device(batch.reshape(-1, *batch.shape[2:]), context.device)

    def rows(self, network: Network, features: Tensor) -> Tensor:
        """(batch, dim) of the layer that is scored."""
        return network(features, self._layer)  # type: ignore[no-any-return]


def partners_found(network: Network, keys: Sequence[str], copies: Pack, context: Context) -> tuple[float, int]:
    """Share of the copies whose clip is the nearest of all by the cosine of projections, and their number.

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
