"""The plot shows the effect of each edit, its interval, and each draw of each placebo."""

import numpy as np
import pytest

from sklearn_neurox import CausalEffect, CausalEffectDisplay, LayerwiseScores

RNG = np.random.RandomState(0)


def make(effect, **options):
    return CausalEffect.from_effects(
        {"loss": RNG.normal(size=9), "kl": effect + RNG.normal(size=9)},
        {
            kind: {name: RNG.normal(size=(n, 9)) for name in ("loss", "kl")}
            for kind, n in (("norm", 7), ("covariance", 6), ("largest", 1))
        },
        **options,
    )


def test_one_result():
    result = make(3.0)
    ax = CausalEffectDisplay.from_result(result, metric="kl").ax_
    (bars,) = ax.containers
    mean = result.means["kl"]
    assert bars.lines[0].get_xydata().tolist() == [[mean.value, 0]]
    (segment,) = bars.lines[2][0].get_segments()
    np.testing.assert_allclose(segment[:, 0], [mean.low, mean.high])
    drawn = [line for line in ax.get_lines() if line.get_label() == "_draws"]
    for row, (line, kind) in enumerate(zip(drawn, result.placebo_effects, strict=True), start=1):
        np.testing.assert_array_equal(line.get_xdata(), result.draws("kl", kind))
        assert (abs(line.get_ydata() - row) < 0.5).all()
    assert [text.get_text() for text in ax.texts] == [
        f"p = {result.p_value('kl', kind):.3f}" for kind in ("norm", "covariance")
    ]
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "Edit",
        "Random, same displacement",
        "Drawn from the covariance",
        "Largest variance",
    ]
    assert ax.get_xlabel() == "Mean effect on kl (95% confidence interval)"


def test_several_results():
    results = {"LEACE": make(3.0), "best neurons": make(1.0)}
    ax = CausalEffectDisplay.from_result(results).ax_
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert (labels[0], labels[4]) == ("LEACE", "best neurons")
    assert len(ax.containers) == 2
    places = [bars.lines[0].get_xdata()[0] for bars in ax.containers]
    assert places == [each.means["loss"].value for each in results.values()]


def test_a_single_text_does_not_have_an_interval():
    result = CausalEffect.from_effects({"kl": np.ones(1)})
    (bars,) = CausalEffectDisplay.from_result(result).ax_.containers
    assert not bars.has_xerr


def test_invalid_results():
    with pytest.raises(TypeError, match="Expected a CausalEffect or a dict of them by name"):
        CausalEffectDisplay(LayerwiseScores(np.ones((1, 1)), np.ones(1)))
    message = r"metric must be among the metrics \['loss', 'kl'\] of the result 'a', got 'output'"
    with pytest.raises(ValueError, match=message):
        CausalEffectDisplay({"a": make(1.0)}, metric="output")
