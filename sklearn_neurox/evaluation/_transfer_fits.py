"""Fits on each of several data sets, and their predictions on all of them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier

from .._grouped_fits import fit_clone
from .._labels import encode_labels
from .._rare_labels import warn_about_rare_labels
from .._results import make_splits
from .._row_copies import copy_blocks, copy_rows
from .._validation import noting
from ._directions import read_directions
from ._folds import Split
from ._jobs import run_jobs
from ._layer_fits import FoldResult, predict_fitted
from ._responses import Response
from .transfer_result import ALL_OTHERS


class DataSet(NamedTuple):
    """Samples, their labels or numbers, and their groups."""

    X: NDArray
    y: NDArray
    groups: NDArray | None


def folds_of(
    estimator: Any, data: DataSet, name: str, cv: Any
) -> tuple[list[Split], dict[Any, list[int]]]:
    """Return the folds within a data set, which test each of its samples once.

    The labels that are missing in the training samples of a fold are returned as well.
    """
    is_class = is_classifier(estimator)
    with noting(f"for the data set {name!r}"):
        if is_class:
            encode_labels(data.y, by=type(estimator).__name__)  # raises an error for a single label
        splits = make_splits(data.X, data.y, cv=cv, classifier=is_class, groups=data.groups)
        tested = np.concatenate([test for _, test in splits])
        if not np.array_equal(np.sort(tested), np.arange(len(data.y))):
            raise ValueError(
                "Each sample must be in the test set of exactly one fold of cv, as in KFold, "
                "StratifiedKFold or GroupKFold."
            )
    return splits, warn_about_rare_labels(data.y, splits) if is_class else {}


def groups_of(sets: dict[str, DataSet], shared: bool) -> dict[str, NDArray] | None:
    """Return the groups of each data set, so that different groups have different numbers.

    Samples without groups are groups of their own. If no data set has groups, return None.
    """
    if all(each.groups is None for each in sets.values()):
        return None
    known: dict[Any, int] = {}
    numbered = {}
    for name, each in sets.items():
        place = "" if shared and each.groups is not None else name
        labels = np.arange(len(each.y)) if each.groups is None else each.groups
        pairs = [(place, label) for label in labels.tolist()]
        numbered[name] = np.array([known.setdefault(pair, len(known)) for pair in pairs])
    return numbered


class Fits(NamedTuple):
    """What the fits on all training sets share.

    `groups` are those inside the training sets, for the searches inside the estimator.
    """

    estimator: Any
    sets: dict[str, DataSet]
    splits: dict[str, list[Split]]
    groups: dict[str, NDArray] | None
    response: Response | None


class Found(NamedTuple):
    """Predictions of a training set on a data set, and the weights if it is the same."""

    found: FoldResult
    directions: NDArray[np.float64] | None


def fit_all(
    fits: Fits, leave_one_out: bool, n_jobs: int | None, verbose: int
) -> dict[tuple[str, str], Found]:
    names = list(fits.sets)
    jobs: list[tuple[Any, ...]] = [(fits, [name], names) for name in names]
    places = [f"for the training set {name!r}" for name in names]
    if leave_one_out:
        for name in names:
            jobs.append((fits, [each for each in names if each != name], [name]))
            places.append(f"for all data sets except for {name!r}")
    results = run_jobs(
        _fit_source,
        jobs,
        places=places,
        n_jobs=n_jobs,
        verbose=verbose,
        name="transfer",
        unit="fit",
    )
    found = {
        (name, target): each
        for name, result in zip(names, results, strict=False)
        for target, each in result.items()
    }
    if leave_one_out:
        for name, result in zip(names, results[len(names) :], strict=True):
            found[ALL_OTHERS, name] = result[name]
    return found


def _fit_source(fits: Fits, sources: list[str], targets: list[str]) -> dict[str, Found]:
    """Train on some data sets and predict others, or the same one by cross-validation."""
    sets = fits.sets
    X = copy_blocks([[sets[name].X for name in sources]])
    y = np.concatenate([sets[name].y for name in sources])
    groups = None
    if fits.groups is not None:
        groups = np.concatenate([fits.groups[name] for name in sources])
    fitted = fit_clone(fits.estimator, X, y, groups)
    results = {}
    for name in targets:
        if name not in sources:
            found = predict_fitted([fitted], [sets[name].X], fits.response)
            results[name] = Found(found, None)
        else:
            results[name] = Found(_cross_validate(fits, name), read_directions(fitted, X.shape[1]))
    return results


def _cross_validate(fits: Fits, name: str) -> FoldResult:
    """Return the predictions on each sample by the probe of the fold that tests it."""
    data, splits = fits.sets[name], fits.splits[name]
    groups = None if fits.groups is None else fits.groups[name]
    each = []
    for train, test in splits:
        of_train = None if groups is None else groups[train]
        fitted = fit_clone(fits.estimator, copy_rows(data.X, train), data.y[train], of_train)
        each.append(predict_fitted([fitted], [copy_rows(data.X, test)], fits.response))
    order = np.argsort(np.concatenate([test for _, test in splits]))
    decisions = None
    if fits.response is not None:
        decisions = [np.concatenate([one.decisions[0] for one in each if one.decisions])[order]]
    return FoldResult([], [np.concatenate([one.predictions[0] for one in each])[order]], decisions)
