"""Every estimator follows the conventions of scikit-learn."""

import pickle

import joblib
import numpy as np
import pytest
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_neurox import (
    AveragePrecisionSelector,
    CorrelationClustering,
    GaussianProbeClassifier,
    GaussianSelector,
    IndependentNeuronSelector,
    LayerSelector,
    LeaceEraser,
    LinearProbeClassifier,
    LinearProbeClassifierCV,
    LinearProbeRegressor,
    LinearProbeRegressorCV,
    MeanDifferenceClassifier,
    NeuronAblator,
    NeuronSelector,
    NullspaceEraser,
    ProbelessSelector,
    RandomSelector,
    VotingSelector,
    WeightMassSelector,
)

# A few epochs of large steps are enough, because the checks test behavior on tiny data.
CLASSIFIER = LinearProbeClassifier(
    learning_rate=0.1, max_epochs=20, batch_size=64, random_state=0, device="cpu"
)
REGRESSOR = LinearProbeRegressor(
    learning_rate=0.1, max_epochs=20, batch_size=64, random_state=0, device="cpu"
)
ESTIMATORS = [
    CLASSIFIER,
    REGRESSOR,
    clone(CLASSIFIER).set_params(lambda_l1=1e-4, lambda_l2=1e-4, l2_penalty="squared"),
    LinearProbeClassifier(lambda_l1=1e-3, lambda_l2=1e-3, solver="owlqn", tol=1e-9, device="cpu"),
    LinearProbeClassifier(lambda_l2=0.1, l2_penalty="squared", solver="owlqn", device="cpu"),
    clone(CLASSIFIER).set_params(standardize=True),
    LinearProbeRegressor(lambda_l1=1e-3, standardize=True, solver="owlqn", tol=1e-10, device="cpu"),
    LinearProbeRegressor(lambda_l1=1e-3, lambda_l2=1e-3, solver="owlqn", tol=1e-10, device="cpu"),
    LinearProbeClassifierCV(lambdas_l1=[1e-3], lambdas_l2=[1e-3], solver="owlqn", tol=1e-8, cv=2),
    LinearProbeRegressorCV(lambdas_l1=[0.1], lambdas_l2=[0.1], solver="owlqn", tol=1e-8, cv=2),
    GaussianProbeClassifier(),
    GaussianProbeClassifier(covariance="map"),
    MeanDifferenceClassifier(),
    MeanDifferenceClassifier(whiten=True, shrinkage="auto"),
    LayerSelector(0, n_layers=1),
    NeuronSelector([0]),
    WeightMassSelector(clone(CLASSIFIER).set_params(max_epochs=2), n_neurons=1),
    WeightMassSelector(clone(CLASSIFIER).set_params(max_epochs=2), mass=0.5, scaled=False),
    ProbelessSelector(),
    AveragePrecisionSelector(n_neurons=1),
    GaussianSelector(n_neurons=1),
    RandomSelector(n_neurons=1, random_state=0),
    VotingSelector([("means", ProbelessSelector()), ("detectors", AveragePrecisionSelector())]),
    *[
        CorrelationClustering(pooling=pooling, random_state=0)
        for pooling in ("mean", "signed_mean", "representative")
    ],
    IndependentNeuronSelector(pick="medoid"),
    # The mode "interchange" expects as many rows as in fit, and some checks pass other numbers.
    *[
        NeuronAblator([0], mode=mode, random_state=0)
        for mode in ("zero", "mean", "resample", "remove")
    ],
    LeaceEraser(),
    LeaceEraser(shrinkage=0.5),
    NullspaceEraser(
        LinearProbeClassifier(lambda_l2=0.1, l2_penalty="squared", solver="owlqn", device="cpu")
    ),
]


# The checks use few samples, on different scales, and some classes have a single sample.
@pytest.mark.filterwarnings("ignore:WeightMassSelector.scaled=False.:UserWarning")
@pytest.mark.filterwarnings("ignore:CorrelationClustering. with only:UserWarning")
@pytest.mark.filterwarnings("ignore:.*have only one sample each:UserWarning")
@pytest.mark.filterwarnings("ignore:After the last epoch, the squared error")
@pytest.mark.filterwarnings("ignore:Adam stopped while")
@parametrize_with_checks(ESTIMATORS)
def test_sklearn_compatible(estimator, check):
    check(estimator)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_clone_pickle_and_joblib_preserve_the_output(estimator, classification, tmp_path):
    X, y = classification
    fitted = clone(estimator).fit(X, y)
    method = "predict" if is_classifier(fitted) or is_regressor(fitted) else "transform"
    expected = getattr(fitted, method)(X)

    joblib.dump(fitted, tmp_path / "estimator.joblib")
    copies = [
        clone(fitted).fit(X, y),
        pickle.loads(pickle.dumps(fitted)),
        joblib.load(tmp_path / "estimator.joblib"),
    ]
    for copy in copies:
        np.testing.assert_array_equal(getattr(copy, method)(X), expected)


class Recorder:
    """Callback that records when it is set up and torn down."""

    def __init__(self):
        self.calls = []

    def setup(self, estimator, context):
        self.calls.append("setup")

    def teardown(self, estimator, context):
        self.calls.append("teardown")

    def on_fit_task_begin(self, *args, **kwargs):
        pass

    def on_fit_task_end(self, *args, **kwargs):
        pass


class Interrupted(BaseException):
    pass


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_callbacks_are_torn_down_even_if_fit_fails(estimator, classification):
    X, y = classification
    recorder = Recorder()
    estimator = clone(estimator).set_callbacks(recorder).fit(X, y)
    assert recorder.calls == ["setup", "teardown"]
    before = vars(estimator).copy()

    def interrupt(*args, **kwargs):
        raise Interrupted

    recorder.on_fit_task_begin = interrupt
    with pytest.raises(Interrupted):
        estimator.fit(X[:, :5], y)
    assert recorder.calls == ["setup", "teardown"] * 2
    assert vars(estimator).keys() == before.keys()
    assert all(vars(estimator)[name] is before[name] for name in before)


def test_a_pickled_probe_is_small(classification):
    X, y = classification
    probe = clone(CLASSIFIER).fit(np.repeat(X, 100, axis=0), np.repeat(y, 100))
    assert len(pickle.dumps(probe)) < 20_000  # the training data are 1.4 MB


def test_a_parallel_grid_search_equals_a_serial_one(classification):
    X, y = classification
    pipeline = make_pipeline(StandardScaler(), clone(CLASSIFIER).set_params(max_epochs=2))
    grid = {"linearprobeclassifier__lambda_l1": [0.0, 1e-2]}
    serial, parallel = (
        GridSearchCV(pipeline, grid, cv=2, n_jobs=n_jobs).fit(X, y) for n_jobs in (None, 2)
    )
    np.testing.assert_array_equal(
        serial.cv_results_["mean_test_score"], parallel.cv_results_["mean_test_score"]
    )


def test_column_names_pass_through_a_pipeline(classification):
    pandas = pytest.importorskip("pandas")
    X, y = classification
    names = [f"layer_{layer}_neuron_{i}" for layer in range(3) for i in range(4)]
    frame = pandas.DataFrame(X, columns=names)
    steps = make_pipeline(
        LayerSelector([0, 2], n_layers=3),
        StandardScaler(),
        NeuronAblator([1]),
        WeightMassSelector(CLASSIFIER, n_neurons=3),
        NeuronSelector([1, 2]),
    ).set_output(transform="pandas")
    selected = steps.fit_transform(frame, y)
    assert selected.shape == (150, 2)
    assert set(selected.columns) <= set(names[:4] + names[8:])
    np.testing.assert_array_equal(selected.columns, steps.get_feature_names_out())


def test_sample_weight_is_routed_through_selector_and_pipeline(classification):
    from sklearn import config_context

    X, y = classification
    weight = (y != 2).astype(float)
    with config_context(enable_metadata_routing=True):
        probe = clone(CLASSIFIER).set_fit_request(sample_weight=True)
        pipeline = make_pipeline(WeightMassSelector(probe, n_neurons=2), probe)
        pipeline.fit(X, y, sample_weight=weight)
    assert list(pipeline[0].estimator_.classes_) == [0, 1]  # a sample of weight 0 is ignored
    assert list(pipeline[1].classes_) == [0, 1]
    np.testing.assert_array_equal(pipeline[0].get_support(indices=True), [0, 1])


def test_the_ranking_never_sees_the_test_fold():
    """Neuron 0 contains the labels of the test samples only, so that a leak would select it."""
    rng = np.random.RandomState(0)
    n = 200
    y = rng.randint(2, size=n)
    X = rng.normal(size=(n, 30))
    X[:, 1] += y
    train, test = np.arange(n // 2), np.arange(n // 2, n)
    X[test, 0] = 50 * (y[test] - 0.5)
    pipeline = make_pipeline(WeightMassSelector(CLASSIFIER, n_neurons=1), CLASSIFIER)
    clean = cross_val_score(pipeline, X, y, cv=[(train, test)])
    assert clean < 0.8
    everything = WeightMassSelector(CLASSIFIER, n_neurons=1).fit(X, y)
    assert everything.get_support(indices=True) == [0]  # a leak would select the same neuron
