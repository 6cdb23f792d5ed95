"""Base class of the metrics of held-out predictions on one fold."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

from numpy.typing import NDArray
from scipy.sparse import csr_array


class Curve(NamedTuple):
    """Targets and predictions of all held-out samples, as codes of labels or as numbers."""

    y: NDArray
    predicted: NDArray


class FoldMetric(ABC):
    """A metric of the predictions on one fold, for many resamples or permutations at once."""

    kind: str  # "labels", "numbers" or "decisions"

    @abstractmethod
    def prepare(self, curves: Sequence[Curve], groups: csr_array) -> Any:
        """Compute what does not depend on the resample.

        Parameters
        ----------
        curves : sequence of Curve
            Held-out samples of one fold.
        groups : csr_array of shape (n_groups, n_samples)
            1 for the samples of each group.
        """

    @abstractmethod
    def of_weights(self, weights: NDArray, prepared: Any) -> NDArray:
        """Return the metric of resamples, (n_resamples, n_curves).

        `weights`, (n_resamples, n_groups), says how often each group occurs in each resample.
        """

    @abstractmethod
    def of_permutations(self, y: NDArray, predicted: NDArray) -> NDArray:
        """Return the metric of the same predictions for each row of `y`, (n_permutations,)."""
