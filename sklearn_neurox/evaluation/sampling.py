"""Class-balanced subsampling."""

from __future__ import annotations

from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval

from .._labels import check_class_labels, encode_labels
from .._validation import validate_params


@validate_params(
    {
        "n_samples": [Interval(Integral, 1, None, closed="left"), None],
        "random_state": ["random_state"],
    }
)
def balanced_indices(
    y: ArrayLike,
    *,
    n_samples: int | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> NDArray[np.intp]:
    """Draw the same number of samples from each class, without replacement.

    Parameters
    ----------
    y : array-like of shape (n_samples_in,)
        Labels, of at least two classes.
    n_samples : int, default=None
        Number of samples per class. If None, use the size of the smallest class.
    random_state : int, RandomState instance or None, default=None
        Controls which samples are drawn. Pass an int for reproducible output across multiple
        function calls.

    Returns
    -------
    ndarray of int of shape (n_classes * n_samples,)
        Sorted indices, so samples keep their order. Use the same indices for ``X[indices]``,
        ``y[indices]`` and ``words[indices]``.

    Raises
    ------
    ValueError
        If y has a single class, or a class has fewer than `n_samples` samples.

    Examples
    --------
    >>> from sklearn_neurox import balanced_indices
    >>> balanced_indices(["a", "b", "a", "a", "b", "a"], random_state=0)
    array([1, 3, 4, 5])
    """
    classes, codes = encode_labels(check_class_labels(y), by="balanced_indices")
    sizes = np.bincount(codes)
    if n_samples is None:
        n_samples = int(sizes.min())
    if n_samples > sizes.min():
        rare = {str(classes[c]): int(sizes[c]) for c in np.flatnonzero(sizes < n_samples)}
        raise ValueError(
            f"n_samples must be at most the size of the smallest class, got {n_samples}. Classes "
            f"with fewer samples: {rare}."
        )
    generator = check_random_state(random_state)
    drawn = [
        generator.choice(np.flatnonzero(codes == c), n_samples, replace=False)
        for c in range(len(classes))
    ]
    return np.sort(np.concatenate(drawn))
