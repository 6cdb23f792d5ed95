"""The drawing has every word on its own color."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from sklearn_neurox import visualize_activations

SVG = "{http://www.w3.org/2000/svg}"


def words_of(drawing):
    """Yield (text, x, width, y, fill, opacity, tooltip) of each word."""
    root = ElementTree.fromstring(drawing.tostring())
    for group in root.iter(f"{SVG}g"):
        rect, text, title = (group.find(f"{SVG}{tag}") for tag in ("rect", "text", "title"))
        assert rect.get("x") == text.get("x")
        yield (
            text.text, float(rect.get("x")), float(rect.get("width")), float(rect.get("y")),
            rect.get("fill"), float(rect.get("opacity")), title.text,
        )  # fmt: skip


WORDS, VALUES = ["She", "did", "n't", "run"], [-2.0, 0.0, 1.0, 4.0]


def test_colors_and_tooltips():
    drawn = list(words_of(visualize_activations(WORDS, VALUES, darken=1)))
    assert [word[0] for word in drawn] == WORDS
    assert [word[4] for word in drawn] == ["#d35f5f", "#00aad4", "#00aad4", "#00aad4"]
    assert [word[5] for word in drawn] == [0.5, 0.0, 0.25, 1.0]
    assert drawn[3][6] == "run: 4"


def test_darken_paints_the_color_over_itself():
    opacity = [word[5] for word in words_of(visualize_activations(WORDS, VALUES, darken=2))]
    assert opacity == [0.75, 0.0, 0.4375, 1.0]


def test_right_to_left_mirrors_words_with_their_colors():
    ltr = list(words_of(visualize_activations(WORDS, VALUES, char_limit=10)))
    drawing = visualize_activations(WORDS, VALUES, char_limit=10, text_direction="rtl")
    width = float(re.search(r'viewBox="0,0,([\d.]+)', drawing.tostring()).group(1))
    for left, right in zip(ltr, words_of(drawing), strict=True):
        assert right[1] == pytest.approx(width - left[1] - left[2])
        assert (left[0], *left[2:]) == (right[0], *right[2:])


def test_words_do_not_overlap_and_lines_are_not_too_long():
    words = ["a", "北京", "e\N{COMBINING ACUTE ACCENT}", "😀", "x" * 30, "end", ""]
    drawing = visualize_activations(words, np.arange(7), char_limit=12, font_size=10)
    drawn = list(words_of(drawing))
    cells = [round(word[2] / 6) for word in drawn]
    assert cells == [1, 4, 1, 2, 30, 3, 1]
    for before, after in zip(drawn, drawn[1:], strict=False):
        assert after[3] > before[3] or after[1] > before[1] + before[2]
    assert len({word[3] for word in drawn}) == 3  # the long word has a line of its own


@pytest.mark.parametrize("text_direction", ["ltr", "rtl"])
def test_a_word_has_the_direction_of_its_first_letter(text_direction):
    words = ["word.", "(שלום).", "مرحبا!", "3)", "(", ""]
    drawing = visualize_activations(words, np.ones(6), text_direction=text_direction)
    texts = ElementTree.fromstring(drawing.tostring()).iter(f"{SVG}text")
    found = [(text.get("direction"), text.get("text-anchor")) for text in texts]
    # x is always the left side, which is the end of a word from right to left.
    rtl, ltr = ("rtl", "end"), (None, None)
    assert found == [ltr, rtl, rtl, *[rtl if text_direction == "rtl" else ltr] * 3]


@pytest.mark.parametrize(
    ("words", "direction"),
    [
        (["3", "(שלום)", "word"], "rtl"),
        (["!", "مرحبا"], "rtl"),
        (["3", "(word)", "שלום"], "ltr"),
        (["北京", "שלום"], "ltr"),
        (["1", "+", "2"], "ltr"),
        ([], "ltr"),
    ],
)
def test_auto_is_the_direction_of_the_first_letter(words, direction):
    values = np.ones(len(words))
    expected = visualize_activations(words, values, text_direction=direction).tostring()
    assert visualize_activations(words, values).tostring() == expected
    other = {"ltr": "rtl", "rtl": "ltr"}[direction]
    other_way = visualize_activations(words, values, text_direction=other).tostring()
    assert (other_way != expected) == bool(words)


def test_an_emoji_is_one_image():
    words = ["👨\u200d👩\u200d👧", "🇫🇷", "👍🏽", "end"]
    drawn = list(words_of(visualize_activations(words, [1, -1, 1, 2], font_size=10)))
    assert [round(word[2] / 6) for word in drawn] == [2, 2, 2, 3]
    assert [word[0] for word in drawn] == words


def test_white_space_of_a_word_has_its_cell():
    """SVG collapses spaces and would stretch the rest of the word over all cells."""
    drawn = list(words_of(visualize_activations([" a", "\n"], [1, 2], font_size=10)))
    assert [(word[0], round(word[2] / 6)) for word in drawn] == [("\u00a0a", 2), ("\u00a0", 1)]
    assert drawn[0][6] == " a: 1"


@pytest.mark.parametrize("values", [[0.0] * 4, [3.0] * 4, [-1e-300] * 4])
def test_zero_and_constant_activations(values):
    opacities = {word[5] for word in words_of(visualize_activations(WORDS, values))}
    assert opacities == {float(values[0] != 0)}


def test_empty_input():
    assert list(words_of(visualize_activations([], []))) == []


def test_markup_and_control_characters_are_text():
    words = ["<b>&", "a\x00b", "\ufffe", "\ud800"]
    drawn = list(words_of(visualize_activations(words, [1, 2, 3, 4])))
    unknown = "\N{REPLACEMENT CHARACTER}"
    assert [word[0] for word in drawn] == ["<b>&", f"a{unknown}b", unknown, unknown]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("ab", "words must be a list of words, got a single string: 'ab'"),
        ([1, 2], "words must contain strings, got int 1 at index 0"),
        (
            ["a", None],
            r"words must not contain missing or unhashable values, but words\[1\] = None",
        ),
        (np.array(["a", b"b"], dtype=object), "words must contain strings, got bytes b'b' at"),
    ],
)
def test_words_are_a_list_of_strings(words, message):
    with pytest.raises(TypeError, match=message):
        visualize_activations(words, [1.0, 2.0])


def test_filters():
    top = [
        word[5] for word in words_of(visualize_activations(WORDS, VALUES, filter_fn="top_words"))
    ]
    assert top == [0, 0, 0, 1]
    values = np.array(VALUES)
    doubled = visualize_activations(WORDS, values, filter_fn=lambda a: np.maximum(a, 0, out=a))
    assert next(words_of(doubled))[5] == 0
    assert values[0] == -2  # the caller's array is unchanged


def test_top_words_are_above_80_percent_of_the_largest():
    drawing = visualize_activations(
        ["a", "b", "c", "d"], [10.0, 8.1, -8.1, 7.9], darken=1, filter_fn="top_words"
    )
    assert [word[5] > 0 for word in words_of(drawing)] == [True, True, True, False]


def test_a_notebook_shows_it():
    assert visualize_activations(WORDS, VALUES)._repr_svg_().startswith("<svg")


def test_words_can_be_read_on_a_dark_page():
    root = ElementTree.fromstring(visualize_activations(WORDS, VALUES).tostring())
    assert root.get("style") == "background:#fff"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            dict(activations=[1.0]),
            "words and activations must have the same length, got 4 words and 1 activations",
        ),
        (dict(activations=[1, 2, np.nan, 3]), "activations contains NaN.*nan at index 2"),
        (dict(activations=[1, 2, -np.inf, 3]), "activations contains infinity.*-inf at index 2"),
        (dict(activations=["a"] * 4), "activations must contain numbers, but contains text"),
        (dict(text_direction="up"), "must be 'auto', 'ltr' or 'rtl', got 'up'"),
        (dict(filter_fn="best"), "filter_fn must be 'top_words' or a function, got 'best'"),
        (dict(filter_fn=lambda a: a[:2]), "must return 4 finite numbers"),
        (
            dict(filter_fn=lambda a: np.where(a == 0, np.inf, a)),
            "filter_fn must be finite, got inf at index 1",
        ),
        (dict(darken=0), "darken == 0, must be >= 1"),
        (dict(colors="#fff"), "colors must be two CSS colors"),
        (dict(colors=3), "colors must be two CSS colors"),
        (dict(colors=("red", "blu")), r"colors\[1\] must be a CSS color, .* got 'blu'"),
        (dict(colors=("re\x00d", "blue")), r"colors\[0\] must be a CSS color, .* got 're"),
        (dict(colors=("red", "\ud800")), r"colors\[1\] must be a CSS color, .* got '.ud800'"),
        (dict(colors=("red", "#12345")), r"colors\[1\] must be a CSS color, .* got '#12345'"),
        (dict(colors=("red", (0, 0, 1))), r"colors\[1\] must be a CSS color, .* got \(0, 0, 1\)"),
        (dict(activations=[[1, 2, 3, 4]]), "activations must have one dimension"),
    ],
)
def test_errors(changes, message):
    with pytest.raises(ValueError, match=message):
        visualize_activations(**{"words": WORDS, "activations": VALUES, **changes})
