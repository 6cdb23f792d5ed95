"""The curves are those of scikit-learn, and the legend shows areas with intervals."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import roc_curve

from sklearn_neurox import RocDisplay, probe_report


def curves(display):
    return [line for line in display.ax_.get_lines() if not line.get_label().startswith("_")]


def legend(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


def test_two_probes_of_two_classes(classification):
    X, y = classification
    names = np.where(y == 2, "yes", "no")
    reports = {
        name: probe_report(
            RidgeClassifier(alpha).fit(X, names), X, names, metric=["roc_auc", "recall_at_fpr"],
            fpr=0.2, pos_label="no", random_state=0,
        )
        for name, alpha in (("one", 1), ("two$", 1000))
    }  # fmt: skip
    display = RocDisplay.from_result(reports)
    for line, report in zip(curves(display), reports.values(), strict=True):
        rates, recalls, _ = roc_curve(names == "no", -report.decisions)
        np.testing.assert_array_equal(line.get_xdata(), rates)
        np.testing.assert_array_equal(line.get_ydata(), recalls)
    assert legend(display)[0] == f"one: AUC {reports['one'].score}"
    (cut,) = (line for line in display.ax_.get_lines() if line.get_label() == "_fpr")
    assert cut.get_xdata() == [0.2, 0.2]


def test_classes_of_one_report(classification):
    X, y = classification
    probe = LogisticRegression().fit(X, y)
    display = RocDisplay.from_estimator(probe, X, y, random_state=0)
    order = np.argsort(-np.bincount(y), kind="stable")
    assert [text.split(":")[0] for text in legend(display)] == [str(i) for i in order]
    rates, _, _ = roc_curve(y == order[0], probe.predict_proba(X)[:, order[0]])
    np.testing.assert_array_equal(curves(display)[0].get_xdata(), rates)
    report = probe_report(probe, X, y, metric="roc_auc", random_state=0)
    with pytest.raises(ValueError, match=r"The report of 'a' has 3 classes. Pass pos_label"):
        RocDisplay({"a": report, "b": report})
    with pytest.raises(ValueError, match=r"does not contain decision values. .*metric='roc_auc'"):
        RocDisplay(probe_report(probe, X, y, random_state=0))
