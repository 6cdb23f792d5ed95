"""Extract, probe, rank, ablate: each step as a user would write it."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from sklearn.callback import ProgressBar
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from ..activations import TokenActivations
from ..datasets import load_tagged_sentences
from ..evaluation import (
    AblationCurve,
    LayerwiseScores,
    ablation_curve,
    layerwise_scores,
    make_control_task,
)
from ..extraction import ActivationExtractor
from ..neurons import LayerSelector, WeightMassSelector, weight_mass_ordering
from ..probes import LinearProbeClassifier

LAMBDAS = (0.0, 1e-4, 1e-3, 1e-2)
FRACTIONS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


@dataclass(frozen=True)
class Analysis:
    """All results of the demo."""

    name: str  # of the model
    tokens: TokenActivations
    n_test_words: int
    layers: LayerwiseScores  # a probe on each layer, by cross-validation on the training part
    grid: GridSearchCV  # over the penalties, on the best layer
    test_score: float  # of the best probe of the grid, on the test part
    probe: LinearProbeClassifier  # on all layers, standardised
    ordering: np.ndarray  # of all neurons, by the weights of `probe`
    curve: AblationCurve
    seconds: float


def analyse(model: str, name: str) -> Analysis:
    """Run the whole analysis, with a progress bar for every long step.

    Parameters
    ----------
    model : str
        Name or path of a model of ``transformers``.
    name : str
        What to call it.

    Returns
    -------
    Analysis
    """
    start = time.perf_counter()
    _say(f"1/5 Activations of {name} on the embedded corpus")
    corpus = load_tagged_sentences()
    tokens = ActivationExtractor(model, verbose=1).extract(corpus.sentences, corpus.tags)
    train = corpus.is_train[tokens.sentence_ids]
    X, y, groups = tokens.X[train], tokens.y[train], tokens.sentence_ids[train]

    _say("2/5 A probe on each layer, beside a control task")
    probe = make_pipeline(StandardScaler(), LinearProbeClassifier(random_state=0))
    layers = layerwise_scores(
        probe,
        X,
        y,
        n_layers=tokens.n_layers,
        groups=groups,
        control=make_control_task(tokens.words[train], y, random_state=0),
        verbose=1,
    )

    _say(f"3/5 How much regularisation on layer {layers.best_layer}")
    grid = _search_lambdas(X, y, groups, layers.best_layer, tokens.n_layers)

    _say(f"4/5 The order of all {X.shape[1]:,} neurons")
    best = grid.best_estimator_["probe"]
    probe = LinearProbeClassifier(
        lambda_l1=best.lambda_l1, lambda_l2=best.lambda_l2, random_state=0
    )
    probe.fit(StandardScaler().fit_transform(X), y)
    ordering, _ = weight_mass_ordering(probe.coef_)

    _say("5/5 Probes on the top, random and bottom neurons")
    curve = ablation_curve(
        make_pipeline(StandardScaler(), LinearProbeClassifier(random_state=0)),
        X,
        y,
        ranking=WeightMassSelector(probe),
        fractions=FRACTIONS,
        mode="remove",
        cv=3,
        groups=groups,
        random_state=0,
        verbose=1,
    )
    return Analysis(
        name=name,
        tokens=tokens,
        n_test_words=int((~train).sum()),
        layers=layers,
        grid=grid,
        test_score=grid.score(tokens.X[~train], tokens.y[~train]),
        probe=probe,
        ordering=ordering,
        curve=curve,
        seconds=time.perf_counter() - start,
    )


def _search_lambdas(X, y, groups, layer: int, n_layers: int) -> GridSearchCV:
    pipeline = Pipeline(
        [
            ("layer", LayerSelector(layer, n_layers=n_layers)),
            ("scale", StandardScaler()),
            ("probe", LinearProbeClassifier(random_state=0)),
        ]
    )
    lambdas = {"probe__lambda_l1": LAMBDAS, "probe__lambda_l2": LAMBDAS}
    grid = GridSearchCV(pipeline, lambdas, cv=GroupKFold(3))
    grid.set_callbacks(ProgressBar(max_propagation_depth=0))
    return grid.fit(X, y, groups=groups)


def _say(text: str) -> None:
    print(f"\n{text}", flush=True)
