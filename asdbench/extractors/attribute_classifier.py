"""Classifier of machine types, sections, attributes and domains; its embedding is what tells the classes apart."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, one_hot

from asdbench.core.digests import derive_seed
from asdbench.core.errors import TrainingError, UsageError
from asdbench.datasets.clips import TrainingClip
from asdbench.extractors.base import Context
from asdbench.extractors.batches import common_length, minibatches, prefetched, to_device, whole_clips
from asdbench.extractors.classification.branches import SpectrogramBranch, SpectrumBranch, checked
from asdbench.extractors.classification.margin_losses import MarginLoss, margin_loss
from asdbench.extractors.classification.mixing import StatisticsExchange, exchange_features, mixup
from asdbench.extractors.classification.pseudo_labels import labelled
from asdbench.extractors.learning import Learning, two_standard_errors
from asdbench.extractors.network import NetworkExtractor
from asdbench.extractors.training import Recipe, epochs_for, reproducible

Batch = tuple[Tensor, Tensor, torch.Generator]  # waveforms, labels, what mixing is drawn from
EXAMINED = 128  # clips at most that show whether anything was learned
EMBEDDED_S = 160.0  # of sound at once while embedding, so that long clips need no more memory than short ones


class Embedder(nn.Module):
    """The branches side by side."""

    def __init__(self, branches: Sequence[nn.Module], equal_lengths: bool) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)
        self._equal_lengths = equal_lengths

    def by_branch(self, waveforms: Tensor, exchange: StatisticsExchange | None = None) -> list[Tensor]:
        """(batch, samples) -> a (batch, dim) of each branch; spectrograms, if any, have their statistics exchanged."""
        return [
            branch(waveforms, exchange) if isinstance(branch, SpectrogramBranch) else branch(waveforms)
            for branch in self.branches
        ]

    def joined(self, rows: Sequence[Tensor]) -> Tensor:
        """(batch, dim x branches) of length one; each branch of the same length, or as long as it is."""
        if self._equal_lengths:
            rows = [normalize(row.float(), dim=1) for row in rows]
        return normalize(torch.cat([row.float() for row in rows], dim=1), dim=1)


class Classifier(nn.Module):
    """What is trained: the branches, the centres of the loss, and those of the exchanges' classes."""

    def __init__(self, embedder: Embedder, loss: MarginLoss, exchanged: nn.Module | None) -> None:
        super().__init__()
        self.embedder = embedder
        self.loss = loss
        self.exchanged = exchanged


class AttributeClassifier(NetworkExtractor):
    """One network for all machine types, trained to tell classes apart: machine type, section, attributes, domain.

    Wilkinghoff (2023, 2024), Fujimura et al. (2025). Training clips are cut at a random place to the shortest one's
    length, or to ``crop_s``. Embeddings are of whole clips and have length one.

    Raises:
        UsageError: a branch that there is none of, a subspace as large as the embedding, or an exchange of the
            statistics of spectrograms where no branch reads one.
    """

    name = "attribute-classifier"

    def __init__(
        self,
        *,
        branches: Sequence[str],
        dim: int,
        min_hz: float,
        remove_mean: bool,
        squeeze: bool,
        normalise: str,
        loss: str,
        sub_clusters: int,
        subspace_dim: int,
        margin: float,
        scale: float,
        adaptive_scale: bool,
        trainable_centres: bool,
        mixup: float,
        featex: float,
        statex: float,
        statex_over: str,
        pseudo_classes: int,
        crop_s: float,
        batch_size: int,
        epochs: int,
        steps: int,
        min_steps: int,
        learning_rate: float,
    ) -> None:
        self._branches = checked(branches)
        width = dim * len(branches)
        if loss == "adaproj" and subspace_dim >= width:
            raise UsageError(
                f"attribute-classifier.subspace_dim: for adaproj it must lie below the embedding's {width} dimensions, "
                f"and it is {subspace_dim}: each class's subspace would be everything."
            )
        if statex and set(branches) == {"spectrum"}:
            raise UsageError(
                "attribute-classifier.statex exchanges statistics of spectrograms, and the only branch is 'spectrum'. "
                "Add a spectrogram: -p attribute-classifier.branches=stft-1024,spectrum"
            )
        self._dim = dim
        self._reading = (min_hz, remove_mean, squeeze)
        self._equal_lengths = normalise == "branches"
        self._loss_name = loss
        self._loss_params = {
            "adaptive": adaptive_scale,
            "mixed": mixup > 0,
            "sub_clusters": sub_clusters,
            "subspace_dim": subspace_dim,
            "margin": margin,
            "scale": scale,
        }
        self._trainable = trainable_centres
        self._mixup = mixup
        self._asked_featex = featex
        self._featex = featex if len(branches) > 1 else 0.0
        self._statex = statex
        self._statex_axis = 1 if statex_over == "time" else 2
        self._pseudo_classes = pseudo_classes
        self._crop_s = crop_s
        self.batch_size = batch_size
        self._epochs = (epochs, steps, min_steps)
        self._learning_rate = learning_rate

    def fit(self, clips: Sequence[TrainingClip], context: Context) -> None:
        """Train on the clips of all machine types at once.

        Raises:
            TrainingError: the front end gives something else than the waveform, there are no two classes, fewer than
                two clips, or a loss that is no longer finite.
        """
        bins = context.features.shape(clips[0].key)[1]
        if bins != 1:
            raise TrainingError(
                "attribute-classifier makes its own spectra and takes the front end 'waveform'; "
                f"this one gives {bins} bins."
            )
        classes, notes = labelled(clips, self._pseudo_classes, context)
        names = sorted(set(classes.values()))
        if len(names) < 2:
            raise TrainingError(
                "attribute-classifier tells classes apart - machine types, sections, attributes, domains - and the "
                f"{len(clips)} training clips are of one class.\nGive more machine types (no --machine), or let it "
                "part the clips into clusters: -p attribute-classifier.pseudo_classes=4"
            )
        labels = {key: names.index(name) for key, name in classes.items()}
        keys = sorted(labels)
        samples = common_length(keys, self._crop_s, context)
        count = len(minibatches(keys, self.batch_size))
        examined = self._examined(labels, context.seed)
        with reproducible(context.seed):
            embedder = self.begin(samples=samples, rate_hz=context.frame_rate_hz)
            network = Classifier(embedder, *self._losses(len(names)))

            def as_embedded() -> Iterator[list[Tensor]]:
                for waveforms in prefetched(whole_clips(keys, self.at_once(keys, context), context)):
                    yield embedder.by_branch(waveforms[:, 0, 0].contiguous())

            epochs = epochs_for(*self._epochs, count)
            untrained, value = self.train(
                network,
                lambda epoch: prefetched(self._batches(epoch, keys, labels, samples, context)),
                count,
                lambda batch: self._loss(network, batch),
                Recipe(self.name, epochs, self._learning_rate, as_embedded=as_embedded),
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
        if self._asked_featex and not self._featex:
            self.notes.append("one branch has no other to exchange features with, so featex is none")

    def make_network(self) -> Embedder:
        """For the length and sample rate that it is, or was, trained on."""
        samples, rate_hz = self.facts["samples"], self.facts["rate_hz"]
        min_hz, remove_mean, squeeze = self._reading
        branches = [
            SpectrumBranch(samples, squeeze, self._dim)
            if name == "spectrum"
            else SpectrogramBranch(int(name[5:]), rate_hz, min_hz, remove_mean, squeeze, self._dim)
            for name in self._branches
        ]
        return Embedder(branches, self._equal_lengths)

    def _losses(self, classes: int) -> tuple[MarginLoss, nn.Module | None]:
        """The loss, and that of what is exchanged, whose centres are trained always."""
        dim = self._dim * len(self._branches)
        loss = margin_loss(self._loss_name, dim, classes, trainable=self._trainable, **self._loss_params)  # type: ignore[arg-type]
        more = classes * (3 if self._statex else 1) * (len(self._branches) + 1 if self._featex else 1)
        if more == classes:
            return loss, None
        return loss, margin_loss(self._loss_name, dim, more, trainable=True, **self._loss_params)  # type: ignore[arg-type]

    def _loss(self, network: Classifier, batch: Batch) -> Tensor:
        waveforms, labels, generator = batch
        if self._mixup:
            waveforms, labels = mixup(waveforms, labels, self._mixup, generator)
        exchange = None
        if self._statex:
            count, axis = len(waveforms), self._statex_axis
            exchange = StatisticsExchange.drawn(count, self._statex, axis, generator, waveforms.device)
        embedder = network.embedder
        rows = embedder.by_branch(waveforms, exchange)
        loss: Tensor = network.loss(embedder.joined(rows), labels)
        if network.exchanged is not None:
            more = labels if exchange is None else exchange.labels(labels)
            if self._featex:
                rows, more = exchange_features(rows, more, self._featex, generator)
            loss = loss + network.exchanged(embedder.joined(rows), more)
        return loss

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

    def rows(self, network: Embedder, features: Tensor) -> Tensor:
        """(batch, dim x branches), rows of length one."""
        return network.joined(network.by_branch(features[:, 0, 0].contiguous()))

    def at_once(self, keys: Sequence[str], context: Context) -> int:
        """Whole clips that go through the network together."""
        longest = max(context.features.shape(key)[-1] for key in keys) / context.frame_rate_hz
        return max(1, min(self.batch_size, int(EMBEDDED_S / longest)))
