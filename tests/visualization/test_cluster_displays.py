"""Pictures of clusters show the tree and the counts that they are made of."""

import numpy as np
import pytest
from matplotlib import pyplot
from scipy.cluster.hierarchy import cophenet, linkage
from scipy.spatial.distance import squareform
from sklearn.exceptions import NotFittedError

from sklearn_neurox import (
    CorrelationClustering,
    DendrogramDisplay,
    IndependentNeuronSelector,
    RedundancyDisplay,
    TokenActivations,
)
from sklearn_neurox.visualization.cluster_displays import _restrict


@pytest.fixture(autouse=True)
def close():
    yield
    pyplot.close("all")


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

    def test_signed_distances_go_to_2(self, classification):
        X, _ = classification
        X = np.hstack([X, -X])
        clustering = CorrelationClustering(absolute=False, random_state=0).fit(X)
        ax = RedundancyDisplay.from_estimator(clustering).ax_
        assert ax.get_xlabel() == "Distance threshold (1 − correlation)"
        (line,) = ax.get_lines()
        assert line.get_xdata()[-1] == 2
        assert line.get_ydata()[-1] == 1 / 24  # one cluster

    def test_a_merge_at_the_threshold_is_made(self):
        ax = RedundancyDisplay({"three": np.array([0.25, 0.5])}).plot().ax_
        (line,) = ax.get_lines()
        at = dict(zip(line.get_xdata().round(6), line.get_ydata(), strict=True))
        assert (at[0.245], at[0.25], at[0.495], at[0.5]) == (1, 2 / 3, 2 / 3, 1 / 3)

    def test_not_fitted(self):
        with pytest.raises(NotFittedError):
            RedundancyDisplay.from_estimator(CorrelationClustering())


class TestDendrogram:
    def test_a_tree_of_some_neurons_merges_them_where_the_whole_does(self):
        tree = linkage(np.random.RandomState(0).normal(size=(30, 3)), "average")
        heights = squareform(cophenet(tree))
        some = np.array([2, 3, 5, 8, 13, 21, 29])
        part = _restrict(tree, some)
        np.testing.assert_allclose(squareform(cophenet(part)), heights[np.ix_(some, some)])
        np.testing.assert_array_equal(_restrict(tree, np.arange(30)), tree)
        assert part[-1, 3] == 7

    def test_the_largest_clusters_are_drawn_whole(self):
        a, b, c, d = np.random.RandomState(0).normal(size=(4, 200))
        noise = 0.1 * np.random.RandomState(1).normal(size=(6, 200))
        X = np.stack([d, a, b, a, c, a, b]).T + np.c_[np.zeros(200), noise.T]
        clustering = CorrelationClustering(random_state=0).fit(X)
        display = DendrogramDisplay.from_estimator(clustering, max_neurons=6)
        assert leaves(display) == {"1", "3", "5", "2", "6", "0"}
        display = DendrogramDisplay.from_estimator(clustering, max_neurons=4)
        assert leaves(display) == {"1", "3", "5"}  # the next has no room
        display = DendrogramDisplay.from_estimator(clustering, max_neurons=2)
        assert leaves(display) == {"1", "3"}
        assert display.ax_.get_title() == "The largest of 4 clusters: 2 of 7 neurons"

    def test_the_cut_is_in_view(self, classification):
        clustering = CorrelationClustering(distance_threshold=0.3, random_state=0)
        display = DendrogramDisplay.from_estimator(clustering.fit(classification[0]))
        cut = display.ax_.get_lines()[-1]
        assert cut.get_xdata()[0] == 0.3
        assert display.ax_.get_xlim()[1] > 0.3

    def test_names(self, classification):
        pandas = pytest.importorskip("pandas")
        X, _ = classification
        names = [f"n{i}" for i in range(12)]
        selector = IndependentNeuronSelector(random_state=0, absolute=False)
        selector.fit(pandas.DataFrame(X, columns=names))
        assert leaves(DendrogramDisplay.from_estimator(selector)) == set(names)
        display = DendrogramDisplay.from_estimator(selector, names=[n.upper() for n in names])
        assert "N11" in leaves(display)
        assert display.ax_.get_xlabel() == "Distance (1 − correlation)"
        with pytest.raises(ValueError, match="2 names were given for 12 neurons"):
            DendrogramDisplay.from_estimator(selector, names=["a", "b"])

    def test_errors(self, classification):
        with pytest.raises(NotFittedError):
            DendrogramDisplay.from_estimator(CorrelationClustering())
        clustering = CorrelationClustering(random_state=0).fit(classification[0])
        with pytest.raises(ValueError, match="max_neurons == 1, must be >= 2"):
            DendrogramDisplay.from_estimator(clustering, max_neurons=1)


def leaves(display):
    return {label.get_text() for label in display.ax_.get_yticklabels()}
