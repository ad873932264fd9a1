"""``asdbench evaluate``: anybody's score files, official numbers."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asdbench.cli.numbers import REPLICATES, Whole
from asdbench.cli.options import AsJson, PluginPath, Quiet
from asdbench.cli.output import print_json

if TYPE_CHECKING:
    from asdbench.datasets.ground_truth import GroundTruth
    from asdbench.registry import Catalog
    from asdbench.score_files.evaluation import FolderEvaluation, Method


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
    from asdbench.harness.evaluating import evaluate_scores, score_folder, truth_for
    from asdbench.harness.record import FILE
    from asdbench.protocols import Difference, paired_difference
    from asdbench.registry import load_catalog

    methods: tuple[Method, ...] = ("bootstrap", "official", "none")
    if ci not in methods:
        raise UsageError(f"--ci {ci}: accepted are {', '.join(methods)}.")
    catalog = load_catalog(plugin_path or [])
    truth = truth_for(ground_truth, protocol)

    def result(place: Path) -> "tuple[str, FolderEvaluation]":
        return evaluate_scores(
            place,
            catalog,
            protocol,
            split=split,
            truth=truth,
            partial=partial,
            machines=machine or [],
            interval=ci,
            replicates=replicates,
        )

    folder = score_folder(folder, out)
    against = None if against is None else score_folder(against, out)
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


def _learning_note(folder: Path) -> list[str]:
    """Says of a run's folder whether its training learned nothing, which its score alone does not tell."""
    from asdbench.harness.learned import learned
    from asdbench.harness.record import FILE, read_record

    record = read_record(folder) if (folder / FILE).is_file() else None
    found = learned(record) if record else None
    return [found.text] if found and found.mark else []


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
