"""``asdbench evaluate``: anybody's score files, official numbers."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asdbench.cli import options as opt
from asdbench.cli.output import begin, echo, print_json
from asdbench.core.errors import UsageError

if TYPE_CHECKING:
    from asdbench.datasets.ground_truth import GroundTruth
    from asdbench.registry import Catalog
    from asdbench.score_files.evaluation import FolderEvaluation, Method


def evaluate(
    folder: Annotated[Path, opt.argument("DIR|RUN", "Folder of score files, or a run: latest, id ...", opt.RUN)],
    protocol: Annotated[
        str | None, opt.option("dcase2020|...|dcase2026", "Whose official score. [default: the run's, for a run]")
    ] = None,
    ground_truth: opt.GroundTruth = None,
    split: Annotated[
        str | None,
        opt.option("dev|eval|own", "What the files are of; own: your recordings. [default: by machine and section]"),
    ] = None,
    machine: opt.Machines = None,
    partial: Annotated[
        bool, opt.flag("--partial", "Score what is there although something is missing or wrong.")
    ] = False,
    ci: Annotated[
        str, opt.option("bootstrap|official|none", "95 % intervals; official: as the evaluators print.")
    ] = "bootstrap",
    replicates: opt.Replicates = 10_000,
    clip_s: Annotated[
        float | None,
        opt.option(
            "SECONDS", "Length of a clip, for false alarms per hour. [default: the run's, for a run]", opt.POSITIVE
        ),
    ] = None,
    against: Annotated[
        Path | None, opt.option("DIR|RUN", "A second system: the difference, on the same resampled clips.", opt.RUN)
    ] = None,
    out: opt.Out = opt.RUNS,
    as_json: opt.AsJson = False,
    quiet: opt.Quiet = False,
    plugin_path: opt.PluginPath = None,
) -> None:
    """Compute the official scores of score files, ours or anybody's, and list all that is wrong with them.

    Rows are matched with the ground truth by name. A result with anything missing is labelled partial and has no
    official score unless --partial is given. Exit code 1 when there is no score.

    Example: asdbench evaluate scores/ --protocol dcase2023 --ground-truth truth/
    """
    begin(f"Evaluating {folder}", quiet=quiet)
    import functools

    from asdbench.cli.evaluation_results import evaluation_as_json, print_evaluation
    from asdbench.cli.tables import interval
    from asdbench.core.texts import percent
    from asdbench.harness.evaluating import evaluate_score_files, score_folder, truth_for
    from asdbench.harness.record import FILE
    from asdbench.protocols import paired_difference
    from asdbench.registry import load_catalog

    methods: tuple[Method, ...] = ("bootstrap", "official", "none")
    if ci not in methods:
        raise UsageError(f"--ci {ci}: accepted are {', '.join(methods)}.")
    catalog = load_catalog(plugin_path or [])
    truth = truth_for(ground_truth, protocol)

    evaluated = functools.partial(
        evaluate_score_files,
        catalog=catalog,
        protocol=protocol,
        split=split,
        truth=truth,
        partial=partial,
        machines=machine or [],
        interval=ci,
        replicates=replicates,
        clip_s=clip_s,
    )
    folder = score_folder(folder, out)
    against = None if against is None else score_folder(against, out)  # a wrong name is reported at once
    used, result = evaluated(folder)
    difference = None
    if against is not None:
        other_protocol, other = evaluated(against)
        if other_protocol != used:
            raise UsageError(f"--against: {folder} is evaluated by {used}, {against} by {other_protocol}.")
        for place, one in ((folder, result), (against, other)):
            if one.official_score is None:
                raise UsageError(
                    f"--against: {place} is partial. See why: asdbench evaluate {place}, with the same options."
                )
        difference = paired_difference(used, result.sections, other.sections, replicates)
    is_run = (folder / FILE).is_file()
    notes = _notes(catalog, used, result, truth, knows_split=is_run or split == "own")
    notes += _learning_note(folder) if is_run else []
    if as_json:
        print_json(evaluation_as_json(used, result, notes, difference))
    else:
        print_evaluation(used, result, [] if quiet else notes)
        if difference is not None:
            points, ends = percent(difference.difference, sign=True), interval(difference.ci95, 2, sign=True)
            share = percent(difference.probability, 1)
            echo(f"{folder} less {against}: {points} [{ends}], better in {share} % of the resampled test sets")
    if result.official_score is None:
        raise typer.Exit(1)


def _learning_note(folder: Path) -> list[str]:
    """Whether a run's training learned nothing, which its score alone does not tell."""
    from asdbench.harness.learned import learned
    from asdbench.harness.record import read_record

    record = read_record(folder)
    training = learned(record) if record else None
    return [training.text] if training and training.mark else []


def _notes(
    catalog: "Catalog", protocol: str, result: "FolderEvaluation", truth: "GroundTruth | None", *, knows_split: bool
) -> list[str]:
    """What is known of the ground truth that was used, and whose machine types these are."""
    from asdbench.score_files.expectation import expectation_of, likeliest_split

    notes = []
    cards = {name: card for name in catalog.names("datasets") if (card := catalog.find("datasets", name).challenge)}
    if truth is not None and result.dataset == f"{protocol} eval":
        notes += [text for name, text in cards[protocol].problems.items() if name == "ground_truth"]
    if result.dataset is None and not knows_split:
        for name, card in cards.items():
            split = likeliest_split(card, list(result.sections))
            if split and set(result.sections) <= set(expectation_of(name, card, split).sections):
                return [*notes, f"{protocol} has no such machine types and sections; {name} {split} has."]
    return notes
