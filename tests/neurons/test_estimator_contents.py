"""A linear model inside Pipelines, searches and frozen estimators, as WeightMassSelector uses it."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklearn_neurox import ProbelessSelector, WeightMassSelector

LINEAR = LogisticRegression(C=0.1, max_iter=10_000)


class TestScalers:
    """A linear model behind a scaler ranks the neurons of the unscaled X."""

    def dead(self, data):
        X, y = data
        noise = 1e-32 * np.random.RandomState(0).normal(size=(150, 2))
        noise[:, 0] += 1e-32 * (y == "a")  # a scaler makes it as good as any other neuron
        return np.hstack([noise, X * np.logspace(-3, 3, 12)]), y

    @pytest.mark.parametrize("scaled", [True, False])
    def test_noise_inflated_by_a_scaler_ranks_last(self, data, scaled):
        X, y = self.dead(data)
        steps = make_pipeline(StandardScaler(), LINEAR)
        selector = WeightMassSelector(steps, n_neurons=3, scaled=scaled).fit(X, y)
        assert np.abs(selector.estimator_[-1].coef_[:, :2]).max() > 0.01
        assert selector.ranking_[-2:].tolist() == [0, 1]
        assert selector.get_support(indices=True).tolist() == [2, 3, 4]
        np.testing.assert_array_equal(selector.transform(X), X[:, 2:5])

    def test_a_scaler_inside_ranks_like_a_scaler_before(self, data):
        X, y = data
        inside = WeightMassSelector(make_pipeline(StandardScaler(), LINEAR)).fit(X, y)
        behind = WeightMassSelector(LINEAR).fit(StandardScaler().fit_transform(X), y)
        np.testing.assert_array_equal(inside.ranking_, behind.ranking_)

    def test_a_search_ranks_by_its_best(self, data):
        X, y = data
        search = GridSearchCV(
            make_pipeline(StandardScaler(), LINEAR), {"logisticregression__C": [0.01]}, cv=2
        )
        selector = WeightMassSelector(search).fit(X, y)
        best = WeightMassSelector(make_pipeline(StandardScaler(), clone(LINEAR).set_params(C=0.01)))
        np.testing.assert_array_equal(selector.ranking_, best.fit(X, y).ranking_)

    @pytest.mark.parametrize("wrap", ["frozen", "search inside", "nested", "frozen inside"])
    def test_nested_wrappers(self, data, wrap):
        X, y = data
        search = GridSearchCV(clone(LINEAR), {"C": [0.1]}, cv=2)
        frozen = FrozenEstimator(clone(LINEAR).fit(StandardScaler().fit_transform(X), y))
        steps = {
            "frozen": FrozenEstimator(make_pipeline(StandardScaler(), LINEAR).fit(X, y)),
            "search inside": make_pipeline(StandardScaler(), search),
            "nested": make_pipeline(make_pipeline(StandardScaler(), LINEAR)),
            "frozen inside": make_pipeline(StandardScaler(), frozen),
        }[wrap]
        plain = WeightMassSelector(make_pipeline(StandardScaler(), LINEAR)).fit(X, y)
        np.testing.assert_allclose(
            WeightMassSelector(steps).fit(X, y).class_scores_, plain.class_scores_
        )

    def test_the_model_gets_the_names(self, data):
        pandas = pytest.importorskip("pandas")
        X, y = data
        names = [f"neuron{i}" for i in range(12)]
        frame = pandas.DataFrame(X, columns=names)
        scaler = ColumnTransformer(
            [("all", StandardScaler(), names)], verbose_feature_names_out=False
        )
        selector = WeightMassSelector(make_pipeline(scaler, LINEAR)).fit(frame, y)
        assert selector.estimator_.feature_names_in_.tolist() == names
        plain = WeightMassSelector(make_pipeline(StandardScaler(), LINEAR)).fit(X, y)
        np.testing.assert_array_equal(selector.ranking_, plain.ranking_)

    def test_a_prefit_model_saw_the_same_columns(self, data):
        pandas = pytest.importorskip("pandas")
        X, y = data
        frame = pandas.DataFrame(X, columns=[f"neuron{i}" for i in range(12)])
        model = clone(LINEAR).fit(frame, y)
        with pytest.raises(
            ValueError,
            match=r"must be those that the estimator was fitted on, \['neuron0', .* got \['neuron11', ",
        ):
            WeightMassSelector(model, prefit=True).fit(frame[frame.columns[::-1]])

    def test_passthrough(self, data):
        X, y = data
        steps = Pipeline([("off", "passthrough"), ("model", clone(LINEAR))])
        np.testing.assert_array_equal(
            WeightMassSelector(steps).fit(X, y).ranking_,
            WeightMassSelector(LINEAR).fit(X, y).ranking_,
        )

    def test_prefit_with_names(self, data):
        pandas = pytest.importorskip("pandas")
        X, y = data
        frame = pandas.DataFrame(X, columns=[f"neuron{i}" for i in range(12)])
        steps = make_pipeline(StandardScaler(), LINEAR).fit(frame, y)
        selector = WeightMassSelector(steps, prefit=True).fit(frame)
        np.testing.assert_array_equal(
            selector.ranking_, WeightMassSelector(clone(steps)).fit(X, y).ranking_
        )

    def test_steps_must_keep_the_neurons(self, data):
        with pytest.raises(
            TypeError, match=r"\['PCA'\] turn 12 columns into 12, .* first is 'pca0'"
        ):
            WeightMassSelector(make_pipeline(PCA(), LINEAR)).fit(*data)
        with pytest.raises(
            TypeError,
            match=r"The steps \['FunctionTransformer'\] before the linear model must implement get_feature_names_out",
        ):
            WeightMassSelector(make_pipeline(FunctionTransformer(np.abs), LINEAR)).fit(*data)
        with pytest.raises(TypeError, match=r"turn 12 columns into 3, .* first is 'neuron_0'"):
            WeightMassSelector(make_pipeline(ProbelessSelector(n_neurons=3), LINEAR)).fit(*data)

    def test_unscaled_rankings_of_scaled_neurons_do_not_warn(self, data):
        X, y = data
        X = X * np.logspace(-3, 3, 12)
        WeightMassSelector(LINEAR, scaled=False).fit(StandardScaler().fit_transform(X), y)
        WeightMassSelector(make_pipeline(StandardScaler(), LINEAR), scaled=False).fit(X, y)
        with pytest.warns(UserWarning, match="10% of them have a standard deviation below"):
            WeightMassSelector(LINEAR, scaled=False).fit(X, y)


class TestWeights:
    """Standard deviations use the sample weights that the model was trained with."""

    def steps(self):
        return make_pipeline(StandardScaler(), clone(LINEAR))

    def with_outliers(self, data):
        """Samples without weight, in which neuron 5 has huge values."""
        X, y = data
        weight = np.arange(150) % 3 > 0
        return np.where(weight[:, np.newaxis] | (np.arange(12) != 5), X, 1e6), y, weight * 1.0

    def test_weights_of_the_last_step(self, data):
        X, y, weight = self.with_outliers(data)
        expected = WeightMassSelector(self.steps()).fit(X[weight > 0], y[weight > 0])
        found = WeightMassSelector(self.steps()).fit(
            X, y, standardscaler__sample_weight=weight, logisticregression__sample_weight=weight
        )
        np.testing.assert_allclose(found.class_scores_, expected.class_scores_, atol=1e-4)

    @pytest.mark.parametrize("name", ["sample_weight", "importance"])
    def test_routed_weights_of_any_name(self, data, name):
        X, y, weight = self.with_outliers(data)
        expected = WeightMassSelector(self.steps()).fit(X[weight > 0], y[weight > 0])
        with config_context(enable_metadata_routing=True):
            asks = True if name == "sample_weight" else name
            steps = make_pipeline(
                StandardScaler().set_fit_request(sample_weight=asks),
                clone(LINEAR).set_fit_request(sample_weight=asks),
            )
            inside = WeightMassSelector(steps).fit(X, y, **{name: weight})
            alone = WeightMassSelector(steps[-1]).fit(X, y, **{name: weight})
        np.testing.assert_allclose(inside.class_scores_, expected.class_scores_, atol=1e-4)
        expected = WeightMassSelector(LINEAR).fit(X[weight > 0], y[weight > 0])
        np.testing.assert_allclose(alone.class_scores_, expected.class_scores_, atol=1e-4)


def test_a_scaler_that_works_in_place_does_not_change_X(classification):
    X, y = classification
    X = 3 * X + 5
    before = X.copy()
    rankings = [
        WeightMassSelector(make_pipeline(StandardScaler(copy=copy), LogisticRegression())).fit(X, y)
        for copy in (True, False)
    ]
    np.testing.assert_array_equal(X, before)
    np.testing.assert_allclose(rankings[0].class_scores_, rankings[1].class_scores_)
