"""Selectors by rankings of their own: they rank as the functions do, and inside the fold."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.feature_selection import RFE
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

from sklearn_neurox import (
    AveragePrecisionSelector,
    CorrelationClustering,
    GaussianProbeClassifier,
    GaussianSelector,
    IndependentNeuronSelector,
    LayerSelector,
    LinearProbeClassifierCV,
    NeuronAblator,
    ProbelessSelector,
    RandomSelector,
    VotingSelector,
    WeightMassSelector,
    average_precision_scores,
    mean_difference_scores,
    vote,
)

LINEAR = LogisticRegression(C=0.1, max_iter=10_000)
BY_CLASS = [
    ProbelessSelector(),
    ProbelessSelector(scaled=False),
    AveragePrecisionSelector(),
    GaussianSelector(),
    WeightMassSelector(LINEAR),
    VotingSelector([("means", ProbelessSelector()), ("detectors", AveragePrecisionSelector())]),
]
RANKING = [*BY_CLASS, RandomSelector(random_state=0)]


@pytest.fixture(scope="module")
def data(classification):
    """Class c, of "a", "b" and "c", raises neuron c of 12."""
    X, y = classification
    return X, np.array(["a", "b", "c"])[y]


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
            if isinstance(selector, GaussianSelector):  # chooses so many, then ranks the others
                ranking = kept["top"].ranking_
            assert top.tolist() == sorted(ranking[:count])
            assert bottom.tolist() == sorted(ranking[12 - count :])

    @pytest.mark.parametrize("selector", BY_CLASS, ids=repr)
    def test_it_finds_what_was_planted(self, selector, data):
        selected = clone(selector).set_params(n_neurons=3).fit(*data)
        assert selected.get_support(indices=True).tolist() == [0, 1, 2]

    @pytest.mark.parametrize("selector", BY_CLASS[:-1], ids=repr)
    @pytest.mark.parametrize("target", ["a", "b", "c"])
    def test_a_target_ranks_for_its_class(self, selector, data, target):
        selected = clone(selector).set_params(n_neurons=1, target=target).fit(*data)
        assert selected.get_support(indices=True) == [["a", "b", "c"].index(target)]

    @pytest.mark.parametrize("selector", BY_CLASS, ids=repr)
    def test_neurons_constant_up_to_rounding_come_last(self, selector, data):
        """As raw activations hold them: 0, a number, a number and its rounding, an underflow."""
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

    @pytest.mark.filterwarnings("ignore:GaussianProbeClassifier. .* neurons have")
    @pytest.mark.parametrize("selector", BY_CLASS, ids=repr)
    def test_equal_neurons_come_by_index(self, selector, data):
        X, y = data
        for n_neurons in (4, 5, 13):
            for x in X.T[:5]:
                copies = np.repeat(x[:, np.newaxis], n_neurons, axis=1)
                ranking = clone(selector).fit(copies, y).ranking_
                assert ranking.tolist() == list(range(n_neurons))

    @pytest.mark.filterwarnings("ignore:GaussianProbeClassifier. .* neurons have")
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
            (dict(n_neurons=13), ValueError, "n_neurons=13, but X has 12 neurons"),
            (dict(n_neurons=-1), ValueError, "The 'n_neurons' parameter"),
            (dict(n_neurons=1.5), ValueError, "The 'n_neurons' parameter"),
            (dict(order="first"), ValueError, "The 'order' parameter"),
            (
                dict(target="d"),
                ValueError,
                r"target='d' is not one of the classes \['a', 'b', 'c'\]",
            ),
        ],
    )
    def test_errors(self, selector, change, error, message, data):
        if not set(change) <= set(selector.get_params()):
            pytest.skip("it has no such parameter")
        with pytest.raises(error, match=message):
            clone(selector).set_params(**change).fit(*data)

    @pytest.mark.parametrize("selector", BY_CLASS, ids=repr)
    def test_bad_words(self, selector, data):
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
    """Neuron 0 holds the label of the test words only; a leak would choose it."""
    rng = np.random.RandomState(0)
    y = np.arange(200) % 2
    X = rng.normal(size=(200, 30))
    X[:, 1] += y
    train, test = np.arange(100), np.arange(100, 200)
    X[test, 0] = 50 * (y[test] - 0.5)
    steps = make_pipeline(clone(selector).set_params(n_neurons=1), LINEAR)
    assert cross_val_score(steps, X, y, cv=[(train, test)]) < 0.8
    everything = clone(selector).set_params(n_neurons=1).fit(X, y)
    assert everything.get_support(indices=True) == [0]  # what a leak would have found


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


class TestTargets:
    def test_one_class_at_a_time(self, data):
        with pytest.raises(ValueError, match=r"not several: \['a', 'b'\]"):
            ProbelessSelector(target=["a", "b"]).fit(*data)

    def test_weights_of_pairs_of_classes_are_refused(self, data):
        """Three classes have three pairs: rows would be taken for classes."""
        selector = WeightMassSelector(SVC(kernel="linear"))
        assert selector.fit(*data).class_scores_.shape == (3, 12)
        with pytest.raises(ValueError, match="those of SVC compare pairs of classes"):
            selector.set_params(target="b").fit(*data)

    def test_numbers_have_no_target(self, data):
        X, _ = data
        with pytest.raises(ValueError, match=r"target=0 is not one of the classes \[\]"):
            WeightMassSelector(Ridge(), target=0).fit(X, np.arange(150) % 5)


class TestProbeless:
    def test_scores_are_those_of_the_function(self, data):
        X, y = data
        overall, per_class = mean_difference_scores(X, y, scale=X.std(axis=0))
        selector = ProbelessSelector().fit(X, y)
        np.testing.assert_allclose(selector.scores_, overall)
        np.testing.assert_allclose(selector.class_scores_, per_class)
        assert selector.classes_.tolist() == ["a", "b", "c"]
        np.testing.assert_array_equal(
            ProbelessSelector(scaled=False, target="b").fit(X, y).scores_,
            mean_difference_scores(X, y)[1][1],
        )

    def test_units_matter_unless_scaled(self, data):
        X, y = data
        units = np.logspace(3, -3, 12)[::-1]
        assert ProbelessSelector(scaled=False).fit(X * units, y).ranking_[0] > 2
        np.testing.assert_array_equal(
            ProbelessSelector().fit(X * units, y).ranking_, ProbelessSelector().fit(X, y).ranking_
        )


def test_average_precision_scores_are_those_of_the_function(data):
    X, y = data
    scores = average_precision_scores(X, y, threshold=0.1, signed=False)
    selector = AveragePrecisionSelector(threshold=0.1, signed=False).fit(X, y)
    np.testing.assert_array_equal(selector.class_scores_, scores)
    np.testing.assert_array_equal(selector.scores_, scores.mean(axis=0))


def test_average_precision_tells_the_direction(data):
    X, y = data
    flipped = X * np.where(np.arange(12) % 2, -1, 1)
    signs = AveragePrecisionSelector().fit(flipped, y).class_signs_
    assert signs[[0, 1, 2], [0, 1, 2]].tolist() == [1, -1, 1]
    assert (AveragePrecisionSelector(signed=False).fit(flipped, y).class_signs_ == 1).all()


@pytest.mark.parametrize("selector", BY_CLASS[:4], ids=repr)
def test_words_without_a_label_are_named(selector, data):
    X, y = data
    labels = np.where(np.arange(150) == 7, None, y)
    with pytest.raises(TypeError, match=r"y holds NoneType and str; .* is y\[7\], None"):
        clone(selector).fit(X, labels)


def test_random_rankings_follow_the_random_state(data):
    rankings = [
        RandomSelector(random_state=seed).fit(*data).ranking_.tolist() for seed in (0, 0, 1)
    ]
    assert rankings[0] == rankings[1] != rankings[2]


class TestGaussian:
    def test_it_ranks_as_the_probe_does(self, data):
        X, y = data
        selector = GaussianSelector(n_neurons=4).fit(X, y)
        neurons, bits = GaussianProbeClassifier(covariance="mean").fit(X, y).rank_neurons(4)
        np.testing.assert_array_equal(selector.ranking_[:4], neurons)
        np.testing.assert_allclose(selector.bits_, bits)
        np.testing.assert_allclose(selector.scores_[neurons].cumsum(), bits)

    @pytest.mark.parametrize("covariance", ["map", "mean"])
    def test_the_others_follow_by_what_scipy_says_they_add(self, data, covariance):
        X, y = data
        selector = GaussianSelector(n_neurons=2, covariance=covariance).fit(X, y)
        probe = GaussianProbeClassifier(covariance=covariance).fit(X, y)
        chosen, others = selector.ranking_[:2].tolist(), selector.ranking_[2:]
        prior = probe.class_prior_
        codes = np.searchsorted(probe.classes_, y)

        def bits(neurons):
            joint = np.log(prior) + np.transpose(
                [
                    multivariate_normal(mean[neurons], covariance[np.ix_(neurons, neurons)]).logpdf(
                        X[:, neurons]
                    )
                    for mean, covariance in zip(probe.means_, probe.covariances_, strict=True)
                ]
            )
            own = joint[np.arange(150), codes] - np.logaddexp.reduce(joint, axis=1)
            return (own.mean() - prior @ np.log(prior)) / np.log(2)

        added = [bits([*chosen, j]) - bits(chosen) for j in others]
        np.testing.assert_allclose(selector.scores_[others], added, atol=1e-8)
        assert (np.diff(added) <= 1e-8).all()

    def test_no_greedy_choice_ranks_by_single_neurons(self, data):
        X, y = data
        selector = GaussianSelector(n_greedy=0, n_neurons=3).fit(X, y)
        probe = GaussianProbeClassifier(covariance="mean").fit(X, y)
        alone = [probe.mutual_information(X, y, neurons=[j]) for j in range(12)]
        np.testing.assert_allclose(selector.scores_, alone, atol=1e-8)
        assert selector.bits_.size == 0

    def test_a_copy_tells_nothing_new(self, data):
        X, y = data
        both = np.column_stack([X, X[:, 0] + 1e-9 * X[:, 11]])
        assert set(GaussianSelector(n_neurons=3).fit(both, y).ranking_[:3]) == {0, 1, 2}
        assert 12 in ProbelessSelector().fit(both, y).ranking_[:4]

    def test_a_weight_of_zero_is_a_removed_word(self, data):
        X, y = data
        weight = np.arange(150) % 3 > 0
        weighed = GaussianSelector(n_neurons=5).fit(X, y, sample_weight=weight)
        kept = GaussianSelector(n_neurons=5).fit(X[weight], y[weight])
        np.testing.assert_array_equal(weighed.ranking_, kept.ranking_)
        assert GaussianSelector().fit(X, y, y != "b").classes_.tolist() == ["a", "c"]
        with pytest.raises(ValueError, match=r"target='b' is not one of the classes \['a', 'c'\]"):
            GaussianSelector(target="b").fit(X, y, sample_weight=y != "b")

    def test_few_are_chosen_unless_asked_for(self, data):
        X, y = data
        wide = np.hstack([X] * 5)
        assert len(GaussianSelector().fit(wide, y).bits_) == 20
        assert len(GaussianSelector(n_neurons=22).fit(wide, y).bits_) == 22

    def test_n_greedy_is_checked(self, data):
        with pytest.raises(ValueError, match="n_greedy=13, but X has 12 neurons"):
            GaussianSelector(n_greedy=13).fit(*data)


class TestVoting:
    SELECTORS = [
        ("means", ProbelessSelector()),
        ("detectors", AveragePrecisionSelector(n_neurons=2)),
        ("weights", WeightMassSelector(LINEAR)),
    ]

    @pytest.mark.parametrize("k", [None, 4])
    def test_it_counts_the_votes_of_its_selectors(self, data, k):
        voting = VotingSelector(self.SELECTORS, k=k).fit(*data)
        rankings = [clone(s).fit(*data).ranking_ for _, s in self.SELECTORS]
        np.testing.assert_array_equal(voting.ranking_, vote(rankings, k=k))
        n_voted = 12 if k is None else k
        assert voting.scores_.sum() == 3 * n_voted * (n_voted + 1) / 2
        assert voting.named_selectors_.means is voting.selectors_[0]

    def test_parameters_of_the_selectors_are_its_own(self, data):
        voting = VotingSelector(self.SELECTORS).set_params(detectors__signed=False, n_neurons=2)
        assert voting.get_params()["detectors__signed"] is False
        assert clone(voting).fit(*data).named_selectors_.detectors.signed is False
        search = GridSearchCV(
            make_pipeline(voting, LINEAR), {"votingselector__means__scaled": [True, False]}, cv=2
        )
        assert search.fit(*data).best_score_ > 0.8

    @pytest.mark.parametrize(
        ("selectors", "error", "message"),
        [
            ([], ValueError, r"at least one \(name, selector\)"),
            (
                [ProbelessSelector()],
                ValueError,
                r'as in \[\("means", ProbelessSelector\(\)\)\]; got',
            ),
            ([("a", ProbelessSelector()), ("a", RandomSelector())], ValueError, "not unique"),
            ([("k", ProbelessSelector())], ValueError, "conflict with constructor arguments"),
            (
                [("layer", LayerSelector(0, n_layers=1))],
                TypeError,
                "'layer', a LayerSelector, has no ranking_",
            ),
        ],
    )
    def test_errors(self, data, selectors, error, message):
        with pytest.raises(error, match=message):
            VotingSelector(selectors).fit(*data)

    @pytest.mark.parametrize("selector", ["drop", None, (1, 2)])
    def test_what_is_no_selector(self, data, selector):
        for pair in (("a", selector), (1, ProbelessSelector())):
            with pytest.raises(ValueError, match=r"list of at least one \(name, selector\)"):
                VotingSelector([pair]).fit(*data)

    def test_ranks_are_no_ranking(self, data):
        with pytest.raises(TypeError, match="'rfe', a RFE, has no ranking_ to vote with, one that"):
            VotingSelector([("rfe", RFE(LINEAR, n_features_to_select=3))]).fit(*data)

    def test_names_of_python(self, data):
        voting = VotingSelector([("self", ProbelessSelector())]).fit(*data)
        assert voting.named_selectors_["self"] is voting.selectors_[0]

    def test_nested(self, data):
        inner = VotingSelector(self.SELECTORS)
        outer = VotingSelector([("inner", inner), ("chance", RandomSelector(random_state=0))])
        outer.set_params(inner__means__scaled=False)
        assert outer.fit(*data).selectors_[0].named_selectors_.means.scaled is False

    def test_few_votes_leave_constant_neurons_last(self, data):
        X, y = data
        dead = np.column_stack([np.ones(150), X])
        assert VotingSelector(self.SELECTORS, k=2).fit(dead, y).ranking_[-1] == 0

    def test_lengths_are_checked_first(self, data):
        X, y = data
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            VotingSelector([("chance", RandomSelector())]).fit(X, y[:-1])

    def test_k_is_checked(self, data):
        with pytest.raises(ValueError, match="k=13, but X has 12 neurons"):
            VotingSelector(self.SELECTORS, k=13).fit(*data)

    def test_weights_need_routing(self, data):
        with pytest.raises(ValueError, match="sample_weight"):
            VotingSelector(self.SELECTORS).fit(*data, sample_weight=np.ones(150))


class TestRouting:
    """sample_weight and groups reach inner estimators, through Pipeline and GridSearchCV."""

    def test_groups_reach_the_folds_of_an_inner_search(self, data):
        X, y = data
        groups = np.arange(150) // 10
        inner = LinearProbeClassifierCV(
            lambdas_l1=[1e-3], lambdas_l2=[1e-3], solver="owlqn", tol=1e-3, cv=GroupKFold(3)
        )
        steps = make_pipeline(WeightMassSelector(inner), LINEAR)
        with pytest.raises(ValueError, match="groups"):
            steps.fit(X, y)
        with config_context(enable_metadata_routing=True):
            fitted = clone(steps).fit(X, y, groups=groups)
            search = GridSearchCV(
                steps, {"weightmassselector__n_neurons": [1, 3]}, cv=GroupKFold(3)
            ).fit(X, y, groups=groups)
        expected = clone(inner).fit(X, y, groups=groups)
        np.testing.assert_allclose(fitted[0].estimator_.coef_, expected.coef_)
        assert search.best_params_ == {"weightmassselector__n_neurons": 3}

    def test_weights_reach_those_that_ask(self, data):
        X, y = data
        weight = (y != "c").astype(float)
        with config_context(enable_metadata_routing=True):
            voting = VotingSelector(
                [
                    ("gaussian", GaussianSelector().set_fit_request(sample_weight=True)),
                    (
                        "linear",
                        WeightMassSelector(clone(LINEAR).set_fit_request(sample_weight=True)),
                    ),
                    ("means", ProbelessSelector()),
                ]
            )
            fitted = make_pipeline(voting).fit(X, y, sample_weight=weight)[0]
        without = GaussianSelector().fit(X[y != "c"], y[y != "c"])
        np.testing.assert_array_equal(fitted.selectors_[0].ranking_, without.ranking_)
        assert fitted.named_selectors_.linear.ranking_.tolist().index(2) > 2


class TestWeights:
    """Deviations are those of the weighted words that the model was trained on."""

    def steps(self):
        return make_pipeline(StandardScaler(), clone(LINEAR))

    def loud(self, data):
        """Words without weight, in which neuron 5 runs wild."""
        X, y = data
        weight = np.arange(150) % 3 > 0
        return np.where(weight[:, np.newaxis] | (np.arange(12) != 5), X, 1e6), y, weight * 1.0

    def test_of_the_last_step(self, data):
        X, y, weight = self.loud(data)
        expected = WeightMassSelector(self.steps()).fit(X[weight > 0], y[weight > 0])
        found = WeightMassSelector(self.steps()).fit(
            X, y, standardscaler__sample_weight=weight, logisticregression__sample_weight=weight
        )
        np.testing.assert_allclose(found.class_scores_, expected.class_scores_, atol=1e-4)

    @pytest.mark.parametrize("name", ["sample_weight", "importance"])
    def test_under_any_name(self, data, name):
        X, y, weight = self.loud(data)
        expected = WeightMassSelector(self.steps()).fit(X[weight > 0], y[weight > 0])
        with config_context(enable_metadata_routing=True):
            asks = True if name == "sample_weight" else name
            steps = make_pipeline(
                StandardScaler().set_fit_request(sample_weight=asks),
                clone(LINEAR).set_fit_request(sample_weight=asks),
            )
            inside = WeightMassSelector(steps).fit(X, y, **{name: weight})
            alone = WeightMassSelector(steps[-1]).fit(X, y, **{name: weight})
        np.testing.assert_allclose(inside.class_scores_, expected.class_scores_, atol=1e-4)
        expected = WeightMassSelector(LINEAR).fit(X[weight > 0], y[weight > 0])
        np.testing.assert_allclose(alone.class_scores_, expected.class_scores_, atol=1e-4)


class TestScalers:
    """A linear model behind a scaler ranks neurons as they come in."""

    def dead(self, data):
        X, y = data
        noise = 1e-32 * np.random.RandomState(0).normal(size=(150, 2))
        noise[:, 0] += 1e-32 * (y == "a")  # what a scaler makes a neuron as good as any
        return np.hstack([noise, X * np.logspace(-3, 3, 12)]), y

    @pytest.mark.parametrize("scaled", [True, False])
    def test_noise_that_a_scaler_inflates_ranks_last(self, data, scaled):
        X, y = self.dead(data)
        steps = make_pipeline(StandardScaler(), LINEAR)
        selector = WeightMassSelector(steps, n_neurons=3, scaled=scaled).fit(X, y)
        assert np.abs(selector.estimator_[-1].coef_[:, :2]).max() > 0.01
        assert selector.ranking_[-2:].tolist() == [0, 1]
        assert selector.get_support(indices=True).tolist() == [2, 3, 4]
        np.testing.assert_array_equal(selector.transform(X), X[:, 2:5])

    def test_it_ranks_as_behind_the_scaler(self, data):
        X, y = data
        inside = WeightMassSelector(make_pipeline(StandardScaler(), LINEAR)).fit(X, y)
        behind = WeightMassSelector(LINEAR).fit(StandardScaler().fit_transform(X), y)
        np.testing.assert_array_equal(inside.ranking_, behind.ranking_)

    def test_a_search_ranks_by_its_best(self, data):
        X, y = data
        search = GridSearchCV(
            make_pipeline(StandardScaler(), LINEAR), {"logisticregression__C": [0.01]}, cv=2
        )
        selector = WeightMassSelector(search).fit(X, y)
        best = WeightMassSelector(make_pipeline(StandardScaler(), clone(LINEAR).set_params(C=0.01)))
        np.testing.assert_array_equal(selector.ranking_, best.fit(X, y).ranking_)

    @pytest.mark.parametrize("wrap", ["frozen", "search inside", "nested", "frozen inside"])
    def test_however_it_is_wrapped(self, data, wrap):
        X, y = data
        search = GridSearchCV(clone(LINEAR), {"C": [0.1]}, cv=2)
        frozen = FrozenEstimator(clone(LINEAR).fit(StandardScaler().fit_transform(X), y))
        steps = {
            "frozen": FrozenEstimator(make_pipeline(StandardScaler(), LINEAR).fit(X, y)),
            "search inside": make_pipeline(StandardScaler(), search),
            "nested": make_pipeline(make_pipeline(StandardScaler(), LINEAR)),
            "frozen inside": make_pipeline(StandardScaler(), frozen),
        }[wrap]
        plain = WeightMassSelector(make_pipeline(StandardScaler(), LINEAR)).fit(X, y)
        np.testing.assert_allclose(
            WeightMassSelector(steps).fit(X, y).class_scores_, plain.class_scores_
        )

    def test_the_model_gets_the_names(self, data):
        pandas = pytest.importorskip("pandas")
        X, y = data
        names = [f"neuron{i}" for i in range(12)]
        frame = pandas.DataFrame(X, columns=names)
        scaler = ColumnTransformer(
            [("all", StandardScaler(), names)], verbose_feature_names_out=False
        )
        selector = WeightMassSelector(make_pipeline(scaler, LINEAR)).fit(frame, y)
        assert selector.estimator_.feature_names_in_.tolist() == names
        plain = WeightMassSelector(make_pipeline(StandardScaler(), LINEAR)).fit(X, y)
        np.testing.assert_array_equal(selector.ranking_, plain.ranking_)

    def test_a_prefit_model_saw_the_same_columns(self, data):
        pandas = pytest.importorskip("pandas")
        X, y = data
        frame = pandas.DataFrame(X, columns=[f"neuron{i}" for i in range(12)])
        model = clone(LINEAR).fit(frame, y)
        with pytest.raises(ValueError, match=r"\['neuron11', .* instead of \['neuron0', "):
            WeightMassSelector(model, prefit=True).fit(frame[frame.columns[::-1]])

    def test_passthrough(self, data):
        X, y = data
        steps = Pipeline([("off", "passthrough"), ("model", clone(LINEAR))])
        np.testing.assert_array_equal(
            WeightMassSelector(steps).fit(X, y).ranking_,
            WeightMassSelector(LINEAR).fit(X, y).ranking_,
        )

    def test_prefit_with_names(self, data):
        pandas = pytest.importorskip("pandas")
        X, y = data
        frame = pandas.DataFrame(X, columns=[f"neuron{i}" for i in range(12)])
        steps = make_pipeline(StandardScaler(), LINEAR).fit(frame, y)
        selector = WeightMassSelector(steps, prefit=True).fit(frame)
        np.testing.assert_array_equal(
            selector.ranking_, WeightMassSelector(clone(steps)).fit(X, y).ranking_
        )

    def test_steps_must_keep_the_neurons(self, data):
        from sklearn.decomposition import PCA

        with pytest.raises(TypeError, match=r"\['PCA'\] make 12 columns of 12, 'pca0' the first"):
            WeightMassSelector(make_pipeline(PCA(), LINEAR)).fit(*data)
        with pytest.raises(TypeError, match=r"Of the steps \['FunctionTransformer'\] before the"):
            WeightMassSelector(make_pipeline(FunctionTransformer(np.abs), LINEAR)).fit(*data)
        with pytest.raises(TypeError, match="make 3 columns of 12, 'neuron_0' the first"):
            WeightMassSelector(make_pipeline(ProbelessSelector(n_neurons=3), LINEAR)).fit(*data)

    def test_unscaled_rankings_of_scaled_neurons_warn_of_nothing(self, data):
        X, y = data
        X = X * np.logspace(-3, 3, 12)
        WeightMassSelector(LINEAR, scaled=False).fit(StandardScaler().fit_transform(X), y)
        WeightMassSelector(make_pipeline(StandardScaler(), LINEAR), scaled=False).fit(X, y)
        with pytest.warns(UserWarning, match="a tenth have a standard deviation below"):
            WeightMassSelector(LINEAR, scaled=False).fit(X, y)


def test_names_go_through_a_chain_of_all_selectors(data):
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


def test_a_scaler_that_works_in_place_changes_nothing_else(classification):
    X, y = classification
    X = 3 * X + 5
    before = X.copy()
    rankings = [
        WeightMassSelector(make_pipeline(StandardScaler(copy=copy), LogisticRegression())).fit(X, y)
        for copy in (True, False)
    ]
    np.testing.assert_array_equal(X, before)
    np.testing.assert_allclose(rankings[0].class_scores_, rankings[1].class_scores_)
