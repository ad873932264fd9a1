import base64
import io
import re
import xml.etree.ElementTree as ET

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from asdbench.pages.figures import BLUE, INK, MUTED, drawing_style, figure_svg, new_figure


def drawn(title="A line", color=BLUE, text="plain"):
    with drawing_style():
        figure = new_figure(360, 280)
        axes = figure.add_subplot()
        axes.plot([0, 1], [0, 1], "o", color=color, label=text)
        axes.fill_between([0, 1], [0, 1], color=INK, alpha=0.2)
        axes.legend()
    return figure_svg(figure, title)


def test_the_same_figure_gives_the_same_bytes_whatever_the_users_settings():
    first = drawn()
    with mpl.rc_context({"svg.hashsalt": "other", "font.size": 30, "axes.spines.right": True}):
        assert drawn() == first


def test_drawing_changes_no_setting_of_matplotlib():
    before = dict(mpl.rcParams)
    drawn()
    assert dict(mpl.rcParams) == before


def test_black_is_the_pages_ink_and_nothing_names_an_address_or_styles_the_page():
    svg = drawn(color=INK)
    assert "currentColor" in svg
    assert f"var(--muted, {MUTED})" in svg  # axes
    assert "#000000" not in svg
    assert "http" not in svg
    assert "<style" not in svg
    assert "Date" not in svg


def test_backgrounds_of_other_libraries_figures_are_left_out():
    """Optuna draws on grey."""
    with drawing_style():
        figure = Figure(facecolor="#e5e5e5")
        figure.add_subplot(facecolor="#e4e4e4").plot([0, 1], [0, 1])
    svg = figure_svg(figure, "A line")
    assert "#e5e5e5" not in svg
    assert "#e4e4e4" not in svg


def test_names_are_escaped_and_never_read_as_formulas():
    hostile = "<script>alert('$x$')</script> $\\frac{$"
    svg = drawn(title=hostile, text=hostile)
    assert "<script" not in svg
    texts = [element.text for element in ET.fromstring(svg).iter() if element.tag in ("title", "text")]
    assert texts.count(hostile) == 2


def test_ids_of_two_figures_never_meet_and_every_reference_is_met():
    one, two = drawn("one"), drawn("two")
    ids = [set(re.findall(r' id="([^"]+)"', svg)) for svg in (one, two)]
    assert not ids[0] & ids[1]
    assert set(re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', one)) <= {(i, "") for i in ids[0]} | {
        ("", i) for i in ids[0]
    }


@pytest.mark.parametrize("colours", [7, 256])
def test_images_of_few_colours_are_kept_to_the_dot_and_small(colours):
    values = np.random.default_rng(0).integers(0, colours, (40, 90))
    with drawing_style():
        figure = new_figure(200, 100)
        figure.add_subplot().imshow(values, cmap="magma", vmin=0, vmax=255, interpolation="none")
    encoded = re.search(r'data:image/png;base64,\s*([^"]+)"', figure_svg(figure, "noise"))[1]
    picture = Image.open(io.BytesIO(base64.b64decode(encoded)))
    assert picture.mode == "P"
    expected = (mpl.colormaps["magma"](values)[..., :3] * 255).round().astype(int)
    got = np.asarray(picture.convert("RGB")).astype(int)
    assert got.shape == expected.shape
    assert min(np.abs(got - expected).max(), np.abs(got[::-1] - expected).max()) <= 1
