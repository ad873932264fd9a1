"""Write the folder that the organisers want: ``<team>/<label>/`` with score and decision files and the meta file."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from asdbench.core.errors import RequirementError, UsageError
from asdbench.core.files import whole_folder
from asdbench.harness.record import FILE, RunRecord, load_record, read_record
from asdbench.harness.store import require_score_files, sections_of
from asdbench.submission.describe import describe
from asdbench.submission.label import Label
from asdbench.submission.meta import Meta, merged, write_meta


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        folder: the system's folder.
        development: run whose development results were filled in; None when there is none.
        lacks: what that run lacks of the development data.
    """

    folder: Path
    development: Path | None
    lacks: tuple[str, ...] = ()


def write_submission(
    run: Path, label: Label, out: Path, development: Path | None = None, own: Mapping[str, Any] | None = None
) -> Written:
    """Write a submission from a run.

    Args:
        run: folder of a finished run, of an evaluation set as a rule.
        label: of the submission.
        out: where the team's folder goes.
        development: run of the same system on the development data. None takes ``run`` itself when its clips have
            labels, else looks for one beside it.
        own: values of the meta file that the author gives; they win.

    Raises:
        RequirementError: a run is not there or not finished.
        UsageError: the development run is of another system, ``own`` does not fit a meta file, or the folder is
            there already.
    """
    record = _finished(run)
    require_score_files(run, record)
    if record.results is not None:
        sections_of(run, record)
    if record.asked.split == "dev" or record.dataset.name.endswith("-dev"):
        raise UsageError(
            f"{run} is a run on development data; the challenge wants scores of the evaluation data.\n"
            f"Run it there: asdbench run --dataset {record.asked.dataset} --split eval ..."
        )
    place = run if record.results is not None else development or _development_beside(run, record)
    results = _finished(place) if place is not None else None
    if development is not None:
        place, results = development, _finished(development)
        if _system(results) != _system(record):
            raise UsageError(
                f"--development {development}: it is a run of {results.extractor.name} + {results.scorer.name} with "
                "other parameters, not of the system that is submitted."
            )
        if results.results is None:
            raise UsageError(f"--development {development}: its test clips carry no labels, so it has no results.")
    try:
        meta = Meta.model_validate(merged(describe(label, record, results).model_dump(), own or {}))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise UsageError(f"--meta: {'.'.join(map(str, first['loc']))}: {first['msg']}.") from error
    folder = out / label.team / str(label)
    if folder.exists():
        raise UsageError(
            f"{folder} is there already; nothing was written. Remove it, or take another --label or --out."
        )
    with whole_folder(folder) as new:
        for path in sorted((run / "scores").glob("*.csv")):
            shutil.copyfile(path, new / path.name)
        (new / f"{label}.meta.yaml").write_text(write_meta(meta), encoding="utf-8")
    return Written(folder, place, tuple(results.dataset.lacks) if results is not None else ())


def _finished(run: Path) -> RunRecord:
    if not (run / FILE).is_file():
        raise RequirementError(
            f"No run in {run}: there is no {FILE}.\nGive a folder that asdbench run left, for example runs/<run-id>"
        )
    record = load_record(run, files=False)  # the score files are looked at next
    if record.status != "done":
        raise RequirementError(f"The run in {run} is not done; its command, given again, finishes it.")
    return record


def _development_beside(run: Path, record: RunRecord) -> Path | None:
    """The run of the same system on the development data of the same year: a whole one first, then the newest."""
    wanted = record.dataset.name.replace("-eval", "-dev")
    if wanted == record.dataset.name:
        return None
    found = []
    for path in run.parent.glob(f"*/{FILE}"):
        other = read_record(path.parent)
        if other is None or other.status != "done" or other.results is None or other.dataset.name != wanted:
            continue
        if _system(other) == _system(record) and other.asked.seed == record.asked.seed:
            found.append((not other.dataset.lacks, len(other.results.machines), other.finished_at, path.parent))
    return max(found)[-1] if found else None


def _system(record: RunRecord) -> list[Any]:
    return [record.extractor, record.frontend, record.augmentations, record.scorer]
