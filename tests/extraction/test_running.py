"""Batches through a model, and the precision of what is computed."""

import numpy as np
import pytest
import torch
import transformers

from sklearn_neurox import ActivationExtractor


@pytest.mark.parametrize("batch_tokens", [1, 30, 200])
def test_batches_stay_within_their_budget_and_need_little_padding(tiny_bert, corpus, batch_tokens):
    model, tokenizer = tiny_bert
    shapes, real = [], []

    def record(module, args, kwargs):
        shapes.append(tuple(kwargs["input_ids"].shape))
        real.append(int(kwargs["attention_mask"].sum()))

    handle = model.register_forward_pre_hook(record, with_kwargs=True)
    try:
        ActivationExtractor(model, tokenizer, batch_tokens=batch_tokens).extract(corpus.sentences)
    finally:
        handle.remove()
    if batch_tokens > 1:  # the first two check whether padding leaks, with one sentence
        assert [n for n, _ in shapes[:2]] == [1, 1]
        del shapes[:2], real[:2]
    assert sum(n for n, _ in shapes) == len(corpus.sentences)
    assert all(n == 1 or n * length <= batch_tokens for n, length in shapes)
    assert sum(real) > 0.9 * sum(n * length for n, length in shapes)
    assert batch_tokens == 1 or len(shapes) < len(corpus.sentences)


def test_activations_that_are_not_finite(tiny_bert):
    from copy import deepcopy

    model, tokenizer = deepcopy(tiny_bert[0]), tiny_bert[1]
    with torch.no_grad():
        model.embeddings.word_embeddings.weight[tokenizer.convert_tokens_to_ids("z")] = torch.nan
    extractor = ActivationExtractor(model, tokenizer)
    assert len(extractor.extract(["a", "b"])) == 2
    with pytest.raises(
        ValueError, match="Sentence 1 has activations that are NaN or infinite in float32"
    ):
        extractor.extract(["a", "z", "b"])


def test_layers_of_different_widths(zoo, corpus, sentences):
    tokenizer = zoo("gpt2")[1]
    config = transformers.OPTConfig(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=3, num_attention_heads=2,
        ffn_dim=24, max_position_embeddings=80, word_embed_proj_dim=8, pad_token_id=1,
    )  # fmt: skip
    model = transformers.OPTModel(config).eval()
    with pytest.raises(ValueError, match=r"have different widths, \[16, 16, 16, 8\]"):
        ActivationExtractor(model, tokenizer).extract(sentences)
    assert ActivationExtractor(model, tokenizer, layers=[3]).extract(sentences).X.shape[1] == 8


def test_a_mean_in_half_precision(zoo):
    from copy import deepcopy

    model, tokenizer = zoo("gpt2")
    text = ["the rain " * 9]
    exact = ActivationExtractor(model, tokenizer, layers=[0]).transform(text)
    half = ActivationExtractor(deepcopy(model).bfloat16(), tokenizer, layers=[0]).transform(text)
    assert np.abs(half - exact).max() < 0.02 * np.abs(exact).max()


def test_autocast_is_less_exact(zoo, sentences):
    exact = ActivationExtractor(*zoo("bert")).extract(sentences).X
    narrow = (
        ActivationExtractor(*zoo("bert"), autocast="bfloat16", device="cpu").extract(sentences).X
    )
    assert narrow.dtype == np.float32
    difference = np.abs(narrow - exact).max()
    assert 1e-5 < difference < 0.1
