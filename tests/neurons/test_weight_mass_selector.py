"""The selector by weight mass ranks as the functions do, with any linear model."""

import tracemalloc

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from sklearn_neurox import (
    LinearProbeClassifier,
    LinearProbeClassifierCV,
    LinearProbeRegressor,
    WeightMassSelector,
    bottom_neurons,
    threshold_neurons,
    top_neurons,
    weight_mass_ordering,
)

LINEAR = LogisticRegression(C=0.1, max_iter=10_000)


class TestWeightMassSelector:
    @pytest.fixture
    def data(self, classification):
        X, y = classification
        return X * np.logspace(-2, 2, 12), np.array(["a", "b", "c"])[y]

    def select(self, data, estimator=None, **parameters):
        estimator = estimator or LogisticRegression(C=10, solver="newton-cholesky")
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
        """The weights of an unregularized model depend on units; |coef| * std does not."""
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
    @pytest.mark.filterwarnings("ignore:Adam stopped while")
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
        """Including a neuron that is constant up to rounding, which a scaler would inflate."""
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
            (dict(n_neurons=3, mass=0.5), r"can be set, got \['n_neurons', 'mass'\]"),
            (
                dict(n_neurons=13),
                "n_neurons must be at most the number of neurons in X, 12, got 13",
            ),
            (dict(n_neurons=1.5), "The 'n_neurons' parameter"),
            (dict(mass=1.5), "The 'mass' parameter"),
            (dict(threshold=-0.1), "The 'threshold' parameter"),
            (dict(order="best"), "The 'order' parameter"),
            (
                dict(target="NOUN"),
                r"target must be one of the classes \['a', 'b', 'c'\], got 'NOUN'",
            ),
        ],
    )
    def test_errors(self, data, parameters, message):
        with pytest.raises(ValueError, match=message):
            self.select(data, **parameters)

    def test_a_model_without_weights(self, classification):
        with pytest.raises(TypeError, match="DecisionTreeClassifier does not have coef_"):
            WeightMassSelector(DecisionTreeClassifier()).fit(*classification)

    def test_prefit_on_another_width(self, classification):
        X, y = classification
        fitted = LogisticRegression().fit(X, y)
        with pytest.raises(ValueError, match="weights for 12 neurons, but X has 5"):
            WeightMassSelector(fitted, prefit=True).fit(X[:, :5])

    def test_a_weight_of_zero_removes_the_sample(self, classification):
        """From the model and from the scale of the neurons."""
        X, y = classification
        X = np.vstack([X, 1000 * X[:30]])
        y, weight = np.append(y, y[:30]), np.repeat([1.0, 0.0], [150, 30])
        weighted = WeightMassSelector(LogisticRegression()).fit(X, y, sample_weight=weight)
        removed = WeightMassSelector(LogisticRegression()).fit(X[:150], y[:150])
        np.testing.assert_allclose(weighted.class_scores_, removed.class_scores_, rtol=1e-3)

    def test_prefit_errors(self, classification):
        X, y = classification
        with pytest.raises(ValueError, match="requires a fitted estimator, got None"):
            WeightMassSelector(prefit=True).fit(X)
        with pytest.raises(NotFittedError, match="FrozenEstimator"):
            WeightMassSelector(LogisticRegression(), prefit=True).fit(X)
        fitted = LogisticRegression().fit(X, y)
        with pytest.raises(ValueError, match=r"\['sample_weight'\] cannot be used"):
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
        with pytest.raises(ValueError, match=r"target must be one of the classes \[\], got 0"):
            WeightMassSelector(Ridge(), target=0).fit(X, np.arange(150))


def test_weights_of_pairs_of_classes_have_no_target(data):
    """Three classes have three pairs, so that the rows could be mistaken for classes."""
    selector = WeightMassSelector(SVC(kernel="linear"))
    assert selector.fit(*data).class_scores_.shape == (3, 12)
    with pytest.raises(ValueError, match="the weights of SVC compare pairs of classes"):
        selector.set_params(target="b").fit(*data)


def test_a_regressor_has_no_target(data):
    X, _ = data
    with pytest.raises(ValueError, match=r"target must be one of the classes \[\], got 0"):
        WeightMassSelector(Ridge(), target=0).fit(X, np.arange(150) % 5)


def test_groups_reach_the_folds_of_an_inner_search(data):
    X, y = data
    groups = np.arange(150) // 10
    inner = LinearProbeClassifierCV(
        lambdas_l1=[1e-3], lambdas_l2=[1e-3], solver="owlqn", tol=1e-3, cv=GroupKFold(3)
    )
    steps = make_pipeline(WeightMassSelector(inner), LINEAR)
    with pytest.raises(ValueError, match="groups"):
        steps.fit(X, y)
    with config_context(enable_metadata_routing=True):
        fitted = clone(steps).fit(X, y, groups=groups)
        search = GridSearchCV(
            steps, {"weightmassselector__n_neurons": [1, 3]}, cv=GroupKFold(3)
        ).fit(X, y, groups=groups)
    expected = clone(inner).fit(X, y, groups=groups)
    np.testing.assert_allclose(fitted[0].estimator_.coef_, expected.coef_)
    assert search.best_params_ == {"weightmassselector__n_neurons": 3}


@config_context(enable_metadata_routing=True)
def test_a_pipeline_passes_weights_on_to_the_probe(classification):
    """A Pipeline calls ``fit_transform``, through which scikit-learn 1.9.0 routed no metadata."""
    X, y = classification
    weights = np.random.RandomState(0).exponential(size=len(y)) ** 4
    probe = LogisticRegression().set_fit_request(sample_weight=True)
    pipeline = make_pipeline(WeightMassSelector(probe), clone(probe))
    fitted = pipeline.fit(X, y, sample_weight=weights)[0].estimator_.coef_.copy()
    np.testing.assert_allclose(fitted, clone(probe).fit(X, y, sample_weight=weights).coef_)
    assert np.abs(fitted - clone(probe).fit(X, y).coef_).max() > 0.1


@pytest.mark.filterwarnings("ignore:Adam stopped while")
class TestStandardize:
    """The ranking is that of a linear probe behind a StandardScaler."""

    PROBE = LinearProbeClassifier(random_state=0)
    SPARSE = LinearProbeClassifier(lambda_l1=1e-2, solver="owlqn", tol=1e-8)

    @pytest.mark.parametrize("scaled", [True, False])
    @pytest.mark.parametrize(
        "probe",
        [
            SPARSE,
            PROBE,
            LinearProbeRegressor(lambda_l1=0.05, solver="owlqn", tol=1e-8),
            LinearProbeClassifierCV(
                lambdas_l1=[1e-3, 1e-2], lambdas_l2=[0], solver="owlqn", tol=1e-8, cv=3
            ),
        ],
        ids=lambda probe: f"{type(probe).__name__} {probe.solver}",
    )
    def test_ranks_as_behind_a_scaler(self, classification, probe, scaled):
        X, y = classification
        X = X * np.logspace(-0.1, 0.1, 12)  # comparable scales, so scaled=False does not warn
        ours = WeightMassSelector(probe, standardize=True, scaled=scaled).fit(X, y)
        behind = WeightMassSelector(make_pipeline(StandardScaler(), probe)).fit(X, y)
        assert not probe.standardize
        if scaled:
            np.testing.assert_array_equal(ours.ranking_, behind.ranking_)
            np.testing.assert_allclose(ours.class_scores_, behind.class_scores_, atol=1e-7)
        else:  # the weights for X as it is
            raw = np.abs(behind.estimator_[-1].coef_) / behind.estimator_[0].scale_
            raw = np.atleast_2d(raw)
            raw /= raw.sum(axis=1, keepdims=True)
            np.testing.assert_allclose(ours.class_scores_, raw, atol=1e-7)

    def test_the_default_probe(self, data):
        X, y = data
        ours = WeightMassSelector(standardize=True).fit(X, y)
        behind = WeightMassSelector(make_pipeline(StandardScaler(), self.PROBE)).fit(X, y)
        np.testing.assert_array_equal(ours.ranking_, behind.ranking_)
        assert ours.estimator_.standardize
        # Adam on unscaled neurons ranks them differently.
        assert (WeightMassSelector().fit(X, y).ranking_ != ours.ranking_).any()

    def test_weighted_samples(self, data):
        X, y = data
        weight = np.random.RandomState(0).exponential(size=len(y)) ** 2
        ours = WeightMassSelector(self.SPARSE, standardize=True).fit(X, y, sample_weight=weight)
        scaler = StandardScaler()
        rows = scaler.fit_transform(X, sample_weight=weight)
        behind = WeightMassSelector(self.SPARSE).fit(rows, y, sample_weight=weight)
        np.testing.assert_allclose(ours.class_scores_, behind.class_scores_, atol=1e-7)

    def test_a_search_over_it(self, data):
        steps = make_pipeline(WeightMassSelector(self.SPARSE, n_neurons=3), LINEAR)
        grid = GridSearchCV(steps, {"weightmassselector__standardize": [False, True]}, cv=3)
        assert grid.fit(*data).best_estimator_[0].transform(data[0]).shape == (150, 3)

    @pytest.mark.parametrize("standardize", [False, True])
    def test_a_memory_map_in_float16_is_not_converted(self, tmp_path, standardize):
        rng = np.random.RandomState(0)
        stored = np.memmap(tmp_path / "X", dtype=np.float16, mode="w+", shape=(20_000, 400))
        stored[:] = rng.normal(size=stored.shape)
        y = stored[:, 7] > 0
        stored.flush()
        mapped = np.memmap(tmp_path / "X", dtype=np.float16, mode="r", shape=stored.shape)
        probe = LinearProbeClassifier(max_epochs=1, learning_rate=1e-2, random_state=0)
        selector = WeightMassSelector(probe, standardize=standardize, n_neurons=3)
        tracemalloc.start()  # sees the arrays of numpy; torch's are chunks
        try:
            selector.fit(mapped, y)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < mapped.nbytes
        assert selector.ranking_[0] == 7
        single = clone(selector).fit(np.array(mapped, np.float32), y)
        np.testing.assert_array_equal(single.ranking_, selector.ranking_)

    def test_a_model_that_reads_float32_gets_it(self, data):
        X, y = data
        half = WeightMassSelector(Ridge()).fit(X.astype(np.float16), y == "a")
        single = WeightMassSelector(Ridge()).fit(X.astype(np.float16).astype(np.float32), y == "a")
        np.testing.assert_array_equal(half.class_scores_, single.class_scores_)

    @pytest.mark.parametrize(
        "model", [LINEAR, make_pipeline(StandardScaler(), PROBE)], ids=["other", "Pipeline"]
    )
    def test_other_models(self, data, model):
        with pytest.raises(ValueError, match=r"requires a linear probe of this package .*, got "):
            WeightMassSelector(model, standardize=True).fit(*data)

    def test_a_fitted_model(self, data):
        fitted = clone(self.PROBE).fit(*data)
        with pytest.raises(ValueError, match=r"so standardize=True cannot be used"):
            WeightMassSelector(fitted, standardize=True, prefit=True).fit(*data)
