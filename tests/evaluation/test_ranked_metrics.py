"""Metrics of ranks in many resamples are those of scikit-learn on the samples that were drawn."""

import numpy as np
import pytest
import sklearn.metrics

from sklearn_neurox._bootstrap import draw_weights
from sklearn_neurox.evaluation._ranked_metrics import (
    RANKED_METRICS,
    Ranked,
    rank_score,
    ranked_metric,
)


def recall_by_thresholds(y, decisions, sample_weight=None, fpr=0.2):
    """The best recall of all thresholds, counted one by one."""
    weight = np.ones(len(y)) if sample_weight is None else sample_weight
    found = [0.0]
    for threshold in np.unique(decisions):
        above = decisions >= threshold
        if weight[above & ~y].sum() <= (fpr + 1e-9) * weight[~y].sum():
            found.append(weight[above & y].sum() / weight[y].sum())
    return max(found)


REFERENCES = {
    "roc_auc": sklearn.metrics.roc_auc_score,
    "average_precision": sklearn.metrics.average_precision_score,
    "recall_at_fpr": recall_by_thresholds,
}


def samples(n=200, n_values=15):
    rng = np.random.RandomState(0)
    y = rng.uniform(size=n) < 0.3
    return y, rng.randint(n_values, size=n) + 3 * y, rng


@pytest.mark.parametrize("n_values", [15, 10**6], ids=["ties", "no ties"])
@pytest.mark.parametrize("name", RANKED_METRICS)
def test_resamples_are_those_of_scikit_learn_with_weights(name, n_values):
    y, decisions, rng = samples(n_values=n_values)
    weights = draw_weights(rng, np.ones(len(y), dtype=int), 7)
    found = ranked_metric(name, *Ranked(y, decisions.astype(float)).sums(weights.T), 0.2)
    expected = [REFERENCES[name](y, decisions, sample_weight=each) for each in weights]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    fractional = rng.uniform(size=len(y))
    one = rank_score(
        name, y.astype(int), decisions.astype(float), fpr=0.2, sample_weight=fractional
    )
    expected = REFERENCES[name](y, decisions, sample_weight=fractional)
    np.testing.assert_allclose(one, expected, atol=1e-12)


@pytest.mark.parametrize("name", RANKED_METRICS)
def test_weights_of_groups_are_those_of_their_samples(name):
    y, decisions, rng = samples()
    groups = np.arange(len(y)) % 20
    weights = draw_weights(rng, np.ones(20, dtype=int), 5)
    by_group = Ranked(y, decisions.astype(float), groups).sums(weights.T)
    by_sample = Ranked(y, decisions.astype(float)).sums(weights.T[groups])
    np.testing.assert_array_equal(
        ranked_metric(name, *by_group, 0.2), ranked_metric(name, *by_sample, 0.2)
    )


@pytest.mark.parametrize("name", RANKED_METRICS)
def test_a_class_that_is_missing_makes_a_metric_undefined_or_trivial(name):
    decisions = np.arange(4.0)
    assert np.isnan(rank_score(name, np.zeros(4, dtype=int), decisions))
    of_positive = rank_score(name, np.ones(4, dtype=int), decisions)
    # Without negative samples, every precision is 1, and there is no false positive rate.
    assert of_positive == 1 if name == "average_precision" else np.isnan(of_positive)


@pytest.mark.parametrize("name", ["roc_auc", "average_precision"])
def test_more_classes_are_averaged_one_versus_rest(name):
    rng = np.random.RandomState(0)
    y = rng.randint(3, size=150)
    scores = rng.dirichlet(np.ones(3), size=150).round(2)
    expected = [REFERENCES[name](y == i, scores[:, i]) for i in range(3)]
    assert rank_score(name, y, scores) == pytest.approx(np.mean(expected), abs=1e-12)
    assert rank_score(name, y, scores, positive=1) == pytest.approx(expected[1], abs=1e-12)
    # A class that does not occur is not averaged.
    assert rank_score(name, y, np.column_stack([scores, np.ones(150)])) == pytest.approx(
        np.mean(expected), abs=1e-12
    )
    # The ranking of a class that the probe does not know is as good as chance.
    unknown = rank_score("roc_auc", y, np.column_stack([scores[:, :2], np.full(150, -np.inf)]))
    of_known = [sklearn.metrics.roc_auc_score(y == i, scores[:, i]) for i in range(2)]
    assert unknown == pytest.approx(np.mean([*of_known, 0.5]))
