"""The Gaussian probe: what NeuroX computes, the densities of scipy, and a greedy search without shortcuts."""

import copy
import pickle

import numpy as np
import pytest
from scipy.special import log_softmax
from scipy.stats import multivariate_normal
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_neurox import GaussianProbeClassifier
from sklearn_neurox.probes import _class_gaussians, _greedy

COVARIANCES = ("map", "mean")


@pytest.fixture(params=COVARIANCES)
def covariance(request):
    return request.param


@pytest.fixture
def samples():
    """Correlated neurons, and classes of 40 to 80 samples."""
    rng = np.random.RandomState(0)
    y = np.repeat([0, 1, 2], [40, 60, 80])
    X = rng.normal(size=(180, 12)) @ rng.normal(size=(12, 12))
    X += rng.normal(size=(3, 12))[y]
    return X, y


@parametrize_with_checks([GaussianProbeClassifier(covariance=c) for c in COVARIANCES])
def test_sklearn_compatible(estimator, check):
    check(estimator)


class TestParity:
    @pytest.fixture
    def data(self, reference):
        data = reference("gaussian")
        return data | {name: np.float32(data[name]) for name in ("X", "X_test")}

    def test_gaussians(self, data):
        probe = GaussianProbeClassifier(covariance="map").fit(data["X"], data["y"])
        np.testing.assert_allclose(probe.class_prior_, data["prior"], atol=1e-6)
        np.testing.assert_allclose(probe.means_, data["mu"], atol=1e-6)
        np.testing.assert_allclose(probe.covariances_, data["sigma"], atol=1e-6)

    def test_ranking_and_information(self, data):
        probe = GaussianProbeClassifier(covariance="map").fit(data["X"], data["y"])
        ordering, bits = probe.rank_neurons(len(data["greedy_order"]))
        assert ordering.tolist() == data["greedy_order"]
        share = np.bincount(data["y"]) / len(data["y"])
        entropy = -share @ np.log2(share)
        for step, mi in zip(data["steps"], bits, strict=True):
            neurons, X, X_test = step["selected"], data["X"], data["X_test"]
            train = probe.mutual_information(X, data["y"], neurons)
            test = probe.mutual_information(X_test, data["y_test"], neurons)
            np.testing.assert_allclose([mi, train], step["train_mi_bits"], atol=1e-4)
            np.testing.assert_allclose(test, step["test_mi_bits"], atol=1e-4)
            np.testing.assert_allclose(mi / entropy, step["train_nmi_correct"], atol=1e-4)
            accuracy = (probe.predict(X_test, neurons) == data["y_test"]).mean()
            np.testing.assert_allclose(accuracy, step["test_accuracy"], atol=1e-8)


class TestGaussians:
    def test_the_formula(self, samples, covariance):
        X, y = samples
        probe = GaussianProbeClassifier(covariance=covariance).fit(X, y)
        for c, (mean, matrix) in enumerate(zip(probe.means_, probe.covariances_, strict=True)):
            rows = X[y == c]
            n, scale = len(rows), np.diag(rows.var(axis=0, ddof=1))
            divisor = {"map": n + 2 * 12 + 4, "mean": n + 1}[covariance]
            np.testing.assert_allclose(mean, rows.mean(axis=0))
            np.testing.assert_allclose(matrix, (scale + np.cov(rows.T) * (n - 1)) / divisor)
        np.testing.assert_allclose(probe.class_prior_, np.bincount(y) / len(y))

    @pytest.mark.parametrize("seed", range(4))
    def test_densities_of_any_subset_are_those_of_scipy(self, samples, covariance, seed):
        X, y = samples
        rng = np.random.RandomState(seed)
        neurons = rng.permutation(12)[: rng.randint(1, 13)]
        probe = GaussianProbeClassifier(covariance=covariance).fit(X, y)
        joint = np.log(probe.class_prior_) + np.column_stack(
            [
                multivariate_normal(mean[neurons], matrix[np.ix_(neurons, neurons)]).logpdf(
                    X[:, neurons]
                )
                for mean, matrix in zip(probe.means_, probe.covariances_, strict=True)
            ]
        )
        log_proba = probe.predict_log_proba(X, neurons)
        np.testing.assert_allclose(log_proba, log_softmax(joint, axis=1), atol=1e-8)
        np.testing.assert_allclose(probe.predict_proba(X, neurons), np.exp(log_proba))
        np.testing.assert_array_equal(probe.predict(X, neurons), joint.argmax(axis=1))

    def test_no_neuron_leaves_the_prior(self, samples):
        X, y = samples
        probe = GaussianProbeClassifier().fit(X, y)
        np.testing.assert_allclose(probe.predict_proba(X[:2], neurons=[]), [probe.class_prior_] * 2)
        assert abs(probe.mutual_information(X, y, neurons=[])) < 1e-12

    def test_chunks_change_nothing(self, samples, covariance, monkeypatch):
        X, y = samples
        whole = GaussianProbeClassifier(covariance=covariance).fit(X, y)
        expected = whole.rank_neurons(5)
        monkeypatch.setattr(_greedy, "_ROWS", 7)
        monkeypatch.setattr(_class_gaussians, "_ROWS", 7)
        monkeypatch.setattr(_greedy, "_CELLS", 100)
        pieces = GaussianProbeClassifier(covariance=covariance).fit(X, y)
        np.testing.assert_allclose(pieces.covariances_, whole.covariances_)
        np.testing.assert_allclose(pieces.predict_proba(X), whole.predict_proba(X))
        ordering, bits = pieces.rank_neurons(5)
        np.testing.assert_array_equal(ordering, expected[0])
        np.testing.assert_allclose(bits, expected[1])

    @pytest.mark.parametrize("dtype", [np.float32, np.float16])
    def test_small_floats_are_computed_in_float64(self, samples, dtype):
        X, y = samples
        small = GaussianProbeClassifier().fit(X.astype(dtype), y)
        assert small.means_.dtype == small.covariances_.dtype == np.float64
        same = GaussianProbeClassifier().fit(X.astype(dtype).astype(np.float64), y)
        np.testing.assert_allclose(small.covariances_, same.covariances_, rtol=1e-12)
        np.testing.assert_allclose(small.rank_neurons(3)[1], same.rank_neurons(3)[1])

    def test_names_of_neurons(self, samples):
        pandas = pytest.importorskip("pandas")
        X, y = samples
        frame = pandas.DataFrame(X, columns=[f"neuron_{i}" for i in range(12)])
        probe = GaussianProbeClassifier().fit(frame, y)
        bits = probe.mutual_information(frame, y, [3])  # a warning is an error
        assert bits == GaussianProbeClassifier().fit(X, y).mutual_information(X, y, [3])
        probe.rank_neurons(2, frame, y)


class TestWeights:
    def test_a_weight_of_two_equals_two_samples(self, samples, covariance):
        X, y = samples
        times = np.random.RandomState(0).randint(4, size=len(y))
        weighted = GaussianProbeClassifier(covariance=covariance).fit(X, y, times)
        repeated = GaussianProbeClassifier(covariance=covariance)
        repeated.fit(X.repeat(times, axis=0), y.repeat(times))
        np.testing.assert_allclose(weighted.covariances_, repeated.covariances_)
        np.testing.assert_allclose(weighted.class_prior_, repeated.class_prior_)
        ordering, bits = weighted.rank_neurons(12)
        np.testing.assert_array_equal(ordering, repeated.rank_neurons(12)[0])
        np.testing.assert_allclose(bits, repeated.rank_neurons(12)[1])

    def test_small_weights_do_not_blow_up_the_variance(self, samples):
        """With a weight of 1.001 in a class, n - 1 in the unbiased variance would."""
        X, y = samples
        probe = GaussianProbeClassifier(covariance="mean").fit(X, y, np.full(180, 1.001 / 40))
        variance = probe.covariances_[0].diagonal() / X[y == 0].var(axis=0)
        assert ((variance > 0.5) & (variance < 2)).all()

    def test_a_class_of_weight_zero_is_removed(self, samples):
        X, y = samples
        probe = GaussianProbeClassifier().fit(X, y, (y != 1).astype(float))
        assert probe.classes_.tolist() == [0, 2]


class TestMutualInformation:
    def test_independent_labels(self, samples):
        """Close to 0 on training samples, up to chance, and not positive on others."""
        rng = np.random.RandomState(0)
        X, y = rng.normal(size=(4000, 5)), rng.randint(3, size=4000)
        probe = GaussianProbeClassifier().fit(X[:2000], y[:2000])
        assert 0 < probe.mutual_information(X[:2000], y[:2000]) < 0.03
        assert -0.03 < probe.mutual_information(X[2000:], y[2000:]) < 0

    def test_the_information_of_separated_classes_is_their_entropy(self):
        y = np.repeat([0, 1, 2, 3], 50)
        X = 100.0 * y[:, None] + np.random.RandomState(0).normal(size=(200, 1))
        probe = GaussianProbeClassifier().fit(X, y)
        np.testing.assert_allclose(probe.mutual_information(X, y), 2.0)  # bits

    def test_a_known_amount(self):
        """Two unit Gaussians, 2 apart: by quadrature 0.4859 bits."""
        rng = np.random.RandomState(0)
        y = rng.randint(2, size=200_000)
        X = rng.normal(size=(200_000, 1)) + 2 * y[:, None]
        x = np.linspace(-10, 12, 20_001)
        p, q = multivariate_normal(0, 1).pdf(x), multivariate_normal(2, 1).pdf(x)
        expected = 1 - ((p * np.log2(1 + q / p) + q * np.log2(1 + p / q)) / 2).sum() * (x[1] - x[0])
        probe = GaussianProbeClassifier().fit(X, y)
        np.testing.assert_allclose(probe.mutual_information(X, y), expected, atol=0.005)

    def test_classes_are_counted_by_index(self, samples):
        """NeuroX counts labels over their range, so that without class 0 they are shifted."""
        X, y = samples
        probe = GaussianProbeClassifier().fit(X, y)
        kept = y > 0
        share = np.bincount(y[kept])[1:] / kept.sum()
        log_proba = probe.predict_log_proba(X[kept])[np.arange(kept.sum()), y[kept]]
        expected = -share @ np.log2(share) + log_proba.mean() / np.log(2)
        np.testing.assert_allclose(probe.mutual_information(X[kept], y[kept]), expected)

    @pytest.mark.parametrize("labels", [["b", "a", "c"], [-5, 2, 0], [0.0, 2.0, 1.0]], ids=str)
    def test_labels_of_any_kind(self, samples, labels):
        X, y = samples
        labels = np.array(labels)
        expected = GaussianProbeClassifier().fit(X, y)
        probe = GaussianProbeClassifier().fit(X, labels[y])
        np.testing.assert_array_equal(probe.predict(X), labels[expected.predict(X)])
        mi = probe.mutual_information(X, labels[y].astype(object))
        np.testing.assert_allclose(mi, expected.mutual_information(X, y))

    def test_the_order_of_neurons_does_not_matter(self, samples):
        X, y = samples
        probe = GaussianProbeClassifier().fit(X, y)
        turned = GaussianProbeClassifier().fit(X[:, ::-1], y)
        expected = probe.mutual_information(X, y, [1, 4, 7])
        np.testing.assert_allclose(probe.mutual_information(X, y, [7, 1, 4]), expected)
        np.testing.assert_allclose(turned.mutual_information(X[:, ::-1], y, [4, 7, 10]), expected)

    def test_shift_and_scale_of_neurons_do_not_matter(self, samples, covariance):
        X, y = samples
        rng = np.random.RandomState(0)
        scale = 10.0 ** rng.randint(-6, 7, size=12) * rng.choice([-1, 1], size=12)
        other = X * scale + rng.normal(size=12) * np.abs(scale) * 10
        probe = GaussianProbeClassifier(covariance=covariance).fit(X, y)
        scaled = GaussianProbeClassifier(covariance=covariance).fit(other, y)
        np.testing.assert_allclose(scaled.predict_proba(other), probe.predict_proba(X), atol=1e-9)
        ordering, bits = scaled.rank_neurons(12)
        np.testing.assert_array_equal(ordering, probe.rank_neurons(12)[0])
        np.testing.assert_allclose(bits, probe.rank_neurons(12)[1], atol=1e-9)

    @pytest.mark.parametrize("scale", [1e-90, 1e90])
    def test_tiny_and_huge_activations(self, samples, covariance, scale):
        """Densities of 1e90 per neuron would overflow, but none is computed."""
        X, y = samples
        probe = GaussianProbeClassifier(covariance=covariance).fit(X, y)
        scaled = GaussianProbeClassifier(covariance=covariance).fit(X * scale, y)
        np.testing.assert_allclose(scaled.rank_neurons(12)[1], probe.rank_neurons(12)[1], atol=1e-9)
        expected = probe.mutual_information(X, y)
        np.testing.assert_allclose(scaled.mutual_information(X * scale, y), expected)


@pytest.mark.filterwarnings("ignore:.*bits of information, less than 0")
class TestRanking:
    @pytest.mark.parametrize("scored_on", ["training samples", "other samples"])
    def test_each_step_is_the_best_of_all_candidates(self, samples, covariance, scored_on):
        """Every candidate from scratch, at every step, up to all neurons."""
        X, y = samples
        probe = GaussianProbeClassifier(covariance=covariance).fit(X[::2], y[::2])
        given = (X[1::2], y[1::2]) if scored_on == "other samples" else ()
        ordering, bits = probe.rank_neurons(12, *given)
        assert sorted(ordering) == list(range(12))
        X, y = given or (X[::2], y[::2])
        for k in range(12):
            left = [j for j in range(12) if j not in ordering[:k]]
            scores = [probe.mutual_information(X, y, [*ordering[:k], j]) for j in left]
            assert ordering[k] == left[np.argmax(scores)]
            np.testing.assert_allclose(bits[k], max(scores), atol=1e-8)

    def test_all_candidates_have_the_score_of_their_set(self, samples, covariance):
        X, y = samples
        probe = GaussianProbeClassifier(covariance=covariance).fit(X, y)
        gaussians = probe.means_, probe.covariances_, probe.class_prior_
        greedy = _greedy.GreedyChoice(*gaussians, 4, X, y, np.ones(180))
        for chosen in ([], [5], [5, 0], [5, 0, 11], [5, 0, 11, 3]):
            if chosen:
                greedy.add(chosen[-1])
            left = np.setdiff1d(np.arange(12), chosen)
            scores = [probe.mutual_information(X, y, [*chosen, j]) for j in left]
            np.testing.assert_allclose(greedy.score(left), scores, atol=1e-8)

    def test_samples_far_from_all_classes(self, samples, covariance):
        """All densities of some samples underflow, and some densities of others."""
        X, y = samples
        probe = GaussianProbeClassifier(covariance=covariance).fit(X, y)
        far = X.copy()
        far[::5, 2] += 300 * X[:, 2].std()
        far[1::5, 4] -= 20 * X[:, 4].std()
        ordering, bits = probe.rank_neurons(12, far, y)
        for k in range(1, 13):
            expected = probe.mutual_information(far, y, ordering[:k])
            np.testing.assert_allclose(bits[k - 1], expected, rtol=1e-10)
        assert bits[-1] < -100

    @pytest.mark.filterwarnings("ignore:GaussianProbeClassifier. .* neurons have")
    def test_more_neurons_than_samples(self, covariance):
        rng = np.random.RandomState(0)
        y = np.arange(20) % 3
        X = rng.normal(size=(20, 50)) + y[:, None]
        probe = GaussianProbeClassifier(covariance=covariance).fit(X, y)
        ordering, bits = probe.rank_neurons(50)
        assert sorted(ordering) == list(range(50))
        np.testing.assert_allclose(bits[-1], probe.mutual_information(X, y), atol=1e-8)

    def test_gaussians_that_are_too_narrow_are_warned_of(self):
        rng = np.random.RandomState(0)
        y = np.arange(60) % 3
        X = rng.normal(size=(60, 50))
        probe = GaussianProbeClassifier(covariance="map").fit(X, y)
        with pytest.warns(
            UserWarning,
            match=r"neurons have -\d+\.\d+ bits of information about the training samples",
        ):
            probe.rank_neurons(50)
        probe.rank_neurons(
            50, X[::2], y[::2]
        )  # no warning: about other samples, negative information is a result

    def test_equal_neurons_are_ordered_by_index(self, samples):
        X, y = samples
        doubled = np.hstack([X, -3 * X + 1, X])
        ordering, _ = GaussianProbeClassifier().fit(doubled, y).rank_neurons(12)
        position = {neuron: k for k, neuron in enumerate(ordering)}
        assert position.keys() >= set(range(4))
        for neuron in range(12):
            copies = [position.get(neuron + shift, 99) for shift in (0, 12, 24)]
            assert copies == sorted(copies)

    def test_none_and_all(self, samples):
        X, y = samples
        probe = GaussianProbeClassifier().fit(X, y)
        ordering, bits = probe.rank_neurons(0)
        assert ordering.shape == bits.shape == (0,)
        assert ordering.dtype == np.intp
        np.testing.assert_array_equal(probe.rank_neurons(12)[0][:5], probe.rank_neurons(5)[0])

    def test_verbose_shows_a_bar(self, samples, capsys):
        probe = GaussianProbeClassifier().fit(*samples)
        probe.rank_neurons(2)
        assert capsys.readouterr().err == ""
        probe.rank_neurons(2, verbose=True)
        assert "2/2" in capsys.readouterr().err

    def test_the_buffer_of_numpy_is_restored(self, samples):
        with np.errstate():
            np.setbufsize(4096)
            GaussianProbeClassifier().fit(*samples).rank_neurons(2)
            assert np.getbufsize() == 4096


class TestScores:
    """`score_neurons` agrees with `mutual_information` on every set of neurons."""

    @pytest.mark.parametrize("beside", [[], [4], [7, 2, 9]])
    @pytest.mark.parametrize("scored_on", ["training", "other samples"])
    def test_each_is_the_information_of_its_set(self, samples, covariance, beside, scored_on):
        X, y = samples
        probe = GaussianProbeClassifier(covariance=covariance).fit(X, y)
        if scored_on == "training":
            bits = probe.score_neurons(beside=beside)
        else:
            X, y = X[::3], y[::3]
            bits = probe.score_neurons(X, y, beside=beside)
        for neuron in range(12):
            together = sorted({*beside, neuron})
            expected = probe.mutual_information(X, y, neurons=together)
            np.testing.assert_allclose(bits[neuron], expected, atol=1e-8)

    def test_constant_neurons_add_nothing(self, samples, covariance):
        X, y = samples
        X = np.column_stack([X, np.ones(180)])
        probe = GaussianProbeClassifier(covariance=covariance).fit(X, y)
        assert abs(probe.score_neurons()[12]) < 1e-12
        bits = probe.score_neurons(beside=[3, 12])
        np.testing.assert_allclose(bits[[3, 12]], probe.mutual_information(X, y, neurons=[3]))

    def test_bad_neurons(self, samples, covariance):
        probe = GaussianProbeClassifier(covariance=covariance).fit(*samples)
        with pytest.raises(ValueError, match="indices must be integers from 0 to 11, got 12"):
            probe.score_neurons(beside=[12])
        with pytest.raises(ValueError, match="X and y must be either both passed or both None"):
            probe.score_neurons(samples[0])


class TestDegenerate:
    @pytest.mark.parametrize("value", [0.0, 0.1, -1e6, np.pi])
    @pytest.mark.parametrize("noise", [0.0, 2e-16])
    def test_a_constant_neuron_has_no_information(self, samples, covariance, value, noise):
        X, y = samples
        column = np.full((180, 1), value) * (1 + noise * (np.arange(180)[:, None] % 3))
        wide = np.hstack([X[:, :3], column, X[:, 3:]])
        probe = GaussianProbeClassifier(covariance=covariance).fit(X, y)
        other = GaussianProbeClassifier(covariance=covariance).fit(wide, y)
        assert abs(other.mutual_information(wide, y, [3])) < 1e-12
        ordering, bits = other.rank_neurons(13)
        assert ordering[-1] == 3
        np.testing.assert_allclose(bits[:-1], probe.rank_neurons(12)[1], rtol=1e-12)
        assert bits[-1] == bits[-2]
        wide[:, 3] = 1e12 * np.arange(180)  # it varies on other samples
        np.testing.assert_allclose(other.predict_proba(wide), probe.predict_proba(X), atol=1e-12)

    def test_constant_neurons_of_any_value_have_no_variance(self, samples, covariance):
        """The rounding of the mean over classes of unequal sizes is not a variance."""
        X, y = samples
        rng = np.random.RandomState(1)
        values = rng.normal(size=200) * 10 ** rng.uniform(-6, 9, size=200)
        wide = np.hstack([X[:, :1], np.tile(values, (180, 1))])
        probe = GaussianProbeClassifier(covariance=covariance).fit(wide, y)
        assert (np.einsum("cjj->jc", probe.covariances_) > 0).all(axis=1).nonzero()[0] == [0]
        assert probe.mutual_information(wide, y, np.arange(1, 201)) == 0

    def test_all_neurons_constant(self):
        probe = GaussianProbeClassifier().fit(np.ones((6, 2)), [0, 0, 0, 1, 1, 1])
        np.testing.assert_allclose(probe.predict_proba([[1, 7]]), [[0.5, 0.5]])
        ordering, bits = probe.rank_neurons(2)
        assert ordering.tolist() == [0, 1]
        np.testing.assert_allclose(bits, 0, atol=1e-12)

    @pytest.mark.parametrize("noise", [0.0, 1e-9])
    def test_a_neuron_constant_in_a_class(self, samples, covariance, noise):
        """As after a ReLU: L0 has the variance over all samples, with the weight of one sample."""
        X, y = samples
        X = X.copy()
        X[y == 0, 1] = 2 + noise * X[y == 0, 1]
        probe = GaussianProbeClassifier(covariance=covariance).fit(X, y)
        divisor = {"map": 40 + 28, "mean": 41}[covariance]
        np.testing.assert_allclose(probe.covariances_[0, 1, 1], X[:, 1].var() / divisor)
        assert np.isfinite(probe.rank_neurons(12)[1]).all()
        assert (np.linalg.eigvalsh(probe.covariances_) > 0).all()

    def test_a_neuron_constant_in_every_class(self, covariance):
        y = np.repeat([0, 1], 50)
        X = np.column_stack([np.random.RandomState(0).normal(size=100), 5.0 * y])
        probe = GaussianProbeClassifier(covariance=covariance).fit(X, y)
        ordering, bits = probe.rank_neurons(2)
        assert ordering[0] == 1
        np.testing.assert_allclose(bits[0], 1.0)

    def test_a_class_of_one_sample(self, samples, covariance):
        X, y = samples
        y = y.copy()
        y[0] = 3
        probe = GaussianProbeClassifier(covariance=covariance).fit(X, y)
        divisor = {"map": 1 + 28, "mean": 2}[covariance]
        np.testing.assert_array_equal(probe.means_[3], X[0])
        np.testing.assert_allclose(probe.covariances_[3], np.diag(X.var(axis=0)) / divisor)
        assert np.isfinite(probe.mutual_information(X, y))

    def test_only_classes_of_one_sample(self):
        probe = GaussianProbeClassifier().fit([[0.0], [1.0], [3.0]], ["a", "b", "c"])
        assert probe.predict([[0.1], [2.9]]).tolist() == ["a", "c"]

    def test_one_neuron(self, samples):
        X, y = samples
        assert GaussianProbeClassifier().fit(X[:, :1], y).rank_neurons(1)[0].tolist() == [0]

    @pytest.mark.filterwarnings("ignore:GaussianProbeClassifier. .* neurons have")
    def test_copied_neurons(self, samples, covariance):
        X, y = samples
        probe = GaussianProbeClassifier(covariance=covariance).fit(X[:, [0] * 30], y)
        ordering, bits = probe.rank_neurons(30)
        assert ordering.tolist() == list(range(30))
        np.testing.assert_allclose(bits[-1], probe.mutual_information(X[:, [0] * 30], y), atol=1e-8)


def test_a_failed_fit_changes_nothing(samples):
    X, y = samples
    probe = GaussianProbeClassifier().fit(X, y)
    expected = probe.predict(X)
    with pytest.raises(ValueError, match="at least 2 classes"):
        probe.fit(X[:, :3], np.zeros(180))
    np.testing.assert_array_equal(probe.predict(X), expected)


class TestPickle:
    @pytest.mark.parametrize("how", ["pickle", "deepcopy"])
    def test_the_training_samples_are_not_pickled(self, samples, how):
        X, y = samples
        X, y = np.repeat(X, 50, axis=0), np.repeat(y, 50)
        probe = GaussianProbeClassifier().fit(X, y)
        stored = pickle.dumps(probe)
        assert len(stored) < 20_000  # the samples are 0.9 MB
        loaded = pickle.loads(stored) if how == "pickle" else copy.deepcopy(probe)
        np.testing.assert_array_equal(loaded.predict_proba(X), probe.predict_proba(X))
        with pytest.raises(
            ValueError, match=r"copied or loaded without its training samples. Pass X and y"
        ):
            loaded.rank_neurons(2)
        np.testing.assert_array_equal(loaded.rank_neurons(2, X, y), probe.rank_neurons(2))
        clone(loaded).fit(X, y).rank_neurons(2)


def test_progress_bar(samples, capsys):
    from sklearn.callback import ProgressBar

    GaussianProbeClassifier().set_callbacks(ProgressBar()).fit(*samples)
    assert "GaussianProbeClassifier - fit" in capsys.readouterr().out


class TestBadInput:
    @pytest.fixture
    def probe(self, samples):
        return GaussianProbeClassifier().fit(samples[0], np.array(["A", "B", "C"])[samples[1]])

    def test_one_class(self, samples):
        with pytest.raises(ValueError, match=r"got 1 class: all 180 samples have the label 'NOUN'"):
            GaussianProbeClassifier().fit(samples[0], ["NOUN"] * 180)
        labels = np.repeat(["NOUN", "VERB"], 90)
        with pytest.raises(
            ValueError, match="all 90 samples with a positive weight have the label"
        ):
            GaussianProbeClassifier().fit(samples[0], labels, sample_weight=labels == "NOUN")

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_not_finite(self, samples, probe, value):
        X, y = samples[0].copy(), samples[1]
        X[3, 4] = value
        for use in (lambda: GaussianProbeClassifier().fit(X, y), lambda: probe.predict(X)):
            with pytest.raises(ValueError, match=r"contains NaN|contains infinity"):
                use()

    def test_squares_that_overflow(self, samples):
        X, y = samples
        with pytest.raises(ValueError, match=r"squares of the activations overflow: max\|X\| is"):
            GaussianProbeClassifier().fit(1e200 * X, y)

    def test_squares_that_underflow(self, samples):
        X, y = samples
        with pytest.raises(
            ValueError, match=r"The squares of the activations of neuron \d+ underflow"
        ):
            GaussianProbeClassifier().fit(X * 1e-160, y)

    def test_lengths_and_widths(self, samples, probe):
        X, y = samples
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            GaussianProbeClassifier().fit(X, y[:-1])
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            probe.mutual_information(X, ["A"] * 3)
        with pytest.raises(ValueError, match="X has 5 features, but"):
            probe.predict(X[:, :5], neurons=[0])

    def test_negative_weights_and_parameters(self, samples):
        X, y = samples
        with pytest.raises(ValueError, match="Negative values"):
            GaussianProbeClassifier().fit(X, y, -np.ones(180))
        with pytest.raises(ValueError, match="The 'covariance' parameter"):
            GaussianProbeClassifier(covariance="mode").fit(X, y)

    @pytest.mark.parametrize("labels", [["D", "A", "E"], [1, 2, 3]], ids=str)
    def test_labels_unseen_in_training(self, samples, probe, labels):
        unseen = [label for label in labels if label != "A"]
        message = rf"not seen during training: {unseen[0]!r} .* The classes of the estimator are \['A', 'B', 'C'\]"
        y = np.array(labels)[samples[1]]
        with pytest.raises(ValueError, match=message):
            probe.mutual_information(samples[0], y)
        with pytest.raises(ValueError, match=message):
            probe.rank_neurons(1, samples[0], y)

    @pytest.mark.parametrize(
        ("neurons", "error", "message"),
        [
            ([0, 12], ValueError, "must be integers from 0 to 11, got 12"),
            ([-1], ValueError, "must be integers from 0 to 11, got -1"),
            ([3, 1, 3], ValueError, "3 is repeated"),
            (np.arange(12) < 3, TypeError, "Use np.flatnonzero to convert a mask"),
            ([0.0, 1.0], TypeError, "dtype float64"),
            ([[0, 1]], TypeError, "2 dimension"),
            (3, TypeError, r"Expected a list of neuron indices \(integers from 0 to 11\), got 3"),
            ("3", TypeError, "dtype <U1"),
        ],
    )
    def test_neurons(self, samples, probe, neurons, error, message):
        X = samples[0]
        for method in (probe.predict, probe.predict_proba, probe.predict_log_proba):
            with pytest.raises(error, match=message):
                method(X, neurons=neurons)

    def test_how_many_neurons(self, probe):
        with pytest.raises(
            ValueError, match="n_neurons must be at most the number of neurons in X, 12, got 13"
        ):
            probe.rank_neurons(13)
        with pytest.raises(ValueError, match="n_neurons == -1"):
            probe.rank_neurons(-1)
        with pytest.raises(TypeError, match="n_neurons must be an instance of"):
            probe.rank_neurons(2.0)

    def test_samples_without_labels(self, samples, probe):
        X, y = samples
        for given in ({"X": X}, {"y": y}):
            with pytest.raises(ValueError, match="X and y must be either both passed or both None"):
                probe.rank_neurons(2, **given)


class TestExtremeWeights:
    @staticmethod
    def samples():
        rng = np.random.RandomState(0)
        X, y = rng.normal(size=(60, 4)), np.arange(60) % 3
        X[np.arange(60), y] += 1
        return X, y, rng

    @pytest.mark.parametrize("size", [1e-29, 1e-9, 1e9, 1e29])
    def test_all_weights(self, size):
        X, y, _ = self.samples()
        probe = GaussianProbeClassifier().fit(X, y, sample_weight=np.full(60, size))
        assert probe.score(X, y) > 0.5
        _, bits = probe.rank_neurons(4)
        assert np.isfinite(bits).all()

    def test_a_class_of_almost_no_weight(self):
        X, y, _ = self.samples()
        probe = GaussianProbeClassifier().fit(X, y, np.where(y == 0, 1e-15, 1e14))
        assert np.isfinite(probe.predict_log_proba(X)).all()
        assert probe.class_prior_.sum() == pytest.approx(1)
        assert np.isfinite(probe.rank_neurons(4)[1]).all()

    def test_a_prior_that_is_lost_is_an_error(self):
        X, y, _ = self.samples()
        with pytest.raises(ValueError, match=r"class 0 .* is not positive definite: the prior"):
            GaussianProbeClassifier().fit(X, y, np.where(np.arange(60) < 6, 1e15, 1.0))
