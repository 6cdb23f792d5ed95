"""Attributes that no fit returns are found when a file is loaded, before a prediction."""

import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.covariance import EmpiricalCovariance
from sklearn.cross_decomposition import PLSRegression
from sklearn.decomposition import NMF, PCA, FastICA
from sklearn.discriminant_analysis import (
    LinearDiscriminantAnalysis,
    QuadraticDiscriminantAnalysis,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier, SGDRegressor
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler
from sklearn.svm import LinearSVC

import sklearn_neurox as snx

from .archives import attribute, npy, probe, rewrite, set_array


def gaussian():
    return snx.GaussianProbeClassifier()


def with_value(array, place, value):
    changed = np.array(array)
    changed[place] = value
    return changed


def asymmetric(covariances):
    return with_value(covariances, (1, 0, 1), covariances[1, 0, 1] + 1)


CHANGES = [
    (gaussian, "covariances_", lambda a: -a, r"must be symmetric and positive definite"),
    (gaussian, "covariances_", lambda a: with_value(a, (2, 0, 0), -1), r"covariances_\[2\] of .* positive definite"),
    (gaussian, "covariances_", asymmetric, r"covariances_\[1\] of .* must be symmetric"),
    (gaussian, "covariances_", lambda a: with_value(a, (2, 0, 0), np.nan), "must not contain NaN or infinity"),
    (gaussian, "covariances_", lambda a: with_value(a, (0, 0, 0), 0), "must be 0 for constant neurons in all classes"),
    (gaussian, "covariances_", lambda a: a[:, :-1], r"must have shape \(3, 12, 12\), got \(3, 11, 12\)"),
    (gaussian, "covariances_", lambda a: a.astype(np.complex128), "must be an array of floats"),
    (gaussian, "means_", lambda a: with_value(a, (0, 0), np.inf), "must not contain NaN or infinity"),
    (gaussian, "means_", lambda a: a[:2], r"means_ .* must have shape \(3, 12\), got \(2, 12\)"),
    (gaussian, "class_prior_", lambda a: with_value(a, 0, -0.5), "must be positive and sum to 1"),
    (gaussian, "class_prior_", lambda a: 2 * a, "must be positive and sum to 1"),
    (gaussian, "classes_", lambda a: a[::-1], "distinct classes in ascending order"),
    (gaussian, "classes_", lambda a: a[[0, 0, 1]], "distinct classes in ascending order"),
    (gaussian, "classes_", lambda a: np.array([0, 1, np.nan]), "distinct classes in ascending order"),
    (gaussian, "classes_", lambda a: a[:2], r"must have shape \(2,"),
    (gaussian, "classes_", lambda a: a[:, np.newaxis], "must be a vector of distinct classes"),
    (probe, "classes_", lambda a: a[[1, 0, 2]], "distinct classes in ascending order"),
    (probe, "classes_", lambda a: np.array(["a", "b"]), r"coef_ .* must have shape \(1, 12\), got \(3, 12\)"),
    (probe, "classes_", lambda a: a[:1], "must contain at least two classes"),
    (probe, "coef_", lambda a: with_value(a, (0, 0), np.nan), "must not contain NaN or infinity"),
    (probe, "coef_", lambda a: a[:, :-1], r"must have shape \(3, 12\), got \(3, 11\)"),
    (probe, "coef_", lambda a: a.ravel(), r"must have shape \(3, 12\), got \(36,\)"),
    (probe, "coef_", lambda a: a.astype(str), "must be an array of floats"),
    (probe, "intercept_", lambda a: a[:2], r"intercept_ of .* must be a float array of shape \(3,\)"),
    (probe, "intercept_", lambda a: with_value(a, 1, -np.inf), "must not contain NaN or infinity"),
    (lambda: snx.LinearProbeRegressor(max_epochs=2, random_state=0), "coef_", lambda a: a[1:], r"must have shape \(12,\), got \(11,\)"),
    (snx.ProbelessSelector, "support_", lambda a: a[1:], r"must have shape \(12,\), got \(11,\)"),
    (snx.ProbelessSelector, "support_", lambda a: a.astype(int), "support_ .* must be an array of booleans"),
    (snx.ProbelessSelector, "ranking_", lambda a: a * 0, "must contain each neuron once"),
    (snx.ProbelessSelector, "ranking_", lambda a: a + 10**12, "must contain each neuron once"),
    (snx.ProbelessSelector, "ranking_", lambda a: a.astype(float), "must be an array of integers"),
    (snx.ProbelessSelector, "class_scores_", lambda a: a[:2], r"class_scores_ .* must have shape \(3, 12\)"),
    (snx.AveragePrecisionSelector, "class_signs_", lambda a: a[:2], r"must have shape \(3, 12\)"),
    (snx.CorrelationClustering, "labels_", lambda a: with_value(a, 1, 10**12), "labels_ .* must contain each of"),
    (snx.CorrelationClustering, "labels_", lambda a: with_value(a, 1, -1), "labels_ .* must contain each of"),
    (snx.CorrelationClustering, "labels_", lambda a: a[1:], r"must have shape \(12,\)"),
    (snx.CorrelationClustering, "representatives_", lambda a: a + 12, "must contain one neuron of each cluster"),
    (snx.CorrelationClustering, "representatives_", lambda a: a[::-1], "must contain one neuron of each cluster"),
    (snx.CorrelationClustering, "signs_", lambda a: a * 2, "signs_ .* must be 1 or -1"),
    (snx.CorrelationClustering, "linkage_matrix_", lambda a: a * 50, "must be a linkage of all neurons"),
    (snx.CorrelationClustering, "linkage_matrix_", lambda a: a[1:], r"must have shape \(11, 4\), got \(10, 4\)"),
    (lambda: snx.NeuronAblator([1, 2]), "ablated_", lambda a: a[1:], r"must have shape \(12,\)"),
    (lambda: snx.NeuronAblator([1, 2], mode="mean"), "fill_", lambda a: a[1:], r"fill_ .* must have shape \(2,\), got \(1,\)"),
    (lambda: snx.NeuronAblator([1, 2], mode="mean"), "ablated_", lambda a: ~a, r"fill_ .* must have shape \(10,\), got \(2,\)"),
    (lambda: snx.NeuronAblator([1], mode="resample"), "fill_", lambda a: a[:0], "fill_ .* has no rows"),
    (lambda: snx.NeuronAblator([1], mode="resample"), "fill_", lambda a: a * np.nan, "must not contain NaN or infinity"),
    (EmpiricalCovariance, "covariance_", lambda a: -a, "covariance_ of EmpiricalCovariance must be positive semidefinite"),
    (lambda: GaussianMixture(2, random_state=0), "covariances_", lambda a: -a, "must be positive semidefinite"),
    (LogisticRegression, "coef_", lambda a: a[:, 1:], r"coef_ .* must have 12 columns, got shape \(3, 11\)"),
    (LogisticRegression, "classes_", lambda a: a[::-1], "distinct classes in ascending order"),
    (Ridge, "coef_", lambda a: a * np.nan, "must not contain NaN or infinity"),
    (gaussian, "covariances_", lambda a: a * 1e-310, "must have variances on the scale of the means"),
    (gaussian, "means_", lambda a: a / np.abs(a).max() * 1e308, "must have variances on the scale of the means"),
    (gaussian, "means_", lambda a: a.astype(np.float16), "means_ .* must be float32 or float64, got dtype float16"),
    (probe, "coef_", lambda a: a.astype(np.float16), "coef_ .* must be float32 or float64, got dtype float16"),
    (probe, "coef_", lambda a: a.astype(np.longdouble), "coef_ .* must be float32 or float64, got dtype float128"),
    (probe, "intercept_", lambda a: a.astype(np.float16), "intercept_ .* must be float32 or float64, got dtype float16"),
    (lambda: GaussianMixture(2, random_state=0), "precisions_cholesky_", lambda a: a * np.nan, "must not contain NaN or infinity"),
    (lambda: GaussianMixture(2, random_state=0), "precisions_cholesky_", lambda a: -a, "must have a positive diagonal"),
    (lambda: GaussianMixture(2, random_state=0), "precisions_cholesky_", lambda a: a + 1, "must be upper triangular"),
    (lambda: GaussianMixture(2, random_state=0), "precisions_cholesky_", lambda a: a[:1], r"must have shape \(2, 12, 12\), got \(1, 12, 12\)"),
    (lambda: GaussianMixture(2, covariance_type="diag", random_state=0), "precisions_cholesky_", lambda a: a[:, 1:], r"must have shape \(2, 12\), got \(2, 11\)"),
    (lambda: GaussianMixture(2, random_state=0), "weights_", lambda a: a * 2, "weights_ .* must not be negative and sum to 1"),
    (lambda: GaussianMixture(2, random_state=0), "means_", lambda a: a[:1], r"means_ .* must have shape \(2, 12\)"),
    (GaussianNB, "var_", lambda a: -a, "var_ .* must contain finite numbers that are not negative"),
    (GaussianNB, "var_", lambda a: a * np.nan, "var_ .* must contain finite numbers"),
    (GaussianNB, "theta_", lambda a: a * np.inf, "must not contain NaN or infinity"),
    (GaussianNB, "theta_", lambda a: a[:2], r"theta_ of GaussianNB must have shape \(3, 12\), got \(2, 12\)"),
    (PCA, "components_", lambda a: a * np.nan, "must not contain NaN or infinity"),
    (PCA, "components_", lambda a: a[:, 1:], r"must have 12 columns, got shape \(12, 11\)"),
    (KMeans, "cluster_centers_", lambda a: a * np.nan, "must not contain NaN or infinity"),
    (LogisticRegression, "intercept_", lambda a: a[:2], r"intercept_ .* must have shape \(3,\) or \(\), got \(2,\)"),
    (StandardScaler, "scale_", lambda a: a * 0, "scale_ of StandardScaler must not contain 0"),
    (StandardScaler, "scale_", lambda a: a * np.nan, "scale_ of StandardScaler must not contain NaN"),
    (MinMaxScaler, "scale_", lambda a: a * 0, "scale_ of MinMaxScaler must not contain 0"),
    (StandardScaler, "mean_", lambda a: a[1:], r"mean_ of StandardScaler must have shape \(12,\), got \(11,\)"),
]  # fmt: skip


@pytest.fixture
def path(tmp_path):
    return tmp_path / "estimator.skops"


@pytest.mark.parametrize(
    ("make", "name", "change", "message"),
    CHANGES,
    ids=[f"{i}-{case[1]}" for i, case in enumerate(CHANGES)],
)
@pytest.mark.filterwarnings("ignore:After the last epoch")
def test_arrays_that_contradict_the_others(classification, path, make, name, change, message):
    fitted = make().fit(*classification)
    snx.save(fitted, path)
    assert getattr(snx.load(path), name) is not None
    set_array(path, name, np.array(change(np.asarray(getattr(fitted, name)))))
    with pytest.raises(ValueError, match=f"Cannot load .*the attribute .*{message}"):
        snx.load(path)


@pytest.mark.parametrize(
    "name", ["covariances_", "means_", "classes_", "class_prior_", "n_features_in_"]
)
def test_missing_attributes(classification, path, name):
    snx.save(gaussian().fit(*classification), path)
    rewrite(path, lambda schema, members: remove(schema, name))
    with pytest.raises(
        ValueError, match=f"the attribute {name} of Gaussian.* is missing, although"
    ):
        snx.load(path)


def remove(schema, name):
    state = schema["content"]
    place = list(state["content"]).index(name)
    del state["content"][name]
    del state["key_types"]["content"][place]


@pytest.mark.parametrize("value", ["0", "-1", "true", "2.5", "null", '"12"', "13", "1" + "0" * 30])
def test_numbers_of_features(classification, path, value):
    snx.save(probe().fit(*classification), path)

    def change(schema, members):
        attribute(schema, "n_features_in_")["content"] = value

    rewrite(path, change)
    message = r"n_features_in_ of .* must be a positive integer|must have shape|is missing"
    with pytest.raises(ValueError, match=f"Cannot load .*({message})"):
        snx.load(path)


def test_names_of_features(classification, path):
    pandas = pytest.importorskip("pandas")
    X, y = classification
    frame = pandas.DataFrame(X, columns=[f"n{i}" for i in range(12)])
    snx.save(probe().fit(frame, y), path)

    def change(schema, members):
        names = attribute(schema, "feature_names_in_")
        names["content"] = names["content"][:-1]

    rewrite(path, change)
    with pytest.raises(ValueError, match=r"feature_names_in_ of .* must be an array of 12 strings"):
        snx.load(path)


def test_parts_of_an_estimator_are_checked(classification, path):
    """At any depth: in a step, a search and a selector."""
    search = GridSearchCV(make_pipeline(StandardScaler(), gaussian()), {}, cv=2)
    snx.save(search.fit(*classification), path)

    def change(schema, members):
        for each in all_arrays(schema):
            array = each["array"]
            if each["name"] == "covariances_":
                members[array["file"]] = npy(-np.tile(np.eye(12), (3, 1, 1)))

    rewrite(path, change)
    with pytest.raises(ValueError, match=r"covariances_.* of GaussianProbeClassifier must be"):
        snx.load(path)


def all_arrays(schema):
    """Yield the attributes of all estimators in a description."""
    if isinstance(schema, dict):
        for name, value in schema.items():
            if isinstance(value, dict) and value.get("__loader__") == "NdArrayNode":
                yield {"name": name, "array": value}
            yield from all_arrays(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from all_arrays(value)


def test_an_inner_estimator_of_another_width(classification, path):
    X, y = classification
    selector = snx.WeightMassSelector(probe(), n_neurons=3).fit(X, y)
    selector.estimator_ = clone(selector.estimator_).fit(X[:, :5], y)
    match = "the attribute estimator_ of WeightMassSelector was fitted on 5 neurons, not 12"
    with pytest.raises(TypeError, match=f"Cannot save .*{match}"):  # nor is it saved
        snx.save(selector, path)
    assert not path.exists()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_cannot_be_loaded_is_not_saved(classification, path, value):
    fitted = probe().fit(*classification)
    fitted.coef_[1, 2] = value
    with pytest.raises(TypeError, match=r"Cannot save .*coef_ of LinearProbeClassifier must not"):
        snx.save(fitted, path)
    assert not path.exists()


def test_constant_neurons(classification, path):
    """Their covariances are 0, which is not positive definite."""
    X, y = classification
    X = X.copy()
    X[:, 3] = 2
    fitted = gaussian().fit(X, y)
    snx.save(fitted, path)
    np.testing.assert_array_equal(snx.load(path).predict_proba(X), fitted.predict_proba(X))


def test_more_neurons_than_samples(path):
    X = np.random.RandomState(0).normal(size=(30, 50)) * np.logspace(-6, 6, 50)
    y = np.arange(30) % 3
    for covariance in ("mean", "map"):
        fitted = snx.GaussianProbeClassifier(covariance=covariance).fit(X, y)
        snx.save(fitted, path)
        np.testing.assert_array_equal(snx.load(path).predict_proba(X), fitted.predict_proba(X))


def test_scalings_of_each_class(classification, path):
    fitted = QuadraticDiscriminantAnalysis().fit(*classification)
    snx.save(fitted, path)
    scalings = fitted.scalings_
    for changed, message in (
        (np.nan * scalings[1], "must not contain NaN or infinity"),
        (-scalings[1], "must not be negative"),
        (np.eye(12), "must be vectors of 3 classes"),
    ):
        fitted.scalings_ = [scalings[0], changed, scalings[2]]
        with pytest.raises(TypeError, match=f"Cannot save .*scalings_ of Quadratic.* {message}"):
            snx.save(fitted, path)


def test_masked_arrays(classification, path):
    """scikit-learn ignores the mask in some operations, and the values in others."""
    for estimator, name in ((probe(), "coef_"), (gaussian(), "means_"), (Ridge(), "coef_")):
        fitted = estimator.fit(*classification)
        setattr(fitted, name, np.ma.masked_array(getattr(fitted, name)))
        with pytest.raises(TypeError, match=f"Cannot save .*{name} of .* must be an array"):
            snx.save(fitted, path)


def test_what_fits_return_is_saved(classification, path):
    """No check refuses an estimator of scikit-learn, whatever its parameters."""
    X, y = classification
    missing = np.where(np.arange(12) == 3, np.nan, X)
    wide = np.random.RandomState(0).normal(size=(150, 12)) ** 2
    targets = np.stack([X[:, 0], X[:, 1]], axis=1)
    fits = [
        (StandardScaler(), missing, y),
        (StandardScaler(with_mean=False, with_std=False), X, y),
        (MinMaxScaler(), missing, y),
        (RobustScaler(), X * 0, y),
        *[
            (GaussianMixture(2, covariance_type=kind), X, y)
            for kind in ("tied", "diag", "spherical")
        ],
        (BayesianGaussianMixture(n_components=2), X, y),
        (GaussianNB(var_smoothing=0), wide, y),
        (LinearDiscriminantAnalysis(), X, y),
        *[(Ridge(fit_intercept=flag), X, t) for flag in (True, False) for t in (y, targets)],
        *[(LinearSVC(fit_intercept=flag), X, y) for flag in (True, False)],
        (LogisticRegression(fit_intercept=False), X, y > 0),
        (SGDClassifier(), X, y > 0),
        (SGDRegressor(), X, y),
        (PLSRegression(), X, targets),
        (NMF(2), wide, y),
        (FastICA(2, random_state=0), X, y),
        (SimpleImputer(keep_empty_features=True), missing, y),
        (MultinomialNB(alpha=1e-30), (wide > 1).astype(float), y),
    ]
    for estimator, data, target in fits:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fitted = estimator.fit(data, target)
        snx.save(fitted, path)
        assert type(snx.load(path)) is type(estimator)
