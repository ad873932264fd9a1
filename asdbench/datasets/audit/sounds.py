"""What is wrong with the recordings themselves: unusable, clipped, of another form than the rest."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from asdbench.datasets.audio import Header
from asdbench.datasets.audit.findings import Finding, Level, Place, counted
from asdbench.datasets.audit.holdings import Holdings
from asdbench.datasets.audit.listening import CLIPPED_RUN, Heard

BULK = 0.9  # share of a machine type's recordings that must agree before the others count as strange
LENGTH_STEP_S = 0.01  # lengths that differ by less are the same
Files = list[tuple[Path, str]]


def sounds(holdings: Holdings, heard: Mapping[Path, Heard]) -> Iterator[Finding]:
    """Findings of each machine type, from its files read to the end."""
    for machine, part in holdings.parts.items():
        own = {one.path: heard[one.path] for one in part.recordings}

        def finding(kind: str, level: Level, what: str, files: Files, machine: str = machine) -> Finding:
            places = tuple(Place(holdings.relative(path), note) for path, note in files)
            return Finding(kind, level, machine, "", f"{counted(len(files), 'recording')} {what}", places)

        unusable = [(path, one.problem) for path, one in own.items() if one.problem]
        if unusable:
            yield finding("unusable", "error", "that cannot be used", unusable)
        clipped = sorted(((path, one.clipped) for path, one in own.items() if one.clipped), key=lambda item: -item[1])
        if clipped:
            files = [(path, f"{share:.2%} of its samples at full scale") for path, share in clipped]
            what = f"of {len(own)} clipped: {CLIPPED_RUN} or more samples in a row at full scale; the worst first"
            yield finding("clipped", "warning", what, files)
        dead = [(path, f"channel {', '.join(map(str, one.dead))}") for path, one in own.items() if one.dead]
        if dead:
            yield finding("dead-channel", "warning", "with a channel that holds no sound", dead)
        alike = [(path, "") for path, one in own.items() if one.alike]
        if alike:
            yield finding("same-channels", "warning", "whose channels are all the same", alike)
        headers = {path: one.header for path, one in own.items() if one.header and one.header.seconds > 0}
        for kind, what, files in _forms(holdings, headers):
            yield finding(kind, "warning", what, files)


def _forms(holdings: Holdings, headers: Mapping[Path, Header]) -> Iterator[tuple[str, str, Files]]:
    card = holdings.card
    clip_s = holdings.expected.clip_s if holdings.expected else None
    yield from _strange(headers, "rate", "Hz", lambda one: one.rate_hz, card.sample_rate_hz if card else None)
    yield from _strange(headers, "channels", "channels", lambda one: one.channels, card.channels if card else None)
    if clip_s is not None:
        low, high = clip_s[0] - LENGTH_STEP_S, clip_s[1] + LENGTH_STEP_S
        outside = [(p, f"{h.seconds:.2f} s") for p, h in headers.items() if not low <= h.seconds <= high]
        if outside:
            span = f"{clip_s[0]:g}" if clip_s[0] == clip_s[1] else f"{clip_s[0]:g} to {clip_s[1]:g}"
            yield "length", f"not of {span} s as the card says", outside
            headers = {path: one for path, one in headers.items() if low <= one.seconds <= high}
    steps = {path: round(one.seconds / LENGTH_STEP_S) for path, one in headers.items()}
    usual, share = _bulk(steps.values())
    strange = [(path, f"{headers[path].seconds:.2f} s") for path, step in steps.items() if abs(step - usual) > 1]
    if strange and share >= BULK:
        yield "length", f"not of {usual * LENGTH_STEP_S:g} s like the rest of the machine type", strange


def _strange(
    headers: Mapping[Path, Header], kind: str, unit: str, of: Callable[[Header], int], by_card: int | None
) -> Iterator[tuple[str, str, Files]]:
    values = {path: of(header) for path, header in headers.items()}
    wanted, _ = (by_card, 1.0) if by_card is not None else _bulk(values.values())
    files = [(path, f"{value} {unit}") for path, value in values.items() if value != wanted]
    if files:
        by_whom = "as the card says" if by_card is not None else "like most of the machine type"
        yield kind, f"not of {wanted} {unit} {by_whom}", files


def _bulk(values: Iterable[int]) -> tuple[int, float]:
    """The most frequent value and its share; 0 of nothing."""
    counts = Counter(values)
    if not counts:
        return 0, 0.0
    value, number = counts.most_common(1)[0]
    return value, number / counts.total()
