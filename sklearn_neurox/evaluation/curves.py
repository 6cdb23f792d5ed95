"""Scores along the layers of a network, and along a ranking of its neurons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.metrics import check_scoring
from sklearn.model_selection import GroupKFold, check_cv
from sklearn.utils import (
    check_array,
    check_consistent_length,
    check_random_state,
    check_scalar,
    indexable,
)
from tqdm.auto import tqdm  # skorch brings it

from .._optional import import_optional
from ..neurons import NeuronAblator, NeuronSelector
from .control import ControlTask

ABLATION_MODES = ("zero", "mean", "retrain")
KEEP = ("top", "random", "bottom")


@dataclass(frozen=True, eq=False, repr=False)
class LayerwiseScores:
    """Scores of a probe on each layer; the result of :func:`layerwise_scores`.

    Parameters
    ----------
    scores : ndarray of shape (n_layers, n_folds)
        Test score of the estimator on each layer and fold.
    baseline_scores : ndarray of shape (n_folds,)
        Of a predictor that sees no activations: the most frequent label, or the mean.
    control_scores : ndarray of shape (n_layers, n_folds) or None
        Of the estimator trained and tested on the labels of the control task.
    metric : str, default="score"
        What the scores are.
    """

    scores: NDArray[np.float64]
    baseline_scores: NDArray[np.float64]
    control_scores: NDArray[np.float64] | None = None
    metric: str = "score"

    def __repr__(self) -> str:
        n_layers, n_folds = self.scores.shape
        means = ", ".join(f"{mean:.3f}" for mean in self.scores.mean(axis=1))
        return f"LayerwiseScores({n_layers} layers, {n_folds} folds, mean {self.metric}: {means})"

    @property
    def selectivity(self) -> NDArray[np.float64]:
        """Score minus control score, (n_layers, n_folds)."""
        if self.control_scores is None:
            raise ValueError("There are no control scores; call layerwise_scores(control=...).")
        return self.scores - self.control_scores

    @property
    def best_layer(self) -> int:
        """Layer of the highest mean score; the lowest of equals."""
        means = self.scores.mean(axis=1)
        if np.isnan(means).any():
            raise ValueError(f"Layer {np.isnan(means).argmax()} has a score that is not a number.")
        return int(means.argmax())

    def to_frame(self) -> Any:
        """One row for each layer: means and standard deviations over the folds.

        Returns
        -------
        pandas.DataFrame
        """
        pandas = import_optional("pandas", extra="plot", purpose="to_frame()")
        columns = {"score": self.scores.mean(axis=1), "std": self.scores.std(axis=1)}
        if self.control_scores is not None:
            columns["control"] = self.control_scores.mean(axis=1)
            columns["selectivity"] = self.selectivity.mean(axis=1)
        columns["baseline"] = np.full(len(self.scores), self.baseline_scores.mean())
        return pandas.DataFrame(columns).rename_axis("layer")


@dataclass(frozen=True, eq=False, repr=False)
class AblationCurve:
    """Scores with some of the neurons; the result of :func:`ablation_curve`.

    Parameters
    ----------
    n_neurons : ndarray of int of shape (n_fractions,)
        Number of neurons kept.
    scores : dict of str to ndarray of shape (n_fractions, n_folds)
        Test scores where the "top", "random" or "bottom" neurons are kept.
    full_scores : ndarray of shape (n_folds,)
        Test scores with all neurons.
    n_available : int
        Number of all neurons.
    metric : str, default="score"
        What the scores are.
    """

    n_neurons: NDArray[np.intp]
    scores: dict[str, NDArray[np.float64]]
    full_scores: NDArray[np.float64]
    n_available: int
    metric: str = "score"

    def __repr__(self) -> str:
        means = "; ".join(
            f"{keep} " + ", ".join(f"{mean:.3f}" for mean in scores.mean(axis=1))
            for keep, scores in self.scores.items()
        )
        kept = ", ".join(map(str, self.n_neurons))
        return f"AblationCurve({kept} of {self.n_available} neurons, mean {self.metric}: {means})"

    def to_frame(self) -> Any:
        """One row for each number of neurons: mean score of each selection.

        Returns
        -------
        pandas.DataFrame
        """
        pandas = import_optional("pandas", extra="plot", purpose="to_frame()")
        means = {keep: scores.mean(axis=1) for keep, scores in self.scores.items()}
        return pandas.DataFrame(means, index=pandas.Index(self.n_neurons, name="n_neurons"))


def layerwise_scores(
    estimator,
    X,
    y,
    *,
    n_layers: int,
    cv=None,
    groups=None,
    scoring=None,
    control: ControlTask | None = None,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> LayerwiseScores:
    """Cross-validate an estimator on each layer by itself.

    The same folds serve every layer, the control task and the baseline.

    Parameters
    ----------
    estimator : estimator
        A classifier or regressor, a Pipeline too. It is cloned.
    X : array-like of shape (n_words, n_neurons)
        Activations; a layer is a run of n_neurons / n_layers columns.
    y : array-like of shape (n_words,)
        Labels or numbers.
    n_layers : int
        Number of layers in X.
    cv : int, splitter, iterable or None, default=None
        As in ``cross_val_score``; but where `groups` are given, None and an int mean a GroupKFold,
        so that they are not silently ignored.
    groups : array-like of shape (n_words,), default=None
        Words of a group stay on one side of a split; give the sentences.
    scoring : str, callable or None, default=None
        As in ``cross_val_score``.
    control : ControlTask, default=None
        From :func:`make_control_task` on the same words. Its labels are learnt and tested on the
        same folds.
    n_jobs : int, default=None
        Jobs of joblib.
    verbose : int, default=0
        Show a progress bar.

    Returns
    -------
    LayerwiseScores

    Raises
    ------
    ValueError
        If lengths differ, `n_layers` does not divide the number of neurons, or the control task
        has another number of words.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import RidgeClassifier
    >>> from sklearn_neurox import layerwise_scores
    >>> X, y = load_digits(return_X_y=True)  # 8 rows of 8 pixels, read as layers
    >>> result = layerwise_scores(RidgeClassifier(), X, y, n_layers=8)
    >>> result.scores.mean(axis=1).round(2)
    array([0.35, 0.4 , 0.5 , 0.49, 0.46, 0.46, 0.42, 0.43])
    >>> result.best_layer
    2
    >>> result
    LayerwiseScores(8 layers, 5 folds, mean accuracy: 0.3..., 0.4..., ...)
    """
    check_consistent_length(X, y, groups)
    X = check_array(X)
    check_scalar(n_layers, "n_layers", Integral, min_val=1)
    if X.shape[1] % n_layers:
        raise ValueError(f"n_layers={n_layers} does not divide the {X.shape[1]} neurons of X.")
    if not isinstance(control, ControlTask | None):
        raise TypeError(f"control must be a ControlTask, got {type(control).__name__}.")
    if control is not None and len(control.labels) != len(X):
        raise ValueError(f"The control task has {len(control.labels)} words, but X has {len(X)}.")
    y = np.asarray(y)
    scorer = check_scoring(estimator, scoring)
    splits = _splits(estimator, X, y, cv, groups)
    tasks = [y] if control is None else [y, control.labels]
    layers = np.split(X, n_layers, axis=1)  # views

    jobs = [(layer, task) for task in tasks for layer in layers]
    results = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_fold_scores)(estimator, layer, task, splits, scorer) for layer, task in jobs
    )
    bar = tqdm(results, total=len(jobs), unit="layer", desc="layers", disable=not verbose)
    scores = np.array(list(bar)).reshape(len(tasks), n_layers, len(splits))
    dummy = DummyClassifier() if is_classifier(estimator) else DummyRegressor()
    return LayerwiseScores(
        scores=scores[0],
        baseline_scores=np.array(_fold_scores(dummy, X[:, :1], y, splits, scorer)),
        control_scores=None if control is None else scores[1],
        metric=_metric(estimator, scoring),
    )


def ablation_curve(
    estimator,
    X,
    y,
    *,
    ranking,
    fractions: Sequence[float] = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0),
    mode: str = "zero",
    keep: Sequence[str] = KEEP,
    cv=None,
    groups=None,
    scoring=None,
    random_state=None,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> AblationCurve:
    """Score an estimator with only the top, random or bottom neurons of a ranking.

    Parameters
    ----------
    estimator : estimator
        A classifier or regressor, a Pipeline too. It is cloned; wrap a fitted one in
        ``sklearn.frozen.FrozenEstimator`` to ablate it as it is.
    X : array-like of shape (n_words, n_neurons)
        Activations.
    y : array-like of shape (n_words,)
        Labels or numbers.
    ranking : estimator with ``ranking_`` after ``fit``, or array-like of int (n_neurons,)
        A selector is fitted on the training words of each fold, so that the ranking never sees
        the test words. An array, a permutation with the most important neuron first, serves all
        folds: it must come from other words.
    fractions : sequence of float in (0, 1]
        Shares of the neurons to keep, at least one neuron.
    mode : {"zero", "mean", "retrain"}, default="zero"
        What happens to the other neurons: on the test words they become 0 or their mean over
        the training words, for an estimator trained with all; or they are removed, and the
        estimator is trained again on those kept. For a Pipeline that standardises, "mean" is
        what zero is after the scaler.
    keep : sequence of {"top", "random", "bottom"}
        Which end of the ranking to keep, or neurons drawn at random.
    cv : int, splitter, iterable or None, default=None
        As in :func:`layerwise_scores`.
    groups : array-like of shape (n_words,), default=None
        Words of a group stay on one side of a split.
    scoring : str, callable or None, default=None
        As in ``cross_val_score``.
    random_state : int, RandomState instance or None, default=None
        Draws the random neurons, for each fold anew.
    n_jobs : int, default=None
        Jobs of joblib, one a fold.
    verbose : int, default=0
        Show a progress bar.

    Returns
    -------
    AblationCurve

    Raises
    ------
    ValueError
        If lengths differ, a fraction is outside (0, 1], `mode` or `keep` are unknown, or the
        ranking is no permutation of the neurons.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import RidgeClassifier
    >>> from sklearn_neurox import WeightMassSelector, ablation_curve
    >>> X, y = load_digits(return_X_y=True)
    >>> curve = ablation_curve(
    ...     RidgeClassifier(), X, y, ranking=WeightMassSelector(RidgeClassifier()),
    ...     fractions=[0.25, 0.5], mode="retrain", random_state=0)
    >>> curve.to_frame().round(2)
                top  random  bottom
    n_neurons
    16         0.81    0.71    0.23
    32         0.88    0.82    0.65
    """
    check_consistent_length(X, y, groups)
    X = check_array(X, dtype=[np.float64, np.float32])
    y = np.asarray(y)
    counts = _counts(fractions, X.shape[1])
    if mode not in ABLATION_MODES:
        raise ValueError(f"mode must be one of {ABLATION_MODES}, got {mode!r}.")
    if not keep or not set(keep) <= set(KEEP):
        raise ValueError(f"keep must be of {KEEP}, got {list(keep)}.")
    if not hasattr(ranking, "fit"):
        ranking = _check_permutation(ranking, X.shape[1])
    scorer = check_scoring(estimator, scoring)
    splits = _splits(estimator, X, y, cv, groups)
    seeds = check_random_state(random_state).randint(2**31 - 1, size=len(splits))

    folds = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_ablate_fold)(estimator, X, y, split, ranking, counts, mode, keep, scorer, seed)
        for split, seed in zip(splits, seeds, strict=True)
    )
    bar = tqdm(folds, total=len(splits), unit="fold", desc="ablation", disable=not verbose)
    full, kept = zip(*bar, strict=True)
    return AblationCurve(
        n_neurons=counts,
        scores={name: np.array([fold[name] for fold in kept]).T for name in keep},
        full_scores=np.array(full),
        n_available=X.shape[1],
        metric=_metric(estimator, scoring),
    )


def _ablate_fold(estimator, X, y, split, ranking, counts, mode, keep, scorer, seed):
    """Score with all neurons, and a dict of scores for each number of kept ones."""
    train, test = split
    X_train, y_train, X_test, y_test = X[train], y[train], X[test], y[test]
    if hasattr(ranking, "fit"):
        ranking = clone(ranking).fit(X_train, y_train)
        if not hasattr(ranking, "ranking_"):
            raise TypeError(f"{type(ranking).__name__} has no ranking_ after fit.")
        ranking = ranking.ranking_
    orders = {
        "top": ranking,
        "bottom": ranking[::-1],
        "random": np.random.RandomState(seed).permutation(X.shape[1]),
    }
    fitted = clone(estimator).fit(X_train, y_train)

    def score(neurons):
        if mode == "retrain":
            selector = NeuronSelector(neurons).fit(X_train)
            retrained = clone(estimator).fit(selector.transform(X_train), y_train)
            return scorer(retrained, selector.transform(X_test), y_test)
        ablator = NeuronAblator(neurons, mode=mode, invert=True).fit(X_train)
        return scorer(fitted, ablator.transform(X_test), y_test)

    kept = {name: [score(orders[name][:count]) for count in counts] for name in keep}
    return scorer(fitted, X_test, y_test), kept


def _fold_scores(estimator, X, y, splits, scorer) -> list[float]:
    return [
        scorer(clone(estimator).fit(X[train], y[train]), X[test], y[test]) for train, test in splits
    ]


def _splits(estimator, X, y, cv, groups):
    """Folds as a list, by groups where there are any."""
    if groups is not None and (cv is None or isinstance(cv, Integral)):
        cv = GroupKFold(5 if cv is None else cv)
    X, y, groups = indexable(X, y, groups)
    return list(check_cv(cv, y, classifier=is_classifier(estimator)).split(X, y, groups))


def _counts(fractions, n_neurons):
    fractions = np.asarray(fractions, dtype=float)
    if fractions.ndim != 1 or not fractions.size or not ((fractions > 0) & (fractions <= 1)).all():
        raise ValueError(f"fractions must be a list of numbers in (0, 1], got {fractions}.")
    return np.maximum(1, np.rint(fractions * n_neurons).astype(int))


def _metric(estimator, scoring) -> str:
    """Name of the score: as asked for, or what estimators score by themselves."""
    if scoring is None:
        return "accuracy" if is_classifier(estimator) else "R²"
    return scoring if isinstance(scoring, str) else "score"


def _check_permutation(ranking, n_neurons):
    ranking = np.asarray(ranking)
    if ranking.ndim != 1 or not np.array_equal(np.sort(ranking), np.arange(n_neurons)):
        raise ValueError(
            f"ranking must name each of the {n_neurons} neurons once, or be an estimator with "
            f"ranking_ after fit; got an array of shape {ranking.shape}."
        )
    return ranking
