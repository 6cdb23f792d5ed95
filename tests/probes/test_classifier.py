"""What the classifiers share: labels not seen during training, and labels of one kind."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import accuracy_score

from sklearn_neurox import (
    GaussianProbeClassifier,
    LinearProbeClassifier,
    LinearProbeClassifierCV,
)

RNG = np.random.RandomState(0)
X = RNG.normal(size=(150, 8))


PROBES = [
    LinearProbeClassifier(learning_rate=0.1, random_state=0),
    LinearProbeClassifierCV(
        lambdas_l1=[0], lambdas_l2=[0], cv=2, learning_rate=0.1, random_state=0
    ),
    GaussianProbeClassifier(),
]


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: type(probe).__name__)
@pytest.mark.parametrize("kind", [int, str])
def test_unseen_labels_are_named_and_counted(classification, probe, kind):
    X, y = classification
    y = y.astype(kind)
    known = y != y[0]
    probe = clone(probe).fit(X[known], y[known])
    assert probe.score(X[known], y[known]) > 0.5  # no warning
    message = f"{(~known).sum()} of 150 samples have labels that were not seen during training: {y.tolist()[0]!r}."
    with pytest.warns(UserWarning, match=message) as record:
        score = probe.score(X, y)
    assert score == accuracy_score(y, probe.predict(X))
    assert record[0].filename.endswith(("test_classifier.py", "_linear_probe_cv.py"))


def test_weights_count(classification):
    X, y = classification
    probe = clone(PROBES[0]).fit(X, y)
    weight = np.random.RandomState(0).uniform(size=150)
    assert probe.score(X, y, weight) == accuracy_score(y, probe.predict(X), sample_weight=weight)


class TestBadInput:
    @pytest.mark.parametrize("make", [LinearProbeClassifier, GaussianProbeClassifier])
    def test_samples_without_a_label(self, make):
        with pytest.raises(
            TypeError, match=r"of one kind, but contains NoneType and string labels; .* y\[3\]"
        ):
            make().fit(X, [*"abc", None, *"abcd" * 36, "a", "b"])
