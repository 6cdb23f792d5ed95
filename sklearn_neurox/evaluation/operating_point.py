"""Thresholds that are chosen on training groups, and their rates on held-out samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._bootstrap import Resampling, Score, as_seed, expanded_interval
from .._html import element, escape, format_value, table
from .._optional import import_optional
from .._rare_labels import warn_about_rare_labels
from .._results import make_splits
from .._validation import validate_params
from .._wording import count
from ._comparison_statistics import MIN_GROUPS
from ._folds import CV_CONSTRAINTS, Split, check_not_frozen
from ._jobs import run_jobs
from ._make_comparison import BOOTSTRAP_CONSTRAINTS
from ._probe_scores import class_sums
from ._provenance import Provenance, describe_bootstrap, name_versions, provenance_of
from ._ranked_metrics import DEFAULT_FPR
from ._resampled_metrics import label_metric
from ._samples import check_samples, take_samples
from .comparison import format_score
from .held_out import HeldOutPredictions
from .threshold import THRESHOLD_CONSTRAINTS, binary_problem, fit_tuned


@dataclass(frozen=True, eq=False, repr=False)
class OperatingPoint:
    """Rates of thresholds on samples that were not used to choose them.

    Parameters
    ----------
    rates : dict of str to Score
        "false_positive_rate", "recall" and "precision" of the positive class, with their intervals.
    thresholds : ndarray of shape (n_folds,)
        Threshold of each fold, for the decision values of its probe.
    fpr : float
        Intended false positive rate, for which the thresholds were chosen.
    pos_label : label
        The positive class.
    held_out : HeldOutPredictions
        Which held-out samples are above the threshold of their fold, as booleans.
    confidence_level : float
        Confidence level of the intervals.
    n_bootstraps, random_state : int
        Number of resamples, and the int that draws the same ones.
    provenance : Provenance
        The estimator, the argument `cv`, and the versions of the packages.
    """

    rates: dict[str, Score]
    thresholds: NDArray[np.float64]
    fpr: float
    pos_label: Any
    held_out: HeldOutPredictions
    confidence_level: float
    n_bootstraps: int
    random_state: int
    provenance: Provenance

    def __repr__(self) -> str:
        rates = self.rates
        return (
            f"OperatingPoint({self.pos_label!r}, false positive rate "
            f"{rates['false_positive_rate']} for {self.fpr:g}, recall {rates['recall']})"
        )

    def _sizes(self) -> dict[str, tuple[int, int]]:
        """Return the number of samples and of groups that each rate is a share of."""
        units = self.held_out.rows if self.held_out.groups is None else self.held_out.groups
        return {
            name: (int(rows.sum()), len(np.unique(units[rows])))
            for name, rows in _samples_of_rates(self.held_out).items()
        }

    def to_frame(self) -> Any:
        """Return one row per rate.

        Returns
        -------
        pandas.DataFrame
            The columns are "estimate", its interval, "lower" and "upper", and the numbers of
            samples and of groups that the rate is a share of, "n" and "n_groups".
        """
        pandas = import_optional("pandas", extra="plot", purpose="to_frame()")
        sizes = self._sizes()
        rows = {name: (*score, *sizes[name]) for name, score in self.rates.items()}
        columns = ["estimate", "lower", "upper", "n", "n_groups"]
        frame = pandas.DataFrame.from_dict(rows, orient="index", columns=columns)
        return frame.astype({"lower": float, "upper": float}).rename_axis("rate")

    def methods(self, *, sample: str = "sample", group: str = "group") -> str:
        """Return sentences that describe the operating point in a paper.

        Parameters
        ----------
        sample, group : str
            What a sample and a group are, such as "prompt" and "conversation".

        Returns
        -------
        str
        """
        held_out = self.held_out
        is_grouped = held_out.groups is not None
        unit = group if is_grouped else sample
        rates = ", ".join(
            f"{name.replace('_', ' ')} {format_score(score)}" for name, score in self.rates.items()
        )
        split = f"{held_out.n_folds}-fold" + f" by {group}" * is_grouped
        sizes = [count(held_out.n_groups, group)] * is_grouped
        sizes.append(count(held_out.n_samples, sample))
        return (
            f"The threshold of {self.pos_label!r} was chosen by cross-validation within the "
            f"training {unit}s, for a false positive rate of {self.fpr:g}. On held-out "
            f"{unit}s ({self.confidence_level:.0%} intervals): {rates}; "
            f"{', '.join([split, *sizes])}. "
            f"{describe_bootstrap(unit, self.n_bootstraps, self.random_state)} "
            f"{name_versions(self.provenance.versions)}. Estimator: {self.provenance.estimator}; "
            f"cv={self.provenance.cv}."
        )

    def _repr_html_(self) -> str:
        heads = [element("th", name, scope="col") for name in ("rate", "score", "n", "n_groups")]
        sizes = self._sizes()
        rows = [
            [element("td", escape(format_value(cell))) for cell in (name, str(score), *sizes[name])]
            for name, score in self.rates.items()
        ]
        return table(heads, [rows], caption=escape(repr(self)))


@validate_params(
    CV_CONSTRAINTS | BOOTSTRAP_CONSTRAINTS | THRESHOLD_CONSTRAINTS | {"inner_cv": ["cv_object"]}
)
def operating_point(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    *,
    fpr: float = DEFAULT_FPR,
    pos_label: Any = None,
    cv: Any = None,
    inner_cv: Any = None,
    groups: ArrayLike | None = None,
    n_bootstraps: int = 2000,
    confidence_level: float = 0.95,
    random_state: int | np.random.RandomState | None = None,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> OperatingPoint:
    """Choose a threshold on training groups, and report its rates on held-out groups.

    A threshold that is chosen on the samples on which it is scored meets its false positive rate by
    construction. Here, each training set chooses its own threshold (:func:`tune_threshold`), and
    the realized rates are those of all held-out samples together.

    Parameters
    ----------
    estimator : classifier with ``decision_function`` or ``predict_proba``
        Possibly a Pipeline. It is cloned.
    X : array-like of shape (n_samples, n_neurons)
        Activations, or any other input of the estimator.
    y : array-like of shape (n_samples,)
        Labels.
    fpr : float in [0, 1), default=0.01
        Intended false positive rate.
    pos_label : label, default=None
        The positive class. It is required if there are more than two classes, and the probe then
        distinguishes this class from all others. If None, the second of two classes.
    cv : int, splitter, iterable or None, default=None
        As in :func:`layerwise_scores`. Each sample must be in the test set of at most one fold.
    inner_cv : int, splitter or None, default=None
        Folds of the training samples, on which the thresholds are chosen.
    groups : array-like of shape (n_samples,), default=None
        Groups of the samples, which are never split between training and test, in the inner folds
        and in searches inside the estimator as well. The intervals are those of a bootstrap over
        groups.
    n_bootstraps : int, default=2000
        Number of resamples.
    confidence_level : float, default=0.95
        Confidence level of the intervals.
    random_state : int, RandomState instance or None, default=None
        Controls the resamples. Pass an int for reproducible output across multiple function calls.
    n_jobs : int, default=None
        Number of folds to run in parallel.
    verbose : int, default=0
        Verbosity level. If positive, show a progress bar.

    Returns
    -------
    OperatingPoint

    Raises
    ------
    TypeError
        If the estimator has neither ``decision_function`` nor ``predict_proba``.
    ValueError
        If lengths differ, `pos_label` is not a label, or is missing for more than two classes,
        there are no samples of other classes, or a sample is in several test sets.

    Warns
    -----
    UnseenLabelsWarning
        If a fold does not have positive training samples. Its positive test samples are errors.

    Notes
    -----
    The thresholds are fixed in the resamples, so the intervals describe the sample of held-out
    groups. A rate of samples of fewer than five groups has no interval.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_neurox import operating_point
    >>> rng = np.random.RandomState(0)
    >>> y = rng.choice(["other", "rare"], p=[0.9, 0.1], size=2000)
    >>> X = rng.normal(size=(2000, 5)) + (y == "rare")[:, None]
    >>> operating_point(LogisticRegression(), X, y, fpr=0.05, cv=3, random_state=0)
    OperatingPoint('rare', false positive rate 0.0... [0.0..., 0.0...] for 0.05, recall 0...)
    """
    check_not_frozen(estimator, by="operating_point")
    X, y, groups = check_samples(X, y, groups)
    labels, positive = binary_problem(y, pos_label)
    seed = as_seed(random_state)
    splits = make_splits(X, labels, cv=cv, classifier=True, groups=groups)
    warn_about_rare_labels(labels, splits)
    rows = np.concatenate([test for _, test in splits])
    if len(np.unique(rows)) < len(rows):
        raise ValueError("Each sample must be in the test set of at most one fold of cv.")
    jobs = [(estimator, X, labels, groups, split, positive, fpr, inner_cv) for split in splits]
    places = [f"in fold {fold}" for fold in range(len(splits))]
    results = run_jobs(
        _tune_and_predict, jobs, places=places, n_jobs=n_jobs, verbose=verbose, name="thresholds"
    )
    held_out = HeldOutPredictions(
        y=(labels == positive)[rows],
        rows=rows,
        folds=np.repeat(np.arange(len(splits)), [len(test) for _, test in splits]),
        predictions=np.concatenate([predicted for _, predicted in results])[np.newaxis],
        groups=None if groups is None else groups[rows],
    )
    resampling = Resampling(int(n_bootstraps), float(confidence_level), seed)
    return OperatingPoint(
        rates=_score_rates(held_out, resampling),
        thresholds=np.array([threshold for threshold, _ in results]),
        fpr=float(fpr),
        pos_label=np.unique(y).tolist()[-1] if pos_label is None else pos_label,
        held_out=held_out,
        confidence_level=float(confidence_level),
        n_bootstraps=int(n_bootstraps),
        random_state=seed,
        provenance=provenance_of(estimator, cv),
    )


def _tune_and_predict(
    estimator: Any,
    X: Any,
    y: NDArray,
    groups: NDArray | None,
    split: Split,
    positive: Any,
    fpr: float,
    cv: Any,
) -> tuple[float, NDArray[np.bool_]]:
    """Return the threshold of the training samples, and which test samples are above it."""
    train, test = split
    if len(np.unique(y[train])) < 2:
        # Without positive training samples, no sample is above the threshold: all are errors.
        is_above = bool(y[train[0]] == positive)
        return -np.inf if is_above else np.inf, np.full(len(test), is_above)
    some = None if groups is None else groups[train]
    tuned = fit_tuned(estimator, take_samples(X, train), y[train], some, positive, fpr, cv)
    return float(tuned.threshold), tuned.predict(take_samples(X, test)) == positive


def _samples_of_rates(held_out: HeldOutPredictions) -> dict[str, NDArray[np.bool_]]:
    """Return the samples that each rate is a share of."""
    true, predicted = held_out.y, held_out.predictions[0]
    return {"false_positive_rate": ~true, "recall": true, "precision": predicted}


def _score_rates(held_out: HeldOutPredictions, resampling: Resampling) -> dict[str, Score]:
    """Return the rates of the held-out samples, with expanded intervals over their groups."""
    true, predicted = held_out.y.astype(np.intp), held_out.predictions[0].astype(np.intp)
    sums = class_sums(2 * true + predicted, held_out.groups, 2, resampling)
    right = true[true == predicted]
    counts = [
        np.bincount(codes, minlength=2)[np.newaxis].astype(float)
        for codes in (right, true, predicted)
    ]
    units = held_out.rows if held_out.groups is None else held_out.groups
    scores = {}
    for name, rows in _samples_of_rates(held_out).items():
        value = float(label_metric(name, *counts)[0, 1])
        interval: tuple[Any, ...] = (None, None)
        if sums is not None and len(np.unique(units[rows])) >= MIN_GROUPS:
            drawn = label_metric(name, *sums)[:, 1]
            interval = expanded_interval(drawn, resampling.confidence, held_out.n_groups)
        scores[name] = Score(value, *interval)
    return scores
