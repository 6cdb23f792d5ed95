"""Words and sub-words with every kind of tokenizer: rows are those of each sentence alone."""

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
        extractor = ActivationExtractor(*zoo("bert"), include_special_tokens=True)
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
