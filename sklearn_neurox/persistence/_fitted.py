"""The fitted attributes of a loaded estimator, which must agree with each other.

A file can contain any numbers. Those that no fit returns would fail in the middle of a prediction,
or change its result without an error.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import is_valid_linkage
from sklearn.base import BaseEstimator, is_classifier
from sklearn.feature_selection import SelectorMixin

from .._batch_sums import BatchSums
from ..interventions import NeuronAblator
from ..neurons import (
    AveragePrecisionSelector,
    CorrelationClustering,
    GaussianSelector,
    IndependentNeuronSelector,
    ProbelessSelector,
    RandomSelector,
    VotingSelector,
    WeightMassSelector,
)
from ..probes import GaussianProbeClassifier, LinearProbeClassifier, LinearProbeRegressor
from ._fitted_others import CHECKS_OF_OTHERS, SYMMETRY, RefusalError, check_search, require
from ._fitted_sums import check_solver_state, check_sums
from ._parts import parts

_STATE_SIZE = 624  # numbers in the state of the Mersenne Twister
# Sizes that are part of a shape, besides numbers. None is any size.
_Size = str | int | None
# Kinds of dtype and shape of the attributes that our estimators have in common.
_ARRAYS: dict[str, tuple[str, tuple[_Size, ...]]] = {
    "ablated_": ("b", ("n_neurons",)),
    "bits_": ("f", (None,)),
    "class_prior_": ("f", ("n_classes",)),
    "class_signs_": ("i", ("n_classes", "n_neurons")),
    "covariances_": ("f", ("n_classes", "n_neurons", "n_neurons")),
    "labels_": ("i", ("n_neurons",)),
    "linkage_matrix_": ("f", ("n_merges", 4)),
    "loss_curve_": ("f", (None,)),
    "means_": ("f", ("n_classes", "n_neurons")),
    "ranking_": ("i", ("n_neurons",)),
    "representatives_": ("i", ("n_clusters",)),
    "scores_": ("fi", ("n_neurons",)),
    "signs_": ("i", ("n_neurons",)),
    "support_": ("b", ("n_neurons",)),
}
# Attributes that each fit sets.
_REQUIRED: dict[type, set[str]] = {
    LinearProbeClassifier: {"coef_", "intercept_", "classes_"},
    LinearProbeRegressor: {"coef_", "intercept_"},
    GaussianProbeClassifier: {"classes_", "class_prior_", "means_", "covariances_"},
    SelectorMixin: {"support_"},
    ProbelessSelector: {"ranking_", "scores_", "class_scores_", "classes_"},
    AveragePrecisionSelector: {"ranking_", "scores_", "class_scores_", "class_signs_", "classes_"},
    GaussianSelector: {"ranking_", "scores_", "bits_", "classes_"},
    WeightMassSelector: {"ranking_", "scores_", "class_scores_", "estimator_"},
    VotingSelector: {"ranking_", "scores_", "selectors_"},
    RandomSelector: {"ranking_"},
    IndependentNeuronSelector: {"clustering_"},
    CorrelationClustering: {
        "labels_", "n_clusters_", "linkage_matrix_", "representatives_", "signs_",
    },
    NeuronAblator: {"ablated_"},
}  # fmt: skip
# Attributes whose values are finite in each fit.
_FINITE = {
    "class_prior_", "cluster_centers_", "coef_", "coefs_", "components_", "covariances_", "fill_",
    "intercept_", "intercepts_", "means_", "precisions_", "precisions_cholesky_", "rotations_",
    "scalings_", "theta_", "weights_",
}  # fmt: skip
# Attributes in which probes compute, and which are therefore float32 or float64.
_COMPUTED = {"class_prior_", "coef_", "covariances_", "intercept_", "means_"}


def check_fitted(estimator: BaseEstimator) -> None:
    """Check the fitted attributes of an estimator and of all estimators that it contains.

    Raises
    ------
    ValueError
        If an attribute is missing, has another shape or dtype than ``fit`` gives it, or contains
        values that no fit returns. The message names the first one.
    """
    for part in parts(estimator):
        if isinstance(part, np.random.RandomState):
            _check_random_state(part)
        elif isinstance(part, BaseEstimator):
            _check_estimator(part)


def _check_estimator(estimator: BaseEstimator) -> None:
    state = estimator.__getstate__()
    _check_width(estimator, state)
    own = type(estimator).__module__.partition(".")[0] == __package__.partition(".")[0]
    if isinstance(estimator, tuple(_REQUIRED)) and own:
        _check_complete(estimator, state)
    for name, value in state.items():
        if name == "classes_" and (own or is_classifier(estimator)):
            _check_classes(estimator, value)
        if own and name in _ARRAYS:
            _check_array(estimator, name, value)
        if name in _FINITE:
            _check_finite(estimator, name, value)
        if own and name in _COMPUTED and isinstance(value, np.ndarray | np.generic):
            is_usual = value.dtype.kind != "f" or value.dtype in (np.float32, np.float64)
            require(
                estimator, name, is_usual, f"must be float32 or float64, got dtype {value.dtype}"
            )
    for name, check in (_CHECKS if own else CHECKS_OF_OTHERS).items():
        if state.get(name) is not None:
            check(estimator, state)


def _check_finite(estimator: BaseEstimator, name: str, value: Any) -> None:
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, np.ndarray | np.generic) and each.dtype.kind in "fc":
            is_plain = not isinstance(each, np.ma.MaskedArray)
            require(estimator, name, is_plain, "must be an array, got a masked array")
            is_finite = np.isfinite(each).all()
            require(estimator, name, is_finite, "must not contain NaN or infinity")


def _check_random_state(random_state: np.random.RandomState) -> None:
    state = random_state.get_state(legacy=False)["state"]
    # NumPy reads outside the state without a check.
    if "pos" in state and not 0 <= state["pos"] <= _STATE_SIZE:
        raise RefusalError(f"the position of a RandomState is {state['pos']} of {_STATE_SIZE}")


def _check_width(estimator: BaseEstimator, state: dict[str, Any]) -> None:
    width, names = state.get("n_features_in_"), state.get("feature_names_in_")
    if "n_features_in_" not in state and names is None:
        return
    is_count = isinstance(width, int | np.integer) and type(width) is not bool and width > 0
    require(estimator, "n_features_in_", is_count, f"must be a positive integer, got {width!r:.80}")
    if names is not None:
        is_array = isinstance(names, np.ndarray) and names.shape == (width,)
        is_text = is_array and all(isinstance(name, str) for name in names.tolist())
        require(estimator, "feature_names_in_", is_text, f"must be an array of {width} strings")


def _check_complete(estimator: BaseEstimator, state: dict[str, Any]) -> None:
    """Check that a fitted estimator has all attributes that ``fit`` sets, or sums."""
    computed = (
        estimator._computed() if "_sums" in state and isinstance(estimator, BatchSums) else ()
    )
    if not getattr(estimator, "refit", True):  # a search without a model
        return
    for kind, names in _REQUIRED.items():
        expected = {"n_features_in_", *names}
        if isinstance(estimator, kind) and expected & state.keys():
            for name in sorted(expected.difference(computed)):
                require(estimator, name, name in state, "is missing, although others are fitted")


def _check_classes(estimator: BaseEstimator, classes: Any) -> None:
    problem = "must be a vector of distinct classes in ascending order"
    if isinstance(classes, list):
        return  # one array for each output
    is_vector = isinstance(classes, np.ndarray) and classes.ndim == 1 and len(classes) >= 1
    require(estimator, "classes_", is_vector, problem)
    try:
        ascending = bool(np.all(classes[:-1] < classes[1:])) and bool(np.all(classes == classes))
    except TypeError:  # such as a string and a number
        ascending = False
    require(estimator, "classes_", ascending, problem)


def _sizes(estimator: Any) -> dict[str, Any]:
    width = getattr(estimator, "n_features_in_", None)
    return {
        "n_neurons": width,
        "n_merges": None if width is None else width - 1,
        "n_classes": len(estimator.classes_) if hasattr(estimator, "classes_") else None,
        "n_clusters": getattr(estimator, "n_clusters_", None),
    }


def _check_array(estimator: BaseEstimator, name: str, value: Any) -> None:
    kinds, sizes = _ARRAYS[name]
    known = _sizes(estimator)
    shape = tuple(known[size] if isinstance(size, str) else size for size in sizes)
    _check_shape(estimator, name, value, kinds, shape)


def _check_shape(
    estimator: BaseEstimator, name: str, value: Any, kinds: str, shape: tuple[int | None, ...]
) -> None:
    is_array = isinstance(value, np.ndarray) and value.dtype.kind in kinds
    is_array = is_array and not isinstance(value, np.ma.MaskedArray)
    what = {"b": "booleans", "i": "integers", "f": "floats"}
    require(estimator, name, is_array, f"must be an array of {' or '.join(what[k] for k in kinds)}")
    fits = len(value.shape) == len(shape) and all(
        size is None or size == got for size, got in zip(shape, value.shape, strict=True)
    )
    expected = str(tuple("any" if size is None else size for size in shape)).replace("'", "")
    require(estimator, name, fits, f"must have shape {expected}, got {value.shape}")


def _check_coef(estimator: Any, state: dict[str, Any]) -> None:
    coef, width = state["coef_"], state["n_features_in_"]
    if is_classifier(estimator):
        n_classes = len(state["classes_"])
        rows: tuple[int | None, ...] = (1 if n_classes == 2 else n_classes,)
        require(estimator, "classes_", n_classes >= 2, "must contain at least two classes")
    else:
        rows = () if np.ndim(coef) == 1 else (None,)
    _check_shape(estimator, "coef_", coef, "f", (*rows, width))
    shape, intercept = coef.shape[:-1], state.get("intercept_", np.zeros(coef.shape[:-1]))
    fits = np.shape(intercept) == shape and np.asarray(intercept).dtype.kind == "f"
    require(estimator, "intercept_", fits, f"must be a float array of shape {shape}")


def _check_prior(estimator: Any, state: dict[str, Any]) -> None:
    prior = state["class_prior_"]
    is_prior = (prior > 0).all() and abs(prior.sum() - 1) < 1e-6
    require(estimator, "class_prior_", is_prior, "must be positive and sum to 1")


def _check_gaussians(estimator: Any, state: dict[str, Any]) -> None:
    covariances = state["covariances_"]
    constant = covariances[0].diagonal() == 0
    still = not covariances[:, constant].any() and not covariances[:, :, constant].any()
    require(estimator, "covariances_", still, "must be 0 for constant neurons in all classes")
    moving = covariances[:, ~constant][:, :, ~constant]
    for c, covariance in enumerate(moving):
        require(
            estimator,
            f"covariances_[{c}]",
            _is_covariance(covariance),
            "must be symmetric and positive definite",
        )
    # Fit bounds the distances of the means by the variances, so densities between them are not 0.
    center = state["means_"].mean(axis=0, keepdims=True)
    nameless = copy(estimator)
    vars(nameless).pop("feature_names_in_", None)  # the center has no names
    with np.errstate(all="ignore"):
        is_usable = np.isfinite(center).all() and np.isfinite(nameless.predict_proba(center)).all()
    require(estimator, "covariances_", is_usable, "must have variances on the scale of the means")


def _is_covariance(matrix: NDArray) -> bool:
    if not np.abs(matrix - matrix.T).max(initial=0) <= SYMMETRY * np.abs(matrix).max(initial=0):
        return False
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return False
    return True


def _check_ranking(estimator: Any, state: dict[str, Any]) -> None:
    ranking = state["ranking_"]
    is_order = np.array_equal(np.sort(ranking), np.arange(len(ranking)))
    require(estimator, "ranking_", is_order, "must contain each neuron once")


def _check_class_scores(estimator: Any, state: dict[str, Any]) -> None:
    sizes = _sizes(estimator)
    shape = (sizes["n_classes"], sizes["n_neurons"])
    _check_shape(estimator, "class_scores_", state["class_scores_"], "f", shape)


def _check_clusters(estimator: Any, state: dict[str, Any]) -> None:
    labels, representatives = state["labels_"], state["representatives_"]
    clusters = np.arange(len(representatives))
    numbered = np.array_equal(np.unique(labels), clusters)
    require(estimator, "labels_", numbered, f"must contain each of {len(clusters)} clusters")
    inside = (representatives >= 0) & (representatives < len(labels))
    are_own = inside.all() and np.array_equal(labels[representatives], clusters)
    require(estimator, "representatives_", are_own, "must contain one neuron of each cluster")
    require(estimator, "signs_", np.isin(state["signs_"], [-1, 1]).all(), "must be 1 or -1")
    is_tree = is_valid_linkage(state["linkage_matrix_"])
    require(estimator, "linkage_matrix_", is_tree, "must be a linkage of all neurons")


def _check_fill(estimator: Any, state: dict[str, Any]) -> None:
    rows = {"mean": (), "resample": (None,)}.get(estimator.mode)
    if rows is not None:
        n_ablated = int(state["ablated_"].sum())
        _check_shape(estimator, "fill_", state["fill_"], "f", (*rows, n_ablated))
        require(estimator, "fill_", estimator.mode == "mean" or len(state["fill_"]), "has no rows")


def _check_mode(estimator: Any, state: dict[str, Any]) -> None:
    is_filled = estimator.mode in ("zero", "remove") or "fill_" in state
    require(estimator, "fill_", is_filled, f"is missing, although mode is {estimator.mode!r:.40}")
    seed = state.get("_seed", 0)
    is_seed = (
        isinstance(seed, int)
        and 0 <= seed < 2**32
        and ("_seed" in state or estimator.mode != "resample")
    )
    require(estimator, "_seed", is_seed, "must be an integer from 0 to 2**32 - 1")


def _check_inner(name: str) -> Callable[[Any, dict[str, Any]], None]:
    def check(estimator: Any, state: dict[str, Any]) -> None:
        width = state.get("n_features_in_")
        for each in state[name] if isinstance(state[name], list) else [state[name]]:
            require(estimator, name, isinstance(each, BaseEstimator), "must be an estimator")
            inner = getattr(each, "n_features_in_", width)
            require(estimator, name, inner == width, f"was fitted on {inner} neurons, not {width}")

    return check


# Checks of one attribute, or of several that belong together, in the order of their keys. They run
# after the shapes are checked.
_CHECKS: dict[str, Callable[[Any, dict[str, Any]], None]] = {
    "coef_": _check_coef,
    "class_prior_": _check_prior,
    "covariances_": _check_gaussians,
    "ranking_": _check_ranking,
    "class_scores_": _check_class_scores,
    "labels_": _check_clusters,
    "ablated_": _check_mode,
    "fill_": _check_fill,
    "cv_results_": check_search,
    "_sums": check_sums,
    "_state": check_solver_state,
} | {name: _check_inner(name) for name in ("estimator_", "clustering_", "selectors_")}
