"""Resampled test sets: how the official score of a run, and of several seeds of a system, varies with the test clips.

Test clips are drawn with replacement within each (section, domain, label), so every replicate holds the data set's
own numbers of clips. The draws depend on machine type, section and the clips alone, not on the run: whatever is scored
on the same clips meets the same test sets, and the difference of two systems is free of the chance that they share.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asdbench.core.digests import derive_seed
from asdbench.core.errors import UsageError
from asdbench.protocols.definitions import DEFINITIONS
from asdbench.protocols.results import Interval
from asdbench.protocols.sections import SectionScores
from asdbench.protocols.weighted_metrics import resampled_auc, resampled_pauc

REPLICATES = 10_000
CHUNK = 1_000  # replicates at a time: the draws of a large section then stay in the processor's cache
Array = NDArray[np.float64]
Terms = dict[tuple[str, str], dict[str, Array]]  # (machine, section) -> term -> one value for each replicate
Sections = Mapping[tuple[str, str], SectionScores]


@dataclass(frozen=True)
class Resampled:
    """The official score in each resampled test set, of one run or of the mean of several.

    Attributes:
        total: (replicates,), over all machine types.
        machines: by machine type, (replicates,).
    """

    total: Array
    machines: dict[str, Array]


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
    terms = by_machine(resampled_terms(protocol, sections, replicates))
    values = {machine: [value for part in parts for value in part.values()] for machine, parts in terms.items()}
    machines = {machine: definition.of_machine(own) for machine, own in values.items()}
    return Resampled(definition.of_dataset(values), machines)


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
    definition = DEFINITIONS[protocol]
    metrics = {"auc": resampled_auc, "pauc": resampled_pauc}
    found: Terms = {}
    for (machine, section), given in sorted(sections.items()):
        rows = in_order_of_names(given)
        terms = [(term, np.flatnonzero(term.mask)) for term in definition.terms(rows)]
        seed = derive_seed(0, "bootstrap", machine, section)
        chunks: dict[str, list[Array]] = {term.name: [] for term, _ in terms}
        for weights in draws(rows, replicates, seed):
            for term, own in terms:
                part = weights if len(own) == len(rows.labels) else weights.T[own].T
                chunks[term.name].append(metrics[term.metric](rows.labels[own], rows.scores[own], part))
        found[machine, section] = {name: np.concatenate(values) for name, values in chunks.items()}
    return found


def by_machine(found: Terms) -> dict[str, list[dict[str, Array]]]:
    """The terms of each machine type's sections."""
    machines: dict[str, list[dict[str, Array]]] = {}
    for (machine, _), terms in found.items():
        machines.setdefault(machine, []).append(terms)
    return machines


def in_order_of_names(rows: SectionScores) -> SectionScores:
    """The clips sorted by name, so that draws do not depend on the order of a file; nameless ones as they are."""
    if not rows.names:
        return rows
    order = np.array(sorted(range(len(rows.names)), key=rows.names.__getitem__), np.intp)
    decisions = None if rows.decisions is None else rows.decisions[order]
    names = tuple(rows.names[place] for place in order)
    return SectionScores(rows.labels[order], rows.domains[order], rows.scores[order], decisions, names)


def draws(rows: SectionScores, replicates: int, seed: int) -> Iterator[Array]:
    """How often each clip is drawn, (up to CHUNK, clips), one clip's numbers side by side in memory."""
    rng = np.random.default_rng(seed)
    strata = np.char.add(rows.domains.astype(str), rows.labels.astype(str))
    members = [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]
    clips = len(rows.labels)
    for start in range(0, replicates, CHUNK):
        size = min(CHUNK, replicates - start)
        columns = np.arange(size)[:, None]
        drawn = [own[rng.integers(0, len(own), (size, len(own)))] * size + columns for own in members]
        counts = np.bincount(np.concatenate([part.ravel() for part in drawn]), minlength=size * clips)
        yield counts.reshape(clips, size).astype(np.float64).T
