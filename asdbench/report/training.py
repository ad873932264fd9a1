"""Curves of every training: its loss by epoch, and what else was measured."""

from typing import TYPE_CHECKING

import numpy as np

from asdbench.harness.record import TrainedNetwork
from asdbench.pages.figures import BLUE, LINE, drawing_style, new_figure
from asdbench.report.groups import tidy_numbers

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FEW = 40  # epochs that are still told apart as dots


def draw_curves(network: TrainedNetwork) -> "Figure | None":
    """A panel for each measured curve, epochs from 1; logarithmic where a positive one falls far.

    None when nothing was measured.
    """
    from matplotlib.ticker import MaxNLocator

    curves = {name: np.asarray(values, np.float64) for name, values in network.curves.items() if len(values)}
    if not curves:
        return None
    names = sorted(curves, key=lambda name: (name != "loss", name))
    with drawing_style():
        figure = new_figure(380, 60 + 140 * len(names))
        panels = figure.subplots(len(names), 1, sharex=True, squeeze=False)[:, 0]
        for axes, name in zip(panels, names, strict=True):
            values = curves[name]
            logarithmic = is_logarithmic(values)
            if logarithmic:
                axes.set_yscale("log")
            epochs = np.arange(1, len(values) + 1)
            axes.plot(epochs, values, color=BLUE, marker="o" if len(values) <= FEW else None, markersize=3)
            axes.set_title(name.replace("_", " ") + (" (logarithmic)" if logarithmic else ""), loc="left", fontsize=12)
            axes.grid(axis="y", color=LINE)
            axes.set_axisbelow(True)
            tidy_numbers(axes, logarithmic, "y")
        panels[-1].set_xlabel("epoch")
        panels[-1].xaxis.set_major_locator(MaxNLocator(6, integer=True))
    return figure


def is_logarithmic(values: "np.typing.NDArray[np.float64]") -> bool:
    """Whether a curve's end would be a flat line otherwise: all positive, the largest twenty times the smallest."""
    finite = values[np.isfinite(values)]
    return bool(len(finite) and finite.min() > 0 and finite.max() > 20 * finite.min())
