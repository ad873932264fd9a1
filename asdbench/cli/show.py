"""``asdbench show``: one card, for people."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from asdbench.cli.options import AsJson, PluginPath
from asdbench.cli.output import print_json

if TYPE_CHECKING:
    from asdbench.cli.console import Console
    from asdbench.registry import Catalog, Entry
    from asdbench.registry.challenge_card import ChallengeCard, CountKey


def show(
    name: Annotated[str, typer.Argument(help="Name of anything that asdbench list shows.")],
    as_json: AsJson = False,
    plugin_path: PluginPath = None,
) -> None:
    """Show what NAME is: summary, parameters, citation, where it comes from; of a system its parts and choices."""
    import json

    from asdbench.registry import load_catalog

    catalog = load_catalog(plugin_path or [])
    entries = catalog.find_anywhere(name)
    if as_json:
        content = [_as_json(entry) for entry in entries]
        print_json(json.dumps(content if len(content) > 1 else content[0], indent=2))
        return
    for entry in entries:
        _print_entry(entry, catalog)


def _as_json(entry: "Entry") -> dict[str, Any]:
    facts = {
        "name": entry.name,
        "kind": entry.kind,
        "variant_of": entry.path.stem if entry.variant and entry.path else None,
        "origin": entry.origin,
        "path": str(entry.path) if entry.path else None,
    }
    if entry.kind == "systems":
        return {**facts, **entry.system.model_dump(mode="json", exclude={"variants"})}
    if entry.challenge is not None:
        zips = {
            split: {machine: list(content.zips_of(machine)) for machine in content.machines}
            for split, content in entry.challenge.splits.items()
        }
        return {**facts, **entry.challenge.model_dump(mode="json", exclude_defaults=True), "zips": zips}
    card = entry.card.model_dump(mode="json")
    defaults = entry.defaults()
    params = {
        name: {**param, "default": defaults[name], "accepts": entry.card.params[name].accepts()}
        for name, param in card.pop("params").items()
    }
    return {**facts, **card, "summary": entry.summary, "params": params}


def _print_entry(entry: "Entry", catalog: "Catalog") -> None:
    from rich.text import Text

    from asdbench.cli.console import Console

    console = Console()
    description = entry.system.description if entry.kind == "systems" else entry.content.description
    console.print(Text.assemble((entry.name, "bold cyan"), f"  ({entry.kind[:-1]})"))
    console.print(entry.summary, markup=False, highlight=False)
    if description:
        console.print()
        console.print(description, markup=False, highlight=False)
    console.print()
    if entry.kind == "systems":
        facts = _system_facts(entry, catalog, console)
    elif entry.challenge is not None:
        facts = _challenge_facts(entry.challenge, console)
    else:
        facts = _component_facts(entry, console)
    cited = [
        ". ".join(filter(None, [cite.authors, cite.title, cite.venue, str(cite.year or ""), cite.url or ""]))
        for cite in entry.content.cite
    ]
    facts += [("cite", text) for text in cited]
    facts += [("from", f"{entry.origin}: {entry.path}" if entry.path else entry.origin)]
    _print_pairs(console, facts)
    if entry.challenge is not None:
        console.print()
        first = next(iter(entry.challenge.splits["dev"].machines))
        command = f"asdbench data download {entry.name} --split dev --machine {first}"
        console.print(Text(f"Get it: {command}", "dim"), soft_wrap=True)
    if entry.kind == "systems":
        console.print()
        console.print(Text(f"Run it: asdbench run --system {entry.name} --dataset FOLDER", "dim"), soft_wrap=True)


def _component_facts(entry: "Entry", console: "Console") -> list[tuple[str, str]]:
    """Print the parameters; what remains to be said."""
    from rich.table import Table
    from rich.text import Text

    card = entry.card
    if card.params:
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
        for column in ("parameter", "default", "accepts", ""):
            table.add_column(column, overflow="fold")
        defaults = entry.defaults()
        for name, param in card.params.items():
            default = defaults[name]
            text = ",".join(map(str, default)) if isinstance(default, list) else str(default)
            table.add_row(Text(name, "bold"), Text(text), Text(param.accepts()), Text(param.help))
        console.print(table)
        console.print()
    facts = [(f"profile {name}", _assignments(values)) for name, values in card.profiles.items()]
    facts += [(f"variant {name}", _assignments(values)) for name, values in card.variants.items()]
    facts += [("tune", f"{name} over {param.tune.in_words()}") for name, param in card.params.items() if param.tune]
    return [*facts, ("code", f"{card.target}, version {card.version}")]


def _system_facts(entry: "Entry", catalog: "Catalog", console: "Console") -> list[tuple[str, str]]:
    """Print the parts and what the paper leaves open; what remains to be said."""
    from rich.table import Table
    from rich.text import Text

    from asdbench.core.errors import UsageError
    from asdbench.harness import RunSpec
    from asdbench.harness.request import Scopes, asked_stages

    system = entry.system
    spec = RunSpec(system=[entry.name])
    (stages,) = asked_stages(spec, catalog)
    scopes = Scopes(spec, catalog, [stages], [])
    settled = {
        name: scopes.component(f"{kind}s", name, stages).params
        for kind, names in stages.parts().items()
        for name in names
    }
    parts = [(kind, name) for kind, names in stages.parts().items() for name in names]
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in ("part", "name", "as the paper states it, or chosen"):
        table.add_column(column, overflow="fold")
    for kind, name in parts:
        table.add_row(Text(kind), Text(name, "bold"), Text(_assignments(system.params.get(name, {}))))
    console.print(table)
    console.print(Text("Set any of them with -p NAME.PARAM=VALUE; all parameters of a part: asdbench show NAME", "dim"))
    console.print()
    if system.open:
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
        for column in ("left open by the paper", "chosen", "why"):
            table.add_column(column, overflow="fold")
        for key, why in system.open.items():
            part, _, param = key.rpartition(".")
            if param not in settled.get(part, {}):
                raise UsageError(f"The card of system '{entry.name}' leaves '{key}' open, which is no parameter of it.")
            table.add_row(Text(key, "bold"), Text(str(settled[part][param])), Text(why))
        console.print(table)
        console.print()
    facts = [
        ("published", f"{row.percent:.2f} %, {row.metric} on {row.dataset} {row.split} ({row.source})")
        for row in system.published
    ]
    return facts + [(f"variant {name}", variant.summary) for name, variant in system.variants.items()]


def _challenge_facts(card: "ChallengeCard", console: "Console") -> list[tuple[str, str]]:
    """Print the machine types of both splits; what remains to be said."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in ("split", "machine", "sections", "training clips", "test clips", "attributes"):
        table.add_column(column, overflow="fold")
    for split, content in card.splits.items():
        for machine, own in content.machines.items():
            parts = [content.counts_of(machine, section) for section in content.sections_of(machine)]
            table.add_row(
                Text(split),
                Text(machine, "bold"),
                Text(" ".join(content.sections_of(machine))),
                Text(_total([part.train for part in parts])),
                Text(_total([part.test for part in parts])),
                Text("hidden" if own.attributes_hidden else ""),
            )
    console.print(table)
    console.print(Text("Clips over all sections; ? where the number is not known here.", "dim"))
    console.print()
    channels = "one channel" if card.channels == 1 else f"{card.channels} channels"
    facts = [
        ("protocol", f"{card.protocol} (docs/protocols.md)"),
        ("recordings", f"{card.sample_rate_hz} Hz, {channels}"),
        ("licence", card.licence),
    ]
    return facts + [("known problem", text) for text in card.problems.values()]


def _total(counts: "list[dict[CountKey, int]]") -> str:
    return str(sum(sum(part.values()) for part in counts)) if all(counts) else "?"


def _print_pairs(console: "Console", facts: list[tuple[str, str]]) -> None:
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    grid.add_column(style="bold", overflow="fold")
    grid.add_column(overflow="fold")
    for key, value in facts:
        grid.add_row(Text(key), Text(value))
    console.print(grid)


def _assignments(values: dict[str, Any]) -> str:
    told = {key: ",".join(map(str, value)) if isinstance(value, list) else value for key, value in values.items()}
    return ", ".join(f"{key} = {value}" for key, value in told.items() if key != "summary")
