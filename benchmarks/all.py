"""Every benchmark, one after the other, and one table of the ratios; what became slower by a tenth is marked.

``python benchmarks/all.py [NAME ...] [--minutes 40] [--out FILE] [--against FILE]``; without names all of them. Results
are in benchmarks/results.json after each benchmark: with names, the others stay as they are. They are compared with
those of the last commit. A benchmark that fails, or takes longer than its limit, loses what it has not told yet, and no
other. Exit code 1 where a wanted ratio is missed, one grew by a tenth, or a benchmark failed.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import results
from rich.console import Console
from rich.table import Table
from timing import TABLE

HERE = Path(__file__).parent
STOP_S = 10.0  # that a benchmark has to end in after it is stopped
LIMIT_S = 300.0


@dataclass(frozen=True)
class Plan:
    """Arguments that make a benchmark as short as its ratio bears, and seconds that it may take."""

    arguments: tuple[str, ...] = ()
    limit_s: float = LIMIT_S


PLANS = {  # in this order
    "startup": Plan(),
    "one_more_scorer": Plan(),
    "pitch_shift": Plan(),
    "bootstrap": Plan(),
    "held_out": Plan(),
    "listing": Plan(("--rounds", "2")),
    "log_mel": Plan(limit_s=240),
    "training_step": Plan(),
    "simclr_training": Plan(("1", "0.5", "3")),
    "autoencoder": Plan(("1", "4", "3")),
    "stacked": Plan(("20", "40", "autoencoder"), 420),
    "attribute_classifier": Plan(("1", "32")),
    "memory": Plan(("--clips", "100", "--machines", "3")),
    "matrix": Plan(limit_s=360),
    "scoring": Plan(limit_s=480),
    "two_workers": Plan(limit_s=480),
    "tracking_cost": Plan(limit_s=600),
}


def run(name: str, plan: Plan, place: Path, left_s: float) -> results.Results:
    """Run one benchmark; its rows, its seconds, and whether it came to its end.

    Args:
        name: of the benchmark.
        plan: its arguments and limit.
        place: folder for what it leaves; nothing of the user's is found done, read or written.
        left_s: seconds left to all benchmarks.
    """
    gathered = place / f"{name}.rows"
    gathered.touch()
    paths = [str(results.ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]  # these sources, whatever is installed
    environ = {
        **os.environ,
        TABLE: str(gathered),
        "PYTHONPATH": os.pathsep.join(paths),
        "ASDBENCH_CACHE": f"{place}/cache",
        "ASDBENCH_TRACKING": "none",
        "TMPDIR": str(place),
    }
    limit_s, begun = min(plan.limit_s, left_s), time.monotonic()
    process = subprocess.Popen(
        [sys.executable, HERE / f"{name}.py", *plan.arguments], env=environ, cwd=place, start_new_session=True
    )
    try:
        code = process.wait(timeout=limit_s)
        status = "done" if code == 0 else f"failed with exit code {code}"
    except subprocess.TimeoutExpired:
        status = f"stopped after {limit_s:.0f} s"
    finally:
        _end(process)
    return {
        "status": status,
        "seconds": round(time.monotonic() - begun, 1),
        "commit": results.commit(),
        "date": results.now(),
        "rows": [json.loads(line) for line in gathered.read_text().splitlines()],
    }


def _end(process: subprocess.Popen[bytes]) -> None:
    """Stop what is left of a benchmark: itself, where it has not ended, and all that it has begun."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(STOP_S)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def table_of(found: results.Results, names: list[str], before: results.Results | None) -> tuple[Table, int]:
    """The rows of these benchmarks, and how many are not as they should be."""
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for column in ("compared", "ours", "other", "ratio", "wanted", "before", ""):
        table.add_column(column, justify="left" if column in ("compared", "") else "right", overflow="fold")
    wrong, were = 0, results.rows(before)
    for row in (row for name in names for row in found["benchmarks"][name]["rows"]):
        if "skipped" in row:
            table.add_row(row["name"], "", "", "", "", "", f"left out: {row['skipped']}")
            continue
        wanted, grown = row["at_most"], results.growth(row, were)
        marks = [] if wanted is None else ["met" if row["ratio"] <= wanted else "[red]missed[/red]"]
        if grown is not None and grown > results.SLOWER:
            marks.append(f"[red]slower: {grown:.2f} of before[/red]")
        wrong += any("[red]" in mark for mark in marks)
        table.add_row(
            row["name"],
            f"{row['measured']:.3g} {row['unit']}",
            f"{row['reference']:.3g} {row['unit']}",
            f"{row['ratio']:.3f}",
            "" if wanted is None else f"{wanted:.3g}",
            f"{were[row['name']]['ratio']:.3f}" if row["name"] in were else "",
            ", ".join(marks),
        )
    return table, wrong


def main() -> int:
    """Run them, write results after each, print the table."""
    known = list(PLANS)
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    options.add_argument(
        "--minutes", type=float, default=40, help="for all together (40); what is left over is left out"
    )
    options.add_argument("--out", type=Path, default=results.COMMITTED, help="results.json of the benchmarks")
    options.add_argument("--against", type=Path, help="earlier results; those of the last commit")
    chosen = options.parse_args()
    unknown = sorted({*chosen.names} - {*known})
    if unknown:
        options.error(f"no benchmark '{unknown[0]}'; there are: {', '.join(known)}")
    before = results.read(chosen.against) if chosen.against else results.committed()
    found, ends = results.started(chosen.out, chosen.names), time.monotonic() + 60 * chosen.minutes
    names: list[str] = []
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what runs is stopped as well
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        for name in chosen.names or known:
            left_s = ends - time.monotonic()
            print(f"== {name}", flush=True)
            if left_s <= 0:
                one = {"status": "left out: no time left", "seconds": 0.0, "commit": "", "date": "", "rows": []}
            else:
                one = run(name, PLANS[name], Path(place), left_s)
            print(f"   {one['status']}, {one['seconds']:.0f} s", flush=True)
            names.append(name)
            found["benchmarks"].pop(name, None)
            found["benchmarks"][name] = one
            results.write(chosen.out, found)
    table, wrong = table_of(found, names, before)
    Console(width=None if sys.stdout.isatty() else 160).print(table)
    ended = {name: found["benchmarks"][name]["status"] for name in names}
    for name, status in ended.items():
        if status != "done":
            print(f"{name}: {status}; its output stands above.")
    minutes = sum(found["benchmarks"][name]["seconds"] for name in names) / 60
    print(f"{len(names)} benchmarks in {minutes:.1f} minutes; results in {chosen.out}.")
    print("'python benchmarks/render.py' puts those in benchmarks/results.json into docs/explanation/speed.md.")
    return 1 if wrong or any(status != "done" for status in ended.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
