"""What the pages say about the use of a property."""

import numpy as np
import pytest

from sklearn_neurox import CausalEffect
from sklearn_neurox._cli.usage import conclude


def effect_of(**draws):
    """An effect of .4, and the mean effects of the draws of each placebo."""
    placebos = {
        kind: {"output": np.tile(np.array(values)[:, None], 2)} for kind, values in draws.items()
    }
    return CausalEffect.from_effects({"output": np.array([0.3, 0.5])}, placebos)


LOW, HIGH = np.full(19, 0.1), np.append(np.full(18, 0.1), 0.6)


@pytest.mark.parametrize(
    ("draws", "expected"),
    [
        ((LOW, LOW, LOW), "This is more than every draw of all placebos."),
        (
            (HIGH, LOW, LOW),
            "not more than the effects of random edits that move the states as far,",
        ),
        (
            (LOW, HIGH, HIGH),
            "edits along the directions in which the states vary and edits made from random labels",
        ),
    ],
)
def test_a_conclusion_requires_all_placebos(draws, expected):
    norm, covariance, control = draws
    text = conclude(
        "Edit", "NOUN", effect_of(norm=norm, covariance=covariance, control_task=control)
    )
    assert text.startswith("Edit: the edit changes the sentence embedding by 0.400")
    assert expected in text
    assert ("does not show" in text) == any(each is HIGH for each in draws)
