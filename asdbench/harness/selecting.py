"""Choose among the runs of a plan without labels: by how well each tells held-out normal clips from pasted ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean

import numpy as np

from asdbench.core.digests import derive_seed
from asdbench.core.errors import AsdbenchError
from asdbench.core.progress import Progress
from asdbench.datasets import BlindClip, TrainingClip
from asdbench.frontends.held import HeldFeatures
from asdbench.frontends.waveforms import TrainingWaveforms
from asdbench.harness.embedding import EmbeddingStage
from asdbench.harness.kept import Embedded
from asdbench.harness.plan import Cell, Pipeline, Plan, Recordings
from asdbench.harness.record import RunRecord
from asdbench.harness.scoring import fitted_scorer
from asdbench.protocols.definitions import DEFINITIONS
from asdbench.protocols.results import official_terms
from asdbench.registry.cards import ScorerCard
from asdbench.selection import Outliers, SelectionError, criterion, outlier_features


@dataclass(frozen=True)
class Choice:
    """What was chosen among the runs of one data set and seed.

    Attributes:
        dataset: its name.
        seed: base seed.
        merits: by run and machine type, in (0, 1]; higher is better. From training clips alone.
        left_out: why runs could not be judged.
        chosen: run with the largest mean merit over the machine types.
        of_machine: run with the largest merit, by machine type.
        score: official score of ``chosen``; this and what follows is known by test labels, None without.
        mixed_score: official score where every machine type has the run that was chosen for it.
        oracle: run with the best official score among those that were judged.
        oracle_score: that score; no choice can exceed it.
        mean_score: of those that were judged, what a choice at random would give.
    """

    dataset: str
    seed: int
    merits: Mapping[str, Mapping[str, float]]
    left_out: Mapping[str, str]
    chosen: str
    of_machine: Mapping[str, str]
    score: float | None
    mixed_score: float | None
    oracle: str | None
    oracle_score: float | None
    mean_score: float | None


def choose(plan: Plan, records: Mapping[str, RunRecord], progress: Progress) -> list[Choice]:
    """One choice for each data set and seed of the plan, among its runs.

    Test labels are read only to say what the choice is worth.

    Args:
        plan: whose runs are done.
        records: of all of them, by run.
        progress: where the work is reported.

    Raises:
        SelectionError: no run of a data set and seed can be judged.
    """
    choices = []
    for data in plan.recordings:
        for seed in dict.fromkeys(cell.seed for cell in plan.cells):
            cells = [cell for cell in plan.cells if cell.data is data and cell.seed == seed]
            if cells:
                choices.append(_choice(plan, data, cells, records, progress))
    return choices


def _choice(
    plan: Plan, data: Recordings, cells: Sequence[Cell], records: Mapping[str, RunRecord], progress: Progress
) -> Choice:
    merits: dict[str, dict[str, float]] = {cell.run_id: {} for cell in cells}
    left_out = {cell.run_id: "the run failed" for cell in cells if records[cell.run_id].status != "done"}
    left_out |= {cell.run_id: "members of an ensemble have seen the clips" for cell in cells if cell.pipeline.members}
    heard: dict[str, _Pasted] = {}
    judged = [cell for cell in cells if cell.run_id not in left_out]
    with progress.stage("choose", len(judged) * len(data.table.machines)) as stage:
        for machine in data.table.machines:
            heard.clear()  # pasted recordings of one machine type at a time
            for cell in judged:
                if cell.run_id not in left_out:
                    try:
                        merits[cell.run_id][machine] = _merit(plan, cell, machine, heard, progress)
                    except AsdbenchError as error:
                        left_out[cell.run_id] = str(error)
                stage.advance(1, cell.name)
    merits = {run: found for run, found in merits.items() if run not in left_out}
    if not merits:
        reasons = "\n".join(f"  {run}: {reason}" for run, reason in left_out.items())
        raise SelectionError(f"No run on {data.table.name} can be judged without labels:\n{reasons}")
    chosen = max(merits, key=lambda run: fmean(merits[run].values()))
    of_machine = {machine: max(merits, key=lambda run: merits[run][machine]) for machine in data.table.machines}
    results = {run: found for run in merits if (found := records[run].results) is not None}
    scores = {run: found.official_score for run, found in results.items()}
    oracle = max(scores, key=lambda run: scores[run]) if scores else None
    mixed = None
    if results:
        terms = {machine: official_terms(results[run].machines[machine]) for machine, run in of_machine.items()}
        mixed = float(DEFINITIONS[data.table.protocol].of_dataset(terms))
    return Choice(
        dataset=data.table.name,
        seed=cells[0].seed,
        merits=merits,
        left_out=left_out,
        chosen=chosen,
        of_machine=of_machine,
        score=scores.get(chosen),
        mixed_score=mixed,
        oracle=oracle,
        oracle_score=scores[oracle] if oracle else None,
        mean_score=fmean(scores.values()) if scores else None,
    )


@dataclass(frozen=True)
class _Pasted:
    """Features of pasted recordings of a machine type: by section the clips they are made of, and their keys."""

    features: HeldFeatures
    made_of: Mapping[str, Sequence[int]]

    def clips(self, machine: str, section: str) -> list[BlindClip]:
        return [BlindClip(f"{section}.{number}", machine, section) for number in range(len(self.made_of[section]))]


def _merit(plan: Plan, cell: Cell, machine: str, heard: dict[str, _Pasted], progress: Progress) -> float:
    """Merit of a run on one machine type, the mean over sections weighted by their training clips."""
    stage = EmbeddingStage(plan, cell, progress)
    done = Embedded()
    stage.add_group(next(group for group in cell.groups if machine in group), done)
    table = cell.data.table.select(machines=[machine])
    place = {(clip.key, clip.section): row for row, clip in enumerate(table.blind_view())}
    training = _by_section(table.training_view())
    name = repr(cell.pipeline.frontend.identity())
    if name not in heard:
        heard[name] = _paste(plan, cell.pipeline, cell.data, machine, cell.seed)
    pasted = heard[name]
    assert isinstance(cell.scorer.card, ScorerCard)
    total = 0.0
    for section, clips in training.items():
        rows = done.rows[machine][[place[clip.key, section] for clip in clips]]
        made = stage.embed_held(pasted.clips(machine, section), pasted.features, machine)
        fitted = partial(fitted_scorer, cell.scorer, cell.seed, machine, section)
        outliers = Outliers(made, np.array(pasted.made_of[section]))
        total += criterion(rows, clips, fitted, outliers) * len(clips)
    return total / sum(map(len, training.values()))


def _by_section(clips: Sequence[TrainingClip]) -> dict[str, list[TrainingClip]]:
    found: dict[str, list[TrainingClip]] = {}
    for clip in clips:
        found.setdefault(clip.section, []).append(clip)
    return found


def _paste(plan: Plan, pipeline: Pipeline, data: Recordings, machine: str, seed: int) -> _Pasted:
    """The same pasted recordings for every front end, as this one hears them."""
    table = data.table.select(machines=[machine], split="train")
    frontend = pipeline.frontend.build()
    waveforms = TrainingWaveforms({clip.key: clip.path for clip in table}, frontend)
    arrays, made_of = {}, {}
    for section, clips in _by_section(table.training_view()).items():
        own = derive_seed(seed, "outliers", machine, section)
        found = list(outlier_features(clips, waveforms, frontend, own, plan.cores))
        made_of[section] = [host for host, _ in found]
        arrays.update({f"{section}.{number}": features for number, (_, features) in enumerate(found)})
    return _Pasted(HeldFeatures(arrays), made_of)
