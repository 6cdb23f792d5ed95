"""The width of words in a monospace font."""

import pytest

from sklearn_neurox.visualization._cells import n_cells


@pytest.mark.parametrize(
    ("word", "width"),
    [
        ("word", 4),
        ("", 1),
        ("e\N{COMBINING ACUTE ACCENT}", 1),
        ("北京", 4),
        ("ｶﾅ", 2),  # half-width
        ("한국", 4),
        ("\u1112\u1161\u11ab\u1100\u116e\u11a8", 4),  # the same, decomposed
        ("שלום", 4),
        ("שָׁלוֹם", 4),  # with vowel points
        ("مرحبا", 5),
        ("می\N{ZERO WIDTH NON-JOINER}خواهم", 7),
        ("क\N{DEVANAGARI SIGN VIRAMA}\N{ZERO WIDTH JOINER}ष", 2),  # a joiner between letters
        ("😀", 2),
        ("😀😀", 4),
        ("👨\u200d👩\u200d👧\u200d👦", 2),
        ("👩🏽\u200d🚀", 2),
        ("👩\u200d⚕\ufe0f", 2),
        ("👍🏽", 2),
        ("✌🏽", 2),
        ("❤\ufe0f", 2),
        ("❤", 1),  # as text
        ("🇫🇷", 2),
        ("🇫🇷🇩🇪", 4),
        ("🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", 2),  # England
        ("🏳\ufe0f\u200d🌈", 2),
        ("1\ufe0f\u20e3", 2),  # a keycap
        ("🏽", 2),
        ("a\N{ZERO WIDTH JOINER}©", 2),  # no emoji to join
        ("a👍🏽b", 4),
    ],
)
def test_n_cells(word, width):
    assert n_cells(word) == width
