"""Comparisons: estimates of the scores, valid tests and intervals, and the set of best layers."""

import re

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.metrics import accuracy_score
from sklearn.model_selection import KFold, LeaveOneGroupOut, RepeatedKFold

from sklearn_neurox import (
    LayerwiseScores,
    ScoreComparisonDisplay,
    compare_scores,
    get_scorer,
    layerwise_scores,
    make_control_task,
    probe_report,
)
from sklearn_neurox.evaluation._comparison_statistics import ResampledScores, holm
from sklearn_neurox.evaluation._make_comparison import resample_scores
from sklearn_neurox.evaluation.held_out import HeldOutPredictions

N_SIMULATIONS, N_GROUPS = 1500, 60
CORRELATION = 0.3  # of the errors within a group


def correct_predictions(rng, n_models, accuracy=0.8):
    """Simulate which samples are predicted correctly, with the intra-group correlation.

    The probability of a group follows a beta distribution, so the correlation of two samples of a
    group is 1 / (a + b + 1).
    """
    sizes = rng.randint(5, 16, size=N_GROUPS)
    groups = np.repeat(np.arange(N_GROUPS), sizes)
    total = 1 / CORRELATION - 1
    accuracy = np.broadcast_to(accuracy, n_models)
    of_groups = np.array([rng.beta(total * p, total * (1 - p), size=N_GROUPS) for p in accuracy])
    return rng.uniform(size=(n_models, len(groups))) < of_groups[:, groups], groups


def resample(correct, groups, n_bootstraps=1000):
    n = correct.shape[1]
    held_out = HeldOutPredictions(
        np.ones(n, dtype=int), np.arange(n), np.zeros(n, dtype=int), correct.astype(int),
        groups=groups,
    )  # fmt: skip
    return resample_scores("accuracy", [held_out], n_bootstraps, 0.95, 0)


@pytest.fixture(scope="module")
def simulated():
    rng = np.random.RandomState(0)
    correct, groups = correct_predictions(rng, 2 * N_SIMULATIONS)
    return correct, groups


def sizes_of(found, n_simulations=N_SIMULATIONS):
    p_values, covered = [], []
    for i in range(n_simulations):
        difference, p_value = found.difference(i, N_SIMULATIONS + i)
        p_values.append(p_value)
        covered.append(difference.low <= 0 <= difference.high)
    return np.mean(np.array(p_values) < 0.05), np.mean(covered)


def test_size_and_coverage_with_dependent_samples(simulated):
    """Two models are equally accurate: 5 % of the tests reject, 95 % of the intervals contain 0."""
    size, coverage = sizes_of(resample(*simulated))
    assert 0.03 <= size <= 0.07
    assert 0.93 <= coverage <= 0.97
    assert abs(size + coverage - 1) < 0.01  # test and interval agree


def test_independent_resamples_are_wrong_for_dependent_samples(simulated):
    size, coverage = sizes_of(resample(simulated[0], None), 200)
    assert size > 0.2
    assert coverage < 0.8


def test_intervals_of_scores_contain_the_expected_score(simulated):
    found = resample(*simulated)
    scores = [found.score(i) for i in range(N_SIMULATIONS)]
    assert 0.93 <= np.mean([score.low <= 0.8 <= score.high for score in scores]) <= 0.97


def best_p_values(found, n_models):
    """Return the p-values of consecutive simulations of a few models each."""
    return np.array(
        [
            type(found)(
                found.scores[start : start + n_models],
                found.drawn[:, start : start + n_models],
                N_GROUPS,
                0.95,
            ).best_p_values()
            for start in range(0, len(found.scores), n_models)
        ]
    )


def test_the_best_layers_contain_the_best_one():
    """The set contains the best of five models at the level, even if all are equally good."""
    rng = np.random.RandomState(1)
    correct, groups = correct_predictions(rng, 5 * 300)
    p_values = best_p_values(resample(correct, groups), 5)
    assert 0.03 <= (p_values < 0.05).mean() <= 0.07  # each of them is a best one
    assert ((p_values >= 0.05).sum(axis=1) == 1).mean() <= 0.05  # a single best one is claimed

    accuracy = np.tile([0.83, 0.8, 0.8, 0.8, 0.8], 200)
    correct, groups = correct_predictions(rng, 5 * 200, accuracy)
    p_values = best_p_values(resample(correct, groups), 5)
    assert (p_values[:, 0] < 0.05).mean() <= 0.05
    assert (p_values[:, 1:] < 0.05).mean() > 0.08


def test_the_largest_difference_is_not_tested_like_any_other():
    """Testing the best of five as if it was chosen before, each claim is wrong too often."""
    rng = np.random.RandomState(2)
    correct, groups = correct_predictions(rng, 5 * 200)
    found = resample(correct, groups)
    naive = []
    for start in range(0, 5 * 200, 5):
        order = start + np.argsort(-found.scores[start : start + 5])
        naive.append(found.difference(order[0], order[-1])[1] < 0.05)
    assert np.mean(naive) > 0.15
    adjusted = best_p_values(found, 5).min(axis=1)
    assert np.mean(adjusted < 0.05) < np.mean(naive)


def test_holm_is_that_of_r():
    """p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm") in R."""
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])


class TestLayers:
    @pytest.mark.parametrize("cv", [None, LeaveOneGroupOut(), RepeatedKFold(n_repeats=2)], ids=str)
    def test_estimates_are_the_reported_scores(self, classification, groups, cv):
        X, y = classification
        options = {} if isinstance(cv, RepeatedKFold) else {"groups": groups}
        result = layerwise_scores(RidgeClassifier(), X, y, n_layers=3, cv=cv, **options)
        comparison = result.compare(random_state=0, n_bootstraps=2000)
        values = [score.value for score in comparison.scores]
        np.testing.assert_allclose(values, result.scores.mean(axis=1))
        assert [pair[:2] for pair in comparison.pairs] == [(0, 1), (0, 2), (1, 2)]
        assert all(score.low < score.value < score.high for score in comparison.scores)
        assert comparison.n_samples == 150
        assert comparison.n_groups == (150 if isinstance(cv, RepeatedKFold) else 30)
        assert result.best_layers() == (0,)

    def test_held_out_predictions_score_like_the_folds(self, classification, groups):
        X, y = classification
        labels = np.array(["x", "y", "zz"])[y]
        result = layerwise_scores(RidgeClassifier(), X, labels, n_layers=3, cv=3, groups=groups)
        held_out = result.held_out
        for layer in range(3):
            for fold in range(3):
                rows = held_out.folds == fold
                score = accuracy_score(
                    labels[held_out.rows[rows]], held_out.predictions[layer, rows]
                )
                assert score == result.scores[layer, fold]
        np.testing.assert_array_equal(held_out.groups, groups[held_out.rows])
        frame = held_out.to_frame()
        assert list(frame)[:4] == ["row", "fold", "group", "label"]
        assert repr(held_out) == "HeldOutPredictions(3 layers, 150 samples, 30 groups, 3 folds)"

    def test_controls_and_the_baseline_can_be_compared(self, classification):
        X, y = classification
        words = np.arange(150) % 7
        control = {
            "task": make_control_task(words, y, random_state=0),
            "words": words,
            "noise": X[::-1],
        }
        cv = KFold(3, shuffle=True, random_state=0)
        result = layerwise_scores(RidgeClassifier(), X, y, n_layers=3, cv=cv, control=control)
        scores = {
            "task": result.control_scores.mean(axis=1),
            "words": result.other_scores["words"].mean(),
            "noise": result.other_scores["noise"].mean(axis=1),
            "baseline": result.baseline_scores.mean(),
            1: result.scores[1].mean(),
        }
        for against, expected in scores.items():
            comparison = result.compare(against=against, n_bootstraps=500, random_state=0)
            differences = [pair.difference.value for pair in comparison.pairs]
            layers = [0, 2] if against == 1 else [0, 1, 2]
            assert [pair.first for pair in comparison.pairs] == layers
            np.testing.assert_allclose(
                differences, result.scores.mean(axis=1)[layers] - expected, atol=1e-12
            )
        assert comparison.pairs[0].second == 1
        second = result.compare(against="noise", n_bootstraps=500).pairs[1].second
        assert second == "noise, layer 1"

    def test_against_the_best(self, classification):
        result = layerwise_scores(RidgeClassifier(), *classification, n_layers=3)
        comparison = result.compare(against="best", random_state=0)
        assert [pair[:2] for pair in comparison.pairs] == [(0, 1), (0, 2)]
        assert comparison.correction == "maximum statistic"
        found = [pair.p_adjusted for pair in comparison.pairs]
        np.testing.assert_array_equal(found, comparison.best_p_values[1:])
        assert comparison.best == (0,)

    def test_any_metric_by_name(self, classification):
        X, y = classification
        for metric in ("f1_macro", "matthews_corrcoef", "balanced_accuracy"):
            result = layerwise_scores(RidgeClassifier(), X, y, n_layers=3, scoring=metric, cv=3)
            comparison = result.compare(n_bootstraps=200)
            values = [score.value for score in comparison.scores]
            np.testing.assert_allclose(values, result.scores.mean(axis=1))
        result = layerwise_scores(RidgeClassifier(), X, y > 0, n_layers=3, scoring="roc_auc", cv=3)
        values = [score.value for score in result.compare(n_bootstraps=200).scores]
        np.testing.assert_allclose(values, result.scores.mean(axis=1))
        for metric in ("r2", "spearman", "neg_mean_absolute_error"):
            result = layerwise_scores(Ridge(), X, X[:, 0], n_layers=3, scoring=metric, cv=3)
            values = [score.value for score in result.compare(n_bootstraps=200).scores]
            np.testing.assert_allclose(values, result.scores.mean(axis=1))

    def test_rounding_does_not_decide_which_layers_are_the_best(self):
        rng = np.random.RandomState(0)
        drawn = np.repeat(rng.uniform(0.6, 0.8, size=(500, 1)), 2, axis=1)
        drawn[:, 1] *= 1 + 4e-16 * rng.normal(size=500)
        for scores in ([0.7, 0.7 + 2e-16], [0.7 + 2e-16, 0.7]):
            found = ResampledScores(np.array(scores), drawn, 40, 0.95)
            assert (found.best_p_values() == 1).all()

    def test_layers_with_the_same_predictions_do_not_differ(self, classification):
        X, y = classification
        result = layerwise_scores(RidgeClassifier(), np.c_[X, X], y, n_layers=2)
        (pair,) = result.compare(n_bootstraps=500).pairs
        assert pair.difference == (0, 0, 0)
        assert pair.p_value == 1
        assert result.best_layers() == (0, 1)

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            (dict(against="last"), "against must be 'all', 'best', or one of 0, 1, 2, 'baseline'"),
            (dict(metric="rmse"), "metric must be one of .*accuracy, .* got 'rmse'"),
            (dict(metric="mean"), "metric must be one of"),
            (dict(metric="f1"), "'f1' requires 2 classes"),
            (dict(metric="roc_auc"), "kept if the scores are computed with scoring='roc_auc'"),
            (dict(confidence_level=95), r"'confidence_level' .* in the range \(0.0, 1.0\)"),
            (dict(n_bootstraps=0), r"'n_bootstraps' .* in the range \[1, inf\)"),
        ],
    )
    def test_errors(self, classification, changes, message):
        result = layerwise_scores(RidgeClassifier(), *classification, n_layers=3, cv=2)
        with pytest.raises(ValueError, match=message):
            result.compare(**changes)

    def test_labels_do_not_have_correlations(self, classification):
        X, y = classification
        result = layerwise_scores(RidgeClassifier(), X, y.astype(str), n_layers=3, cv=2)
        with pytest.raises(TypeError, match="'spearman' compares numbers, but these are labels"):
            result.compare(metric="spearman")

    def test_a_callable_has_no_name(self, classification):
        scoring = get_scorer("f1", average="macro")
        result = layerwise_scores(
            RidgeClassifier(), *classification, n_layers=3, cv=2, scoring=scoring
        )
        with pytest.raises(ValueError, match="Pass metric, because scoring is a callable"):
            result.compare()
        comparison = result.compare(metric="f1_macro", n_bootstraps=200)
        values = [score.value for score in comparison.scores]
        np.testing.assert_allclose(values, result.scores.mean(axis=1))

    def test_a_score_that_is_not_that_of_the_predictions_is_an_error(self, classification):
        class Own(RidgeClassifier):
            def score(self, X, y):
                return 0.25

        result = layerwise_scores(Own(), *classification, n_layers=3, cv=2)
        with pytest.raises(ValueError, match=r"is not the score, 0\.25\. Pass metric"):
            result.compare()

    def test_few_groups_and_missing_predictions_are_errors(self, classification):
        X, y = classification
        few = layerwise_scores(
            RidgeClassifier(), X, y, n_layers=3, cv=2, groups=np.arange(150) // 40
        )
        with pytest.raises(ValueError, match="at least 5 groups, but there are 4"):
            few.compare()
        with pytest.raises(ValueError, match="no held-out predictions"):
            LayerwiseScores(np.ones((2, 3)), np.ones(3)).compare()
        one = layerwise_scores(RidgeClassifier(), X, y, n_layers=1, cv=2)
        with pytest.raises(ValueError, match="requires at least 2 layers"):
            one.compare()
        assert one.best_layers() == (0,)

    def test_too_few_resamples_for_the_number_of_pairs(self, classification):
        result = layerwise_scores(RidgeClassifier(), *classification, n_layers=12, cv=2)
        with pytest.warns(UserWarning, match="66 comparisons, no adjusted p-value can be below"):
            result.compare(n_bootstraps=1000)

    def test_methods_reproduce_the_comparison(self, classification, groups):
        result = layerwise_scores(
            RidgeClassifier(alpha=2), *classification, n_layers=3, groups=groups
        )
        text = result.methods(sample="word", group="sentence", random_state=None)
        seed = int(re.search(r"random_state=(\d+)", text)[1])
        score = result.compare(random_state=seed).scores[0]
        shown = ", ".join(f"{bound:.3f}"[1:] for bound in score[1:])
        value = f"{score.value:.3f}".lstrip("0")
        assert f"layer 0 {value} [{shown}]" in text
        assert "5-fold by sentence, 30 sentences, 150 words" in text
        assert "Paired bootstrap over sentences, 10,000 resamples" in text
        assert "Estimator: RidgeClassifier(alpha=2); cv=None." in text
        assert f"scikit-learn {__import__('sklearn').__version__}" in text


class TestRates:
    """Recall, precision and false positive rate of labels; bias and slope of numbers."""

    RNG = np.random.RandomState(0)
    X = RNG.normal(size=(300, 6))
    GROUPS = np.arange(300) // 5

    def reports(self, y, metric, probe=None, **params):
        return [
            probe_report(
                (probe or LogisticRegression()).fit(self.X[:150, :n], y[:150]),
                self.X[150:, :n],
                y[150:],
                sentence_ids=self.GROUPS[150:],
                metric=metric,
                random_state=0,
                **params,
            )
            for n in (6, 1)
        ]

    @pytest.mark.parametrize("metric", ["recall", "precision", "false_positive_rate"])
    @pytest.mark.parametrize("n_classes", [2, 3])
    @pytest.mark.parametrize("pos_label", [None, "a"])
    def test_reports(self, metric, n_classes, pos_label):
        y = np.array(["a", "b", "c"])[self.X[:, :n_classes].argmax(1)]
        reports = self.reports(y, metric, pos_label=pos_label)
        comparison = compare_scores(*reports, random_state=0, n_bootstraps=2000)
        for report, score in zip(reports, comparison.scores, strict=True):
            assert score.value == pytest.approx(report.score.value)
            assert score.low == pytest.approx(report.score.low, abs=0.05)
            assert score.high == pytest.approx(report.score.high, abs=0.05)
        (pair,) = comparison.pairs
        assert pair.difference.value == pytest.approx(
            reports[0].score.value - reports[1].score.value
        )
        assert pair.p_value < 0.05  # the second one has a single neuron
        assert np.isnan(comparison.best_p_values).all() == (metric == "false_positive_rate")

    def test_a_class_that_does_not_occur_has_false_positives(self):
        y = np.array(["a", "b", "c"])[self.X[:, :3].argmax(1)]
        y[150:][y[150:] == "c"] = "a"
        reports = self.reports(y, "false_positive_rate")
        for report, score in zip(
            reports, compare_scores(*reports, random_state=0).scores, strict=True
        ):
            assert score.value == pytest.approx(report.score.value)

    @pytest.mark.parametrize("metric", ["bias", "slope"])
    def test_regressors(self, metric):
        y = self.X[:, 0] + 2 * self.X[:, 1] + self.RNG.normal(size=300)
        reports = self.reports(y, metric, probe=Ridge())
        comparison = compare_scores(*reports, random_state=0)
        for report, score in zip(reports, comparison.scores, strict=True):
            assert score.value == pytest.approx(report.score.value)
        by_arrays = compare_scores(
            *(each.predictions for each in reports), y=reports[0].labels, metric=metric,
            groups=self.GROUPS[150:], random_state=0,
        )  # fmt: skip
        np.testing.assert_allclose(by_arrays.pairs[0].difference, comparison.pairs[0].difference)

    def test_layers(self):
        y = (self.X[:, 0] > 0).astype(int)
        result = layerwise_scores(
            RidgeClassifier(), self.X, y, n_layers=3, scoring="recall", groups=self.GROUPS
        )
        comparison = result.compare(random_state=0)
        values = [score.value for score in comparison.scores]
        np.testing.assert_allclose(values, result.scores.mean(axis=1))
        assert result.best_layers() == comparison.best == (0,)
        rates = result.compare(metric="false_positive_rate", random_state=0)
        assert rates.scores[0].value < 0.1 < rates.scores[1].value
        assert not rates.ranks_all
        assert "best" not in repr(rates) + rates.methods()
        pyplot = pytest.importorskip("matplotlib.pyplot")
        assert ScoreComparisonDisplay.from_result(rates).ax_.get_legend() is None
        pyplot.close("all")
        for message, function in {
            "The comparison with the best score": lambda **k: result.compare(against="best", **k),
            "A permutation test": result.permutation_test,
        }.items():
            with pytest.raises(
                ValueError, match=f"{message} requires a metric whose highest value"
            ):
                function(metric="false_positive_rate")

    def test_different_positive_classes(self):
        y = np.array(["a", "b"])[self.X[:, :2].argmax(1)]
        a, b = (self.reports(y, "recall", pos_label=label)[0] for label in "ab")
        with pytest.raises(ValueError, match="different positive classes, 'a' and 'b'"):
            compare_scores(a, b)


class TestCompareScores:
    def test_arrays_and_reports_agree(self, classification, groups):
        X, y = classification
        sentences = groups[75:]
        reports = [
            probe_report(
                RidgeClassifier(alpha).fit(X[:75], y[:75]), X[75:], y[75:], sentence_ids=sentences
            )
            for alpha in (1, 1e4)
        ]
        by_reports = compare_scores(*reports, random_state=0)
        predictions = [report.predictions for report in reports]
        by_arrays = compare_scores(*predictions, y=y[75:], groups=sentences, random_state=0)
        assert by_reports.pairs == by_arrays.pairs
        assert by_reports.n_groups == 15
        right = [(each == y[75:]).astype(float) for each in predictions]
        by_scores = compare_scores(*right, groups=sentences, random_state=0)
        np.testing.assert_allclose(by_scores.pairs[0].difference, by_arrays.pairs[0].difference)
        assert by_scores.metric == "mean"
        with pytest.raises(ValueError, match="but their labels differ"):
            compare_scores(reports[0], probe_report(RidgeClassifier().fit(X, y), X, y))
        with pytest.raises(ValueError, match="reports contain their labels"):
            compare_scores(*reports, y=y)

    def test_layers_of_two_results(self, classification, groups):
        X, y = classification
        options = {"n_layers": 3, "groups": groups}
        one = layerwise_scores(RidgeClassifier(), X, y, **options)
        other = layerwise_scores(RidgeClassifier(alpha=1e4), X, y, **options)
        comparison = compare_scores(one, other, names=("weak", "strong"), random_state=0)
        assert [pair[:2] for pair in comparison.pairs] == [
            (f"weak, layer {i}", f"strong, layer {i}") for i in range(3)
        ]
        found = [pair.difference.value for pair in comparison.pairs]
        expected = one.scores.mean(axis=1) - other.scores.mean(axis=1)
        np.testing.assert_allclose(found, expected, atol=1e-12)
        shuffled = layerwise_scores(RidgeClassifier(), X, y, n_layers=3, cv=KFold(5))
        with pytest.raises(ValueError, match="but their rows differ"):
            compare_scores(one, shuffled)
        fewer = layerwise_scores(RidgeClassifier(), X, y, n_layers=2, groups=groups)
        with pytest.raises(ValueError, match="must have the same layers"):
            compare_scores(one, fewer)
        with pytest.raises(TypeError, match="same kind, got LayerwiseScores and ndarray"):
            compare_scores(one, y)

    def test_frames_and_html(self):
        rng = np.random.RandomState(0)
        comparison = compare_scores(rng.normal(size=50), rng.normal(size=50) - 2, random_state=0)
        frame = comparison.to_frame()
        assert frame.index.tolist() == [("a", "b")]
        assert list(frame) == [
            "difference", "low", "high", "p_value", "p_adjusted", "n_samples", "n_groups",
        ]  # fmt: skip
        assert list(comparison.summary()) == [
            "score", "low", "high", "p_best", "n_samples", "n_groups",
        ]  # fmt: skip
        assert comparison.best == ("a",)
        assert frame["p_value"].item() < 0.001
        assert frame["low"].item() > 1
        assert "<table>" in comparison._repr_html_()
        assert re.match(r"ScoreComparison\(mean a - b = [12]\.\d+ \[", repr(comparison))

    @pytest.mark.parametrize(
        ("arguments", "options", "message"),
        [
            (([1.0] * 9, [1.0] * 8), {}, "inconsistent numbers of samples"),
            (([1.0] * 9, [1.0] * 9), {"metric": "accuracy"}, "metric requires y"),
            (([1.0] * 9, [1.0] * 9), {"names": ("a", "a")}, "names must be different"),
            (([1.0] * 9, [1.0] * 9), {"names": "a"}, "names must be two strings"),
            (([1.0] * 4, [1.0] * 4), {}, "at least 5 samples, but there are 4"),
            ((["x"] * 9, ["x"] * 9), {"y": ["x"] * 8}, "inconsistent numbers of samples"),
            (([1.0, np.nan] * 5, [1.0] * 10), {}, "NaN"),
        ],
    )
    def test_errors(self, arguments, options, message):
        with pytest.raises(ValueError, match=message):
            compare_scores(*arguments, **options)

    def test_y_of_floats_are_numbers(self):
        y = np.random.RandomState(0).normal(size=40)
        comparison = compare_scores(y + 0.1, -y, y=y, n_bootstraps=200)
        assert comparison.metric == "r2"
        assert comparison.pairs[0].p_value < 0.05
