"""Selectivity: zero for a lookup table of words, high for a probe that reads the property."""

import warnings

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GroupKFold, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sklearn_neurox import (
    LinearProbeClassifier,
    make_control_task,
    make_control_tasks,
    selectivity_curve,
    selectivity_score,
)

PROBE = LogisticRegression(C=10)


@pytest.fixture(scope="module")
def language():
    """60 word types in 900 words and 90 sentences; two thirds of the types are NOUN."""
    rng = np.random.RandomState(0)
    ids = rng.randint(60, size=900)
    words = np.array([f"w{i}" for i in ids])
    y = np.where(ids % 3, "NOUN", "VERB")
    return words, y, np.repeat(np.arange(90), 10)


@pytest.fixture(scope="module")
def meaning(language):
    """Neurons that encode the class, and nothing else about the word."""
    X = np.random.RandomState(1).normal(size=(900, 3))
    X[:, 0] += 6 * (language[1] == "NOUN")
    return X


def lookup():
    return make_pipeline(OneHotEncoder(handle_unknown="ignore"), PROBE)


def test_a_lookup_of_words_is_not_selective(language):
    words, y, groups = language
    result = selectivity_score(lookup(), words[:, None], y, words, groups=groups, random_state=0)
    assert result.task.mean() > 0.99
    assert result.control.mean() > 0.99
    assert abs(result.selectivity).max() < 0.02


def test_reading_the_class_is_selective(language, meaning):
    words, y, groups = language
    result = selectivity_score(PROBE, meaning, y, words, groups=groups, random_state=0)
    assert result.task.mean() > 0.99
    assert result.selectivity.mean() > 0.25
    np.testing.assert_array_equal(result.selectivity, result.task - result.control)


@pytest.mark.parametrize("scoring", [None, "balanced_accuracy"])
def test_scores_are_those_of_cross_val_score(language, meaning, scoring):
    words, y, groups = language
    result = selectivity_score(
        PROBE, meaning, y, words, cv=3, groups=groups, scoring=scoring, random_state=4
    )
    control = make_control_task(words, y, random_state=4).labels
    for scores, labels in ((result.task, y), (result.control, control)):
        expected = cross_val_score(
            PROBE, meaning, labels, cv=GroupKFold(3), groups=groups, scoring=scoring
        )
        np.testing.assert_array_equal(scores, expected)
    assert result.metric == (scoring or "accuracy")


def test_the_rate_of_unseen_words():
    words = ["a", "b", "a", "c", "a", "d", "b", "b"]
    y = ["N", "V"] * 4
    result = selectivity_score(
        DecisionTreeClassifier(), np.zeros((8, 1)), y, words, cv=KFold(2), random_state=1
    )
    # a b a c | a d b b: of the first half c is unseen, of the second d.
    np.testing.assert_array_equal(result.oov_rate, [1 / 4, 1 / 4])
    cv = [([0, 1, 2], [3, 4, 5])]  # c and d are unseen, a is not
    result = selectivity_score(
        DecisionTreeClassifier(), np.zeros((8, 1)), y, words, cv=cv, random_state=1
    )
    np.testing.assert_array_equal(result.oov_rate, [2 / 3])


def test_a_split_by_word_types_warns(language, meaning):
    words, y, groups = language
    message = r"In 5 of 5 folds, 90% of the test words or more \(up to 100.0%\) are of word types"
    with pytest.warns(UserWarning, match=message) as caught:
        result = selectivity_score(PROBE, meaning, y, words, groups=words, random_state=0)
    assert caught[0].filename == __file__
    np.testing.assert_array_equal(result.oov_rate, 1)
    with pytest.warns(UserWarning, match=message) as caught:
        selectivity_curve(
            PROBE,
            meaning,
            y,
            words,
            param_name="C",
            param_range=[1],
            groups=words,
            random_state=0,
        )
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        selectivity_score(PROBE, meaning, y, words, groups=groups, random_state=0)


def test_numbers_have_a_control_task(language):
    words, _, groups = language
    lengths = np.array([int(word[1:]) for word in words]) / 10
    types = OneHotEncoder(sparse_output=False).fit_transform(words[:, None])
    number = lengths[:, None] + np.random.RandomState(0).normal(scale=0.1, size=(900, 1))
    by_word, by_number = (
        selectivity_score(Ridge(0.1), X, lengths, words, groups=groups, random_state=0)
        for X in (types, number)
    )
    assert by_word.metric == by_number.metric == "R²"
    assert abs(by_word.selectivity).max() < 0.02
    assert by_number.task.mean() > 0.99
    assert by_number.selectivity.mean() > 0.8


def test_random_state_controls_the_labels_and_n_jobs_does_not_matter(language, meaning):
    words, y, groups = language
    with parallel_config("threading"):
        results = [
            selectivity_score(
                PROBE, meaning, y, words, groups=groups, random_state=seed, n_jobs=jobs
            )
            for seed, jobs in ((0, None), (0, 2), (1, None))
        ]
    np.testing.assert_array_equal(results[0].control, results[1].control)
    np.testing.assert_array_equal(results[0].task, results[2].task)
    assert (results[0].control != results[2].control).any()


def test_several_control_tasks(language, meaning):
    words, y, groups = language
    tasks = make_control_tasks(words, y, n_tasks=3, random_state=5)
    options = dict(groups=groups, cv=3)
    each = [
        selectivity_score(PROBE, meaning, y, words, control=task, **options).control
        for task in tasks
    ]
    drawn = selectivity_score(PROBE, meaning, y, words, n_controls=3, random_state=5, **options)
    given = selectivity_score(PROBE, meaning, y, words, control=tasks, **options)
    for result in (drawn, given):
        np.testing.assert_array_equal(result.control_scores, each)
        np.testing.assert_allclose(result.control, np.mean(each, axis=0))
        assert result.control_std == pytest.approx(np.mean(each, axis=1).std(ddof=1))
        assert f" ± {result.control_std:.3f} of 3 control tasks" in repr(result)
        assert "control_std" in result.to_frame()
    curve = selectivity_curve(
        PROBE, meaning, y, words, param_name="C", param_range=[10, 1], control=tasks, **options
    )
    np.testing.assert_array_equal(curve.control_scores[:, 0], each)
    assert curve.control_std[0] == pytest.approx(drawn.control_std)
    assert "control_std" in curve.to_frame()
    with pytest.raises(ValueError, match="control has 900 words, but X has 30 samples"):
        selectivity_score(PROBE, meaning[:30], y[:30], words[:30], control=tasks)


def test_repr_frame_and_progress(language, meaning, capfd):
    words, y, groups = language
    result = selectivity_score(PROBE, meaning, y, words, groups=groups, random_state=0, verbose=1)
    assert "selectivity" in capfd.readouterr().err
    assert repr(result) == (
        f"Selectivity(5 folds, mean accuracy: task {result.task.mean():.3f}, control "
        f"{result.control.mean():.3f}, selectivity {result.selectivity.mean():.3f}; 0.0% of test "
        "words unseen)"
    )
    frame = result.to_frame()
    assert list(frame) == ["task", "control", "selectivity", "oov_rate"]
    np.testing.assert_array_equal(frame["selectivity"], result.selectivity)


class TestCurve:
    def curve(self, language, X, estimator=PROBE, **changes):
        words, y, groups = language
        options = dict(param_name="C", param_range=[1e-3, 1.0], groups=groups, random_state=0)
        return selectivity_curve(estimator, X, y, words, **(options | changes))

    def test_is_the_score_of_each_value(self, language, meaning):
        words, y, groups = language
        estimator = make_pipeline(StandardScaler(), LogisticRegression())
        curve = self.curve(
            language,
            meaning,
            estimator,
            param_name="logisticregression__C",
            param_range=np.array([1e-3, 1.0]),
        )
        assert curve.task.shape == curve.control.shape == curve.selectivity.shape == (2, 5)
        for i, value in enumerate([1e-3, 1.0]):
            single = clone(estimator).set_params(logisticregression__C=value)
            expected = selectivity_score(single, meaning, y, words, groups=groups, random_state=0)
            np.testing.assert_array_equal(curve.task[i], expected.task)
            np.testing.assert_array_equal(curve.control[i], expected.control)
            np.testing.assert_array_equal(curve.oov_rate, expected.oov_rate)
        assert (
            estimator.get_params()["logisticregression__C"] == 1.0
        )  # the caller's estimator is unchanged

    def test_a_shallow_tree_cannot_memorize(self, language):
        """Word types are numbers sorted by class, so that one split separates the classes."""
        words, y, _ = language
        order = {word: i for i, (_, word) in enumerate(sorted(set(zip(y, words, strict=True))))}
        X = np.array([[order[word]] for word in words])
        curve = self.curve(
            language,
            X,
            DecisionTreeClassifier(random_state=0),
            param_name="max_depth",
            param_range=[1, None],
        )
        assert (curve.task == 1).all()
        assert curve.selectivity[0].mean() > 0.2
        assert (curve.control[1] == 1).all()

    def test_along_lambda(self, language, meaning):
        types = OneHotEncoder(sparse_output=False).fit_transform(language[0][:, None])
        curve = self.curve(
            language,
            np.hstack([meaning, types]).astype("float32"),
            LinearProbeClassifier(l2_penalty="squared", solver="owlqn", tol=1e-3),
            param_name="lambda_l2",
            param_range=[1e-4, 1e-1],
            cv=2,
        )
        assert curve.selectivity[1].mean() > curve.selectivity[0].mean() + 0.1

    def test_repr_and_frame(self, language, meaning):
        curve = self.curve(language, meaning)
        means = ", ".join(f"{mean:.3f}" for mean in curve.selectivity.mean(axis=1))
        assert repr(curve) == (
            f"SelectivityCurve(2 values of C, 5 folds, mean selectivity in accuracy: {means})"
        )
        frame = curve.to_frame()
        assert frame.index.name == "C"
        assert frame.index.tolist() == [1e-3, 1.0]
        np.testing.assert_array_equal(frame["control"], curve.control.mean(axis=1))

    def test_values_may_be_tuples(self, language, meaning):
        curve = self.curve(
            language,
            meaning,
            make_pipeline(MinMaxScaler(), PROBE),
            param_name="minmaxscaler__feature_range",
            param_range=[(0, 1), (0, 5)],
        )
        assert curve.to_frame().index.tolist() == [(0, 1), (0, 5)]

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            (
                dict(param_name="lambda"),
                r"param_name='lambda' is not a parameter of LogisticRegression. Its parameters are \['C'",
            ),
            (dict(param_range=[]), "param_range is empty"),
        ],
    )
    def test_errors(self, language, meaning, changes, message):
        with pytest.raises(ValueError, match=message):
            self.curve(language, meaning, **changes)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (dict(words=["a"]), ValueError, "inconsistent numbers of samples"),
        (dict(groups=["a"]), ValueError, "inconsistent numbers of samples"),
        (dict(y=["a"]), ValueError, "inconsistent numbers of samples"),
        (dict(words="a" * 900), TypeError, "words must be a list of words, got a single string"),
        (dict(words=["a"] * 900), ValueError, "All 1 word types drew the label"),
        (dict(cv=[]), ValueError, "yields no folds"),
        (dict(X=np.full((900, 1), np.inf)), ValueError, "The first is inf in row 0, column 0"),
    ],
)
def test_errors(language, meaning, changes, error, message):
    words, y, _ = language
    given = {"X": meaning, "y": y, "words": words, "random_state": 0, **changes}
    with pytest.raises(error, match=message):
        selectivity_score(PROBE, given.pop("X"), given.pop("y"), given.pop("words"), **given)
