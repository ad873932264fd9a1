"""What a plan comes to: what is there already, what is to be done, and how long that takes."""

from dataclasses import dataclass
from typing import Literal

from asdbench.harness.cells import Cell
from asdbench.harness.estimate import Estimates
from asdbench.harness.experiment import tasks_at_once
from asdbench.harness.fits import Fit
from asdbench.harness.pipeline import recorded_run
from asdbench.harness.plan import Plan
from asdbench.harness.tasks import FitTask, ScoreTask, Task, fit_tasks


@dataclass(frozen=True)
class Outlook:
    """One run.

    Attributes:
        cell: the run.
        state: "failed" for one that failed before and is not to be tried again.
        fits: that it needs: one, or one for each machine type.
        trained: of them, how many are in the cache.
        embedded: of them, how many have all their embeddings in the cache.
        estimate_s: by past runs, fits shared with other runs included; None where none tells.
    """

    cell: Cell
    state: Literal["done", "failed", "to do"]
    fits: int
    trained: int
    embedded: int
    estimate_s: float | None


@dataclass(frozen=True)
class Forecast:
    """The whole plan.

    Attributes:
        cells: the runs.
        processes: at work at a time.
        fits: to be done.
        unknown_fits: of them, those that no past run tells of.
        total_s: about how long everything takes; None where nothing is known.
    """

    cells: tuple[Outlook, ...]
    processes: int
    fits: int
    unknown_fits: int
    total_s: float | None


def forecast(plan: Plan) -> Forecast:
    """Look at records and cache, without changing anything."""
    estimates = Estimates(plan)
    needs = fit_tasks(plan, range(len(plan.cells)))
    missing: dict[FitTask, None] = {}
    to_do, cells = [], []
    for number, cell in enumerate(plan.cells):
        record = recorded_run(plan, cell)
        fresh = plan.spec.fresh
        fits = {task: Fit(plan.cells[task.cell], task.machines, plan.cache) for task in needs[number]}
        own = [task for task, fit in fits.items() if fresh or not fit.is_embedded]
        trained = 0 if fresh else sum(fit.is_trained for fit in fits.values())
        score = ScoreTask(number)
        if record is None:
            to_do.append(score)
            missing |= dict.fromkeys(own)
        tasks: list[Task] = [*own, score]
        ready = {task for task, fit in fits.items() if fit.is_trained and not fresh}
        times = [estimates.of(task, trained=task in ready) for task in tasks]
        estimate = None if None in times else sum(value or 0.0 for value in times)
        count = len(needs[number])
        state: Literal["done", "failed", "to do"] = record.status if record is not None else "to do"
        cells.append(Outlook(cell, state, count, trained, count - len(own), estimate))
    processes = max(1, min(tasks_at_once(plan), max(len(missing), len(to_do))))
    unknown = sum(estimates.of(task) is None for task in missing)
    total = estimates.left_s([*missing, *to_do], {}, processes) if to_do else 0.0
    return Forecast(tuple(cells), processes, len(missing), unknown, total)
