"""``asdbench data``: make, download and look at data sets."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from asdbench.cli import options as opt
from asdbench.cli.data_audit import DataSet, dataset_of, header_table, how_scored, open_inventory, verify
from asdbench.cli.output import echo, print_json
from asdbench.core.commands import command
from asdbench.core.errors import RequirementError, UsageError
from asdbench.core.numbers import size_text
from asdbench.core.paths import cache_root

if TYPE_CHECKING:
    from asdbench.datasets.download import DownloadedZip

app = opt.group("Make and inspect data sets.")
SYSTEM = {"extractor": "raw-mel", "scorer": "mahalanobis-lw"}  # of the command that is proposed
SHOWN = 5  # faults, files, values


@app.command()
def make(
    name: Annotated[
        str,
        opt.argument(
            "[NAME]",
            "Card of a made data set: synthetic, synthetic-large, synthetic-stereo, factory.",
            opt.Named("datasets"),
        ),
    ] = "synthetic",
    to: Annotated[Path | None, opt.option("DIR", "Where to; the cache when left out.")] = None,
    params: Annotated[
        list[str] | None,
        opt.option("PARAM=VALUE", "Parameter of the card; may be repeated.", opt.Named("data-params"), "-p"),
    ] = None,
    jobs: opt.Jobs = 0,
    quiet: opt.Quiet = False,
) -> None:
    """Make the recordings of a synthetic data set.

    Example: asdbench data make factory --to factory
    """
    from asdbench.cli.progress import ConsoleProgress
    from asdbench.harness.data import made_data
    from asdbench.harness.machine import available_cores
    from asdbench.registry import load_catalog

    values = {}
    for assignment in params or []:
        key, equals, value = assignment.removeprefix("dataset.").partition("=")
        if not equals:
            raise UsageError(f"-p {assignment}: expected PARAM=VALUE. See: asdbench show {name}")
        values[key] = value
    component = load_catalog().component("datasets", name, values)
    if to is not None and to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise UsageError(f"--to {to}: it is there already and not an empty folder; nothing was written. Give another.")
    cores, progress = jobs or available_cores(), ConsoleProgress(quiet)
    if to is not None:
        component.build().make(to, cores, progress)
    folder = to or made_data(component, cache_root(), cores, progress)
    echo(folder)
    if (tomorrow := folder / "tomorrow").is_dir():
        machine = component.params["machines"][0]
        detector = f"{machine}.asd"
        echo(f"Fit a detector: {command('fit', str(folder / machine), **SYSTEM, to=detector)}", err=True)
        echo(f"Score with it: {command('score', detector, str(tomorrow / machine))}", err=True)
    table = folder / "clips.csv"
    echo(f"Run on it: {command('run', dataset=table if table.is_file() else to or name, **SYSTEM)}", err=True)


@app.command()
def download(
    name: Annotated[
        str, opt.argument("NAME", "Card of a challenge's data set, e.g. dcase2023.", opt.Named("datasets"))
    ],
    split: opt.Split = None,
    machine: opt.Machines = None,
    data_root: opt.DataRoot = None,
    keep_zips: Annotated[bool, opt.flag("--keep-zips", "Leave the zips where they were unpacked.")] = False,
    accept_new: Annotated[
        bool, opt.flag("--accept-new", "Take zips whose checksum differs from what was recorded or published.")
    ] = False,
    as_json: opt.AsJson = False,
    quiet: opt.Quiet = False,
    plugin_path: opt.PluginPath = None,
) -> None:
    """Download, verify and unpack recordings of a DCASE challenge.

    They go to DIR/NAME/<split>_data/raw/<machine>. The same command goes on after an interruption, and brings only
    what is not there yet. A zip that lies in DIR/NAME/zips/<split>/<machine> already is not transferred.

    Example: asdbench data download dcase2023 --machine fan
    """
    from asdbench.cli.progress import ConsoleProgress
    from asdbench.datasets.challenge import require_split
    from asdbench.datasets.download import download_challenge
    from asdbench.harness.data import data_root as data_root_of

    progress = ConsoleProgress(quiet)
    card = opt.catalog(plugin_path).find("datasets", name).challenge
    if card is None:
        raise UsageError(f"'{name}' is made here, not downloaded. Make it: asdbench data make {name}")
    machines = list(dict.fromkeys(machine or []))
    split = require_split(name, card, split, machines)
    content = card.splits[split]  # type: ignore[index]
    for one in machines or content.machines:
        if not content.zips_of(one):
            raise RequirementError(f"The card of {name} names no zips of {one}. See: asdbench show {name}")
    root = data_root_of(data_root).absolute()
    zips = download_challenge(name, card, split, root, progress, machines, keep_zips, accept_new)
    if as_json:
        head = {"name": name, "split": split, "data_root": str(root), "licence": card.licence}
        print_json({**head, "zips": [_zip_as_json(one) for one in zips]})
        return
    _print_downloads(zips)
    options = {"split": split, "machine": machines, "data_root": data_root, "plugin_path": plugin_path}
    echo(f"Licence of the recordings: {card.licence}", err=True)
    echo(f"Check it: {command('data verify', name, **options)}", err=True)
    echo(f"Run on it: {command('run', dataset=name, **options, **SYSTEM)}", err=True)


def _print_downloads(downloads: "Sequence[DownloadedZip]") -> None:

    for folder in dict.fromkeys(one.source.folder for one in downloads):
        zips = [one for one in downloads if one.source.folder == folder]
        files, size = sum(one.entry.files for one in zips), sum(one.entry.unpacked_size for one in zips)
        states = ", ".join(f"{one.source.name} {one.state} ({size_text(one.entry.size)})" for one in zips)
        echo(f"{zips[0].source.machine}: {files} files, {size_text(size)}, in {folder}; {states}")


def _zip_as_json(downloaded: "DownloadedZip") -> dict[str, object]:
    source, entry = downloaded.source, downloaded.entry
    return {
        "machine": source.machine,
        "url": source.url,
        "zip": source.name,
        "state": downloaded.state,
        "bytes": entry.size,
        "sha256": entry.sha256,
        "published": entry.published,
        "files": entry.files,
        "unpacked_bytes": entry.unpacked_size,
        "folder": str(source.folder),
    }


@app.command()
def info(
    dataset: DataSet = "synthetic",
    split: opt.Split = None,
    data_root: opt.DataRoot = None,
    machine: opt.Machines = None,
    as_json: opt.AsJson = False,
    plugin_path: opt.PluginPath = None,
) -> None:
    """Show what a data set holds, and how it was understood.

    Numbers of clips by machine, section, split, domain and label, rates, channels, lengths, attributes, by which
    definition it is scored, what is missing, and what is left aside.

    Example: asdbench data info recordings
    """
    from dataclasses import asdict

    from asdbench.cli.tables import print_table, table
    from asdbench.core.progress import Silent
    from asdbench.datasets.audio import BadRecording, Header
    from asdbench.datasets.audit.findings import counts, lacking, layout_of, rows, values_of_attributes
    from asdbench.datasets.audit.sounds import for_each, header_or_reason
    from asdbench.datasets.clips import OWN
    from asdbench.harness.machine import available_cores

    inventory = open_inventory(dataset, split, data_root, machine, plugin_path)
    paths = [one.path for one in inventory.recordings]
    read = dict(zip(paths, for_each(header_or_reason, paths, available_cores(), Silent(), "headers"), strict=True))
    sections = rows(inventory, {path: one for path, one in read.items() if isinstance(one, Header)})
    unusable = [f"{inventory.relative(path)}: {one}" for path, one in read.items() if isinstance(one, BadRecording)]
    clips, layout, missing = counts(inventory), layout_of(inventory), lacking(inventory)
    table_of_clips, faults = dataset_of(inventory)
    fingerprint = table_of_clips.fingerprint if table_of_clips else None
    aside = [inventory.relative(line) for line in inventory.left_aside]
    attributes = values_of_attributes(inventory)
    if as_json:
        print_json(
            {
                "name": inventory.name,
                "layout": layout,
                "fingerprint": fingerprint,
                "protocol": table_of_clips.protocol if table_of_clips else None,
                "notes": list(table_of_clips.notes) if table_of_clips else [],
                "clips": clips,
                "attributes": attributes,
                "left_aside": aside,
                "root": str(inventory.root),
                "split": inventory.split,
                "machines": [asdict(row) for row in sections],
                "missing": missing,
                "unreadable": len(unusable),
                "unusable": unusable,
                "faults": faults,
            }
        )
        return
    extra = sum(one.split == "supplemental" for one in inventory.recordings)
    number = f"{len(paths) - extra} clips{f' and {extra} supplemental' if extra else ''}"
    echo(f"{inventory.name}: {number}, layout {layout}", bold=True)
    columns = ("machine", "section", "split", "domain", "label", ">clips")
    print_table(table(columns, [list(row.values()) for row in clips]))
    echo()
    print_table(header_table(sections))
    echo()
    _print_lines("missing", missing, len(missing))
    _print_lines("cannot be used", unusable, len(unusable))
    if layout == OWN:
        for name, values in attributes.items():
            echo(f"attribute {name}: {', '.join(values[:SHOWN])}{', ...' if len(values) > SHOWN else ''}")
    _print_lines("left aside", aside)
    if table_of_clips is not None:
        if inventory.card is None:
            echo(how_scored(table_of_clips))
        echo(f"fingerprint {fingerprint}")
        return
    _print_lines("cannot be used", faults)
    of_challenge = {"split": inventory.split, "data_root": inventory.root} if inventory.card else {}
    echo("No fingerprint: something is missing or cannot be used.")
    echo(f"All that is wrong: {command('data verify', dataset, **of_challenge, machine=machine)}")
    if inventory.missing:
        echo(f"Get what is missing: {inventory.download(inventory.missing)}")


def _print_lines(label: str, lines: Sequence[str], most: int = SHOWN) -> None:
    for line in lines[:most]:
        echo(f"{label}: {line}")
    if len(lines) > most:
        echo(f"{label}: {len(lines) - most} more (all of them: --json)")


@app.command("table")
def write_table(
    dataset: DataSet = "synthetic",
    split: opt.Split = None,
    data_root: opt.DataRoot = None,
    machine: opt.Machines = None,
    to: Annotated[
        Path | None, opt.option("FILE", "Write it there (.csv, .parquet); paths below its folder become relative.")
    ] = None,
    plugin_path: opt.PluginPath = None,
) -> None:
    """Print the table of a data set's clips as CSV: what was understood, to be looked at and edited.

    The table is taken wherever a data set is named: --dataset clips.csv. The documentation says
    under "Use recordings of your own" what columns mean.

    Example: asdbench data table recordings > clips.csv
    """
    from asdbench.core.files import write_text
    from asdbench.datasets.clip_table import FORMS, table_of

    if to is not None and (to.suffix.lower() not in FORMS or to.exists()):
        why = "it is there already" if to.exists() else f"accepted are {' and '.join(FORMS)}"
        raise UsageError(f"--to {to}: {why}; nothing was written. Give another.")
    inventory = open_inventory(dataset, split, data_root, machine, plugin_path)
    frame = table_of(inventory.to_dataset(), None if to is None else to.absolute().parent.resolve())
    if to is None:
        echo(frame.to_csv(index=False), nl=False)
    elif to.suffix.lower() == ".csv":
        write_text(to, frame.to_csv(index=False))
    else:
        frame.to_parquet(to)


app.command("verify")(verify)
