"""``asdbench data download``: bring a challenge's data here."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asdbench.cli.options import AsJson, DataRoot, PluginPath, Quiet, Split
from asdbench.cli.output import echo, print_json

if TYPE_CHECKING:
    from asdbench.datasets.download import DownloadedZip


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
    downloaded = download_challenge(name, card, split, root, progress, machines, keep_zips, accept_new)
    if as_json:
        content = {"name": name, "split": split, "data_root": str(root), "licence": card.licence}
        print_json(json.dumps(content | {"zips": [_as_json(zip_) for zip_ in downloaded]}, indent=2))
        return
    _print_summary(downloaded)
    echo(f"Licence of the recordings: {card.licence}", err=True)
    options = "".join(f" --machine {one}" for one in machines)
    options += _option("--data-root", data_root) + "".join(_option("--plugin-path", path) for path in plugin_path or ())
    echo(f"Check it: asdbench data verify {name} --split {split}{options}", err=True)
    systems = "--extractor raw-mel --scorer mahalanobis-lw"
    echo(f"Run on it: asdbench run --dataset {name} --split {split}{options} {systems}", err=True)


def _print_summary(downloaded: "list[DownloadedZip]") -> None:
    from asdbench.core.numbers import size_text

    for folder in dict.fromkeys(zip_.source.folder for zip_ in downloaded):
        zips = [zip_ for zip_ in downloaded if zip_.source.folder == folder]
        files, size = sum(zip_.entry.files for zip_ in zips), sum(zip_.entry.unpacked_size for zip_ in zips)
        states = ", ".join(f"{zip_.source.name} {zip_.state} ({size_text(zip_.entry.size)})" for zip_ in zips)
        echo(f"{zips[0].source.machine}: {files} files, {size_text(size)}, in {folder}; {states}")


def _as_json(zip_: "DownloadedZip") -> dict[str, object]:
    return {
        "machine": zip_.source.machine,
        "url": zip_.source.url,
        "zip": zip_.source.name,
        "state": zip_.state,
        "bytes": zip_.entry.size,
        "sha256": zip_.entry.sha256,
        "published": zip_.entry.published,
        "files": zip_.entry.files,
        "unpacked_bytes": zip_.entry.unpacked_size,
        "folder": str(zip_.source.folder),
    }


def _option(name: str, path: Path | None) -> str:
    import shlex

    return "" if path is None else f" {name} {shlex.quote(str(path))}"
