"""``asd.load`` and ``asd.open_runs``: from a name or a folder to a data set, and to runs that were done before."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from asdbench.api.arguments import several
from asdbench.api.runs import Run, Runs
from asdbench.core.errors import RequirementError, UsageError
from asdbench.core.progress import Progress
from asdbench.datasets import Dataset
from asdbench.datasets.clips import Source
from asdbench.harness.data import open_dataset, sort_of, stored_table
from asdbench.harness.record import load_record
from asdbench.harness.run_names import named_runs
from asdbench.harness.store import find_runs
from asdbench.registry import load_catalog

if TYPE_CHECKING:
    import pandas


def load(
    data: "str | Path | Dataset | pandas.DataFrame",
    *,
    split: str | None = None,
    data_root: str | Path | None = None,
    machines: str | Sequence[str] = (),
    plugin_path: str | Path | Sequence[str | Path] = (),
    progress: Progress | None = None,
    **params: object,
) -> Dataset:
    """Open a data set by name, a folder of recordings, or a table of clips.

    Args:
        data: name of a card ("synthetic", "dcase2023"); a folder of recordings, of the challenge's names or any; a
            table (CSV, Parquet, DataFrame) with a column ``path`` and any of machine, section, split, domain, label and
            attribute.NAME; or a data set that is open already. The documentation
            says under "Use recordings of your own" how folders are understood.
        split: "dev" or "eval", of a challenge's data.
        data_root: where the challenges' data lie; None is ``ASDBENCH_DATA``, else the user's data folder.
        machines: only these machine types.
        plugin_path: folders with ``registry/`` and modules of your own.
        progress: where the work is reported; None shows nothing.
        params: of a card that makes its recordings, for example ``load("synthetic", seed=1)``.

    Returns:
        The table of clips.

    Raises:
        UsageError: neither a folder, a table nor a card, a parameter that the card does not take, or a machine type
            that is not there.
        RequirementError: recordings are missing or cannot be used; all of them are named.

    Examples:
        >>> import asdbench as asd
        >>> data = asd.load("synthetic", machines=["fan"])
        >>> data.machines, data.protocol
        (['fan'], 'dcase2023')
    """
    machines = several(machines)
    if isinstance(data, Dataset):
        data.require_machines(machines)
        return data.select(machines=machines) if machines else data
    if not isinstance(data, str | Path):
        data = stored_table(data)
    name = str(data)
    catalog = load_catalog([Path(folder).expanduser() for folder in several(plugin_path)])
    sort = sort_of(name, catalog)
    if sort != "challenge" and (split or data_root):
        raise UsageError(
            f"load({name!r}): split and data_root are of a challenge's data, which this is not.\n"
            "See: asdbench list datasets"
        )
    if params and sort != "made":
        raise UsageError(f"load({name!r}) takes no parameters, and {', '.join(params)} was given.")
    root = Path(data_root) if data_root is not None else None
    return open_dataset(Source(name, split, tuple(machines), tuple(params.items())), catalog, root, progress)


def open_runs(*names: str | Path, out: str | Path = "runs") -> Runs:
    """Runs that were done before.

    Args:
        names: of runs, or of systems, which mean all their runs: folders, ids, parts of ids that no other has, or
            "latest"; none is all in ``out``.
        out: folder that holds the runs' folders.

    Raises:
        UsageError: no such run, or several of that name.
        RequirementError: a record cannot be read.
    """
    root = Path(out).expanduser()
    if names:
        folders = dict.fromkeys(folder for name in names for folder in named_runs(str(name), root))
        return Runs([Run(folder, load_record(folder)) for folder in folders])
    stored = find_runs(root)
    if stored.damaged:
        raise RequirementError("Records cannot be read:\n" + "\n".join(f"  {line}" for line in stored.unreadable))
    return Runs([Run(folder, record) for folder, record in stored.runs.items()])
