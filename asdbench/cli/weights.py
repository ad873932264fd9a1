"""``asdbench weights``: which weights of encoders are published, and bring them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import click
import typer

from asdbench.cli.options import AsJson, Named, PluginPath, Quiet, argument, catalog, flag, group, option
from asdbench.cli.output import echo, print_json
from asdbench.core.commands import command
from asdbench.core.errors import UsageError
from asdbench.core.numbers import size_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asdbench.datasets.download.weights import KnownWeights
    from asdbench.registry.cards import WeightsFile

app = group("Published weights of pretrained encoders: list and download them.")
To = Annotated[
    Path | None, option("DIR", "Where weights lie, a folder for each. [default: weights in the data folder]")
]
UNKNOWN = "not known"


@app.command("list")
def list_(to: To = None, as_json: AsJson = False, plugin_path: PluginPath = None) -> None:
    """List the weights that are known here, with licence, size and checksum, and which of them are there.

    Example: asdbench weights list
    """
    from asdbench.cli.tables import print_table, table
    from asdbench.datasets.download.weights import known_weights

    known, root = known_weights(catalog(plugin_path)), _root(to)
    if as_json:
        print_json({"folder": str(root), "weights": [_as_json(one, root) for one in known]})
        return
    columns = ("name", "extractor", ">size", "sha256", "licence", "here")
    rows = [
        (
            one.name,
            one.extractor,
            _size(one.size),
            " ".join(file.sha256[:8] if file.sha256 else UNKNOWN for file in one.content.files),
            one.content.licence,
            "yes" if one.are_in(root) else "",
        )
        for one in known
    ]
    print_table(table(columns, rows))
    echo(f"Folder: {root}", dim=True)
    echo(f"Get one: {command('weights get', 'NAME')}", dim=True)


@app.command()
def get(
    name: Annotated[str, argument("NAME", "Name that asdbench weights list shows.", Named("weights"))],
    to: To = None,
    yes: Annotated[bool, flag("--yes", "-y", "Do not ask before the download.")] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    plugin_path: PluginPath = None,
) -> None:
    """Download published weights: licence, size and checksum are shown first.

    The same command goes on after an interruption, and verifies what is there already.

    Example: asdbench weights get beats-iter3
    """
    from asdbench.cli.progress import ConsoleProgress
    from asdbench.datasets.download.weights import find_weights, get_weights, sizes_to_come

    known, root = find_weights(catalog(plugin_path), name), _root(to)
    progress = ConsoleProgress(quiet)
    sizes = sizes_to_come(known, root, progress)
    if not (quiet and yes):
        _print(known, sizes)
    if sizes and not yes:
        try:
            wanted = typer.confirm(f"Download to {root / known.name}?", err=True)
        except click.Abort as error:
            raise UsageError("Nothing was downloaded, as nobody answered. To download unasked: --yes") from error
        if not wanted:
            echo("Nothing was downloaded.", err=True)
            return
    files = get_weights(known, root, progress)
    if as_json:
        found = [{**vars(one), "path": str(one.path)} for one in files]
        print_json({**_as_json(known, root), "path": str(known.place(root)), "files": found})
        return
    for one in files:
        checked = {"new": "checksum recorded", "recorded": "as first downloaded", "published": "checksum as published"}
        echo(f"{one.path.name} {one.state}, {_size(one.size)}, {checked[one.checked]}")
    echo(known.place(root), bold=True)
    weights = f"{known.extractor}.weights={known.place(root)}"
    echo(f"Use it: {command('run', extractor=known.extractor, p=weights, scorer='knn')}", dim=True, err=True)


def _root(to: Path | None) -> Path:
    from asdbench.harness.data import data_root

    return (to or data_root() / "weights").absolute()


def _size(size: int | None) -> str:

    return UNKNOWN if size is None else size_text(size)


def _print(known: "KnownWeights", sizes: "Mapping[WeightsFile, int | None]") -> None:
    """What is to be known before a download, on standard error; sizes may be those that the server says."""
    content = known.content
    echo(f"{known.name}, weights of {known.extractor}", bold=True, err=True)
    for file in content.files:
        echo(f"  file     {file.file}", err=True)
        echo(f"  size     {_size(sizes.get(file, file.size))}", err=True)
        echo(f"  sha256   {file.sha256 or UNKNOWN}", err=True)
        if content.pip is None:
            echo(f"  from     {file.url or UNKNOWN}", err=True)
    if content.pip is not None:
        echo(f"  from     the wheel {content.pip}, by pip", err=True)
    echo(f"  licence  {content.licence}", err=True)
    echo(f"  page     {content.page}", err=True)
    if content.note:
        echo(f"  note     {content.note}", err=True)


def _as_json(known: "KnownWeights", root: Path) -> dict[str, Any]:
    return {"extractor": known.extractor, **known.content.model_dump(mode="json"), "here": known.are_in(root)}
