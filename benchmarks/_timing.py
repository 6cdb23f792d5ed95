"""Interleaved timing: both sides in one process, in turn, so that a slow minute hits both."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def interleave(sides: dict[str, Callable[[], str]], *, repeats: int = 5) -> None:
    """Run the sides in turn and print medians, ratios to the first, and what each side reports.

    Parameters
    ----------
    sides : dict of str to callable
        Each returns its score or objective as text, so that faster is never worse.
    repeats : int, default=5
        Counted runs of each side, after one that is not.
    """
    times: dict[str, list[float]] = {name: [] for name in sides}
    reports = {name: run() for name, run in sides.items()}
    for _ in range(repeats):
        for name, run in sides.items():
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
    first = times[next(iter(sides))]
    for name, seconds in times.items():
        ratio = statistics.median(b / a for a, b in zip(first, seconds, strict=True))
        print(
            f"  {name:44} {statistics.median(seconds):8.3f} s  x{ratio:6.2f}   {reports[name]}",
            flush=True,
        )
