"""What a leaderboard keeps of a run: its record and the scores of its test clips, in one file.

``leaderboards/results/<run-id>.json`` holds all that a board needs: results can be recomputed from it, and a paired
bootstrap can be drawn. It names no recording and no place on a disk.
"""

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, PrivateAttr, ValidationError, model_validator

from asdbench.core.digests import digest
from asdbench.core.errors import AsdbenchError
from asdbench.harness.record import SCHEMA as RECORD_SCHEMA
from asdbench.harness.record import RunRecord, migrated
from asdbench.protocols import SectionScores
from asdbench.protocols.resampling import Sections, in_order_of_names

SCHEMA = 2
_DOMAINS = {"source": "s", "target": "t", "": "-"}
_DOMAIN_OF = {letter: name for name, letter in _DOMAINS.items()}


class EntryError(AsdbenchError):
    """An entry that cannot be read, or that is not what a run left."""


class SectionEntry(BaseModel):
    """The test clips of one section, sorted by file name; a letter or a number for each."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    clips: str = Field(description="Digest of the clips' names.")
    labels: str = Field(pattern="^[01]+$", description="1 for anomalies.")
    domains: str = Field(pattern="^[st-]+$", description="s for source, t for target, - where there are none.")
    scores: list[FiniteFloat] = Field(description="Higher is more anomalous.")
    decisions: str | None = Field(pattern="^[01]+$", description="1 where called anomalous; None where nobody decided.")

    @model_validator(mode="after")
    def _one_of_each_a_clip(self) -> "SectionEntry":
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
            domains="".join(_DOMAINS[str(domain)] for domain in rows.domains),
            scores=[float(score) for score in rows.scores],
            decisions=None if rows.decisions is None else "".join(str(int(one)) for one in rows.decisions),
        )

    def rows(self) -> SectionScores:
        """For a protocol; without names, in the order of names."""
        return SectionScores(
            labels=_digits(self.labels),
            domains=np.array([_DOMAIN_OF[letter] for letter in self.domains]),
            scores=np.array(self.scores, np.float64),
            decisions=None if self.decisions is None else _digits(self.decisions),
        )


class Entry(BaseModel):
    """One run on a leaderboard."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[2] = Field(default=2, description="Raised when this schema changes.")
    record: RunRecord
    scores: dict[str, dict[str, SectionEntry]] = Field(description="By machine type and section, of what was scored.")
    _intact: bool = PrivateAttr(default=True)

    @property
    def intact(self) -> bool:
        """Whether record and scores are those that were written, by the digest in the file; old files have none."""
        return self._intact

    def sections(self) -> Sections:
        """The rows behind the results, by machine type and section."""
        return {
            (machine, section): own.rows() for machine, parts in self.scores.items() for section, own in parts.items()
        }

    def text(self) -> str:
        """As it is written: the record for people to read, one line for each list of scores."""
        content = json.loads(self.record.model_dump_json())
        record = json.dumps(content, indent=1)
        machines = []
        for machine, parts in self.scores.items():
            sections = []
            for section, own in parts.items():
                fields = [f"    {json.dumps(key)}: {json.dumps(value)}" for key, value in own.model_dump().items()]
                sections.append(f"   {json.dumps(section)}: {{\n" + ",\n".join(fields) + "\n   }")
            machines.append(f"  {json.dumps(machine)}: {{\n" + ",\n".join(sections) + "\n  }")
        scores = "{\n" + ",\n".join(machines) + "\n }" if machines else "{}"
        record = record.replace("\n", "\n ")
        known = _digest_of(content, self.model_dump()["scores"])
        head = f' "schema_version": {self.schema_version},\n "digest": "{known}"'
        return f'{{\n{head},\n "record": {record},\n "scores": {scores}\n}}\n'


def load_entry(path: Path) -> Entry:
    """The entry in a file.

    Raises:
        EntryError: there is none, it is damaged, a newer asdbench wrote it, or its name is another run's.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise EntryError(f"{path} is damaged: it holds no JSON object.{_AGAIN}")
        _require_known(path, "schema", content.get("schema_version"), SCHEMA)
        content, known = _without_digest(path, content)
        record, scores = content.get("record"), content.get("scores")
        if isinstance(record, dict):
            _require_known(path, "a record of schema", record.get("schema_version"), RECORD_SCHEMA)
            content = {**content, "record": migrated(record)}
        entry = Entry.model_validate(content)
        entry._intact = known in (None, _digest_of(record, scores))
    except OSError as error:
        raise EntryError(f"{path} cannot be read: {error.strerror or error}.") from error
    except ValidationError as error:
        raise EntryError(f"{path} is damaged: {first_error(error)}.{_AGAIN}") from error
    except RecursionError as error:
        raise EntryError(f"{path} is damaged: it is nested without end.{_AGAIN}") from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise EntryError(f"{path} is damaged: {str(error).splitlines()[0]}.{_AGAIN}") from error
    if path.stem != entry.record.run_id:
        raise EntryError(f"{path} holds the run {entry.record.run_id}; its name has to be {entry.record.run_id}.json.")
    return entry


def _without_digest(path: Path, content: dict[str, Any]) -> tuple[dict[str, Any], str | None]:
    """The content of a file in today's schema, and its digest; version 1 had none."""
    known = content.get("digest")
    if content.get("schema_version") == 1 and known is None:
        return {**content, "schema_version": SCHEMA}, None
    if not isinstance(known, str):
        raise EntryError(f"{path} is damaged: it has no digest.{_AGAIN}")
    return {key: value for key, value in content.items() if key != "digest"}, known


def _digest_of(record: Any, scores: Any) -> str:
    """Of record and scores as they stand in the file."""
    return digest([record, scores], 32)


_AGAIN = " asdbench leaderboard add RUN --replace makes it again."


def first_error(error: ValidationError) -> str:
    """The first thing that is wrong, and where, in one line."""
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    return f"{place}: {message}" if place else message


def _require_known(path: Path, what: str, version: Any, known: int) -> None:
    if isinstance(version, int) and version > known:
        raise EntryError(
            f"{path} has {what} {version}; this asdbench knows {known} and older ones. A newer asdbench reads it."
        )


def _digits(text: str) -> Any:
    return np.frombuffer(text.encode(), np.uint8).astype(np.int64) - ord("0")
