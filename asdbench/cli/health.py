"""What ``asdbench doctor`` looks at: each with its state, and what to do where it is not well."""

import os
import platform
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from asdbench.core.errors import AsdbenchError, UsageError
from asdbench.core.numbers import size_text
from asdbench.core.packages import EXTRAS, missing_package, requirements, version_of
from asdbench.core.paths import CACHE_VARIABLE, cache_root

if TYPE_CHECKING:
    from packaging.requirements import Requirement

State = Literal["ok", "note", "problem"]
TIGHT, FULL = 5e9, 5e8  # bytes of a disk that are free
DEVICES = ("/dev/nvidiactl", "/dev/dxg")  # that NVIDIA's drivers make, the second under WSL
SHOWN = ("torch", "torchaudio", "timm", "scikit-learn", "pyod", "optuna", "mlflow", "numpy", "pandas")


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str  # one word or two
    state: State  # "problem" keeps commands from working, "note" should be known
    found: str  # what it is
    advice: str = ""  # what to do; empty where nothing is


def checks(out: Path) -> Iterator[Check]:
    """All of them, one after the other; what cannot be looked at is a problem too."""
    parts: tuple[tuple[str, Callable[[], Iterator[Check]]], ...] = (
        ("python", _python),
        ("packages", _packages),
        ("extras", _extras),
        ("device", _device),
        ("cores", _cores),
        ("cache", _cache),
        ("plugins", _plugins),
        ("data", _data),
        ("weights", _weights),
        ("runs", partial(_runs, out)),
        ("tracking", partial(_tracking, out)),
    )
    for name, part in parts:
        try:
            yield from part()
        except AsdbenchError as error:
            found, _, advice = str(error).partition("\n")
            yield Check(name, "problem", found, advice or "Change that, then look again: asdbench doctor")
        except ImportError as error:
            reason = missing_package(error)
            found, _, advice = str(reason).partition("\n") if reason else (str(error), "", "pip install asdbench")
            yield Check(name, "problem", found, advice)
        except OSError as error:
            yield Check(name, "problem", f"{error.filename or ''}: {error.strerror or error}", "See who may read it.")


def _python() -> Iterator[Check]:
    from asdbench import __version__

    yield Check("asdbench", "ok", f"{__version__}, {Path(__file__).resolve().parents[1]}")
    yield Check("python", "ok", f"{platform.python_version()}, {platform.system()} {platform.machine()}")


def _packages() -> Iterator[Check]:
    """What asdbench's own metadata asks for; without metadata (a bare checkout) only what is there."""
    wrong = []
    for wanted in _wanted(""):
        version = version_of(wanted.name)
        if version is None:
            wrong.append((f"{wanted.name} is not installed", f'pip install "{wanted.name}{wanted.specifier}"'))
        elif not wanted.specifier.contains(version, prereleases=True):
            found = f"{wanted.name} {version} is not {wanted.specifier}"
            wrong.append((found, f'pip install "{wanted.name}{wanted.specifier}"'))
    yield Check("packages", "ok", ", ".join(f"{name} {version}" for name in SHOWN if (version := version_of(name))))
    yield from (Check("packages", "problem", found, advice) for found, advice in wrong)


def _extras() -> Iterator[Check]:
    """Packages that only some commands need."""
    needed = {wanted.name for wanted in _wanted("")}
    for extra, use in EXTRAS.items():
        names = [wanted.name for wanted in _wanted(extra) if wanted.name not in needed]
        missing = [name for name in names if version_of(name) is None]
        versions = ", ".join(f"{name} {version_of(name)}" for name in names)
        if names and not missing:
            yield Check(extra, "ok", versions)
        elif names:
            yield Check(extra, "ok", f"not installed; for {use}: pip install 'asdbench[{extra}]'")


def _wanted(extra: str) -> "list[Requirement]":
    """What is needed with an extra, "" for none."""
    from packaging.requirements import Requirement

    every = map(Requirement, requirements())
    return [one for one in every if one.marker is None or one.marker.evaluate({"extra": extra})]


def _device() -> Iterator[Check]:
    """The GPU, as the drivers and as torch see it; torch takes seconds to import, so only where there is one."""
    build = version_of("torch") or ""
    family = {name: version_of(name) or "" for name in ("torch", "torchaudio", "torchvision")}
    plain = platform.machine() == "x86_64" and [name for name, version in family.items() if "+" not in version]
    if "+cpu" in build and plain and sys.platform.startswith("linux"):
        found = f"torch {build} is a build for the CPU, {' and '.join(plain)} are not and do not load beside it"
        again = " ".join(f"'{name}=={version.partition('+')[0]}'" for name, version in family.items())
        yield Check("device", "problem", found, f"uv pip install --torch-backend cpu --reinstall {again}")
        return
    if not any(Path(path).exists() for path in DEVICES) and sys.platform.startswith("linux"):
        yield Check("device", "ok", f"cpu (no NVIDIA driver here; torch {build})")
        return
    import torch

    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        yield Check("device", "ok", f"cuda: {', '.join(names)} (torch {build}, CUDA {torch.version.cuda})")
    elif sys.platform.startswith("linux"):
        why = (
            "is a build for the CPU alone" if torch.version.cuda is None else f"is built for CUDA {torch.version.cuda}"
        )
        yield Check(
            "device",
            "note",
            f"cpu: there is an NVIDIA driver, but torch {build} {why} and finds no usable GPU",
            "Compare with nvidia-smi: an older driver needs another build of torch (pytorch.org/get-started/locally).",
        )
    else:
        yield Check("device", "ok", f"cpu (torch {build} sees no CUDA)")


def _cores() -> Iterator[Check]:
    from asdbench.harness.machine import available_cores

    cores, limit = available_cores(), _core_limit()
    threads = {name: os.environ[name] for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS") if name in os.environ}
    found = f"{cores} of {os.cpu_count()}" + "".join(f"; {name}={value}" for name, value in threads.items())
    if limit is not None and limit < cores:
        advice = f"--jobs {max(1, int(limit))} instead of --jobs 0, which counts cores."
        yield Check("cores", "note", f"{found}; this container may use {limit:g} of them at a time", advice)
    else:
        yield Check("cores", "ok", found)


def _core_limit() -> float | None:
    """How many cores a container may use at a time; None where there is no such limit."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return None if quota == "max" else float(quota) / float(period)
    except (OSError, ValueError):
        return None


def _cache() -> Iterator[Check]:
    from asdbench.harness.cache import cache_entries

    root = cache_root()
    size = size_text(sum(entry.size for entry in cache_entries(root)))
    yield from _writable("cache", root, f"{root}: {size}", CACHE_VARIABLE, "asdbench cache prune --max-size 20GB")


def _plugins() -> Iterator[Check]:
    from asdbench.registry import load_catalog
    from asdbench.registry.plugins import OWN

    catalog = load_catalog()
    entries = [entry for kind in catalog.entries.values() for entry in kind.values()]
    origins = sorted({entry.origin for entry in entries} - {OWN})
    yield Check("cards", "ok", f"{len(entries)} names" + (f", some of {', '.join(origins)}" if origins else ""))
    yield from (Check("plugins", "note", warning, "See: asdbench list") for warning in catalog.warnings)


def _data() -> Iterator[Check]:
    from asdbench.harness.data import DATA_VARIABLE, data_root
    from asdbench.registry import load_catalog

    root = data_root()
    if not root.is_dir():
        given = DATA_VARIABLE in os.environ
        advice = f"Set {DATA_VARIABLE} to a folder that is there." if given else "Get some: asdbench data download NAME"
        yield Check("data", "problem" if given else "ok", f"{root} is not there", advice)
        return
    found = []
    for name in load_catalog(kinds=("datasets",)).names("datasets"):
        splits = [split for split in ("dev", "eval") if (root / name / f"{split}_data").is_dir()]
        found += [f"{name} ({', '.join(splits)})"] if splits else []
    yield Check("data", "ok", f"{root}: {', '.join(found) or 'no data set of a challenge'}")


def _weights() -> Iterator[Check]:
    from asdbench.datasets.download.weights import known_weights
    from asdbench.harness.data import data_root
    from asdbench.registry import load_catalog

    root = data_root() / "weights"
    known = known_weights(load_catalog(kinds=("extractors",)))
    here = [one.name for one in known if one.are_in(root)]
    yield Check("weights", "ok", f"{root}: {', '.join(here) or 'none'}, of {len(known)} that are known")


def _runs(out: Path) -> Iterator[Check]:
    from asdbench.harness.record import FILE

    count = len(list(out.glob(f"[!.]*/{FILE}"))) if out.is_dir() else 0
    yield from _writable("runs", out, f"{out}: {count}", None, "Give another folder: --out DIR")


def _tracking(out: Path) -> Iterator[Check]:
    from asdbench.core.locks import BusyError, exclusive
    from asdbench.harness.spec import TRACKING_VARIABLE, tracking_by_default
    from asdbench.tracking.schema import schema_state
    from asdbench.tracking.store import store_of, why_away

    if tracking_by_default() == "none":
        yield Check("tracking", "ok", f"off, by {TRACKING_VARIABLE}")
        return
    store = store_of(out)
    away = why_away(store)
    if away is not None:
        advice = "Start it; runs go on without, and asdbench track sync sends them later."
        yield Check("tracking", "problem", away, advice)
    elif store.file is None:
        yield Check(
            "tracking", "ok", f"{store.shown}{' answers' if store.is_server else ''}", "See: asdbench track status"
        )
    elif not store.file.is_file():
        yield Check("tracking", "ok", f"{store.shown}, made by the first run")
    else:
        try:
            if (state := schema_state(store.file)) == "older":
                with exclusive(store.lock, wait=False):  # which a command has while it makes the tables
                    state = schema_state(store.file)
        except BusyError:
            state = "same"
        except sqlite3.Error as error:
            yield Check("tracking", "problem", f"{store.shown}: {error}", "Move the file away; asdbench track sync.")
            return
        advice = {
            "older": f"Save a copy of the file, then: mlflow db upgrade {store.shown}",
            "newer": f"Update MLflow, which is {version_of('mlflow')} here, or name another store: MLFLOW_TRACKING_URI",
        }.get(state, "")
        tables = f", with tables of {'an' if state == 'older' else 'a'} {state} MLflow" if advice else ""
        yield Check("tracking", "problem" if advice else "ok", f"{store.shown}{tables}", advice)


def _writable(name: str, folder: Path, found: str, variable: str | None, advice: str) -> Iterator[Check]:
    """Whether something can be written to a folder, which need not be there yet, and how much."""
    from asdbench.core.files import require_writable

    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.is_dir())
    free = shutil.disk_usage(there).free
    found = f"{found}, {size_text(free)} free"
    try:
        require_writable(folder)
    except (UsageError, OSError) as error:
        where = f"Set {variable} to a folder that you may write to." if variable else advice
        yield Check(name, "problem", f"{found}: {str(error).partition(chr(10))[0]}", where)
        return
    state: State = "problem" if free < FULL else "note" if free < TIGHT else "ok"
    yield Check(name, state, found, "" if state == "ok" else f"The disk is nearly full: {advice}")
