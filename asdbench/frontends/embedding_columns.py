"""Which columns of a table are the dimensions of an embedding: those that say so, and no others.

A table of embeddings often holds more numbers: labels, indices, durations. No list of names covers them all, so a
dimension has to be recognised: columns that are numbered alike, or one column of vectors, or what the user names.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

NUMBERED = re.compile(r"(.*?)([0-9]+)([^0-9]*)", re.DOTALL)  # by the last number in the name
# What a lone group of columns is asked about, whatever its form: one-hot labels are numbered too.
LABEL_WORDS = {
    "label", "labels", "class", "classes", "target", "targets", "y", "gt", "truth", "anomaly", "anomalies", "anomalous",
    "abnormal", "normal", "fault", "faults", "condition", "score", "scores", "prediction", "predictions", "decision",
    "decisions", "domain", "domains", "section", "sections", "attribute", "attributes", "machine", "machines", "split",
    "fold", "index", "id", "ids", "level", "unnamed", "onehot", "hot",
}  # fmt: skip
NUMERIC = ("number", "vector")
SHOWN = 8  # columns in a message
OPTION = "-p 'embedding-file.columns="


class ColumnError(ValueError):
    """Columns of which it cannot be said that they are the dimensions; the message says what to do."""


def dimensions(kinds: Mapping[str, str], wanted: Sequence[str] = ()) -> list[str]:
    """The columns of a table that are the dimensions of its embedding, in order.

    Args:
        kinds: "number", "vector" (of numbers) or anything else, by column; without those that name the clips.
        wanted: what the user names: columns, or a pattern in which ``*`` stands for a number.

    Raises:
        ColumnError: there are none, several groups of columns could be them, or they are not of one kind.
    """
    columns = _named(kinds, wanted) if wanted else _recognised(kinds)
    odd = [name for name in columns if kinds[name] not in NUMERIC]
    if odd:
        raise ColumnError(
            f"the column {quoted(odd)} holds {kinds[odd[0]]}, no number, and so is no dimension of an embedding"
        )
    if len(columns) > 1 and any(kinds[name] == "vector" for name in columns):
        raise ColumnError(
            f"{quoted(columns)} are not of one kind; an embedding is one column of vectors, or columns of numbers"
        )
    return columns


def described(kinds: Mapping[str, str], columns: Sequence[str]) -> str:
    """``the columns 'e0' to 'e5' (left out: 'is_abnormal')``."""
    few = quoted(columns) if len(columns) <= 3 else _span(columns)
    left_out = [name for name, kind in kinds.items() if kind in NUMERIC and name not in columns]
    return f"the column{'s' if len(columns) > 1 else ''} {few}" + (
        f" (left out: {quoted(left_out)})" if left_out else ""
    )


def _named(kinds: Mapping[str, str], wanted: Sequence[str]) -> list[str]:
    columns: list[str] = []
    for one in wanted:
        pattern = re.compile("([0-9]+)".join(map(re.escape, one.split("*"))))
        matches = {name: match for name in kinds if (match := pattern.fullmatch(name))}
        ordered = sorted(matches, key=lambda name: [int(number) for number in matches[name].groups()])
        if not matches and one not in kinds:
            raise ColumnError(f"it has no column '{one}'; it has {quoted(list(kinds))}")
        columns += [one] if one in kinds else ordered
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
        for one, following in pairwise(group):
            if _number(following) != _number(one) + 1:
                raise ColumnError(
                    f"{_span(group)} are not numbered one by one: '{one}' is followed by '{following}'. "
                    f"If that is right, say so: {spelt}"
                )
    return group


def _numbered(kinds: Mapping[str, str]) -> list[list[str]]:
    """Groups of two columns or more, of any kind, whose names are equal but for a number, in the order of it."""
    groups: dict[tuple[str, str], list[str]] = {}
    for name, kind in kinds.items():
        if kind != "vector" and (match := NUMBERED.fullmatch(name)):
            groups.setdefault((match[1], match[3]), []).append(name)
    return [sorted(group, key=_number) for group in groups.values() if len(group) > 1]


def _number(name: str) -> int:
    return int(re.findall("[0-9]+", name)[-1])


def _as_parameter(group: Sequence[str]) -> str:
    """How the user names a group, numbered alike or a single column."""
    pattern = group[0] if len(group) == 1 else re.sub("[0-9]+(?=[^0-9]*$)", "*", group[0])
    return f"{OPTION}{pattern}'"


def _span(group: Sequence[str]) -> str:
    return f"'{group[0]}'" if len(group) == 1 else f"'{group[0]}' to '{group[-1]}'"


def quoted(names: Sequence[str]) -> str:
    """The first few names."""
    return ", ".join(f"'{name}'" for name in names[:SHOWN]) + (
        f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    )
