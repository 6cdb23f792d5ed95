"""Texts, conversations and token indices as tokens."""

import re
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_neurox import where
from sklearn_neurox.extraction._conversations import ChatTemplate
from sklearn_neurox.extraction._text_encoding import TextEncoder, check_texts_of_tokens
from sklearn_neurox.extraction._text_labels import Span
from sklearn_neurox.extraction._text_rows import token_rows

from .small_templates import (
    AGAIN,
    ASSISTANT,
    FAMILIES,
    SYSTEM,
    THINKING,
    USER,
    conversations,
    with_template,
)
from .small_tokenizers import KINDS, SLOW

CALL = {
    "role": "assistant",
    "tool_calls": [
        {"type": "function", "function": {"name": "weather", "arguments": {"city": "Rome"}}}
    ],
}
TOOL = {"role": "tool", "content": 'Sunny, 20° "C".'}
TEXTS = (
    "The cat sat.",
    "  Two  spaces,\n\nlines\tand tabs ",
    "naïve café — 日本語 العربية",
    "e\u0301 👩‍👩‍👧 🗼!",
    "def f(x):\n    return x**2  # 2\n",
)


def encoder_of(tokenizer, *, split=None, **options):
    template = ChatTemplate(tokenizer, **options)
    return TextEncoder(tokenizer, template, split_special_tokens=split)


@pytest.fixture(params=FAMILIES)
def family(request):
    return request.param


@pytest.mark.parametrize("kind", ["gpt2", "llama", "bert"])
@pytest.mark.parametrize("prompt", [False, True])
def test_the_tokens_of_a_conversation_are_those_of_apply_chat_template(
    tokenizer_of, kind, family, prompt
):
    tokenizer = with_template(tokenizer_of(kind), family)
    chats = conversations(system=FAMILIES[family][2])
    encoder = encoder_of(tokenizer, add_generation_prompt=prompt)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The chat template of .* leaves out")  # Mistral
        texts = list(encoder.encode(chats))
    for text, chat in zip(texts, chats, strict=True):
        expected = tokenizer.apply_chat_template(chat, add_generation_prompt=prompt)
        assert text.inputs["input_ids"].tolist() == expected["input_ids"]
        assert text.text == tokenizer.apply_chat_template(
            chat, add_generation_prompt=prompt, tokenize=False
        )


def test_messages_are_found_in_the_text(tokenizer_of, family):
    tokenizer = with_template(tokenizer_of("gpt2"), family)
    drops_reasoning = family in ("qwen 3", "deepseek")
    drops_system = family == "mistral"  # unless the last message is one of the user
    for chat in conversations(system=FAMILIES[family][2]):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The chat template of .* leaves out")
            (text,) = encoder_of(tokenizer).encode([chat])
        reached = 0
        for message, given_message in zip(text.messages, chat, strict=True):
            assert message.role == given_message["role"]
            content = given_message["content"]
            if drops_system and message.role == "system":
                assert len(message.spans) == (chat[-1]["role"] == "user")
                continue
            ((start, stop),) = message.spans
            found = text.text[start:stop]
            if drops_reasoning and "</think>" in content:
                assert found.strip() == "Yes."
            else:
                assert found.strip() == content.strip()
            # Each of these templates keeps a part of the content as it is.
            assert content[message.first :].startswith(found)
            # The places are in the order of the messages, so none of them is that of another.
            assert message.role == "system" or start >= reached
            reached = stop


def test_roles_and_turns_select_the_contents_and_nothing_else(tokenizer_of):
    tokenizer = with_template(tokenizer_of("gpt2"), "chatml")
    (text,) = encoder_of(tokenizer).encode([[SYSTEM, USER, ASSISTANT, USER, ASSISTANT]])
    for rule, expected in (
        (where.role("system"), SYSTEM["content"]),
        (where.role("user"), USER["content"] * 2),
        (where.role("assistant"), ASSISTANT["content"] * 2),
        (where.turn(2), ASSISTANT["content"]),
        (where.turn(-2), USER["content"]),
        (where.turn(9), ""),
        (where.role("tool"), ""),
    ):
        ids = text.inputs["input_ids"][rule.select(text)]
        assert tokenizer.decode(ids) == expected
    special = text.inputs["input_ids"][where.special().select(text)]
    assert set(tokenizer.convert_ids_to_tokens(special)) == {"<|im_start|>", "<|im_end|>"}


@pytest.mark.parametrize("family", ["llama 3", "chatml"])
def test_tool_turns(tokenizer_of, family):
    tokenizer = with_template(tokenizer_of("gpt2"), family)
    chat = [USER, CALL, TOOL, ASSISTANT]
    (text,) = encoder_of(tokenizer).encode([chat])
    assert text.inputs["input_ids"].tolist() == tokenizer.apply_chat_template(chat)["input_ids"]
    assert text.messages[1].spans == ()  # the call is not the content
    ((start, stop),) = text.messages[2].spans
    quoted = TOOL["content"].replace('"', '\\"')
    assert text.text[start:stop] == (quoted if family == "llama 3" else TOOL["content"])
    assert text.messages[2].first == (0 if family == "chatml" else None)


@pytest.mark.parametrize("family", ["llama 3", "chatml", "qwen 3"])
def test_spans_of_contents_that_a_template_shortens(tokenizer_of, family):
    """Characters are counted in the content as it was passed."""
    tokenizer = with_template(tokenizer_of("gpt2"), family)
    asked = {"role": "user", "content": "  Is Rome in Italy?\n"}
    thought = {"role": "assistant", "content": "<think>Rome?</think>\n\nRome is, yes."}
    for message, content, word in ((0, asked["content"], "Italy"), (1, thought["content"], "yes")):
        (text,) = encoder_of(tokenizer).encode([[asked, thought, USER]])
        start = content.index(word)
        span = Span(0, message, start, start + len(word), "x")
        rows = token_rows(text, None, [span], None)
        first, stop = text.offsets[rows[0].places[0], 0], text.offsets[rows[-1].places[0], 1]
        assert text.text[first:stop].strip() == word
    if family == "qwen 3":
        with pytest.raises(ValueError, match=r"with 22 <= start < stop <= 35, the part that the"):
            token_rows(text, None, [Span(0, 1, 7, 11, "x")], None)


def test_a_span_in_a_content_that_is_kept_in_another_form(tokenizer_of):
    tokenizer = with_template(tokenizer_of("gpt2"), "llama 3")
    (text,) = encoder_of(tokenizer).encode([[USER, CALL, TOOL, ASSISTANT]])
    with pytest.raises(ValueError, match=r"the chat template changes the content of message 2"):
        token_rows(text, None, [Span(0, 2, 0, 5, "x")], None)


def test_contents_in_parts(tokenizer_of):
    tokenizer = with_template(tokenizer_of("gpt2"), "gemma 3")
    parts = [
        {"type": "text", "text": "What is"},
        {"type": "image"},
        {"type": "text", "text": "it?"},
    ]
    (text,) = encoder_of(tokenizer).encode([[{"role": "user", "content": parts}]])
    assert [text.text[slice(*span)] for span in text.messages[0].spans] == ["What is", "it?"]


def test_variables_of_the_template_and_other_templates(tokenizer_of):
    tokenizer = with_template(tokenizer_of("gpt2"), "qwen 3")
    options = {"enable_thinking": False}
    (text,) = encoder_of(tokenizer, add_generation_prompt=True, options=options).encode([[USER]])
    expected = tokenizer.apply_chat_template([USER], add_generation_prompt=True, **options)
    assert text.inputs["input_ids"].tolist() == expected["input_ids"]
    assert text.text.endswith("</think>\n\n")
    other = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    (text,) = encoder_of(tokenizer, template=other).encode([[USER]])
    assert text.text == f"user: {USER['content']}\n"


@pytest.mark.parametrize("kind", KINDS)
def test_the_tokens_of_a_string_are_those_of_the_tokenizer(tokenizer_of, kind):
    tokenizer = tokenizer_of(kind)
    for text, given_text in zip(encoder_of(tokenizer).encode(TEXTS), TEXTS, strict=True):
        output = tokenizer(given_text)
        assert text.text == given_text
        assert text.inputs["input_ids"].tolist() == output["input_ids"]
        if "token_type_ids" in output:
            assert text.inputs["token_type_ids"].tolist() == output["token_type_ids"]
        if kind in SLOW:
            with pytest.raises(ValueError, match="not a fast one"):
                text.within(0, 1)
        else:
            words = text.words(range(text.n_tokens))
            for word, (start, stop) in zip(words, text.offsets, strict=True):
                assert start == stop or word == given_text[start:stop]


@pytest.mark.parametrize("kind", ["gpt2", "roberta", "llama", "t5", "bert"])
@given(
    text=st.text(
        st.sampled_from("ab Z9.\n\t-é日本語ع🗼👩\u200d\u0301\u00a0(){}=_'\""),
        min_size=1,
        max_size=40,
    ),
    data=st.data(),
)
def test_spans_cover_the_tokens_of_their_characters(tokenizer_of, kind, text, data):
    tokenizer = tokenizer_of(kind)
    try:
        (encoded,) = encoder_of(tokenizer).encode([text])
    except ValueError as error:
        assert re.search("does not return any tokens", str(error))  # noqa: PT017 -- or no error
        return
    start = data.draw(st.integers(0, len(text) - 1))
    stop = data.draw(st.integers(start + 1, len(text)))
    mask = encoded.within(start, stop)
    covered = {c for first, end in encoded.offsets[mask] for c in range(first, end)}
    everywhere = {c for first, end in encoded.offsets for c in range(first, end)}
    assert set(range(start, stop)) & everywhere <= covered
    for first, end in encoded.offsets[mask]:
        assert first < stop
        assert end > start
    if kind == "gpt2":  # no character is dropped
        assert everywhere == set(range(len(text)))
        assert mask.any()


@pytest.mark.parametrize("kind", ["gpt2", "llama", "bert", "t5", "byt5"])
def test_token_indices_are_texts(tokenizer_of, kind):
    tokenizer = tokenizer_of(kind)
    ids = tokenizer("The cat sat on seventy mats.")["input_ids"]
    forms = [ids, np.array(ids), torch.tensor(ids), {"input_ids": ids}]
    for text in encoder_of(tokenizer).encode(forms):
        assert text.inputs["input_ids"].tolist() == ids
        decoded = tokenizer.decode(ids, clean_up_tokenization_spaces=False)
        assert text.text == decoded
        found = "".join(decoded[first:end] for first, end in text.offsets)
        assert found == decoded


def test_the_parts_of_a_character_have_this_character(tokenizer_of):
    tokenizer = tokenizer_of("gpt2")
    ids = tokenizer("a🗼b")["input_ids"]
    assert len(ids) == 6
    (text,) = encoder_of(tokenizer).encode([ids])
    assert text.offsets.tolist() == [[0, 1], [1, 2], [1, 2], [1, 2], [1, 2], [2, 3]]


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_inputs_of_a_batch_are_texts_without_their_padding(tokenizer_of, side):
    tokenizer = tokenizer_of("bert")
    tokenizer.padding_side = side
    batch = tokenizer(["The cat.", "It sat on the mat."], padding=True, return_tensors="pt")
    texts = list(encoder_of(tokenizer).encode(check_texts_of_tokens(batch)))
    alone = [tokenizer(text)["input_ids"] for text in ("The cat.", "It sat on the mat.")]
    assert [text.inputs["input_ids"].tolist() for text in texts] == alone


def test_texts_in_any_order_of_kinds(tokenizer_of):
    tokenizer = with_template(tokenizer_of("gpt2"), "chatml")
    given_texts = ["one", [USER], [5, 6], "two", [USER, ASSISTANT]]
    texts = list(encoder_of(tokenizer).encode(given_texts))
    assert [text.index for text in texts] == [0, 1, 2, 3, 4]
    assert [texts[0].text, texts[3].text] == ["one", "two"]
    assert (
        texts[4].inputs["input_ids"].tolist()
        == (tokenizer.apply_chat_template(given_texts[4])["input_ids"])
    )


def test_special_tokens_in_texts_and_messages(tokenizer_of):
    tokenizer = with_template(tokenizer_of("gpt2"), "chatml")
    prompt = "<|im_start|>user\nHello"
    with pytest.raises(ValueError, match=r"Text 1, character 0: .*'<\|im_start\|>', a special"):
        list(encoder_of(tokenizer).encode(["Hello", prompt]))
    (text,) = encoder_of(tokenizer, split=False).encode([prompt])
    assert text.inputs["input_ids"].tolist() == tokenizer(prompt)["input_ids"]
    assert text.is_special.tolist() == [True] + [False] * (text.n_tokens - 1)
    (text,) = encoder_of(tokenizer, split=True).encode([prompt])
    assert not text.is_special.any()
    chat = [USER, {"role": "assistant", "content": "Yes.<|im_end|> No."}]
    with pytest.raises(ValueError, match=r"Text 0, message 1, character 4: .*'<\|im_end\|>'"):
        list(encoder_of(tokenizer).encode([chat]))
    (text,) = encoder_of(tokenizer, split=False).encode([chat])
    assert text.inputs["input_ids"].tolist() == tokenizer.apply_chat_template(chat)["input_ids"]
    with pytest.raises(ValueError, match="split_special_tokens=True cannot be used"):
        list(encoder_of(tokenizer, split=True).encode([chat]))


def test_a_second_beginning_is_warned_of(tokenizer_of):
    tokenizer = tokenizer_of("llama")
    tokenizer.add_bos_token = True
    assert tokenizer("a")["input_ids"][0] == tokenizer.bos_token_id
    with pytest.warns(
        UserWarning, match="1 text already starts with '<s>', and LlamaTokenizer adds"
    ):
        list(encoder_of(tokenizer, split=False).encode(["<s>The cat", "The cat"]))


@pytest.mark.parametrize(
    ("texts", "error", "message"),
    [
        ("text", TypeError, "got a single str"),
        ([USER], TypeError, "got a single conversation"),
        ({"role": "user"}, TypeError, "got a single dict"),
        ({"a"}, TypeError, "got a single set"),
        (3, TypeError, "got int 3"),
        ([], ValueError, "got an empty list"),
        (
            {"input_ids": [[1, 2]], "attention_mask": [[1]]},
            ValueError,
            "input_ids and attention_mask must have the same shape",
        ),
    ],
)
def test_texts_that_are_not_a_list(texts, error, message):
    with pytest.raises(error, match=message):
        check_texts_of_tokens(texts)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("", ValueError, "Text 1 is an empty string"),
        ("\ud800", ValueError, "Text 1, character 0: .* half of a character"),
        (["a", "b"], TypeError, r"Text 1: expected a string, a list of messages or a list of"),
        ([1.5], TypeError, "Text 1: expected a string"),
        (None, TypeError, "Text 1: expected a string"),
        ([], TypeError, "Text 1: expected a string"),
        ([[1, 2]], TypeError, "Text 1: expected a string"),
        ([-1], ValueError, "contains the negative number -1"),
        ([10**6], ValueError, "contains the token index 1000000, but GPT2Tokenizer has"),
        ([USER, "b"], TypeError, "Text 1, message 1: expected a dict with 'role' and 'content'"),
        ([{"content": "a"}], ValueError, "Text 1, message 0: expected a role"),
        ([{"role": "user"}], ValueError, "neither 'content' nor 'tool_calls'"),
        ([{"role": "user", "content": 3}], TypeError, "expected a content that is a string"),
    ],
)
def test_texts_that_are_not_valid(tokenizer_of, text, error, message):
    tokenizer = with_template(tokenizer_of("gpt2"), "chatml")
    with pytest.raises(error, match=message):
        list(encoder_of(tokenizer).encode(["a", text]))


def test_errors_of_templates_name_the_text_and_the_roles(tokenizer_of):
    tokenizer = with_template(tokenizer_of("gpt2"), "gemma")
    with pytest.raises(ValueError, match=r"Text 1: .*\['system', 'user'\]. .*System role not supp"):
        list(encoder_of(tokenizer).encode([[USER], [SYSTEM, USER]]))
    with pytest.raises(ValueError, match="GPT2Tokenizer does not have a chat template"):
        list(encoder_of(tokenizer_of("gpt2")).encode([[USER]]))
    template = "{% for m in messages %}{{ m.content | upper }}{% endfor %}"
    (text,) = encoder_of(tokenizer, template=template).encode([[USER, THINKING, AGAIN]])
    assert where.last().select(text).sum() == 1  # the messages do not matter here
    with pytest.raises(ValueError, match="Text 0: the contents of the messages cannot be found"):
        where.role("user").select(text)


def test_messages_that_the_template_leaves_out(tokenizer_of):
    tokenizer = with_template(tokenizer_of("gpt2"), "zephyr")
    typo = {"role": "asistant", "content": "In France."}
    with pytest.warns(
        UserWarning, match="1 message; the first is message 1 of text 1, with the ro"
    ):
        texts = list(encoder_of(tokenizer).encode([[USER], [USER, typo, USER]]))
    with pytest.raises(
        ValueError, match=r"spans\[3\]: the chat template leaves out the content of"
    ):
        token_rows(texts[1], None, [Span(3, 1, 0, 2, "a")], None)
    with pytest.raises(ValueError, match=r"does not contain any of the messages, .*\['asistant'\]"):
        list(encoder_of(tokenizer).encode([[typo]]))
    with pytest.raises(ValueError, match="Check the roles and chat_template"):
        list(encoder_of(tokenizer, template="chat_template.jinja").encode([[USER]]))


def test_blank_contents(tokenizer_of):
    tokenizer = with_template(tokenizer_of("gpt2"), "chatml")
    for content in ("", " "):
        chat = [USER, {**CALL, "content": content}, TOOL, {"role": "user", "content": content}]
        (text,) = encoder_of(tokenizer).encode([chat])
        ids = tokenizer.apply_chat_template(chat)["input_ids"]
        assert text.inputs["input_ids"].tolist() == ids
        assert [bool(turn.spans) for turn in text.messages] == [True, False, True, False]
        assert not where.role("assistant").select(text).any()


def test_long_conversations_whose_contents_are_changed(tokenizer_of):
    """The time is linear in the number of messages: this one would otherwise take hours."""
    tokenizer = with_template(tokenizer_of("gpt2"), "qwen 3")
    chat = [USER, THINKING] * 100
    (text,) = encoder_of(tokenizer).encode([chat])
    assert len(text.messages) == 200
    found = {text.text[slice(*turn.spans[0])] for turn in text.messages[1::2]}
    assert found == {"Yes."}


def test_white_space_has_its_characters(tokenizer_of):
    """RoBERTa's tokenizer cuts spaces off the offsets of its tokens."""
    text = "a    b  c "
    (encoded,) = encoder_of(tokenizer_of("roberta")).encode([text])
    everywhere = {c for first, end in encoded.offsets for c in range(first, end)}
    assert set(range(1, 4)) <= everywhere
    mask = where.span("    ").select(encoded)
    assert mask.any()
    assert not encoded.within(3, 3).any()  # an empty range contains nothing


def test_messages_are_not_changed(tokenizer_of):
    tokenizer = with_template(tokenizer_of("gpt2"), "chatml")
    chat = [dict(USER), {"role": "assistant", "content": [{"type": "text", "text": "a"}]}]
    before = repr(chat)
    with pytest.raises(ValueError, match="cannot be applied"):
        list(encoder_of(tokenizer).encode([chat]))
    list(encoder_of(tokenizer).encode([chat[:1]]))
    assert repr(chat) == before
