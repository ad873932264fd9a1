"""An entry's results are those of its scores, or it is refused."""

import math
from collections.abc import Iterator
from typing import Any

from asdbench.leaderboard.entry import Entry, EntryError
from asdbench.protocols import DEFINITIONS, Evaluation, evaluate
from asdbench.protocols.requirements import undefined_terms

TOLERANCE = 1e-9  # sums differ by less between processors


def verify(entry: Entry, name: str) -> None:
    """Recompute every number of an entry's results from its scores, and hold all of it to its digest.

    Args:
        entry: to be held to its scores.
        name: of its file, for the message.

    Raises:
        EntryError: the results were altered, or are not of the scores that stand beside them.
    """
    record = entry.record
    protocol = record.dataset.protocol
    if protocol not in DEFINITIONS:
        raise EntryError(f"{name}: no protocol '{protocol}'. Accepted: {', '.join(DEFINITIONS)}.")
    if record.status == "done" and record.results is None:
        raise EntryError(
            f"{name} has no results.\nIts labels are needed: asdbench leaderboard add RUN --ground-truth DIR"
        )
    recorded = record.results.machines if record.results is not None else record.salvaged
    if set(recorded) != set(entry.scores):
        apart = ", ".join(sorted(set(recorded) ^ set(entry.scores)))
        raise EntryError(f"{name} is altered: results and scores are not of the same machine types: {apart}.")
    if entry.scores:
        _require_same_results(entry, name)
    if not entry.intact:
        raise EntryError(
            f"{name} is altered: its record or scores are not those that were added, by the digest in the file.\n"
            "Add the run again: asdbench leaderboard add RUN --replace"
        )


def _require_same_results(entry: Entry, name: str) -> None:
    record = entry.record
    protocol = record.dataset.protocol
    recorded = record.results.machines if record.results is not None else record.salvaged
    sections = entry.sections()
    for (machine, section), rows in sections.items():
        for reason in undefined_terms(protocol, rows):
            raise EntryError(f"{name} is altered: {machine}, section {section}: {reason}.")
    again = evaluate(protocol, sections)
    pairs: list[tuple[str, Any, Any]] = [
        (f"results.{machine}", own, again.machines[machine]) for machine, own in recorded.items()
    ]
    if record.results is not None:
        pairs.append(("results", _total(record.results), _total(again)))
    for place, told, found in pairs:
        for where, was, now in _differences(_plain(told), _plain(found), place):
            raise EntryError(
                f"{name} is altered: {where} is recorded as {was}, but its scores give {now}.\n"
                "Add the run again: asdbench leaderboard add RUN --replace"
            )


def _total(evaluation: Evaluation) -> dict[str, Any]:
    return evaluation.model_dump(exclude={"machines"})


def _plain(value: Any) -> Any:
    return value if isinstance(value, dict) else value.model_dump()


def _differences(told: Any, found: Any, at: str) -> Iterator[tuple[str, Any, Any]]:
    """Where two nested values differ; means that an old record did not keep are passed over."""
    if isinstance(told, dict) and isinstance(found, dict):
        for key in [*told, *(key for key in found if key not in told)]:
            if key == "means" and told.get(key) is None:
                continue
            if key not in told or key not in found:
                yield f"{at}.{key}", told.get(key), found.get(key)
            else:
                yield from _differences(told[key], found[key], f"{at}.{key}")
    elif isinstance(told, float) and isinstance(found, float):
        if not math.isclose(told, found, rel_tol=TOLERANCE, abs_tol=TOLERANCE):
            yield at, told, found
    elif told != found:
        yield at, told, found
