"""Steering: adding a vector to the activations."""

from __future__ import annotations

from numbers import Real

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils._param_validation import Interval
from torch import Tensor

from .edit import FixedEdit, StateEdit, at_full_precision, check_directions


class SteeringVector(FixedEdit):
    """Add a vector to the activations: x -> x + strength * direction.

    The edit can be used without ``fit``, which only checks the width of X.

    The vector is often the difference between the means of two classes [1]_ [2]_, which
    :class:`~sklearn_neurox.MeanDifferenceClassifier` computes, or the weights of a probe.

    Parameters
    ----------
    direction : array-like of shape (n_neurons,)
        The direction, in the units of the activations. It is not normalized.
    strength : float, default=1.0
        Factor of the direction. A negative number steers in the opposite direction.

    Attributes
    ----------
    n_features_in_ : int
        Number of neurons seen during ``fit``.
    feature_names_in_ : ndarray of shape (n_neurons,)
        Names of the neurons seen during ``fit``. Defined only if X has names that are all strings.

    See Also
    --------
    DirectionProjector : Removes directions.

    References
    ----------
    .. [1] A. Turner et al. (2023). Steering Language Models With Activation Engineering.
       arXiv:2308.10248.
    .. [2] N. Rimsky et al. (2024). Steering Llama 2 via Contrastive Activation Addition. ACL.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurox import SteeringVector
    >>> X = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> SteeringVector([0.0, 1.0], strength=-2.0).fit_transform(X)
    array([[1., 0.],
           [3., 2.]])
    """

    _parameter_constraints: dict = {
        "direction": ["array-like"],
        "strength": [Interval(Real, None, None, closed="neither")],
    }

    def __init__(self, direction: ArrayLike, strength: float = 1.0) -> None:
        self.direction = direction
        self.strength = strength

    def _directions(self) -> NDArray[np.floating]:
        directions = check_directions(self.direction, name="direction")
        if len(directions) > 1:
            raise ValueError(
                f"direction must be a single vector, got {len(directions)} vectors of "
                f"{directions.shape[1]} neurons."
            )
        return directions

    def state_edit(self, dtype: torch.dtype, device: torch.device) -> StateEdit:
        """See :class:`Edit`."""
        wide = dtype if dtype.itemsize >= 4 else torch.float32
        vector = self.strength * self._directions()[0].astype(np.float64)
        shift = torch.as_tensor(vector, dtype=wide, device=device)

        def steer(states: Tensor) -> Tensor:
            return states + shift

        return at_full_precision(steer, dtype)
