"""One neuron of each cluster is kept."""

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

from sklearn_neurox import CorrelationClustering, IndependentNeuronSelector


@pytest.fixture(scope="module")
def X(correlated):
    return correlated


class TestIndependentNeurons:
    @pytest.mark.parametrize("pick", ["random", "medoid"])
    def test_it_keeps_the_representatives(self, X, pick):
        parameters = dict(pick=pick, distance_threshold=0.4, linkage="complete", random_state=1)
        selector = IndependentNeuronSelector(**parameters).fit(X)
        clustering = CorrelationClustering(**parameters).fit(X)
        assert selector.get_support(indices=True).tolist() == sorted(clustering.representatives_)
        np.testing.assert_array_equal(selector.clustering_.labels_, clustering.labels_)

    def test_kept_neurons_are_not_correlated(self, X):
        selector = IndependentNeuronSelector(linkage="single", random_state=0)
        r = np.corrcoef(selector.fit_transform(X).T)
        assert np.abs(r[~np.eye(len(r), dtype=bool)]).max() < 0.5

    def test_names_go_through_a_pipeline(self, X):
        names = np.array([f"layer_2_neuron_{i}" for i in range(18)], dtype=object)
        steps = make_pipeline(IndependentNeuronSelector(pick="medoid")).fit(X)
        assert set(steps.get_feature_names_out(names)) < set(names)
