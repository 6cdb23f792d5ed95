"""The seven metrics: the figures of NeuroX, and never NaN."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from sklearn_neurox.evaluation.metrics import (
    METRICS,
    accuracy_and_f1,
    compute_score,
    pearson,
    pearson_and_spearman,
    spearman,
)

OF_LABELS = ["accuracy", "f1", "accuracy_and_f1", "matthews_corrcoef"]
OF_NUMBERS = ["pearson", "spearman", "pearson_and_spearman"]


@pytest.mark.parametrize("kind", ["binary", "real", "multi"])
def test_parity(reference, kind):
    data = reference("metrics")
    y_true, y_pred = data[f"{kind}_labels"], data[f"{kind}_preds"]
    assert data[kind]
    for metric, expected in data[kind].items():
        assert compute_score(y_true, y_pred, metric) == pytest.approx(expected, abs=1e-8)


def test_there_are_seven():
    assert sorted(METRICS) == sorted(OF_LABELS + OF_NUMBERS)


@pytest.mark.parametrize("metric", METRICS)
def test_a_perfect_prediction_has_score_1_of_type_float(metric):
    y = [0, 1, 1, 0, 1]
    score = compute_score(y, y, metric)
    assert type(score) is float
    assert score == pytest.approx(1)


@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
def test_f1_of_more_classes_is_that_of_scikit_learn(average):
    rng = np.random.RandomState(0)
    y_true, y_pred = rng.choice(["a", "b", "c"], size=(2, 60))
    expected = f1_score(y_true, y_pred, average=average)
    assert compute_score(y_true, y_pred, "f1", average=average) == expected
    both = accuracy_and_f1(y_true, y_pred, average=average)
    assert both == pytest.approx((expected + (y_true == y_pred).mean()) / 2)


def test_the_positive_class():
    y_true, y_pred = ["N", "V", "V", "N"], ["N", "N", "V", "N"]
    assert compute_score(y_true, y_pred, "f1", pos_label="N") == pytest.approx(0.8)
    assert compute_score(y_true, y_pred, "f1", pos_label="V") == pytest.approx(2 / 3)


@pytest.mark.parametrize("metric", OF_NUMBERS)
def test_a_constant_correlates_with_nothing(metric):
    y = [1.0, 2.0, 4.0]
    for constant in ([3, 3, 3], [0, 0, 0], [0.1 + 0.2] * 3):
        assert compute_score(y, constant, metric) == 0.0
        assert compute_score(constant, y, metric) == 0.0
    assert compute_score([1], [2], metric) == 0.0


def test_a_constant_up_to_rounding_has_no_pearson():
    assert pearson([1, 1 + 2e-16, 1], [1, 2, 4]) == 0.0
    assert pearson([1e-200, 2e-200, 4e-200], [1, 2, 4]) == pytest.approx(1)


def test_matthews_of_a_single_label_is_0():
    for y_true, y_pred in [([1, 1], [1, 1]), (["a", "a"], ["a", "b"]), ([0, 1], [1, 1])]:
        assert compute_score(y_true, y_pred, "matthews_corrcoef") == 0.0


def test_ties_have_mean_ranks():
    ranks = [1, 2.5, 2.5, 4]
    assert spearman([1, 2, 2, 9], [4, 3, 1, 2]) == pytest.approx(pearson(ranks, [4, 3, 1, 2]))
    y, p = [1, 2, 2, 9], [4, 3, 1, 2]
    assert pearson_and_spearman(y, p) == pytest.approx((pearson(y, p) + spearman(y, p)) / 2)


@pytest.mark.parametrize("metric", METRICS)
def test_a_column_is_not_broadcast(metric):
    rng = np.random.RandomState(0)
    y_true, y_pred = rng.randint(2, size=(2, 30))
    flat = compute_score(y_true, y_pred, metric)
    assert compute_score(y_true[:, None], y_pred, metric) == flat
    assert compute_score(y_true, y_pred[:, None], metric) == flat
    with pytest.raises(ValueError, match=r"y_pred must have shape \(n_samples,\), got \(30, 2\)"):
        compute_score(y_true, np.c_[y_pred, y_pred], metric)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("y_true", "y_pred", "message"),
    [
        ([], [], "y_true is empty"),
        ([0, 1], [1], "inconsistent numbers of samples"),
        ([0.0, np.nan], [0, 1], r"y_true must not contain NaN or infinity: y_true\[1\] = nan"),
        ([0, 1], [np.inf, 0.0], r"y_pred\[0\] = inf"),
    ],
)
def test_bad_values(metric, y_true, y_pred, message):
    with pytest.raises(ValueError, match=message):
        compute_score(y_true, y_pred, metric)


@pytest.mark.parametrize("metric", OF_LABELS)
def test_continuous_values_are_not_classes(metric):
    message = (
        rf"{metric} compares classes, but y_pred .* y_pred\[1\] = 0.5.*use pearson, spearman or"
    )
    with pytest.raises(ValueError, match=message):
        compute_score([0, 1], [1.0, 0.5], metric)
    with pytest.raises(ValueError, match="but y_true contains continuous values"):
        compute_score([0.2, 1], [1, 0], metric)


@pytest.mark.parametrize("metric", OF_NUMBERS)
def test_labels_are_not_numbers(metric):
    with pytest.raises(
        TypeError, match=rf"{metric} compares numbers.*use accuracy, f1,.*y_true\[0\] = '1'"
    ):
        compute_score(["1", "2"], [1, 2], metric)


@pytest.mark.parametrize(
    ("y_true", "y_pred", "message"),
    [
        (["a", None], ["a", "a"], r"y_true .*NoneType and string labels; .* y_true\[1\] = None"),
        (["a", "b"], ["a", 1], r"y_pred .*number and string labels; .* y_pred\[1\] = 1"),
        (["a", "b"], [0, 1], "y_true contains string labels, but y_pred contains number labels"),
        ("ab", "ab", "y_true must be a list with one entry per sample, got 'ab'"),
    ],
)
def test_labels_are_of_one_kind(y_true, y_pred, message):
    with pytest.raises(TypeError, match=message):
        compute_score(y_true, y_pred, "accuracy")


@pytest.mark.parametrize("metric", ["f1", "accuracy_and_f1"])
def test_true_is_the_positive_class_of_booleans(metric):
    y_true, y_pred = np.array([1, 1, 0, 0, 0]), np.array([1, 0, 0, 0, 1])
    expected = compute_score(y_true, y_pred, metric)
    booleans = y_true > 0, y_pred > 0
    assert compute_score(*booleans, metric) == expected
    assert compute_score(*booleans, metric, pos_label=True) == expected
    assert compute_score(*booleans, metric, pos_label=False) != expected
    assert compute_score([False], [False], metric) == compute_score([0], [0], metric)
    with pytest.raises(
        ValueError, match=r"pos_label must be one of the labels \[False, True\], got 0"
    ):
        compute_score(*booleans, metric, pos_label=0)


@pytest.mark.parametrize(
    ("y", "options", "message"),
    [
        (
            [0, 1, 2],
            {},
            "average='binary' requires 2 classes, but there are 3. Use average='macro'",
        ),
        (["a", "b"], {}, r"pos_label must be one of the labels \['a', 'b'\], got 1"),
        (["a", "a"], {}, r"pos_label must be one of the labels \['a'\], got 1"),
        ([0, 1], {"average": "mean"}, "average must be 'binary', .* got 'mean'"),
    ],
)
def test_errors_of_f1(y, options, message):
    with pytest.raises(ValueError, match=message):
        compute_score(y, y, "f1", **options)


def test_unknown_names():
    with pytest.raises(ValueError, match=r"one of accuracy, f1, .*, got 'rouge'"):
        compute_score([0], [0], "rouge")
    with pytest.raises(TypeError, match="'pearson' has the options sample_weight, got average"):
        compute_score([0], [0], "pearson", average="macro")


class TestWeights:
    """A weight of 2 equals a sample that is repeated, a weight of 0 one that is left out."""

    WEIGHT = np.array([2, 0, 1, 1, 3, 1])
    TIMES = np.repeat(np.arange(6), WEIGHT)

    @pytest.mark.parametrize(
        ("metric", "options"),
        [
            ("accuracy", {}),
            ("f1", {}),
            ("f1", {"average": "macro"}),
            ("accuracy_and_f1", {}),
            ("matthews_corrcoef", {}),
            ("pearson", {}),
        ],
    )
    def test_they_count_samples(self, metric, options):
        y_true, y_pred = np.array([0, 1, 1, 0, 1, 1]), np.array([0, 0, 1, 1, 1, 0])
        if metric == "pearson":
            y_true, y_pred = y_true + np.array([0, 9, 0.1, 0.2, 0.5, 0.3]), y_pred * 0.7
        weighted = compute_score(y_true, y_pred, metric, sample_weight=self.WEIGHT, **options)
        repeated = compute_score(y_true[self.TIMES], y_pred[self.TIMES], metric, **options)
        assert weighted == pytest.approx(repeated)
        assert weighted != pytest.approx(compute_score(y_true, y_pred, metric, **options))

    def test_rank_correlations_have_none(self):
        with pytest.raises(TypeError, match="'spearman' has no options, got sample_weight"):
            compute_score([1, 2], [2, 1], "spearman", sample_weight=[1, 1])
