"""A page for each card of the registry: what it is, parameters, sources, and its rows on the project's boards."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from made import Made, code, escaped, table

from asdbench.registry import KINDS, Catalog, Entry, load_catalog

FOLDER = "reference/cards"
MOST_ROWS = 8  # of one board on one page
SAME = " (the same scores: "  # on boards, before the systems that share a row
INTRO = """# All cards

Everything that can be named, from `asdbench list`. A card declares a thing, Python implements it: defaults, ranges and
search spaces stand in the card and nowhere else. `asdbench show NAME` prints one. What you write yourself is named
the same way: [an extractor or scorer of your own](../../how-to/plugins.md).
"""


def card_pages(board_dir: Path) -> Iterator[Made]:
    """The page of all cards, and one for each."""
    catalog = load_catalog()
    boards = [_read_board(path) for path in sorted(board_dir.glob("*.md")) if path.with_suffix(".html").is_file()]
    cards = {kind: _cards(catalog, kind) for kind in KINDS}
    parts = [INTRO]
    for kind, entries in cards.items():
        rows = [(f"[{name}]({kind}/{name}.md)", escaped(_summary(names))) for name, names in entries.items()]
        parts.append(f"## {_title(kind)}\n\n{table(('name', 'what it is'), rows)}")
    yield Made(f"{FOLDER}/index.md", "\n".join(parts))
    for kind, entries in cards.items():
        for name, names in entries.items():
            yield Made(f"{FOLDER}/{kind}/{name}.md", _page(catalog, kind, names, boards), under=_title(kind))


def _cards(catalog: Catalog, kind: str) -> dict[str, list[Entry]]:
    """Entries by the card that they are of, the card's own first."""
    cards: dict[str, list[Entry]] = {}
    for entry in catalog.entries[kind].values():
        if entry.path is not None and entry.origin == "asdbench":
            cards.setdefault(entry.path.stem, []).append(entry)
    return {name: sorted(cards[name], key=lambda entry: entry.variant is not None) for name in sorted(cards)}


def _summary(entries: Sequence[Entry]) -> str:
    others = ", ".join(entry.name for entry in entries[1:])
    return entries[0].summary + (f" Also as {others}." if others else "")


def _title(kind: str) -> str:
    return "Front ends" if kind == "frontends" else "Data sets" if kind == "datasets" else kind.capitalize()


def _page(catalog: Catalog, kind: str, entries: Sequence[Entry], boards: Sequence["Board"]) -> str:
    first = entries[0]
    parts = [f"# {first.name}", escaped(first.summary)]
    description = first.system.description if kind == "systems" else first.content.description
    if description:
        parts.append(escaped(description))
    if kind == "systems":
        parts += _system(catalog, entries)
    elif first.challenge is not None:
        parts += _challenge(first)
    else:
        parts += _component(catalog, entries)
    cites = [f"- {_cite(cite)}" for cite in first.content.cite]
    if cites:
        parts += ["## Sources", "\n".join(cites)]
    parts += _rows(entries, boards)
    return "\n\n".join(part for part in parts if part) + "\n"


def _component(catalog: Catalog, entries: Sequence[Entry]) -> Iterator[str]:
    first, card = entries[0], entries[0].card
    yield f"```sh\n{_use(first)}\n```"
    rows = [
        (code(name), code(_value(param.default)), param.accepts(), code(param.tune.as_text() if param.tune else ""),
         escaped(param.help))
        for name, param in card.params.items()
    ]  # fmt: skip
    if rows:
        yield "## Parameters"
        yield table(("parameter", "default", "accepts", "tuned over", ""), rows)
    if len(entries) > 1:
        yield "## Variants"
        yield "Other names for it with other defaults."
        yield table(
            ("name", "what it is", "defaults"),
            [
                (f"`{one.name}`", escaped(one.summary), code(_assigned(card.variants[one.variant or ""])))
                for one in entries[1:]
            ],
        )
    if card.profiles:
        yield "## Profiles"
        yield table(("profile", "values"), [(f"`{name}`", code(_assigned(one))) for name, one in card.profiles.items()])
    for one in getattr(card, "downloads", ()):
        yield f"Weights: `asdbench weights get {one.name}` ({escaped(one.licence)})."
    facts = [("code", f"`{card.target}`, version {card.version}")]
    if first.kind == "extractors":
        parts = [("frontends", card.frontend), *(("augmentations", name) for name in card.augmentations)]  # type: ignore[attr-defined]
        facts.append(("front end and augmentations", ", ".join(_link(catalog, *part) for part in parts)))
        trained = "nothing" if getattr(card, "untrained", False) else f"once for each {card.fit_on}"  # type: ignore[attr-defined]
        facts.append(("trains", trained))
    users = [
        entry
        for entry in catalog.entries["systems"].values()
        if {one.name for one in entries} & set(_parts_of(entry)) and entry.origin == "asdbench"
    ]
    if users:
        facts.append(("systems that use it", ", ".join(_link(catalog, "systems", entry.name) for entry in users)))
    yield table(("", ""), facts)


def _use(entry: Entry) -> str:
    """The shortest command with it."""
    name = entry.name
    files = "".join(f" -p {name}.{key}=FILE" for key, one in entry.card.params.items() if one.file and not one.default)
    return {
        "extractors": f"asdbench run --extractor {name} --scorer knn{files}",
        "scorers": f"asdbench run --extractor raw-mel --scorer {name}",
        "steps": f"asdbench run --extractor raw-mel --scorer {name}+knn",
        "augmentations": f"asdbench run --extractor simclr --augmentation {name} --scorer knn",
        "frontends": f"asdbench show {name}",
        "datasets": f"asdbench run --dataset {name} --extractor raw-mel --scorer knn",
    }[entry.kind]


def _system(catalog: Catalog, entries: Sequence[Entry]) -> Iterator[str]:
    first, system = entries[0], entries[0].system
    yield f"```sh\nasdbench run --system {first.name}\nasdbench show {first.name}\n```"
    yield f"Boards call it *{first.label}*." if first.label else ""
    parts = [("extractors", system.extractor), ("scorers", system.scorer)]
    parts += [("frontends", system.frontend)] if system.frontend else []
    parts += [("augmentations", name) for name in system.augmentations or ()]
    yield "## Parts"
    yield table(
        ("part", "name", "as the paper states it, or chosen"),
        [(kind[:-1], _link(catalog, kind, name), code(_assigned(system.params.get(name, {})))) for kind, name in parts],
    )
    if system.open:
        yield "## Left open by the paper"
        yield table(
            ("choice", "why this value was taken"), [(code(key), escaped(why)) for key, why in system.open.items()]
        )
    if len(entries) > 1:
        yield "## Variants"
        yield table(
            ("name", "on boards", "what it is", "scorer"),
            [
                (f"`{one.name}`", one.label, escaped(one.summary), _link(catalog, "scorers", one.system.scorer))
                for one in entries[1:]
            ],
        )
    published = [(entry, row) for entry in entries for row in entry.system.published]
    if published:
        yield "## Published"
        yield f"`asdbench reproduce {first.name} --dataset NAME` sets these numbers beside what comes out."
        yield table(
            ("system", "data", "measure", "percent", "source"),
            [
                (f"`{entry.name}`", f"{row.dataset} {row.split}", escaped(row.metric), f"{row.percent:.2f}",
                 escaped(row.source))
                for entry, row in published
            ],
        )  # fmt: skip


def _challenge(entry: Entry) -> Iterator[str]:
    card = entry.challenge
    assert card is not None, "a challenge's data set"
    machine = next(iter(card.splits["dev"].machines))
    yield f"```sh\nasdbench data download {entry.name} --split dev --machine {machine}\n```"
    rows: list[tuple[object, ...]] = []
    for split, content in card.splits.items():
        for name, facts in content.machines.items():
            sections = content.sections_of(name)
            counts = [content.counts_of(name, section) for section in sections]
            totals = [_total([one.train for one in counts]), _total([one.test for one in counts])]
            rows.append((split, name, " ".join(sections), *totals, "hidden" if facts.attributes_hidden else ""))
    yield "## Machine types"
    yield table(("split", "machine", "sections", "training clips", "test clips", "attributes"), rows)
    channels = "one channel" if card.channels == 1 else f"{card.channels} channels"
    yield table(
        ("", ""),
        [
            ("protocol", f"[{card.protocol}](../../../explanation/protocols.md)"),
            ("recordings", f"{card.sample_rate_hz} Hz, {channels}"),
            ("licence", escaped(card.licence)),
            *(("known problem", escaped(problem)) for problem in card.problems.values()),
        ],
    )


def _total(counts: Sequence[Mapping[Any, int]]) -> str:
    return str(sum(sum(one.values()) for one in counts)) if all(counts) else "?"


def _parts_of(entry: Entry) -> Iterator[str]:
    system = entry.system
    named = [system.extractor, system.scorer, system.frontend or "", *(system.augmentations or ())]
    for name in named:
        yield from _words(name)


def _words(name: str) -> list[str]:
    """The names in the name of a system, an ensemble or a chain: ``psd:knn,raw-mel:whiten+knn`` has four."""
    return [word for word in re.split(r"[\s+:,]+", name.partition(" (")[0]) if word]


def _link(catalog: Catalog, kind: str, name: str) -> str:
    """Each card in a name, linked from a page of another."""
    linked = []
    for word in re.split(r"([+:,])", name):
        kinds = [kind] if kind != "scorers" else ["scorers", "steps"]
        found = next((one for one in kinds if word in catalog.entries[one]), None)
        path = catalog.entries[found][word].path if found else None
        linked.append(f"[{word}](../{found}/{path.stem}.md)" if path else word)
    return "".join(linked)


def _cite(cite: Any) -> str:
    fields = [cite.authors, cite.title, cite.venue, str(cite.year or "")]
    text = ". ".join(escaped(field) for field in fields if field)
    return f"{text}. <{cite.url}>" if cite.url else f"{text}."


def _value(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value).lower() if value is None else str(value)


def _assigned(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} = {_value(value)}" for key, value in values.items() if key != "summary")


class Board:
    """A board as it is rendered: its title, and its rows by column."""

    def __init__(self, path: Path, title: str, rows: list[dict[str, str]]) -> None:
        self.path, self.title, self.rows = path, title, rows


def _read_board(path: Path) -> Board:
    """Read the tables whose rows are systems; a row is put together from all of them."""
    title, columns = "", []
    rows: dict[str, dict[str, str]] = {}
    for line in path.read_text().splitlines():
        if line.startswith("# ") and not title:
            title = line[2:]
        cells = [one.strip() for one in re.split(r"(?<!\\)\|", line)[1:-1]] if line.startswith("|") else []
        if not cells:
            columns = []
        elif not columns:
            columns = cells
        elif "System" in columns and not set(line) <= set("|:- "):
            row = dict(zip(columns, cells, strict=True))
            told = rows.setdefault(row["System"].partition(SAME)[0], row)
            told |= {name: value for name, value in row.items() if name != "System"}
    return Board(path, title, list(rows.values()))


def _is_of(row: str, names: set[str], labels: set[str]) -> bool:
    """Whether a row is of one of the names, or of a system that boards call by one of the labels."""
    first, _, same = row.partition(SAME)
    systems = [first, *same.removesuffix(")").split(", ")]
    return any(
        names & set(_words(system)) or system in labels or any(system.startswith(f"{label} (") for label in labels)
        for system in systems
    )


def _rows(entries: Sequence[Entry], boards: Sequence[Board]) -> Iterator[str]:
    """Where it stands on the boards: the best rows of each."""
    names = {entry.name for entry in entries}
    labels = {entry.label for entry in entries} - {""}
    columns = ("Rank", "System", "Score", "95 % interval", "Parameters", "Training, s", "Scoring, s")
    if entries[0].kind == "datasets":
        boards = [board for board in boards if board.path.stem.removesuffix("-dev").removesuffix("-eval") in names]
        listed = "\n".join(f"- [{board.title}](../../../../leaderboards/{board.path.stem}.html)" for board in boards)
        yield from (("## Boards", listed) if boards else ())
        return
    first = True
    for board in boards:
        own = [row for row in board.rows if _is_of(row["System"].replace("\\", ""), names, labels)]
        if own and "Score" in own[0]:
            if first:
                yield "## On our boards"
                yield "Official score in percent; systems share a rank where the test clips do not tell them apart."
                first = False
            more = f" {len(own) - MOST_ROWS} more rows are on the board." if len(own) > MOST_ROWS else ""
            yield f"**[{board.title}](../../../../leaderboards/{board.path.stem}.html)**: {len(board.rows)} rows.{more}"
            shown = [name for name in columns if any(name in row for row in own)]
            yield table(shown, [[row.get(name, "") for name in shown] for row in own[:MOST_ROWS]])
