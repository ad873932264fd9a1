"""What a run leaves: its record and its score files, in one folder that is there whole or not at all."""

from contextlib import suppress
from datetime import UTC, datetime
from statistics import fmean
from typing import Any

from asdbench.core.files import whole_folder
from asdbench.core.store import checksums
from asdbench.datasets import Dataset
from asdbench.datasets.audio import BadRecording, read_header
from asdbench.datasets.clips import OWN, Source
from asdbench.datasets.ground_truth import write_truth
from asdbench.harness.cells import Cell
from asdbench.harness.fits import Embedded
from asdbench.harness.machine import environment
from asdbench.harness.plan import Plan
from asdbench.harness.record import TRUTH, Asked, RunRecord, UsedComponent, UsedDataset, UsedThreshold, write_record
from asdbench.harness.scoring import Scores
from asdbench.protocols import Evaluation, Intervals
from asdbench.protocols.decisions import Decisions
from asdbench.protocols.results import MachineResult
from asdbench.protocols.threshold import DEFAULT_RULE
from asdbench.registry import Component
from asdbench.score_files.files import write_score_files


def write_run(
    plan: Plan,
    cell: Cell,
    embedded: Embedded,
    scores: Scores,
    evaluation: Evaluation | None,
    intervals: Intervals | None,
    decisions: Decisions | None = None,
) -> RunRecord:
    """Write the run's folder and return the record; with any failure in ``embedded`` the run is recorded as failed."""
    salvaged: dict[str, MachineResult] = {}
    failures, source = embedded.failures, cell.dataset.source or Source(cell.dataset.name)
    if failures and evaluation is not None:  # a total of some machine types would be taken for one of all
        salvaged, evaluation = evaluation.machines, None
    record = RunRecord(
        run_id=cell.run_id,
        status="failed" if failures else "done",
        asked=Asked(
            system=cell.system,
            extractor=cell.extractor.name,
            scorer=cell.scorer.name,
            dataset=source.name,
            split=source.split,
            machines=list(source.machines) or None,
            seed=cell.seed,
            profile=cell.profile,
            params=given_by_hand(cell),
            threshold=None if cell.rule == DEFAULT_RULE else cell.rule.text,
        ),
        extractor=used_component(cell.extractor),
        scorer=used_component(cell.scorer),
        frontend=used_component(cell.frontend),
        augmentations=[used_component(part) for part in cell.augmentations],
        dataset=_used_dataset(cell),
        environment=environment(cell.device, cell.threads if cell.device == "cpu" else None),
        results=evaluation,
        salvaged=salvaged,
        intervals=intervals,
        decisions=decisions,
        thresholds={
            machine: {
                section: UsedThreshold(value=scored.threshold.value, method=scored.threshold.method)
                for section, scored in sections.items()
            }
            for machine, sections in scores.items()
        },
        training=embedded.training,
        notes=[*cell.dataset.notes, *embedded.notes, *_notes(scores)],
        failures=failures,
        seconds={stage: round(value, 3) for stage, value in embedded.seconds.items()},
        finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    with whole_folder(plan.spec.out / cell.run_id) as folder:
        for machine, sections in scores.items():
            for section, scored in sections.items():
                clips = list(cell.dataset.select(machines=[machine], section=section, split="test"))
                order = scored.order_of(clips)
                layout = cell.dataset.layout
                write_score_files(folder / "scores", layout, clips, scored.scores[order], scored.decisions[order])
        if cell.dataset.layout == OWN and scores:
            write_truth(folder / TRUTH, cell.dataset.select(split="test"))
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        names = [path.relative_to(folder).as_posix() for path in files]
        record = record.model_copy(update={"digests": dict(zip(names, checksums(files), strict=True))})
        write_record(folder, record)
    return record


def given_by_hand(cell: Cell) -> dict[str, Any]:
    """The parameters given by hand that concern this run, among those of the whole command."""
    scopes = {"extractor", "frontend", "augmentation", "scorer", "dataset"}
    scopes |= {part.name for component in cell.components for part in component.all_parts}
    scopes |= {cell.dataset.source.name} if cell.dataset.source else set()
    prefix = f"{cell.system}." if cell.system else ""
    return {key: value for key, value in cell.given.items() if key.rpartition(".")[0].removeprefix(prefix) in scopes}


def used_component(component: Component) -> UsedComponent:
    """What a record says of a component."""
    return UsedComponent(
        name=component.name,
        target=component.target,
        version=component.card.version,
        params=component.params,
        files=component.files,
        libraries=component.libraries,
    )


def _used_dataset(cell: Cell) -> UsedDataset:
    dataset = cell.dataset
    of_machine = {machine: dataset.select(machines=[machine]) for machine in dataset.machines}
    return UsedDataset(
        name=dataset.name,
        layout=dataset.layout,
        protocol=dataset.protocol,
        lacks=list(dataset.lacks),
        fingerprint=dataset.fingerprint,
        fingerprints={machine: clips.fingerprint for machine, clips in of_machine.items()},
        train_clips={machine: len(clips.select(split="train")) for machine, clips in of_machine.items()},
        test_clips={machine: len(clips.select(split="test")) for machine, clips in of_machine.items()},
        clip_s=lengths(cell.dataset),
    )


def lengths(dataset: Dataset) -> dict[str, float]:
    """Mean length of the test clips by machine type (s); without those whose recordings cannot be read."""
    lengths_s = {}
    for machine in dataset.machines:
        with suppress(BadRecording, OSError):
            headers = [read_header(clip.path) for clip in dataset.select(machines=[machine], split="test")]
            lengths_s.update({machine: round(fmean(header.seconds for header in headers), 6)} if headers else {})
    return lengths_s


def _notes(scores: Scores) -> list[str]:
    """One line for each thing that the scorers noted, with the machine types that it concerns."""
    machines: dict[str, dict[str, None]] = {}
    for machine, sections in scores.items():
        for note in (note for scored in sections.values() for note in scored.notes):
            machines.setdefault(note, {})[machine] = None
    return [f"{note} ({', '.join(names)})" for note, names in machines.items()]
