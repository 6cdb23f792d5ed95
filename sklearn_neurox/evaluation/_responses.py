"""Decision values and probabilities of classifiers, with the columns of given classes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._conversion import as_numpy
from .._results import check_probabilities, classes_of
from .._row_copies import own_copy
from .._validation import n_samples_of


class Response(NamedTuple):
    """What the held-out predictions of classifiers contain besides the predicted labels.

    Parameters
    ----------
    kind : {"decisions", "probabilities"}
    classes : ndarray of shape (n_classes,)
        Sorted labels of all samples.
    """

    kind: str
    classes: NDArray

    def of(self, estimator: Any, X: Any) -> NDArray[np.float64]:
        """Return the response, (n_samples,) for two classes, or (n_samples, n_classes)."""
        classes = find_classes(self.classes, classes_of(estimator))
        if self.kind == "decisions":
            return decisions_of(estimator, X, classes)
        probabilities = probabilities_of(estimator, X, classes)
        return probabilities[:, 1] if len(classes) == 2 else probabilities


def decisions_of(estimator: Any, X: Any, classes: NDArray) -> NDArray[np.float64]:
    """Return the values by which a classifier ranks samples.

    For two classes, these are its decision values if it has any, which have fewer ties than
    probabilities. For more classes, they are its probabilities if it has any, because decision
    values of different samples are not comparable.

    Parameters
    ----------
    estimator : classifier
    X : samples
    classes : ndarray of shape (n_classes,)
        The classes of the classifier, or sorted classes that include them. Classes that the
        classifier does not know have the same decision value for all samples.

    Returns
    -------
    ndarray of shape (n_samples,) for two classes, or (n_samples, n_classes)

    Raises
    ------
    TypeError
        If the classifier has neither ``decision_function`` nor ``predict_proba``.
    ValueError
        If the values are of the wrong shape or not finite.
    """
    has_values, has_probabilities = (
        hasattr(estimator, name) for name in ("decision_function", "predict_proba")
    )
    own = classes_of(estimator)
    if has_values and (len(own) == 2 or not has_probabilities):
        values = _check_decisions(estimator.decision_function(own_copy(X)), X, len(own))
    elif has_probabilities:
        values = _own_probabilities(estimator, X, own)
    else:
        raise TypeError(
            f"{type(estimator).__name__} must have the method decision_function or predict_proba, "
            "because the metric compares decision values."
        )
    if values.ndim == 1 and len(classes) == 2:
        return values if own[1] == classes[1] else -values
    if values.ndim == 1:
        values = np.column_stack([-values, values])
    spread = _spread(values, own, classes, -np.inf)
    return spread[:, 1] if len(classes) == 2 else spread


def probabilities_of(estimator: Any, X: Any, classes: NDArray) -> NDArray[np.float64]:
    """Return the probabilities of the classes, (n_samples, n_classes).

    The probability of classes that the classifier does not know is 0.

    Raises
    ------
    TypeError
        If the classifier does not have ``predict_proba``.
    ValueError
        If the result is not probabilities.
    """
    if not hasattr(estimator, "predict_proba"):
        raise TypeError(
            f"{type(estimator).__name__} must have the method predict_proba, because the metric "
            "compares probabilities. sklearn.calibration.CalibratedClassifierCV adds it."
        )
    own = classes_of(estimator)
    return _spread(_own_probabilities(estimator, X, own), own, classes, 0.0)


def _own_probabilities(estimator: Any, X: Any, own: NDArray) -> NDArray[np.float64]:
    return check_probabilities(estimator.predict_proba(own_copy(X)), n_samples_of(X), len(own))


def _check_decisions(values: Any, X: Any, n_classes: int) -> NDArray[np.float64]:
    array = np.asarray(as_numpy(values, name="decision_function(X)"), dtype=np.float64)
    shape = (n_samples_of(X),) if n_classes == 2 else (n_samples_of(X), n_classes)
    if array.shape != shape:
        raise ValueError(
            f"decision_function must return an array of shape {shape}, got shape {array.shape}."
        )
    if not np.isfinite(array).all():
        row = int(np.argwhere(~np.isfinite(array))[0][0])
        raise ValueError(
            f"decision_function must return finite numbers, got {array[row]} in row {row}."
        )
    return array


def _spread(
    values: NDArray[np.float64], own: NDArray, classes: NDArray, missing: float
) -> NDArray[np.float64]:
    """Return columns for all classes, from those of the classes of a classifier."""
    if np.array_equal(own, classes):
        return values
    spread = np.full((len(values), len(classes)), missing)
    spread[:, np.searchsorted(classes, own)] = values
    return spread


def find_classes(y: NDArray, own: NDArray) -> NDArray:
    """Return the sorted union of the labels and of the classes of a classifier."""
    return np.union1d(own, y)
