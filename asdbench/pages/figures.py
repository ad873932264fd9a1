"""Figures of matplotlib as inline SVG that belongs to the page: its ink, its colours, its light and dark.

Draw within ``drawing_style()``, with the object-oriented API, in pixels of the page::

    with drawing_style():
        figure = new_figure(360, 280)
        axes = figure.add_subplot()
        axes.plot(fpr, tpr, color=BLUE)
    page += figure_svg(figure, title="ROC of fan, section 00")
"""

import base64
import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from asdbench.core.digests import digest

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.figure import Figure

# The page's series in its light form; in the dark they are brighter. BLUE and ORANGE differ for every kind of colour
# vision; where more are drawn, markers or line styles differ as well.
BLUE, ORANGE, GREEN, PURPLE, YELLOW, PINK = "#0f647f", "#c2571a", "#3d8c5c", "#8352a8", "#b08a00", "#b23a6b"
SERIES = (BLUE, ORANGE, GREEN, PURPLE, YELLOW, PINK)
# These stand for the page's ink, paper and so on; nothing else is drawn in them.
INK, MUTED, LINE, PAPER, BAD = "#000000", "#5d6670", "#e2e3de", "#fdfdfb", "#b3402b"

_OF_PAGE = {
    INK: "currentColor",
    MUTED: f"var(--muted, {MUTED})",
    LINE: f"var(--line, {LINE})",
    PAPER: f"var(--paper, {PAPER})",
    BAD: f"var(--bad, {BAD})",
    **{colour: f"var(--series-{number}, {colour})" for number, colour in enumerate(SERIES, 1)},
}
_PER_INCH = 72.0  # the SVG's units; one of them is one pixel of the page
_RASTER_DPI = 144.0  # of parts that are drawn with ``rasterized=True``; 72 is one dot a pixel
_STYLE: dict[str, Any] = {
    "text.parse_math": False,  # names of files may hold dollars
    "axes.formatter.use_mathtext": False,
    "axes.unicode_minus": True,
    "font.family": ["DejaVu Sans"],  # comes with matplotlib, so that every machine lays out alike
    "font.size": 12.0,
    "axes.titlesize": 13.0,
    "axes.labelsize": 12.0,
    "xtick.labelsize": 11.0,
    "ytick.labelsize": 11.0,
    "legend.fontsize": 11.0,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": LINE,
    "grid.linewidth": 0.8,
    "lines.linewidth": 1.8,
    "figure.dpi": _PER_INCH,
    "svg.fonttype": "none",
    "svg.hashsalt": "asdbench",
    "svg.image_inline": True,
}


@contextmanager
def drawing_style() -> Iterator[None]:
    """Within it matplotlib draws in the pages' style; afterwards its settings are as they were."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()  # a user's matplotlibrc changes no page
        settings: Any = mpl.rcParams
        settings.update(_STYLE)
        yield
        interactive = mpl.is_interactive()
    mpl.interactive(interactive)  # a notebook's backend sets it, with the first figure that is drawn


def new_figure(width_px: float, height_px: float, *, arranged: bool = True) -> "Figure":
    """An empty figure of a size in pixels of the page; matplotlib lays its axes and legends out if ``arranged``."""
    from matplotlib.figure import Figure

    size = (width_px / _PER_INCH, height_px / _PER_INCH)
    return Figure(figsize=size, dpi=_PER_INCH, layout="constrained" if arranged else None)


def figure_svg(figure: "Figure", title: str) -> "Markup":
    """A figure as an ``<svg>`` element to stand within an HTML page.

    Transparent, text as text in the page's type, black as ``currentColor``, the other colours named above as the
    page's variables. The same figure gives the same bytes. It names no address, and its ids meet no
    other figure's on the page.

    Args:
        figure: drawn within ``drawing_style``; one unit of 1/72 inch becomes a pixel.
        title: what the picture shows, for those who do not see it.
    """
    from markupsafe import Markup, escape
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    written = io.StringIO()
    with drawing_style(), warnings.catch_warnings():  # some settings are read only now
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # the browser's type has it
        # What Figure.savefig does, which lays out and draws twice.
        figure.set_dpi(_RASTER_DPI)
        for patch in (figure.patch, *(axes.patch for axes in figure.axes)):  # other libraries' figures have backgrounds
            patch.set(facecolor="none", edgecolor="none")
        canvas = FigureCanvasSVG(figure)
        canvas.print_svg(written, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))  # type: ignore[no-untyped-call]
    inner = re.sub(r"^.*?<svg[^>]*>|</svg>\s*$", "", written.getvalue(), flags=re.DOTALL)
    inner = re.sub(r"<metadata>.*?</metadata>\s*|<!--.*?-->\s*", "", inner, flags=re.DOTALL)
    inner = re.sub(r"<defs>\s*<style[^>]*>.*?</style>\s*</defs>\s*", "", inner, flags=re.DOTALL)  # would style the page
    inner = re.sub(r'(?<="data:image/png;base64,)[^"]+', lambda png: _of_few_colours(png[0]), inner)
    inner = _with_unique_ids(_in_colours_of_page(inner), digest([title, inner], 8))
    inner = re.sub(r'(?<= [dxy])="[^"]*"', lambda numbers: _rounded(numbers[0]), inner)
    inner = re.sub(r"\n\s*", "\n", inner).strip()
    width, height = (round(float(inches) * _PER_INCH) for inches in figure.get_size_inches())
    return Markup(
        f'<svg class="figure" role="img" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'style="fill:currentColor;max-width:100%;height:auto;stroke-linejoin:round;stroke-linecap:butt">'
        f"<title>{escape(title)}</title>\n{inner}\n</svg>"
    )


def _in_colours_of_page(svg: str) -> str:
    """Within style attributes alone: a text of the figure may well read "#000000"."""

    def restyled(style: re.Match[str]) -> str:
        text = style[0]
        for drawn, shown in _OF_PAGE.items():
            text = text.replace(drawn, shown)
        return re.sub(r"(font: [^;\"]*?[\d.]+px) [^;\"]*", r"\1 system-ui, sans-serif", text)

    return re.sub(r'(?<= style=)"[^"]*"', restyled, svg)


def _rounded(numbers: str) -> str:
    """Places to a hundredth of a pixel, which is finer than any screen."""
    return re.sub(r"-?\d+\.\d+", lambda number: f"{float(number[0]):.2f}".rstrip("0").rstrip("."), numbers)


def _of_few_colours(encoded: str) -> str:
    """The same PNG with one byte for a dot, where it has at most 256 colours, as those of a colour map have."""
    import numpy as np
    from PIL import Image

    dots = np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGBA"))
    numbers, places = np.unique(dots.view(">u4").astype(np.uint32), return_inverse=True)  # faster than rows
    colours = numbers.astype(">u4").view(np.uint8).reshape(-1, 4)
    if len(colours) > 256 or (colours[:, 3] < 255).any():
        return encoded.replace("\n", "")
    picture = Image.fromarray(places.reshape(dots.shape[:2]).astype(np.uint8), mode="P")
    picture.putpalette(colours[:, :3].tobytes())
    written = io.BytesIO()
    picture.save(written, format="png", optimize=True)
    return base64.b64encode(written.getvalue()).decode()


def _with_unique_ids(svg: str, prefix: str) -> str:
    """Ids that are used get the figure's prefix, the others go."""
    svg = svg.replace("xlink:href=", "href=")
    used = set(re.findall(r'url\(#([^)]+)\)|(?<= href)="#([^"]+)"', svg))
    names = {name for pair in used for name in pair if name}
    svg = re.sub(r' id="([^"]*)"', lambda match: f' id="f{prefix}-{match[1]}"' if match[1] in names else "", svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#f{prefix}-\1)", svg)
    return re.sub(r' href="#([^"]+)"', rf' href="#f{prefix}-\1"', svg)
