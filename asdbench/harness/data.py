"""From what ``--dataset`` names to a table of clips."""

import os
from collections.abc import Sequence
from pathlib import Path

from asdbench.core.digests import digest
from asdbench.core.errors import UsageError, did_you_mean
from asdbench.core.paths import expand_user, path_of_variable
from asdbench.core.progress import Progress, Silent
from asdbench.core.store import StoredFolder
from asdbench.datasets import Dataset, read_folder
from asdbench.datasets.challenge import read_challenge, require_split
from asdbench.datasets.contents import ContentDigests
from asdbench.registry import Catalog, Component

DATA_VARIABLE = "ASDBENCH_DATA"
FORMAT = 2  # of made data sets in the cache; raised when it changes


def is_folder(dataset: str, catalog: Catalog) -> bool:
    """Whether ``--dataset`` means a folder; a card's name comes first.

    Raises:
        UsageError: it is neither.
    """
    if dataset in catalog.names("datasets"):
        return False
    if os.path.isdir(expand_user(dataset)):  # noqa: PTH112  # pathlib's raises for names that are too long
        return True
    hint = did_you_mean(dataset, catalog.names("datasets"))
    raise UsageError(
        f"No data set '{dataset}': it is neither a folder nor a card.{hint}\n"
        "See: asdbench list datasets, or give a folder that holds <machine>/train and <machine>/test."
    )


def open_folder(dataset: str, cache: Path, machines: Sequence[str] = (), progress: Progress | None = None) -> Dataset:
    """Read a folder of recordings, or some machine types of it."""
    return read_folder(expand_user(dataset), None, content_digests(cache, progress), machines)


def open_card(
    component: Component, cache: Path, jobs: int, progress: Progress, machines: Sequence[str] = ()
) -> Dataset:
    """Read a data set that a card makes, making it first when it is not in the cache."""
    folder = made_data(component, cache, jobs, progress)
    return read_folder(folder, component.name, content_digests(cache, progress), machines)


def made_data(component: Component, cache: Path, jobs: int, progress: Progress) -> Path:
    """The folder of a data set that a card makes; it is made when it is not in the cache, or damaged there."""

    def make(folder: Path) -> None:
        folder.rmdir()  # a data set writes its folder itself, whole
        component.build().make(folder, jobs, progress)

    entry = StoredFolder(made_folder(component, cache), f"the recordings of {component.name}")
    return entry.get_or_make(make, progress.note, lambda: progress.note(f"Another process makes {component.name}."))


def open_challenge(
    name: str,
    catalog: Catalog,
    split: str | None,
    root: Path | None,
    cache: Path,
    machines: Sequence[str] = (),
    progress: Progress | None = None,
) -> Dataset:
    """Read a split of a challenge's data from the data root."""
    card = catalog.find("datasets", name).challenge
    assert card is not None, f"{name} is no challenge's data set"
    split = require_split(name, card, split, machines)
    return read_challenge(name, card, split, data_root(root), content_digests(cache, progress), machines)


def content_digests(cache: Path, progress: Progress | None = None) -> ContentDigests:
    """Digests of recordings, as far as the cache remembers them."""
    return ContentDigests(cache / "digests", (progress or Silent()).note)


def data_root(given: Path | None = None) -> Path:
    """Where the challenges' data lie: as given, else ``ASDBENCH_DATA``, else the user's data folder."""
    import platformdirs

    if given is not None:
        return given.expanduser()
    return path_of_variable(DATA_VARIABLE) or platformdirs.user_data_path("asdbench")


def made_folder(component: Component, cache: Path) -> Path:
    """Where a made data set lies."""
    return cache / "datasets" / f"{component.name}-{digest([FORMAT, component.identity()], 8)}"
