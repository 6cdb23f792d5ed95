"""Selection by the weights of a linear model."""

from __future__ import annotations

from numbers import Real
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import (
    BaseEstimator,
    MetaEstimatorMixin,
    clone,
    is_classifier,
)
from sklearn.callback import CallbackContext
from sklearn.exceptions import NotFittedError
from sklearn.utils import Tags
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    _routing_enabled,
    process_routing,
)
from sklearn.utils.validation import check_is_fitted

from .._callbacks import fit_inside
from .._indices import index_mask
from .._labels import check_class_labels, check_target, check_targets
from .._moments import neuron_std
from .._row_copies import own_copy
from .._validation import (
    fit_context,
    validate_activations,
    validate_data,
    validate_samples,
)
from .._warnings import warn
from .._weights import check_sample_weight
from ..probes import LinearProbeClassifier, LinearProbeRegressor
from .estimator_contents import (
    coef_of,
    contains_pipeline,
    linear_model_of,
    sample_weight_of,
    scale_neurons,
)
from .ranking_selector import FitCall, RankingSelector
from .weight_mass import (
    bottom_neurons,
    entry_mass,
    threshold_neurons,
    top_neurons,
    weight_mass_ordering,
)

_PROBES = (LinearProbeClassifier, LinearProbeRegressor)
# Weights can be compared if the standard deviations of the neurons are within this ratio.
_COMPARABLE = 2.0
_BITS = 38  # of a weight; the weights of equal neurons differ by the rounding of a solver


class WeightMassSelector(MetaEstimatorMixin, RankingSelector, ranking="weight-mass"):
    """Keep the neurons that hold the weight mass of a linear model.

    The neurons are ranked as in [1]_. The model is trained in ``fit``, so the ranking never uses
    the test samples of cross-validation.

    Parameters
    ----------
    estimator : estimator with ``coef_`` after ``fit``, default=None
        Any linear model: a linear probe, LogisticRegression, LinearSVC or Ridge. It may be wrapped
        in a search, whose best estimator is used, or be the last step of a Pipeline whose other
        steps scale each neuron. The neurons are then ranked by their weights after scaling, and the
        selected columns are not scaled. If None, use ``LinearProbeClassifier(random_state=0)``.
    standardize : bool, default=False
        Whether to train a linear probe of this package with ``standardize=True``: its penalties
        apply to the weights of standardized neurons, as behind a ``StandardScaler``, but X is not
        copied. For any other model, put a ``StandardScaler`` before it in a Pipeline.
    n_neurons : int or float, default=None
        Number of neurons to keep. If a float in [0, 1], fraction of the neurons to keep, rounded to
        the nearest number of neurons. If None, keep all neurons and only compute ``ranking_``.
    mass : float in [0, 1], default=None
        Keep the smallest sets of neurons that hold this share of the weight mass of each class.
    threshold : float in [0, 1], default=None
        Keep the neurons whose weight exceeds this share of the largest weight of a class. At
        most one of `n_neurons`, `mass` and `threshold` can be set.
    scaled : bool, default=True
        Whether to rank by ``|coef| * std(X)`` instead of ``|coef|``. The size of a weight depends
        on the scale of its neuron: on unscaled activations, raw weights favor neurons of small
        variance. If False, a warning is issued if the scales differ. ``|coef| * std(X)`` is the
        size of the weight of the standardized neuron.
    order : {"top", "bottom"}, default="top"
        Whether to keep the neurons at the top or at the bottom of the ranking.
    target : label, default=None
        Class to rank the neurons for. If None, rank them for all classes.
    prefit : bool, default=False
        Whether `estimator` is already fitted. If True, it is used without training it again.

    Attributes
    ----------
    ranking_ : ndarray of int of shape (n_neurons,)
        Neurons, ordered from most to least important. Ties are broken by index; constant neurons
        come last.
    scores_ : ndarray of shape (n_neurons,)
        One minus the weight mass of all larger weights, in the class where the neuron ranks
        highest. It is 1 for the first neuron of a class and 0 for a neuron without weight.
    class_scores_ : ndarray of shape (n_classes, n_neurons)
        Weight mass of each neuron. Each row sums to 1, or is 0 for a class without weights. There
        are as many rows as in ``coef_``: one for two classes, one for each output of a regressor.
    estimator_ : estimator
        The fitted estimator.
    support_ : ndarray of bool of shape (n_neurons,)
        Which neurons are kept.
    n_features_in_ : int
        Number of neurons seen during ``fit``.
    feature_names_in_ : ndarray of shape (n_neurons,)
        Names of the neurons seen during ``fit``. Defined only if X has names that are all strings.

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
    >>> from sklearn_neurox import LinearProbeClassifier, WeightMassSelector
    >>> X, y = load_digits(return_X_y=True)
    >>> probe = LinearProbeClassifier(lambda_l1=3e-3, solver="owlqn")
    >>> WeightMassSelector(probe, standardize=True, n_neurons=20).fit_transform(X, y).shape
    (1797, 20)
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods("fit"), None],
        "standardize": ["boolean"],
        **RankingSelector._parameter_constraints,
        "mass": [Interval(Real, 0, 1, closed="both"), None],
        "threshold": [Interval(Real, 0, 1, closed="both"), None],
        "scaled": ["boolean"],
        "target": "no_validation",
        "prefit": ["boolean"],
    }

    def __init__(
        self,
        estimator: BaseEstimator | None = None,
        *,
        standardize: bool = False,
        n_neurons: int | float | None = None,
        mass: float | None = None,
        threshold: float | None = None,
        scaled: bool = True,
        order: Literal["top", "bottom"] = "top",
        target: Any = None,
        prefit: bool = False,
    ) -> None:
        self.estimator = estimator
        self.standardize = standardize
        self.n_neurons = n_neurons
        self.mass = mass
        self.threshold = threshold
        self.scaled = scaled
        self.order = order
        self.target = target
        self.prefit = prefit

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = not self.prefit
        return tags

    def get_metadata_routing(self) -> MetadataRouter:
        """Get the metadata routing of this selector.

        Returns
        -------
        MetadataRouter
            Routes the metadata of ``fit`` to the ``fit`` of the estimator, unless it is fitted.
        """
        router = MetadataRouter(owner=self)
        if self.prefit:
            return router
        return router.add(
            estimator=self._estimator(),
            method_mapping=MethodMapping().add(caller="fit", callee="fit"),
        )

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: ArrayLike, y: ArrayLike | None = None, **fit_params: Any) -> Self:
        """Train the linear model and rank the neurons by its weights.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_neurons)
            Activations. The linear probes of this package read a float16 array in chunks. For any
            other model, it is copied as float32.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Labels or numbers. Not required if `prefit` is True.
        **fit_params : dict
            Parameters passed to the ``fit`` of the estimator. If metadata routing is enabled, they
            are routed.

        Returns
        -------
        self : WeightMassSelector
            Fitted selector.

        Raises
        ------
        ValueError
            If more than one of `n_neurons`, `mass` and `threshold` is set, `n_neurons` exceeds
            the number of neurons, `target` is not a class, `standardize` is True for a model that
            is not a linear probe of this package, or X contains NaN or infinity.
        TypeError
            If the fitted estimator does not have ``coef_``.
        """
        return self._fit(X, y, fit_params, n_fits=1)

    def _validate(self, X: ArrayLike, y: ArrayLike | None) -> tuple[NDArray, Any]:
        model = self._estimator()
        if isinstance(model, _PROBES):  # they read float16 in chunks
            validate, options = validate_activations, {}
        else:
            is_float16 = getattr(X, "dtype", None) == np.float16  # which others do not compute in
            dtype = np.float32 if is_float16 else [np.float64, np.float32]
            validate, options = validate_data, {"dtype": dtype}
        if self.prefit:
            return validate(self, X, **options), y
        check = check_class_labels if is_classifier(model) else check_targets
        return validate_samples(self, X, y, check, **options)

    def _check_counts(self, available: int) -> None:
        sizes = ("n_neurons", "mass", "threshold")
        given = [name for name in sizes if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(
                f"At most one of n_neurons, mass and threshold can be set, got {given}."
            )
        super()._check_counts(available)

    def _rank(self, X: NDArray, y: Any, call: FitCall) -> NDArray[np.intp]:
        samples = (
            call.X if hasattr(self, "feature_names_in_") else X
        )  # with its column names, if any
        fit_params, weight = call.params, None
        if self.prefit:
            self._check_prefit(fit_params)
            self.estimator_ = self.estimator
        else:
            if self.target is not None:
                has_classes = is_classifier(self._estimator())
                check_target(self.target, np.unique(y) if has_classes else [])
            fit_params = self._estimator_params(fit_params)
            weight = sample_weight_of(self._estimator(), fit_params)
            if weight is not None:
                weight = check_sample_weight(weight, len(X))
            self.estimator_ = self._train(samples, y, call.task, fit_params)
        std = neuron_std(X, weight)
        varies = std > 0
        importance = _to_bits(self._importance(samples, std, weight)) * varies
        total = importance.sum(axis=1, keepdims=True)
        self.class_scores_ = importance / np.where(total > 0, total, 1.0)
        importance = self._of_target(importance)
        entry, _ = entry_mass(importance)
        self.scores_ = np.maximum(1 - entry, 0.0)
        ranking, _ = weight_mass_ordering(importance)
        return np.concatenate([ranking[varies[ranking]], ranking[~varies[ranking]]])

    def _support(self, ranking: NDArray[np.intp]) -> NDArray[np.bool_]:
        importance = self._of_target(self.class_scores_)
        if self.mass is not None:
            select = top_neurons if self.order == "top" else bottom_neurons
            return index_mask(select(importance, self.mass)[0], len(ranking))
        if self.threshold is not None:
            kept, _ = threshold_neurons(importance, self.threshold)
            return index_mask(kept, len(ranking), invert=self.order == "bottom")
        return super()._support(ranking)

    def _estimator(self) -> BaseEstimator:
        model = LinearProbeClassifier(random_state=0) if self.estimator is None else self.estimator
        if not self.standardize or self.prefit:
            return model
        if not isinstance(model, _PROBES):
            raise ValueError(
                "standardize=True requires a linear probe of this package as the estimator, got "
                f"{type(model).__name__}. Set standardize=False, and put a StandardScaler before "
                "the linear model in a Pipeline."
            )
        return clone(model).set_params(standardize=True)

    def _estimator_params(self, fit_params: dict[str, Any]) -> dict[str, Any]:
        if _routing_enabled():
            return process_routing(self, "fit", **fit_params).estimator.fit
        return fit_params

    def _train(
        self, samples: Any, y: ArrayLike, task: CallbackContext, fit_params: dict[str, Any]
    ) -> BaseEstimator:
        estimator = clone(self._estimator())
        own = own_copy(samples) if contains_pipeline(estimator) else samples
        return fit_inside(task, "fit-estimator", self, estimator, own, y, **fit_params)

    def _importance(
        self, samples: Any, std: NDArray[np.float64], weight: ArrayLike | None
    ) -> NDArray[np.float64]:
        """Return the importance of each neuron for each class, of shape (n_classes, n_neurons).

        `std` contains the standard deviations of the neurons before scalers in a Pipeline.
        """
        scalers, model = linear_model_of(self.estimator_)
        for scaler in scalers:
            samples = scale_neurons(scaler, samples)
        coef = coef_of(model, len(std))
        if scalers:
            std = neuron_std(np.asarray(samples), weight)
        if self.scaled:
            return np.abs(coef, dtype=np.float64) * std
        _warn_of_scales(std[std > 0])
        return np.abs(coef, dtype=np.float64)

    def _of_target(self, importance: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the rows of the classes that the neurons are ranked for."""
        if self.target is None:
            return importance
        classes = getattr(self.estimator_, "classes_", [])
        row = check_target(self.target, classes)
        _, model = linear_model_of(self.estimator_)
        if len(importance) not in (1, len(classes)) or hasattr(model, "decision_function_shape"):
            raise ValueError(
                f"target={self.target!r} requires one row of weights for each class, but the "
                f"weights of {type(model).__name__} compare pairs of classes."
            )
        # Two classes share one row of weights.
        return importance if len(importance) == 1 else importance[[row]]

    def _check_prefit(self, fit_params: dict[str, Any]) -> None:
        if self.estimator is None:
            raise ValueError("prefit=True requires a fitted estimator, got None.")
        if self.standardize:
            raise ValueError(
                "prefit=True does not train the estimator, so standardize=True cannot be used."
            )
        if fit_params:
            raise ValueError(
                f"prefit=True does not train the estimator, so {list(fit_params)} cannot be used."
            )
        try:
            check_is_fitted(self.estimator)
        except NotFittedError as error:
            raise NotFittedError(
                "prefit=True requires a fitted estimator, but this "
                f"{type(self.estimator).__name__} is not fitted. Cross-validation clones "
                "estimators, and a clone is not fitted: use "
                "sklearn.frozen.FrozenEstimator(estimator) instead of prefit=True."
            ) from error
        names = getattr(self, "feature_names_in_", [])
        known = getattr(self.estimator, "feature_names_in_", names)
        if len(names) and not np.array_equal(names, known):
            raise ValueError(
                "The columns of X must be those that the estimator was fitted on, "
                f"{list(known[:3])} ..., got {list(names[:3])} ...."
            )


def _warn_of_scales(std: NDArray[np.float64]) -> None:
    """Warn if the weights of neurons cannot be compared."""
    low, high = np.quantile(std, [0.1, 0.9]) if len(std) else (1.0, 1.0)
    if high > _COMPARABLE * low:
        warn(
            "WeightMassSelector(scaled=False) ranks the weights of neurons that differ in scale: "
            f"10% of them have a standard deviation below {low:.2g}, and 10% above {high:.2g}. "
            "Neurons of small scale have large weights. Standardize the neurons, or use "
            "scaled=True, the default."
        )


def _to_bits(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round weights to some bits, so that the rounding of a solver does not rank equal neurons."""
    mantissa, exponent = np.frexp(weights)
    return np.ldexp(np.round(np.ldexp(mantissa, _BITS)), exponent - _BITS)
