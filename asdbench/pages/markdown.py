"""Names and texts of others as they go into Markdown: shown letter by letter, and nothing else."""

import re
import unicodedata
from urllib.parse import quote

# Letters that turn round what follows them, so that a name reads as another one.
_TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_URL_MARKS = ":/?#[]@!$&'()*+,;=%-._~"  # all that RFC 3986 knows beside letters and digits


def escaped(text: str) -> str:
    """Text in one line that Markdown shows as it is, in a sentence, at the beginning of an item, in a cell of a table.

    No tag, link, image, code, emphasis, formula, entity, list or cell begins in it, and GitHub, which makes links of
    bare addresses, makes none of it.
    """
    text = _one_line(text)
    text = re.sub(r"[\\`*_\[\]<>|#~$@]|&(?=#?\w+;)|:(?=//)", r"\\\g<0>", text)
    text = re.sub(r"(?i)(?<![a-z0-9])www(?=\.)", r"\g<0>\\", text)
    text = re.sub(r"^\d+(?=[.)](?:\s|$))", r"\g<0>\\", text)
    return re.sub(r"^[-+=]", r"\\\g<0>", text)


def code(text: str) -> str:
    """A code span that ends where the text ends, whatever backticks stand in it; not for cells of a table."""
    text = _one_line(text)
    if not text:
        return ""
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    space = " " if "`" in (text[0], text[-1]) else ""
    return f"{fence}{space}{text}{space}{fence}"


def web_address(url: str) -> str:
    """An address with everything encoded that no address holds: angles, quotes, spaces, backslashes, bars."""
    return quote(url, safe=_URL_MARKS)


def _one_line(text: str) -> str:
    return "".join(map(_shown, " ".join(text.split())))


def _shown(letter: str) -> str:
    hidden = letter in _TURNING or unicodedata.category(letter) in ("Cc", "Cs")
    return "\N{REPLACEMENT CHARACTER}" if hidden else letter
