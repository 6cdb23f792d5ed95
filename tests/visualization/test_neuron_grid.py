"""Colors are comparable within a column, and every word keeps its color."""

import re

import numpy as np
import pytest

from sklearn_neurox import AnalysisReport, NeuronGrid, TokenActivations

IDS = [4, 4, 4, 7, 7, 9, 2, 2]
WORDS = ["She", "runs", ".", "<b>", "run", "Stop", "He", "sat"]
X = np.array(
    [
        [0.5, -2.0, 1.0, 4.0, 0.0, -1.0, 0.1, 0.2],
        [0.0, 0.0, 0.1, 0.0, 0.0, -8.0, 0.0, 2.0],
        [5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0],
        [10.0, 10.0, 10.0, 10.0, 10.0, 10.0, 10.0, 18.0],
    ]
).T


def make(X=X, words=WORDS, ids=IDS):
    X = np.asarray(X)
    return TokenActivations(
        X=X, words=np.array(words, dtype=object), sentence_ids=np.array(ids),
        positions=np.arange(len(words)), layers=(1, 2) if X.shape[1] == 4 else (1,),
    )  # fmt: skip


def cells(grid):
    """Cells as lists of (word, tooltip, color), row by row."""
    body = grid.to_html().split("<tbody>")[1]
    word = re.compile(r'<bdi title="(.*?)" style="background:(#\w+);[^"]*">(.*?)</bdi>')
    return [
        [
            [(text, title, color) for title, color, text in word.findall(cell)]
            for cell in row.split("<td")[1:]
        ]
        for row in body.split("<tr>")[1:]
    ]


def strength(color):
    """Return the share of the color in its mix with white, negative for red."""
    red, _, blue = bytes.fromhex(color[1:])
    return (255 - red) / 255 if blue >= red else -(255 - blue) / (255 - 0x5F)


def expected_strengths(shares):
    shares = np.array(shares)
    return np.sign(shares) * (1 - (1 - np.abs(shares)) ** 2)  # painted over itself once


def test_a_column_has_one_color_scale():
    ((first,), (second,)) = cells(NeuronGrid(make(), 0, sentences=[4, 7]))
    assert [w[0] for w in first] == ["She", "runs", "."]
    assert [w[0] for w in second] == ["&lt;b&gt;", "run"]
    found = [strength(color) for _, _, color in first + second]
    expected = expected_strengths([0.5 / 4, -2 / 4, 1 / 4, 1, 0])
    np.testing.assert_allclose(found, expected, atol=0.01)


def test_each_column_has_its_own_color_scale():
    rows = cells(NeuronGrid(make(), [0, 1], sentences=[4, 2]))
    colors = [[color for row in rows for _, _, color in row[column]] for column in (0, 1)]
    assert colors[0][1] == "#d35f5f"  # -2 is the strongest of neuron 0
    assert colors[1][4] == "#00aad4"  # 2 of neuron 1, although -8 is in another sentence


def test_the_most_active_sentences_of_each_neuron():
    assert NeuronGrid(make(), 0, n_sentences=2).sentence_ids_ == [7, 4]
    assert NeuronGrid(make(), 1, n_sentences=2).sentence_ids_ == [9, 2]
    both = NeuronGrid(make(), ["layer_1_neuron_1", "layer_1_neuron_0"], n_sentences=2)
    assert both.sentence_ids_ == [9, 2, 7, 4]
    assert both.neuron_names_ == ["layer_1_neuron_1", "layer_1_neuron_0"]
    assert NeuronGrid(make(), [0, 1], n_sentences=3).sentence_ids_ == [7, 4, 9, 2]  # each once
    assert NeuronGrid(make(), 0, n_sentences=9).sentence_ids_ == [7, 4, 9, 2]
    assert NeuronGrid(make(), 0, sentences=np.array([9, 4])).sentence_ids_ == [9, 4]


def test_center_shows_the_distance_from_the_mean():
    ((raw,), _) = cells(NeuronGrid(make(), 3, sentences=[4, 2]))
    assert strength(raw[0][2]) > 0.7  # 10 of 18
    grid = NeuronGrid(make(), 3, sentences=[4, 2], center=True)  # the mean is 11
    found = [strength(color) for row in cells(grid) for _, _, color in row[0]]
    expected = expected_strengths([-1 / 7, -1 / 7, -1 / 7, -1 / 7, 1])
    np.testing.assert_allclose(found, expected, atol=0.01)
    assert 'aria-label="Colors from 4 (red) through 11 (white) to 18 (blue)"' in grid.to_html()
    assert cells(grid)[1][0][1][1] == "sat: 18"  # the tooltip shows the activation itself
    assert NeuronGrid(make(-X), 3, n_sentences=1, center=True).sentence_ids_ == [2]


def test_the_page(read_page):
    page = read_page(NeuronGrid(make(), [0, 1], sentences=[4, 7]).to_html())
    assert [cell["scope"] for cell in page.all("th")] == ["col"] * 3 + ["row"] * 2
    assert len(page.all("td")) == 4
    assert len(page.all("caption")) == 1
    region = page.all("div")[0]
    assert (region["role"], region["tabindex"]) == ("region", "0")
    assert region["aria-label"] == "2 neurons over 2 sentences"
    labels = [picture["aria-label"] for picture in page.all("svg")]
    assert labels == [f"Colors from −{n} (red) through 0 (white) to {n} (blue)" for n in (4, 0.1)]
    assert "strongest: runs (−2)" in page.text
    assert "strongest: <b> (4)" in page.text
    assert "strongest: . (0.1)" in page.text
    assert page.text.count("strongest:") == 3  # not if all are 0


def test_zero_and_constant_neurons():
    def colors(grid):
        return {color for row in cells(grid) for _, _, color in row[0]}

    zero = NeuronGrid(make(X * 0), 0)
    assert colors(zero) == {"#ffffff"}
    assert "0 on all words" in zero.to_html()
    assert colors(NeuronGrid(make(), 2)) == {"#00aad4"}
    centered = NeuronGrid(make(), 2, center=True)
    assert colors(centered) == {"#ffffff"}
    assert "5 on all words" in centered.to_html()


@pytest.mark.parametrize("direction", ["auto", "ltr", "rtl"])
def test_right_to_left_words_keep_their_colors(direction):
    tokens = make([[1.0], [-3.0]], ["שלום", "עולם"], [0, 0])
    grid = NeuronGrid(tokens, 0, text_direction=direction)
    assert f'<div dir="{direction}"' in grid.to_html()
    (((first, second),),) = cells(grid)
    assert first[:2] == ("שלום", "שלום: 1")
    assert second == ("עולם", "עולם: −3", "#d35f5f")


def test_it_is_saved_and_added_to_a_report(tmp_path, read_page):
    grid = NeuronGrid(make(), [0, 1])
    path = grid.save(tmp_path / "new" / "grid.html")
    assert grid.to_html() in path.read_text(encoding="utf-8")
    read_page(path.read_text(encoding="utf-8"))
    report = AnalysisReport("Grid").add_figure(grid, "Two neurons.")
    assert grid._repr_html_() in report.to_html()
    assert "Two neurons." in read_page(report.to_html()).text
    assert repr(grid) == "NeuronGrid(4 sentences, 2 neurons)"


def test_the_grid_does_not_change_with_the_tokens():
    tokens = make(X.copy())
    grid = NeuronGrid(tokens, 0)
    before = grid.to_html()
    tokens.X[:] = 0
    tokens.words[:] = "gone"
    assert grid.to_html() == before


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            dict(sentences=[5]),
            ValueError,
            r"does not contain sentence 5\. The ids of its 4 sentences range from 2 to 9",
        ),
        (
            dict(sentences=[4, 4]),
            ValueError,
            "Each sentence can be listed only once; 4 is repeated",
        ),
        (dict(sentences=[]), ValueError, "sentences is empty"),
        (dict(sentences=4), TypeError, "must be a list of sentence ids, got 4"),
        (dict(sentences="4"), TypeError, "must be a list of sentence ids, got '4'"),
        (dict(sentences=[4.0]), TypeError, r"sentences must contain integers, got float 4\.0"),
        (dict(n_sentences=0), ValueError, "n_sentences == 0, must be >= 1"),
        (dict(text_direction="up"), ValueError, "must be 'auto', 'ltr' or 'rtl', got 'up'"),
        (
            dict(neurons=4),
            ValueError,
            "There are 4 neurons, so neuron indices must be integers from 0 to 3, got 4",
        ),
        (
            dict(neurons=["layer_1_neuron_9"]),
            ValueError,
            "X does not contain the neuron 'layer_1_neuron_9'",
        ),
    ],
)
def test_errors(options, error, message):
    with pytest.raises(error, match=message):
        NeuronGrid(make(), **{"neurons": 0, **options})


def test_bad_activations():
    with pytest.raises(TypeError, match="tokens must be TokenActivations, got list"):
        NeuronGrid([[1.0]], 0)
    holed = make(np.where(X == -8, np.nan, X))
    message = r"layer_1_neuron_1 contains NaN\. The first is nan at index \d"
    with pytest.raises(ValueError, match=message):
        NeuronGrid(holed, [0, 1])
    assert NeuronGrid(holed, 0).sentence_ids_ == [7, 4, 9]  # only the neurons that are shown matter
    with pytest.raises(TypeError, match="words must contain strings, got NoneType None at index 1"):
        NeuronGrid(make(words=["She", None, *WORDS[2:]]), 0)
