"""Random spans of nasty texts: the tokens that contain their characters, or a clear error."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_neurox.extraction._conversations import ChatTemplate
from sklearn_neurox.extraction._text_encoding import TextEncoder
from sklearn_neurox.extraction._text_labels import Span
from sklearn_neurox.extraction._text_rows import token_rows

from ..extraction.small_tokenizers import KINDS, SLOW, make_tokenizer

N_SPANS = 5  # of each text
NASTY = (
    "👨\u200d👩\u200d👧", "🏴\U000e0067\U000e007f", "👍🏽", "e\u0301", "\u0301", "日本語", "한국", "ﷺ",
    "\u200fשָׁלוֹם", "العربية", "می\u200cخواهم", "\u200b", "\ufeff", "\n", "\r\n", "\t", "  ", " ", "\xa0",
    "def f(x):\n    return {x: [1, 2]}", "// ```", "naïve", "ﬁ", "İ", "ß", "the rain", "in", ".", "１",
)  # fmt: skip
TEXTS = st.lists(st.one_of(st.sampled_from(NASTY), st.text(max_size=4)), min_size=1, max_size=8)
# The characters of GPT-2's vocabulary that represent bytes.
PRINTED = [*range(33, 127), *range(161, 173), *range(174, 256)]
OTHERS = sorted(set(range(256)) - set(PRINTED))
BYTE_OF = {chr(byte): byte for byte in PRINTED} | {chr(256 + n): b for n, b in enumerate(OTHERS)}


@pytest.fixture(scope="module")
def encoder_of(corpus):
    trained = {}
    encoders = {}
    for kind in sorted(set(KINDS) - set(SLOW)):
        tokenizer = make_tokenizer(kind, corpus, trained)
        template = ChatTemplate(tokenizer, None, False, {})
        encoders[kind] = TextEncoder(tokenizer, template, split_special_tokens=True)
    return encoders


def bytes_of(encoded):
    """The bytes of the text that each token covers, from the vocabulary alone."""
    lengths = [
        0 if special else len(bytes(BYTE_OF[character] for character in token))
        for token, special in zip(encoded.tokens, encoded.is_special, strict=True)
    ]
    ends = np.cumsum(lengths)
    return ends - lengths, ends


@given(
    kind=st.sampled_from(sorted(set(KINDS) - set(SLOW))),
    parts=TEXTS,
    places=st.lists(
        st.tuples(st.integers(0, 2**16), st.integers(1, 12)), min_size=N_SPANS, max_size=N_SPANS
    ),
)
def test_spans_select_the_tokens_of_their_characters(encoder_of, kind, parts, places):
    text = "".join(parts).encode(errors="ignore").decode() or "a"
    try:
        (encoded,) = encoder_of[kind].encode([text])
    except ValueError as error:
        assert "does not return any tokens" in str(error)  # noqa: PT017 -- a clear error
        return
    offsets = encoded.offsets
    assert (offsets[:, 0] <= offsets[:, 1]).all()
    assert (offsets <= len(text)).all()
    for place, length in places:
        start = place % len(text)
        stop = min(start + length, len(text))
        expected = [
            token
            for token, (first, end) in enumerate(offsets.tolist())
            if any(start <= character < stop for character in range(first, end))
        ]
        try:
            rows = token_rows(encoded, None, [Span(0, None, start, stop, "x")], None)
        except ValueError as error:
            assert "spans[0]: the tokenizer drops the characters" in str(error)  # noqa: PT017
            assert not expected
            continue
        found = [int(row.places[0]) for row in rows]
        assert found == expected
        if kind == "gpt2" and not any(map(str.isspace, text[start:stop])):
            # Nothing is lost in bytes: these are the tokens with any byte of the span, and the text
            # of their characters contains the span.
            before, after = bytes_of(encoded)
            a, b = (len(text[:character].encode()) for character in (start, stop))
            assert found == np.flatnonzero((before < b) & (after > a)).tolist()
            assert offsets[found, 0].min() <= start
            assert offsets[found, 1].max() >= stop
