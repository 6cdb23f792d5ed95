"""What a probe's scores stand beside: other labels, other activations, or only the words."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.compose import TransformedTargetRegressor
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import Ridge
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils import check_array

from .._validation import check_words
from .control import ControlTask

_COLUMNS = ("layer", "score", "std", "control", "selectivity", "gain", "baseline")  # of the results


class Controls(NamedTuple):
    """Controls by what they replace."""

    task: ControlTask | None
    activations: dict[str, NDArray]
    words: dict[str, NDArray]


def read_controls(control, shape: tuple[int, int], y: NDArray) -> Controls:
    """Sort what was given as ``control=`` for activations of a shape and targets, and check it."""
    if control is None or isinstance(control, ControlTask):
        control = {} if control is None else {"control task": control}
    if not isinstance(control, Mapping):
        raise TypeError(
            "control must be a ControlTask, or a dict of names to control tasks, activations or "
            f"words; got {type(control).__name__}."
        )
    controls = Controls(None, {}, {})
    for name, each in control.items():
        if not isinstance(name, str):
            raise TypeError(f"The names of controls are strings, got {name!r}.")
        if name in _COLUMNS:
            raise ValueError(f"{name!r} is a column of the results: give the control another name.")
        if isinstance(each, ControlTask):
            if controls.task is not None:
                raise ValueError("control takes one control task; average over several by hand.")
            _check_length(name, len(each.labels), shape[0])
            controls = controls._replace(task=each)
        elif hasattr(each, "X"):
            raise TypeError(f"The control {name!r} is a {type(each).__name__}: give its X.")
        elif len(getattr(each, "shape", ())) == 2:
            controls.activations[name] = _check_activations(name, each, shape)
        else:
            words = check_words(each, name=f"control[{name!r}]")
            _check_length(name, len(words), shape[0])
            if isinstance(words[0], str) and set(words) <= set(y.tolist()):
                raise ValueError(
                    f"The control {name!r} holds labels of y, where words are expected. Of a "
                    "control task give the ControlTask itself, not its labels."
                )
            numbers: dict[Hashable, int] = {}
            types = [numbers.setdefault(word, len(numbers)) for word in words]
            controls.words[name] = np.array(types)[:, np.newaxis]
    return controls


def _check_activations(name, X, shape) -> NDArray:
    X = check_array(X, input_name=f"control[{name!r}]")
    if X.shape != shape:
        raise ValueError(
            f"The activations of control {name!r} have the shape {X.shape}, but X has {shape}."
        )
    return X


def _check_length(name, n_words, expected) -> None:
    if n_words != expected:
        raise ValueError(f"The control {name!r} has {n_words} words, but X has {expected}.")


def majority(estimator):
    """Predictor that sees nothing: the most frequent label, or the mean."""
    return DummyClassifier() if is_classifier(estimator) else DummyRegressor()


def word_type_table(estimator):
    """Predictor that sees only the word type: its most frequent label, or its mean.

    For words out of training, the most frequent label or the mean of all.
    """
    if is_classifier(estimator):
        # Without smoothing, naive Bayes of one variable says how often its value had each label.
        table = MultinomialNB(alpha=1e-10)
    else:
        # Centred by the mean of all words, which is what no type at all predicts.
        means = Ridge(1e-3, fit_intercept=False)
        table = TransformedTargetRegressor(means, transformer=StandardScaler(with_std=False))
    return make_pipeline(OneHotEncoder(handle_unknown="ignore"), table)
