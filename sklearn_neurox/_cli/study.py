"""The analyses of labeled activations that the demo and the report share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.model_selection import GroupKFold

from .._labels import kind_of
from .._validation import noting
from ..activations import Neurons, TokenActivations
from ..evaluation import (
    AblationCurve,
    Codelength,
    ControlTask,
    LayerwiseScores,
    ProbeReport,
    ablation_curve,
    codelength,
    get_scorer,
    layerwise_scores,
    make_control_task,
    probe_report,
)
from ..evaluation.metrics import LABEL_METRICS, METRICS, NUMBER_METRICS
from ..neurons import AveragePrecisionSelector, WeightMassSelector
from ..probes import LinearProbeClassifier
from .nouns import types_of

WORD_TYPES = "word types"  # name of a control in the tables and figures
_MAX_ABLATION_FOLDS = 3
_MIN_STEPS = 1000  # of Adam, which is far from done after fewer ones
_RATE_ON_FEW_NEURONS = 1e-2  # with the default, a probe on few neurons is far from done
_RANKING_TOL = 1e-3  # not smaller, because the ranking is computed in each fold


@dataclass(frozen=True)
class Settings:
    """Settings of a study, as chosen on the command line.

    Parameters
    ----------
    lambda_l1, lambda_l2 : float, default=0.0
        Penalties of the probe.
    n_folds : int, default=5
        Number of folds of the cross-validation.
    random_state : int, default=0
        Seed of all random numbers, such as those of the probes and the control task.
    """

    lambda_l1: float = 0.0
    lambda_l2: float = 0.0
    n_folds: int = 5
    random_state: int = 0


@dataclass(frozen=True)
class RankedNeurons:
    """A ranking of neurons by the weights of a sparse probe, and the accuracy along it."""

    neurons: Neurons  # those that are ranked
    probe: LinearProbeClassifier  # not fitted
    selector: WeightMassSelector  # fitted on all words
    curve: AblationCurve  # with a ranking from the training words of each fold

    def find_few(self, share: float = 0.95) -> tuple[int, float]:
        """Find the smallest number of top neurons that retain a share of the accuracy.

        Parameters
        ----------
        share : float in [0, 1], default=0.95

        Returns
        -------
        n_neurons : int
            Number of neurons, or the largest number on the curve if the share is never reached.
        share : float
            Share of the accuracy that these neurons retain.
        """
        retained = self.curve.scores["top"].mean(axis=1) / self.curve.full_scores.mean()
        enough = np.flatnonzero(retained >= share)
        place = enough[0] if len(enough) else len(retained) - 1
        return int(self.curve.n_neurons[place]), float(retained[place])


@dataclass(frozen=True)
class Study:
    """Analyses of labeled activations.

    They share the kind of probe, which standardizes the neurons, the folds, which consist of whole
    sentences, and the random state.

    Parameters
    ----------
    tokens : TokenActivations
        With labels that are classes.
    settings : Settings
    """

    tokens: TokenActivations
    settings: Settings = Settings()

    def make_probe(self) -> LinearProbeClassifier:
        """Create a probe that standardizes the neurons, with more epochs for few words."""
        probe = LinearProbeClassifier()
        n_steps = probe.max_epochs * len(self.tokens.X) / probe.batch_size
        return probe.set_params(
            lambda_l1=self.settings.lambda_l1,
            lambda_l2=self.settings.lambda_l2,
            max_epochs=int(np.ceil(probe.max_epochs * max(1, _MIN_STEPS / n_steps))),
            standardize=True,
            random_state=self.settings.random_state,
        )

    def make_control(self) -> ControlTask:
        """Create a control task for the words."""
        words = types_of(self.tokens)
        return make_control_task(words, self.tokens.y, random_state=self.settings.random_state)

    def score_layers(self, scoring: str | Callable[..., float] | None = None) -> LayerwiseScores:
        """Score a probe on each layer and on a control task, and a table of the word types."""
        return layerwise_scores(
            self.make_probe(),
            self.tokens.X,
            self.tokens.y,
            layers=self.tokens.layers,
            cv=self.settings.n_folds,
            groups=self.tokens.sentence_ids,
            scoring=scoring,
            control={"control task": self.make_control(), WORD_TYPES: types_of(self.tokens)},
            verbose=1,
        )

    def report_labels(self, layer: int | str) -> tuple[ProbeReport, int]:
        """Report on the predictions of a probe on a layer for the first fold.

        Words whose labels do not occur in training are left out. Their number is also returned.
        """
        X, y, groups = self._layer(layer), self.tokens.y, self.tokens.sentence_ids
        train, test = next(GroupKFold(self.settings.n_folds).split(X, y, groups))
        fitted = self.make_probe().fit(X[train], y[train])
        known = test[np.isin(y[test], fitted.classes_)]
        return self.report_on(fitted, X[known], known, train), len(test) - len(known)

    def report_on(self, fitted: Any, X: NDArray, test: NDArray, train: NDArray) -> ProbeReport:
        """Report on the predictions of a fitted probe.

        Parameters
        ----------
        fitted : estimator
        X : ndarray of shape (n_test_words, n_neurons)
            Activations of the test words, as required by the probe.
        test, train : ndarray of bool or int
            Which of the words are test words and training words.

        Returns
        -------
        ProbeReport
        """
        tokens = self.tokens
        return probe_report(
            fitted,
            X,
            tokens.y[test],
            words=tokens.words[test].tolist(),
            sentence_ids=tokens.sentence_ids[test],
            train_words=tokens.words[train].tolist(),
            random_state=self.settings.random_state,
        )

    def encode_labels(self, layer: int | str) -> dict[str, Codelength]:
        """Measure the code length of the labels and of the control task on a layer."""
        X = self._layer(layer)
        labels = {"labels": self.tokens.y, "control task": self.make_control().labels}
        lengths = {}
        for name, y in labels.items():
            with noting(f"for {name}"):
                lengths[name] = codelength(
                    self.make_probe(),
                    X,
                    y,
                    groups=self.tokens.sentence_ids,
                    random_state=self.settings.random_state,
                )
        return lengths

    def rank_neurons(
        self, fractions: tuple[float, ...], layer: int | str | None = None
    ) -> RankedNeurons:
        """Rank the neurons of a layer, or of all layers, and score probes on some of them."""
        neurons = self.tokens.neurons
        if layer is None:
            X = self.tokens.X
        else:
            X, neurons = self._layer(layer), neurons[neurons.columns(layer)]
        probe = make_sparse_probe(_RANKING_TOL)
        selector = WeightMassSelector(probe)
        curve = ablation_curve(
            self.make_probe().set_params(learning_rate=_RATE_ON_FEW_NEURONS),
            X.astype(np.float32, copy=False),  # it would convert float16 to float64
            self.tokens.y,
            ranking=selector,
            fractions=fractions,
            mode="remove",
            cv=min(self.settings.n_folds, _MAX_ABLATION_FOLDS),
            groups=self.tokens.sentence_ids,
            random_state=self.settings.random_state,
            verbose=1,
        )
        return RankedNeurons(neurons, probe, clone(selector).fit(X, self.tokens.y), curve)

    def find_detectors(self) -> AveragePrecisionSelector:
        """Measure how well each neuron detects each label."""
        return AveragePrecisionSelector().fit(self.tokens.X, self.tokens.y)

    def _layer(self, layer: int | str) -> NDArray:
        return self.tokens.X[:, self.tokens.neurons.columns(layer)]


def make_sparse_probe(tol: float = 1e-4) -> LinearProbeClassifier:
    """Create the probe whose weights rank neurons. Its L1 penalty sets most weights to zero."""
    return LinearProbeClassifier(lambda_l1=1e-3, standardize=True, solver="owlqn", tol=tol)


def check_metric(metric: str, y: NDArray) -> None:
    """Raise a ValueError if a metric of numbers is chosen for labels that are not numbers."""
    if metric in NUMBER_METRICS and kind_of(y[0]) != "number":
        raise ValueError(
            f"--metric {metric} compares numbers, but the labels of the store are "
            f"{kind_of(y[0])}s. Use {', '.join(LABEL_METRICS)}."
        )


def find_scorer(metric: str) -> str | Callable[..., float]:
    """Return the scorer of a metric, with F1 averaged over the labels.

    Parameters
    ----------
    metric : str
        A name in ``METRICS``.

    Returns
    -------
    str or callable
        Value of the parameter ``scoring``.
    """
    if metric == "accuracy":
        return metric
    averages = "average" in signature(METRICS[metric]).parameters
    return get_scorer(metric, **({"average": "macro"} if averages else {}))
