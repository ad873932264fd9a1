"""A training's state after each epoch, as safetensors and JSON."""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from asdbench.core.files import whole_folder, write_bytes


class Checkpoints:
    """Keeps the last epoch's weights, optimizer state and losses in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(self, network: nn.Module, optimizer: torch.optim.Optimizer, losses: list[float]) -> None:
        """Replace the kept state, whole or not at all."""
        moments: dict[str, Tensor] = {
            f"{index}.{name}": value.contiguous()
            for index, state in optimizer.state_dict()["state"].items()
            for name, value in state.items()
        }
        with whole_folder(self._folder) as folder:
            save_weights(network, folder / "network.safetensors")
            write_bytes(folder / "optimizer.safetensors", save(moments))
            (folder / "losses.json").write_text(json.dumps(losses))

    def restore(self, network: nn.Module, optimizer: torch.optim.Optimizer) -> list[float]:
        """Take back the kept state; losses of the epochs done, empty when there are none."""
        if not (self._folder / "losses.json").is_file():
            return []
        load_weights(network, self._folder / "network.safetensors")
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in load_file(self._folder / "optimizer.safetensors").items():
            index, _, name = key.partition(".")
            state.setdefault(int(index), {})[name] = value
        optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
        losses: list[float] = json.loads((self._folder / "losses.json").read_text())
        return losses


def save_weights(network: nn.Module, path: Path) -> None:
    """Write a network's parameters and buffers as safetensors."""
    write_bytes(path, save({name: value.contiguous().cpu() for name, value in network.state_dict().items()}))


def load_weights(network: nn.Module, path: Path) -> None:
    """Read what ``save_weights`` wrote."""
    network.load_state_dict(load_file(path))
