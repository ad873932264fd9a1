"""How long tasks will take, told from past runs and from what this command has done so far."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean

from asdbench.harness.plan import Cell, Plan
from asdbench.harness.record import FILE, RecordError, RunRecord, load_record
from asdbench.harness.tasks import FitTask, ScoreTask, Task

NEWEST = 100  # past runs that are looked at


@dataclass(frozen=True)
class Pace:
    """Seconds a clip of a past run: fit for each training clip, embedding and scoring for each clip."""

    name: str
    params: Mapping[str, object]
    scorer: str
    fit_s: float
    embed_s: float
    score_s: float


class Estimates:
    """Estimates for the tasks of a plan.

    A fit takes as long for each clip as the newest past run of the same extractor with the same parameters did, on
    whatever data; without one, as the newest with other parameters; without any, as fits of the same extractor in this
    command took. None means that nothing is known.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._learnt: dict[str, list[float]] = {}

    @cached_property
    def _paces(self) -> list[Pace]:
        return [pace for record in _newest(self._plan.spec.out) if (pace := _pace(record)) is not None]

    def of(self, task: Task) -> float | None:
        """Seconds that a task takes, or None."""
        cell = self._plan.cells[task.cell]
        if isinstance(task, ScoreTask):
            learnt = self._learnt.get(_key(cell, task))
            past = next((pace for pace in self._paces if pace.scorer == cell.scorer.name), None)
            return fmean(learnt) if learnt else past.score_s * len(cell.data.table) if past else None
        own = cell.data.table.select(machines=task.machines)
        train = sum(clip.split == "train" for clip in own)
        same = [pace for pace in self._paces if pace.name == cell.pipeline.extractor.name]
        exact = [pace for pace in same if pace.params == cell.pipeline.extractor.params]
        learnt = self._learnt.get(_key(cell, task))
        if learnt:
            return fmean(learnt) * len(own)
        for pace in (*exact, *same):
            return pace.fit_s * train + pace.embed_s * len(own)
        return None

    def learn(self, task: Task, seconds: float) -> None:
        """Take note of how long a task took."""
        cell = self._plan.cells[task.cell]
        clips = len(cell.data.table.select(machines=task.machines)) if isinstance(task, FitTask) else 1
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
        return max((whole + sum(rest)) / jobs, max(rest, default=0.0))


def _key(cell: Cell, task: Task) -> str:
    return f"fit {cell.pipeline.extractor.name}" if isinstance(task, FitTask) else f"score {cell.scorer.name}"


def _newest(root: Path) -> list[RunRecord]:
    """Past runs that are done, newest first."""
    paths = [path for path in root.glob(f"*/{FILE}") if not path.parent.name.startswith(".")]
    found = []
    for path in sorted(paths, key=lambda path: -path.stat().st_mtime)[:NEWEST]:
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
        params=record.extractor.params,
        scorer=record.scorer.name,
        fit_s=seconds.get("fit", 0.0) / train,
        embed_s=seconds.get("embed", 0.0) / clips,
        score_s=seconds.get("score", 0.0) / clips,
    )
