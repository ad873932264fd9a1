"""Siamese network on spectrogram images."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import pairwise_distance

from asdbench.core.digests import derive_seed
from asdbench.core.errors import TrainingError, UsageError
from asdbench.datasets.clips import BlindClip, TrainingClip
from asdbench.extractors.base import Context, Embeddings, Extractor
from asdbench.extractors.checkpoints import count_parameters, load_weights, save_weights
from asdbench.extractors.classes import Class, classes_of
from asdbench.extractors.contrastive import contrastive
from asdbench.extractors.learning import Learning, two_standard_errors
from asdbench.extractors.pairs import Pair, draw_pairs, split_clips
from asdbench.extractors.prefetch import prefetched, to_device
from asdbench.extractors.standardise import level
from asdbench.extractors.training import Recipe, reproducible, settled, train

Batch = tuple[Tensor, Tensor, Tensor, Tensor]  # images, place of the first and of the second of each pair, y


class Twin(nn.Module):
    """The encoder that both inputs of the Siamese network go through, and what makes a distance of two outputs.

    Convolutions with tanh and average pooling, a batch normalisation where asked for, a dense layer. The head "dense"
    makes of the Euclidean distance a probability that the classes differ: batch normalisation, one weight, sigmoid. The
    weight starts at its absolute value: below zero a larger distance would mean the same class, and a network that
    learns to live with that tells apart what it was trained on and nothing else. The bias starts at zero, which is the
    mean distance: training pairs are soon far from it on either side, so it stays where it starts, and clips that were
    not trained on lie nearer to it.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        shape: Sequence[int],
        conv_layers: int,
        filters: int,
        kernel: int,
        padding: str,
        pool: int,
        batch_norm: bool,
        features: int,
        activation: str,
        head: str,
    ) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("std", torch.ones(()))
        self.shape = list(shape)
        channels, height, width = shape
        layers: list[nn.Module] = []
        for _ in range(conv_layers):
            layers += [nn.Conv2d(channels, filters, kernel, padding=padding), nn.Tanh(), nn.AvgPool2d(pool)]
            lost = kernel - 1 if padding == "valid" else 0
            channels, height, width = filters, (height - lost) // pool, (width - lost) // pool
            if min(height, width) < 1:
                raise UsageError(
                    f"siamese: {conv_layers} convolutions and poolings by {pool} leave nothing of a {shape[1]} x "
                    f"{shape[2]} image. Larger images, or less pooling: -p siamese.pool=1"
                )
        dim = channels * height * width
        norm = [nn.BatchNorm1d(dim)] if batch_norm else []
        last = [nn.Tanh()] if activation == "tanh" else []
        self.encoder = nn.Sequential(*layers, nn.Flatten(), *norm, nn.Linear(dim, features), *last)
        self.head = nn.Sequential()
        if head == "dense":
            unit = nn.Linear(1, 1)
            with torch.no_grad():
                unit.weight.abs_()
                unit.bias.zero_()
            self.head = nn.Sequential(nn.BatchNorm1d(1), unit, nn.Sigmoid())

    def forward(self, images: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, features)."""
        result: Tensor = self.encoder((images - self.mean) / self.std)
        return result

    def distance(self, first: Tensor, second: Tensor) -> Tensor:
        """D of equation (1), (pairs,), from the encodings of both."""
        result: Tensor = self.head(pairwise_distance(first.float(), second.float())[:, None])
        return result[:, 0]


class Siamese(Extractor):
    """Learns whether two clips are of one class; the embedding is the twin encoder's output.

    Germinario et al. (2022). Classes are sections, or attributes where a machine type has one section. Where it has
    one class only, the clips of other machine types are the negative partners.
    """

    def __init__(
        self,
        *,
        conv_layers: int,
        filters: int,
        kernel: int,
        padding: str,
        pool: int,
        batch_norm: bool,
        features: int,
        activation: str,
        head: str,
        margin: float,
        pairs: str,
        small_class: float,
        redraw: bool,
        validation: float,
        batch_size: int,
        epochs: int,
        learning_rate: float,
    ) -> None:
        self._shape = (conv_layers, filters, kernel, padding, pool, batch_norm, features, activation, head)
        self._margin = margin
        self._pairs = _numbers(pairs)
        self._small_class = small_class
        self._redraw = redraw
        self._validation = validation
        self._batch_size = batch_size
        self._recipe = Recipe("siamese", epochs, learning_rate)
        self._network: Twin | None = None

    def fit(self, clips: Sequence[TrainingClip], context: Context) -> None:
        """Train on pairs of one machine type's clips.

        Raises:
            TrainingError: there are no two classes, no class has two clips, or the loss is no longer finite.
        """
        assert context.training is not None, "a fit has what only a fit may use"
        machine = clips[0].machine
        labels = classes_of(clips)
        strangers: Mapping[str, Class] = {}
        notes = []
        if len(set(labels.values())) == 1:
            strangers = classes_of(context.training.others)
            if not strangers:
                raise TrainingError(
                    f"siamese tells classes apart, and {machine} has one only: one section, one set of attributes. "
                    "There is no other machine type to take negative pairs from.\n"
                    "Give a data set with several machine types or sections (all of them: no --machine), or file names "
                    "with attributes."
                )
            notes.append(f"{machine} has one class only, so its negative pairs come from the other machine types")
        rng = np.random.default_rng(derive_seed(context.seed, "pairs"))
        kept, held_out = split_clips(labels, self._validation, rng)
        strange_kept, strange_held_out = split_clips(strangers, self._validation, rng)
        pairs = draw_pairs(kept, strange_kept, self._pairs, self._small_class, rng)
        tests = draw_pairs(held_out, strange_held_out, self._pairs, self._small_class, rng)
        if not pairs:
            raise TrainingError(
                f"siamese needs a class with at least two clips to train on; {machine} has none "
                f"({len(clips)} clips in {len(set(labels.values()))} classes)."
            )
        lone = len(pairs) % self._batch_size == 1  # left out: batch normalisation needs two
        batches = math.ceil(len(pairs) / self._batch_size) - lone

        def shuffled(epoch: int) -> Iterator[Batch]:
            own = np.random.default_rng(derive_seed(context.seed, "order", epoch))
            now = draw_pairs(kept, strange_kept, self._pairs, self._small_class, own) if self._redraw else pairs
            order = own.permutation(len(now))
            for number in range(batches):
                chosen = order[number * self._batch_size : (number + 1) * self._batch_size]
                yield self._load([now[place] for place in chosen], context)

        def accuracy() -> dict[str, float]:
            return {"validation_pair_accuracy": self._accuracy(network, tests, context)} if tests else {}

        def epoch_of(number: int) -> Iterator[Batch]:
            return prefetched(shuffled(number))

        def loss(batch: Batch) -> Tensor:
            return self._loss(network, batch)

        with reproducible(context.seed):
            network = Twin(context.features.shape(clips[0].key), *self._shape)
            network.mean, network.std = level(sorted(kept), context)
            network.to(context.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
            self._network = network
            recipe = replace(self._recipe, name=f"siamese {machine}")
            with settled(network, epoch_of, loss, recipe, context), torch.inference_mode():
                untrained = accuracy()
            self.curves = train(network, epoch_of, batches, loss, recipe, context, accuracy)
        if tests:
            value = self.curves["validation_pair_accuracy"][-1]
            self.learning = Learning(
                figure="pair accuracy",
                value=value,
                chance=0.5,  # as many pairs of one class as of two
                untrained=untrained["validation_pair_accuracy"],
                margin=two_standard_errors(value, [len({frozenset((pair.first, pair.second)) for pair in tests})]),
                measured_on=f"{len(tests)} pairs of {len(held_out) + len(strange_held_out)} clips held out of training",
            )
            notes.append(
                f"{machine}: {value:.0%} of {len(tests)} pairs of {len(held_out)} validation clips are told right"
            )
        else:
            notes.append(f"{machine}: too few clips of one class to validate on, so there is no pair accuracy")
        self.notes = notes
        self.parameter_count = count_parameters(network)

    def _loss(self, network: Twin, batch: Batch) -> Tensor:
        images, first, second, different = batch
        rows = network(images)
        return contrastive(network.distance(rows[first], rows[second]), different, self._margin)

    def _accuracy(self, network: Twin, pairs: list[Pair], context: Context) -> float:
        """Part of the pairs whose distance lies on the right side of half the margin."""
        right = 0
        for start in range(0, len(pairs), self._batch_size):
            images, first, second, different = self._load(pairs[start : start + self._batch_size], context)
            rows = network(images)
            told = network.distance(rows[first], rows[second]) > self._margin / 2
            right += int((told == different.bool()).sum())
        return right / len(pairs)

    def _load(self, pairs: Sequence[Pair], context: Context) -> Batch:
        """A batch in which every clip is there once, however many pairs hold it."""
        keys = sorted({key for pair in pairs for key in (pair.first, pair.second)})
        place = {key: index for index, key in enumerate(keys)}
        images = to_device(np.stack([context.features[key] for key in keys]), context.device)
        first = torch.tensor([place[pair.first] for pair in pairs], device=context.device)
        second = torch.tensor([place[pair.second] for pair in pairs], device=context.device)
        different = torch.tensor([pair.different for pair in pairs], dtype=torch.float32, device=context.device)
        return images, first, second, different

    def embed(self, clips: Sequence[BlindClip], context: Context) -> Embeddings:
        """(n_clips, features) of the twin encoder."""
        assert self._network is not None, "fit or load first"
        network = self._network.to(context.device).eval()
        parts: dict[int, Embeddings] = {}
        with torch.inference_mode(), context.progress.stage("embed siamese", len(clips)) as stage:
            for positions, images in context.features.batches([clip.key for clip in clips], self._batch_size):
                rows = network(torch.from_numpy(images).float().to(context.device)).cpu().numpy()
                parts |= dict(zip(positions, rows, strict=True))
                stage.advance(len(positions))
        return np.stack([parts[position] for position in range(len(clips))])

    def save(self, folder: Path) -> None:
        """Write the weights."""
        assert self._network is not None, "fit first"
        save_weights(self._network, folder / "network.safetensors")
        (folder / "siamese.json").write_text(json.dumps({"shape": self._network.shape}))

    def load(self, folder: Path) -> None:
        """Read the weights."""
        self._network = Twin(json.loads((folder / "siamese.json").read_text())["shape"], *self._shape)
        load_weights(self._network, folder / "network.safetensors")
        self._network.to(memory_format=torch.channels_last)


def _numbers(pairs: str) -> tuple[int, int]:
    """Of ``2-4``, (2, 4)."""
    parts = pairs.split("-")
    if len(parts) != 2 or not all(part.isdigit() and int(part) > 0 for part in parts):
        raise UsageError(
            f"siamese.pairs takes two whole numbers, of pairs for each clip and for each clip of a small class: 2-4, "
            f"not '{pairs}'. See: asdbench show siamese"
        )
    return int(parts[0]), int(parts[1])
