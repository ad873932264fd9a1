"""What ``asdbench tune`` shows: a line for each trial and a bar of all of them, then tables or one JSON object."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

from rich.table import Table

from asdbench.cli.output import echo
from asdbench.cli.progress import ConsoleProgress
from asdbench.cli.tables import print_learned, print_table, table, text
from asdbench.core.commands import command
from asdbench.core.progress import Silent, Stage
from asdbench.core.texts import percent
from asdbench.harness.learned import learning_as_json
from asdbench.tuning.record import BEST_FILE, REPORT_FILE, STUDY_FILE, TRIALS, StudyRecord, TrialRecord
from asdbench.tuning.report import learned_of
from asdbench.tuning.study import STUDIES, Tuning

AT_ONCE = 8  # trials that may end before the first of them is shown


class TrialBars(Silent):
    """Progress of the work of trials: bars where bars go again, else nothing. Notes of a run stand in its record."""

    def __init__(self, progress: ConsoleProgress) -> None:
        super().__init__()
        self._progress = progress

    def stage(self, name: str, total: int) -> AbstractContextManager[Stage]:  # type: ignore[override]
        """A bar on a terminal."""
        return self._progress.stage(name, total) if self._progress.has_bars else super().stage(name, total)

    overall = stage  # type: ignore[assignment]


class TrialLines(ExitStack):
    """Called with each trial as it ends: shows a line for it."""

    def __init__(self, tuning: Tuning, progress: ConsoleProgress) -> None:
        super().__init__()
        self._tuning = tuning
        self._progress = progress
        self._bar: Any = None
        self._counted = 0

    def __call__(self, trial: TrialRecord | None, study: StudyRecord) -> None:
        """Show the trial that has just ended, or (None) the study at the beginning."""
        done, wanted = sum(study.counts.values()), self._tuning.trials
        if trial is None:
            self._begin(study, done, wanted)
        else:
            if done - self._counted <= AT_ONCE:
                done = min(self._counted + 1, done)
            self._progress.line(f"{done} of {wanted}, trial {trial.number}: {_outcome(trial)}{_best(trial, study)}")
        if self._bar is not None:
            self._bar.advance(max(0, done - self._counted), _best(None, study).strip(" ;"))
        self._counted = max(done, self._counted)

    def _begin(self, study: StudyRecord, done: int, wanted: int) -> None:
        for note in notes(self._tuning):
            self._progress.note(note)
        self._progress.line(f"study {study.name} in {study.storage}, {wanted} trials over {', '.join(study.space)}")
        if done:
            self._progress.line(f"{min(done, wanted)} of them were done before{_best(None, study)}")
        if self._progress.has_bars:
            self._bar = self.enter_context(self._progress.overall("trials", wanted))


def notes(tuning: Tuning) -> Iterator[str]:
    """What the user should know before the first trial."""
    endless = tuning.whole_space.endless()
    if tuning.is_grid and endless:
        yield (
            f"no end of values, so a grid leaves them as they are: {', '.join(endless)}. "
            "--space COMPONENT.PARAM=A,B,C takes one in."
        )
    if not tuning.is_grid and tuning.space.default is None:
        yield "the default configuration does not lie in the space, so no trial shows what tuning gains over it."
    if not tuning.is_admissible:
        yield f"{tuning.machines[0]} is tuned alone: under the first-shot rule such parameters are not admissible."


def _outcome(trial: TrialRecord) -> str:
    if trial.state == "done":
        return ", ".join([percent(trial.values[0]), *(f"{value:g}" for value in trial.values[1:])])
    reason = trial.reason.splitlines()[0].rstrip(".") if trial.reason else "no reason given"
    return f"given up at {reason}" if trial.state == "pruned" else f"failed, {reason}"


def _best(trial: TrialRecord | None, study: StudyRecord) -> str:
    if study.best is None:
        return ""
    if trial is not None and study.best.trial == trial.number:
        return ", the best so far"
    return f"; best {percent(study.best.score)}, trial {study.best.trial}"


def studies_as_json(records: Sequence[StudyRecord], out: Path) -> dict[str, Any]:
    """Of each study its record, the best trial's parameters, and where the files are."""
    studies = []
    for record in records:
        folder = out / STUDIES / record.name
        best = _best_trial(record, folder)
        files = {"best_config": BEST_FILE, "report": REPORT_FILE, "record": STUDY_FILE}
        studies.append(
            {
                **record.model_dump(mode="json"),
                "best_params": best.params if best else None,
                "best_values": best.values if best else None,
                **learning_as_json(learned_of(best, folder)),
                **{key: str(folder / name) if (folder / name).is_file() else None for key, name in files.items()},
            }
        )
    return {"studies": studies}


def _read_trial(folder: Path, number: int) -> TrialRecord | None:
    path = folder / TRIALS / f"{number:04d}.json"
    return TrialRecord.model_validate_json(path.read_bytes()) if path.is_file() else None


def _best_trial(record: StudyRecord, folder: Path) -> TrialRecord | None:
    return _read_trial(folder, record.best.trial) if record.best else None


def print_studies(records: Sequence[StudyRecord], tunings: Sequence[Tuning]) -> None:
    """The tables of each study, and the next command."""
    for record, tuning in zip(records, tunings, strict=True):
        print_study(record, tuning.folder)
    for record, tuning in zip(records, tunings, strict=True):
        if record.best:
            what = f"of a {tuning.machines[0]} " if tuning.asked.per_machine else ""
            again = command("run", config=tuning.folder / BEST_FILE, dataset="OTHER")
            echo(f"Next: {again}   (what it is worth on recordings {what}that it was not tuned on)", dim=True)


def print_study(record: StudyRecord, folder: Path) -> None:
    """Scores, parameters and files of one study."""
    best = _best_trial(record, folder)
    echo()
    echo(
        f"{record.name}   {', '.join(f'{count} {state}' for state, count in record.counts.items() if count)}", bold=True
    )
    if best is None:
        echo("No trial is done, so there is no best one.", fg="red")
        return
    print_table(_scores(record, best))
    print_learned(learned_of(best, folder), "best")
    if best.params:
        print_table(_parameters(record, best))
    if record.pareto:
        print_table(_pareto_front(record, folder))
    if not record.admissible:
        machines = ", ".join(record.machines)
        echo(f"NOT ADMISSIBLE under the first-shot rule: tuned for {machines} alone.", fg="yellow")
    for name in (BEST_FILE, REPORT_FILE):
        if (folder / name).is_file():
            echo(folder / name)


def _scores(record: StudyRecord, best: TrialRecord) -> Table:
    """Default, best and leave-one-out, in percent."""
    rows: list[list[Any]] = []
    gain = ""
    if record.default is not None:
        rows.append(["default", percent(record.default.score), record.default.trial, ""])
        gain = f"{percent(best.values[0] - record.default.score, sign=True)} over the default"
    rows.append([text("best", "bold"), text(percent(best.values[0]), "bold"), best.number, gain])
    if record.leave_one_out is not None:
        score = percent(record.leave_one_out.score)
        rows.append(["leave-one-out", score, "", "each machine type by the best on the others"])
    return table(["official score", ">%", ">trial", ""], rows)


def _parameters(record: StudyRecord, best: TrialRecord) -> Table:
    """All that was tuned, so that the importances, rounded, are those of 100 %."""
    rows: list[list[Any]] = []
    for name in sorted(record.space, key=lambda name: -record.importances.get(name, 0.0)):
        share, default = record.importances.get(name), record.defaults.get(name)
        value = text("-")  # of a component that was not chosen
        if name in best.params:
            value = text(_value(best.params[name]), "" if best.params[name] == default else "bold")
        rows.append([name, value, _value(default), "-" if share is None else f"{100 * share:.0f} %"])
    return table(["parameter", ">best", ">default", ">importance"], rows)


def _pareto_front(record: StudyRecord, folder: Path) -> Table:
    """The trials that no other beats in every objective."""
    trials = [trial for number in record.pareto if (trial := _read_trial(folder, number))]
    objectives = [">score %" if objective == "score" else f">{objective}" for objective in record.objectives]
    rows = [
        [trial.number, percent(trial.values[0]), *(f"{value:.4g}" for value in trial.values[1:])]
        for trial in sorted(trials, key=lambda trial: -trial.values[0])
    ]
    return table([">Pareto front: trial", *objectives], rows)


def _value(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
