"""Compare ground truths with one another and with the test recordings."""

from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path

from asdbench.datasets.audit.findings import Finding, Place, counted
from asdbench.datasets.audit.holdings import Holdings
from asdbench.datasets.ground_truths import EVALUATOR, ClipName, Truth, read_ground_truths
from asdbench.datasets.names import parse_name

KNOWN = "ground_truth"  # name of the card's problem that names such a conflict
FILE_NAMES = "the recordings' names"

Section = tuple[str, str]  # machine type, section


def conflicts(holdings: Holdings, place: Path) -> Iterator[Finding]:
    """Labels and domains that differ between ground truths, and clips of one that are not in the other.

    Raises:
        DataError: there is no ground truth of these machine types, or it cannot be read.
    """
    truths = read_ground_truths(place, holdings.wanted, holdings.card.year if holdings.card else None)
    for kind, truth in truths.items():
        yield from _names(holdings, kind, truth)
    truths[FILE_NAMES] = _of_recordings(holdings)
    known = holdings.card is not None and KNOWN in holdings.card.problems
    for (one, first), (other, second) in combinations(truths.items(), 2):
        labels = _differing(first.labels, second.labels)
        domains = _differing(first.domains, second.domains)
        shared, differing = _by_section(first.clips & second.clips), _by_section(labels | domains)
        after = f" ({_numbers(labels, domains)} in all)" if len(differing) > 1 else ""
        after += "; the card knows of it" if known else ""
        for (machine, section), clips in differing.items():
            yield Finding(
                "ground-truth-conflict", "warning" if known else "error", machine, section,
                f"{_numbers(labels & clips, domains & clips)} of {len(shared[machine, section])} test clips differ: "
                f"{one} against {other}{after}",
                tuple(
                    Place(clip[1], " and ".join(["label"] * (clip in labels) + ["domain"] * (clip in domains)))
                    for clip in sorted(clips)
                ),
            )  # fmt: skip


def _numbers(labels: set[ClipName], domains: set[ClipName]) -> str:
    return f"{counted(len(labels), 'label')} and {counted(len(domains), 'domain')}"


def _names(holdings: Holdings, kind: str, truth: Truth) -> Iterator[Finding]:
    """Clips that only the ground truth or only the folder has; machine types without test recordings are not asked."""
    listed, there = _by_section(truth.clips), _by_section(_test_clips(holdings))
    here, asked = {machine for machine, _ in there}, {machine for machine, _ in listed}
    for machine, section in sorted({*listed, *there}):
        names, recordings = listed.get((machine, section), set()), there.get((machine, section), set())
        if machine not in here or machine not in asked or (kind != EVALUATOR and not names):
            continue  # the other kinds need not have every section
        for lacking, words in (
            (names - recordings, f"in {kind} without a test recording of that name"),
            (recordings - names, f"among the test recordings that {kind} does not name"),
        ):
            if lacking:
                yield Finding(
                    "ground-truth-names", "error", machine, section,
                    f"{counted(len(lacking), 'clip')} {words}", tuple(Place(name) for _, name in sorted(lacking)),
                )  # fmt: skip


def _of_recordings(holdings: Holdings) -> Truth:
    tests = [one for one in holdings.recordings if one.split == "test"]
    return Truth(
        {(one.machine, one.path.stem): one.facts.label for one in tests if one.facts.label is not None},
        {(one.machine, one.path.stem): one.facts.domain for one in tests if one.facts.domain is not None},
    )


def _test_clips(holdings: Holdings) -> set[ClipName]:
    return {(one.machine, one.path.stem) for one in holdings.recordings if one.split == "test"}


def _differing(first: Mapping[ClipName, int | str], second: Mapping[ClipName, int | str]) -> set[ClipName]:
    return {clip for clip in first.keys() & second.keys() if first[clip] != second[clip]}


def _by_section(clips: set[ClipName]) -> dict[Section, set[ClipName]]:
    found: dict[Section, set[ClipName]] = {}
    for machine, name in sorted(clips):
        facts = parse_name(name)
        found.setdefault((machine, facts.section if facts else ""), set()).add((machine, name))
    return found
