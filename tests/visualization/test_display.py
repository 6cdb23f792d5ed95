"""What all displays have in common: axes, names, errors, and the style of the user."""

import dataclasses
import inspect
import io
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib import pyplot, rc_context
from matplotlib.colors import LogNorm, to_rgba_array
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier

import sklearn_neurox as snx
from sklearn_neurox import (
    CodelengthDisplay,
    LayerwiseScores,
    LayerwiseScoresDisplay,
    ProbeReportDisplay,
    RankingOverlapDisplay,
    SelectivityCurveDisplay,
    codelength,
    layerwise_scores,
    probe_report,
)
from sklearn_neurox.visualization import __all__ as public

DISPLAYS = [name for name in public if name.endswith("Display")]
RANKINGS = {"a": [0, 1, 2], "b": [1, 0, 2]}
WORDS = np.tile(np.arange(50), 3)


def curves(ax):
    return [container.lines[0] for container in ax.containers]


def levels(ax):
    return [line for line in ax.get_lines() if np.array_equal(line.get_xdata(), [0, 1])]


def lines(ax):
    return [line for line in ax.get_lines() if line not in levels(ax)]


def cuts(ax):
    return [line for line in ax.get_lines() if np.array_equal(line.get_ydata(), [0, 1])]


def images(ax):
    return ax.images


def texts(ax):
    return ax.texts


def collections(ax):
    return ax.collections


def bars(ax):
    return ax.patches


def report(X, y):
    return probe_report(LogisticRegression().fit(X, y), X, y, random_state=0)


def layer_display(X, y, **style):
    return snx.LayerwiseScoresDisplay.from_estimator(
        RidgeClassifier(), X, y, n_layers=3, cv=2, **style
    )


def layer_display_of_result(X, y, **style):
    result = layerwise_scores(RidgeClassifier(), X, y, n_layers=3, cv=2)
    return snx.LayerwiseScoresDisplay.from_result(result, **style)


def ablation_display(X, y, **style):
    return snx.AblationCurveDisplay.from_estimator(
        RidgeClassifier(), X, y, ranking=np.arange(12), cv=2, **style
    )


def report_display(X, y, **style):
    return ProbeReportDisplay.from_result({"a": report(X, y)}, score="f1", **style)


def regressor_display(X, y, **style):
    y = X[:, 0] + X[:, 1] ** 2
    return ProbeReportDisplay.from_estimator(Ridge().fit(X, y), X, y, random_state=0, **style)


def report_matrix(X, y, **style):
    return ProbeReportDisplay.from_result(dict.fromkeys("abcd", report(X, y)), **style)


def selectivity_display(X, y, **style):
    return snx.SelectivityDisplay.from_estimator(
        RidgeClassifier(), X, y, words=WORDS, cv=2, random_state=0, **style
    )


def selectivity_display_of_tasks(X, y, **style):
    return snx.SelectivityDisplay.from_estimator(
        RidgeClassifier(), X, y, words=WORDS, cv=2, n_controls=3, random_state=0, **style
    )


def layer_display_of_tasks(X, y, **style):
    control = snx.make_control_tasks(WORDS, y, n_tasks=3, random_state=0)
    return snx.LayerwiseScoresDisplay.from_estimator(
        RidgeClassifier(), X, y, n_layers=3, cv=2, control=control, **style
    )


def selectivity_curve_of_tasks(X, y, **style):
    return SelectivityCurveDisplay.from_estimator(
        RidgeClassifier(), X, y, words=WORDS, cv=2, n_controls=3, random_state=0,
        param_name="alpha", param_range=[1, 10], **style,
    )  # fmt: skip


def selectivity_curve_display(X, y, **style):
    return SelectivityCurveDisplay.from_estimator(
        RidgeClassifier(), X, y, words=WORDS, cv=2, random_state=0, param_name="alpha",
        param_range=[1, 10], **style,
    )  # fmt: skip


def codelength_display(X, y, **style):
    return CodelengthDisplay.from_estimator(
        LogisticRegression(), X, y, random_state=0, fractions=[0.1, 0.5, 1.0], **style
    )


def overlap_display(X, y, **style):
    return RankingOverlapDisplay.from_rankings(RANKINGS, n_neurons=2, **style)


def overlap_display_of_a_vote(X, y, **style):
    selectors = [("one", snx.ProbelessSelector()), ("two", snx.AveragePrecisionSelector())]
    voting = snx.VotingSelector(selectors).fit(X, y)
    return RankingOverlapDisplay.from_estimator(voting, n_neurons=2, **style)


def neurons_display(X, y, **style):
    return snx.NeuronsPerClassDisplay.from_estimator(snx.ProbelessSelector().fit(X, y), **style)


def path_display(X, y, **style):
    search = snx.LinearProbeClassifierCV(
        lambdas_l1=[0, 1e-3], lambdas_l2=[0], cv=2, max_epochs=1, random_state=0
    )
    return snx.RegularizationPathDisplay.from_estimator(search.fit(X, y), **style)


def redundancy_display(X, y, **style):
    clustering = snx.CorrelationClustering(random_state=0).fit(X)
    return snx.RedundancyDisplay.from_estimator(clustering, **style)


def redundancy_display_of_layers(X, y, **style):
    n = np.arange(len(X))
    tokens = snx.TokenActivations(X, n.astype(str), n, np.zeros_like(n), layers=(3, 5))
    return snx.RedundancyDisplay.from_activations(tokens, **style)


def dendrogram_display(X, y, **style):
    clustering = snx.CorrelationClustering(random_state=0).fit(X)
    return snx.DendrogramDisplay.from_estimator(clustering, **style)


def roc_display(X, y, **style):
    result = probe_report(
        RidgeClassifier().fit(X, y == 1), X, y == 1, metric=["roc_auc", "recall_at_fpr"],
        n_bootstraps=20, random_state=0,
    )  # fmt: skip
    return snx.RocDisplay.from_result(result, **style)


def calibration_display(X, y, **style):
    curve = report(X, y).calibration_curve(1, n_bins=3)
    return snx.CalibrationCurveDisplay.from_result(curve, **style)


def comparison_display(X, y, **style):
    result = layerwise_scores(RidgeClassifier(), X, y, n_layers=3, cv=3)
    comparison = result.compare(n_bootstraps=200, random_state=0)
    return snx.ScoreComparisonDisplay.from_result(comparison, **style)


def transfer_display(X, y, **style):
    datasets = {"a": (X[:70], y[:70]), "b": (X[70:], y[70:])}
    return snx.TransferScoresDisplay.from_estimator(RidgeClassifier(), datasets, **style)


def effect_display(X, y, **style):
    draws = {"norm": {"kl": X[:5]}, "largest": {"kl": X[:1]}}
    result = snx.CausalEffect.from_effects({"kl": X[5]}, draws)
    return snx.CausalEffectDisplay.from_result(result, **style)


def patching_display(X, y, **style):
    values = {"kl": X[:6, :, np.newaxis].reshape(6, 12, 1)}
    whole = {"kl": np.ones((6, 1))}
    result = snx.PatchingMap(
        range(6), range(12), [""] * 12, values, whole, {"kl": np.ones(1)}, {"kl": np.ones(1)}
    )
    return snx.PatchingDisplay.from_result(result, **style)


def bands(ax):
    return [each for each in ax.collections if each.get_label().startswith("±")]


def labeled(name):
    return lambda ax: [line for line in ax.get_lines() if line.get_label().startswith(name)]


def points(ax):
    return [line for line in ax.get_lines() if line.get_label() == "_draws"]


def effect_lines(ax):
    return [line for line in ax.get_lines() if line.get_label() == "_effect"]


LINE = {"lw": 7, "c": "magenta"}
TEXT = {"size": 17, "color": "magenta"}
STYLED = [
    (layer_display, "errorbar_kw", LINE, curves),
    (layer_display, "level_kw", LINE, levels),
    (layer_display_of_result, "errorbar_kw", LINE, curves),
    (ablation_display, "errorbar_kw", LINE, curves),
    (ablation_display, "level_kw", LINE, levels),
    (report_display, "errorbar_kw", LINE, curves),
    (layer_display_of_tasks, "band_kw", {"alpha": 0.7, "lw": 7}, bands),
    (selectivity_curve_of_tasks, "band_kw", {"alpha": 0.7, "lw": 7}, bands),
    (selectivity_display_of_tasks, "errorbar_kw", LINE, curves),
    (regressor_display, "line_kw", LINE, labeled("r2")),
    (regressor_display, "level_kw", LINE, labeled("_equal")),
    (report_matrix, "im_kw", {"cmap": "Greys"}, images),
    (report_matrix, "text_kw", TEXT, texts),
    (selectivity_display, "line_kw", LINE, lines),
    (selectivity_display, "hlines_kw", {"lw": 7, "color": "magenta"}, collections),
    (selectivity_display, "text_kw", TEXT, texts),
    (selectivity_curve_display, "errorbar_kw", LINE, curves),
    (codelength_display, "line_kw", LINE, lines),
    (codelength_display, "level_kw", LINE, levels),
    (overlap_display, "im_kw", {"cmap": "Greys"}, images),
    (overlap_display, "text_kw", TEXT, texts),
    (overlap_display_of_a_vote, "im_kw", {"cmap": "Greys"}, images),
    (overlap_display_of_a_vote, "text_kw", TEXT, texts),
    (neurons_display, "bar_kw", {"fc": "magenta", "hatch": "/"}, bars),
    (neurons_display, "text_kw", TEXT, texts),
    (path_display, "errorbar_kw", LINE, curves),
    (redundancy_display, "line_kw", LINE, lines),
    (redundancy_display_of_layers, "line_kw", LINE, lines),
    (roc_display, "line_kw", LINE, labeled("AUC")),
    (roc_display, "level_kw", LINE, labeled("_diagonal")),
    (roc_display, "cut_kw", LINE, labeled("_fpr")),
    (calibration_display, "errorbar_kw", LINE, curves),
    (calibration_display, "level_kw", LINE, labeled("Calibrated")),
    (comparison_display, "errorbar_kw", LINE, curves),
    (transfer_display, "im_kw", {"cmap": "Greys"}, images),
    (transfer_display, "text_kw", TEXT, texts),
    (effect_display, "errorbar_kw", LINE, curves),
    (effect_display, "line_kw", LINE, points),
    (effect_display, "level_kw", LINE, effect_lines),
    (effect_display, "text_kw", TEXT, texts),
    (patching_display, "im_kw", {"cmap": "Greys"}, images),
    (patching_display, "text_kw", TEXT, texts),
    (dendrogram_display, "line_kw", {"lw": 7, "color": "magenta"}, collections),
    (dendrogram_display, "cut_kw", LINE, cuts),
]


def has(artist, name, value):
    found = getattr(artist, f"get_{name}")()
    if name == "cmap":
        return found.name == value
    if value == "magenta":
        return np.array_equal(np.unique(to_rgba_array(found), axis=0), to_rgba_array(value))
    return np.all(np.asarray(found) == value)


@pytest.mark.parametrize(("make", "name", "style", "find"), STYLED)
def test_the_style_of_the_user_wins(classification, make, name, style, find):
    display = make(*classification, **{name: style})
    for ax in (display.ax_, display.plot(**{name: style}).ax_):
        artists = list(find(ax))
        assert artists
        for artist in artists:
            assert all(has(artist, key, value) for key, value in style.items())
    (first, *_) = find(display.plot().ax_)
    assert not all(has(first, key, value) for key, value in style.items())


@pytest.mark.parametrize("name", DISPLAYS)
def test_every_display_is_in_the_file_that_its_name_suggests(name):
    module = getattr(snx, name).__module__.rpartition(".")[2]
    expected = re.sub("(?<=.)(?=[A-Z])", "_", name).lower()
    assert module in (expected, "selectivity_displays" if "Selectivity" in name else expected)


@pytest.mark.parametrize("name", DISPLAYS)
def test_from_estimator_computes_the_result_for_an_estimator(name):
    display = getattr(snx, name)
    assert hasattr(display, "from_result") or hasattr(display, "from_estimator")
    if hasattr(display, "_compute"):
        assert next(iter(inspect.signature(display._compute).parameters)) == "estimator"
    elif hasattr(display, "from_estimator"):
        assert "from_estimator" in vars(display)


def test_every_display_passes_style_on(classification):
    makers = {make for make, *_ in STYLED}
    displays = {}
    for make in makers:
        displays[make] = type(make(*classification)).__name__
        pyplot.close("all")
    tested = {(displays[make], name) for make, name, *_ in STYLED}
    for display in DISPLAYS:
        plot = inspect.signature(getattr(snx, display).plot).parameters.values()
        names = [each.name for each in plot if each.name not in ("self", "ax")]
        assert names
        for each in plot:
            assert each.name == "self" or each.kind is each.KEYWORD_ONLY
        assert {(display, name) for name in names} <= tested


def test_unknown_keywords_are_rejected_before_the_result_is_computed(classification):
    def fail(*_, **__):
        raise AssertionError("computed")

    class Probe(RidgeClassifier):
        fit = fail

    X, y = classification
    with pytest.raises(TypeError, match="unexpected keyword argument 'line_kw'"):
        LayerwiseScoresDisplay.from_estimator(Probe(), X, y, n_layers=3, line_kw={})
    assert pyplot.get_fignums() == []


def test_the_fmt_of_the_user_wins(classification):
    ax = layer_display(*classification, errorbar_kw={"fmt": "rv:"}).ax_
    (curve,) = curves(ax)
    assert (curve.get_color(), curve.get_marker(), curve.get_linestyle()) == ("r", "v", ":")


def test_text_contrasts_with_the_colors_of_the_user():
    display = RankingOverlapDisplay.from_rankings(RANKINGS, n_neurons=1, im_kw={"cmap": "Greys"})
    assert display.overlap[0].tolist() == [1, 0]
    assert [text.get_color() for text in display.ax_.texts[:2]] == ["white", "black"]
    display.plot()
    assert [text.get_color() for text in display.ax_.texts[:2]] == ["black", "white"]


def test_the_norm_of_the_user_wins():
    norm = LogNorm(0.1, 10)
    display = RankingOverlapDisplay.from_rankings(RANKINGS, n_neurons=2, im_kw={"norm": norm})
    assert display.ax_.images[0].norm is norm


def test_axes_may_be_given():
    _, axes = pyplot.subplots(1, 2)
    display = RankingOverlapDisplay.from_rankings(
        {"a": [0, 1], "b": [1, 0]}, n_neurons=1, ax=axes[1]
    )
    assert display.ax_ is axes[1]
    assert display.figure_ is axes[1].figure


@pytest.mark.parametrize("name", [r"$\\q$", "_hidden", 0])
def test_names_are_drawn_verbatim(classification, name):
    X, y = classification
    result = codelength(LogisticRegression(), X, y, random_state=0, fractions=[0.1, 1.0])
    display = CodelengthDisplay.from_result({name: result, "b": result})
    display.figure_.canvas.draw()
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels[0].strip().replace("\\$", "$").startswith(str(name))
    labels = np.array([str(name), "b", "c"])[y]
    report = probe_report(LogisticRegression().fit(X, labels), X, labels, random_state=0)
    for reports in (report, dict.fromkeys("abcd", report)):  # points, and a matrix
        display = ProbeReportDisplay.from_result(reports)
        display.figure_.canvas.draw()
        rows = [text.get_text().strip().split(" (")[0] for text in display.ax_.get_yticklabels()]
        assert str(name).replace("$", r"\$") in rows


def test_a_wrong_result_opens_no_figure():
    before = pyplot.get_fignums()
    for display in (SelectivityCurveDisplay, LayerwiseScoresDisplay, CodelengthDisplay):
        with pytest.raises(TypeError, match=f"Expected a {display._kind.__name__}.*, got int"):
            display.from_result(3)
    with pytest.raises(TypeError, match="Expected an AblationCurve, got int"):
        snx.AblationCurveDisplay.from_result(3)
    assert pyplot.get_fignums() == before


RESULT = LayerwiseScores(np.array([[0.5, 0.6], [0.7, 0.8]]), np.array([0.1, 0.2]))
MATRIX = np.array([[1.0, 0.5], [0.5, 1.0]])
BAD_STYLES = [
    ("errorbar_kw", {"color": "notacolor"}, "color in errorbar_kw must be a color of matplotlib"),
    ("errorbar_kw", {"c": "re\x00d"}, "color in errorbar_kw must be a color"),
    ("errorbar_kw", {"ecolor": "\ud800"}, "ecolor in errorbar_kw must be a color"),
    ("errorbar_kw", {"mfc": "bleu"}, "markerfacecolor in errorbar_kw must be a color"),
    ("errorbar_kw", {"marker": "@@"}, "marker in errorbar_kw must be a value that matplotlib"),
    ("errorbar_kw", {"lw": "thick"}, "linewidth in errorbar_kw must be a value that matplotlib"),
    ("level_kw", {"linestyle": "~"}, "linestyle in level_kw must be a value that matplotlib"),
]


@pytest.mark.parametrize(("name", "style", "message"), BAD_STYLES)
def test_a_style_that_matplotlib_does_not_accept_is_named(name, style, message):
    with pytest.raises(ValueError, match=f"{message}.*, got "):
        LayerwiseScoresDisplay(RESULT).plot(**{name: style})
    assert pyplot.get_fignums() == []


@pytest.mark.parametrize(
    ("make", "name", "key"),
    [
        (overlap_display, "text_kw", "text"),
        (overlap_display, "text_kw", "s"),
        (overlap_display, "im_kw", "data"),
        (selectivity_display, "text_kw", "text"),
        (selectivity_display, "text_kw", "xy"),
        (neurons_display, "bar_kw", "width"),
        (report_display, "errorbar_kw", "xerr"),
        (layer_display, "errorbar_kw", "yerr"),
        (dendrogram_display, "line_kw", "segments"),
        (dendrogram_display, "cut_kw", "x"),
    ],
)
def test_a_style_does_not_contain_what_is_drawn(classification, make, name, key):
    with pytest.raises(TypeError, match=f"{name} must not contain '{key}', because the display"):
        make(*classification, **{name: {key: "x"}})
    assert pyplot.get_fignums() == []


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (codelength_display, "line_kw"),
        (layer_display, "errorbar_kw"),
        (ablation_display, "level_kw"),
        (dendrogram_display, "cut_kw"),
    ],
)
def test_labels_of_the_user_are_drawn(classification, make, name):
    display = make(*classification, **{name: {"label": "a\ud800b"}})
    display.figure_.canvas.draw()
    display.figure_.savefig(io.BytesIO(), format="svg")
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert "a\ufffdb" in labels


def test_a_style_of_each_bar(classification):
    ax = neurons_display(*classification, bar_kw={"hatch": ["/", "x", "o"], "lw": [1, 2, 3]}).ax_
    assert [bar.get_hatch() for bar in ax.patches] == ["/", "x", "o"]
    assert [bar.get_linewidth() for bar in ax.patches] == [1, 2, 3]
    pyplot.close("all")
    ax = neurons_display(*classification, bar_kw={"hatch": "//"}).ax_
    assert [bar.get_hatch() for bar in ax.patches] == ["//"] * 3


@pytest.mark.parametrize(
    ("make", "name", "style"),
    [
        (overlap_display, "im_kw", {"cmap": "notacolormap"}),
        (overlap_display, "text_kw", {"color": "notacolor"}),
        (neurons_display, "bar_kw", {"fc": "notacolor"}),
        (neurons_display, "bar_kw", {"hatch": 5}),
        (neurons_display, "bar_kw", {"hatch": ["/", 5]}),
        (neurons_display, "bar_kw", {"lw": "thick"}),
        (neurons_display, "bar_kw", {"ls": "~"}),
        (neurons_display, "bar_kw", {"alpha": 2}),
        (neurons_display, "bar_kw", {"zorder": "top", "visible": "x", "capstyle": "x"}),
        (neurons_display, "text_kw", {"fontsize": "enormous"}),
        (selectivity_display, "hlines_kw", {"colors": "notacolor"}),
        (layer_display_of_tasks, "band_kw", {"facecolor": "notacolor"}),
        (dendrogram_display, "line_kw", {"linestyles": "~"}),
        (dendrogram_display, "cut_kw", {"color": (1, 2)}),
        (codelength_display, "line_kw", {"gapcolor": "notacolor"}),
        (path_display, "errorbar_kw", {"alpha": "half"}),
        (redundancy_display_of_layers, "line_kw", {"color": "notacolor"}),
    ],
)
def test_every_display_names_a_wrong_style(classification, make, name, style):
    with pytest.raises(ValueError, match=f"in {name} must be .*, got "):
        make(*classification, **{name: style})
    assert pyplot.get_fignums() == []


def test_a_wrong_style_is_found_before_the_result_is_computed(classification):
    class Probe(RidgeClassifier):
        def fit(self, X, y):
            raise AssertionError("computed")

    with pytest.raises(ValueError, match="color in level_kw must be a color"):
        LayerwiseScoresDisplay.from_estimator(
            Probe(), *classification, n_layers=3, level_kw={"color": "notacolor"}
        )


@pytest.mark.parametrize(
    ("style", "message"),
    [
        ("red", "errorbar_kw must be a dict of keyword arguments by name, got 'red'"),
        ({1: 2}, "errorbar_kw must be a dict of keyword arguments by name"),
        ({"c": "red", "color": "red"}, "errorbar_kw is ambiguous"),
    ],
)
def test_a_style_is_a_dict_of_unambiguous_names(style, message):
    with pytest.raises(TypeError, match=message):
        LayerwiseScoresDisplay(RESULT).plot(errorbar_kw=style)


def test_bars_may_have_different_styles():
    display = snx.NeuronsPerClassDisplay({"a": 1, "b": 2}, 0.5, 9)
    ax = display.plot(bar_kw={"color": ["red", "blue"], "height": [0.5, 0.8]}).ax_
    assert [bar.get_height() for bar in ax.patches] == [0.5, 0.8]
    assert [to_rgba_array(bar.get_facecolor()).tolist() for bar in ax.patches] == [
        [[1, 0, 0, 1]],
        [[0, 0, 1, 1]],
    ]


def test_axes_are_those_of_matplotlib():
    with pytest.raises(TypeError, match="ax must be the Axes of a matplotlib figure, got Figure"):
        LayerwiseScoresDisplay(RESULT).plot(ax=pyplot.figure())


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    ("make", "place"),
    [
        (lambda bad: LayerwiseScoresDisplay(LayerwiseScores(bad, bad[0])), "scores"),
        (
            lambda bad: LayerwiseScoresDisplay(LayerwiseScores(MATRIX, MATRIX[0], bad)),
            "control_scores",
        ),
        (lambda bad: RankingOverlapDisplay(bad, ["a", "b"], 1), "overlap"),
        (lambda bad: snx.DendrogramDisplay(bad, [0, 0, 0], 0.5), "linkage_matrix"),
        (
            lambda bad: snx.SelectivityDisplay({"x": snx.Selectivity(MATRIX, bad, MATRIX)}),
            "control of the result 'x'",
        ),
        (
            lambda bad: CodelengthDisplay(snx.Codelength(bad, np.ones((2, 2)), MATRIX, 2)),
            "block_bits",
        ),
        (lambda bad: snx.RedundancyDisplay({"a": MATRIX[0], "b": bad}), r"heights\['b'\]"),
        (
            lambda bad: snx.CausalEffectDisplay(
                snx.CausalEffect.from_effects({"kl": MATRIX[0]}, {"norm": {"kl": bad}})
            ),
            r"placebo_effects\['norm'\]\['kl'\]",
        ),
    ],
    ids=[
        "layers",
        "control",
        "overlap",
        "dendrogram",
        "selectivity",
        "codelength",
        "redundancy",
        "effect",
    ],
)
def test_numbers_that_cannot_be_drawn_are_located(make, place, value):
    bad = MATRIX.copy()
    bad[1, 0] = value
    with pytest.raises(ValueError, match=rf"{place} must be finite, got {value} at index \(1, 0\)"):
        make(bad)
    assert pyplot.get_fignums() == []


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (({"a": np.nan}, 0.5, 9), TypeError, r"n_neurons\['a'\] must be an instance of int"),
        (({"a": -1}, 0.5, 9), ValueError, r"n_neurons\['a'\] == -1, must be >= 0"),
        (({"a": 1}, np.nan, 9), ValueError, "mass must be finite, got nan"),
        (({"a": 1}, 1.5, 9), ValueError, "mass == 1.5, must be <= 1"),
    ],
)
def test_numbers_of_neurons(arguments, error, message):
    with pytest.raises(error, match=message):
        snx.NeuronsPerClassDisplay(*arguments)


def test_an_overlap_has_a_row_for_each_name():
    with pytest.raises(
        ValueError, match=r"for each of the 3 names, got an array of shape \(2, 2\)"
    ):
        RankingOverlapDisplay(MATRIX, ["a", "b", "c"], 1)


def test_scores_of_folds_that_failed_are_not_drawn(classification):
    results = {
        "param_lambda_l1": [0, 1], "param_lambda_l2": [0, 0],
        "mean_test_score": np.array([0.5, np.nan]), "std_test_score": np.array([0.1, np.nan]),
    }  # fmt: skip
    message = r"cv_results\['mean_test_score'\] must be finite, got nan at index 1"
    with pytest.raises(ValueError, match=message):
        snx.RegularizationPathDisplay(results)


def test_names_that_are_equal_as_text():
    with pytest.raises(ValueError, match=r"must differ as text, got \[1, '1'\]"):
        snx.SelectivityDisplay(dict.fromkeys([1, "1"], snx.Selectivity(MATRIX, MATRIX, MATRIX)))


def test_scores_without_layers_are_numbered():
    ax = LayerwiseScoresDisplay(RESULT).plot().ax_
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0", "1"]


def drawn(display):
    """Return the texts of an SVG image of a display."""
    buffer = io.BytesIO()
    with rc_context({"svg.fonttype": "none"}):
        display.figure_.savefig(buffer, format="svg")
    texts = ElementTree.fromstring(buffer.getvalue()).iter("{http://www.w3.org/2000/svg}text")
    return [" ".join("".join(each.itertext()).split()) for each in texts]


DRAWN_AS = {
    "$x$ costs $5": "$x$ costs $5",
    "a_b$": "a_b$",
    r"$\frac$ \$ \\": r"$\frac$ \$ \\",
    "a\x00b\x1b": "a�b�",
    "ends\x00": "ends�",
    "c\ud800d": "c�d",
    "e\ufffef": "e�f",
    "two\nlines\tor\r\nthree": "two lines or three",
    "a\u200bb\u202ec": "a\u200bb\u202ec",
    "שלום": "שלום",
    f"{'a' * 30}-{'b' * 30}": f"{'a' * 15}…{'b' * 15}",
    "%s {0} <b>&amp;": "%s {0} <b>&amp;",
    3.5: "3.5",
}


def displays_with(names):
    n = len(names)
    scores = np.full((n, 2), 0.5)
    merges = np.array([[i + 1, n + i - 1 if i else 0, 0.5, i + 2] for i in range(n - 1)], float)
    result = snx.LayerwiseScores(scores, scores[:, 0], layers=tuple(names))
    return {
        "classes": snx.NeuronsPerClassDisplay(dict.fromkeys(names, 3), 0.5, 9),
        "rankings": RankingOverlapDisplay(np.eye(n), names, 1),
        "redundancy": snx.RedundancyDisplay(dict.fromkeys(names, MATRIX[0])),
        "neurons": snx.DendrogramDisplay(merges, [0] * n, 0.4, names=names),
        "baselines": LayerwiseScoresDisplay(
            dataclasses.replace(RESULT, other_scores=dict.fromkeys(names, MATRIX))
        ),
        "layers": LayerwiseScoresDisplay(result),
    }


@pytest.mark.parametrize("kind", list(displays_with(["a", "b"])))
@pytest.mark.parametrize("parse_math", [True, False])
def test_text_is_drawn_literally(kind, parse_math):
    with rc_context({"text.parse_math": parse_math}):
        texts = drawn(displays_with(list(DRAWN_AS))[kind].plot())
    assert set(DRAWN_AS.values()) <= set(texts)


def test_an_empty_name_has_an_entry_in_the_legend():
    ax = snx.RedundancyDisplay({"": MATRIX[0], "b": MATRIX[1]}).plot().ax_
    assert [text.get_text().strip() for text in ax.get_legend().get_texts()] == ["", "b"]


@pytest.mark.parametrize(
    ("name", "n"), [("m" * 300, 1), ("m" * 300, 6), ("漢" * 100, 1), ("W\u0301" * 200, 6)]
)
@pytest.mark.filterwarnings("ignore:Glyph .* missing from font")
def test_long_names_leave_space_for_the_axes(classification, name, n):
    names = [f"{i}{name}" for i in range(n)]
    reports = report_matrix(*classification).result["a"]
    for display in (
        RankingOverlapDisplay(np.eye(n), names, 1),
        snx.NeuronsPerClassDisplay(dict.fromkeys(names, 3), 0.5, 9),
        ProbeReportDisplay(dict.fromkeys(names, reports)),
        LayerwiseScoresDisplay(LayerwiseScores(np.eye(n), MATRIX[0], layers=tuple(names))),
    ):
        figure = display.plot().figure_
        figure.canvas.draw()  # warns if the axes collapse
        box = display.ax_.get_position()
        assert min(box.width * figure.get_figwidth(), box.height * figure.get_figheight()) > 0.3


def test_the_estimator_must_have_what_is_drawn():
    X, y = np.random.RandomState(0).normal(size=(12, 3)), np.arange(12) % 2
    probe = snx.GaussianProbeClassifier().fit(X, y)
    for display in (snx.DendrogramDisplay, snx.RedundancyDisplay):
        with pytest.raises(TypeError, match=r"clustering must be a Corr.*, got GaussianProbeClass"):
            display.from_estimator(probe)
    with pytest.raises(TypeError, match="voting must be a VotingSelector, got GaussianProbeClass"):
        snx.RankingOverlapDisplay.from_estimator(probe, n_neurons=2)
    selector = snx.IndependentNeuronSelector().fit(X)
    heights = snx.RedundancyDisplay.from_estimator(selector).heights["neurons"]
    np.testing.assert_array_equal(heights, selector.clustering_.linkage_matrix_[:, 2])
