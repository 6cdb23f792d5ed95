"""The plot shows the scores of an ablation curve."""

import numpy as np
from sklearn.linear_model import RidgeClassifier

from sklearn_neurox import AblationCurveDisplay, WeightMassSelector


def test_fractions_may_be_in_any_order(classification):
    display = AblationCurveDisplay.from_estimator(
        RidgeClassifier(),
        *classification,
        ranking=np.arange(12),
        fractions=[1.0, 0.25, 0.5],
        keep="top",
        cv=2,
    )
    line = display.ax_.containers[0].lines[0]
    assert line.get_xdata().tolist() == [3, 6, 12]
    means = display.result.scores["top"].mean(axis=1)
    np.testing.assert_array_equal(line.get_ydata(), means[[1, 2, 0]])


def test_scores_of_top_random_and_bottom_neurons(classification):
    X, y = classification
    display = AblationCurveDisplay.from_estimator(
        RidgeClassifier(),
        X,
        y,
        ranking=WeightMassSelector(RidgeClassifier()),
        fractions=[0.25, 1.0],
    )
    assert display.ax_.get_xscale() == "log"
    assert [label.get_text() for label in display.ax_.get_xticklabels()] == ["3", "12"]
    markers = {container.lines[0].get_marker() for container in display.ax_.containers}
    full = {line.get_label(): line.get_ydata()[0] for line in display.ax_.get_lines()}
    assert full["All neurons"] == display.result.full_scores.mean()
    assert len(markers) == 3  # distinguishable in grayscale
    assert display.ax_.get_title() == "How many neurons are enough? (others set to 0)"
