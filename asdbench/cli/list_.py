"""``asdbench list``: what the registry holds."""

from typing import TYPE_CHECKING, Annotated

import typer

from asdbench.cli.options import AsJson, PluginPath

if TYPE_CHECKING:
    from asdbench.registry import Entry


def list_(
    kind: Annotated[
        str | None,
        typer.Argument(help="extractors, scorers, augmentations, frontends or datasets; all when left out."),
    ] = None,
    as_json: AsJson = False,
    plugin_path: PluginPath = None,
) -> None:
    """List what can be named: extractors, scorers, augmentations, front ends, data sets."""
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
        typer.echo(json.dumps(content, indent=2))
    else:
        _print_table(entries)
    for warning in catalog.warnings:
        typer.echo(f"warning: {warning}", err=True)


def _print_table(entries: "dict[str, list[Entry]]") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    for kind, found in entries.items():
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 2), title_justify="left")
        table.add_column(no_wrap=True, min_width=20)
        table.add_column(ratio=1)
        for entry in found:
            origin = "" if entry.origin == "asdbench" else f"  [{entry.origin}]"
            table.add_row(Text(entry.name, "bold"), Text(entry.summary + origin))
        if kind == "scorers":
            table.add_row(Text("pyod:NAME", "bold"), Text("Any detector of PyOD, for example pyod:IForest."))
            table.add_row(
                Text("sklearn:NAME", "bold"),
                Text("Any outlier detector of scikit-learn, for example sklearn:svm.OneClassSVM."),
            )
        console.print(Text(kind, "bold cyan"))
        console.print(table)
        console.print()
    console.print(Text("Parameters, citation and origin of one: asdbench show NAME", "dim"))
