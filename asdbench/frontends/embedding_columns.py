"""Which columns of a table are the dimensions of an embedding: those that say so, and no others.

A table of embeddings often holds more numbers: labels, indices, durations. No list of names tells them all, so a
dimension has to be recognised: columns that are numbered alike, or one column of vectors, or what the user names.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

NUMBERED = re.compile(r"(.*?)([0-9]+)([^0-9]*)", re.DOTALL)  # by the last number in the name
# What a lone group of columns is asked about, whatever its form: one-hot labels are numbered too.
LABEL_WORDS = {
    "label", "labels", "class", "classes", "target", "targets", "y", "gt", "truth", "anomaly", "anomalies", "anomalous",
    "abnormal", "normal", "fault", "faults", "condition", "score", "scores", "prediction", "predictions", "decision",
    "decisions", "domain", "domains", "section", "sections", "attribute", "attributes", "machine", "machines", "split",
    "fold", "index", "id", "ids", "level", "unnamed", "onehot", "hot",
}  # fmt: skip
SHOWN = 8  # columns in a message
OPTION = "-p 'embedding-file.columns="


class ColumnError(ValueError):
    """Columns of which it cannot be said that they are the dimensions; the message says what to do."""


@dataclass(frozen=True)
class Dimensions:
    """The columns of an embedding, in order, and the columns of numbers that are none of it."""

    columns: tuple[str, ...]
    left_out: tuple[str, ...]
    is_vector: bool

    def in_words(self) -> str:
        """``the columns 'e0' to 'e5' (left out: 'is_abnormal')``."""
        few = quoted(self.columns) if len(self.columns) <= 3 else _span(self.columns)
        words = f"the column{'s' if len(self.columns) > 1 else ''} {few}"
        return words + (f" (left out: {quoted(self.left_out)})" if self.left_out else "")


def settle(kinds: Mapping[str, str], wanted: Sequence[str] = ()) -> Dimensions:
    """The dimensions among the columns of a table.

    Args:
        kinds: "number", "vector" (of numbers) or anything else, by column; without those that name the clips.
        wanted: what the user names: columns, or a pattern in which ``*`` stands for a number.

    Raises:
        ColumnError: there are none, several groups of columns could be them, or they are not of one kind.
    """
    numbers = [name for name, kind in kinds.items() if kind in ("number", "vector")]
    columns = _named(kinds, wanted) if wanted else _recognised(kinds)
    odd = [name for name in columns if kinds[name] not in ("number", "vector")]
    if odd:
        raise ColumnError(
            f"the column {quoted(odd)} holds {kinds[odd[0]]}, no number, and so is no dimension of an embedding"
        )
    vectors = [name for name in columns if kinds[name] == "vector"]
    if vectors and len(columns) > 1:
        raise ColumnError(
            f"{quoted(columns)} are not of one kind; an embedding is one column of vectors, or columns of numbers"
        )
    left_out = tuple(name for name in numbers if name not in columns)
    return Dimensions(tuple(columns), left_out, bool(vectors))


def _named(kinds: Mapping[str, str], wanted: Sequence[str]) -> list[str]:
    columns: list[str] = []
    for one in wanted:
        pattern = re.compile("([0-9]+)".join(map(re.escape, one.split("*"))))
        matches = {name: match for name in kinds if (match := pattern.fullmatch(name))}
        ordered = sorted(matches, key=lambda name: [int(number) for number in matches[name].groups()])
        found = [one] if one in kinds else ordered
        if not found:
            raise ColumnError(f"it has no column '{one}'; it has {quoted(list(kinds))}")
        columns += found
    twice = [name for name in dict.fromkeys(columns) if columns.count(name) > 1]
    if twice:
        raise ColumnError(f"the column {quoted(twice)} is named twice")
    return columns


def _recognised(kinds: Mapping[str, str]) -> list[str]:
    groups = [[name] for name, kind in kinds.items() if kind == "vector"]
    groups += [group for group in _numbered(kinds) if any(kinds[name] == "number" for name in group)]
    spelt = ", or ".join(_as_parameter(group) for group in groups)
    if not groups:
        numbers = [name for name, kind in kinds.items() if kind == "number"]
        raise ColumnError(
            "it has neither a column of vectors nor columns of numbers that are numbered alike (e0, e1, ...)"
            + (f", but {quoted(numbers)}. Name those that are the embedding: {OPTION}NAME,NAME'" if numbers else "")
        )
    if len(groups) > 1:
        raise ColumnError(
            f"several of its columns could be the embedding: {', '.join(map(_span, groups))}. Say which: {spelt}"
        )
    [group] = groups
    if LABEL_WORDS.intersection(re.findall(r"[a-z]+", group[0].casefold())):
        raise ColumnError(f"{_span(group)} may tell the label. Where it is the embedding, say so: {spelt}")
    if len(group) > 1:
        gap = next((pair for pair in pairwise(group) if _number(pair[1]) != _number(pair[0]) + 1), None)
        if gap is not None:
            raise ColumnError(
                f"{_span(group)} are not numbered one by one: '{gap[0]}' is followed by '{gap[1]}'. "
                f"If that is right, say so: {spelt}"
            )
    return group


def _numbered(kinds: Mapping[str, str]) -> list[list[str]]:
    """Groups of two columns or more, of any kind, whose names are equal but for a number, in the order of it."""
    groups: dict[tuple[str, str], list[str]] = {}
    for name in kinds:
        if kinds[name] != "vector" and (match := NUMBERED.fullmatch(name)):
            groups.setdefault((match[1], match[3]), []).append(name)
    return [sorted(group, key=_number) for group in groups.values() if len(group) > 1]


def _number(name: str) -> int:
    match = NUMBERED.fullmatch(name)
    assert match is not None, "only numbered columns are asked"
    return int(match[2])


def _as_parameter(group: Sequence[str]) -> str:
    """How the user names a group."""
    value = ",".join(group[:SHOWN]) + ("..." if len(group) > SHOWN else "")
    patterns = {f"{match[1]}*{match[3]}" for name in group if (match := NUMBERED.fullmatch(name))}
    if len(group) > 1 and len(patterns) == 1:
        [value] = patterns
    return f"{OPTION}{value}'"


def _span(group: Sequence[str]) -> str:
    return f"'{group[0]}'" if len(group) == 1 else f"'{group[0]}' to '{group[-1]}'"


def quoted(names: Sequence[str]) -> str:
    """The first few names."""
    return ", ".join(f"'{name}'" for name in names[:SHOWN]) + (
        f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    )
