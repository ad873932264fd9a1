"""Evaluate anybody's score files, or a run's: what has to be there, and what it comes to."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from asdbench.core.documentation import page
from asdbench.core.errors import RequirementError, UsageError, did_you_mean
from asdbench.datasets.challenge import DEFAULT_SPLIT
from asdbench.datasets.ground_truth import GroundTruth, read_ground_truth
from asdbench.harness.record import FILE, RunRecord, load_record
from asdbench.harness.run_names import find_run
from asdbench.harness.store import truth_of_run, verify_score_files
from asdbench.protocols import PROTOCOLS
from asdbench.protocols.resampling import REPLICATES
from asdbench.registry import Catalog
from asdbench.score_files.evaluation import FolderEvaluation, Method, evaluate_folder, expectation_for
from asdbench.score_files.expectation import Expectation
from asdbench.score_files.files import list_score_files


def score_folder(given: Path, out: Path) -> Path:
    """The folder that was named: of score files, of a run, or of the run whose score files lie in it.

    Raises:
        RequirementError: there is none.
        UsageError: the name means no run, or several.
    """
    folder = given.expanduser()
    if not folder.is_dir():
        place = folder.parent if len(given.parts) > 1 else out.expanduser()
        if not place.is_dir() or (place != out and not any(place.glob(f"*/{FILE}"))):
            raise RequirementError(f"There is no folder {folder}.")
        return find_run(str(given), out.expanduser())
    above = folder.resolve().parent
    return above if folder.resolve().name == "scores" and (above / FILE).is_file() else folder


def truth_for(place: Path | None, protocol: str | None) -> GroundTruth | None:
    """The ground truth of a place; that of other years in the same folder is left out."""
    digits = (protocol or "").removeprefix("dcase")
    return read_ground_truth(place.expanduser(), int(digits) if digits.isdigit() else None) if place else None


def evaluate_score_files(
    folder: Path,
    catalog: Catalog,
    protocol: str | None = None,
    *,
    split: str | None = None,
    truth: GroundTruth | None = None,
    partial: bool = False,
    machines: Sequence[str] = (),
    interval: Method = "bootstrap",
    replicates: int = REPLICATES,
    clip_s: float | None = None,
) -> tuple[str, FolderEvaluation]:
    """The protocol used, and what the folder came to.

    Raises:
        UsageError: no such protocol, split or machine type.
        RequirementError: the folder holds no score files.
        RecordError: it is a run whose record cannot be read.
    """
    record = load_record(folder, files=False) if (folder / FILE).is_file() else None
    protocol = protocol or (record.dataset.protocol if record else None)
    if protocol not in PROTOCOLS:
        asked = (
            f"No protocol '{protocol}'.{did_you_mean(protocol, PROTOCOLS)}" if protocol else "--protocol is missing."
        )
        raise UsageError(f"{asked} Accepted: {', '.join(PROTOCOLS)}. See: {page('explanation/protocols')}")
    if split not in (None, "dev", "eval", "own"):
        raise UsageError(f"--split {split}: accepted are dev, eval and own.")
    place = folder / "scores" if record or not any(folder.glob("anomaly_score_*")) else folder
    place = place if place.is_dir() else folder
    if record is not None and split is None:
        # A run knows what it is of; own recordings stay such, whatever their machine types are called.
        split = (record.asked.split or DEFAULT_SPLIT) if record.asked.dataset == protocol else "own"
    expected = _expectation(catalog, place, protocol, split)
    recorded = None
    if record is not None:
        expected = _expectation_of_run(record, expected)
        if record.results is not None and not record.digests and truth is None:
            recorded = record.results.machines if record.results.protocol == protocol else None
    return protocol, evaluate_folder(
        place,
        protocol,
        truth or (truth_of_run(folder) if record is not None else None),
        expected,
        partial=partial,
        machines=machines,
        interval=interval,
        replicates=replicates,
        known=verify_score_files(folder, record) if record is not None else (),
        recorded=recorded,
        clip_s=clip_s or (record.dataset.clip_s if record else None),
    )


def _expectation(catalog: Catalog, place: Path, protocol: str, split: str | None) -> Expectation | None:
    if split == "own":
        return None
    card = catalog.find("datasets", protocol).challenge
    assert card is not None, "every protocol has its data set's card"
    return expectation_for(list_score_files(place)[0], protocol, card, split)


def _expectation_of_run(record: RunRecord, challenge: Expectation | None) -> Expectation:
    """What a run wrote by its record, and, of a challenge's data, what the challenge wants besides."""
    clips = record.dataset.test_clips
    if challenge is not None:
        return replace(challenge, test_clips_by_machine=clips)
    keys = [(machine, section) for machine, sections in record.thresholds.items() for section in sections]
    keys += [(machine, section) for machine, result in record.scored.items() for section in result.sections]
    return Expectation(
        name=record.dataset.name, sections=tuple(sorted({*keys})), test_clips_by_machine=clips, is_challenge=False
    )
