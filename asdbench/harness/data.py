"""From what ``--dataset`` names to a table of clips."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from asdbench.core.digests import digest
from asdbench.core.documentation import page
from asdbench.core.errors import UsageError, did_you_mean
from asdbench.core.files import write_text
from asdbench.core.memory import without_collection
from asdbench.core.paths import cache_root, expand_user, path_of_variable
from asdbench.core.progress import Progress, Silent
from asdbench.core.store import StoredFolder
from asdbench.datasets import Dataset
from asdbench.datasets.challenge import inventory_of_challenge, read_challenge
from asdbench.datasets.clip_table import FORMS, TABLE, csv_of
from asdbench.datasets.clips import Source
from asdbench.datasets.contents import ContentDigests
from asdbench.datasets.inventory import Inventory, inventory_of
from asdbench.harness.machine import available_cores
from asdbench.registry import Catalog, Component

if TYPE_CHECKING:
    import pandas

DATA_VARIABLE = "ASDBENCH_DATA"
FORMAT = 2  # of made data sets in the cache; raised when it changes


def sort_of(dataset: str, catalog: Catalog) -> Literal["folder", "challenge", "made"]:
    """What ``--dataset`` names: a folder or a table of clips; the data of a challenge; a card that makes recordings.

    A card's name comes first. Data of a challenge have splits and lie in the data root.

    Raises:
        UsageError: it is none of these.
    """
    if dataset in catalog.names("datasets"):
        return "made" if catalog.find("datasets", dataset).challenge is None else "challenge"
    place = expand_user(dataset)
    if dataset and os.path.isdir(place):  # noqa: PTH112  # pathlib's raises for names that are too long
        return "folder"
    if os.path.isfile(place):  # noqa: PTH113
        if place.suffix.lower() in FORMS:
            return "folder"
        raise UsageError(
            f"The file '{dataset}' is no table of clips; accepted: {', '.join(FORMS)}.\nSee: {page('how-to/data')}"
        )
    hint = did_you_mean(dataset, catalog.names("datasets"))
    raise UsageError(
        f"No data set '{dataset}': it is neither a folder nor a card nor a table of clips.{hint}\n"
        f"See: asdbench list datasets, or give a folder of recordings ({page('how-to/data')})."
    )


def open_dataset(
    source: Source, catalog: Catalog, root: Path | None = None, progress: Progress | None = None
) -> Dataset:
    """Read the table of clips of a folder, of a challenge's split, or of a card, whose recordings are made if missing.

    Raises:
        UsageError: no such data set, split, machine type or parameter.
        RequirementError: recordings are missing or cannot be used.
    """
    with without_collection():
        inventory = _inventory(source, catalog, root, progress or Silent())
        digests = content_digests(cache_root(), progress)
        table = inventory.to_dataset(digests) if inventory.card is None else read_challenge(inventory, digests)
        return replace(table, source=source)


def stored_table(frame: "pandas.DataFrame") -> Path:
    """A table that lies in no file, as one in the cache, so that what is done with it can be opened again.

    Raises:
        UsageError: it is no table.
        DataError: a row cannot be used; all of them are named.
    """
    if not hasattr(frame, "to_csv"):
        raise UsageError(
            f"A {type(frame).__name__} is no data; accepted are a name, a folder, a table and a DataFrame."
        )
    text = csv_of(frame, Path.cwd())
    path = cache_root() / "tables" / digest(text, 16) / f"{TABLE}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text)
    return path


def open_inventory(
    source: Source, catalog: Catalog, root: Path | None = None, progress: Progress | None = None
) -> Inventory:
    """What lies there of what ``open_dataset`` reads, whatever is wrong with it or missing.

    Raises:
        UsageError: no such data set, split or machine type, or a split or data root of what is no challenge.
        DataError: there is nothing of it.
    """
    require_challenge([source.name], source.split, root, catalog)
    with without_collection():
        return _inventory(source, catalog, root, progress or Silent())


def _inventory(source: Source, catalog: Catalog, root: Path | None, progress: Progress) -> Inventory:
    if sort_of(source.name, catalog) == "folder":
        return inventory_of(expand_user(source.name), None, source.machines)
    card = catalog.find("datasets", source.name).challenge
    if card is not None:
        return inventory_of_challenge(source.name, card, source.split, data_root(root), source.machines)
    return inventory_of(_made_recordings(source, catalog, progress), source.name, source.machines)


def require_challenge(names: Sequence[str], split: str | None, root: Path | None, catalog: Catalog) -> None:
    """Refuse a split and a data root where no data set is that of a challenge.

    Raises:
        UsageError: there is nothing to pick.
    """
    if (split or root) and not any(sort_of(name, catalog) == "challenge" for name in names):
        quoted = ", ".join(f"'{name}'" for name in names)
        raise UsageError(
            f"--{'split' if split else 'data-root'}: {quoted} is not the data set of a challenge, so there is nothing "
            "to pick.\nSee: asdbench list datasets"
        )


def _made_recordings(source: Source, catalog: Catalog, progress: Progress) -> Path:
    """The folder that a card makes, or the table of clips in it, where it has one."""
    if Path(source.name).is_dir():
        progress.note(f"{source.name} is the card of that name; the folder here is ./{source.name}.")
    component = catalog.component("datasets", source.name, dict(source.params))
    folder = made_data(component, cache_root(), available_cores(), progress)
    table = folder / "clips.csv"
    return table if table.is_file() else folder


def made_data(component: Component, cache: Path, jobs: int, progress: Progress) -> Path:
    """The folder of a data set that a card makes; it is made when it is not in the cache, or damaged there."""

    def make(folder: Path) -> None:
        folder.rmdir()  # a data set writes its folder itself, whole
        component.build().make(folder, jobs, progress)

    folder = cache / "datasets" / f"{component.name}-{digest([FORMAT, component.identity()], 8)}"
    entry = StoredFolder(folder, f"the recordings of {component.name}")
    return entry.get_or_make(make, progress.note, lambda: progress.note(f"Another process makes {component.name}."))


def content_digests(cache: Path, progress: Progress | None = None) -> ContentDigests:
    """Digests of recordings, as far as the cache remembers them."""
    return ContentDigests(cache / "digests", (progress or Silent()).note)


def data_root(given: Path | None = None) -> Path:
    """Where the challenges' data lie: as given, else ``ASDBENCH_DATA``, else the user's data folder."""
    import platformdirs

    if given is not None:
        return given.expanduser()
    return path_of_variable(DATA_VARIABLE) or platformdirs.user_data_path("asdbench")
