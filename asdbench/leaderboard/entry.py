"""What a leaderboard stores of a run, or of score files that somebody submitted: record and scores, in one file.

``leaderboards/results/<run-id>.json`` holds all that a board needs: results can be recomputed from it, and a paired
bootstrap can be drawn. It names no recording and no path on a disk.
"""

import json
import math
import re
from collections.abc import Callable
from operator import eq
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, Field, FiniteFloat, ValidationError, model_validator

from asdbench.core.digests import digest
from asdbench.core.errors import AsdbenchError
from asdbench.core.validation import Model, first_error
from asdbench.harness.record import SCHEMA as RECORD_SCHEMA
from asdbench.harness.record import RunRecord, migrated
from asdbench.pages.markdown import web_address
from asdbench.protocols import DEFINITIONS, SectionScores, evaluate
from asdbench.protocols.requirements import undefined_terms
from asdbench.protocols.resampling import Sections, in_order_of_names

SCHEMA = 3
TOLERANCE = 1e-9  # sums differ by less between processors
_LETTERS = {"source": "s", "target": "t", "": "-"}
_DOMAINS = {letter: domain for domain, letter in _LETTERS.items()}
_AGAIN = "Add the run again: asdbench leaderboard add RUN --replace"


class EntryError(AsdbenchError):
    """An entry that cannot be read, or that is not what a run left."""


class SectionEntry(Model):
    """The test clips of one section, sorted by file name; a letter or a number for each."""

    clips: str = Field(description="Digest of the clips' names.")
    labels: str = Field(pattern="^[01]+$", description="1 for anomalies.")
    domains: str = Field(pattern="^[st-]+$", description="s for source, t for target, - where there are none.")
    scores: list[FiniteFloat] = Field(description="Higher is more anomalous.")
    decisions: str | None = Field(pattern="^[01]+$", description="1 where called anomalous; None where nobody decided.")

    @model_validator(mode="after")
    def _equal_counts(self) -> "SectionEntry":
        counts = {len(self.labels), len(self.domains), len(self.scores), len(self.decisions or self.labels)}
        if len(counts) > 1:
            raise ValueError(f"not one label, domain, score and decision a clip: {sorted(counts)}")
        return self

    @classmethod
    def of(cls, rows: SectionScores) -> "SectionEntry":
        """From rows that know their clips' names."""
        rows = in_order_of_names(rows)
        return cls(
            clips=digest(list(rows.names)),
            labels="".join(str(int(label)) for label in rows.labels),
            domains="".join(_LETTERS[str(domain)] for domain in rows.domains),
            scores=[float(score) for score in rows.scores],
            decisions=None if rows.decisions is None else "".join(str(int(decision)) for decision in rows.decisions),
        )

    def rows(self) -> SectionScores:
        """For a protocol; without names, in the order of names."""
        return SectionScores(
            labels=np.array([int(label) for label in self.labels]),
            domains=np.array([_DOMAINS[letter] for letter in self.domains]),
            scores=np.array(self.scores, np.float64),
            decisions=None if self.decisions is None else np.array([int(decision) for decision in self.decisions]),
        )


class Submitted(Model):
    """What is known of a system whose score files somebody submitted; nothing of it was measured here."""

    source: Annotated[str, AfterValidator(web_address)] = Field(
        pattern=r"^https?://\S+$", description="Address of whoever made the scores."
    )
    note: str = Field(default="", description="Authors and licence, for instance.")
    parameters: int | None = Field(default=None, ge=0, description="Of the network, as submitted.")
    macs: int | None = Field(default=None, ge=0, description="Multiply-accumulates for a clip, as submitted.")


class Entry(Model):
    """One run on a leaderboard, or one seed of a submitted system."""

    schema_version: Literal[3] = Field(default=3, description="Raised when this schema changes.")
    record: RunRecord = Field(description="Of a submitted system it names data and results; its parts are unknown.")
    submitted: Submitted | None = Field(default=None, description="None for a run.")
    scores: dict[str, dict[str, SectionEntry]] = Field(description="By machine type and section, of what was scored.")

    @property
    def board(self) -> str:
        """The board that it stands on: its data set."""
        return self.record.dataset.name

    @property
    def protocol(self) -> str:
        """Whose official score it has."""
        return self.record.dataset.protocol

    def sections(self) -> Sections:
        """The rows behind the results, by machine type and section."""
        return {
            (machine, number): section.rows()
            for machine, sections in self.scores.items()
            for number, section in sections.items()
        }

    def text(self) -> str:
        """As it is written: indented for people, each list of scores in one line, with a digest of all."""
        content = json.loads(self.model_dump_json())
        record, scores = content["record"], content["scores"]
        known = {"schema_version": SCHEMA, "digest": _digest_of(content), "record": record}
        known |= {"submitted": content["submitted"]} if self.submitted else {}
        text = json.dumps({**known, "scores": scores}, indent=1)
        return re.sub(r'(?<="scores": \[)[^]]*(?=\])', lambda scores: " ".join(scores[0].split()), text) + "\n"


def load_entry(path: Path) -> Entry:
    """The entry in a file, once its results are those of its scores.

    Raises:
        EntryError: there is none, it is damaged or altered, a newer asdbench wrote it, or its name is another run's.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError("it holds no JSON object")
        record, stored_digest = content.get("record"), content.pop("digest", None)
        _require_readable(path, "schema", content, SCHEMA)
        _require_readable(path, "a record of schema", record, RECORD_SCHEMA)
        stored = {**content}
        if not isinstance(stored_digest, str) and not (stored_digest is None and content.get("schema_version") == 1):
            raise ValueError("it has no digest")  # only files of the first schema have none
        if content.get("schema_version") in (1, 2):  # of runs alone
            content["schema_version"] = SCHEMA
        if isinstance(record, dict):
            content["record"] = migrated(record)
        entry = Entry.model_validate(content)
        intact = stored_digest in (None, _digest_of(stored))
    except OSError as error:
        raise EntryError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        reason = first_error(error) if isinstance(error, ValidationError) else str(error).splitlines()[0]
        raise EntryError(f"{path} is damaged: {reason}.\n{_AGAIN}") from error
    verify(entry, str(path))
    if not intact:
        reason = "its record or scores are not those that were added, by the digest in the file"
        raise EntryError(f"{path} is altered: {reason}.\n{_AGAIN}")
    if path.stem != entry.record.run_id:
        raise EntryError(f"{path} holds the run {entry.record.run_id}; its name has to be {entry.record.run_id}.json.")
    return entry


def verify(entry: Entry, name: str) -> None:
    """Recompute every number of an entry's results from its scores.

    Raises:
        EntryError: the results were altered, or are not of the scores that stand beside them.
    """
    record, sections = entry.record, entry.sections()
    protocol = record.dataset.protocol
    if protocol not in DEFINITIONS:
        raise EntryError(f"{name}: no protocol '{protocol}'. Accepted: {', '.join(DEFINITIONS)}.")
    if record.status == "done" and record.results is None:
        raise EntryError(
            f"{name} has no results.\nIts labels are needed: asdbench leaderboard add RUN --ground-truth DIR"
        )
    machines = record.scored
    if set(machines) != set(entry.scores):
        unmatched = ", ".join(sorted(set(machines) ^ set(entry.scores)))
        raise EntryError(f"{name} is altered: results and scores are not of the same machine types: {unmatched}.")
    for (machine, section), rows in sections.items():
        for reason in undefined_terms(protocol, rows):
            raise EntryError(f"{name} is altered: {machine}, section {section}: {reason}.")
    if not sections:
        return
    recorded: dict[str, Any] = {"machines": {machine: result.model_dump() for machine, result in machines.items()}}
    computed = evaluate(protocol, sections).model_dump(include=None if record.results is not None else {"machines"})
    if record.results is not None:
        recorded |= record.results.model_dump(exclude={"machines"})
    unknown = tuple(place + "." for place, value in _flat(recorded).items() if place.endswith("means") and not value)
    for place, before, now in differences(recorded, computed, _is_close):
        if not place.startswith(unknown):  # means that an old record does not have
            raise EntryError(
                f"{name} is altered: results.{place.removeprefix('machines.')} is recorded as {before}, but its scores "
                f"give {now}.\n{_AGAIN}"
            )


def differences(
    first: dict[str, Any], second: dict[str, Any], equal: Callable[[Any, Any], bool] = eq
) -> list[tuple[str, Any, Any]]:
    """Where two nested JSON-like values differ ("record.asked.seed"), and both values there."""
    one, two = _flat(first), _flat(second)
    return [(key, one.get(key), two.get(key)) for key in one | two if not equal(one.get(key), two.get(key))]


def _flat(content: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in content.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat


def _is_close(first: Any, second: Any) -> bool:
    if isinstance(first, float) and isinstance(second, float):
        return math.isclose(first, second, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return bool(first == second)


def _require_readable(path: Path, what: str, content: Any, newest: int) -> None:
    version = content.get("schema_version") if isinstance(content, dict) else None
    if isinstance(version, int) and version > newest:
        raise EntryError(
            f"{path} has {what} {version}; this asdbench knows {newest} and older ones. A newer asdbench reads it."
        )


def _digest_of(content: dict[str, Any]) -> str:
    """Of record and scores as they stand in the file, and of what was submitted."""
    submitted = content.get("submitted")
    return digest([content.get("record"), content.get("scores"), *([submitted] if submitted else [])], 32)
