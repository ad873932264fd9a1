"""Bootstrap intervals of the official score and of every cell, and of the difference of two runs.

How test sets are resampled stands in ``resampling``.
"""

from asdbench.core.errors import UsageError
from asdbench.protocols.definitions import DEFINITIONS
from asdbench.protocols.evaluation import evaluate
from asdbench.protocols.resampling import (
    REPLICATES,
    Difference,
    Sections,
    by_machine,
    difference,
    in_order_of_names,
    interval,
    resampled_scores,
    resampled_terms,
)
from asdbench.protocols.results import Interval, Intervals

METHOD = "bootstrap, stratified by section, domain and label; 2.5 and 97.5 percentiles"


def bootstrap_intervals(protocol: str, sections: Sections, replicates: int = REPLICATES) -> Intervals:
    """The 2.5 and 97.5 percentiles of every number over ``replicates`` resampled test sets."""
    definition = DEFINITIONS[protocol]
    found = resampled_terms(protocol, sections, replicates)
    machines: dict[str, dict[str, Interval]] = {}
    values = {}
    for machine, terms in by_machine(found).items():
        values[machine] = [value for part in terms for value in part.values()]
        columns = {"official_score": definition.of_machine(values[machine])}
        for name in terms[0]:
            columns[name] = definition.mean([part[name] for part in terms])
        machines[machine] = {name: interval(column) for name, column in columns.items()}
    parts: dict[str, dict[str, dict[str, Interval]]] = {}
    for (machine, section), own in found.items():
        parts.setdefault(machine, {})[section] = {name: interval(column) for name, column in own.items()}
    return Intervals(
        method=METHOD,
        replicates=replicates,
        official_score=interval(definition.of_dataset(values)),
        machines=machines,
        sections=parts,
    )


def paired_difference(protocol: str, first: Sections, second: Sections, replicates: int = REPLICATES) -> Difference:
    """Compare two runs on the same clips: both are scored on every resampled test set.

    Raises:
        UsageError: they were not scored on the same test clips.
    """
    require_same_clips(first, second)
    points = [evaluate(protocol, sections).official_score for sections in (first, second)]
    one, two = (resampled_scores(protocol, sections, replicates) for sections in (first, second))
    return difference(points[0] - points[1], one, two)


def require_same_clips(first: Sections, second: Sections, names: tuple[str, str] = ("the first", "the second")) -> None:
    """Refuse two runs that were not scored on the same clips: they have no paired difference.

    Args:
        first: rows of the one.
        second: rows of the other.
        names: what the two are called in the message.

    Raises:
        UsageError: their sections, clips, labels or domains differ.
    """
    both = " and ".join(names)
    if first.keys() != second.keys():
        apart = ", ".join(f"{machine} {section}" for machine, section in sorted(first.keys() ^ second.keys()))
        raise UsageError(f"Not scored on the same sections: {both}; only one has {apart}.")
    for key in first:
        one, two = in_order_of_names(first[key]), in_order_of_names(second[key])
        if not one.names or one.names != two.names:
            raise UsageError(f"Not scored on the same clips of {key[0]}, section {key[1]}: {both}.")
        if (one.labels != two.labels).any() or (one.domains != two.domains).any():
            raise UsageError(f"The labels or domains of {key[0]}, section {key[1]}, differ: {both}.")
