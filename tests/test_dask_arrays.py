"""dask arrays give the results of the same numbers in an array of NumPy."""

import sys
import tracemalloc

import dask
import dask.array as da
import dask.bag
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score

import sklearn_neurox as snx
from sklearn_neurox import _row_copies
from sklearn_neurox._conversion import as_numpy
from sklearn_neurox._files import mapping_of

EXACT = {"solver": "owlqn", "lambda_l1": 0, "lambda_l2": 0.01}
ADAM = {"random_state": 0, "max_epochs": 2}
ESTIMATORS = [
    snx.MeanDifferenceClassifier(whiten=True),
    snx.GaussianProbeClassifier(),
    snx.LinearProbeClassifier(**EXACT),
    snx.LinearProbeClassifier(standardize=True, **ADAM),
    snx.LinearProbeRegressor(**EXACT),
    snx.LinearProbeClassifierCV(lambdas_l1=[0], lambdas_l2=[0, 0.1], cv=2, **ADAM),
    snx.LeaceEraser(),
    snx.NullspaceEraser(snx.MeanDifferenceClassifier()),
    snx.NeuronAblator([3], mode="mean"),
    snx.ProbelessSelector(),
    snx.AveragePrecisionSelector(),
    snx.GaussianSelector(),
    snx.WeightMassSelector(snx.LinearProbeClassifier(**EXACT)),
    snx.CorrelationClustering(),
    snx.IndependentNeuronSelector(),
]
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(autouse=True)
def files(monkeypatch):
    """Keep also small arrays in files."""
    monkeypatch.setattr(_row_copies, "_LARGEST_IN_MEMORY", 1000)


@pytest.fixture
def samples(classification):
    X, y = classification
    return X, y, da.from_array(X, chunks=(40, 5)), da.from_array(y, chunks=60)


def fitted_arrays(estimator):
    found = {k: v for k, v in vars(estimator).items() if isinstance(v, np.ndarray)}
    assert found
    return found


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda each: type(each).__name__)
def test_estimators(estimator, samples):
    X, y, blocks, labels = samples
    weight = np.arange(150) % 3 + 1.0
    options = ({}, {})
    if "Linear" in type(estimator).__name__ or "Gaussian" in type(estimator).__name__:
        options = {"sample_weight": weight}, {"sample_weight": da.from_array(weight, chunks=50)}
    expected = clone(estimator).fit(X, y, **options[0])
    found = clone(estimator).fit(blocks, labels, **options[1])
    for name, value in fitted_arrays(expected).items():
        if name != "cv_results_":
            np.testing.assert_array_equal(vars(found)[name], value, err_msg=name)
    method = next((m for m in ("predict", "transform") if hasattr(found, m)), None)
    if method:
        np.testing.assert_array_equal(getattr(found, method)(blocks), getattr(expected, method)(X))


def test_batches(samples):
    X, y, blocks, labels = samples
    expected = snx.MeanDifferenceClassifier().partial_fit(X, y, classes=[0, 1, 2])
    found = snx.MeanDifferenceClassifier().partial_fit(blocks, labels, classes=[0, 1, 2])
    np.testing.assert_array_equal(found.coef_, expected.coef_)


def test_functions(samples):
    X, y, blocks, labels = samples
    probe = snx.LinearProbeClassifier(**EXACT)
    expected = snx.layerwise_scores(probe, X, y, n_layers=3, cv=2, groups=np.arange(150) // 2)
    groups = da.from_array(np.arange(150) // 2)
    found = snx.layerwise_scores(probe, blocks, labels, n_layers=3, cv=2, groups=groups)
    np.testing.assert_array_equal(found.scores, expected.scores)
    np.testing.assert_array_equal(
        snx.ablation_curve(probe, blocks, labels, ranking=np.arange(12), cv=2).scores["top"],
        snx.ablation_curve(probe, X, y, ranking=np.arange(12), cv=2).scores["top"],
    )


def test_searches_of_scikit_learn(samples):
    X, y, blocks, _ = samples
    probe = snx.MeanDifferenceClassifier()
    np.testing.assert_array_equal(
        cross_val_score(probe, blocks, y, cv=2), cross_val_score(probe, X, y, cv=2)
    )
    search = GridSearchCV(probe, {"whiten": [True, False]}, cv=2)
    expected = clone(search).fit(X, y).cv_results_["mean_test_score"]
    np.testing.assert_array_equal(search.fit(blocks, y).cv_results_["mean_test_score"], expected)


@pytest.mark.parametrize("scheduler", ["sync", "threads", "processes"])
def test_blocks_are_computed_once_and_written(scheduler):
    X = np.arange(6000.0).reshape(500, 12)
    blocks = da.from_array(X, chunks=(70, 5)) + 1
    with dask.config.set(scheduler=scheduler, num_workers=1):
        found = as_numpy(blocks, name="X")
    assert mapping_of(found) is not None
    np.testing.assert_array_equal(found, X + 1)


def test_several_passes_compute_each_block_once(samples):
    X, y, _, _ = samples
    computed = []

    def count(block):
        computed.append(len(block))
        return block

    blocks = da.from_array(X, chunks=(50, 12)).map_blocks(count, dtype=X.dtype, meta=X[:0])
    with dask.config.set(scheduler="sync"):  # also if other tests have started a cluster
        snx.LinearProbeClassifier(standardize=True, random_state=0).fit(blocks, y)
    assert computed == [50, 50, 50]


def test_the_memory_is_that_of_a_few_blocks():
    n_rows, n_blocks = 4000, 40
    blocks = da.random.default_rng(0).normal(size=(n_rows, 250), chunks=(n_rows // n_blocks, 250))
    y = np.arange(n_rows) % 2
    probe = snx.MeanDifferenceClassifier()
    probe.fit(blocks[:100], y[:100])
    tracemalloc.start()
    with dask.config.set(scheduler="sync"):
        probe.fit(blocks, y)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < blocks.nbytes / 4


def test_blocks_of_a_cluster(cluster, samples):
    X, _, blocks, _ = samples
    np.testing.assert_array_equal(as_numpy(blocks * 2, name="X"), X * 2)


def test_small_arrays_stay_in_memory(monkeypatch, samples):
    monkeypatch.undo()
    X, _, blocks, _ = samples
    found = as_numpy(blocks, name="X")
    assert mapping_of(found) is None
    np.testing.assert_array_equal(found, X)


def test_labels_are_strings(samples):
    _, y, blocks, _ = samples
    names = np.array(["noun", "verb", "other"])[y]
    found = snx.MeanDifferenceClassifier().fit(blocks, da.from_array(names, chunks=40))
    assert found.classes_.tolist() == ["noun", "other", "verb"]


def test_unknown_sizes(samples):
    _, y, blocks, _ = samples
    unknown = blocks[blocks[:, 0] > 0]
    probe = snx.MeanDifferenceClassifier()
    with pytest.raises(ValueError, match=r"X is a dask array with blocks of unknown sizes. Call"):
        probe.fit(unknown, y)
    known = unknown.compute_chunk_sizes()
    assert probe.fit(known, y[: len(known)]).n_features_in_ == 12


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda b: b.astype(object), TypeError, "got a dask array of dtype object"),
        (
            lambda b: b.map_blocks(np.float32, dtype=float, meta=np.empty((0, 0))),
            TypeError,
            r"X is a dask array of dtype float64.*ndarray of dtype float32",
        ),
        (
            lambda b: b[:, :5].map_blocks(lambda c: c[:1], dtype=float, meta=np.empty((0, 0))),
            ValueError,
            r"declares a block of shape \(\d+, 5\), but this block has shape \(1, 5\)",
        ),
        (lambda b: da.ma.masked_array(b, b > 0), TypeError, "type MaskedArray of dtype float64"),
        (
            lambda b: dask.bag.from_sequence(b),
            TypeError,
            "X must be an array, got Bag of dask. Pass",
        ),
    ],
    ids=["object", "dtype", "shape", "masked", "bag"],
)
def test_bad_arrays(samples, change, error, message):
    _, y, blocks, _ = samples
    with pytest.raises(error, match=message):
        snx.MeanDifferenceClassifier().fit(change(blocks), y)


def test_cells_are_checked(samples):
    X, y, _, _ = samples
    X = X.copy()
    X[77, 3] = np.nan
    with pytest.raises(ValueError, match=r"NaN. The first is nan in row 77, column 3"):
        snx.MeanDifferenceClassifier().fit(da.from_array(X, chunks=40), y)


def test_frames(samples):
    """Columns of a DataFrame can be labels."""
    pytest.importorskip("pyarrow")
    frames = pytest.importorskip("dask.dataframe")
    X, y, _, _ = samples
    frame = frames.from_array(X, columns=[f"n{i}" for i in range(12)])
    labels = frames.from_array(y, columns="y")
    expected = snx.MeanDifferenceClassifier().fit(X, y)
    found = snx.MeanDifferenceClassifier().fit(frame.to_dask_array(lengths=True), labels)
    np.testing.assert_array_equal(found.coef_, expected.coef_)
    with pytest.raises(TypeError, match=r"got DataFrame of dask. Pass its to_dask_array\(lengths"):
        snx.MeanDifferenceClassifier().fit(frame, y)


def test_dask_is_not_imported(monkeypatch, classification):
    monkeypatch.setitem(sys.modules, "dask", None)  # an import raises an error
    assert as_numpy(torch.ones(2), name="X").tolist() == [1, 1]
    snx.MeanDifferenceClassifier().fit(*classification)
