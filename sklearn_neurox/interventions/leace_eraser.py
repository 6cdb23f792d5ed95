"""Least-squares concept erasure."""

from __future__ import annotations

from typing import Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import Tags
from sklearn.utils.metaestimators import available_if

from .._batch_sums import BatchSums, Sums, continues, from_sums
from .._callbacks import fit_task
from .._device import as_tensor
from .._row_copies import copy_rows
from .._second_moments import Moments
from .._validation import fit_context, validate_samples
from .._weights import check_sample_weight
from .._whitening import SHRINKAGE, Shrinkage, Whitening
from ._targets import Columns, TargetEncoder
from .edit import Edit, StateEdit, projection

# Canonical correlation below which neurons and labels are considered to be uncorrelated.
_UNCORRELATED = 1e-10
_SAMPLES_FOR_ORIGIN = 4096


class LeaceEraser(BatchSums, Edit):
    """Erase all linear information about labels, with the smallest possible change.

    Least-squares concept erasure (LEACE, [1]_) maps x to x - A B' (x - mean). Afterwards, the
    training samples of all classes have the same mean. This is equivalent to the statement that no
    linear classifier with any convex loss has a smaller loss than a constant prediction. Among all
    affine maps with this property, LEACE minimizes the mean squared distance between the old and
    the new activations, in every norm that an inner product defines.

    Parameters
    ----------
    shrinkage : float, "auto" or None, default="auto"
        How much to shrink the correlation matrix of the neurons towards the identity. A number is
        the share of the identity, and "auto" estimates it by Oracle Approximating Shrinkage [2]_,
        whose share vanishes with many samples. The information about the training labels is erased
        completely for every shrinkage, which only affects the distance. With None, the distance on
        the training samples is minimal, and more samples than neurons are required.

    Attributes
    ----------
    center_ : ndarray of shape (n_neurons,)
        Mean of the training samples, which does not change.
    left_, right_ : ndarray of shape (n_neurons, rank)
        The matrices A and B, in float64. The rank is at most the number of classes - 1.
    projection_ : ndarray of shape (n_neurons, n_neurons)
        The matrix I - A B'.
    canonical_correlations_ : ndarray of shape (rank,)
        Correlations between the erased directions and the labels, in decreasing order.
    n_samples_seen_ : int
        Number of samples with a positive weight.
    n_features_in_ : int
        Number of neurons seen during ``fit``.
    feature_names_in_ : ndarray of shape (n_neurons,)
        Names of the neurons seen during ``fit``. Defined only if X has names that are all strings.

    See Also
    --------
    NullspaceEraser : Removes the directions of probes, one after the other.

    Notes
    -----
    Strings, integers and booleans are labels of classes, which are encoded as one column each, and
    other floating-point numbers are values. If y has several columns, the information about all of
    them is erased.

    ``fit`` needs one pass over X and the eigenvalues of a matrix of shape (n_neurons, n_neurons).

    References
    ----------
    .. [1] N. Belrose et al. (2023). LEACE: Perfect linear concept erasure in closed form. NeurIPS.
    .. [2] Y. Chen, A. Wiesel, Y. Eldar and A. Hero (2010). Shrinkage Algorithms for MMSE Covariance
       Estimation. IEEE Transactions on Signal Processing.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_neurox import LeaceEraser
    >>> X, y = load_iris(return_X_y=True)
    >>> erased = LeaceEraser().fit_transform(X, y)
    >>> model = LogisticRegression(max_iter=1000)
    >>> round(model.fit(X, y).score(X, y), 2)
    0.97
    >>> round(model.fit(erased, y).score(erased, y), 2)
    0.33
    """

    _parameter_constraints: dict = {"shrinkage": SHRINKAGE}

    _of_first_batch = ("n_features_in_", "feature_names_in_", "_targets")

    left_: NDArray[np.float64] = from_sums()
    right_: NDArray[np.float64] = from_sums()
    center_: NDArray[np.float64] = from_sums()
    canonical_correlations_: NDArray[np.float64] = from_sums()
    _targets: Columns

    def __init__(self, *, shrinkage: Shrinkage = "auto") -> None:
        self.shrinkage = shrinkage

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        return tags

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Compute the projection that erases the labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_neurons)
            Activations.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Labels of classes, or continuous values.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights. A weight of 2 is equivalent to repeating the sample, and a weight of 0
            to removing it.

        Returns
        -------
        self : LeaceEraser
            Fitted eraser.

        Raises
        ------
        ValueError
            If X contains NaN or infinity, y has a single class, lengths differ, weights are
            negative, or there are too few samples and no shrinkage.
        """
        self._forget()
        return self._update(X, y, None, sample_weight).finish()

    @available_if(continues)
    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Add a batch of samples.

        The result is that of ``fit`` on all samples, up to rounding. The projection is computed
        when it is first used. Not available after ``fit``, which does not keep the sums.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_neurons)
            Activations.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Labels of classes, or continuous values.
        classes : array-like of shape (n_classes,), default=None
            All classes that occur in any batch, if y has a single column of labels. If None, these
            are the classes of the first batch.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights.

        Returns
        -------
        self : LeaceEraser
            Fitted eraser.

        Raises
        ------
        ValueError
            If X contains NaN or infinity, a label is not one of `classes`, `classes` differ from
            those of the first call, lengths differ, or weights are negative.
        """
        return self._update(X, y, classes, sample_weight)

    def _update(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None,
        sample_weight: ArrayLike | None,
    ) -> Self:
        """Add the moments of samples."""
        is_first = self._is_first_batch()
        targets = TargetEncoder(classes) if is_first else TargetEncoder.of(self._targets)
        if classes is not None:
            targets.check_classes(classes)
        data, columns = validate_samples(self, X, y, targets.encode, reset=is_first)
        weight = check_sample_weight(sample_weight, len(data), relative=False)
        with fit_task(self, data, y, predicts=False):
            if not weight.all():
                kept = np.flatnonzero(weight)
                data, columns, weight = copy_rows(data, kept), columns[kept], weight[kept]
            moments = Moments.of(
                as_tensor(data),
                as_tensor(columns.T.copy()),
                as_tensor(weight),
                _origin(data, columns),
            )
            self._targets = targets.columns
            self._keep(moments.arrays(), len(data))
        return self

    def _added(self, one: Sums, other: Sums) -> Sums:
        return self._moments(one).merged(self._moments(other)).arrays()

    def _moments(self, sums: Sums) -> Moments:
        return Moments.from_arrays(**sums, n_outputs=len(sums["origin"]) - self.n_features_in_)

    def _compute(self) -> dict[str, NDArray[np.float64]]:
        """Return the projection for the samples seen so far."""
        moments, shrinkage = self._moments(self._sums), self.shrinkage
        found = moments.covariances()
        neurons = Whitening.of(
            found.neurons, found.mean, n_samples=moments.weight, shrinkage=shrinkage
        )
        neurons.check_number(moments.weight, shrinkage, by=type(self).__name__)
        targets = Whitening.of(found.targets, found.target_mean)
        # Between the whitened neurons and the whitened labels, covariances are correlations.
        cross = neurons.whiten(targets.whiten(found.cross.numpy()).T)
        directions, correlations, _ = np.linalg.svd(cross, full_matrices=False)
        kept = correlations > _UNCORRELATED
        return {
            "left_": neurons.color(directions[:, kept]),
            "right_": neurons.whiten_transposed(directions[:, kept]),
            "center_": found.mean.numpy(),
            "canonical_correlations_": correlations[kept],
        }

    @property
    def projection_(self) -> NDArray[np.float64]:
        """The matrix I - A B' of shape (n_neurons, n_neurons)."""
        return np.eye(self.n_features_in_) - self.left_ @ self.right_.T

    def state_edit(self, dtype: torch.dtype, device: torch.device) -> StateEdit:
        """See :class:`Edit`."""
        return projection(self.left_, self.right_, self.center_, dtype, device)


def _origin(X: NDArray, targets: NDArray[np.float64]) -> torch.Tensor:
    """Return values close to the means, which would require another pass over X."""
    some = slice(_SAMPLES_FOR_ORIGIN)
    means = X[some].mean(axis=0, dtype=np.float64), targets[some].mean(axis=0)
    return torch.from_numpy(np.concatenate(means))
