"""Iterative nullspace projection."""

from __future__ import annotations

from functools import partial
from numbers import Integral
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils import Tags
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    _routing_enabled,
    process_routing,
)
from sklearn.utils.validation import FLOAT_DTYPES

from .._callbacks import fit_inside, fit_task
from .._row_copies import map_rows
from .._validation import fit_context, validate_data
from ..neurons.estimator_contents import coef_of
from .edit import Edit, StateEdit, orthonormal, projection


class NullspaceEraser(MetaEstimatorMixin, Edit):
    """Erase a property by removing the directions of linear probes, one after the other.

    Iterative nullspace projection (INLP, [1]_) trains a probe, projects its weights out of the
    activations, trains the next probe on the result, and so on. It is a common baseline.
    :class:`LeaceEraser` needs a single step, removes fewer directions and changes the activations
    less, but it only guarantees that linear probes fail, as does this method.

    Parameters
    ----------
    estimator : estimator
        Linear model with ``coef_`` after ``fit``, such as
        :class:`~sklearn_neurox.LinearProbeClassifier`. It is cloned.
    n_iter : int, default=10
        Maximum number of probes. The iterations end earlier if a probe does not find anything, so
        that all its weights are 0, or no directions are left.

    Attributes
    ----------
    basis_ : ndarray of shape (n_neurons, rank)
        Orthonormal basis of the directions that are removed, in float64.
    estimators_ : list of estimators
        The probes, in the order of training. The weights of each refer to activations from which
        the directions of all previous probes have been removed.
    n_features_in_ : int
        Number of neurons seen during ``fit``.
    feature_names_in_ : ndarray of shape (n_neurons,)
        Names of the neurons seen during ``fit``. Defined only if X has names that are all strings.

    See Also
    --------
    LeaceEraser : Erases linear information in closed form.

    References
    ----------
    .. [1] S. Ravfogel, Y. Elazar, H. Gonen, M. Twiton and Y. Goldberg (2020). Null It Out: Guarding
       Protected Attributes by Iterative Nullspace Projection. ACL.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_neurox import LinearProbeClassifier, NullspaceEraser
    >>> X, y = load_iris(return_X_y=True)
    >>> probe = LinearProbeClassifier(lambda_l2=0.01, solver="owlqn")
    >>> eraser = NullspaceEraser(probe, n_iter=1).fit(X, y)
    >>> eraser.basis_.shape
    (4, 2)
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit"])],
        "n_iter": [Interval(Integral, 1, None, closed="left")],
    }

    basis_: NDArray[np.float64]
    estimators_: list[BaseEstimator]

    def __init__(self, estimator: BaseEstimator, *, n_iter: int = 10) -> None:
        self.estimator = estimator
        self.n_iter = n_iter

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags

    def get_metadata_routing(self) -> MetadataRouter:
        """Get the metadata routing of this eraser.

        Returns
        -------
        MetadataRouter
            Routes the metadata of ``fit`` to the ``fit`` of each probe.
        """
        return MetadataRouter(owner=self).add(
            estimator=self.estimator,
            method_mapping=MethodMapping().add(caller="fit", callee="fit"),
        )

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: ArrayLike, y: ArrayLike, **params: Any) -> Self:
        """Train the probes and collect their directions.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_neurons)
            Activations.
        y : array-like of shape (n_samples,)
            Target of the probes.
        **params : dict
            Passed to the ``fit`` of each probe, such as ``sample_weight``. If metadata routing is
            enabled, they are routed.

        Returns
        -------
        self : NullspaceEraser
            Fitted eraser.

        Raises
        ------
        TypeError
            If the estimator does not have ``coef_`` after ``fit``.
        ValueError
            If X contains NaN or infinity, or `estimator` raises an error for y.
        """
        data = validate_data(self, X, dtype=FLOAT_DTYPES)
        if _routing_enabled():
            params = process_routing(self, "fit", **params).estimator.fit
        with fit_task(self, data, y, max_subtasks=self.n_iter, predicts=False) as task:
            basis = np.zeros((data.shape[1], 0))
            estimators: list[BaseEstimator] = []
            while len(estimators) < self.n_iter and basis.shape[1] < data.shape[1]:
                rows = map_rows(
                    data, partial(_project, basis), width=data.shape[1], dtype=data.dtype
                )
                probe = fit_inside(task, "probe", self, clone(self.estimator), rows, y, **params)
                estimators.append(probe)
                coef = coef_of(probe, data.shape[1])
                found = coef[coef.any(axis=1)]
                if not len(found):
                    break
                # Weights may have components along directions that are already removed.
                basis = orthonormal(np.hstack([basis, orthonormal(found.T)]))
            self.basis_, self.estimators_ = basis, estimators
        return self

    def state_edit(self, dtype: torch.dtype, device: torch.device) -> StateEdit:
        """See :class:`Edit`."""
        return projection(self.basis_, self.basis_, np.zeros(len(self.basis_)), dtype, device)


def _project(basis: NDArray[np.float64], rows: NDArray) -> NDArray[np.float64]:
    """Remove the components of rows (n_samples, n_neurons) along a basis (n_neurons, rank)."""
    return rows - (rows @ basis) @ basis.T
