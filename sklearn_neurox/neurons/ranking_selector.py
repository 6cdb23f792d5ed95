"""Base class of the selectors that rank neurons, and the registry of rankings."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackContext, CallbackSupportMixin
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from .._callbacks import fit_task
from .._indices import index_mask
from .._labels import check_class_labels
from .._optional import import_optional
from .._validation import fit_context, validate_samples
from ._support import SupportSelector

_ROUNDING = 1e-12  # relative to the largest score

# The rankings that the command offers by name. Classes register themselves on definition.
RANKINGS: dict[str, type[RankingSelector]] = {}


@dataclass(frozen=True)
class FitCall:
    """The call of ``fit`` for which a ranking is computed.

    Attributes
    ----------
    X : array-like of shape (n_samples, n_neurons)
        The activations as passed to ``fit``, with the names of their columns.
    params : dict
        The metadata passed to ``fit``, such as sample weights.
    task : CallbackContext
        The callback task of the fit, in which inner estimators are fitted.
    """

    X: Any
    params: dict[str, Any]
    task: CallbackContext


class RankingSelector(CallbackSupportMixin, SupportSelector, BaseEstimator):
    """Base class for selectors that keep the top or the bottom of a ranking of the neurons.

    A subclass has the parameters `n_neurons` and `order` and implements ``_rank``. If it is defined
    with a name, as in ``class ProbelessSelector(..., ranking="probeless")``, it is registered under
    this name in ``RANKINGS``.
    """

    n_neurons: int | float | None
    order: Literal["top", "bottom"]

    _parameter_constraints: dict = {
        "n_neurons": [
            Interval(Integral, 0, None, closed="left"),
            Interval(Real, 0, 1, closed="both"),
            None,
        ],
        "order": [StrOptions({"top", "bottom"})],
    }

    def __init_subclass__(cls, *, ranking: str | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if ranking is not None:
            before = RANKINGS.get(ranking)
            # A class that is defined again, as in a notebook, replaces itself.
            if before is not None and before.__qualname__ != cls.__qualname__:
                raise ValueError(
                    f"The ranking {ranking!r} is already registered by {before.__name__}. Choose "
                    f"another name for {cls.__name__}, or remove it from RANKINGS first."
                )
            RANKINGS[ranking] = cls

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Rank the neurons.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_neurons)
            Activations.
        y : array-like of shape (n_samples,)
            Labels.

        Returns
        -------
        self : object
            Fitted selector.

        Raises
        ------
        ValueError
            If X contains NaN or infinity, y has a single class, `target` is not a class, or
            `n_neurons` exceeds the number of neurons.
        """
        return self._fit(X, y)

    @abstractmethod
    def _rank(self, X: NDArray, y: Any, call: FitCall) -> NDArray[np.intp]:
        """Rank all neurons and set the fitted attributes that are specific to the ranking.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_neurons)
            Validated activations.
        y : ndarray of shape (n_samples,)
            Validated target.
        call : FitCall
            X as it was passed, and the metadata.

        Returns
        -------
        ndarray of int of shape (n_neurons,)
            Neurons, ordered from most to least important.
        """

    def _fit(
        self,
        X: ArrayLike,
        y: ArrayLike | None,
        params: dict[str, Any] | None = None,
        *,
        n_fits: int = 0,
    ) -> Self:
        """Validate X and y, rank the neurons and select some of them. Called by ``fit``.

        Parameters
        ----------
        X, y
            As passed to ``fit``.
        params : dict, default=None
            Metadata passed to ``fit``.
        n_fits : int, default=0
            Number of inner estimators that ``_rank`` fits.
        """
        activations, y = self._validate(X, y)
        self._check_counts(activations.shape[1])
        with fit_task(self, activations, y, max_subtasks=n_fits) as task:
            self.ranking_ = self._rank(activations, y, FitCall(X, params or {}, task))
            self.support_ = self._support(self.ranking_)
        return self

    def _validate(self, X: ArrayLike, y: ArrayLike | None) -> tuple[NDArray, Any]:
        return validate_samples(self, X, y, check_class_labels)

    def _check_counts(self, available: int) -> None:
        """Raise an error if a parameter exceeds the number of available neurons."""
        self._count(available)

    def _count(self, available: int) -> int:
        """Return the number of neurons to keep."""
        if self.n_neurons is None:
            return available
        if not isinstance(self.n_neurons, Integral):
            return round(self.n_neurons * available)
        if self.n_neurons > available:
            raise ValueError(
                f"n_neurons must be at most the number of neurons in X, {available}, got "
                f"{self.n_neurons}."
            )
        return int(self.n_neurons)

    def _support(self, ranking: NDArray[np.intp]) -> NDArray[np.bool_]:
        count = self._count(len(ranking))
        first = 0 if self.order == "top" else len(ranking) - count
        return index_mask(ranking[first : first + count], len(ranking))

    def to_frame(self) -> Any:
        """Return the ranking as a table.

        Returns
        -------
        pandas.DataFrame
            One row per neuron, ordered from most to least important. The index contains the names
            of the neurons. The columns are "neuron", the column in the X passed to ``fit``;
            "score", if the ranking has scores; and "kept", whether the neuron is kept.
        """
        check_is_fitted(self)
        pandas = import_optional("pandas", extra="plot", purpose="to_frame()")
        columns: dict[str, Any] = {"neuron": self.ranking_}
        if hasattr(self, "scores_"):
            columns["score"] = self.scores_[self.ranking_]
        columns["kept"] = self.support_[self.ranking_]
        names = _check_feature_names_in(self)[self.ranking_]
        return pandas.DataFrame(columns, index=pandas.Index(names, name="name"))


def rank(scores: NDArray, varies: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the neurons in the order of decreasing scores.

    Ties are broken by index. Scores that differ by no more than rounding are ties.

    Parameters
    ----------
    scores : ndarray of shape (n_neurons,)
    varies : ndarray of bool of shape (n_neurons,)
        Whether each neuron varies. Constant neurons come last.

    Returns
    -------
    ndarray of int of shape (n_neurons,)
    """
    order = np.argsort(-scores, kind="stable")
    steps = -np.diff(scores[order], prepend=scores[order[:1]])
    tie = np.empty(len(scores), dtype=np.intp)
    tie[order] = np.cumsum(steps > _ROUNDING * np.abs(scores).max())
    return np.lexsort((tie, ~varies))
