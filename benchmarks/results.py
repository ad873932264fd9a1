"""What benchmarks came to, as JSON: on which machine, and what became slower than before.

Times of two machines cannot be compared, and those of one drift; ratios of a row, ours to the other in the same run,
can. The last results are committed in results.json, and docs/explanation/speed.md shows them (render.py).
"""

import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent
COMMITTED = HERE / "results.json"
SLOWER = 1.1  # a ratio that grew by more is marked
LIBRARIES = ("numpy", "scipy", "scikit-learn", "torch", "torchaudio", "pyod", "librosa", "mlflow", "optuna")
SAME = ("cpu", "cores", "memory_gib", "os")  # of a machine that is the same one
Results = dict[str, Any]


def machine() -> Results:
    """Processor, cores that may be used, memory, operating system, and versions of Python and of libraries."""
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "os": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "libraries": {name: version for name in LIBRARIES if (version := _version(name))},
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not Linux
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def commit() -> str:
    """Of these sources, with a + where they are changed; empty outside of a repository."""
    done = [
        subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False).stdout.strip()
        for words in (["rev-parse", "--short=12", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
    ]
    return done[0] + ("+" if done[1] else "")


def now() -> str:
    """Date of today, in UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%d")


def read(path: Path) -> Results | None:
    """Results of a file; None where there is none."""
    return json.loads(path.read_text()) if path.is_file() else None


def committed() -> Results | None:
    """Results of the last commit; None where there are none."""
    path = COMMITTED.relative_to(ROOT).as_posix()
    shown = subprocess.run(
        ["git", "-C", str(ROOT), "show", f"HEAD:{path}"], capture_output=True, text=True, check=False
    )
    return json.loads(shown.stdout) if shown.returncode == 0 else None


def write(path: Path, results: Results) -> None:
    """Replace the file as a whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    unfinished.replace(path)


def started(path: Path, names: list[str] | None) -> Results:
    """Results to add to: those of the file where only some benchmarks are asked for, else none.

    Exits where those are of another machine.
    """
    found, here = read(path) if names else None, machine()
    if found is None:
        return {"machine": here, "benchmarks": {}}
    differing = [key for key in SAME if found["machine"].get(key) != here[key]]
    if differing:
        sys.exit(
            f"{path} was measured on another machine: {differing[0]} was {found['machine'].get(differing[0])!r} and is "
            f"{here[differing[0]]!r}.\nName another file with --out FILE, or run all benchmarks."
        )
    return {"machine": here, "benchmarks": found["benchmarks"]}


def rows(results: Results | None) -> dict[str, Results]:
    """All comparisons of the results, by name."""
    found = results["benchmarks"].values() if results else []
    return {row["name"]: row for one in found for row in one["rows"] if "ratio" in row}


def growth(row: Results, before: dict[str, Results]) -> float | None:
    """The ratio of a row to what it was; None where it is new."""
    was = before.get(row["name"])
    return row["ratio"] / was["ratio"] if was and was["ratio"] else None
