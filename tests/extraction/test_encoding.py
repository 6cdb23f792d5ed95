"""Words and sub-words with every kind of tokenizer: rows are those of each sentence alone."""

from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy

import numpy as np
import pytest
import torch
import transformers
from tokenizers import Regex, pre_tokenizers

from sklearn_neurox import ActivationExtractor
from sklearn_neurox.extraction.aggregation import AGGREGATIONS

from .small_models import KINDS, alone, byte_level_bpe


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_rows_are_those_of_each_sentence_alone(zoo, sentences, kind, aggregation):
    model, tokenizer = zoo(kind)
    extractor = ActivationExtractor(model, tokenizer, aggregation=aggregation, batch_tokens=200)
    tokens = extractor.extract(sentences)
    expected = np.vstack([alone(model, tokenizer, sentence, aggregation) for sentence in sentences])
    np.testing.assert_allclose(tokens.X, expected, atol=2e-5)
    assert tokens.layers == (0, 1, 2, 3)
    assert tokens.words.tolist() == [word for sentence in sentences for word in sentence]


def joining_tokenizer(corpus):
    """Byte-level BPE like that of Llama 3, which joins words that are passed as a list."""
    tokenizer = byte_level_bpe(corpus, bos_token="<s>", eos_token="</s>")
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r" ?\p{L}+| ?[^\s\p{L}]+|\s+"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer.backend_tokenizer, bos_token="<s>", eos_token="</s>"
    )


@pytest.mark.parametrize("words", [["to", "the", "rain"], ["naïve", "日本", "👩‍👩‍👧", "!"]])
def test_words_are_not_joined(zoo, corpus, words):
    model, tokenizer = zoo("llama")[0], joining_tokenizer(corpus)
    tokens = ActivationExtractor(model, tokenizer).extract([words])
    ids = tokenizer(" ".join(words), return_tensors="pt").input_ids
    with torch.no_grad():
        states = model(input_ids=ids, output_hidden_states=True).hidden_states
    states = torch.cat(states, dim=-1)[0].numpy()
    last = [len(tokenizer(" ".join(words[: n + 1])).input_ids) - 1 for n in range(len(words))]
    np.testing.assert_allclose(tokens.X, states[last], atol=2e-5)
    sentence = ActivationExtractor(model, tokenizer)
    np.testing.assert_allclose(
        sentence.transform([words]), sentence.transform([" ".join(words)]), atol=1e-5
    )


def test_words_of_a_byte_level_model_are_not_joined(zoo):
    extractor = ActivationExtractor(*zoo("byt5"))
    np.testing.assert_array_equal(extractor.transform([["ab", "c"]]), extractor.transform(["ab c"]))


def test_bytes_of_several_scripts(zoo):
    model, tokenizer = zoo("byt5")
    words = [["naïve", "日本", "שלום", "👩‍👩‍👧", "a"]]
    tokens = ActivationExtractor(model, tokenizer, aggregation="first").extract(words)
    np.testing.assert_allclose(tokens.X, alone(model, tokenizer, words[0], "first"), atol=2e-5)


@pytest.mark.parametrize("kind", ["bert", "gpt2", "byt5"])
def test_half_of_a_character(zoo, kind):
    extractor = ActivationExtractor(*zoo(kind))
    with pytest.raises(ValueError, match=r"^Sentence 1, word 1: .* a word without lone surrogates"):
        extractor.extract(["a", "a b\ud83d"])
    message = r"the text contains '\\ud83d', which is half of a character"
    with pytest.raises(ValueError, match=rf"^Sentence 1, character 3: {message}"):
        extractor.transform(["a", "a b\ud83d"])


class TestSpecialTokens:
    def test_they_have_rows(self, zoo, sentences):
        model, tokenizer = zoo("bert")
        tokens = ActivationExtractor(model, tokenizer, include_special_tokens=True).extract(
            sentences
        )
        without = ActivationExtractor(model, tokenizer).extract(sentences)
        special = tokens.positions < 0
        np.testing.assert_array_equal(tokens.X[~special], without.X)
        np.testing.assert_array_equal(tokens.words[~special], without.words)
        assert set(tokens.words[special]) == {"[CLS]", "[SEP]"}
        assert special.sum() == 2 * len(sentences)
        first = np.flatnonzero(tokens.sentence_ids == 1)
        assert tokens.words[first].tolist() == ["[CLS]", *sentences[1], "[SEP]"]
        assert tokens.positions[first].tolist() == [-1, *range(len(sentences[1])), -1]
        ids = tokenizer(sentences[1], is_split_into_words=True, return_tensors="pt").input_ids
        with torch.no_grad():
            cls = model(input_ids=ids).last_hidden_state[0, 0]
        np.testing.assert_allclose(tokens.layer(3)[first[0]], cls, atol=2e-5)

    def test_a_word_that_looks_like_one_is_a_word(self, zoo):
        extractor = ActivationExtractor(
            *zoo("bert"), include_special_tokens=True, split_special_tokens=True
        )
        tokens = extractor.extract([["[SEP]", *"abc"]])
        assert tokens.words.tolist() == ["[CLS]", "[SEP]", *"abc", "[SEP]"]
        assert tokens.positions.tolist() == [-1, 0, 1, 2, 3, -1]

    def test_they_do_not_have_labels(self, zoo):
        extractor = ActivationExtractor(*zoo("bert"), include_special_tokens=True)
        with pytest.raises(ValueError, match="because special tokens do not have labels"):
            extractor.extract([["a"]], [["X"]])

    def test_spaces_of_a_byte_level_model_are_not_special_tokens(self, zoo):
        extractor = ActivationExtractor(*zoo("byt5"), include_special_tokens=True)
        tokens = extractor.extract([["a", "b"]])
        assert tokens.words.tolist() == ["a", "b", "</s>"]
        assert tokens.positions.tolist() == [0, 1, -1]

    def test_a_space_before_the_text_is_not_a_special_token(self, zoo):
        extractor = ActivationExtractor(
            *zoo("byt5"), include_special_tokens=True, add_prefix_space=True
        )
        assert extractor.extract([["a", "b"]]).words.tolist() == ["a", "b", "</s>"]


def truncated(tokenizer):
    tokenizer.backend_tokenizer.enable_truncation(4, stride=1, direction="left")


def padded(tokenizer):
    tokenizer.backend_tokenizer.enable_padding(length=40, direction="left", pad_id=7)


# Settings of a tokenizer that do not change what it returns for a text that is not truncated.
SETTINGS = {
    "truncation_side": lambda tokenizer: setattr(tokenizer, "truncation_side", "left"),
    "padding_side": lambda tokenizer: setattr(tokenizer, "padding_side", "left"),
    "split_special_tokens": lambda tokenizer: setattr(tokenizer, "split_special_tokens", True),
    "clean_up": lambda tokenizer: setattr(tokenizer, "clean_up_tokenization_spaces", True),
    "model_max_length": lambda tokenizer: setattr(tokenizer, "model_max_length", 60),
    "model_input_names": lambda tokenizer: setattr(tokenizer, "model_input_names", ["input_ids"]),
    "enabled truncation": truncated,
    "enabled padding": padded,
}


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("kind", ["bert", "gpt2", "byt5"])
def test_settings_of_the_tokenizer_do_not_matter_and_are_kept(zoo, sentences, kind, setting):
    model, tokenizer = zoo(kind)
    if not tokenizer.is_fast and setting.startswith("enabled"):
        pytest.skip("only fast tokenizers have a backend")
    long = [["the"] * 100, *sentences]
    options = {"on_truncate": "warn", "max_length": 50}

    def run(tokenizer):
        extractor = ActivationExtractor(model, tokenizer, **options)
        with pytest.warns(UserWarning, match="exceed the limit of 50 sub-words"):
            tokens = extractor.extract(long)
        with pytest.warns(UserWarning, match="exceed the limit of 50 sub-words"):
            pooled = extractor.transform(long)
        read = extractor.set_params(split_special_tokens=False).transform(["a <s> [SEP] </s> b"])
        return tokens, np.vstack([pooled, read])

    expected = run(tokenizer)
    changed = deepcopy(tokenizer)
    SETTINGS[setting](changed)
    state = state_of(changed)
    found = run(changed)
    assert state_of(changed) == state
    with pytest.raises(ValueError, match="special token of"):
        ActivationExtractor(model, changed).transform(["a", f"a {changed.eos_token or '[SEP]'}"])
    assert state_of(changed) == state
    assert found[0].words.tolist() == expected[0].words.tolist()
    np.testing.assert_array_equal(found[0].X, expected[0].X)
    np.testing.assert_array_equal(found[1], expected[1])


def state_of(tokenizer):
    """Return everything that a call of a tokenizer could change."""
    state = {name: repr(value) for name, value in vars(tokenizer).items() if name != "_tokenizer"}
    backend = getattr(tokenizer, "backend_tokenizer", None)
    return state if backend is None else (state, backend.to_str(), backend.encode_special_tokens)


def test_settings_are_kept_while_threads_share_a_tokenizer(zoo, sentences):
    model, tokenizer = zoo("bert")
    shared = deepcopy(tokenizer)
    truncated(shared)
    padded(shared)
    state = state_of(shared)
    expected = ActivationExtractor(model, tokenizer).transform(sentences)
    with ThreadPoolExecutor(4) as pool:
        extractors = [ActivationExtractor(model, shared) for _ in range(8)]
        for found in pool.map(lambda extractor: extractor.transform(sentences), extractors):
            np.testing.assert_array_equal(found, expected)
    assert state_of(shared) == state
