"""States of some layers: those of all layers, without computing the layers above."""

import gc
import weakref

import numpy as np
import pytest
import torch
import transformers

from sklearn_neurox import ActivationExtractor
from sklearn_neurox.extraction._states import LayerStates
from sklearn_neurox.extraction.hook_points import blocks_of

from .small_models import KINDS, SMALL, make


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layers", [[0], [1, 2], [3], [0, 3]])
def test_a_subset_of_layers(zoo, sentences, kind, layers):
    every = ActivationExtractor(*zoo(kind)).extract(sentences)
    some = ActivationExtractor(*zoo(kind), layers=layers).extract(sentences)
    np.testing.assert_array_equal(some.X, np.hstack([every.layer(layer) for layer in layers]))


@pytest.mark.parametrize("top", [0, 1, 2, 3])
def test_layers_above_the_last_are_not_computed(zoo, sentences, top):
    model, tokenizer = zoo("bert")
    ran = []
    handles = [
        block.register_forward_hook(lambda *_, i=i: ran.append(i))
        for i, block in enumerate(blocks_of(model))
    ]
    try:
        ActivationExtractor(model, tokenizer, layers=[top]).extract(sentences)
    finally:
        for handle in handles:
            handle.remove()
    assert set(ran) == set(range(top))


def test_all_hooks_are_removed(corpus, sentences):
    model, tokenizer = make("gpt2", corpus, None)

    def hooks():
        return [(len(m._forward_hooks), len(m._forward_pre_hooks)) for m in model.modules()]

    before = hooks()
    ActivationExtractor(model, tokenizer, layers=[1]).extract(sentences)
    with pytest.raises(ValueError, match="was not found in GPT2Block"):
        ActivationExtractor(model, tokenizer, modules="no.such").extract(sentences)
    broken = ActivationExtractor(model, tokenizer, dtype="float16", layers=[0, 2])
    with torch.no_grad():
        model.wte.weight.mul_(1e9)
    with pytest.raises(ValueError, match="NaN or infinite"):
        broken.extract(sentences)
    with torch.no_grad():
        model.wte.weight.mul_(1e-9)
    assert hooks() == before
    with torch.no_grad():
        assert model(input_ids=torch.tensor([[5, 6]])).last_hidden_state.shape == (1, 2, 16)


def test_positions_before_sentences(zoo):
    """XLNet computes with states of shape (positions, sentences, neurons), which a square batch would hide."""
    tokenizer = zoo("gpt2")[1]
    torch.manual_seed(0)
    config = transformers.XLNetConfig(
        vocab_size=len(tokenizer), d_model=16, n_layer=2, n_head=2, d_inner=24
    )
    model = transformers.XLNetModel(config).eval()
    corpus = [["a", "b", "c"], ["a", "a", "b"], ["c", "c", "a"]]
    extractor = ActivationExtractor(model, tokenizer)
    one_by_one = np.vstack([extractor.extract([words]).X for words in corpus])
    np.testing.assert_allclose(extractor.extract(corpus).X, one_by_one, atol=2e-5)


def test_a_module_that_does_not_run(zoo, sentences):
    extractor = ActivationExtractor(*zoo("bert"), modules="attention.self.dropout")
    with pytest.raises(
        ValueError,
        match=r"The module of layer 1 did not run: BertModel does not use it\. Set modules",
    ):
        extractor.extract(sentences)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (
            "SqueezeBert",
            dict(embedding_size=16, **{f"{part}_groups": 1 for part in (
                "q", "k", "v", "post_attention", "intermediate", "output",
            )}),
            "The module of layer 0 did not run: SqueezeBertModel does not call its blocks one by one",
        ),
    ],
)  # fmt: skip
def test_models_with_states_of_another_kind(zoo, kind, options, message):
    tokenizer = zoo("bert")[1]
    config = getattr(transformers, f"{kind}Config")(vocab_size=len(tokenizer), **SMALL, **options)
    model = getattr(transformers, f"{kind}Model")(config).eval()
    with pytest.raises(ValueError, match=f"{message}.*Set modules to .*ModuleActivations"):
        ActivationExtractor(model, tokenizer).extract([["a", "b"], ["c", "d"]])


@pytest.mark.parametrize("kind", ["bert", "llama", "t5"])
def test_the_states_of_the_last_batch_are_freed_at_once(zoo, sentences, kind, monkeypatch):
    """Until Python collects cycles, each part of a large corpus would keep those of a batch."""
    read, run = [], LayerStates.__call__

    def recording(self, inputs):
        states = run(self, inputs)
        read.extend(weakref.ref(state) for state in self._read.values())
        return states

    monkeypatch.setattr(LayerStates, "__call__", recording)
    extractor = ActivationExtractor(*zoo(kind))
    gc.disable()
    try:
        extractor.extract(sentences)
        assert len(read) > 3
        assert not [state for state in read if state() is not None]
    finally:
        gc.enable()
