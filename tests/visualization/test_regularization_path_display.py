"""The plot shows the results of a search over both penalties."""

import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_neurox import (
    LinearProbeClassifier,
    LinearProbeClassifierCV,
    RegularizationPathDisplay,
)


def make_search(**parameters):
    return LinearProbeClassifierCV(
        lambdas_l1=[1e-2, 0, 1e-3], lambdas_l2=[0, 1e-2], cv=2, max_epochs=2, random_state=0,
        **parameters,
    )  # fmt: skip


def test_a_line_for_each_lambda_l2(classification):
    search = make_search(scoring="f1_macro").fit(*classification)
    display = RegularizationPathDisplay.from_estimator(search)
    lines = [container.lines[0] for container in display.ax_.containers]
    assert [container.get_label() for container in display.ax_.containers] == ["0", "0.01"]
    results = search.cv_results_
    for line, l2 in zip(lines, (0, 1e-2), strict=True):
        expected = [
            results["mean_test_score"][
                (results["param_lambda_l1"] == l1) & (results["param_lambda_l2"] == l2)
            ][0]
            for l1 in (0, 1e-3, 1e-2)
        ]
        np.testing.assert_allclose(line.get_ydata(), expected)
    assert [t.get_text() for t in display.ax_.get_xticklabels()] == ["0", "0.001", "0.01"]
    assert display.ax_.get_ylabel().startswith("F1_macro")


def test_a_grid_search_over_a_pipeline(classification):
    steps = make_pipeline(StandardScaler(), LinearProbeClassifier(max_epochs=1))
    grid = {
        "linearprobeclassifier__lambda_l1": [0, 1e-3],
        "linearprobeclassifier__lambda_l2": [0, 1e-3],
    }
    search = GridSearchCV(steps, grid, cv=2).fit(*classification)
    display = RegularizationPathDisplay.from_estimator(search)
    assert len(display.ax_.containers) == 2


def test_shares_of_zeros(classification):
    search = make_search(solver="owlqn").fit(*classification)
    display = RegularizationPathDisplay.from_estimator(search, show="zeros")
    drawn = [container.lines[0].get_ydata() for container in display.ax_.containers]
    shares = search.zero_shares_.mean(axis=1).reshape(3, 2)  # lambdas_l1 in the order 1e-2, 0, 1e-3
    np.testing.assert_allclose(drawn, shares[[1, 2, 0]].T)
    assert drawn[0][0] == 0
    assert drawn[0][2] > 0


def test_other_searches_do_not_count_zeros(classification):
    grid = {"lambda_l1": [0, 1e-3], "lambda_l2": [0]}
    search = GridSearchCV(LinearProbeClassifier(max_epochs=1), grid, cv=2).fit(*classification)
    with pytest.raises(ValueError, match="show='zeros' requires a search with zero_shares_"):
        RegularizationPathDisplay.from_estimator(search, show="zeros")
    with pytest.raises(
        TypeError,
        match="search must be a search over lambda_l1 and lambda_l2, got LinearProbeClassifier",
    ):
        RegularizationPathDisplay.from_estimator(search.best_estimator_)
    with pytest.raises(ValueError, match="show must be 'score' or 'zeros', got 'loss'"):
        RegularizationPathDisplay.from_estimator(search, show="loss")


def test_a_search_over_other_parameters_or_several_scores(classification):
    grid = {"lambda_l1": [0, 1e-3], "lambda_l2": [0], "learning_rate": [1e-3, 1e-2]}
    search = GridSearchCV(LinearProbeClassifier(max_epochs=1), grid, cv=2).fit(*classification)
    with pytest.raises(
        ValueError,
        match=r"The search also varies learning_rate\. Plot the results for a single value",
    ):
        RegularizationPathDisplay.from_estimator(search)
    grid["learning_rate"] = [1e-2]
    search.set_params(param_grid=grid, scoring=["accuracy", "f1_macro"], refit=False)
    with pytest.raises(
        ValueError, match=r"The search has several scores\. Plot the results of a single score"
    ):
        RegularizationPathDisplay.from_estimator(search.fit(*classification))


def test_bars_span_a_standard_deviation(classification):
    search = make_search(scoring="f1_macro").fit(*classification)
    display = RegularizationPathDisplay.from_estimator(search)
    (bars,) = display.ax_.containers[0].lines[2]
    spans = [np.ptp(segment[:, 1]) / 2 for segment in bars.get_segments()]
    deviations = search.cv_results_["std_test_score"].reshape(3, 2)[[1, 2, 0], 0]
    np.testing.assert_allclose(spans, deviations)
    places = [container.lines[0].get_xdata() for container in display.ax_.containers]
    assert 0 < np.abs(places[1] - places[0]).max() < 0.1  # side by side


def test_a_search_without_lambdas(classification):
    search = GridSearchCV(RidgeClassifier(), {"alpha": [1, 2]}, cv=2).fit(*classification)
    with pytest.raises(
        ValueError,
        match=r"must vary exactly one parameter lambda_l1, got 0 such parameters among \[\'param_alpha\'\]",
    ):
        RegularizationPathDisplay.from_estimator(search)
