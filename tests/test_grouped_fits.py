"""Groups reach the searches and selectors inside every function that trains an estimator."""

import numpy as np
import pytest
from sklearn.ensemble import StackingClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier, RidgeCV
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_neurox import (
    LeaceEraser,
    LinearProbeClassifierCV,
    NeuronAblator,
    NullspaceEraser,
    WeightMassSelector,
    ablation_curve,
    causal_effect,
    codelength,
    layerwise_scores,
    nested_layer_scores,
    selectivity_curve,
    selectivity_score,
    transfer_scores,
)
from sklearn_neurox._grouped_fits import fit_clone, uses_groups

from .planted import LAYER, planted

RNG = np.random.RandomState(0)
GROUPS = np.repeat(np.arange(12), 8)
Y = RNG.permutation(np.arange(96) % 2)
X = np.column_stack([GROUPS / 12, RNG.normal(size=(96, 3)) + Y[:, None]])
PAIR = dict(lambdas_l1=[0], lambdas_l2=[0.1], solver="owlqn", tol=1e-3, device="cpu")


class Strict(GaussianNB):
    """A classifier that reads the group in column 0, and refuses groups that it has seen."""

    def fit(self, X, y):
        self.seen_ = set(X[:, 0])
        return super().fit(X, y)

    def predict(self, X):
        assert not self.seen_ & set(X[:, 0]), "a group was split"
        return super().predict(X)


def search(cv=2):
    return GridSearchCV(Strict(), {"var_smoothing": [1e-9, 1e-3]}, cv=cv, error_score="raise")


def pair(groups):
    half = np.arange(96) % 2 == 0
    sets = {"even": half, "odd": ~half}
    return {
        name: (X[rows], Y[rows], None if groups is None else groups[rows] + 0.5 * (name == "odd"))
        for name, rows in sets.items()
    }


FUNCTIONS = {
    "layerwise_scores": lambda groups, **cv: layerwise_scores(
        search(), X, Y, n_layers=1, groups=groups, **cv
    ),
    "ablation_curve": lambda groups, **cv: ablation_curve(
        search(), X, Y, ranking=np.arange(4), fractions=[1.0], groups=groups, **cv
    ),
    "selectivity_score": lambda groups, **cv: selectivity_score(
        search(), X, Y, np.tile(np.arange(12), 8), groups=groups, random_state=0, **cv
    ),
    "selectivity_curve": lambda groups, **cv: selectivity_curve(
        search(), X, Y, np.tile(np.arange(12), 8), param_name="refit", param_range=[True],
        groups=groups, random_state=0, **cv,
    ),
    "nested_layer_scores": lambda groups, **cv: nested_layer_scores(
        search(), X, Y, n_layers=1, inner_cv=2, groups=groups, **cv
    ),
    "codelength": lambda groups, **_: codelength(
        search(), X, Y, fractions=[0.4, 1.0], groups=groups, random_state=0
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_inner_search_does_not_split_a_group(name):
    FUNCTIONS[name](GROUPS, cv=3)
    with pytest.raises(AssertionError, match="a group was split"):
        FUNCTIONS[name](None, cv=GroupKFold(3).split(X, Y, GROUPS))


def test_transfer():
    """Column 0 is the group, of which each data set has its own."""
    sets = pair(GROUPS)
    for each in sets.values():
        each[0][:, 0] = each[2]
    transfer_scores(search(), sets, cv=3, n_bootstraps=10, random_state=0)
    sets = {name: (X, y) for name, (X, y, _) in sets.items()}
    with pytest.raises(AssertionError, match="a group was split"):
        transfer_scores(search(), sets, cv=3, n_bootstraps=10, random_state=0)


def test_the_search_of_a_ranking_and_of_a_last_step():
    """The result is that of scikit-learn's own way to pass groups to a step of a Pipeline."""
    probe = LinearProbeClassifierCV(**PAIR | {"lambdas_l2": [1e-3, 0.3]}, cv=2)
    steps = make_pipeline(StandardScaler(), probe)
    found = layerwise_scores(steps, X, Y, n_layers=2, groups=GROUPS, cv=3)
    for fold, (train, test) in enumerate(GroupKFold(3).split(X, Y, GROUPS)):
        for layer, columns in enumerate([[0, 1], [2, 3]]):
            part = X[:, columns]
            steps.fit(part[train], Y[train], linearprobeclassifiercv__groups=GROUPS[train])
            assert found.scores[layer, fold] == steps.score(part[test], Y[test])
    curve = dict(ranking=WeightMassSelector(Recorder(**PAIR, cv=2)), fractions=[0.5], cv=3)
    Recorder.seen = []
    ablation_curve(RidgeClassifier(), X, Y, groups=GROUPS, random_state=0, **curve)
    parts = [GROUPS[train] for train, _ in GroupKFold(3).split(X, Y, GROUPS)]
    for seen, expected in zip(Recorder.seen, parts, strict=True):
        np.testing.assert_array_equal(seen, expected)


class Recorder(LinearProbeClassifierCV):
    """A search that keeps the groups that it gets."""

    seen: list = []

    def fit(self, X, y, sample_weight=None, **params):
        Recorder.seen.append(params.get("groups"))
        return super().fit(X, y, sample_weight, **params)


@pytest.mark.parametrize(
    "edit", ["ranking", NullspaceEraser(Recorder(**PAIR, cv=2), n_iter=1)], ids=["ranking", "edit"]
)
def test_an_effect(edit):
    network = planted("encoder", n_texts=12)
    options = {"edit": edit}
    if edit == "ranking":
        ranking = WeightMassSelector(Recorder(**PAIR, cv=2), n_neurons=2)
        options = {"edit": NeuronAblator([], mode="mean"), "ranking": ranking}
    Recorder.seen = []
    groups = np.repeat(np.arange(6), 2)
    causal_effect(
        network.model, network.texts, tokenizer=network.tokenizer, layer=LAYER, cv=2,
        labels=network.labels, groups=groups, metrics="output", placebos=(), **options,
    )  # fmt: skip
    n_words = np.array([len(each) for each in network.labels])
    folds = GroupKFold(2).split(groups, groups=groups)
    for seen, (train, _) in zip(Recorder.seen, folds, strict=True):
        np.testing.assert_array_equal(seen, np.repeat(groups[train], n_words[train]))


class TestFitClone:
    def test_too_few_groups_inside(self):
        message = (
            "GridSearchCV has 5 folds, but there are only 2 groups in the training samples, and a "
            "group is never split. Set cv to at most 2"
        )
        with pytest.raises(ValueError, match=message) as caught:
            layerwise_scores(search(5), X, Y, n_layers=1, groups=GROUPS // 4, cv=3)
        assert caught.value.__notes__ == ["The error occurred in fold 0, for the labels."]

    def test_too_few_groups_outside(self):
        with pytest.raises(ValueError, match="There are 5 folds, but there are only 3 groups"):
            layerwise_scores(RidgeClassifier(), X, Y, n_layers=1, groups=GROUPS // 4)
        with pytest.raises(ValueError, match=r"only 1 group, .* At least 2 are required"):
            LinearProbeClassifierCV(**PAIR).fit(X, Y, groups=0 * GROUPS)

    def test_the_estimator_is_not_changed(self):
        estimator = make_pipeline(StandardScaler(), search())
        fitted = fit_clone(estimator, X, Y, GROUPS)
        assert estimator[-1].cv == 2
        assert fitted[-1].cv.n_splits == 2
        assert isinstance(fitted[-1].cv, GroupKFold)

    @pytest.mark.parametrize(
        ("estimator", "expected"),
        [
            (RidgeClassifier(), False),
            (RidgeCV(cv=3), True),
            (LinearProbeClassifierCV(), True),
            (WeightMassSelector(LinearProbeClassifierCV()), True),
            (NullspaceEraser(LinearProbeClassifierCV()), True),
            (LeaceEraser(), False),
            (StackingClassifier([("nb", GaussianNB())], LogisticRegression(), cv=2), False),
        ],
        ids=lambda value: type(value).__name__,
    )
    @pytest.mark.filterwarnings("ignore:Adam stopped while")
    def test_what_uses_groups(self, estimator, expected):
        assert uses_groups(estimator) is expected
        fitted = fit_clone(estimator, X, Y, GROUPS)
        if not expected and "cv" in estimator.get_params():
            assert fitted.cv == 2

    def test_a_splitter_of_the_user_is_kept(self):
        with pytest.raises(AssertionError, match="a group was split"):
            fit_clone(search(KFold(2, shuffle=True, random_state=0)), X, Y, GROUPS)
