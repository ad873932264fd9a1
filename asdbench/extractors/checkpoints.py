"""A training's state after an epoch, and a network's weights, as safetensors."""

import json
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from asdbench.core.files import write_bytes
from asdbench.core.store import StoredFolder, Warn
from asdbench.extractors.adam import Adam

Curves = dict[str, list[float]]
FOLDER, FILE = "state-3", "state.safetensors"  # 3: another form than before, so that no training goes on from it


class Checkpoints:
    """Keeps the last epoch's weights, optimizer state and what was measured so far, in one file of a folder.

    Args:
        folder: of this very training.
        warn: is called in one line when the kept state is damaged, so that the training begins anew.
    """

    def __init__(self, folder: Path, warn: Warn) -> None:
        self._entry = StoredFolder(folder / FOLDER, "the state of a training, which begins anew")
        self._warn = warn

    def save(self, network: nn.Module, optimizer: Adam, curves: Curves) -> None:
        """Replace the kept state, whole or not at all."""
        parts = {"network": network.state_dict(), "optimizer": optimizer.state()}
        tensors = {
            f"{part}.{name}": value.contiguous().cpu()
            for part, values in parts.items()
            for name, value in values.items()
        }
        with self._entry.written() as folder:
            (folder / FILE).write_bytes(save(tensors, metadata={"curves": json.dumps(curves)}))

    def restore(self, network: nn.Module, optimizer: Adam) -> Curves:
        """Take back the kept state; what was measured in the epochs done, empty when there are none."""
        if not self._entry.verify(self._warn):
            return {}
        path = self._entry.path / FILE
        parts: dict[str, dict[str, Tensor]] = {"network": {}, "optimizer": {}}
        for key, value in load_file(path).items():
            part, _, name = key.partition(".")
            parts[part][name] = value
        network.load_state_dict(parts["network"])
        optimizer.restore(parts["optimizer"])
        with safe_open(path, "pt") as file:
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
