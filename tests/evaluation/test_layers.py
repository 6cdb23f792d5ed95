"""Scores by layer: the same numbers as the loops of scikit-learn, for any layout of columns."""

from importlib import import_module

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.linear_model import Ridge, RidgeClassifier
from sklearn.model_selection import GroupKFold, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_neurox import (
    LayerSelector,
    LinearProbeClassifier,
    Neurons,
    NeuronSelector,
    WeightMassSelector,
    layerwise_scores,
    make_control_task,
    make_control_tasks,
)

PROBE = LinearProbeClassifier(max_epochs=5, learning_rate=0.05, random_state=0, device="cpu")


@pytest.mark.parametrize("cv", [None, 3, KFold(4)], ids=str)
def test_layers_score_like_a_loop(classification, cv):
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
def test_layers_of_a_pipeline_score_like_a_loop(classification, steps, solver):
    X, y = classification
    probe = clone(PROBE).set_params(solver=solver, lambda_l1=0.01)
    control = make_control_task(list("abcde" * 30), y, random_state=0)
    pipeline = make_pipeline(*steps, probe)
    result = layerwise_scores(pipeline, X, y, n_layers=3, cv=3, control=control)
    for layer in range(3):
        one_layer = make_pipeline(LayerSelector(layer, n_layers=3), *steps, probe)
        np.testing.assert_allclose(result.scores[layer], cross_val_score(one_layer, X, y, cv=3))


def test_a_step_may_leave_layers_of_different_widths(classification):
    X, y = classification
    X = np.c_[X[:, :4], np.repeat(X[:, 4:5], 4, axis=1)]
    pipeline = make_pipeline(WeightMassSelector(PROBE, mass=0.7), PROBE)
    result = layerwise_scores(pipeline, X, y, n_layers=2, cv=3)
    for layer in range(2):
        one_layer = make_pipeline(LayerSelector(layer, n_layers=2), pipeline)
        np.testing.assert_allclose(result.scores[layer], cross_val_score(one_layer, X, y, cv=3))


def test_any_estimator_scoring_and_n_jobs(classification, groups):
    X, _ = classification
    regressor = make_pipeline(StandardScaler(), Ridge())
    result = layerwise_scores(
        regressor, X, X[:, 5], n_layers=3, groups=groups, scoring="r2", n_jobs=2
    )
    assert result.best_layer == 1
    assert result.scores[1].min() > 0.9
    assert result.baseline_scores.max() <= 0  # the mean of other samples


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
        (dict(n_layers=5), "X has 12 neurons, which cannot be divided into n_layers=5 layers"),
        (
            dict(n_layers=0),
            r"'n_layers' parameter of layerwise_scores must be an int in the range \[1, inf\)",
        ),
        (dict(groups=[1, 2]), "inconsistent numbers of samples"),
        (
            dict(control=make_control_task(list("abcdefgh"), list("NVNVNVNV"), random_state=0)),
            "has 8 words, but X has 150 samples",
        ),
    ],
)
def test_errors_of_layers(classification, changes, message):
    with pytest.raises(ValueError, match=message):
        layerwise_scores(PROBE, *classification, **{"n_layers": 3, **changes})


def test_a_score_that_is_nan_has_no_best_layer(classification):
    with pytest.warns(UndefinedMetricWarning, match="undefined in 5 of 5 folds"):
        result = layerwise_scores(
            PROBE, *classification, n_layers=3, scoring=lambda estimator, X, y: np.nan
        )
    with pytest.raises(ValueError, match="The score of layer 0 is NaN"):
        result.best_layer  # noqa: B018 -- the access is what is tested


def test_a_pipeline_with_a_cache_is_fitted_as_it_is(classification, tmp_path):
    steps = [StandardScaler(), PROBE]
    cached = make_pipeline(*steps, memory=str(tmp_path))
    result = layerwise_scores(cached, *classification, n_layers=3, cv=2)
    plain = layerwise_scores(make_pipeline(*steps), *classification, n_layers=3, cv=2)
    np.testing.assert_allclose(result.scores, plain.scores, atol=0.02)
    assert list(tmp_path.rglob("output.pkl"))  # the cache was used


def test_the_gain_is_over_the_first_layer(classification):
    result = layerwise_scores(PROBE, *classification, n_layers=3, cv=3)
    np.testing.assert_array_equal(result.gain[0], 0)
    np.testing.assert_array_equal(result.gain[2], result.scores[2] - result.scores[0])


def test_baselines_and_spreads_are_those_of_scikit_learn(classification):
    X, _ = classification
    y = np.exp(X[:, 0])  # its mean is far from its median
    result = layerwise_scores(Ridge(), X, y, n_layers=3, cv=KFold(4))
    expected = cross_val_score(DummyRegressor(), X, y, cv=KFold(4))
    np.testing.assert_allclose(result.baseline_scores, expected)
    np.testing.assert_allclose(result.to_frame()["std"], result.scores.std(axis=1))


def test_an_invalid_y_is_an_error(classification, untouched):
    X, y = classification
    with pytest.raises(ValueError, match="y contains continuous values, but Untouched"):
        layerwise_scores(untouched, X, y + 0.5, n_layers=3)
    with pytest.raises(TypeError, match="y must be a flat list"):
        layerwise_scores(untouched, X[:2], [["a", "b"], ["c"]], n_layers=3)


class TestArrays:
    """Without names, `n_layers` or `layers` say which columns are a layer."""

    def test_results_contain_the_layers(self, classification):
        X, y = classification
        result = layerwise_scores(PROBE, X, y, layers=(4, 6, 9), cv=3)
        plain = layerwise_scores(PROBE, X, y, n_layers=3, cv=3)
        np.testing.assert_array_equal(result.scores, plain.scores)
        assert (plain.layers, plain.best_layer) == ((0, 1, 2), 0)
        assert (result.layers, result.best_layer) == ((4, 6, 9), 4)
        assert result.to_frame().index.tolist() == [4, 6, 9]

    def test_layers_may_be_module_paths(self, classification):
        X, y = classification
        result = layerwise_scores(PROBE, X, y, layers=["conv", "fc.0", "fc.1"], cv=3)
        assert (result.layers, result.best_layer) == (("conv", "fc.0", "fc.1"), "conv")

    def test_some_of_all_layers(self, classification):
        X, y = classification
        other = np.random.RandomState(1).normal(size=X.shape)
        params = {"cv": 3, "n_layers": 3, "control": {"other": other}}
        every = layerwise_scores(PROBE, X, y, **params)
        some = layerwise_scores(PROBE, X, y, layers=[2, 0], **params)
        assert (every.layers, some.layers) == ((0, 1, 2), (2, 0))
        np.testing.assert_allclose(some.scores, every.scores[[2, 0]])
        np.testing.assert_allclose(some.other_scores["other"], every.other_scores["other"][[2, 0]])

    def test_other_names_are_ignored(self, classification):
        pandas = pytest.importorskip("pandas")
        X, y = classification
        frame = pandas.DataFrame(X, columns=[*"abcdefghijkl"])
        for options in ({"n_layers": 3}, {"layers": (4, 6, 9)}):
            np.testing.assert_array_equal(
                layerwise_scores(PROBE, frame, y, cv=3, **options).scores,
                layerwise_scores(PROBE, X, y, cv=3, **options).scores,
            )

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            (dict(), r"[Pp]ass n_layers"),
            (dict(layers=[]), "layers is empty"),
            (dict(layers=[1, 1, 2]), "Each layer can be listed only once; 1 is repeated"),
            (dict(layers=[1, 4], n_layers=4), r"X does not contain layer 4.* 0, 1, 2, 3\."),
            (dict(layers=[1, 4, 5], n_layers=2), "X does not contain layer 4"),
            (
                dict(layers=[1, 2, 3, 4, 5]),
                "X has 12 neurons, which cannot be divided into n_layers=5 layers",
            ),
        ],
    )
    def test_errors(self, classification, untouched, changes, message):
        with pytest.raises(ValueError, match=message):
            layerwise_scores(untouched, *classification, **changes)


UNITS = ["neuron", "mlp", "attention", "attn.q_proj"]
MODULES = Neurons(("conv", "fc.0"), 6)  # not a stack of blocks


def frame_of(X, neurons):
    return pytest.importorskip("pandas").DataFrame(X, columns=neurons.names)


class TestFrames:
    """The names of the columns determine the layers."""

    @pytest.mark.parametrize(
        "neurons",
        [*(Neurons((1, 3), 6, unit) for unit in UNITS), MODULES],
        ids=lambda n: n.names[0],
    )
    def test_every_kind_of_name_is_recognized(self, classification, neurons):
        X, y = classification
        frame = frame_of(X, neurons)
        expected = layerwise_scores(PROBE, X, y, n_layers=2, cv=3).scores
        for options in ({}, {"n_layers": 2}, {"layers": neurons.layers}):
            result = layerwise_scores(PROBE, frame, y, cv=3, **options)
            assert result.layers == neurons.layers
            np.testing.assert_array_equal(result.scores, expected)

    @pytest.mark.parametrize(
        "neurons",
        [*(Neurons((1, 3), 6, unit) for unit in UNITS), MODULES],
        ids=lambda n: n.names[0],
    )
    @pytest.mark.parametrize("n_layers", [1, 3, 4, 12])
    def test_a_disagreement_with_n_layers_is_an_error(
        self, classification, untouched, neurons, n_layers
    ):
        X, y = classification
        with pytest.raises(ValueError, match=rf"n_layers={n_layers}, but .* 2 layers"):
            layerwise_scores(untouched, frame_of(X, neurons), y, n_layers=n_layers)

    def test_layers_that_x_does_not_contain_are_an_error(self, classification, untouched):
        X, y = classification
        frame = frame_of(X, Neurons((0, 4, 8), 4))
        for layers in ([0, 4, 9], [0, 1, 2], [9], ["conv"]):
            missing = next(layer for layer in layers if layer not in (0, 4, 8))
            message = rf"X does not contain layer {missing!r}.* 0, 4, 8"
            with pytest.raises(ValueError, match=message):
                layerwise_scores(untouched, frame, y, layers=layers)

    def test_some_layers_in_another_order(self, classification):
        X, y = classification
        frame = frame_of(X, Neurons((0, 4, 8), 4))
        every = layerwise_scores(PROBE, frame, y, cv=3)
        some = layerwise_scores(PROBE, frame, y, layers=[8, 0], cv=3)
        assert some.layers == (8, 0)
        np.testing.assert_allclose(some.scores, every.scores[[2, 0]])

    @pytest.mark.parametrize(
        "estimator",
        [PROBE, make_pipeline(StandardScaler(), PROBE), RidgeClassifier()],
        ids=["probe", "pipeline", "ridge"],
    )
    @pytest.mark.parametrize(
        "kept",
        [
            [0, 1, 2, 5, 6, 10, 11],  # layers of 3, 2 and 2 columns
            [0, 1, 2, 3, 8, 9, 10, 11],  # without layer 4
            [8, 0, 4, 1, 9, 5],  # interleaved, two columns each
        ],
        ids=str,
    )
    def test_columns_may_be_missing_and_in_any_order(self, classification, estimator, kept):
        X, y = classification
        frame = frame_of(X, Neurons((2, 4, 8), 4)).iloc[:, kept]
        other = frame_of(X[::-1], Neurons((2, 4, 8), 4)).iloc[:, kept]
        result = layerwise_scores(estimator, frame, y, cv=3, control={"other": other})
        found = dict(zip(result.layers, result.scores, strict=True))
        assert result.layers == tuple(dict.fromkeys((2, 4, 8)[i // 4] for i in kept))
        for place, layer in enumerate((2, 4, 8)):
            columns = [i for i in kept if i // 4 == place]
            if columns:
                expected = cross_val_score(estimator, X[:, columns], y, cv=3)
                np.testing.assert_allclose(found[layer], expected)
                expected = cross_val_score(estimator, X[::-1][:, columns], y, cv=3)
                control = result.other_scores["other"][result.layers.index(layer)]
                np.testing.assert_allclose(control, expected)

    def test_the_output_of_a_selector_keeps_its_layers(self, classification):
        X, y = classification
        frame = frame_of(X, Neurons((1, 3, 5), 4))
        selector = NeuronSelector([0, 1, 2, 9]).set_output(transform="pandas")
        result = layerwise_scores(RidgeClassifier(), selector.fit_transform(frame), y, cv=3)
        assert result.layers == (1, 5)
        expected = [cross_val_score(RidgeClassifier(), X[:, c], y, cv=3) for c in ([0, 1, 2], [9])]
        np.testing.assert_array_equal(result.scores, expected)

    def test_columns_of_several_kinds_are_an_error(self, classification, untouched):
        X, y = classification
        frame = frame_of(X, Neurons((0, 1), 6))
        frame.columns = [*frame.columns[:6], *Neurons((0,), 6, "mlp").names]
        with pytest.raises(ValueError, match="several kinds, 'mlp' and 'neuron'"):
            layerwise_scores(untouched, frame, y)

    @pytest.mark.parametrize("place", [0, 7])
    @pytest.mark.parametrize("options", [dict(n_layers=2), dict(layers=[1, 3])], ids=str)
    def test_other_columns_are_an_error(self, classification, untouched, place, options):
        X, y = classification
        frame = frame_of(X, Neurons((1, 3), 6))
        frame = frame.rename(columns={frame.columns[place]: "age"})
        with pytest.raises(ValueError, match="but 'age' is not: select the columns of the neurons"):
            layerwise_scores(untouched, frame, y, **options)

    @pytest.mark.parametrize("n_layers", [2, 3, 6])
    def test_layers_of_one_width_train_as_one_bank(self, classification, monkeypatch, n_layers):
        X, y = classification
        module = import_module("sklearn_neurox.evaluation._layer_fits")
        calls = []

        def fit_layers(probes, X, y):
            calls.append(len(probes))
            return original(probes, X, y)

        original = module.fit_layers
        monkeypatch.setattr(module, "fit_layers", fit_layers)
        frame = frame_of(X, Neurons(range(1, 1 + n_layers), 12 // n_layers))
        layerwise_scores(PROBE, frame, y, cv=3)
        assert calls == [n_layers] * 3
        layerwise_scores(PROBE, frame.iloc[:, 1:], y, cv=3)
        assert calls == [n_layers] * 3  # a column is missing: one layer after the other


def test_several_control_tasks_are_averaged(classification, groups):
    X, y = classification
    tasks = make_control_tasks(np.arange(len(y)) % 20, y, n_tasks=3, random_state=0)
    result = layerwise_scores(PROBE, X, y, n_layers=2, cv=3, groups=groups, control=tasks)
    each = [
        layerwise_scores(PROBE, X, y, n_layers=2, cv=3, groups=groups, control=task)
        for task in tasks
    ]
    expected = np.array([one.control_scores for one in each])
    np.testing.assert_array_equal(result.control_task_scores, expected)
    np.testing.assert_allclose(result.control_scores, expected.mean(axis=0))
    frame = result.to_frame()
    std = expected.mean(axis=2).std(axis=0, ddof=1)
    np.testing.assert_allclose(frame["control std"], std)
    np.testing.assert_allclose(frame["control"], expected.mean(axis=(0, 2)))
    assert np.isnan(each[0].control_std).all()
    assert "control std" not in each[0].to_frame()
    comparison = result.compare(against="control task 2", n_bootstraps=200, random_state=0)
    assert comparison.scores[2].value == pytest.approx(expected[1, 0].mean())


def test_a_control_task_keeps_its_name():
    rng = np.random.RandomState(0)
    X, y, words = rng.normal(size=(60, 4)), np.arange(60) % 2, np.arange(60) % 7
    task = make_control_task(words, y, random_state=0)
    for control, name, column in [
        (task, "control task", "control"),
        ({"control task": task}, "control task", "control"),
        ({"random tags": task}, "random tags", "random tags"),
    ]:
        result = layerwise_scores(RidgeClassifier(), X, y, n_layers=2, control=control)
        assert result.control_name == name
        expected = result.control_scores.mean(axis=1)
        np.testing.assert_array_equal(result.to_frame()[column], expected)
