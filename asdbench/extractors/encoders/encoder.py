"""What all encoders share: their parameters, and clips to embeddings of every layer asked for in one pass."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from itertools import groupby
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from asdbench.core.errors import AsdbenchError, UsageError
from asdbench.datasets.clips import BlindClip, TrainingClip
from asdbench.extractors.base import Context, Embeddings, Extractor, Untrained
from asdbench.extractors.counting import operation_counter
from asdbench.extractors.encoders.network import EncoderNetwork
from asdbench.extractors.encoders.pooling import Values, pooled, pooling
from asdbench.extractors.encoders.weights import load_network

NAMED = 3  # clips that a message names
GPU_BATCH = 16  # clips at once on a GPU; on a CPU one by one, so that no last digit depends on other clips


class Output(NamedTuple):
    """Of one layer and clip: patches (time, bands, dim), and the class token (dim,) where there is one."""

    patches: Values
    cls: Values | None


class Encoder(Untrained):
    """A frozen audio encoder with the weights of a published file.

    Each layer is pooled by itself; several stand side by side along dim.

    Args:
        weights: the published file; it counts by its content.
        layer: number of a layer from 1, several ("4,8", [4, 8]), or "last".
        pooling: mean, max, std, gem, rdp; cls, the class token where there is one; none, for ``embed_audio`` alone.
        pool_over: "patches" (all: one vector), "time" (what is left are bands, put in a row) or "band" (the same, as
            (n_clips, bands, dim)).
        gem_p: power of gem.
        rdp_gamma: exponent of rdp.
        batch_size: clips of one length that go through the network at once; 0: one on a CPU, 16 on a GPU. Where a
            GPU's memory does not hold them, fewer, and a note says so.
        mixed_precision: let a GPU compute the network, not the filter banks, in bfloat16.

    Raises:
        UsageError: no weights, no such layer in words, or what ``pooling`` and ``pool_over`` cannot do together.
    """

    name: ClassVar[str]
    how_to_get: ClassVar[str] = "Name their file"
    _network: EncoderNetwork | None = None

    def __init__(
        self,
        *,
        weights: str,
        layer: Any,
        pooling: str,
        pool_over: str,
        gem_p: float,
        rdp_gamma: float,
        batch_size: int,
        mixed_precision: bool,
    ) -> None:
        weights = weights or self.installed_weights()
        if not weights:
            raise UsageError(
                f"{self.name} has no weights. {self.how_to_get}: -p {self.name}.weights=FILE\n"
                f"Where they are published: asdbench show {self.name}"
            )
        if pooling == "cls" and pool_over != "patches":
            raise UsageError(f"{self.name}.pooling=cls gives one vector a clip; it takes pool_over=patches alone.")
        self._weights = weights
        self._asked = _layers(self.name, layer)
        self._pooling = pooling
        self._over = pool_over
        self._gem_p, self._rdp_gamma = gem_p, rdp_gamma
        self._batch_size = batch_size
        self._mixed = mixed_precision
        self.unpooled = pooling == "none"

    @property
    @abstractmethod
    def network_class(self) -> type[EncoderNetwork]:
        """The network that its files hold."""

    @staticmethod
    def installed_weights() -> str:
        """Path of the weights that a package has brought; "" where there are none."""
        return ""

    def fit(self, clips: Sequence[TrainingClip], context: Context) -> None:
        """Nothing to learn; the weights are loaded, so that it fails here when they cannot be.

        Raises:
            UsageError: see ``network``.
        """
        self._refuse_unpooled()
        self.parameter_count = sum(one.numel() for one in self.network(context).parameters())

    def embed(self, clips: Sequence[BlindClip], context: Context) -> Embeddings:
        """(n_clips, dim), or (n_clips, bands, dim) with pool_over = "band".

        Raises:
            UsageError: pooling is none, or see ``network``.
            AsdbenchError: clips are shorter than one patch.
        """
        return self.embed_together([self], clips, context)[0]

    @classmethod
    def embed_together(
        cls, extractors: Sequence[Extractor], clips: Sequence[BlindClip], context: Context
    ) -> list[Embeddings]:
        """Embeddings by encoders that differ in layers and pooling alone: each clip goes through the network once."""
        encoders = [one for one in extractors if isinstance(one, Encoder)]
        first = encoders[0]
        for one in encoders:
            one._refuse_unpooled()
            one._network = first._network = first._network or one._network
            one.network(context)
        network = first.network(context)
        wanted = sorted({number for one in encoders for number in one._wanted(network)})
        rows: list[list[Values]] = [[] for _ in encoders]
        with context.progress.stage("embed", len(clips)) as stage:
            for outputs in first._outputs(network, clips, wanted, context, counted_for=encoders):
                for one, of_encoder in zip(encoders, rows, strict=True):
                    of_encoder.append(one._embedding([outputs[number] for number in one._wanted(network)]))
                stage.advance()
        return [
            np.stack(of_encoder) if one._over == "band" else np.stack(of_encoder).reshape(len(of_encoder), -1)
            for one, of_encoder in zip(encoders, rows, strict=True)
        ]

    def patches(self, clips: Sequence[BlindClip], context: Context) -> list[Values]:
        """Each clip's patches (time * bands, dim), row by row of the grid (time, bands)."""
        network = self.network(context)
        wanted = self._wanted(network)
        return [
            np.concatenate([_flat(outputs[number].patches) for number in wanted], axis=-1)
            for outputs in self._outputs(network, clips, wanted, context)
        ]

    def loaded(self) -> EncoderNetwork:
        """The network in evaluation mode, loaded once; a file that does not hold its weights is a UsageError."""
        if self._network is None:
            self._network = load_network(self.name, self._weights, self.network_class)
        return self._network

    def network(self, context: Context) -> EncoderNetwork:
        """The network on the device, in evaluation mode; loaded once.

        Raises:
            UsageError: the file does not hold its weights, it has no such layer or class token, or the front end gives
                another sample rate.
        """
        network = self.loaded()
        wrong = [number for number in self._asked if number > network.depth]
        if wrong:
            raise UsageError(
                f"{self.name}.layer: there is no layer {wrong[0]}; {self._weights} has {network.depth}.\n"
                f"Accepted: 1 to {network.depth}, several as 1,{network.depth}, or last."
            )
        if self._pooling == "cls" and not network.has_cls:
            raise UsageError(
                f"{self.name}.pooling is cls, and the network of {self._weights} has no class token.\n"
                f"Pool its patches: -p {self.name}.pooling=mean"
            )
        if context.frame_rate_hz != network.sample_rate_hz:
            raise UsageError(
                f"{self.name} takes waveforms at {network.sample_rate_hz} Hz; the front end gives "
                f"{context.frame_rate_hz:g} frames a second.\n"
                f"Its front end: --frontend waveform -p waveform.sample_rate_hz={network.sample_rate_hz}"
            )
        return network.to(context.device)

    def lengths(self, keys: Sequence[str], context: Context) -> list[int]:
        """Samples of clips; an AsdbenchError where some are shorter than one patch."""
        network = self.loaded()
        lengths = [context.features.shape(key)[-1] for key in keys]
        short = [key for key, length in zip(keys, lengths, strict=True) if length < network.min_samples]
        if short:
            raise AsdbenchError(
                f"{len(short)} of {len(keys)} clips are shorter than one patch of {self.name} "
                f"({1000 * network.min_samples / network.sample_rate_hz:g} ms): {', '.join(short[:NAMED])}"
                f"{' ...' if len(short) > NAMED else ''}.\nLeave them out, or take another extractor."
            )
        return lengths

    def _wanted(self, network: EncoderNetwork) -> list[int]:
        return self._asked or [network.depth]

    def _outputs(
        self,
        network: EncoderNetwork,
        clips: Sequence[BlindClip],
        layers: Sequence[int],
        context: Context,
        counted_for: Sequence["Encoder"] = (),
    ) -> Iterator[dict[int, Output]]:
        """For each clip what some layers give; operations of the longest are counted for some encoders."""
        lengths = self.lengths([clip.key for clip in clips], context)
        batch = self._batch_size or (GPU_BATCH if context.device == "cuda" else 1)
        to_count = bool(counted_for)
        for length, group in groupby(zip(clips, lengths, strict=True), key=lambda pair: pair[1]):
            waiting = [clip for clip, _ in group]
            while waiting:
                waveforms = [_waveform(context.features[clip.key]) for clip in waiting[:batch]]
                counter = operation_counter() if to_count and length == max(lengths) else None
                try:
                    with torch.inference_mode():
                        banks = network.filter_banks(torch.stack(waveforms).to(context.device))
                        with counter or nullcontext(), self._precision(context.device):
                            outputs = network(banks, layers)
                except torch.cuda.OutOfMemoryError as error:
                    batch = self._smaller(len(waveforms), context, error)
                    continue
                if counter is not None:
                    to_count = False
                    for one in counted_for:
                        one.macs = _macs(counter.get_flop_counts(), network, max(one._wanted(network)), len(waveforms))
                yield from _by_clip(outputs, len(waveforms))
                waiting = waiting[len(waveforms) :]

    def _precision(self, device: str) -> Any:
        """In which the network computes: lower on a GPU, where asked for."""
        on_gpu = device == "cuda" and self._mixed
        return torch.autocast("cuda", torch.bfloat16) if on_gpu else nullcontext()

    def _smaller(self, batch: int, context: Context, error: Exception) -> int:
        """Half of what the GPU's memory did not hold."""
        torch.cuda.empty_cache()
        if batch == 1:
            raise AsdbenchError(
                f"The GPU's memory does not hold {self.name} and one clip.\n"
                "Take a smaller network, free memory of the GPU, or compute without it: --device cpu"
            ) from error
        context.progress.note(
            f"{self.name}: the GPU's memory does not hold {batch} clips at once; going on with {batch // 2}. "
            f"To begin with that: -p {self.name}.batch_size={batch // 2}"
        )
        return batch // 2

    def _embedding(self, outputs: Sequence[Output]) -> NDArray[np.float32]:
        """(1, dim), or (bands, dim): each layer pooled by itself, side by side."""
        if self._pooling == "cls":
            return np.concatenate([output.cls for output in outputs if output.cls is not None])[None]
        pool = pooling(self._pooling, self._gem_p, self._rdp_gamma)
        return np.concatenate([pooled(output.patches, pool, self._over) for output in outputs], axis=-1)

    def _refuse_unpooled(self) -> None:
        if self.unpooled:
            raise UsageError(
                f"{self.name}.pooling=none gives patches, for asd.extractor(...).embed_audio(...) alone.\n"
                f"A run takes one of: mean, max, std, gem, rdp, cls. See: asdbench show {self.name}"
            )


def _waveform(features: NDArray[np.float32]) -> torch.Tensor:
    return torch.from_numpy(np.array(features, np.float32).reshape(-1))


def _flat(patches: Values) -> Values:
    return patches.reshape(-1, patches.shape[-1])


def _by_clip(outputs: Mapping[int, Any], clips: int) -> Iterator[dict[int, Output]]:
    arrays = {
        number: (layer.patches.float().cpu().numpy(), None if layer.cls is None else layer.cls.float().cpu().numpy())
        for number, layer in outputs.items()
    }
    for place in range(clips):
        yield {
            number: Output(patches[place], None if tokens is None else tokens[place])
            for number, (patches, tokens) in arrays.items()
        }


def _macs(counts: Mapping[str, Mapping[Any, int]], network: EncoderNetwork, last: int, clips: int) -> int:
    """Multiply-accumulates of a clip up to a layer: half the operations, less those of the layers after it."""
    of_module = {name: sum(operations.values()) for name, operations in counts.items()}
    blocks = f"{type(network).__name__}.{network.layers_at}"
    later = sum(of_module.get(f"{blocks}.{number}", 0) for number in range(last, network.depth))
    return (of_module["Global"] - later) // (2 * clips)


def _layers(name: str, layer: Any) -> list[int]:
    """Layers by number; none for the last."""
    if layer == "last":
        return []
    parts = layer.split(",") if isinstance(layer, str) else layer if isinstance(layer, list | tuple) else [layer]
    try:
        numbers = [int(str(part)) for part in parts]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < 1 or len(set(numbers)) < len(numbers):
        raise UsageError(
            f"{name}.layer takes numbers of layers, counted from 1, or last; not {layer!r}.\n"
            f"For example: -p {name}.layer=4 or -p {name}.layer=4,8"
        )
    return numbers
