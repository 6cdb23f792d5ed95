"""Clusters agree with SciPy and do not depend on the order and the units of the neurons."""

import numpy as np
import pytest
from scipy.cluster.hierarchy import dendrogram, fcluster, is_valid_linkage, linkage
from scipy.spatial.distance import squareform
from sklearn.metrics import adjusted_rand_score

from sklearn_neurox import CorrelationClustering, IndependentNeuronSelector


@pytest.fixture(scope="module")
def X(correlated):
    return correlated


def same_partition(first, second):
    return adjusted_rand_score(first, second) == 1


def scipy_clusters(X, method, threshold, *, absolute=True):
    r = np.corrcoef(X.T)
    distances = squareform(1 - (np.abs(r) if absolute else r), checks=False).clip(0)
    tree = linkage(distances, method)
    return tree, fcluster(tree, threshold, "distance")


class TestClusters:
    @pytest.mark.filterwarnings("ignore:CorrelationClustering. with only 300 samples")
    @pytest.mark.parametrize("method", ["average", "complete", "single"])
    @pytest.mark.parametrize("absolute", [True, False])
    @pytest.mark.parametrize("dtype", [np.float64, np.float32])
    def test_against_scipy(self, X, method, absolute, dtype):
        for threshold in (0.1, 0.3, 0.5, 0.9):
            clustering = CorrelationClustering(
                distance_threshold=threshold, absolute=absolute, linkage=method
            )
            clustering.fit(X.astype(dtype))
            tree, labels = scipy_clusters(X, method, threshold, absolute=absolute)
            assert same_partition(clustering.labels_, labels)
            assert clustering.n_clusters_ == labels.max()
            np.testing.assert_allclose(
                clustering.linkage_matrix_, tree, atol=1e-12 if dtype == np.float64 else 1e-5
            )

    def test_clusters_are_numbered_by_their_first_neuron(self, X):
        labels = CorrelationClustering().fit(X).labels_
        first = [labels.tolist().index(c) for c in range(labels.max() + 1)]
        assert first == sorted(first)

    def test_the_order_of_the_neurons_does_not_matter(self, X):
        expected = CorrelationClustering().fit(X).labels_
        for seed in range(5):
            order = np.random.RandomState(seed).permutation(18)
            assert same_partition(CorrelationClustering().fit(X[:, order]).labels_, expected[order])

    def test_units_and_signs_do_not_matter(self, X):
        rng = np.random.RandomState(0)
        units = rng.choice([-1, 1], size=18) * np.logspace(-9, 9, 18)
        clustering = CorrelationClustering().fit(X * units + rng.normal(size=18) * units)
        np.testing.assert_array_equal(clustering.labels_, CorrelationClustering().fit(X).labels_)

    def test_signs_matter_without_the_absolute_value(self):
        rng = np.random.RandomState(0)
        x = rng.normal(size=100)
        X = np.column_stack([x, -x, x])
        signed = CorrelationClustering(absolute=False).fit(X)
        assert signed.labels_.tolist() == [0, 1, 0]
        assert CorrelationClustering().fit(X).labels_.tolist() == [0, 0, 0]

    def test_the_tree_gives_the_number_of_clusters(self, X):
        tree = CorrelationClustering().fit(X).linkage_matrix_
        for threshold in (0.2, 0.4, 0.7):
            clusters = CorrelationClustering(distance_threshold=threshold).fit(X)
            assert clusters.n_clusters_ == 1 + (tree[:, 2] > threshold).sum()

    def test_a_small_variance_beside_a_large_mean(self, X):
        """Correlations of such neurons are lost if they are centered in float32."""
        shifted = (X * 1e-2 + 100).astype(np.float32)
        assert same_partition(
            CorrelationClustering().fit(shifted).labels_, CorrelationClustering().fit(X).labels_
        )


class TestEqualNeurons:
    """Rounding neither separates equal neurons nor takes opposite ones beyond the largest distance."""

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_copies_merge_at_distance_zero(self, dtype):
        for seed in range(20):
            x = np.random.RandomState(seed).normal(size=(90, 1)).astype(dtype)
            clustering = CorrelationClustering(distance_threshold=0, pick="medoid")
            clustering.fit(np.hstack([x, x, x] if seed % 2 else [x, 2 * x, -x]))
            assert clustering.labels_.tolist() == [0, 0, 0]
            assert clustering.representatives_.tolist() == [0]

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_the_greatest_distance_merges_all(self, dtype):
        for seed in range(20):
            x = np.random.RandomState(seed).normal(size=(90, 1)).astype(dtype)
            clustering = CorrelationClustering(
                absolute=False, distance_threshold=2, linkage="complete"
            ).fit(np.hstack([x, -x, 0 * x]))
            assert clustering.labels_.tolist() == [0, 0, 1]
            assert (clustering.linkage_matrix_[:, 2] <= 2).all()


class TestScales:
    def test_denormal_numbers(self, X):
        with np.errstate(under="ignore"):
            tiny = X * 1e-306
        expected = CorrelationClustering().fit(X)
        np.testing.assert_array_equal(CorrelationClustering().fit(tiny).labels_, expected.labels_)

    def test_a_range_beyond_float64(self, X):
        X = X.copy()
        X[:2, 4] = [1.7e308, -1.7e308]
        with pytest.raises(
            ValueError,
            match=r"The range of neuron 4, from -1.7e\+308 to 1.7e\+308, exceeds float64",
        ):
            CorrelationClustering().fit(X)


class TestConstantNeurons:
    @pytest.mark.parametrize("absolute", [True, False])
    @pytest.mark.parametrize("threshold", [0.5, 1.0, 2.0])
    def test_each_is_its_own_cluster(self, X, absolute, threshold):
        dead = X.copy()
        dead[:, [0, 7]] = [3.0, 1e-32]
        dead[:, 7] *= X[:, 7]
        clustering = CorrelationClustering(absolute=absolute, distance_threshold=threshold).fit(
            dead
        )
        alive = np.setdiff1d(np.arange(18), [0, 7])
        others = CorrelationClustering(absolute=absolute, distance_threshold=threshold).fit(
            X[:, alive]
        )
        assert clustering.n_clusters_ == others.n_clusters_ + 2
        assert same_partition(clustering.labels_[alive], others.labels_)
        assert (np.bincount(clustering.labels_)[clustering.labels_[[0, 7]]] == 1).all()

    @pytest.mark.parametrize("n_constant", [1, 2, 17, 18])
    def test_the_tree_contains_them(self, X, n_constant):
        dead = X.copy()
        dead[:, :n_constant] = 5
        tree = CorrelationClustering().fit(dead).linkage_matrix_
        assert tree.shape == (17, 4)
        assert is_valid_linkage(tree)
        assert tree[-1, 3] == 18
        assert (np.diff(tree[:, 2]) >= 0).all()
        assert sorted(dendrogram(tree, no_plot=True)["leaves"]) == list(range(18))
        assert (tree[:, 2] == 1).sum() >= min(n_constant, 17)


class TestPooling:
    def test_mean(self, X):
        clustering = CorrelationClustering(pooling="mean").fit(X)
        expected = [
            X[:, clustering.labels_ == c].mean(axis=1) for c in range(clustering.n_clusters_)
        ]
        np.testing.assert_allclose(clustering.transform(X), np.transpose(expected), atol=1e-14)

    def test_signed_mean_does_not_cancel(self):
        x = np.random.RandomState(0).normal(size=100)
        X = np.column_stack([x, -x])
        mean = CorrelationClustering(pooling="mean").fit_transform(X)
        assert np.abs(mean).max() < 1e-15
        clustering = CorrelationClustering(pick="medoid").fit(X)
        assert clustering.signs_.tolist() == [1, -1]
        np.testing.assert_allclose(clustering.transform(X)[:, 0], x)
        np.testing.assert_allclose(clustering.inverse_transform(clustering.transform(X)), X)

    @pytest.mark.parametrize("linkage", ["average", "complete", "single"])
    @pytest.mark.parametrize("absolute", [True, False])
    @pytest.mark.parametrize("pick", ["random", "medoid"])
    def test_the_default_pooling_cannot_cancel(self, linkage, absolute, pick):
        """The covariance with the representative is the mean of non-negative terms."""
        rng = np.random.RandomState(0)
        X = rng.normal(size=(800, 3)) @ rng.normal(size=(3, 40)) * np.geomspace(0.1, 10, 40)
        X = np.hstack([X, -X]) + 0.1 * rng.normal(size=(800, 80))
        clustering = CorrelationClustering(
            linkage=linkage, absolute=absolute, pick=pick, distance_threshold=0.8, random_state=0
        ).fit(X)
        assert clustering.n_clusters_ < 30
        pooled = clustering.transform(X)
        std, r = X.std(axis=0), np.corrcoef(X.T)
        for c, representative in enumerate(clustering.representatives_):
            members = clustering.labels_ == c
            least = np.mean(np.abs(r[members, representative]) * std[members])
            shared = np.cov(pooled[:, c], X[:, representative], bias=True)[0, 1]
            assert shared == pytest.approx(least * std[representative])
            assert pooled[:, c].std() >= 0.999 * least

    def test_signs_are_those_of_the_correlation_with_the_representative(self, X):
        clustering = CorrelationClustering(pooling="signed_mean", random_state=3).fit(X)
        partners = clustering.representatives_[clustering.labels_]
        r = np.corrcoef(X.T)[np.arange(18), partners]
        np.testing.assert_array_equal(clustering.signs_, np.sign(r))

    def test_representative(self, X):
        clustering = CorrelationClustering(pooling="representative", random_state=0).fit(X)
        np.testing.assert_array_equal(clustering.transform(X), X[:, clustering.representatives_])
        back = clustering.inverse_transform(clustering.transform(X))
        np.testing.assert_array_equal(back, X[:, clustering.representatives_[clustering.labels_]])

    @pytest.mark.parametrize("pooling", ["mean", "signed_mean", "representative"])
    def test_pooling_again_changes_nothing(self, X, pooling):
        clustering = CorrelationClustering(pooling=pooling, random_state=0).fit(X)
        pooled = clustering.transform(X)
        again = clustering.transform(clustering.inverse_transform(pooled))
        np.testing.assert_allclose(again, pooled, rtol=1e-12)

    @pytest.mark.parametrize(
        ("given", "returned"),
        [("float16", "float32"), ("float32", "float32"), ("float64", "float64")],
    )
    @pytest.mark.parametrize("pooling", ["mean", "signed_mean", "representative"])
    def test_dtypes(self, X, pooling, given, returned):
        clustering = CorrelationClustering(pooling=pooling, random_state=0)
        assert clustering.fit_transform(X.astype(given)).dtype == returned

    def test_names(self, X):
        pandas = pytest.importorskip("pandas")
        frame = pandas.DataFrame(X, columns=[f"layer_0_neuron_{i}" for i in range(18)])
        mean = (
            CorrelationClustering(pooling="mean")
            .set_output(transform="pandas")
            .fit_transform(frame)
        )
        assert mean.columns[0] == "correlationclustering0"
        clustering = CorrelationClustering(pooling="representative", random_state=0)
        kept = clustering.set_output(transform="pandas").fit_transform(frame)
        assert list(kept.columns) == [f"layer_0_neuron_{i}" for i in clustering.representatives_]


class TestRepresentatives:
    def test_one_of_each_cluster(self, X):
        for pick in ("random", "medoid"):
            clustering = CorrelationClustering(pick=pick, random_state=0).fit(X)
            owners = clustering.labels_[clustering.representatives_]
            assert owners.tolist() == list(range(clustering.n_clusters_))

    def test_medoids_are_closest_to_the_others(self, X):
        clustering = CorrelationClustering(pick="medoid").fit(X)
        distances = 1 - np.abs(np.corrcoef(X.T))
        for cluster, chosen in enumerate(clustering.representatives_):
            members = np.flatnonzero(clustering.labels_ == cluster)
            sums = distances[np.ix_(members, members)].sum(axis=1)
            assert members[sums.argmin()] == chosen

    def test_of_two_the_first_is_the_medoid(self):
        x = np.random.RandomState(0).normal(size=(100, 1))
        clustering = CorrelationClustering(pick="medoid").fit(np.hstack([x, x + 0.1 * x**2]))
        assert clustering.representatives_.tolist() == [0]

    def test_random_state_determines_random_ones(self, X):
        draws = {
            tuple(CorrelationClustering(random_state=seed).fit(X).representatives_)
            for seed in (0, 0, 1, 2, 3)
        }
        assert 1 < len(draws) < 5

    def test_every_member_can_be_drawn(self):
        x = np.random.RandomState(0).normal(size=(100, 1))
        drawn = [
            CorrelationClustering(random_state=seed)
            .fit(np.repeat(x, 3, axis=1))
            .representatives_[0]
            for seed in range(60)
        ]
        assert set(drawn) == {0, 1, 2}


@pytest.mark.parametrize("estimator", [CorrelationClustering(), IndependentNeuronSelector()])
@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (np.ones((5, 1)), r"1 feature\(s\).*minimum of 2 is required"),
        (np.ones((1, 5)), r"1 sample\(s\).*minimum of 2 is required"),
        ([[1, 2], [3, np.nan]], r"contains NaN\. The first is nan in row 1, column 1"),
        (np.array([[1, np.inf], [3, 4]], np.float16), r"The first is inf in row 0, column 1"),
    ],
)
def test_errors(estimator, cells, message):
    with pytest.raises(ValueError, match=message):
        estimator.fit(cells)


def test_parameters_are_checked(X):
    for parameters in (
        dict(distance_threshold=-0.1),
        dict(distance_threshold=3),
        dict(linkage="ward"),
        dict(pooling="max"),
        dict(pick="first"),
    ):
        (name,) = parameters
        with pytest.raises(ValueError, match=f"The '{name}' parameter"):
            CorrelationClustering(**parameters).fit(X)
    with pytest.raises(ValueError, match=r"one column for each of the \d+ clusters, got 2 columns"):
        CorrelationClustering().fit(X).inverse_transform(X[:, :2])


@pytest.mark.parametrize("n_samples", [16, 20, 30])
def test_few_samples_are_warned_of(n_samples):
    """With few samples noise is clustered, and a warning is issued; without a warning it is not."""
    noise = np.random.RandomState(0).normal(size=(200, 300))
    with pytest.warns(UserWarning, match=f"with only {n_samples} samples, .* each of 300 neurons"):
        clustering = CorrelationClustering().fit(noise[:n_samples])
    assert clustering.n_clusters_ < 240
    assert CorrelationClustering().fit(noise).n_clusters_ == 300


def test_chunks_and_memory_maps(X, tmp_path, monkeypatch):
    expected = CorrelationClustering(pooling="signed_mean", random_state=0).fit(
        X.astype(np.float16)
    )
    np.save(tmp_path / "X.npy", X.astype(np.float16))
    monkeypatch.setattr("sklearn_neurox.neurons._correlation._ROWS", 7)
    monkeypatch.setattr("sklearn_neurox.neurons.clustering._ROWS", 7)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    clustering = CorrelationClustering(pooling="signed_mean", random_state=0).fit(mapped)
    np.testing.assert_array_equal(clustering.labels_, expected.labels_)
    np.testing.assert_array_equal(clustering.signs_, expected.signs_)
    np.testing.assert_allclose(clustering.linkage_matrix_, expected.linkage_matrix_, atol=1e-6)
    np.testing.assert_array_equal(clustering.transform(mapped), expected.transform(mapped))
