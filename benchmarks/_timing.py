"""Interleaved timing: all sides run in turn in one process, so that a slowdown affects each."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Mapping


def command_line(doc: str | None) -> argparse.ArgumentParser:
    """Return a parser with the option --repeats, for quick runs with fewer than five."""
    parser = argparse.ArgumentParser(description=(doc or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5, help="timed runs of each side")
    return parser


def interleave(
    sides: dict[str, Callable[[], str]],
    *,
    repeats: int = 5,
    scale: Mapping[str, float] | None = None,
) -> dict[str, float]:
    """Run the sides in turn and print median times, ratios to the first side, and reports.

    Parameters
    ----------
    sides : dict of str to callable
        Each side returns its score or objective as text, to show that faster is not worse.
    repeats : int, default=5
        Timed runs of each side, after one run that is not timed.
    scale : mapping of str to float, default=None
        Factor for the time of each side that does only a part of the work.

    Returns
    -------
    dict of str to float
        Median seconds of each side.
    """
    scale = scale or {}
    times: dict[str, list[float]] = {name: [] for name in sides}
    reports = {name: run() for name, run in sides.items()}
    for _ in range(repeats):
        for name, run in sides.items():
            start = time.perf_counter()
            run()
            times[name].append((time.perf_counter() - start) * scale.get(name, 1))
    first = times[next(iter(sides))]
    for name, seconds in times.items():
        ratio = statistics.median(b / a for a, b in zip(first, seconds, strict=True))
        part = f"; timed in part, scaled by {scale[name]:g}" if name in scale else ""
        print(
            f"  {name:44} {statistics.median(seconds):8.3f} s  x{ratio:6.2f}   "
            f"{reports[name]}{part}",
            flush=True,
        )
    return {name: statistics.median(seconds) for name, seconds in times.items()}
