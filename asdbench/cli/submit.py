"""``asdbench submit``: write or check an entry to the challenge."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asdbench.cli.options import AsJson, PluginPath
from asdbench.cli.output import echo, print_json

if TYPE_CHECKING:
    from asdbench.submission import Finding


def submit(
    run: Annotated[
        str | None,
        typer.Argument(metavar="RUN", help="Finished run on the evaluation data: id, the beginning of one, or folder."),
    ] = None,
    label: Annotated[
        str | None, typer.Option(metavar="NAME_ORG_task2_N", help="Label of the submission, N from 1 to 4.")
    ] = None,
    development: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="Run of the same system on the development data, for the meta file. [default: found beside RUN]",
        ),
    ] = None,
    meta: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="YAML with values for the meta file (authors, data usage); they win."),
    ] = None,
    runs: Annotated[Path, typer.Option(metavar="DIR", help="Where the runs' folders lie.")] = Path("runs"),
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the team's folder goes.")] = Path("submissions"),
    check: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Check a system's or a team's folder; nothing is written.")
    ] = None,
    protocol: Annotated[
        str | None, typer.Option(metavar="dcaseYEAR", help="Year of the checked folder. [default: found]")
    ] = None,
    as_json: AsJson = False,
    plugin_path: PluginPath = None,
) -> None:
    """Write the folder that the challenge wants from a run, or check such a folder, also one made elsewhere.

    <out>/<Name>_<Org>/<label>/ holds score files, decision files and <label>.meta.yaml with what the run's record
    knows. It is checked once it is written. Exit code 1 when a check finds errors.
    """
    from asdbench.core.errors import UsageError
    from asdbench.submission import read_yaml, require_label, write_submission

    if check is not None:
        if run is not None or label is not None:
            raise UsageError("--check takes no RUN and no --label: it writes nothing.")
        _check(check.expanduser(), protocol, as_json, plugin_path or [])
        return
    if run is None or label is None:
        raise UsageError(
            "Give a run and a label: asdbench submit RUN --label Sato_NTU_task2_1\n"
            "Or check a folder: asdbench submit --check DIR"
        )
    own = None
    if meta is not None:
        try:
            own = read_yaml(meta)
        except ValueError as error:
            raise UsageError(f"--meta {meta}: {error}") from error
        if not isinstance(own, dict):
            raise UsageError(f"--meta {meta}: expected mappings like those of a meta file (submission, system ...).")
    known = None if development is None else _run_folder(development, runs)
    written = write_submission(_run_folder(run, runs), require_label(label), out.expanduser(), known, own)
    if written.development is None:
        echo(
            "note: no run on the development data was found, so its results are not filled in: --development RUN",
            err=True,
        )
    else:
        echo(f"development results of {written.development}", err=True)
    if written.lacks:
        echo(f"note: that run is partial: {'; '.join(written.lacks[:3])} ...", err=True)
    if not as_json:
        echo(str(written.folder))
    _check(written.folder, protocol, as_json, plugin_path or [])


def _run_folder(run: str, runs: Path) -> Path:
    """A folder as given, whatever it holds, or the run of that id."""
    from asdbench.core.paths import expand_user
    from asdbench.harness.store import find_run

    given = expand_user(run)
    return given if given.is_dir() else find_run(run, runs.expanduser())


def _check(folder: Path, protocol: str | None, as_json: bool, plugin_paths: list[Path]) -> None:
    import json

    from asdbench.core.errors import UsageError, did_you_mean
    from asdbench.registry import load_catalog
    from asdbench.submission import check_submission

    catalog = load_catalog(plugin_paths)
    cards = {name: card for name in catalog.names("datasets") if (card := catalog.find("datasets", name).challenge)}
    if protocol is not None and protocol not in cards:
        hint = did_you_mean(protocol, cards)
        raise UsageError(f"No challenge '{protocol}'.{hint} Accepted: {', '.join(cards)}.")
    findings, systems = check_submission(folder, cards, protocol)
    errors = sum(finding.level == "error" for finding in findings)
    if as_json:
        content = {
            "folder": str(folder),
            "systems": [str(system) for system in systems],
            "errors": errors,
            "findings": [finding.model_dump() for finding in findings],
        }
        print_json(json.dumps(content, indent=2))
    else:
        _print(findings, len(systems), errors)
    if errors:
        raise typer.Exit(1)


def _print(findings: "list[Finding]", systems: int, errors: int) -> None:
    for finding in findings:
        colour = "red" if finding.level == "error" else "yellow"
        echo(f"{finding.level}: {finding}", fg=colour)
    warnings = len(findings) - errors
    counted = f"{systems} system{'s' if systems > 1 else ''} checked: {errors} errors, {warnings} warnings"
    echo(counted, fg="red" if errors else "green", bold=True)
