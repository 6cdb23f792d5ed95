"""Estimators to save, and comparisons of what is loaded."""

from types import FunctionType

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sklearn_neurox as snx

FAST = dict(max_epochs=2, random_state=0, device="cpu")
GROUPS = np.arange(150) // 10


def probe(**options):
    return snx.LinearProbeClassifier(**{**FAST, **options})


def pipeline(**options):
    return make_pipeline(StandardScaler(), probe(**options))


def assert_same(one, other):
    """Assert that types, dtypes and bits are the same, at any depth."""
    assert type(one) is type(other)
    if isinstance(one, np.ma.MaskedArray):
        assert_same(one.data, other.data)
        assert_same(np.ma.getmaskarray(one), np.ma.getmaskarray(other))
    elif isinstance(one, np.ndarray | np.generic):
        assert one.dtype == other.dtype
        assert one.shape == other.shape
        if one.dtype == object:
            assert_same(one.tolist(), other.tolist())
        else:
            assert one.tobytes() == other.tobytes()
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for left, right in zip(one, other, strict=True):
            assert_same(left, right)
    elif isinstance(one, dict):
        assert_same(list(one), list(other))
        assert_same(list(one.values()), list(other.values()))
    elif isinstance(one, np.random.RandomState):
        assert_same(one.get_state(), other.get_state())
    elif isinstance(one, BaseEstimator):
        assert_same(one.__getstate__(), other.__getstate__())
    elif hasattr(one, "__dict__") and not isinstance(one, type | FunctionType):
        assert_same(vars(one), vars(other))
    else:
        assert repr(one) == repr(other)  # NaN is NaN, and -0.0 is not 0.0


def assert_same_results(one, other, X):
    methods = ("predict", "predict_proba", "decision_function", "transform")
    called = [name for name in methods if hasattr(one, name)]
    assert called
    for name in called:
        assert_same(getattr(other, name)(X), getattr(one, name)(X))
