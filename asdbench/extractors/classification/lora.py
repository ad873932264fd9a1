"""A frozen encoder that low-rank adapters tune, and attentive statistics of its patches."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from asdbench.extractors.encoders.network import EncoderNetwork

PARTS = {"q_proj": 1, "k_proj": 1, "v_proj": 1, "qkv": 3}  # attention's linear layers: how many projections each holds
BOTTLENECK = 16  # how much narrower than the patches the attention of the pooling is
LEAST_VARIANCE = 1e-4  # so that the root of what rounding left has a derivative


class Adapter(nn.Module):
    """LoRA (Hu et al., 2022): alpha / rank x B A x, added to what a linear layer gives for x; B begins as zero.

    Args:
        linear: the layer.
        parts: projections that lie one after the other in its output; each has an A and a B of its own.
        rank: rows of A.
        alpha: scale.
    """

    def __init__(self, linear: nn.Linear, parts: int, rank: int, alpha: float) -> None:
        super().__init__()
        bound = linear.in_features**-0.5  # as torch draws the weights of a linear layer
        self.down = nn.Parameter(torch.empty(parts, rank, linear.in_features).uniform_(-bound, bound))
        self.up = nn.Parameter(torch.zeros(parts, linear.out_features // parts, rank))
        self._scale = alpha / rank

    def forward(self, x: Tensor) -> Tensor:
        """(..., inputs) -> (..., outputs)."""
        low = torch.einsum("...i,pri->...pr", x, self.down)
        return self._scale * torch.einsum("...pr,por->...po", low, self.up).flatten(-2)


class AttentiveStatistics(nn.Module):
    """Weighted means and deviations of patches, and of them the values of an embedding.

    Okabe et al. (2018), equations (3) to (6), with a weight for each channel from the patch and the clip's mean and
    deviation (Desplanques et al., 2020); batch normalisation before and behind the linear layer.
    """

    def __init__(self, channels: int, dim: int) -> None:
        super().__init__()
        hidden = max(1, channels // BOTTLENECK)
        self.attention = nn.Sequential(nn.Linear(3 * channels, hidden), nn.Tanh(), nn.Linear(hidden, channels))
        self.embedding = nn.Sequential(nn.BatchNorm1d(2 * channels), nn.Linear(2 * channels, dim), nn.BatchNorm1d(dim))

    def forward(self, patches: Tensor) -> Tensor:
        """(batch, patches, channels) -> (batch, dim)."""
        even = torch.full_like(patches, 1.0 / patches.shape[1])
        whole = _statistics(patches, even)[:, None].expand(-1, patches.shape[1], -1)
        weights = self.attention(torch.cat([patches, whole], dim=2)).softmax(dim=1)
        embedding: Tensor = self.embedding(_statistics(patches, weights))
        return embedding


def _statistics(patches: Tensor, weights: Tensor) -> Tensor:
    """(batch, 2 x channels): weighted mean and deviation of (batch, patches, channels)."""
    mean = (weights * patches).sum(1)
    variance = (weights * (patches - mean[:, None]).square()).sum(1)  # no difference of large numbers
    return torch.cat([mean, variance.clamp_min(LEAST_VARIANCE).sqrt()], dim=1)


class TunedEncoder(nn.Module):
    """Waveforms to embeddings. Parameters are those of adapters and pooling; the frozen network is none of its modules.

    So it is neither trained nor saved, and neither its mode nor the statistics of its batch normalisation change.
    Filter banks and pooling are computed in full precision, also where the network is not.
    """

    def __init__(self, frozen: EncoderNetwork, rank: int, alpha: float, dim: int) -> None:
        super().__init__()
        linear: dict[str, Any] = {
            name: module for name, module in frozen.named_modules() if name.rpartition(".")[2] in PARTS
        }
        self._adapted = (frozen, linear)  # in a tuple, which hides modules
        parts = {name: PARTS[name.rpartition(".")[2]] for name in linear}
        self.adapters = nn.ModuleDict(
            {name.replace(".", "_"): Adapter(one, parts[name], rank, alpha) for name, one in linear.items()}
        )
        channels = max(one.out_features // parts[name] for name, one in linear.items())
        self.pooling = AttentiveStatistics(channels, dim)

    @contextmanager
    def adapting(self) -> Iterator[EncoderNetwork]:
        """Within it the frozen network computes with the adapters."""
        frozen, linear = self._adapted

        def adapted(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> Tensor:
            return output + adapters[module](inputs[0])  # type: ignore[no-any-return]

        adapters = dict(zip(linear.values(), self.adapters.values(), strict=True))
        handles = [module.register_forward_hook(adapted) for module in linear.values()]
        try:
            yield frozen
        finally:
            for handle in handles:
                handle.remove()

    def forward(self, waveforms: Tensor) -> Tensor:
        """(batch, samples) -> (batch, dim)."""
        device = waveforms.device.type
        with self.adapting() as network:
            with torch.autocast(device, enabled=False), torch.no_grad():
                banks = network.filter_banks(waveforms)
            patches = network(banks, [network.depth])[network.depth].patches
        with torch.autocast(device, enabled=False):
            embedding: Tensor = self.pooling(patches.flatten(1, 2).float())
        return embedding
