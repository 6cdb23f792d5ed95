"""The tree shows how the largest clusters merge."""

import numpy as np
import pytest
from scipy.cluster.hierarchy import cophenet, linkage
from scipy.spatial.distance import squareform
from sklearn.exceptions import NotFittedError

from sklearn_neurox import CorrelationClustering, DendrogramDisplay, IndependentNeuronSelector
from sklearn_neurox.visualization.dendrogram_display import _restrict


def test_a_tree_of_some_neurons_merges_them_where_the_whole_does():
    tree = linkage(np.random.RandomState(0).normal(size=(30, 3)), "average")
    heights = squareform(cophenet(tree))
    some = np.array([2, 3, 5, 8, 13, 21, 29])
    part = _restrict(tree, some)
    np.testing.assert_allclose(squareform(cophenet(part)), heights[np.ix_(some, some)])
    np.testing.assert_array_equal(_restrict(tree, np.arange(30)), tree)
    assert part[-1, 3] == 7


def test_the_largest_clusters_are_drawn_whole():
    a, b, c, d = np.random.RandomState(0).normal(size=(4, 200))
    noise = 0.1 * np.random.RandomState(1).normal(size=(6, 200))
    X = np.stack([d, a, b, a, c, a, b]).T + np.c_[np.zeros(200), noise.T]
    clustering = CorrelationClustering(random_state=0).fit(X)
    display = DendrogramDisplay.from_estimator(clustering, max_neurons=6)
    assert leaves(display) == {"1", "3", "5", "2", "6", "0"}
    display = DendrogramDisplay.from_estimator(clustering, max_neurons=4)
    assert leaves(display) == {"1", "3", "5"}  # the next cluster does not fit
    display = DendrogramDisplay.from_estimator(clustering, max_neurons=2)
    assert leaves(display) == {"1", "3"}
    assert display.ax_.get_title() == "The largest of 4 clusters (2 of 7 neurons)"


def test_the_cut_is_in_view(classification):
    clustering = CorrelationClustering(distance_threshold=0.3, random_state=0)
    display = DendrogramDisplay.from_estimator(clustering.fit(classification[0]))
    cut = display.ax_.get_lines()[-1]
    assert cut.get_xdata()[0] == 0.3
    assert display.ax_.get_xlim()[1] > 0.3


def test_names(classification):
    pandas = pytest.importorskip("pandas")
    X, _ = classification
    names = [f"n{i}" for i in range(12)]
    selector = IndependentNeuronSelector(random_state=0, absolute=False)
    selector.fit(pandas.DataFrame(X, columns=names))
    assert leaves(DendrogramDisplay.from_estimator(selector)) == set(names)
    display = DendrogramDisplay.from_estimator(selector, names=[n.upper() for n in names])
    assert "N11" in leaves(display)
    assert display.ax_.get_xlabel() == "Distance (1 − correlation)"
    with pytest.raises(
        ValueError, match="names must contain one name for each of the 12 neurons, got 2"
    ):
        DendrogramDisplay.from_estimator(selector, names=["a", "b"])


def test_errors(classification):
    with pytest.raises(NotFittedError):
        DendrogramDisplay.from_estimator(CorrelationClustering())
    clustering = CorrelationClustering(random_state=0).fit(classification[0])
    with pytest.raises(ValueError, match="max_neurons == 1, must be >= 2"):
        DendrogramDisplay.from_estimator(clustering, max_neurons=1)


def leaves(display):
    return {label.get_text() for label in display.ax_.get_yticklabels()}
