"""A vote of fitted selectors: points, parameters, routing and errors."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.feature_selection import RFE
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sklearn_neurox import (
    AveragePrecisionSelector,
    GaussianSelector,
    LayerSelector,
    ProbelessSelector,
    RandomSelector,
    VotingSelector,
    WeightMassSelector,
    vote,
)

LINEAR = LogisticRegression(C=0.1, max_iter=10_000)


class TestVoting:
    SELECTORS = [
        ("means", ProbelessSelector()),
        ("detectors", AveragePrecisionSelector(n_neurons=2)),
        ("weights", WeightMassSelector(LINEAR)),
    ]

    @pytest.mark.parametrize("n_votes", [None, 4])
    def test_it_counts_the_votes_of_its_selectors(self, data, n_votes):
        voting = VotingSelector(self.SELECTORS, n_votes=n_votes).fit(*data)
        rankings = [clone(s).fit(*data).ranking_ for _, s in self.SELECTORS]
        np.testing.assert_array_equal(voting.ranking_, vote(rankings, n_votes=n_votes))
        n_voted = 12 if n_votes is None else n_votes
        assert voting.scores_.sum() == 3 * n_voted * (n_voted + 1) / 2
        assert voting.named_selectors_.means is voting.selectors_[0]

    def test_parameters_of_the_selectors_can_be_set(self, data):
        voting = VotingSelector(self.SELECTORS).set_params(detectors__signed=False, n_neurons=2)
        assert voting.get_params()["detectors__signed"] is False
        assert clone(voting).fit(*data).named_selectors_.detectors.signed is False
        search = GridSearchCV(
            make_pipeline(voting, LINEAR), {"votingselector__means__scaled": [True, False]}, cv=2
        )
        assert search.fit(*data).best_score_ > 0.8

    @pytest.mark.parametrize(
        ("selectors", "error", "message"),
        [
            ([], ValueError, r"at least one \(name, selector\)"),
            (
                [ProbelessSelector()],
                ValueError,
                r'as in \[\("means", ProbelessSelector\(\)\)\], got',
            ),
            ([("a", ProbelessSelector()), ("a", RandomSelector())], ValueError, "not unique"),
            ([("n_votes", ProbelessSelector())], ValueError, "conflict with constructor arguments"),
            (
                [("layer", LayerSelector(0, n_layers=1))],
                TypeError,
                r"'layer' \(LayerSelector\) does not have a valid ranking_ after fit",
            ),
        ],
    )
    def test_errors(self, data, selectors, error, message):
        with pytest.raises(error, match=message):
            VotingSelector(selectors).fit(*data)

    @pytest.mark.parametrize("selector", ["drop", None, (1, 2)])
    def test_objects_that_are_not_selectors(self, data, selector):
        for pair in (("a", selector), (1, ProbelessSelector())):
            with pytest.raises(ValueError, match=r"list of at least one \(name, selector\)"):
                VotingSelector([pair]).fit(*data)

    def test_ranks_are_not_a_ranking(self, data):
        with pytest.raises(
            TypeError,
            match=r"'rfe' \(RFE\) does not have a valid ranking_ after fit. ranking_ of RFE must contain",
        ):
            VotingSelector([("rfe", RFE(LINEAR, n_features_to_select=3))]).fit(*data)

    def test_a_selector_may_be_named_self(self, data):
        voting = VotingSelector([("self", ProbelessSelector())]).fit(*data)
        assert voting.named_selectors_["self"] is voting.selectors_[0]

    def test_nested(self, data):
        inner = VotingSelector(self.SELECTORS)
        outer = VotingSelector([("inner", inner), ("random", RandomSelector(random_state=0))])
        outer.set_params(inner__means__scaled=False)
        assert outer.fit(*data).selectors_[0].named_selectors_.means.scaled is False

    def test_few_votes_leave_constant_neurons_last(self, data):
        X, y = data
        dead = np.column_stack([np.ones(150), X])
        assert VotingSelector(self.SELECTORS, n_votes=2).fit(dead, y).ranking_[-1] == 0

    def test_lengths_are_checked_first(self, data):
        X, y = data
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            VotingSelector([("random", RandomSelector())]).fit(X, y[:-1])

    def test_n_votes_is_checked(self, data):
        with pytest.raises(
            ValueError, match="n_votes must be at most the number of neurons in X, 12, got 13"
        ):
            VotingSelector(self.SELECTORS, n_votes=13).fit(*data)

    def test_weights_need_routing(self, data):
        with pytest.raises(ValueError, match="sample_weight"):
            VotingSelector(self.SELECTORS).fit(*data, sample_weight=np.ones(150))


def test_routed_weights_reach_the_selectors_that_request_them(data):
    X, y = data
    weight = (y != "c").astype(float)
    with config_context(enable_metadata_routing=True):
        voting = VotingSelector(
            [
                ("gaussian", GaussianSelector().set_fit_request(sample_weight=True)),
                (
                    "linear",
                    WeightMassSelector(clone(LINEAR).set_fit_request(sample_weight=True)),
                ),
                ("means", ProbelessSelector()),
            ]
        )
        fitted = make_pipeline(voting).fit(X, y, sample_weight=weight)[0]
    without = GaussianSelector().fit(X[y != "c"], y[y != "c"])
    np.testing.assert_array_equal(fitted.selectors_[0].ranking_, without.ranking_)
    assert fitted.named_selectors_.linear.ranking_.tolist().index(2) > 2
