"""Selection by the weights of a linear model."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, MetaEstimatorMixin, _fit_context, clone
from sklearn.callback import CallbackSupportMixin
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import SelectorMixin
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    _routing_enabled,
    process_routing,
)
from sklearn.utils.validation import check_is_fitted, validate_data

from .._callbacks import fit_task
from .._validation import float_dtypes
from ..probes import LinearProbeClassifier
from ._columns import index_mask, neuron_std
from .ranking import (
    bottom_neurons,
    entry_mass,
    threshold_neurons,
    top_neurons,
    weight_mass_ordering,
)


class WeightMassSelector(CallbackSupportMixin, SelectorMixin, MetaEstimatorMixin, BaseEstimator):
    """Keep the neurons that hold the weight mass of a linear model.

    The model is trained in ``fit`` on the words given there, so that inside cross-validation the
    ranking never sees the test words.

    Parameters
    ----------
    estimator : estimator with ``coef_`` after ``fit``, default=None
        Any linear model: a linear probe, LogisticRegression, LinearSVC, Ridge. None stands for
        ``LinearProbeClassifier(random_state=0)``.
    n_neurons : int or float, default=None
        Keep so many neurons (int), or this share of them (float in [0, 1], rounded to the
        nearest number), from the top or the bottom of the ranking.
    mass : float in [0, 1], default=None
        Keep the smallest sets that hold this share of each class's weight mass.
    threshold : float in [0, 1], default=None
        Keep the neurons whose weight exceeds this share of the largest weight of a class. At
        most one of `n_neurons`, `mass` and `threshold` is given; with none, all neurons are
        kept, and ``ranking_`` is what ``fit`` is for.
    scaled : bool, default=True
        Weigh by ``|coef| * std(X)`` rather than ``|coef|``. A weight's size is relative to the
        scale of its neuron: raw weights on activations as they come favour neurons of small
        variance.
    order : {"top", "bottom"}, default="top"
        Keep the most or the least important neurons.
    target : label, default=None
        Rank for this class alone, by the classes of the estimator; None ranks for all.
    prefit : bool, default=False
        `estimator` is fitted already and used as it is.

    Attributes
    ----------
    ranking_ : ndarray of int of shape (n_neurons,)
        Neurons, the most important first; see :func:`weight_mass_ordering`.
    scores_ : ndarray of shape (n_neurons,)
        One minus the weight mass of the neurons before it, in the class where it comes first: 1
        for the first neuron of a class, 0 for a neuron without weight.
    class_scores_ : ndarray of shape (n_classes, n_neurons)
        Weight mass of each neuron; rows sum to 1, or are 0 for a class without weights.
    estimator_ : estimator
        The fitted linear model.
    support_ : ndarray of bool of shape (n_neurons,)
        Which neurons are kept.
    n_features_in_ : int
        Number of neurons seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_neurons,)
        Names of the neurons, where X had any.

    See Also
    --------
    weight_mass_ordering : The ranking as a function of weights.
    NeuronAblator : Replaces neurons instead of dropping them.

    References
    ----------
    .. [1] F. Dalvi et al. (2019). What Is One Grain of Sand in the Desert? AAAI.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_neurox import WeightMassSelector
    >>> X, y = load_digits(return_X_y=True)
    >>> selector = WeightMassSelector(LogisticRegression(max_iter=1000), n_neurons=20)
    >>> make_pipeline(StandardScaler(), selector).fit_transform(X, y).shape
    (1797, 20)
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods("fit"), None],
        "n_neurons": [
            Interval(Integral, 0, None, closed="left"),
            Interval(Real, 0, 1, closed="both"),
            None,
        ],
        "mass": [Interval(Real, 0, 1, closed="both"), None],
        "threshold": [Interval(Real, 0, 1, closed="both"), None],
        "scaled": ["boolean"],
        "order": [StrOptions({"top", "bottom"})],
        "target": "no_validation",
        "prefit": ["boolean"],
    }

    def __init__(
        self,
        estimator=None,
        *,
        n_neurons=None,
        mass=None,
        threshold=None,
        scaled=True,
        order="top",
        target=None,
        prefit=False,
    ):
        self.estimator = estimator
        self.n_neurons = n_neurons
        self.mass = mass
        self.threshold = threshold
        self.scaled = scaled
        self.order = order
        self.target = target
        self.prefit = prefit

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = not self.prefit
        return tags

    def get_metadata_routing(self):
        """Route the metadata of ``fit`` to the estimator.

        Returns
        -------
        MetadataRouter
        """
        return MetadataRouter(owner=self).add(
            estimator=self._estimator(),
            method_mapping=MethodMapping().add(caller="fit", callee="fit"),
        )

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, **fit_params):
        """Train the linear model and rank the neurons by its weights.

        Parameters
        ----------
        X : array-like of shape (n_words, n_neurons)
            Activations.
        y : array-like of shape (n_words,) or (n_words, n_outputs)
            Labels or numbers; not needed if `prefit`.
        **fit_params : dict
            Passed to the ``fit`` of the estimator; routed where metadata routing is enabled.

        Returns
        -------
        self : WeightMassSelector

        Raises
        ------
        ValueError
            If more than one of `n_neurons`, `mass` and `threshold` is given, `n_neurons` exceeds
            the number of neurons, `target` is not a class, or X holds NaN or infinity.
        TypeError
            If the fitted estimator has no ``coef_``.
        """
        X = validate_data(self, X, dtype=float_dtypes(X))
        self._check_parameters(X.shape[1], y, fit_params)
        with fit_task(self, X, y, max_subtasks=1) as context:
            if self.prefit:
                self.estimator_ = self.estimator
            else:
                fit_params = self._estimator_params(fit_params)
                self.estimator_ = self._fit_estimator(X, y, fit_params, context)
            importance = np.abs(self._coef(X.shape[1]), dtype=np.float64)
            if self.scaled:
                importance *= neuron_std(X, fit_params.get("sample_weight"))
            self._rank(importance)
        return self

    def _estimator(self):
        return LinearProbeClassifier(random_state=0) if self.estimator is None else self.estimator

    def _estimator_params(self, fit_params):
        if _routing_enabled():
            return process_routing(self, "fit", **fit_params).estimator.fit
        return fit_params

    def _fit_estimator(self, X, y, fit_params, context):
        estimator = clone(self._estimator())
        task = context.subcontext("fit-estimator")
        with task.propagate_callback_context(estimator):
            task.call_on_fit_task_begin(estimator=self, X=X, y=y)
            estimator.fit(X, y, **fit_params)
            task.call_on_fit_task_end(estimator=self, X=X, y=y)
        return estimator

    def _coef(self, n_neurons):
        """Weights (n_classes, n_neurons) to rank by."""
        if not hasattr(self.estimator_, "coef_"):
            raise TypeError(
                f"Ranking by weight mass needs a linear model with coef_ after fit, but "
                f"{type(self.estimator_).__name__} has none."
            )
        coef = self.estimator_.coef_
        coef = np.atleast_2d(coef.toarray() if issparse(coef) else coef)
        if coef.shape[1] != n_neurons:
            raise ValueError(
                f"The estimator has weights for {coef.shape[1]} neurons, but X has {n_neurons}."
            )
        return coef

    def _target_rows(self, importance):
        """Rows of the classes to rank for."""
        if self.target is None:
            return importance
        classes = np.asarray(getattr(self.estimator_, "classes_", [])).tolist()
        if self.target not in classes:
            raise ValueError(f"target={self.target!r} is not one of the classes {classes}.")
        # Two classes share one row of weights.
        return importance if len(importance) == 1 else importance[[classes.index(self.target)]]

    def _rank(self, importance):
        n_neurons = importance.shape[1]
        total = importance.sum(axis=1, keepdims=True)
        self.class_scores_ = importance / np.where(total > 0, total, 1.0)
        importance = self._target_rows(importance)
        entry, _ = entry_mass(importance)
        self.scores_ = np.maximum(1 - entry, 0.0)
        self.ranking_, _ = weight_mass_ordering(importance)
        if self.mass is not None:
            select = top_neurons if self.order == "top" else bottom_neurons
            kept, _ = select(importance, self.mass)
        elif self.threshold is not None:
            above, _ = threshold_neurons(importance, self.threshold)
            kept = above if self.order == "top" else np.setdiff1d(self.ranking_, above)
        else:
            count = _count(self.n_neurons, n_neurons)
            first = 0 if self.order == "top" else n_neurons - count
            kept = self.ranking_[first : first + count]
        self.support_ = index_mask(kept, n_neurons)

    def _check_parameters(self, n_neurons, y, fit_params):
        sizes = ("n_neurons", "mass", "threshold")
        given = [name for name in sizes if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"Give one of n_neurons, mass and threshold, not {given}.")
        if isinstance(self.n_neurons, Integral) and self.n_neurons > n_neurons:
            raise ValueError(f"n_neurons={self.n_neurons}, but X has {n_neurons} neurons.")
        if self.prefit:
            self._check_prefit(fit_params)
        elif y is None:
            raise ValueError(
                f"{type(self).__name__} trains its estimator on labels: it requires y to be "
                "passed, but the target y is None."
            )
        elif self.target is not None and self.target not in (classes := np.unique(y).tolist()):
            raise ValueError(f"target={self.target!r} is not one of the classes {classes}.")

    def _check_prefit(self, fit_params):
        if self.estimator is None:
            raise ValueError("prefit=True needs a fitted estimator, got None.")
        if fit_params:
            raise ValueError(f"prefit=True trains nothing, so {list(fit_params)} have no use.")
        try:
            check_is_fitted(self.estimator)
        except NotFittedError as error:
            raise NotFittedError(
                f"prefit=True needs a fitted estimator, and {type(self.estimator).__name__} is "
                "not. Cross-validation clones, which unfits it: there, give "
                "sklearn.frozen.FrozenEstimator(estimator) instead of prefit=True."
            ) from error

    def _get_support_mask(self):
        check_is_fitted(self)
        return self.support_


def _count(n_neurons, available):
    """Count the neurons to keep, of an int count, a float share, or None for all."""
    if n_neurons is None:
        return available
    if isinstance(n_neurons, Integral):
        return n_neurons
    return round(n_neurons * available)
