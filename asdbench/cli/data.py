"""``asdbench data``: make and inspect data sets."""

from pathlib import Path
from typing import Annotated

import typer

from asdbench.cli.data_download import download
from asdbench.cli.data_info import info
from asdbench.cli.data_verify import verify
from asdbench.cli.options import Jobs, Quiet
from asdbench.cli.output import echo

app = typer.Typer(help="Make and inspect data sets.", no_args_is_help=True, suggest_commands=False)
app.command("download")(download)
app.command("info")(info)
app.command("verify")(verify)


@app.command()
def make(
    name: Annotated[
        str, typer.Argument(help="Card of a synthetic data set: synthetic, synthetic-large or synthetic-stereo.")
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
    from asdbench.core.paths import cache_root
    from asdbench.harness.data import made_data
    from asdbench.harness.machine import available_cores
    from asdbench.registry import load_catalog

    values = {}
    for text in params or []:
        key, equals, value = text.removeprefix("dataset.").partition("=")
        if not equals:
            raise UsageError(f"-p {text}: expected PARAM=VALUE. See: asdbench show {name}")
        values[key] = value
    component = load_catalog().component("datasets", name, values)
    if to is not None and to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise UsageError(f"--to {to}: it is there already and not an empty folder; nothing was written. Give another.")
    cores, progress = jobs or available_cores(), ConsoleProgress(quiet)
    if to is not None:
        component.build().make(to, cores, progress)
    folder = to or made_data(component, cache_root(), cores, progress)
    echo(str(folder))
    echo(
        f"Run on it: asdbench run --dataset {folder if to else name} --extractor raw-mel --scorer mahalanobis-lw",
        err=True,
    )
