"""Sentences whose words keep the spaces of their text."""

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_neurox import SpacedSentence
from sklearn_neurox.datasets.sentences import check_corpus

WORDS = ["It", "is", "n't", "xe đạp", "."]


@pytest.fixture
def sentence():
    return SpacedSentence(WORDS, [" ", "", "\n", ""])


def test_text_and_equality(sentence):
    assert sentence.text == "It isn't\nxe đạp."
    assert sentence == WORDS
    assert SpacedSentence(WORDS).text == " ".join(WORDS)
    assert SpacedSentence(["a"]).text == "a"


def test_slices_keep_their_spaces(sentence):
    for start in range(-6, 6):
        for stop in range(-6, 7):
            part = sentence[start:stop]
            assert part == WORDS[start:stop]
            if part:
                assert part.text in sentence.text
    assert type(sentence[::2]) is list


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))]
)
def test_copies(sentence, copied):
    assert copied(sentence).text == sentence.text


@given(
    st.lists(st.text("ab é", min_size=1).map(str.strip).filter(bool), min_size=1, max_size=6),
    st.data(),
)
def test_from_text_finds_the_words(words, data):
    separators = [data.draw(st.sampled_from(["", " ", "  ", "\n"])) for _ in words[1:]]
    made = SpacedSentence(words, separators)
    found = SpacedSentence.from_text(made.text, words)
    assert found == words
    assert found.text == made.text


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: SpacedSentence(["a", "b"], []), "2 words, so it needs 1 separators, but has 0"),
        (lambda: SpacedSentence(["a", "b"], ["-"]), "must be white space or an empty string"),
        (lambda: SpacedSentence.from_text("a b", ["a", "c"]), "Word 1, 'c', does not follow"),
        (lambda: SpacedSentence.from_text("a x b", ["a", "b"]), "Word 1, 'b', does not follow"),
        (lambda: SpacedSentence.from_text("a b", ["a"]), "no words for its end"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_sentence_that_was_changed_is_an_error(sentence):
    sentence.append("!")
    with pytest.raises(ValueError, match="Sentence 1: The sentence has 6 words"):
        check_corpus([["a"], sentence])


def test_words_with_spaces_are_listed():
    """Words of plain lists with spaces may be whole sentences by mistake."""
    corpus = [["a", "b c"], ["d e", "f"], *[["New York"]] * 5]
    with pytest.raises(
        ValueError, match="7 words of the corpus are not valid; the first 5"
    ) as error:
        check_corpus(corpus)
    assert "Sentence 0, word 1" in str(error.value)
    assert "Sentence 1, word 0" in str(error.value)
    assert "Pass a SpacedSentence if words contain spaces" in str(error.value)
    assert check_corpus([SpacedSentence(words) for words in corpus]) == corpus
    for word in (" a", "a ", "a  b", "a\tb"):
        with pytest.raises(ValueError, match="without white space"):
            check_corpus([SpacedSentence(["b", word])])
