"""Scores along a ranking of neurons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import check_array, check_consistent_length, check_random_state
from tqdm.auto import tqdm

from .._labels import check_y
from .._optional import import_optional
from .._validation import refuse_tokens
from ..interventions import NeuronAblator
from ..neurons import NeuronSelector
from ._folds import (
    check_scorer,
    metric_name,
    quiet_about_unseen_labels,
    refuse_frozen,
    split_folds,
    warn_of_unseen_labels,
)

ABLATION_MODES = ("zero", "mean", "retrain")
KEEP = ("top", "random", "bottom")


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
    mode : {"zero", "mean", "retrain", ""}, default=""
        What happened to the other neurons.
    """

    n_neurons: NDArray[np.intp]
    scores: dict[str, NDArray[np.float64]]
    full_scores: NDArray[np.float64]
    n_available: int
    metric: str = "score"
    mode: str = ""

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
        If lengths differ, a fraction is outside (0, 1], `mode` or `keep` are unknown, the
        ranking is no permutation of the neurons, or a frozen estimator is to be trained again.

    Warns
    -----
    UserWarning
        If test words have labels that training has not, which count as wrong.

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
    refuse_tokens(X)
    check_consistent_length(X, y, groups)
    X = check_array(X, dtype=[np.float64, np.float32])
    y = check_y(estimator, y)
    counts = _counts(fractions, X.shape[1])
    if mode not in ABLATION_MODES:
        raise ValueError(f"mode must be one of {ABLATION_MODES}, got {mode!r}.")
    keep = (keep,) if isinstance(keep, str) else tuple(keep)
    if not keep or not set(keep) <= set(KEEP):
        raise ValueError(f"keep must be of {KEEP}, got {list(keep)}.")
    if not hasattr(ranking, "fit"):
        ranking = _check_permutation(ranking, X.shape[1])
    if mode == "retrain":
        refuse_frozen(estimator, by="ablation_curve(mode='retrain')")
    scorer = check_scorer(estimator, scoring)
    splits = split_folds(estimator, X, y, cv, groups)
    warn_of_unseen_labels(estimator, y, splits)
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
        metric=metric_name(estimator, scoring),
        mode=mode,
    )


def _ablate_fold(estimator, X, y, split, ranking, counts, mode, keep, scorer, seed):
    """Score with all neurons, and a dict of scores for each number of kept ones."""
    train, test = split
    X_train, y_train, X_test, y_test = X[train], y[train], X[test], y[test]
    if hasattr(ranking, "fit"):  # on its own copy, as a step of it may work in place
        ranking = clone(ranking).fit(X[train], y_train)
        if not hasattr(ranking, "ranking_"):
            raise TypeError(f"{type(ranking).__name__} has no ranking_ after fit.")
        ranking = ranking.ranking_
    orders = {
        "top": ranking,
        "bottom": ranking[::-1],
        "random": np.random.RandomState(seed).permutation(X.shape[1]),
    }
    fitted = clone(estimator).fit(X[train], y_train)

    def score(neurons):
        if mode == "retrain":
            selector = NeuronSelector(neurons).fit(X_train)
            retrained = clone(estimator).fit(selector.transform(X_train), y_train)
            return scorer(retrained, selector.transform(X_test), y_test)
        ablator = NeuronAblator(neurons, mode=mode, invert=True).fit(X_train)
        return scorer(fitted, ablator.transform(X_test), y_test)

    with quiet_about_unseen_labels():
        kept = {name: [score(orders[name][:count]) for count in counts] for name in keep}
        return scorer(fitted, X_test, y_test), kept


def _counts(fractions, n_neurons):
    fractions = np.asarray(fractions, dtype=float)
    if fractions.ndim != 1 or not fractions.size or not ((fractions > 0) & (fractions <= 1)).all():
        raise ValueError(f"fractions must be a list of numbers in (0, 1], got {fractions}.")
    return np.maximum(1, np.rint(fractions * n_neurons).astype(int))


def _check_permutation(ranking, n_neurons):
    ranking = np.asarray(ranking)
    if ranking.dtype.kind not in "iu" or not np.array_equal(np.sort(ranking), np.arange(n_neurons)):
        raise ValueError(
            f"ranking must name each of the {n_neurons} neurons once, the most important first, or "
            f"be an estimator with ranking_ after fit; got {ranking.size} values of dtype "
            f"{ranking.dtype}."
        )
    return ranking
