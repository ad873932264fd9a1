"""``asdbench reproduce``: are a system's published numbers those that come out here?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from asdbench.cli import options as opt
from asdbench.cli.output import echo, print_json

if TYPE_CHECKING:
    from asdbench.api.reproducing import PublishedNumber, Reproduction


def reproduce(
    system: Annotated[
        str, opt.argument("SYSTEM", "Published system; see: asdbench list systems.", opt.Named("systems"))
    ],
    dataset: Annotated[
        str, opt.option("NAME", "Card of the data set that numbers were published for.", opt.Named("datasets"))
    ],
    split: Annotated[str | None, opt.option("dev|eval", "[default: dev, where numbers of it were published]")] = None,
    data_root: opt.DataRoot = None,
    ground_truth: Annotated[
        Path | None, opt.option("DIR|FILE", "Labels of an evaluation set, as the official evaluators have them.")
    ] = None,
    machine: opt.Machines = None,
    params: opt.Params = None,
    seed: opt.Seeds = None,
    tolerance: Annotated[
        float | None,
        opt.option(
            "POINTS", "Largest difference, in percent points. [default: the card's, else 1]", opt.Number(min=0, max=100)
        ),
    ] = None,
    out: Annotated[Path, opt.option("DIR", "Where the runs' folders go.")] = opt.RUNS,
    device: opt.Device = None,
    jobs: opt.Processes = None,
    as_json: opt.AsJson = False,
    quiet: opt.Quiet = False,
    plugin_path: opt.PluginPath = None,
) -> None:
    """Run a published system where its data and weights are at hand; compare each published number with what comes out.

    Ends with 1 where a number is out of tolerance. Runs that were done before are read.

    Example: asdbench reproduce beats-rdp4-beam --dataset dcase2026 -p beats.weights=BEATs_iter3.pt
    """
    import asdbench
    from asdbench.cli.progress import ConsoleProgress
    from asdbench.harness.spec import read_spec

    spec = read_spec(None, {"params": params or [], "device": device, "seed": seed, "jobs": jobs, "split": split})
    found = asdbench.reproduce(
        system,
        dataset,
        split=split,
        machines=machine or (),
        data_root=data_root,
        ground_truth=ground_truth,
        params=spec.params,
        seeds=spec.seed,
        tolerance=tolerance,
        plugin_path=plugin_path or (),
        progress=ConsoleProgress(quiet),
        out=out,
        device=spec.device,
        jobs=spec.jobs,
    )
    print_json(_as_json(found)) if as_json else _print(found, spec.params)
    if not found.reproduced:
        raise typer.Exit(1)


def _as_json(found: "Reproduction") -> dict[str, Any]:
    return {
        "system": found.system,
        "dataset": found.dataset,
        "split": found.split,
        "reproduced": found.reproduced,
        "trained": found.is_trained,
        "numbers": [{**vars(one), "difference": one.difference, "within": one.within} for one in found.numbers],
        "runs": [str(one.folder) for one in found.runs],
    }


def _print(found: "Reproduction", params: dict[str, Any]) -> None:
    from asdbench.cli.tables import interval, print_table, table
    from asdbench.core.texts import percent

    echo(f"{found.system} on {found.dataset} {found.split}, percent", bold=True)
    compared = [one for one in found.numbers if one.within is not None]
    several = len(found.runs) > 1
    columns = ("number", ">published", ">measured", ">difference", ">tolerance", "within")
    rows = [
        (
            _name(one),
            percent(one.published),
            f"{percent(one.measured)} [{interval(one.interval)}]" if one.interval else percent(one.measured),
            percent(one.difference, sign=True),
            percent(one.tolerance),
            "yes" if one.within else "NO",
        )
        for one in compared
    ]
    if rows:
        print_table(table(columns, rows))
        echo(f"In brackets: {'lowest and highest seed' if several else '95 % interval over test clips'}.", dim=True)
    for one in (one for one in found.numbers if one.within is None):
        echo(f"not compared: {_name(one)} {percent(one.published)}: {one.reason}", fg="yellow")
    for source in dict.fromkeys(one.source for one in found.numbers):
        echo(f"published by: {source}", dim=True)
    if params:
        echo(f"set by hand: {', '.join(f'{key} = {value}' for key, value in params.items())}", dim=True)
    if found.is_trained and not several:
        echo("One seed of a trained network; the mean of several: --seed 0 --seed 1 --seed 2", dim=True)
    within = sum(bool(one.within) for one in compared)
    echo(f"{within} of {len(compared)} numbers within tolerance", bold=True, fg="green" if found.reproduced else "red")


def _name(one: "PublishedNumber") -> str:
    return f"{one.machine} {one.metric}" if one.machine else one.metric
