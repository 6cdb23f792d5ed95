"""Independent fits that run in parallel, with a progress bar."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from joblib import Parallel, delayed
from tqdm.auto import tqdm


def run_jobs(
    function: Callable[..., Any],
    jobs: Sequence[tuple[Any, ...]],
    *,
    n_jobs: int | None,
    verbose: int,
    name: str,
    unit: str = "fold",
) -> list[Any]:
    """Call a function with the arguments of each job.

    Parameters
    ----------
    function : callable
    jobs : sequence of tuple
        The arguments of each call.
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
    results = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(function)(*job) for job in jobs
    )
    return list(tqdm(results, total=len(jobs), unit=unit, desc=name, disable=not verbose))
