"""The permutation test is valid for dependent samples, and its scores are those of scikit-learn."""

import numpy as np
import pytest
from scipy.stats import ttest_ind
from sklearn.linear_model import Ridge, RidgeClassifier

from sklearn_neurox import layerwise_scores
from sklearn_neurox.evaluation.held_out import HeldOutPredictions
from sklearn_neurox.evaluation.permutation import permute_labels

N_SIMULATIONS = 500


def dependent(rng, n_models, groups, correlation=0.3):
    """Draw binary values that are correlated within groups, and independent of everything else."""
    total = 1 / correlation - 1
    p = rng.beta(total / 2, total / 2, size=(n_models, groups.max() + 1))
    return (rng.uniform(size=(n_models, len(groups))) < p[:, groups]).astype(int)


def p_values_of(y, predictions, groups):
    n = len(y)
    held_out = HeldOutPredictions(
        y, np.arange(n), np.zeros(n, dtype=int), predictions, groups=groups
    )
    options = {"n_permutations": 199, "random_state": 0}
    return permute_labels(range(len(predictions)), held_out, "accuracy", **options)


@pytest.mark.parametrize("constant", [False, True], ids=["words", "texts"])
def test_size_with_dependent_samples(constant):
    """Without information, 5 % of the tests of groups reject, but many more of those of samples.

    The groups are of a few sizes with labels of their samples, or of any size with a label each.
    """
    rng = np.random.RandomState(0)
    sizes = rng.randint(2, 40, size=80) if constant else rng.choice([5, 10, 20], size=80)
    groups = np.repeat(np.arange(80), sizes)
    rejected, naive = [], []
    for _ in range(10):
        y = rng.randint(2, size=80)[groups] if constant else dependent(rng, 1, groups)[0]
        predictions = dependent(rng, N_SIMULATIONS // 10, groups)
        rejected.append(p_values_of(y, predictions, groups).p_values <= 0.05)
        naive.append(p_values_of(y, predictions, None).p_values <= 0.05)
    assert 0.03 <= np.mean(rejected) <= 0.07
    assert np.mean(naive) > 0.12


def test_information_is_found(classification, groups):
    X, y = classification
    X = X.copy()
    X[:, 4:] = np.random.RandomState(0).normal(size=(150, 8))
    result = layerwise_scores(RidgeClassifier(), X, y, n_layers=3, groups=groups)
    test = result.permutation_test(n_permutations=199, random_state=0)
    np.testing.assert_allclose(test.scores, result.scores.mean(axis=1))
    assert test.p_values[0] == 1 / 200
    assert (test.p_adjusted >= test.p_values).all()
    assert test.p_adjusted[1:].min() > 0.05
    assert test.share_exchanged == 1
    assert list(test.to_frame()) == [
        "score", "permuted", "p_value", "p_adjusted", "n_samples", "n_groups",
    ]  # fmt: skip
    assert "exchanged between sentences of equal size within each fold" in test.methods(
        sample="word", group="sentence"
    )
    assert "PermutationTest(accuracy of layer 0 0." in repr(test)
    assert "<table" in test._repr_html_()


def test_groups_without_a_partner_are_not_exchanged():
    """Labels of the group of six samples stay in their place."""
    groups = np.repeat([0, 1, 2, 3, 4], [4, 4, 4, 4, 6])
    y = np.array([0, 1] * 11)
    test = p_values_of(y, y[np.newaxis], groups)
    assert test.share_exchanged == 16 / 22
    sizes = np.repeat(np.arange(6), np.arange(2, 8))
    with pytest.raises(ValueError, match="Only 0% of the samples are in groups"):
        p_values_of(np.arange(27) % 2, np.zeros((1, 27), dtype=int), sizes)


def test_two_samples_without_groups_agree_with_a_t_test():
    """The correlation of numbers and two classes is a function of the t statistic."""
    rng = np.random.RandomState(3)
    y = rng.randint(2, size=60).astype(float)
    X = np.c_[y, y] * 0.6 + rng.normal(size=(60, 2))
    held_out = HeldOutPredictions(y, np.arange(60), np.zeros(60, dtype=int), X.T)
    test = permute_labels([0, 1], held_out, "pearson", n_permutations=4000, random_state=0)
    expected = ttest_ind(X[y == 1], X[y == 0], alternative="greater").pvalue
    np.testing.assert_allclose(test.p_values, expected, atol=0.01)


def test_numbers_are_permuted_too(classification):
    X, _ = classification
    result = layerwise_scores(Ridge(), X, X[:, 0] + X[:, 5], n_layers=3, scoring="r2")
    test = result.permutation_test(n_permutations=99, random_state=0)
    assert test.p_values[:2].tolist() == [0.01, 0.01]
    assert test.metric == "r2"


def test_errors(classification):
    result = layerwise_scores(RidgeClassifier(), *classification, n_layers=3, cv=2)
    with pytest.raises(ValueError, match="'n_permutations' parameter"):
        result.permutation_test(n_permutations=0)
