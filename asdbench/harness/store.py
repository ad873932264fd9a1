"""Find runs below a folder, lay their results out as a table, and say in which parameters they differ."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from asdbench.core.errors import RequirementError
from asdbench.core.store import checksums
from asdbench.harness.learned import Learned, learned, learning_columns
from asdbench.harness.record import FILE, TRUTH, RecordError, RunRecord, load_record

if TYPE_CHECKING:
    from asdbench.datasets.ground_truth import GroundTruth
    from asdbench.protocols.resampling import Sections
    from asdbench.score_files.files import Problem, ProblemKind, ScoreFile

Row = dict[str, Any]
MEANS = ("auc_source", "auc_target", "auc", "pauc", "f1")


@dataclass(frozen=True)
class Stored:
    """The runs of a folder."""

    runs: dict[Path, RunRecord]  # folder and record, by name of the folder
    damaged: dict[Path, str]  # folder and reason of each record that cannot be read

    @property
    def unreadable(self) -> list[str]:
        """One line for each record that cannot be read."""
        return list(self.damaged.values())


def find_runs(root: Path) -> Stored:
    """Every run in ``root``; one damaged record does not hide the others.

    Raises:
        RequirementError: there is no such folder.
    """
    require_folder(root)
    runs: dict[Path, RunRecord] = {}
    damaged: dict[Path, str] = {}
    for path in sorted(root.glob(f"[!.]*/{FILE}")):  # what is under way, or left by a kill, is hidden
        try:
            runs[path.parent] = load_record(path.parent)
        except RecordError as error:
            damaged[path.parent] = str(error)
    return Stored(runs, damaged)


def require_folder(root: Path) -> None:
    """Refuse a folder of runs that is not there. Raises RequirementError: there is no such folder."""
    if not root.is_dir():
        raise RequirementError(
            f"There is no folder {root}.\nRuns go to ./runs unless asdbench run --out DIR says else."
        )


def sections_of(folder: Path, record: RunRecord, ground_truth: "Path | GroundTruth | None" = None) -> "Sections":
    """The rows of a run's score files with their labels, by machine type and section.

    Of a failed run those of the machine types that were scored.

    Raises:
        RequirementError: the score files are not all there, not as the record says, or have no labels.
    """
    from asdbench.datasets.ground_truth import read_ground_truth
    from asdbench.protocols import evaluate
    from asdbench.score_files.alignment import align
    from asdbench.score_files.evaluation import other_results
    from asdbench.score_files.files import list_score_files

    require_score_files(folder, record)
    protocol = record.dataset.protocol
    if isinstance(ground_truth, Path):
        ground_truth = read_ground_truth(ground_truth.expanduser(), int(protocol.removeprefix("dcase")))
    ground_truth = ground_truth or truth_of_run(folder)
    if not (folder / "scores").is_dir():
        raise RequirementError(f"{folder} cannot be read: it has no folder scores/.{_again(record)}")
    files, _ = list_score_files(folder / "scores")
    aligned = align(files, protocol, ground_truth, expected=None)
    failed = record.status == "failed"
    for problem in aligned.problems:
        if not problem.harmless and problem.kind != "absent":  # what is absent is counted below
            raise RequirementError(f"{folder} cannot be read: {problem}.")
    clips = dict.fromkeys(record.dataset.test_clips, 0)
    for (machine, _), rows in aligned.sections.items():
        clips[machine] = clips.get(machine, 0) + len(rows.labels)
    for machine, wanted in record.dataset.test_clips.items():
        if clips[machine] != wanted and not (failed and not clips[machine]):
            text = f"its score files have {clips[machine]} of the {wanted} test clips of {machine}"
            raise RequirementError(f"{folder} cannot be read: {text}.{_again(record)}")
    if record.scored and not record.digests and ground_truth is None:
        for problem in other_results(record.scored, evaluate(protocol, aligned.sections).machines):
            raise RequirementError(f"{folder} cannot be used: {problem}.{_again(record)}")
    return aligned.sections


def missing_files(record: RunRecord, files: "Sequence[ScoreFile]") -> dict[str, list[str]]:
    """Names of the score files that are not there, by machine type.

    Expected is a file for each section with a threshold or a result in the record (in 2021 for each of its domains),
    so that machine types that failed before they were scored miss nothing.
    """
    from asdbench.datasets.clips import Domain
    from asdbench.score_files.files import file_name

    there = {(file.machine, file.section, file.domain) for file in files if file.kind == "anomaly_score"}
    layout = record.dataset.layout
    missing: dict[str, list[str]] = {}
    for machine in sorted({*record.thresholds, *record.scored}):
        scored = record.scored[machine].sections if machine in record.scored else {}
        for section in sorted({*record.thresholds.get(machine, {}), *scored}):
            domains: Sequence[Domain | None] = (None,)
            if layout == "dcase2021":
                known = scored[section].domains if section in scored else get_args(Domain)
                domains = [domain for domain in get_args(Domain) if domain in known]
            for domain in domains:
                if (machine, section, domain) not in there:
                    name = file_name("anomaly_score", layout, machine, section, domain)
                    missing.setdefault(machine, []).append(name)
    return missing


def truth_of_run(folder: Path) -> "GroundTruth | None":
    """What a run on recordings of free names has written of its test clips; None where their names say it."""
    from asdbench.datasets.ground_truth import read_truth

    path = folder / TRUTH
    try:
        return read_truth(path) if path.is_file() else None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RequirementError(f"{path} cannot be read: {error}. Run it again.") from error


def verify_score_files(folder: Path, record: RunRecord) -> "list[Problem]":
    """Score files of a run that are gone or edited, or were added, by the digests in its record; old ones have none."""
    from asdbench.score_files.files import Problem, parse_file_name

    def problem(kind: "ProblemKind", path: Path, text: str) -> Problem:
        file = parse_file_name(path)
        machine, section = (file.machine, file.section) if file else (None, None)
        return Problem(kind=kind, text=text, file=path.name, machine=machine, section=section)

    problems = []
    for name, recorded in record.digests.items():
        path = folder / name
        try:
            if checksums([path]) != [recorded]:
                problems.append(problem("conflict", path, "was changed after the run"))
        except FileNotFoundError:
            problems.append(problem("absent", path, "is gone"))
        except OSError as error:
            problems.append(problem("malformed", path, f"cannot be read: {error.strerror or error}"))
    for path in sorted((folder / "scores").glob("*.csv")) if record.digests else ():
        if path.relative_to(folder).as_posix() not in record.digests and parse_file_name(path) is not None:
            problems.append(problem("extra", path, "was added after the run"))
    return problems


def require_score_files(folder: Path, record: RunRecord) -> None:
    """Refuse score files that are not those that the run wrote.

    Raises:
        RequirementError: one was edited or removed, or another was added.
    """
    for problem in verify_score_files(folder, record):
        raise RequirementError(f"{folder} cannot be used: {problem}.{_again(record)}")


def _again(record: RunRecord) -> str:
    return " asdbench run --retry-failed goes on with it." if record.status == "failed" else " Run it again."


def result_rows(record: RunRecord) -> Iterator[Row]:
    """A row for each machine type, and one for the whole ("all"); a run without results has the last alone."""
    head: Row = {
        "run_id": record.run_id,
        "system": record.name,
        "extractor": record.extractor.name,
        "scorer": record.scorer.name,
        "dataset": record.dataset.name,
        "fingerprint": record.dataset.fingerprint,
        "protocol": record.dataset.protocol,
        "seed": record.asked.seed,
        "status": record.status,
        "partial": bool(record.dataset.lacks),
    }
    tail: Row = {
        "parameters": max((network.parameters or 0 for network in record.training), default=0),
        "macs": max((network.macs or 0 for network in record.training), default=0),
        **{f"{stage}_s": record.seconds.get(stage) for stage in ("features", "fit", "embed", "score")},
        "finished_at": record.finished_at,
    }

    def row(name: str, scores: Mapping[str, Any], score: float | None, interval: Any, summary: Learned | None) -> Row:
        low, high = interval or (None, None)
        values = {
            **{key: scores.get(key) for key in MEANS},
            "official_score": score,
            "ci95_low": low,
            "ci95_high": high,
        }
        return {**head, "machine": name, **values, **learning_columns(summary), **tail}

    results = record.results
    for machine, result in results.machines.items() if results else ():
        interval = record.intervals_of(machine).get("official_score")
        summary = learned(record, machine=machine)
        yield row(machine, result.model_dump(include=set(MEANS)), result.official_score, interval, summary)
    means: Mapping[str, Any] = {}
    if results is not None and results.means is not None:
        means = results.means.arithmetic if results.protocol == "dcase2020" else results.means.harmonic
    yield row("all", means, results.official_score if results else None, record.ci95, learned(record))


def varied_params(records: Sequence[RunRecord]) -> list[dict[str, Any]]:
    """For each run the parameters, by ``component.param``, that others of its system or of a component differ in."""
    values: dict[tuple[str | None, str], list[Any]] = {}
    of_records = [_params(record) for record in records]
    for record, params in zip(records, of_records, strict=True):
        for key, value in params.items():
            seen = values.setdefault((record.asked.system, key), [])
            if value not in seen:
                seen.append(value)
    return [
        {key: value for key, value in params.items() if len(values[record.asked.system, key]) > 1}
        for record, params in zip(records, of_records, strict=True)
    ]


def varied_text(params: Mapping[str, Any]) -> str:
    """``layer=2, pooling=rdp``."""
    return ", ".join(f"{key.rpartition('.')[2]}={_text(value)}" for key, value in params.items())


def _params(record: RunRecord) -> dict[str, Any]:
    components = [record.extractor, record.frontend, *record.augmentations, record.scorer]
    return {f"{one.name}.{key}": value for one in components for key, value in one.params.items()}


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
