"""What all displays have in common: axes, names, errors, and the style of the user."""

import inspect
import re

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.colors import LogNorm, to_rgba_array
from sklearn.linear_model import LogisticRegression, RidgeClassifier

import sklearn_neurox as snx
from sklearn_neurox import (
    CodelengthDisplay,
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


def report_matrix(X, y, **style):
    return ProbeReportDisplay.from_result(dict.fromkeys("abcd", report(X, y)), **style)


def selectivity_display(X, y, **style):
    return snx.SelectivityDisplay.from_estimator(
        RidgeClassifier(), X, y, words=WORDS, cv=2, random_state=0, **style
    )


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


LINE = {"lw": 7, "c": "magenta"}
TEXT = {"size": 17, "color": "magenta"}
STYLED = [
    (layer_display, "errorbar_kw", LINE, curves),
    (layer_display, "level_kw", LINE, levels),
    (layer_display_of_result, "errorbar_kw", LINE, curves),
    (ablation_display, "errorbar_kw", LINE, curves),
    (ablation_display, "level_kw", LINE, levels),
    (report_display, "errorbar_kw", LINE, curves),
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


def test_every_display_passes_style_on(classification):
    makers = {make for make, *_ in STYLED}
    displays = {make: type(make(*classification)).__name__ for make in makers}
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
    assert pyplot.get_fignums() == before
