"""What ``asd.run`` returns: runs with their scores, embeddings, tables and pictures."""

import csv
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from asdbench.core.errors import RequirementError, UsageError, did_you_mean
from asdbench.core.paths import cache_root
from asdbench.core.progress import Silent
from asdbench.datasets.ground_truth import truth_of_name
from asdbench.harness.cells import Cell
from asdbench.harness.record import RunRecord
from asdbench.harness.replay import Replay, reopen
from asdbench.harness.store import truth_of_run, varied_params
from asdbench.score_files.files import Problem, list_score_files, read_rows

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes


class Run:
    """One run: an extractor, a scorer, a data set and a seed.

    Attributes:
        folder: where its record and score files lie.
        record: all that was asked, used and found.
    """

    def __init__(self, folder: Path, record: RunRecord, cell: Cell | None = None) -> None:
        self.folder = folder
        self.record = record
        self._cell = cell

    @property
    def id(self) -> str:
        """Name of the run's folder."""
        return self.record.run_id

    @property
    def system(self) -> str:
        """The system's name; of parts named one by one, ``extractor + scorer``."""
        return self.record.name

    @property
    def extractor(self) -> str:
        """The extractor's name."""
        return self.record.extractor.name

    @property
    def scorer(self) -> str:
        """The scorer's name."""
        return self.record.scorer.name

    @property
    def dataset(self) -> str:
        """The data set's name."""
        return self.record.dataset.name

    @property
    def seed(self) -> int:
        """Base seed."""
        return self.record.asked.seed

    @property
    def status(self) -> str:
        """Either "done" or "failed"; ``failures`` say why."""
        return self.record.status

    @property
    def failures(self) -> list[str]:
        """Why parts of a failed run have no result, one line each."""
        return [str(failure) for failure in self.record.failures]

    @property
    def machines(self) -> list[str]:
        """Machine types."""
        return list(self.record.dataset.test_clips)

    @property
    def score(self) -> float | None:
        """The official score, a fraction; None of a failed run, or where the test clips carry no labels."""
        return self.record.results.official_score if self.record.results else None

    official_score = score

    @property
    def ci95(self) -> tuple[float, float] | None:
        """The official score's 95 % interval, (low, high); None where there is no score."""
        return self.record.ci95

    def scores(self, machine: str | None = None) -> "pandas.DataFrame":
        """Test clips with their scores: machine, section, domain, label, name, score, threshold, decision.

        Args:
            machine: only this machine type.

        Raises:
            UsageError: the run has no such machine type.
            RequirementError: there are none, since the run failed; or files are missing, or not as the record says.
        """
        import pandas

        wanted = self.machines if machine is None else [self._known(machine)]
        columns = ["machine", "section", "domain", "label", "name", "score", "threshold", "decision"]
        rows = [row for one in wanted for row in self._rows(one)] if (self.folder / "scores").is_dir() else []
        if not rows:
            raise RequirementError("\n".join([f"{self.id} has no scores of {', '.join(wanted)}.", *self.failures]))
        return pandas.DataFrame(rows, columns=columns)

    def _rows(self, machine: str) -> Iterator[dict[str, Any]]:
        """The rows of a machine type's score files."""
        values: dict[tuple[str, str], dict[str, Any]] = {}
        truth = truth_of_run(self.folder)
        for file in list_score_files(self.folder / "scores")[0]:
            if file.machine == machine:
                problems: list[Problem] = []
                rows = read_rows(file, problems.append, free_names=truth is not None)
                if problems:
                    raise RequirementError(f"{self.folder} cannot be read: {problems[0]}.")
                names = [name for name, *_ in csv.reader(file.path.read_text().splitlines())]  # with their endings
                for row in rows:
                    columns = values.setdefault((file.section, row.clip), {"name": names[row.line - 1]})
                    columns["score" if file.kind == "anomaly_score" else "decision"] = row.value
        for (section, clip), columns in sorted(values.items()):
            facts = truth.sections[machine, section][clip] if truth is not None else truth_of_name(clip)
            known = {"machine": machine, "section": section, "domain": facts.domain, "label": facts.label}
            yield {**known, **columns, "threshold": self.record.thresholds[machine][section].value}

    def embeddings(self, machine: str | None = None, *, split: str | None = None) -> NDArray[np.float32]:
        """Embeddings of a machine type's clips, float32 (n_clips, dim), in the order of ``clips(machine)``.

        Args:
            machine: may be left out where there is one.
            split: "train" or "test"; None is both.

        Raises:
            UsageError: no such machine type, or several and none is named.
            RequirementError: recordings or the trained extractor are not there any more.
        """
        machine = self._known(machine)
        replay = self._replay()
        clips, rows = replay.embeddings(machine)
        place = {clip.key: row for row, clip in enumerate(clips)}
        wanted = replay.dataset.select(machines=[machine], split=split)  # type: ignore[arg-type]
        return rows[[place[clip.key] for clip in wanted]]

    def clips(self, machine: str | None = None, *, split: str | None = None) -> "pandas.DataFrame":
        """The clips of a machine type, one row each; the rows of ``embeddings``."""
        table = self._replay().dataset.select(machines=[self._known(machine)], split=split)  # type: ignore[arg-type]
        return table.to_frame()

    def report(self, to: str | Path | None = None, **options: Any) -> Path:
        """Write the run's page: ROC, scores, thresholds, embeddings, the worst mistakes, training.

        Args:
            to: file to write; None is ``report.html`` in the run's folder.
            options: as ``asdbench.report.write_report`` takes them.

        Returns:
            The file.
        """
        from asdbench.report import write_report

        return write_report(self.folder, to=Path(to) if to is not None else None, **options)

    def plot(self, machine: str | None = None, ax: "Axes | None" = None) -> "Axes":
        """Draw the scores of normal and anomalous test clips of a machine type, with the threshold.

        Args:
            machine: may be left out where there is one.
            ax: axes to draw on; None makes some.
        """
        import matplotlib.pyplot as plt

        machine = self._known(machine)
        rows = self.scores(machine)
        ax = ax if ax is not None else plt.subplots(layout="constrained")[1]
        edges = np.histogram_bin_edges(rows["score"], bins=30)
        labels = rows["label"].to_numpy(float)
        for name, some in (("normal", labels == 0), ("anomalous", labels == 1), ("not labelled", np.isnan(labels))):
            if some.any():
                ax.hist(rows["score"][some], bins=list(edges), alpha=0.6, label=name)
        for threshold in sorted(set(rows["threshold"])):
            ax.axvline(threshold, color="black", linestyle="--", linewidth=1)
        ax.set(xlabel="anomaly score", ylabel="clips", title=f"{machine}: {self.system}")
        ax.legend()
        return ax

    def _known(self, machine: str | None) -> str:
        if machine is None and len(self.machines) == 1:
            return self.machines[0]
        if machine not in self.machines:
            hint = did_you_mean(machine, self.machines) if machine else " Name one."
            raise UsageError(f"{self.id} has no machine '{machine}'.{hint} Accepted: {', '.join(self.machines)}.")
        return machine

    def _replay(self) -> Replay:
        return reopen(self.record) if self._cell is None else Replay(self._cell, cache_root(), Silent())

    def __repr__(self) -> str:
        result = "done, no labels"
        if self.status != "done":
            result = f"failed, {self.failures[0] if self.failures else 'no reason given'}"
        elif self.score is not None:
            low, high = self.ci95 or (float("nan"), float("nan"))
            result = f"{100 * self.score:.2f} [{100 * low:.1f}, {100 * high:.1f}]"
        return f"<Run {self.id}: {result}>"

    def _repr_html_(self) -> str:
        """For notebooks."""
        return Runs([self])._repr_html_()


class Runs(Sequence[Run]):
    """Several runs, in the order of extractors, scorers, data sets and seeds."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self._runs = tuple(runs)

    @overload
    def __getitem__(self, place: int) -> Run: ...
    @overload
    def __getitem__(self, place: slice) -> "Runs": ...
    def __getitem__(self, place: int | slice) -> "Run | Runs":
        return Runs(self._runs[place]) if isinstance(place, slice) else self._runs[place]

    def __len__(self) -> int:
        return len(self._runs)

    def to_frame(self) -> "pandas.DataFrame":
        """One row for each run: extractor, scorer, dataset, seed, score, ci_low, ci_high, status, and machine types.

        The columns of machine types hold their official scores. Scores are fractions. Systems have a column before.
        Where runs of one extractor or scorer differ in parameters, these have columns, "beats.layer" for instance.
        """
        import pandas

        rows = []
        for run, varied in zip(self._runs, varied_params([run.record for run in self._runs]), strict=True):
            low, high = run.ci95 or (None, None)
            row: dict[str, Any] = {"system": run.record.asked.system, "extractor": run.extractor, "scorer": run.scorer}
            row |= {"dataset": run.dataset, "seed": run.seed, "score": run.score, "ci_low": low, "ci_high": high}
            row |= {key: str(value) for key, value in varied.items()}
            row |= {"status": run.status, **dict.fromkeys(run.machines)}
            rows.append(row | {name: machine.official_score for name, machine in run.record.scored.items()})
        columns = ["system", "extractor", "scorer", "dataset", "seed", "score", "ci_low", "ci_high", "status"]
        table = pandas.DataFrame(rows, columns=list(dict.fromkeys([*columns, *(key for row in rows for key in row)])))
        table = table.astype({"score": float, "ci_low": float, "ci_high": float})
        return table if table["system"].any() else table.drop(columns="system")

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the official score of each run with its 95 % interval, in percent.

        Args:
            ax: axes to draw on; None makes some.
        """
        import matplotlib.pyplot as plt

        done = [run for run in reversed(self._runs) if run.score is not None]
        size = (6.4, 1.0 + 0.3 * len(done))
        ax = ax if ax is not None else plt.subplots(figsize=size, layout="constrained")[1]
        names = [run.system for run in done]
        for attribute, prefix in (("dataset", ""), ("seed", "seed ")):
            if len({getattr(run, attribute) for run in done}) > 1:
                names = [f"{name}, {prefix}{getattr(run, attribute)}" for name, run in zip(names, done, strict=True)]
        for place, run in enumerate(done):
            score, (low, high) = run.score or 0.0, run.ci95 or (np.nan, np.nan)
            ax.errorbar(100 * score, place, xerr=[[100 * (score - low)], [100 * (high - score)]], fmt="o", color="C0")
        ax.set(yticks=range(len(done)), yticklabels=names, xlabel="official score (%), 95 % interval")
        return ax

    def __repr__(self) -> str:
        return "\n".join(map(repr, self._runs)) or "<no runs>"

    def _repr_html_(self) -> str:
        """For notebooks: the table in percent."""
        table = self.to_frame()
        machines = dict.fromkeys(machine for run in self._runs for machine in run.machines)
        shares = ["score", "ci_low", "ci_high", *machines]
        table[shares] = (100 * table[shares].astype(float)).round(2)
        failed = "".join(f"<p>{escape(repr(run))}</p>" for run in self._runs if run.status != "done")
        return f"{table.to_html(index=False, na_rep='-')}{failed}"
