"""How pages call systems: by the label in a card, else by what they are made of."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from asdbench.registry import load_catalog

Settings = Mapping[str, Any]


def title_of_system(name: str) -> str:
    """The label in the card of that name, else the name itself, an ensemble's by what its members share."""
    return _card_labels().get(name) or readable(name)


def short_titles(names: Sequence[str]) -> dict[str, str]:
    """Titles of one board's systems by name; an ensemble is told by its size where no other reads alike."""
    titles = {name: title_of_system(name) for name in names}
    sizes = {name: f"ensemble of {len(_members(name))}" for name in titles if len(_members(name)) > 1}
    times = Counter(sizes.values())
    return titles | {name: size for name, size in sizes.items() if times[size] == 1 and name not in _card_labels()}


def readable(name: str) -> str:
    """A system's name as pages show it: an ensemble by what its members share, instead of the same scorer each time."""
    members, scorer = [member.partition(":") for member in _members(name)], name.rpartition(" + ")[2]
    scorers = {part[2] for part in members}
    if len(members) < 2 or len(scorers) > 1 or not all(part[0] and part[2] for part in members):
        return name
    return f"{scorer} of {', '.join(part[0] for part in members)} ({scorers.pop()})"


def variant_of(settings: Settings, same_name: Sequence[Settings]) -> str:
    """The settings in which systems of one name differ, as text.

    Versions and threads are named only where nothing else tells a system from the others, machine types only where
    others have more.
    """
    keys = {key: None for other in same_name for key in other}
    differing = [key for key in keys if any(other.get(key) != settings.get(key) for other in same_name)]
    if set(settings["trained on"]) == {machine for other in same_name for machine in other["trained on"]}:
        differing = [key for key in differing if key != "trained on"]
    telling = [key for key in differing if key != "threads" and not key.endswith(" version")]
    alike = [other for other in same_name if all(other.get(key) == settings.get(key) for key in telling)]
    chosen = [key for key in (telling if len(alike) == 1 else differing) if key in settings]
    ends = Counter(key.rpartition(".")[2] for key in chosen)
    texts = {key: setting(settings[key]) for key in chosen}
    if settings["threads"] is None and "threads" in texts:
        texts["threads"] = "as many as cores"
    parts = {key: end if ends[end := key.rpartition(".")[2]] == 1 else key for key in chosen}
    return ", ".join(f"{parts[key]} {text}" for key, text in texts.items())


def setting(value: Any) -> str:
    """The value of a parameter as text."""
    if isinstance(value, list):
        return "+".join(map(setting, value)) or "none"
    return str(value)  # of a float every digit, so that no two look alike


def _members(name: str) -> list[str]:
    """What an ensemble is of, a:knn and b:knn in "a:knn,b:knn + ensemble"; nothing for other systems."""
    members, mark, _ = name.rpartition(" + ")
    return members.split(",") if mark and ":" in members else []


@cache
def _card_labels() -> dict[str, str]:
    entries = load_catalog(kinds=("systems",)).entries["systems"]
    return {name: entry.label for name, entry in entries.items() if entry.label}
