"""Scores computed without training, against their definitions and scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from sklearn_neurox import average_precision_scores, mean_difference_scores


@pytest.fixture(scope="module")
def samples():
    """Neurons with and without ties: normal, rectified, rounded, constant, float32."""
    rng = np.random.RandomState(0)
    y = np.array(["x", "y", "z", "w"])[rng.randint(4, size=300)]
    X = rng.normal(size=(300, 12)).astype(np.float32)
    X[:, 3:6] = np.maximum(X[:, 3:6] + (y == "y")[:, np.newaxis], 0)
    X[:, 6:9] = X[:, 6:9].round()
    X[:, 9] = 1.1
    X[:, 10] = -(y == "z").astype(float)  # a perfect detector with a negative sign
    return X, y


class TestMeanDifferences:
    def pairs(self, X, y, scale=1.0):
        means = np.array([X[y == c].mean(axis=0, dtype=float) for c in np.unique(y)])
        return np.abs(means[:, np.newaxis] - means) / scale

    @pytest.mark.parametrize("n_classes", [2, 3, 17])
    def test_they_are_sums_over_all_pairs(self, n_classes):
        rng = np.random.RandomState(n_classes)
        X, y = rng.normal(size=(400, 9)), np.arange(400) % n_classes
        differences = self.pairs(X, y)
        overall, per_class = mean_difference_scores(X, y)
        np.testing.assert_allclose(per_class, differences.sum(axis=1), rtol=1e-12)
        np.testing.assert_allclose(overall, differences.sum(axis=(0, 1)) / 2, rtol=1e-12)
        assert overall.dtype == per_class.dtype == np.float64

    def test_a_scale_divides(self, samples):
        X, y = samples
        scale = np.arange(12.0)
        overall, per_class = mean_difference_scores(X, y, scale=scale)
        differences = self.pairs(X, y)[:, :, 1:] / scale[1:]
        np.testing.assert_allclose(per_class[:, 1:], differences.sum(axis=1), atol=1e-6)
        assert overall[0] == 0
        assert not per_class[:, 0].any()

    def test_dividing_by_standard_deviations_undoes_units(self):
        rng = np.random.RandomState(0)
        X, y, units = rng.normal(size=(200, 5)), np.arange(200) % 3, np.logspace(-8, 8, 5)
        plain, _ = mean_difference_scores(X, y, scale=X.std(axis=0))
        scaled, _ = mean_difference_scores(X * units, y, scale=(X * units).std(axis=0))
        np.testing.assert_allclose(scaled, plain, rtol=1e-9)

    @pytest.mark.parametrize("shift", [0, 1000])
    def test_float32_loses_no_more_than_the_activations_did(self, shift):
        rng = np.random.RandomState(0)
        X = (rng.normal(size=(20_000, 3)) + shift).astype(np.float32)
        y = rng.randint(5, size=20_000)
        overall, _ = mean_difference_scores(X, y)
        exact, _ = mean_difference_scores(X.astype(np.float64), y)
        np.testing.assert_allclose(overall, exact, atol=10 * np.finfo(np.float32).eps * (1 + shift))

    @pytest.mark.parametrize("dtype", [np.float16, np.float32])
    @pytest.mark.parametrize("mean", [0, 5, 20, 60])
    def test_a_difference_within_the_rounding_of_one_activation_counts(self, dtype, mean):
        """The mean over many samples is more accurate than a single one."""
        rng = np.random.RandomState(0)
        y = np.arange(30_000) % 3
        X = (mean + rng.normal(scale=0.3, size=(30_000, 1)) + 0.03 * y[:, np.newaxis]).astype(dtype)
        exact = np.ptp([X[y == c].mean(dtype=float) for c in range(3)]) * 2
        np.testing.assert_allclose(mean_difference_scores(X, y)[0], exact, rtol=1e-3)

    @pytest.mark.parametrize("n_classes", [2, 3, 50])
    def test_equal_neurons_have_equal_scores(self, n_classes):
        for seed in range(20):
            x = np.random.RandomState(seed).normal(size=(300, 1))
            for n_neurons in (5, 6, 13, 51):
                overall, per_class = mean_difference_scores(
                    np.repeat(x, n_neurons, axis=1), np.arange(300) % n_classes
                )
                assert (overall == overall[0]).all()
                assert (per_class == per_class[:, :1]).all()

    @pytest.mark.parametrize("value", [0.1, 1e6 + 0.1, -3e38])
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_a_constant_neuron_scores_zero(self, value, dtype):
        X = np.full((1000, 1), value, dtype=dtype)
        overall, per_class = mean_difference_scores(X, np.arange(1000) % 7)
        assert overall == [0]
        assert not per_class.any()

    def test_large_activations_of_a_narrow_type(self):
        X = np.array([[3e38, 6e4], [3e38, 6e4], [-3e38, 0], [-3e38, 0]], dtype=np.float32)
        overall, _ = mean_difference_scores(X, [0, 0, 1, 1])
        np.testing.assert_allclose(overall, [6e38, 6e4], rtol=1e-6)
        overall, _ = mean_difference_scores(X[:, 1:].astype(np.float16), [0, 0, 1, 1])
        np.testing.assert_allclose(overall, 6e4, rtol=1e-3)
        with pytest.raises(ValueError, match="The sums of the activations overflow float64"):
            mean_difference_scores(np.full((4, 1), 1.7e308), [0, 0, 1, 1])

    @pytest.mark.parametrize("layout", ["F", "view", "reversed", "read-only", "list"])
    def test_any_layout_of_the_samples(self, samples, layout):
        X, y = samples
        frozen = X.copy()
        frozen.flags.writeable = False
        given = {
            "F": np.asfortranarray(X),
            "view": np.repeat(X, 2, axis=1)[:, ::2],
            "reversed": X[::-1].copy()[::-1],
            "read-only": frozen,
            "list": X.tolist(),
        }[layout]
        np.testing.assert_allclose(
            mean_difference_scores(given, list(y))[0], mean_difference_scores(X, y)[0], atol=1e-6
        )

    def test_chunks_add_up(self, samples, monkeypatch):
        X, y = samples
        whole = mean_difference_scores(X, y)
        monkeypatch.setattr("sklearn_neurox._row_chunks._ELEMENTS", 12 * 7)
        monkeypatch.setattr("sklearn_neurox._row_chunks._LEAST_ROWS", 1)
        for part, expected in zip(mean_difference_scores(X, y), whole, strict=True):
            np.testing.assert_allclose(part, expected, atol=1e-6)


class TestAveragePrecision:
    def reference(self, X, y):
        return np.array(
            [[average_precision_score(y == c, neuron) for neuron in X.T] for c in np.unique(y)]
        )

    @pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
    def test_it_is_that_of_scikit_learn(self, samples, dtype):
        X, y = samples
        X = X.astype(dtype)
        X[::7, 11] = -0.0  # equal to the next values
        X[1::7, 11] = 0.0
        X[2::7, 11] = np.finfo(dtype).smallest_subnormal
        X[3::7, 11] = np.finfo(dtype).min
        scores = average_precision_scores(X, y, signed=False)
        np.testing.assert_allclose(scores, self.reference(X, y), rtol=0, atol=1e-12)

    def test_signed_takes_the_better_sign(self, samples):
        X, y = samples
        best = np.maximum(self.reference(X, y), self.reference(-X, y))
        scores = average_precision_scores(X, y)
        np.testing.assert_allclose(scores, best, rtol=0, atol=1e-12)
        assert scores[list(np.unique(y)).index("z"), 10] == 1

    def test_min_activation_silences(self, samples):
        X, y = samples
        before = X.copy()
        quiet = np.where(np.abs(X) < 0.5, 0, X)
        np.testing.assert_allclose(
            average_precision_scores(X, y, min_activation=0.5, signed=False),
            self.reference(quiet, y),
            atol=1e-12,
        )
        np.testing.assert_array_equal(X, before)

    def test_min_activation_is_not_rounded_to_float16(self):
        value = np.float16(0.05)  # 0.04998779296875
        X, y = np.array([[0], [value], [0], [value]]), ["a", "b", "a", "b"]
        assert average_precision_scores(X, y, min_activation=0.05).tolist() == [[0.5], [0.5]]
        assert average_precision_scores(X, y, min_activation=0.0499).tolist() == [[1], [1]]

    def test_it_depends_on_the_order_alone(self, samples):
        X, y = samples
        np.testing.assert_array_equal(
            average_precision_scores(X.astype(float), y),
            average_precision_scores(np.exp(X.astype(float)), y),
        )

    def test_samples_may_come_in_any_order(self, samples):
        X, y = samples
        shuffled = np.random.RandomState(0).permutation(len(y))
        np.testing.assert_allclose(
            average_precision_scores(X[shuffled], y[shuffled]),
            average_precision_scores(X, y),
            rtol=1e-12,
        )

    def test_a_constant_neuron_scores_the_share_of_the_class(self, samples):
        X, y = samples
        share = np.unique(y, return_counts=True)[1] / len(y)
        np.testing.assert_allclose(average_precision_scores(X, y)[:, 9], share)

    @pytest.mark.parametrize("n_classes", [2, 300])
    def test_many_and_few_classes(self, n_classes):
        rng = np.random.RandomState(0)
        X, y = rng.normal(size=(900, 2)), np.arange(900) % n_classes
        np.testing.assert_allclose(
            average_precision_scores(X, y, signed=False), self.reference(X, y), atol=1e-12
        )


@pytest.mark.parametrize("function", [mean_difference_scores, average_precision_scores])
class TestBadInput:
    @pytest.mark.parametrize(
        ("X", "y", "message"),
        [
            (
                [[1.0, 2], [3, 4]],
                [0, 0],
                "requires at least 2 classes, got 1 class: all 2 samples have the label 0",
            ),
            ([[1.0, 2], [3, 4]], [0, 1, 1], "inconsistent numbers of samples"),
            (
                [[1.0, 2], [3, np.nan]],
                [0, 1],
                r"contains NaN\. The first is nan in row 1, column 1",
            ),
            ([[1.0, 2], [-np.inf, 4]], [0, 1], r"infinity.*The first is -inf in row 1, column 0"),
            ([1.0, 2], [0, 1], "Expected 2D array"),
            ([[1.0, 2], [3, 4]], [0.5, 1.2], "Unknown label type"),
        ],
    )
    def test_errors(self, function, X, y, message):
        with pytest.raises(ValueError, match=message):
            function(X, y)

    def test_a_class_of_one_sample_is_named(self, function):
        X, y = np.arange(8.0).reshape(4, 2), ["a", "a", "b", "rare"]
        message = rf"{function.__name__}: the classes \['b', 'rare'\] have only one sample each"
        with pytest.warns(UserWarning, match=message):
            function(X, y)


def test_parameters_are_checked(samples):
    X, y = samples
    for scale, message in [
        ([1.0] * 11, "one number for each of the 12 neurons, got 11"),
        ([-1.0] * 12, "scale must be non-negative, got -1"),
        ([np.nan] * 12, "scale contains NaN"),
    ]:
        with pytest.raises(ValueError, match=message):
            mean_difference_scores(X, y, scale=scale)
    with pytest.raises(ValueError, match="min_activation == -1, must be >= 0"):
        average_precision_scores(X, y, min_activation=-1)
    with pytest.raises(ValueError, match="min_activation must be non-negative, got NaN"):
        average_precision_scores(X, y, min_activation=np.nan)
    with pytest.raises(TypeError, match="signed must be True or False, got 'no'"):
        average_precision_scores(X, y, signed="no")
