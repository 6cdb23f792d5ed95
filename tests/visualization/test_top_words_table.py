"""The table shows the results of top_words."""

import re

import numpy as np
import pytest

from sklearn_neurox import AnalysisReport, TokenActivations, TopWordsTable, top_words

WORDS = ["the", "cat", "saw", "the", "<b>", "cat"]
VALUES = np.array([[0, 5, 0, 0, -4, 4.0], [1, 1, 1, 1, 1, 1], [0, 0, 1, 0, 0, 0]]).T


def make(X=VALUES, words=WORDS, unit="neuron"):
    n = len(words)
    return TokenActivations(
        X=np.asarray(X), words=np.array(words, dtype=object), sentence_ids=np.zeros(n, dtype=int),
        positions=np.arange(n), layers=(3,), unit=unit,
    )  # fmt: skip


def bars(html):
    """Return (x, width, fill) of each bar."""
    found = re.findall(r'<rect x="([\d.]+)" y="1" width="([\d.]+)".*?fill="(.*?)"', html)
    return [(float(x), float(width), fill) for x, width, fill in found]


def test_rows_are_those_of_top_words():
    found = TopWordsTable(make(), [2, "layer_3_neuron_0"]).rows_
    assert list(found) == ["layer_3_neuron_2", "layer_3_neuron_0"]
    for column, rows in zip((2, 0), found.values(), strict=True):
        assert [row[:2] for row in rows] == top_words(WORDS, VALUES[:, column])
        assert [row[2] for row in rows] == [WORDS.count(row[0]) for row in rows]


def test_options():
    name = "layer_3_neuron_0"
    assert [r[0] for r in TopWordsTable(make(), 0, n_words=2).rows_[name]] == ["<b>", "cat"]
    often = TopWordsTable(make(), 0, min_count=2)
    assert [r[0] for r in often.rows_[name]] == ["cat", "the"]
    assert "occur at least 2 times" in often.to_html()
    assert [r[0] for r in TopWordsTable(make(), 0, min_score=0.5).rows_[name]] == ["<b>", "cat"]


def test_bars_extend_from_the_middle_in_the_direction_of_the_sign():
    table = TopWordsTable(make(), 0, n_words=2)
    (_, worst, _), (_, best, _) = table.rows_["layer_3_neuron_0"]
    assert (worst, best) == pytest.approx((-1, 22 / 29))  # distances from the mean 5/6: 29/6, 22/6
    down, up = bars(table.to_html())
    assert down == (0, 60, "#d35f5f")
    assert up == (60, pytest.approx(60 * best, abs=0.01), "#00aad4")


def test_the_page(read_page):
    page = read_page(TopWordsTable(make(), [0, 1]).to_html())
    assert [cell["scope"] for cell in page.all("th")] == ["col"] * 4 + ["rowgroup"] * 2
    assert [cell.get("rowspan") for cell in page.all("th")][4:] == ["4", "1"]
    assert len(page.all("caption")) == 1
    assert page.all("div")[0]["aria-label"] == "Top words of 2 neurons"
    assert [picture["aria-hidden"] for picture in page.all("svg")] == ["true"] * 4
    assert "<b>" in page.text
    assert "−1.00" in page.text
    assert "no words" in page.text  # of a constant neuron


def test_to_frame():
    frame = TopWordsTable(make(), [0, 1], n_words=2).to_frame()
    assert frame.columns.tolist() == ["neuron", "word", "score", "count"]
    assert frame[["neuron", "word", "count"]].values.tolist() == [
        ["layer_3_neuron_0", "<b>", 1],
        ["layer_3_neuron_0", "cat", 2],
    ]
    assert TopWordsTable(make(), 1).to_frame().shape == (0, 4)


def test_it_is_saved_and_added_to_a_report(tmp_path, read_page):
    table = TopWordsTable(make(), 0)
    path = table.save(tmp_path / "new" / "words.html")
    assert table.to_html() in path.read_text(encoding="utf-8")
    read_page(path.read_text(encoding="utf-8"))
    report = AnalysisReport("Words").add_figure(table, "The words.")
    assert table._repr_html_() in report.to_html()
    read_page(report.to_html())
    assert repr(table) == "TopWordsTable(1 neuron, 4 words)"


def test_float16_and_markup_in_names(read_page):
    half = TopWordsTable(make(VALUES.astype(np.float16)), 0).rows_["layer_3_neuron_0"]
    assert [row[0] for row in half][:2] == ["<b>", "cat"]
    assert "layer_3_<i>_0" in read_page(TopWordsTable(make(unit="<i>"), 0).to_html()).text


@pytest.mark.parametrize(
    ("neurons", "options", "error", "message"),
    [
        (3, {}, ValueError, "There are 3 neurons, so neuron indices must be integers from 0 to 2, got 3"),
        (-1, {}, ValueError, "There are 3 neurons, so neuron indices must be integers from 0 to 2, got -1"),
        ("layer_4_neuron_0", {}, ValueError, r"does not contain the neuron 'layer_4_neuron_0'\. Its columns are named 'layer_3_neuron_0' to 'layer_3_neuron_2'"),
        ([0, "layer_3_neuron_0"], {}, ValueError, "Each neuron can be listed only once; 0 is repeated"),
        ([], {}, ValueError, "neurons is empty"),
        ([0.0], {}, TypeError, r"list of neuron indices \(integers from 0 to 2\), got an array of dtype float64"),
        ([True], {}, TypeError, r"list of neuron indices \(integers from 0 to 2\), got an array of dtype bool"),
        (None, {}, TypeError, "neurons must be a list of columns or names, got None"),
        (0, dict(n_words=0), ValueError, "n_words == 0, must be >= 1"),
        (0, dict(min_count=0), ValueError, "min_count == 0, must be >= 1"),
        (0, dict(min_score=2), ValueError, r"min_score must be in \[0, 1\], got 2"),
    ],
)  # fmt: skip
def test_errors(neurons, options, error, message):
    with pytest.raises(error, match=message):
        TopWordsTable(make(), neurons, **options)


def test_bad_activations():
    with pytest.raises(TypeError, match="tokens must be TokenActivations, got ndarray"):
        TopWordsTable(VALUES, 0)
    with pytest.raises(ValueError, match="contains NaN"):
        TopWordsTable(make(np.where(VALUES == 5, np.nan, VALUES)), 0)
    with pytest.raises(
        ValueError, match="The TokenActivations is empty: expected at least one word"
    ):
        TopWordsTable(make(np.empty((0, 3)), []), 0)
