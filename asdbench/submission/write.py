"""Write the folder that the organisers want: ``<team>/<label>/`` with score and decision files and the meta file."""

import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from asdbench.core.errors import RequirementError, UsageError
from asdbench.core.files import whole_folder
from asdbench.core.validation import first_error
from asdbench.datasets.clips import OWN
from asdbench.harness.record import FILE, RunRecord, load_record, read_record
from asdbench.harness.store import require_score_files, sections_of
from asdbench.protocols import MachineResult
from asdbench.submission.meta import Label, Meta, merged


@dataclass(frozen=True)
class Written:
    """What was written."""

    folder: Path  # the system's folder
    development: Path | None  # run whose development results were filled in; None when there is none
    lacks: tuple[str, ...] = ()  # what that run lacks of the development data
    made: tuple[Path, ...] = ()  # folders around it that were not there before, the innermost first

    def withdraw(self) -> None:
        """Remove what was written."""
        shutil.rmtree(self.folder)
        _remove_empty(self.made)


def write_submission(
    run: Path, label: Label, out: Path, development: Path | None = None, given: Mapping[str, Any] | None = None
) -> Written:
    """Write a submission from a run.

    Args:
        run: folder of a finished run, of an evaluation set as a rule.
        label: of the submission.
        out: where the team's folder goes.
        development: run of the same system on the development data. None takes ``run`` itself when its clips have
            labels, else looks for one beside it.
        given: values of the meta file that the author gives; they win.

    Raises:
        RequirementError: a run is not there or not finished.
        UsageError: the development run is of another system, ``given`` does not fit a meta file, or the folder is
            there already.
    """
    record = _finished(run)
    require_score_files(run, record)
    if record.results is not None:
        sections_of(run, record)
    if record.dataset.layout == OWN:
        raise UsageError(f"{run} is a run on recordings of your own; the challenge wants scores of its own.")
    if record.asked.split == "dev" or record.dataset.name.endswith("-dev"):
        raise UsageError(
            f"{run} is a run on development data; the challenge wants scores of the evaluation data.\n"
            f"Run it there: asdbench run --dataset {record.asked.dataset} --split eval ..."
        )
    labelled = run if record.results is not None else None
    source = development or labelled or _development_run_beside(run, record)
    results = _finished(source) if source is not None else None
    if development is not None and results is not None:
        if _system(results) != _system(record):
            raise UsageError(
                f"--development {development}: it is a run of {results.extractor.name} + {results.scorer.name} with "
                "other parameters, not of the system that is submitted."
            )
        if results.results is None:
            raise UsageError(f"--development {development}: its test clips carry no labels, so it has no results.")
    try:
        meta = Meta.model_validate(merged(describe(label, record, results), given or {}))
    except ValidationError as error:
        raise UsageError(f"--meta: {first_error(error)}.") from error
    folder = out / label.team / str(label)
    if folder.exists():
        raise UsageError(
            f"{folder} is there already; nothing was written. Remove it, or take another --label or --out."
        )
    made = tuple(place for place in folder.absolute().parents if not place.exists())
    try:
        with whole_folder(folder) as new:
            for path in sorted((run / "scores").glob("*.csv")):
                shutil.copyfile(path, new / path.name)
            (new / f"{label}.meta.yaml").write_text(meta.yaml(), encoding="utf-8")
    except BaseException:
        _remove_empty(made)
        raise
    return Written(folder, source, tuple(results.dataset.lacks) if results is not None else (), made)


def _remove_empty(folders: Sequence[Path]) -> None:
    """Remove folders, the innermost first, as far as nothing is in them."""
    with suppress(OSError):
        for place in folders:
            place.rmdir()


def describe(label: Label, record: RunRecord, development: RunRecord | None) -> dict[str, Any]:
    """The content of the meta file of a run, with the results of ``development`` filled in.

    What a record does not say (authors, use of external data) is left ``null`` for its author.
    """
    name = record.name
    rate_hz = record.frontend.params.get("sample_rate_hz")
    methods = {used.method for sections in record.thresholds.values() for used in sections.values()}
    content = {
        "submission": {
            "label": str(label),
            "name": name,
            "abbreviation": name.replace(" ", "")[:10],
            "authors": [
                {"lastname": label.name, "corresponding": True, "affiliation": {"institution": label.organisation}}
            ],
        },
        "system": {
            "description": {
                "input_sampling_rate": f"{rate_hz / 1000:g} kHz" if isinstance(rate_hz, int | float) else None,
                "data_augmentation": ", ".join(used.name for used in record.augmentations) or None,
                "front_end": record.frontend.name,
                "acoustic_features": record.frontend.name,
                "machine_learning_method": f"{record.extractor.name}, {record.scorer.name}",
                "decision_making": f"threshold on training scores: {', '.join(sorted(methods))}" if methods else None,
            },
            "complexity": {
                "total_parameters": _largest([network.parameters for network in record.training]),
                "MACS": _largest([network.macs for network in record.training]),
            },
        },
        "results": {"development_dataset": _results(development)},
    }
    return Meta.model_validate(content).model_dump()


def _largest(counts: list[int | None]) -> int | None:
    """Of the largest network, as one network scores a clip; 0 where nothing is learned, None where one is uncounted."""
    return None if None in counts else max((count for count in counts if count is not None), default=0)


def _results(development: RunRecord | None) -> dict[str, dict[str, float]]:
    if development is None or development.results is None:
        return {}
    protocol, machines = development.results.protocol, development.results.machines
    return {
        machine: {key: 100 * value for key, value in _columns(protocol, result).items()}
        for machine, result in machines.items()
    }


def _columns(protocol: str, result: MachineResult) -> Mapping[str, float]:
    means = result.means
    assert means is not None, "an evaluation has the means of its machine types"
    if protocol == "dcase2020":
        return {"averaged_auc": means.arithmetic["auc"], "averaged_pauc": means.arithmetic["pauc"]}
    if protocol == "dcase2021":
        return {"harmonic_mean_auc": means.harmonic["auc"], "harmonic_mean_pauc": means.harmonic["pauc"]}
    return {key: means.harmonic[key] for key in ("auc_source", "auc_target", "pauc")}


def _finished(run: Path) -> RunRecord:
    if not (run / FILE).is_file():
        raise RequirementError(
            f"No run in {run}: there is no {FILE}.\nGive a folder that asdbench run left, for example runs/<run-id>"
        )
    record = load_record(run, files=False)  # the score files are looked at next
    if record.status != "done":
        raise RequirementError(f"The run in {run} is not done; its command, given again, finishes it.")
    return record


def _development_run_beside(run: Path, record: RunRecord) -> Path | None:
    """The run of the same system on the development data of the same year: a whole one first, then the newest."""
    dataset = record.dataset.name.replace("-eval", "-dev")
    if dataset == record.dataset.name:
        return None
    candidates = []
    for path in run.parent.glob(f"*/{FILE}"):
        other = read_record(path.parent)
        if other is None or other.status != "done" or other.results is None or other.dataset.name != dataset:
            continue
        if _system(other) == _system(record) and other.asked.seed == record.asked.seed:
            candidates.append((not other.dataset.lacks, len(other.results.machines), other.finished_at, path.parent))
    return max(candidates)[-1] if candidates else None


def _system(record: RunRecord) -> list[Any]:
    return [record.extractor, record.frontend, record.augmentations, record.scorer]
