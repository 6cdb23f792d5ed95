"""Selection by the votes of several selectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from numbers import Integral
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.utils import Bunch
from sklearn.utils._param_validation import Interval
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    _raise_for_params,
    _routing_enabled,
    process_routing,
)
from sklearn.utils.metaestimators import _BaseComposition

from .._callbacks import fit_inside
from .._labels import check_labels
from .._moments import neuron_std
from .._results import ranking_of
from .._validation import fit_context, validate_activations, validate_samples
from .ranking_selector import FitCall, RankingSelector, rank
from .voting import vote_points


class VotingSelector(RankingSelector, _BaseComposition):
    """Keep the neurons that several rankings agree on.

    Each selector ranks the neurons on the same samples and gives n_votes, n_votes - 1, ..., 1
    points to its first `n_votes` neurons (the NeuronVote of [1]_). A neuron that methods based on
    different principles agree on is less likely to be an artifact of one of them.

    Parameters
    ----------
    selectors : list of (str, selector)
        Names and selectors. A selector must have the attribute ``ranking_`` after ``fit``. Its
        `n_neurons` does not affect the vote, except for selectors that rank only as many neurons
        carefully.
    n_neurons : int or float, default=None
        Number of neurons to keep. If a float in [0, 1], fraction of the neurons to keep, rounded to
        the nearest number of neurons. If None, keep all neurons and only compute ``ranking_``.
    n_votes : int, default=None
        Number of neurons that each selector votes for. If None, each selector votes for all
        neurons.
    order : {"top", "bottom"}, default="top"
        Whether to keep the neurons at the top or at the bottom of the ranking.

    Attributes
    ----------
    ranking_ : ndarray of int of shape (n_neurons,)
        Neurons, ordered from most to least important. Ties are broken by index; constant neurons
        come last.
    scores_ : ndarray of int of shape (n_neurons,)
        Points of the neurons.
    selectors_ : list of selector
        The fitted selectors.
    named_selectors_ : Bunch
        The fitted selectors by name.
    support_ : ndarray of bool of shape (n_neurons,)
        Which neurons are kept.
    n_features_in_ : int
        Number of neurons seen during ``fit``.
    feature_names_in_ : ndarray of shape (n_neurons,)
        Names of the neurons seen during ``fit``. Defined only if X has names that are all strings.

    See Also
    --------
    vote : Combine existing rankings by voting.
    ranking_overlap : Compute the agreement between rankings.

    References
    ----------
    .. [1] Y. Fan, F. Dalvi, N. Durrani and H. Sajjad (2023). Evaluating Neuron Interpretation
       Methods of NLP Models. NeurIPS.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_neurox import AveragePrecisionSelector, ProbelessSelector, VotingSelector
    >>> X, y = load_digits(return_X_y=True)
    >>> selectors = [("means", ProbelessSelector()), ("detectors", AveragePrecisionSelector())]
    >>> voting = VotingSelector(selectors, n_neurons=5, n_votes=10).fit(X, y)
    >>> voting.get_support(indices=True)
    array([21, 26, 28, 33, 34])
    """

    _parameter_constraints: dict = {
        **RankingSelector._parameter_constraints,
        "selectors": [list],
        "n_votes": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self,
        selectors: list[tuple[str, BaseEstimator]],
        *,
        n_neurons: int | float | None = None,
        n_votes: int | None = None,
        order: Literal["top", "bottom"] = "top",
    ) -> None:
        self.selectors = selectors
        self.n_neurons = n_neurons
        self.n_votes = n_votes
        self.order = order

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get the parameters of this selector.

        Parameters
        ----------
        deep : bool, default=True
            If True, also return the parameters of the selectors that it contains.

        Returns
        -------
        dict
            Parameter names mapped to their values.
        """
        return self._get_params("selectors", deep=deep)

    def set_params(self, **params: Any) -> Self:
        """Set the parameters of this selector.

        Parameters
        ----------
        **params : dict
            Parameters. Those of a contained selector have the form ``name__parameter``.

        Returns
        -------
        self : VotingSelector
            This selector.
        """
        return self._set_params("selectors", **params)

    def get_metadata_routing(self) -> MetadataRouter:
        """Get the metadata routing of this selector.

        Returns
        -------
        MetadataRouter
            Routes the metadata of ``fit`` to the ``fit`` of the selectors.
        """
        return MetadataRouter(owner=self).add(
            **dict(self.selectors),
            method_mapping=MethodMapping().add(caller="fit", callee="fit"),
        )

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: ArrayLike, y: ArrayLike | None = None, **fit_params: Any) -> Self:
        """Fit the selectors and count their votes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_neurons)
            Activations.
        y : array-like of shape (n_samples,)
            Labels or numbers, as the selectors require.
        **fit_params : dict
            Metadata routed to the selectors that request it, if metadata routing is enabled.

        Returns
        -------
        self : VotingSelector
            Fitted selector.

        Raises
        ------
        ValueError
            If names are missing, are not unique or conflict with parameters; if `n_neurons` or
            `n_votes` exceeds the number of neurons; or if a selector raises a ValueError.
        TypeError
            If a selector does not have the attribute ``ranking_`` after ``fit``.
        """
        self._check_selectors()
        return self._fit(X, y, fit_params, n_fits=len(self.selectors))

    def _validate(self, X: ArrayLike, y: ArrayLike | None) -> tuple[NDArray, Any]:
        if y is None:  # a random ranking does not require labels
            return validate_activations(self, X), None
        return validate_samples(self, X, y, partial(check_labels, name="y", warn=True))

    def _check_counts(self, available: int) -> None:
        super()._check_counts(available)
        if self.n_votes is not None and self.n_votes > available:
            raise ValueError(
                f"n_votes must be at most the number of neurons in X, {available}, got "
                f"{self.n_votes}."
            )

    def _rank(self, X: NDArray, y: Any, call: FitCall) -> NDArray[np.intp]:
        names = [name for name, _ in self.selectors]
        routed = self._route(names, call.params)
        self.selectors_ = [
            fit_inside(call.task, name, self, clone(selector), X, y, **routed[name].fit)
            for name, selector in self.selectors
        ]
        fitted = dict(zip(names, self.selectors_, strict=True))
        self.named_selectors_ = Bunch()
        self.named_selectors_.update(fitted)  # a selector may be named "self"
        rankings = [_ranking(name, selector, X.shape[1]) for name, selector in fitted.items()]
        self.scores_ = vote_points(rankings, self.n_votes)
        return rank(self.scores_, neuron_std(X) > 0)

    def _route(self, names: Sequence[str], fit_params: dict[str, Any]) -> Mapping[str, Bunch]:
        if _routing_enabled():
            return process_routing(self, "fit", **fit_params)
        _raise_for_params(fit_params, self, "fit")
        return {name: Bunch(fit={}) for name in names}

    def _check_selectors(self) -> None:
        named = [
            isinstance(pair, tuple)
            and len(pair) == 2
            and isinstance(pair[0], str)
            and hasattr(pair[1], "fit")
            for pair in self.selectors
        ]
        if not named or not all(named):
            raise ValueError(
                "selectors must be a list of at least one (name, selector) tuple, as in "
                f'[("means", ProbelessSelector())], got {self.selectors!r}.'
            )
        self._validate_names([name for name, _ in self.selectors])


def _ranking(name: str, selector: BaseEstimator, n_neurons: int) -> NDArray[np.intp]:
    try:
        return ranking_of(selector, n_neurons)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"The selector {name!r} ({type(selector).__name__}) does not have a valid ranking_ "
            f"after fit. {error}"
        ) from error
