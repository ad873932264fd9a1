"""Do one trial: fits, scores and runs of one configuration, machine type by machine type."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import fmean

from asdbench.core.errors import AsdbenchError
from asdbench.core.locks import BusyError
from asdbench.core.progress import Progress
from asdbench.harness.cell import labelled_rows, outcome_of, run_cell
from asdbench.harness.embedding import EmbeddingStage
from asdbench.harness.kept import Embedded
from asdbench.harness.plan import Cell, Plan
from asdbench.harness.record import Failure, RunRecord
from asdbench.harness.writing import Outcomes
from asdbench.protocols import DEFINITIONS, MachineResult, evaluate, official_terms
from asdbench.scorers.base import Embeddings
from asdbench.tuning.record import Objective, Part

UNIT = 1000  # steps of one machine type with one seed; a training that is half done stands at 500
Unit = tuple[str, int]  # machine type and seed
Tell = Callable[[int, float], None]  # step, and the official score of what is known by then
Parts = dict[int, dict[str, Part]]
SPENT = ("fit", "embed", "score")  # stages whose seconds count; features are made once for all


class TrialError(AsdbenchError):
    """A configuration that has no score."""

    def __init__(self, reason: str, detail: str = "") -> None:
        self.detail = detail
        super().__init__(reason)


@dataclass
class Conducted:
    """What came of a trial; filled while it goes on."""

    parts: Parts = field(default_factory=dict)
    runs: list[RunRecord] = field(default_factory=list)

    def values(self, objectives: list[Objective]) -> list[float]:
        """One number for each objective, mean over seeds."""
        return [fmean(_value(run, objective) for run in self.runs) for objective in objectives]


def units(machines: list[str], seeds: list[int], seeds_first: bool) -> list[Unit]:
    """The order in which all trials of a study get on.

    Machine type by machine type, so that a trial can be given up before most is trained; seed by seed where one
    training serves all machine types.
    """
    if seeds_first:
        return [(machine, seed) for seed in seeds for machine in machines]
    return [(machine, seed) for machine in machines for seed in seeds]


class Conductor:
    """Does one trial.

    Args:
        plan: its runs, one for each seed.
        order: of ``units``.
        progress: where the work is reported.
        tell: told the score after each unit, and after each quarter of a training where ``within``; it ends the trial
            by raising ``Abandoned``. None: nobody wants to know, so what another process is training is left for later.
        within: also tell while a training goes on.
        jobs: threads for decoding.
    """

    def __init__(
        self,
        plan: Plan,
        order: list[Unit],
        progress: Progress,
        tell: Tell | None = None,
        within: bool = True,
        jobs: int | None = None,
    ) -> None:
        self._plan = plan
        self._order = order
        self._progress = progress
        self._tell = tell
        self._within = within and tell is not None
        self._jobs = jobs
        self._cells = {cell.seed: cell for cell in plan.cells}
        self._definition = DEFINITIONS[plan.recordings[0].table.protocol]
        self._rows: dict[int, Embedded] = {seed: Embedded() for seed in self._cells}
        self._outcomes: dict[int, Outcomes] = {seed: {} for seed in self._cells}
        self._seconds = dict.fromkeys(self._cells, 0.0)
        self.done = Conducted()

    def run(self) -> Conducted:
        """Fit, embed and score; leave a run for each seed.

        Raises:
            TrialError: a part of it failed.
            AsdbenchError: what would meet every trial: bad recordings, a full disk.
            Abandoned: ``tell`` wants no more.
        """
        for component in self._parts():
            component.build()  # refuses its parameters at once
        if self._tell is None:
            self._fit_what_is_free()
        for number, unit in enumerate(self._order):
            self._do(number, *unit)
            if self._tell is not None:
                self._tell((number + 1) * UNIT, self.score(self.done.parts))
        for seed, cell in self._cells.items():
            seconds = {"score": self._seconds[seed]}
            record = run_cell(
                self._plan, cell, self._progress, seconds=seconds, jobs=self._jobs, scored=self._outcomes[seed]
            )
            _refuse(record.failures)
            self.done.runs.append(record)
        return self.done

    def score(self, parts: Mapping[int, Mapping[str, Part]]) -> float:
        """The official score over the machine types that are known, mean over seeds."""
        of_dataset = self._definition.of_dataset
        known = [{machine: part.terms for machine, part in own.items()} for own in parts.values() if own]
        return fmean(float(of_dataset(terms)) for terms in known)

    def _parts(self) -> list:  # type: ignore[type-arg]
        cell = self._plan.cells[0]
        return [cell.pipeline.extractor, cell.pipeline.frontend, *cell.pipeline.augmentations, cell.scorer]

    def _fit_what_is_free(self) -> None:
        """Train what no other process is training; of two trials that share a fit, each does a part of it."""
        for cell in self._cells.values():
            for group in cell.groups:
                try:
                    _refuse(EmbeddingStage(self._plan, cell, self._progress, self._jobs).compute(group, wait=False))
                except BusyError:
                    continue

    def _do(self, number: int, machine: str, seed: int) -> None:
        cell, embedded = self._cells[seed], self._rows[seed]
        if machine not in embedded.rows:
            group = next(group for group in cell.groups if machine in group)

            def watch(rows: Mapping[str, Embeddings], fraction: float) -> None:
                self._show(number, cell, rows, fraction)

            stage = EmbeddingStage(self._plan, cell, self._progress, self._jobs, watch if self._within else None)
            stage.add_group(group, embedded)
            _refuse(embedded.failures)
        started = time.perf_counter()
        outcome = outcome_of(cell, embedded.rows[machine], machine)
        self._seconds[seed] += time.perf_counter() - started
        self._outcomes[seed][machine] = outcome
        self.done.parts.setdefault(seed, {})[machine] = _part(cell, machine, outcome)

    def _show(self, number: int, cell: Cell, rows: Mapping[str, Embeddings], fraction: float) -> None:
        """Tell the score with a network as it stands; one that cannot be scored yet is told nothing of."""
        assert self._tell is not None
        try:
            own = {machine: _part(cell, machine, outcome_of(cell, found, machine)) for machine, found in rows.items()}
        except Exception:
            return
        known = {**self.done.parts, cell.seed: {**self.done.parts.get(cell.seed, {}), **own}}
        self._tell(number * UNIT + round(fraction * UNIT), self.score(known))


def _part(cell: Cell, machine: str, outcome: dict) -> Part:  # type: ignore[type-arg]
    evaluation = evaluate(cell.data.table.protocol, labelled_rows(cell, {machine: outcome}))
    return part_of(evaluation.machines[machine])


def part_of(result: MachineResult) -> Part:
    """One machine type's results as a trial keeps them."""
    return Part(
        official_score=result.official_score,
        terms=official_terms(result),
        auc_source=result.auc_source,
        auc_target=result.auc_target,
        pauc=result.pauc,
    )


def _refuse(failures: list[Failure]) -> None:
    if failures:
        first = failures[0]
        where = f" ({first.machine})" if first.machine and first.machine not in first.reason else ""
        raise TrialError(f"{first.stage}{where}: {first.reason}", first.detail)


def _value(run: RunRecord, objective: Objective) -> float:
    assert run.results is not None
    if objective == "score":
        return run.results.official_score
    if objective == "seconds":
        return sum(run.seconds.get(stage, 0.0) for stage in SPENT)
    return float(sum(network.parameters or 0 for network in run.training))
