"""What the commands do on a store of activations: extract, probe, rank, report."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ._optional import import_optional
from .activations import (
    ActivationExtractor,
    TokenActivations,
    describe_store,
    read_conllu,
    read_parallel,
    read_sentences,
)
from .evaluation import LayerwiseScores, layerwise_scores, make_control_task
from .neurons import (
    AveragePrecisionSelector,
    CorrelationClustering,
    GaussianSelector,
    ProbelessSelector,
    WeightMassSelector,
    top_words,
)
from .probes import LinearProbeClassifier
from .visualization import AnalysisReport, LayerwiseScoresDisplay

RANKINGS = ("weights", "probeless", "average-precision", "gaussian")


def extract(args: Namespace) -> None:
    """Extract the activations of a corpus into a store."""
    labels = None
    if args.corpus.endswith(".conllu"):
        if args.labels:
            raise ValueError("A .conllu file has its labels in a column: give --column.")
        sentences, labels = read_conllu(args.corpus, column=args.column)
    elif args.labels:
        sentences, labels = read_parallel(args.corpus, args.labels)
    else:
        sentences = read_sentences(args.corpus)
    extractor = ActivationExtractor(
        args.model,
        layers=_layers(args.layers),
        modules=args.modules,
        aggregation=args.aggregation,
        on_truncate=args.on_truncate,
        batch_tokens=args.batch_tokens,
        dtype=args.dtype,
        device=args.device,
        verbose=1,
    )
    tokens = extractor.extract(sentences, labels, store=args.out)
    print(f"{tokens}\nin {Path(args.out).resolve()}")


def probe(args: Namespace) -> None:
    """Print the scores of a probe on each layer of a store, and keep them as a table."""
    scores = _score_layers(_load(args.store), args)
    frame = scores.to_frame()
    print(frame.to_string(float_format="{:.3f}".format))
    print(f"best layer: {scores.best_layer}")
    _keep(frame, args.out)


def rank(args: Namespace) -> None:
    """Print the first neurons of a ranking and their top words, and keep the ranking."""
    tokens = _load(args.store)
    frame = _rank(tokens, args.method, args.n_neurons, args.target, args.layer)
    print(frame[frame["kept"]].drop(columns="kept").to_string(float_format="{:.3f}".format))
    _keep(frame, args.out)


def report(args: Namespace) -> None:
    """Write a page about a store."""
    tokens = _load(args.store)
    target = Path(args.out)
    if not target.parent.is_dir():  # before the work, not after it
        raise ValueError(f"There is no folder {target.parent} to write the page into.")
    model = describe_store(args.store)["parameters"].get("model") or args.store
    path = make_page(tokens, Path(model).resolve().name, args).save(target)
    print(f"The page: {path.resolve().as_uri()}")


def make_page(tokens: TokenActivations, name: str, args: Namespace) -> AnalysisReport:
    """Tell what a store holds: layers, redundancy, and the neurons of each label."""
    scores = _score_layers(tokens, args)
    best = scores.best_layer
    labels = np.unique(tokens.y)
    page = AnalysisReport(
        f"What {name} encodes, and where",
        f"{len(tokens):,} words in {len(np.unique(tokens.sentence_ids)):,} sentences, "
        f"{len(labels)} labels, {tokens.X.shape[1]:,} neurons in {tokens.n_layers} layers.",
    )
    layer = tokens.layers[best]
    page.add_card(f"{scores.scores[best].mean():.3f}", f"accuracy of a probe on layer {layer}")
    page.add_card(
        f"{scores.selectivity[best].mean():+.3f}", "above the same probe on random labels"
    )
    page.add_section(
        "In which layer?",
        "A linear probe on each layer by itself, tested on sentences that it has not seen, beside "
        "a control task of random labels that only memory can solve.",
    )
    figure = import_optional("matplotlib.figure", extra="plot", purpose="A page")
    axes = figure.Figure(figsize=(6.4, 4), layout="constrained").subplots()
    page.add_figure(
        LayerwiseScoresDisplay(scores).plot(ax=axes),
        f"Best on layer {layer} with an accuracy of {scores.scores[best].mean():.3f}; always the "
        f"most frequent label: {scores.baseline_scores.mean():.3f}.",
    )
    page.add_frame(scores.to_frame())
    page.add_section(
        "How redundantly?",
        "Clusters of neurons that correlate, at three distances 1 − |r| (average linkage).",
    )
    page.add_table(["layer", "neurons", "clusters at .3", "at .5", "at .8"], _redundancy(tokens))
    page.add_section(
        "Which neurons for which label?",
        "The three neurons whose activations detect each label best, by average precision; − marks "
        "those that are low on it, and words on which a neuron is below its mean.",
    )
    page.add_table(
        ["label", "words", "neurons", "average precision", "top words of the first"],
        _detectors(tokens),
    )
    return page


def _redundancy(tokens: TokenActivations) -> list[list[Any]]:
    rows = []
    for layer in tokens.layers:
        X = tokens.layer(layer)
        heights = CorrelationClustering().fit(X).linkage_matrix_[:, 2]
        clusters = [int(1 + (heights > t).sum()) for t in (0.3, 0.5, 0.8)]
        rows.append([str(layer), X.shape[1], *clusters])
    return rows


def _detectors(tokens: TokenActivations) -> list[list[Any]]:
    found = AveragePrecisionSelector().fit(tokens.X, tokens.y)
    rows = []
    for code, label in enumerate(found.classes_):
        scores, signs = found.class_scores_[code], found.class_signs_[code]
        neurons = np.argsort(-scores, kind="stable")[:3]
        names = ", ".join(f"{'−' if signs[j] < 0 else ''}{tokens.neuron_names[j]}" for j in neurons)
        n_words = int((tokens.y == label).sum())
        words = _top_words(tokens, neurons[0])
        rows.append([str(label), n_words, names, float(scores[neurons[0]]), words])
    return rows


def _score_layers(tokens: TokenActivations, args: Namespace) -> LayerwiseScores:
    probe = LinearProbeClassifier(
        lambda_l1=args.lambda_l1, lambda_l2=args.lambda_l2, random_state=args.random_state
    )
    return layerwise_scores(
        make_pipeline(StandardScaler(), probe),
        tokens.X.astype(np.float32, copy=False),  # a scaler would divide float16 by 0
        tokens.y,
        n_layers=tokens.n_layers,
        cv=args.cv,
        groups=tokens.sentence_ids,
        control=make_control_task(tokens.words.tolist(), tokens.y, random_state=args.random_state),
        verbose=1,
    )


def _rank(tokens: TokenActivations, method, n_neurons, target, layer) -> Any:
    """Table of a ranking, with the top words of the neurons that are kept."""
    X = tokens.X if layer is None else tokens.layer(layer)
    if target is not None:
        target = np.asarray(target).astype(tokens.y.dtype).item()
    options = {"n_neurons": n_neurons, "target": target}
    sparse = LinearProbeClassifier(lambda_l1=1e-3, solver="owlqn", tol=1e-4)
    selector = {
        "weights": lambda: WeightMassSelector(sparse, **options),
        "probeless": lambda: ProbelessSelector(**options),
        "average-precision": lambda: AveragePrecisionSelector(**options),
        "gaussian": lambda: GaussianSelector(**options),
    }[method]()
    frame = selector.fit(X, tokens.y).to_frame()
    first = 0 if layer is None else tokens.layers.index(layer) * X.shape[1]
    columns = first + frame["neuron"].to_numpy()
    frame.index = tokens.neuron_names[columns]
    frame["top words"] = [
        _top_words(tokens, column) if kept else ""
        for column, kept in zip(columns, frame["kept"], strict=True)
    ]
    return frame


def _top_words(tokens: TokenActivations, neuron: int, n_words: int = 5) -> str:
    """Top words among those that occur at least three times, negative ones marked."""
    scored = top_words(tokens.words, tokens.X[:, neuron], n_words=n_words, min_count=3)
    return ", ".join(f"{'−' if score < 0 else ''}{word}" for word, score in scored)


def _load(path: str) -> TokenActivations:
    tokens = TokenActivations.load(path)
    if tokens.y is None:
        raise ValueError(f"{path} holds no labels: extract a corpus that has some.")
    return tokens


def _layers(text: str) -> str | list[int]:
    """Layers as the command line has them: all, or numbers parted by commas."""
    if text == "all":
        return text
    try:
        return [int(number) for number in text.split(",")]
    except ValueError as error:
        raise ValueError(f"--layers must be 'all' or as 0,3,6; got {text!r}.") from error


def _keep(frame: Any, path: str | None) -> None:
    if path:
        frame.to_csv(path)
        print(f"in {Path(path).resolve()}")
