"""``asdbench evaluate``: anybody's score files, official numbers."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asdbench.cli.numbers import REPLICATES, Whole
from asdbench.cli.options import AsJson, PluginPath, Quiet
from asdbench.cli.output import print_json

if TYPE_CHECKING:
    from asdbench.harness.record import RunRecord
    from asdbench.registry import Catalog
    from asdbench.score_files.evaluation import FolderEvaluation, Method
    from asdbench.score_files.expectation import Expectation
    from asdbench.score_files.ground_truth import GroundTruth


def evaluate(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR|RUN", help="Folder of score files, or a run: its folder or its id.")
    ],
    protocol: Annotated[
        str | None,
        typer.Option(metavar="dcase2020|...|dcase2026", help="Whose official score. [default: the run's, for a run]"),
    ] = None,
    ground_truth: Annotated[
        Path | None,
        typer.Option(
            "--ground-truth",
            metavar="DIR|FILE",
            help="Labels of an evaluation set: an official evaluator's folder, or a baseline's eval_data_list_*.csv.",
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            metavar="dev|eval|own",
            help="What the files are of, which says what has to be there; own: recordings of your own. "
            "[default: found from machine types and sections]",
        ),
    ] = None,
    machine: Annotated[
        list[str] | None,
        typer.Option("--machine", metavar="NAME", help="Only this machine type; may be repeated."),
    ] = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="Score what is there although something is missing or wrong.")
    ] = False,
    ci: Annotated[
        str,
        typer.Option(
            "--ci",
            metavar="bootstrap|official|none",
            help="95 % intervals: a stratified bootstrap, or what the official evaluators print.",
        ),
    ] = "bootstrap",
    replicates: Annotated[
        int, typer.Option(click_type=Whole(min=100, max=REPLICATES), help="Resampled test sets of the bootstrap.")
    ] = 10_000,
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR|RUN", help="A second system's score files: the difference, on the same resampled clips."
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the runs' folders lie.")] = Path("runs"),
    as_json: AsJson = False,
    quiet: Quiet = False,
    plugin_path: PluginPath = None,
) -> None:
    """Compute the official scores of score files, ours or anybody's, and list all that is wrong with them.

    Rows are matched with the ground truth by name. A result with anything missing is labelled partial and has no
    official score unless --partial is given. Exit code 1 when there is no score.
    """
    from asdbench.cli.evaluations import as_json_text, print_evaluation
    from asdbench.core.errors import UsageError
    from asdbench.harness.record import FILE
    from asdbench.protocols import Difference, paired_difference
    from asdbench.registry import load_catalog
    from asdbench.score_files.ground_truth import read_ground_truth

    methods: tuple[Method, ...] = ("bootstrap", "official", "none")
    if ci not in methods:
        raise UsageError(f"--ci {ci}: accepted are {', '.join(methods)}.")
    catalog = load_catalog(plugin_path or [])
    truth = read_ground_truth(ground_truth.expanduser(), _year(protocol)) if ground_truth else None

    def result(place: Path) -> "tuple[str, FolderEvaluation]":
        return _evaluated(place, catalog, protocol, split, truth, partial, machine or [], ci, replicates)

    folder = _place(folder, out)
    against = None if against is None else _place(against, out)
    used, found = result(folder)
    difference: Difference | None = None
    if against is not None:
        other_protocol, other = result(against)
        if other_protocol != used:
            raise UsageError(f"--against: {folder} is evaluated by {used}, {against} by {other_protocol}.")
        if found.official_score is None or other.official_score is None:
            place = folder if found.official_score is None else against
            raise UsageError(
                f"--against: {place} is partial. See why: asdbench evaluate {place}, with the same options."
            )
        difference = paired_difference(used, found.sections, other.sections, replicates)
    of_own = split == "own" or (folder / FILE).is_file()  # a run knows what it is of
    notes = _notes(catalog, used, found, truth, of_own)
    notes += _learning_note(folder.expanduser())
    if as_json:
        print_json(as_json_text(used, found, notes, difference))
    else:
        notes = [] if quiet else notes
        print_evaluation(folder, used, found, notes, against, difference)
    if found.official_score is None:
        raise typer.Exit(1)


def _place(given: Path, out: Path) -> Path:
    """The folder that was named: of score files, of a run, or of the run whose score files lie in it."""
    from asdbench.core.errors import RequirementError
    from asdbench.harness.record import FILE
    from asdbench.harness.store import find_run

    folder = given.expanduser()
    if not folder.is_dir():
        if len(given.parts) > 1 or not out.expanduser().is_dir():
            raise RequirementError(f"There is no folder {folder}.")
        return find_run(str(given), out.expanduser())
    above = folder.resolve().parent
    return above if folder.resolve().name == "scores" and (above / FILE).is_file() else folder


def _year(protocol: str | None) -> int | None:
    """The year of a protocol, so that the ground truth of others in the same folder is left out."""
    digits = (protocol or "").removeprefix("dcase")
    return int(digits) if digits.isdigit() else None


def _evaluated(
    folder: Path,
    catalog: "Catalog",
    protocol: str | None,
    split: str | None,
    truth: "GroundTruth | None",
    partial: bool,
    machines: list[str],
    ci: "Method",
    replicates: int,
) -> "tuple[str, FolderEvaluation]":
    """The protocol used, and what the folder came to."""
    from asdbench.core.errors import UsageError, did_you_mean
    from asdbench.datasets.challenge import DEFAULT_SPLIT
    from asdbench.harness.record import FILE, load_record
    from asdbench.harness.store import verify_score_files
    from asdbench.protocols import PROTOCOLS
    from asdbench.score_files.evaluation import evaluate_folder

    record = load_record(folder, files=False) if (folder / FILE).is_file() else None
    protocol = protocol or (record.dataset.protocol if record else None)
    if protocol not in PROTOCOLS:
        asked = (
            f"No protocol '{protocol}'.{did_you_mean(protocol, PROTOCOLS)}" if protocol else "--protocol is missing."
        )
        raise UsageError(f"{asked} Accepted: {', '.join(PROTOCOLS)}. See: docs/protocols.md")
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
        truth,
        expected,
        partial=partial,
        machines=machines,
        interval=ci,
        replicates=replicates,
        known=verify_score_files(folder, record) if record is not None else (),
        recorded=recorded,
    )


def _expectation(catalog: "Catalog", place: Path, protocol: str, split: str | None) -> "Expectation | None":
    from asdbench.score_files.alignment import list_score_files
    from asdbench.score_files.evaluation import expectation_for

    if split == "own":
        return None
    card = catalog.find("datasets", protocol).challenge
    assert card is not None, "every protocol has its data set's card"
    return expectation_for(list_score_files(place)[0], protocol, card, split)


def _learning_note(folder: Path) -> list[str]:
    """Says of a run's folder whether its training learned nothing, which its score alone does not tell."""
    from asdbench.harness.learned import learned
    from asdbench.harness.record import FILE, read_record

    record = read_record(folder) if (folder / FILE).is_file() else None
    found = learned(record) if record else None
    return [found.text] if found and found.mark else []


def _expectation_of_run(record: "RunRecord", challenge: "Expectation | None") -> "Expectation":
    """What a run wrote by its record, and, of a challenge's data, what the challenge wants besides."""
    from dataclasses import replace

    from asdbench.score_files.expectation import Expectation

    clips = record.dataset.test_clips
    if challenge is not None:
        return replace(challenge, of_machines=clips)
    results = record.results.machines if record.results is not None else record.salvaged
    keys = [(machine, section) for machine, sections in record.thresholds.items() for section in sections]
    keys += [(machine, section) for machine, result in results.items() for section in result.sections]
    return Expectation(name=record.dataset.name, sections=tuple(sorted({*keys})), of_machines=clips, is_challenge=False)


def _notes(
    catalog: "Catalog", protocol: str, found: "FolderEvaluation", truth: "GroundTruth | None", of_own: bool
) -> list[str]:
    """What is known of the ground truth that was used, and whose machine types these are."""
    from asdbench.score_files.expectation import expectation_of, likeliest_split

    card = catalog.find("datasets", protocol).challenge
    assert card is not None, "every protocol has its data set's card"
    notes = []
    if truth is not None and found.dataset == f"{protocol} eval":
        notes += [text for name, text in card.problems.items() if name == "ground_truth"]
    if found.dataset is None and not of_own:
        for name in catalog.names("datasets"):
            other = catalog.find("datasets", name).challenge
            likely = likeliest_split(other, list(found.sections)) if other is not None else None
            if (
                other is not None
                and likely
                and set(found.sections) <= set(expectation_of(name, other, likely).sections)
            ):
                notes.append(f"{protocol} has no such machine types and sections; {name} {likely} has.")
                break
    return notes
