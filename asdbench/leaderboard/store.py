"""Put runs on a leaderboard and read them back: one file for each, so that writers never meet."""

import json
import re
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from asdbench.core.digests import digest
from asdbench.core.errors import AsdbenchError, RequirementError, UsageError
from asdbench.core.files import clear_write_errors, sweep, write_text
from asdbench.core.locks import exclusive
from asdbench.core.paths import cache_root
from asdbench.core.texts import first_of
from asdbench.harness.record import RunRecord, load_record
from asdbench.harness.store import sections_of
from asdbench.leaderboard.boards import require_fit
from asdbench.leaderboard.entry import Entry, EntryError, SectionEntry, differences, load_entry, verify
from asdbench.leaderboard.paths import last_part, names_home, private_folders, without_paths
from asdbench.leaderboard.references import read_references
from asdbench.leaderboard.systems import BoardError
from asdbench.protocols import evaluate

if TYPE_CHECKING:
    from asdbench.datasets.ground_truth import GroundTruth
    from asdbench.protocols.resampling import Sections

RESULTS = "results"
TIMES = ("seconds", "finished_at")


class BoardDirError(UsageError):
    """A board folder that cannot be written."""


@dataclass(frozen=True)
class Added:
    """What became of a run that was put on a leaderboard."""

    path: Path  # its entry
    outcome: Literal["added", "unchanged", "replaced"]  # "unchanged" where the same entry was there, times aside
    shortened: tuple[str, ...]  # fields of the record in which paths were shortened to their last part


@dataclass(frozen=True)
class Entries:
    """The entries of a board folder, by path, and one line for each that cannot be used."""

    entries: dict[Path, Entry]
    problems: list[str]


def add_run(
    folder: Path,
    board_dir: Path,
    ground_truth: "Path | GroundTruth | None" = None,
    *,
    replace: bool = False,
    others: MutableMapping[Path, Entry] | None = None,
) -> Added:
    """Put the run in ``folder`` on the leaderboard below ``board_dir``.

    Safe with any number of processes that add at once, the same run included. Nothing is replaced unasked.

    Args:
        folder: of the run.
        board_dir: holds results/ and references/; made where it is not there.
        ground_truth: labels, where the clips' names do not say them.
        replace: take the place of an entry that differs.
        others: the entries that are there, by path, read once for several runs; the new one joins them. Read now when
            left out.

    Raises:
        RecordError: the run's record cannot be read.
        RequirementError: score files or labels are missing.
        EntryError: the results are not those of the score files, another entry has this id, the run cannot stand on one
            board with what is there, or the record names the home folder where it cannot be left out.
        BoardDirError: nothing can be written there.
    """
    entry, shortened = entry_of(folder, ground_truth)
    return put(entry, str(folder), board_dir, shortened, replace=replace, others=others)


def put(
    entry: Entry,
    name: str,
    board_dir: Path,
    shortened: Sequence[str] = (),
    *,
    replace: bool = False,
    others: MutableMapping[Path, Entry] | None = None,
) -> Added:
    """Put an entry on the leaderboard below ``board_dir``; ``name`` is what messages call it, the rest as above.

    Raises:
        EntryError: its results are not those of its scores, another entry has its id, or it does not fit there.
        BoardDirError: nothing can be written there.
    """
    verify(entry, name)
    path = board_dir / RESULTS / f"{entry.record.run_id}.json"
    if others is None:
        others = read_entries(board_dir).entries if board_dir.is_dir() else {}
    with exclusive(cache_root() / "locks" / f"entry-{digest(str(path.resolve()), 16)}.lock"):  # boards are published
        with clear_board_errors(board_dir), clear_write_errors(path):
            sweep(path)
        there = path.exists()
        if there and _equals_stored(entry, path, replace):
            others[path] = entry
            return Added(path, "unchanged", tuple(shortened))
        _require_fit(Path(name), entry, {other: one for other, one in others.items() if other != path}, board_dir)
        with clear_board_errors(board_dir):
            write_text(path, entry.text())
    others[path] = entry
    return Added(path, "replaced" if there else "added", tuple(shortened))


def entry_of(folder: Path, ground_truth: "Path | GroundTruth | None" = None) -> tuple[Entry, list[str]]:
    """What a leaderboard stores of the run in ``folder``, and where paths were shortened in it."""
    record = load_record(folder)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", record.run_id):
        raise EntryError(f"{folder}: the run id {record.run_id!r} cannot be the name of a file.")
    sections = _sections(folder, record, ground_truth)
    if sections and record.results is None and not record.salvaged:
        results = evaluate(record.dataset.protocol, sections)
        update = {"salvaged": results.machines} if record.status == "failed" else {"results": results}
        record = record.model_copy(update=update)
    scores: dict[str, dict[str, SectionEntry]] = {}
    for (machine, section), rows in sorted(sections.items()):
        scores.setdefault(machine, {})[section] = SectionEntry.of(rows)
    record, shortened = without_private_paths(record, str(folder))
    return Entry(record=record, scores=scores), shortened


def read_entries(board_dir: Path) -> Entries:
    """Every entry below ``board_dir`` whose results are those of its scores; one that is not does not hide the others.

    Raises:
        RequirementError: there is no such folder.
    """
    if not board_dir.is_dir():
        raise RequirementError(
            f"There is no folder {board_dir}.\nMake one: asdbench leaderboard add RUN --board-dir {board_dir}"
        )
    entries: dict[Path, Entry] = {}
    problems = []
    for path in sorted((board_dir / RESULTS).glob("[!.]*.json")):  # a dot: being written, or left by a kill
        try:
            entries[path] = load_entry(path)
        except EntryError as error:
            problems.append(str(error))
    return Entries(entries, problems)


@contextmanager
def clear_board_errors(board_dir: Path) -> Iterator[None]:
    """Name the option that helps where a board folder cannot be written. Raises BoardDirError: it cannot."""
    try:
        yield
    except UsageError as error:
        reason = str(error).splitlines()[0]
        raise BoardDirError(
            f"{reason}\nGive a folder that you may write to: --board-dir DIR ({board_dir} now)."
        ) from error


def _require_fit(folder: Path, entry: Entry, others: Mapping[Path, Entry], board_dir: Path) -> None:
    """Refuse what would leave its board one that cannot be rendered."""
    references = read_references(board_dir).references
    try:
        require_fit(folder, entry, others, references)
    except BoardError as error:
        there = next((path for path in error.paths if path != folder), board_dir)
        raise EntryError(
            f"{folder} is not added; the board {entry.record.dataset.name} could not be rendered any more: {error}\n"
            f"Remove {there}, or put this run into another folder of boards: --board-dir DIR ({board_dir} now)."
        ) from error


def _sections(folder: Path, record: RunRecord, ground_truth: "Path | GroundTruth | None") -> "Sections":
    if record.status == "failed" and not any((folder / "scores").glob("anomaly_score_*")):
        return {}
    try:
        return sections_of(folder, record, ground_truth)
    except RequirementError as error:
        if record.results is None and ground_truth is None:
            raise RequirementError(f"{error}\nWhere the labels are known: --ground-truth DIR|FILE") from error
        raise


def without_private_paths(record: RunRecord, name: str) -> tuple[RunRecord, list[str]]:
    """The record without tracebacks and without paths of the disk of whoever ran it."""
    content = json.loads(record.model_dump_json())
    dataset = content["asked"]["dataset"]
    for failure in content["failures"]:
        failure["detail"] = ""
    content, places = without_paths(content, private_folders())
    if re.search(r"[/\\]", dataset):
        content["asked"]["dataset"] = last_part(dataset)
        places = list(dict.fromkeys([*places, "asked.dataset"]))
    for place, value, _ in differences(content, {}, lambda *_: False):
        if names_home(f"{place} {value}"):
            raise EntryError(
                f"{name} names your home folder in {place}, and no way was found to leave it out; not published.\n"
                "Run it again with paths that do not lie there, relative ones for instance."
            )
    return RunRecord.model_validate(content), places


def _equals_stored(entry: Entry, path: Path, replace: bool) -> bool:
    """Whether the entry that is there equals a new one, times aside.

    Raises:
        EntryError: it differs, or cannot be used, and may not be replaced.
    """
    try:
        stored = load_entry(path)
    except AsdbenchError:
        if replace:
            return False
        raise
    differing = [_described(*one) for one in differences(_comparable(stored), _comparable(entry))]
    before, now = stored.record.results, entry.record.results
    if entry.submitted and stored.submitted and before and now and before != now and not replace:
        scores = f"{100 * before.official_score:.4f} there, {100 * now.official_score:.4f} here"
        raise EntryError(
            f"{entry.record.name} with seed {entry.record.asked.seed} is on the board with other scores ({scores}): "
            f"{path}.\nGive another --system or --seed, or take these instead: --replace"
        )
    if differing and not replace:
        raise EntryError(
            f"{path} is there already and differs: {first_of(differing, 3, '; ')}.\nTake this one instead: --replace"
        )
    return not differing


def _comparable(entry: Entry) -> dict[str, Any]:
    content = json.loads(entry.model_dump_json())
    record = {key: value for key, value in content["record"].items() if key not in TIMES}
    return {**record, "scores": content["scores"], "submitted": content["submitted"] or {}}


def _described(place: str, stored: Any, new: Any) -> str:
    if isinstance(stored, list) and isinstance(new, list) and len(stored) == len(new):
        return f"{place} ({sum(a != b for a, b in zip(stored, new, strict=True))} of {len(new)})"
    stored, new = (text if len(text) <= 40 else f"{text[:37]}..." for text in (json.dumps(stored), json.dumps(new)))
    return f"{place} ({stored} there, {new} here)"
