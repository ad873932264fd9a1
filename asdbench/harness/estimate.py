"""How long tasks will take, told from past runs and from what this command has done so far."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Literal

from asdbench.harness.cells import Cell
from asdbench.harness.fits import Fit
from asdbench.harness.pipeline import recorded_run
from asdbench.harness.plan import Plan
from asdbench.harness.record import FILE, RecordError, RunRecord, load_record
from asdbench.harness.tasks import FitTask, ScoreTask, Task, fit_tasks

NEWEST = 100  # past runs that are looked at


@dataclass(frozen=True)
class Pace:
    """Seconds a clip of a past run: fit for each training clip, embedding and scoring for each clip."""

    name: str
    dataset: str
    params: Mapping[str, object]
    scorer: str
    fit_s: float
    embed_s: float
    score_s: float


class Estimates:
    """Estimates for the tasks of a plan.

    A fit takes as long for each clip as fits of the same extractor in this command took; before the first, as that of
    the likest past run of it: with the same parameters, then on the same data, then the newest. Clips of other lengths
    are not told apart. None means that nothing is known.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._learnt: dict[str, list[float]] = {}

    @cached_property
    def _paces(self) -> list[Pace]:
        return [pace for record in _newest(self._plan.spec.out) if (pace := _pace(record)) is not None]

    def of(self, task: Task, *, trained: bool = False) -> float | None:
        """Seconds that a task takes, or None; of a fit that is ``trained`` only the embedding is left."""
        cell = self._plan.cells[task.cell]
        if isinstance(task, ScoreTask):
            learnt = self._learnt.get(_key(cell, task))
            past = next((pace for pace in self._paces if pace.scorer == cell.scorer.name), None)
            return fmean(learnt) if learnt else past.score_s * len(cell.dataset) if past else None
        own = cell.dataset.select(machines=task.machines)
        train = sum(clip.split == "train" for clip in own)
        same = [pace for pace in self._paces if pace.name == cell.extractor.name]
        learnt = self._learnt.get(_key(cell, task))
        if learnt:
            return fmean(learnt) * len(own)
        params, data = cell.extractor.params, cell.dataset.name
        likest = max(same, key=lambda pace: (pace.params == params, pace.dataset == data), default=None)
        if likest is None:
            return None
        return (0.0 if trained else likest.fit_s * train) + likest.embed_s * len(own)

    def learn(self, task: Task, seconds: float) -> None:
        """Take note of how long a task took."""
        cell = self._plan.cells[task.cell]
        clips = len(cell.dataset.select(machines=task.machines)) if isinstance(task, FitTask) else 1
        self._learnt.setdefault(_key(cell, task), []).append(seconds / clips)

    def left_s(self, waiting: Iterable[Task], running: Mapping[Task, float], jobs: int) -> float | None:
        """Seconds until all tasks are done by ``jobs`` processes; what nothing is known of counts as the mean.

        Args:
            waiting: tasks that have not begun.
            running: tasks that have, with the seconds since then.
            jobs: processes.
        """
        known = [self.of(task) for task in waiting]
        begun = [(self.of(task), since) for task, since in running.items()]
        told = [value for value in (*known, *(value for value, _ in begun)) if value is not None]
        if not told:
            return None
        mean = fmean(told)
        whole = sum(mean if value is None else value for value in known)
        rest = [max(0.0, (mean if value is None else value) - since) for value, since in begun]
        longest = max([*rest, *(value for value in known if value is not None)], default=0.0)
        return max((whole + sum(rest)) / jobs, longest)


def _key(cell: Cell, task: Task) -> str:
    return f"fit {cell.extractor.name}" if isinstance(task, FitTask) else f"score {cell.scorer.name}"


def _newest(root: Path) -> list[RunRecord]:
    """Past runs that are done, newest first."""
    times = {}
    for path in root.glob(f"*/{FILE}"):
        with suppress(FileNotFoundError):  # a record that is being replaced
            times[path] = path.stat().st_mtime if not path.parent.name.startswith(".") else 0.0
    found = []
    for path in sorted((path for path, time in times.items() if time), key=lambda path: -times[path])[:NEWEST]:
        try:
            record = load_record(path.parent)
        except RecordError:
            continue
        if record.status == "done":
            found.append(record)
    return found


def _pace(record: RunRecord) -> Pace | None:
    train = sum(record.dataset.train_clips.values())
    clips = train + sum(record.dataset.test_clips.values())
    if not train:
        return None
    seconds = record.seconds
    return Pace(
        name=record.extractor.name,
        dataset=record.dataset.name,
        params=record.extractor.params,
        scorer=record.scorer.name,
        fit_s=seconds.get("fit", 0.0) / train,
        embed_s=seconds.get("embed", 0.0) / clips,
        score_s=seconds.get("score", 0.0) / clips,
    )


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
    from asdbench.harness.experiment import tasks_at_once  # which takes estimates from here

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
