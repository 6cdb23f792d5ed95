"""The fitted attributes of the estimators of scikit-learn, which a probe may be combined with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

SYMMETRY = 1e-8  # largest difference of a covariance from its transpose, relative to the largest


class RefusalError(ValueError):
    """A reason not to load a file, in our words. Errors of other libraries are quoted instead."""


def require(estimator: BaseEstimator, name: str, condition: Any, problem: str) -> None:
    """Raise an error that names the attribute, unless the condition is true."""
    if not condition:
        raise RefusalError(f"the attribute {name} of {type(estimator).__name__} {problem}")


def check_search(estimator: Any, state: dict[str, Any]) -> None:
    """Check the table of a search, and its best row."""
    columns = state["cv_results_"]
    is_table = isinstance(columns, dict) and all(
        isinstance(column, np.ndarray | list) for column in columns.values()
    )
    lengths = {len(column) for column in columns.values()} if is_table else set()
    require(estimator, "cv_results_", len(lengths) == 1, "must be a dict of columns of one length")
    best = state.get("best_index_", 0)
    is_row = isinstance(best, int | np.integer) and 0 <= best < max(lengths)
    require(estimator, "best_index_", is_row, f"must be a row of cv_results_, got {best!r:.40}")


def _check_coef(estimator: Any, state: dict[str, Any]) -> None:
    coef, width = state["coef_"], state.get("n_features_in_")
    if not isinstance(coef, np.ndarray) or width is None:
        return
    fits = coef.ndim in (1, 2) and coef.shape[-1] == width
    require(estimator, "coef_", fits, f"must have {width} columns, got shape {coef.shape}")
    shape, n_rows = np.shape(state.get("intercept_", 0.0)), coef.shape[0] if coef.ndim == 2 else 1
    fits = shape in ((), (n_rows,))
    require(estimator, "intercept_", fits, f"must have shape ({n_rows},) or (), got {shape}")


def _check_covariance(name: str) -> Callable[[Any, dict[str, Any]], None]:
    def check(estimator: Any, state: dict[str, Any]) -> None:
        value, width = state[name], state.get("n_features_in_")
        kind = getattr(estimator, "covariance_type", "full")
        if kind in ("full", "tied") and isinstance(value, np.ndarray):
            fits = value.ndim in (2, 3) and value.shape[-2:] == (width, width)
            require(estimator, name, fits, f"must be matrices of {width} rows and columns")
            for matrix in value if value.ndim == 3 else [value]:
                require(estimator, name, _is_semidefinite(matrix), "must be positive semidefinite")

    return check


def _is_semidefinite(matrix: NDArray) -> bool:
    largest = np.abs(matrix).max(initial=0)
    close = np.abs(matrix - matrix.T).max(initial=0) <= SYMMETRY * largest
    return bool(close and np.linalg.eigvalsh(matrix).min(initial=0) >= -1e-6 * largest)


def _check_scaler(name: str) -> Callable[[Any, dict[str, Any]], None]:
    def check(estimator: Any, state: dict[str, Any]) -> None:
        value, width = state[name], state.get("n_features_in_")
        if type(estimator).__module__.startswith("sklearn.preprocessing") and np.ndim(value):
            fits = np.shape(value) == (width,)
            require(estimator, name, fits, f"must have shape ({width},), got {np.shape(value)}")
            if name == "scale_":
                require(estimator, name, np.all(value != 0), "must not contain 0")
            if hasattr(estimator, "with_std") and "n_samples_seen_" in state:
                # A column without any values has neither a mean nor a scale.
                is_known = np.broadcast_to(state["n_samples_seen_"], np.shape(value)) > 0
                numbers = not np.isnan(np.asarray(value)[is_known]).any()
                require(estimator, name, numbers, "must not contain NaN")

    return check


def _check_last_axis(estimator: Any, state: dict[str, Any]) -> None:
    components, width = state["components_"], state.get("n_features_in_")
    if isinstance(components, np.ndarray) and width is not None:
        fits = components.ndim == 2 and components.shape[1] == width
        shape = components.shape
        require(estimator, "components_", fits, f"must have {width} columns, got shape {shape}")


def _check_naive_bayes(estimator: Any, state: dict[str, Any]) -> None:
    shape = (len(state["classes_"]), state["n_features_in_"])
    for name in ("theta_", "var_"):
        value: Any = state.get(name)
        fits = isinstance(value, np.ndarray) and value.shape == shape
        require(estimator, name, fits, f"must have shape {shape}, got {np.shape(value)}")
    usable = np.isfinite(state["var_"]).all() and (state["var_"] >= 0).all()
    require(estimator, "var_", usable, "must contain finite numbers that are not negative")


def _check_mixture(estimator: Any, state: dict[str, Any]) -> None:
    weights: Any = state.get("weights_")
    factors = state["precisions_cholesky_"]
    is_vector = isinstance(weights, np.ndarray) and weights.ndim == 1
    is_share = is_vector and (weights >= 0).all() and abs(weights.sum() - 1) < 1e-6
    require(estimator, "weights_", is_share, "must not be negative and sum to 1")
    n, width = len(weights), state.get("n_features_in_")
    shapes = {
        "full": (n, width, width),
        "tied": (width, width),
        "diag": (n, width),
        "spherical": (n,),
    }
    for name, shape in (
        ("means_", (n, width)),
        ("precisions_cholesky_", shapes.get(estimator.covariance_type)),
    ):
        got = np.shape(state.get(name, ()))
        require(estimator, name, got == shape, f"must have shape {shape}, got {got}")
    scales = factors
    if estimator.covariance_type in ("full", "tied"):
        scales = np.diagonal(factors, axis1=-2, axis2=-1)
        is_upper = not np.tril(factors, -1).any()
        require(estimator, "precisions_cholesky_", is_upper, "must be upper triangular")
    require(estimator, "precisions_cholesky_", (scales > 0).all(), "must have a positive diagonal")


def _check_scalings(estimator: Any, state: dict[str, Any]) -> None:
    scalings = state["scalings_"]
    if isinstance(scalings, list):  # of quadratic discriminant analysis; otherwise a matrix
        n_classes = len(state["classes_"])
        fits = len(scalings) == n_classes and all(np.ndim(each) == 1 for each in scalings)
        require(estimator, "scalings_", fits, f"must be vectors of {n_classes} classes")
        positive = all((each >= 0).all() for each in scalings)
        require(estimator, "scalings_", positive, "must not be negative")


# Checks of one attribute, or of several that belong together.
CHECKS_OF_OTHERS: dict[str, Callable[[Any, dict[str, Any]], None]] = (
    {
        "cv_results_": check_search,
        "coef_": _check_coef,
        "components_": _check_last_axis,
        "theta_": _check_naive_bayes,
        "precisions_cholesky_": _check_mixture,
        "scalings_": _check_scalings,
    }
    | {name: _check_covariance(name) for name in ("covariance_", "covariances_")}
    | {name: _check_scaler(name) for name in ("mean_", "scale_", "var_", "center_", "min_")}
)
