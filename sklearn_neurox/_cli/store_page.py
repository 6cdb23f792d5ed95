"""The analysis of a store of labeled activations, as a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from .._wording import count
from ..activations import TokenActivations
from ..evaluation import Codelength
from ..extraction import ActivationExtractor
from ..neurons import CorrelationClustering
from ..visualization import (
    AnalysisReport,
    CodelengthDisplay,
    DendrogramDisplay,
    NeuronGrid,
    RedundancyDisplay,
)
from .nouns import Nouns, nouns_of
from .sections import (
    Detector,
    add_detectors,
    add_labels,
    add_layers,
    add_provenance,
    add_ranking,
    new_axes,
)
from .study import RankedNeurons, Study
from .usage import (
    add_unmeasured_usage,
    add_usage,
    by_sentence,
    measure_usage,
    sentences_of,
)

_FRACTIONS = (0.02, 0.05, 0.1, 0.2, 0.5)
_MAX_CLUSTERED = 4096  # neurons; their distances take 16 bytes per pair
_N_DRAWN = 3  # labels with a drawing of their best detector


def make_page(
    study: Study,
    name: str,
    description: Mapping[str, Any],
    extractor: ActivationExtractor | None = None,
) -> AnalysisReport:
    """Analyze a store, and create a page with the results.

    Parameters
    ----------
    study : Study
    name : str
        Display name of the model.
    description : mapping
        The description of the store.
    extractor : ActivationExtractor, default=None
        With the model of the store, which is edited while it runs. If None, it is not.

    Returns
    -------
    AnalysisReport
    """
    tokens = study.tokens
    nouns = nouns_of(tokens)
    rows = count(len(tokens), nouns.row)
    if nouns.row != nouns.text:
        rows += f" in {count(len(np.unique(tokens.sentence_ids)), nouns.text)}"
    n_layers = "one layer" if tokens.n_layers == 1 else f"{tokens.n_layers} layers"
    page = AnalysisReport(
        f"What {name} encodes, and where",
        f"An analysis of {rows} with "
        f"{len(np.unique(tokens.y))} labels, and of {tokens.X.shape[1]:,} neurons in {n_layers}.",
    )
    _announce("1/5 Score a probe on each layer and on its controls")
    scores = study.score_layers()
    add_layers(page, scores)
    best = scores.best_layer
    _announce(f"2/5 Test a probe on layer {best}")
    _add_labels(page, study, best)
    _announce("3/5 Measure the code length, and train probes on some of the neurons")
    _add_codelength(page, study.encode_labels(best), best, nouns)
    ranked = study.rank_neurons(_FRACTIONS, best)
    add_ranking(page, ranked, f"layer {best}")
    _announce("4/5 Find the neurons that detect each label")
    _add_drawings(page, tokens, add_detectors(page, tokens, study.find_detectors()))
    _announce("5/5 Cluster the neurons")
    _add_redundancy(page, tokens)
    if extractor is not None:
        _announce(f"Edit layer {best} of the running network")
        _add_usage(page, study, extractor, best)
    _add_provenance(page, study, ranked, description)
    return page


def _add_usage(
    page: AnalysisReport, study: Study, extractor: ActivationExtractor, layer: int | str
) -> None:
    tokens, seed = study.tokens, study.settings.random_state
    sentences, labels = sentences_of(tokens), by_sentence(tokens, tokens.y)
    try:
        usage = measure_usage(extractor, sentences, labels, layer=int(layer), random_state=seed)
    except (RuntimeError, TypeError, ValueError) as error:  # the rest of the page is valid
        _announce(f"The network could not be edited: {error}")
        add_unmeasured_usage(page, layer, error)
    else:
        add_usage(page, usage)


def _add_labels(page: AnalysisReport, study: Study, layer: int | str) -> None:
    report, n_left_out = study.report_labels(layer)
    nouns = nouns_of(study.tokens)
    of = "prompts" if nouns.row == nouns.text else f"{nouns.row}s of {nouns.text}s"
    setup = (
        f"A probe on layer {layer} was tested on {len(report.labels):,} {of} that "
        "were held out from training, although not from the choice of the layer."
    )
    if n_left_out:
        setup += (
            f" {nouns.row.capitalize()}s whose labels did not occur in training ({n_left_out:,}) "
            "were left out."
        )
    add_labels(page, report, setup, nouns)


def _add_codelength(
    page: AnalysisReport, codes: Mapping[str, Codelength], layer: int | str, nouns: Nouns
) -> None:
    labels, control = codes["labels"], codes["control task"]
    row = nouns.row
    page.add_card(f"{labels.compression:.1f}×", "compression relative to the uniform code")
    page.add_section(
        "How easily are the labels learned?",
        "The labels are encoded in blocks of increasing size, each with the probabilities that a "
        f"probe trained on all previous {row}s assigns to them (online code length). The fewer "
        f"{row}s the probe requires to learn the labels, the fewer bits are needed.",
    )
    page.add_figure(
        CodelengthDisplay(codes).plot(ax=new_axes()),
        f"On layer {layer}, the labels take {labels.bits:,.0f} bits, compared to "
        f"{labels.uniform_bits:,.0f} bits in the uniform code. The labels of the control task "
        f"take {control.bits:,.0f} bits.",
    )


def _add_drawings(
    page: AnalysisReport, tokens: TokenActivations, best: Mapping[Any, Detector]
) -> None:
    frequent = sorted(best, key=lambda label: -(tokens.y == label).sum())[:_N_DRAWN]
    drawn = list(dict.fromkeys(best[label].column for label in frequent))
    page.add_figure(
        NeuronGrid(tokens, drawn, n_sentences=1, center=True),
        f"The best detectors of {', '.join(map(str, frequent))}, on the sentences on which they "
        "are furthest from their means.",
    )


def _add_redundancy(page: AnalysisReport, tokens: TokenActivations) -> None:
    page.add_section(
        "How redundant are the neurons?",
        "Neurons with correlated activations form clusters (average linkage, with the distance "
        "1\u00a0−\u00a0|r|).",
    )
    if tokens.X.shape[1] == tokens.n_layers:
        page.add_text("There is nothing to cluster, because each layer has a single neuron.")
        return
    all_layers = tokens.X.shape[1] <= _MAX_CLUSTERED
    page.add_figure(
        RedundancyDisplay.from_activations(tokens, all_layers=all_layers, ax=new_axes()),
        "The lower the curve, the more neurons are redundant.",
    )
    if all_layers:
        caption = "The largest clusters."
        if tokens.unit == "neuron":
            caption += (
                " Neurons with the same index in different layers cluster together if the residual "
                "stream preserves their activations from layer to layer."
            )
        clustering = CorrelationClustering(random_state=0).fit(tokens.X)
        page.add_figure(
            DendrogramDisplay.from_estimator(
                clustering, names=tokens.neurons.names, ax=new_axes(7)
            ),
            caption,
        )


def _add_provenance(
    page: AnalysisReport, study: Study, ranked: RankedNeurons, description: Mapping[str, Any]
) -> None:
    parameters = description["parameters"].items()
    extraction = {name: value for name, value in parameters if value is not None}
    extraction |= {"layers": list(study.tokens.layers), "dtype": description["dtype"]}
    nouns = nouns_of(study.tokens)
    extraction |= {
        f"{nouns.text}s": description["n_sentences"],
        f"{nouns.row}s": description["n_words"],
    }
    add_provenance(page, extraction, asdict(study.settings) | {"ranking": ranked.probe})


def _announce(step: str) -> None:
    print(step, flush=True)
