"""From what ``--dataset`` names to a table of clips."""

from collections.abc import Sequence
from pathlib import Path

from asdbench.core.digests import digest
from asdbench.core.errors import UsageError, did_you_mean
from asdbench.core.progress import Progress
from asdbench.datasets import ClipTable, read_folder
from asdbench.datasets.contents import ContentDigests
from asdbench.registry import Catalog, Component


def is_folder(dataset: str, catalog: Catalog) -> bool:
    """Whether ``--dataset`` means a folder; a card's name comes first.

    Raises:
        UsageError: it is neither.
    """
    if dataset in catalog.names("datasets"):
        return False
    if Path(dataset).expanduser().is_dir():
        return True
    hint = did_you_mean(dataset, catalog.names("datasets"))
    raise UsageError(
        f"No data set '{dataset}': it is neither a folder nor a card.{hint}\n"
        "See: asdbench list datasets, or give a folder that holds <machine>/train and <machine>/test."
    )


def open_folder(dataset: str, cache: Path, machines: Sequence[str] = ()) -> ClipTable:
    """Read a folder of recordings, or some machine types of it."""
    return read_folder(Path(dataset).expanduser(), None, ContentDigests(cache / "digests"), machines)


def open_card(
    component: Component, cache: Path, jobs: int, progress: Progress, machines: Sequence[str] = ()
) -> ClipTable:
    """Read a data set that a card declares, making it first when it is not in the cache."""
    folder = made_folder(component, cache)
    if not folder.is_dir():
        component.build().make(folder, jobs, progress)
    return read_folder(folder, component.name, ContentDigests(cache / "digests"), machines)


def made_folder(component: Component, cache: Path) -> Path:
    """Where a made data set lies."""
    return cache / "datasets" / f"{component.name}-{digest(component.identity(), 8)}"
