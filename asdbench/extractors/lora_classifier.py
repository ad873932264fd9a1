"""Classifier on a pretrained encoder that low-rank adapters tune: machine types, attributes, domains are classes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from asdbench.core.errors import UsageError
from asdbench.datasets.clips import BlindClip, TrainingClip
from asdbench.extractors.base import Context, Embeddings
from asdbench.extractors.classification.classifier import Batch, Classifier, ClassifierExtractor
from asdbench.extractors.classification.lora import TunedEncoder
from asdbench.extractors.classification.margin_losses import SubClusterAdaCos
from asdbench.extractors.classification.mixing import mixup
from asdbench.extractors.classification.pseudo_labels import labelled
from asdbench.extractors.encoders.ast import Ast
from asdbench.extractors.encoders.beats import Beats
from asdbench.extractors.encoders.ced import Ced
from asdbench.extractors.encoders.dasheng import Dasheng
from asdbench.extractors.encoders.eat import Eat
from asdbench.extractors.encoders.encoder import Encoder
from asdbench.extractors.pairs import Class
from asdbench.extractors.training import Recipe

ENCODERS: Mapping[str, type[Encoder]] = {one.name: one for one in (Beats, Eat, Dasheng, Ced, Ast)}
WARMUP_SHARE = 5  # a warm-up takes at most a fifth of the training, or a small set would see no more than that


class LoraClassifier(ClassifierExtractor):
    """One encoder for all machine types, tuned by adapters of its attention to tell classes of training clips apart.

    Fujimura et al. (2025): sub-cluster AdaCos on attentive statistics of the last layer's patches. The encoder's own
    weights stay as they are, in their file; adapters, pooling and centres are trained. Our own adapters are a few
    lines, so none of the libraries for them is needed.

    Args:
        pooling: "trained" (attentive statistics: ``dim`` values), or a pooling of encoders, of the tuned patches.
        pool_over: as encoders take it; of no meaning with "trained".

    Raises:
        UsageError: no weights.
    """

    name = "lora-classifier"
    makes = "filter banks"

    def __init__(
        self,
        *,
        encoder: str,
        weights: str,
        rank: int,
        alpha: float,
        dim: int,
        pooling: str,
        pool_over: str,
        rdp_gamma: float,
        sub_clusters: int,
        adaptive_scale: bool,
        mixup: float,
        pseudo_classes: int,
        pseudo_classes_target: int,
        crop_s: float,
        batch_size: int,
        epochs: int,
        steps: int,
        learning_rate: float,
        warmup_steps: int,
        weight_decay: float,
    ) -> None:
        super().__init__(crop_s, batch_size, (epochs, steps, 0), learning_rate)
        if not weights:
            raise UsageError(
                f"{self.name} has no weights of its encoder. Name their file: -p {self.name}.weights=FILE\n"
                f"Where they are published: asdbench show {encoder}"
            )
        kind = type(encoder, (ENCODERS[encoder],), {"name": self.name})  # errors name this extractor
        self._encoder: Encoder = kind(
            weights=weights, layer="last", pooling="mean" if pooling == "trained" else pooling, pool_over=pool_over,
            gem_p=1.0, rdp_gamma=rdp_gamma, batch_size=0, mixed_precision=False,
        )  # fmt: skip
        self._pooled = pooling != "trained"
        self._adapters = (rank, alpha)
        self._dim = dim
        self._centres = (sub_clusters, adaptive_scale)
        self._mixup = mixup
        self._pseudo_classes = (pseudo_classes, pseudo_classes_target)
        self._schedule = (warmup_steps, weight_decay)

    def fit(self, clips: Sequence[TrainingClip], context: Context) -> None:
        """Train on the clips of all machine types at once.

        Raises:
            UsageError: the file does not hold the encoder's weights, the front end gives another sample rate, or cuts
                are shorter than one patch.
            AsdbenchError: clips are shorter than one patch.
            TrainingError: there are no two classes, fewer than two clips, or a loss that is no longer finite.
        """
        frozen = self._encoder.network(context)
        self._encoder.lengths([clip.key for clip in clips], context)
        least_s = frozen.min_samples / frozen.sample_rate_hz
        if 0.0 < self._crop_s < least_s:
            raise UsageError(
                f"{self.name}.crop_s is {self._crop_s:g}, and one patch takes {least_s:g} s.\n"
                f"Train on longer cuts, or on whole clips: -p {self.name}.crop_s=0"
            )
        super().fit(clips, context)
        self.parameter_count += sum(one.numel() for one in frozen.parameters())

    def recipe(self, recipe: Recipe, steps: int) -> Recipe:
        """With AdamW and a warm-up."""
        warmup, decay = self._schedule
        return replace(recipe, warmup_steps=min(warmup, steps // WARMUP_SHARE), weight_decay=decay)

    def classes(self, clips: Sequence[TrainingClip], context: Context) -> tuple[Mapping[str, Class], list[str]]:
        """By attributes; by clusters of what the frozen encoder gives where a section has none, domain by domain."""
        clusters, of_target = self._pseudo_classes
        return labelled(clips, clusters, context, of_target, lambda group: self._frozen_means(group, context))

    def _frozen_means(self, clips: Sequence[TrainingClip], context: Context) -> NDArray[np.float32]:
        """(clips, dim): means over all patches of the last layer."""
        rows = []
        with context.progress.stage("cluster clips without attributes", len(clips)) as stage:
            for clip in clips:
                (patches,) = self._encoder.patches([BlindClip(clip.key, clip.machine, clip.section)], context)
                rows.append(patches.mean(axis=0))
                stage.advance()
        return np.stack(rows)

    def make_network(self) -> TunedEncoder:
        """With new adapters."""
        return TunedEncoder(self._encoder.loaded(), *self._adapters, self._dim)

    def classifier(self, embedder: TunedEncoder, classes: int) -> Classifier:
        """With trained centres."""
        sub_clusters, adaptive = self._centres
        loss = SubClusterAdaCos(self._dim, classes, sub_clusters, trainable=True, mixed=self._mixup > 0)
        loss.adaptive = adaptive
        return Classifier(embedder, loss)

    def loss(self, network: Any, batch: Batch) -> Tensor:
        """That of mixed clips."""
        waveforms, labels, generator = batch
        if self._mixup:
            waveforms, labels = mixup(waveforms, labels, self._mixup, generator)
        loss: Tensor = network.loss(network.embedder(waveforms), labels)
        return loss

    def rows(self, network: TunedEncoder, features: Tensor) -> Tensor:
        """(batch, dim)."""
        rows: Tensor = network(features[:, 0, 0].contiguous())
        return rows

    def ready(self, context: Context) -> TunedEncoder:
        """The tuned network on the device."""
        self._encoder.network(context)
        network: TunedEncoder = super().ready(context)
        return network

    def embed(self, clips: Sequence[BlindClip], context: Context) -> Embeddings:
        """(n_clips, dim), or what the encoder's pooling makes of its tuned patches.

        Raises:
            UsageError: the file does not hold the encoder's weights, or the front end gives another sample rate.
            AsdbenchError: clips are shorter than one patch.
        """
        if self._pooled:
            with self.ready(context).adapting():
                return self._encoder.embed(clips, context)
        self._encoder.lengths([clip.key for clip in clips], context)
        return super().embed(clips, context)
