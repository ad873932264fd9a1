"""The page that every HTML of asdbench is: whole in itself, and the same every time."""

import re
from html.parser import HTMLParser

from asdbench.pages import render_page

SPOKEN = ("ink", "paper", "muted", "line", "accent", "good", "bad", *(f"series-{number}" for number in range(1, 7)))


class Outline(HTMLParser):
    """Tags that are opened and closed, and every address."""

    def __init__(self):
        super().__init__()
        self.open, self.addresses, self.titles = [], [], []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "link", "br", "input"):
            self.open.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href", "srcset", "data")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "title":
            self.titles.append(data)


def test_a_page_is_whole_and_fetches_nothing():
    page = render_page("A < B", "<p>hello</p>", scripts=["let a = 1 < 2;"], styles=["p > b { color: red; }"])
    outline = Outline()
    outline.feed(page)
    assert not outline.open
    assert outline.titles == ["A < B"]
    assert outline.addresses == ["data:,"]
    assert "default-src 'none'" in page
    assert not re.search(r"url\(|@import|https?:", page)
    assert "let a = 1 < 2;" in page
    assert "p > b { color: red; }" in page
    assert "<p>hello</p>" in page
    assert page == render_page("A < B", "<p>hello</p>", scripts=["let a = 1 < 2;"], styles=["p > b { color: red; }"])


def test_a_marker_stands_at_the_top():
    assert render_page("t", "", marker="made by me").splitlines()[1] == "<!-- made by me -->"
    assert "<!--" not in render_page("t", "")


def contrast(one: str, two: str) -> float:
    """WCAG 2.1 contrast ratio of two colours, #rrggbb."""

    def luminance(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(two)))
    return (high + 0.05) / (low + 0.05)


def test_light_and_dark_name_the_same_colours_and_text_is_readable_in_both():
    page = render_page("t", "")
    blocks = re.findall(r"color-scheme: (light|dark);(.*?)\}", page, re.DOTALL)
    assert [name for name, _ in blocks] == ["light", "dark", "dark", "light"]
    for _, block in blocks:
        colours = dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6});", block))
        assert set(SPOKEN) <= set(colours)
        for name in ("ink", "muted", "accent", "good", "bad", "warn"):
            assert contrast(colours[name], colours["paper"]) >= 4.5, name
            assert contrast(colours[name], colours["raised"]) >= 4.5, name
        for number in range(1, 7):
            assert contrast(colours[f"series-{number}"], colours["paper"]) >= 3, number
