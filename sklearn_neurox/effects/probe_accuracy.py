"""The accuracy of a probe on a later layer, as an outcome."""

from __future__ import annotations

from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from .._results import predictions_of
from ..activations.columns import Neurons
from ..extraction.text_runs import TextRun
from ._outcome import Again, Outcome


@dataclass(frozen=True)
class ProbeAccuracy(Outcome):
    """Share of the rows of a text whose label a probe predicts from the states of a layer.

    Parameters
    ----------
    probe : estimator
    place : int, str or Neurons
        The layer.
    labels : tuple of ndarray
        Labels of the rows of each text.
    """

    probe: Any
    place: Any
    labels: tuple[NDArray, ...] = field(default=(), repr=False)
    name: str = ""

    of_texts = True

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", f"accuracy at {_named(self.place)}")

    def check(self, run: TextRun, again: Again) -> None:
        """See :class:`Outcome`."""
        if not self.labels:
            raise ValueError(f"The metric {self.name!r} requires labels.")
        self.measure(run, run)

    def measure(self, run: TextRun, unedited: TextRun) -> Tensor:
        """See :class:`Outcome`."""
        states = run.states[self.name]
        rows = run.rows(states).cpu().numpy()
        if isinstance(self.place, Neurons) and self.place.kept is not None:
            rows = rows[:, np.array(self.place.kept)]
        predicted = predictions_of(self.probe, rows, len(rows))
        expected = np.concatenate([self.labels[text.sentence_id] for text in run.texts])
        return run.mean_by_text(torch.from_numpy((predicted == expected).astype(np.float64)))


def _named(place: Any) -> str:
    if isinstance(place, Integral):
        return f"layer {place}"
    if isinstance(place, Neurons):
        return f"{place.unit} of {place.layers[0]}"
    return str(place)


def probe_accuracy(probe: Any, *, layer: int | str | Neurons) -> ProbeAccuracy:
    """Return an outcome: the accuracy of a fitted probe on the states of a later layer.

    It shows whether the later layer still encodes the labels if an earlier one is edited.

    Parameters
    ----------
    probe : estimator
        Fitted classifier. It reads the rows that :class:`ActivationExtractor` extracts: one row per
        text, or one row per word if there are labels for words.
    layer : int, str or Neurons
        Where the probe reads, as in :func:`intervene`. It must be at or above the edited layer.

    Returns
    -------
    object
        Immutable metric of :func:`causal_effect`.

    Raises
    ------
    NotFittedError
        If the probe is not fitted.

    Examples
    --------
    >>> from sklearn.linear_model import RidgeClassifier
    >>> from sklearn_neurox import probe_accuracy
    >>> probe = RidgeClassifier().fit([[0.0, 1.0], [1.0, 0.0]], ["a", "b"])
    >>> probe_accuracy(probe, layer=6).name
    'accuracy at layer 6'
    """
    check_is_fitted(probe)
    if not hasattr(probe, "predict"):
        raise TypeError(f"probe must have the method predict, got {type(probe).__name__}.")
    return ProbeAccuracy(probe, layer)
