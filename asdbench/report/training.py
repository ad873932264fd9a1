"""Curves of every training: its loss by epoch, and what else was measured."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from asdbench.harness.record import TrainedNetwork
from asdbench.pages.figures import BLUE, LINE, ORANGE, drawing_style, new_figure
from asdbench.report.scores import tidy_numbers

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FEW = 40  # epochs up to which each is a dot
VALIDATION = "validation_"
_LOOKS: Mapping[bool, dict[str, Any]] = {
    False: {"color": BLUE, "label": "training"},
    True: {"color": ORANGE, "linestyle": (0, (4, 1.5)), "label": "validation"},
}


def draw_curves(network: TrainedNetwork) -> "Figure | None":
    """A panel for each measured quantity, epochs from 1, of training and validation clips where both were measured.

    Logarithmic where a positive one falls far. None when nothing was measured.
    """
    from matplotlib.ticker import MaxNLocator

    curves = {name: np.asarray(values, np.float64) for name, values in network.curves.items() if len(values)}
    panels: dict[str, list[str]] = {}
    for name in sorted(curves, key=lambda name: (name != "loss", name)):
        quantity = name.removeprefix(VALIDATION)
        panels.setdefault(quantity if quantity in curves else name, []).append(name)
    if not panels:
        return None
    with drawing_style():
        figure = new_figure(380, 60 + 150 * len(panels))
        rows = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (quantity, names) in zip(rows, panels.items(), strict=True):
            logarithmic = is_logarithmic(np.concatenate([curves[name] for name in names]))
            if logarithmic:
                axes.set_yscale("log")
            for name in names:
                epochs = np.arange(1, len(curves[name]) + 1)
                marker = "o" if len(epochs) <= FEW else None
                axes.plot(epochs, curves[name], marker=marker, markersize=3, **_LOOKS[name.startswith(VALIDATION)])
            if len(names) > 1:
                axes.legend()
            title = quantity.replace("_", " ") + (" (logarithmic)" if logarithmic else "")
            axes.set_title(title, loc="left", fontsize=12)
            axes.grid(axis="y", color=LINE)
            axes.set_axisbelow(True)
            tidy_numbers(axes, logarithmic, "y")
        rows[-1].set_xlabel("epoch")
        rows[-1].xaxis.set_major_locator(MaxNLocator(6, integer=True))
    return figure


def is_logarithmic(values: NDArray[np.float64]) -> bool:
    """Whether a curve's end would be a flat line otherwise: all positive, the largest twenty times the smallest."""
    finite = values[np.isfinite(values)]
    return bool(len(finite) and finite.min() > 0 and finite.max() > 20 * finite.min())
