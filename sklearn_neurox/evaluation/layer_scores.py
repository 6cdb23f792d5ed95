"""Scores of a probe on each layer of a network, and what they say about the layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from numbers import Integral
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval

from .._optional import import_optional
from .._rare_labels import describe_rare_labels, of_defined_folds
from .._validation import validate_params
from ..activations.columns import Layer
from ._baselines import CONTROL_TASK
from ._comparable import check_metric
from ._make_comparison import BOOTSTRAP_CONSTRAINTS, make_comparison
from ._provenance import Provenance
from .comparison import ScoreComparison
from .held_out import HeldOutPredictions
from .permutation import PermutationTest, permute_labels


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
        Test score of the estimator on the labels of the control task, or the mean over several
        control tasks.
    metric : str, default="score"
        Name of the metric.
    layers : tuple of n_layers int or str, default=None
        The layers. If None, they are numbered from 0.
    other_scores : dict of str to ndarray
        Scores of the other controls by name: those of the estimator on other activations, of shape
        (n_layers, n_folds), or of a table of the word types, of shape (n_folds,).
    control_name : str, default="control task"
        Name of the control task.
    held_out : HeldOutPredictions or None
        Predictions on the samples of the test folds, which :meth:`compare` reads.
    other_held_out : dict of str to HeldOutPredictions
        Those of the controls by name, and of the baseline, whose name is "baseline".
    provenance : Provenance or None
        The estimator, the argument `cv`, and the versions of the packages.
    control_task_scores : ndarray of shape (n_tasks, n_layers, n_folds) or None
        Test scores on each control task.
    rare_labels : dict of label to list of int
        Labels that were missing in the training samples of a fold that tests them, and these
        folds. Their test samples are scored as errors.
    """

    scores: NDArray[np.float64]
    baseline_scores: NDArray[np.float64]
    control_scores: NDArray[np.float64] | None = None
    metric: str = "score"
    layers: tuple[Layer, ...] | None = None
    other_scores: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    control_name: str = CONTROL_TASK
    held_out: HeldOutPredictions | None = None
    other_held_out: Mapping[str, HeldOutPredictions] = field(default_factory=dict)
    provenance: Provenance | None = None
    control_task_scores: NDArray[np.float64] | None = None
    rare_labels: Mapping[Any, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.layers is None:
            object.__setattr__(self, "layers", tuple(range(len(self.scores))))

    def __repr__(self) -> str:
        n_layers, n_folds = self.scores.shape
        means = ", ".join(f"{mean:.3f}" for mean in of_defined_folds(self.scores).mean(axis=1))
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
    def control_std(self) -> NDArray[np.float64]:
        """Standard deviation, over the control tasks, of their mean scores, of shape (n_layers,).

        It is NaN with a single control task.
        """
        scores = self.control_task_scores
        if scores is None or len(scores) < 2:
            return np.full(len(self.scores), np.nan)
        return of_defined_folds(scores).mean(axis=2).std(axis=0, ddof=1)

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
        means = of_defined_folds(self.scores).mean(axis=1)
        if np.isnan(means).any():
            raise ValueError(
                f"The score of layer {self.layers[np.isnan(means).argmax()]!r} is NaN."
            )
        return self.layers[means.argmax()]

    def check_held_out(self) -> HeldOutPredictions:
        """Return the held-out predictions. If they are missing, raise a ValueError."""
        if self.held_out is None:
            raise ValueError(
                "There are no held-out predictions. Only results of layerwise_scores contain them."
            )
        return self.held_out

    @validate_params(BOOTSTRAP_CONSTRAINTS | {"metric": [str, None]})
    def compare(
        self,
        *,
        against: Layer = "all",
        metric: str | None = None,
        n_bootstraps: int = 10_000,
        confidence_level: float = 0.95,
        random_state: int | RandomState | None = None,
    ) -> ScoreComparison:
        """Compare the scores of the layers on the same samples.

        Parameters
        ----------
        against : {"all", "best"}, layer, or name of a control, default="all"
            "all" compares every pair of layers. "best" compares the layer with the highest score
            with all others; the p-values consider that it was chosen on the same samples. A layer
            is compared with all others, and a control, or the "baseline", with each layer.
        metric : str, default=None
            As in :func:`compare_scores`. By default, the metric of the scores.
        n_bootstraps, confidence_level, random_state
            As in :func:`compare_scores`.

        Returns
        -------
        ScoreComparison
            Groups are resampled, or samples if there are no groups.

        Raises
        ------
        ValueError
            As in :func:`compare_scores`, and if `against` is unknown or there is a single layer.
        """
        held_out, layers = [self.check_held_out()], list(self.layers or ())
        names: list[Any] = list(layers)
        scores = of_defined_folds(self.scores).mean(axis=1).tolist()
        pairs: list[tuple[int, int]] | None = list(combinations(range(len(layers)), 2))
        if against == "best":
            pairs = None
        elif against in layers:
            place = layers.index(against)
            pairs = [(i, place) for i in range(len(layers)) if i != place]
        elif against in self.other_held_out:
            held_out.append(self.other_held_out[str(against)])
            of_control = self._scores_of(str(against))
            scores += of_control.tolist()
            one = len(of_control) == 1
            names += [against] if one else [f"{against}, layer {layer}" for layer in layers]
            pairs = [(i, len(layers) + (0 if one else i)) for i in range(len(layers))]
        elif against != "all":
            known = [*map(repr, layers), *map(repr, self.other_held_out)]
            raise ValueError(
                f"against must be 'all', 'best', or one of {', '.join(known)}, got {against!r}."
            )
        if len(names) < 2:
            raise ValueError("A comparison requires at least 2 layers, or a control as against.")
        return make_comparison(
            names,
            held_out,
            metric=check_metric(metric or self.metric),
            pairs=pairs,
            n_bootstraps=n_bootstraps,
            confidence_level=confidence_level,
            random_state=random_state,
            expected=None if metric else scores,
        )

    def _scores_of(self, name: str) -> NDArray[np.float64]:
        """Return the mean scores of a control, or of the baseline, with one or n_layers values."""
        if name == "baseline":
            scores = self.baseline_scores
        elif name in self.other_scores:
            scores = self.other_scores[name]
        elif self.control_task_scores is not None:
            names = task_names(self.control_name, len(self.control_task_scores))
            scores = self.control_task_scores[names.index(name)]
        else:
            assert self.control_scores is not None
            scores = self.control_scores
        return of_defined_folds(np.atleast_2d(scores)).mean(axis=1)

    def best_layers(
        self,
        confidence_level: float = 0.95,
        *,
        n_bootstraps: int = 10_000,
        random_state: int | RandomState | None = 0,
    ) -> tuple[Layer, ...]:
        """Return the layers that are not significantly worse than the best layer.

        The layer with the highest score on these samples need not be the best one. These layers
        contain the layer whose expected score is the highest with a probability of at least
        `confidence_level`, up to the approximation of the bootstrap. Each layer is tested with the
        largest standardized difference to another layer [1]_.

        Parameters
        ----------
        confidence_level : float, default=0.95
            Confidence level.
        n_bootstraps, random_state
            As in :func:`compare_scores`.

        Returns
        -------
        tuple of layers

        References
        ----------
        .. [1] P. R. Hansen, A. Lunde and J. M. Nason (2011). The Model Confidence Set.
           Econometrica 79.
        """
        if self.layers is not None and len(self.layers) == 1:
            return self.layers
        return self.compare(
            against="best",
            n_bootstraps=n_bootstraps,
            confidence_level=confidence_level,
            random_state=random_state,
        ).best

    @validate_params(
        {
            "n_permutations": [Interval(Integral, 1, None, closed="left")],
            "metric": [str, None],
            "random_state": ["random_state"],
        }
    )
    def permutation_test(
        self,
        *,
        n_permutations: int = 1000,
        metric: str | None = None,
        random_state: int | RandomState | None = None,
    ) -> PermutationTest:
        """Test the hypothesis that the activations contain no information about the labels.

        Within each fold, the labels of whole groups are exchanged between groups of the same size,
        or of any size if all samples of each group have the same label. The predictions do not
        change, so the samples of a group may depend on each other. Without groups, the labels of
        samples are exchanged.

        Parameters
        ----------
        n_permutations : int, default=1000
            Number of permutations.
        metric : str, default=None
            As in :func:`compare_scores`. By default, the metric of the scores.
        random_state : int, RandomState instance or None, default=None
            Controls the permutations. Pass an int for reproducible output across multiple function
            calls.

        Returns
        -------
        PermutationTest

        Raises
        ------
        ValueError
            If fewer than half of the samples are in groups that can be exchanged.
        """
        return permute_labels(
            self.layers or (),
            self.check_held_out(),
            check_metric(metric or self.metric),
            n_permutations=n_permutations,
            random_state=random_state,
        )

    def methods(
        self,
        *,
        sample: str = "sample",
        group: str = "group",
        n_bootstraps: int = 10_000,
        confidence_level: float = 0.95,
        random_state: int | RandomState | None = 0,
    ) -> str:
        """Return sentences that describe the scores in a paper, and what reproduces them.

        Parameters
        ----------
        sample, group : str
            What a sample and a group are, such as "word" and "sentence".
        n_bootstraps, confidence_level, random_state
            As in :func:`compare_scores`.

        Returns
        -------
        str
        """
        comparison = self.compare(
            against="best",
            n_bootstraps=n_bootstraps,
            confidence_level=confidence_level,
            random_state=random_state,
        )
        text = comparison.methods(sample=sample, group=group)
        text += describe_rare_labels(self.rare_labels)
        if self.provenance is None:
            return text
        return f"{text} Estimator: {self.provenance.estimator}; cv={self.provenance.cv}."

    def to_frame(self) -> Any:
        """Return one row per layer: means over the folds, and the standard deviation of the score.

        The column of the control task is "control", or its name if it has another name than
        "control task". With several control tasks, it is their mean, and "control std" is the
        standard deviation of their means.

        Returns
        -------
        pandas.DataFrame
        """
        pandas = import_optional("pandas", extra="plot", purpose="to_frame()")

        def mean(scores: NDArray) -> NDArray:
            return of_defined_folds(scores, like=self.scores).mean(axis=-1)

        columns = {"score": mean(self.scores), "std": of_defined_folds(self.scores).std(axis=1)}
        if self.control_scores is not None:
            is_named = self.control_name != CONTROL_TASK
            columns[self.control_name if is_named else "control"] = mean(self.control_scores)
            if self.control_task_scores is not None and len(self.control_task_scores) > 1:
                columns["control std"] = self.control_std
            columns["selectivity"] = mean(self.selectivity)
        columns["gain"] = mean(self.gain)
        for name, scores in {**self.other_scores, "baseline": self.baseline_scores}.items():
            columns[name] = np.full(len(self.scores), mean(scores))
        return pandas.DataFrame(columns, index=pandas.Index(self.layers, name="layer"))


def task_names(name: str, n_tasks: int) -> list[str]:
    """Return the names of the held-out predictions of control tasks."""
    return [name] * n_tasks if n_tasks < 2 else [f"{name} {i + 1}" for i in range(n_tasks)]
