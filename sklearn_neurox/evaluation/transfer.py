"""Scores of probes that are trained on one data set and scored on others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from numbers import Real
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.utils._param_validation import Interval

from .._bootstrap import Score, as_seed
from .._labels import check_same_kind
from .._validation import noting, validate_params
from .._warnings import UnseenLabelsWarning, warn
from ._comparable import check_metric
from ._directions import correlations_of_outputs, cosines
from ._folds import CV_CONSTRAINTS
from ._layer_fits import FoldResult
from ._leaks import find_copies, find_leaks
from ._make_comparison import BOOTSTRAP_CONSTRAINTS, resample_scores
from ._provenance import provenance_of
from ._responses import Response
from ._samples import check_activations
from ._text_baselines import check_texts
from ._transfer_fits import DataSet, Fits, fit_all, folds_of, groups_of
from .decision_metrics import response_of
from .held_out import HeldOutPredictions
from .transfer_result import (
    ALL_OTHERS,
    TransferScores,
    check_is_mapping,
    name_unseen_labels,
)


@validate_params(
    {name: CV_CONSTRAINTS[name] for name in ("cv", "n_jobs", "verbose")}
    | BOOTSTRAP_CONSTRAINTS
    | {
        "metric": [str, None],
        "leave_one_out": ["boolean"],
        "shared_groups": ["boolean"],
        "threshold": [Interval(Real, 0, 1, closed="right")],
    }
)
def transfer_scores(
    estimator: Any,
    datasets: Mapping[str, Sequence[Any]],
    *,
    leave_one_out: bool = False,
    metric: str | None = None,
    cv: Any = None,
    texts: Mapping[str, Iterable[str]] | None = None,
    threshold: float = 0.8,
    shared_groups: bool = False,
    n_bootstraps: int = 2000,
    confidence_level: float = 0.95,
    random_state: int | RandomState | None = None,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> TransferScores:
    """Train a probe on each data set, and score it on all others.

    A probe that encodes a concept, rather than a property of its data set, is accurate on other
    data sets with the same labels. On its own data set, the probe is cross-validated.

    Parameters
    ----------
    estimator : estimator
        A classifier or regressor, possibly a Pipeline. It is cloned.
    datasets : mapping of str to (X, y) or (X, y, groups)
        At least two data sets by name: activations of shape (n_samples, n_neurons) of the same
        neurons, labels or numbers of shape (n_samples,), and groups such as sentence ids, or None.
        Searches inside the estimator use the groups as in :func:`layerwise_scores`.
    leave_one_out : bool, default=False
        Whether to train also on all data sets except for the one that is scored.
    metric : str, default=None
        As in :func:`compare_scores`. By default, accuracy for classifiers and "r2" for regressors.
        It is computed from all samples of a data set, those of all folds together.
    cv : int, splitter or None, default=None
        Folds within each data set, as in :func:`layerwise_scores`. Each sample must be in the test
        set of one fold.
    texts : mapping of str to iterable of str, default=None
        Texts of the samples of each data set. If passed, the overlap is computed as in
        :func:`audit_corpus`.
    threshold : float, default=0.8
        Similarity from which two texts are near duplicates.
    shared_groups : bool, default=False
        Whether equal groups of different data sets are the same, such as names of documents. If
        True, their overlap is computed. Numbers that start from 0 in each data set are not shared.
    n_bootstraps : int, default=2000
        Number of resamples for the intervals.
    confidence_level : float, default=0.95
        Confidence level of the intervals, which are computed from the groups of the data set that
        is scored.
    random_state : int, RandomState instance or None, default=None
        Controls the resamples. Pass an int for reproducible output across multiple function calls.
    n_jobs : int, default=None
        Number of fits to run in parallel.
    verbose : int, default=0
        Verbosity level. If positive, show a progress bar.

    Returns
    -------
    TransferScores
        With the cosines of the probes if they are linear: those with ``coef_``, alone or after a
        ``StandardScaler`` in a Pipeline.

    Raises
    ------
    TypeError
        If `datasets` is not a dict of names to tuples, or the labels are of different kinds.
    ValueError
        If there are fewer than two data sets, their numbers of neurons differ, lengths differ, or a
        data set has fewer than five groups.

    Warns
    -----
    UnseenLabelsWarning
        If a data set has labels that another one does not have.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import RidgeClassifier
    >>> from sklearn_neurox import transfer_scores
    >>> rng = np.random.RandomState(0)
    >>> datasets = {}
    >>> for name, neuron in [("films", 0), ("books", 0), ("names", 1)]:
    ...     y = rng.randint(2, size=200)
    ...     X = rng.normal(size=(200, 4))
    ...     X[:, neuron] += 4 * y
    ...     datasets[name] = X, y
    >>> result = transfer_scores(RidgeClassifier(), datasets, random_state=0)
    >>> result.values.round(1)
    array([[1. , 1. , 0.6],
           [1. , 1. , 0.6],
           [0.5, 0.4, 1. ]])
    >>> result.cosine.round(1)[0]
    array([1., 1., 0.])
    """
    sets = _check_datasets(estimator, datasets)
    names = tuple(sets)
    metric = check_metric(metric or ("accuracy" if is_classifier(estimator) else "r2"))
    codes = _check_texts(texts, sets)
    unseen = _check_labels(sets) if is_classifier(estimator) else {}
    seed = as_seed(random_state)
    sources = (*names, ALL_OTHERS) if leave_one_out else names
    response = response_of(metric, np.concatenate([each.y for each in sets.values()]))
    folds = {name: folds_of(estimator, each, name, cv) for name, each in sets.items()}
    splits = {name: found for name, (found, _) in folds.items()}
    groups = groups_of(sets, shared_groups)
    results = fit_all(
        Fits(estimator, sets, splits, groups, response), leave_one_out, n_jobs, verbose
    )
    held_out = {
        name: _join(sets[name], [results[source, name].found for source in sources], response)
        for name in names
    }
    options = (int(n_bootstraps), float(confidence_level), seed)
    scores: dict[tuple[str, str], Score] = {}
    for name in names:
        with noting(f"for the data set {name!r}"):
            found = resample_scores(metric, [held_out[name]], *options)
        scores |= {(source, name): found.score(i) for i, source in enumerate(sources)}
    directions = [results[name, name].directions for name in names]
    is_linear = all(each is not None for each in directions)
    linear: list[NDArray[np.float64]] = [each for each in directions if each is not None]
    is_linear = is_linear and len({each.shape for each in linear}) == 1
    parts = [each.X for each in sets.values()]
    return TransferScores(
        names=names,
        sources=sources,
        scores={pair: scores[pair] for pair in product(sources, names)},
        held_out=held_out,
        metric=metric,
        cosine=cosines(linear) if is_linear else None,
        mahalanobis_cosine=correlations_of_outputs(linear, parts) if is_linear else None,
        group_overlap=_group_overlap(sets) if shared_groups else None,
        text_overlap=None if codes is None else _text_overlap(codes, sets, threshold, seed),
        confidence_level=float(confidence_level),
        n_bootstraps=int(n_bootstraps),
        random_state=seed,
        provenance=provenance_of(estimator, cv),
        rare_labels={name: rare for name, (_, rare) in folds.items() if rare},
        unseen_labels=unseen,
    )


def _check_datasets(estimator: Any, datasets: Any) -> dict[str, DataSet]:
    sets: dict[str, DataSet] = {}
    for name, each in check_is_mapping(datasets).items():
        if not isinstance(each, tuple | list) or len(each) not in (2, 3):
            raise TypeError(
                f"The data set {name!r} must be a tuple (X, y) or (X, y, groups), got "
                f"{type(each).__name__}."
            )
        X, y, *groups = each
        with noting(f"for the data set {name!r}"):
            sets[name] = DataSet(*check_activations(estimator, X, y, groups[0] if groups else None))
    first = next(iter(sets))
    for name, each in sets.items():
        if each.X.shape[1] != sets[first].X.shape[1]:
            raise ValueError(
                f"The data sets must have the same neurons, but {first!r} has "
                f"{sets[first].X.shape[1]} and {name!r} has {each.X.shape[1]}."
            )
    return sets


def _check_labels(sets: dict[str, DataSet]) -> dict[tuple[str, str], list[Any]]:
    """Return the labels of each data set that another one does not have, after a warning."""
    first, *others = sets
    for name in others:
        check_same_kind(sets[name].y, sets[first].y, name=f"The labels of {name!r}")
    classes = {name: np.unique(each.y) for name, each in sets.items()}
    pairs = {
        (source, name): np.setdiff1d(classes[name], classes[source]).tolist()
        for source, name in product(sets, sets)
    }
    unseen = {pair: labels for pair, labels in pairs.items() if labels}
    if unseen:
        warn(
            f"Some data sets have labels that others do not have: {name_unseen_labels(unseen)}. "
            "They are scored as errors.",
            UnseenLabelsWarning,
        )
    return unseen


def _check_texts(texts: Any, sets: dict[str, DataSet]) -> list[str] | None:
    """Return the texts of all data sets, one after the other."""
    if texts is None:
        return None
    if not isinstance(texts, Mapping) or set(texts) != set(sets):
        raise ValueError(
            f"texts must be a dict with the texts of each data set: {', '.join(sets)}."
        )
    joined: list[str] = []
    for name, each in sets.items():
        listed = check_texts(texts[name], name=f"texts[{name!r}]")
        if len(listed) != len(each.y):
            raise ValueError(
                f"The data set {name!r} has {len(each.y)} samples, but {len(listed)} texts."
            )
        joined += listed
    return joined


def _join(
    data: DataSet, results: list[FoldResult], response: Response | None
) -> HeldOutPredictions:
    """Return the predictions of all training sets on one data set."""
    n = len(data.y)
    decisions = [each.decisions[0] for each in results if each.decisions is not None]
    return HeldOutPredictions(
        y=data.y,
        rows=np.arange(n),
        folds=np.zeros(n, dtype=np.intp),
        predictions=np.array([each.predictions[0] for each in results]),
        decisions=np.array(decisions) if decisions else None,
        groups=data.groups,
        classes=None if response is None else response.classes,
        are_probabilities=response is not None and response.kind == "probabilities",
    )


def _group_overlap(sets: dict[str, DataSet]) -> NDArray[np.float64]:
    missing = [name for name, each in sets.items() if each.groups is None]
    if missing:
        raise ValueError(f"shared_groups=True requires groups, but {missing[0]!r} has none.")
    groups = [each.groups.tolist() for each in sets.values() if each.groups is not None]
    known = [set(each) for each in groups]
    shares = [[np.mean([g in seen for g in each]) for each in groups] for seen in known]
    return _without_diagonal(np.array(shares))


def _text_overlap(
    texts: list[str], sets: dict[str, DataSet], threshold: float, seed: int
) -> NDArray[np.float64]:
    copies = find_copies(texts, threshold, seed)
    ends = np.cumsum([len(each.y) for each in sets.values()])[:-1]
    rows = np.split(np.arange(len(texts)), ends)
    shares = [
        [(find_leaks(copies, [(source, target)]).similarity > 0).mean() for target in rows]
        for source in rows
    ]
    return _without_diagonal(np.array(shares))


def _without_diagonal(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    np.fill_diagonal(matrix, np.nan)
    return matrix
