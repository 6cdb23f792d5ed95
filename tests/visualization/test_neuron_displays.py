"""Pictures of rankings, classes and penalties show the numbers that they are made of."""

import numpy as np
import pytest
from matplotlib import pyplot
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_neurox import (
    AveragePrecisionSelector,
    LinearProbeClassifier,
    LinearProbeClassifierCV,
    NeuronsPerClassDisplay,
    ProbelessSelector,
    RankingOverlapDisplay,
    RegularizationPathDisplay,
    VotingSelector,
    WeightMassSelector,
    ranking_overlap,
    top_neurons,
)


@pytest.fixture(autouse=True)
def close():
    yield
    pyplot.close("all")


class TestOverlap:
    def test_the_numbers_are_written_into_the_cells(self, classification):
        rng = np.random.RandomState(0)
        rankings = {name: rng.permutation(30) for name in ("one", "two", "three")}
        display = RankingOverlapDisplay.from_rankings(rankings, k=10)
        np.testing.assert_array_equal(
            display.overlap, ranking_overlap(list(rankings.values()), n_neurons=10)
        )
        cells = [text.get_text() for text in display.ax_.texts]
        assert cells == [f"{value:.2f}" for value in display.overlap.ravel()]
        assert [label.get_text() for label in display.ax_.get_yticklabels()] == list(rankings)
        assert display.ax_.get_title() == "Overlap of the first 10 neurons"

    def test_the_selectors_of_a_vote(self, classification):
        selectors = [("means", ProbelessSelector()), ("detectors", AveragePrecisionSelector())]
        voting = VotingSelector(selectors)
        with pytest.raises(NotFittedError):
            RankingOverlapDisplay.from_estimator(voting, k=3)
        display = RankingOverlapDisplay.from_estimator(voting.fit(*classification), k=3)
        assert display.names == ["means", "detectors", "vote"]
        assert display.overlap[0, 1] == 1  # both find the three planted neurons


class TestNeuronsPerClass:
    def test_bars_count_the_smallest_sets(self, classification):
        selector = WeightMassSelector(RidgeClassifier()).fit(*classification)
        display = NeuronsPerClassDisplay.from_estimator(selector, mass=0.8)
        X, _ = classification
        coef = selector.estimator_.coef_
        _, neurons = top_neurons(coef, 0.8, scale=X.std(axis=0))
        assert list(display.n_neurons.values()) == [len(each) for each in neurons]
        widths = [bar.get_width() for bar in display.ax_.patches]
        assert widths == sorted(display.n_neurons.values())
        assert display.ax_.get_xlabel() == "Neurons that hold 80% of the weight mass, of 12"

    def test_probeless_has_scores_of_classes_too(self, classification):
        display = NeuronsPerClassDisplay.from_estimator(ProbelessSelector().fit(*classification))
        assert list(display.n_neurons) == ["0", "1", "2"]

    def test_classes_without_weight_are_left_out(self, classification):
        selector = WeightMassSelector(RidgeClassifier()).fit(*classification)
        selector.class_scores_ = selector.class_scores_ * [[1], [0], [1]]
        assert list(NeuronsPerClassDisplay.from_estimator(selector).n_neurons) == ["0", "2"]

    def test_what_has_no_classes(self, classification):
        X, y = classification
        two = WeightMassSelector(RidgeClassifier()).fit(X, y == 0)
        with pytest.raises(ValueError, match="no scores for each of its 2 classes"):
            NeuronsPerClassDisplay.from_estimator(two)
        with pytest.raises(NotFittedError):
            NeuronsPerClassDisplay.from_estimator(ProbelessSelector())


class TestRegularizationPath:
    def search(self, **parameters):
        return LinearProbeClassifierCV(
            lambdas_l1=[1e-2, 0, 1e-3], lambdas_l2=[0, 1e-2], cv=2, max_epochs=2, random_state=0,
            **parameters,
        )  # fmt: skip

    def test_a_line_for_each_lambda_l2(self, classification):
        search = self.search(scoring="f1_macro").fit(*classification)
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

    def test_a_grid_search_over_a_pipeline(self, classification):
        steps = make_pipeline(StandardScaler(), LinearProbeClassifier(max_epochs=1))
        grid = {
            "linearprobeclassifier__lambda_l1": [0, 1e-3],
            "linearprobeclassifier__lambda_l2": [0, 1e-3],
        }
        search = GridSearchCV(steps, grid, cv=2).fit(*classification)
        display = RegularizationPathDisplay.from_estimator(search)
        assert len(display.ax_.containers) == 2

    def test_shares_of_zeros(self, classification):
        search = self.search(solver="owlqn").fit(*classification)
        display = RegularizationPathDisplay.from_estimator(search, show="zeros")
        drawn = [container.lines[0].get_ydata() for container in display.ax_.containers]
        shares = search.zero_shares_.mean(axis=1).reshape(3, 2)  # lambdas_l1 as 1e-2, 0, 1e-3
        np.testing.assert_allclose(drawn, shares[[1, 2, 0]].T)
        assert drawn[0][0] == 0
        assert drawn[0][2] > 0

    def test_other_searches_count_no_zeros(self, classification):
        grid = {"lambda_l1": [0, 1e-3], "lambda_l2": [0]}
        search = GridSearchCV(LinearProbeClassifier(max_epochs=1), grid, cv=2).fit(*classification)
        with pytest.raises(ValueError, match="This search has no zero_shares_"):
            RegularizationPathDisplay.from_estimator(search, show="zeros")
        with pytest.raises(TypeError, match="a search over lambdas, got LinearProbeClassifier"):
            RegularizationPathDisplay.from_estimator(search.best_estimator_)
        with pytest.raises(ValueError, match="show must be 'score' or 'zeros', got 'loss'"):
            RegularizationPathDisplay.from_estimator(search, show="loss")

    def test_a_search_over_more(self, classification):
        grid = {"lambda_l1": [0, 1e-3], "lambda_l2": [0], "learning_rate": [1e-3, 1e-2]}
        search = GridSearchCV(LinearProbeClassifier(max_epochs=1), grid, cv=2).fit(*classification)
        with pytest.raises(ValueError, match="The search is over learning_rate too"):
            RegularizationPathDisplay.from_estimator(search)
        grid["learning_rate"] = [1e-2]
        search.set_params(param_grid=grid, scoring=["accuracy", "f1_macro"], refit=False)
        with pytest.raises(ValueError, match="The search has several scores"):
            RegularizationPathDisplay.from_estimator(search.fit(*classification))

    def test_bars_span_a_standard_deviation(self, classification):
        search = self.search(scoring="f1_macro").fit(*classification)
        display = RegularizationPathDisplay.from_estimator(search)
        (bars,) = display.ax_.containers[0].lines[2]
        spans = [np.ptp(segment[:, 1]) / 2 for segment in bars.get_segments()]
        deviations = search.cv_results_["std_test_score"].reshape(3, 2)[[1, 2, 0], 0]
        np.testing.assert_allclose(spans, deviations)
        places = [container.lines[0].get_xdata() for container in display.ax_.containers]
        assert 0 < np.abs(places[1] - places[0]).max() < 0.1  # beside each other, at their value

    def test_a_search_over_other_things(self, classification):
        search = GridSearchCV(RidgeClassifier(), {"alpha": [1, 2]}, cv=2).fit(*classification)
        with pytest.raises(
            ValueError, match="The search has no parameter lambda_l1, or several; it has"
        ):
            RegularizationPathDisplay.from_estimator(search)


def test_axes_may_be_given(classification):
    _, axes = pyplot.subplots(1, 2)
    display = RankingOverlapDisplay.from_rankings({"a": [0, 1], "b": [1, 0]}, k=1, ax=axes[1])
    assert display.ax_ is axes[1]
    assert display.figure_ is axes[1].figure
