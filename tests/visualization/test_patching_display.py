"""The map is drawn with the lowest layer at the bottom, and white is no effect."""

import numpy as np
import pytest

from sklearn_neurox import PatchingDisplay, PatchingMap


def make(effects, source=0.5, **options):
    effects = np.asarray(effects, dtype=float)[..., np.newaxis]
    n_layers, n_positions, _ = effects.shape
    return PatchingMap(
        layers=tuple(range(3, 3 + n_layers)),
        positions=tuple(range(n_positions)),
        tokens=tuple(["the", "cat/dog", *[""] * n_positions][:n_positions]),
        effects={"kl": effects, "out_put": 2 * effects},
        joint_effects={"kl": effects.sum(axis=1), "out_put": 2 * effects.sum(axis=1)},
        source_effects=None
        if source is None
        else {"kl": np.array([source]), "out_put": np.ones(1)},
        unedited={"kl": np.zeros(1), "out_put": np.ones(1)},
        **options,
    )


def test_cells_are_the_mean_effects():
    display = PatchingDisplay.from_result(make([[0.1, -0.4], [0.2, 0.0]]))
    ax = display.ax_
    image = ax.images[0]
    np.testing.assert_array_equal(image.get_array(), [[0.1, -0.4], [0.2, 0.0]])
    assert image.get_clim() == (-0.4, 0.4)
    assert min(image.to_rgba(0.0)) > 0.95  # white
    assert [text.get_text() for text in ax.texts] == ["0.10", "-0.40", "0.20", "0.00"]
    assert ax.get_ylim()[0] < ax.get_ylim()[1]  # the first row is at the bottom
    assert [each.get_text() for each in ax.get_yticklabels()] == ["3", "4"]
    assert [each.get_text() for each in ax.get_xticklabels()] == ["0 the", "1 cat/dog"]
    assert display.figure_.axes[1].get_ylabel() == "Effect on kl"


def test_metrics_and_shares():
    result = make([[0.1, -0.4]], unit="mlp")
    display = PatchingDisplay.from_result(result, metric="out_put")
    np.testing.assert_array_equal(display.ax_.images[0].get_array(), [[0.2, -0.8]])
    assert display.ax_.get_title() == "Effect of interchanges (mlp)"
    display = PatchingDisplay.from_result(result, share=True)
    np.testing.assert_allclose(display.ax_.images[0].get_array(), [[0.2, -0.8]])
    assert display.figure_.axes[1].get_ylabel() == "Share of the effect on kl"


def test_many_cells_do_not_contain_numbers():
    display = PatchingDisplay.from_result(make(np.ones((12, 13))))
    assert not display.ax_.texts


def test_a_map_without_any_effect():
    display = PatchingDisplay.from_result(make([[0.0, 0.0]]))
    assert display.ax_.images[0].get_clim() == (-1, 1)


def test_invalid_results():
    with pytest.raises(TypeError, match="Expected a PatchingMap, got int"):
        PatchingDisplay.from_result(3)
    with pytest.raises(ValueError, match=r"metric must be one of \['kl', 'out_put'\], got 'loss'"):
        PatchingDisplay(make([[0.1]]), metric="loss")
    with pytest.raises(ValueError, match="Shares require sources of the length of their texts"):
        PatchingDisplay(make([[0.1]], source=None), share=True)
    with pytest.raises(ValueError, match=r"effects\['kl'\] must be finite"):
        PatchingDisplay(make([[np.nan]]))
