"""Baselines and controls: other activations, and words alone, on the same folds."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge, RidgeClassifier
from sklearn.model_selection import KFold

from sklearn_neurox import LinearProbeClassifier, Neurons, layerwise_scores, make_control_task

PROBE = LinearProbeClassifier(max_epochs=5, learning_rate=0.05, random_state=0, device="cpu")


def test_other_activations_score_as_if_they_were_the_first(classification, groups):
    X, y = classification
    other = np.random.RandomState(0).normal(size=X.shape)
    task = make_control_task(groups, y, random_state=0)
    result = layerwise_scores(
        PROBE, X, y, n_layers=3, cv=3, control={"random": other, "other labels": task}
    )
    alone = layerwise_scores(PROBE, other, y, n_layers=3, cv=3)
    np.testing.assert_array_equal(result.other_scores["random"], alone.scores)
    by_task = layerwise_scores(PROBE, X, y, n_layers=3, cv=3, control=task)
    np.testing.assert_array_equal(result.control_scores, by_task.control_scores)
    np.testing.assert_array_equal(result.scores, by_task.scores)


def test_words_predict_their_most_frequent_label(classification):
    X, _ = classification
    words = ["a", "a", "a", "b", "b", "new"]
    y = np.array(["N", "V", "V", "N", "N", "N"])
    fold = [([0, 1, 2, 3, 4], [0, 1, 2, 3, 4, 5]), ([0, 1, 2], [5])]
    result = layerwise_scores(
        RidgeClassifier(), X[:6], y, n_layers=3, cv=fold, control={"word types": words}
    )
    # a -> V, b -> N; the new word gets the most frequent label: N, of 3 to 2, and then V
    np.testing.assert_allclose(result.other_scores["word types"], [5 / 6, 0])


def test_words_predict_their_mean(classification):
    X, _ = classification
    words = np.repeat(np.arange(30), 5)
    y = np.random.RandomState(0).normal(size=30)[words] + 0.1 * X[:, 5]
    cv = KFold(5, shuffle=True, random_state=0)
    result = layerwise_scores(Ridge(), X, y, n_layers=3, cv=cv, control={"word types": words})
    assert result.other_scores["word types"].shape == (5,)
    assert result.other_scores["word types"].min() > 0.95
    assert result.baseline_scores.max() < 0.1


def test_a_new_word_has_the_mean_of_all_words(classification):
    X, _ = classification
    words = ["a"] * 98 + ["b", "c", "new"]
    y = np.r_[np.zeros(98), 10, 10, 0.2]  # 0.2 is the mean of the 100 before
    fold = [(np.arange(100), [100]), (np.arange(100), [98, 99])]
    result = layerwise_scores(
        Ridge(), X[:101], y, n_layers=3, cv=fold, scoring="neg_max_error",
        control={"word types": words},
    )  # fmt: skip
    np.testing.assert_allclose(result.other_scores["word types"], [0, 0], atol=0.02)


def test_one_occurrence_outweighs_all_other_words(classification):
    X, _ = classification
    words, y = ["rare", *["often"] * 98, "rare"], np.array(["V", *["N"] * 98, "V"])
    fold = [(np.arange(99), [99])]
    result = layerwise_scores(
        RidgeClassifier(), X[:100], y, n_layers=3, cv=fold, control={"types": words}
    )
    assert result.other_scores["types"].tolist() == [1.0]


def test_words_may_be_anything(classification):
    X, y = classification
    by_kind = [
        layerwise_scores(
            PROBE, X, y, n_layers=3, cv=3, control={"types": [kind(i % 7) for i in range(150)]}
        ).other_scores["types"]
        for kind in (int, str, lambda i: ("w", i), lambda i: i if i % 2 else str(i))
    ]
    for scores in by_kind[1:]:
        np.testing.assert_array_equal(scores, by_kind[0])


def test_the_frame_has_a_column_for_each(classification):
    X, y = classification
    control = {"noise": X[::-1].copy(), "types": list("abcde" * 30)}
    result = layerwise_scores(PROBE, X, y, n_layers=3, cv=3, control=control)
    frame = result.to_frame()
    assert list(frame) == ["score", "std", "gain", "noise", "types", "baseline"]
    np.testing.assert_allclose(frame["noise"], result.other_scores["noise"].mean(axis=1))
    assert frame["types"].nunique() == 1


def test_a_split_without_shared_word_types_warns(classification, groups):
    task = make_control_task(groups, classification[1], random_state=0)
    with pytest.warns(UserWarning, match="In 3 of 3 folds, 90%") as record:
        layerwise_scores(PROBE, *classification, n_layers=3, cv=3, groups=groups, control=task)
    assert record[0].filename == __file__


@pytest.mark.parametrize(
    ("control", "error", "message"),
    [
        ("task", TypeError, "control must be a ControlTask, a list of them, or a dict .* got str"),
        ({1: list("ab")}, TypeError, "names of controls must be strings, got 1"),
        ({"layer": list("ab")}, ValueError, "'layer' is a column of the results"),
        ({"gain": list("ab")}, ValueError, "'gain' is a column of the results"),
        ({"x": list("ab")}, ValueError, "The control 'x' has 2 words, but X has 150 samples"),
        (
            {"x": np.ones((150, 3))},
            ValueError,
            r"'x' have shape \(150, 3\), but X has shape \(150, 12\)",
        ),
        ({"x": np.full((150, 12), np.nan)}, ValueError, r"control\['x'\] contains NaN"),
        ({"x": "ab"}, TypeError, r"control\['x'\] must be a list of words"),
    ],
)
def test_errors(classification, control, error, message):
    with pytest.raises(error, match=message):
        layerwise_scores(PROBE, *classification, n_layers=3, control=control)


def test_one_name_of_control_tasks(classification):
    task = make_control_task(range(150), classification[1], random_state=0)
    with pytest.raises(ValueError, match="one name of control tasks, got 'a' and 'b'"):
        layerwise_scores(PROBE, *classification, n_layers=3, control={"a": task, "b": task})
    with pytest.raises(TypeError, match="must contain control tasks, got int"):
        layerwise_scores(PROBE, *classification, n_layers=3, control=[task, 3])


def test_labels_of_a_control_task_are_not_words(classification, untouched):
    X, y = classification
    labels = np.array(["a", "b", "c"])[y]
    task = make_control_task(np.arange(150) % 50, labels, random_state=0)
    with pytest.raises(
        ValueError, match=r"must contain words, but contains labels of y.* pass the ControlTask"
    ):
        layerwise_scores(untouched, X, labels, n_layers=3, control={"task": task.labels})


def test_control_is_a_task(classification):
    X, y = classification
    with pytest.raises(TypeError, match=r"control must be a ControlTask, a list .* got ndarray"):
        layerwise_scores(PROBE, X, y, n_layers=3, control=y)


def test_named_activations_are_of_the_same_neurons(classification, untouched):
    pandas = pytest.importorskip("pandas")
    X, y = classification
    frame = pandas.DataFrame(X, columns=Neurons((1, 3), 6).names)
    for other in (frame[frame.columns[::-1]], frame.set_axis(Neurons((1, 4), 6).names, axis=1)):
        place = next(i for i in range(12) if other.columns[i] != frame.columns[i])
        message = f"Column {place} of control 'x' is '{other.columns[place]}', but that of X is"
        with pytest.raises(ValueError, match=message):
            layerwise_scores(untouched, frame, y, control={"x": other})
    result = layerwise_scores(PROBE, frame, y, cv=3, control={"x": frame, "y": X})
    np.testing.assert_array_equal(result.other_scores["x"], result.scores)
    np.testing.assert_array_equal(result.other_scores["y"], result.scores)


def test_tokens_are_not_activations(classification, untouched):
    class Tokens:
        X = classification[0]

    with pytest.raises(TypeError, match=r"control 'x' must be an array, got Tokens. Pass its"):
        layerwise_scores(untouched, *classification, n_layers=3, control={"x": Tokens()})
