"""Time two things in turn and compare them."""

import statistics
import time
from collections.abc import Callable


def compare(name: str, measured: Callable[[], object], reference: Callable[[], object], rounds: int = 5) -> None:
    """Run both in turn, once to warm up and then ``rounds`` times; print medians and the median of the ratios."""
    times: list[tuple[float, float]] = []
    for _ in range(rounds + 1):
        pair = []
        for function in (measured, reference):
            started = time.perf_counter()
            function()
            pair.append(time.perf_counter() - started)
        times.append((pair[0], pair[1]))
    counted = times[1:]
    first, second = (statistics.median(column) for column in zip(*counted, strict=True))
    ratio = statistics.median(a / b for a, b in counted)
    print(f"{name}: {first:.3f} s against {second:.3f} s, ratio {ratio:.3f} (medians of {rounds})")
