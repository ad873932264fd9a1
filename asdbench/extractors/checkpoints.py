"""A training's state after each epoch, as safetensors and JSON."""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from asdbench.core.files import whole_folder, write_bytes

Curves = dict[str, list[float]]


class Checkpoints:
    """Keeps the last epoch's weights, optimizer state and what was measured so far in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(self, network: nn.Module, optimizer: torch.optim.Optimizer, curves: Curves) -> None:
        """Replace the kept state, whole or not at all."""
        moments: dict[str, Tensor] = {
            f"{index}.{name}": value.contiguous()
            for index, state in optimizer.state_dict()["state"].items()
            for name, value in state.items()
        }
        with whole_folder(self._folder) as folder:
            save_weights(network, folder / "network.safetensors")
            write_bytes(folder / "optimizer.safetensors", save(moments))
            (folder / "curves.json").write_text(json.dumps(curves))

    def restore(self, network: nn.Module, optimizer: torch.optim.Optimizer) -> Curves:
        """Take back the kept state; what was measured in the epochs done, empty when there are none."""
        if not (self._folder / "curves.json").is_file():
            return {}
        load_weights(network, self._folder / "network.safetensors")
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in load_file(self._folder / "optimizer.safetensors").items():
            index, _, name = key.partition(".")
            state.setdefault(int(index), {})[name] = value
        optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
        curves: Curves = json.loads((self._folder / "curves.json").read_text())
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
