"""Checks of input: the first NaN or infinity is named, in any kind of X."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn import config_context
from sklearn.base import clone
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline

from sklearn_neurox import (
    CorrelationClustering,
    GaussianProbeClassifier,
    LinearProbeClassifier,
    LinearProbeRegressor,
    ModuleActivations,
    NeuronAblator,
    NeuronSelector,
    ProbelessSelector,
    WeightMassSelector,
    ablation_curve,
    bottom_neurons,
    codelength,
    layerwise_scores,
    mean_difference_scores,
    probe_report,
    threshold_neurons,
    top_neurons,
    weight_mass_ordering,
)
from sklearn_neurox._validation import (
    all_or_nothing,
    check_scale,
    check_vector,
    check_words,
    validate_params,
)

ESTIMATORS = [
    LinearProbeClassifier(),
    NeuronAblator([0]),
    NeuronSelector([0]),
    ProbelessSelector(),
    WeightMassSelector(),
]


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", ["float64", "float32", "float16", "list", "frame"])
def test_the_first_bad_cell_is_named(estimator, value, kind):
    X = np.zeros((20_000 if kind == "float16" else 8, 3))
    X[-2, 1] = X[-1, 0] = value
    if kind == "list":
        given = X.tolist()
    elif kind == "frame":
        given = pytest.importorskip("pandas").DataFrame(X, columns=["a", "b", "c"])
    else:
        given = X.astype(kind)
    place = f"The first is {value} in row {len(X) - 2}, column 1"
    ending = r" \(b\)\." if kind == "frame" else r"\."
    with pytest.raises(ValueError, match=f"Input X contains (NaN|infinity).*{place}{ending}"):
        estimator.fit(given, np.arange(len(X)) % 2)


MASKED = np.ma.array(np.arange(24.0).reshape(8, 3), mask=np.zeros((8, 3)))
MASKED[5, 2] = MASKED[6, 0] = np.ma.masked
CLASSES = np.arange(8) % 2
USES_OF_X = {
    **{type(estimator).__name__: clone(estimator).fit for estimator in ESTIMATORS},
    "gaussian": GaussianProbeClassifier().fit,
    "clustering": lambda X, y: CorrelationClustering().fit(X),
    "regressor": LinearProbeRegressor().fit,
    "transform": lambda X, y: NeuronSelector([0]).fit(X.data).transform(X),
    "predict": lambda X, y: GaussianProbeClassifier().fit(X.data, y).predict(X),
    "ablate": lambda X, y: NeuronAblator([0]).fit(X.data).transform(X),
    "scores": lambda X, y: mean_difference_scores(X, y),
    "layers": lambda X, y: layerwise_scores(RidgeClassifier(), X, y, n_layers=3),
    "codelength": lambda X, y: codelength(GaussianProbeClassifier(), X, y),
    "report": lambda X, y: probe_report(RidgeClassifier().fit(X.data, y), X, y),
    "module": lambda X, y: ModuleActivations(torch.nn.Linear(3, 2), [""]).fit_transform(X),
}


@pytest.mark.parametrize("use", USES_OF_X)
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int64"])
def test_values_behind_a_mask_are_not_used(use, dtype):
    with pytest.raises(ValueError, match=r"X must not have masked values, but X\[5, 2\] is masked"):
        USES_OF_X[use](MASKED.astype(dtype), CLASSES)


def test_masked_weights_and_scales_and_rows():
    X, order = MASKED.data, np.ma.array([0, 1, 2], mask=[0, 1, 0])
    for call, message in [
        (lambda: top_neurons(MASKED, 0.5), r"coef must not .* coef\[5, 2\] is masked"),
        (lambda: check_scale(MASKED[5], 3), r"scale must not .* scale\[2\] is masked"),
        (lambda: ProbelessSelector().fit(list(MASKED), CLASSES), r"but X\[5\]\[2\] is masked"),
        (lambda: ablation_curve(RidgeClassifier(), X, CLASSES, ranking=order), r"\[1\] is masked"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()


def test_an_empty_mask_changes_nothing():
    X = np.random.RandomState(0).normal(size=(8, 3))
    for empty in (np.ma.array(X), np.ma.array(X, mask=np.zeros((8, 3), dtype=bool))):
        found, expected = (mean_difference_scores(each, CLASSES)[0] for each in (empty, X))
        np.testing.assert_array_equal(found, expected)
        assert type(NeuronSelector([0]).fit_transform(empty)) is np.ndarray
        np.testing.assert_array_equal(top_neurons(empty, 0.5)[0], top_neurons(X, 0.5)[0])


def test_other_errors_keep_their_message():
    for X, message in [
        ([[np.nan, 1], [1]], "inhomogeneous shape"),
        (
            [["a", "b"], ["c", "d"]],
            "X must contain numbers, but contains text: 'a'",
        ),
    ]:
        with pytest.raises(ValueError, match=message):
            ProbelessSelector().fit(X, [0, 1])


def test_bad_labels_keep_their_message():
    with pytest.raises(ValueError, match=r"y must not contain NaN or infinity: y\[2\] = nan"):
        ProbelessSelector().fit(np.zeros((4, 2)), [0, 1, np.nan, 1])


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (lambda: check_words(None, name="words"), "words must be a list of words, got None"),
        (
            lambda: check_words("ab", name="words"),
            "words must be a list of words, got a single string",
        ),
        (lambda: check_words([["a"], ["b"]], name="words"), "words must be a flat list of words"),
        (lambda: check_vector([[1.0]], name="scale"), r"scale must have one dimension.*\(1, 1\)"),
        (lambda: check_scale([1.0], 2), "scale must contain one number for each of the 2 neurons"),
        (lambda: check_scale([1.0, -1.0], 2), "scale must be non-negative, got -1"),
    ],
)
def test_messages(check, message):
    with pytest.raises((TypeError, ValueError), match=message):
        check()


TENSORS = [
    torch.ones(4, 2, requires_grad=True),
    torch.eye(4, 2).bfloat16(),
    torch.eye(4, 2).half(),
    torch.eye(4, 2).double(),
    pytest.param(
        torch.eye(4, 2, device="cuda" if torch.cuda.is_available() else "cpu"),
        marks=pytest.mark.cuda,
    ),
]


@pytest.mark.parametrize("X", TENSORS, ids=lambda X: str(X.dtype))
@pytest.mark.parametrize("dispatch", [False, True])
def test_tensors_are_arrays(X, dispatch, monkeypatch):
    # SciPy reads the environment when it is imported. What is tested here does not depend on SciPy.
    monkeypatch.setattr("sklearn.utils._array_api._check_array_api_dispatch", lambda _: None)
    array, y = X.detach().cpu().double().numpy(), [0, 1, 0, 1]
    array = array.astype(np.float64 if X.dtype == torch.float64 else np.float32)
    with config_context(array_api_dispatch=dispatch):
        for selector in (ProbelessSelector(n_neurons=1), NeuronSelector([1]), NeuronAblator([0])):
            found = clone(selector).fit(X, y).transform(X)
            expected = clone(selector).fit(array, y).transform(array)
            np.testing.assert_array_equal(found, expected)
        probe = LinearProbeClassifier(device="cpu", random_state=0).fit(X, y)
        assert probe.predict(X).tolist() == probe.predict(array).tolist()
        top_neurons(X + 1, 0.5)
        layerwise_scores(RidgeClassifier(), X, y, n_layers=2, cv=2)


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        ([["1", "2"], ["3", "4"]], ValueError, "X must contain numbers, but contains text: '1'"),
        (np.array([["1"], ["2"]]), ValueError, "X must contain numbers, but contains text: '1'"),
        (np.array([[b"1"], [b"2"]]), ValueError, "but contains text: b'1'"),
        (np.array([[1], ["2"]], object), ValueError, "but contains text: '2'"),
        (np.array([["2020"], ["2021"]], "M8[Y]"), TypeError, "but contains dates or times"),
        (np.ones((2, 1), complex), ValueError, "Complex data not supported"),
        (LinearProbeClassifier(), TypeError, "X must be an array, got LinearProbeClassifier"),
    ],
    ids=lambda value: str(value)[:25],
)
def test_cells_are_numbers(X, error, message):
    for fit in (ProbelessSelector().fit, WeightMassSelector().fit, mean_difference_scores):
        with pytest.raises(error, match=message):
            fit(X, [0, 1])


@pytest.mark.parametrize("select", [top_neurons, bottom_neurons, threshold_neurons])
def test_an_estimator_is_not_its_weights(select):
    message = "coef must be an array, got LinearProbeClassifier. Pass its attribute coef_"
    with pytest.raises(TypeError, match=message):
        select(LinearProbeClassifier(), 0.5)
    with pytest.raises(TypeError, match=message):
        weight_mass_ordering(LinearProbeClassifier())
    with pytest.raises(TypeError, match="scale must be an array, got LinearProbeClassifier"):
        select([[1.0, 2.0]], 0.5, scale=LinearProbeClassifier())


@pytest.mark.parametrize("word", [None, np.nan, pd.NA, {"a": 1}], ids=str)
def test_words_that_cannot_be_looked_up(word):
    with pytest.raises(
        TypeError, match=r"must not contain missing or unhashable values, but words\[1\] = "
    ):
        check_words(["a", word], name="words")


@pytest.mark.parametrize(
    ("coef", "message"),
    [
        (make_pipeline(LinearProbeClassifier()), r"got Pipeline\. .* coef_ of its last step"),
        (ProbelessSelector(), r"got ProbelessSelector\. It selects neurons itself: get_support"),
        (
            GaussianProbeClassifier(),
            r"got GaussianProbe.*coef_ after fit, which only linear models",
        ),
        (torch.nn.Linear(6, 2), r"got Linear\. Pass its attribute weight\."),
        (LinearProbeClassifier, r"got the class LinearProbeClassifier\. Fit an instance of it"),
        (SimpleNamespace(X=np.eye(3)), r"coef must be an array, got SimpleNamespace\.$"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_the_advice_for_a_model_is_right(coef, message):
    for select in (top_neurons, bottom_neurons, threshold_neurons):
        with pytest.raises(TypeError, match=message):
            select(coef, 0.5)


@pytest.mark.parametrize("X", [LinearProbeClassifier, np.zeros, torch.nn.Linear(3, 2)], ids=str)
def test_classes_functions_and_modules_are_not_arrays(X):
    for use in (LinearProbeClassifier().fit, ProbelessSelector().fit, mean_difference_scores):
        with pytest.raises(TypeError, match="X must be an array, got"):
            use(X, [0, 1])


def test_words_become_a_list():
    assert check_words(np.array(["a", "b"]), name="words") == ["a", "b"]
    assert check_words(iter([("a", 1), 2]), name="words") == [("a", 1), 2]


def test_a_failed_block_restores_the_estimator():
    probe = LinearProbeClassifier()
    probe.old_ = 1

    def fail():
        with all_or_nothing(probe):
            probe.old_, probe.new_ = 2, 3
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert probe.old_ == 1
    assert not hasattr(probe, "new_")


def test_validate_params_keeps_the_function():
    @validate_params({"n": [int]})
    def double(n: int = 1) -> int:
        """Double n."""
        return 2 * n

    assert (double(2), double.__name__, double.__doc__) == (4, "double", "Double n.")
    with pytest.raises(ValueError, match=r"The 'n' parameter of .*double must be an instance of"):
        double("2")
