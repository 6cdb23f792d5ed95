"""Projection of activations onto the complement of given directions."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from .._validation import check_vector
from .edit import FixedEdit, StateEdit, check_directions, orthonormal, projection


class DirectionProjector(FixedEdit):
    """Project directions out of the activations: x -> x - Q Q' (x - center).

    Q is an orthonormal basis of the span of the directions. Afterwards, the component of each row
    along each direction is that of `center`, 0 by default. This is the edit of amnesic probing
    [1]_ if the directions are the weights of a probe.

    The edit can be used without ``fit``, which only checks the width of X.

    Parameters
    ----------
    directions : array-like of shape (n_neurons,) or (n_directions, n_neurons)
        The directions. Their lengths do not matter, and they need not be orthogonal.
    center : array-like of shape (n_neurons,), default=None
        Point that provides the components along the directions, such as the mean of the
        activations. If None, use 0.

    Attributes
    ----------
    n_features_in_ : int
        Number of neurons seen during ``fit``.
    feature_names_in_ : ndarray of shape (n_neurons,)
        Names of the neurons seen during ``fit``. Defined only if X has names that are all strings.

    See Also
    --------
    LeaceEraser : Removes all linear information about labels, and moves the activations less.
    SteeringVector : Adds a direction.

    References
    ----------
    .. [1] Y. Elazar, S. Ravfogel, A. Jacovi and Y. Goldberg (2021). Amnesic Probing: Behavioral
       Explanation with Amnesic Counterfactuals. TACL.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurox import DirectionProjector
    >>> X = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> DirectionProjector([0.0, 5.0]).fit_transform(X)
    array([[1., 0.],
           [3., 0.]])
    """

    _parameter_constraints: dict = {
        "directions": ["array-like"],
        "center": ["array-like", None],
    }

    def __init__(self, directions: ArrayLike, *, center: ArrayLike | None = None) -> None:
        self.directions = directions
        self.center = center

    def _directions(self) -> NDArray[np.floating]:
        return check_directions(self.directions, name="directions")

    def _center(self, n_neurons: int) -> NDArray[np.float64]:
        if self.center is None:
            return np.zeros(n_neurons)
        center = check_vector(self.center, name="center")
        if len(center) != n_neurons:
            raise ValueError(
                f"center must contain one number for each of the {n_neurons} neurons, got "
                f"{len(center)}."
            )
        return center

    def state_edit(self, dtype: torch.dtype, device: torch.device) -> StateEdit:
        """See :class:`Edit`."""
        directions = self._directions()
        basis = orthonormal(directions.T)
        return projection(basis, basis, self._center(len(basis)), dtype, device)
