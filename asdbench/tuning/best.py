"""``best.toml``: the configuration of a trial as a run file, which ``asdbench run --config`` takes."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from asdbench.core.files import write_text
from asdbench.harness.record import read_record
from asdbench.harness.request import Stages, asked_stages
from asdbench.harness.spec import LISTS, RunSpec
from asdbench.registry import load_catalog
from asdbench.tuning.record import BEST_FILE, RUNS, StudyRecord, TrialRecord
from asdbench.tuning.selection import done, optimism

KINDS = ("extractor", "scorer", "frontend", "augmentation", "dataset")  # words for the only component of a kind
OF_ONE_COMMAND = ("jobs", "fresh", "retry_failed", "params")  # how the study was done, not what it found
FULL = "full"


def write_best(folder: Path, record: StudyRecord, trials: Sequence[TrialRecord]) -> Path | None:
    """Write the best trial's run file whole into the study's folder; None, and no file, while no trial is done."""
    if record.best is None:
        return None
    number = record.best.trial
    trial = next(trial for trial in done(trials) if trial.number == number)
    path = folder / BEST_FILE
    write_text(path, run_file(record, trial, profile_of(folder, trial)))
    return path


def profile_of(folder: Path, trial: TrialRecord) -> str | None:
    """The profile that the trial's runs used, from their records; None where there is none to read."""
    for run in trial.runs:
        found = read_record(folder / RUNS / run)
        if found is not None:
            return found.asked.profile or FULL
    return None


def run_file(record: StudyRecord, trial: TrialRecord, profile: str | None = None) -> str:
    """The text of a run file that does the trial's runs: what the study was asked, with the trial's parameters.

    Args:
        record: of the study.
        trial: a done one.
        profile: that its runs used. It is named, so that the parameters mean the same on a larger data set, where
            ``auto`` would change them; None leaves what was asked.
    """
    params = parameters(record, trial)
    lines = [*_head(record, trial, params), ""]
    for key, value in settings(record, trial, profile).items():
        lines.append(f"{key} = {_value(value)}")
    for scope in _scopes(params):
        own = {name.rpartition(".")[2]: value for name, value in params.items() if name.rpartition(".")[0] == scope}
        lines += ["", f"[params.{_key(scope)}]"]
        lines += [f"{_key(param)} = {_value(value)}" for param, value in own.items()]
    return "\n".join(lines) + "\n"


def settings(record: StudyRecord, trial: TrialRecord, profile: str | None = None) -> dict[str, Any]:
    """The keys of the run file besides ``params``; those that say what is the case anyway are left out."""
    spec = RunSpec.model_validate({key: value for key, value in record.asked.items() if key in RunSpec.model_fields})
    asked = {key: value for key, value in spec.model_dump(mode="json").items() if key not in OF_ONE_COMMAND}
    chosen = {key: [value] if key in LISTS else value for key, value in trial.params.items() if "." not in key}
    values = {**asked, **chosen, "seed": list(record.seeds), "profile": profile or spec.profile}
    usual = RunSpec().model_dump(mode="json")
    always = ("dataset", "seed", "profile")
    return {key: value for key, value in values.items() if key in always or value != usual[key]}


def parameters(record: StudyRecord, trial: TrialRecord) -> dict[str, Any]:
    """``component.param`` and value: those asked for, then the tuned ones; none of a component that was not chosen."""
    spec = RunSpec.model_validate(settings(record, trial))
    parts = {part for stages in asked_stages(spec, load_catalog(spec.plugin_path)) for part in _parts(stages)}
    here = parts | set(spec.dataset) | set(KINDS)
    tuned = {key: value for key, value in trial.params.items() if "." in key}
    asked = {
        key: value
        for key, value in _flat(record.asked.get("params") or {})
        if key not in tuned and key.rpartition(".")[0] in here
    }
    return asked | tuned


def _parts(stages: Stages) -> Iterator[str]:
    """The components of a system by name, and as parts of that system alone."""
    for names in stages.parts().values():
        for name in names:
            yield name
            if stages.system:
                yield f"{stages.system}.{name}"


def _head(record: StudyRecord, trial: TrialRecord, params: Mapping[str, Any]) -> list[str]:
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
        machines = ", ".join(record.machines)
        lines += [
            "",
            "NOT ADMISSIBLE UNDER THE FIRST-SHOT RULE: these parameters were tuned for one machine type alone",
            f"({machines}). A system of the challenge has one configuration for all machine types.",
        ]
    asked = record.asked.get("dataset") or ["synthetic"]
    lines += [
        "",
        f"Again:                asdbench run --config {BEST_FILE}",
        f"On other recordings:  asdbench run --config {BEST_FILE} --dataset OTHER",
    ]
    made = [scope for scope in _scopes(params) if scope == "dataset" or scope in _listed(asked)]
    if made:
        lines.append(f"Take out [params.{_key(made[0])}] then: it says how these recordings are made.")
    return [f"# {_one_line(line)}".rstrip() for line in lines]


def _scopes(params: Mapping[str, Any]) -> list[str]:
    """The components that parameters belong to."""
    return list(dict.fromkeys(name.rpartition(".")[0] for name in params))


def _one_line(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _percent(score: float) -> str:
    return f"{100 * score:5.2f}"


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _flat(tables: Mapping[str, Any], scope: str = "") -> list[tuple[str, Any]]:
    """Of nested tables or of flat keys."""
    found: list[tuple[str, Any]] = []
    for key, value in tables.items():
        found += _flat(value, f"{scope}{key}.") if isinstance(value, Mapping) else [(f"{scope}{key}", value)]
    return found


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _text(name)


def _value(value: object) -> str:
    """A TOML value. Floats come back to the last bit; None is the text that ``-p`` takes for it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(part) for part in value)}]"
    return _text(str(value))


def _text(text: str) -> str:
    """JSON's text is TOML's, but for one control character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
