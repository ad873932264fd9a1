"""``asdbench data download``: bring a challenge's data here."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asdbench.cli.options import AsJson, DataRoot, PluginPath, Quiet, Split
from asdbench.cli.output import echo, print_json

if TYPE_CHECKING:
    from asdbench.datasets.download import Held


def download(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Card of a challenge's data set, e.g. dcase2023.")],
    split: Split = None,
    machine: Annotated[
        list[str] | None,
        typer.Option("--machine", metavar="NAME", help="Only this machine type; may be repeated. [default: all]"),
    ] = None,
    data_root: DataRoot = None,
    keep_zips: Annotated[bool, typer.Option("--keep-zips", help="Leave the zips where they were unpacked.")] = False,
    accept_new: Annotated[
        bool, typer.Option("--accept-new", help="Take zips whose checksum differs from what was recorded or published.")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    plugin_path: PluginPath = None,
) -> None:
    """Download, verify and unpack recordings of a DCASE challenge.

    They go to DIR/NAME/<split>_data/raw/<machine>. The same command goes on after an interruption, and brings only
    what is not there yet. A zip that lies in DIR/NAME/zips/<split>/<machine> already is not transferred.
    """
    import json

    from asdbench.cli.progress import ConsoleProgress
    from asdbench.core.errors import RequirementError, UsageError
    from asdbench.datasets.challenge import require_split
    from asdbench.datasets.download import download_challenge
    from asdbench.harness.data import data_root as data_root_of
    from asdbench.registry import load_catalog

    progress = ConsoleProgress(quiet)
    catalog = load_catalog(plugin_path or ())
    for warning in catalog.warnings:
        progress.note(warning)
    card = catalog.find("datasets", name).challenge
    if card is None:
        raise UsageError(f"'{name}' is made here, not downloaded. Make it: asdbench data make {name}")
    machines = list(dict.fromkeys(machine or []))
    split = require_split(name, card, split, machines)
    for one in machines or card.splits[split].machines:  # type: ignore[index]
        if not card.splits[split].zips_of(one):  # type: ignore[index]
            raise RequirementError(f"The card of {name} names no zips of {one}. See: asdbench show {name}")
    root = data_root_of(data_root).absolute()
    held = download_challenge(name, card, split, root, progress, machines, keep_zips, accept_new)
    if as_json:
        content = {"name": name, "split": split, "data_root": str(root), "licence": card.licence}
        print_json(json.dumps(content | {"zips": [_as_json(zip_) for zip_ in held]}, indent=2))
        return
    _print_summary(held)
    echo(f"Licence of the recordings: {card.licence}", err=True)
    words = "".join(f" --machine {one}" for one in machines)
    words += _option("--data-root", data_root) + "".join(_option("--plugin-path", path) for path in plugin_path or ())
    echo(f"Check it: asdbench data verify {name} --split {split}{words}", err=True)
    systems = "--extractor raw-mel --scorer mahalanobis-lw"
    echo(f"Run on it: asdbench run --dataset {name} --split {split}{words} {systems}", err=True)


def _print_summary(held: "list[Held]") -> None:
    from asdbench.core.sizes import in_words

    for folder in dict.fromkeys(one.folder for one in held):
        own = [one for one in held if one.folder == folder]
        files, size = sum(one.files for one in own), sum(one.unpacked for one in own)
        states = ", ".join(f"{one.name} {one.state} ({in_words(one.size)})" for one in own)
        echo(f"{own[0].machine}: {files} files, {in_words(size)}, in {folder}; {states}")


def _as_json(held: "Held") -> dict[str, object]:
    return {
        "machine": held.machine,
        "url": held.url,
        "zip": held.name,
        "state": held.state,
        "bytes": held.size,
        "sha256": held.sha256,
        "published": held.published,
        "files": held.files,
        "unpacked_bytes": held.unpacked,
        "folder": str(held.folder),
    }


def _option(name: str, path: Path | None) -> str:
    import shlex

    return "" if path is None else f" {name} {shlex.quote(str(path))}"
