"""What activations add to a baseline, in bits per label."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

from sklearn_neurox import codelength, conditional_codelength

FRACTIONS = [0.1, 0.3, 1.0]


def simulate(n=900, seed=0):
    """Two binary features with noise, and their combinations as four labels."""
    rng = np.random.RandomState(seed)
    first, second = rng.randint(2, size=(2, n))
    noise = rng.normal(size=(n, 2))
    # The first feature determines one bit of the label, and the second another one.
    return 4 * first[:, None] + noise[:, :1], 4 * second[:, None] + noise[:, 1:], 2 * first + second


def test_it_is_the_difference_of_two_codes_in_the_same_order(classification):
    X, y = classification
    options = dict(fractions=FRACTIONS, groups=np.arange(len(y)) // 3, random_state=3)
    found = conditional_codelength(GaussianNB(), X[:, 4:], y, given=X[:, :4], **options)
    baseline = codelength(GaussianNB(), X[:, :4], y, **options)
    joint = codelength(GaussianNB(), X, y, **options)
    np.testing.assert_array_equal(found.baseline.block_bits, baseline.block_bits)
    np.testing.assert_array_equal(found.joint.block_bits, joint.block_bits)
    assert found.information.value == pytest.approx((baseline.bits - joint.bits) / len(y))
    assert found.share == pytest.approx(1 - joint.bits / baseline.bits)
    assert found.n_groups == len(y) // 3


def test_a_feature_adds_its_own_bit_and_copies_add_none():
    one, two, y = simulate()
    options = dict(fractions=FRACTIONS, random_state=0)
    added = conditional_codelength(LogisticRegression(), two, y, given=one, **options).information
    assert 0.7 < added.value < 1  # the first tenth of the labels is not predicted
    copied = conditional_codelength(LogisticRegression(), one, y, given=one, **options).information
    assert abs(copied.value) < 0.03
    # The activations contain more information than they add.
    both = np.hstack([one, two])
    alone = codelength(LogisticRegression(), both, y, **options)
    assert (alone.uniform_bits - alone.bits) / len(y) > 1.5 * added.value


def test_the_interval_is_that_of_the_mean_over_groups():
    one, two, y = simulate()
    groups = np.arange(len(y)) // 5
    found = conditional_codelength(
        LogisticRegression(), two, y, given=one, groups=groups, fractions=FRACTIONS, random_state=0
    )
    gains = found.baseline.sample_bits - found.joint.sample_bits
    means = gains.reshape(-1, 5).mean(axis=1)  # groups of equal size
    error = means.std(ddof=1) / np.sqrt(len(means))
    half = (found.information.high - found.information.low) / 2
    assert half == pytest.approx(1.96 * error, rel=0.1)
    frame = found.to_frame()
    assert list(frame) == ["estimate", "lower", "upper", "n", "n_groups"]
    assert frame["estimate"]["information"] == pytest.approx(
        frame["estimate"]["baseline"] - frame["estimate"]["joint"]
    )
    text = found.methods(sample="word", group="sentence")
    assert "180 sentences, 900 words" in text
    assert "<table" in found._repr_html_()
    few = conditional_codelength(
        LogisticRegression(), two, y, given=one, groups=np.arange(900) // 300, fractions=[0.5, 1.0]
    )
    assert few.information.low is None


def test_sparse_baselines(classification):
    X, y = classification
    types = np.eye(10)[np.arange(len(y)) % 10]
    options = dict(fractions=FRACTIONS, random_state=0)
    dense, sparse = (
        conditional_codelength(LogisticRegression(), X, y, given=given, **options)
        for given in (types, csr_array(types))
    )
    assert sparse.information == pytest.approx(dense.information, abs=1e-3)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.zeros((20, 2)), "inconsistent numbers of samples"),
        (np.full((150, 2), np.nan), "given contains NaN"),
        (np.zeros(150), "Expected 2D array"),
    ],
)
def test_errors(classification, given, message):
    X, y = classification
    with pytest.raises(ValueError, match=message):
        conditional_codelength(GaussianNB(), X, y, given=given)
