"""As many words of each class."""

from __future__ import annotations

from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state, check_scalar

from .._labels import check_labels, encode_labels


def balanced_indices(
    y: ArrayLike, *, n_samples: int | None = None, random_state=None
) -> NDArray[np.intp]:
    """Draw as many words of each class, without drawing one twice.

    Parameters
    ----------
    y : array-like of shape (n_words,)
        Labels, of two or more classes.
    n_samples : int, default=None
        Words of each class. None takes as many as the rarest class has.
    random_state : int, RandomState instance or None, default=None
        Draws the words.

    Returns
    -------
    ndarray of int of shape (n_classes * n_samples,)
        Ascending, so that words stay in the order of the corpus: ``X[indices]``, ``y[indices]``
        and ``words[indices]`` belong together.

    Raises
    ------
    ValueError
        If y has a single class, or a class has fewer than `n_samples` words.

    Examples
    --------
    >>> from sklearn_neurox import balanced_indices
    >>> balanced_indices(["a", "b", "a", "a", "b", "a"], random_state=0)
    array([1, 3, 4, 5])
    """
    classes, codes = encode_labels(check_labels(y, name="y"), by="balanced_indices")
    sizes = np.bincount(codes)
    if n_samples is None:
        n_samples = int(sizes.min())
    check_scalar(n_samples, "n_samples", Integral, min_val=1)
    if n_samples > sizes.min():
        rare = {str(classes[c]): int(sizes[c]) for c in np.flatnonzero(sizes < n_samples)}
        raise ValueError(f"n_samples={n_samples}, but there are classes with fewer words: {rare}.")
    generator = check_random_state(random_state)
    drawn = [
        generator.choice(np.flatnonzero(codes == c), n_samples, replace=False)
        for c in range(len(classes))
    ]
    return np.sort(np.concatenate(drawn))
