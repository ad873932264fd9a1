"""What a shell proposes where a verb takes a name. Cards are read as TOML; no library is imported."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from asdbench.cli.completion import OPEN
from asdbench.core.errors import AsdbenchError
from asdbench.registry import KINDS, Catalog, Entry, load_catalog
from asdbench.registry.composites import PLUS
from asdbench.registry.libraries import PREFIXES, detectors_of
from asdbench.registry.toml import read_toml

Names = dict[str, str]  # and a line on each
FILE = "run.json"  # of a run's folder; its module imports pydantic


def propose(sources: Sequence[str], context: click.Context, begun: str) -> list[CompletionItem[str]]:
    """Names that begin with what is there already; files and folders where there are none."""
    found: Names = {}
    with suppress(AsdbenchError):  # of what stands before; the command tells it
        for source in sources:
            found |= SOURCES[source](context, begun)
    whole = {begun} if begun.endswith(OPEN) else set()  # what is there already, and is no name yet
    names = {name: text for name, text in found.items() if name.startswith(begun) and name not in whole}
    if not names and ("files" in sources or "=" in begun):
        return [CompletionItem(begun.rpartition("=")[2], type="file")]
    return [CompletionItem(name, help=text or None) for name, text in names.items()]


def _catalog(context: click.Context, *kinds: str) -> Catalog:
    return load_catalog(context.params.get("plugin_path") or (), kinds or KINDS)


def _cards(context: click.Context, *kinds: str) -> Names:
    catalog = _catalog(context, *kinds)
    return {name: catalog.entries[kind][name].summary for kind in kinds for name in catalog.names(kind)}


def _scorers(context: click.Context, begun: str) -> Names:
    """Cards, libraries' detectors, and steps in front of either."""
    catalog = _catalog(context, "scorers", "steps")
    steps, _, last = begun.rpartition(PLUS)
    before = f"{steps}{PLUS}" if steps else ""
    names = {name: catalog.entries["scorers"][name].summary for name in catalog.names("scorers")}
    prefix = last.partition(":")[0]
    if prefix in PREFIXES and ":" in last:
        names = {f"{prefix}:{name}": "" for name in detectors_of(prefix)}
    else:
        names |= {f"{prefix}:": "A detector of that library." for prefix in PREFIXES}
        others = [name for name in catalog.names("steps") if name not in steps.split(PLUS)]
        names |= {f"{name}{PLUS}": catalog.entries["steps"][name].summary for name in others}
    return {f"{before}{name}": text for name, text in names.items()}


def _extractors(context: click.Context, begun: str) -> Names:
    """Cards; within an ensemble (raw-mel:knn,psd:gmm) the next extractor, or its scorer."""
    place = max(begun.rfind(":"), begun.rfind(","))
    kind = "scorers" if place >= 0 and begun[place] == ":" else "extractors"
    return {f"{begun[: place + 1]}{name}": text for name, text in _cards(context, kind).items()}


def _runs(context: click.Context, _begun: str) -> Names:
    """Those in --out, the newest first, and ``latest``."""
    folder = context.params.get("runs") or context.params.get("out") or "runs"
    records = Path(folder).glob(f"[!.]*/{FILE}")
    newest = sorted(records, key=lambda path: path.stat().st_mtime_ns, reverse=True)
    return dict.fromkeys([*["latest"] * bool(newest), *(path.parent.name for path in newest)], "")


def _weights(context: click.Context, _begun: str) -> Names:
    entries = _catalog(context, "extractors").entries["extractors"].values()
    cards = [_content(entry) for entry in entries if entry.variant is None]
    return {one["name"]: one.get("licence", "") for card in cards for one in card.get("downloads", [])}


def _boards(context: click.Context, _begun: str) -> Names:
    pages = Path(context.params.get("board_dir") or "leaderboards").glob("*.html")
    return dict.fromkeys(sorted(path.stem for path in pages if path.stem not in ("index", "transfer")), "")


def _params(context: click.Context, begun: str) -> Names:
    """``component.``; after the dot its parameters with ``=``, after that the values that it chooses from."""
    catalog = _catalog(context)
    here = dict(_components(context, catalog))
    names: Names = {}
    for name, entry in here.items():
        if begun.startswith(f"{name}."):
            names |= {f"{name}.{rest}": text for rest, text in _settings(entry, begun.partition("=")[2])}
    return names or {f"{name}.": entry.summary for name, entry in here.items()}


def _data_params(context: click.Context, begun: str) -> Names:
    """Parameters of the data set that ``data make`` is to make."""
    entry = _catalog(context, "datasets").entries["datasets"].get(context.params.get("name") or "synthetic")
    return dict(_settings(entry, begun.partition("=")[2])) if entry else {}


def _settings(entry: Entry, value_begun: str) -> Iterator[tuple[str, str]]:
    """``param=`` with its help, and ``param=value`` for each value that it names, else for its default."""
    for param, facts in _content(entry).get("params", {}).items():
        default, values = facts.get("default"), facts.get("choices", [])
        yield f"{param}=", facts.get("help", "")
        if isinstance(default, list):
            chosen, comma, _ = value_begun.rpartition(",")
            yield from ((f"{param}={chosen}{comma}{value}", "") for value in values)
        elif isinstance(default, bool):
            yield from ((f"{param}={value}", "") for value in ("true", "false"))
        else:
            yield from ((f"{param}={value}", "") for value in values or [default] if value not in ("", None))


def _components(context: click.Context, catalog: Catalog) -> Iterator[tuple[str, Entry]]:
    """What the command names so far, and what that brings with it; all extractors and scorers where it names none."""

    def asked(option: str) -> list[str]:
        value = context.params.get(option) or []
        return [value] if isinstance(value, str) else list(value)

    named = [(kind, name) for kind in KINDS for name in asked(kind[:-1])]
    named += [(kind, name) for kind in KINDS[1:] for name in asked("name")]  # of asdbench check
    for name in asked("system"):
        card = _content(catalog.entries["systems"].get(name))
        for kind in ("extractors", "scorers", "frontends"):
            named += [(kind, card[kind[:-1]])] if isinstance(card.get(kind[:-1]), str) else []
    for kind, name in list(named):
        if kind == "scorers":
            *steps, scorer = name.split(PLUS)
            named += [*(("steps", step) for step in steps), ("scorers", scorer)]
        if kind == "extractors" and name in catalog.entries[kind]:
            card = _content(catalog.entries[kind][name])
            named += [("frontends", one) for one in asked("frontend") or [card.get("frontend", "log-mel")]]
            named += [("augmentations", one) for one in asked("augmentation") or card.get("augmentations", [])]
    if not named:
        named = [(kind, name) for kind in ("extractors", "scorers") for name in catalog.names(kind)]
    for kind, name in dict.fromkeys(named):
        entry = catalog.entries[kind].get(name)
        if entry is not None and kind != "systems" and "params" in _content(entry):
            yield name, entry


def _content(entry: Entry | None) -> Mapping[str, Any]:
    """A card, not validated."""
    return read_toml(entry.path) if entry is not None and entry.path is not None else {}


CHECKED = ("extractors", "steps", "augmentations", "frontends")  # beside scorers
SOURCES: dict[str, Callable[[click.Context, str], Names]] = {
    **{kind: lambda context, _, kind=kind: _cards(context, kind) for kind in KINDS},  # type: ignore[misc]
    "files": lambda *_: {},
    "scorers": _scorers,
    "extractors": _extractors,
    "anything": lambda context, begun: _cards(context, *KINDS) | _scorers(context, begun),
    "checkable": lambda context, begun: _cards(context, *CHECKED) | _scorers(context, begun),
    "kinds": lambda *_: dict.fromkeys(KINDS, ""),
    "runs": _runs,
    "weights": _weights,
    "boards": _boards,
    "params": _params,
    "data-params": _data_params,
}
