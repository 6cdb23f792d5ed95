"""Pictures of reports, selectivity and description length show their numbers."""

import numpy as np
import pytest
from matplotlib import pyplot
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier

from sklearn_neurox import (
    CodelengthDisplay,
    LayerwiseScoresDisplay,
    ProbeReportDisplay,
    SelectivityCurveDisplay,
    SelectivityDisplay,
    codelength,
    probe_report,
    selectivity_curve,
    selectivity_score,
)

WORDS = np.tile(np.arange(50), 3)


@pytest.fixture(autouse=True)
def close():
    yield
    pyplot.close("all")


@pytest.fixture
def report(classification):
    X, y = classification
    probe = LogisticRegression().fit(X[:90], y[:90])
    return probe_report(probe, X[90:], y[90:], random_state=0)


class TestReport:
    def test_points_with_intervals_for_each_class(self, report):
        display = ProbeReportDisplay.from_result({"one": report, "two": report})
        order = sorted(report.per_class, key=lambda each: -each.support)
        labels = [text.get_text() for text in display.ax_.get_yticklabels()]
        assert labels == [f"{each.label} ({each.support})" for each in order]
        for container in display.ax_.containers:
            points, _, (bars,) = container.lines
            np.testing.assert_allclose(points.get_xdata(), [each.f1.value for each in order])
            ends = [segment[:, 0] for segment in bars.get_segments()]
            np.testing.assert_allclose(ends, [[each.f1.low, each.f1.high] for each in order])
        assert display.ax_.get_xlabel() == "F1 (95% intervals)"
        assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == ["one", "two"]

    def test_more_are_a_matrix(self, report):
        display = ProbeReportDisplay.from_result(dict.fromkeys("abcd", report), score="recall")
        order = sorted(report.per_class, key=lambda each: -each.support)
        cells = [text.get_text() for text in display.ax_.texts]
        assert cells == [f"{each.recall:.2f}" for each in order for _ in range(4)]
        assert [text.get_text() for text in display.ax_.get_xticklabels()] == list("abcd")

    def test_a_class_without_words_has_no_point(self, classification):
        X, y = classification
        probe = LogisticRegression().fit(X, y)
        some = np.flatnonzero(y != 2)
        display = ProbeReportDisplay.from_estimator(probe, X[some], y[some])
        drawn = display.ax_.containers[0].lines[0].get_xdata()
        assert np.isnan(drawn).tolist() == [False, False, True]

    def test_the_most_frequent_class_is_on_top(self, report):
        for reports in (report, dict.fromkeys("abcd", report)):
            ax = ProbeReportDisplay.from_result(reports).ax_
            bottom, top = ax.get_ylim()
            assert bottom > top

    def test_reports_beside_each_other_do_not_hide_each_other(self, report):
        ax = ProbeReportDisplay.from_result({"a": report, "b": report}).ax_
        rows = [container.lines[0].get_ydata() for container in ax.containers]
        assert (np.abs(rows[0] - rows[1]) > 0.1).all()

    def test_reports_of_other_words_have_no_number_of_words(self, classification):
        X, y = classification
        probe = LogisticRegression().fit(X, y)
        reports = {
            "some": probe_report(probe, X[:50], y[:50], random_state=0, confidence=0.5),
            "all": probe_report(probe, X, y, random_state=0),
        }
        ax = ProbeReportDisplay.from_result(reports).ax_
        assert {text.get_text() for text in ax.get_yticklabels()} == {"0", "1", "2"}
        assert ax.get_xlabel() == "F1 (50% and 95% intervals)"
        one = probe_report(probe, X, y, sentence_ids=np.zeros(150), random_state=0)
        assert ProbeReportDisplay.from_result(one).ax_.get_xlabel() == "F1"

    def test_what_cannot_be_drawn(self, report, classification):
        X, y = classification
        numbers = probe_report(Ridge().fit(X, y), X, y)
        with pytest.raises(ValueError, match="A report of a regressor has no classes"):
            ProbeReportDisplay.from_result(numbers)
        other = probe_report(RidgeClassifier().fit(X, y + 1), X, y + 1)
        with pytest.raises(ValueError, match="The reports are of different classes"):
            ProbeReportDisplay.from_result({"a": report, "b": other})
        with pytest.raises(ValueError, match=r"score must be one of .* got 'accuracy'"):
            ProbeReportDisplay.from_result(report, score="accuracy")
        with pytest.raises(TypeError, match=r"Expected a ProbeReport, .* got ndarray as 'a'"):
            ProbeReportDisplay.from_result({"a": y})
        with pytest.raises(ValueError, match="nothing to plot: no ProbeReport was given"):
            ProbeReportDisplay.from_result({})


def test_selectivity(classification):
    X, y = classification
    result = selectivity_score(RidgeClassifier(), X, y, WORDS, cv=3, random_state=0)
    display = SelectivityDisplay.from_result({"a": result, "b": result})
    task, control = display.ax_.get_lines()
    np.testing.assert_allclose(task.get_xdata(), [result.task.mean()] * 2)
    np.testing.assert_allclose(control.get_xdata(), [result.control.mean()] * 2)
    assert task.get_marker() != control.get_marker()  # told apart in grey
    (between,) = display.ax_.collections
    ends = [segment[:, 0] for segment in between.get_segments()]
    np.testing.assert_allclose(ends, [[result.control.mean(), result.task.mean()]] * 2)
    assert display.ax_.get_ylim()[0] > display.ax_.get_ylim()[1]  # the first is on top
    written = [text.get_text() for text in display.ax_.texts]
    assert written == [f"{result.selectivity.mean():+.2f}"] * 2
    display = SelectivityDisplay.from_estimator(
        RidgeClassifier(), X, y, words=WORDS, cv=3, random_state=0
    )
    assert display.ax_.get_xlabel() == "Accuracy (mean of the folds)"


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


def test_description_length(classification):
    X, y = classification
    result = codelength(LogisticRegression(), X, y, random_state=0, fractions=[0.1, 0.5, 1.0])
    display = CodelengthDisplay.from_result({"tags": result})
    line, uniform = display.ax_.get_lines()
    frame = result.to_frame()
    np.testing.assert_allclose(line.get_xdata(), frame["n_train"] + frame["size"])
    np.testing.assert_allclose(line.get_ydata(), frame["bits"] / frame["size"])
    np.testing.assert_allclose(uniform.get_ydata(), np.log2(3))
    assert line.get_label() == f"tags: compression {result.compression:.1f}"


@pytest.mark.parametrize("name", [r"$\\q$", "_hidden", 0])
def test_names_are_drawn_as_they_are(classification, name):
    X, y = classification
    result = codelength(LogisticRegression(), X, y, random_state=0, fractions=[0.1, 1.0])
    display = CodelengthDisplay.from_result({name: result, "b": result})
    display.figure_.canvas.draw()
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels[0].strip().replace("\\$", "$").startswith(str(name))
    labels = np.array([str(name), "b", "c"])[y]
    report = probe_report(LogisticRegression().fit(X, labels), X, labels, random_state=0)
    for reports in (report, dict.fromkeys("abcd", report)):  # points, and a matrix
        display = ProbeReportDisplay.from_result(reports)
        display.figure_.canvas.draw()
        rows = [text.get_text().strip().split(" (")[0] for text in display.ax_.get_yticklabels()]
        assert str(name).replace("$", r"\$") in rows


def test_scores_of_different_kinds_are_not_on_one_axis(classification):
    X, y = classification
    results = {
        scoring: selectivity_score(
            RidgeClassifier(), X, y, WORDS, cv=2, random_state=0, scoring=scoring
        )
        for scoring in ("accuracy", "f1_macro")
    }
    with pytest.raises(ValueError, match="different scores: accuracy, f1_macro"):
        SelectivityDisplay.from_result(results)


def test_what_is_no_result_leaves_no_figure_open(classification):
    before = pyplot.get_fignums()
    for display in (SelectivityCurveDisplay, LayerwiseScoresDisplay, CodelengthDisplay):
        with pytest.raises(TypeError, match="Expected a"):
            display.from_result(3)
    assert pyplot.get_fignums() == before
