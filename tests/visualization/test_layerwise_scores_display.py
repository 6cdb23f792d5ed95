"""The plot shows the scores of the layers, their controls and the baseline."""

import numpy as np
from matplotlib import pyplot
from sklearn.linear_model import Ridge, RidgeClassifier

from sklearn_neurox import (
    LayerwiseScores,
    LayerwiseScoresDisplay,
    layerwise_scores,
    make_control_task,
    make_control_tasks,
)


def test_curves_and_baseline(classification):
    X, y = classification
    control = make_control_task(np.arange(150) // 2, y, random_state=0)
    result = layerwise_scores(RidgeClassifier(), X, y, n_layers=3, control=control)
    _, ax = pyplot.subplots()
    display = LayerwiseScoresDisplay.from_result(result, ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    line = ax.containers[0].lines[0]
    np.testing.assert_allclose(line.get_ydata(), result.scores.mean(axis=1))
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert set(labels) == {"Task", "Control task", "Baseline, no activations"}
    assert ax.get_ylabel() == "Accuracy (mean ± std of 5 folds)"


def test_the_spread_over_control_tasks_is_a_band(classification):
    X, y = classification
    tasks = make_control_tasks(np.arange(150) // 2, y, n_tasks=4, random_state=0)
    result = layerwise_scores(RidgeClassifier(), X, y, n_layers=3, control=tasks)
    ax = LayerwiseScoresDisplay.from_result(result, band_kw={"alpha": 0.5}).ax_
    (band,) = [each for each in ax.collections if each.get_label().startswith("±")]
    assert band.get_label() == "± 1 std over 4 control tasks"
    assert band.get_alpha() == 0.5
    corners = band.get_paths()[0].vertices
    middle = result.control_scores.mean(axis=1)
    for layer in range(3):
        ends = corners[corners[:, 0] == layer, 1]
        spread = result.control_std[layer]
        np.testing.assert_allclose([ends.min(), ends.max()], middle[layer] + [-spread, spread])
    (curve,) = [each for each in ax.containers if each.get_label() == "Control task"]
    np.testing.assert_allclose(curve.lines[0].get_ydata(), middle)


def test_a_single_control_task_has_no_band(classification):
    X, y = classification
    control = make_control_task(np.arange(150) // 2, y, random_state=0)
    result = layerwise_scores(RidgeClassifier(), X, y, n_layers=3, control=control)
    labels = [
        each.get_label() for each in LayerwiseScoresDisplay.from_result(result).ax_.collections
    ]
    assert not any(label.startswith("±") for label in labels)


def test_other_controls_are_curves_or_levels(classification):
    X, y = classification
    control = {"random weights": X[::-1], "word types": np.arange(150) // 2}
    result = layerwise_scores(RidgeClassifier(), X, y, n_layers=3, cv=3, control=control)
    ax = LayerwiseScoresDisplay.from_result(result).ax_
    curve = ax.containers[1]
    assert curve.get_label() == "random weights"
    np.testing.assert_allclose(
        curve.lines[0].get_ydata(), result.other_scores["random weights"].mean(axis=1)
    )
    levels = {line.get_label(): line.get_ydata()[0] for line in ax.get_lines()}
    assert levels["word types"] == result.other_scores["word types"].mean()


def test_names_of_controls_may_clash(classification):
    X, y = classification
    noise = np.random.RandomState(0).normal(size=X.shape)
    control = {"task": noise, "BERT": noise + 1, "bert": -noise}
    result = layerwise_scores(RidgeClassifier(), X, y, n_layers=3, cv=2, control=control)
    ax = LayerwiseScoresDisplay.from_result(result).ax_
    assert [each.get_label() for each in ax.containers] == ["Task", "task", "BERT", "bert"]
    drawn = ax.containers[0].lines[0].get_ydata()
    np.testing.assert_allclose(drawn, result.scores.mean(axis=1))
    (bars,) = ax.containers[0].lines[2]
    spans = [np.ptp(segment[:, 1]) / 2 for segment in bars.get_segments()]
    np.testing.assert_allclose(spans, result.scores.std(axis=1))
    baseline = {line.get_label(): line.get_ydata()[0] for line in ax.get_lines()}
    assert baseline["Baseline, no activations"] == result.baseline_scores.mean()


def test_only_some_of_many_layers_are_labeled():
    scores = np.random.RandomState(0).uniform(size=(60, 3))
    ax = LayerwiseScoresDisplay(LayerwiseScores(scores, scores[0])).plot().ax_
    shown = [label.get_text() for label in ax.get_xticklabels()]
    assert shown == [str(layer) for layer in range(0, 60, 3)]


def test_layers_keep_their_numbers(classification):
    result = layerwise_scores(RidgeClassifier(), *classification, layers=(3, 5, 6))
    ax = LayerwiseScoresDisplay.from_result(result).ax_
    assert [label.get_text() for label in ax.get_xticklabels()] == ["3", "5", "6"]
    assert ax.get_title() == "Probe scores by layer"


def test_the_axis_names_the_metric(classification):
    X, _ = classification
    display = LayerwiseScoresDisplay.from_estimator(Ridge(), X, X[:, 0], n_layers=3, cv=2)
    assert display.ax_.get_ylabel().startswith("R²")
    result = layerwise_scores(RidgeClassifier(), *classification, n_layers=3, scoring="f1_macro")
    assert LayerwiseScoresDisplay(result).plot().ax_.get_ylabel().startswith("F1_macro")
