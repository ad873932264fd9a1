"""``asdbench cache``: look at, limit and clear what is stored between runs."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from asdbench.cli.options import AsJson, flag, group, option
from asdbench.cli.output import echo, print_json
from asdbench.core.errors import UsageError, did_you_mean
from asdbench.core.numbers import parse_float, size_text
from asdbench.core.paths import cache_root

if TYPE_CHECKING:
    from asdbench.harness.cache import CacheEntry

app = group("Look at, limit and clear what is stored between runs.")
DryRun = Annotated[bool, flag("--dry-run", "Only say what would be removed.")]
SIZES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
SPANS_S = {"H": 3600, "D": 86400, "W": 7 * 86400}


@app.command()
def info(as_json: AsJson = False) -> None:
    """Show where the cache lies and what it holds. Everything in it can be computed again.

    Example: asdbench cache info
    """
    import time

    from asdbench.harness.cache import KINDS, UNFINISHED, cache_entries

    root = cache_root()
    entries = cache_entries(root)
    kinds = {kind: [entry for entry in entries if entry.kind == kind] for kind in (*KINDS, UNFINISHED)}
    if as_json:
        content = {kind: {"entries": len(some), "bytes": _bytes(some)} for kind, some in kinds.items() if some}
        print_json({"folder": str(root), "kinds": content})
        return
    echo(root)
    for kind, some in kinds.items():
        if some:
            days = (time.time() - some[0].made_at) / 86400
            echo(f"  {kind:<11} {len(some):>6} entries {_size(some):>10}   oldest made {days:.1f} days ago")
    echo(f"  {'all':<11} {len(entries):>6} entries {_size(entries):>10}")


@app.command()
def prune(
    older_than: Annotated[str | None, option("AGE", "Remove what was made before: 12h, 30d, 8w.")] = None,
    max_size: Annotated[str | None, option("SIZE", "Remove the oldest until no more is left: 20GB.")] = None,
    dry_run: DryRun = False,
) -> None:
    """Limit the cache by age or size. Half-written things older than a day go in any case.

    Example: asdbench cache prune --max-size 20GB
    """
    from asdbench.harness.cache import cache_entries, to_prune

    age = None if older_than is None else _amount("--older-than", older_than, SPANS_S, "30d")
    limit = None if max_size is None else round(_amount("--max-size", max_size, SIZES, "20GB"))
    _remove(to_prune(cache_entries(cache_root()), older_than_s=age, max_bytes=limit), dry_run)


@app.command()
def clear(
    kind: Annotated[list[str] | None, option("NAME", "Only this kind; may be repeated.")] = None,
    dry_run: DryRun = False,
) -> None:
    """Remove all of the cache, or some kinds of it. A command that runs meanwhile may have to compute things again.

    Example: asdbench cache clear --kind features --dry-run
    """
    from asdbench.harness.cache import KINDS, UNFINISHED, cache_entries, of_kinds

    accepted = (*KINDS, UNFINISHED)
    for name in kind or []:
        if name not in accepted:
            hint = did_you_mean(name, accepted)
            raise UsageError(f"--kind {name}: no such kind.{hint} Accepted: {', '.join(accepted)}.")
    _remove(of_kinds(cache_entries(cache_root()), kind or []), dry_run)


def _remove(entries: "Sequence[CacheEntry]", dry_run: bool) -> None:
    from asdbench.harness.cache import remove

    removed = entries if dry_run else [entry for entry in entries if remove(entry)]
    echo(f"{'would remove' if dry_run else 'removed'} {len(removed)} entries, {_size(removed)}")
    if len(removed) < len(entries):
        echo(f"left {len(entries) - len(removed)} that a running command is making", err=True)


def _amount(option: str, value: str, units: dict[str, int], example: str) -> float:
    """A number and its unit."""
    match = re.fullmatch(r"([0-9]{1,18}(?:\.[0-9]+)?)\s*([A-Z]{0,2})", value.strip().upper())
    scale = units.get(match[2]) or units.get(f"{match[2]}B") if match else None  # "20G", "20"
    if match is None or scale is None:
        raise UsageError(f"{option} {value}: expected a number and {', '.join(units)}, for example {example}")
    return parse_float(match[1]) * scale


def _bytes(entries: "Sequence[CacheEntry]") -> int:
    return sum(entry.size for entry in entries)


def _size(entries: "Sequence[CacheEntry]") -> str:

    return size_text(_bytes(entries))
