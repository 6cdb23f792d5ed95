"""Scores along the layers of a network."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import check_array, check_consistent_length, check_scalar
from tqdm.auto import tqdm  # skorch brings it

from .._indices import check_indices
from .._labels import check_y
from .._optional import import_optional
from .._validation import refuse_tokens
from ..probes.layers import fit_layers, is_bankable
from ._baselines import majority, read_controls, word_type_table
from ._folds import (
    check_scorer,
    metric_name,
    quiet_about_unseen_labels,
    split_folds,
    warn_of_unseen_labels,
)
from .control import ControlTask, oov_rates, warn_of_unseen_types


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
    layers : tuple of n_layers int, default=None
        Numbers of the layers; None numbers them from 0.
    other_scores : dict of str to ndarray
        By the name of each other control: of the estimator on other activations, of shape
        (n_layers, n_folds), or of a table of the word types, of shape (n_folds,).
    """

    scores: NDArray[np.float64]
    baseline_scores: NDArray[np.float64]
    control_scores: NDArray[np.float64] | None = None
    metric: str = "score"
    layers: tuple[int, ...] | None = None
    other_scores: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.layers is None:
            object.__setattr__(self, "layers", tuple(range(len(self.scores))))

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
    def gain(self) -> NDArray[np.float64]:
        """Score minus that of the first layer on the same fold, (n_layers, n_folds).

        Where layer 0 is the embeddings, what the network adds to them.
        """
        return self.scores - self.scores[0]

    @property
    def best_layer(self) -> int:
        """Number of the layer of the highest mean score; the lowest of equals."""
        assert self.layers is not None
        means = self.scores.mean(axis=1)
        if np.isnan(means).any():
            place = np.isnan(means).argmax()
            raise ValueError(f"Layer {self.layers[place]} has a score that is not a number.")
        return self.layers[means.argmax()]

    def to_frame(self) -> Any:
        """One row for each layer: means over the folds, and the standard deviation of the score.

        Returns
        -------
        pandas.DataFrame
        """
        pandas = import_optional("pandas", extra="plot", purpose="to_frame()")
        columns = {"score": self.scores.mean(axis=1), "std": self.scores.std(axis=1)}
        if self.control_scores is not None:
            columns["control"] = self.control_scores.mean(axis=1)
            columns["selectivity"] = self.selectivity.mean(axis=1)
        columns["gain"] = self.gain.mean(axis=1)
        for name, scores in {**self.other_scores, "baseline": self.baseline_scores}.items():
            columns[name] = np.full(len(self.scores), scores.mean(axis=-1))
        return pandas.DataFrame(columns, index=pandas.Index(self.layers, name="layer"))


def layerwise_scores(
    estimator,
    X,
    y,
    *,
    n_layers: int | None = None,
    layers: Sequence[int] | None = None,
    cv=None,
    groups=None,
    scoring=None,
    control: ControlTask | Mapping[str, Any] | None = None,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> LayerwiseScores:
    """Cross-validate an estimator on each layer by itself.

    The same folds serve every layer, the control task and the baseline. Linear probes that train
    by Adam, alone or at the end of a Pipeline, train on all layers at once.

    Parameters
    ----------
    estimator : estimator
        A classifier or regressor, a Pipeline too. It is cloned.
    X : array-like of shape (n_words, n_neurons)
        Activations; a layer is a run of n_neurons / n_layers columns.
    y : array-like of shape (n_words,)
        Labels or numbers.
    n_layers : int, default=None
        Number of layers in X; or give `layers`.
    layers : sequence of int, default=None
        Alone, the numbers of all layers in X, as ``tokens.layers`` has them. Beside a larger
        `n_layers`, those to score: ``n_layers=13, layers=[4, 8]`` scores two of 13. None scores
        all, numbered from 0.
    cv : int, splitter, iterable or None, default=None
        As in ``cross_val_score``; but where `groups` are given, None and an int mean a GroupKFold,
        so that they are not silently ignored.
    groups : array-like of shape (n_words,), default=None
        Words of a group stay on one side of a split; give the sentences.
    scoring : str, callable or None, default=None
        As in ``cross_val_score``.
    control : ControlTask, or dict of str to control, default=None
        What to score on the same folds, for the scores to stand beside. A control is

        - a :class:`ControlTask`, from :func:`make_control_task` on the same words: its labels are
          learnt from X;
        - activations of shape (n_words, n_neurons), such as those of the same network with random
          weights: the labels are learnt from them;
        - the n_words words: a table says of each word type its most frequent label, or its mean,
          in training; and that of all words for types it has not.
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
        If lengths differ, `n_layers` does not divide the number of neurons, the columns of a
        DataFrame are named after other layers, or a control has other words or another shape than
        X.
    TypeError
        If `control` is something else.

    Warns
    -----
    UserWarning
        If hardly a test word is of a type that training has, so that the control task cannot be
        learnt: see :func:`selectivity_score`. If test words have labels that training has not,
        which count as wrong.

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

    Beside what a table of each image's darkest row reaches:

    >>> result = layerwise_scores(
    ...     RidgeClassifier(), X, y, n_layers=8,
    ...     control={"darkest row": X.reshape(-1, 8, 8).sum(axis=2).argmax(axis=1)})
    >>> result.other_scores["darkest row"].mean().round(2)
    np.float64(0.32)
    """
    refuse_tokens(X)
    check_consistent_length(X, y, groups)
    names = getattr(X, "columns", ())
    X = check_array(X)
    in_X, layers = _check_layers(n_layers, layers)
    if X.shape[1] % len(in_X):
        raise ValueError(f"n_layers={len(in_X)} does not divide the {X.shape[1]} neurons of X.")
    _check_names(names, in_X)
    scorer = check_scorer(estimator, scoring)
    y = check_y(estimator, y)
    controls = read_controls(control, X.shape, y)
    splits = split_folds(estimator, X, y, cv, groups)
    warn_of_unseen_labels(estimator, y, splits)
    if controls.task is not None:
        warn_of_unseen_types(oov_rates(controls.task.types, splits))

    # First what takes no time: a scorer that does not fit is noticed there.
    baseline = _fold_scores(majority(estimator), X[:, :1], y, splits, scorer)
    tables = {
        name: _fold_scores(word_type_table(estimator), words, y, splits, scorer)
        for name, words in controls.words.items()
    }

    def of_layers(activations):
        if layers == in_X:
            return activations
        runs = np.split(activations, len(in_X), axis=1)
        return np.hstack([runs[in_X.index(layer)] for layer in layers])

    X = of_layers(X)
    tasks = [(X, y), *((of_layers(other), y) for other in controls.activations.values())]
    if controls.task is not None:
        tasks.append((X, controls.task.labels))
    jobs = [(*task, split) for task in tasks for split in splits]
    results = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_layer_scores)(estimator, X, y, len(layers), split, scorer) for X, y, split in jobs
    )
    bar = tqdm(results, total=len(jobs), unit="fold", desc="layers", disable=not verbose)
    # (n_tasks, n_layers, n_folds)
    scores = np.array(list(bar)).reshape(len(tasks), len(splits), len(layers)).swapaxes(1, 2)
    others = dict(zip(controls.activations, scores[1:], strict=False))
    return LayerwiseScores(
        scores=scores[0],
        baseline_scores=baseline,
        control_scores=None if controls.task is None else scores[-1],
        metric=metric_name(estimator, scoring),
        layers=layers,
        other_scores=others | tables,
    )


def _check_layers(n_layers, layers) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the numbers of the layers in X, and of those to score."""
    if n_layers is not None:
        check_scalar(n_layers, "n_layers", Integral, min_val=1)
    if layers is None:
        if n_layers is None:
            raise ValueError("Give n_layers, or the numbers of the layers.")
        return (tuple(range(n_layers)),) * 2
    layers = tuple(check_indices(layers, None, what="layer").tolist())
    if not layers:
        raise ValueError("layers is empty.")
    if n_layers in (None, len(layers)):
        return layers, layers
    if max(layers) >= n_layers:
        raise ValueError(
            f"n_layers={n_layers}, but layers={layers}: X has layers 0 to {n_layers - 1}."
        )
    return tuple(range(n_layers)), layers


def _check_names(names, layers) -> None:
    """Refuse columns that are named after other layers, as ``TokenActivations`` names them."""
    found = [re.match(r"layer_(\d+)_neuron_", str(name)) for name in names]
    if not found or not all(found):
        return
    named = [int(match.group(1)) for match in found if match]
    expected = np.repeat(layers, len(named) // len(layers)).tolist()
    if named != expected:
        raise ValueError(
            f"The columns of X are named after the layers {sorted(set(named))}, but layers "
            f"{list(layers)} are said to lie in X, one after the other."
        )


def _layer_scores(estimator, X, y, n_layers, split, scorer) -> list[float]:
    """Score on each layer, on one fold."""
    train, test = split
    fitted = _fit_layers(estimator, X[train], y[train], n_layers)
    layers = np.split(X, n_layers, axis=1)  # views
    with quiet_about_unseen_labels():
        return [
            scorer(each, layer[test], y[test]) for each, layer in zip(fitted, layers, strict=True)
        ]


def _fit_layers(estimator, X, y, n_layers) -> list:
    """Fit a clone on each layer; linear probes train together, also as the last step of Pipelines.

    Adam takes the same steps on all of them, and small products cost less in a batch.
    """
    fitted = [clone(estimator) for _ in range(n_layers)]
    layers = np.split(X, n_layers, axis=1)
    steps = estimator.steps if isinstance(estimator, Pipeline) else [("probe", estimator)]
    if not is_bankable(steps[-1][1]) or getattr(estimator, "memory", None) is not None:
        return [each.fit(layer, y) for each, layer in zip(fitted, layers, strict=True)]
    probes = [each[-1] if isinstance(each, Pipeline) else each for each in fitted]
    if len(steps) > 1:
        layers = [
            each[:-1].fit_transform(layer, y) for each, layer in zip(fitted, layers, strict=True)
        ]
        has_names = any(hasattr(layer, "columns") for layer in layers)
        # A step may select as many neurons as it likes.
        if has_names or len({layer.shape[1] for layer in layers}) > 1:
            for probe, layer in zip(probes, layers, strict=True):
                probe.fit(layer, y)
            return fitted
        X = np.hstack(layers)
    fit_layers(probes, X, y)
    return fitted


def _fold_scores(estimator, X, y, splits, scorer) -> NDArray[np.float64]:
    scores = [
        scorer(clone(estimator).fit(X[train], y[train]), X[test], y[test]) for train, test in splits
    ]
    return np.array(scores, dtype=float)
