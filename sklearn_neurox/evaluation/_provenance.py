"""What reproduces a result: the estimator, its folds, and the versions of the packages."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

_PACKAGES = ("sklearn-neurox", "scikit-learn", "numpy", "scipy", "torch")


def installed_versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that determine a score."""
    return {name: _version(name) for name in _PACKAGES} | {"python": platform.python_version()}


@cache  # reading the metadata of a package takes milliseconds
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # run from its folder, without an installation
        return "unknown"


@dataclass(frozen=True)
class Provenance:
    """How scores were computed.

    Parameters
    ----------
    estimator : str
        The estimator with the parameters that differ from their defaults.
    cv : str
        The argument `cv`.
    versions : dict of str to str
        Versions of Python and of the packages.
    """

    estimator: str
    cv: str
    versions: Mapping[str, str] = field(default_factory=installed_versions)


def provenance_of(estimator: Any, cv: Any) -> Provenance:
    """Describe an estimator and the argument `cv`."""
    is_short = cv is None or isinstance(cv, int) or hasattr(cv, "split")
    return Provenance(_one_line(estimator), repr(cv) if is_short else type(cv).__name__)


def _one_line(estimator: Any) -> str:
    return re.sub(r"\s+", " ", repr(estimator))


def describe_bootstrap(
    unit: str,
    n_bootstraps: int,
    random_state: Any,
    *,
    intervals: str = "expanded percentile intervals",
) -> str:
    """Return a sentence that describes the resamples of an interval.

    Parameters
    ----------
    unit : str
        What is resampled, such as "sentence".
    n_bootstraps : int
    random_state : int or None
    intervals : str, default="expanded percentile intervals"
        Kind of the intervals.
    """
    return (
        f"Bootstrap over {unit}s, {n_bootstraps:,} resamples, {intervals}, "
        f"random_state={random_state}."
    )


def name_versions(versions: Mapping[str, str]) -> str:
    """Return the versions as a part of a sentence."""
    return ", ".join(f"{name} {number}" for name, number in versions.items())
