"""Nested cross-validation: the layer and the parameters are chosen without the test samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone, is_classifier
from sklearn.model_selection import ParameterGrid
from sklearn.utils._param_validation import HasMethods, Interval

from .._bootstrap import Score, as_seed
from .._grouped_fits import fit_clone
from .._html import escape
from .._optional import import_optional
from .._rare_labels import (
    describe_rare_labels,
    of_defined_folds,
    warn_about_undefined_folds,
)
from .._results import make_splits
from .._row_copies import copy_rows
from .._validation import validate_params
from .._wording import count
from ..activations.columns import Layer
from ._comparable import check_metric
from ._folds import CV_CONSTRAINTS, Split, make_folds
from ._jobs import run_jobs
from ._layer_columns import columns_by_layer, neuron_names
from ._layer_fits import FoldResult, in_order, score_fitted, score_layers
from ._make_comparison import resample_scores
from ._provenance import Provenance, describe_bootstrap, name_versions, provenance_of
from ._responses import Response
from ._samples import check_activations
from .comparison import format_score
from .decision_metrics import response_of
from .held_out import HeldOutPredictions, join_folds
from .scorers import Scorer, Scoring, metric_name


@dataclass(frozen=True, eq=False, repr=False)
class NestedScores:
    """Scores of a procedure that chooses a layer, as returned by :func:`nested_layer_scores`.

    Parameters
    ----------
    scores : ndarray of shape (n_folds,)
        Test score of the chosen layer and parameters on each outer fold.
    layers : tuple of n_folds int or str
        Layer chosen in each outer fold.
    params : tuple of n_folds dict
        Parameters chosen in each outer fold.
    inner_scores : ndarray of shape (n_folds,)
        Mean score of the choice on the inner folds, which is the maximum over all candidates.
    held_out : HeldOutPredictions
        Predictions on the test samples of the outer folds, with one row.
    metric : str
        Name of the metric.
    provenance : Provenance
        The estimator, the argument `cv`, and the versions of the packages.
    rare_labels : dict of label to list of int
        As in :class:`LayerwiseScores`, of the outer folds.
    """

    scores: NDArray[np.float64]
    layers: tuple[Layer, ...]
    params: tuple[dict[str, Any], ...]
    inner_scores: NDArray[np.float64]
    held_out: HeldOutPredictions
    metric: str
    provenance: Provenance
    rare_labels: Mapping[Any, list[int]] = field(default_factory=dict)

    def __repr__(self) -> str:
        chosen = ", ".join(f"{layer} ({n}x)" for layer, n in Counter(self.layers).most_common())
        return (
            f"NestedScores({count(len(self.scores), 'fold')}, mean {self.metric} "
            f"{of_defined_folds(self.scores).mean():.3f}, of the choices on inner folds "
            f"{of_defined_folds(self.inner_scores).mean():.3f}; layers {chosen})"
        )

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self))}</p>" + self.to_frame().to_html(
            float_format="{:.3f}".format
        )

    def to_frame(self) -> Any:
        """Return one row per outer fold: the chosen layer and parameters, and both scores.

        Returns
        -------
        pandas.DataFrame
        """
        pandas = import_optional("pandas", extra="plot", purpose="to_frame()")
        names = list(dict.fromkeys(name for each in self.params for name in each))
        chosen = {name: [each.get(name) for each in self.params] for name in names}
        columns: dict[str, Any] = {"layer": self.layers, **chosen}
        columns |= {"score": self.scores, "inner_score": self.inner_scores}
        return pandas.DataFrame(columns).rename_axis("fold")

    def score(
        self,
        *,
        n_bootstraps: int = 10_000,
        confidence_level: float = 0.95,
        random_state: int | RandomState | None = 0,
    ) -> Score:
        """Return the mean score with its bootstrap interval over groups.

        Parameters
        ----------
        n_bootstraps, confidence_level, random_state
            As in :func:`compare_scores`.

        Returns
        -------
        Score
        """
        found = resample_scores(
            check_metric(self.metric),
            [self.held_out],
            n_bootstraps,
            confidence_level,
            as_seed(random_state),
        )
        return found.score(0)

    def methods(
        self,
        *,
        sample: str = "sample",
        group: str = "group",
        n_bootstraps: int = 10_000,
        confidence_level: float = 0.95,
        random_state: int = 0,
    ) -> str:
        """Return sentences that describe the score in a paper, and what reproduces it.

        Parameters
        ----------
        sample, group : str
            What a sample and a group are, such as "word" and "sentence".
        n_bootstraps, confidence_level, random_state
            As in :func:`compare_scores`.

        Returns
        -------
        str
        """
        held_out = self.held_out
        options = {"n_bootstraps": n_bootstraps, "confidence_level": confidence_level}
        score = self.score(**options, random_state=random_state)  # type: ignore[arg-type]  # of a dict
        grouped = held_out.groups is not None
        unit = group if grouped else sample
        sizes = [count(held_out.n_groups, group)] * grouped + [count(held_out.n_samples, sample)]
        layers = ", ".join(f"{layer} in {n}" for layer, n in Counter(self.layers).most_common())
        bootstrap = describe_bootstrap(
            unit, n_bootstraps, random_state, intervals="expanded percentile interval"
        )
        return (
            f"{self.metric.capitalize()} {format_score(score)} ({confidence_level:.0%} interval), "
            f"nested {held_out.n_folds}-fold{f' by {group}' * grouped}, {', '.join(sizes)}. The "
            f"layer was chosen on inner folds of the training {unit}s "
            f"(layer {layers} of {count(held_out.n_folds, 'fold')}). {bootstrap} "
            f"{name_versions(self.provenance.versions)}. "
            f"Estimator: {self.provenance.estimator}; cv={self.provenance.cv}."
            f"{describe_rare_labels(self.rare_labels)}"
        )


@validate_params(
    CV_CONSTRAINTS
    | {
        "n_layers": [Interval(Integral, 1, None, closed="left"), None],
        "inner_cv": [Interval(Integral, 2, None, closed="left"), HasMethods(["split"]), None],
        "param_grid": [dict, list, None],
    }
)
def nested_layer_scores(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike,
    *,
    n_layers: int | None = None,
    layers: Sequence[Layer] | None = None,
    param_grid: Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Sequence[Any]]] | None = None,
    cv: Any = None,
    inner_cv: Any = None,
    groups: ArrayLike | None = None,
    scoring: Scoring = None,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> NestedScores:
    """Score the choice of a layer, and of parameters, by nested cross-validation.

    The highest of several cross-validated scores is too high, because it was chosen on the samples
    that it is computed from. Here, each outer fold chooses the layer and the parameters on inner
    folds of its training samples, and scores the choice on its test samples [1]_.

    Parameters
    ----------
    estimator : estimator
        As in :func:`layerwise_scores`.
    X, y, n_layers, layers
        As in :func:`layerwise_scores`.
    param_grid : dict of str to list, list of such dicts, or None, default=None
        Parameters to choose from, as in ``GridSearchCV``, such as penalties.
    cv : int, splitter, iterable or None, default=None
        Outer folds, as in :func:`layerwise_scores`.
    inner_cv : int, splitter or None, default=None
        Inner folds. With `groups`, None and an int mean a GroupKFold.
    groups : array-like of shape (n_samples,), default=None
        Groups of the samples, which neither the outer nor the inner folds split, nor the searches
        inside the estimator, as in :func:`layerwise_scores`.
    scoring : str, callable or None, default=None
        As in :func:`layerwise_scores`.
    n_jobs, verbose
        As in :func:`layerwise_scores`.

    Returns
    -------
    NestedScores

    Raises
    ------
    ValueError
        As in :func:`layerwise_scores`, and if the estimator does not have a parameter of
        `param_grid`.

    Warns
    -----
    UnseenLabelsWarning
        If test samples of the outer folds have labels that were not seen during training.

    References
    ----------
    .. [1] G. Cawley and N. Talbot (2010). On Over-fitting in Model Selection and Subsequent
       Selection Bias in Performance Evaluation. Journal of Machine Learning Research 11.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import RidgeClassifier
    >>> from sklearn_neurox import nested_layer_scores
    >>> X, y = load_digits(return_X_y=True)  # 8 rows of 8 pixels, used as layers
    >>> nested_layer_scores(
    ...     RidgeClassifier(), X, y, n_layers=8, param_grid={"alpha": [1, 1000]}, cv=3)
    NestedScores(3 folds, mean accuracy 0.4..., of the choices on inner folds 0.4...; layers 2 ...)
    """
    activations, y, groups = check_activations(estimator, X, y, groups)
    columns = columns_by_layer(neuron_names(X), activations.shape[1], n_layers, layers)
    candidates = [
        (params, clone(estimator).set_params(**params))
        for params in ParameterGrid(param_grid or {})
    ]
    splits, scorer, rare = make_folds(
        estimator, activations, y, cv=cv, groups=groups, scoring=scoring
    )
    order = np.concatenate(list(columns.values()))
    ends = np.cumsum([len(each) for each in columns.values()])[:-1]
    activations = in_order(activations, order)
    metric = metric_name(estimator, scoring)
    response = response_of(metric, y)
    jobs = [
        (candidates, activations, y, groups, ends, split, inner_cv, scorer, response)
        for split in splits
    ]
    places = [f"in outer fold {fold}" for fold in range(len(splits))]
    results = run_jobs(_nested, jobs, places=places, n_jobs=n_jobs, verbose=verbose, name="nested")
    names = tuple(columns)
    scores = np.array([found.scores[0] for _, _, _, found in results])
    warn_about_undefined_folds(scores, y, splits, metric)
    return NestedScores(
        scores=scores,
        layers=tuple(names[layer] for layer, _, _, _ in results),
        params=tuple(candidates[candidate][0] for _, candidate, _, _ in results),
        inner_scores=np.array([score for _, _, score, _ in results]),
        held_out=join_folds([found for *_, found in results], splits, y, groups, response),
        metric=metric,
        provenance=provenance_of(estimator, cv),
        rare_labels=rare,
    )


def _nested(
    candidates: list[tuple[dict[str, Any], Any]],
    X: NDArray,
    y: NDArray,
    groups: NDArray | None,
    ends: NDArray[np.intp],
    split: Split,
    inner_cv: Any,
    scorer: Scorer,
    response: Response | None,
) -> tuple[int, int, float, FoldResult]:
    """Choose a layer and a candidate on the training samples, and score the choice.

    Returns
    -------
    layer, candidate : int
    score : float
        Mean score of the choice on the inner folds.
    FoldResult
    """
    train, test = split
    X_train, y_train = copy_rows(X, train), y[train]
    of_train = None if groups is None else groups[train]
    inner = make_splits(
        X_train,
        y_train,
        cv=inner_cv,
        classifier=is_classifier(candidates[0][1]),
        groups=of_train,
    )
    inner_scores = np.array(
        [
            [
                score_layers(each, X_train, y_train, ends, one, scorer, None, of_train).scores
                for one in inner
            ]
            for _, each in candidates
        ]
    )
    # (n_candidates, n_layers)
    means = of_defined_folds(np.moveaxis(inner_scores, 1, -1)).mean(axis=-1)
    if np.isnan(means).all():
        raise ValueError("All scores on the inner folds are NaN.")
    candidate, layer = np.unravel_index(np.nanargmax(means), means.shape)
    part, held_out = (np.split(each, ends, axis=1)[layer] for each in (X_train, copy_rows(X, test)))
    fitted = fit_clone(candidates[candidate][1], part, y_train, of_train)
    found = score_fitted([fitted], [np.ascontiguousarray(held_out)], y[test], scorer, response)
    return int(layer), int(candidate), float(means[candidate, layer]), found
