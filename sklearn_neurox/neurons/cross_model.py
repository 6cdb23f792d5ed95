"""Neurons that several networks have in common."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import FLOAT_DTYPES

from .._validation import check_matrix
from ._correlation import UnitNeurons, strongest_correlations


def cross_model_correlation_scores(
    Xs: Sequence[ArrayLike], *, reduce: Literal["max", "min"] = "max"
) -> list[NDArray[np.float64]]:
    """Score neurons by their strongest correlation with a neuron of other models.

    A neuron that independently trained networks have in common is likely to matter. For each
    neuron and each other model, the largest absolute correlation with a neuron of that model is
    computed [1]_. The score is the largest or the smallest of these values over the other models
    [2]_.

    Parameters
    ----------
    Xs : sequence of array-like of shape (n_samples, n_neurons)
        Activations of at least two models on the same samples. Their numbers of neurons may
        differ.
    reduce : {"max", "min"}, default="max"
        How to combine the values over the other models. A high score means that at least one other
        model ("max") or every other model ("min") has a similar neuron.

    Returns
    -------
    list of ndarrays of shape (n_neurons,)
        The scores of the neurons of each model, in [0, 1]. A constant neuron scores 0.

    Raises
    ------
    ValueError
        If there are fewer than two models or samples, the numbers of samples differ, or
        activations contain NaN or infinity.

    References
    ----------
    .. [1] F. Dalvi et al. (2019). What Is One Grain of Sand in the Desert? AAAI.
    .. [2] A. Bau et al. (2019). Identifying and Controlling Important Neurons in Neural Machine
       Translation. ICLR.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurox import cross_model_correlation_scores
    >>> rng = np.random.RandomState(0)
    >>> first = rng.normal(size=(100, 3))
    >>> second = np.column_stack([-first[:, 2], rng.normal(size=100)])
    >>> for scores in cross_model_correlation_scores([first, second]):
    ...     print(scores.round(1))
    [0.1 0.1 1. ]
    [1.  0.1]
    """
    if reduce not in ("max", "min"):
        raise ValueError(f"reduce must be 'max' or 'min', got {reduce!r}.")
    models = [_check_model(X, number) for number, X in enumerate(Xs)]
    if len(models) < 2:
        raise ValueError(f"Xs must contain at least two models, got {len(models)}.")
    n_samples = [len(model) for model in models]
    if len(set(n_samples)) > 1:
        raise ValueError(f"All models in Xs must have the same number of samples, got {n_samples}.")
    units = [UnitNeurons(X) for X in models]
    scores: list[list[NDArray[np.float64]]] = [[] for _ in units]
    for i, j in combinations(range(len(units)), 2):
        for model, found in zip((i, j), strongest_correlations(units[i], units[j]), strict=True):
            scores[model].append(found)
    return [getattr(np, reduce)(found, axis=0) for found in scores]


def _check_model(X: ArrayLike, number: int) -> NDArray:
    return check_matrix(X, dtype=FLOAT_DTYPES, ensure_min_samples=2, name=f"Xs[{number}]")
