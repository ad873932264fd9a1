"""Choose among the runs of a plan without labels: by how well each tells held-out normal clips from pasted ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from asdbench.core.errors import AsdbenchError
from asdbench.core.progress import Progress
from asdbench.datasets import Dataset
from asdbench.harness.cells import Cell
from asdbench.harness.merit import Judge
from asdbench.harness.plan import Plan
from asdbench.harness.record import RunRecord
from asdbench.protocols.definitions import DEFINITIONS
from asdbench.protocols.results import official_terms
from asdbench.selection import SelectionError


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
    for dataset in plan.datasets:
        for seed in dict.fromkeys(cell.seed for cell in plan.asked):
            cells = [cell for cell in plan.asked if cell.dataset is dataset and cell.seed == seed]
            if cells:
                choices.append(_choice(plan, dataset, cells, records, progress))
    return choices


def _choice(
    plan: Plan, dataset: Dataset, cells: Sequence[Cell], records: Mapping[str, RunRecord], progress: Progress
) -> Choice:
    merits: dict[str, dict[str, float]] = {cell.run_id: {} for cell in cells}
    left_out = {cell.run_id: "the run failed" for cell in cells if records[cell.run_id].status != "done"}
    judged = [cell for cell in cells if cell.run_id not in left_out]
    with progress.stage("choose", len(judged) * len(dataset.machines)) as stage:
        for machine in dataset.machines:
            judge = Judge(plan, machine, progress)
            for cell in judged:
                if cell.run_id not in left_out:
                    try:
                        merits[cell.run_id][machine] = judge.merit(cell)
                    except AsdbenchError as error:
                        left_out[cell.run_id] = str(error)
                stage.advance(1, cell.name)
    merits = {run: found for run, found in merits.items() if run not in left_out}
    if not merits:
        reasons = "\n".join(f"  {run}: {reason}" for run, reason in left_out.items())
        raise SelectionError(f"No run on {dataset.name} can be judged without labels:\n{reasons}")
    chosen = max(merits, key=lambda run: fmean(merits[run].values()))
    of_machine = {machine: max(merits, key=lambda run: merits[run][machine]) for machine in dataset.machines}
    results = {run: found for run in merits if (found := records[run].results) is not None}
    scores = {run: found.official_score for run, found in results.items()}
    oracle = max(scores, key=lambda run: scores[run]) if scores else None
    mixed = None
    if results:
        terms = {machine: official_terms(results[run].machines[machine]) for machine, run in of_machine.items()}
        mixed = float(DEFINITIONS[dataset.protocol].of_dataset(terms))
    return Choice(
        dataset=dataset.name,
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
