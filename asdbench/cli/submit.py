"""``asdbench submit``: write or check an entry to the challenge."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from asdbench.cli.options import RUN, RUNS, AsJson, PluginPath, argument, option
from asdbench.cli.output import echo, print_json
from asdbench.core.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from asdbench.registry.challenge_card import ChallengeCard


def submit(
    run: Annotated[
        str | None, argument("RUN", "Finished run on the evaluation data: latest, id, system or folder.", RUN)
    ] = None,
    label: Annotated[str | None, option("NAME_ORG_task2_N", "Label of the submission, N from 1 to 4.")] = None,
    development: Annotated[
        str | None, option("RUN", "Its run on the development data. [default: one beside RUN]", RUN)
    ] = None,
    meta: Annotated[Path | None, option("FILE", "YAML with values for the meta file; they win.")] = None,
    runs: Annotated[Path, option("DIR", "Where the runs' folders lie.")] = RUNS,
    out: Annotated[Path, option("DIR", "Where the team's folder goes.")] = Path("submissions"),
    check: Annotated[Path | None, option("DIR", "Check a system's or a team's folder; nothing is written.")] = None,
    protocol: Annotated[str | None, option("dcaseYEAR", "Year of the checked folder. [default: by its files]")] = None,
    as_json: AsJson = False,
    plugin_path: PluginPath = None,
) -> None:
    """Write the folder that the challenge wants from a run, or check such a folder, also one made elsewhere.

    <out>/<Name>_<Org>/<label>/ holds score files, decision files and <label>.meta.yaml with what the run's record
    knows. It is checked once it is written: where the check finds errors, no folder is left, and the exit code is 1.

    Example: asdbench submit latest --label Sato_NTU_task2_1
    """
    from asdbench.harness.run_names import find_run
    from asdbench.submission import require_label, write_submission

    cards = _cards(protocol, plugin_path or [])
    if check is not None:
        if run is not None or label is not None:
            raise UsageError("--check takes no RUN and no --label: it writes nothing.")
        if _check(check, cards, protocol, as_json):
            raise typer.Exit(1)
        return
    if run is None or label is None:
        raise UsageError(
            "Give a run and a label: asdbench submit RUN --label Sato_NTU_task2_1\n"
            "Or check a folder: asdbench submit --check DIR"
        )
    values = None if meta is None else _read_meta(meta)
    development_folder = None if development is None else find_run(development, runs)
    written = write_submission(find_run(run, runs), require_label(label), out, development_folder, values)
    if written.development is None:
        echo(
            "note: no run on the development data was found, so its results are not filled in: --development RUN",
            err=True,
        )
    else:
        echo(f"development results of {written.development}", err=True)
    if written.lacks:
        echo(f"note: that run is partial: {'; '.join(written.lacks[:3])} ...", err=True)
    try:
        refused = bool(_check(written.folder, cards, protocol, as_json))
    except BaseException:
        written.withdraw()
        raise
    if refused:
        written.withdraw()
        echo(f"Nothing was left in {written.folder}: the challenge would refuse it.", fg="red", err=True)
        raise typer.Exit(1)
    if not as_json:
        echo(written.folder)


def _read_meta(file: Path) -> dict[str, Any]:
    from asdbench.submission import read_yaml

    try:
        values = read_yaml(file)
    except ValueError as error:
        raise UsageError(f"--meta {file}: {error}") from error
    if not isinstance(values, dict):
        raise UsageError(f"--meta {file}: expected mappings like those of a meta file (submission, system ...).")
    return values


def _cards(protocol: str | None, plugin_paths: list[Path]) -> "dict[str, ChallengeCard]":
    """Cards of the challenges, by name. Raises UsageError: there is none of the asked name."""
    from asdbench.registry import load_catalog

    catalog = load_catalog(plugin_paths)
    cards = {name: card for name in catalog.names("datasets") if (card := catalog.find("datasets", name).challenge)}
    if protocol is not None and protocol not in cards:
        hint = did_you_mean(protocol, cards)
        raise UsageError(f"No challenge '{protocol}'.{hint} Accepted: {', '.join(cards)}.")
    return cards


def _check(folder: Path, cards: "dict[str, ChallengeCard]", protocol: str | None, as_json: bool) -> int:
    """Print what is wrong with a folder; the number of errors."""
    from asdbench.submission import check_submission

    findings, systems = check_submission(folder, cards, protocol)
    errors = sum(finding.level == "error" for finding in findings)
    if as_json:
        print_json(
            {
                "folder": str(folder),
                "systems": [str(system) for system in systems],
                "errors": errors,
                "findings": [finding.model_dump() for finding in findings],
            }
        )
    else:
        for finding in findings:
            echo(f"{finding.level}: {finding}", fg="red" if finding.level == "error" else "yellow")
        checked = f"{len(systems)} system{'s' if len(systems) > 1 else ''} checked"
        summary = f"{checked}: {errors} errors, {len(findings) - errors} warnings"
        echo(summary, fg="red" if errors else "green", bold=True)
    return errors
