"""``asdbench data``: make and inspect data sets."""

from pathlib import Path
from typing import Annotated

import typer

from asdbench.cli.data_download import download
from asdbench.cli.options import AsJson, Jobs, Quiet

app = typer.Typer(help="Make and inspect data sets.", no_args_is_help=True)
app.command("download")(download)


@app.command()
def make(
    name: Annotated[
        str, typer.Argument(help="Card of a synthetic data set: synthetic or synthetic-large.")
    ] = "synthetic",
    to: Annotated[Path | None, typer.Option("--to", metavar="DIR", help="Where to; the cache when left out.")] = None,
    params: Annotated[
        list[str] | None,
        typer.Option("-p", metavar="PARAM=VALUE", help="Parameter of the card; may be repeated."),
    ] = None,
    jobs: Jobs = 0,
    quiet: Quiet = False,
) -> None:
    """Make the recordings of a synthetic data set."""
    from asdbench.cli.progress import ConsoleProgress
    from asdbench.core.errors import UsageError
    from asdbench.harness.cache import cache_root
    from asdbench.harness.data import made_folder
    from asdbench.harness.machine import available_cores
    from asdbench.registry import load_catalog

    values = {}
    for text in params or []:
        key, equals, value = text.removeprefix("dataset.").partition("=")
        if not equals:
            raise UsageError(f"-p {text}: expected PARAM=VALUE. See: asdbench show {name}")
        values[key] = value
    component = load_catalog().component("datasets", name, values)
    folder = to or made_folder(component, cache_root())
    if to is not None and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(
            f"--to {folder}: it is there already and not an empty folder; nothing was written. Give another."
        )
    if not folder.is_dir() or to is not None:
        component.build().make(folder, jobs or available_cores(), ConsoleProgress(quiet))
    typer.echo(str(folder))
    typer.echo(
        f"Run on it: asdbench run --dataset {folder if to else name} --extractor raw-mel --scorer mahalanobis-lw",
        err=True,
    )


@app.command()
def info(
    dataset: Annotated[str, typer.Argument(help="Card of a data set, or a folder.")] = "synthetic",
    as_json: AsJson = False,
) -> None:
    """Show what a data set holds: clips by machine type, section, split, domain and label."""
    import json
    from collections import Counter

    from asdbench.cli.progress import ConsoleProgress
    from asdbench.harness.cache import cache_root
    from asdbench.harness.data import is_folder, open_card, open_folder
    from asdbench.harness.machine import available_cores
    from asdbench.registry import load_catalog

    catalog = load_catalog()
    if is_folder(dataset, catalog):
        table = open_folder(dataset, cache_root())
    else:
        component = catalog.component("datasets", dataset)
        table = open_card(component, cache_root(), available_cores(), ConsoleProgress(False))
    labels = {0: "normal", 1: "anomaly", None: "unlabelled"}
    counts = Counter((clip.machine, clip.section, clip.split, clip.domain or "-", labels[clip.label]) for clip in table)
    columns = ("machine", "section", "split", "domain", "label", "clips")
    rows = [(*key, count) for key, count in sorted(counts.items())]
    if as_json:
        content = {
            "name": table.name,
            "layout": table.layout,
            "fingerprint": table.fingerprint,
            "clips": [dict(zip(columns, row, strict=True)) for row in rows],
        }
        typer.echo(json.dumps(content, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    shown = Table(
        *columns,
        title=f"{table.name}: {len(table)} clips, layout {table.layout}",
        box=None,
        title_justify="left",
    )
    for row in rows:
        shown.add_row(*map(str, row))
    Console().print(shown)
    typer.echo(f"fingerprint {table.fingerprint}")
