"""``asdbench cache``: look at, limit and clear what is kept."""

import re
from typing import TYPE_CHECKING, Annotated

import typer

from asdbench.cli.options import AsJson
from asdbench.cli.output import echo, print_json
from asdbench.core.numbers import parse_float

if TYPE_CHECKING:
    from asdbench.harness.cache import CacheEntry

app = typer.Typer(
    help="Look at, limit and clear what is kept between runs.", no_args_is_help=True, suggest_commands=False
)
_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_SPANS = {"h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}


@app.command()
def info(as_json: AsJson = False) -> None:
    """Show where the cache lies and what it holds. Everything in it can be computed again."""
    import json
    import time

    from asdbench.core.paths import cache_root
    from asdbench.harness.cache import KINDS, UNFINISHED, cache_entries

    root = cache_root()
    entries = cache_entries(root)
    kinds = {kind: [entry for entry in entries if entry.kind == kind] for kind in (*KINDS, UNFINISHED)}
    if as_json:
        content = {
            kind: {"entries": len(own), "bytes": sum(entry.size for entry in own)} for kind, own in kinds.items() if own
        }
        print_json(json.dumps({"folder": str(root), "kinds": content}, indent=2))
        return
    echo(str(root))
    for kind, own in kinds.items():
        if own:
            days = (time.time() - own[0].made_at) / 86400
            size = _size(sum(entry.size for entry in own))
            echo(f"  {kind:<11} {len(own):>6} entries {size:>10}   oldest made {days:.1f} days ago")
    echo(f"  {'all':<11} {len(entries):>6} entries {_size(sum(entry.size for entry in entries)):>10}")


@app.command()
def prune(
    older_than: Annotated[
        str | None, typer.Option("--older-than", metavar="AGE", help="Remove what was made before: 12h, 30d, 8w.")
    ] = None,
    max_size: Annotated[
        str | None, typer.Option("--max-size", metavar="SIZE", help="Remove the oldest until no more is left: 20GB.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
) -> None:
    """Limit the cache by age or size. Half-written things older than a day go in any case."""
    from asdbench.core.paths import cache_root
    from asdbench.harness.cache import cache_entries, to_prune

    age = None if older_than is None else _age(older_than)
    limit = None if max_size is None else _bytes(max_size)
    _remove(to_prune(cache_entries(cache_root()), older_than_s=age, max_bytes=limit), dry_run)


@app.command()
def clear(
    kind: Annotated[
        list[str] | None, typer.Option("--kind", metavar="NAME", help="Only this kind; may be repeated.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
) -> None:
    """Remove all of the cache, or some kinds of it. A command that runs meanwhile may have to compute things again."""
    from asdbench.core.errors import UsageError, did_you_mean
    from asdbench.core.paths import cache_root
    from asdbench.harness.cache import KINDS, UNFINISHED, cache_entries, of_kinds

    for name in kind or []:
        if name not in (*KINDS, UNFINISHED):
            hint = did_you_mean(name, (*KINDS, UNFINISHED))
            raise UsageError(f"--kind {name}: no such kind.{hint} Accepted: {', '.join((*KINDS, UNFINISHED))}.")
    _remove(of_kinds(cache_entries(cache_root()), kind or []), dry_run)


def _remove(entries: "list[CacheEntry]", dry_run: bool) -> None:
    from asdbench.harness.cache import remove

    gone = entries if dry_run else [entry for entry in entries if remove(entry)]
    size = _size(sum(entry.size for entry in gone))
    echo(f"{'would remove' if dry_run else 'removed'} {len(gone)} entries, {size}")
    if len(gone) < len(entries):
        echo(f"left {len(entries) - len(gone)} that a running command is making", err=True)


def _bytes(text: str) -> int:
    from asdbench.core.errors import UsageError

    match = re.fullmatch(r"([0-9]{1,18}(?:\.[0-9]+)?)\s*([KMGT]?B?)", text.strip().upper())
    unit = match[2] if match else None
    unit = f"{unit}B" if unit in ("K", "M", "G", "T") else unit
    if match is None or unit not in _UNITS:
        raise UsageError(f"--max-size {text}: expected a number and B, KB, MB, GB or TB, for example 20GB")
    return round(parse_float(match[1]) * _UNITS[unit])


def _age(text: str) -> float:
    from asdbench.core.errors import UsageError

    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]+)?)([hdw])", text.strip())
    if match is None:
        raise UsageError(f"--older-than {text}: expected a number and h, d or w, for example 30d")
    return parse_float(match[1]) * _SPANS[match[2]]


def _size(count: int) -> str:
    for unit in ("TB", "GB", "MB", "KB"):
        if count >= _UNITS[unit]:
            return f"{count / _UNITS[unit]:.1f} {unit}"
    return f"{count} B"
