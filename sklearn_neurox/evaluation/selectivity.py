"""Selectivity: score of a probe on a task minus its score on random labels of the same words."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.utils import check_consistent_length
from sklearn.utils._param_validation import Interval

from .._grouped_fits import fit_clone
from .._rare_labels import ignore_rare_labels, warn_about_undefined_folds
from .._validation import check_words, validate_params
from ._folds import CV_CONSTRAINTS, Split, check_not_frozen, make_folds
from ._jobs import run_jobs
from ._samples import check_samples, take_samples
from .control import (
    ControlTask,
    check_tasks,
    make_control_tasks,
    unseen_rates,
    warn_about_unseen_types,
)
from .scorers import Scorer, Scoring, metric_name
from .selectivity_result import Selectivity, SelectivityCurve

_CONSTRAINTS = CV_CONSTRAINTS | {
    "control": [ControlTask, list, tuple, None],
    "n_controls": [Interval(Integral, 1, None, closed="left")],
}


@validate_params(_CONSTRAINTS)
def selectivity_score(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    words: Sequence[Hashable],
    *,
    cv: Any = None,
    groups: ArrayLike | None = None,
    scoring: Scoring = None,
    control: ControlTask | Sequence[ControlTask] | None = None,
    n_controls: int = 1,
    random_state: int | np.random.RandomState | None = None,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> Selectivity:
    """Cross-validate an estimator on a task and, on the same folds, on a control task.

    The control task assigns to each word type a random label, drawn with the frequencies of y
    (:func:`make_control_task`). A probe can solve it only by memorizing words. A probe that reads
    the property from the activations is selective: it scores much higher on the task [1]_.

    Parameters
    ----------
    estimator : estimator
        A classifier or regressor, possibly a Pipeline. It is cloned. For a regressor, control
        labels are numbers from y.
    X : array-like of shape (n_samples, n_neurons)
        Activations, or any other input of the estimator.
    y : array-like of shape (n_samples,)
        Labels or target values.
    words : sequence of n_samples words
        Word types are distinguished by their spelling, including case.
    cv : int, splitter, iterable or None, default=None
        As in :func:`layerwise_scores`. Folds are stratified by y, for the control task as well.
    groups : array-like of shape (n_samples,), default=None
        Groups of the samples, as in :func:`layerwise_scores`. Pass the sentence ids.
    scoring : str, callable or None, default=None
        As in ``cross_val_score``, or a metric of :func:`get_scorer`.
    control : ControlTask, or sequence of ControlTask, default=None
        Control tasks on the same words, for example with a `context`. If None, they are drawn.
    n_controls : int, default=1
        Number of control tasks to draw. With several of them, the control score is their mean, and
        ``control_std`` is their spread.
    random_state : int, RandomState instance or None, default=None
        Controls the random labels. Pass an int for reproducible output across multiple function
        calls.
    n_jobs : int, default=None
        Number of jobs to run in parallel, one for each fold of each task. None means 1 unless in a
        ``joblib.parallel_backend`` context. -1 means using all processors.
    verbose : int, default=0
        Verbosity level. If positive, show a progress bar.

    Returns
    -------
    Selectivity
        With ``task``, ``control``, ``selectivity`` and ``oov_rate``, one number per fold.

    Raises
    ------
    ValueError
        If lengths differ, X contains NaN or infinity, or all word types draw the same control
        label.
    TypeError
        If `words` is a single string.

    Warns
    -----
    UserWarning
        If, in some fold, at least 90% of the test words are of types that were not seen during
        training. In this case, there is almost nothing to memorize, and the difference is
        meaningless.
    UnseenLabelsWarning
        If test samples have labels that were not seen during training.

    References
    ----------
    .. [1] J. Hewitt and P. Liang (2019). Designing and Interpreting Probes with Control Tasks.
       EMNLP.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import RidgeClassifier
    >>> from sklearn_neurox import selectivity_score
    >>> words = np.random.RandomState(0).choice(["sun", "moon", "rises", "sets"], size=200)
    >>> y = np.isin(words, ["sun", "moon"])
    >>> types = (words[:, None] == ["sun", "moon", "rises", "sets"]).astype(float)
    >>> selectivity_score(RidgeClassifier(), types, y, words, random_state=1)
    Selectivity(5 folds, mean accuracy: task 1.000, control 1.000, selectivity 0.000; 0.0% of test
    words unseen)
    """
    tasks = _Tasks(control, int(n_controls), random_state)
    task, of_controls, oov_rate, rare = _score_tasks(
        [estimator], X, y, words, cv, groups, scoring, tasks, n_jobs, verbose
    )
    return Selectivity(
        task[0],
        of_controls[:, 0].mean(axis=0),
        oov_rate,
        metric_name(estimator, scoring),
        of_controls[:, 0],
        rare,
    )


@validate_params(_CONSTRAINTS | {"param_name": [str]})
def selectivity_curve(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    words: Sequence[Hashable],
    *,
    param_name: str,
    param_range: Sequence[Any] | NDArray,
    cv: Any = None,
    groups: ArrayLike | None = None,
    scoring: Scoring = None,
    control: ControlTask | Sequence[ControlTask] | None = None,
    n_controls: int = 1,
    random_state: int | np.random.RandomState | None = None,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> SelectivityCurve:
    """Compute the selectivity for several values of a parameter, such as regularization.

    A probe that is prevented from memorizing words may lose little on the task [1]_. All values
    share the folds and the control task.

    Parameters
    ----------
    estimator : estimator
        A classifier or regressor, possibly a Pipeline. It is cloned.
    X, y, words
        As in :func:`selectivity_score`.
    param_name : str
        A parameter of the estimator; in a Pipeline, for example ``"probe__lambda_l2"``.
    param_range : sequence of n_values values
        Values of the parameter.
    cv, groups, scoring, control, n_controls, random_state, n_jobs, verbose
        As in :func:`selectivity_score`.

    Returns
    -------
    SelectivityCurve
        With ``task``, ``control`` and ``selectivity`` of shape (n_values, n_folds).

    Raises
    ------
    ValueError
        As in :func:`selectivity_score`, and if the estimator does not have the parameter or
        `param_range` is empty.

    Warns
    -----
    UserWarning, UnseenLabelsWarning
        As in :func:`selectivity_score`.

    References
    ----------
    .. [1] J. Hewitt and P. Liang (2019). Designing and Interpreting Probes with Control Tasks.
       EMNLP.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from sklearn_neurox import selectivity_curve
    >>> ids = np.random.RandomState(0).randint(40, size=600)  # numbers as words
    >>> X, y = ids[:, None] / 40, ids >= 20
    >>> curve = selectivity_curve(
    ...     DecisionTreeClassifier(random_state=0), X, y, ids,
    ...     param_name="max_depth", param_range=[1, 20], random_state=0)
    >>> curve.to_frame().round(1)
               task  control  selectivity
    max_depth
    1           1.0      0.7          0.3
    20          1.0      1.0          0.0
    """
    if param_name not in estimator.get_params():
        raise ValueError(
            f"param_name={param_name!r} is not a parameter of {type(estimator).__name__}. Its "
            f"parameters are {sorted(estimator.get_params())}."
        )
    values = param_range.tolist() if isinstance(param_range, np.ndarray) else list(param_range)
    if not values:
        raise ValueError("param_range is empty: expected at least one value.")
    candidates = [clone(estimator).set_params(**{param_name: value}) for value in values]
    tasks = _Tasks(control, int(n_controls), random_state)
    task, of_controls, oov_rate, rare = _score_tasks(
        candidates, X, y, words, cv, groups, scoring, tasks, n_jobs, verbose
    )
    return SelectivityCurve(
        param_name,
        tuple(values),
        task,
        of_controls.mean(axis=0),
        oov_rate,
        metric_name(estimator, scoring),
        of_controls,
        rare,
    )


class _Tasks(NamedTuple):
    """Control tasks of the user, or how many of them to draw."""

    given: ControlTask | Sequence[ControlTask] | None
    n_controls: int
    random_state: int | np.random.RandomState | None

    def make(self, words: list[Any], y: NDArray) -> tuple[ControlTask, ...]:
        if self.given is not None:
            return check_tasks(self.given, len(y), name="control")
        return make_control_tasks(words, y, n_tasks=self.n_controls, random_state=self.random_state)


def _score_tasks(
    candidates: list[Any],
    X: Any,
    y: ArrayLike,
    words: Sequence[Hashable],
    cv: Any,
    groups: ArrayLike | None,
    scoring: Scoring,
    tasks: _Tasks,
    n_jobs: int | None,
    verbose: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], dict[Any, list[int]]]:
    """Score the task and the control tasks.

    Returns
    -------
    task : ndarray of shape (n_candidates, n_folds)
    control : ndarray of shape (n_controls, n_candidates, n_folds)
    oov_rate : ndarray of shape (n_folds,)
        Share of the test words of unseen types.
    rare : dict of label to list of int
        Labels of the task that are missing in the training samples of a fold, and these folds.
    """
    words = check_words(words, name="words")
    X, y, groups = check_samples(X, y, groups)
    check_consistent_length(y, words)
    check_not_frozen(candidates[0], by="selectivity")
    splits, scorer, rare = make_folds(candidates[0], X, y, cv=cv, groups=groups, scoring=scoring)
    controls = tasks.make(words, y)
    oov_rate = np.mean([unseen_rates(each.types, splits) for each in controls], axis=0)
    warn_about_unseen_types(oov_rate)

    jobs = [
        (candidate, X, labels, groups, split, scorer)
        for candidate in candidates
        for labels in (y, *(each.labels for each in controls))
        for split in splits
    ]
    places = [
        f"in fold {fold}, for {labels}"
        for _ in candidates
        for labels in ("the labels", *("the random labels of the control task" for _ in controls))
        for fold in range(len(splits))
    ]
    results = run_jobs(
        _fold_score, jobs, places=places, n_jobs=n_jobs, verbose=verbose, name="selectivity"
    )
    scores = np.array(results, dtype=float).reshape(len(candidates), 1 + len(controls), len(splits))
    warn_about_undefined_folds(scores[:, 0], y, splits, metric_name(candidates[0], scoring))
    return scores[:, 0], np.moveaxis(scores[:, 1:], 1, 0), oov_rate, rare


def _fold_score(
    estimator: Any, X: Any, y: NDArray, groups: NDArray | None, split: Split, scorer: Scorer
) -> float:
    train, test = split
    of_train = None if groups is None else groups[train]
    fitted = fit_clone(estimator, take_samples(X, train), y[train], of_train)
    with ignore_rare_labels():
        return scorer(fitted, take_samples(X, test), y[test])
