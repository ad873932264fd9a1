"""What ``asdbench run`` would do (``--dry-run``), and the command that follows a run."""

from json import dumps
from typing import Any

from asdbench.cli.output import echo
from asdbench.cli.progress import duration
from asdbench.cli.tables import print_widest, table, text, width
from asdbench.core.commands import command
from asdbench.core.documentation import page
from asdbench.harness.estimate import Forecast, Outlook
from asdbench.harness.plan import Plan
from asdbench.harness.spec import RunSpec
from asdbench.harness.writing import given_by_hand


def plan_as_json(plan: Plan, forecast: Forecast) -> dict[str, Any]:
    """The plan as JSON; times are seconds, null where no past run shows them."""
    return {
        "datasets": [
            {
                "name": dataset.name,
                "fingerprint": dataset.fingerprint,
                "protocol": dataset.protocol,
                "machines": dataset.machines,
                "clips": len(dataset),
            }
            for dataset in plan.datasets
        ],
        "device": plan.device,
        "processes": forecast.processes,
        "estimate_s": forecast.total_s,
        "fits_without_estimate": forecast.unknown_fits,
        "plan": [_run_as_json(outlook) for outlook in forecast.cells if not outlook.cell.implied],
    }


def _run_as_json(outlook: Outlook) -> dict[str, Any]:
    cell = outlook.cell
    return {
        "run_id": cell.run_id,
        "system": cell.system,
        "extractor": cell.extractor.name,
        "scorer": cell.scorer.name,
        "dataset": cell.dataset.name,
        "seed": cell.seed,
        "profile": cell.profile,
        "params": {one.name: one.params for one in (cell.extractor, cell.frontend, *cell.augmentations, cell.scorer)},
        "done": outlook.state == "done",
        "state": outlook.state,
        "fits": outlook.fits,
        "trained": outlook.trained,
        "embedded": outlook.embedded,
        "estimate_s": outlook.estimate_s,
    }


def print_plan(plan: Plan, forecast: Forecast) -> None:
    """The plan as a table, and what it comes to."""
    for dataset in plan.datasets:
        echo(f"{dataset.name}: {len(dataset)} clips of {', '.join(dataset.machines)}; protocol {dataset.protocol}")
        for note in dataset.notes:
            echo(f"  {note}", dim=True)
    outlooks = [outlook for outlook in forecast.cells if not outlook.cell.implied]
    several, named = len(plan.datasets) > 1, any(outlook.cell.system for outlook in outlooks)
    columns = ["data set"] * several + ["system"] * named
    columns += ["extractor", "scorer", *plan.spec.vary, ">seed", "profile", "state", ">about", "run"]
    rows = []
    for outlook in outlooks:
        cell = outlook.cell
        known = "?" if outlook.estimate_s is None else duration(outlook.estimate_s)
        row = [cell.dataset.name] * several + [cell.system or ""] * named
        row += [cell.extractor.name, cell.scorer.name]
        given = given_by_hand(cell)
        row += [str(given.get(key, "")) for key in plan.spec.vary] + [str(cell.seed), cell.profile or "full"]
        state = text(_state(outlook), {"done": "green", "failed": "red"}.get(outlook.state, ""))
        about = known if outlook.state == "to do" else ""
        rows.append([*row, state, about, text(cell.run_id, "dim")])
    wide = table(columns, rows)
    if print_widest(wide, table(columns[:-1], [row[:-1] for row in rows])) is not wide:
        echo(f"Ids of the runs need more than {width()} columns, or --json.", dim=True)
    echo(_summary(plan, forecast), bold=True)


def _state(outlook: Outlook) -> str:
    if outlook.state != "to do":
        return outlook.state
    if outlook.embedded == outlook.fits:
        return "to score"
    if outlook.trained == outlook.fits:
        return "to embed"
    return f"to fit ({outlook.trained} of {outlook.fits} there)" if outlook.trained else "to fit"


def _summary(plan: Plan, forecast: Forecast) -> str:
    states = [outlook.state for outlook in forecast.cells]
    failed, to_do = states.count("failed"), states.count("to do")
    before = f"{failed} failed before (--retry-failed does them again), " if failed else ""
    summary = f"{len(states)} runs: {states.count('done')} done, {before}{to_do} to do"
    if not to_do:
        return summary
    processes = f"{forecast.processes} processes" if forecast.processes > 1 else "one process"
    summary += f"; {forecast.fits} fits, device {plan.device}, {processes}"
    if forecast.total_s is None:
        return f"{summary}. No past run in {plan.spec.out}/ says how long that takes."
    unknown = f" ({forecast.unknown_fits} fits that appear in none of them count as the mean)"
    return f"{summary}: about {duration(forecast.total_s)}, by past runs{unknown if forecast.unknown_fits else ''}."


def next_command(plan: Plan) -> str:
    """The command that a user most likely wants after a run."""
    spec = plan.spec
    if not plan.datasets[0].labelled:
        evaluate = command("evaluate", str(spec.out / plan.asked[0].run_id))
        return f"{evaluate} --ground-truth DIR   (once the labels are known)"
    names = dict.fromkeys(cell.system or f"{cell.extractor.name}+{cell.scorer.name}" for cell in plan.asked)
    if spec.vary:
        return f"{command('compare', 'RUN', 'RUN', out=spec.out)}   (their names: asdbench runs list)"
    if len(names) > 1:
        return f"{command('compare', *names, out=spec.out)}   (which of them the test clips tell apart)"
    if spec.dataset == ["synthetic"]:
        again = command("run", dataset="FOLDER", **_pipeline(spec, with_data=False), out=spec.out)
        return f"{again}   (your own recordings: {page('how-to/data')})"
    if len(spec.seed) == 1:
        again = command(
            "run",
            dataset=spec.dataset,
            split=spec.split,
            data_root=spec.data_root,
            machine=spec.machine,
            **_pipeline(spec, with_data=True),
            out=spec.out,
            seed=[0, 1, 2],
        )
        return f"{again}   (the spread over seeds)"
    return "asdbench report RUN   (pictures of one run); asdbench list scorers   (others to compare)"


def _pipeline(spec: RunSpec, *, with_data: bool) -> dict[str, Any]:
    """The options that say what is run and change its numbers, for ``command``."""
    of_data = () if with_data else ("dataset", *spec.dataset)
    params = {key: value for key, value in spec.params.items() if key.partition(".")[0] not in of_data}
    names = ("system", "extractor", "scorer", "frontend", "augmentation", "profile", "device", "threads", "plugin_path")
    options = {name: getattr(spec, name) for name in names}
    options["threads"] = None if spec.threads == 1 else spec.threads  # sums depend on it
    return options | {"p": [f"{key}={_value(value)}" for key, value in params.items()]}


def _value(value: Any) -> str:
    """A value of a run file as ``-p`` takes it: names with commas between them, anything else as TOML has it."""
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ",".join(value)
    return value if isinstance(value, str) else dumps(value)
