"""A training's state after an epoch, and a network's weights, as safetensors."""

import json
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from asdbench.core.files import write_bytes

Curves = dict[str, list[float]]
FILE = "state.safetensors"


class Checkpoints:
    """Keeps the last epoch's weights, optimizer state and what was measured so far, in one file of a folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE

    def save(self, network: nn.Module, optimizer: torch.optim.Optimizer, curves: Curves) -> None:
        """Replace the kept state, whole or not at all."""
        tensors = {f"network.{name}": value.contiguous().cpu() for name, value in network.state_dict().items()}
        for index, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": value.contiguous().cpu() for name, value in state.items()}
        write_bytes(self._path, save(tensors, metadata={"curves": json.dumps(curves)}))

    def restore(self, network: nn.Module, optimizer: torch.optim.Optimizer) -> Curves:
        """Take back the kept state; what was measured in the epochs done, empty when there are none."""
        if not self._path.is_file():
            return {}
        weights: dict[str, Tensor] = {}
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in load_file(self._path).items():
            part, _, name = key.partition(".")
            if part == "network":
                weights[name] = value
            else:
                index, _, name = name.partition(".")
                state.setdefault(int(index), {})[name] = value
        network.load_state_dict(weights)
        optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
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
