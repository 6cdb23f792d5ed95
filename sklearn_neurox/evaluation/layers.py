"""Scores of a probe on each layer of a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils._param_validation import Interval

from .._optional import import_optional
from .._validation import validate_params
from ..activations.columns import Layer
from ..probes.layers import fit_layers, is_bankable
from ._baselines import CONTROL_TASK, majority, read_controls, word_type_table
from ._folds import CV_CONSTRAINTS, Split, ignore_unseen_labels, make_folds
from ._jobs import run_jobs
from ._layer_columns import columns_by_layer, neuron_names
from ._samples import check_activations
from .control import ControlTask, unseen_rates, warn_about_unseen_types
from .scorers import Scorer, Scoring, metric_name


@dataclass(frozen=True, eq=False, repr=False)
class LayerwiseScores:
    """Scores of a probe on each layer, as returned by :func:`layerwise_scores`.

    Parameters
    ----------
    scores : ndarray of shape (n_layers, n_folds)
        Test score of the estimator on each layer and fold.
    baseline_scores : ndarray of shape (n_folds,)
        Test score without activations: the most frequent label, or the mean, is predicted.
    control_scores : ndarray of shape (n_layers, n_folds) or None
        Test score of the estimator on the labels of the control task.
    metric : str, default="score"
        Name of the metric.
    layers : tuple of n_layers int or str, default=None
        The layers. If None, they are numbered from 0.
    other_scores : dict of str to ndarray
        Scores of the other controls by name: those of the estimator on other activations, of shape
        (n_layers, n_folds), or of a table of the word types, of shape (n_folds,).
    control_name : str, default="control task"
        Name of the control task.
    """

    scores: NDArray[np.float64]
    baseline_scores: NDArray[np.float64]
    control_scores: NDArray[np.float64] | None = None
    metric: str = "score"
    layers: tuple[Layer, ...] | None = None
    other_scores: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    control_name: str = CONTROL_TASK

    def __post_init__(self) -> None:
        if self.layers is None:
            object.__setattr__(self, "layers", tuple(range(len(self.scores))))

    def __repr__(self) -> str:
        n_layers, n_folds = self.scores.shape
        means = ", ".join(f"{mean:.3f}" for mean in self.scores.mean(axis=1))
        return f"LayerwiseScores({n_layers} layers, {n_folds} folds, mean {self.metric}: {means})"

    @property
    def selectivity(self) -> NDArray[np.float64]:
        """Score minus control score, of shape (n_layers, n_folds)."""
        if self.control_scores is None:
            raise ValueError(
                "There are no control scores. Call layerwise_scores with a control task as control."
            )
        return self.scores - self.control_scores

    @property
    def gain(self) -> NDArray[np.float64]:
        """Score minus that of the first layer on the same fold, of shape (n_layers, n_folds).

        If layer 0 is the embeddings, this is what the network adds to them.
        """
        return self.scores - self.scores[0]

    @property
    def best_layer(self) -> Layer:
        """The layer with the highest mean score, or the first of several such layers."""
        assert self.layers is not None
        means = self.scores.mean(axis=1)
        if np.isnan(means).any():
            raise ValueError(
                f"The score of layer {self.layers[np.isnan(means).argmax()]!r} is NaN."
            )
        return self.layers[means.argmax()]

    def to_frame(self) -> Any:
        """Return one row per layer: means over the folds, and the standard deviation of the score.

        The column of the control task is "control", or its name if it has another name than
        "control task".

        Returns
        -------
        pandas.DataFrame
        """
        pandas = import_optional("pandas", extra="plot", purpose="to_frame()")
        columns = {"score": self.scores.mean(axis=1), "std": self.scores.std(axis=1)}
        if self.control_scores is not None:
            is_named = self.control_name != CONTROL_TASK
            columns[self.control_name if is_named else "control"] = self.control_scores.mean(axis=1)
            columns["selectivity"] = self.selectivity.mean(axis=1)
        columns["gain"] = self.gain.mean(axis=1)
        for name, scores in {**self.other_scores, "baseline": self.baseline_scores}.items():
            columns[name] = np.full(len(self.scores), scores.mean(axis=-1))
        return pandas.DataFrame(columns, index=pandas.Index(self.layers, name="layer"))


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
    control: ControlTask | Mapping[str, Any] | None = None,
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
        ids.
    scoring : str, callable or None, default=None
        As in ``cross_val_score``, or a metric of :func:`get_scorer`.
    control : ControlTask, or dict of str to control, default=None
        Controls to score on the same folds, for comparison. A control is one of

        - one :class:`ControlTask`, from :func:`make_control_task` on the same words: its labels are
          predicted from X;
        - activations of shape (n_samples, n_neurons), such as those of the same network with
          random weights: the labels are predicted from them, layer by layer as from X;
        - the n_samples words: a table predicts for each word type its most frequent label, or its
          mean, in training, and that of all samples for types that are missing in training.
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
    splits, scorer = make_folds(estimator, activations, y, cv=cv, groups=groups, scoring=scoring)
    if controls.task is not None:
        warn_about_unseen_types(unseen_rates(controls.task.types, splits))

    # The fast scores are first, so that a scorer that does not suit the estimator fails early.
    baseline = _fold_scores(majority(estimator), activations[:, :1], y, splits, scorer)
    tables = {
        name: _fold_scores(word_type_table(estimator), words, y, splits, scorer)
        for name, words in controls.words.items()
    }

    order = np.concatenate(list(columns.values()))
    ends = np.cumsum([len(each) for each in columns.values()])[:-1]
    activations = _in_order(activations, order)
    tasks = {"the labels": (activations, y)}
    for name, other in controls.activations.items():
        tasks[f"the activations of the control {name!r}"] = (_in_order(other, order), y)
    if controls.task is not None:
        labels = controls.task.labels
        is_named = controls.task_name != CONTROL_TASK
        which = f" {controls.task_name!r}" if is_named else ""
        tasks[f"the random labels of the control task{which}"] = activations, labels
    jobs = [(estimator, *task, ends, split, scorer) for task in tasks.values() for split in splits]
    places = [f"in fold {fold}, for {task}" for task in tasks for fold in range(len(splits))]
    results = run_jobs(
        _layer_scores, jobs, places=places, n_jobs=n_jobs, verbose=verbose, name="layers"
    )
    # (n_tasks, n_layers, n_folds)
    scores = np.array(results).reshape(len(tasks), len(splits), len(columns)).swapaxes(1, 2)
    others = dict(zip(controls.activations, scores[1:], strict=False))
    return LayerwiseScores(
        scores=scores[0],
        baseline_scores=baseline,
        control_scores=None if controls.task is None else scores[-1],
        metric=metric_name(estimator, scoring),
        layers=tuple(columns),
        other_scores=others | tables,
        control_name=controls.task_name,
    )


def _in_order(X: NDArray, order: NDArray[np.intp]) -> NDArray:
    """Return the columns of all layers, one layer after the other, or X itself if in order."""
    if np.array_equal(order, np.arange(X.shape[1])):
        return X
    return np.take(X, order, axis=1)  # unlike X[:, order], in C order


def _layer_scores(
    estimator: Any, X: NDArray, y: NDArray, ends: NDArray[np.intp], split: Split, scorer: Scorer
) -> list[float]:
    """Return the score on each layer, on one fold."""
    train, test = split
    fitted = _fit_layers(estimator, X[train], y[train], ends)
    layers = np.split(X, ends, axis=1)  # views
    with ignore_unseen_labels():
        return [
            scorer(each, layer[test], y[test]) for each, layer in zip(fitted, layers, strict=True)
        ]


def _fit_layers(estimator: Any, X: NDArray, y: NDArray, ends: NDArray[np.intp]) -> list[Any]:
    """Fit a clone on each layer, which is a run of columns.

    Linear probes, including those in the last step of a Pipeline, are trained together: Adam takes
    the same steps on all of them, and small matrix products are cheaper in a batch.
    """
    layers = np.split(X, ends, axis=1)
    fitted = [clone(estimator) for _ in layers]
    steps = estimator.steps if isinstance(estimator, Pipeline) else [("probe", estimator)]
    if not is_bankable(steps[-1][1]) or getattr(estimator, "memory", None) is not None:
        return [each.fit(layer, y) for each, layer in zip(fitted, layers, strict=True)]
    probes = [each[-1] if isinstance(each, Pipeline) else each for each in fitted]
    if len(steps) > 1:
        layers = [
            each[:-1].fit_transform(layer, y) for each, layer in zip(fitted, layers, strict=True)
        ]
    # Layers of a DataFrame may lack columns, and a step may select any number of neurons.
    has_names = any(hasattr(layer, "columns") for layer in layers)
    if has_names or len({layer.shape[1] for layer in layers}) > 1:
        for probe, layer in zip(probes, layers, strict=True):
            probe.fit(layer, y)
    else:
        fit_layers(probes, X if len(steps) == 1 else np.hstack(layers), y)
    return fitted


def _fold_scores(
    estimator: Any, X: NDArray, y: NDArray, splits: list[Split], scorer: Scorer
) -> NDArray[np.float64]:
    scores = [
        scorer(clone(estimator).fit(X[train], y[train]), X[test], y[test]) for train, test in splits
    ]
    return np.array(scores, dtype=float)
