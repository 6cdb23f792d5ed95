"""The plots show the scores on a task and its control task."""

import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier

from sklearn_neurox import (
    SelectivityCurveDisplay,
    SelectivityDisplay,
    selectivity_curve,
    selectivity_score,
)

WORDS = np.tile(np.arange(50), 3)


def test_selectivity(classification):
    X, y = classification
    result = selectivity_score(RidgeClassifier(), X, y, WORDS, cv=3, random_state=0)
    display = SelectivityDisplay.from_result({"a": result, "b": result})
    task, control = display.ax_.get_lines()
    np.testing.assert_allclose(task.get_xdata(), [result.task.mean()] * 2)
    np.testing.assert_allclose(control.get_xdata(), [result.control.mean()] * 2)
    assert task.get_marker() != control.get_marker()  # distinguishable in grayscale
    (between,) = display.ax_.collections
    ends = [segment[:, 0] for segment in between.get_segments()]
    np.testing.assert_allclose(ends, [[result.control.mean(), result.task.mean()]] * 2)
    assert display.ax_.get_ylim()[0] > display.ax_.get_ylim()[1]  # the first is on top
    written = [text.get_text() for text in display.ax_.texts]
    assert written == [f"{result.selectivity.mean():+.2f}"] * 2
    display = SelectivityDisplay.from_estimator(
        RidgeClassifier(), X, y, words=WORDS, cv=3, random_state=0
    )
    assert display.ax_.get_xlabel() == "Accuracy (mean over the folds)"


def test_the_spread_over_control_tasks(classification):
    X, y = classification
    options = dict(cv=3, n_controls=3, random_state=0)
    one = selectivity_score(RidgeClassifier(), X, y, WORDS, **options)
    single = selectivity_score(RidgeClassifier(), X, y, WORDS, cv=3, random_state=0)
    ax = SelectivityDisplay.from_result({"a": one, "b": single}).ax_
    (bars,) = ax.containers
    segments = [each for each in bars.lines[2][0].get_segments() if len(each)]  # not of "b"
    middle = one.control.mean()
    ends = [[x, 0] for x in (middle - one.control_std, middle + one.control_std)]
    np.testing.assert_allclose(segments, [ends])
    curve = selectivity_curve(
        RidgeClassifier(), X, y, WORDS, param_name="alpha", param_range=[0.1, 1e4], **options
    )
    ax = SelectivityCurveDisplay.from_result(curve).ax_
    (band,) = [each for each in ax.collections if each.get_label().startswith("±")]
    corners = band.get_paths()[0].vertices
    for place, (mean, spread) in enumerate(
        zip(curve.control.mean(axis=1), curve.control_std, strict=True)
    ):
        ends = corners[corners[:, 0] == place, 1]
        np.testing.assert_allclose([ends.min(), ends.max()], [mean - spread, mean + spread])


def test_selectivity_along_a_parameter(classification):
    X, y = classification
    curve = selectivity_curve(
        RidgeClassifier(), X, y, WORDS, param_name="alpha", param_range=[0.1, 1e4], cv=3,
        random_state=0,
    )  # fmt: skip
    display = SelectivityCurveDisplay.from_result(curve)
    lines = {each.get_label(): each.lines[0].get_ydata() for each in display.ax_.containers}
    np.testing.assert_allclose(lines["Task"], curve.task.mean(axis=1))
    np.testing.assert_allclose(lines["Selectivity"], curve.selectivity.mean(axis=1))
    assert [text.get_text() for text in display.ax_.get_xticklabels()] == ["0.1", "10000"]
    with pytest.raises(TypeError, match="Expected a SelectivityCurve"):
        SelectivityCurveDisplay.from_result(curve.task)


def test_all_results_have_the_same_metric(classification):
    X, y = classification
    results = {
        scoring: selectivity_score(
            RidgeClassifier(), X, y, WORDS, cv=2, random_state=0, scoring=scoring
        )
        for scoring in ("accuracy", "f1_macro")
    }
    with pytest.raises(ValueError, match="must have the same metric, got accuracy and f1_macro"):
        SelectivityDisplay.from_result(results)
