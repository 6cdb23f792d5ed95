"""Base class of the selectors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.feature_selection import SelectorMixin
from sklearn.utils.validation import check_is_fitted

from .._conversion import as_numpy
from .._row_copies import becomes_file, map_rows


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
            The columns of the neurons that are kept. Those of a large memory map are a memory map
            of a temporary file.
        """
        X, select = as_numpy(X, name="X"), super().transform
        if not isinstance(X, np.ndarray) or X.ndim != 2:
            return select(X)
        n_kept = int(self.get_support().sum())
        if not becomes_file(X, len(X) * n_kept * X.itemsize):
            return select(X)
        return map_rows(X, select, width=n_kept, dtype=X.dtype)
