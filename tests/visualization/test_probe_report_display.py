"""The plot shows the scores of each class, as points or as a matrix."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier

from sklearn_neurox import ProbeReportDisplay, probe_report


@pytest.fixture
def report(classification):
    X, y = classification
    probe = LogisticRegression().fit(X[:90], y[:90])
    return probe_report(probe, X[90:], y[90:], random_state=0)


def test_points_with_confidence_intervals_for_each_class(report):
    display = ProbeReportDisplay.from_result({"one": report, "two": report})
    order = sorted(report.per_class, key=lambda each: -each.support)
    labels = [text.get_text() for text in display.ax_.get_yticklabels()]
    assert labels == [f"{each.label} ({each.support})" for each in order]
    for container in display.ax_.containers:
        points, _, (bars,) = container.lines
        np.testing.assert_allclose(points.get_xdata(), [each.f1.value for each in order])
        ends = [segment[:, 0] for segment in bars.get_segments()]
        np.testing.assert_allclose(ends, [[each.f1.low, each.f1.high] for each in order])
    assert display.ax_.get_xlabel() == "F1 (95% confidence interval)"
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == ["one", "two"]


def test_more_than_three_reports_are_a_matrix(report):
    display = ProbeReportDisplay.from_result(dict.fromkeys("abcd", report), score="recall")
    order = sorted(report.per_class, key=lambda each: -each.support)
    cells = [text.get_text() for text in display.ax_.texts]
    assert cells == [f"{each.recall:.2f}" for each in order for _ in range(4)]
    assert [text.get_text() for text in display.ax_.get_xticklabels()] == list("abcd")


def test_a_class_without_samples_has_no_point(classification):
    X, y = classification
    probe = LogisticRegression().fit(X, y)
    some = np.flatnonzero(y != 2)
    display = ProbeReportDisplay.from_estimator(probe, X[some], y[some])
    drawn = display.ax_.containers[0].lines[0].get_xdata()
    assert np.isnan(drawn).tolist() == [False, False, True]


def test_the_most_frequent_class_is_on_top(report):
    for reports in (report, dict.fromkeys("abcd", report)):
        ax = ProbeReportDisplay.from_result(reports).ax_
        bottom, top = ax.get_ylim()
        assert bottom > top


def test_points_of_several_reports_do_not_overlap(report):
    ax = ProbeReportDisplay.from_result({"a": report, "b": report}).ax_
    rows = [container.lines[0].get_ydata() for container in ax.containers]
    assert (np.abs(rows[0] - rows[1]) > 0.1).all()


def test_the_support_is_shown_only_if_reports_share_it(classification):
    X, y = classification
    probe = LogisticRegression().fit(X, y)
    reports = {
        "some": probe_report(probe, X[:50], y[:50], random_state=0, confidence=0.5),
        "all": probe_report(probe, X, y, random_state=0),
    }
    ax = ProbeReportDisplay.from_result(reports).ax_
    assert {text.get_text() for text in ax.get_yticklabels()} == {"0", "1", "2"}
    assert ax.get_xlabel() == "F1 (50% and 95% confidence intervals)"
    one = probe_report(probe, X, y, sentence_ids=np.zeros(150), random_state=0)
    assert ProbeReportDisplay.from_result(one).ax_.get_xlabel() == "F1"


class TestRegressors:
    @pytest.fixture
    def numbers(self, classification):
        X, _ = classification
        y = X[:, 0] + X[:, 1]
        return probe_report(Ridge().fit(X[:90, :3], y[:90]), X[90:, :3], y[90:], random_state=0)

    def test_predictions_by_target(self, numbers):
        ax = ProbeReportDisplay.from_result({"one": numbers, "two": numbers}).ax_
        equal, *points = ax.get_lines()
        assert equal.get_slope() == 1
        assert len(points) == 2
        for line in points:
            np.testing.assert_array_equal(line.get_xdata(), numbers.labels)
            np.testing.assert_array_equal(line.get_ydata(), numbers.predictions)
        names = [text.get_text() for text in ax.get_legend().get_texts()]
        assert names == [f"{name}: r2 {numbers.score}" for name in ("one", "two")]
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("Target", "Prediction")

    def test_style(self, numbers):
        ax = ProbeReportDisplay.from_result(
            numbers, line_kw={"color": "red"}, level_kw={"linewidth": 4}
        ).ax_
        assert ax.get_lines()[0].get_linewidth() == 4
        assert ax.get_lines()[1].get_color() == "red"

    def test_more_than_three_reports_are_a_matrix(self, numbers):
        ax = ProbeReportDisplay.from_result(dict.fromkeys("abcd", numbers)).ax_
        metrics = ["r2", "pearson", "spearman"]
        assert [text.get_text() for text in ax.get_yticklabels()] == metrics
        cells = [text.get_text() for text in ax.texts]
        assert cells == [f"{numbers.scores[name].value:.2f}" for name in metrics for _ in range(4)]


def test_errors(report, classification):
    X, y = classification
    numbers = probe_report(Ridge().fit(X, y), X, y)
    with pytest.raises(ValueError, match="all of regressors, got both kinds"):
        ProbeReportDisplay.from_result({"labels": report, "numbers": numbers})
    with pytest.raises(ValueError, match="reports of regressors must be None, got 'recall'"):
        ProbeReportDisplay.from_result(numbers, score="recall")
    other = probe_report(RidgeClassifier().fit(X, y + 1), X, y + 1)
    with pytest.raises(
        ValueError, match=r"must have the same classes, got \[0, 1, 2\] and \[1, 2, 3\]"
    ):
        ProbeReportDisplay.from_result({"a": report, "b": other})
    with pytest.raises(ValueError, match=r"score must be one of .* got 'accuracy'"):
        ProbeReportDisplay.from_result(report, score="accuracy")
    with pytest.raises(
        TypeError, match="Expected a ProbeReport or a dict of them by name, got ndarray for 'a'"
    ):
        ProbeReportDisplay.from_result({"a": y})
    with pytest.raises(ValueError, match="Expected at least one ProbeReport, got an empty dict"):
        ProbeReportDisplay.from_result({})
