"""``asdbench show``: one card, for people."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from asdbench.cli.options import AsJson, PluginPath

if TYPE_CHECKING:
    from asdbench.registry import Entry


def show(
    name: Annotated[str, typer.Argument(help="Name of an extractor, scorer, augmentation, front end or data set.")],
    as_json: AsJson = False,
    plugin_path: PluginPath = None,
) -> None:
    """Show what NAME is: summary, parameters with defaults and ranges, citation, where it comes from."""
    import json

    from asdbench.registry import load_catalog

    catalog = load_catalog(plugin_path or [])
    entries = catalog.find_anywhere(name)
    if as_json:
        typer.echo(
            json.dumps([_as_json(entry) for entry in entries], indent=2)
            if len(entries) > 1
            else json.dumps(_as_json(entries[0]), indent=2)
        )
        return
    for entry in entries:
        _print_entry(entry)


def _as_json(entry: "Entry") -> dict[str, Any]:
    card = entry.card.model_dump(mode="json")
    defaults = entry.defaults()
    params = {
        name: {**param, "default": defaults[name], "accepts": entry.card.params[name].accepts()}
        for name, param in card.pop("params").items()
    }
    return {
        "name": entry.name,
        "kind": entry.kind,
        **card,
        "summary": entry.summary,
        "variant_of": entry.path.stem if entry.variant and entry.path else None,
        "params": params,
        "origin": entry.origin,
        "path": str(entry.path) if entry.path else None,
    }


def _print_entry(entry: "Entry") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    card = entry.card
    console.print(Text.assemble((entry.name, "bold cyan"), f"  ({entry.kind[:-1]})"))
    console.print(entry.summary, markup=False, highlight=False)
    if card.description:
        console.print()
        console.print(card.description, markup=False, highlight=False)
    if card.params:
        console.print()
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
        for column in ("parameter", "default", "accepts", ""):
            table.add_column(column, overflow="fold")
        defaults = entry.defaults()
        for name, param in card.params.items():
            default = defaults[name]
            text = ",".join(map(str, default)) if isinstance(default, list) else str(default)
            table.add_row(Text(name, "bold"), Text(text), Text(param.accepts()), Text(param.help))
        console.print(table)
    facts: list[tuple[str, str]] = []
    facts += [(f"profile {name}", _assignments(values)) for name, values in card.profiles.items()]
    facts += [(f"variant {name}", _assignments(values)) for name, values in card.variants.items()]
    facts += [
        (
            "cite",
            ". ".join(filter(None, [cite.authors, cite.title, cite.venue, str(cite.year or ""), cite.url or ""])),
        )
        for cite in card.cite
    ]
    facts += [
        ("code", f"{card.target}, version {card.version}"),
        ("from", f"{entry.origin}: {entry.path}" if entry.path else entry.origin),
    ]
    console.print()
    grid = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for key, value in facts:
        grid.add_row(Text(key), Text(value))
    console.print(grid)


def _assignments(values: dict[str, Any]) -> str:
    return ", ".join(f"{key} = {value}" for key, value in values.items() if key != "summary")
