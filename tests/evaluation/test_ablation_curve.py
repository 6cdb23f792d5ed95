"""Ablation curves: the same numbers as the loops of scikit-learn, and no leakage."""

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_neurox import (
    LinearProbeClassifier,
    NeuronSelector,
    WeightMassSelector,
    ablation_curve,
)

PROBE = LinearProbeClassifier(max_epochs=5, learning_rate=0.05, random_state=0, device="cpu")


def curve_of(data, estimator=PROBE, **changes):
    options = dict(ranking=WeightMassSelector(PROBE), random_state=0, cv=3)
    return ablation_curve(estimator, *data, **(options | changes))


@pytest.mark.parametrize("mode", ["zero", "mean", "remove"])
def test_top_beats_random_beats_bottom(classification, mode):
    curve = curve_of(classification, fractions=[0.25], mode=mode)
    means = {name: scores.mean() for name, scores in curve.scores.items()}
    assert means["top"] > means["random"] > means["bottom"]
    assert curve.n_neurons.tolist() == [3]


@pytest.mark.parametrize("mode", ["zero", "mean", "remove"])
def test_all_neurons_score_like_the_estimator(classification, mode):
    X, y = classification
    curve = curve_of(classification, fractions=[0.01, 1.0], mode=mode)
    expected = cross_val_score(PROBE, X, y, cv=3)
    np.testing.assert_array_equal(curve.full_scores, expected)
    assert curve.n_neurons.tolist() == [1, 12]
    for scores in curve.scores.values():
        np.testing.assert_array_equal(scores[1], expected)


def test_zero_after_the_scaler_is_the_mean_before_it(classification):
    X, y = classification
    data = (X * 3 + 5, y)
    scaled = make_pipeline(StandardScaler(), PROBE)
    mean = curve_of(data, scaled, mode="mean", fractions=[0.5], ranking=np.arange(12))
    train_scaled = curve_of(
        (StandardScaler().fit_transform(X), y),
        mode="mean",
        fractions=[0.5],
        ranking=np.arange(12),
    )
    np.testing.assert_allclose(mean.scores["top"], train_scaled.scores["top"], atol=0.03)


def test_a_frozen_estimator_is_ablated_without_training(classification):
    X, y = classification
    fitted = LogisticRegression().fit(X, y)
    curve = curve_of(
        classification,
        FrozenEstimator(fitted),
        ranking=np.arange(12),
        fractions=[0.25],
        cv=[(range(75), range(75, 150))],
    )
    X_zeroed = X[75:] * (np.arange(12) < 3)
    assert curve.scores["top"][0, 0] == fitted.score(X_zeroed, y[75:])


def test_the_ranking_is_fitted_on_the_training_samples(classification):
    """Neuron 11 encodes the labels of the test samples, and is noise on the others."""
    X, y = classification
    X = X.copy()
    X[75:, 11] = 100 * y[75:]
    split = [(np.arange(75), np.arange(75, 150))]
    fair = curve_of((X, y), cv=split, fractions=[0.1], keep=["top"], mode="remove")
    leaked = curve_of(
        (X, y), cv=split, fractions=[0.1], keep=["top"], mode="remove",
        ranking=WeightMassSelector(PROBE).fit(X, y).ranking_,
    )  # fmt: skip
    assert fair.scores["top"] != leaked.scores["top"]


@pytest.mark.slow
def test_parallel_is_serial(classification):
    curves = [curve_of(classification, fractions=[0.3], n_jobs=n) for n in (None, 2)]
    for keep in ("top", "random", "bottom"):
        np.testing.assert_array_equal(curves[0].scores[keep], curves[1].scores[keep])


def test_to_frame(classification):
    curve = curve_of(classification, fractions=[0.5], keep=["bottom", "top"])
    frame = curve.to_frame()
    assert list(frame) == ["bottom", "top"]
    assert frame.index.tolist() == [6]


def test_the_mean_is_that_of_the_training_samples():
    """The mean of the ablated neuron is different on the test samples."""
    X = np.array([[0.0, 0], [1, 2], [0, 0], [1, 2], [5, 2], [5, 2]])
    y = np.array([0, 1, 0, 1, 0, 0])
    split = [(np.arange(4), np.arange(4, 6))]
    fitted = FrozenEstimator(LogisticRegression(C=1e6).fit(X[:4], y[:4]))
    curve = curve_of(
        (X, y), fitted, ranking=[1, 0], fractions=[0.5], mode="mean", keep=["bottom"], cv=split,
        scoring=lambda estimator, X, y: X[0, 1],
    )  # fmt: skip
    assert curve.scores["bottom"][0, 0] == 1  # of 0, 2, 0, 2


def test_random_neurons_are_drawn_for_each_fold(classification):
    split = (np.arange(75), np.arange(75, 150))
    curve = curve_of(classification, cv=[split] * 8, fractions=[0.25], keep=["random"])
    assert len(set(curve.scores["random"][0])) > 2
    other = curve_of(
        classification, cv=[split] * 8, fractions=[0.25], keep=["random"], random_state=1
    )
    assert (other.scores["random"] != curve.scores["random"]).any()


def test_fractions_keep_their_order(classification):
    curve = curve_of(classification, fractions=[1.0, 0.1, 0.12, 0.5])
    assert curve.n_neurons.tolist() == [12, 1, 1, 6]


def test_a_ranking_without_ranking(classification):
    with pytest.raises(
        TypeError, match="StandardScaler does not have the attribute ranking_ after fit"
    ):
        curve_of(classification, ranking=StandardScaler())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(fractions=[0.0]), r"numbers in \(0, 1\]"),
        (dict(fractions=[]), r"numbers in \(0, 1\]"),
        (dict(mode="retrain"), "'mode' parameter of ablation_curve must be a str among .*'remove'"),
        (dict(keep=["best"]), "keep must contain one or more of top, random, bottom"),
        (dict(ranking=[0, 1]), "ranking must contain each of the 12 neurons once"),
        (dict(ranking="x"), "ranking must contain each of the 12 neurons once"),
        (dict(keep=[]), "keep must contain one or more of top, random, bottom"),
        (dict(ranking=[0] * 12), "ranking must contain each of the 12 neurons once"),
    ],
)
def test_errors(classification, changes, message):
    with pytest.raises(ValueError, match=message):
        curve_of(classification, **changes)


@pytest.mark.parametrize("mode", ["zero", "mean", "remove"])
def test_a_step_may_work_in_place(classification, mode):
    X, y = classification
    X = 3 * X + 5
    curves = [
        ablation_curve(
            make_pipeline(StandardScaler(copy=copy), LogisticRegression()),
            X,
            y,
            ranking=WeightMassSelector(make_pipeline(StandardScaler(copy=copy), RidgeClassifier())),
            fractions=[0.25, 0.5],
            mode=mode,
            random_state=0,
        )
        for copy in (True, False)
    ]
    np.testing.assert_array_equal(curves[0].full_scores, curves[1].full_scores)
    for keep, scores in curves[0].scores.items():
        np.testing.assert_array_equal(scores, curves[1].scores[keep])


@pytest.mark.parametrize("steps", [[], [StandardScaler()]], ids=len)
def test_a_frozen_estimator_cannot_be_trained_without_neurons(classification, steps):
    X, y = classification
    frozen = FrozenEstimator(LogisticRegression().fit(X, y))
    estimator = make_pipeline(*steps, frozen) if steps else frozen
    with pytest.raises(ValueError, match=r"ablation_curve\(mode='remove'\) trains the estimator"):
        ablation_curve(estimator, X, y, ranking=np.arange(12), mode="remove")


def test_remove_trains_on_the_columns_that_are_kept(classification):
    X, y = classification
    curve = curve_of(classification, ranking=np.arange(12), fractions=[0.25], mode="remove")
    kept = make_pipeline(NeuronSelector([0, 1, 2]), PROBE)
    np.testing.assert_array_equal(curve.scores["top"][0], cross_val_score(kept, X, y, cv=3))
