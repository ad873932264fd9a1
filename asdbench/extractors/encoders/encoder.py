"""What all encoders share: their parameters, and clip by clip to embeddings."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from asdbench.core.errors import AsdbenchError, UsageError
from asdbench.datasets.clips import BlindClip, TrainingClip
from asdbench.extractors.base import Context, Embeddings, Untrained
from asdbench.extractors.encoders.network import EncoderNetwork
from asdbench.extractors.encoders.pooling import Values, pooled, pooling
from asdbench.extractors.encoders.weights import load_network

NAMED = 3  # clips that a message names


class Encoder(Untrained):
    """A frozen audio encoder with the weights of a published file.

    Clips go through the network one by one, so that no embedding depends on which others are embedded with it. Each
    layer is pooled by itself; several stand side by side along dim.

    Args:
        weights: the published file; it counts by its content.
        layer: number of a layer from 1, several ("4,8", [4, 8]), or "last".
        pooling: mean, max, std, gem, rdp; cls, the class token where there is one; none, for ``embed_audio`` alone.
        pool_over: "patches" (all: one vector), "time" (what is left are bands, put in a row) or "band" (the same, as
            (n_clips, bands, dim)).
        gem_p: power of gem.
        rdp_gamma: exponent of rdp.

    Raises:
        UsageError: no weights, no such layer in words, or what ``pooling`` and ``pool_over`` cannot do together.
    """

    name: ClassVar[str]
    _network: EncoderNetwork | None = None

    def __init__(
        self, *, weights: str, layer: Any, pooling: str, pool_over: str, gem_p: float, rdp_gamma: float
    ) -> None:
        if not weights:
            raise UsageError(
                f"{self.name} has no weights. Name their file: -p {self.name}.weights=FILE.pt\n"
                f"Where they are published: asdbench show {self.name}"
            )
        if pooling == "cls" and pool_over != "patches":
            raise UsageError(f"{self.name}.pooling=cls gives one vector a clip; it takes pool_over=patches alone.")
        self._weights = weights
        self._asked = _layers(self.name, layer)
        self._pooling = pooling
        self._over = pool_over
        self._gem_p, self._rdp_gamma = gem_p, rdp_gamma
        self.unpooled = pooling == "none"

    @property
    @abstractmethod
    def network_class(self) -> type[EncoderNetwork]:
        """The network that its files hold."""

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
            AsdbenchError: clips are shorter than one patch, or differ in bands.
        """
        self._refuse_unpooled()
        rows = []
        with context.progress.stage("embed", len(clips)) as stage:
            for layers in self._outputs(clips, context):
                rows.append(np.concatenate([self._pooled(*layer) for layer in layers], axis=-1))
                stage.advance()
        embeddings = np.stack(rows)
        return embeddings if self._over == "band" else embeddings.reshape(len(rows), -1)

    def patches(self, clips: Sequence[BlindClip], context: Context) -> list[Values]:
        """Each clip's patches (time * bands, dim), row by row of the grid (time, bands)."""
        return [
            np.concatenate([patches.reshape(-1, patches.shape[-1]) for patches, _ in layers], axis=-1)
            for layers in self._outputs(clips, context)
        ]

    def network(self, context: Context) -> EncoderNetwork:
        """The network on the device, in evaluation mode; loaded once.

        Raises:
            UsageError: the file does not hold its weights, it has no such layer or class token, or the front end gives
                another sample rate.
        """
        if self._network is None:
            self._network = load_network(self.name, self._weights, self.network_class)
        network = self._network
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

    def _outputs(self, clips: Sequence[BlindClip], context: Context) -> Any:
        """For each clip the patches (time, bands, dim) and class tokens (dim,) of the layers asked for."""
        network = self.network(context)
        short = [clip.key for clip in clips if context.features[clip.key].shape[-1] < network.min_samples]
        if short:
            raise AsdbenchError(
                f"{len(short)} of {len(clips)} clips are shorter than one patch of {self.name} "
                f"({1000 * network.min_samples / network.sample_rate_hz:g} ms): {', '.join(short[:NAMED])}"
                f"{' ...' if len(short) > NAMED else ''}.\nLeave them out, or take another extractor."
            )
        wanted = self._asked or [network.depth]
        for clip in clips:
            waveform = torch.from_numpy(np.array(context.features[clip.key], np.float32).reshape(-1))
            with torch.inference_mode():
                outputs = network(waveform.to(context.device), wanted)
            yield [(outputs[number].patches.float().cpu().numpy(), outputs[number].cls) for number in wanted]

    def _pooled(self, patches: Values, cls: torch.Tensor | None) -> NDArray[np.float32]:
        """(1, dim), or (bands, dim)."""
        if self._pooling == "cls":
            assert cls is not None
            return cls.float().cpu().numpy()[None]
        return pooled(patches, pooling(self._pooling, self._gem_p, self._rdp_gamma), self._over)

    def _refuse_unpooled(self) -> None:
        if self.unpooled:
            raise UsageError(
                f"{self.name}.pooling=none gives patches, for asd.extractor(...).embed_audio(...) alone.\n"
                f"A run takes one of: mean, max, std, gem, rdp, cls. See: asdbench show {self.name}"
            )


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
