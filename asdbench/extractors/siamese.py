"""Siamese network on spectrogram images."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import pairwise_distance

from asdbench.core.digests import derive_seed
from asdbench.core.errors import TrainingError, UsageError
from asdbench.datasets.clips import TrainingClip
from asdbench.extractors.base import Context
from asdbench.extractors.batches import mean_and_spread, minibatches, prefetched, to_device
from asdbench.extractors.learning import Learning, two_standard_errors
from asdbench.extractors.losses import contrastive
from asdbench.extractors.network import FitsTogether
from asdbench.extractors.pairs import Class, Pair, classes_of, draw_pairs, split_clips
from asdbench.extractors.together import Steps
from asdbench.extractors.training import Recipe

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


class Siamese(FitsTogether):
    """Learns whether two clips are of one class; the embedding is the twin encoder's output.

    Germinario et al. (2022). Classes are sections, or attributes where a machine type has one section. Where it has
    one class only, the clips of other machine types are the negative partners.
    """

    name = "siamese"

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
        self._layers = (conv_layers, filters, kernel, padding, pool, batch_norm, features, activation, head)
        self._margin = margin
        self._pairs = _numbers(pairs)
        self._small_class = small_class
        self._redraw = redraw
        self._validation = validation
        self.batch_size = batch_size
        self._epochs = epochs
        self._learning_rate = learning_rate

    def make_network(self) -> Twin:
        """For images of this shape."""
        return Twin(self.facts["shape"], *self._layers)

    def fit_steps(self, clips: Sequence[TrainingClip], context: Context) -> Steps[None]:
        """Train on pairs of one machine type's clips.

        Raises:
            TrainingError: there are no two classes, no class has two clips, or the loss is no longer finite.
        """
        assert context.training is not None, "a fit has what only a fit may use"
        machine = clips[0].machine
        classes = classes_of(clips)
        others: Mapping[str, Class] = {}
        notes = []
        if len(set(classes.values())) == 1:
            others = classes_of(context.training.others)
            if not others:
                raise TrainingError(
                    f"siamese tells classes apart, and {machine} has one only: one section, one set of attributes. "
                    "There is no other machine type to take negative pairs from.\n"
                    "Give a data set with several machine types or sections (all of them: no --machine), or file names "
                    "with attributes."
                )
            notes.append(f"{machine} has one class only, so its negative pairs come from the other machine types")
        rng = np.random.default_rng(derive_seed(context.seed, "pairs"))
        trained, validated = split_clips(classes, self._validation, rng)
        others_trained, others_validated = split_clips(others, self._validation, rng)

        def drawn(rng: np.random.Generator) -> list[Pair]:
            return draw_pairs(trained, others_trained, self._pairs, self._small_class, rng)

        pairs = drawn(rng)
        tests = draw_pairs(validated, others_validated, self._pairs, self._small_class, rng)
        if not pairs:
            raise TrainingError(
                f"siamese needs a class with at least two clips to train on; {machine} has none "
                f"({len(clips)} clips in {len(set(classes.values()))} classes)."
            )

        def batches(epoch: int) -> Iterator[Batch]:
            rng = np.random.default_rng(derive_seed(context.seed, "order", epoch))
            shown = drawn(rng) if self._redraw else pairs
            for chosen in minibatches(rng.permutation(len(shown)), self.batch_size):
                yield self._load([shown[place] for place in chosen], context)

        def accuracy() -> dict[str, float]:
            return {"validation_pair_accuracy": self._accuracy(network, tests, context)} if tests else {}

        def loss(batch: Batch) -> Tensor:
            distance, different = self._distances(network, batch)
            return contrastive(distance, different, self._margin)

        network = self.begin_seeded(context.seed, shape=list(context.features.shape(clips[0].key)))
        network.mean, network.std = mean_and_spread(sorted(trained), context)
        untrained, accuracies = yield from self.training(
            network,
            lambda epoch: prefetched(batches(epoch)),
            len(minibatches(pairs, self.batch_size)),
            loss,
            Recipe(f"siamese {machine}", self._epochs, self._learning_rate),
            context,
            accuracy,
            accuracy,
        )
        if tests:
            value = accuracies["validation_pair_accuracy"]
            self.learning = Learning(
                figure="pair accuracy",
                value=value,
                chance=0.5,  # as many pairs of one class as of two
                untrained=untrained["validation_pair_accuracy"],
                margin=two_standard_errors(value, [len({frozenset((pair.first, pair.second)) for pair in tests})]),
                measured_on=f"{len(tests)} pairs of {len(validated | others_validated)} clips held out of training",
            )
            notes.append(
                f"{machine}: {value:.0%} of {len(tests)} pairs of {len(validated)} validation clips are classified "
                "correctly"
            )
        else:
            notes.append(f"{machine}: too few clips of one class to validate on, so there is no pair accuracy")
        self.notes = notes

    def _distances(self, network: Twin, batch: Batch) -> tuple[Tensor, Tensor]:
        """Distance of each pair of a batch, and whether its classes differ."""
        images, first, second, different = batch
        rows = network(images)
        return network.distance(rows[first], rows[second]), different

    def _accuracy(self, network: Twin, pairs: list[Pair], context: Context) -> float:
        """Share of the pairs whose distance lies on the right side of half the margin."""
        right = 0
        for start in range(0, len(pairs), self.batch_size):
            batch = self._load(pairs[start : start + self.batch_size], context)
            distance, different = self._distances(network, batch)
            right += int(((distance > self._margin / 2) == different.bool()).sum())
        return right / len(pairs)

    def _load(self, pairs: Sequence[Pair], context: Context) -> Batch:
        """A batch in which every clip is there once, in however many pairs it is."""
        keys = sorted({key for pair in pairs for key in (pair.first, pair.second)})
        place = {key: index for index, key in enumerate(keys)}
        images = to_device(np.stack([context.features[key] for key in keys]), context.device)
        first = torch.tensor([place[pair.first] for pair in pairs], device=context.device)
        second = torch.tensor([place[pair.second] for pair in pairs], device=context.device)
        different = torch.tensor([pair.different for pair in pairs], dtype=torch.float32, device=context.device)
        return images, first, second, different

    def rows(self, network: Twin, features: Tensor) -> Tensor:
        """(batch, features) of the twin encoder."""
        return network(features)  # type: ignore[no-any-return]


def _numbers(pairs: str) -> tuple[int, int]:
    """Of ``2-4``, (2, 4)."""
    parts = pairs.split("-")
    if len(parts) != 2 or not all(part.isdigit() and int(part) > 0 for part in parts):
        raise UsageError(
            f"siamese.pairs takes two whole numbers, of pairs for each clip and for each clip of a small class: 2-4, "
            f"not '{pairs}'. See: asdbench show siamese"
        )
    return int(parts[0]), int(parts[1])
