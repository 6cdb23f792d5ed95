"""The plot shows the scores, their intervals, and which layers may be the best."""

import numpy as np
from sklearn.linear_model import RidgeClassifier

from sklearn_neurox import ScoreComparisonDisplay, compare_scores, layerwise_scores


def test_scores_intervals_and_the_best_layers(classification):
    result = layerwise_scores(RidgeClassifier(), *classification, layers=(3, 5, 6))
    comparison = result.compare(random_state=0)
    assert comparison.best == (3,)
    ax = ScoreComparisonDisplay.from_result(comparison).ax_
    best, worse = ax.containers
    assert best.get_label() == "Not significantly worse than the best"
    np.testing.assert_array_equal(best.lines[0].get_xdata(), [0])
    np.testing.assert_array_equal(worse.lines[0].get_xdata(), [1, 2])
    np.testing.assert_allclose(worse.lines[0].get_ydata(), result.scores[1:].mean(axis=1))
    (bars,) = worse.lines[2]
    spans = [segment[:, 1].tolist() for segment in bars.get_segments()]
    np.testing.assert_allclose(spans, [score[1:] for score in comparison.scores[1:]])
    assert [label.get_text() for label in ax.get_xticklabels()] == ["3", "5", "6"]
    assert ax.get_ylabel() == "Accuracy with 95% intervals"
    assert ax.get_title() == "Scores in the same resamples of 150 samples"


def test_two_models_are_one_series():
    rng = np.random.RandomState(0)
    comparison = compare_scores(rng.normal(size=40), rng.normal(size=40), names=("x$", "y"))
    ax = ScoreComparisonDisplay(comparison).plot(errorbar_kw={"color": "red"}).ax_
    (series,) = ax.containers
    assert series.lines[0].get_color() == "red"
    assert ax.get_legend() is None
    assert ax.get_xlabel() == ""
