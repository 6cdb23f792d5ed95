"""The plot shows the bits of each block."""

import numpy as np
from sklearn.linear_model import LogisticRegression

from sklearn_neurox import CodelengthDisplay, codelength


def test_bits_per_label_in_each_block(classification):
    X, y = classification
    result = codelength(LogisticRegression(), X, y, random_state=0, fractions=[0.1, 0.5, 1.0])
    display = CodelengthDisplay.from_result({"tags": result})
    line, uniform = display.ax_.get_lines()
    frame = result.to_frame()
    np.testing.assert_allclose(line.get_xdata(), frame["n_train"] + frame["size"])
    np.testing.assert_allclose(line.get_ydata(), frame["bits"] / frame["size"])
    np.testing.assert_allclose(uniform.get_ydata(), np.log2(3))
    assert line.get_label() == f"tags: compression {result.compression:.1f}"
