"""What holds for every ranking, and how a new one is added."""

import inspect

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils._testing import assert_docstring_consistency

from sklearn_neurox import (
    AveragePrecisionSelector,
    CorrelationClustering,
    GaussianSelector,
    IndependentNeuronSelector,
    LayerSelector,
    NeuronAblator,
    NeuronSelector,
    ProbelessSelector,
    RandomSelector,
    VotingSelector,
    WeightMassSelector,
    neurons,
)
from sklearn_neurox._labels import encode_labels
from sklearn_neurox._moments import neuron_std
from sklearn_neurox.neurons.class_score_selectors import ClassScoreSelector
from sklearn_neurox.neurons.ranking_selector import RANKINGS, RankingSelector, rank

PACKAGED = dict(RANKINGS)


class SeparationSelector(RankingSelector, ranking="separation"):
    """A new ranking: variance between classes divided by the variance."""

    def __init__(self, *, n_neurons=None, order="top"):
        self.n_neurons = n_neurons
        self.order = order

    def _rank(self, X, y, call):
        classes, codes = encode_labels(y, by="SeparationSelector")
        means = np.array([X[codes == code].mean(axis=0) for code in range(len(classes))])
        std = neuron_std(X)
        self.scores_ = means.var(axis=0) / np.where(std > 0, std, np.inf) ** 2
        return rank(self.scores_, std > 0)


class MedianDifferenceSelector(ClassScoreSelector, ranking="median-difference"):
    """A new ranking by class: difference between the medians of a class and of all samples."""

    def __init__(self, *, n_neurons=None, order="top", target=None):
        self.n_neurons = n_neurons
        self.order = order
        self.target = target

    def _score(self, X, codes, std):
        medians = [np.median(X[codes == code], axis=0) for code in range(len(self.classes_))]
        differences = np.abs(medians - np.median(X, axis=0))
        scores = differences / np.where(std > 0, std, np.inf)
        return scores.sum(axis=0), scores


# The other tests of this process see only the rankings of the package.
REGISTERED = {name: RANKINGS.pop(name) for name in set(RANKINGS) - set(PACKAGED)}

LINEAR = LogisticRegression(C=0.1, max_iter=10_000)
BY_CLASS = [
    ProbelessSelector(),
    ProbelessSelector(scaled=False),
    AveragePrecisionSelector(),
    GaussianSelector(),
    WeightMassSelector(LINEAR),
    SeparationSelector(),
    MedianDifferenceSelector(),
    VotingSelector([("means", ProbelessSelector()), ("detectors", AveragePrecisionSelector())]),
]
WITH_TARGET = [selector for selector in BY_CLASS if hasattr(selector, "target")]
RANKING = [*BY_CLASS, RandomSelector(random_state=0)]


class TestRegistry:
    def test_a_new_ranking_is_registered_by_its_definition(self):
        assert {
            "separation": SeparationSelector,
            "median-difference": MedianDifferenceSelector,
        } == REGISTERED

    def test_rankings_of_the_package(self):
        assert {
            "probeless": ProbelessSelector,
            "average-precision": AveragePrecisionSelector,
            "gaussian": GaussianSelector,
            "random": RandomSelector,
            "weight-mass": WeightMassSelector,
        } == PACKAGED

    @pytest.mark.filterwarnings("ignore:Adam stopped while")
    @pytest.mark.parametrize("name", [*PACKAGED, *sorted(REGISTERED)])
    def test_a_ranking_is_constructed_by_name(self, name, data):
        ranking = {**PACKAGED, **REGISTERED}[name]
        target = {"target": "b"} if "target" in inspect.signature(ranking).parameters else {}
        selector = ranking(n_neurons=2, order="bottom", **target).fit(*data)
        assert selector.transform(data[0]).shape == (150, 2)

    def test_every_ranking_passes_the_shared_tests(self):
        assert {*PACKAGED.values(), *REGISTERED.values()} <= {type(each) for each in RANKING}

    def test_every_ranking_of_the_package_is_public(self):
        for ranking in PACKAGED.values():
            assert getattr(neurons, ranking.__name__) is ranking


class TestEveryRanking:
    @pytest.mark.parametrize("selector", RANKING, ids=repr)
    def test_it_is_a_permutation_that_top_and_bottom_share(self, selector, data):
        ranking = clone(selector).fit(*data).ranking_
        assert sorted(ranking) == list(range(12))
        for n_neurons, count in [(0, 0), (5, 5), (12, 12), (0.25, 3), (1.0, 12), (None, 12)]:
            kept = {
                order: clone(selector).set_params(n_neurons=n_neurons, order=order).fit(*data)
                for order in ("top", "bottom")
            }
            top, bottom = (s.get_support(indices=True) for s in kept.values())
            if isinstance(selector, GaussianSelector):  # its ranking depends on n_neurons
                ranking = kept["top"].ranking_
            assert top.tolist() == sorted(ranking[:count])
            assert bottom.tolist() == sorted(ranking[12 - count :])

    @pytest.mark.parametrize("selector", BY_CLASS, ids=repr)
    def test_it_finds_what_was_planted(self, selector, data):
        selected = clone(selector).set_params(n_neurons=3).fit(*data)
        assert selected.get_support(indices=True).tolist() == [0, 1, 2]

    @pytest.mark.parametrize("selector", WITH_TARGET, ids=repr)
    @pytest.mark.parametrize("target", ["a", "b", "c"])
    def test_a_target_ranks_for_its_class(self, selector, data, target):
        selected = clone(selector).set_params(n_neurons=1, target=target).fit(*data)
        assert selected.get_support(indices=True) == [["a", "b", "c"].index(target)]

    @pytest.mark.parametrize("selector", BY_CLASS, ids=repr)
    def test_neurons_constant_up_to_rounding_come_last(self, selector, data):
        """As in raw activations: zero, a number, a number with rounding errors, an underflow."""
        X, y = data
        rng = np.random.RandomState(0)
        noise = rng.normal(size=(len(X), 4))
        dead = [0, 0.1, 1e3, 0] + [0, 0, 1e-13, 1e-32] * (noise + (y == "b")[:, np.newaxis])
        ranking = clone(selector).fit(np.hstack([dead, X]), y).ranking_
        assert ranking[-4:].tolist() == [0, 1, 2, 3]

    @pytest.mark.parametrize("selector", BY_CLASS, ids=repr)
    def test_neurons_may_come_in_any_order(self, selector, data):
        X, y = data
        order = np.random.RandomState(0).permutation(12)
        expected = clone(selector).set_params(n_neurons=4).fit(X, y).get_support()
        found = clone(selector).set_params(n_neurons=4).fit(X[:, order], y).get_support()
        np.testing.assert_array_equal(found, expected[order])

    @pytest.mark.filterwarnings("ignore:GaussianProbeClassifier. .* Gaussians are too narrow")
    @pytest.mark.parametrize("selector", BY_CLASS, ids=repr)
    def test_equal_neurons_are_ranked_by_index(self, selector, data):
        X, y = data
        for n_neurons in (4, 5, 13):
            for x in X.T[:5]:
                copies = np.repeat(x[:, np.newaxis], n_neurons, axis=1)
                ranking = clone(selector).fit(copies, y).ranking_
                assert ranking.tolist() == list(range(n_neurons))

    @pytest.mark.filterwarnings("ignore:GaussianProbeClassifier. .* Gaussians are too narrow")
    @pytest.mark.parametrize("selector", [BY_CLASS[0], *BY_CLASS[2:4]], ids=repr)
    def test_units_and_signs_make_no_difference_to_ties(self, selector, data):
        X, y = data
        for x in X.T:
            ranking = clone(selector).fit(np.outer(x, [4, -0.5, 1, -1, 1 / 3]), y).ranking_
            assert ranking.tolist() == [0, 1, 2, 3, 4]

    @pytest.mark.parametrize("selector", RANKING, ids=repr)
    @pytest.mark.parametrize(
        ("change", "error", "message"),
        [
            (
                dict(n_neurons=13),
                ValueError,
                "n_neurons must be at most the number of neurons in X, 12, got 13",
            ),
            (dict(n_neurons=-1), ValueError, "The 'n_neurons' parameter"),
            (dict(n_neurons=1.5), ValueError, "The 'n_neurons' parameter"),
            (dict(order="first"), ValueError, "The 'order' parameter"),
            (
                dict(target="d"),
                ValueError,
                r"target must be one of the classes \['a', 'b', 'c'\], got 'd'",
            ),
        ],
    )
    def test_errors(self, selector, change, error, message, data):
        if not set(change) <= set(selector.get_params()):
            pytest.skip("not a parameter of this selector")
        with pytest.raises(error, match=message):
            clone(selector).set_params(**change).fit(*data)

    @pytest.mark.parametrize("selector", BY_CLASS, ids=repr)
    def test_bad_samples(self, selector, data):
        X, y = data
        for cells, labels, message in [
            (np.where(np.eye(150, 12) * X == X[3, 3], np.nan, X), y, "row 3, column 3"),
            (X, y[:-1], "inconsistent numbers of samples"),
        ]:
            with pytest.raises(ValueError, match=message):
                clone(selector).fit(cells, labels)
        with pytest.raises(ValueError, match=r"[cC]lass"):
            clone(selector).fit(X, np.repeat("a", 150))

    @pytest.mark.parametrize("selector", BY_CLASS, ids=repr)
    def test_a_failed_fit_changes_nothing(self, selector, data):
        X, y = data
        fitted = clone(selector).fit(X, y)
        before = vars(fitted).copy()
        with pytest.raises(ValueError, match="class"):
            fitted.fit(X[:, :5], np.repeat("a", 150))
        assert vars(fitted).keys() == before.keys()
        assert all(vars(fitted)[name] is before[name] for name in before)
        assert fitted.transform(X).shape == (150, 12)


@pytest.mark.parametrize("selector", BY_CLASS, ids=repr)
def test_no_ranking_sees_the_test_fold(selector):
    """Neuron 0 holds the labels of the test samples only, and a leak would select it."""
    rng = np.random.RandomState(0)
    y = np.arange(200) % 2
    X = rng.normal(size=(200, 30))
    X[:, 1] += y
    train, test = np.arange(100), np.arange(100, 200)
    X[test, 0] = 50 * (y[test] - 0.5)
    steps = make_pipeline(clone(selector).set_params(n_neurons=1), LINEAR)
    assert cross_val_score(steps, X, y, cv=[(train, test)]) < 0.8
    everything = clone(selector).set_params(n_neurons=1).fit(X, y)
    assert everything.get_support(indices=True) == [0]  # as a leak would have done


@pytest.mark.parametrize("selector", RANKING, ids=repr)
def test_the_ranking_as_a_table(selector, data):
    pandas = pytest.importorskip("pandas")
    X, y = data
    frame = pandas.DataFrame(X, columns=[f"neuron{i}" for i in range(12)])
    fitted = clone(selector).set_params(n_neurons=4).fit(frame, y)
    table = fitted.to_frame()
    assert table["neuron"].tolist() == fitted.ranking_.tolist()
    assert table.index.tolist() == [f"neuron{i}" for i in fitted.ranking_]
    assert table["kept"].sum() == 4
    assert table["kept"].iloc[:4].all()
    if not isinstance(selector, RandomSelector):
        assert table["score"].tolist() == fitted.scores_[fitted.ranking_].tolist()
    assert clone(selector).fit(X, y).to_frame().index[0].startswith("x")


@pytest.mark.parametrize("selector", BY_CLASS[:4], ids=repr)
def test_samples_without_a_label_are_named(selector, data):
    X, y = data
    labels = np.where(np.arange(150) == 7, None, y)
    with pytest.raises(
        TypeError, match=r"contains NoneType and string labels; .* is y\[7\] = None"
    ):
        clone(selector).fit(X, labels)


def test_names_pass_through_a_chain_of_all_selectors(data):
    pandas = pytest.importorskip("pandas")
    X, y = data
    names = [f"layer_{layer}_neuron_{i}" for layer in range(3) for i in range(4)]
    steps = make_pipeline(
        StandardScaler(),
        ProbelessSelector(n_neurons=11),
        AveragePrecisionSelector(n_neurons=10),
        GaussianSelector(n_neurons=9),
        NeuronAblator([0], mode="remove"),
        VotingSelector([("means", ProbelessSelector())], n_neurons=7),
        IndependentNeuronSelector(pick="medoid"),
        RandomSelector(n_neurons=6, random_state=0),
        WeightMassSelector(LINEAR, n_neurons=5),
        CorrelationClustering(pooling="representative", random_state=0),
    ).set_output(transform="pandas")
    frame = pandas.DataFrame(X, columns=names)
    kept = steps.fit_transform(frame, y)
    assert len(kept.columns) == 5
    assert set(kept.columns) < set(names)
    np.testing.assert_array_equal(kept.columns, steps.get_feature_names_out())
    standard = StandardScaler().set_output(transform="pandas").fit_transform(frame)
    pandas.testing.assert_frame_equal(kept, standard[kept.columns])


CLUSTERED = [CorrelationClustering, IndependentNeuronSelector]
SELECTORS = [*PACKAGED.values(), VotingSelector]
ALL = [*SELECTORS, *CLUSTERED, LayerSelector, NeuronSelector, NeuronAblator]
BY_LABELS = [ProbelessSelector, AveragePrecisionSelector, GaussianSelector]


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        (["n_neurons", "order"], SELECTORS),
        (["target"], [*BY_LABELS, WeightMassSelector]),
        (["distance_threshold", "absolute", "linkage", "pick", "random_state"], CLUSTERED),
        (["neurons"], [NeuronSelector, NeuronAblator]),
    ],
)
def test_docstrings_of_parameters_agree(names, classes):
    pytest.importorskip("numpydoc")
    assert_docstring_consistency(classes, include_params=names)


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        (["n_features_in_", "feature_names_in_"], ALL),
        (
            ["support_"],
            [each for each in ALL if each not in (CorrelationClustering, NeuronAblator)],
        ),
        (["ranking_"], [*BY_LABELS, WeightMassSelector, VotingSelector]),
        (["classes_"], BY_LABELS),
        (["scores_", "class_scores_"], BY_LABELS[:2]),
    ],
)
def test_docstrings_of_attributes_agree(names, classes):
    pytest.importorskip("numpydoc")
    assert_docstring_consistency(classes, include_attrs=names)


def test_a_registered_name_is_not_taken_by_another_ranking():
    with pytest.raises(ValueError, match="'probeless' is already registered by ProbelessSelector"):

        class Other(RankingSelector, ranking="probeless"):
            pass

    assert RANKINGS["probeless"] is ProbelessSelector
