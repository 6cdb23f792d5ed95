"""Base classes of edits, the transformers that change rows of X and the states of a model alike."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Callable
from typing import Any, Self, TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import Tags
from sklearn.utils.validation import FLOAT_DTYPES, check_is_fitted
from torch import Tensor

from .._callbacks import fit_task
from .._conversion import as_numpy
from .._device import as_tensor, full_precision
from .._row_copies import map_slices
from .._validation import fit_context, validate_data

# Called with states of shape (..., n_neurons), and returns edited states of the same shape.
StateEdit: TypeAlias = Callable[[Tensor], Tensor]
# Called with some of the rows of X and their slice, and returns edited rows.
RowEdit: TypeAlias = Callable[[Tensor, slice], Tensor]


class Edit(
    CallbackSupportMixin,
    OneToOneFeatureMixin,
    TransformerMixin,
    BaseEstimator,
    metaclass=ABCMeta,
):
    """Transformer that maps each row of X to an edited row of the same width.

    A subclass implements :meth:`state_edit`. ``transform`` applies it to the rows of X, so that
    rows and the states of a running model are edited by the same operations.
    """

    n_features_in_: int

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32", "float16"]
        return tags

    @abstractmethod
    def state_edit(self, dtype: torch.dtype, device: torch.device) -> StateEdit:
        """Return the edit as a function of tensors.

        Parameters
        ----------
        dtype : torch.dtype
            Dtype of the states.
        device : torch.device
            Device of the states.

        Returns
        -------
        callable
            Maps states of shape (..., n_neurons) to edited states. It does not modify its input.
        """

    @property
    def width(self) -> int:
        """Number of neurons of the rows and states that the edit applies to."""
        return self.n_features_in_

    def check_width(self, n_neurons: int) -> None:
        """Raise a ValueError if the edit does not apply to states of `n_neurons` neurons."""
        if self.width != n_neurons:
            raise ValueError(
                f"{type(self).__name__} edits states of {self.width} neurons, got states of "
                f"{n_neurons} neurons."
            )

    def transform(self, X: ArrayLike) -> NDArray:
        """Edit the rows of X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_neurons)
            Activations. They are not modified.

        Returns
        -------
        ndarray of shape (n_samples, n_neurons)
            Edited activations, with the dtype of X. Those of a large memory map are a memory map of
            a temporary file.

        Raises
        ------
        ValueError
            If X contains NaN or infinity, or does not have the number of neurons seen during
            ``fit``.
        """
        check_is_fitted(self)
        activations = validate_data(self, X, dtype=FLOAT_DTYPES, reset=False)
        self.check_width(activations.shape[1])
        one = as_tensor(activations[:1])
        edit = self._row_edit(len(activations), one.dtype, one.device)

        def edited(some: slice) -> NDArray:
            return edit(as_tensor(activations[some]), some).numpy()

        return map_slices(activations, edited, width=activations.shape[1], dtype=activations.dtype)

    def _row_edit(self, n_rows: int, dtype: torch.dtype, device: torch.device) -> RowEdit:
        """Return the edit of `n_rows` rows as a function of some of them and their slice."""
        edit = self.state_edit(dtype, device)
        return lambda rows, some: edit(rows)


def at_full_precision(edit: StateEdit, dtype: torch.dtype) -> StateEdit:
    """Return an edit that computes in float32 if the states have a narrower dtype."""
    if dtype.itemsize >= 4:
        return edit
    return lambda states: edit(states.float()).to(dtype)


def projection(
    left: NDArray[np.float64],
    right: NDArray[np.float64],
    center: NDArray[np.float64],
    dtype: torch.dtype,
    device: torch.device,
) -> StateEdit:
    """Return the edit x -> x - A B' (x - center) as a function of tensors.

    Parameters
    ----------
    left, right : ndarray of shape (n_neurons, rank)
        A and B.
    center : ndarray of shape (n_neurons,)
    dtype, device
        As in :meth:`Edit.state_edit`.
    """
    wide = dtype if dtype.itemsize >= 4 else torch.float32
    back, into, middle = (
        as_tensor(np.ascontiguousarray(array)).to(device, wide) for array in (left.T, right, center)
    )

    @full_precision()
    def project(states: Tensor) -> Tensor:
        return states - ((states - middle) @ into) @ back

    return at_full_precision(project, dtype)


def orthonormal(vectors: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return an orthonormal basis (n_neurons, rank) of the span of the columns of `vectors`.

    Their lengths do not matter. Columns that are linearly dependent up to the rounding of their
    dtype, such as the weights of a softmax, which sum to 0, do not increase the rank.
    """
    unit = vectors / np.linalg.norm(vectors.astype(np.float64), axis=0)
    left, values, _ = np.linalg.svd(unit, full_matrices=False)
    return left[:, values > 10 * max(unit.shape) * np.finfo(vectors.dtype).eps * values[0]]


class FixedEdit(Edit):
    """Edit by given directions, which is usable without ``fit``.

    ``fit`` only checks the width of the directions. A subclass implements `_directions`.
    """

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return True

    @abstractmethod
    def _directions(self) -> NDArray[np.floating]:
        """Return the checked directions, of shape (n_directions, n_neurons)."""

    @property
    def width(self) -> int:
        """See :class:`Edit`."""
        return self._directions().shape[1]

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Check that X has the width of the directions. Nothing is learned from X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_neurons)
            Activations.
        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        self : object
            Fitted edit.

        Raises
        ------
        ValueError
            If the directions are not finite numbers, one for each neuron, a direction is 0, or X
            contains NaN or infinity.
        """
        activations = validate_data(self, X, dtype=FLOAT_DTYPES)
        with fit_task(self, activations, predicts=False):
            self.check_width(activations.shape[1])
        return self


def check_directions(directions: Any, *, name: str) -> NDArray[np.floating]:
    """Check directions, and return them as an array of shape (n_directions, n_neurons).

    Raises
    ------
    ValueError
        If the array has more than two dimensions, is empty, contains NaN or infinity, or a
        direction is 0.
    """
    rows = np.asarray(as_numpy(directions, name=name))
    if rows.dtype not in FLOAT_DTYPES:
        rows = rows.astype(np.float64)
    if rows.ndim not in (1, 2) or not rows.size:
        raise ValueError(
            f"{name} must have shape (n_neurons,) or (n_directions, n_neurons), got {rows.shape}."
        )
    rows = np.atleast_2d(rows)
    if not np.isfinite(rows).all():
        row, column = np.argwhere(~np.isfinite(rows))[0]
        raise ValueError(
            f"{name} must be finite, but direction {row} has the value {rows[row, column]} for "
            f"neuron {column}."
        )
    if not rows.any(axis=1).all():
        raise ValueError(f"{name} must not be 0, but direction {rows.any(axis=1).argmin()} is.")
    return rows
