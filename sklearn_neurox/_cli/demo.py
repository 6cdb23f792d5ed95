"""The analysis of the demo: from a transformer and a tagged corpus to results."""

from __future__ import annotations

import time
from dataclasses import dataclass

from numpy.typing import NDArray
from sklearn.callback import ProgressBar
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import Pipeline

from ..activations import TokenActivations
from ..datasets import load_tagged_sentences
from ..evaluation import LayerwiseScores, ProbeReport
from ..extraction import ActivationExtractor
from ..neurons import AveragePrecisionSelector, LayerSelector
from ..probes import LinearProbeClassifier
from .study import RankedNeurons, Study
from .usage import Usage, measure_usage

LAMBDAS = (0.0, 1e-4, 1e-3, 1e-2)
FRACTIONS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
_N_GRID_FOLDS = 3
_LABEL = "NOUN"  # whose use is measured


@dataclass(frozen=True)
class PenaltyGrid:
    """Accuracies of a probe for all pairs of penalties."""

    lambdas_l1: tuple[float, ...]
    lambdas_l2: tuple[float, ...]
    scores: NDArray  # (n_lambdas_l1, n_lambdas_l2), means over the folds
    n_folds: int
    lambda_l1: float  # the best pair
    lambda_l2: float


@dataclass(frozen=True)
class Analysis:
    """The results of the demo."""

    name: str  # of the model
    tokens: TokenActivations  # training and test words
    layers: LayerwiseScores  # cross-validated on the training words
    grid: PenaltyGrid  # on the best layer
    test: ProbeReport  # of the probe with the best penalties, on the test words
    ranked: RankedNeurons
    detectors: AveragePrecisionSelector
    usage: Usage
    seconds: float


def analyze(model: str, name: str) -> Analysis:
    """Run the analysis, with a progress bar for each long step.

    Parameters
    ----------
    model : str
        Name or path of a transformers model.
    name : str
        Display name of the model.

    Returns
    -------
    Analysis
    """
    start = time.perf_counter()
    _announce(f"1/6 Extract the activations of {name} on the embedded corpus")
    corpus = load_tagged_sentences()
    extractor = ActivationExtractor(model, verbose=1)
    tokens = extractor.extract(corpus.sentences, corpus.tags)
    is_train = corpus.is_train[tokens.sentence_ids]
    train = tokens[is_train]
    study = Study(train)

    _announce("2/6 Score a probe on each layer and on a control task")
    layers = study.score_layers()

    _announce(f"3/6 Choose the regularization on layer {layers.best_layer}")
    search = _search_penalties(train, layers.best_layer)

    _announce(f"4/6 Rank all {train.X.shape[1]:,} neurons and train probes on some of them")
    ranked = study.rank_neurons(FRACTIONS)

    _announce("5/6 Find the neurons that detect each tag")
    detectors = Study(tokens).find_detectors()

    _announce(f"6/6 Edit layer {layers.best_layer} of the running network")
    usage = measure_usage(
        extractor, corpus.sentences, corpus.tags, layer=int(layers.best_layer), label=_LABEL
    )
    return Analysis(
        name=name,
        tokens=tokens,
        layers=layers,
        grid=_summarize_search(search),
        test=Study(tokens).report_on(
            search.best_estimator_, tokens.X[~is_train], ~is_train, is_train
        ),
        ranked=ranked,
        detectors=detectors,
        usage=usage,
        seconds=time.perf_counter() - start,
    )


def _search_penalties(tokens: TokenActivations, layer: int | str) -> GridSearchCV:
    pipeline = Pipeline(
        [
            ("layer", LayerSelector(layer, n_layers=tokens.n_layers)),
            ("probe", LinearProbeClassifier(standardize=True, random_state=0)),
        ]
    )
    # GridSearchCV varies the last parameter, lambda_l2, fastest.
    lambdas = {"probe__lambda_l1": LAMBDAS, "probe__lambda_l2": LAMBDAS}
    search = GridSearchCV(pipeline, lambdas, cv=GroupKFold(_N_GRID_FOLDS))
    search.set_callbacks(ProgressBar(max_propagation_depth=0))
    return search.fit(tokens.X, tokens.y, groups=tokens.sentence_ids)


def _summarize_search(search: GridSearchCV) -> PenaltyGrid:
    return PenaltyGrid(
        lambdas_l1=LAMBDAS,
        lambdas_l2=LAMBDAS,
        scores=search.cv_results_["mean_test_score"].reshape(len(LAMBDAS), len(LAMBDAS)),
        n_folds=search.n_splits_,
        lambda_l1=search.best_params_["probe__lambda_l1"],
        lambda_l2=search.best_params_["probe__lambda_l2"],
    )


def _announce(step: str) -> None:
    print(f"\n{step}", flush=True)
