"""The Gaussian ranking agrees with the probe and with SciPy."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from sklearn_neurox import GaussianProbeClassifier, GaussianSelector, ProbelessSelector


class TestGaussian:
    def test_it_ranks_as_the_probe_does(self, data):
        X, y = data
        selector = GaussianSelector(n_neurons=4).fit(X, y)
        neurons, bits = GaussianProbeClassifier(covariance="mean").fit(X, y).rank_neurons(4)
        np.testing.assert_array_equal(selector.ranking_[:4], neurons)
        np.testing.assert_allclose(selector.bits_, bits)
        np.testing.assert_allclose(selector.scores_[neurons].cumsum(), bits)

    @pytest.mark.parametrize("covariance", ["map", "mean"])
    def test_the_others_follow_by_the_bits_they_add(self, data, covariance):
        X, y = data
        selector = GaussianSelector(n_neurons=2, covariance=covariance).fit(X, y)
        probe = GaussianProbeClassifier(covariance=covariance).fit(X, y)
        chosen, others = selector.ranking_[:2].tolist(), selector.ranking_[2:]
        prior = probe.class_prior_
        codes = np.searchsorted(probe.classes_, y)

        def bits(neurons):
            joint = np.log(prior) + np.transpose(
                [
                    multivariate_normal(mean[neurons], covariance[np.ix_(neurons, neurons)]).logpdf(
                        X[:, neurons]
                    )
                    for mean, covariance in zip(probe.means_, probe.covariances_, strict=True)
                ]
            )
            own = joint[np.arange(150), codes] - np.logaddexp.reduce(joint, axis=1)
            return (own.mean() - prior @ np.log(prior)) / np.log(2)

        added = [bits([*chosen, j]) - bits(chosen) for j in others]
        np.testing.assert_allclose(selector.scores_[others], added, atol=1e-8)
        assert (np.diff(added) <= 1e-8).all()

    def test_no_greedy_choice_ranks_by_single_neurons(self, data):
        X, y = data
        selector = GaussianSelector(n_greedy=0, n_neurons=3).fit(X, y)
        probe = GaussianProbeClassifier(covariance="mean").fit(X, y)
        alone = [probe.mutual_information(X, y, neurons=[j]) for j in range(12)]
        np.testing.assert_allclose(selector.scores_, alone, atol=1e-8)
        assert selector.bits_.size == 0

    def test_a_copy_adds_no_information(self, data):
        X, y = data
        both = np.column_stack([X, X[:, 0] + 1e-9 * X[:, 11]])
        assert set(GaussianSelector(n_neurons=3).fit(both, y).ranking_[:3]) == {0, 1, 2}
        assert 12 in ProbelessSelector().fit(both, y).ranking_[:4]

    def test_a_weight_of_zero_removes_the_sample(self, data):
        X, y = data
        weight = np.arange(150) % 3 > 0
        weighted = GaussianSelector(n_neurons=5).fit(X, y, sample_weight=weight)
        kept = GaussianSelector(n_neurons=5).fit(X[weight], y[weight])
        np.testing.assert_array_equal(weighted.ranking_, kept.ranking_)
        assert GaussianSelector().fit(X, y, y != "b").classes_.tolist() == ["a", "c"]
        with pytest.raises(
            ValueError, match=r"target must be one of the classes \['a', 'c'\], got 'b'"
        ):
            GaussianSelector(target="b").fit(X, y, sample_weight=y != "b")

    def test_at_most_20_are_chosen_by_default(self, data):
        X, y = data
        wide = np.hstack([X] * 5)
        assert len(GaussianSelector().fit(wide, y).bits_) == 20
        assert len(GaussianSelector(n_neurons=22).fit(wide, y).bits_) == 22

    def test_n_greedy_is_checked(self, data):
        with pytest.raises(
            ValueError, match="n_greedy must be at most the number of neurons in X, 12, got 13"
        ):
            GaussianSelector(n_greedy=13).fit(*data)
