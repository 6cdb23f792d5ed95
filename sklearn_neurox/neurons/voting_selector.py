"""Selection by the votes of several selectors."""

from __future__ import annotations

from numbers import Integral

import numpy as np
from sklearn.base import _fit_context, clone
from sklearn.utils import Bunch, check_consistent_length
from sklearn.utils._param_validation import Interval
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    _raise_for_params,
    _routing_enabled,
    process_routing,
)
from sklearn.utils.metaestimators import _BaseComposition

from .._callbacks import fit_inside, fit_task
from .._moments import neuron_std
from .._validation import all_or_nothing, validate_activations
from ._ranking_selector import RankingSelector, rank
from .agreement import vote_points


class VotingSelector(RankingSelector, _BaseComposition):
    """Keep the neurons that several rankings agree on.

    Each selector ranks the neurons on the same words and gives the first k of them k, k - 1, ...,
    1 points (the NeuronVote of [1]_). Neurons that methods of different theory find in common are
    less likely to be an artefact of one of them.

    Parameters
    ----------
    selectors : list of (str, selector)
        Names and selectors with ``ranking_`` after ``fit``. Their own `n_neurons` does not
        matter, except that it may say how much of the ranking is worth the work.
    n_neurons : int or float, default=None
        Keep so many neurons (int), or this share of them (float in [0, 1], rounded to the
        nearest number). None keeps all; ``ranking_`` is then what ``fit`` is for.
    k : int, default=None
        Neurons that each selector votes for; None lets it vote for all.
    order : {"top", "bottom"}, default="top"
        Keep the most or the least important neurons.

    Attributes
    ----------
    ranking_ : ndarray of int of shape (n_neurons,)
        Neurons, the most points first; ties by index, constant neurons last.
    scores_ : ndarray of int of shape (n_neurons,)
        Points.
    selectors_ : list of selector
        The fitted selectors.
    named_selectors_ : Bunch
        The fitted selectors by name.
    support_ : ndarray of bool of shape (n_neurons,)
        Which neurons are kept.
    n_features_in_ : int
        Number of neurons seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_neurons,)
        Names of the neurons, where X had any.

    See Also
    --------
    vote : The same for rankings that are there.
    ranking_overlap : How far rankings agree.

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
    >>> VotingSelector(selectors, n_neurons=5, k=10).fit(X, y).get_support(indices=True)
    array([21, 26, 28, 33, 34])
    """

    _parameter_constraints: dict = {
        **RankingSelector._parameter_constraints,
        "selectors": [list],
        "k": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(self, selectors, *, n_neurons=None, k=None, order="top"):
        self.selectors = selectors
        self.n_neurons = n_neurons
        self.k = k
        self.order = order

    def get_params(self, deep=True):
        """Parameters of this selector and, if deep, of those in it.

        Parameters
        ----------
        deep : bool, default=True

        Returns
        -------
        dict
        """
        return self._get_params("selectors", deep=deep)

    def set_params(self, **params):
        """Set parameters; those of a selector in it as ``name__parameter``.

        Parameters
        ----------
        **params : dict

        Returns
        -------
        self : VotingSelector
        """
        return self._set_params("selectors", **params)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags

    def get_metadata_routing(self):
        """Route the metadata of ``fit`` to the selectors.

        Returns
        -------
        MetadataRouter
        """
        return MetadataRouter(owner=self).add(
            **dict(self.selectors),
            method_mapping=MethodMapping().add(caller="fit", callee="fit"),
        )

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, **fit_params):
        """Fit the selectors and count their votes.

        Parameters
        ----------
        X : array-like of shape (n_words, n_neurons)
            Activations.
        y : array-like of shape (n_words,)
            Labels or numbers, as the selectors need.
        **fit_params : dict
            Routed to the selectors that ask for them, where metadata routing is enabled.

        Returns
        -------
        self : VotingSelector

        Raises
        ------
        ValueError
            If names are missing, not unique or those of parameters; if `n_neurons` or `k` exceed
            the number of neurons; and as the selectors say.
        TypeError
            If a selector has no ``ranking_``.
        """
        with all_or_nothing(self):
            return self._fit(X, y, fit_params)

    def _fit(self, X, y, fit_params):
        names = self._check_selectors()
        X = validate_activations(self, X)
        check_consistent_length(X, y)
        self._count(X.shape[1])
        if self.k is not None and self.k > X.shape[1]:
            raise ValueError(f"k={self.k}, but X has {X.shape[1]} neurons.")
        if _routing_enabled():
            routed = process_routing(self, "fit", **fit_params)
        else:
            _raise_for_params(fit_params, self, "fit")
            routed = {name: Bunch(fit={}) for name in names}
        with fit_task(self, X, y, max_subtasks=len(names)) as context:
            self.selectors_ = [
                fit_inside(context, name, self, clone(selector), X, y, **routed[name].fit)
                for name, selector in self.selectors
            ]
            rankings = [
                _ranking(name, selector, X.shape[1])
                for name, selector in zip(names, self.selectors_, strict=True)
            ]
            self.named_selectors_ = Bunch()
            self.named_selectors_.update(zip(names, self.selectors_, strict=True))
            self.scores_ = vote_points(rankings, self.k)
            self._keep_from(rank(self.scores_, neuron_std(X) > 0))
        return self

    def _check_selectors(self):
        named = [
            isinstance(pair, tuple)
            and len(pair) == 2
            and isinstance(pair[0], str)
            and hasattr(pair[1], "fit")
            for pair in self.selectors
        ]
        if not named or not all(named):
            raise ValueError(
                "selectors must be a list of at least one (name, selector), as in "
                f'[("means", ProbelessSelector())]; got {self.selectors!r}.'
            )
        names = [name for name, _ in self.selectors]
        self._validate_names(names)
        return names


def _ranking(name, selector, n_neurons):
    ranking = getattr(selector, "ranking_", None)
    if ranking is None or not np.array_equal(np.sort(ranking), np.arange(n_neurons)):
        raise TypeError(
            f"The selector {name!r}, a {type(selector).__name__}, has no ranking_ to vote with, "
            "one that names each neuron once, the most important first."
        )
    return ranking
