"""Ablation of neurons in the rows of X."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.random import RandomState
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import Tags, check_random_state
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import (
    FLOAT_DTYPES,
    _check_feature_names_in,
    check_is_fitted,
)
from torch import Tensor

from .._callbacks import fit_task
from .._device import as_tensor
from .._indices import index_mask
from .._moments import neuron_moments
from .._row_copies import map_rows
from .._validation import fit_context, validate_data
from .._wording import count
from ..activations.columns import find_columns
from .edit import Edit, RowEdit, StateEdit

_BY_ROW = ("resample", "interchange")  # modes that take the values of a row from a training sample


class NeuronAblator(Edit):
    """Ablate given neurons, or all other neurons.

    For a trained linear probe, setting neurons to zero is equivalent to removing them together
    with their weights. Zero is an unusual value for a neuron whose mean is far from zero. The modes
    "mean" and "resample" use values that the network produces.

    Parameters
    ----------
    neurons : array-like of int or str
        Neurons (columns of X), by index or, if X has names, by name.
    mode : {"zero", "mean", "resample", "interchange", "remove"}, default="zero"
        How to ablate a neuron. "zero" sets it to 0. "mean" sets it to its mean over the training
        samples. "resample" sets it to its activation on a random training sample, the same sample
        for all ablated neurons of a row (resample ablation, [1]_). "interchange" sets it to its
        activation on the training sample with the same index, so the training samples are the
        sources of the rows that are edited later (interchange intervention, [2]_), and their
        numbers must be equal. "remove" drops the column.
    invert : bool, default=False
        Whether to ablate all neurons except `neurons`.
    random_state : int, RandomState instance or None, default=None
        Controls the choice of training samples if ``mode="resample"``. It is used only in ``fit``,
        so transforming the same X again gives the same result. Pass an int for reproducible output
        across multiple function calls.

    Attributes
    ----------
    ablated_ : ndarray of bool of shape (n_neurons,)
        Which neurons are ablated.
    fill_ : ndarray of shape (n_ablated,) or (n_samples, n_ablated)
        The means if ``mode="mean"``, or the training activations if ``mode="resample"`` or
        ``mode="interchange"``. Those of a large memory map are a memory map of a temporary file.
        Not defined for other modes.
    n_features_in_ : int
        Number of neurons seen during ``fit``.
    feature_names_in_ : ndarray of shape (n_neurons,)
        Names of the neurons seen during ``fit``. Defined only if X has names that are all strings.

    See Also
    --------
    NeuronSelector : Keeps given neurons.
    interchange_effect : Puts the states of source texts into other texts.

    References
    ----------
    .. [1] L. Chan et al. (2022). Causal Scrubbing. AI Alignment Forum.
    .. [2] A. Geiger, H. Lu, T. Icard and C. Potts (2021). Causal Abstractions of Neural Networks.
       NeurIPS.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurox import NeuronAblator
    >>> X = np.array([[1.0, 2.0, 3.0], [5.0, 6.0, 7.0]])
    >>> NeuronAblator([0, 2], mode="mean").fit_transform(X)
    array([[3., 2., 5.],
           [3., 6., 5.]])
    >>> NeuronAblator([1], mode="remove", invert=True).fit_transform(X)
    array([[2.],
           [6.]])
    >>> source = np.array([[10.0, 20.0, 30.0], [50.0, 60.0, 70.0]])
    >>> NeuronAblator([1], mode="interchange").fit(source).transform(X)
    array([[ 1., 20.,  3.],
           [ 5., 60.,  7.]])
    """

    _parameter_constraints: dict = {
        "neurons": ["array-like"],
        "mode": [StrOptions({"zero", "mean", "resample", "interchange", "remove"})],
        "invert": ["boolean"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        neurons: Iterable[int | str],
        *,
        mode: Literal["zero", "mean", "resample", "interchange", "remove"] = "zero",
        invert: bool = False,
        random_state: int | RandomState | None = None,
    ) -> None:
        self.neurons = neurons
        self.mode = mode
        self.invert = invert
        self.random_state = random_state

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        # The fill depends on the position of the row, so a subset of rows is filled differently.
        tags.non_deterministic = self.mode in _BY_ROW
        return tags

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Compute the values that replace the ablated neurons.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_neurons)
            Activations.
        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        self : NeuronAblator
            Fitted ablator.

        Raises
        ------
        TypeError
            If a neuron is neither an integer nor a name.
        ValueError
            If X does not contain a neuron, a neuron is listed twice, or X contains NaN or
            infinity.
        """
        activations = validate_data(self, X, dtype=FLOAT_DTYPES)
        with fit_task(self, activations):
            names, size = getattr(self, "feature_names_in_", None), activations.shape[1]
            neurons = find_columns(self.neurons, names, size)
            self.ablated_ = index_mask(neurons, size, invert=self.invert)
            if self.mode == "mean":
                self.fill_ = neuron_moments(activations)[0][self.ablated_]
            elif self.mode in _BY_ROW:
                ablated = np.flatnonzero(self.ablated_)
                fill = map_rows(
                    activations,
                    lambda rows: rows[:, ablated],
                    width=len(ablated),
                    dtype=activations.dtype,
                )
                self.fill_ = np.asarray(fill)  # can be saved, unlike the class of memory maps
            if self.mode == "resample":
                self._seed = check_random_state(self.random_state).randint(2**31 - 1)
        return self

    def transform(self, X: ArrayLike) -> NDArray:
        """Ablate the neurons.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_neurons)
            Activations. They are not modified.

        Returns
        -------
        ndarray of shape (n_samples, n_neurons) or (n_samples, n_kept)
            A copy with the dtype of X. It has n_kept columns if ``mode="remove"``.

        Raises
        ------
        ValueError
            If X contains NaN or infinity, does not have the number of neurons seen during ``fit``,
            or, if ``mode="interchange"``, the number of rows.
        """
        if self.mode != "remove":
            return super().transform(X)
        check_is_fitted(self)
        activations = validate_data(self, X, dtype=FLOAT_DTYPES, reset=False)
        kept = np.flatnonzero(~self.ablated_)
        return map_rows(
            activations, lambda rows: rows[:, kept], width=len(kept), dtype=activations.dtype
        )

    def state_edit(self, dtype: torch.dtype, device: torch.device) -> StateEdit:
        """See :class:`Edit`."""
        if self.mode == "remove":
            raise ValueError(
                "NeuronAblator with mode='remove' changes the number of neurons, so it cannot edit "
                "the states of a network. Use the mode 'zero', 'mean', 'resample' or "
                "'interchange'."
            )
        if self.mode in _BY_ROW:
            return lambda states: self._filled(states, self._drawn(states[..., 0].numel()))
        ablated = as_tensor(self.ablated_).to(device)
        values = torch.zeros(len(ablated), dtype=dtype, device=device)
        if self.mode == "mean":
            values[ablated] = as_tensor(self.fill_).to(device, dtype)
        return lambda states: torch.where(ablated, values, states)

    def _row_edit(self, n_rows: int, dtype: torch.dtype, device: torch.device) -> RowEdit:
        if self.mode not in _BY_ROW:
            return super()._row_edit(n_rows, dtype, device)
        drawn = self._drawn(n_rows)
        return lambda rows, some: self._filled(rows, drawn[some])

    def _drawn(self, n_rows: int) -> NDArray[np.intp]:
        """Return the training samples from which rows take their values."""
        if self.mode == "resample":
            return RandomState(self._seed).randint(len(self.fill_), size=n_rows)
        if n_rows != len(self.fill_):
            raise ValueError(
                "NeuronAblator with mode='interchange' takes the values of each row from the "
                "training sample with the same index, so it edits "
                f"{count(len(self.fill_), 'row')}, got {n_rows:,}. In a network, the rows are the "
                "positions of all texts of a batch; interchange_effect matches positions of texts."
            )
        return np.arange(n_rows)

    def _filled(self, states: Tensor, drawn: NDArray[np.intp]) -> Tensor:
        """Return states whose ablated neurons have the values of training samples."""
        edited, ablated = states.clone(), as_tensor(self.ablated_).to(states.device)
        values = as_tensor(self.fill_)[torch.from_numpy(drawn)].to(states.device, states.dtype)
        edited[..., ablated] = values.reshape(*states.shape[:-1], -1)
        return edited

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]:
        """Get the names of the neurons that ``transform`` returns.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the neurons. If None, use the names seen during ``fit``.

        Returns
        -------
        ndarray of str
            Names of the columns that ``transform`` returns.
        """
        check_is_fitted(self)
        names = _check_feature_names_in(self, input_features)
        return names[~self.ablated_] if self.mode == "remove" else names
