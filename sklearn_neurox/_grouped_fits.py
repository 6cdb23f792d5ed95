"""Fits with groups, which reach the searches and selectors inside an estimator.

The groups are passed by scikit-learn's metadata routing. A search with a number of folds, which
would ignore them, gets a ``GroupKFold``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.base import clone, is_classifier
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import get_routing_for_object

from ._rare_labels import SingleLabelClassifier
from ._results import check_number_of_groups, group_splitter


def uses_groups(estimator: Any) -> bool:
    """Return whether the fit of an estimator, or of a part of it, can use groups."""
    with config_context(enable_metadata_routing=True):
        return _consumes_groups(_with_group_folds(estimator, None))


def fit_clone(estimator: Any, X: Any, y: Any, groups: NDArray | None = None) -> Any:
    """Fit a clone of an estimator, whose inner folds do not split the groups.

    Parameters
    ----------
    estimator : estimator
        It is not changed. Inside it, searches and other estimators with ``cv=None`` or a number of
        folds use a ``GroupKFold``. Parts that do not use groups are fitted without them.
    X, y
        Training samples. If all labels of a classifier are the same, it is replaced by a
        :class:`SingleLabelClassifier`.
    groups : ndarray of shape (n_samples,), default=None
        Groups of the training samples.

    Returns
    -------
    estimator
        Fitted clone.

    Raises
    ------
    ValueError
        If a search has more folds than there are groups.
    """
    if has_single_label(estimator, y):
        return SingleLabelClassifier().fit(X, y)
    if groups is None or not uses_groups(estimator):
        return clone(estimator).fit(X, y)
    with config_context(enable_metadata_routing=True):
        return _with_group_folds(estimator, groups).fit(X, y, groups=groups)


def has_single_label(estimator: Any, y: Any) -> bool:
    """Return whether a classifier cannot be trained because all labels are the same."""
    last = estimator[-1] if isinstance(estimator, Pipeline) else estimator
    is_trained = is_classifier(estimator) and not isinstance(last, FrozenEstimator)
    return is_trained and len(np.unique(y)) == 1


def _with_group_folds(estimator: Any, groups: NDArray | None) -> Any:
    """Return a clone whose numbers of folds are replaced by splitters that use groups.

    If `groups` are passed, check that there are enough of them.
    """
    own = clone(estimator)
    for part in _parts(own):
        given = part.get_params(deep=False).get("cv", "")
        splitter = group_splitter(given)
        if splitter is None:
            continue
        part.set_params(cv=splitter)
        if not _consumes_groups(part):  # it uses its folds in another way
            part.set_params(cv=given)
        elif groups is not None:
            n_groups = len(np.unique(groups))
            check_number_of_groups(n_groups, splitter.n_splits, by=type(part).__name__)
    return own


def _parts(value: Any) -> Iterator[Any]:
    """Yield the estimators that are trained in the fit of an estimator, including itself."""
    if isinstance(value, type | FrozenEstimator):
        return
    if hasattr(value, "fit") and hasattr(value, "get_params"):
        yield value
        value = list(value.get_params(deep=False).values())
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for each in value:
            yield from _parts(each)


def _consumes_groups(estimator: Any) -> bool:
    try:
        return bool(get_routing_for_object(estimator).consumes("fit", ["groups"]))
    except NotImplementedError:  # of an estimator that does not support metadata routing
        return False
