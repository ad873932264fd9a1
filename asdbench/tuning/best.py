"""``best.toml``: the configuration of a trial as a run file, which ``asdbench run --config`` takes."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from asdbench.core.files import write_text
from asdbench.harness.record import read_record
from asdbench.harness.request import asked_stages
from asdbench.harness.spec import LISTS, RunSpec, flat
from asdbench.registry import load_catalog
from asdbench.tuning.record import BEST_FILE, RUNS, StudyRecord, TrialRecord
from asdbench.tuning.selection import optimism

KINDS = ("extractor", "scorer", "frontend", "augmentation", "dataset")  # stand for the only component of a kind
OF_ONE_COMMAND = ("jobs", "fresh", "retry_failed", "params")  # how the study was done, not its result
FULL = "full"


def write_best(folder: Path, record: StudyRecord, trials: Sequence[TrialRecord]) -> Path | None:
    """Write the best trial's run file whole into the study's folder; None, and no file, while no trial is done."""
    if record.best is None:
        return None
    trial = next(trial for trial in trials if trial.number == record.best.trial)
    path = folder / BEST_FILE
    text = run_file(record, trial, profile_of(folder, trial))
    if not path.is_file() or path.read_text(encoding="utf-8", errors="replace") != text:
        write_text(path, text)
    return path


def profile_of(folder: Path, trial: TrialRecord) -> str | None:
    """The profile that the trial's runs used, from their records; None where there is none to read."""
    records = (read_record(folder / RUNS / run) for run in trial.runs)
    return next((record.asked.profile or FULL for record in records if record is not None), None)


def run_file(record: StudyRecord, trial: TrialRecord, profile: str | None = None) -> str:
    """The text of a run file that does the trial's runs: what the study was asked, with the trial's parameters.

    Args:
        record: of the study.
        trial: a done one.
        profile: that its runs used. It is named, so that the parameters mean the same on a larger data set, where
            ``auto`` would change them; None leaves what was asked.
    """
    asked = _settings(record, trial, profile)
    tables: dict[str, list[str]] = {}
    for name, value in _params(record, trial, RunSpec.model_validate(asked)).items():
        scope, _, param = name.rpartition(".")
        tables.setdefault(scope, []).append(f"{_key(param)} = {_value(value)}")
    lines = [*_head(record, trial, list(tables)), "", *(f"{key} = {_value(value)}" for key, value in asked.items())]
    for scope, table in tables.items():
        lines += ["", f"[params.{_key(scope)}]", *table]
    return "\n".join(lines) + "\n"


def _settings(record: StudyRecord, trial: TrialRecord, profile: str | None) -> dict[str, Any]:
    """The keys of the run file besides ``params``; those that are so by default are left out."""
    spec = RunSpec.model_validate({key: value for key, value in record.asked.items() if key in RunSpec.model_fields})
    asked = {key: value for key, value in spec.model_dump(mode="json").items() if key not in OF_ONE_COMMAND}
    chosen = {key: [value] if key in LISTS else value for key, value in trial.params.items() if "." not in key}
    values = {**asked, **chosen, "seed": list(record.seeds), "profile": profile or spec.profile}
    usual = RunSpec().model_dump(mode="json")
    always = ("dataset", "seed", "profile")
    return {key: value for key, value in values.items() if key in always or value != usual[key]}


def _params(record: StudyRecord, trial: TrialRecord, spec: RunSpec) -> dict[str, Any]:
    """``component.param`` and value: those asked for, then the tuned ones; none of a component that was not chosen."""
    scopes = {*KINDS, *spec.dataset}
    for stages in asked_stages(spec, load_catalog(spec.plugin_path)):
        names = [name for names in stages.names().values() for name in names]
        scopes.update(names, (f"{stages.system}.{name}" for name in names if stages.system))
    tuned = {key: value for key, value in trial.params.items() if "." in key}
    asked = dict(flat(record.asked.get("params") or {}))
    return {k: value for k, value in asked.items() if k not in tuned and k.rpartition(".")[0] in scopes} | tuned


def _head(record: StudyRecord, trial: TrialRecord, scopes: Sequence[str]) -> list[str]:
    """Where it comes from and what to think of it, as comments."""
    seeds = f"seed{'s' if len(record.seeds) > 1 else ''} {', '.join(map(str, record.seeds))}"
    lines = [
        f"Trial {trial.number} of the study '{record.name}' on {record.dataset}, {record.updated_at[:10]}: the best of "
        f"{record.counts.get('done', 0)}.",
        f"Official score of {record.protocol} in percent, {seeds}:",
        f"  this trial     {_percent(trial.values[0])}   on the machine types that it was chosen on",
    ]
    gap = optimism(record.best, record.leave_one_out)
    if record.leave_one_out is not None and gap is not None:
        lines.append(
            f"  leave-one-out  {_percent(record.leave_one_out.score)}   each machine type by the trial that is best on "
            f"the others; optimism {100 * gap:+.2f}"
        )
    if record.default is not None:
        lines.append(f"  default        {_percent(record.default.score)}   trial {record.default.trial}, nothing tuned")
    if not record.admissible:
        lines += [
            "",
            "NOT ADMISSIBLE UNDER THE FIRST-SHOT RULE: these parameters were tuned for one machine type alone",
            f"({', '.join(record.machines)}). A system of the challenge has one configuration for all machine types.",
        ]
    lines += [
        "",
        f"Again:                asdbench run --config {BEST_FILE}",
        f"On other recordings:  asdbench run --config {BEST_FILE} --dataset OTHER",
    ]
    datasets = record.asked.get("dataset") or ["synthetic"]
    datasets = datasets if isinstance(datasets, list) else [datasets]
    made = next((scope for scope in scopes if scope in ("dataset", *datasets)), None)
    if made is not None:
        lines.append(f"Take out [params.{_key(made)}] then: it says how these recordings are made.")
    plain = ("".join(letter if letter.isprintable() else " " for letter in line) for line in lines)
    return [f"# {line}".rstrip() for line in plain]


def _percent(score: float) -> str:
    return f"{100 * score:5.2f}"


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _value(name)


def _value(value: object) -> str:
    """A TOML value. Floats come back to the last bit; None is the text that ``-p`` takes for it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    # JSON's text is TOML's, but for one control character.
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
