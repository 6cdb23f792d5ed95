"""Selection by the weights of a linear model."""

from __future__ import annotations

from numbers import Real

import numpy as np
from scipy.sparse import issparse
from sklearn.base import MetaEstimatorMixin, _fit_context, clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    _routing_enabled,
    process_routing,
)
from sklearn.utils.validation import check_is_fitted

from .._callbacks import fit_inside, fit_task
from .._indices import index_mask
from .._labels import check_target
from .._moments import neuron_std
from .._validation import all_or_nothing, float_dtypes, own_copy, validate_data
from .._warnings import warn
from ..probes import LinearProbeClassifier
from ._ranking_selector import RankingSelector
from .weight_mass import (
    bottom_neurons,
    entry_mass,
    threshold_neurons,
    top_neurons,
    weight_mass_ordering,
)

# Standard deviations within this ratio are the same for a ranking of weights.
_COMPARABLE = 2.0


class WeightMassSelector(MetaEstimatorMixin, RankingSelector):
    """Keep the neurons that hold the weight mass of a linear model.

    The model is trained in ``fit`` on the words given there, so that inside cross-validation the
    ranking never sees the test words.

    Parameters
    ----------
    estimator : estimator with ``coef_`` after ``fit``, default=None
        Any linear model: a linear probe, LogisticRegression, LinearSVC, Ridge; also the best one
        of a search, or one at the end of a Pipeline whose other steps scale each neuron: the
        selector then keeps neurons as they come in, by weights on scaled ones. None stands for
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
        variance. With False there is a warning where the scales differ.
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
        Weight mass of each neuron; rows sum to 1, or are 0 for a class without weights. There are
        as many rows as in ``coef_``: one for two classes, one for each output of a regressor.
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
        **RankingSelector._parameter_constraints,
        "mass": [Interval(Real, 0, 1, closed="both"), None],
        "threshold": [Interval(Real, 0, 1, closed="both"), None],
        "scaled": ["boolean"],
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
            Activations; a float16 array is copied in float32.
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
        with all_or_nothing(self):
            return self._fit(X, y, fit_params)

    def _fit(self, X, y, fit_params):
        given, X = X, validate_data(self, X, dtype=float_dtypes(X))
        self._check_parameters(X.shape[1], y, fit_params)
        words = given if hasattr(self, "feature_names_in_") else X  # the model gets the names too
        with fit_task(self, X, y, max_subtasks=1) as context:
            if self.prefit:
                self.estimator_ = self.estimator
            else:
                fit_params = self._estimator_params(fit_params)
                estimator = clone(self._estimator())
                own = own_copy(words) if _has_steps(estimator) else words
                fit_inside(context, "fit-estimator", self, estimator, own, y, **fit_params)
                self.estimator_ = estimator
            weight = _weight_of_words(self._estimator(), fit_params)
            self._rank(self._importance(X, words, weight), neuron_std(X, weight) > 0)
        return self

    def _estimator(self):
        return LinearProbeClassifier(random_state=0) if self.estimator is None else self.estimator

    def _estimator_params(self, fit_params):
        if _routing_enabled():
            return process_routing(self, "fit", **fit_params).estimator.fit
        return fit_params

    def _importance(self, X, words, weight):
        """Weigh each neuron for each class, (n_classes, n_neurons)."""
        scalers, model = _linear_model(self.estimator_)
        for scaler in scalers:
            words = _transform_each(scaler, words)
        coef = _coef(model, X.shape[1])
        std = neuron_std(np.asarray(words) if scalers else X, weight)
        if self.scaled:
            return np.abs(coef, dtype=np.float64) * std
        _warn_of_scales(std[std > 0])
        return np.abs(coef, dtype=np.float64)

    def _target_rows(self, importance):
        """Rows of the classes to rank for."""
        if self.target is None:
            return importance
        classes = getattr(self.estimator_, "classes_", [])
        row = check_target(self.target, classes)
        _, model = _linear_model(self.estimator_)
        if len(importance) not in (1, len(classes)) or hasattr(model, "decision_function_shape"):
            raise ValueError(
                f"target={self.target!r} needs weights for each class, but those of "
                f"{type(model).__name__} compare pairs of classes."
            )
        # Two classes share one row of weights.
        return importance if len(importance) == 1 else importance[[row]]

    def _rank(self, importance, moves):
        importance = importance * moves
        total = importance.sum(axis=1, keepdims=True)
        self.class_scores_ = importance / np.where(total > 0, total, 1.0)
        importance = self._target_rows(importance)
        entry, _ = entry_mass(importance)
        self.scores_ = np.maximum(1 - entry, 0.0)
        ranking, _ = weight_mass_ordering(importance)
        self._keep_from(np.concatenate([ranking[moves[ranking]], ranking[~moves[ranking]]]))
        if self.mass is not None:
            select = top_neurons if self.order == "top" else bottom_neurons
            kept, _ = select(importance, self.mass)
        elif self.threshold is not None:
            kept, _ = threshold_neurons(importance, self.threshold)
        else:
            return
        others = self.threshold is not None and self.order == "bottom"
        self.support_ = index_mask(kept, importance.shape[1], invert=others)

    def _check_parameters(self, n_neurons, y, fit_params):
        sizes = ("n_neurons", "mass", "threshold")
        given = [name for name in sizes if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"Give one of n_neurons, mass and threshold, not {given}.")
        self._count(n_neurons)
        if self.prefit:
            self._check_prefit(fit_params)
        elif y is None:
            raise ValueError(
                f"{type(self).__name__} trains its estimator on labels: it requires y to be "
                "passed, but the target y is None."
            )
        elif self.target is not None:
            check_target(self.target, np.unique(y) if is_classifier(self._estimator()) else [])

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
        names = getattr(self, "feature_names_in_", [])
        known = getattr(self.estimator, "feature_names_in_", names)
        if len(names) and not np.array_equal(names, known):
            raise ValueError(
                f"The columns of X are not those that the estimator was fitted on: "
                f"{list(names[:3])} ... instead of {list(known[:3])} ...."
            )


def _weight_of_words(estimator, fit_params):
    """Weights that the linear model in the estimator is trained with, or None."""
    prefix, routed = "", _routing_enabled() and isinstance(estimator, Pipeline)
    while isinstance(estimator, Pipeline):
        name, estimator = estimator.steps[-1]
        prefix += f"{name}__"
    if not routed:
        return fit_params.get(f"{prefix}sample_weight")
    alias = getattr(estimator.get_metadata_routing(), "fit", None)
    alias = alias.requests.get("sample_weight") if alias is not None else None
    return fit_params.get("sample_weight" if alias is True else alias)


def _linear_model(estimator):
    """Scalers, and the linear model behind them, in Pipelines, searches and frozen estimators."""
    scalers = []
    while True:
        if isinstance(estimator, FrozenEstimator):
            estimator = estimator.estimator
        elif hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif isinstance(estimator, Pipeline):
            if len(estimator) > 1:
                scalers.append(estimator[:-1])
            estimator = estimator[-1]
        else:
            return scalers, estimator


def _has_steps(estimator) -> bool:
    """Tell whether it is, or holds, a Pipeline, whose steps may work in place."""
    return any(isinstance(each, Pipeline) for each in (estimator, *estimator.get_params().values()))


def _transform_each(scaler, words):
    """Apply steps that change each neuron by itself, as the names of the columns tell."""
    names = np.array([f"neuron_{i}" for i in range(words.shape[1])], dtype=object)
    names = np.asarray(getattr(words, "columns", names), dtype=object)
    steps = [type(step).__name__ for _, step in scaler.steps]
    try:
        out = scaler.get_feature_names_out(names)
    except AttributeError as error:
        raise TypeError(f"Of the steps {steps} before the model, one names no columns.") from error
    if not np.array_equal(out, names):
        raise TypeError(
            "The steps before the linear model must keep all neurons in their order, as scalers "
            f"do; {steps} make {len(out)} columns of {len(names)}, {out[0]!r} the first."
        )
    return scaler.transform(own_copy(words))


def _coef(model, n_neurons):
    """Weights (n_classes, n_neurons) of a linear model."""
    if not hasattr(model, "coef_"):
        raise TypeError(
            f"Ranking by weight mass needs a linear model with coef_ after fit, but "
            f"{type(model).__name__} has none."
        )
    coef = np.atleast_2d(model.coef_.toarray() if issparse(model.coef_) else model.coef_)
    if coef.shape[1] != n_neurons:
        raise ValueError(
            f"The estimator has weights for {coef.shape[1]} neurons, but X has {n_neurons}."
        )
    return coef


def _warn_of_scales(std):
    """Warn where weights of neurons cannot be compared."""
    low, high = np.quantile(std, [0.1, 0.9]) if len(std) else (1.0, 1.0)
    if high > _COMPARABLE * low:
        warn(
            "WeightMassSelector(scaled=False) ranks the weights of neurons that differ in scale: "
            f"a tenth have a standard deviation below {low:.2g}, a tenth above {high:.2g}. Those "
            "of small scale get large weights; standardise the neurons, or take scaled=True, the "
            "default.",
        )
