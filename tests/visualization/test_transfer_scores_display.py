"""The matrix shows the score of each training set on each data set."""

import numpy as np
from sklearn.linear_model import RidgeClassifier

from sklearn_neurox import TransferScoresDisplay


def test_scores_and_names(classification):
    X, y = classification
    datasets = {"one": (X[:70], y[:70]), "two$": (X[70:], y[70:])}
    display = TransferScoresDisplay.from_estimator(
        RidgeClassifier(), datasets, leave_one_out=True, random_state=0, im_kw={"cmap": "gray"}
    )
    ax = display.ax_
    np.testing.assert_array_equal(ax.images[0].get_array(), display.result.values)
    assert [text.get_text() for text in ax.get_yticklabels()][2] == "all others"
    assert len(ax.texts) == 6
    assert ax.get_xlabel() == "Tested on"
    assert ax.images[0].get_cmap().name == "gray"
