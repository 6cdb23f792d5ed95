"""Independent fits that run in parallel, with a progress bar."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tqdm.auto import tqdm

from .._parallel import run_parallel
from .._validation import noting
from .._warnings import issued_once


def run_jobs(
    function: Callable[..., Any],
    jobs: Sequence[tuple[Any, ...]],
    *,
    places: Sequence[str],
    n_jobs: int | None,
    verbose: int,
    name: str,
    unit: str = "fold",
) -> list[Any]:
    """Call a function with the arguments of each job.

    Warnings that many fits may cause are issued once.

    Parameters
    ----------
    function : callable
    jobs : sequence of tuple
        The arguments of each call.
    places : sequence of str
        The data of each call, such as "in fold 0 of the control task", for a note on its errors.
    n_jobs : int or None
        Number of jobs to run in parallel, as in ``joblib.Parallel``.
    verbose : int
        Verbosity level. If positive, show a progress bar.
    name, unit : str
        Name of the progress bar, and what it counts.

    Returns
    -------
    list
        The results, in the order of the jobs.
    """
    calls = [(place, function, job) for place, job in zip(places, jobs, strict=True)]
    results = run_parallel(_run, calls, n_jobs)
    with issued_once():
        return list(tqdm(results, total=len(jobs), unit=unit, desc=name, disable=not verbose))


def _run(place: str, function: Callable[..., Any], job: tuple[Any, ...]) -> Any:
    with noting(place):
        return function(*job)
