"""Scores of a probe on each layer of a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import is_classifier
from sklearn.utils._param_validation import Interval

from .._grouped_fits import fit_clone
from .._rare_labels import warn_about_undefined_folds
from .._validation import validate_params
from ..activations.columns import Layer
from ._baselines import CONTROL_TASK, Controls, majority, read_controls, word_type_table
from ._folds import CV_CONSTRAINTS, Split, make_folds
from ._jobs import run_jobs
from ._layer_columns import columns_by_layer, neuron_names
from ._layer_fits import FoldResult, in_order, score_fitted, score_layers
from ._provenance import provenance_of
from ._responses import Response
from ._samples import check_activations
from ._text_baselines import text_baseline, text_features
from .control import ControlTask, unseen_rates, warn_about_unseen_types
from .decision_metrics import response_of
from .held_out import join_folds
from .layer_scores import LayerwiseScores, task_names
from .scorers import Scorer, Scoring, metric_name


@validate_params(CV_CONSTRAINTS | {"n_layers": [Interval(Integral, 1, None, closed="left"), None]})
def layerwise_scores(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike,
    *,
    n_layers: int | None = None,
    layers: Sequence[Layer] | None = None,
    cv: Any = None,
    groups: ArrayLike | None = None,
    scoring: Scoring = None,
    control: ControlTask | Sequence[ControlTask] | Mapping[str, Any] | None = None,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> LayerwiseScores:
    """Cross-validate an estimator separately on each layer.

    All layers, the control task and the baseline share the same folds. Linear probes with
    ``solver="adam"``, alone or as the last step of a Pipeline, are trained on all layers at once.

    Parameters
    ----------
    estimator : estimator
        A classifier or regressor, possibly a Pipeline. It is cloned.
    X : array-like of shape (n_samples, n_neurons)
        Activations. If X is a DataFrame with names such as ``layer_3_neuron_17``, for example from
        ``set_output``, the names determine the layer of each column. Otherwise, each layer is a run
        of n_neurons / n_layers columns.
    y : array-like of shape (n_samples,)
        Labels or target values.
    n_layers : int, default=None
        Number of layers in X. Required only if X does not have names and `layers` is None.
    layers : sequence of int or str, default=None
        Layers to score. If None, score all layers, which are numbered from 0 if X does not have
        names. If X has neither names nor `n_layers`, these are all layers of X, as in
        ``tokens.layers``; with ``n_layers=13, layers=[4, 8]``, two of the 13 layers are scored.
    cv : int, splitter, iterable or None, default=None
        As in ``cross_val_score``, except that with `groups`, None and an int mean a GroupKFold, so
        that groups are not silently ignored.
    groups : array-like of shape (n_samples,), default=None
        Groups of the samples, which are never split between training and test. Pass the sentence
        ids. They also reach the searches and selectors inside the estimator by metadata routing,
        where None and an int as ``cv`` mean a GroupKFold as well.
    scoring : str, callable or None, default=None
        As in ``cross_val_score``, or a metric of :func:`get_scorer`.
    control : ControlTask, sequence of ControlTask, or dict of str to control, default=None
        Controls to score on the same folds, for comparison. A control is one of

        - one :class:`ControlTask`, from :func:`make_control_task` on the same words, or several of
          them, from :func:`make_control_tasks`: their labels are predicted from X, and the scores
          on several tasks are averaged;
        - activations of shape (n_samples, n_neurons), such as those of the same network with
          random weights: the labels are predicted from them, layer by layer as from X;
        - the n_samples words: a table predicts for each word type its most frequent label, or its
          mean, in training, and that of all samples for types that are missing in training;
        - the n_samples texts, with the name "tf-idf", "single token" or "length": the labels are
          predicted from a TF-IDF table, from the presence of one token, or from the length of the
          text, as in :func:`audit_corpus`.
    n_jobs : int, default=None
        Number of jobs to run in parallel. None means 1 unless in a ``joblib.parallel_backend``
        context. -1 means using all processors.
    verbose : int, default=0
        Verbosity level. If positive, show a progress bar.

    Returns
    -------
    LayerwiseScores

    Raises
    ------
    ValueError
        If lengths differ, the layers of X are unknown, `n_layers` does not divide the number of
        neurons or disagrees with the names of the columns, X does not contain one of `layers`, or
        a control has another length, shape or other column names than X.
    TypeError
        If `control` is of another type.

    Warns
    -----
    UserWarning
        If almost no test words are of a type seen during training, in which case the control task
        cannot be learned. See :func:`selectivity_score`.
    UnseenLabelsWarning
        If test samples have labels that were not seen during training.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import RidgeClassifier
    >>> from sklearn_neurox import layerwise_scores
    >>> X, y = load_digits(return_X_y=True)  # 8 rows of 8 pixels, used as layers
    >>> result = layerwise_scores(RidgeClassifier(), X, y, n_layers=8)
    >>> result.scores.mean(axis=1).round(2)
    array([0.35, 0.4 , 0.5 , 0.49, 0.46, 0.46, 0.42, 0.43])
    >>> result.best_layer
    2
    >>> result
    LayerwiseScores(8 layers, 5 folds, mean accuracy: 0.3..., 0.4..., ...)

    Compare with a table of the darkest row of each image:

    >>> result = layerwise_scores(
    ...     RidgeClassifier(), X, y, n_layers=8,
    ...     control={"darkest row": X.reshape(-1, 8, 8).sum(axis=2).argmax(axis=1)})
    >>> result.other_scores["darkest row"].mean().round(2)
    np.float64(0.32)
    """
    activations, y, groups = check_activations(estimator, X, y, groups)
    names = neuron_names(X)
    columns = columns_by_layer(names, activations.shape[1], n_layers, layers)
    controls = read_controls(control, y, activations.shape[1], names)
    splits, scorer, rare = make_folds(
        estimator, activations, y, cv=cv, groups=groups, scoring=scoring
    )
    for each in controls.tasks[:1]:
        warn_about_unseen_types(unseen_rates(each.types, splits))
    metric = metric_name(estimator, scoring)

    # The fast scores are first, so that a scorer that does not suit the estimator fails early.
    response = response_of(metric, y)
    score = partial(_fold_results, splits=splits, scorer=scorer, response=response)
    constants = _baselines(estimator, activations, y, controls, score)

    order = np.concatenate(list(columns.values()))
    ends = np.cumsum([len(each) for each in columns.values()])[:-1]
    tasks = _tasks(in_order(activations, order), y, controls, order)
    folds = [(fold, split, task) for task in tasks for fold, split in enumerate(splits)]
    results = run_jobs(
        score_layers,
        [
            (estimator, task.X, task.y, ends, split, scorer, response_of(metric, task.y), groups)
            for _, split, task in folds
        ],
        places=[f"in fold {fold}, for {task.place}" for fold, _, task in folds],
        n_jobs=n_jobs,
        verbose=verbose,
        name="layers",
    )
    main, *others = (
        (task, results[i * len(splits) : (i + 1) * len(splits)]) for i, task in enumerate(tasks)
    )
    main_scores = _scores_of(main[1])
    warn_about_undefined_folds(main_scores, y, splits, metric)
    scores = {task.name: _scores_of(each) for task, each in others}
    of_tasks = [scores.pop(name) for name in task_names(controls.task_name, len(controls.tasks))]
    scores |= {name: _scores_of(each)[0] for name, each in constants.items()}
    held_out = {
        task.name: join_folds(each, splits, task.y, groups, response_of(metric, task.y))
        for task, each in others
    }
    held_out |= {
        name: join_folds(each, splits, y, groups, response) for name, each in constants.items()
    }
    return LayerwiseScores(
        scores=main_scores,
        baseline_scores=scores.pop("baseline"),
        control_scores=np.mean(of_tasks, axis=0) if of_tasks else None,
        control_task_scores=np.array(of_tasks) if of_tasks else None,
        metric=metric,
        layers=tuple(columns),
        other_scores=scores,
        control_name=controls.task_name,
        held_out=join_folds(main[1], splits, y, groups, response),
        other_held_out=held_out,
        provenance=provenance_of(estimator, cv),
        rare_labels=rare,
    )


def _baselines(
    estimator: Any,
    X: NDArray,
    y: NDArray,
    controls: Controls,
    score: Callable[[Any, Any, NDArray], list[FoldResult]],
) -> dict[str, list[FoldResult]]:
    """Score the majority label, and the controls that do not depend on the layer, by name."""
    results = {"baseline": score(majority(estimator), X[:, :1], y)}
    for name, words in controls.words.items():
        results[name] = score(word_type_table(estimator), words, y)
    for name, texts in controls.texts.items():
        baseline = text_baseline(name, not is_classifier(estimator))
        results[name] = score(baseline, text_features(name, texts), y)
    return results


class _Task(NamedTuple):
    """Labels that are predicted layer by layer, and where from, for the notes on errors."""

    name: str
    place: str
    X: NDArray
    y: NDArray


def _tasks(X: NDArray, y: NDArray, controls: Controls, order: NDArray[np.intp]) -> list[_Task]:
    """Return the labels, followed by the controls that are scored layer by layer."""
    tasks = [_Task("", "the labels", X, y)]
    for name, other in controls.activations.items():
        place = f"the activations of the control {name!r}"
        tasks.append(_Task(name, place, in_order(other, order), y))
    is_named = controls.task_name != CONTROL_TASK or len(controls.tasks) > 1
    for name, control in zip(
        task_names(controls.task_name, len(controls.tasks)), controls.tasks, strict=True
    ):
        which = f" {name!r}" if is_named else ""
        tasks.append(
            _Task(name, f"the random labels of the control task{which}", X, control.labels)
        )
    return tasks


def _scores_of(results: list[FoldResult]) -> NDArray[np.float64]:
    """Return the scores as an array of shape (n_layers, n_folds)."""
    return np.array([each.scores for each in results], dtype=float).T


def _fold_results(
    estimator: Any,
    X: Any,
    y: NDArray,
    *,
    splits: list[Split],
    scorer: Scorer,
    response: Response | None,
) -> list[FoldResult]:
    """Score an estimator on all columns of X."""
    return [
        score_fitted(
            [fit_clone(estimator, X[train], y[train])], [X[test]], y[test], scorer, response
        )
        for train, test in splits
    ]
