"""Classifier of machine types, sections, attributes and domains; its embedding is what the classes are told by."""

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, one_hot

from asdbench.core.digests import derive_seed
from asdbench.core.errors import TrainingError, UsageError
from asdbench.datasets.clips import BlindClip, TrainingClip
from asdbench.extractors.base import Context, Embeddings, Extractor
from asdbench.extractors.checkpoints import count_parameters, load_weights, save_weights
from asdbench.extractors.classification.branches import SpectrogramBranch, SpectrumBranch, checked
from asdbench.extractors.classification.margin_losses import MarginLoss, margin_loss
from asdbench.extractors.classification.mixing import StatisticsExchange, exchange_features, mixup
from asdbench.extractors.classification.pseudo_labels import labelled
from asdbench.extractors.learning import Learning, two_standard_errors
from asdbench.extractors.prefetch import prefetched, to_device
from asdbench.extractors.training import Recipe, epochs_for, reproducible, settled, train, whole_clips

Batch = tuple[Tensor, Tensor, torch.Generator]  # waveforms, labels, what mixing is drawn from
EXAMINED = 128  # clips at most that show whether anything was learned
EMBEDDED_S = 160.0  # of sound at once while embedding, so that long clips need no more memory than short ones


class Embedder(nn.Module):
    """The branches side by side."""

    def __init__(self, branches: Sequence[nn.Module], by_branch: bool) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)
        self._by_branch = by_branch

    def parts(self, waveforms: Tensor, exchange: StatisticsExchange | None = None) -> list[Tensor]:
        """(batch, samples) -> a (batch, dim) of each branch; spectrograms, if any, have their statistics exchanged."""
        return [
            branch(waveforms, exchange) if isinstance(branch, SpectrogramBranch) else branch(waveforms)
            for branch in self.branches
        ]

    def joined(self, parts: Sequence[Tensor]) -> Tensor:
        """(batch, dim x branches) of length one; each branch of the same length, or as long as it is."""
        rows = [normalize(part.float(), dim=1) for part in parts] if self._by_branch else [p.float() for p in parts]
        return normalize(torch.cat(rows, dim=1), dim=1)


class Classifier(nn.Module):
    """What is trained: the branches, and the centres of the loss and of the exchanges' classes where those are."""

    def __init__(self, embedder: Embedder, loss: MarginLoss, exchanged: nn.Module | None) -> None:
        super().__init__()
        self.embedder = embedder
        self.loss = loss
        self.exchanged = exchanged


class AttributeClassifier(Extractor):
    """One network for all machine types, trained to tell classes apart: machine type, section, attributes, domain.

    Wilkinghoff (2023, 2024), Fujimura et al. (2025). Training clips are cut at a random place to the shortest one's
    length, or to ``crop_s``. Embeddings are of whole clips and have length one.

    Raises:
        UsageError: a branch that there is none of, a subspace as large as the embedding, or an exchange of the
            statistics of spectrograms where no branch reads one.
    """

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
        self._by_branch = normalise == "branches"
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
        self._batch_size = batch_size
        self._epochs = epochs
        self._steps = steps
        self._min_steps = min_steps
        self._learning_rate = learning_rate
        self._facts: dict[str, float] = {}
        self._network: Embedder | None = None

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
        rate_hz = context.frame_rate_hz
        samples = min(context.features.shape(key)[-1] for key in keys)
        if self._crop_s:
            samples = min(samples, max(1, round(self._crop_s * rate_hz)))
        batches = math.ceil(len(keys) / self._batch_size) - (len(keys) % self._batch_size == 1)
        epochs = epochs_for(self._epochs, self._steps, self._min_steps, batches)
        with reproducible(context.seed):
            self._facts = {"samples": samples, "rate_hz": rate_hz}
            self._network = self._make()
            network = Classifier(self._network, *self._losses(len(names)))
            network.to(context.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
            embedder = self._network

            def as_embedded() -> Iterator[list[Tensor]]:
                for waveforms in prefetched(whole_clips(keys, self._at_once(keys, context), context)):
                    yield embedder.parts(waveforms[:, 0, 0].contiguous())

            recipe = Recipe("attribute-classifier", epochs, self._learning_rate, as_embedded=as_embedded)
            examined = self._examined(labels, context.seed)

            def epoch_of(number: int) -> Iterator[Batch]:
                return prefetched(self._batches(number, keys, labels, samples, context))

            def loss(batch: Batch) -> Tensor:
                return self._loss(network, batch)

            with settled(network, epoch_of, loss, recipe, context):
                untrained = self._accuracy(network, examined, context)
            self.curves = train(network, epoch_of, batches, loss, recipe, context)
            value = self._accuracy(network, examined, context)
            self.learning = Learning(
                figure="class accuracy",
                value=value,
                chance=1.0 / len(names),
                untrained=untrained,
                margin=two_standard_errors(value, [len(members) for members in examined]),
                measured_on=f"{sum(map(len, examined))} whole training clips of {len(names)} classes that count alike, "
                "each turned round by a random time",
            )
        self.parameter_count = count_parameters(self._network)
        self.notes = [f"{len(names)} classes", *notes]
        if self._asked_featex and not self._featex:
            self.notes.append("one branch has no other to exchange features with, so featex is none")

    def _make(self) -> Embedder:
        """The network for the length and sample rate that it is, or was, trained on."""
        samples, rate_hz = int(self._facts["samples"]), self._facts["rate_hz"]
        min_hz, remove_mean, squeeze = self._reading
        branches = [
            SpectrumBranch(samples, squeeze, self._dim)
            if name == "spectrum"
            else SpectrogramBranch(int(name[5:]), rate_hz, min_hz, remove_mean, squeeze, self._dim)
            for name in self._branches
        ]
        return Embedder(branches, self._by_branch)

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
        parts = embedder.parts(waveforms, exchange)
        loss: Tensor = network.loss(embedder.joined(parts), labels)
        if network.exchanged is not None:
            more = labels if exchange is None else exchange.labels(labels)
            if self._featex:
                parts, more = exchange_features(parts, more, self._featex, generator)
            loss = loss + network.exchanged(embedder.joined(parts), more)
        return loss

    def _batches(
        self, epoch: int, keys: list[str], labels: dict[str, int], samples: int, context: Context
    ) -> Iterator[Batch]:
        rng = np.random.default_rng(derive_seed(context.seed, "batches", epoch))
        classes = max(labels.values()) + 1
        order = rng.permutation(len(keys))
        for start in range(0, len(keys), self._batch_size):
            chosen = [keys[index] for index in order[start : start + self._batch_size]]
            if len(chosen) < 2:  # batch normalisation needs two
                continue
            waveforms = np.empty((len(chosen), 1, 1, samples), np.float32)
            for position, key in enumerate(chosen):
                waveform = context.features[key]
                place = int(rng.integers(waveform.shape[-1] - samples + 1))
                waveforms[position] = waveform[..., place : place + samples]
            wanted = one_hot(torch.tensor([labels[key] for key in chosen]), classes).float().to(context.device)
            generator = torch.Generator().manual_seed(derive_seed(context.seed, "mixing", epoch, start))
            yield to_device(waveforms, context.device)[:, 0, 0].contiguous(), wanted, generator

    def _examined(self, labels: dict[str, int], seed: int) -> list[list[str]]:
        """Keys of some clips of each class; the papers hold no clips out."""
        members: list[list[str]] = [[] for _ in range(max(labels.values()) + 1)]
        for key, label in labels.items():
            members[label].append(key)
        rng = np.random.default_rng(derive_seed(seed, "examined"))
        most = max(1, EXAMINED // len(members))
        return [sorted(rng.permutation(keys)[:most].tolist()) for keys in members]

    def _accuracy(self, network: Classifier, examined: list[list[str]], context: Context) -> float:
        """Part of the clips whose class the loss finds likeliest, the mean over classes.

        Clips are whole and the network is in evaluation mode, as it is when it embeds. Each is turned round by a random
        time, so that it is none that was trained on.
        """
        rng = np.random.default_rng(derive_seed(context.seed, "examined", "places"))
        right = []
        with torch.inference_mode(), torch.autocast(context.device, torch.bfloat16, context.device == "cuda"):
            for label, keys in enumerate(examined):
                found = 0
                for key in keys:
                    waveform = np.asarray(context.features[key], np.float32)
                    turned = np.roll(waveform, int(rng.integers(waveform.shape[-1])), axis=-1)
                    parts = network.embedder.parts(to_device(turned[None], context.device)[:, 0, 0].contiguous())
                    found += int(network.loss.similarities(network.embedder.joined(parts)).argmax(1) == label)
                right.append(found / len(keys))
        return float(np.mean(right))

    def embed(self, clips: Sequence[BlindClip], context: Context) -> Embeddings:
        """(n_clips, dim x branches), rows of length one."""
        assert self._network is not None, "fit or load first"
        network = self._network.to(context.device).eval()
        result = np.empty((len(clips), self._dim * len(self._branches)), np.float32)
        keys = [clip.key for clip in clips]
        size = self._at_once(keys, context)
        with torch.inference_mode(), context.progress.stage("embed attribute-classifier", len(clips)) as stage:
            for positions, features in prefetched(context.features.batches(keys, size)):
                parts = network.parts(to_device(features, context.device)[:, 0, 0].contiguous())
                result[positions] = network.joined(parts).cpu().numpy()
                stage.advance(len(positions))
        return result

    def _at_once(self, keys: Sequence[str], context: Context) -> int:
        """Whole clips that go through the network together."""
        longest = max(context.features.shape(key)[-1] for key in keys) / context.frame_rate_hz
        return max(1, min(self._batch_size, int(EMBEDDED_S / longest)))

    def save(self, folder: Path) -> None:
        """Write the weights, the length of clip and the sample rate that they were trained for."""
        assert self._network is not None, "fit first"
        save_weights(self._network, folder / "network.safetensors")
        (folder / "attribute-classifier.json").write_text(json.dumps(self._facts))

    def load(self, folder: Path) -> None:
        """Read what ``save`` wrote."""
        self._facts = json.loads((folder / "attribute-classifier.json").read_text())
        self._network = self._make()
        load_weights(self._network, folder / "network.safetensors")
        self._network.to(memory_format=torch.channels_last)
