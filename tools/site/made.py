"""A page that is made while the site is built."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Made:
    """A page, or a picture that a page shows.

    Attributes:
        place: on the site, as a path below docs/.
        content: Markdown; bytes of a picture.
        under: heading of the navigation within its section; empty where it stands in the section itself.
        origin: path in the repository that its links are written from; empty where they are written from ``place``.
    """

    place: str
    content: str | bytes
    under: str = ""
    origin: str = ""


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown, or nothing where it has no rows."""
    lines = ["| " + " | ".join(cell(value) for value in row) + " |" for row in rows]
    if not lines:
        return ""
    return "\n".join(["| " + " | ".join(columns) + " |", "| --- " * len(columns) + "|", *lines]) + "\n"


def cell(value: object) -> str:
    """Text of a cell: on one line, without bars of its own."""
    return " ".join(str(value).split()).replace("|", "\\|")


def code(value: object) -> str:
    """Text as code in a cell, which may break after its separators; empty text stays empty."""
    text = re.sub(r"(?<=[;,:])(?=\S)", "<wbr>", escaped(str(value)).replace("|", "&#124;"))
    return f"<code>{text}</code>" if text else ""


def escaped(text: str) -> str:
    """Text in which nothing is a tag or emphasis."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"\\{letter}" if letter in "*_`[]" else letter for letter in text)
