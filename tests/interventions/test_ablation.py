"""Ablated neurons get the right values, and setting a neuron to zero removes it from a probe."""

import numpy as np
import pytest

from sklearn_neurox import LinearProbeClassifier, NeuronAblator, NeuronSelector


@pytest.fixture
def X():
    return np.random.RandomState(0).normal(2, 1, size=(50, 6)).astype(np.float32)


def test_zeroing_equals_removing_with_the_weights(classification):
    X, y = classification
    probe = LinearProbeClassifier(max_epochs=9, random_state=0, device="cpu").fit(X, y)
    zeroed = probe.decision_function(NeuronAblator([1, 4]).fit_transform(X))
    keep = NeuronSelector([1, 4], invert=True)
    kept = keep.fit_transform(X) @ keep.transform(probe.coef_).T + probe.intercept_
    np.testing.assert_allclose(zeroed, kept)


@pytest.mark.parametrize("mode", ["zero", "mean", "resample", "interchange", "remove"])
def test_other_neurons_and_the_input_do_not_change(X, mode):
    before = X.copy()
    for invert in (False, True):
        ablated = NeuronAblator([0, 3], mode=mode, invert=invert, random_state=0).fit_transform(X)
        untouched = [0, 3] if invert else [1, 2, 4, 5]
        kept = ablated if mode == "remove" else ablated[:, untouched]
        np.testing.assert_array_equal(kept, X[:, untouched])
        assert ablated.dtype == np.float32
    np.testing.assert_array_equal(X, before)


def test_replacement_values(X):
    train, test = X[:30], X[30:]

    def fill(mode):
        ablator = NeuronAblator([0, 3], mode=mode, random_state=0).fit(train)
        return ablator.transform(test)[:, [0, 3]]

    assert (fill("zero") == 0).all()
    np.testing.assert_allclose(
        fill("mean"), np.tile(train[:, [0, 3]].mean(axis=0), (20, 1)), rtol=1e-6
    )
    pairs = {tuple(row) for row in train[:, [0, 3]]}
    resampled = fill("resample")
    assert {tuple(row) for row in resampled} <= pairs  # one training sample for all ablated neurons
    assert len(np.unique(resampled[:, 0])) > 5
    np.testing.assert_array_equal(fill("resample"), resampled)


def test_resampling_again_gives_the_same(X):
    ablator = NeuronAblator([2], mode="resample").fit(X)
    np.testing.assert_array_equal(ablator.transform(X), ablator.transform(X))


def test_interchange_with_the_row_of_a_source(X):
    source, target = X[:20], X[20:40]
    edited = NeuronAblator([4, 0], mode="interchange").fit(source).transform(target)
    np.testing.assert_array_equal(edited[:, [0, 4]], source[:, [0, 4]])
    np.testing.assert_array_equal(edited[:, [1, 2, 3, 5]], target[:, [1, 2, 3, 5]])
    every = NeuronAblator([], mode="interchange", invert=True).fit(source)
    np.testing.assert_array_equal(every.transform(target), source)
    with pytest.raises(ValueError, match="so it edits 20 rows, got 21"):
        every.transform(X[:21])


def test_ablating_no_neurons_or_all(X):
    np.testing.assert_array_equal(NeuronAblator([]).fit_transform(X), X)
    assert (NeuronAblator([], invert=True).fit_transform(X) == 0).all()
    assert NeuronAblator(range(6), mode="remove").fit_transform(X).shape == (50, 0)


def test_names():
    ablator = NeuronAblator([0], mode="remove").fit(np.zeros((2, 3)))
    assert ablator.get_feature_names_out().tolist() == ["x1", "x2"]
    assert NeuronAblator([0]).fit(np.zeros((2, 3))).get_feature_names_out().tolist() == [
        "x0", "x1", "x2",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("neurons", "error", "message"),
    [
        (
            [6],
            ValueError,
            "There are 6 neurons, so neuron indices must be integers from 0 to 5, got 6",
        ),
        ([1, 1], ValueError, "Each neuron can be listed only once; 1 is repeated"),
        ([0.5], TypeError, "integers from 0 to 5"),
    ],
)
def test_bad_neurons(X, neurons, error, message):
    with pytest.raises(error, match=message):
        NeuronAblator(neurons).fit(X)


def test_bad_mode(X):
    with pytest.raises(ValueError, match="The 'mode' parameter"):
        NeuronAblator([0], mode="noise").fit(X)
