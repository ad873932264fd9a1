"""Choose among the runs of a plan without labels, by a rating of each run that is taken from normal clips alone.

It is how well the run separates held-out normal clips from pasted ones, or how alike it scores both domains. Where the
user names a development set, its labels may leave runs out before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from asdbench.core.digests import derive_seed
from asdbench.core.errors import AsdbenchError, UsageError
from asdbench.core.progress import Progress
from asdbench.datasets import Dataset, TrainingClip
from asdbench.frontends.decoding import TrainingWaveforms
from asdbench.harness.cells import Cell
from asdbench.harness.embedding import EmbeddingStage
from asdbench.harness.fits import Fit, embed_features
from asdbench.harness.plan import Plan
from asdbench.harness.record import RunRecord
from asdbench.harness.scoring import SectionScorer, section_scorer
from asdbench.protocols.definitions import DEFINITIONS
from asdbench.protocols.results import official_terms
from asdbench.scorers.base import Embeddings
from asdbench.selection import Outliers, SelectionError, criterion, domain_balance, outlier_features, vetoed

# By section: features of the recordings, and the clips that they are made of.
Pasted = Mapping[str, tuple[Sequence[NDArray[np.float32]], Sequence[int]]]


@dataclass(frozen=True)
class Choice:
    """What was chosen among the runs of one data set and seed."""

    dataset: str  # its name
    seed: int  # base seed
    # By run and machine type, in [0, 1]; higher is better. From training clips alone.
    ratings: Mapping[str, Mapping[str, float]]
    left_out: Mapping[str, str]  # why runs have none
    chosen: str  # run with the largest mean over the machine types
    of_machine: Mapping[str, str]  # run with the largest one, by machine type
    score: float | None  # official score of ``chosen``; this and what follows is known by test labels, None without
    mixed_score: float | None  # official score where every machine type has the run that was chosen for it
    oracle: str | None  # run with the best official score among those that have ratings
    oracle_score: float | None  # that score; no choice can exceed it
    mean_score: float | None  # of those, what a choice at random would give
    development: str | None = None  # data set whose labels left runs out; None where no label had a part in the choice


def require_labels_of_development(plan: Plan) -> None:
    """Raise UsageError where the data set that may veto has no labels."""
    development = _development(plan)
    if development is not None and not development.labelled:
        raise UsageError(f"--veto {plan.spec.veto}: the test clips of {development.name} carry no labels to veto by.")


def choose(plan: Plan, records: Mapping[str, RunRecord], progress: Progress) -> list[Choice]:
    """One choice for each data set and seed of the plan, among its runs, which are done.

    Test labels are read only to say what the choice is worth; and those of the development set, where one was named,
    to leave runs out. On that set itself nothing is chosen, unless it is the only one.

    Raises:
        SelectionError: nothing can be said of any run of a data set and seed.
    """
    choices = []
    development = _development(plan)
    for dataset in (
        plan.datasets if len(plan.datasets) == 1 else (one for one in plan.datasets if one is not development)
    ):
        for seed in dict.fromkeys(cell.seed for cell in plan.asked):
            cells = [cell for cell in plan.asked if cell.dataset is dataset and cell.seed == seed]
            if cells:
                choices.append(_choice(plan, dataset, cells, records, progress))
    return choices


def _development(plan: Plan) -> Dataset | None:
    """The data set that may veto."""
    asked = plan.spec.development
    return None if asked is None else plan.datasets[plan.spec.dataset.index(asked[0])]


def _left_out_by_labels(plan: Plan, cells: Sequence[Cell], records: Mapping[str, RunRecord]) -> dict[str, str]:
    """Why runs are left out by their configurations' scores on the development set, by run."""
    development = _development(plan)
    if development is None or plan.spec.development is None:
        return {}
    points = plan.spec.development[1]
    scores = {
        _configuration(cell): results.official_score
        for cell in plan.asked
        if cell.dataset is development and (results := records[cell.run_id].results) is not None
    }
    below = vetoed({key: score for key, score in scores.items() if key[0] == cells[0].seed}, points)
    reasons = {}
    for cell in cells:
        key = _configuration(cell)
        if key in below:
            share = f"{100 * scores[key]:.2f}, {100 * below[key]:.2f} points below the best"
            reasons[cell.run_id] = f"veto by labels of {development.name}: {share}"
        elif key not in scores:
            reasons[cell.run_id] = f"veto: it has no score on {development.name}"
    return reasons


def _configuration(cell: Cell) -> tuple[object, ...]:
    """Equal for runs of the same seed, components and given parameters on different data sets."""
    parts = [part.name for part in cell.components]
    return cell.seed, cell.system, *parts, repr(sorted(cell.given.items(), key=str))


def _choice(
    plan: Plan, dataset: Dataset, cells: Sequence[Cell], records: Mapping[str, RunRecord], progress: Progress
) -> Choice:
    ratings: dict[str, dict[str, float]] = {cell.run_id: {} for cell in cells}
    left_out = _left_out_by_labels(plan, cells, records)
    left_out |= {cell.run_id: "the run failed" for cell in cells if records[cell.run_id].status != "done"}
    done = [cell for cell in cells if cell.run_id not in left_out]
    with progress.stage("choose", len(done) * len(dataset.machines)) as stage:
        for machine in dataset.machines:
            pasted: dict[str, Pasted] = {}  # by front end: the same recordings for all of them
            for cell in done:
                if cell.run_id not in left_out:
                    try:
                        ratings[cell.run_id][machine] = rating(plan, cell, machine, pasted, progress)
                    except AsdbenchError as error:
                        left_out[cell.run_id] = str(error)
                stage.advance(1, cell.name)
    ratings = {run: of_machine for run, of_machine in ratings.items() if run not in left_out}
    if not ratings:
        reasons = "\n".join(f"  {run}: {reason}" for run, reason in left_out.items())
        raise SelectionError(f"No run on {dataset.name} can be rated without labels:\n{reasons}")
    chosen = max(ratings, key=lambda run: fmean(ratings[run].values()))
    of_machine = {machine: max(ratings, key=lambda run: ratings[run][machine]) for machine in dataset.machines}
    results = {run: evaluation for run in ratings if (evaluation := records[run].results) is not None}
    scores = {run: evaluation.official_score for run, evaluation in results.items()}
    oracle = max(scores, key=lambda run: scores[run]) if scores else None
    mixed = None
    if results:
        terms = {machine: official_terms(results[run].machines[machine]) for machine, run in of_machine.items()}
        mixed = float(DEFINITIONS[dataset.protocol].of_dataset(terms))
    return Choice(
        dataset=dataset.name,
        seed=cells[0].seed,
        ratings=ratings,
        left_out=left_out,
        chosen=chosen,
        of_machine=of_machine,
        score=scores.get(chosen),
        mixed_score=mixed,
        oracle=oracle,
        oracle_score=scores[oracle] if oracle else None,
        mean_score=fmean(scores.values()) if scores else None,
        development=development.name if (development := _development(plan)) is not None else None,
    )


def rating(plan: Plan, cell: Cell, machine: str, pasted: dict[str, Pasted], progress: Progress) -> float:
    """How good a run is on one machine type, in [0, 1]: mean over sections, weighted by training clips.

    Args:
        plan: cache, device and threads.
        cell: the run.
        machine: machine type.
        pasted: recordings made before, by front end; those of this one are added.
        progress: where the work is reported.

    Raises:
        AsdbenchError: nothing can be said of it; the message says why.
    """
    training = _by_section(cell.dataset.training(machine))
    members = [_embed(plan, member, machine, training, pasted, progress) for member in cell.members or (cell,)]
    total = 0.0
    for section, clips in training.items():
        rows, outliers = zip(*(member[section] for member in members), strict=True)
        fitted = partial(_fitted, cell, machine, section, np.cumsum([part.shape[1] for part in rows])[:-1].tolist())
        side_by_side = np.concatenate(rows, axis=1)
        if plan.spec.select == "domain-balance":
            total += (1.0 - domain_balance(side_by_side, clips, fitted)) * len(clips)
        else:
            others = Outliers(np.concatenate([one.rows for one in outliers], axis=1), outliers[0].made_of)
            total += criterion(side_by_side, clips, fitted, others) * len(clips)
    return total / sum(map(len, training.values()))


@dataclass(frozen=True)
class _Detector:
    """The scorer of a section that takes the members' embeddings side by side."""

    scorer: SectionScorer
    ends: Sequence[int]  # of each member's but the last

    def score(self, rows: Embeddings) -> NDArray[np.float64]:
        """Anomaly score of each row, float64 (n,)."""
        return self.scorer.score(np.split(rows, self.ends, axis=1))


def _fitted(
    cell: Cell, machine: str, section: str, ends: Sequence[int], rows: Embeddings, clips: Sequence[TrainingClip]
) -> _Detector:
    return _Detector(section_scorer(cell, machine, section).fit(np.split(rows, ends, axis=1), clips), ends)


def _embed(
    plan: Plan,
    cell: Cell,
    machine: str,
    training: Mapping[str, Sequence[TrainingClip]],
    pasted: dict[str, Pasted],
    progress: Progress,
) -> dict[str, tuple[Embeddings, Outliers]]:
    """Embeddings of training clips and of pasted recordings, none where the domains are compared, by section."""
    embeddings = EmbeddingStage(cell, plan.cache, progress, plan.cores).run([machine]).of(machine)
    row_of = {clip.key: row for row, clip in enumerate(cell.dataset.blind(machine))}
    by_section = {}
    for section, clips in training.items():
        rows = embeddings[[row_of[clip.key] for clip in clips]]
        by_section[section] = rows, Outliers(rows[:0], np.array([], int))
    if plan.spec.select == "domain-balance":
        return by_section
    frontend, fit = repr(cell.frontend.identity()), Fit(cell, cell.group_of(machine), plan.cache)
    if frontend not in pasted:
        pasted[frontend] = _paste(plan, cell, machine)
    for section, (features, made_of) in pasted[frontend].items():
        pasted_rows = embed_features(
            fit.extractor(), cell.extractor.name, features, cell.frontend.build(), seed=fit.seed, device=cell.device,
            threads=cell.threads, machine=machine, section=section,
        )  # fmt: skip
        by_section[section] = by_section[section][0], Outliers(pasted_rows, np.array(made_of))
    return by_section


def _paste(plan: Plan, cell: Cell, machine: str) -> Pasted:
    """The same pasted recordings for every front end, as that of the cell makes features of them."""
    clips = cell.dataset.select(machines=[machine], split="train")
    frontend = cell.frontend.build()
    waveforms = TrainingWaveforms({clip.key: clip.path for clip in clips}, frontend)
    by_section = {}
    for section, training in _by_section(clips.training_view()).items():
        seed = derive_seed(cell.seed, "outliers", machine, section)
        hosts, features = zip(*outlier_features(training, waveforms, frontend, seed, plan.cores), strict=True)
        by_section[section] = features, hosts
    return by_section


def _by_section(clips: Sequence[TrainingClip]) -> dict[str, list[TrainingClip]]:
    sections: dict[str, list[TrainingClip]] = {}
    for clip in clips:
        sections.setdefault(clip.section, []).append(clip)
    return sections
