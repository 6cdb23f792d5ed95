"""Tokenizers that do not know any word, or more sub-words than the model."""

import shutil

import numpy as np
import pytest
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from sklearn_neurox import ActivationExtractor


@pytest.fixture
def bare(tiny_bert_path, tmp_path):
    """Return a folder with a model and without its tokenizer."""
    for name in ("config.json", "model.safetensors"):
        shutil.copy(tiny_bert_path / name, tmp_path)
    return tmp_path


def test_a_folder_without_a_tokenizer(bare, tiny_bert):
    message = r"The tokenizer '.*' does not know any word: .* only its 5 special tokens.*\(model, tokenizer\)"
    for use in ("extract", "transform"):
        with pytest.raises(ValueError, match=message):
            getattr(ActivationExtractor(bare), use)(["She ran home ."])
    model = transformers.AutoModel.from_pretrained(bare)
    with pytest.raises(ValueError, match=message):
        ActivationExtractor(model, bare).extract(["She ran home ."])
    expected = ActivationExtractor(*tiny_bert).extract(["She ran home ."]).X
    given = ActivationExtractor(bare, tiny_bert[1]).extract(["She ran home ."]).X
    np.testing.assert_allclose(given, expected, atol=1e-6)


def test_t5_without_a_vocabulary(tmp_path):
    """The tokenizer contains the mark of a space, but no words."""
    config = transformers.T5Config(
        vocab_size=200, d_model=16, d_kv=8, d_ff=24, num_layers=1, num_heads=2
    )
    transformers.T5EncoderModel(config).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="does not know any word"):
        ActivationExtractor(tmp_path).extract(["She ran home ."])


@pytest.mark.parametrize("use", ["extract", "transform"])
def test_most_of_the_text_is_unknown(tiny_bert, use):
    extractor = ActivationExtractor(*tiny_bert)
    with pytest.warns(
        UserWarning, match=r"67% of the sub-words are '\[UNK\]', that is, unknown to Bert"
    ):
        getattr(extractor, use)(["日 本", "a"])
    assert len(getattr(extractor, use)(["日 a", "a"]))  # a third, and no warning


@pytest.mark.parametrize("use", ["extract", "transform"])
def test_a_tokenizer_larger_than_the_model(tiny_bert, use):
    tokenizer = tiny_bert[1]
    config = transformers.BertConfig(
        vocab_size=100, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=24,
    )  # fmt: skip
    extractor = ActivationExtractor(transformers.BertModel(config), tokenizer)
    highest = int(np.argmax([max(tokenizer(w).input_ids) > 99 for w in ("a", "the")]))
    assert highest == 1
    with pytest.raises(
        ValueError,
        match=rf"Sentence 1 contains the sub-word '.*' with index \d+, but BertModel has 100 embeddings "
        rf"and BertTokenizer {len(tokenizer)} sub-words\. Use the tokenizer of this model",
    ):
        getattr(extractor, use)(["a", "the"])
    assert len(getattr(extractor, use)(["a"]))  # sub-words that are not used do no harm


def test_a_padding_token_without_an_embedding(tiny_bert):
    from copy import deepcopy

    model, tokenizer = tiny_bert[0], deepcopy(tiny_bert[1])
    expected = ActivationExtractor(*tiny_bert).extract(["a b c d", "a"]).X
    tokenizer.add_special_tokens({"pad_token": "[PADDING]"})
    assert tokenizer.pad_token_id >= model.config.vocab_size
    found = ActivationExtractor(model, tokenizer).extract(["a b c d", "a"]).X
    np.testing.assert_allclose(found, expected, atol=1e-6)


def word_level():
    """Return a tokenizer whose sub-words are words."""
    names = ["<pad>", "<unk>", "<s>", "</s>", "<mask>", "She", "ran", "<", ">", "mask"]
    words = Tokenizer(models.WordLevel({name: i for i, name in enumerate(names)}, "<unk>"))
    words.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    words.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 2), ("</s>", 3)]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", unk_token="<unk>", bos_token="<s>",
        eos_token="</s>", mask_token="<mask>",
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["bert", "words", "byt5"])
def test_a_special_token_in_the_text_is_text(tiny_bert, kind):
    """In extract and in transform, if it is to be split."""
    tokenizer = {
        "bert": lambda: tiny_bert[1],
        "words": word_level,
        "byt5": transformers.ByT5Tokenizer,
    }[kind]()
    special = tokenizer.mask_token or tokenizer.eos_token
    number = tokenizer.convert_tokens_to_ids(special)
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=500, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=24,
    )  # fmt: skip
    model = transformers.BertModel(config).eval()
    seen = []
    model.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(kwargs["input_ids"][0].tolist()), with_kwargs=True
    )
    extractor = ActivationExtractor(model, tokenizer, split_special_tokens=True)
    text = f"She ran {special} She ran She"
    assert tokenizer(text).input_ids.count(number) - tokenizer("She").input_ids.count(number) == 1
    extractor.extract([text.split()])
    extractor.transform([text])
    extractor.transform([text.split()])
    assert seen[0] == seen[1] == seen[2]
    assert seen[0].count(number) == tokenizer("She").input_ids.count(number)
