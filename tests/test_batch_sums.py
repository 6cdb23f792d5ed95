"""Estimators that add sums over batches find what `fit` finds on all samples."""

import copy
import pickle
from itertools import pairwise

import numpy as np
import pytest
import torch
from sklearn.base import clone, is_classifier, is_regressor

from sklearn_neurox import (
    CorrelationClustering,
    GaussianProbeClassifier,
    LeaceEraser,
    LinearProbeClassifier,
    LinearProbeRegressor,
    MeanDifferenceClassifier,
    ProbelessSelector,
    load,
    save,
)

N, D = 240, 7
RNG = np.random.RandomState(0)
CODES = RNG.randint(3, size=N)
LABELS = np.array(["a", "b", "c"])[CODES]
MIX = RNG.normal(size=(D, D))
X = RNG.normal(size=(N, D)) @ MIX + RNG.normal(size=(3, D))[CODES]
NUMBERS = X @ RNG.normal(size=D) + RNG.normal(size=N)
WEIGHT = RNG.randint(3, size=N).astype(float)
EXACT = dict(solver="owlqn", tol=1e-10, device="cpu")

ESTIMATORS = [
    MeanDifferenceClassifier(),
    MeanDifferenceClassifier(whiten=True),
    MeanDifferenceClassifier(whiten=True, shrinkage="auto"),
    GaussianProbeClassifier(),
    GaussianProbeClassifier(covariance="map"),
    LinearProbeRegressor(lambda_l2=0.1, l2_penalty="squared", **EXACT),
    LinearProbeRegressor(lambda_l1=0.05, lambda_l2=0.1, standardize=True, **EXACT),
    ProbelessSelector(),
    ProbelessSelector(n_neurons=3, scaled=False, target="b", order="bottom"),
    LeaceEraser(),
    LeaceEraser(shrinkage=None),
    CorrelationClustering(random_state=0),
    CorrelationClustering(absolute=False, linkage="complete", pick="medoid", pooling="mean"),
]
EVERY = pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
WITH_CLASSES = [e for e in ESTIMATORS if not isinstance(e, LinearProbeRegressor)][:-2]
WEIGHTED = [e for e in ESTIMATORS if not isinstance(e, ProbelessSelector)][:-2]
pytestmark = pytest.mark.filterwarnings("ignore:CorrelationClustering. with only")


def target_of(estimator):
    return NUMBERS if is_regressor(estimator) else LABELS


def takes_classes(estimator):
    return not is_regressor(estimator) and not isinstance(estimator, CorrelationClustering)


def in_batches(estimator, batches, cells=X, weight=None):
    """Return a clone that has seen batches of rows."""
    fitted, y = clone(estimator), target_of(estimator)
    options = {"classes": ["a", "b", "c"]} if takes_classes(estimator) else {}
    for rows in batches:
        weights = {} if weight is None else {"sample_weight": weight[rows]}
        fitted.partial_fit(cells[rows], y[rows], **options, **weights)
    return fitted


def results(estimator, cells=X):
    """Return all fitted attributes and all outputs, as arrays of floats or of labels."""
    # How the exact solver got there, and the samples that were seen, may differ.
    own = {"n_samples_seen_", "loss_curve_", "n_iter_", "optimality_"}
    names = vars(estimator).keys() | vars(type(estimator)).keys() | estimator._computed()
    found = {n: getattr(estimator, n) for n in names if n.endswith("_") and n[0] != "_"}
    found = {name: value for name, value in found.items() if name not in own}
    for method in ("predict", "decision_function", "transform"):
        if hasattr(estimator, method):
            found[method] = getattr(estimator, method)(cells)
    return found


def assert_same(one, other, rtol=1e-6, cells=X):
    found, expected = results(one, cells), results(other, cells)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        value, got = np.asarray(value), np.asarray(found[name])
        assert got.dtype == value.dtype, name
        if value.dtype.kind == "f":
            # Directions of an eraser have a sign of their own; projection_ is unique.
            signs = name in ("left_", "right_")
            value, got = (np.abs(each) if signs else each for each in (value, got))
            scale = np.abs(value).max(initial=1e-300)
            np.testing.assert_allclose(got / scale, value / scale, atol=rtol, err_msg=name)
        else:
            np.testing.assert_array_equal(got, value, err_msg=name)


def splits(seed, n=N):
    """Return all samples in any order, in batches of 1 to 100 samples."""
    rng = np.random.RandomState(seed)
    ends = np.cumsum(rng.choice([1, 2, 3, 30, 100], size=n))
    ends = [0, *ends[ends < n].tolist(), n]
    order = rng.permutation(n)
    return [order[start:stop] for start, stop in pairwise(ends)]


class TestEveryPartialFit:
    @EVERY
    @pytest.mark.parametrize("seed", range(3))
    def test_any_batches_in_any_order_are_all_samples(self, estimator, seed):
        whole = clone(estimator).fit(X, target_of(estimator))
        batches = splits(seed)
        assert_same(in_batches(estimator, batches), whole)
        assert_same(in_batches(estimator, batches[::-1]), whole)

    @EVERY
    def test_batches_of_a_single_class(self, estimator):
        whole = clone(estimator).fit(X, target_of(estimator))
        by_class = [np.flatnonzero(c == CODES) for c in (2, 0, 1)]
        assert_same(in_batches(estimator, by_class), whole)

    @pytest.mark.parametrize("estimator", WEIGHTED, ids=repr)
    def test_weights_are_repetitions(self, estimator):
        copies = np.repeat(np.arange(N), WEIGHT.astype(int))
        repeated = clone(estimator).fit(X[copies], target_of(estimator)[copies])
        # Each batch has a sample of positive weight.
        batches = [rows for rows in splits(0) if WEIGHT[rows].any()]
        assert_same(in_batches(estimator, batches, weight=WEIGHT), repeated)
        weighted = clone(estimator).fit(X, target_of(estimator), sample_weight=WEIGHT)
        assert_same(in_batches(estimator, batches[::-1], weight=WEIGHT), weighted)

    @EVERY
    def test_variances_that_are_small_beside_the_means(self, estimator):
        """The means are 1e4 standard deviations, which the sum of squares would lose."""
        cells = X + 1e4 * np.sqrt(X.var(axis=0))
        whole = clone(estimator).fit(cells, target_of(estimator))
        by_class = [np.flatnonzero(c == CODES) for c in range(3)]
        batches = [part for rows in by_class for part in np.array_split(rows, [1, 5])]
        assert_same(in_batches(estimator, batches, cells), whole, cells=cells)

    @EVERY
    @pytest.mark.parametrize("dtype", [np.float32, np.float16, torch.bfloat16], ids=str)
    def test_narrow_dtypes_are_summed_in_float64(self, estimator, dtype):
        if dtype is torch.bfloat16:
            narrow = torch.from_numpy(X).to(dtype)
            exact = narrow.double().numpy()
            cells = narrow
        else:
            cells = X.astype(dtype)
            exact = cells.astype(np.float64)
        fitted, whole = in_batches(estimator, splits(0), cells), clone(estimator)
        whole.fit(exact, target_of(estimator))
        for name in {"coef_", "means_", "covariances_", "scores_", "canonical_correlations_"}:
            if hasattr(whole, name):
                found, expected = getattr(fitted, name), getattr(whole, name)
                scale = np.abs(expected).max()
                np.testing.assert_allclose(found / scale, expected / scale, atol=1e-6)
        if hasattr(whole, "labels_"):
            np.testing.assert_array_equal(fitted.labels_, whole.labels_)
            np.testing.assert_array_equal(fitted.signs_, whole.signs_)

    @EVERY
    def test_constant_neurons(self, estimator):
        """Up to rounding, also between batches."""
        noise = 0.1 + 1e-17 * RNG.normal(size=N)
        cells = np.c_[X, np.full(N, 3.0), noise]
        whole = clone(estimator).fit(cells, target_of(estimator))
        assert_same(in_batches(estimator, splits(0), cells), whole, cells=cells)

    @EVERY
    def test_fit_resets(self, estimator):
        y = target_of(estimator)
        fitted = in_batches(estimator, splits(0), X + 1).fit(X, y)
        assert_same(fitted, clone(estimator).fit(X, y), rtol=0)
        assert "_sums" not in vars(fitted)

    @EVERY
    def test_fit_does_not_keep_the_sums_and_says_so(self, estimator):
        fitted = clone(estimator).fit(X, target_of(estimator))
        before = vars(fitted).copy()
        with pytest.raises(AttributeError) as error:
            fitted.partial_fit(X, target_of(estimator))
        assert "because fit and finish do not keep them" in str(error.value.__cause__)
        assert vars(fitted) == before

    @EVERY
    def test_clone_has_not_seen_any_sample(self, estimator):
        copied = clone(in_batches(estimator, splits(0), X + 1))
        assert not copied._computed() & vars(copied).keys()
        assert_same(in_batches(copied, splits(0)), in_batches(estimator, splits(0)), rtol=0)

    @EVERY
    @pytest.mark.parametrize("how", ["save", "pickle", "deepcopy"])
    @pytest.mark.parametrize("used", [False, True], ids=["not used", "used"])
    def test_a_saved_estimator_continues(self, estimator, how, used, tmp_path):
        first, second = np.arange(100), np.arange(100, N)
        fitted = in_batches(estimator, [first])
        if used:
            results(fitted)
        if how == "save":
            save(fitted, tmp_path / "estimator.skops")
            loaded = load(tmp_path / "estimator.skops")
        elif how == "pickle":
            loaded = pickle.loads(pickle.dumps(fitted))
        else:
            loaded = copy.deepcopy(fitted)
        assert_same(loaded, fitted, rtol=0)
        y = target_of(estimator)
        assert_same(loaded.partial_fit(X[second], y[second]), clone(estimator).fit(X, y))

    @EVERY
    @pytest.mark.parametrize("n_seen", [0, 100])
    def test_a_failed_batch_changes_nothing(self, estimator, n_seen):
        y = target_of(estimator)
        fitted = in_batches(estimator, [np.arange(n_seen)] if n_seen else [])
        if n_seen:
            results(fitted)
        before = vars(fitted).copy()
        options = {"classes": ["a", "b", "c"]} if takes_classes(estimator) else {}
        bad = [(np.where(np.eye(N, D) * X == X[3, 3], np.nan, X), y, "row 3, column 3")]
        if not isinstance(estimator, CorrelationClustering):
            bad.append((X, y[:-1], "inconsistent numbers of samples"))
        if takes_classes(estimator):
            bad.append((X, np.where(CODES == 1, "d", y), r"not seen during training: 'd'"))
        if n_seen:
            bad.append((X[:, :5], y, f"{D} features"))
        for cells, labels, message in bad:
            with pytest.raises(ValueError, match=message):
                fitted.partial_fit(cells, labels, **options)
            assert vars(fitted).keys() == before.keys()
            assert all(vars(fitted)[name] is before[name] for name in before)

    @pytest.mark.parametrize("estimator", WITH_CLASSES, ids=repr)
    def test_classes(self, estimator):
        fitted = clone(estimator)
        a_and_b = CODES < 2
        if is_classifier(estimator):
            with pytest.raises(ValueError, match="classes must be passed to the first call"):
                fitted.partial_fit(X, LABELS)
        fitted.partial_fit(X[a_and_b], LABELS[a_and_b], classes=["c", "b", "a"])
        with pytest.raises(ValueError, match="classes must be those of the first call"):
            fitted.partial_fit(X, LABELS, classes=["a", "b"])
        if not isinstance(estimator, LeaceEraser):  # whose labels may be anything
            with pytest.raises(ValueError, match="The class 'c' does not have any samples yet"):
                results(fitted)
        fitted.partial_fit(X[~a_and_b], LABELS[~a_and_b])
        assert_same(fitted, clone(estimator).fit(X, LABELS))

    @EVERY
    def test_results_follow_each_batch(self, estimator):
        y = target_of(estimator)
        fitted = in_batches(estimator, [np.arange(100)])
        assert_same(fitted, clone(estimator).fit(X[:100], y[:100]))
        assert fitted.n_samples_seen_ == 100
        fitted.partial_fit(X[100:], y[100:])
        assert_same(fitted, clone(estimator).fit(X, y))
        assert fitted.n_samples_seen_ == N


class TestMerge:
    @EVERY
    def test_merged_samples_are_all_samples(self, estimator):
        parts = [in_batches(estimator, [rows]) for rows in splits(2)]
        before = [vars(part).copy() for part in parts]
        merged = clone(estimator)
        for part in parts:
            assert merged.merge(part) is merged
        assert_same(merged, clone(estimator).fit(X, target_of(estimator)))
        assert merged.n_samples_seen_ == N
        for part, attributes in zip(parts, before, strict=True):
            assert all(vars(part)[name] is attributes[name] for name in attributes)

    @EVERY
    def test_a_finished_estimator_is_a_fitted_one(self, estimator):
        finished = in_batches(estimator, splits(0))
        assert finished.finish() is finished
        assert_same(finished, in_batches(estimator, splits(0)), rtol=0)
        assert "_sums" not in vars(finished)
        with pytest.raises(ValueError, match="does not have the sums of its batches"):
            clone(estimator).merge(finished)
        assert finished.finish() is finished

    @EVERY
    def test_refusals(self, estimator):
        fitted = in_batches(estimator, [np.arange(100)])
        before = vars(fitted).copy()
        with pytest.raises(TypeError, match=f"other must be of the class {type(fitted).__name__}"):
            fitted.merge(LinearProbeClassifier())
        narrow = in_batches(estimator, [np.arange(100)], X[:, :5])
        with pytest.raises(ValueError, match=r"same n_features_in_: expected 7, got 5"):
            fitted.merge(narrow)
        if takes_classes(estimator):
            other = clone(estimator).partial_fit(X, LABELS, classes=["a", "b", "c", "d"])
            with pytest.raises(ValueError, match="other must have the same"):
                fitted.merge(other)
        assert all(vars(fitted)[name] is before[name] for name in before)


def test_whitening_needs_other_sums():
    probe = MeanDifferenceClassifier().partial_fit(X, CODES, classes=range(3))
    with pytest.raises(ValueError, match="whiten must not be changed"):
        probe.set_params(whiten=True).partial_fit(X, CODES)


def test_a_clustering_of_one_sample():
    clustering = CorrelationClustering(random_state=0).partial_fit(X[:1])
    with pytest.raises(ValueError, match="requires at least 2 samples"):
        clustering.transform(X)
    assert clustering.partial_fit(X[1:]).transform(X).shape[0] == N


def test_training_samples_of_a_gaussian_probe():
    probe = in_batches(GaussianProbeClassifier(), splits(0))
    with pytest.raises(ValueError, match=r"fitted by partial_fit, .*Pass X and y"):
        probe.rank_neurons(2)
    whole = GaussianProbeClassifier().fit(X, LABELS)
    assert probe.rank_neurons(3, X, LABELS)[0].tolist() == whole.rank_neurons(3)[0].tolist()


def test_numbers_of_outputs():
    probe = LinearProbeRegressor(**EXACT).partial_fit(X, np.c_[NUMBERS, X[:, 0]])
    whole = LinearProbeRegressor(**EXACT).fit(X, np.c_[NUMBERS, X[:, 0]])
    np.testing.assert_allclose(probe.coef_, whole.coef_, atol=1e-7)
    for y in (NUMBERS, np.c_[NUMBERS, NUMBERS, NUMBERS]):
        with pytest.raises(ValueError, match="expected 2, got"):
            probe.partial_fit(X, y)
    assert LinearProbeRegressor(**EXACT).partial_fit(X, NUMBERS[:, np.newaxis]).coef_.ndim == 2


def test_squares_that_overflow():
    for estimator in ESTIMATORS[1], *ESTIMATORS[5:]:
        with pytest.raises(ValueError, match=r"exceed(ed)? the range of|exceeds float64"):
            in_batches(estimator, [np.arange(N)], X * 1e200)


@pytest.mark.parametrize("invalid", [dict(n_neurons=8), dict(target="d")], ids=str)
def test_parameters_of_a_selector_are_checked_in_the_first_call(invalid):
    selector = ProbelessSelector(**invalid)
    with pytest.raises(ValueError, match=r"must be"):
        selector.partial_fit(X, LABELS)
    assert not hasattr(selector, "classes_")
