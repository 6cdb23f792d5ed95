"""Any text in every display, table and page: it is shown as it is, and never as markup."""

import dataclasses
import io
import re
import unicodedata
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from matplotlib import pyplot
from sklearn.linear_model import RidgeClassifier

import sklearn_neurox as snx

from ..visualization.conftest import Page

NO_SHRINKING = (Phase.explicit, Phase.generate)
# A figure takes a second on a busy machine, and a page a hundredth of that.
FIGURES = settings(max_examples=max(3, settings().max_examples // 40), phases=NO_SHRINKING)
# The user selects fonts: matplotlib draws a box for a character that its font lacks.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Glyph .* missing from font"),
    pytest.mark.filterwarnings("ignore:Matplotlib currently does not support"),
]
SPECIAL = (
    "$\\_^{}<>&\"'%#\n\r\t\x00\x0b\x85\ud800\udfff\ufffe\u202e\u2067\u200b\u0301\u2028漢😀ש1a "
)
UNKNOWN = "\N{REPLACEMENT CHARACTER}"
texts = st.one_of(
    st.text(st.characters(exclude_categories=()), max_size=12),
    st.text(SPECIAL, max_size=20),
    st.text(SPECIAL, min_size=60, max_size=300),
    st.sampled_from(["", " ", "$x$ costs $5", "a_b$", "_hidden", r"$\frac$", r"\$", "\\", "None"]),
)
finite = st.floats(-1e6, 1e6)
names_of = st.lists(texts, min_size=2, max_size=4, unique=True)
TEXT_IN_SVG = "{http://www.w3.org/2000/svg}text"


def printable(text):
    """Return the text with the replacement character for what XML and HTML cannot contain."""
    return "".join(
        UNKNOWN
        if (unicodedata.category(each) in ("Cc", "Cs") and each not in "\t\n\r")
        or each in "\ufffe\uffff"
        else each
        for each in text
    )


def words_of(text):
    """Return the text for comparisons: white space of any kind separates its parts."""
    return " ".join(printable(text).split())


def normalized(text):
    return " ".join(text.split())


@pytest.fixture(autouse=True)
def close_figures():
    yield
    pyplot.close("all")


def with_two_neurons(n_rows):
    X = np.random.RandomState(0).normal(size=(n_rows, 2))
    return X, np.zeros(n_rows, dtype=int), np.arange(n_rows)


@pytest.fixture(scope="module")
def report():
    X, y = np.random.RandomState(0).normal(size=(60, 3)), np.arange(60) % 3
    return snx.probe_report(RidgeClassifier().fit(X, y), X, y, random_state=0)


@pytest.fixture(scope="module")
def clusterings():
    X = np.random.RandomState(0).normal(size=(30, 4))
    return {n: snx.CorrelationClustering(random_state=0).fit(X[:, :n]) for n in (2, 3, 4)}


SCORES = np.array([[0.5, 0.6], [0.7, 0.8]])
SELECTIVITY = snx.Selectivity(SCORES[1], SCORES[0], SCORES[0])
CODE = snx.Codelength(np.array([4.0, 1.0]), np.array([2, 3]), np.array([0.4, 1.0]), 4)
PATH = {
    "param_lambda_l1": [0, 1],
    "param_lambda_l2": [0, 0],
    "mean_test_score": np.array([0.5, 0.6]),
    "std_test_score": np.array([0.1, 0.2]),
}


def layerwise(names):
    n = len(names)
    scores = np.full((n, 2), 0.5)
    return snx.LayerwiseScoresDisplay(
        snx.LayerwiseScores(scores, SCORES[0], layers=tuple(names), other_scores={names[0]: scores})
    )


def of_results(display, result):
    return lambda names: display(dict.fromkeys(names, result))


# From names to a display that draws all of them.
DISPLAYS = {
    "layers": layerwise,
    "metric": lambda names: snx.LayerwiseScoresDisplay(
        snx.LayerwiseScores(SCORES, SCORES[0], metric=names[0])
    ),
    "ablation": lambda names: snx.AblationCurveDisplay(
        snx.AblationCurve(np.array([1, 2]), {"top": SCORES}, SCORES[0], 2, names[0])
    ),
    "selectivity": of_results(snx.SelectivityDisplay, SELECTIVITY),
    "selectivity curve": lambda names: snx.SelectivityCurveDisplay(
        snx.SelectivityCurve(names[0], tuple(names), *[SCORES[[0] * len(names)]] * 3)
    ),
    "codelength": of_results(snx.CodelengthDisplay, CODE),
    "neurons per class": lambda names: snx.NeuronsPerClassDisplay(dict.fromkeys(names, 3), 0.5, 9),
    "overlap": lambda names: snx.RankingOverlapDisplay(np.eye(len(names)), names, 2),
    "redundancy": lambda names: snx.RedundancyDisplay(dict.fromkeys(names, np.array([0.1, 0.9]))),
    "path": lambda names: snx.RegularizationPathDisplay(PATH, metric=names[0]),
}
ONLY_THE_FIRST = ("metric", "ablation", "path")


def drawn(display):
    """Draw a display to pixels and as SVG, and return the texts of the SVG image."""
    figure = display.plot().figure_
    figure.canvas.draw()
    buffer = io.BytesIO()
    with mpl.rc_context({"svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg")
    pyplot.close(figure)
    root = ElementTree.fromstring(buffer.getvalue())
    return [normalized("".join(each.itertext())) for each in root.iter(TEXT_IN_SVG)]


def check_drawn(names, found, *, change=str):
    for name in names:
        name = change(name)
        if len(name) <= 20:  # longer text is shortened in the middle
            assert any(words_of(name) in each for each in found), (name, found)
        else:
            start, end = normalized(printable(name)[:6]), normalized(printable(name)[-6:])
            assert any(start in each and end in each and "…" in each for each in found) or any(
                words_of(name) in each for each in found
            ), (name, found)


@pytest.mark.parametrize("kind", list(DISPLAYS))
@FIGURES
@given(names=names_of)
def test_names_in_figures(kind, names):
    found = drawn(DISPLAYS[kind](names))
    if kind in ONLY_THE_FIRST:
        check_drawn(names[:1], found, change=str.capitalize)
    else:
        check_drawn(names, found)


@FIGURES
@given(names=st.lists(texts, min_size=2, max_size=4, unique=True))
def test_names_of_neurons_in_a_dendrogram(clusterings, names):
    display = snx.DendrogramDisplay.from_estimator(clusterings[len(names)], names=names)
    pyplot.close(display.figure_)
    check_drawn(names, drawn(display))


@FIGURES
@given(labels=st.lists(texts, min_size=3, max_size=3, unique=True), names=names_of)
def test_labels_in_reports(report, labels, names):
    per_class = tuple(
        each._replace(label=label) for each, label in zip(report.per_class, labels, strict=True)
    )
    labeled = dataclasses.replace(report, per_class=per_class)
    found = drawn(snx.ProbeReportDisplay(dict.fromkeys(names, labeled)))
    check_drawn([*labels, *names], found)
    shown = Page(labeled._repr_html_())
    shown.text.encode()
    for label in labels:
        assert printable(label).replace("\r", "") in shown.text.replace("\r", "")


@given(
    words=st.lists(texts, min_size=1, max_size=6),
    values=st.lists(finite, min_size=6, max_size=6),
    data=st.data(),
)
def test_words_in_a_drawing(words, values, data):
    direction = data.draw(st.sampled_from(["auto", "ltr", "rtl"]))
    values = values[: len(words)]
    drawing = snx.visualize_activations(words, values, text_direction=direction, char_limit=20)
    root = ElementTree.fromstring(drawing.tostring().encode())
    found = [each.text or "" for each in root.iter(TEXT_IN_SVG)]
    expected = [re.sub(r"\s", "\N{NO-BREAK SPACE}", printable(word)) for word in words]
    assert found == expected


@given(words=st.lists(texts, min_size=1, max_size=6))
def test_words_in_tables(words):
    X, sentence_ids, positions = with_two_neurons(len(words))
    tokens = snx.TokenActivations(
        X, np.array(words, dtype=object), sentence_ids, positions, layers=(1,)
    )
    grid, top = snx.NeuronGrid(tokens, [0, 1]), snx.TopWordsTable(tokens, 0, n_words=6)
    for table in (grid, top):
        shown = Page(table.to_html())
        shown.text.encode()
        for word in words:
            if len({*words}) > 1 or table is grid:
                assert words_of(word) in normalized(shown.text)
    if len({*words}) > 1:
        assert {row[0] for row in top.rows_["layer_1_neuron_0"]} == {*map(printable, words)}
        top.to_frame().to_html().encode()


@given(data=st.data())
def test_text_on_pages(data, tmp_path_factory):
    title, lead, value, caption, heading, text, code, column, cell = (
        data.draw(texts) for _ in range(9)
    )
    page = snx.AnalysisReport(title, lead).add_card(value, caption)
    page.add_section(heading, text).add_code(code).add_heading(caption).add_text(text)
    page.add_table([column, "n"], [[cell, 1], [title, 2]], caption)
    path = page.save(tmp_path_factory.mktemp("page") / "page.html")
    shown = Page(path.read_text(encoding="utf-8"))
    for each in (title, lead, value, caption, heading, text, code, column, cell):
        assert words_of(each) in normalized(shown.text)
    Page(page._repr_html_())


@given(color=texts)
def test_colors_of_a_drawing(color):
    try:
        drawing = snx.visualize_activations(["a", "b"], [1.0, -1.0], colors=("#fff", color))
    except ValueError as error:
        assert str(error).startswith("colors[1] must be a CSS color")  # noqa: PT017 -- not every input raises an error
    else:
        fills = [
            each.get("fill")
            for each in ElementTree.fromstring(drawing.tostring()).iter()
            if each.get("fill")
        ]
        assert fills == [color, "#fff"]


@FIGURES
@given(key=st.sampled_from(["color", "c", "ecolor", "mfc", "linestyle", "lw"]), value=texts)
def test_styles_of_a_display(key, value):
    display = snx.LayerwiseScoresDisplay(snx.LayerwiseScores(SCORES, SCORES[0]))
    try:
        display.plot(errorbar_kw={key: value})
    except ValueError as error:
        assert re.match(r"\w+ in errorbar_kw must be ", str(error))  # noqa: PT017 -- not every input raises an error
        assert pyplot.get_fignums() == []
    pyplot.close("all")


@given(place=st.integers(0, 3), value=st.sampled_from([np.nan, np.inf, -np.inf]))
def test_numbers_that_cannot_be_drawn(place, value):
    scores = SCORES.copy()
    scores.flat[place] = value
    index = tuple(int(each) for each in np.unravel_index(place, scores.shape))
    message = re.escape(f" must be finite, got {value} at index {index}.")
    with pytest.raises(ValueError, match="^scores" + message):
        snx.LayerwiseScoresDisplay(snx.LayerwiseScores(scores, SCORES[0]))
    with pytest.raises(ValueError, match=r"^other_scores\['a'\]" + message):
        snx.LayerwiseScoresDisplay(
            snx.LayerwiseScores(SCORES, SCORES[0], other_scores={"a": scores})
        )
    with pytest.raises(ValueError, match=r"^scores\['top'\]" + message):
        snx.AblationCurveDisplay(snx.AblationCurve(np.array([1, 2]), {"top": scores}, SCORES[0], 2))
    with pytest.raises(ValueError, match="^overlap" + message):
        snx.RankingOverlapDisplay(scores, ["a", "b"], 2)
