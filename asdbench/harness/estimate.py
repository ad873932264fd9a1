"""How long tasks will take, by past runs and by what this command has done so far; and what a plan comes to."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Literal

from asdbench.datasets import Dataset
from asdbench.harness.cells import Cell
from asdbench.harness.executors import tasks_at_once
from asdbench.harness.fits import Fit
from asdbench.harness.pipeline import recorded_run
from asdbench.harness.plan import Plan
from asdbench.harness.record import FILE, RunRecord, read_record
from asdbench.harness.tasks import FitTask, ScoreTask, Task, fit_tasks

NEWEST = 100  # past runs that are looked at


class Estimates:
    """Estimates for the tasks of a plan, in seconds; None means that nothing is known.

    A fit takes as long for each clip as fits of the same extractor in this command took, or before the first has ended
    as the pace of those under way says; before that, as that of the likest past run of it: with the same parameters,
    then on the same data, then the newest. So does a run by its scorer. Clips of other lengths are not distinguished.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._learnt: dict[str, list[float]] = {}
        self._under_way: dict[str, float] = {}  # by the pace of what has not ended yet

    @cached_property
    def _past(self) -> list[RunRecord]:
        """Past runs that are done, newest first."""
        times = {}
        for path in self._plan.spec.out.glob(f"[!.]*/{FILE}"):
            with suppress(FileNotFoundError):  # a record that is being replaced
                times[path] = path.stat().st_mtime
        newest = sorted(times, key=lambda path: -times[path])[:NEWEST]
        records = [record for path in newest if (record := read_record(path.parent)) is not None]
        return [record for record in records if record.status == "done" and any(record.dataset.train_clips.values())]

    def of(self, task: Task, *, trained: bool = False) -> float | None:
        """Seconds that a task takes; of a fit that is ``trained`` only the embedding is left."""
        cell, clips = self._plan.cells[task.cell], self._clips(task)
        learnt = self._learnt.get(self.kind(task))
        pace = fmean(learnt) if learnt else self._under_way.get(self.kind(task))
        if pace is not None:
            return pace * len(clips)
        if isinstance(task, ScoreTask):
            scored = next((past for past in self._past if past.scorer.name == cell.scorer.name), None)
            return _pace(scored, "score") * len(clips) if scored else None
        params, data = cell.extractor.params, cell.dataset.name
        likest = max(
            (past for past in self._past if past.extractor.name == cell.extractor.name),
            key=lambda past: (past.extractor.params == params, past.dataset.name == data),
            default=None,
        )
        if likest is None:
            return None
        fit_s = 0.0 if trained else _pace(likest, "fit") * len(clips.select(split="train"))
        return fit_s + _pace(likest, "embed") * len(clips)

    def learn(self, task: Task, seconds: float) -> bool:
        """Take note of how long a task took; whether it is the first of its kind in this command."""
        learnt = self._learnt.setdefault(self.kind(task), [])
        learnt.append(seconds / len(self._clips(task)))
        return len(learnt) == 1

    def kind(self, task: Task) -> str:
        """Equal for tasks of which one tells how long another takes."""
        cell = self._plan.cells[task.cell]
        return f"fit {cell.extractor.name}" if isinstance(task, FitTask) else f"score {cell.scorer.name}"

    def _clips(self, task: Task) -> Dataset:
        dataset = self._plan.cells[task.cell].dataset
        return dataset.select(machines=task.machines) if isinstance(task, FitTask) else dataset

    def left_s(self, waiting: Iterable[Task], under_way: Iterable["UnderWay"], jobs: int) -> float | None:
        """Seconds until all tasks are done by ``jobs`` processes; None where nothing is known of the fits.

        A fit or a score that nothing is known of counts as the mean of the others.

        Args:
            waiting: tasks that have not begun.
            under_way: those that have.
            jobs: processes.
        """
        waiting, under_way = list(waiting), list(under_way)
        self._expect(under_way)
        known = {task: self.of(task) for task in [*waiting, *(task for one in under_way for task in one.tasks)]}
        fits = [seconds for task, seconds in known.items() if isinstance(task, FitTask)]
        scores = [seconds for task, seconds in known.items() if isinstance(task, ScoreTask)]
        if all(seconds is None for seconds in fits or scores):
            return None
        # Of scores the mean is 0 before one has ended: they take little beside fits.
        means = [fmean([one for one in some if one is not None] or [0.0]) for some in (fits, scores)]
        seconds_of = {task: means[isinstance(task, ScoreTask)] if one is None else one for task, one in known.items()}
        rest = [seconds_of[task] for task in waiting]
        for part in under_way:
            rest.append(max(part.left_s or 0.0, sum(seconds_of[task] for task in part.tasks) - part.since_s))
        return max(sum(rest) / jobs, max(rest, default=0.0))

    def _expect(self, under_way: Iterable["UnderWay"]) -> None:
        """Take note of what tasks take that are under way and whose pace is known."""
        paces: dict[str, list[float]] = {}
        for one in under_way:
            if one.left_s is not None:
                clips = sum(len(self._clips(task)) for task in one.tasks)
                paces.setdefault(self.kind(one.tasks[0]), []).append((one.since_s + one.left_s) / clips)
        self._under_way |= {key: fmean(known) for key, known in paces.items()}


@dataclass(frozen=True)
class UnderWay:
    """What one process is at."""

    tasks: Sequence[Task]  # one after the other or together; of tasks that want the same fit the first
    since_s: float  # seconds since they began
    left_s: float | None = None  # that they still take by their own pace; None before it is known


def _pace(record: RunRecord, stage: str) -> float:
    """Seconds a clip of a past run: of a fit for each training clip, of embedding and scoring for each clip."""
    train = sum(record.dataset.train_clips.values())
    clips = train if stage == "fit" else train + sum(record.dataset.test_clips.values())
    return record.seconds.get(stage, 0.0) / clips


@dataclass(frozen=True)
class Outlook:
    """One run of a forecast."""

    cell: Cell  # the run
    state: Literal["done", "failed", "to do"]  # "failed" for one that failed before and is not to be tried again
    fits: int  # that it needs: one, or one for each machine type
    trained: int  # of them, how many are in the cache
    embedded: int  # of them, how many have all their embeddings in the cache
    estimate_s: float | None  # by past runs, fits shared with other runs included; None where none is like it


@dataclass(frozen=True)
class Forecast:
    """The whole plan."""

    cells: tuple[Outlook, ...]  # the runs
    processes: int  # at work at a time
    fits: int  # to be done
    unknown_fits: int  # of them, those that no past run is like
    total_s: float | None  # about how long everything takes; None where nothing is known


def forecast(plan: Plan) -> Forecast:
    """Look at records and cache, without changing anything."""
    estimates = Estimates(plan)
    needs = fit_tasks(plan, range(len(plan.cells)))
    missing: dict[FitTask, None] = {}
    to_do, outlooks = [], []
    for number, cell in enumerate(plan.cells):
        record = recorded_run(plan, cell)
        fits = {task: Fit(plan.cells[task.cell], task.machines, plan.cache) for task in needs[number]}
        trained = [task for task, fit in fits.items() if fit.is_trained and not plan.spec.fresh]
        unembedded = [task for task, fit in fits.items() if plan.spec.fresh or not fit.is_embedded]
        score = ScoreTask(number)
        if record is None:
            to_do.append(score)
            missing |= dict.fromkeys(unembedded)
        times = [estimates.of(score), *(estimates.of(task, trained=task in trained) for task in unembedded)]
        outlook = Outlook(
            cell=cell,
            state=record.status if record is not None else "to do",
            fits=len(fits),
            trained=len(trained),
            embedded=len(fits) - len(unembedded),
            estimate_s=None if None in times else sum(value or 0.0 for value in times),
        )
        outlooks.append(outlook)
    processes = max(1, min(tasks_at_once(plan), max(len(missing), len(to_do))))
    unknown = sum(estimates.of(task) is None for task in missing)
    total = estimates.left_s([*missing, *to_do], [], processes) if to_do else 0.0
    return Forecast(tuple(outlooks), processes, len(missing), unknown, total)
