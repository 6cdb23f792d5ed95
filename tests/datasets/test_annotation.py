"""Labels derived from words and from labels: every word has one, in its place."""

import copy
import math
import re
from fractions import Fraction

import numpy as np
import pytest

from sklearn_neurox.datasets.annotation import annotate, binarize_labels, numeric_labels

SENTENCES = [["In", "1998", "it", "rained"], ["It", "stopped", "in", "2004"]]
YEAR = re.compile(r"[0-9]{4}")
YEARS = [[False, True, False, False], [False, False, False, True]]


@pytest.mark.parametrize(
    "by",
    [
        {"1998", "2004", "2010"},
        frozenset({"1998", "2004"}),
        ["1998", "2004"],
        np.array(["1998", "2004"]),
        {"1998": 1, "2004": 2}.keys(),
        YEAR,
        str.isdigit,
    ],
    ids=lambda by: type(by).__name__,
)
def test_words_expressions_and_functions(by):
    assert annotate(SENTENCES, by) == YEARS
    assert annotate(tuple(" ".join(words) for words in SENTENCES), by) == YEARS


def test_an_expression_matches_the_whole_word():
    words = [["199", "1998", "19981", "x1998", "1998\u200b"]]
    assert annotate(words, YEAR) == [[False, True, False, False, False]]
    pattern = re.compile("a|ab", re.IGNORECASE)
    assert annotate([["a", "A", "ab", "b"]], pattern) == [[True, True, True, False]]


def test_words_are_compared_exactly():
    family = "👨\u200d👩\u200d👧"
    words = [["é", "e\u0301", "É", family, "👨", "שלום"]]
    assert annotate(words, {"é", family, "שלום"}) == [[True, False, False, True, False, True]]


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        (str.lower, [["in", "1998", "it", "rained"], ["it", "stopped", "in", "2004"]]),
        (len, [[2, 4, 2, 6], [2, 7, 2, 4]]),
        (lambda word: len(word) / 4, [[0.5, 1, 0.5, 1.5], [0.5, 1.75, 0.5, 1]]),
        (lambda word: Fraction(len(word), 2), [[1, 2, 1, 3], [1, Fraction(7, 2), 1, 2]]),
        (lambda word: np.bool_(word.isdigit()), YEARS),
    ],
)
def test_labels_of_a_function(by, expected):
    assert annotate(SENTENCES, by) == expected


def test_a_function_sees_every_word_in_order():
    seen = []
    annotate(SENTENCES, lambda word: seen.append(word) or len(seen))
    assert seen == [word for words in SENTENCES for word in words]


def test_labels_fit_the_extractor(corpus):
    labels = annotate(corpus.sentences, {"the": {"the", "The"}}, default="other")
    assert [len(tags) for tags in labels] == [len(words) for words in corpus.sentences]
    flat = [
        (word, tag)
        for pair in zip(corpus.sentences, labels, strict=True)
        for word, tag in zip(*pair, strict=True)
    ]
    assert {tag for word, tag in flat if word.lower() == "the"} == {"the"}
    assert {tag for word, tag in flat if word.lower() != "the"} == {"other"}


def test_a_mapping():
    by = {"year": YEAR, "in": {"in", "In"}}
    assert annotate(SENTENCES, by, default="other") == [
        ["in", "year", "other", "other"],
        ["other", "other", "in", "year"],
    ]
    assert annotate([["in", "1998"]], by) == [["in", "year"]]
    assert annotate([["in", "1998", "x"]], {1: YEAR, 2.5: {"in"}}, default=0) == [[2.5, 1, 0]]
    assert annotate([["x", "1998"]], {True: YEAR}, default=False) == [[False, True]]


def test_the_arguments_are_not_changed():
    sentences, by = copy.deepcopy(SENTENCES), {"year": ["1998", "2004"], "in": {"in"}}
    before = copy.deepcopy(by)
    labels = annotate(sentences, by, default="other")
    assert sentences == SENTENCES
    assert by == before
    labels[0][0] = "changed"
    assert annotate(sentences, by, default="other")[0][0] == "other"


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ("in", r"by is the string 'in'\. Pass a set of words, \{'in'\}, or .* re\.compile\('in'\)"),
        ({"a": "in"}, r"by\['a'\] is the string 'in'"),
        (b"in", r"by: expected a set of words or .* got bytes b'in'"),
        (re.compile(b"in"), "by: expected .* not bytes.* got Pattern"),
        (None, "by: expected a set of words .* got NoneType"),
        (7, "by: expected a set of words .* got int 7"),
        ({"a": {"b": {"c"}}}, r"by\['a'\]: expected a set of words .* got dict"),
        ({"a": len}, r"by\['a'\]: expected a set of words .* got builtin_function"),
        ({"in", 7}, "by: expected a set of strings, got int 7"),
        ({"a": [["in"]]}, r"by\['a'\]: expected a set of strings, got list \['in'\]"),
        ({None: {"in"}}, "must contain strings, booleans or numbers, but label 0 = None"),
        (
            {("a", "b"): {"in"}},
            r"must contain strings, booleans or numbers, but label 0 = \('a', 'b'\)",
        ),
        (
            {"a": {"in"}, 1: {"it"}},
            "number and string labels; the first that differs is label 1 = 1",
        ),
    ],
)
def test_definitions_of_another_type(by, message):
    with pytest.raises(TypeError, match=message):
        annotate(SENTENCES, by)


@pytest.mark.parametrize(
    ("by", "message"),
    [
        (set(), "by is an empty set"),
        ({}, "by is empty: expected at least one label"),
        ({"a": []}, r"by\['a'\] is an empty set"),
        ({"New York"}, "words without white space, .* got 'New York'"),
        ({"New\u00a0York"}, r"words without white space, .* got 'New\\xa0York'"),
        ({"a": {"in "}}, r"by\['a'\]: expected words without white space, .* got 'in '"),
        ({""}, "words without white space, .* got ''"),
        ({"a\ud800"}, r"words without lone surrogates, .* got 'a\\ud800'"),
        ({math.nan: {"in"}}, "must not contain NaN or infinity: label 0 = nan"),
    ],
)
def test_definitions_that_match_no_word(by, message):
    with pytest.raises(ValueError, match=message):
        annotate(SENTENCES, by)


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ({"IN"}, r"by={'IN'} matches none of the 8 words, .* compared exactly, including case"),
        (re.compile("[0-9]"), r"by=re.compile\('\[0-9\]'\) matches none of the 8 words"),
        (re.compile(".*"), r"by=re.compile\('\.\*'\) matches every one of the 8 words"),
        ({word for words in SENTENCES for word in words}, "matches every one of the 8 words"),
        ({"x": {"x"}, "y": YEAR}, r"by\['x'\] matches none of the 8 words. Leave out the label"),
        ({"all": re.compile(".+")}, r"by\['all'\] matches every one of the 8 words"),
    ],
)
def test_definitions_that_match_no_word_or_every_word(by, message):
    with pytest.raises(ValueError, match=message):
        annotate(SENTENCES, by, **({"default": "other"} if isinstance(by, dict) else {}))


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ({"a"}, r"by={'a'} matches the only word, so"),
        ({"b"}, r"by={'b'} does not match the only word, so"),
        ({"x": {"b"}}, r"by\['x'\] does not match the only word\. Leave out"),
        ({"x": {"a"}}, r"by\['x'\] matches the only word, so"),
    ],
    ids=str,
)
def test_definitions_that_match_the_only_word_or_not(by, message):
    with pytest.raises(ValueError, match=message):
        annotate([["a"]], by, **({"default": "other"} if isinstance(by, dict) else {}))


def test_a_function_may_return_one_label():
    assert annotate([["a", "b"]], str.isupper) == [[False, False]]


def test_a_default_that_no_word_needs():
    labels = annotate([["1998", "in"]], {"year": YEAR, "in": {"in"}}, default="other")
    assert labels == [["year", "in"]]


def test_expressions_of_the_package_regex():
    regex = pytest.importorskip("regex")
    assert annotate(SENTENCES, regex.compile(r"\p{Nd}{4}")) == YEARS
    by = {"upper": regex.compile(r"\p{Lu}\p{L}*"), "year": YEAR}
    assert annotate(SENTENCES, by, default="x")[0] == ["upper", "year", "x", "x"]
    with pytest.raises(TypeError, match=r"by: expected .* not bytes.* got Pattern"):
        annotate(SENTENCES, regex.compile(rb"x"))


def test_definitions_that_overlap():
    by = {"digits": re.compile("[0-9]+"), "year": YEAR, "word": {"it", "2004"}}
    with pytest.raises(
        ValueError,
        match=r"Sentence 0, word 1 \('1998'\) matches several labels: 'digits' and 'year'",
    ):
        annotate(SENTENCES, by, default="other")
    with pytest.raises(
        ValueError, match=r"'2004'.* matches several labels: 'digits' and 'year' and 'word'"
    ):
        annotate([["2004"]], by, default="other")


def test_a_word_without_a_label():
    with pytest.raises(
        ValueError, match=r"Sentence 1, word 1 \('stopped'\) does not match any label"
    ):
        annotate([["1998"], ["2004", "stopped"]], {"year": YEAR})


def test_defaults():
    with pytest.raises(ValueError, match="default='year' is also a label"):
        annotate(SENTENCES, {"year": YEAR}, default="year")
    with pytest.raises(
        TypeError, match="boolean and string labels; the first that differs is label 1 = False"
    ):
        annotate(SENTENCES, {"year": YEAR}, default=False)
    for by in (YEAR, {"in"}, str.lower):
        with pytest.raises(
            ValueError, match=r"default='other' can be used only if by is a mapping, got"
        ):
            annotate(SENTENCES, by, default="other")


@pytest.mark.parametrize(
    ("by", "error", "message"),
    [
        (
            YEAR.fullmatch,
            TypeError,
            "strings, booleans or numbers, but sentence 0, word 0 = None",
        ),
        (
            list,
            TypeError,
            r"strings, booleans or numbers, but sentence 0, word 0 = \['I', 'n'\]",
        ),
        (
            lambda word: word.isdigit() and word,
            TypeError,
            "boolean and string labels; the first that differs is sentence 0, word 1 = '1998'",
        ),
        (
            lambda word: 1.0 if word != "in" else math.nan,
            ValueError,
            "must not contain NaN or infinity: sentence 1, word 2 = nan",
        ),
        (
            lambda word: -math.inf,
            ValueError,
            "must not contain NaN or infinity: sentence 0, word 0 = -inf",
        ),
    ],
)
def test_functions_that_do_not_return_a_label(by, error, message):
    with pytest.raises(error, match=message):
        annotate(SENTENCES, by)


@pytest.mark.parametrize(
    ("sentences", "error", "message"),
    [
        ("a b", TypeError, "Expected a list of sentences, got a single str"),
        ([], ValueError, "The corpus is empty"),
        ([["a"], []], ValueError, "Sentence 1 is empty"),
        ([["a", "New York"]], ValueError, "Sentence 0, word 1: .* without white space"),
        ([["a", 7]], TypeError, "Sentence 0, word 1: expected a string, got int"),
    ],
)
def test_corpora_that_are_not_valid(sentences, error, message):
    with pytest.raises(error, match=message):
        annotate(sentences, YEAR)


NESTED = [["DET", "NOUN"], [], ["NOUN", "VERB", "PROPN"]]
FLAT = ["DET", "NOUN", "NOUN", "VERB", "PROPN"]
NOUNS = [False, True, True, False, True]


@pytest.mark.parametrize(
    "positive", [{"NOUN", "PROPN"}, ["PROPN", "NOUN", "NOUN"], np.array(["NOUN", "PROPN"])]
)
def test_binary_labels(positive):
    assert binarize_labels(NESTED, positive) == [[False, True], [], [True, False, True]]
    assert binarize_labels(FLAT, positive) == NOUNS
    for dtype in (None, object):
        y = binarize_labels(np.array(FLAT, dtype=dtype), positive)
        assert y.dtype == bool
        np.testing.assert_array_equal(y, NOUNS)


def test_one_positive_label():
    assert binarize_labels(NESTED, "VERB") == [[False, False], [], [False, True, False]]
    assert binarize_labels([[0, 2.5], (1, 0)], 0) == [[True, False], [False, True]]
    assert binarize_labels([np.array([0, 2]), np.array([1])], [2, 1]) == [[False, True], [True]]
    assert binarize_labels([True, False], False) == [False, True]


def test_labels_of_a_table():
    pandas = pytest.importorskip("pandas")
    series = pandas.Series(FLAT, index=[9, 8, 7, 6, 5])
    np.testing.assert_array_equal(binarize_labels(series, pandas.Series(["NOUN", "PROPN"])), NOUNS)


def test_a_label_called_negative():
    """It is a label like any other."""
    assert binarize_labels([["negative", "a"]], "negative") == [[True, False]]


@pytest.mark.parametrize(
    ("labels", "positive", "message"),
    [
        (NESTED, "NUON", "positive contains 'NUON', but no word has this label.* are 'DET', 'NOUN', 'PROPN', 'VERB'"),
        (NESTED, {"NOUN", "X", "ADJ"}, "positive contains 'ADJ' and 'X', but no word has this label"),
        (NESTED, "NOUN\u200b", r"contains 'NOUN\\u200b', but no word has this label"),
        (list(range(99)), 100, r"contains 100, .* are 0, 1, .* 19, \.\.\.\."),
        (NESTED, [], "positive is empty"),
        (NESTED, {"NOUN", "DET", "VERB", "PROPN"}, "positive contains every label, 'DET', 'NOUN',"),
        (np.array([1, 1]), 1, "positive contains every label, 1, so that all words"),
        ([], "NOUN", "labels is empty"),
        ([[], []], "NOUN", "labels is empty"),
        (np.array([["NOUN"]]), "NOUN", "labels must have one dimension, got 2"),
        ([[1.0], [2.0, math.nan]], 1.0, "must not contain NaN or infinity: sentence 1, word 1 = nan"),
        (np.array([1.0, math.inf]), 1.0, "must not contain NaN or infinity: label 1 = inf"),
    ],
)  # fmt: skip
def test_binary_labels_of_bad_values(labels, positive, message):
    with pytest.raises(ValueError, match=message):
        binarize_labels(labels, positive)


@pytest.mark.parametrize(
    ("labels", "positive", "message"),
    [
        ("NOUN", "NOUN", "labels must be a list .* got str 'NOUN'"),
        ({"NOUN": 1}, "NOUN", "labels must be a list .* got dict"),
        (None, "NOUN", "labels must be a list .* got NoneType"),
        ([["NOUN"], "VERB"], "NOUN", "Sentence 1: expected a list of labels, got 'VERB'"),
        ([["NOUN"], [["VERB"]]], "NOUN", "list and string labels; the first that differs is sentence 1, word 0 = "),
        ([["NOUN"], ["VERB", None]], "NOUN", "NoneType and string labels; the first that differs is sentence 1, word 1 = None"),
        ([b"NOUN", b"VERB"], b"NOUN", "strings, booleans or numbers, but label 0 = b'NOUN'"),
        ([["NOUN"], [], [1]], "NOUN", "number and string labels; the first that differs is sentence 2, word 0 = 1"),
        (NESTED, 1, "The labels are strings, but positive contains the number 1"),
        ([0, 1], True, "The labels are numbers, but positive contains the boolean True"),
        ([0, 1], "1", "The labels are numbers, but positive contains the string '1'"),
        (NESTED, [["NOUN"]], "The labels are strings, but positive contains the list"),
        (NESTED, None, "positive must be a label or a collection of labels, got NoneType"),
        (NESTED, {"NOUN": 1}, "positive must be a label or a collection of labels, got dict"),
    ],
)  # fmt: skip
def test_binary_labels_of_another_type(labels, positive, message):
    with pytest.raises(TypeError, match=message):
        binarize_labels(labels, positive)


@pytest.mark.parametrize(
    ("label", "number"),
    [("3", 3.0), ("-0.5", -0.5), ("+.5", 0.5), ("2.", 2.0), ("1e-3", 0.001), ("1E5", 1e5)],
)
def test_numbers(label, number):
    for labels, expected in (([[label], ["0"]], [[number], [0.0]]), ([label], [number])):
        numbers = numeric_labels(labels)
        assert numbers == expected
        assert {type(n) for row in numbers for n in np.atleast_1d(row)} <= {float, np.float64}
    y = numeric_labels(np.array([label, "0"], dtype=object))
    assert y.dtype == np.float64
    assert y.tolist() == [number, 0.0]


@pytest.mark.parametrize(
    "label",
    [
        "", "_", "one", "1,5", "1_000", "nan", "NaN", "inf", "-inf", "Infinity", "1e999", "-1e999",
        " 1", "1 ", "1\n", "0x1f", "1e", ".", "-", "٣", "３", "½", "1\u200b", "−1",
    ],
    ids=ascii,
)  # fmt: skip
def test_strings_that_are_not_numbers(label):
    message = re.escape(f"expected a finite number such as '0.5', got {label!r}.")
    with pytest.raises(ValueError, match=f"^Sentence 2, word 1: {message}"):
        numeric_labels([["1"], [], ["2", label]])
    with pytest.raises(ValueError, match=f"^Label 1: {message}"):
        numeric_labels(["1", label])


@pytest.mark.parametrize("label", [1.0, None, True, b"1"])
def test_numbers_of_another_type(label):
    with pytest.raises(TypeError, match=f"Sentence 0, word 1: .* got {type(label).__name__}"):
        numeric_labels([["1", label]])
    with pytest.raises(TypeError, match="labels must be a list"):
        numeric_labels("1")


def test_the_labels_are_not_changed():
    labels, y = copy.deepcopy(NESTED), np.array(["1", "2"])
    binarize_labels(labels, "NOUN")[0][0] = None
    numeric_labels(y)[0] = 7
    assert labels == NESTED
    assert y.tolist() == ["1", "2"]


@pytest.mark.parametrize(
    "text", ["1" * 200_000 + "x", "." + "1" * 200_000 + "x", "1e" + "9" * 10**6]
)
def test_long_strings_that_are_no_numbers(text):
    """In time that grows with the length, not with its square."""
    with pytest.raises(
        ValueError, match=r"expected a finite number such as '0.5', got '"
    ) as caught:
        numeric_labels([[text]])
    assert len(str(caught.value)) < 200


def test_labels_of_numpy_are_shown_as_those_of_python():
    labels = list(np.array(["NOUN", "VERB"]))
    for given in (labels, [labels], np.array(labels, dtype=object)):
        with pytest.raises(ValueError, match=r"contains 'ADJ', .* The labels are 'NOUN', 'VERB'"):
            binarize_labels(given, np.str_("ADJ"))
    assert binarize_labels(labels, labels[0]) == [True, False]
    with pytest.raises(
        TypeError, match="number and string labels; the first that differs is label 1 = 1"
    ):
        binarize_labels([labels[0], np.int64(1)], "NOUN")
