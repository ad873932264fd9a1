"""Whatever a name holds, a reader of Markdown sees its letters and nothing else."""

import re
from html import unescape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from asdbench.pages.markdown import code, escaped, web_address

GITHUB = MarkdownIt("commonmark").enable(["table", "strikethrough"])
HOSTILE = [
    "a|b_c*d <e> [f] `g` #h \\i",
    "<script>alert(1)</script>",
    "![x](https://evil.example/x.png)",
    "[x](javascript:alert(1))",
    "[x][y]",
    "[x]: https://evil.example",
    "<https://evil.example>",
    "`a` ``b`` ```c",
    "a\\`<b>\\",
    "# evil",
    "- evil",
    "1. evil",
    "12) evil",
    "+ evil",
    "---",
    "=====",
    "> evil",
    "~~~ evil",
    "~~evil~~",
    "**evil** __evil__ *evil* _evil_",
    "&lt;b&gt; &#60;b&#62; &amp;",
    "a\n\n# evil\n\n| x | y |\n|---|---|\n",
    "<!-- evil",
    "$\\evil$",
    "trailing \\",
]
LETTERS = st.text(st.sampled_from("ab1 \n\t\\`*_[]()<>|#!&:/@~$-+=.;'\""), max_size=30)


def plain(html):
    return " ".join(unescape(re.sub(r"<[^>]*>", "", html)).split())


def tags(html):
    return re.findall(r"<(\w+)", html)


def assert_shown_as_it_is(text):
    wanted = " ".join(text.split())
    sentence = GITHUB.render(f"Before {escaped(text)} behind")
    assert (tags(sentence), plain(sentence)) == (["p"], " ".join(f"Before {wanted} behind".split()))
    item = GITHUB.render(f"- {escaped(text)}")
    assert tags(item) == ["ul", "li"]
    assert plain(item) == wanted
    cell = GITHUB.render(f"| a | b |\n| - | - |\n| {escaped(text)} | behind |\n")
    assert tags(cell) == ["table", "thead", "tr", "th", "th", "tbody", "tr", "td", "td"]
    assert plain(cell) == " ".join(f"a b {wanted} behind".split())
    span = GITHUB.render(f"Before {code(text)} behind")
    assert tags(span) == (["p", "code"] if wanted else ["p"])
    assert plain(span) == " ".join(f"Before {wanted} behind".split())


@pytest.mark.parametrize("text", HOSTILE)
def test_text_of_others_stays_text(text):
    assert_shown_as_it_is(text)


@settings(derandomize=True, deadline=None)
@given(LETTERS)
def test_any_text_stays_text(text):
    assert_shown_as_it_is(text)


@pytest.mark.parametrize(
    "text", ["see https://evil.example", "www.evil.example", "(WWW.evil.example)", "a@evil.example"]
)
def test_bare_addresses_are_broken_for_github(text):
    """GitHub makes links of these; a backslash within them stops it, as its own Markdown guide shows."""
    assert not re.search(r"(?i)https?://|(?<!\w)www\.|\w@", escaped(text))
    assert_shown_as_it_is(text)


def test_letters_that_move_others_or_the_cursor_are_replaced():
    assert escaped("a\x1b[31m\u202eb\x00") == "a�\\[31m�b�"
    assert escaped("機械 装置 é ملف") == "機械 装置 é ملف"


@pytest.mark.parametrize(
    "url",
    [
        "https://x/><script>alert(6)</script>",
        "https://x/a|b`c`\"d\"'e'\\f",
        "https://x/[a](javascript:alert(1))",
        "https://x/a b\n\n# evil",
    ],
)
def test_an_address_cannot_leave_its_angles(url):
    html = GITHUB.render(f"Before <{web_address(url)}> behind")
    assert tags(html) == ["p", "a"]
    assert re.findall(r'href="([^"]*)"', html)[0].startswith("https://x/")
    assert plain(html).startswith("Before https://x/")
    assert plain(html).endswith(" behind")


def test_a_plain_address_stays_as_it_is():
    for url in ("https://arxiv.org/abs/2507.10264", "https://x.org/a_b/(c)?d=e%20f&g=h~#i"):
        assert web_address(url) == url
