"""Selectivity: how much better a task is learnt than random labels of the same words."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import check_consistent_length
from tqdm.auto import tqdm

from .._optional import import_optional
from .._validation import check_words, refuse_tokens
from ._folds import (
    check_scorer,
    metric_name,
    quiet_about_unseen_labels,
    refuse_frozen,
    split_folds,
    warn_of_unseen_labels,
)
from .control import make_control_task, oov_rates, warn_of_unseen_types
from .description_length import check_words_data, take_words


@dataclass(frozen=True, eq=False, repr=False)
class Selectivity:
    """Scores on a task and on its control task; the result of :func:`selectivity_score`.

    Parameters
    ----------
    task : ndarray of shape (n_folds,)
        Test scores on the labels.
    control : ndarray of shape (n_folds,)
        Test scores on random labels, one for each word type.
    oov_rate : ndarray of shape (n_folds,)
        Share of the test words whose type is not among the training words.
    metric : str, default="score"
        What the scores are.
    """

    task: NDArray[np.float64]
    control: NDArray[np.float64]
    oov_rate: NDArray[np.float64]
    metric: str = "score"

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({len(self.task)} folds, mean {self.metric}: task "
            f"{self.task.mean():.3f}, control {self.control.mean():.3f}, selectivity "
            f"{self.selectivity.mean():.3f}; {self.oov_rate.mean():.1%} of test words unseen)"
        )

    @property
    def selectivity(self) -> NDArray[np.float64]:
        """Task score minus control score, (n_folds,)."""
        return self.task - self.control

    def to_frame(self) -> Any:
        """One row for each fold: both scores, their difference, and the share of unseen words.

        Returns
        -------
        pandas.DataFrame
        """
        pandas = import_optional("pandas", extra="plot", purpose="to_frame()")
        names = ("task", "control", "selectivity", "oov_rate")
        columns = {name: getattr(self, name) for name in names}
        return pandas.DataFrame(columns).rename_axis("fold")


@dataclass(frozen=True, eq=False, repr=False)
class SelectivityCurve:
    """Selectivity along a parameter of the probe; the result of :func:`selectivity_curve`.

    Parameters
    ----------
    param_name : str
        The parameter.
    param_range : tuple of n_values values
        Its values.
    task : ndarray of shape (n_values, n_folds)
        Test scores on the labels.
    control : ndarray of shape (n_values, n_folds)
        Test scores on random labels, one for each word type.
    oov_rate : ndarray of shape (n_folds,)
        Share of the test words whose type is not among the training words.
    metric : str, default="score"
        What the scores are.
    """

    param_name: str
    param_range: tuple
    task: NDArray[np.float64]
    control: NDArray[np.float64]
    oov_rate: NDArray[np.float64]
    metric: str = "score"

    def __repr__(self) -> str:
        n_values, n_folds = self.task.shape
        means = ", ".join(f"{mean:.3f}" for mean in self.selectivity.mean(axis=1))
        return (
            f"{type(self).__name__}({n_values} values of {self.param_name}, {n_folds} folds, mean "
            f"selectivity in {self.metric}: {means})"
        )

    @property
    def selectivity(self) -> NDArray[np.float64]:
        """Task score minus control score, (n_values, n_folds)."""
        return self.task - self.control

    def to_frame(self) -> Any:
        """One row for each value: means over the folds.

        Returns
        -------
        pandas.DataFrame
        """
        pandas = import_optional("pandas", extra="plot", purpose="to_frame()")
        names = ("task", "control", "selectivity")
        columns = {name: getattr(self, name).mean(axis=1) for name in names}
        index = pandas.Index(self.param_range, name=self.param_name, tupleize_cols=False)
        return pandas.DataFrame(columns, index=index)


def selectivity_score(
    estimator,
    X,
    y,
    words: Sequence[Hashable],
    *,
    cv=None,
    groups=None,
    scoring=None,
    random_state=None,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> Selectivity:
    """Cross-validate an estimator on a task and, on the same folds, on a control task.

    The control task gives each word type a random label, drawn as often as it occurs in y
    (:func:`make_control_task`). What a probe scores there it owes to memory of words; a probe that
    reads the property from the activations scores much more on the task: it is selective.

    Parameters
    ----------
    estimator : estimator
        A classifier or regressor, a Pipeline too. It is cloned. For a regressor, control labels
        are numbers out of y.
    X : array-like of shape (n_words, n_neurons)
        Activations; or what else the estimator takes.
    y : array-like of shape (n_words,)
        Labels or numbers.
    words : sequence of n_words words
        Word types are told apart as they are written; case matters.
    cv : int, splitter, iterable or None, default=None
        As in :func:`layerwise_scores`. It splits by y, for the control task too.
    groups : array-like of shape (n_words,), default=None
        Words of a group stay on one side of a split; give the sentences.
    scoring : str, callable or None, default=None
        As in ``cross_val_score``.
    random_state : int, RandomState instance or None, default=None
        Draws the control labels.
    n_jobs : int, default=None
        Jobs of joblib, one a fold of a task.
    verbose : int, default=0
        Show a progress bar.

    Returns
    -------
    Selectivity
        With ``task``, ``control``, ``selectivity`` and ``oov_rate``, a number for each fold.

    Raises
    ------
    ValueError
        If lengths differ, X has NaN or infinity, or all word types draw the same control label.
    TypeError
        If `words` is one string.

    Warns
    -----
    UserWarning
        If on some fold 90 % of the test words or more are of types that training has not: there
        is next to nothing to remember, and the difference measures nothing. If test words have
        labels that training has not, which count as wrong.

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
    task, control, oov_rate = _score_both_tasks(
        [estimator], X, y, words, cv, groups, scoring, random_state, n_jobs, verbose
    )
    return Selectivity(task[0], control[0], oov_rate, metric_name(estimator, scoring))


def selectivity_curve(
    estimator,
    X,
    y,
    words: Sequence[Hashable],
    *,
    param_name: str,
    param_range: Sequence,
    cv=None,
    groups=None,
    scoring=None,
    random_state=None,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> SelectivityCurve:
    """Follow the selectivity along a parameter of the probe, such as its regularisation.

    A probe that is kept from remembering words may lose little of the task. All values share the
    folds and the control task.

    Parameters
    ----------
    estimator : estimator
        A classifier or regressor, a Pipeline too. It is cloned.
    X, y, words
        As in :func:`selectivity_score`.
    param_name : str
        A parameter of the estimator, in a Pipeline such as ``"probe__lambda_l2"``.
    param_range : sequence of n_values values
        Values of the parameter.
    cv, groups, scoring, random_state, n_jobs, verbose
        As in :func:`selectivity_score`.

    Returns
    -------
    SelectivityCurve
        With ``task``, ``control`` and ``selectivity`` of shape (n_values, n_folds).

    Raises
    ------
    ValueError
        As :func:`selectivity_score` does; and if the estimator has no such parameter, or there
        are no values.

    Warns
    -----
    UserWarning
        As :func:`selectivity_score` does.

    References
    ----------
    .. [1] J. Hewitt and P. Liang (2019). Designing and Interpreting Probes with Control Tasks.
       EMNLP.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from sklearn_neurox import selectivity_curve
    >>> ids = np.random.RandomState(0).randint(40, size=600)  # words, for short
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
            f"{type(estimator).__name__} has no parameter {param_name!r}; it has "
            f"{sorted(estimator.get_params())}."
        )
    values = param_range.tolist() if isinstance(param_range, np.ndarray) else list(param_range)
    if not values:
        raise ValueError("param_range must hold at least one value, got none.")
    candidates = [clone(estimator).set_params(**{param_name: value}) for value in values]
    task, control, oov_rate = _score_both_tasks(
        candidates, X, y, words, cv, groups, scoring, random_state, n_jobs, verbose
    )
    metric = metric_name(estimator, scoring)
    return SelectivityCurve(param_name, tuple(values), task, control, oov_rate, metric)


def _score_both_tasks(
    candidates, X, y, words, cv, groups, scoring, random_state, n_jobs, verbose
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Task and control scores, (n_candidates, n_folds), and the share of unseen words."""
    words = check_words(words, name="words")
    refuse_tokens(X)
    check_consistent_length(X, y, words, groups)
    X, y, groups = check_words_data(X, y, groups)
    refuse_frozen(candidates[0], by="selectivity")
    scorer = check_scorer(candidates[0], scoring)
    splits = split_folds(candidates[0], X, y, cv, groups)
    warn_of_unseen_labels(candidates[0], y, splits)
    control = make_control_task(words, y, random_state=random_state)
    oov_rate = oov_rates(control.types, splits)
    warn_of_unseen_types(oov_rate)

    jobs = [
        (candidate, labels, split)
        for candidate in candidates
        for labels in (y, control.labels)
        for split in splits
    ]
    results = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_fold_score)(candidate, X, labels, split, scorer)
        for candidate, labels, split in jobs
    )
    bar = tqdm(results, total=len(jobs), unit="fold", desc="selectivity", disable=not verbose)
    scores = np.array(list(bar), dtype=float).reshape(len(candidates), 2, len(splits))
    return scores[:, 0], scores[:, 1], oov_rate


def _fold_score(estimator, X, y, split, scorer) -> float:
    train, test = split
    fitted = clone(estimator).fit(take_words(X, train), y[train])
    with quiet_about_unseen_labels():
        return scorer(fitted, take_words(X, test), y[test])
