"""Random words and texts: the sub-words of the tokenizer, the right words, or a clear error."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_neurox.extraction._encoding import Encoder

from ..extraction.small_tokenizers import BYTES, KINDS, SLOW, make_tokenizer

CHARACTERS = st.characters()  # including halves of characters
TOKENS = ("[SEP]", "[UNK]", "<s>", "</s>", "<mask>", "<|endoftext|>", "<extra_id_1>", "\ue000")
# A tokenizer of bytes says that a text already ends with the token that it adds.
pytestmark = pytest.mark.filterwarnings("ignore:This sequence already has </s>")
WORDS = st.one_of(
    st.sampled_from(["the", "rain", "It's", "(so)", "``", "日本", "naïve", *TOKENS]),
    st.text(CHARACTERS, min_size=1, max_size=6),
    st.builds("".join, st.lists(st.sampled_from([*TOKENS, "a", "'", "é", "."]), min_size=1)),
).filter(lambda word: word.split() == [word])
ERRORS = re.compile(
    "Sentence 0(, (word|character) [0-9]+)?: (the tokenizer drops|the text contains|"
    r"\w+ (leaves out characters|combines|tokenizes the sentence differently|returns other|reads))"
)
OVER_SPACES = re.compile("would include a space between words|that includes a space between words")
ADVICE = re.compile(
    r"[Ss]et split_special_tokens=(True|False)|or split_special_tokens=(True|False)"
)


@pytest.fixture(scope="module")
def tokenizer_of(corpus):
    trained = {}
    made = {kind: make_tokenizer(kind, corpus, trained) for kind in KINDS}
    return lambda kind: made[kind]


def check_error(message, kind, tokenizer, words, space):
    """Every piece of advice works, and only some tokens of one kind remove spaces."""
    assert ERRORS.match(message), message
    if OVER_SPACES.search(message):
        assert kind == "byt5"
    for found in ADVICE.finditer(message):
        split = "True" in found.group()
        Encoder(tokenizer, split_special_tokens=split, add_prefix_space=space).words(words, 0)


@given(
    kind=st.sampled_from(sorted(KINDS)),
    words=st.lists(WORDS, min_size=1, max_size=6),
    split=st.sampled_from([None, True, False]),
    space=st.booleans(),
)
def test_words(tokenizer_of, kind, words, split, space):
    tokenizer = tokenizer_of(kind)
    encoder = Encoder(tokenizer, split_special_tokens=split, add_prefix_space=space)
    text = " " * space + " ".join(words)
    try:
        sentence = encoder.words(words, 0)
    except ValueError as error:
        check_error(str(error), kind, tokenizer, words, space)
        return
    options = {} if split is None else {"split_special_tokens": split}
    ids = tokenizer(text, **options).input_ids
    assert sentence.inputs["input_ids"] == ids
    rows = [row for row in sentence.row_ids if row is not None]
    assert rows == sorted(rows)
    assert set(rows) == set(range(len(words)))
    if kind not in SLOW:
        listed = tokenizer(words, is_split_into_words=True, **options)
        if listed.input_ids == ids:
            assert sentence.row_ids == listed.word_ids()
    if kind in BYTES and kind not in ("qwen2", "gpt-neox"):  # which normalize text
        for row, word in enumerate(words):
            own = [i for i, owner in zip(ids, sentence.row_ids, strict=True) if owner == row]
            spelled = tokenizer.decode(own, clean_up_tokenization_spaces=False)
            assert spelled.replace(" ", "") == word


@given(
    kind=st.sampled_from(sorted(KINDS)),
    text=st.one_of(st.text(CHARACTERS, max_size=30), st.lists(WORDS).map(" ".join)),
    split=st.sampled_from([None, True, False]),
    pooling=st.sampled_from(["mean", "last"]),
    limit=st.one_of(st.none(), st.integers(1, 12)),
)
def test_texts(tokenizer_of, kind, text, split, pooling, limit):
    tokenizer = tokenizer_of(kind)
    options = {} if split is None else {"split_special_tokens": split}
    try:
        sentence = Encoder(tokenizer, split_special_tokens=split).text(
            text, 0, pooling=pooling, limit=limit
        )
    except ValueError as error:
        known = "does not return any sub-words|the text contains|leaves no space for text"
        assert re.search(known, str(error)), error  # noqa: PT017 -- as above
        return
    if kind == "byt5" and text.endswith("</s>"):
        return  # it replaces the end of the text, which is then cut off, with one of its own
    ids = tokenizer(text, truncation=limit is not None, max_length=limit, **options).input_ids
    assert sentence.inputs["input_ids"] == ids
    assert {row for row in sentence.row_ids if row is not None} == {0}
