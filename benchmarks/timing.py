"""Time two things, in turn or at once, and compare them."""

import json
import os
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

Command = tuple[Sequence[str], Mapping[str, str]]  # words, and what is added to the environment


TABLE = "ASDBENCH_BENCHMARKS"  # file that all.py gathers the ratios in


def tell(
    name: str, measured: float, reference: float, ratio: float, unit: str = "s", at_most: float | None = None
) -> None:
    """Print one comparison, and add it to the table that all.py prints in the end.

    Args:
        name: what is compared with what.
        measured: median of ours.
        reference: of the other.
        ratio: ours to the other; the smaller the better.
        unit: of both.
        at_most: the ratio that is wanted.
    """
    wanted = "" if at_most is None else f", wanted {at_most:g} at most: {'met' if ratio <= at_most else 'MISSED'}"
    print(f"{name}: {measured:.3f} {unit} against {reference:.3f} {unit}, ratio {ratio:.3f}{wanted}", flush=True)
    _gather(
        {"name": name, "ratio": ratio, "measured": measured, "reference": reference, "unit": unit, "at_most": at_most}
    )


def skip(name: str, reason: str) -> None:
    """Say that a comparison is left out, here and in the table that all.py prints."""
    print(f"{name}: left out, {reason}", flush=True)
    _gather({"name": name, "skipped": reason})


def _gather(row: dict[str, object]) -> None:
    if TABLE in os.environ:
        with Path(os.environ[TABLE]).open("a") as table:
            table.write(json.dumps(row) + "\n")


def compare(
    name: str,
    measured: Callable[[], object],
    reference: Callable[[], object],
    rounds: int = 5,
    at_most: float | None = None,
    warm_up: bool = True,
) -> None:
    """Run both in turn, once to warm up and then ``rounds`` times; tell medians and the median of the ratios."""
    times: list[tuple[float, float]] = []
    for _ in range(rounds + warm_up):
        pair = []
        for function in (measured, reference):
            started = time.perf_counter()
            function()
            pair.append(time.perf_counter() - started)
        times.append((pair[0], pair[1]))
    counted = times[warm_up:]
    first, second = (statistics.median(column) for column in zip(*counted, strict=True))
    ratio = statistics.median(a / b for a, b in counted)
    tell(name, first, second, ratio, at_most=at_most)


def compare_at_once(
    name: str,
    measured: Callable[[], Command],
    reference: Callable[[], Command],
    rounds: int = 2,
    at_most: float | None = None,
) -> None:
    """Run two commands at once, each on a core of its own, which they swap; tell how much longer the first takes.

    What slows the machine meets both. A command's children share its core, so what they cost counts in full.
    """
    cores = sorted(os.sched_getaffinity(0))[:2]
    times = []
    for number in range(2 * rounds):
        times.append(_times([measured(), reference()], cores if number % 2 else cores[::-1]))
        print(f"  {times[-1][0]:.1f} s against {times[-1][1]:.1f} s", flush=True)
    first, second = (statistics.median(column) for column in zip(*times, strict=True))
    tell(name, first, second, statistics.median(a / b for a, b in times), at_most=at_most)


def _times(commands: Sequence[Command], cores: Sequence[int]) -> list[float]:
    """Seconds of each command, on a core of its own."""
    taken = [0.0] * len(commands)

    def run(place: int) -> None:
        words, added = commands[place]
        pinned = ["taskset", "-c", str(cores[place]), *words]
        started = time.perf_counter()
        subprocess.run(
            pinned, check=True, env={**os.environ, **added}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        taken[place] = time.perf_counter() - started

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(commands))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return taken
