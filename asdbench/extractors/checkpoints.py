"""A training's state after an epoch, as safetensors."""

import json
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.optim import Optimizer

from asdbench.core.store import StoredFolder, Warn

Curves = dict[str, list[float]]
FOLDER, FILE = "state-4", "state.safetensors"  # raised when the form changes, so that no training goes on from it


class Checkpoints:
    """The last epoch's weights, optimizer state and curves, in one file of a folder.

    Args:
        folder: of this very training.
        warn: called with one line when the state is damaged, so that the training begins anew.
    """

    def __init__(self, folder: Path, warn: Warn) -> None:
        self._folder = StoredFolder(folder / FOLDER, "the state of a training, which begins anew")
        self._warn = warn

    def save(self, network: nn.Module, optimizer: Optimizer, curves: Curves) -> None:
        """Replace the stored state, whole or not at all."""
        tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
        for place, values in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{place}.{name}": value for name, value in values.items()}
        content = save(
            {name: value.contiguous().cpu() for name, value in tensors.items()}, {"curves": json.dumps(curves)}
        )
        with self._folder.written() as folder:
            (folder / FILE).write_bytes(content)

    def restore(self, network: nn.Module, optimizer: Optimizer) -> Curves:
        """Take back the stored state; the curves of the epochs done, empty when there are none."""
        if not self._folder.verify(self._warn):
            return {}
        path = self._folder.path / FILE
        weights: dict[str, Tensor] = {}
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in load_file(path).items():
            kind, _, name = key.partition(".")
            if kind == "network":
                weights[name] = value
            else:
                place, _, name = name.partition(".")
                state.setdefault(int(place), {})[name] = value
        network.load_state_dict(weights)
        optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
        with safe_open(path, "pt") as file:
            curves: Curves = json.loads(file.metadata()["curves"])
        return curves
