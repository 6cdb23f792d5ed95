"""Linear probes that are trained by one pass over the mini-batches of each batch."""

import numpy as np
import pytest
from sklearn.base import clone

from sklearn_neurox import (
    LinearProbeClassifier,
    LinearProbeClassifierCV,
    LinearProbeRegressor,
    LinearProbeRegressorCV,
    load,
    save,
)

N, D = 300, 5
RNG = np.random.RandomState(0)
CODES = RNG.randint(3, size=N)
X = RNG.normal(size=(N, D)) + 2 * RNG.normal(size=(3, D))[CODES]
NUMBERS = X @ RNG.normal(size=D)
BATCHES = [slice(0, 40), slice(40, 120), slice(120, 160), slice(160, N)]  # multiples of 20
FAST = dict(learning_rate=0.05, batch_size=20, max_epochs=1, random_state=0, device="cpu")
PENALIZED = dict(lambda_l1=0.01, lambda_l2=0.02, **FAST)
CASES = {
    "two classes": (LinearProbeClassifier(**PENALIZED), CODES > 0),
    "three classes": (LinearProbeClassifier(**PENALIZED), CODES),
    "squared penalty": (LinearProbeClassifier(l2_penalty="squared", **PENALIZED), CODES > 1),
    "class weights": (LinearProbeClassifier(**FAST), CODES),
    "numbers": (LinearProbeRegressor(**PENALIZED), NUMBERS),
    "two outputs": (LinearProbeRegressor(**FAST), np.c_[NUMBERS, X[:, 1]]),
}
EVERY = pytest.mark.parametrize("case", CASES)
pytestmark = pytest.mark.filterwarnings("ignore:After the last epoch, the squared error")


def options_of(probe, y):
    return {"classes": np.unique(y)} if isinstance(probe, LinearProbeClassifier) else {}


def in_batches(probe, y, batches=BATCHES, cells=X, **weights):
    for rows in batches:
        own = {name: weight[rows] for name, weight in weights.items()}
        probe.partial_fit(cells[rows], y[rows], **options_of(probe, y), **own)
    return probe


@EVERY
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_batches_are_one_epoch(case, dtype):
    probe, y = CASES[case]
    cells = X.astype(dtype)
    whole = clone(probe).fit(cells, y)
    parts = in_batches(clone(probe), y, cells=cells)
    assert parts.coef_.dtype == whole.coef_.dtype
    tolerance = 1e-12 if dtype is np.float64 else 1e-6
    np.testing.assert_allclose(parts.coef_, whole.coef_, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(parts.intercept_, whole.intercept_, rtol=tolerance, atol=tolerance)
    assert parts.n_iter_ == len(parts.loss_curve_) == len(BATCHES)
    sizes = [rows.stop - rows.start for rows in BATCHES]
    assert np.average(parts.loss_curve_, weights=sizes) == pytest.approx(whole.loss_curve_[0])
    assert np.array_equal(parts.predict(cells), whole.predict(cells)) or y.dtype.kind == "f"


def test_many_passes_learn():
    probe = LinearProbeClassifier(**FAST)
    for _ in range(20):
        in_batches(probe, CODES)
    assert probe.score(X, CODES) > 0.8
    assert probe.loss_curve_[-1] < probe.loss_curve_[0] / 2


@EVERY
def test_it_continues_with_the_weights_of_fit(case):
    probe, y = CASES[case]
    fitted = clone(probe).fit(X, y)
    warm = clone(probe).set_params(warm_start=True).fit(X, y)
    np.testing.assert_array_equal(fitted.coef_, warm.coef_)
    warm.fit(X[:60], y[:60])
    fitted.partial_fit(X[:60], y[:60])
    np.testing.assert_allclose(fitted.coef_, warm.coef_, rtol=1e-12)
    again = fitted.fit(X, y)
    np.testing.assert_array_equal(again.coef_, clone(probe).fit(X, y).coef_)
    assert len(again.loss_curve_) == 1
    assert "_state" not in vars(again)


@EVERY
def test_a_saved_probe_continues_with_the_same_bits(case, tmp_path):
    probe, y = CASES[case]
    begun = in_batches(clone(probe), y, BATCHES[:2])
    save(begun, tmp_path / "probe.skops")
    loaded = in_batches(load(tmp_path / "probe.skops"), y, BATCHES[2:])
    np.testing.assert_array_equal(loaded.coef_, in_batches(begun, y, BATCHES[2:]).coef_)
    np.testing.assert_array_equal(loaded.coef_, in_batches(clone(probe), y).coef_)


def test_weights_multiply_the_losses():
    """Weights of mean 1 are those of fit, and a weight of 0 removes a sample."""
    weight = np.tile([0.5, 1.5], N // 2)
    probe = LinearProbeClassifier(**PENALIZED)
    whole = clone(probe).fit(X, CODES, sample_weight=weight)
    parts = in_batches(clone(probe), CODES, sample_weight=weight)
    np.testing.assert_allclose(parts.coef_, whole.coef_, rtol=1e-12)
    by_class = clone(probe).set_params(class_weight={0: 1.0, 1: 3.0, 2: 0.0})
    in_batches(by_class, CODES)
    kept = CODES < 2
    weighted = clone(probe).partial_fit(
        X[BATCHES[0]][kept[:40]],
        CODES[BATCHES[0]][kept[:40]],
        classes=[0, 1, 2],
        sample_weight=np.where(CODES[:40] == 1, 3.0, 1.0)[kept[:40]],
    )
    first = clone(by_class).partial_fit(X[:40], CODES[:40], classes=[0, 1, 2])
    np.testing.assert_allclose(first.coef_, weighted.coef_, rtol=1e-12)


@EVERY
@pytest.mark.parametrize("n_seen", [0, 2])
def test_a_failed_batch_changes_nothing(case, n_seen):
    probe, y = CASES[case]
    begun = in_batches(clone(probe), y, BATCHES[:n_seen])
    before = vars(begun).copy()
    bad = [(np.where(np.eye(N, D) * X == X[3, 3], np.nan, X), y, "row 3, column 3")]
    bad.append((X, y[:-1], "inconsistent numbers of samples"))
    if isinstance(probe, LinearProbeClassifier):
        bad.append((X, np.full(N, 7), "not seen during training: 7|boolean|are 2 labels"))
    if n_seen:
        bad.append((X[:, :3], y, "5 features"))
    for cells, labels, message in bad:
        error = (ValueError, TypeError)
        with pytest.raises(error, match=message):
            begun.partial_fit(cells, labels, **options_of(probe, y))
        assert vars(begun).keys() == before.keys()
        assert all(vars(begun)[name] is before[name] for name in before)


def test_refusals():
    with pytest.raises(ValueError, match="classes must be passed to the first call"):
        LinearProbeClassifier(**FAST).partial_fit(X, CODES)
    probe = LinearProbeClassifier(**FAST).partial_fit(X, CODES, classes=range(3))
    with pytest.raises(ValueError, match="classes must be those of the first call"):
        probe.partial_fit(X, CODES, classes=range(4))
    for invalid, message in [
        (dict(class_weight="balanced"), "frequencies of the classes are not known"),
        (dict(net_params={"lr": 1.0}), "Set net_params=None"),
        (dict(batch_size=0), "The 'batch_size' parameter"),
        (dict(solver="sgd"), "The 'solver' parameter"),
    ]:
        with pytest.raises(ValueError, match=message):
            clone(probe).set_params(**invalid).partial_fit(X, CODES, classes=range(3))
    for each in (LinearProbeClassifier(**FAST), LinearProbeRegressor(**FAST)):
        each.set_params(standardize=True)
        assert not hasattr(each, "partial_fit")
        with pytest.raises(AttributeError, match="has no attribute 'partial_fit'") as error:
            each.partial_fit(X, NUMBERS)
        assert "deviations of later batches are not known" in str(error.value.__cause__)
    outputs = LinearProbeRegressor(**FAST).partial_fit(X, NUMBERS)
    with pytest.raises(ValueError, match="expected 1, got 2"):
        outputs.partial_fit(X, np.c_[NUMBERS, NUMBERS])


@pytest.mark.parametrize(
    ("probe", "message"),
    [
        (LinearProbeClassifier(solver="owlqn"), r'Set solver="adam"; call fit, which reads'),
        (LinearProbeClassifierCV(), "Use partial_fit of LinearProbeClassifier with the chosen"),
        (
            LinearProbeRegressorCV(solver="owlqn"),
            "Use partial_fit of LinearProbeRegressor with the chosen",
        ),
    ],
    ids=repr,
)
def test_probes_that_require_all_samples(probe, message):
    assert not any(hasattr(probe, name) for name in ("partial_fit", "merge"))
    with pytest.raises(AttributeError) as error:
        probe.partial_fit(X, CODES, classes=range(3))
    assert message.replace('Set solver="adam"; ', "") in str(error.value.__cause__)


def test_a_regressor_changes_its_solver():
    probe = LinearProbeRegressor(lambda_l2=0.1, solver="owlqn", device="cpu")
    probe.partial_fit(X[:200], NUMBERS[:200])
    exact = probe.coef_.copy()
    probe.set_params(solver="adam", learning_rate=1e-6, batch_size=100)
    probe.partial_fit(X[200:], NUMBERS[200:])
    np.testing.assert_allclose(probe.coef_, exact, atol=2e-6)
    assert not hasattr(probe, "merge")
    assert not hasattr(probe.set_params(solver="owlqn"), "partial_fit")
