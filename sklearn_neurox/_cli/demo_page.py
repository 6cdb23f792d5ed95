"""Tell an analysis: as a short table, and as a page with pictures."""

from __future__ import annotations

import numpy as np

from ..activations import TokenActivations
from ..evaluation import AblationCurve
from ..visualization import (
    AblationCurveDisplay,
    AnalysisReport,
    LayerwiseScoresDisplay,
    visualize_activations,
)
from .demo_analysis import LAMBDAS, Analysis
from .sections import list_top_words, new_axes

DRAWN_TAGS = ("NOUN", "VERB", "ADP", "PRON", "NUM", "PUNCT")
TAG_NAMES = {
    "ADJ": "adjectives", "ADP": "adpositions", "ADV": "adverbs", "AUX": "auxiliaries",
    "CCONJ": "coordinating conjunctions", "DET": "determiners", "INTJ": "interjections",
    "NOUN": "nouns", "NUM": "numerals", "PART": "particles", "PRON": "pronouns",
    "PROPN": "proper nouns", "PUNCT": "punctuation", "SCONJ": "subordinating conjunctions",
    "SYM": "symbols", "VERB": "verbs", "X": "other",
}  # fmt: skip
LISTING = """\
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn_neurox import (
    ActivationExtractor, LayerSelector, LinearProbeClassifier, load_tagged_sentences)

corpus = load_tagged_sentences(subset="train")
tokens = ActivationExtractor("bert-base-cased").extract(corpus.sentences, corpus.tags)
pipeline = Pipeline([
    ("layer", LayerSelector(0, n_layers=tokens.n_layers)),
    ("scale", StandardScaler()),
    ("probe", LinearProbeClassifier(random_state=0)),
])
grid = GridSearchCV(pipeline, {
    "layer__layers": range(tokens.n_layers),
    "probe__lambda_l1": [0, 1e-4, 1e-3],
    "probe__lambda_l2": [0, 1e-4, 1e-3],
}, cv=GroupKFold(5))
grid.fit(tokens.X, tokens.y, groups=tokens.sentence_ids)
print(grid.best_params_, grid.best_score_)"""


def summary(analysis: Analysis) -> str:
    """Tell the scores in a few lines of text.

    Parameters
    ----------
    analysis : Analysis

    Returns
    -------
    str
    """
    curve, probe = analysis.curve, analysis.probe
    few, share = _few_neurons(curve)
    return "\n".join(
        [
            f"{analysis.name}: {analysis.tokens}",
            "",
            analysis.layers.to_frame().to_string(float_format="{:.3f}".format),
            "",
            f"best layer: {analysis.layers.best_layer}; lambda_l1 = {probe.lambda_l1:g}, lambda_l2 "
            f"= {probe.lambda_l2:g}; accuracy on unseen sentences: {analysis.test_score:.3f}",
            f"{few} of {curve.n_available:,} neurons keep {share:.0%} of the accuracy of all",
            f"time: {analysis.seconds:.0f} s",
        ]
    )


def make_report(analysis: Analysis) -> AnalysisReport:
    """Tell the analysis as a page.

    Parameters
    ----------
    analysis : Analysis

    Returns
    -------
    AnalysisReport
    """
    tokens, layers = analysis.tokens, analysis.layers
    report = AnalysisReport(
        f"Parts of speech in {analysis.name}",
        f"Which of its {tokens.n_layers} layers and {tokens.X.shape[1]:,} neurons tell a noun from "
        f"a verb? An analysis of {len(tokens):,} words in {len(np.unique(tokens.sentence_ids)):,} "
        "English sentences with 17 tags.",
    )
    best = layers.best_layer
    few, share = _few_neurons(analysis.curve)
    report.add_card(f"{layers.scores[best].mean():.3f}", f"accuracy of a probe on layer {best}")
    report.add_card(
        f"{layers.selectivity[best].mean():+.3f}", "above the same probe on random labels"
    )
    report.add_card(f"{few:,}", f"neurons keep {share:.0%} of the accuracy of all")
    report.add_card(f"{analysis.test_score:.3f}", "accuracy on unseen sentences, after tuning")
    _add_layers(report, analysis)
    _add_lambdas(report, analysis)
    _add_ablation(report, analysis)
    _add_tags(report, analysis)
    _add_neurons(report, analysis)
    report.add_section(
        "Write it yourself",
        "Every number above comes from scikit-learn objects. This chooses the layer and the "
        "penalties for a model of your own:",
    )
    return report.add_code(LISTING)


def _add_layers(report: AnalysisReport, analysis: Analysis) -> None:
    layers = analysis.layers
    n_folds = layers.scores.shape[1]
    report.add_section(
        "Is it encoded, and in which layer?",
        "A linear probe is trained on each layer by itself and tested on sentences that it has not "
        f"seen ({n_folds} folds). A high accuracy alone says little: the probe could have learnt "
        "the words by heart. The control task measures that. It gives each word type a label by "
        "chance, which only memory can solve. What counts is the distance between the two, the "
        "selectivity.",
    )
    report.add_figure(
        LayerwiseScoresDisplay(layers).plot(ax=new_axes()),
        f"The probe is best on layer {layers.best_layer} with an accuracy of "
        f"{layers.scores[layers.best_layer].mean():.3f}. To always say the most frequent tag gives "
        f"{layers.baseline_scores.mean():.3f}.",
    )
    report.add_frame(layers.to_frame())


def _add_lambdas(report: AnalysisReport, analysis: Analysis) -> None:
    results, probe = analysis.grid.cv_results_, analysis.probe
    # GridSearchCV varies the last parameter, lambda_l2, fastest.
    scores = np.reshape(results["mean_test_score"], (len(LAMBDAS), len(LAMBDAS)))
    report.add_section(
        "How much regularisation?",
        f"A grid search over both penalties on layer {analysis.layers.best_layer} ("
        f"{analysis.grid.n_splits_} folds by sentence) chooses lambda_l1 = {probe.lambda_l1:g} and "
        f"lambda_l2 = {probe.lambda_l2:g}. On the {analysis.n_test_words:,} words of the test "
        f"part, which took no part in any choice, that probe reaches {analysis.test_score:.3f}.",
    )
    report.add_table(
        ["lambda_l1 \\ lambda_l2", *(f"{l2:g}" for l2 in LAMBDAS)],
        [[f"{l1:g}", *row] for l1, row in zip(LAMBDAS, scores.tolist(), strict=True)],
        "Mean accuracy over the folds",
    )


def _add_ablation(report: AnalysisReport, analysis: Analysis) -> None:
    curve, tokens = analysis.curve, analysis.tokens
    few, share = _few_neurons(curve)
    report.add_section(
        "How many neurons does it take?",
        "The weights of a probe on all layers order the neurons: first those that hold most of the "
        "weight mass of a tag. A new probe is then trained on a few of them only. The ordering is "
        "made on the training words of each fold, so it has not seen the test words.",
    )
    report.add_figure(
        AblationCurveDisplay(curve).plot(ax=new_axes()),
        f"The {few:,} neurons at the top of the ordering keep {share:.0%} of the accuracy that all "
        f"{curve.n_available:,} give. Where random neurons lag only a little behind, the property "
        "is spread widely, and no single list of neurons is the list.",
    )
    layer_of = analysis.ordering[:few] // (curve.n_available // tokens.n_layers)
    report.add_table(
        ["layer", *map(str, tokens.layers)],
        [["neurons", *np.bincount(layer_of, minlength=tokens.n_layers).tolist()]],
        f"Where the {few:,} neurons at the top are",
    )
    first = ", ".join(_short(tokens.neuron_names[i]) for i in analysis.ordering[:20])
    report.add_text(f"The ordering begins with {first}, ... (L3:17 is neuron 17 of layer 3).")


def _add_tags(report: AnalysisReport, analysis: Analysis) -> None:
    tokens, probe = analysis.tokens, analysis.probe
    rows = []
    for tag, weights in zip(probe.classes_, np.abs(probe.coef_), strict=True):
        neurons = np.argsort(-weights, kind="stable")[:3]
        names = ", ".join(_short(tokens.neuron_names[i]) for i in neurons)
        share = float(weights[neurons].sum() / weights.sum())
        rows.append(
            [f"{tag} ({TAG_NAMES[tag]})", names, share, list_top_words(tokens, neurons[0], 5)]
        )
    report.add_section(
        "Which neurons for which tag?",
        "The three neurons with the largest weights for each tag, their share of the weight mass "
        "of the tag, and the words that move the first of them furthest from its mean; − marks "
        "words on which the neuron is below it.",
    )
    report.add_table(["tag", "neurons", "share", "top words of the first"], rows)


def _add_neurons(report: AnalysisReport, analysis: Analysis) -> None:
    tokens, probe = analysis.tokens, analysis.probe
    report.add_section(
        "What do the best neurons look for?",
        f"The neuron with the largest weight for each of {len(DRAWN_TAGS)} tags, on the same "
        "sentences. Blue is above, red below the neuron's mean; point at a word to read by how "
        "many standard deviations.",
    )
    shown = np.isin(tokens.sentence_ids, _varied_sentences(tokens))
    for tag in DRAWN_TAGS:
        weights = probe.coef_[list(probe.classes_).index(tag)]
        neuron = int(np.abs(weights).argmax())
        says = "for" if weights[neuron] > 0 else "against"
        values = tokens.X[:, neuron].astype(float)
        report.add_heading(f"{_short(tokens.neuron_names[neuron])} speaks {says} {tag}")
        report.add_figure(
            visualize_activations(
                tokens.words[shown],
                (values[shown] - values.mean()) / values.std(),
                font_size=16,
                char_limit=90,
            ),
            f"Top words: {list_top_words(tokens, neuron, 10)}",
        )


def _few_neurons(curve: AblationCurve, share: float = 0.95) -> tuple[int, float]:
    """Fewest neurons from the top that keep a share of the accuracy, and what they keep."""
    kept = curve.scores["top"].mean(axis=1) / curve.full_scores.mean()
    enough = np.flatnonzero(kept >= share)
    place = enough[0] if len(enough) else len(kept) - 1
    return int(curve.n_neurons[place]), float(kept[place])


def _varied_sentences(tokens: TokenActivations, n_sentences: int = 3) -> np.ndarray:
    """Choose the sentences with the most different tags."""
    ids = np.unique(tokens.sentence_ids)
    n_tags = [len(np.unique(tokens.y[tokens.sentence_ids == i])) for i in ids]
    return ids[np.argsort(n_tags, kind="stable")[-n_sentences:]]


def _short(name: str) -> str:
    """Shorten layer_3_neuron_17 to L3:17."""
    return "L" + name.removeprefix("layer_").replace("_neuron_", ":")
