"""Scores on a task and on control tasks, and their difference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._optional import import_optional
from .._rare_labels import name_rare_labels, of_defined_folds


class _TaskAndControl:
    """Scores on a task and on its control tasks."""

    task: NDArray[np.float64]
    control: NDArray[np.float64]
    control_scores: NDArray[np.float64] | None
    rare_labels: Mapping[Any, list[int]]

    @property
    def selectivity(self) -> NDArray[np.float64]:
        """Task score minus control score, of the shape of both."""
        return self.task - self.control

    @property
    def n_controls(self) -> int:
        """Number of control tasks."""
        return 1 if self.control_scores is None else len(self.control_scores)

    @property
    def control_std(self) -> NDArray[np.float64]:
        """Standard deviation, over the control tasks, of their mean scores over the folds.

        It is a number, or an array of shape (n_values,), and NaN with a single control task.
        """
        if self.control_scores is None or self.n_controls < 2:
            return np.full(self.control.shape[:-1], np.nan)
        return self._mean(self.control_scores).std(axis=0, ddof=1)

    def _mean(self, scores: NDArray[np.float64]) -> Any:
        """Return the mean over the folds in which the score on the task is defined."""
        return of_defined_folds(scores, like=self.task).mean(axis=-1)

    def _about_rare_labels(self) -> str:
        return f"; rare labels {name_rare_labels(self.rare_labels)}" if self.rare_labels else ""

    def _about_controls(self) -> str:
        return "" if self.n_controls < 2 else f" of {self.n_controls} control tasks"


@dataclass(frozen=True, eq=False, repr=False)
class Selectivity(_TaskAndControl):
    """Scores on a task and on its control task, as returned by :func:`selectivity_score`.

    Parameters
    ----------
    task : ndarray of shape (n_folds,)
        Test scores on the labels.
    control : ndarray of shape (n_folds,)
        Test scores on random labels, one for each word type: the mean over the control tasks.
    oov_rate : ndarray of shape (n_folds,)
        Share of the test words whose type does not occur in training (out of vocabulary).
    metric : str, default="score"
        Name of the metric.
    control_scores : ndarray of shape (n_controls, n_folds) or None
        Test scores on each control task.
    rare_labels : dict of label to list of int
        Labels of the task that are missing in the training samples of a fold, and these folds.
    """

    task: NDArray[np.float64]
    control: NDArray[np.float64]
    oov_rate: NDArray[np.float64]
    metric: str = "score"
    control_scores: NDArray[np.float64] | None = None
    rare_labels: Mapping[Any, list[int]] = field(default_factory=dict)

    def __repr__(self) -> str:
        spread = f" ± {self.control_std:.3f}{self._about_controls()}" * (self.n_controls > 1)
        return (
            f"{type(self).__name__}({len(self.task)} folds, mean {self.metric}: task "
            f"{self._mean(self.task):.3f}, control {self._mean(self.control):.3f}{spread}, "
            f"selectivity {self._mean(self.selectivity):.3f}; {self.oov_rate.mean():.1%} of test "
            f"words unseen{self._about_rare_labels()})"
        )

    def to_frame(self) -> Any:
        """Return one row per fold: both scores, their difference, and the share of unseen words.

        With several control tasks, "control_std" is the standard deviation of their scores.

        Returns
        -------
        pandas.DataFrame
        """
        pandas = import_optional("pandas", extra="plot", purpose="to_frame()")
        names = ("task", "control", "selectivity", "oov_rate")
        columns = {name: getattr(self, name) for name in names}
        if self.control_scores is not None and self.n_controls > 1:
            columns["control_std"] = self.control_scores.std(axis=0, ddof=1)
        return pandas.DataFrame(columns).rename_axis("fold")


@dataclass(frozen=True, eq=False, repr=False)
class SelectivityCurve(_TaskAndControl):
    """Selectivity for several values of a parameter, as returned by :func:`selectivity_curve`.

    Parameters
    ----------
    param_name : str
        Name of the parameter.
    param_range : tuple of n_values values
        Values of the parameter.
    task : ndarray of shape (n_values, n_folds)
        Test scores on the labels.
    control : ndarray of shape (n_values, n_folds)
        Test scores on random labels, one for each word type: the mean over the control tasks.
    oov_rate : ndarray of shape (n_folds,)
        Share of the test words whose type does not occur in training (out of vocabulary).
    metric : str, default="score"
        Name of the metric.
    control_scores : ndarray of shape (n_controls, n_values, n_folds) or None
        Test scores on each control task.
    rare_labels : dict of label to list of int
        Labels of the task that are missing in the training samples of a fold, and these folds.
    """

    param_name: str
    param_range: tuple[Any, ...]
    task: NDArray[np.float64]
    control: NDArray[np.float64]
    oov_rate: NDArray[np.float64]
    metric: str = "score"
    control_scores: NDArray[np.float64] | None = None
    rare_labels: Mapping[Any, list[int]] = field(default_factory=dict)

    def __repr__(self) -> str:
        n_values, n_folds = self.task.shape
        means = ", ".join(f"{mean:.3f}" for mean in self._mean(self.selectivity))
        return (
            f"{type(self).__name__}({n_values} values of {self.param_name}, {n_folds} folds, mean "
            f"selectivity in {self.metric}{self._about_controls()}: {means}"
            f"{self._about_rare_labels()})"
        )

    def to_frame(self) -> Any:
        """Return one row per value of the parameter: means over the folds.

        With several control tasks, "control_std" is the standard deviation of their means.

        Returns
        -------
        pandas.DataFrame
        """
        pandas = import_optional("pandas", extra="plot", purpose="to_frame()")
        names = ("task", "control", "selectivity")
        columns = {name: self._mean(getattr(self, name)) for name in names}
        if self.n_controls > 1:
            columns["control_std"] = self.control_std
        index = pandas.Index(self.param_range, name=self.param_name, tupleize_cols=False)
        return pandas.DataFrame(columns, index=index)
