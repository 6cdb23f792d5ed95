"""Base class of the selectors."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike, NDArray
from sklearn.feature_selection import SelectorMixin
from sklearn.utils.validation import check_is_fitted

from .._conversion import as_numpy


class SupportSelector(SelectorMixin):
    """Mixin of selectors that keep the columns that are marked in ``support_``."""

    support_: NDArray

    def _get_support_mask(self) -> NDArray:
        check_is_fitted(self)
        return self.support_

    def transform(self, X: ArrayLike) -> Any:
        """Keep the selected neurons.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_neurons)
            Activations.

        Returns
        -------
        ndarray of shape (n_samples, n_kept)
            The columns of the neurons that are kept.
        """
        return super().transform(as_numpy(X, name="X"))
