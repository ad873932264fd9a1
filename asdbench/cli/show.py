"""``asdbench show``: one card, for people."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from asdbench.cli.options import AsJson, Named, PluginPath, argument
from asdbench.cli.output import echo, print_json
from asdbench.core.commands import command
from asdbench.core.documentation import page
from asdbench.core.errors import UsageError
from asdbench.core.texts import value_text

if TYPE_CHECKING:
    from asdbench.registry import Catalog, Entry
    from asdbench.registry.challenge_card import ChallengeCard

Facts = list[tuple[str, str]]


def show(
    name: Annotated[str, argument("NAME", "Name of anything that asdbench list shows.", Named("anything"))],
    as_json: AsJson = False,
    plugin_path: PluginPath = None,
) -> None:
    """Show what NAME is: summary, parameters, citation, where it comes from; of a system its components and choices.

    Example: asdbench show simclr
    """
    from asdbench.registry import load_catalog

    catalog = load_catalog(plugin_path or [])
    entries = catalog.find_anywhere(name)
    if as_json:
        content = [_as_json(entry) for entry in entries]
        print_json(content if len(content) > 1 else content[0])
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
    from asdbench.cli.tables import print_paragraph, print_table, table, text

    next_step = None
    echo(f"{entry.name}  ({entry.kind[:-1]})", fg="cyan", bold=True)
    print_paragraph(entry.summary)
    description = entry.system.description if entry.kind == "systems" else entry.content.description
    if description:
        echo()
        print_paragraph(description)
    echo()
    if entry.kind == "systems":
        facts = _system_facts(entry, catalog)
        next_step = f"Run it: {command('run', system=entry.name, dataset='FOLDER', p=_files_to_give(entry, catalog))}"
    elif entry.challenge is not None:
        facts = _challenge_facts(entry.challenge)
        machine = next(iter(entry.challenge.splits["dev"].machines))
        next_step = f"Get it: {command('data download', entry.name, split='dev', machine=machine)}"
    else:
        facts = _component_facts(entry)
    for cite in entry.content.cite:
        fields = [cite.authors, cite.title, cite.venue, str(cite.year or ""), cite.url or ""]
        facts.append(("cite", ". ".join(filter(None, fields))))
    facts.append(("from", f"{entry.origin}: {entry.path}" if entry.path else entry.origin))
    facts_table = table(["", ""], [(text(key, "bold"), value) for key, value in facts])
    facts_table.show_header = False
    print_table(facts_table)
    if next_step:
        echo()
        echo(next_step, dim=True)


def _print_section(columns: Sequence[str], rows: Sequence[Sequence[object]], note: str = "") -> None:
    """A table with an empty line after it; nothing where it has no rows."""
    from asdbench.cli.tables import print_table, table

    if rows:
        print_table(table(columns, rows))
        if note:
            echo(note, dim=True)
        echo()


def _component_facts(entry: "Entry") -> Facts:
    """Print the parameters; what remains to be said."""
    card, defaults = entry.card, entry.defaults()
    params = card.params.items()
    _print_section(
        ("parameter", "default", "accepts", ""),
        [(name, value_text(defaults[name]), param.accepts(), param.help) for name, param in params],
    )
    downloads = getattr(card, "downloads", ())
    frontend = getattr(card, "frontend", None)
    return [
        *([("front end", frontend)] if frontend else []),
        *((f"weights {one.name}", f"{one.licence}. {command('weights get', one.name)}") for one in downloads),
        *((f"profile {name}", _assignments(values)) for name, values in card.profiles.items()),
        *((f"variant {name}", _assignments(values)) for name, values in card.variants.items()),
        *(("tune", f"{name} over {param.tune.as_text()}") for name, param in params if param.tune),
        ("code", f"{card.target}, version {card.version}"),
    ]


def _system_facts(entry: "Entry", catalog: "Catalog") -> Facts:
    """Print the components and what the paper leaves open; what remains to be said."""
    from asdbench.harness import RunSpec
    from asdbench.harness.request import Scopes, asked_stages

    system = entry.system
    spec = RunSpec(system=[entry.name])
    (stages,) = asked_stages(spec, catalog)
    scopes = Scopes(spec, catalog, [stages], [])
    components = [(kind, name) for kind, names in stages.names().items() for name in names]
    settled = {name: scopes.component(f"{kind}s", name, stages).params for kind, name in components}
    _print_section(
        ("part", "name", "as the paper states it, or chosen"),
        [(kind, name, _assignments(system.params.get(name, {}))) for kind, name in components],
        note="Set any of them with -p NAME.PARAM=VALUE; all parameters of a part: asdbench show NAME",
    )
    choices = []
    for key, why in system.open.items():
        component, _, param = key.rpartition(".")
        if param not in settled.get(component, {}):
            raise UsageError(f"The card of system '{entry.name}' leaves '{key}' open, which is no parameter of it.")
        choices.append((key, settled[component][param], why))
    _print_section(("left open by the paper", "chosen", "why"), choices)
    return [
        *(
            ("published", f"{row.percent:.2f} %, {row.metric} on {row.dataset} {row.split} ({row.source})")
            for row in system.published
        ),
        *((f"variant {name}", variant.summary) for name, variant in system.variants.items()),
    ]


def _files_to_give(entry: "Entry", catalog: "Catalog") -> list[str]:
    """Parameters of a system's extractor that name a file and are empty, weights for instance, as ``-p`` takes them."""
    system = entry.system
    extractor = catalog.component("extractors", system.extractor, system.params.get(system.extractor, {}))
    return [
        f"{extractor.name}.{name}=FILE"
        for name, param in extractor.card.params.items()
        if param.file and not extractor.params[name]
    ]


def _challenge_facts(card: "ChallengeCard") -> Facts:
    """Print the machine types of both splits; what remains to be said."""
    rows = []
    for split, content in card.splits.items():
        for machine, facts in content.machines.items():
            sections = content.sections_of(machine)
            counts = [content.counts_of(machine, section) for section in sections]
            numbers = [_total([one.train for one in counts]), _total([one.test for one in counts])]
            rows.append((split, machine, " ".join(sections), *numbers, "hidden" if facts.attributes_hidden else ""))
    _print_section(
        ("split", "machine", "sections", ">training clips", ">test clips", "attributes"),
        rows,
        note="Clips over all sections; ? where the number is not known here.",
    )
    channels = "one channel" if card.channels == 1 else f"{card.channels} channels"
    return [
        ("protocol", f"{card.protocol} ({page('explanation/protocols')})"),
        ("recordings", f"{card.sample_rate_hz} Hz, {channels}"),
        ("licence", card.licence),
        *(("known problem", problem) for problem in card.problems.values()),
    ]


def _total(counts: Iterable[Mapping[Any, int]]) -> str:
    counts = list(counts)
    return str(sum(sum(one.values()) for one in counts)) if all(counts) else "?"


def _assignments(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} = {value_text(value)}" for key, value in values.items() if key != "summary")
