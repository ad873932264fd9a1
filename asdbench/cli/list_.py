"""``asdbench list``: what the registry holds."""

import shutil
import textwrap
from typing import TYPE_CHECKING, Annotated

import typer

from asdbench.cli.options import AsJson, PluginPath
from asdbench.cli.output import echo, print_json

if TYPE_CHECKING:
    from asdbench.registry import Entry


FORMS = {
    "extractors": [
        ("NAME:SCORER,NAME:SCORER", "The scores of several systems, for the scorer ensemble: raw-mel:knn,psd:gmm."),
    ],
    "scorers": [
        ("pyod:NAME", "Any detector of PyOD, for example pyod:IForest."),
        ("sklearn:NAME", "Any outlier detector of scikit-learn, for example sklearn:svm.OneClassSVM."),
        ("STEP+SCORER", "Steps in front of a scorer, for example whiten+knn or by-domain+mahalanobis-lw."),
    ],
}


def list_(
    kind: Annotated[
        str | None,
        typer.Argument(
            help="systems, extractors, scorers, steps, augmentations, frontends, datasets; all if left out."
        ),
    ] = None,
    as_json: AsJson = False,
    plugin_path: PluginPath = None,
) -> None:
    """List what can be named: systems, extractors, scorers, steps before them, augmentations, front ends, data sets."""
    import json

    from asdbench.core.errors import UsageError, did_you_mean
    from asdbench.registry import KINDS, load_catalog

    if kind is not None and kind not in KINDS:
        hint = did_you_mean(kind, KINDS)
        raise UsageError(f"No kind '{kind}'.{hint} Accepted: {', '.join(KINDS)}.")
    catalog = load_catalog(plugin_path or [])
    kinds = [kind] if kind else list(KINDS)
    entries = {kind: [catalog.entries[kind][name] for name in catalog.names(kind)] for kind in kinds}
    if as_json:
        content = {
            kind: [{"name": entry.name, "summary": entry.summary, "origin": entry.origin} for entry in found]
            for kind, found in entries.items()
        }
        print_json(json.dumps(content, indent=2))
    else:
        _print_table(entries)
    for warning in catalog.warnings:
        echo(f"warning: {warning}", err=True)


def _print_table(found_by_kind: "dict[str, list[Entry]]") -> None:
    # Not by rich: importing it would take a third of the time that the command may take.
    width = min(120, shutil.get_terminal_size((120, 24)).columns)
    named = [entry.name for entries in found_by_kind.values() for entry in entries]
    longest = max(map(len, [*named, *(form for kind in found_by_kind for form, _ in FORMS.get(kind, []))]), default=0)
    indent = max(24, longest + 4)
    for kind, found in found_by_kind.items():
        echo(kind, fg="cyan", bold=True)
        rows = [(entry.name, entry.summary + _origin(entry)) for entry in found]
        for name, summary in rows + FORMS.get(kind, []):
            lines = textwrap.wrap(summary, max(30, width - indent))
            echo(f"  {name:<{indent - 3}} ", nl=False, bold=True)
            echo(f"\n{' ' * indent}".join(lines))
        echo()
    echo("Parameters, citation and origin of one: asdbench show NAME", dim=True)


def _origin(entry: "Entry") -> str:
    return "" if entry.origin == "asdbench" else f" [{entry.origin}]"
