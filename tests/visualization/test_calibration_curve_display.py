"""The plot shows what is observed in each bin, with intervals."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from sklearn_neurox import CalibrationCurveDisplay, probe_report


def test_points_and_intervals(classification):
    X, y = classification
    probe = LogisticRegression().fit(X[:90], y[:90] == 2)
    options = dict(n_bins=4, strategy="quantile", random_state=0)
    display = CalibrationCurveDisplay.from_estimator(probe, X[90:], y[90:] == 2, **options)
    bins = display.result.bins
    (container,) = display.ax_.containers
    points, _, (bars,) = container.lines
    np.testing.assert_allclose(points.get_xdata(), [each.predicted for each in bins])
    np.testing.assert_allclose(points.get_ydata(), [each.observed.value for each in bins])
    ends = [segment[:, 1] for segment in bars.get_segments()]
    np.testing.assert_allclose(ends, [each.observed[1:] for each in bins], atol=1e-12)
    assert display.ax_.get_ylabel() == "Frequency of True with 95% intervals"


def test_curves_of_numbers_by_name(classification):
    X, y = classification
    target = X[:, 0] + y
    report = probe_report(Ridge().fit(X, target), X, target, random_state=0)
    curve = report.calibration_curve(n_bins=3)
    display = CalibrationCurveDisplay.from_result({"a": curve, "b": curve})
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels == [
        "Calibrated",
        *(f"{n}: mean absolute error {curve.mean_error:.3f}" for n in "ab"),
    ]
    assert display.ax_.get_xlabel() == "Predicted number (mean of the bin)"
    labels = probe_report(LogisticRegression().fit(X, y), X, y, random_state=0)
    with pytest.raises(ValueError, match="cannot be drawn together"):
        CalibrationCurveDisplay({"a": curve, "b": labels.calibration_curve(1)})
