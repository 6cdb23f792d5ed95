"""Curves: the same numbers as scikit-learn's own loops, and no leaks."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.model_selection import GroupKFold, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_neurox import (
    LayerSelector,
    LinearProbeClassifier,
    WeightMassSelector,
    ablation_curve,
    layerwise_scores,
    make_control_task,
)

PROBE = LinearProbeClassifier(max_epochs=5, learning_rate=0.05, random_state=0, device="cpu")


@pytest.fixture
def groups():
    return np.repeat(np.arange(30), 5)


@pytest.mark.parametrize("cv", [None, 3, KFold(4)], ids=str)
def test_layers_score_as_by_hand(classification, cv):
    X, y = classification
    result = layerwise_scores(PROBE, X, y, n_layers=3, cv=cv)
    for layer, scores in enumerate(result.scores):
        pipeline = make_pipeline(LayerSelector(layer, n_layers=3), PROBE)
        np.testing.assert_allclose(scores, cross_val_score(pipeline, X, y, cv=cv))
    baseline = cross_val_score(DummyClassifier(), X, y, cv=cv)
    np.testing.assert_allclose(result.baseline_scores, baseline)
    assert result.best_layer == 0  # the classes shift neurons 0, 1, 2


@pytest.mark.parametrize(
    "steps",
    [[StandardScaler()], [StandardScaler(), WeightMassSelector(PROBE, n_neurons=2)], []],
    ids=len,
)
@pytest.mark.parametrize("solver", ["adam", "owlqn"])
def test_layers_of_a_pipeline_score_as_by_hand(classification, steps, solver):
    X, y = classification
    probe = clone(PROBE).set_params(solver=solver, lambda_l1=0.01)
    control = make_control_task(list("abcde" * 30), y, random_state=0)
    pipeline = make_pipeline(*steps, probe)
    result = layerwise_scores(pipeline, X, y, n_layers=3, cv=3, control=control)
    for layer in range(3):
        by_hand = make_pipeline(LayerSelector(layer, n_layers=3), *steps, probe)
        np.testing.assert_allclose(result.scores[layer], cross_val_score(by_hand, X, y, cv=3))


def test_a_step_may_leave_layers_of_different_widths(classification):
    X, y = classification
    X = np.c_[X[:, :4], np.repeat(X[:, 4:5], 4, axis=1)]
    pipeline = make_pipeline(WeightMassSelector(PROBE, mass=0.7), PROBE)
    result = layerwise_scores(pipeline, X, y, n_layers=2, cv=3)
    for layer in range(2):
        by_hand = make_pipeline(LayerSelector(layer, n_layers=2), pipeline)
        np.testing.assert_allclose(result.scores[layer], cross_val_score(by_hand, X, y, cv=3))


def test_any_estimator_scoring_and_n_jobs(classification, groups):
    X, _ = classification
    regressor = make_pipeline(StandardScaler(), Ridge())
    result = layerwise_scores(
        regressor, X, X[:, 5], n_layers=3, groups=groups, scoring="r2", n_jobs=2
    )
    assert result.best_layer == 1
    assert result.scores[1].min() > 0.9
    assert result.baseline_scores.max() <= 0  # the mean of other words


def test_groups_are_not_ignored(classification, groups):
    X, y = classification
    for cv in (None, 5):
        by_groups = layerwise_scores(PROBE, X, y, n_layers=2, cv=cv, groups=groups)
        expected = layerwise_scores(PROBE, X, y, n_layers=2, cv=GroupKFold(5), groups=groups)
        np.testing.assert_array_equal(by_groups.scores, expected.scores)


def test_control_scores_are_those_on_the_control_labels(classification):
    X, y = classification
    control = make_control_task(np.arange(len(y)) // 2, y, random_state=0)
    cv = KFold(3, shuffle=True, random_state=0)
    result = layerwise_scores(PROBE, X, y, n_layers=2, cv=cv, control=control)
    expected = layerwise_scores(PROBE, X, control.labels, n_layers=2, cv=cv)
    np.testing.assert_array_equal(result.control_scores, expected.scores)
    np.testing.assert_array_equal(result.selectivity, result.scores - result.control_scores)
    assert result.selectivity[0].mean() > 0.3
    frame = result.to_frame()
    assert list(frame) == ["score", "std", "control", "selectivity", "gain", "baseline"]
    np.testing.assert_allclose(frame["score"], result.scores.mean(axis=1))
    with pytest.raises(ValueError, match="no control scores"):
        expected.selectivity  # noqa: B018 -- the access is what is tested


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(n_layers=5), "n_layers=5 does not divide the 12 neurons"),
        (dict(n_layers=0), "n_layers == 0, must be >= 1"),
        (dict(groups=[1, 2]), "inconsistent numbers of samples"),
        (
            dict(control=make_control_task(list("abcdefgh"), list("NVNVNVNV"), random_state=0)),
            "has 8 words, but X has 150",
        ),
    ],
)
def test_errors_of_layers(classification, changes, message):
    with pytest.raises(ValueError, match=message):
        layerwise_scores(PROBE, *classification, **{"n_layers": 3, **changes})


def test_control_is_a_task(classification):
    X, y = classification
    with pytest.raises(TypeError, match=r"control must be a ControlTask, or a dict .* got ndarray"):
        layerwise_scores(PROBE, X, y, n_layers=3, control=y)


def test_a_score_that_is_no_number_has_no_best_layer(classification):
    result = layerwise_scores(
        PROBE, *classification, n_layers=3, scoring=lambda estimator, X, y: np.nan
    )
    with pytest.raises(ValueError, match="Layer 0 has a score that is not a number"):
        result.best_layer  # noqa: B018 -- the access is what is tested


class TestAblation:
    def curve(self, data, estimator=PROBE, **changes):
        options = dict(ranking=WeightMassSelector(PROBE), random_state=0, cv=3)
        return ablation_curve(estimator, *data, **(options | changes))

    @pytest.mark.parametrize("mode", ["zero", "mean", "retrain"])
    def test_top_beats_random_beats_bottom(self, classification, mode):
        curve = self.curve(classification, fractions=[0.25], mode=mode)
        means = {name: scores.mean() for name, scores in curve.scores.items()}
        assert means["top"] > means["random"] > means["bottom"]
        assert curve.n_neurons.tolist() == [3]

    @pytest.mark.parametrize("mode", ["zero", "mean", "retrain"])
    def test_all_neurons_score_as_the_estimator(self, classification, mode):
        X, y = classification
        curve = self.curve(classification, fractions=[0.01, 1.0], mode=mode)
        expected = cross_val_score(PROBE, X, y, cv=3)
        np.testing.assert_array_equal(curve.full_scores, expected)
        assert curve.n_neurons.tolist() == [1, 12]
        for scores in curve.scores.values():
            np.testing.assert_array_equal(scores[1], expected)

    def test_zero_after_the_scaler_is_the_mean_before_it(self, classification):
        X, y = classification
        data = (X * 3 + 5, y)
        scaled = make_pipeline(StandardScaler(), PROBE)
        mean = self.curve(data, scaled, mode="mean", fractions=[0.5], ranking=np.arange(12))
        train_scaled = self.curve(
            (StandardScaler().fit_transform(X), y),
            mode="mean",
            fractions=[0.5],
            ranking=np.arange(12),
        )
        np.testing.assert_allclose(mean.scores["top"], train_scaled.scores["top"], atol=0.03)

    def test_a_frozen_estimator_is_ablated_as_it_is(self, classification):
        X, y = classification
        fitted = LogisticRegression().fit(X, y)
        curve = self.curve(
            classification,
            FrozenEstimator(fitted),
            ranking=np.arange(12),
            fractions=[0.25],
            cv=[(range(75), range(75, 150))],
        )
        X_zeroed = X[75:] * (np.arange(12) < 3)
        assert curve.scores["top"][0, 0] == fitted.score(X_zeroed, y[75:])

    def test_the_ranking_is_made_on_the_training_words(self, classification):
        """Neuron 11 tells the labels of the test words, and is noise on the others."""
        X, y = classification
        X = X.copy()
        X[75:, 11] = 100 * y[75:]
        split = [(np.arange(75), np.arange(75, 150))]
        fair = self.curve((X, y), cv=split, fractions=[0.1], keep=["top"], mode="retrain")
        leaked = self.curve(
            (X, y), cv=split, fractions=[0.1], keep=["top"], mode="retrain",
            ranking=WeightMassSelector(PROBE).fit(X, y).ranking_,
        )  # fmt: skip
        assert fair.scores["top"] != leaked.scores["top"]

    def test_parallel_is_serial(self, classification):
        curves = [self.curve(classification, fractions=[0.3], n_jobs=n) for n in (None, 2)]
        for keep in ("top", "random", "bottom"):
            np.testing.assert_array_equal(curves[0].scores[keep], curves[1].scores[keep])

    def test_to_frame(self, classification):
        curve = self.curve(classification, fractions=[0.5], keep=["bottom", "top"])
        frame = curve.to_frame()
        assert list(frame) == ["bottom", "top"]
        assert frame.index.tolist() == [6]

    def test_the_mean_is_that_of_the_training_words(self):
        """The ablated neuron has another mean on the test words, where the label is another."""
        X = np.array([[0.0, 0], [1, 2], [0, 0], [1, 2], [5, 2], [5, 2]])
        y = np.array([0, 1, 0, 1, 0, 0])
        split = [(np.arange(4), np.arange(4, 6))]
        fitted = FrozenEstimator(LogisticRegression(C=1e6).fit(X[:4], y[:4]))
        curve = self.curve(
            (X, y), fitted, ranking=[1, 0], fractions=[0.5], mode="mean", keep=["bottom"], cv=split,
            scoring=lambda estimator, X, y: X[0, 1],
        )  # fmt: skip
        assert curve.scores["bottom"][0, 0] == 1  # of 0, 2, 0, 2

    def test_random_neurons_are_drawn_for_each_fold(self, classification):
        split = (np.arange(75), np.arange(75, 150))
        curve = self.curve(classification, cv=[split] * 8, fractions=[0.25], keep=["random"])
        assert len(set(curve.scores["random"][0])) > 2
        other = self.curve(
            classification, cv=[split] * 8, fractions=[0.25], keep=["random"], random_state=1
        )
        assert (other.scores["random"] != curve.scores["random"]).any()

    def test_fractions_keep_their_order(self, classification):
        curve = self.curve(classification, fractions=[1.0, 0.1, 0.12, 0.5])
        assert curve.n_neurons.tolist() == [12, 1, 1, 6]

    def test_a_ranking_without_ranking(self, classification):
        with pytest.raises(TypeError, match="StandardScaler has no ranking_ after fit"):
            self.curve(classification, ranking=StandardScaler())

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            (dict(fractions=[0.0]), r"numbers in \(0, 1\]"),
            (dict(fractions=[]), r"numbers in \(0, 1\]"),
            (dict(mode="noise"), "mode must be one of"),
            (dict(keep=["best"]), "keep must be of"),
            (dict(ranking=[0, 1]), "must name each of the 12 neurons once"),
            (dict(ranking="x"), "must name each of the 12 neurons once"),
            (dict(keep=[]), "keep must be of"),
            (dict(ranking=[0] * 12), "must name each of the 12 neurons once"),
        ],
    )
    def test_errors(self, classification, changes, message):
        with pytest.raises(ValueError, match=message):
            self.curve(classification, **changes)


class TestControlsOfLayers:
    """Other activations, and the words alone, on the same folds."""

    def test_other_activations_score_as_if_they_were_the_first(self, classification, groups):
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

    def test_words_say_their_most_frequent_label(self, classification):
        X, _ = classification
        words = ["a", "a", "a", "b", "b", "new"]
        y = np.array(["N", "V", "V", "N", "N", "N"])
        fold = [([0, 1, 2, 3, 4], [0, 1, 2, 3, 4, 5]), ([0, 1, 2], [5])]
        result = layerwise_scores(
            RidgeClassifier(), X[:6], y, n_layers=3, cv=fold, control={"word types": words}
        )
        # a -> V, b -> N; the new word gets the most frequent label: N, of 3 to 2, and then V
        np.testing.assert_allclose(result.other_scores["word types"], [5 / 6, 0])

    def test_words_say_their_mean(self, classification):
        X, _ = classification
        words = np.repeat(np.arange(30), 5)
        y = np.random.RandomState(0).normal(size=30)[words] + 0.1 * X[:, 5]
        result = layerwise_scores(Ridge(), X, y, n_layers=3, cv=KFold(5, shuffle=True), control={
            "word types": words
        })  # fmt: skip
        assert result.other_scores["word types"].shape == (5,)
        assert result.other_scores["word types"].min() > 0.95
        assert result.baseline_scores.max() < 0.1

    def test_a_new_word_has_the_mean_of_all_words(self, classification):
        X, _ = classification
        words = ["a"] * 98 + ["b", "c", "new"]
        y = np.r_[np.zeros(98), 10, 10, 0.2]  # 0.2 is the mean of the 100 before
        fold = [(np.arange(100), [100]), (np.arange(100), [98, 99])]
        result = layerwise_scores(
            Ridge(), X[:101], y, n_layers=3, cv=fold, scoring="neg_max_error",
            control={"word types": words},
        )  # fmt: skip
        np.testing.assert_allclose(result.other_scores["word types"], [0, 0], atol=0.02)

    def test_one_occurrence_outweighs_all_other_words(self, classification):
        X, _ = classification
        words, y = ["rare", *["often"] * 98, "rare"], np.array(["V", *["N"] * 98, "V"])
        fold = [(np.arange(99), [99])]
        result = layerwise_scores(
            RidgeClassifier(), X[:100], y, n_layers=3, cv=fold, control={"types": words}
        )
        assert result.other_scores["types"].tolist() == [1.0]

    def test_baselines_and_spreads_are_those_of_scikit_learn(self, classification):
        X, _ = classification
        y = np.exp(X[:, 0])  # its mean is far from its median
        result = layerwise_scores(Ridge(), X, y, n_layers=3, cv=KFold(4))
        expected = cross_val_score(DummyRegressor(), X, y, cv=KFold(4))
        np.testing.assert_allclose(result.baseline_scores, expected)
        np.testing.assert_allclose(result.to_frame()["std"], result.scores.std(axis=1))

    def test_words_may_be_anything(self, classification):
        X, y = classification
        by_kind = [
            layerwise_scores(
                PROBE, X, y, n_layers=3, cv=3, control={"types": [kind(i % 7) for i in range(150)]}
            ).other_scores["types"]
            for kind in (int, str, lambda i: ("w", i), lambda i: i if i % 2 else str(i))
        ]
        for scores in by_kind[1:]:
            np.testing.assert_array_equal(scores, by_kind[0])

    def test_the_gain_is_over_the_first_layer(self, classification):
        result = layerwise_scores(PROBE, *classification, n_layers=3, cv=3)
        np.testing.assert_array_equal(result.gain[0], 0)
        np.testing.assert_array_equal(result.gain[2], result.scores[2] - result.scores[0])

    def test_the_frame_has_a_column_for_each(self, classification):
        X, y = classification
        control = {"noise": X[::-1].copy(), "types": list("abcde" * 30)}
        result = layerwise_scores(PROBE, X, y, n_layers=3, cv=3, control=control)
        frame = result.to_frame()
        assert list(frame) == ["score", "std", "gain", "noise", "types", "baseline"]
        np.testing.assert_allclose(frame["noise"], result.other_scores["noise"].mean(axis=1))
        assert frame["types"].nunique() == 1

    def test_a_split_that_shares_no_word_types_is_warned_of(self, classification, groups):
        task = make_control_task(groups, classification[1], random_state=0)
        with pytest.warns(UserWarning, match="On 3 of 3 folds, 90%") as record:
            layerwise_scores(PROBE, *classification, n_layers=3, cv=3, groups=groups, control=task)
        assert record[0].filename == __file__

    @pytest.mark.parametrize(
        ("control", "error", "message"),
        [
            ("task", TypeError, "control must be a ControlTask, or a dict of names"),
            ({1: list("ab")}, TypeError, "names of controls are strings, got 1"),
            ({"layer": list("ab")}, ValueError, "'layer' is a column of the results"),
            ({"gain": list("ab")}, ValueError, "'gain' is a column of the results"),
            ({"x": list("ab")}, ValueError, "The control 'x' has 2 words, but X has 150"),
            ({"x": np.ones((150, 3))}, ValueError, r"'x' have the shape \(150, 3\), but X has"),
            ({"x": np.full((150, 12), np.nan)}, ValueError, r"control\['x'\] contains NaN"),
            ({"x": "ab"}, TypeError, r"control\['x'\] must be a list of words"),
        ],
    )
    def test_errors(self, classification, control, error, message):
        with pytest.raises(error, match=message):
            layerwise_scores(PROBE, *classification, n_layers=3, control=control)

    def test_one_control_task(self, classification):
        task = make_control_task(range(150), classification[1], random_state=0)
        with pytest.raises(ValueError, match="control takes one control task"):
            layerwise_scores(PROBE, *classification, n_layers=3, control={"a": task, "b": task})


def test_a_pipeline_with_a_cache_is_fitted_as_it_is(classification, tmp_path):
    steps = [StandardScaler(), PROBE]
    cached = make_pipeline(*steps, memory=str(tmp_path))
    result = layerwise_scores(cached, *classification, n_layers=3, cv=2)
    plain = layerwise_scores(make_pipeline(*steps), *classification, n_layers=3, cv=2)
    np.testing.assert_allclose(result.scores, plain.scores, atol=0.02)
    assert list(tmp_path.rglob("output.pkl"))  # the cache was used


class TestNumbersOfLayers:
    def test_results_carry_them(self, classification):
        X, y = classification
        result = layerwise_scores(PROBE, X, y, layers=(4, 6, 9), cv=3)
        plain = layerwise_scores(PROBE, X, y, n_layers=3, cv=3)
        np.testing.assert_array_equal(result.scores, plain.scores)
        assert (plain.layers, plain.best_layer) == ((0, 1, 2), 0)
        assert (result.layers, result.best_layer) == ((4, 6, 9), 4)
        assert result.to_frame().index.tolist() == [4, 6, 9]

    def test_some_of_all(self, classification):
        X, y = classification
        other = np.random.RandomState(1).normal(size=X.shape)
        params = {"cv": 3, "n_layers": 3, "control": {"other": other}}
        every = layerwise_scores(PROBE, X, y, **params)
        some = layerwise_scores(PROBE, X, y, layers=[2, 0], **params)
        assert (every.layers, some.layers) == ((0, 1, 2), (2, 0))
        np.testing.assert_allclose(some.scores, every.scores[[2, 0]])
        np.testing.assert_allclose(some.other_scores["other"], every.other_scores["other"][[2, 0]])

    def test_the_names_of_columns_are_believed(self, classification):
        pandas = pytest.importorskip("pandas")
        X, y = classification
        names = [f"layer_{layer}_neuron_{i}" for layer in (0, 4, 8) for i in range(4)]
        frame = pandas.DataFrame(X, columns=names)
        layerwise_scores(PROBE, frame, y, layers=[0, 4, 8], cv=3)
        for wrong in ({"layers": [4, 8]}, {"n_layers": 3}, {"layers": [0, 4, 8, 9]}):
            with pytest.raises(ValueError, match=r"named after the layers \[0, 4, 8\], but layers"):
                layerwise_scores(PROBE, frame, y, cv=3, **wrong)

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            (dict(), "Give n_layers, or the numbers of the layers"),
            (dict(layers=[]), "layers is empty"),
            (dict(layers=[1, 1, 2]), "Each layer can be named once; 1 comes twice"),
            (dict(layers=[1, 4], n_layers=4), r"layers=\(1, 4\): X has layers 0 to 3"),
        ],
    )
    def test_errors(self, classification, changes, message):
        with pytest.raises(ValueError, match=message):
            layerwise_scores(PROBE, *classification, **changes)
