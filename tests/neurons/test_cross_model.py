"""Correlations of neurons between models, against NumPy."""

import numpy as np
import pytest

from sklearn_neurox import cross_model_correlation_scores


@pytest.fixture(scope="module")
def models():
    rng = np.random.RandomState(0)
    common = rng.normal(size=(200, 3))
    first = np.column_stack([common, rng.normal(size=(200, 2))])
    second = np.column_stack([rng.normal(size=200), -3 * common[:, 0] + 7, common[:, 1] ** 3])
    third = np.column_stack([common[:, 0] + rng.normal(size=200), np.full(200, 2.5)])
    return [first, second, third]


class TestCrossModelCorrelation:
    @pytest.mark.parametrize("reduce", ["max", "min"])
    def test_against_corrcoef(self, models, reduce):
        moving = [models[0], models[1], models[2][:, :1]]
        found = cross_model_correlation_scores(moving, reduce=reduce)
        for m, X in enumerate(moving):
            best = [
                np.abs(np.corrcoef(X.T, other.T)[: X.shape[1], X.shape[1] :]).max(axis=1)
                for o, other in enumerate(moving)
                if o != m
            ]
            np.testing.assert_allclose(found[m], getattr(np, reduce)(best, axis=0), rtol=1e-9)

    def test_a_copy_under_another_scale_and_sign_is_found(self, models):
        scores, _, _ = cross_model_correlation_scores(models)
        np.testing.assert_allclose(scores[0], 1)
        assert (scores[3:] < 0.4).all()

    def test_a_constant_neuron_has_zero(self, models):
        assert cross_model_correlation_scores(models)[2][1] == 0

    def test_scores_do_not_depend_on_units_or_the_order_of_models(self, models):
        units = [X * 1e-6 + 3 for X in models[::-1]]
        for scores, expected in zip(
            cross_model_correlation_scores(units)[::-1],
            cross_model_correlation_scores(models),
            strict=True,
        ):
            np.testing.assert_allclose(scores, expected, atol=1e-6)

    @pytest.mark.parametrize("dtype", [np.float32, np.float16])
    def test_narrow_types(self, models, dtype):
        narrow = cross_model_correlation_scores([X.astype(dtype) for X in models])
        for scores, expected in zip(narrow, cross_model_correlation_scores(models), strict=True):
            np.testing.assert_allclose(scores, expected, atol=20 * np.finfo(dtype).eps)

    def test_chunks(self, models, monkeypatch):
        expected = cross_model_correlation_scores(models)
        monkeypatch.setattr("sklearn_neurox.neurons._correlation._ROWS", 7)
        monkeypatch.setattr("sklearn_neurox.neurons._correlation._NEURONS", 2)
        for scores, whole in zip(cross_model_correlation_scores(models), expected, strict=True):
            np.testing.assert_allclose(scores, whole, rtol=1e-9)

    @pytest.mark.parametrize(
        ("Xs", "parameters", "message"),
        [
            ([np.eye(3)], {}, "Xs must contain at least two models, got 1"),
            (
                [np.eye(3), np.eye(4)],
                {},
                r"must have the same number of samples, got \[3, 4\]",
            ),
            ([np.eye(1), np.eye(1)], {}, "minimum of 2 is required"),
            ([np.eye(3), np.diag([1, 1, np.nan])], {}, r"Xs\[1\] contains NaN.*row 2, column 2"),
            ([np.eye(3), np.eye(3)], dict(reduce="mean"), "must be 'max' or 'min', got 'mean'"),
        ],
    )
    def test_errors(self, Xs, parameters, message):
        with pytest.raises(ValueError, match=message):
            cross_model_correlation_scores(Xs, **parameters)
