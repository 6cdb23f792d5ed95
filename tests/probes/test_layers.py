"""Probes of all layers are trained as one bank."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_neurox import (
    LayerSelector,
    LinearProbeClassifier,
    layerwise_scores,
)

FAST = dict(max_epochs=3, random_state=0, device="cpu")
RNG = np.random.RandomState(0)
X = RNG.normal(size=(150, 8))
Y = (X @ RNG.normal(size=(8, 3)) + RNG.gumbel(size=(150, 3))).argmax(1)


class TestBanks:
    def test_layers_and_pairs_of_lambdas(self):
        lambdas = [(0.0, 0.0), (0.05, 0.2)]
        probe = LinearProbeClassifier(**FAST)
        fitted = probe._fit_bank(X, Y, None, lambdas, n_layers=2)
        for layer in range(2):
            for k, pair in enumerate(lambdas):
                (alone,) = probe._fit_bank(X[:, 4 * layer : 4 * layer + 4], Y, None, [pair])
                np.testing.assert_allclose(fitted[2 * layer + k]["coef_"], alone["coef_"])

    @pytest.mark.filterwarnings("error")
    def test_layers_of_frames(self):
        steps = make_pipeline(StandardScaler(), LinearProbeClassifier(**FAST))
        steps.set_output(transform="pandas")
        found = layerwise_scores(steps, X, Y, n_layers=2, cv=3).scores
        for layer in range(2):
            alone = make_pipeline(LayerSelector(layer, n_layers=2), *map(clone, steps))
            np.testing.assert_allclose(found[layer], cross_val_score(alone, X, Y, cv=3))
