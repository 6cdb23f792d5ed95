"""Online description length: a code that can be decoded, with known lengths for known models."""

import sys
from itertools import pairwise

import numpy as np
import pandas
import pytest
from joblib import parallel_config
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from sklearn_neurox import Codelength, LinearProbeClassifier, codelength

# The package has a function of the same name.
module = sys.modules[Codelength.__module__]

PROBE = LogisticRegression(C=0.1)
FRACTIONS = [0.1, 0.2, 0.5, 1.0]


class Recorder(ClassifierMixin, BaseEstimator):
    """Record the samples of each training and prediction; column 0 is the number of the sample."""

    calls = []

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.train_ = X[:, 0].astype(int)
        return self

    def predict_proba(self, X):
        self.calls.append((self.train_.tolist(), X[:, 0].astype(int).tolist()))
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))


def recorded(*args, **options):
    Recorder.calls = []
    return codelength(Recorder(), *args, **options), Recorder.calls


def test_equals_a_plain_loop(classification):
    X, y = classification
    order = np.random.RandomState(7).permutation(150)
    ends = [15, 30, 75, 150]
    bits = [15 * np.log2(3)]
    for start, end in pairwise(ends):
        probe = LogisticRegression(C=0.1).fit(X[order[:start]], y[order[:start]])
        assert probe.classes_.tolist() == [0, 1, 2]
        total = 0.0
        for word in order[start:end]:
            p = probe.predict_proba(X[[word]])[0, y[word]]
            total -= np.log2((start * p + 1 / 3) / (start + 1))
        bits.append(total)
    result = codelength(PROBE, X, y, fractions=FRACTIONS, random_state=7)
    np.testing.assert_allclose(result.block_bits, bits, rtol=1e-12)
    assert result.sizes.tolist() == [15, 15, 45, 75]
    assert result.bits == pytest.approx(sum(bits), rel=1e-12)
    assert result.uniform_bits == 150 * np.log2(3)
    assert result.compression == result.uniform_bits / result.bits


def test_a_uniform_model_is_the_uniform_code():
    y = np.tile(np.arange(8), 50)
    result = codelength(
        DummyClassifier(strategy="uniform"), np.zeros((400, 1)), y, fractions=[0.5, 1.0]
    )
    assert result.uniform_bits == 400 * 3
    assert result.bits == pytest.approx(400 * 3, rel=1e-13)
    assert codelength(PROBE, np.zeros((400, 1)), y, fractions=[1.0]).bits == 400 * 3


@pytest.mark.parametrize(
    "estimator", [PROBE, DecisionTreeClassifier(), DummyClassifier()], ids=repr
)
def test_the_mixture_sums_to_1(classification, estimator):
    X, y = classification
    classes = np.unique(y)
    for train in (np.arange(40), np.flatnonzero(y != 1)[:20], np.flatnonzero(y == 2)[:5]):
        test = np.setdiff1d(np.arange(150), train)
        p = module._label_probabilities(estimator, X, y, classes, train, test)
        assert p.shape == (len(test), 3)
        assert p.min() >= 1 / 3 / (len(train) + 1) * (1 - 1e-12)
        np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-12)


def test_a_class_not_seen_before_costs_the_escape_code():
    X, y = np.zeros((10, 1)), np.repeat(["a", "b", "c"], [4, 4, 2])
    train, test = np.arange(8), np.array([8])
    bits = module._block_bits(
        PROBE, X, y, np.unique(y), np.repeat([0, 1, 2], [4, 4, 2]), train, test
    )
    assert bits.sum() == pytest.approx(np.log2(3 * 9))


def test_one_class_before_a_block_is_the_majority_code():
    """No probe is fitted, since LogisticRegression needs two classes."""
    X, y = np.zeros((6, 1)), np.array(["a", "a", "a", "a", "b", "c"])
    codes = np.array([0, 0, 0, 0, 1, 2])
    bits = module._block_bits(PROBE, X, y, np.unique(y), codes, np.arange(3), np.array([3, 4]))
    assert bits.sum() == pytest.approx(-np.log2((3 + 1 / 3) / 4) - np.log2(1 / 3 / 4))


def test_confident_errors_take_at_most_the_bound(classification):
    X, y = classification
    flipped = np.random.RandomState(0).permutation(y)
    result = codelength(DecisionTreeClassifier(random_state=0), X, flipped, random_state=0)
    n_train = result.sizes.cumsum() - result.sizes
    assert np.isfinite(result.bits)
    assert (result.block_bits <= result.sizes * np.log2(3 * (n_train + 1)) + 1e-9).all()


def test_names_of_labels_do_not_matter(classification):
    X, y = classification
    expected = codelength(GaussianNB(), X, y, fractions=FRACTIONS, random_state=0)
    for names in (np.array(["z", "x", "y"]), np.array([7, -1, 3])):
        result = codelength(GaussianNB(), X, names[y], fractions=FRACTIONS, random_state=0)
        np.testing.assert_allclose(result.block_bits, expected.block_bits, rtol=1e-9)


def test_permuted_labels_cannot_be_compressed_and_true_ones_can():
    rng = np.random.RandomState(0)
    y = rng.randint(4, size=2000)
    X = rng.normal(size=(2000, 10))
    X[np.arange(2000), y] += 4
    assert codelength(PROBE, X, y, random_state=0).compression > 5
    permuted = codelength(LogisticRegression(C=1e-3), X, rng.permutation(y), random_state=0)
    assert 0.97 < permuted.compression < 1.02


def test_noise_takes_more_bits(classification):
    X, y = classification
    noise = np.random.RandomState(0).normal(size=X.shape)
    bits = [
        codelength(PROBE, X + scale * noise, y, fractions=FRACTIONS, random_state=0).bits
        for scale in (0, 2, 8)
    ]
    assert bits[0] < bits[1] < bits[2]


def test_each_sample_is_encoded_once_after_all_samples_before_it(classification):
    X = np.arange(150.0)[:, None]
    result, calls = recorded(X, classification[1], fractions=FRACTIONS, random_state=0)
    assert [len(sent) for _, sent in calls] == result.sizes[1:].tolist()
    known = calls[0][0]
    for trained, sent in calls:
        assert trained == known
        assert not set(trained) & set(sent)
        known = known + sent
    assert sorted(known) == list(range(150))


def test_groups_stay_whole(classification):
    X, y = np.arange(150.0)[:, None], classification[1]
    groups = np.random.RandomState(1).randint(20, size=150)
    result, calls = recorded(X, y, fractions=FRACTIONS, groups=groups, random_state=0)
    for trained, sent in calls:
        assert not set(groups[trained]) & set(groups[sent])
    ends = result.sizes.cumsum()
    largest = np.bincount(groups).max()
    wanted = np.rint(np.array(FRACTIONS) * 150)
    assert ((ends >= wanted) & (ends < wanted + largest)).all()
    names = np.array([f"sentence {group:02d}" for group in groups])
    again = recorded(X, y, fractions=FRACTIONS, groups=names, random_state=0)[0]
    np.testing.assert_array_equal(again.block_bits, result.block_bits)


def test_blocks_may_be_empty(classification):
    X, y = classification
    result = codelength(PROBE, X, y, random_state=0)
    assert result.sizes.tolist() == [1, 0, 0, 0, 1, 3, 4, 10, 19, 37, 75]  # 0.0625 * 150 is 9.4
    assert (result.block_bits[result.sizes == 0] == 0).all()
    assert len(result.to_frame()) == 11


def test_random_state_controls_the_order_and_n_jobs_does_not_matter(classification):
    X, y = classification
    with parallel_config("threading"):
        results = [
            codelength(PROBE, X, y, fractions=FRACTIONS, random_state=seed, n_jobs=jobs)
            for seed, jobs in ((0, None), (0, 2), (1, None))
        ]
    np.testing.assert_array_equal(results[0].block_bits, results[1].block_bits)
    assert results[0].bits != results[2].bits


def test_pipelines_words_and_the_probe_of_this_package(classification):
    X, y = classification
    probe = LinearProbeClassifier(lambda_l2=1e-2, solver="owlqn", tol=1e-3)
    pipeline = make_pipeline(StandardScaler(), probe)
    assert codelength(pipeline, X.astype("float32"), y, random_state=0).compression > 1.2
    words = np.array(["sun", "moon", "rises"])[y]
    types = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression(C=100))
    assert codelength(types, words[:, None], y, random_state=0).compression > 3


def test_float16_is_computed_in_float32(classification):
    X, y = classification
    X = X.astype("float16")
    results = [
        codelength(GaussianNB(), X.astype(dtype), y, fractions=FRACTIONS, random_state=0)
        for dtype in ("float16", "float32")
    ]
    np.testing.assert_array_equal(results[0].block_bits, results[1].block_bits)


def test_lists_frames_and_sparse_matrices_are_accepted(classification):
    X, y = classification
    X = np.abs(X)
    expected = codelength(PROBE, X, y, fractions=FRACTIONS, random_state=0)
    for given in (X.tolist(), pandas.DataFrame(X), csr_array(X)):
        result = codelength(PROBE, given, y, fractions=FRACTIONS, random_state=0)
        np.testing.assert_allclose(result.block_bits, expected.block_bits, rtol=1e-3)


def test_repr_frame_and_progress(classification, capfd):
    X, y = classification
    result = codelength(PROBE, X, y, fractions=FRACTIONS, random_state=0, verbose=1)
    assert "codelength" in capfd.readouterr().err
    assert repr(result) == (
        f"Codelength(150 labels of 3 classes, {result.bits:.0f} bits, 238 by the uniform code, "
        f"compression {result.compression:.2f})"
    )
    frame = result.to_frame()
    assert frame.index.tolist() == FRACTIONS
    assert frame["n_train"].tolist() == [0, 15, 30, 75]
    assert frame["size"].sum() == 150
    assert frame["bits"].sum() == pytest.approx(result.bits)
    assert frame["uniform_bits"].sum() == pytest.approx(result.uniform_bits)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(y=[0, 1]), "inconsistent numbers of samples"),
        (dict(groups=[0, 1]), "inconsistent numbers of samples"),
        (
            dict(groups=["a"] * 150),
            "codelength requires at least 2 groups.* all 150 samples are in group 'a'",
        ),
        (
            dict(y=["N"] * 150),
            "codelength requires at least 2 classes, got 1 class: all 150 samples have the label 'N'",
        ),
        (dict(fractions=[0.5]), "increase up to 1, so that all labels are encoded"),
        (dict(fractions=[]), "increase up to 1"),
        (dict(fractions=[0.0, 1.0]), "increase up to 1"),
        (dict(fractions=[0.5, 0.5, 1.0]), "increase up to 1"),
        (dict(fractions=[0.5, np.nan, 1.0]), "increase up to 1"),
    ],
)
def test_errors(classification, changes, message):
    X, y = classification
    options = {"y": y, "fractions": FRACTIONS, **changes}
    with pytest.raises(ValueError, match=message):
        codelength(PROBE, X, options.pop("y"), **options)


def test_a_bad_cell_is_named(classification):
    X, y = classification
    X = X.copy()
    X[20, 5] = np.nan
    with pytest.raises(ValueError, match=r"contains NaN.*The first is nan in row 20, column 5"):
        codelength(PROBE, X, y)


@pytest.mark.parametrize("estimator", [LinearSVC(), make_pipeline(RidgeClassifier())], ids=repr)
def test_probabilities_are_needed(classification, estimator):
    with pytest.raises(TypeError, match=r"must be an object implementing .*'predict_proba'"):
        codelength(estimator, *classification)


class Improper(Recorder):
    """Predict values that are not probabilities."""

    def __init__(self, value=None, classes=None):
        self.value = value
        self.classes = classes

    def fit(self, X, y):
        super().fit(X, y)
        if self.classes is not None:
            self.classes_ = np.array(self.classes)
        return self

    def predict_proba(self, X):
        return np.full((len(X), 3), self.value) if self.value is not None else np.zeros(len(X))


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (Improper(0.5), "sum to 1, got sums from 1.5 to 1.5"),
        (Improper(np.nan), "sum to 1, got sums from nan"),
        (Improper(), r"= \(15, 3\), got shape \(15,\)"),
        (Improper(1 / 3, classes=[0, 1, 5]), r"has classes that do not occur in y: \[5\]"),
    ],
    ids=str,
)
def test_invalid_probabilities_are_an_error(classification, estimator, message):
    with pytest.raises(ValueError, match=message) as caught:
        codelength(estimator, *classification, fractions=FRACTIONS, random_state=0)
    assert "trained on 15 samples of 3 classes" in caught.value.__notes__[0]


def test_rounded_probabilities_are_normalized():
    class Rounded(ClassifierMixin, BaseEstimator):
        def fit(self, X, y):
            self.classes_ = np.unique(y)
            return self

        def predict_proba(self, X):
            return np.tile([0.497, 0.497], (len(X), 1))

    X, y = np.zeros((100, 1)), np.tile(["a", "b"], 50)
    result = codelength(Rounded(), X, y, fractions=[0.2, 1.0], random_state=0)
    assert result.compression == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("odd", [None, 1], ids=str)
def test_labels_of_several_kinds_are_an_error(odd):
    with pytest.raises(TypeError, match=rf"y must contain labels of one kind.* y\[2\] = {odd}"):
        codelength(PROBE, np.ones((20, 1)), ["N", "V", odd, "N"] * 5)


@pytest.mark.parametrize("labels", [["N", np.nan, "V"], [1.0, np.nan, 2.0]], ids=str)
def test_a_label_that_is_nan_is_an_error(labels):
    with pytest.raises(ValueError, match=r"y must not contain NaN or infinity: y\[1\] = nan"):
        codelength(PROBE, np.ones((15, 1)), labels * 5)
