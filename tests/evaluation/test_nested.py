"""The nested score is that of GridSearchCV in cross_val_score, and it is unbiased."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge, RidgeClassifier
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_neurox import (
    LayerSelector,
    LinearProbeClassifier,
    layerwise_scores,
    nested_layer_scores,
)


def test_scores_are_those_of_a_search_over_layers(classification):
    X, y = classification
    X = X + np.random.RandomState(0).normal(scale=2, size=X.shape)
    grid = {"alpha": [1.0, 1000.0]}
    result = nested_layer_scores(
        RidgeClassifier(), X, y, n_layers=3, param_grid=grid, cv=KFold(4), inner_cv=KFold(3)
    )
    pipeline = make_pipeline(LayerSelector(0, n_layers=3), RidgeClassifier())
    params = {"ridgeclassifier__alpha": grid["alpha"], "layerselector__layers": [0, 1, 2]}
    search = GridSearchCV(pipeline, params, cv=KFold(3))
    np.testing.assert_allclose(result.scores, cross_val_score(search, X, y, cv=KFold(4)))
    train = next(KFold(4).split(X))[0]
    search.fit(X[train], y[train])
    assert result.layers[0] == search.best_params_["layerselector__layers"]
    assert result.params[0]["alpha"] == search.best_params_["ridgeclassifier__alpha"]
    assert result.inner_scores[0] == pytest.approx(search.best_score_)


def test_groups_are_not_split_by_inner_folds(classification, groups):
    X, y = classification

    class Checked(GroupKFold):
        def split(self, X, y=None, groups=None):
            for train, test in super().split(X, y, groups):
                assert not set(groups[train]) & set(groups[test])
                yield train, test

    options = {"n_layers": 3, "groups": groups}
    checked = nested_layer_scores(RidgeClassifier(), X, y, inner_cv=Checked(5), **options)
    default = nested_layer_scores(RidgeClassifier(), X, y, **options)
    np.testing.assert_array_equal(checked.scores, default.scores)
    assert default.held_out.n_groups == 30


def test_the_highest_score_is_biased_and_the_nested_score_is_not():
    """Without information, the best of eight layers has a score above chance."""
    best, nested = [], []
    for seed in range(6):
        rng = np.random.RandomState(seed)
        X, y = rng.normal(size=(60, 16)), rng.permutation(np.arange(60) % 2)
        options = {"n_layers": 8, "cv": KFold(2)}
        best.append(layerwise_scores(RidgeClassifier(), X, y, **options).scores.mean(axis=1).max())
        found = nested_layer_scores(RidgeClassifier(), X, y, inner_cv=KFold(2), **options)
        nested.append(found.scores.mean())
    assert np.mean(best) > 0.55
    assert np.mean(nested) < 0.52


def test_a_pipeline_of_a_probe_and_names(classification):
    pandas = pytest.importorskip("pandas")
    X, y = classification
    names = [f"layer_{layer}_neuron_{i}" for layer in (2, 5, 7) for i in range(4)]
    probe = LinearProbeClassifier(max_epochs=2, learning_rate=0.05, random_state=0, device="cpu")
    result = nested_layer_scores(
        make_pipeline(StandardScaler(), probe),
        pandas.DataFrame(X, columns=names),
        y,
        cv=2,
        inner_cv=2,
    )
    assert result.layers == (2, 2)
    assert list(result.to_frame()) == ["layer", "score", "inner_score"]
    assert repr(result).endswith("layers 2 (2x))")
    assert "<table" in result._repr_html_()


def test_the_interval_and_the_methods(classification, groups):
    result = nested_layer_scores(RidgeClassifier(), *classification, n_layers=3, groups=groups)
    score = result.score(random_state=0)
    assert score.value == pytest.approx(result.scores.mean())
    assert score.low < score.value < score.high
    text = result.methods(sample="word", group="sentence")
    assert "nested 5-fold by sentence, 30 sentences, 150 words" in text
    assert "(layer 0 in 5 of 5 folds)" in text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(param_grid={"C": [1]}), "Invalid parameter 'C'"),
        (dict(inner_cv=1), "'inner_cv' parameter"),
        (dict(n_layers=5), "cannot be divided into n_layers=5"),
        (dict(groups=[1, 2]), "inconsistent numbers of samples"),
    ],
)
def test_errors(classification, untouched, changes, message):
    with pytest.raises(ValueError, match=message):
        nested_layer_scores(untouched, *classification, **{"n_layers": 3, **changes})


def test_numbers(classification):
    X, _ = classification
    result = nested_layer_scores(Ridge(), X, X[:, 5], n_layers=3)
    assert set(result.layers) == {1}
    assert result.score().value > 0.99
