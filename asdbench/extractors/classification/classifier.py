"""What extractors share that are trained to tell classes of training clips apart by angles."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from asdbench.core.digests import derive_seed
from asdbench.core.errors import TrainingError
from asdbench.datasets.clips import TrainingClip
from asdbench.extractors.base import Context
from asdbench.extractors.batches import common_length, minibatches, prefetched, to_device, whole_clips
from asdbench.extractors.classification.margin_losses import MarginLoss
from asdbench.extractors.learning import Learning, two_standard_errors
from asdbench.extractors.network import NetworkExtractor
from asdbench.extractors.pairs import Class
from asdbench.extractors.training import Recipe, epochs_for, reproducible

Batch = tuple[Tensor, Tensor, torch.Generator]  # waveforms, labels, what mixing is drawn from
EXAMINED = 128  # clips at most that show whether anything was learned
EMBEDDED_S = 160.0  # of sound at once while embedding, so that long clips need no more memory than short ones


class Classifier(nn.Module):
    """What is trained: a network that embeds, the centres of the loss, and those of the exchanges' classes."""

    def __init__(self, embedder: Any, loss: MarginLoss, exchanged: nn.Module | None = None) -> None:
        super().__init__()
        self.embedder = embedder
        self.loss = loss
        self.exchanged = exchanged


class ClassifierExtractor(NetworkExtractor):
    """One network for all machine types, trained on waveforms to tell classes of training clips apart.

    Training clips are cut at a random place to the shortest one's length, or to ``crop_s``. Embeddings are of whole
    clips.

    Args:
        crop_s: seconds of a cut; 0 is the length of the shortest training clip.
        batch_size: clips in a batch.
        epochs: epochs, steps and least steps, as ``epochs_for`` takes them.
        learning_rate: of the optimizer.

    Attributes:
        makes: of waveforms, in words.
    """

    makes: ClassVar[str]

    def __init__(self, crop_s: float, batch_size: int, epochs: tuple[int, int, int], learning_rate: float) -> None:
        self._crop_s = crop_s
        self.batch_size = batch_size
        self._epochs = epochs
        self._learning_rate = learning_rate

    @abstractmethod
    def classes(self, clips: Sequence[TrainingClip], context: Context) -> tuple[Mapping[str, Class], list[str]]:
        """Class of each training clip by its key, and what to note."""

    @abstractmethod
    def classifier(self, embedder: Any, classes: int) -> Classifier:
        """What is trained, with centres for so many classes."""

    @abstractmethod
    def loss(self, network: Any, batch: Batch) -> Tensor:
        """The loss of a batch, scalar."""

    def recipe(self, recipe: Recipe, steps: int) -> Recipe:
        """The recipe of a training of so many steps."""
        return recipe

    def fit(self, clips: Sequence[TrainingClip], context: Context) -> None:
        """Train on the clips of all machine types at once.

        Raises:
            TrainingError: the front end gives something else than the waveform, there are no two classes, fewer than
                two clips, or a loss that is no longer finite.
        """
        bins = context.features.shape(clips[0].key)[1]
        if bins != 1:
            raise TrainingError(
                f"{self.name} makes its own {self.makes} and takes the front end 'waveform'; "
                f"this one gives {bins} bins."
            )
        classes, notes = self.classes(clips, context)
        names = sorted(set(classes.values()))
        if len(names) < 2:
            raise TrainingError(
                f"{self.name} tells classes apart - machine types, sections, attributes, domains - and the "
                f"{len(clips)} training clips are of one class.\nGive more machine types (no --machine), or let it "
                f"part the clips into clusters: -p {self.name}.pseudo_classes=4"
            )
        labels = {key: names.index(name) for key, name in classes.items()}
        keys = sorted(labels)
        samples = common_length(keys, self._crop_s, context)
        count = len(minibatches(keys, self.batch_size))
        examined = self._examined(labels, context.seed)
        with reproducible(context.seed):
            embedder = self.begin(samples=samples, rate_hz=context.frame_rate_hz)
            network = self.classifier(embedder, len(names))

            def as_embedded() -> Iterator[Tensor]:
                for waveforms in prefetched(whole_clips(keys, self.at_once(keys, context), context)):
                    yield self.rows(embedder, waveforms)

            epochs = epochs_for(*self._epochs, count)
            untrained, value = self.train(
                network,
                lambda epoch: prefetched(self._batches(epoch, keys, labels, samples, context)),
                count,
                lambda batch: self.loss(network, batch),
                self.recipe(Recipe(self.name, epochs, self._learning_rate, as_embedded=as_embedded), epochs * count),
                context,
                lambda: self._accuracy(network, examined, context),
            )
        self.learning = Learning(
            figure="class accuracy",
            value=value,
            chance=1.0 / len(names),
            untrained=untrained,
            margin=two_standard_errors(value, [len(members) for members in examined]),
            measured_on=f"{sum(map(len, examined))} whole training clips of {len(names)} classes that count alike, "
            "each turned round by a random time",
        )
        self.notes = [f"{len(names)} classes", *notes]

    def _batches(
        self, epoch: int, keys: list[str], labels: dict[str, int], samples: int, context: Context
    ) -> Iterator[Batch]:
        rng = np.random.default_rng(derive_seed(context.seed, "batches", epoch))
        classes = max(labels.values()) + 1
        for number, chosen in enumerate(minibatches(rng.permutation(keys).tolist(), self.batch_size)):
            waveforms = np.empty((len(chosen), 1, 1, samples), np.float32)
            for position, key in enumerate(chosen):
                waveform = context.features[key]
                place = int(rng.integers(waveform.shape[-1] - samples + 1))
                waveforms[position] = waveform[..., place : place + samples]
            wanted = one_hot(torch.tensor([labels[key] for key in chosen]), classes).float().to(context.device)
            generator = torch.Generator().manual_seed(
                derive_seed(context.seed, "mixing", epoch, number * self.batch_size)
            )
            yield to_device(waveforms, context.device)[:, 0, 0].contiguous(), wanted, generator

    def _examined(self, labels: dict[str, int], seed: int) -> list[list[str]]:
        """Keys of some clips of each class; the papers set none aside for validation."""
        members: list[list[str]] = [[] for _ in range(max(labels.values()) + 1)]
        for key, label in labels.items():
            members[label].append(key)
        rng = np.random.default_rng(derive_seed(seed, "examined"))
        most = max(1, EXAMINED // len(members))
        return [sorted(rng.permutation(keys)[:most].tolist()) for keys in members]

    def _accuracy(self, network: Classifier, examined: list[list[str]], context: Context) -> float:
        """Share of the clips whose class the loss finds likeliest, the mean over classes.

        Clips are whole and the network is in evaluation mode, as it is when it embeds. Each is turned round by a random
        time, so that it is none that was trained on.
        """
        rng = np.random.default_rng(derive_seed(context.seed, "examined", "places"))
        right = []
        with torch.autocast(context.device, torch.bfloat16, context.device == "cuda"):
            for label, keys in enumerate(examined):
                recognised = 0
                for key in keys:
                    waveform = np.asarray(context.features[key], np.float32)
                    turned = np.roll(waveform, int(rng.integers(waveform.shape[-1])), axis=-1)
                    row = self.rows(network.embedder, to_device(turned[None], context.device))
                    recognised += int(network.loss.similarities(row).argmax(1) == label)
                right.append(recognised / len(keys))
        return float(np.mean(right))

    def at_once(self, keys: Sequence[str], context: Context) -> int:
        """Whole clips that go through the network together."""
        longest = max(context.features.shape(key)[-1] for key in keys) / context.frame_rate_hz
        return max(1, min(self.batch_size, int(EMBEDDED_S / longest)))
