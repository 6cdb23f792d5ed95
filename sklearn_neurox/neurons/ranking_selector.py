"""What all selectors share that keep the top or the bottom of a ranking."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin
from sklearn.feature_selection import SelectorMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from .._indices import index_mask
from .._optional import import_optional

_ROUNDING = 1e-12  # relative to the largest score


class RankingSelector(CallbackSupportMixin, SelectorMixin, BaseEstimator):
    """Keeps `n_neurons` from the `order` "top" or "bottom" of ``ranking_``."""

    n_neurons: int | float | None
    order: str

    _parameter_constraints: dict = {
        "n_neurons": [
            Interval(Integral, 0, None, closed="left"),
            Interval(Real, 0, 1, closed="both"),
            None,
        ],
        "order": [StrOptions({"top", "bottom"})],
    }

    def _count(self, available: int) -> int:
        """Neurons to keep, of an int count, a float share, or None for all."""
        if self.n_neurons is None:
            return available
        if not isinstance(self.n_neurons, Integral):
            return round(self.n_neurons * available)
        if self.n_neurons > available:
            raise ValueError(f"n_neurons={self.n_neurons}, but X has {available} neurons.")
        return int(self.n_neurons)

    def _keep_from(self, ranking: NDArray[np.intp]) -> None:
        count = self._count(len(ranking))
        first = 0 if self.order == "top" else len(ranking) - count
        self.ranking_ = ranking
        self.support_ = index_mask(ranking[first : first + count], len(ranking))

    def _get_support_mask(self):
        check_is_fitted(self)
        return self.support_

    def to_frame(self) -> Any:
        """Return the ranking as a table.

        Returns
        -------
        pandas.DataFrame
            The most important neuron first: its name as the index, its column in the X of
            ``fit`` ("neuron"), its score, where there are any, and whether it is kept.
        """
        check_is_fitted(self)
        pandas = import_optional("pandas", extra="plot", purpose="to_frame()")
        columns: dict[str, Any] = {"neuron": self.ranking_}
        if hasattr(self, "scores_"):
            columns["score"] = self.scores_[self.ranking_]
        columns["kept"] = self.support_[self.ranking_]
        names = _check_feature_names_in(self)[self.ranking_]
        return pandas.DataFrame(columns, index=pandas.Index(names, name="name"))


def rank(scores: NDArray, moves: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Order neurons by falling scores; ties by index, neurons that do not move last.

    Scores that differ by no more than rounding are ties.
    """
    order = np.argsort(-scores, kind="stable")
    steps = -np.diff(scores[order], prepend=scores[order[:1]])
    tie = np.empty(len(scores), dtype=np.intp)
    tie[order] = np.cumsum(steps > _ROUNDING * np.abs(scores).max())
    return np.lexsort((tie, ~moves))
