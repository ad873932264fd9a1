"""``asd.tune``: the best parameters of a system, by Optuna."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from asdbench.api.arguments import listed, plain, require_positive, several, whole_number
from asdbench.api.components import Extractor, Scorer, System
from asdbench.api.loading import load
from asdbench.api.running import Data, name_and_params, run_spec
from asdbench.core.errors import UsageError
from asdbench.core.progress import Progress, Silent
from asdbench.datasets import Dataset
from asdbench.datasets.clips import Source
from asdbench.tuning.files import open_study, trial_records
from asdbench.tuning.record import BEST_FILE, REPORT_FILE, StudyRecord, TrialRecord
from asdbench.tuning.selection import score_of_machine
from asdbench.tuning.spec import TuneSpec, read_objectives
from asdbench.tuning.storage import DEFAULT
from asdbench.tuning.study import Tuning
from asdbench.tuning.tune import tune as do_trials

if TYPE_CHECKING:
    import optuna
    import pandas


@dataclass(frozen=True)
class BestTrial:
    """The trial with the best official score.

    Attributes:
        number: Optuna's number of it.
        score: official score, a fraction; mean over the seeds.
        params: ``component.param`` and value of all that was tuned; "scorer" where it was a choice.
        values: one for each objective.
        runs: ids of its runs, one for each seed, below ``Study.folder / "runs"``.
    """

    number: int
    score: float
    params: dict[str, Any]
    values: list[float]
    runs: list[str]


class Study:
    """What ``asdbench.tune`` returns: the trials of a study, and what they come to.

    Attributes:
        study: Optuna's own.
        record: what was asked, the space, best, default, leave-one-out and importances.
        folder: with study.json, trials/, runs/, best.toml and report.html.
    """

    def __init__(self, study: "optuna.Study", record: StudyRecord, folder: Path) -> None:
        self.study = study
        self.record = record
        self.folder = folder

    @property
    def name(self) -> str:
        """Name of the study, in its storage and as its folder."""
        return self.record.name

    @property
    def best(self) -> BestTrial | None:
        """The best trial; None while none is done."""
        if self.record.best is None:
            return None
        trial = next(one for one in self._trials if one.number == self.record.best.trial)
        return BestTrial(trial.number, trial.values[0], dict(trial.params), list(trial.values), list(trial.runs))

    @property
    def config(self) -> Path | None:
        """The best trial's run file, for ``asdbench run --config``; None while no trial is done."""
        return self.folder / BEST_FILE if self.record.best is not None else None

    @property
    def report(self) -> Path:
        """The page of the study."""
        return self.folder / REPORT_FILE

    @property
    def _trials(self) -> list[TrialRecord]:
        return trial_records(self.study)

    def to_frame(self) -> "pandas.DataFrame":
        """One row for each trial: trial, state, the objectives, took_s, the parameters, the machine types, reason.

        The columns of machine types hold their official scores, mean over the seeds. Scores are fractions.
        """
        import pandas

        rows = []
        for trial in self._trials:
            scores = {machine: score_of_machine(trial, machine) for machine in self.record.machines}
            row: dict[str, Any] = {"trial": trial.number, "state": trial.state, "took_s": trial.seconds}
            row |= dict(zip(self.record.objectives, trial.values, strict=False)) | trial.params
            rows.append(row | scores | {"reason": trial.reason})
        columns = ["trial", "state", *self.record.objectives, "took_s", *self.record.space, *self.record.machines]
        return pandas.DataFrame(rows, columns=[*columns, "reason"])

    def __repr__(self) -> str:
        counts = ", ".join(f"{count} {state}" for state, count in self.record.counts.items() if count) or "no trial"
        best = f", best {100 * self.record.best.score:.2f}" if self.record.best is not None else ""
        return f"<Study {self.name}: {counts}{best}>"

    def _repr_html_(self) -> str:
        """For notebooks: the trials, the best first; scores in percent."""
        table = self.to_frame()
        shares = ["score", *self.record.machines]
        table[shares] = (100 * table[shares].astype(float)).round(2)
        table = table.sort_values("score", ascending=False, kind="stable")
        return f"<p>{escape(repr(self))}</p>{table.to_html(index=False, na_rep='-')}"


def tune(
    data: Data = "synthetic",
    extractor: str | Extractor | Sequence[str | Extractor] = (),
    scorer: str | Scorer | Sequence[str | Scorer] = (),
    system: str | System | Sequence[str | System] = (),
    *,
    trials: int | None = None,
    spaces: Mapping[str, str | Sequence[object]] | None = None,
    only: str | Sequence[str] = (),
    sampler: str = "tpe",
    pruner: str | None = None,
    objectives: str | Sequence[str] = ("score",),
    params: Mapping[str, object] | None = None,
    augmentations: str | Sequence[str] | None = None,
    frontend: str | None = None,
    seeds: int | Iterable[int] = 0,
    machines: str | Sequence[str] = (),
    split: Literal["dev", "eval"] | None = None,
    data_root: str | Path | None = None,
    profile: str = "auto",
    storage: str = DEFAULT,
    name: str | None = None,
    sampler_seed: int = 0,
    timeout_s: float | None = None,
    out: str | Path = "runs",
    device: Literal["auto", "cpu", "cuda"] = "auto",
    jobs: int = 1,
    threads: int = 1,
    engine: Literal["local", "ray"] = "local",
    plugin_path: str | Path | Sequence[str | Path] = (),
    progress: Progress | None = None,
) -> Study:
    """Find the best parameters of a system: one configuration for all machine types, by their official score.

    Trials that the storage holds are not done again, and several commands may work on one study.

    Args:
        data: a data set, or what ``asdbench.load`` takes. Its test clips carry labels.
        extractor: name, or ``asdbench.extractor(...)``, whose given parameters are not tuned; of several one is chosen.
        scorer: likewise.
        system: a published system in place of both.
        trials: that the study is to have; None is 50, or all of a grid.
        spaces: what parameters are tuned over, in place of what their cards say: ``{"knn.n_neighbors": "1:50"}``,
            ``"0.02:0.5:log"``, ``"16:64:16"`` (a step), or a list of choices.
        only: ``component.param``, or a component; nothing else is tuned then.
        sampler: tpe, random, grid (every combination of finite spaces), cmaes, nsga2, nsga3, qmc or gp.
        pruner: median, halving, hyperband or none, which decides between machine types and seeds; None is what suits.
        objectives: "score", and beside it "seconds" or "parameters".
        params: parameters that are not tuned, by ``component.param``.
        augmentations: names, in place of the extractor's.
        frontend: name, in place of the extractor's.
        seeds: base seeds; of several, the mean score counts.
        machines: only these machine types.
        split: of a challenge's data.
        data_root: where the challenges' data lie.
        profile: of the extractor's card.
        storage: where Optuna keeps the study: ``sqlite:///FILE``, ``journal:FILE`` or ``postgresql://...``.
        name: of the study; None is made of what is asked.
        sampler_seed: of what the sampler draws.
        timeout_s: no trial begins after so many seconds.
        out: the study's folder is ``out/studies/NAME``.
        device: "auto" takes a GPU where there is one.
        jobs: trials done at a time, in processes; 0 is as many as cores. A script that uses it needs
            ``if __name__ == "__main__":``, as all of Python's processes do.
        threads: of one training on the CPU.
        engine: "ray" for the cluster at ``RAY_ADDRESS``.
        plugin_path: folders with ``registry/`` and modules of your own.
        progress: where the work is reported; None shows nothing.

    Raises:
        UsageError: a name, parameter or space that does not exist, or a study of that name has other terms.
        RequirementError: recordings are missing or carry no labels, or the storage cannot be reached.

    Examples:
        >>> import asdbench as asd
        >>> study = asd.tune("synthetic", "raw-mel", "knn", trials=2, only="knn", machines=["fan"])
        >>> study.best.params == study.study.best_params, len(study.to_frame())
        (True, 2)
    """
    require_positive("timeout_s", timeout_s)
    if trials is not None:
        trials = whole_number("trials", trials)
        require_positive("trials", trials)
    things = {"extractors": listed(extractor), "scorers": listed(scorer), "systems": listed(system)}
    names: dict[str, list[str]] = {kind: [] for kind in things}
    given: dict[str, object] = {key: plain(value) for key, value in (params or {}).items()}
    for kind, some in things.items():
        for thing in some:
            name_of_thing, params_of_thing = name_and_params(thing, kind)
            names[kind].append(name_of_thing)
            given |= params_of_thing
    source = _source(data, split, several(machines))
    spec = run_spec(
        [thing for some in things.values() for thing in some],
        seeds=seeds,
        machines=source.machines,
        augmentations=augmentations,
        plugin_path=plugin_path,
        dataset=[source.name],
        split=source.split,
        extractor=names["extractors"],
        scorer=names["scorers"],
        system=names["systems"],
        frontend=frontend,
        params={**given, **{f"{source.name}.{key}": value for key, value in source.params}},
        profile=profile,
        data_root=data_root,
        device=device,
        engine=engine,
        jobs=jobs,
        threads=threads,
        out=out,
    )
    asked = TuneSpec(
        run=spec,
        spaces=[f"{key}={_space(space)}" for key, space in (spaces or {}).items()],
        only=listed(only),
        trials=trials,
        objectives=read_objectives(listed(objectives)),
        sampler=sampler,
        pruner=pruner,
        sampler_seed=sampler_seed,
        storage=storage,
        study=name,
    )
    tuning = Tuning(asked, progress or Silent())
    if isinstance(data, Dataset) and tuning.dataset.fingerprint != data.fingerprint:
        raise UsageError(
            f"The clips given are not those of '{spec.dataset[0]}', so no run file could name them.\n"
            "Give the name or the folder of a data set; machines=[...] picks machine types."
        )
    record = do_trials(tuning, lambda *_: None, progress or Silent(), timeout=timeout_s)
    study, _ = open_study(tuning)
    return Study(study, record, tuning.folder)


def _source(data: Data, split: Literal["dev", "eval"] | None, machines: Sequence[str]) -> Source:
    """How the command line asks for a data set."""
    if not isinstance(data, str | Path):
        data = load(data)
    if not isinstance(data, Dataset):
        return Source(str(data), split, tuple(machines))
    if data.source is None:
        raise UsageError("tune takes a data set by its name or folder, or as asdbench.load(...) returns it.")
    return replace(data.source, machines=tuple(machines) or data.source.machines)


def _space(space: str | Sequence[object]) -> str:
    """As the command line spells it."""
    if isinstance(space, str):
        return space
    texts = [",".join(map(str, one)) if isinstance(one, list | tuple) else str(one) for one in space]
    return ";".join(texts)
