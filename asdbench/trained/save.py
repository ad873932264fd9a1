"""Take what a run learned out of the cache into a folder of its own."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from asdbench.core.errors import RequirementError, UsageError
from asdbench.core.files import whole_folder
from asdbench.core.progress import Progress
from asdbench.frontends.base import NamedFeatures
from asdbench.harness.record import RunRecord, write_record
from asdbench.harness.replay import reopen, settled_component
from asdbench.registry import Component, load_catalog
from asdbench.registry.ensembles import AND, pairs_of
from asdbench.trained.components import copy_files, used_components
from asdbench.trained.folder import Part, SavedFit, SystemFile, extractor_folder, write_system_file, write_training


def save_system(
    record: RunRecord,
    folder: Path,
    *,
    data_root: Path | None = None,
    plugin_path: Sequence[Path] = (),
    progress: Progress | None = None,
) -> Path:
    """Write the trained system of a run; the folder is there whole or not at all.

    Of a failed run the machine types that were scored.

    Args:
        record: of the run.
        folder: to be made; need not be there.
        data_root: where the challenges' data lie.
        plugin_path: folders of third-party components.
        progress: where the work is reported.

    Returns:
        The folder.

    Raises:
        RequirementError: the recordings, a component or the trained extractor are not there any more, or the run is
            of an ensemble or of embeddings from elsewhere.
        UsageError: the folder is there already.
    """
    if folder.exists():
        raise UsageError(f"{folder} is there already, and nothing is replaced. Remove it, or give another folder.")
    if AND in record.extractor.name:
        raise RequirementError(
            f"{record.run_id} is an ensemble, which is not saved as one trained system.\n"
            "Run each member by itself, with the recordings, seed and parameters of this run, and save that: "
            + "; ".join(f"--extractor {one} --scorer {scorer}" for one, scorer in pairs_of(record.extractor.name))
        )
    machines = [machine for machine, sections in record.thresholds.items() if sections]
    if not machines:
        raise RequirementError(
            f"{record.run_id} scored no machine type, so there is no trained system to save.\n"
            "asdbench run --retry-failed goes on with it."
        )
    catalog = load_catalog(plugin_path)
    used = used_components(record)
    components = {kind: settled_component(kind, part, catalog) for kind, part in used.items()}
    if isinstance(components["frontends"].build(), NamedFeatures):
        raise RequirementError(
            f"{record.run_id} looks its embeddings up by the recordings' names, so it has none of new recordings and "
            "cannot be saved as a system."
        )
    replay = reopen(record, data_root=data_root, plugin_path=plugin_path, progress=progress)
    fits = {machine: replay.fit(machine) for machine in machines}  # all there, before anything is written
    numbers = {place: number for number, place in enumerate(dict.fromkeys(fit.trained for fit in fits.values()))}
    with whole_folder(folder) as inside:
        for place, number in numbers.items():
            shutil.copytree(place, extractor_folder(inside, number))
        for machine in machines:
            clips, rows = replay.embeddings(machine)
            row_of = {clip.key: row for row, clip in enumerate(clips)}
            training = replay.dataset.training(machine)
            write_training(inside, machine, training, rows[[row_of[clip.key] for clip in training]])
        parts: Any = {kind: _part(component, copy_files(used[kind], inside)) for kind, component in components.items()}
        saved = {machine: SavedFit(extractor=numbers[fit.trained], seed=fit.seed) for machine, fit in fits.items()}
        write_record(inside, record)
        write_system_file(inside, SystemFile(parts=parts, machines=saved))
    return folder


def _part(component: Component, files: dict[str, str | list[str]]) -> Part:
    plugin = str(component.home.resolve()) if component.home is not None else None
    return Part(identity=component.identity(), plugin=plugin, files=files)
