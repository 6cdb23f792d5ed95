"""The matrix shows how far rankings agree."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from sklearn_neurox import (
    AveragePrecisionSelector,
    ProbelessSelector,
    RankingOverlapDisplay,
    VotingSelector,
    ranking_overlap,
)


def test_cells_contain_the_numbers(classification):
    rng = np.random.RandomState(0)
    rankings = {name: rng.permutation(30) for name in ("one", "two", "three")}
    display = RankingOverlapDisplay.from_rankings(rankings, n_neurons=10)
    np.testing.assert_array_equal(
        display.overlap, ranking_overlap(list(rankings.values()), n_neurons=10)
    )
    cells = [text.get_text() for text in display.ax_.texts]
    assert cells == [f"{value:.2f}" for value in display.overlap.ravel()]
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == list(rankings)
    assert display.ax_.get_title() == "Overlap of the top 10 neurons"


def test_the_selectors_and_their_vote(classification):
    selectors = [("means", ProbelessSelector()), ("detectors", AveragePrecisionSelector())]
    voting = VotingSelector(selectors)
    with pytest.raises(NotFittedError):
        RankingOverlapDisplay.from_estimator(voting, n_neurons=3)
    display = RankingOverlapDisplay.from_estimator(voting.fit(*classification), n_neurons=3)
    assert display.names == ["means", "detectors", "vote"]
    assert display.overlap[0, 1] == 1  # both find the three planted neurons


def test_rankings_without_names():
    with pytest.raises(TypeError, match="rankings must be a dict of rankings by name, got list"):
        RankingOverlapDisplay.from_rankings([[0, 1], [1, 0]], n_neurons=1)
