"""Every benchmark, one after the other, and one table of the ratios.

``python benchmarks/all.py [NAME ...]``; without names all of them. Exit code 1 where a wanted ratio is missed or a
benchmark fails.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table
from timing import TABLE

HERE = Path(__file__).parent
LIBRARY = ("all", "timing", "own_data", "cost")
LONG = ("tracking_cost", "two_workers")  # last, since they take a quarter of an hour each
known = sorted(
    (path.stem for path in HERE.glob("*.py") if path.stem not in LIBRARY), key=lambda one: (one in LONG, one)
)
names = sys.argv[1:] or known
unknown = sorted(set(names) - set(known))
if unknown:
    sys.exit(f"No benchmark '{unknown[0]}'. There are: {', '.join(known)}.")

with tempfile.TemporaryDirectory() as place:
    gathered = Path(place) / "table"
    gathered.touch()
    failed = []
    for name in names:
        print(f"== {name}", flush=True)
        # Nothing of the user's is found done, read or written.
        environ = {**os.environ, TABLE: str(gathered), "ASDBENCH_CACHE": f"{place}/cache", "ASDBENCH_TRACKING": "none"}
        if subprocess.run([sys.executable, HERE / f"{name}.py"], env=environ, cwd=place, check=False).returncode:
            failed.append(name)
    rows = [json.loads(line) for line in gathered.read_text().splitlines()]

table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
for column in ("compared", "ours", "other", "ratio", "wanted", ""):
    table.add_column(column, justify="left" if column in ("compared", "") else "right", overflow="fold")
missed = 0
for row in rows:
    wanted = row["at_most"]
    met = wanted is None or row["ratio"] <= wanted
    missed += not met
    table.add_row(
        row["name"],
        f"{row['measured']:.3g} {row['unit']}",
        f"{row['reference']:.3g} {row['unit']}",
        f"{row['ratio']:.3f}",
        "" if wanted is None else f"{wanted:g}",
        "" if wanted is None else "met" if met else "[red]missed[/red]",
    )
Console(width=None if sys.stdout.isatty() else 140).print(table)
for name in failed:
    print(f"{name} failed; its output stands above.")
sys.exit(1 if failed or missed else 0)
