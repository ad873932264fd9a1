"""Classifier of machine types, sections, attributes and domains; its embedding is what tells the classes apart."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from asdbench.core.errors import UsageError
from asdbench.datasets.clips import TrainingClip
from asdbench.extractors.base import Context
from asdbench.extractors.classification.branches import SpectrogramBranch, SpectrumBranch, checked
from asdbench.extractors.classification.classifier import Batch, Classifier, ClassifierExtractor
from asdbench.extractors.classification.margin_losses import margin_loss
from asdbench.extractors.classification.mixing import StatisticsExchange, exchange_features, mixup
from asdbench.extractors.classification.pseudo_labels import labelled
from asdbench.extractors.pairs import Class


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


class AttributeClassifier(ClassifierExtractor):
    """One network for all machine types, trained to tell classes apart: machine type, section, attributes, domain.

    Wilkinghoff (2023, 2024), Fujimura et al. (2025). Training clips are cut at a random place to the shortest one's
    length, or to ``crop_s``. Embeddings are of whole clips and have length one.

    Raises:
        UsageError: a branch that there is none of, a subspace as large as the embedding, or an exchange of the
            statistics of spectrograms where no branch reads one.
    """

    name = "attribute-classifier"
    makes = "spectra"

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
        super().__init__(crop_s, batch_size, (epochs, steps, min_steps), learning_rate)
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

    def fit(self, clips: Sequence[TrainingClip], context: Context) -> None:
        """Train on the clips of all machine types at once.

        Raises:
            TrainingError: the front end gives something else than the waveform, there are no two classes, fewer than
                two clips, or a loss that is no longer finite.
        """
        super().fit(clips, context)
        if self._asked_featex and not self._featex:
            self.notes = [*self.notes, "one branch has no other to exchange features with, so featex is none"]

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

    def classes(self, clips: Sequence[TrainingClip], context: Context) -> tuple[Mapping[str, Class], list[str]]:
        """By attributes; by clusters of spectra where a section has none."""
        return labelled(clips, self._pseudo_classes, context)

    def classifier(self, embedder: Any, classes: int) -> Classifier:
        """With the loss, and that of what is exchanged, whose centres are trained always."""
        dim = self._dim * len(self._branches)
        loss = margin_loss(self._loss_name, dim, classes, trainable=self._trainable, **self._loss_params)  # type: ignore[arg-type]
        more = classes * (3 if self._statex else 1) * (len(self._branches) + 1 if self._featex else 1)
        if more == classes:
            return Classifier(embedder, loss)
        exchanged = margin_loss(self._loss_name, dim, more, trainable=True, **self._loss_params)  # type: ignore[arg-type]
        return Classifier(embedder, loss, exchanged)

    def loss(self, network: Any, batch: Batch) -> Tensor:
        """That of the classes, and that of what is exchanged."""
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

    def rows(self, network: Embedder, features: Tensor) -> Tensor:
        """(batch, dim x branches), rows of length one."""
        return network.joined(network.by_branch(features[:, 0, 0].contiguous()))
