"""Baselines and controls of the scores by layer: other labels, other activations, or only words."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.compose import TransformedTargetRegressor
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import Ridge
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from .._validation import check_matrix, check_words
from ._layer_columns import neuron_names
from ._text_baselines import TEXT_BASELINES, check_texts
from .control import ControlTask, are_tasks, check_tasks

# Name of a control task that is passed without a name.
CONTROL_TASK = "control task"
# Columns of LayerwiseScores.to_frame, which cannot be the name of a control.
_COLUMNS = ("layer", "score", "std", "control", "selectivity", "gain", "baseline")


class Controls(NamedTuple):
    """Controls, grouped by kind."""

    task_name: str
    tasks: tuple[ControlTask, ...]
    activations: dict[str, NDArray]
    words: dict[str, NDArray]
    texts: dict[str, list[str]]


def read_controls(control: Any, y: NDArray, n_neurons: int, names: list[str] | None) -> Controls:
    """Check the argument ``control`` and sort the controls by kind.

    Parameters
    ----------
    control : None, ControlTask, or mapping of str to control
    y : ndarray of shape (n_samples,)
    n_neurons : int
        Number of columns of X.
    names : list of str or None
        Names of the neurons of X, which named activations must share.

    Returns
    -------
    Controls
    """
    if control is None or are_tasks(control):
        control = {} if control is None else {CONTROL_TASK: control}
    if not isinstance(control, Mapping):
        raise TypeError(
            "control must be a ControlTask, a list of them, or a dict of names to control tasks, "
            f"activations, words or texts, got {type(control).__name__}."
        )
    controls = Controls(CONTROL_TASK, (), {}, {}, {})
    for name, each in control.items():
        _check_name(name)
        if are_tasks(each):
            if controls.tasks:
                raise ValueError(
                    "control can contain one name of control tasks, got "
                    f"{controls.task_name!r} and {name!r}. Pass several control tasks as a list."
                )
            tasks = check_tasks(each, len(y), name=f"The control {name!r}")
            controls = controls._replace(tasks=tasks, task_name=name)
        elif name in TEXT_BASELINES:
            controls.texts[name] = check_texts(each, name=f"control[{name!r}]")
            _check_length(name, len(controls.texts[name]), len(y), "texts")
        elif hasattr(each, "X"):
            raise TypeError(
                f"The control {name!r} must be an array, got {type(each).__name__}. Pass its "
                "attribute X instead."
            )
        elif len(getattr(each, "shape", ())) == 2:
            controls.activations[name] = _check_activations(name, each, (len(y), n_neurons), names)
        else:
            controls.words[name] = _check_words(name, each, y)
    return controls


def majority(estimator: Any) -> DummyClassifier | DummyRegressor:
    """Return a predictor that ignores X: it predicts the most frequent label, or the mean."""
    return DummyClassifier() if is_classifier(estimator) else DummyRegressor()


def word_type_table(estimator: Any) -> Pipeline:
    """Return a predictor that uses only the word type: its most frequent label, or its mean.

    For word types that are missing in training, it predicts the most frequent label of all
    samples, or their mean.
    """
    if is_classifier(estimator):
        # Without smoothing, naive Bayes of one variable counts the labels of each of its values.
        table = MultinomialNB(alpha=1e-10)
    else:
        # Centered at the mean of all samples, which is then the prediction for unknown types.
        means = Ridge(1e-3, fit_intercept=False)
        table = TransformedTargetRegressor(means, transformer=StandardScaler(with_std=False))
    return make_pipeline(OneHotEncoder(handle_unknown="ignore"), table)


def _check_name(name: Any) -> None:
    if not isinstance(name, str):
        raise TypeError(f"The names of controls must be strings, got {name!r}.")
    if name in _COLUMNS:
        raise ValueError(f"{name!r} is a column of the results. Choose another name.")


def _check_activations(
    name: str, X: Any, shape: tuple[int, int], names: list[str] | None
) -> NDArray:
    own_names = neuron_names(X)
    X = check_matrix(X, name=f"control[{name!r}]")
    if X.shape != shape:
        raise ValueError(
            f"The activations of control {name!r} have shape {X.shape}, but X has shape {shape}."
        )
    if names and own_names and own_names != names:
        place = next(i for i in range(len(names)) if own_names[i] != names[i])
        raise ValueError(
            f"Column {place} of control {name!r} is {own_names[place]!r}, but that of X is "
            f"{names[place]!r}."
        )
    return X


def _check_words(name: str, words: Iterable[Hashable], y: NDArray) -> NDArray:
    """Return the word types as a column of integers."""
    words = check_words(words, name=f"control[{name!r}]")
    _check_length(name, len(words), len(y))
    if isinstance(words[0], str) and set(words) <= set(y.tolist()):
        raise ValueError(
            f"The control {name!r} must contain words, but contains labels of y. For a control "
            "task, pass the ControlTask instead of its labels."
        )
    numbers: dict[Hashable, int] = {}
    types = [numbers.setdefault(word, len(numbers)) for word in words]
    return np.array(types)[:, np.newaxis]


def _check_length(name: str, length: int, n_samples: int, what: str = "words") -> None:
    if length != n_samples:
        raise ValueError(
            f"The control {name!r} has {length} {what}, but X has {n_samples} samples."
        )
