"""Pictures of rankings, redundancy and penalties show the numbers that they are made of."""

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
    CorrelationClustering,
    LinearProbeClassifier,
    LinearProbeClassifierCV,
    ProbelessSelector,
    RankingOverlapDisplay,
    RedundancyDisplay,
    RegularizationPathDisplay,
    TokenActivations,
    VotingSelector,
    ranking_overlap,
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
            display.overlap, ranking_overlap(list(rankings.values()), k=10)
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


class TestRedundancy:
    @pytest.mark.filterwarnings("ignore:CorrelationClustering")
    def test_lines_count_clusters(self, classification):
        X, _ = classification
        X = np.hstack([X, X + 0.1])
        clustering = CorrelationClustering(random_state=0).fit(X)
        display = RedundancyDisplay.from_estimator(clustering, name="mine")
        (line,) = display.ax_.get_lines()
        assert line.get_label() == "mine"
        for threshold in (0.1, 0.5, 0.9):
            place = np.searchsorted(line.get_xdata(), threshold)
            cut = CorrelationClustering(distance_threshold=line.get_xdata()[place])
            expected = cut.set_params(random_state=0).fit(X).n_clusters_ / 24
            np.testing.assert_allclose(line.get_ydata()[place], expected)

    def test_a_line_for_each_layer_and_for_all(self, classification):
        X, _ = classification
        n = np.arange(len(X))
        tokens = TokenActivations(X, n.astype(str), n, np.zeros_like(n), layers=(3, 5))
        display = RedundancyDisplay.from_activations(tokens, linkage="complete")
        assert [line.get_label() for line in display.ax_.get_lines()] == [
            "layer 3",
            "layer 5",
            "all layers",
        ]
        display = RedundancyDisplay.from_activations(tokens, all_layers=False)
        assert len(display.ax_.get_lines()) == 2

    def test_not_fitted(self):
        with pytest.raises(NotFittedError):
            RedundancyDisplay.from_estimator(CorrelationClustering())


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

    def test_a_search_over_other_things(self, classification):
        search = GridSearchCV(RidgeClassifier(), {"alpha": [1, 2]}, cv=2).fit(*classification)
        with pytest.raises(ValueError, match="The search has no parameter lambda_l1; it has"):
            RegularizationPathDisplay.from_estimator(search)


def test_axes_may_be_given(classification):
    _, axes = pyplot.subplots(1, 2)
    display = RankingOverlapDisplay.from_rankings({"a": [0, 1], "b": [1, 0]}, k=1, ax=axes[1])
    assert display.ax_ is axes[1]
    assert display.figure_ is axes[1].figure
