"""A training's state after an epoch, and a network's weights, as safetensors."""

import json
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from asdbench.core.files import write_bytes
from asdbench.extractors.adam import Adam

Curves = dict[str, list[float]]
FILE = "state-2.safetensors"  # 2: another form than before, so that no training goes on from the old one


class Checkpoints:
    """Keeps the last epoch's weights, optimizer state and what was measured so far, in one file of a folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE

    def save(self, network: nn.Module, optimizer: Adam, curves: Curves) -> None:
        """Replace the kept state, whole or not at all."""
        parts = {"network": network.state_dict(), "optimizer": optimizer.state()}
        tensors = {
            f"{part}.{name}": value.contiguous().cpu()
            for part, values in parts.items()
            for name, value in values.items()
        }
        write_bytes(self._path, save(tensors, metadata={"curves": json.dumps(curves)}))

    def restore(self, network: nn.Module, optimizer: Adam) -> Curves:
        """Take back the kept state; what was measured in the epochs done, empty when there are none."""
        if not self._path.is_file():
            return {}
        parts: dict[str, dict[str, Tensor]] = {"network": {}, "optimizer": {}}
        for key, value in load_file(self._path).items():
            part, _, name = key.partition(".")
            parts[part][name] = value
        network.load_state_dict(parts["network"])
        optimizer.restore(parts["optimizer"])
        with safe_open(self._path, "pt") as file:
            curves: Curves = json.loads(file.metadata()["curves"])
        return curves


def save_weights(network: nn.Module, path: Path) -> None:
    """Write a network's parameters and buffers as safetensors."""
    write_bytes(path, save({name: value.contiguous().cpu() for name, value in network.state_dict().items()}))


def load_weights(network: nn.Module, path: Path) -> None:
    """Read what ``save_weights`` wrote."""
    network.load_state_dict(load_file(path))


def count_parameters(network: nn.Module) -> int:
    """Learned numbers of a network; buffers do not count."""
    return sum(parameter.numel() for parameter in network.parameters())
