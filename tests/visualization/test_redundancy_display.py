"""Lines count the clusters at each distance."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from sklearn_neurox import CorrelationClustering, RedundancyDisplay, TokenActivations


@pytest.mark.filterwarnings("ignore:CorrelationClustering")
def test_lines_count_clusters(classification):
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


def test_a_line_for_each_layer_and_for_all(classification):
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


def test_signed_distances_extend_to_2(classification):
    X, _ = classification
    X = np.hstack([X, -X])
    clustering = CorrelationClustering(absolute=False, random_state=0).fit(X)
    ax = RedundancyDisplay.from_estimator(clustering).ax_
    assert ax.get_xlabel() == "Distance threshold (1 − correlation)"
    (line,) = ax.get_lines()
    assert line.get_xdata()[-1] == 2
    assert line.get_ydata()[-1] == 1 / 24  # one cluster


def test_a_merge_at_the_threshold_is_made():
    ax = RedundancyDisplay({"three": np.array([0.25, 0.5])}).plot().ax_
    (line,) = ax.get_lines()
    at = dict(zip(line.get_xdata().round(6), line.get_ydata(), strict=True))
    assert (at[0.245], at[0.25], at[0.495], at[0.5]) == (1, 2 / 3, 2 / 3, 1 / 3)


def test_not_fitted():
    with pytest.raises(NotFittedError):
        RedundancyDisplay.from_estimator(CorrelationClustering())


@pytest.mark.parametrize("tokens", [np.ones((4, 3)), None], ids=["array", "None"])
def test_activations_of_another_type(tokens):
    with pytest.raises(TypeError, match="tokens must be TokenActivations, got"):
        RedundancyDisplay.from_activations(tokens)
