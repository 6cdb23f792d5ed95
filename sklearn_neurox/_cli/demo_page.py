"""The results of the demo, as a short text and as a page."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..activations import TokenActivations
from ..visualization import AnalysisReport, visualize_activations
from .demo import Analysis, PenaltyGrid
from .sections import (
    Detector,
    add_detectors,
    add_labels,
    add_layers,
    add_provenance,
    add_ranking,
    list_top_words,
    short_name,
)
from .usage import add_usage, conclude

_DRAWN_TAGS = ("NOUN", "VERB", "ADP", "PRON", "NUM", "PUNCT")
_MEANINGS = {
    "ADJ": "adjectives", "ADP": "adpositions", "ADV": "adverbs", "AUX": "auxiliaries",
    "CCONJ": "coordinating conjunctions", "DET": "determiners", "INTJ": "interjections",
    "NOUN": "nouns", "NUM": "numerals", "PART": "particles", "PRON": "pronouns",
    "PROPN": "proper nouns", "PUNCT": "punctuation", "SCONJ": "subordinating conjunctions",
    "SYM": "symbols", "VERB": "verbs", "X": "other",
}  # fmt: skip
_LISTING = """\
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import Pipeline
from sklearn_neurox import (
    ActivationExtractor, LayerSelector, LinearProbeClassifier, load_tagged_sentences)

corpus = load_tagged_sentences(subset="train")
tokens = ActivationExtractor("bert-base-cased").extract(corpus.sentences, corpus.tags)
pipeline = Pipeline([
    ("layer", LayerSelector(0, n_layers=tokens.n_layers)),
    ("probe", LinearProbeClassifier(standardize=True, random_state=0)),
])
grid = GridSearchCV(pipeline, {
    "layer__layers": range(tokens.n_layers),
    "probe__lambda_l1": [0, 1e-4, 1e-3],
    "probe__lambda_l2": [0, 1e-4, 1e-3],
}, cv=GroupKFold(5))
grid.fit(tokens.X, tokens.y, groups=tokens.sentence_ids)
print(grid.best_params_, grid.best_score_)"""


def summarize(analysis: Analysis) -> str:
    """Summarize the scores in a few lines of text.

    Parameters
    ----------
    analysis : Analysis

    Returns
    -------
    str
    """
    grid = analysis.grid
    few, share = analysis.ranked.find_few()
    return "\n".join(
        [
            f"{analysis.name}: {analysis.tokens}",
            "",
            analysis.layers.to_frame().to_string(float_format="{:.3f}".format),
            "",
            f"best layer: {analysis.layers.best_layer}",
            f"best penalties: lambda_l1 = {grid.lambda_l1:g}, lambda_l2 = {grid.lambda_l2:g}",
            f"accuracy on unseen sentences: {analysis.test.score}",
            f"{few} of {analysis.ranked.curve.n_available:,} neurons retain {share:.0%} of the "
            "accuracy of all neurons",
            *(
                conclude(name, analysis.usage.label, effect)
                for name, effect in analysis.usage.effects.items()
            ),
            f"time: {analysis.seconds:.0f} s",
        ]
    )


def make_page(analysis: Analysis) -> AnalysisReport:
    """Create a page with the results.

    Parameters
    ----------
    analysis : Analysis

    Returns
    -------
    AnalysisReport
    """
    tokens, layer = analysis.tokens, analysis.layers.best_layer
    n_sentences = len(np.unique(tokens.sentence_ids))
    page = AnalysisReport(
        f"Parts of speech in {analysis.name}",
        f"Which of its {tokens.n_layers} layers and {tokens.X.shape[1]:,} neurons distinguish a "
        f"noun from a verb? An analysis of {len(tokens):,} words in {n_sentences:,} English "
        f"sentences with {len(np.unique(tokens.y))} tags.",
    )
    add_layers(page, analysis.layers)
    _add_penalties(page, analysis.grid, layer)
    page.add_card(
        f"{analysis.test.score.value:.3f}", "accuracy on unseen sentences, with the best penalties"
    )
    add_labels(
        page,
        analysis.test,
        f"The probe on layer {layer} with the best penalties was tested on the "
        f"{len(analysis.test.labels):,} words of the test set, which were not used in any choice.",
    )
    add_ranking(page, analysis.ranked, "all layers")
    best = add_detectors(page, tokens, analysis.detectors, _MEANINGS)
    _add_drawings(page, tokens, {tag: best[tag] for tag in _DRAWN_TAGS})
    add_usage(page, analysis.usage)
    page.add_section(
        "Run it yourself",
        "All results were computed with scikit-learn estimators. The following code chooses the "
        "layer and the penalties for another model:",
    )
    page.add_code(_LISTING)
    extraction = {
        "model": analysis.name,
        "layers": list(tokens.layers),
        "dtype": tokens.X.dtype,
        "words": len(tokens),
        "sentences": n_sentences,
    }
    add_provenance(page, extraction, {"ranking": repr(analysis.ranked.probe), "random_state": 0})
    return page


def _add_penalties(page: AnalysisReport, grid: PenaltyGrid, layer: int | str) -> None:
    page.add_section(
        "How much regularization does it need?",
        f"A grid search over both penalties on layer {layer} ({grid.n_folds} folds of whole "
        f"sentences) selected lambda_l1 = {grid.lambda_l1:g} and lambda_l2 = {grid.lambda_l2:g}.",
    )
    page.add_table(
        ["lambda_l1 \\ lambda_l2", *(f"{l2:g}" for l2 in grid.lambdas_l2)],
        [
            [f"{l1:g}", *scores]
            for l1, scores in zip(grid.lambdas_l1, grid.scores.tolist(), strict=True)
        ],
        "Mean accuracy over the folds",
    )


def _add_drawings(
    page: AnalysisReport, tokens: TokenActivations, drawn: Mapping[str, Detector]
) -> None:
    page.add_section(
        "What do these neurons respond to?",
        f"The best detectors of {len(drawn)} tags, on the same three sentences. Words on which "
        "the neuron is above its mean are blue, and words on which it is below are red. Hover "
        "over a word to see the distance in standard deviations. Top words on which the neuron is "
        "below its mean have a minus sign.",
    )
    shown = np.isin(tokens.sentence_ids, _varied_sentences(tokens))
    for tag, detector in drawn.items():
        name = short_name(tokens.neurons, detector.column)
        page.add_heading(f"{name} is {'high' if detector.sign > 0 else 'low'} on {tag}")
        values = tokens.X[:, detector.column].astype(float)
        page.add_figure(
            visualize_activations(
                tokens.words[shown],
                (values[shown] - values.mean()) / values.std(),
                font_size=16,
                char_limit=90,
            ),
            f"Top words: {list_top_words(tokens, detector.column, 10)}",
        )


def _varied_sentences(tokens: TokenActivations, n_sentences: int = 3) -> NDArray:
    """Choose the sentences with the largest number of different tags."""
    ids = np.unique(tokens.sentence_ids)
    n_tags = [len(np.unique(tokens.y[tokens.sentence_ids == i])) for i in ids]
    return ids[np.argsort(n_tags, kind="stable")[-n_sentences:]]
