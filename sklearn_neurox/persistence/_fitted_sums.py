"""What a loaded estimator continues from: sums over batches, and the state of a solver."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._fitted_others import SYMMETRY, require

# Shapes of the sums, in which "wide" is the number of neurons and outputs.
_Shapes = dict[str, tuple[str, ...] | None]
_OF_CLASSES: _Shapes = {
    "size": ("n_classes",),
    "means": ("n_classes", "n_neurons"),
    "low": ("n_neurons",),
    "high": ("n_neurons",),
    "scatter": None,
}
_OF_MOMENTS: _Shapes = {"products": ("1 + wide", "1 + wide"), "origin": ("wide",)}
_OF_REGRESSION: _Shapes = _OF_MOMENTS | {"low": ("n_neurons",), "high": ("n_neurons",)}


def check_sums(estimator: Any, state: dict[str, Any]) -> None:
    """Check the sums that ``partial_fit`` adds to.

    Raises
    ------
    ValueError
        If they are not those of any samples.
    """
    sums, width = state["_sums"], state["n_features_in_"]
    seen = state.get("n_samples_seen_")
    is_count = isinstance(seen, int) and type(seen) is not bool and seen > 0
    require(estimator, "n_samples_seen_", is_count, f"must be a positive integer, got {seen!r:.80}")
    expected = [_OF_CLASSES, _OF_MOMENTS, _OF_REGRESSION]
    names = next((each for each in expected if each.keys() == _keys(sums)), None)
    require(estimator, "_sums", names is not None, f"must not be {sorted(_keys(sums))}")
    assert names is not None
    sizes = {"n_neurons": width, "n_classes": len(state.get("classes_", [0]))}
    sizes["wide"] = len(np.atleast_1d(sums["origin"])) if "origin" in sums else 0
    sizes["1 + wide"] = 1 + sizes["wide"]
    for name, shape in names.items():
        array = sums[name]
        kinds = "floats of the dtype of X" if name in ("low", "high") else "float64"
        is_right = isinstance(array, np.ndarray) and not isinstance(array, np.ma.MaskedArray)
        is_right = is_right and array.dtype.kind == "f" and np.isfinite(array).all()
        is_right = is_right and (name in ("low", "high") or array.dtype == np.float64)
        require(estimator, f"_sums[{name!r}]", is_right, f"must be an array of finite {kinds}")
        if shape is not None:
            fits = array.shape == tuple(sizes[size] for size in shape)
            require(estimator, f"_sums[{name!r}]", fits, f"must not have shape {array.shape}")
    if "scatter" in sums:
        shapes = [(0,), (width,), (width, width), (sizes["n_classes"], width, width)]
        fits = sums["scatter"].shape in shapes and (sums["size"] >= 0).all() and sums["size"].any()
        require(estimator, "_sums", fits, "must be the moments of samples")
    else:
        n_outputs = sizes["wide"] - width
        require(estimator, "_sums", n_outputs >= 0, f"must be moments of {width} neurons")
    matrix = sums.get("scatter", sums.get("products"))
    if matrix.ndim > 1:
        off = np.abs(matrix - matrix.swapaxes(-1, -2)).max(initial=0)
        is_even = off <= SYMMETRY * np.abs(matrix).max(initial=0)
        is_even = is_even and (np.einsum("...jj->...j", matrix) >= 0).all()
        require(estimator, "_sums", is_even, "must be symmetric, and not negative on the diagonal")
    if "low" in sums:
        is_range = (sums["low"] <= sums["high"]).all() and sums["low"].dtype == sums["high"].dtype
        require(estimator, "_sums['low']", is_range, "must be at most high")


def check_solver_state(estimator: Any, state: dict[str, Any]) -> None:
    """Check the state of a solver that ``partial_fit`` continues with.

    Raises
    ------
    ValueError
        If it does not have the size of the weights.
    """
    found, width = state["_state"], state["n_features_in_"]
    is_known = _keys(found) == {"weight", "bias", "mean", "square", "count"}
    require(estimator, "_state", is_known, f"must not be {sorted(_keys(found))}")
    is_right = all(
        isinstance(each, np.ndarray) and each.dtype.kind == "f" and np.isfinite(each).all()
        for each in found.values()
    )
    require(estimator, "_state", is_right, "must contain arrays of finite floats")
    n_outputs = len(state["classes_"]) if "classes_" in state else np.size(state["intercept_"])
    n_weights = n_outputs * (width + 1)
    shapes = {"weight": (n_outputs, width), "bias": (n_outputs,), "count": ()}
    shapes |= {"mean": (n_weights,), "square": (n_weights,)}
    for name, shape in shapes.items():
        fits = found[name].shape == shape
        require(estimator, f"_state[{name!r}]", fits, f"must have shape {shape}")
    require(estimator, "_state", (found["square"] >= 0).all(), "must not have negative squares")


def _keys(value: Any) -> set[str]:
    return set(value) if isinstance(value, dict) else set()
