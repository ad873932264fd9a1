"""Make a detector: of recordings, or of a run that was done."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter
from safetensors.numpy import save_file

from asdbench import __version__
from asdbench.core.errors import RequirementError
from asdbench.core.files import write_bytes, write_json
from asdbench.core.paths import cache_root, expand_user
from asdbench.core.progress import Progress, Silent
from asdbench.datasets import TrainingClip
from asdbench.datasets.audio import read_header
from asdbench.datasets.folds import FOLDS
from asdbench.detector.cautions import few, standing_out
from asdbench.detector.detector import Detector, machine_file
from asdbench.detector.explanation import healthy_arrays
from asdbench.detector.held_out import HeldOut, embed, held_out_scores, is_trained, training_rows
from asdbench.detector.schema import FILE, DetectorFile, Machine, Member, Part, SavedFit
from asdbench.frontends.base import NamedFeatures
from asdbench.harness.cells import Cell
from asdbench.harness.fits import Fit
from asdbench.harness.plan import require_promise
from asdbench.harness.record import RunRecord, UsedThreshold
from asdbench.harness.replay import reopen
from asdbench.harness.scoring import section_scorer
from asdbench.harness.writing import used_component
from asdbench.protocols.threshold import ThresholdRule
from asdbench.registry import Component
from asdbench.scorers.base import Embeddings as Rows

Thresholds = Mapping[str, Mapping[str, UsedThreshold]]  # by machine type and section
FILES = "files"  # copies, weights for instance: each in a folder named by its content, under its own name
_CLIPS = TypeAdapter(list[TrainingClip])


def fit_run(
    record: RunRecord,
    rule: ThresholdRule | None = None,
    *,
    held_out: int = FOLDS,
    data_root: Path | None = None,
    plugin_path: Sequence[Path] = (),
    progress: Progress | None = None,
) -> Detector:
    """The detector that a run has fitted; of a failed run for the machine types that were scored.

    Args:
        record: of the run.
        rule: makes thresholds; None leaves those of the run.
        held_out: as in ``fit_cell``, where a rule makes thresholds.
        data_root: where the challenges' data lie.
        plugin_path: folders of third-party components.
        progress: where the work is reported.

    Raises:
        RequirementError: recordings, a component or the trained extractor are not there any more.
        UsageError: more clips are needed for the rate.
    """
    thresholds = {machine: sections for machine, sections in record.thresholds.items() if sections}
    if not thresholds:
        raise RequirementError(
            f"{record.run_id} scored no machine type, so there is no detector to make.\n"
            "asdbench run --retry-failed goes on with it."
        )
    replay = reopen(record, data_root=data_root, plugin_path=plugin_path, progress=progress)
    for machine in thresholds:
        replay.require_fits(machine)
    taken = None if rule else thresholds
    return fit_cell(replay.cell, rule, taken, list(thresholds), held_out=held_out, progress=replay.progress)


def fit_cell(
    cell: Cell,
    rule: ThresholdRule | None = None,
    thresholds: Thresholds | None = None,
    machines: Sequence[str] = (),
    *,
    held_out: int = FOLDS,
    progress: Progress | None = None,
) -> Detector:
    """Train what is not in the cache, fit the scorers, set the thresholds.

    Args:
        cell: components, recordings and seed.
        rule: makes thresholds; None is the official baselines' rule.
        thresholds: to be taken over, in the place of a rule.
        machines: machine types; all when empty.
        held_out: of an extractor that is trained, further trainings on part of the clips, which score the others for
            the threshold; 0 for none, so that clips are scored by an extractor that has seen them.
        progress: where the work is reported.

    Raises:
        UsageError: more clips are needed for the rate.
        AsdbenchError: a fit failed.
    """
    progress, machines = progress or Silent(), machines or cell.dataset.machines
    members = cell.members or (cell,)
    for member in members:
        if isinstance(member.frontend.build(), NamedFeatures):
            raise RequirementError(
                f"{member.frontend.name} looks features up by the recordings' names, and new recordings have none "
                "there, so it makes no detector."
            )
    if thresholds is None:
        rule = rule or ThresholdRule()
        require_promise(rule, cell.dataset.select(machines=list(machines)), cell.scorer)
    temporary = TemporaryDirectory(prefix="asdbench-", ignore_cleanup_errors=True)
    folder = Path(temporary.name)
    embedded = [embed(member, machines, progress) for member in members]
    notes = [note for one in embedded for note in one.notes]
    unseen: HeldOut = {}
    if thresholds is None and is_trained(cell):
        if held_out:
            unseen = held_out_scores(cell, machines, held_out, progress)
        else:
            notes.append(f"{cell.extractor.name} has seen the healthy clips, so that new ones score higher than these.")
    if rule is not None and not unseen:
        notes += rule.cautions(trained=False, ensemble=bool(cell.members))
    saved: dict[str, Machine] = {}
    for number, machine in enumerate(machines):
        clips = cell.dataset.training(machine)
        rows = [training_rows(one, cell, machine, clips) for one in embedded]
        scores, used = _thresholds(cell, machine, rows, rule or thresholds[machine], unseen.get(machine, {}), notes)  # type: ignore[index]
        saved[machine] = _write_machine(folder, number, cell, machine, rows, scores, used)
    content = DetectorFile(
        asdbench=__version__,
        name=cell.name,
        dataset=cell.dataset.name,
        fingerprint=cell.dataset.fingerprint,
        seed=cell.seed,
        device=cell.device,
        threads=cell.threads,
        members=[
            Member(
                extractor=_part_of(member.extractor, folder),
                frontend=_part_of(member.frontend, folder),
                scorer=_part_of(member.scorer, folder),
                fits=_copy_extractors(folder / "extractors" / str(number), member, machines),
            )
            for number, member in enumerate(members)
        ],
        combine=_part_of(cell.scorer, folder) if cell.members else None,
        machines=saved,
        notes=list(dict.fromkeys(notes)),
    )
    write_json(folder / FILE, content.model_dump(mode="json"))
    components = {
        "extractors": [member.extractor for member in members],
        "frontends": [member.frontend for member in members],
        "scorers": [member.scorer for member in members],
        "combine": [cell.scorer] if cell.members else [],
    }
    return Detector(folder, content, components, cell.device, temporary)


def _thresholds(
    cell: Cell,
    machine: str,
    rows: Sequence[Rows],
    source: ThresholdRule | Mapping[str, UsedThreshold],
    unseen: Mapping[str, Mapping[str, float]],
    notes: list[str],
) -> tuple[dict[str, NDArray[np.float64]], dict[str, UsedThreshold]]:
    """By section the scores of healthy clips that have not been seen, and the threshold; notes are added."""
    clips, scores, used = cell.dataset.training(machine), {}, {}
    name_of = {clip.key: clip.name for clip in cell.dataset.select(machines=[machine], split="train")}
    for section in sorted({clip.section for clip in clips}):
        if not isinstance(source, ThresholdRule) and section not in source:
            continue
        scorer = section_scorer(cell, machine, section).fit(rows, clips)
        if unseen:
            scores[section] = np.array([unseen[section][clip.key] for clip in scorer.training])
        else:
            scores[section] = scorer.training_scores()
        notes += scorer.notes
        if isinstance(source, ThresholdRule):
            made = source.fit(scores[section], [clip.domain for clip in scorer.training])
            where = machine if len({clip.section for clip in clips}) == 1 else f"{machine}, section {section}"
            notes += [made.note] if made.note else []
            notes += few(where, len(scores[section])) if source.kind != "fixed" else []
            notes += standing_out(where, [name_of[clip.key] for clip in scorer.training], scores[section])
            used[section] = UsedThreshold(value=made.value, method=made.method)
        else:
            used[section] = source[section]
    return scores, used


def _write_machine(
    folder: Path,
    number: int,
    cell: Cell,
    machine: str,
    rows: Sequence[Rows],
    scores: Mapping[str, NDArray[np.float64]],
    thresholds: dict[str, UsedThreshold],
) -> Machine:
    """Write the arrays of a machine type, and what is known of its clips."""
    clips = cell.dataset.training(machine)
    path_of = {clip.key: clip.path for clip in cell.dataset.select(machines=[machine], split="train")}
    paths = [path_of[clip.key] for clip in clips]
    healthy, examples = healthy_arrays(paths, rows[0], used_component((*cell.members, cell)[0].frontend))
    saved = Machine(
        number=number,
        clips=len(clips),
        clip_s=round(float(np.median([read_header(path).seconds for path in paths])), 3),
        examples=examples,
        thresholds=thresholds,
    )
    place = machine_file(folder, saved)
    place.parent.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, NDArray[Any]] = {f"rows.{member}": one for member, one in enumerate(rows)}
    save_file(arrays | {f"scores.{section}": one for section, one in scores.items()} | healthy, place)
    write_bytes(place.with_suffix(".json"), _CLIPS.dump_json(clips, indent=1))
    return saved


def _copy_extractors(folder: Path, member: Cell, machines: Sequence[str]) -> dict[str, SavedFit]:
    fits = {machine: Fit(member, member.group_of(machine), cache_root()) for machine in machines}
    numbers = {place: number for number, place in enumerate(dict.fromkeys(fit.trained for fit in fits.values()))}
    for place, number in numbers.items():
        shutil.copytree(place, folder / str(number))
    return {machine: SavedFit(number=numbers[fit.trained], seed=fit.seed) for machine, fit in fits.items()}


def _part_of(component: Component, folder: Path) -> Part:
    """What a detector in ``folder`` says of a component; the files that its parameters name are copied there."""
    used = used_component(component)

    def copy(param: str, source: str, digest: str) -> str:
        place, origin = Path(FILES, digest[:16], Path(source).name), Path(expand_user(source))
        if not (folder / place).exists():
            read = [origin / name for name in component.card.params[param].folder] if origin.is_dir() else [origin]
            target = folder / place if origin.is_dir() else (folder / place).parent
            target.mkdir(parents=True, exist_ok=True)
            for one in read:
                if one.is_file():
                    shutil.copyfile(one, target / one.name)
        return place.as_posix()

    def copied(param: str, digests: str | list[str]) -> Any:
        value = used.params[param]
        if isinstance(digests, list):
            return [copy(param, one, digest) for one, digest in zip(value, digests, strict=True)]
        return copy(param, value, digests)

    return Part(
        **used.model_dump(),
        identity=component.identity(),
        plugin=str(component.home.resolve()) if component.home is not None else None,
        copies={param: copied(param, digests) for param, digests in used.files.items()},
    )
