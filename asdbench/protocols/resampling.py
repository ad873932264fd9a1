"""Resampled test sets: how the official score of a run, and of several seeds of a system, varies with the test clips.

Test clips are drawn with replacement within each (section, domain, label), so every replicate holds the data set's
own numbers of clips. The draws depend on machine type, section and the clips alone, not on the run: whatever is scored
on the same clips meets the same test sets, and the difference of two systems is free of the chance that they share.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asdbench.core.digests import derive_seed
from asdbench.core.errors import UsageError
from asdbench.protocols.definitions import DEFINITIONS, SectionScores
from asdbench.protocols.evaluation import evaluate
from asdbench.protocols.metrics import Array, resampled_auc, resampled_pauc
from asdbench.protocols.results import Interval, Intervals

REPLICATES = 10_000
METHOD = "bootstrap, stratified by section, domain and label; 2.5 and 97.5 percentiles"
CHUNK = 1_000  # replicates at a time: the draws of a large section then stay in the processor's cache
REMEMBERED = 2**23  # draws of a section up to which they are, 16 MiB; 32 sections are
EXACT_CLIPS = 5_000  # up to which sums over pairs of clips are exact in float32
Terms = dict[tuple[str, str], dict[str, Array]]  # (machine, section) -> term -> one value for each replicate
Sections = Mapping[tuple[str, str], SectionScores]


@dataclass(frozen=True)
class Resampled:
    """The official score in each resampled test set, of one run or of the mean of several."""

    total: Array  # (replicates,), over all machine types
    machines: dict[str, Array]  # by machine type, (replicates,)


@dataclass(frozen=True)
class Difference:
    """How the official scores of two systems differ on the same test clips.

    Attributes:
        difference: score of the first less that of the second.
        ci95: its 95 % interval.
        probability: share of replicates in which the first is better; ties count half.
    """

    difference: float
    ci95: Interval
    probability: float

    @property
    def significant(self) -> bool:
        """Whether the interval excludes 0."""
        return self.ci95[0] > 0 or self.ci95[1] < 0


def resampled_scores(protocol: str, sections: Sections, replicates: int = REPLICATES) -> Resampled:
    """The official score of one run in ``replicates`` resampled test sets, in total and for each machine type."""
    definition = DEFINITIONS[protocol]
    by_machine: dict[str, list[Array]] = {}
    for (machine, _), terms in resampled_terms(protocol, sections, replicates).items():
        by_machine.setdefault(machine, []).extend(terms.values())
    machines = {machine: definition.of_machine(values) for machine, values in by_machine.items()}
    return Resampled(definition.of_dataset(by_machine), machines)


def over_seeds(runs: Mapping[int, Resampled]) -> Resampled:
    """The mean over a system's seeds, in test sets whose seeds are resampled as well as their clips.

    An interval of it holds both what the choice of test clips and what the choice of seeds leaves open. Of n seeds,
    n - 1 are drawn with replacement: the variance of their mean is then s^2 / n with s^2 the unbiased variance over
    seeds; n draws would give (n - 1) / n of it, half with two seeds (Rao and Wu, Resampling Inference With Complex
    Survey Data, JASA 83, 1988, section 2). One run is returned as it is.

    Systems of the same seeds meet the same draws, as they meet the same test clips: what a seed does to both, two
    scorers on one trained network for instance, cancels in their difference. Other seeds are drawn by themselves.

    Args:
        runs: by seed, from ``resampled_scores`` on the same clips; the draws depend on the seeds alone.

    Raises:
        UsageError: the runs have not the same machine types.
    """
    seeds = sorted(runs)
    first = runs[seeds[0]]
    if len(seeds) == 1:
        return first
    apart = sorted({machine for run in runs.values() for machine in run.machines.keys() ^ first.machines.keys()})
    if apart:
        named = ", ".join(map(str, seeds))
        raise UsageError(f"Seeds {named} have no mean: not all of them have results of {', '.join(apart)}.")
    rng = np.random.default_rng(derive_seed(0, "seeds", *seeds))
    drawn = rng.integers(0, len(seeds), (len(seeds) - 1, len(first.total)))

    def mean(values: Sequence[Array]) -> Array:
        return np.asarray(np.take_along_axis(np.stack(values), drawn, axis=0).mean(axis=0))

    machines = {machine: mean([runs[seed].machines[machine] for seed in seeds]) for machine in first.machines}
    return Resampled(mean([runs[seed].total for seed in seeds]), machines)


def interval(values: Any) -> Interval:
    """The 2.5 and 97.5 percentiles."""
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def difference(point_difference: float, first: Resampled, second: Resampled, machine: str | None = None) -> Difference:
    """The difference of two systems resampled on the same clips, in total or of one machine type.

    Args:
        point_difference: of their scores on the test set as it is.
        first: resampled scores of the one.
        second: resampled scores of the other.
        machine: None for the total.
    """
    one, two = (run.total if machine is None else run.machines[machine] for run in (first, second))
    better = float(np.mean((one > two) + 0.5 * (one == two)))
    return Difference(point_difference, interval(one - two), better)


def resampled_terms(protocol: str, sections: Sections, replicates: int) -> Terms:
    """Every term of the official score in ``replicates`` resampled test sets."""
    metrics = {"auc": resampled_auc, "pauc": resampled_pauc}
    result: Terms = {}
    for (machine, section), unordered in sorted(sections.items()):
        rows = in_order_of_names(unordered)
        terms = [(term, np.flatnonzero(term.mask)) for term in DEFINITIONS[protocol].terms(rows)]
        chunks: dict[str, list[Array]] = {term.name: [] for term, _ in terms}
        form = np.float32 if len(rows.labels) <= EXACT_CLIPS else np.float64
        for weights in draws(rows, replicates, derive_seed(0, "bootstrap", machine, section), form):
            for term, clips in terms:
                weights_of_term = weights if len(clips) == len(rows.labels) else weights.T[clips].T
                chunks[term.name].append(metrics[term.metric](rows.labels[clips], rows.scores[clips], weights_of_term))
        result[machine, section] = {name: np.concatenate(values) for name, values in chunks.items()}
    return result


def in_order_of_names(rows: SectionScores) -> SectionScores:
    """The clips sorted by name, so that draws do not depend on the order of a file; nameless ones as they are."""
    if not rows.names:
        return rows
    order = np.array(sorted(range(len(rows.names)), key=rows.names.__getitem__), np.intp)
    decisions = None if rows.decisions is None else rows.decisions[order]
    names = tuple(rows.names[place] for place in order)
    return SectionScores(rows.labels[order], rows.domains[order], rows.scores[order], decisions, names)


def draws(rows: SectionScores, replicates: int, seed: int, form: type[Any] = np.float64) -> Iterator[Any]:
    """How often each clip is drawn, (up to CHUNK, clips) of ``form``, one clip's numbers side by side in memory."""
    strata = tuple(np.char.add(rows.domains.astype(str), rows.labels.astype(str)).tolist())
    counted = _remembered if len(strata) * replicates <= REMEMBERED else _counts
    for counts in counted(strata, replicates, seed):
        yield counts.astype(form).T


@lru_cache(maxsize=32)
def _remembered(strata: tuple[str, ...], replicates: int, seed: int) -> tuple[NDArray[np.uint16], ...]:
    """The counts of sections of usual size, since every system on the same clips meets them."""
    return tuple(_counts(strata, replicates, seed))


def _counts(strata: tuple[str, ...], replicates: int, seed: int) -> Iterator[NDArray[np.uint16]]:
    """How often each clip is drawn, (clips, up to CHUNK)."""
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(np.array(strata) == stratum) for stratum in sorted(set(strata))]
    clips = len(strata)
    for start in range(0, replicates, CHUNK):
        size = min(CHUNK, replicates - start)
        columns = np.arange(size)[:, None]
        drawn = [(one[rng.integers(0, len(one), (size, len(one)))] * size + columns).ravel() for one in members]
        counts = np.bincount(np.concatenate(drawn), minlength=size * clips)
        yield counts.reshape(clips, size).astype(np.uint16)


def bootstrap_intervals(protocol: str, sections: Sections, replicates: int = REPLICATES) -> Intervals:
    """The 2.5 and 97.5 percentiles of every number over ``replicates`` resampled test sets."""
    definition = DEFINITIONS[protocol]
    terms: dict[str, dict[str, dict[str, Array]]] = {}
    for (machine, section), columns in resampled_terms(protocol, sections, replicates).items():
        terms.setdefault(machine, {})[section] = columns
    values: dict[str, list[Array]] = {}
    machines = {}
    for machine, parts in terms.items():
        values[machine] = [column for part in parts.values() for column in part.values()]
        columns = {"official_score": definition.of_machine(values[machine])}
        for name in next(iter(parts.values())):
            columns[name] = definition.mean([part[name] for part in parts.values()])
        machines[machine] = _intervals(columns)
    return Intervals(
        method=METHOD,
        replicates=replicates,
        official_score=interval(definition.of_dataset(values)),
        machines=machines,
        sections={machine: {key: _intervals(part) for key, part in parts.items()} for machine, parts in terms.items()},
    )


def _intervals(columns: Mapping[str, Array]) -> dict[str, Interval]:
    return {name: interval(column) for name, column in columns.items()}


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
