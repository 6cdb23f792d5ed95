"""Metrics of many resamples are those of scikit-learn on the samples that were drawn."""

import numpy as np
import pytest
import sklearn.metrics
from scipy.stats import linregress, pearsonr, spearmanr, ttest_1samp

from sklearn_neurox import accuracy_and_f1, recall_at_fpr
from sklearn_neurox._bootstrap import (
    draw_weights,
    expanded_interval,
    expanded_p_value,
)
from sklearn_neurox.evaluation._fold_metrics import KINDS, Curve, Folds, fold_metric

REFERENCES = {
    "accuracy": sklearn.metrics.accuracy_score,
    "balanced_accuracy": sklearn.metrics.balanced_accuracy_score,
    "f1": sklearn.metrics.f1_score,
    "f1_macro": lambda y, p: sklearn.metrics.f1_score(y, p, average="macro"),
    "f1_micro": lambda y, p: sklearn.metrics.f1_score(y, p, average="micro"),
    "f1_weighted": lambda y, p: sklearn.metrics.f1_score(y, p, average="weighted"),
    "accuracy_and_f1": accuracy_and_f1,
    "matthews_corrcoef": sklearn.metrics.matthews_corrcoef,
    "r2": sklearn.metrics.r2_score,
    "pearson": lambda y, p: pearsonr(y, p).statistic,
    "spearman": lambda y, p: spearmanr(y, p).statistic,
    "roc_auc": sklearn.metrics.roc_auc_score,
    "neg_mean_squared_error": lambda y, p: -sklearn.metrics.mean_squared_error(y, p),
    "neg_root_mean_squared_error": lambda y, p: -sklearn.metrics.root_mean_squared_error(y, p),
    "neg_mean_absolute_error": lambda y, p: -sklearn.metrics.mean_absolute_error(y, p),
    "mean": lambda y, p: p.mean(),
    "recall": sklearn.metrics.recall_score,
    "precision": sklearn.metrics.precision_score,
    "false_positive_rate": lambda y, p: 1 - sklearn.metrics.recall_score(y, p, pos_label=0),
    "bias": lambda y, p: (p - y).mean(),
    "slope": lambda y, p: linregress(p, y).slope,
    "average_precision": sklearn.metrics.average_precision_score,
    "recall_at_fpr": lambda y, p: recall_at_fpr(y, p, fpr=0.2),
    "neg_log_loss": lambda y, p: -sklearn.metrics.log_loss(y, p),
    "neg_brier_score": lambda y, p: -sklearn.metrics.brier_score_loss(y, p),
}


def curves_for(kind, rng, n=240, n_curves=3):
    if kind == "labels":
        y = rng.randint(2, size=n)
        return [Curve(y, np.where(rng.uniform(size=n) < 0.3, 1 - y, y)) for _ in range(n_curves)]
    if kind == "probabilities":
        return [Curve(rng.randint(2, size=n), rng.uniform(size=n)) for _ in range(n_curves)]
    y = rng.randint(2, size=n) if kind == "decisions" else rng.normal(size=n).round(1)
    return [Curve(y, (y + rng.normal(size=n)).round(1)) for _ in range(n_curves)]  # with ties


def metric_for(name):
    return fold_metric(name, n_classes=2, positive=1, fpr=0.2)


def test_every_metric_has_a_reference():
    assert set(KINDS) == set(REFERENCES)


@pytest.mark.parametrize("n_groups", [30, 240], ids=["groups", "samples"])
@pytest.mark.parametrize("name", KINDS)
def test_resampled_metrics_are_those_of_the_drawn_samples(name, n_groups):
    rng = np.random.RandomState(0)
    curves = curves_for(KINDS[name], rng)
    groups = np.arange(240) % n_groups
    folds = groups % 3  # as many groups in each
    n = 4
    weights = draw_weights(np.random.RandomState(1), np.ones(n_groups, dtype=int), n)
    found = Folds(folds, groups).resampled(metric_for(name), curves, lambda size: weights[:size], n)
    for resample, counts in enumerate(weights):
        for curve, (y, predicted) in enumerate(curves):
            values, shares = [], []
            for fold in range(3):
                rows = np.flatnonzero(folds == fold)
                drawn = np.repeat(rows, counts[groups[rows]].astype(int))
                values.append(REFERENCES[name](y[drawn], predicted[drawn]))
                shares.append(counts[np.unique(groups[rows])].mean())
            expected = np.average(values, weights=shares)
            np.testing.assert_allclose(found[resample, curve], expected, atol=1e-10)


@pytest.mark.parametrize("name", KINDS)
def test_permuted_metrics_are_those_of_the_permuted_labels(name):
    rng = np.random.RandomState(0)
    y, predicted = curves_for(KINDS[name], rng)[0]
    permuted = np.array([rng.permutation(y) for _ in range(5)])
    found = metric_for(name).of_permutations(permuted, predicted)
    expected = [REFERENCES[name](each, predicted) for each in permuted]
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_folds_that_a_resample_does_not_contain_do_not_count():
    folds = np.repeat(np.arange(4), 3)
    weights = np.array([[2.0, 0, 2, 0], [0, 0, 0, 4]])
    y = np.ones(12, dtype=int)
    predicted = np.repeat([1, 0, 0, 1], 3)
    found = Folds(folds, folds).resampled(
        fold_metric("accuracy"), [Curve(y, predicted)], lambda size: weights, 2
    )
    np.testing.assert_allclose(found[:, 0], [0.5, 1.0])


def test_a_resample_of_a_single_class_has_no_auc():
    y, decisions = np.array([0, 0, 1, 1]), np.arange(4.0)
    weights = np.array([[2.0, 2, 0, 0], [1, 0, 2, 1]])
    found = Folds(np.zeros(4, dtype=int), np.arange(4)).resampled(
        fold_metric("roc_auc"), [Curve(y, decisions)], lambda size: weights, 2
    )
    np.testing.assert_array_equal(found[:, 0], [np.nan, 1])


def test_weights_of_many_kinds_count_draws():
    weights = draw_weights(np.random.RandomState(0), np.array([1, 2, 1]), 20_000)
    assert (weights.sum(axis=1) == 4).all()
    np.testing.assert_allclose(weights.mean(axis=0), [1, 2, 1], atol=0.03)
    np.testing.assert_allclose(weights.var(axis=0), [0.75, 1, 0.75], atol=0.03)


@pytest.mark.parametrize("n", [8, 40])
def test_intervals_of_a_mean_are_those_of_a_t_test(n):
    """The bootstrap of symmetric data, expanded, is the t-test up to the number of resamples."""
    values = np.random.RandomState(n).normal(size=n)
    values = np.concatenate([values, -values]) + 0.2 + 0.5 / np.sqrt(n)
    weights = draw_weights(np.random.RandomState(0), np.ones(2 * n, dtype=int), 40_000)
    drawn = weights @ values / (2 * n)
    test = ttest_1samp(values, 0)
    expected = test.confidence_interval(0.95)
    width = expected.high - expected.low
    found = expanded_interval(drawn, 0.95, 2 * n)
    np.testing.assert_allclose(found, expected, atol=0.02 * width)
    share = (1 + (drawn <= 0).sum()) / (1 + len(drawn))
    np.testing.assert_allclose(2 * expanded_p_value(share, 2 * n), test.pvalue, rtol=0.2)
