"""Anybody's score files on a leaderboard: checked like a run's, and stored as an entry with its source."""

import re
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationError

from asdbench.core.digests import digest
from asdbench.core.errors import RequirementError, UsageError, did_you_mean
from asdbench.core.validation import Model
from asdbench.datasets.challenge import require_split
from asdbench.harness.record import FILE, Asked, Environment, RunRecord, UsedComponent, UsedDataset
from asdbench.leaderboard.entry import Entry, EntryError, SectionEntry, Submitted
from asdbench.leaderboard.paths import private_folders
from asdbench.leaderboard.paths import shortened as shortened_text
from asdbench.leaderboard.store import Added, put, without_private_paths
from asdbench.registry.toml import read_toml
from asdbench.score_files.evaluation import evaluate_folder
from asdbench.score_files.expectation import expectation_of

if TYPE_CHECKING:
    from asdbench.datasets.ground_truth import GroundTruth
    from asdbench.registry import Catalog

FACTS = "system.toml"
UNKNOWN = "unknown"
_WITHOUT_LABELS = ("unlabelled", "undefined")


class Facts(Model, strict=True):
    """What is said of a folder of score files, by options or by a ``system.toml`` beside them."""

    system: str = Field(min_length=1, max_length=100, description="Name for people.")
    source: str = Field(pattern=r"^https?://\S+$", description="Address of whoever made the scores.")
    dataset: str = Field(description="The challenge that was scored, dcase2025 for instance.")
    split: str = Field(default="dev", description="dev or eval.")
    seed: int = Field(default=0, ge=0, description="Seeds of one system share a row.")
    params: int | None = Field(default=None, ge=0, description="Parameters of the network.")
    macs: int | None = Field(default=None, ge=0, description="Multiply-accumulates for a clip.")
    note: str = Field(default="", max_length=500, description="Authors and licence, for instance.")


def is_submission(folder: Path) -> bool:
    """Whether a folder says of itself that it is one of somebody's score files."""
    return (folder / FACTS).is_file() and not (folder / FILE).exists()


def facts_of(folder: Path, given: Mapping[str, Any]) -> Facts:
    """What is known of the score files in ``folder``: what is given, and for the rest the file beside them.

    Args:
        folder: of score files.
        given: by key of the file; None for what is not given.

    Raises:
        CardError: the file cannot be read.
        UsageError: a fact is missing, unknown or not acceptable.
    """
    path = folder / FACTS
    stored = read_toml(path) if path.exists() else {}
    facts = {**stored, **{name: value for name, value in given.items() if value is not None}}
    try:
        return Facts.model_validate(facts)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        problem = next((one for one in problems if one["type"] == "extra_forbidden"), problems[0])
        name, value = str(problem["loc"][0]), problem["input"]
        known = ", ".join(Facts.model_fields)
        if problem["type"] == "extra_forbidden":
            hint = did_you_mean(name, Facts.model_fields)
            raise UsageError(f"{path}: unknown key '{name}'.{hint}\nAccepted there: {known}.") from error
        if problem["type"] == "missing":
            reason, option = f"{folder}: its {name} is not known.", "--source ADDRESS" if name == "source" else "NAME"
            option = option if name == "source" else f"--{name} {option}"
            raise UsageError(f"{reason}\nGive {option}, or a line '{name} = ...' in {path}.") from error
        place = str(path) if given.get(name) is None else "The command line"
        wanted = (
            "an address that begins with https://"
            if name == "source"
            else problem["msg"].removeprefix("Input should be ")
        )
        raise UsageError(f"{place}: {name} is {value!r}.\nAccepted: {wanted}.") from error


def add_scores(
    folder: Path,
    board_dir: Path,
    facts: Facts,
    catalog: "Catalog",
    truth: "GroundTruth | None" = None,
    *,
    replace: bool = False,
    others: MutableMapping[Path, Entry] | None = None,
) -> Added:
    """Put the score files in ``folder`` on the leaderboard below ``board_dir``; the rest is as for a run.

    Raises:
        UsageError: no such challenge or split.
        RequirementError: there is no such folder, no score file in it, or nothing says the labels.
        EntryError: something is missing or wrong, or another entry of that system and seed has other scores.
        BoardDirError: nothing can be written there.
    """
    entry, shortened = _entry_of(folder, facts, catalog, truth)
    return put(entry, str(folder), board_dir, shortened, replace=replace, others=others)


def _entry_of(folder: Path, facts: Facts, catalog: "Catalog", truth: "GroundTruth | None") -> tuple[Entry, list[str]]:
    card = _challenge(facts.dataset, catalog)
    split = require_split(facts.dataset, card, facts.split, ())
    if not folder.is_dir():
        raise RequirementError(f"There is no folder {folder}.\nNeeded: one with score files, anomaly_score_*.csv.")
    place = folder / "scores" if not any(folder.glob("anomaly_score_*")) else folder
    result = evaluate_folder(
        place if place.is_dir() else folder,
        card.protocol,
        truth,
        expectation_of(facts.dataset, card, split),
        interval="none",
    )
    wrong = [problem for problem in result.problems if not problem.harmless]
    if truth is None and not card.splits[split].labelled and any(one.kind in _WITHOUT_LABELS for one in wrong):
        raise RequirementError(
            f"{folder} is not added: names of {facts.dataset} {split} say no labels.\n"
            "Give the official evaluator's folder: --ground-truth DIR"
        )
    if wrong or result.evaluation is None:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        again = f"asdbench evaluate {folder} --protocol {card.protocol} --split {split}"
        raise EntryError(
            f"{folder} is not added: {wrong[0] if wrong else 'nothing in it could be evaluated'}{more}.\n"
            f"See all that is wrong: {again}{'' if truth is None else ' --ground-truth DIR'}"
        )
    scores: dict[str, dict[str, SectionEntry]] = {}
    for (machine, section), rows in sorted(result.sections.items()):
        scores.setdefault(machine, {})[section] = SectionEntry.of(rows)
    name = " ".join(facts.system.split())
    board = f"{facts.dataset}-{split}"
    unknown = UsedComponent(name=UNKNOWN, target=UNKNOWN, version=0, params={})
    record = RunRecord(
        run_id=_id_of(name, board, facts.seed),
        status="done",
        asked=Asked(
            system=name,
            extractor=UNKNOWN,
            scorer=UNKNOWN,
            dataset=facts.dataset,
            split=split,
            machines=None,
            seed=facts.seed,
            profile=None,
            params={},
        ),
        extractor=unknown,
        scorer=unknown,
        frontend=unknown,
        augmentations=[],
        dataset=UsedDataset(
            name=board,
            layout=card.layout,
            protocol=card.protocol,
            fingerprint="",
            train_clips={},
            test_clips={
                machine: sum(len(section.labels) for section in sections.values())
                for machine, sections in scores.items()
            },
        ),
        environment=Environment(
            device=UNKNOWN, python=UNKNOWN, platform=UNKNOWN, packages={}, git_commit=None, git_dirty=None
        ),
        results=result.evaluation,
        intervals=None,
        thresholds={},
        training=[],
        notes=[],
        failures=[],
        seconds={},
        finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    record, shortened = without_private_paths(record, str(folder))
    submitted = Submitted(
        source=facts.source,
        note=shortened_text(" ".join(facts.note.split()), private_folders()),
        parameters=facts.params,
        macs=facts.macs,
    )
    return Entry(record=record, submitted=submitted, scores=scores), shortened


def _id_of(name: str, board: str, seed: int) -> str:
    """The same whenever a system's seed is submitted again, whatever its scores."""
    readable = re.sub(r"[^A-Za-z0-9._-]+", ".", name).strip(".-") or "system"
    return f"{readable[:60]}-{board}-s{seed}-{digest(['submitted', name, board, seed], 10)}"


def _challenge(name: str, catalog: "Catalog") -> Any:
    challenges = [one for one in catalog.names("datasets") if catalog.find("datasets", one).challenge]
    if name not in challenges:
        hint = did_you_mean(name, challenges)
        raise UsageError(f"--dataset {name}: score files are of a challenge.{hint}\nAccepted: {', '.join(challenges)}.")
    return catalog.find("datasets", name).challenge
