"""What opens below a row: every number of it, the cards of its components, and what its runs were made with."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from asdbench.core.errors import AsdbenchError
from asdbench.harness.record import RunRecord
from asdbench.leaderboard import text
from asdbench.leaderboard.cost_picture import macs_of, milliseconds_of_clip
from asdbench.leaderboard.rows import Cell, Row
from asdbench.leaderboard.systems import System, setting
from asdbench.leaderboard.table import Table
from asdbench.registry import load_catalog
from asdbench.registry.composites import names_in_chain
from asdbench.registry.ensembles import AND, pairs_of

Links = Callable[[str, str], str]  # the address of a card of a kind and name, empty where it is not known


@dataclass(frozen=True)
class Figure:
    """A number of a row, by which the page can be sorted."""

    label: str  # of the number
    text: str  # as it is shown
    value: float | None  # None where there is none
    reason: str = ""  # why there is none
    best: bool = False  # whether no other row has a better one


def figures_of(table: Table, row: Row) -> list[Figure]:
    """The scores of terms and machine types, and costs; of a row of which a total alone was published, none."""
    best = text.best_of(table)
    figures = []
    cells: list[tuple[str, str, Cell]] = [(text.TERM_NAMES[term], term, cell) for term, cell in row.terms.items()]
    cells += [(machine, f"machine:{machine}", cell) for machine, cell in row.machines.items()]
    for label, column, cell in [] if row.total_alone else cells:
        is_best = row.kind != "chance" and cell.value is not None and cell.value == best.get(column)
        shown = "missing" if cell.value is None else text.percent(cell.value)
        figures.append(Figure(label, shown, cell.value, cell.reason if cell.value is None else "", is_best))
    of_clip, macs = milliseconds_of_clip(row), macs_of(row)
    costs: list[tuple[str, str, float | None]] = [
        ("training, s", text.seconds(row.train_s), row.train_s),
        ("scoring, s", text.seconds(row.score_s), row.score_s),
        ("scoring a clip, ms", f"{of_clip or 0.0:.3g}", of_clip),
        ("parameters", text.count(row.parameters), row.parameters),
        ("multiply-accumulates", text.count(None if macs is None else round(macs)), macs),
        ("seeds", str(row.seeds), row.seeds or None),
    ]
    return figures + [Figure(*cost) for cost in costs if cost[2] is not None]


def settings_of(system: System) -> list[tuple[str, str]]:
    """Each component of a system with its version and parameters, a line each."""
    record = system.records[0]
    lines = []
    for role, used in record.components:
        params = ", ".join(f"{name} {setting(value)}" for name, value in used.params.items())
        lines.append((role, f"{used.name}, version {used.version}" + (f": {params}" if params else "")))
    if record.asked.profile:
        lines.append(("profile", record.asked.profile))
    return lines


def environment_of(system: System) -> list[tuple[str, str]]:
    """What the runs were made with, each thing once."""
    records = system.records
    environments = [record.environment for record in records]
    texts = {
        "device": [one.device + (f", threads {one.threads}" if one.threads else "") for one in environments],
        "platform": [f"{one.platform}, Python {one.python}" for one in environments],
        "versions": [", ".join(f"{name} {version}" for name, version in one.packages.items()) for one in environments],
        "data": [record.dataset.fingerprint for record in records],
        "notes": [note for record in records for note in record.notes],
    }
    lines = [(name, "; ".join(dict.fromkeys(values))) for name, values in texts.items()]
    return [(name, line) for name, line in lines if line]


def cards_of(record: RunRecord) -> list[tuple[str, str]]:
    """Kinds and names of the cards that a run's system is made of; that of a published system alone."""
    if record.asked.system:
        return [("systems", record.asked.system)]
    try:
        return list(dict.fromkeys(_used_cards(record)))
    except AsdbenchError:  # a name that this asdbench cannot read
        return []


def card_links(board_dir: Path) -> Links:
    """Addresses of cards from pages in ``board_dir``, where they lie beside it, as in asdbench's own repository."""
    if not (board_dir.parent / "registry").is_dir():
        return lambda *_: ""
    entries = load_catalog().entries

    def link(kind: str, name: str) -> str:
        path = entries[kind][name].path if name in entries[kind] else None
        place = Path("registry", kind, path.name if path else name)
        return f"../{place.as_posix()}" if (board_dir.parent / place).is_file() else ""

    return link


def _used_cards(record: RunRecord) -> Iterator[tuple[str, str]]:
    pairs = [(record.extractor.name, record.scorer.name)]
    if AND in record.extractor.name:
        pairs = pairs_of(record.extractor.name)
    for extractor, scorer in pairs:
        yield "extractors", extractor
        *steps, last = names_in_chain(scorer)
        yield from (("steps", step) for step in steps)
        yield "scorers", last
    if len(pairs) > 1:
        yield "scorers", record.scorer.name
    yield "frontends", record.frontend.name
    yield from (("augmentations", used.name) for used in record.augmentations)
