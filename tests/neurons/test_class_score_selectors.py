"""Selectors by class scores rank as the functions of `class_scores` do."""

import numpy as np
import pytest

from sklearn_neurox import (
    AveragePrecisionSelector,
    ProbelessSelector,
    average_precision_scores,
    mean_difference_scores,
)


class TestProbeless:
    def test_scores_are_those_of_the_function(self, data):
        X, y = data
        overall, per_class = mean_difference_scores(X, y, scale=X.std(axis=0))
        selector = ProbelessSelector().fit(X, y)
        np.testing.assert_allclose(selector.scores_, overall)
        np.testing.assert_allclose(selector.class_scores_, per_class)
        assert selector.classes_.tolist() == ["a", "b", "c"]
        np.testing.assert_array_equal(
            ProbelessSelector(scaled=False, target="b").fit(X, y).scores_,
            mean_difference_scores(X, y)[1][1],
        )

    def test_units_matter_unless_scaled(self, data):
        X, y = data
        units = np.logspace(3, -3, 12)[::-1]
        assert ProbelessSelector(scaled=False).fit(X * units, y).ranking_[0] > 2
        np.testing.assert_array_equal(
            ProbelessSelector().fit(X * units, y).ranking_, ProbelessSelector().fit(X, y).ranking_
        )


def test_average_precision_scores_are_those_of_the_function(data):
    X, y = data
    scores = average_precision_scores(X, y, min_activation=0.1, signed=False)
    selector = AveragePrecisionSelector(min_activation=0.1, signed=False).fit(X, y)
    np.testing.assert_array_equal(selector.class_scores_, scores)
    np.testing.assert_array_equal(selector.scores_, scores.mean(axis=0))


def test_average_precision_indicates_the_direction(data):
    X, y = data
    flipped = X * np.where(np.arange(12) % 2, -1, 1)
    signs = AveragePrecisionSelector().fit(flipped, y).class_signs_
    assert signs[[0, 1, 2], [0, 1, 2]].tolist() == [1, -1, 1]
    assert (AveragePrecisionSelector(signed=False).fit(flipped, y).class_signs_ == 1).all()


def test_a_target_is_a_single_class(data):
    with pytest.raises(ValueError, match=r"target must be a single class of .*, got \['a', 'b'\]"):
        ProbelessSelector(target=["a", "b"]).fit(*data)
