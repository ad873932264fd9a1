"""The command that a user most likely wants after a run."""

from json import dumps
from pathlib import Path
from shlex import quote
from typing import Any

from asdbench.harness import Plan
from asdbench.harness.spec import RunSpec


def next_command(plan: Plan) -> str:
    """The command that a user most likely wants next."""
    spec = plan.spec
    if not plan.datasets[0].labelled:
        folder = quote(str(spec.out / plan.asked[0].run_id))
        return f"asdbench evaluate {folder} --ground-truth DIR   (once the labels are known)"
    names = dict.fromkeys(cell.system or f"{cell.extractor.name}+{cell.scorer.name}" for cell in plan.asked)
    if len(names) > 1:
        out = "" if spec.out == Path("runs") else f" --out {quote(str(spec.out))}"
        return f"asdbench compare {' '.join(names)}{out}   (which of them the test clips tell apart)"
    if spec.dataset == ["synthetic"]:
        words = ["--dataset", "FOLDER", *_what(spec)]
        return f"asdbench run {' '.join(words)}   (your own recordings: FOLDER/<machine>/train and test)"
    if len(spec.seed) == 1:
        words = [word for name in spec.dataset for word in ("--dataset", quote(name))]
        words += ["--split", spec.split] if spec.split else []
        words += ["--data-root", quote(str(spec.data_root))] if spec.data_root else []
        words += [word for machine in spec.machine for word in ("--machine", quote(machine))]
        seeds = "--seed 0 --seed 1 --seed 2"
        return f"asdbench run {' '.join([*words, *_what(spec, data=True)])} {seeds}   (the spread over seeds)"
    return "asdbench report RUN   (pictures of one run); asdbench list scorers   (others to compare)"


def _what(spec: RunSpec, *, data: bool = False) -> list[str]:
    """The options that say what is run, with its parameters; those of the data set where ``data`` asks for them."""
    words = [word for name in spec.system for word in ("--system", name)]
    words += [word for name in spec.extractor for word in ("--extractor", quote(name))]
    words += [word for name in spec.scorer for word in ("--scorer", quote(name))]
    words += ["--frontend", spec.frontend] if spec.frontend else []
    words += [word for name in spec.augmentation or () for word in ("--augmentation", name)]
    words += ["--profile", spec.profile] if spec.profile != "auto" else []
    words += ["--device", spec.device] if spec.device != "auto" else []
    words += ["--threads", str(spec.threads)] if spec.threads != 1 else []  # sums depend on it
    words += [word for folder in spec.plugin_path for word in ("--plugin-path", quote(str(folder)))]
    for key, value in spec.params.items():
        if data or key.partition(".")[0] not in ("dataset", *spec.dataset):
            words += ["-p", quote(f"{key}={_spelt(value)}")]
    words += ["--out", quote(str(spec.out))] if spec.out != Path("runs") else []
    return words


def _spelt(value: Any) -> str:
    """A value of a run file as ``-p`` takes it: names with commas between them, anything else as TOML has it."""
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ",".join(value)
    return value if isinstance(value, str) else dumps(value)
