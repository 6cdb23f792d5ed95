"""Bars count the neurons of each class."""

import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import RidgeClassifier

from sklearn_neurox import (
    NeuronsPerClassDisplay,
    ProbelessSelector,
    WeightMassSelector,
    top_neurons,
)


def test_bars_have_the_sizes_of_the_smallest_sets(classification):
    selector = WeightMassSelector(RidgeClassifier()).fit(*classification)
    display = NeuronsPerClassDisplay.from_estimator(selector, mass=0.8)
    X, _ = classification
    coef = selector.estimator_.coef_
    _, neurons = top_neurons(coef, 0.8, scale=X.std(axis=0))
    assert list(display.n_neurons.values()) == [len(each) for each in neurons]
    widths = [bar.get_width() for bar in display.ax_.patches]
    assert widths == sorted(display.n_neurons.values())
    assert display.ax_.get_xlabel() == "Neurons that hold 80% of the weight mass (of 12)"


def test_a_probeless_selector_has_scores_of_classes(classification):
    display = NeuronsPerClassDisplay.from_estimator(ProbelessSelector().fit(*classification))
    assert list(display.n_neurons) == ["0", "1", "2"]


def test_classes_without_weight_are_left_out(classification):
    selector = WeightMassSelector(RidgeClassifier()).fit(*classification)
    selector.class_scores_ = selector.class_scores_ * [[1], [0], [1]]
    assert list(NeuronsPerClassDisplay.from_estimator(selector).n_neurons) == ["0", "2"]


def test_errors(classification):
    X, y = classification
    two = WeightMassSelector(RidgeClassifier()).fit(X, y == 0)
    with pytest.raises(ValueError, match="does not have scores for each of its 2 classes"):
        NeuronsPerClassDisplay.from_estimator(two)
    with pytest.raises(NotFittedError):
        NeuronsPerClassDisplay.from_estimator(ProbelessSelector())
