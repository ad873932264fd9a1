"""``asd.reproduce``: a published system run again, and each of its published numbers beside what came out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from asdbench.api.evaluating import evaluate
from asdbench.api.loading import load
from asdbench.api.running import name_and_params, run
from asdbench.api.runs import Run, Runs
from asdbench.core.errors import RequirementError, UsageError
from asdbench.core.progress import Progress
from asdbench.protocols import Evaluation, Intervals
from asdbench.registry import Catalog, load_catalog
from asdbench.registry.system_card import OFFICIAL, Published

if TYPE_CHECKING:
    import pandas

POINTS = 1.0  # tolerance where a card states none


@dataclass(frozen=True)
class PublishedNumber:
    """One published number and what came out; fractions.

    Attributes:
        metric: what it measures, as the card has it.
        machine: machine type; None is the whole data set.
        published: as the source has it.
        measured: mean over the seeds; None where nothing can be compared, and ``reason`` says why.
        interval: of one seed the 95 % interval over test clips, of several the lowest and the highest.
        tolerance: the largest difference at which it counts as reproduced.
        source: who published it.
        reason: why it cannot be compared; "" where it can.
    """

    metric: str
    machine: str | None
    published: float
    measured: float | None
    interval: tuple[float, float] | None
    tolerance: float
    source: str
    reason: str = ""

    @property
    def difference(self) -> float | None:
        """Measured less published."""
        return None if self.measured is None else self.measured - self.published

    @property
    def within(self) -> bool | None:
        """Whether the difference is within the tolerance; None where nothing can be compared."""
        return None if self.difference is None else abs(self.difference) <= self.tolerance + 1e-9


@dataclass(frozen=True)
class Reproduction:
    """A system's published numbers on a split of a data set, compared.

    Attributes:
        system: name of its card.
        dataset: name of the data set's card.
        split: "dev" or "eval".
        numbers: one for each published number.
        runs: what was run, one for each seed.
    """

    system: str
    dataset: str
    split: str
    numbers: tuple[PublishedNumber, ...]
    runs: Runs

    @property
    def reproduced(self) -> bool:
        """Whether something could be compared, and all of it is within its tolerance."""
        compared = [one.within for one in self.numbers if one.within is not None]
        return bool(compared) and all(compared)

    @property
    def is_trained(self) -> bool:
        """Whether a network was trained, so that other seeds give other numbers."""
        return any(network.curves for one in self.runs for network in one.record.training)

    def to_frame(self) -> "pandas.DataFrame":
        """One row for each published number; fractions."""
        import pandas

        rows = [{**vars(one), "difference": one.difference, "within": one.within} for one in self.numbers]
        return pandas.DataFrame(rows)


def reproduce(
    system: Any,
    data: str,
    *,
    split: str | None = None,
    machines: Sequence[str] = (),
    data_root: str | Path | None = None,
    ground_truth: str | Path | None = None,
    params: Mapping[str, object] | None = None,
    seeds: int | Iterable[int] = 0,
    tolerance: float | None = None,
    plugin_path: Sequence[str | Path] = (),
    progress: Progress | None = None,
    **options: Any,
) -> Reproduction:
    """Run a published system and compare each number that its card has for the data set with what comes out.

    Args:
        system: name of its card, or ``asdbench.system(...)``.
        data: name of the data set's card ("dcase2025").
        split: "dev" or "eval"; None is dev where numbers of it were published.
        machines: only these machine types; the official score is then not compared.
        data_root: where the challenges' data lie.
        ground_truth: labels of an evaluation set, in the official evaluators' layout.
        params: by ``component.param``; weights of an encoder for instance.
        seeds: base seeds; of several the mean is compared.
        tolerance: in percent points, in place of the card's and of 1 where it states none.
        plugin_path: folders with ``registry/`` and modules of your own.
        progress: where the work is reported; None shows nothing.
        options: of ``asdbench.run``: out, device, jobs, threads, fresh, retry_failed.

    Raises:
        UsageError: no such system, or no number of it for this data set that can be compared; those that there are
            are named.
        RequirementError: recordings or labels are missing.
        AsdbenchError: see ``asdbench.run``.
    """
    catalog = load_catalog([Path(folder).expanduser() for folder in plugin_path])
    name, _ = name_and_params(system, "systems")
    rows, split = _published(catalog, name, data, split)
    if machines and not any(machine in row.machines for machine in machines for row in rows):
        raise UsageError(
            f"The card of '{name}' has no number of {', '.join(machines)} on {data} {split}, and the official score is "
            "that of all machine types: leave --machine out."
        )
    of_challenge = catalog.find("datasets", data).challenge is not None
    table = load(
        data,
        split=split if of_challenge else None,
        data_root=data_root,
        machines=machines,
        plugin_path=plugin_path,
        progress=progress,
    )
    if not table.labelled and ground_truth is None:
        raise RequirementError(
            f"The test clips of {data} {split} carry no labels.\nGive the official evaluator's ground truth: "
            "--ground-truth DIR"
        )
    options = {**options, "plugin_path": plugin_path, "progress": progress}
    runs = run(table, system=system, params=dict(params or {}), seeds=seeds, **options)
    results = [_evaluated(one, ground_truth) for one in runs]
    numbers = tuple(number for row in rows for number in _numbers(row, results, tolerance))
    return Reproduction(name, data, split, numbers, runs)


def _published(catalog: Catalog, system: str, data: str, split: str | None) -> tuple[list[Published], str]:
    """The card's numbers for a data set, and the split that they are of.

    Raises:
        UsageError: there are none, or none that can be compared.
    """
    published = catalog.find("systems", system).system.published
    available = dict.fromkeys((row.dataset, row.split) for row in published if _is_comparable(row))
    splits = [one for dataset, one in available if dataset == data]
    split = split or ("dev" if "dev" in splits or not splits else splits[0])
    if split not in splits:
        others = ", ".join(f"--dataset {dataset} --split {one}" for dataset, one in available)
        incomparable = [
            f"{row.metric} ({row.source})" for row in published if (row.dataset, row.split) == (data, split)
        ]
        raise UsageError(
            f"The card of '{system}' has no number for {data} {split} that can be compared"
            + (f"; it has {'; '.join(incomparable)}" if incomparable else "")
            + f".\nThere are numbers for: {others or 'no data set'}. See: asdbench show {system}"
        )
    return [row for row in published if (row.dataset, row.split) == (data, split)], split


def _is_comparable(row: Published) -> bool:
    return row.metric == OFFICIAL or bool(row.machines)


@dataclass(frozen=True)
class _Result:
    evaluation: Evaluation | None
    intervals: Intervals | None
    official_score: float | None
    lacks: Sequence[str] = ()
    failure: str = ""


def _evaluated(one: Run, ground_truth: str | Path | None) -> _Result:
    """What a run came to, by its own labels or by the ground truth."""
    record, lacks = one.record, one.record.dataset.lacks
    if record.status != "done":
        return _Result(None, None, None, failure=f"the run failed: {'; '.join(one.failures)}")
    if record.results is not None or ground_truth is None:
        return _Result(record.results, record.intervals, one.score, lacks)
    evaluated = evaluate(one.folder / "scores", record.dataset.protocol, ground_truth=ground_truth, partial=True)
    wrong = [problem for problem in evaluated.problems if not problem.harmless]
    problems = [f"{problem.machine}, {problem}" if problem.machine else str(problem) for problem in wrong]
    return _Result(evaluated.evaluation, evaluated.intervals, evaluated.official_score, [*lacks, *problems])


def _numbers(row: Published, results: Sequence[_Result], points: float | None) -> Iterator[PublishedNumber]:
    """The row's total and the terms of its machine types."""
    tolerance = next(one for one in (points, row.tolerance, POINTS) if one is not None) / 100
    number = partial(PublishedNumber, tolerance=tolerance, source=row.source)
    partial_data = next((f"the data are partial: {one.lacks[0]}" for one in results if one.lacks), "")
    why = next((one.failure for one in results if one.failure), partial_data)
    reason = why if row.metric == OFFICIAL else "it is not the official score, but computed in a way of its own"
    totals = [(one.official_score, one.intervals.official_score if one.intervals else None) for one in results]
    yield number(row.metric, None, row.percent / 100, *_mean([] if reason else totals), reason=reason)
    for machine, terms in row.machines.items():
        for term, percent in terms.items():
            values = [_term(one, machine, term) for one in results]
            measured, interval = _mean(values)
            reason = "" if measured is not None else why or f"there are no recordings of {machine}"
            yield number(term, machine, percent / 100, measured, interval, reason=reason)


Value = tuple[float | None, tuple[float, float] | None]


def _term(result: _Result, machine: str, term: str) -> Value:
    """A machine type's mean over its sections, with its interval; None where its recordings are not all there."""
    of_machine = result.evaluation.machines.get(machine) if result.evaluation else None
    if of_machine is None or any(line.startswith((f"{machine},", f"{machine} ")) for line in result.lacks):
        return None, None
    intervals = result.intervals.machines.get(machine, {}) if result.intervals else {}
    return getattr(of_machine, term), intervals.get(term)


def _mean(values: Sequence[Value]) -> Value:
    """Over the seeds; None where there is no value of one of them."""
    measured = [value for value, _ in values if value is not None]
    if not measured or len(measured) < len(values):
        return None, None
    return fmean(measured), values[0][1] if len(values) == 1 else (min(measured), max(measured))
