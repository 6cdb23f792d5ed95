"""Scores with the top, random or bottom neurons of a ranking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import FLOAT_DTYPES

from .._grouped_fits import fit_clone
from .._optional import import_optional
from .._rare_labels import (
    ignore_rare_labels,
    of_defined_folds,
    warn_about_undefined_folds,
)
from .._results import check_permutation, ranking_of
from .._validation import validate_params
from ..interventions import NeuronAblator
from ._folds import CV_CONSTRAINTS, Split, check_not_frozen, make_folds
from ._jobs import run_jobs
from ._samples import check_activations, take_samples
from .scorers import Scorer, Scoring, metric_name

KEEP = ("top", "random", "bottom")


@dataclass(frozen=True, eq=False, repr=False)
class AblationCurve:
    """Scores with subsets of the neurons, as returned by :func:`ablation_curve`.

    Parameters
    ----------
    n_neurons : ndarray of int of shape (n_fractions,)
        Number of neurons that are kept.
    scores : dict of str to ndarray of shape (n_fractions, n_folds)
        Test scores if the "top", "random" or "bottom" neurons are kept.
    full_scores : ndarray of shape (n_folds,)
        Test scores with all neurons.
    n_available : int
        Total number of neurons.
    metric : str, default="score"
        Name of the metric.
    mode : {"zero", "mean", "remove", ""}, default=""
        How the other neurons are ablated.
    rare_labels : dict of label to list of int
        As in :class:`LayerwiseScores`.
    """

    n_neurons: NDArray[np.intp]
    scores: dict[str, NDArray[np.float64]]
    full_scores: NDArray[np.float64]
    n_available: int
    metric: str = "score"
    mode: str = ""
    rare_labels: Mapping[Any, list[int]] = field(default_factory=dict)

    def __repr__(self) -> str:
        means = "; ".join(
            f"{keep} " + ", ".join(f"{mean:.3f}" for mean in of_defined_folds(scores).mean(axis=1))
            for keep, scores in self.scores.items()
        )
        kept = ", ".join(map(str, self.n_neurons))
        return f"AblationCurve({kept} of {self.n_available} neurons, mean {self.metric}: {means})"

    def to_frame(self) -> Any:
        """Return one row per number of neurons, with the mean score of each selection.

        Returns
        -------
        pandas.DataFrame
        """
        pandas = import_optional("pandas", extra="plot", purpose="to_frame()")
        means = {
            keep: of_defined_folds(scores).mean(axis=1) for keep, scores in self.scores.items()
        }
        return pandas.DataFrame(means, index=pandas.Index(self.n_neurons, name="n_neurons"))


@validate_params(CV_CONSTRAINTS | {"mode": [StrOptions({"zero", "mean", "remove"})]})
def ablation_curve(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike,
    *,
    ranking: Any,
    fractions: Sequence[float] | NDArray = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0),
    mode: Literal["zero", "mean", "remove"] = "zero",
    keep: str | Sequence[str] = KEEP,
    cv: Any = None,
    groups: ArrayLike | None = None,
    scoring: Scoring = None,
    random_state: int | np.random.RandomState | None = None,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> AblationCurve:
    """Score an estimator with only the top, random or bottom neurons of a ranking.

    Parameters
    ----------
    estimator : estimator
        A classifier or regressor, possibly a Pipeline. It is cloned. To ablate a fitted estimator
        without training it again, wrap it in ``sklearn.frozen.FrozenEstimator``.
    X : array-like of shape (n_samples, n_neurons)
        Activations.
    y : array-like of shape (n_samples,)
        Labels or target values.
    ranking : estimator with ``ranking_`` after ``fit``, or array-like of int (n_neurons,)
        A selector is fitted on the training samples of each fold, so the ranking never depends on
        test samples. An array must be a permutation of the neurons, ordered from most to least
        important. It is used in all folds and must be computed from other samples. The ``ranking_``
        of scikit-learn's ``RFE`` contains ranks instead, and is an error.
    fractions : sequence of float in (0, 1]
        Fractions of the neurons to keep. At least one neuron is kept.
    mode : {"zero", "mean", "remove"}, default="zero"
        How the other neurons are ablated, as in :class:`NeuronAblator`. With "zero" and "mean",
        the estimator is trained with all neurons; on the test samples, the ablated ones are 0 or
        their mean over the training samples. With "remove", their columns are removed, and the
        estimator is trained again on those that are kept. For a Pipeline that standardizes, "mean"
        corresponds to zero after the scaler.
    keep : {"top", "random", "bottom"} or sequence of them
        Whether to keep the top or the bottom of the ranking, or neurons drawn at random.
    cv : int, splitter, iterable or None, default=None
        As in :func:`layerwise_scores`.
    groups : array-like of shape (n_samples,), default=None
        Groups of the samples, which are never split between training and test, also inside the
        estimator and the ranking, as in :func:`layerwise_scores`.
    scoring : str, callable or None, default=None
        As in ``cross_val_score``, or a metric of :func:`get_scorer`.
    random_state : int, RandomState instance or None, default=None
        Controls the random neurons, which are drawn again for each fold. Pass an int for
        reproducible output across multiple function calls.
    n_jobs : int, default=None
        Number of jobs to run in parallel, one for each fold. None means 1 unless in a
        ``joblib.parallel_backend`` context. -1 means using all processors.
    verbose : int, default=0
        Verbosity level. If positive, show a progress bar.

    Returns
    -------
    AblationCurve

    Raises
    ------
    ValueError
        If lengths differ, a fraction is outside (0, 1], `mode` or `keep` are unknown, the ranking
        is not a permutation of the neurons, or a frozen estimator would have to be trained.
    TypeError
        If `ranking` does not have the attribute ``ranking_`` after ``fit``.

    Warns
    -----
    UnseenLabelsWarning
        If test samples have labels that were not seen during training.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import RidgeClassifier
    >>> from sklearn_neurox import WeightMassSelector, ablation_curve
    >>> X, y = load_digits(return_X_y=True)
    >>> curve = ablation_curve(
    ...     RidgeClassifier(), X, y, ranking=WeightMassSelector(RidgeClassifier()),
    ...     fractions=[0.25, 0.5], mode="remove", random_state=0)
    >>> curve.to_frame().round(2)
                top  random  bottom
    n_neurons
    16         0.81    0.71    0.23
    32         0.88    0.82    0.65
    """
    activations, y, groups = check_activations(estimator, X, y, groups, dtype=FLOAT_DTYPES)
    counts = _counts(fractions, activations.shape[1])
    keep = (keep,) if isinstance(keep, str) else tuple(keep)
    if not keep or not set(keep) <= set(KEEP):
        raise ValueError(f"keep must contain one or more of {', '.join(KEEP)}, got {list(keep)}.")
    if not hasattr(ranking, "fit"):
        ranking = check_permutation(ranking, activations.shape[1], name="ranking")
    if mode == "remove":
        check_not_frozen(estimator, by="ablation_curve(mode='remove')")
    splits, scorer, rare = make_folds(
        estimator, activations, y, cv=cv, groups=groups, scoring=scoring
    )
    seeds = check_random_state(random_state).randint(2**31 - 1, size=len(splits))

    jobs = [
        (estimator, activations, y, groups, split, ranking, counts, mode, keep, scorer, seed)
        for split, seed in zip(splits, seeds, strict=True)
    ]
    places = [f"in fold {fold}" for fold in range(len(splits))]
    folds = run_jobs(
        _ablate_fold, jobs, places=places, n_jobs=n_jobs, verbose=verbose, name="ablation"
    )
    full, kept = zip(*folds, strict=True)
    metric = metric_name(estimator, scoring)
    warn_about_undefined_folds(np.array(full), y, splits, metric)
    return AblationCurve(
        n_neurons=counts,
        scores={name: np.array([fold[name] for fold in kept]).T for name in keep},
        full_scores=np.array(full),
        n_available=activations.shape[1],
        metric=metric,
        mode=mode,
        rare_labels=rare,
    )


def _ablate_fold(
    estimator: Any,
    X: NDArray,
    y: NDArray,
    groups: NDArray | None,
    split: Split,
    ranking: Any,
    counts: NDArray[np.intp],
    mode: Literal["zero", "mean", "remove"],
    keep: tuple[str, ...],
    scorer: Scorer,
    seed: int,
) -> tuple[float, dict[str, list[float]]]:
    """Return the score with all neurons, and the scores of each selection by name."""
    train, test = split
    X_train, y_train = take_samples(X, train), y[train]
    X_test, y_test = take_samples(X, test), y[test]
    of_train = None if groups is None else groups[train]
    if hasattr(ranking, "fit"):  # on another copy, because a step may modify X in place
        own = take_samples(X, train)
        ranking = ranking_of(fit_clone(ranking, own, y_train, of_train), X.shape[1])
    orders = {
        "top": ranking,
        "bottom": ranking[::-1],
        "random": np.random.RandomState(seed).permutation(X.shape[1]),
    }
    fitted = fit_clone(estimator, take_samples(X, train), y_train, of_train)

    def score(neurons: NDArray[np.intp]) -> float:
        ablator = NeuronAblator(neurons, mode=mode, invert=True).fit(X_train)
        predictor = fitted
        if mode == "remove":
            predictor = fit_clone(estimator, ablator.transform(X_train), y_train, of_train)
        return scorer(predictor, ablator.transform(X_test), y_test)

    with ignore_rare_labels():
        kept = {name: [score(orders[name][:count]) for count in counts] for name in keep}
        return scorer(fitted, X_test, y_test), kept


def _counts(fractions: ArrayLike, n_neurons: int) -> NDArray[np.intp]:
    fractions = np.asarray(fractions)
    is_list = fractions.ndim == 1 and fractions.size and fractions.dtype.kind in "iuf"
    if not is_list or not ((fractions > 0) & (fractions <= 1)).all():
        raise ValueError(f"fractions must be a list of numbers in (0, 1], got {fractions}.")
    return np.maximum(1, np.rint(fractions * n_neurons).astype(int))
