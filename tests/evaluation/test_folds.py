"""Folds: one warning covers all of them, and invalid input fails before any fit."""

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_neurox import LinearProbeClassifier, ablation_curve, codelength, selectivity_score
from sklearn_neurox._warnings import UnseenLabelsWarning


@pytest.mark.parametrize("scoring", [None, "f1_macro"])
@pytest.mark.parametrize(
    "probe", [RidgeClassifier(), LinearProbeClassifier(max_epochs=1, random_state=0)], ids=type
)
def test_one_warning_covers_all_folds(classification, function, scoring, probe):
    X, y = classification
    labels = np.array(["a", "b", "c"])[y].astype(object)
    labels[3] = "rare"
    with pytest.warns(Warning) as caught:  # noqa: PT030 -- all of them are examined
        function(probe, X, labels, scoring=scoring, cv=KFold(3))
    about = [each for each in caught if issubclass(each.category, UnseenLabelsWarning)]
    assert [str(each.message) for each in about] == [
        "In 1 of 3 folds, test samples (1 in total) have labels that were not seen during "
        "training: 'rare' (fold 0). They are scored as errors. Remove rare labels to avoid this."
    ]
    assert about[0].filename == function.__code__.co_filename
    assert not [each for each in caught if "seen" in str(each.message) and each not in about]


@pytest.mark.parametrize("steps", [[], [StandardScaler()]], ids=len)
def test_a_frozen_estimator_cannot_be_trained(classification, steps):
    X, y = classification
    frozen = FrozenEstimator(LogisticRegression().fit(X, y))
    estimator = make_pipeline(*steps, frozen) if steps else frozen
    message = "trains the estimator, so estimator cannot be a FrozenEstimator"
    with pytest.raises(ValueError, match=f"selectivity {message}"):
        selectivity_score(estimator, X, y, words=np.arange(150) % 50)
    with pytest.raises(ValueError, match=f"codelength {message}"):
        codelength(estimator, X, y)
    ablation_curve(estimator, X, y, ranking=np.arange(12), cv=2)  # a frozen one can be ablated


def test_there_must_be_folds(classification, function, untouched):
    with pytest.raises(ValueError, match=r"cv=\[\] yields no folds"):
        function(untouched, *classification, cv=[])


@pytest.mark.parametrize(
    ("odd", "kinds"),
    [(1, "number and string"), (None, "NoneType and string")],
    ids=str,
)
def test_labels_of_several_kinds_are_an_error(classification, function, untouched, odd, kinds):
    X, y = classification
    labels = [f"tag{label}" for label in y]
    labels[7] = odd
    message = rf"y must contain labels of one kind, but contains {kinds} labels.* y\[7\] = {odd}"
    with pytest.raises(TypeError, match=message):
        function(untouched, X, labels)


def test_a_label_that_is_nan_is_an_error(classification, function, untouched):
    X, y = classification
    labels = [f"tag{label}" for label in y]
    labels[7] = np.nan
    with pytest.raises(ValueError, match=r"y must not contain NaN or infinity: y\[7\] = nan"):
        function(untouched, X, labels)


@pytest.mark.parametrize(
    ("name", "value"),
    [("verbose", "yes"), ("n_jobs", 1.5), ("groups", 5)],
)
def test_parameters_are_validated(classification, function, untouched, name, value):
    with pytest.raises(ValueError, match=f"The '{name}' parameter of .* Got {value!r} instead"):
        function(untouched, *classification, **{name: value})
