"""What a store of labelled activations tells, as a page: the appendix of a paper."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ..activations import TokenActivations
from ..evaluation import (
    ControlTask,
    LayerwiseScores,
    ProbeReport,
    ablation_curve,
    codelength,
    layerwise_scores,
    make_control_task,
    probe_report,
)
from ..neurons import AveragePrecisionSelector, CorrelationClustering, WeightMassSelector
from ..probes import LinearProbeClassifier
from ..visualization import (
    AblationCurveDisplay,
    AnalysisReport,
    CodelengthDisplay,
    DendrogramDisplay,
    LayerwiseScoresDisplay,
    NeuronGrid,
    NeuronsPerClassDisplay,
    ProbeReportDisplay,
    RedundancyDisplay,
)
from .sections import list_top_words, new_axes

_FRACTIONS = (0.02, 0.05, 0.1, 0.2, 0.5)
_CLUSTERED = 4096  # neurons at most: their distances take 16 bytes a pair
_SPARSE = LinearProbeClassifier(lambda_l1=1e-3, solver="owlqn", tol=1e-3)
_DRAWN = 3  # labels whose neurons are drawn over sentences
_PACKAGES = ("sklearn-neurox", "scikit-learn", "skorch", "torch", "numpy")
_SETTINGS = ("lambda_l1", "lambda_l2", "cv", "random_state")


@dataclass
class Study:
    """A store, and how it is looked at."""

    tokens: TokenActivations
    args: Namespace  # lambda_l1, lambda_l2, cv, random_state

    def probe(self) -> Any:
        """Make a probe on standardised neurons."""
        probe = LinearProbeClassifier(
            lambda_l1=self.args.lambda_l1,
            lambda_l2=self.args.lambda_l2,
            random_state=self.args.random_state,
        )
        return make_pipeline(StandardScaler(), probe)

    def control(self) -> ControlTask:
        """Make a control task of the words."""
        words = self.tokens.words.tolist()
        return make_control_task(words, self.tokens.y, random_state=self.args.random_state)

    def score_layers(self) -> LayerwiseScores:
        """Score a probe on each layer, beside a control task and the words alone."""
        return layerwise_scores(
            self.probe(),
            in_float32(self.tokens.X),
            self.tokens.y,
            layers=self.tokens.layers,
            cv=self.args.cv,
            groups=self.tokens.sentence_ids,
            control={"control task": self.control(), "word types": self.tokens.words.tolist()},
            verbose=1,
        )


def make_page(study: Study, name: str, description: dict[str, Any]) -> AnalysisReport:
    """Tell where a store's labels are encoded, how surely, how easily, and in which neurons."""
    tokens = study.tokens
    n_sentences = len(np.unique(tokens.sentence_ids))
    page = AnalysisReport(
        f"What {name} encodes, and where",
        f"{len(tokens):,} words in {n_sentences:,} sentences, {len(np.unique(tokens.y))} labels, "
        f"{tokens.X.shape[1]:,} neurons in {tokens.n_layers} layers.",
    )
    _say("1/5 A probe on each layer, beside its controls")
    best = _add_layers(page, study)
    X = in_float32(tokens.layer(best))
    _say(f"2/5 What a probe on layer {best} gets right")
    _add_labels(page, study, X, best)
    _say("3/5 How easily it is learnt, and with how many neurons")
    _add_codelength(page, study, X, best)
    _add_ablation(page, study, X, best)
    _say("4/5 Which neurons for which label")
    _add_detectors(page, tokens)
    _say("5/5 How redundantly")
    _add_redundancy(page, tokens)
    _add_setting(page, study, description)
    return page


def _add_layers(page: AnalysisReport, study: Study) -> int:
    """Tell the scores of the layers; returns the number of the best layer."""
    scores = study.score_layers()
    layer = scores.best_layer
    place = study.tokens.layers.index(layer)
    score = scores.scores[place].mean()
    page.add_card(f"{score:.3f}", f"accuracy of a probe on layer {layer}")
    selectivity = scores.selectivity[place].mean()
    page.add_card(f"{selectivity:+.3f}", "above the same probe on random labels")
    page.add_section(
        "In which layer?",
        "A linear probe on each layer by itself, tested on sentences that it has not seen. Beside "
        "it a control task of random labels, one for each word type, which only memory can solve; "
        "a table of the word types, which reads no activation; and the most frequent label.",
    )
    table = float(scores.other_scores["word types"].mean())
    page.add_figure(
        LayerwiseScoresDisplay(scores).plot(ax=new_axes()),
        f"Best on layer {layer}, with an accuracy of {score:.3f}. The table of word types reaches "
        f"{table:.3f}, the most frequent label {scores.baseline_scores.mean():.3f}.",
    )
    page.add_frame(
        scores.to_frame(), "Means over the folds; gain is the score above that of the first layer"
    )
    return layer


def _add_labels(page: AnalysisReport, study: Study, X: NDArray, layer: int) -> None:
    tokens = study.tokens
    train, test = next(GroupKFold(study.args.cv).split(X, tokens.y, tokens.sentence_ids))
    fitted = study.probe().fit(X[train], tokens.y[train])
    known = np.isin(tokens.y[test], fitted.classes_)
    rows = test[known]
    report = probe_report(
        fitted,
        X[rows],
        tokens.y[rows],
        words=tokens.words[rows].tolist(),
        sentence_ids=tokens.sentence_ids[rows],
        train_words=tokens.words[train].tolist(),
        random_state=study.args.random_state,
    )
    left_out = (
        "" if known.all() else f" {(~known).sum()} words of labels not in training are left out."
    )
    page.add_section(
        "Which labels, and how surely?",
        f"A probe on layer {layer}, the best of the folds above, tested on {len(rows):,} words of "
        "sentences kept apart (but not from the choice of the layer)."
        f"{left_out} Intervals ({report.confidence:.0%}) come from drawing whole sentences anew.",
    )
    page.add_table(["", "words", "accuracy"], _parts(report))
    page.add_figure(
        ProbeReportDisplay(report).plot(ax=new_axes(1.4 + 0.28 * len(report.per_class))),
        "F1 of each label, the most frequent first. One without words in the test has no point, "
        "one in fewer than five sentences no interval.",
    )
    page.add_table(
        ["label", "predicted as", "words"],
        [[str(label), str(said), n] for label, said, n in report.mistakes()],
        "The most frequent mistakes",
    )


def _parts(report: ProbeReport) -> list[list[Any]]:
    rows: list[list[Any]] = [["all", len(report.labels), str(report.score)]]
    for name, part in (("seen", report.seen), ("not seen", report.unseen)):
        if part is not None and part.score is not None:
            rows.append([f"of word types {name} in training", part.n_words, str(part.score)])
    return rows


def _add_codelength(page: AnalysisReport, study: Study, X: NDArray, layer: int) -> None:
    tokens = study.tokens
    options = {"groups": tokens.sentence_ids, "random_state": study.args.random_state}
    codes = {
        "labels": codelength(study.probe(), X, tokens.y, **options),
        "control task": codelength(study.probe(), X, study.control().labels, **options),
    }
    page.add_card(f"{codes['labels'].compression:.1f} ×", "fewer bits than the uniform code")
    page.add_section(
        "How easily?",
        "Labels are sent in growing blocks, each by the probabilities of a probe trained on the "
        "words before (online code length). What is easy to read soon takes few bits.",
    )
    page.add_figure(
        CodelengthDisplay(codes).plot(ax=new_axes()),
        f"On layer {layer} the labels take {codes['labels'].bits:,.0f} bits, by the uniform code "
        f"{codes['labels'].uniform_bits:,.0f}; those of the control task "
        f"{codes['control task'].bits:,.0f}.",
    )


def _add_ablation(page: AnalysisReport, study: Study, X: NDArray, layer: int) -> None:
    tokens = study.tokens
    selector = WeightMassSelector(make_pipeline(StandardScaler(), _SPARSE))
    curve = ablation_curve(
        study.probe(),
        X,
        tokens.y,
        ranking=selector,
        fractions=_FRACTIONS,
        mode="remove",
        cv=min(study.args.cv, 3),
        groups=tokens.sentence_ids,
        random_state=study.args.random_state,
        verbose=1,
    )
    page.add_section(
        "With how many neurons?",
        f"New probes on some of the neurons of layer {layer}: the first of a ranking by the "
        "weights of an exact sparse probe, made inside each fold; the last; and random ones.",
    )
    page.add_figure(
        AblationCurveDisplay(curve).plot(ax=new_axes()),
        "Where random neurons lag little behind, the property is spread widely, and no single list "
        "of neurons is the list.",
    )
    page.add_frame(curve.to_frame())
    fitted = clone(selector).fit(X, tokens.y)
    if len(fitted.class_scores_) > 1:  # two labels share a row of weights
        height = 1.4 + 0.25 * len(fitted.class_scores_)
        page.add_figure(
            NeuronsPerClassDisplay.from_estimator(fitted, ax=new_axes(height)),
            "Sparse probes give frequent labels more neurons, also on shuffled labels: compare "
            "labels of like frequency.",
        )


def _add_detectors(page: AnalysisReport, tokens: TokenActivations) -> None:
    found = AveragePrecisionSelector().fit(tokens.X, tokens.y)
    best = {
        label: np.argsort(-scores, kind="stable")[:3]
        for label, scores in zip(found.classes_, found.class_scores_, strict=True)
    }
    rows = []
    for code, (label, neurons) in enumerate(best.items()):
        scores, signs = found.class_scores_[code], found.class_signs_[code]
        names = ", ".join(f"{'−' if signs[j] < 0 else ''}{tokens.neuron_names[j]}" for j in neurons)
        n_words = int((tokens.y == label).sum())
        words = list_top_words(tokens, neurons[0], sign=signs[neurons[0]])
        share = n_words / len(tokens)
        rows.append([str(label), n_words, names, float(scores[neurons[0]]), share, words])
    page.add_section(
        "Which neurons for which label?",
        "The three neurons whose activations detect each label best, by average precision on all "
        "words, which flatters the best of many; − marks those that are low on it. The words are "
        "those that drive the first furthest to that side.",
    )
    page.add_table(
        ["label", "words", "neurons", "average precision", "by chance", "top words of the first"],
        rows,
    )
    frequent = sorted(best, key=lambda label: -(tokens.y == label).sum())[:_DRAWN]
    drawn = list(dict.fromkeys(int(best[label][0]) for label in frequent))
    page.add_figure(
        NeuronGrid(tokens, drawn, n_sentences=1, center=True),
        f"The first neurons of {', '.join(map(str, frequent))}, on the sentences where they are "
        "furthest from their means.",
    )


def _add_redundancy(page: AnalysisReport, tokens: TokenActivations) -> None:
    page.add_section(
        "How redundantly?",
        "Neurons that correlate form clusters (average linkage, distance 1 − |r|).",
    )
    if tokens.X.shape[1] == tokens.n_layers:
        page.add_text("A layer of one neuron repeats nothing.")
        return
    few = tokens.X.shape[1] <= _CLUSTERED
    page.add_figure(
        RedundancyDisplay.from_activations(tokens, all_layers=few, ax=new_axes()),
        "The lower a line, the more neurons repeat each other.",
    )
    if few:
        clustering = CorrelationClustering(random_state=0).fit(tokens.X)
        page.add_figure(
            DendrogramDisplay.from_estimator(clustering, names=tokens.neuron_names, ax=new_axes(7)),
            "The largest clusters. A neuron that stays with its own of other layers lives in the "
            "residual stream.",
        )


def _add_setting(page: AnalysisReport, study: Study, description: dict[str, Any]) -> None:
    page.add_section("How it was made")
    made = {key: value for key, value in description["parameters"].items() if value is not None}
    made |= {"layers": list(study.tokens.layers), "dtype": description["dtype"]}
    made |= {"words": description["n_words"], "sentences": description["n_sentences"]}
    settings: dict[str, Any] = {
        name: value for name, value in vars(study.args).items() if name in _SETTINGS
    }
    settings["ranking on few neurons"] = repr(_SPARSE)
    versions = {package: version(package) for package in _PACKAGES}
    for caption, values in (
        ("Extraction", made),
        ("Probes", settings),
        ("Versions", versions),
    ):
        page.add_table(["", "value"], [[k, str(v)] for k, v in values.items()], caption)


def in_float32(X: NDArray) -> NDArray:
    """Convert float16, in which a scaler would divide by 0."""
    return X.astype(np.float32, copy=False)


def _say(text: str) -> None:
    print(text, flush=True)
