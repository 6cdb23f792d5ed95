"""Selectors keep the right columns, in order, and refuse what they cannot do."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from sklearn_neurox import (
    LayerSelector,
    LinearProbeClassifier,
    NeuronAblator,
    NeuronSelector,
    WeightMassSelector,
    bottom_neurons,
    threshold_neurons,
    top_neurons,
    weight_mass_ordering,
)
from sklearn_neurox._moments import neuron_std

X_LAYERS = np.arange(24.0).reshape(2, 12)


class TestLayerSelector:
    def test_layers_are_runs_of_columns(self):
        selector = LayerSelector([2, 0], n_layers=3).fit(X_LAYERS)
        np.testing.assert_array_equal(selector.transform(X_LAYERS)[0], [0, 1, 2, 3, 8, 9, 10, 11])

    def test_halves_of_bidirectional_layers(self):
        halves = [
            LayerSelector([1], n_layers=3, direction=direction).fit(X_LAYERS)
            for direction in ("forward", "backward")
        ]
        assert [half.get_support(indices=True).tolist() for half in halves] == [[4, 5], [6, 7]]

    def test_inverse_transform_fills_with_zeros(self):
        selector = LayerSelector(1, n_layers=3).fit(X_LAYERS)
        back = selector.inverse_transform(selector.transform(X_LAYERS))
        np.testing.assert_array_equal(back[:, 4:8], X_LAYERS[:, 4:8])
        assert (back[:, [*range(4), *range(8, 12)]] == 0).all()

    @pytest.mark.parametrize(
        ("parameters", "message"),
        [
            (dict(layers=3, n_layers=3), "There are 3 layers, so indices run from 0 to 2; got 3"),
            (dict(layers=[-1], n_layers=3), "got -1"),
            (dict(layers=[1, 1], n_layers=3), "Each layer can be named once; 1 comes twice"),
            (dict(layers=0, n_layers=5), "that 5 divides, but X has 12 neurons"),
            (dict(layers=0, n_layers=12, direction="forward"), "that 24 divides"),
            (dict(layers=0, n_layers=0), "The 'n_layers' parameter"),
            (dict(layers=0, n_layers=3, direction="left"), "The 'direction' parameter"),
        ],
    )
    def test_errors(self, parameters, message):
        with pytest.raises(ValueError, match=message):
            LayerSelector(**parameters).fit(X_LAYERS)


class TestNeuronSelector:
    @pytest.mark.parametrize("neurons", [[4, 1], (1, 4), {1, 4}, np.array([4, 1], dtype=np.uint8)])
    def test_columns_keep_their_order(self, neurons):
        np.testing.assert_array_equal(
            NeuronSelector(neurons).fit_transform(X_LAYERS), X_LAYERS[:, [1, 4]]
        )

    def test_invert(self):
        kept = NeuronSelector([0, 1], invert=True).fit_transform(X_LAYERS)
        np.testing.assert_array_equal(kept, X_LAYERS[:, 2:])

    @pytest.mark.parametrize(
        ("neurons", "error", "message"),
        [
            ([12], ValueError, "There are 12 neurons, so indices run from 0 to 11; got 12"),
            ([-1], ValueError, "got -1"),
            ([3, 3], ValueError, "3 comes twice"),
            (
                [1.0],
                TypeError,
                r"integers from 0 to 11 \(of a mask, np.flatnonzero\); got an array of dtype float64",
            ),
            ([True, False] * 6, TypeError, "dtype bool"),
            (["a"], TypeError, r"neurons=\['a'\] are names, but X has none; give a DataFrame"),
            ([[1, 2]], TypeError, "2 dimension"),
        ],
    )
    def test_errors(self, neurons, error, message):
        with pytest.raises(error, match=message):
            NeuronSelector(neurons).fit(X_LAYERS)


def test_neurons_by_name():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X_LAYERS, columns=[f"layer_0_neuron_{i}" for i in range(12)])
    names = ["layer_0_neuron_7", "layer_0_neuron_2"]
    kept = NeuronSelector(names).set_output(transform="pandas").fit_transform(frame)
    assert list(kept.columns) == names[::-1]
    zeroed = NeuronAblator(names).set_output(transform="pandas").fit_transform(frame)
    assert list(zeroed.columns[(zeroed == 0).all()]) == names[::-1]
    with pytest.raises(ValueError, match="X has no column 'layer_0_neuron_12'; its columns are"):
        NeuronSelector(["layer_0_neuron_12"]).fit(frame)
    with pytest.raises(ValueError, match="2 comes twice"):
        NeuronAblator([names[1]] * 2).fit(frame)


class TestWeightMassSelector:
    @pytest.fixture
    def data(self, classification):
        X, y = classification
        return X * np.logspace(-2, 2, 12), np.array(["a", "b", "c"])[y]

    def select(self, data, estimator=None, **parameters):
        estimator = estimator or LogisticRegression(C=10, max_iter=10_000)
        return WeightMassSelector(estimator, **parameters).fit(*data)

    def test_ranks_as_the_functions_do(self, data):
        X, _ = data
        selector = self.select(data, mass=0.6)
        importance = np.abs(selector.estimator_.coef_) * X.std(axis=0)
        np.testing.assert_array_equal(selector.ranking_, weight_mass_ordering(importance)[0])
        for parameters, expected in [
            (dict(mass=0.6), top_neurons(importance, 0.6)[0]),
            (dict(mass=0.2, order="bottom"), bottom_neurons(importance, 0.2)[0]),
            (dict(threshold=0.5), threshold_neurons(importance, 0.5)[0]),
            (dict(n_neurons=5), np.sort(selector.ranking_[:5])),
            (dict(n_neurons=0.25), np.sort(selector.ranking_[:3])),
            (dict(n_neurons=5, order="bottom"), np.sort(selector.ranking_[-5:])),
            (dict(n_neurons=0, order="bottom"), []),
            (dict(n_neurons=1.0), range(12)),
            ({}, range(12)),
        ]:
            support = self.select(data, **parameters).get_support(indices=True)
            np.testing.assert_array_equal(support, list(expected), err_msg=str(parameters))

    def test_top_and_bottom_by_threshold_share_the_neurons(self, data):
        top = self.select(data, threshold=0.3).get_support()
        bottom = self.select(data, threshold=0.3, order="bottom").get_support()
        assert (top ^ bottom).all()

    def test_scores_agree_with_the_ranking(self, data):
        selector = self.select(data)
        assert (np.diff(selector.scores_[selector.ranking_]) <= 0).all()
        assert selector.scores_.max() == 1
        np.testing.assert_allclose(selector.class_scores_.sum(axis=1), 1)

    def test_scaled_ranking_does_not_depend_on_units(self, classification):
        """An unpenalised model weighs a neuron by its units; |coef| * std undoes that."""
        X, y = classification
        units = np.random.RandomState(0).permutation(np.logspace(-1, 1, 12))
        exact = Ridge(alpha=1e-10)
        rankings = [
            WeightMassSelector(exact).fit(data, y).ranking_.tolist() for data in (X, X * units)
        ]
        rankings.append(WeightMassSelector(exact, scaled=False).fit(X, y).ranking_.tolist())
        with pytest.warns(UserWarning, match=r"scaled=False\) ranks the weights of neurons that"):
            raw = WeightMassSelector(exact, scaled=False).fit(X * units, y)
        rankings.append(raw.ranking_.tolist())
        assert rankings[0] == rankings[1]
        assert rankings[2] != rankings[3]

    def test_a_target_ranks_for_its_class(self, data):
        selector = self.select(data, target="b", n_neurons=1)
        row = selector.class_scores_[1]
        assert selector.ranking_.tolist() == np.argsort(-row, kind="stable").tolist()
        assert selector.get_support(indices=True) == [row.argmax()]

    def test_two_classes_share_a_row(self, classification):
        X, y = classification
        X, y = X[y < 2], y[y < 2]
        rankings = [self.select((X, y), target=target).ranking_.tolist() for target in (0, 1, None)]
        assert rankings[0] == rankings[1] == rankings[2]

    @pytest.mark.parametrize(
        "estimator",
        [None, LinearSVC(), Ridge(), LinearProbeClassifier(random_state=0)],
        ids=lambda e: type(e).__name__,
    )
    def test_any_linear_model(self, classification, estimator):
        selector = WeightMassSelector(estimator, n_neurons=3).fit(*classification)
        assert selector.transform(classification[0]).shape == (150, 3)

    def test_prefit(self, classification):
        X, y = classification
        fitted = LogisticRegression().fit(X, y)
        prefit = WeightMassSelector(fitted, n_neurons=3, prefit=True).fit(X)
        assert prefit.estimator_ is fitted
        trained = WeightMassSelector(LogisticRegression(), n_neurons=3).fit(X, y)
        np.testing.assert_array_equal(prefit.ranking_, trained.ranking_)

    def test_constant_neurons_rank_last(self, classification):
        """Also one that is constant up to rounding, which a scaler would blow up."""
        X, y = classification
        rng = np.random.RandomState(0)
        X = X.copy()
        X[:, 5] = np.where(rng.uniform(size=len(X)) < 0.5, 7, np.nextafter(7, 8))
        X[:, 3] = 2.5
        assert X[:, 5].std() > 0
        selector = WeightMassSelector(LogisticRegression()).fit(X, y)
        assert set(selector.ranking_[-2:]) == {3, 5}
        assert (selector.scores_[[3, 5]] == 0).all()

    @pytest.mark.parametrize(
        ("parameters", "message"),
        [
            (dict(n_neurons=3, mass=0.5), r"not \['n_neurons', 'mass'\]"),
            (dict(n_neurons=13), "n_neurons=13, but X has 12 neurons"),
            (dict(n_neurons=1.5), "The 'n_neurons' parameter"),
            (dict(mass=1.5), "The 'mass' parameter"),
            (dict(threshold=-0.1), "The 'threshold' parameter"),
            (dict(order="best"), "The 'order' parameter"),
            (dict(target="NOUN"), r"target='NOUN' is not one of the classes \['a', 'b', 'c'\]"),
        ],
    )
    def test_errors(self, data, parameters, message):
        with pytest.raises(ValueError, match=message):
            self.select(data, **parameters)

    def test_a_model_without_weights(self, classification):
        with pytest.raises(TypeError, match="DecisionTreeClassifier has none"):
            WeightMassSelector(DecisionTreeClassifier()).fit(*classification)

    def test_prefit_on_another_width(self, classification):
        X, y = classification
        fitted = LogisticRegression().fit(X, y)
        with pytest.raises(ValueError, match="weights for 12 neurons, but X has 5"):
            WeightMassSelector(fitted, prefit=True).fit(X[:, :5])

    def test_a_word_of_weight_zero_is_not_there(self, classification):
        """Neither in the model nor in the scale of the neurons."""
        X, y = classification
        X = np.vstack([X, 1000 * X[:30]])
        y, weight = np.append(y, y[:30]), np.repeat([1.0, 0.0], [150, 30])
        weighted = WeightMassSelector(LogisticRegression()).fit(X, y, sample_weight=weight)
        removed = WeightMassSelector(LogisticRegression()).fit(X[:150], y[:150])
        np.testing.assert_allclose(weighted.class_scores_, removed.class_scores_, rtol=1e-3)

    def test_prefit_errors(self, classification):
        X, y = classification
        with pytest.raises(ValueError, match="needs a fitted estimator, got None"):
            WeightMassSelector(prefit=True).fit(X)
        with pytest.raises(NotFittedError, match="FrozenEstimator"):
            WeightMassSelector(LogisticRegression(), prefit=True).fit(X)
        fitted = LogisticRegression().fit(X, y)
        with pytest.raises(ValueError, match=r"\['sample_weight'\] have no use"):
            WeightMassSelector(fitted, prefit=True).fit(X, y, sample_weight=np.ones(150))
        frozen = WeightMassSelector(FrozenEstimator(fitted), n_neurons=3)
        np.testing.assert_array_equal(
            clone(frozen).fit(X, y).ranking_,
            WeightMassSelector(fitted, prefit=True).fit(X).ranking_,
        )

    def test_sparse_weights(self, classification):
        X, y = classification
        fitted = LogisticRegression().fit(X, y)
        expected = WeightMassSelector(fitted, prefit=True).fit(X).ranking_
        fitted.sparsify()
        np.testing.assert_array_equal(
            WeightMassSelector(fitted, prefit=True).fit(X).ranking_, expected
        )

    def test_a_target_needs_classes(self, classification):
        X, _ = classification
        with pytest.raises(ValueError, match=r"target=0 is not one of the classes \[\]"):
            WeightMassSelector(Ridge(), target=0).fit(X, np.arange(150))


def test_neuron_std_counts_weights_as_repetitions():
    rng = np.random.RandomState(0)
    X, times = rng.normal(size=(50, 3)), rng.randint(4, size=50)
    np.testing.assert_allclose(neuron_std(X, times), X.repeat(times, axis=0).std(axis=0))
    np.testing.assert_allclose(neuron_std(1e200 * X), 1e200 * X.std(axis=0))


def test_neuron_std_is_the_standard_deviation():
    rng = np.random.RandomState(0)
    X = rng.normal(5, 3, size=(3000, 4)).astype(np.float32)
    np.testing.assert_allclose(neuron_std(X), X.astype(float).std(axis=0), rtol=1e-10)
    X[:, 2] = np.float32(1.1)
    X[:, 3] = 1e-30 * rng.normal(size=3000)
    assert neuron_std(X)[2:].tolist() == [0, 0]
    np.testing.assert_allclose(neuron_std(X[:, 3:]), X[:, 3].std(dtype=float))  # beside no other
