"""What every encoder's network is asked for."""

from abc import abstractmethod
from collections.abc import Collection, Mapping
from typing import Any, ClassVar, NamedTuple

from torch import Tensor, nn


class Layer(NamedTuple):
    """Output of one layer for clips of one length.

    Attributes:
        patches: (clips, time, bands, dim).
        cls: class tokens (clips, dim), averaged over windows; None where the network has none.
    """

    patches: Tensor
    cls: Tensor | None = None


FOLDER = "folder as Hugging Face has it (config.json, model.safetensors)"


class EncoderNetwork(nn.Module):
    """A network in the form of its published file: parameters have the names that they have there.

    Attributes:
        architecture: whose it is, as ``asdbench.extractors.encoders.weights`` tells files apart.
        accepted: what weights it takes, in words.
        config_key: under which the file holds the configuration that the constructor takes.
        left_out: beginnings of keys of the file that an encoder does not need.
        layers_at: where in the network its layers lie, one after the other.
        depth: number of layers.
        sample_rate_hz: of the waveform.
        min_samples: of a clip with one patch.
        has_cls: whether there is a class token.
    """

    architecture: ClassVar[str]
    accepted: ClassVar[str]
    config_key: ClassVar[str] = "config"
    left_out: ClassVar[tuple[str, ...]] = ()
    layers_at: ClassVar[str] = "blocks"
    depth: int
    sample_rate_hz: int = 16000
    min_samples: int
    has_cls: bool = False

    @classmethod
    def adapted(cls, state: Mapping[str, Any]) -> dict[str, Any]:
        """Weights of the file as this network takes them."""
        return dict(state)

    @classmethod
    def sizes(cls, state: Mapping[str, Any]) -> dict[str, Any] | None:
        """The configuration that weights show which come without one; None where they do not show it.

        Raises:
            KeyError: a weight is not there.
            ValueError: they are of no published size.
        """
        return None

    @abstractmethod
    def filter_banks(self, waveforms: Tensor) -> Tensor:
        """What the network sees of waveforms (clips, samples) of at least ``min_samples``; in full precision."""

    @abstractmethod
    def forward(self, banks: Tensor, layers: Collection[int]) -> dict[int, Layer]:
        """Outputs of some layers, counted from 1, for the filter banks of clips of one length."""
