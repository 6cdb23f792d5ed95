"""Sections that the demo page and the store page share.

Each function adds one section, which shows one result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np

from .._optional import import_optional
from ..activations import Neurons, TokenActivations
from ..evaluation import LayerwiseScores, ProbeReport
from ..neurons import AveragePrecisionSelector, top_words
from ..visualization import (
    AblationCurveDisplay,
    AnalysisReport,
    LayerwiseScoresDisplay,
    NeuronsPerClassDisplay,
    ProbeReportDisplay,
)
from .nouns import WORDS, Nouns, nouns_of
from .study import WORD_TYPES, RankedNeurons

_PACKAGES = ("sklearn-neurox", "scikit-learn", "skorch", "torch", "numpy")
_N_DETECTORS = 3  # per label
_MIN_COUNT = (
    3  # minimum occurrences of a top word: the activation on a rare word can be high at random
)


@dataclass(frozen=True)
class Detector:
    """A neuron that detects a label by high activations (sign 1) or low activations (sign -1)."""

    column: int
    sign: int


def add_layers(page: AnalysisReport, scores: LayerwiseScores) -> None:
    """Show the scores of the layers, the control task and the baselines."""
    best = scores.best_layer
    assert scores.layers is not None
    place = scores.layers.index(best)
    accuracy = scores.scores[place].mean()
    page.add_card(f"{accuracy:.3f}", f"accuracy of a probe on layer {best}")
    page.add_card(f"{scores.selectivity[place].mean():+.3f}", "above the accuracy on random labels")
    page.add_section(
        "Which layer encodes the labels?",
        "A linear probe was trained on each layer separately and tested on unseen sentences "
        f"({scores.scores.shape[1]}-fold cross-validation). High accuracy alone proves little, "
        "because a probe can memorize words. The control task measures this effect: it assigns a "
        "random label to each word type, so it can be solved only by memorization. The difference "
        "between the two accuracies is called selectivity. Two baselines do not use activations: "
        "a lookup table with the most frequent label of each word type, and the most frequent "
        "label overall.",
    )
    page.add_figure(
        LayerwiseScoresDisplay(scores).plot(ax=new_axes()),
        f"The probe is most accurate on layer {best}, where its accuracy is {accuracy:.3f}. The "
        f"table of word types reaches {scores.other_scores[WORD_TYPES].mean():.3f}, and the most "
        f"frequent label {scores.baseline_scores.mean():.3f}.",
    )
    page.add_frame(
        scores.to_frame(),
        "Means over the folds. The gain is the score minus the score of the first layer.",
    )


def add_labels(page: AnalysisReport, report: ProbeReport, setup: str, nouns: Nouns = WORDS) -> None:
    """Show which labels a probe predicts correctly, after a description of the test."""
    row, text = nouns
    page.add_section(
        "Which labels are predicted correctly?",
        f"{setup} The intervals ({report.confidence:.0%}) were obtained by resampling whole "
        f"{text}s.",
    )
    rows: list[list[Any]] = [["all", len(report.labels), str(report.score)]]
    for name, part in (("seen", report.seen), ("not seen", report.unseen)):
        if part is not None and part.score is not None:
            rows.append([f"{row} types {name} in training", part.n_words, str(part.score)])
    page.add_table([f"test {row}s", "number", "accuracy"], rows)
    page.add_figure(
        ProbeReportDisplay(report).plot(ax=new_axes(1.4 + 0.28 * len(report.per_class))),
        f"F1 of each label, with the most frequent label first. A label without test {row}s has no "
        f"point, and a label in fewer than five {text}s has no interval.",
    )
    page.add_table(
        ["label", "predicted as", f"{row}s"],
        [[str(label), str(predicted), n] for label, predicted, n in report.mistakes()],
        "The most frequent errors",
    )


def add_ranking(page: AnalysisReport, ranked: RankedNeurons, where: str) -> None:
    """Show the accuracy of probes on some of the neurons of a layer, or of all layers."""
    few, share = ranked.find_few()
    page.add_card(f"{few:,}", f"neurons of {where} retain {share:.0%} of the accuracy")
    page.add_section(
        "How many neurons does it take?",
        f"New probes were trained on subsets of the neurons of {where}: the first neurons of a "
        "ranking, the last ones, and neurons drawn at random. The ranking uses the weights of a "
        "sparse probe. It was computed on the training part of each fold and did not depend on "
        "the test part.",
    )
    page.add_figure(
        AblationCurveDisplay(ranked.curve).plot(ax=new_axes()),
        f"The top {few:,} of {ranked.curve.n_available:,} neurons retain {share:.0%} of the "
        "accuracy of all neurons. If random neurons are almost as good as the top neurons, the "
        "information is distributed over many neurons, and many different subsets would work "
        "equally well.",
    )
    page.add_frame(ranked.curve.to_frame(), "Mean accuracy over the folds")
    _add_places(page, ranked, few)
    scores = ranked.selector.class_scores_
    if len(scores) > 1:  # two labels share one row of weights
        page.add_figure(
            NeuronsPerClassDisplay.from_estimator(
                ranked.selector, ax=new_axes(1.4 + 0.25 * len(scores))
            ),
            "Number of neurons that hold half of the weight mass of each label. Sparse probes use "
            "more neurons for frequent labels, even if the labels are shuffled, so only labels of "
            "similar frequency should be compared.",
        )


def add_detectors(
    page: AnalysisReport,
    tokens: TokenActivations,
    found: AveragePrecisionSelector,
    meanings: Mapping[Any, str] | None = None,
) -> dict[Any, Detector]:
    """Show the neurons that detect each label best.

    Parameters
    ----------
    page : AnalysisReport
    tokens : TokenActivations
        The words on which the detectors were found.
    found : AveragePrecisionSelector
        Fitted.
    meanings : mapping of label to str, default=None
        Meanings of the labels, shown next to them.

    Returns
    -------
    dict of label to Detector
        The best detector of each label.
    """
    row = nouns_of(tokens).row
    best: dict[Any, Detector] = {}
    rows = []
    for label, scores, signs in zip(
        found.classes_, found.class_scores_, found.class_signs_, strict=True
    ):
        columns = np.argsort(-scores, kind="stable")[:_N_DETECTORS]
        first = best[label] = Detector(int(columns[0]), int(signs[columns[0]]))
        n_words = int((tokens.y == label).sum())
        rows.append(
            [
                f"{label} ({meanings[label]})" if meanings else str(label),
                n_words,
                ", ".join(
                    f"{'−' if signs[column] < 0 else ''}{short_name(tokens.neurons, column)}"
                    for column in columns
                ),
                float(scores[first.column]),
                n_words / len(tokens),
                list_top_words(tokens, first.column, sign=first.sign),
            ]
        )
    page.add_section(
        "Which neurons detect which label?",
        "The three neurons whose activations detect each label best, by average precision. A "
        "minus sign marks a neuron whose activations are low on the label. The table gives the "
        f"average precision of the first neuron and the {row}s on which this neuron is furthest "
        "from its mean in the direction of the label. The average precision is optimistic, "
        f"because the neurons were chosen on the same {row}s. The chance level is the average "
        "precision of a neuron that is unrelated to the label. It is equal to the share of the "
        f"label. {_explain_name(tokens.neurons, columns[0])}",
    )
    header = [
        "label", f"{row}s", "neurons", "average precision", "chance level", f"top {row}s",
    ]  # fmt: skip
    page.add_table(header, rows)
    return best


def add_provenance(
    page: AnalysisReport, extraction: Mapping[str, Any], settings: Mapping[str, Any]
) -> None:
    """Show the data, the settings and the versions that the results were computed with."""
    page.add_section("How the results were obtained")
    for caption, values in (
        ("Extraction", extraction),
        ("Probes", settings),
        ("Versions", {package: version(package) for package in _PACKAGES}),
    ):
        page.add_table(
            ["", "value"], [[name, str(value)] for name, value in values.items()], caption
        )


def new_axes(height: float = 4) -> Any:
    """Create the axes of a figure that pyplot does not keep open."""
    figure: Any = import_optional("matplotlib.figure", extra="plot", purpose="A page")
    return figure.Figure(figsize=(6.4, height), layout="constrained").subplots()


def list_top_words(
    tokens: TokenActivations, column: int, n_words: int = 5, *, sign: int = 0
) -> str:
    """List the top words of a neuron.

    Parameters
    ----------
    tokens : TokenActivations
    column : int
        Column of X.
    n_words : int, default=5
    sign : int, default=0
        List only words on which the neuron is above its mean (positive) or below it (negative). If
        0, list both, with a minus sign before the latter.

    Returns
    -------
    str
    """
    scored = top_words(tokens.words, tokens.X[:, column], min_count=_MIN_COUNT)
    if sign:
        return "  ".join([str(word) for word, score in scored if score * sign > 0][:n_words])
    return "  ".join(f"{'−' if score < 0 else ''}{word}" for word, score in scored[:n_words])


def short_name(neurons: Neurons, column: int) -> str:
    """Return a short name of a neuron, such as L3:17 for neuron 17 of layer 3."""
    layer, index = neurons.locate(column)
    return f"{layer if isinstance(layer, str) else f'L{layer}'}:{index}"


def _explain_name(neurons: Neurons, column: int) -> str:
    return f"{short_name(neurons, column)} stands for {neurons.names[column]}."


def _add_places(page: AnalysisReport, ranked: RankedNeurons, few: int, n_listed: int = 20) -> None:
    """Show where the top neurons are."""
    neurons, ranking = ranked.neurons, ranked.selector.ranking_
    layers = Counter(neurons.locate(column)[0] for column in ranking[:few])
    if len(neurons.layers) > 1 and len({*layers}) > 1:
        page.add_table(
            ["layer", *map(str, neurons.layers)],
            [["neurons", *(layers[layer] for layer in neurons.layers)]],
            f"Layers of the top {few:,} neurons",
        )
    first = ranking[:n_listed]
    names = ", ".join(short_name(neurons, column) for column in first)
    page.add_text(f"The ranking starts with {names}. {_explain_name(neurons, first[0])}")
