"""Optuna's figures in the style of asdbench's pages: their ink, type and colours, light and dark."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from asdbench.pages.figures import BAD, BLUE, GREEN, LINE, MUTED, YELLOW, drawing_style

if TYPE_CHECKING:
    pass

RAMP = ("#dda33a", "#9a9c8f", "#2f86ab")  # low to high; readable on light and dark paper, for every colour vision
LETTERS = 24  # of all names along an axis; more are tilted
_OF_OPTUNA: Mapping[str, str] = {
    "#1f77b4": BLUE,
    "#d62728": BAD,
    "#ff7f0e": YELLOW,
    "#2ca02c": GREEN,
    "#7f7f7f": MUTED,
}


@contextmanager
def drawing() -> Iterator[None]:
    """Optuna draws through pyplot and asks for a style sheet by name: it gets the pages' style, and no window."""
    import matplotlib as mpl
    import matplotlib.pyplot as plt
    import optuna

    from asdbench.tuning.finished import quiet

    before, sheet = mpl.get_backend(), plt.style.library["ggplot"]
    plt.switch_backend("agg")
    opened = set(plt.get_fignums())
    with drawing_style(), warnings.catch_warnings(), quiet(optuna.logging.ERROR):
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        warnings.filterwarnings("ignore", message="The figure layout has changed to tight")
        plt.style.library["ggplot"] = mpl.RcParams()
        mpl.rcParams["figure.constrained_layout.use"] = True  # colour bars ask for it when they are made
        try:
            yield
        finally:
            plt.style.library["ggplot"] = sheet
            for number in set(plt.get_fignums()) - opened:
                plt.close(number)
            plt.switch_backend(before)


def restyled(axes: Any, width_px: int, height_px: int, grid: str = "y") -> Any:
    """The figure in a size of the page, without what the page says itself; its parts in the page's colours."""
    figure: Any = axes.figure
    figure.set_layout_engine("constrained")
    figure.set_size_inches(width_px / 72, height_px / 72)
    for place in ("left", "center"):
        axes.set_title("", loc=place)
    if grid:
        axes.grid(axis=grid, color=LINE)
    axes.set_axisbelow(True)
    for artist in [*axes.collections, *axes.lines]:
        colour = artist.get_color() if hasattr(artist, "get_color") else None
        if isinstance(colour, str | tuple):
            artist.set(color=page_colour(colour))
        elif artist.get_array() is None and len(artist.get_facecolor()):
            artist.set_facecolor(page_colour(artist.get_facecolor()[0]))
    return figure


def page_colour(colour: Any) -> str:
    """The page's colour that stands for one of Optuna's."""
    from matplotlib.colors import to_hex

    return _OF_OPTUNA.get(to_hex(colour), BLUE)


def ramp(figure: Any, keep_bar: bool = False) -> None:
    """Colour maps in colours that are readable on light and dark paper."""
    from matplotlib.colors import LinearSegmentedColormap

    ramp = LinearSegmentedColormap.from_list("asdbench", RAMP)
    for axes in list(figure.axes):
        for artist in axes.collections:
            if artist.get_array() is not None:
                artist.set_cmap(ramp)
                if artist.colorbar is not None and not keep_bar:
                    artist.colorbar.remove()


def in_percent(axis: Any) -> None:
    """Fractions are written as percent."""
    from matplotlib.ticker import FuncFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g}"))


def whole_numbers(axis: Any) -> None:
    """Ticks at whole numbers."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(7, integer=True))


def plain_ticks(axes: Any, most: int = 14) -> None:
    """Logarithmic axes count 1, 2, 5; names of choices lose their quotes and what is beyond ``most`` letters."""
    from matplotlib.category import StrCategoryFormatter
    from matplotlib.ticker import FixedFormatter, FuncFormatter, LogLocator, NullFormatter

    for axis in (axes.xaxis, axes.yaxis):
        if axis.get_scale() == "log":
            axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axis.set_minor_formatter(NullFormatter())
        elif isinstance(axis.get_major_formatter(), FixedFormatter | StrCategoryFormatter):
            labels = [label.get_text().strip("'\"") for label in axis.get_ticklabels()]
            shown = [text if len(text) <= most else f"{text[: most - 1]}…" for text in labels]
            crowded = axis is axes.xaxis and sum(map(len, shown)) > LETTERS
            tilted = {"rotation": 20, "ha": "right", "rotation_mode": "anchor"} if crowded else {}
            axis.set_ticks(axis.get_ticklocs(), shown, **tilted)
