"""Models in which padding affects the states: each sentence has the states that it has alone."""

import warnings

import numpy as np
import pytest
import torch
import transformers

from sklearn_neurox import ActivationExtractor, StoreWriter
from sklearn_neurox.extraction._padding import leaks
from sklearn_neurox.extraction._running import Run

SMALL = dict(
    hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24,
    max_position_embeddings=80,
)  # fmt: skip
WARNING = "FNetModel lets padding affect the states"


def fnet(n):
    config = {name: n for name, n in SMALL.items() if name != "num_attention_heads"}
    return transformers.FNetModel(transformers.FNetConfig(vocab_size=n, **config))


def convbert(n):
    return transformers.ConvBertModel(
        transformers.ConvBertConfig(vocab_size=n, embedding_size=16, head_ratio=1, **SMALL)
    )


def mobilebert(n):
    return transformers.MobileBertModel(
        transformers.MobileBertConfig(
            vocab_size=n, embedding_size=16, intra_bottleneck_size=16, **SMALL
        )
    )


def trained(build, tiny_bert):
    """Return a model with weights as large as after training, and the tokenizer of the tests."""
    torch.manual_seed(0)
    model = build(len(tiny_bert[1])).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(0, 0.3)
    return model, tiny_bert[1]


@pytest.fixture(scope="module")
def leaky(tiny_bert):
    return trained(fnet, tiny_bert)


@pytest.fixture(scope="module")
def sentences(corpus):
    return [s for s in corpus.sentences if len(s) < 9][:40]


def alone(extractor, sentences):
    """Return the rows of sentences that are extracted one by one."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a sentence alone has no padding
        return np.vstack([extractor.extract([sentence]).X for sentence in sentences])


@pytest.mark.parametrize("build", [fnet, convbert, mobilebert])
def test_rows_are_those_of_each_sentence_alone(tiny_bert, sentences, build):
    model, tokenizer = trained(build, tiny_bert)
    extractor = ActivationExtractor(model, tokenizer, batch_tokens=200)
    with pytest.warns(UserWarning, match=f"{type(model).__name__} lets padding affect the states"):
        tokens = extractor.extract(sentences)
    expected = alone(extractor, sentences)
    np.testing.assert_allclose(tokens.X, expected, atol=1e-5 * np.abs(expected).max())


def test_whole_sentences_too(leaky, sentences):
    extractor = ActivationExtractor(*leaky)
    texts = [" ".join(sentence) for sentence in sentences]
    with pytest.warns(UserWarning, match=WARNING):
        X = extractor.transform(texts)
    expected = np.vstack([extractor.transform([text]) for text in texts])
    np.testing.assert_allclose(X, expected, atol=1e-5 * np.abs(expected).max())


def test_a_store_and_its_resumption(leaky, sentences, tmp_path, monkeypatch):
    """The first part has no padding: whether there is a leak does not depend on where it resumes."""
    monkeypatch.setattr("sklearn_neurox.extraction._batching._WORDS", 20)
    by_length = sorted(sentences, key=len)
    extractor = ActivationExtractor(*leaky)
    with pytest.warns(UserWarning, match=WARNING):
        whole = extractor.extract(by_length, store=tmp_path / "whole")
    expected = alone(extractor, by_length)
    np.testing.assert_allclose(whole.X, expected, atol=1e-5 * np.abs(expected).max())

    append, calls = StoreWriter.append, []

    def stop(self, X, n_sentences=None):
        calls.append(n_sentences)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return append(self, X, n_sentences)

    monkeypatch.setattr(StoreWriter, "append", stop)
    with pytest.warns(UserWarning, match=WARNING), pytest.raises(KeyboardInterrupt):
        extractor.extract(by_length, store=tmp_path / "interrupted")
    monkeypatch.setattr(StoreWriter, "append", append)
    with pytest.warns(UserWarning, match=WARNING):
        resumed = extractor.extract(by_length, store=tmp_path / "interrupted")
    np.testing.assert_array_equal(resumed.X, whole.X)


def test_layers_below_the_leak_share_batches(leaky, sentences):
    """Padding does not affect the embeddings."""
    assert len(ActivationExtractor(*leaky, layers=[0]).extract(sentences))  # without a warning


def test_it_costs_two_forwards_of_one_sentence(tiny_bert, sentences):
    model, tokenizer = tiny_bert
    shapes = []
    handle = model.register_forward_pre_hook(
        lambda module, args, kwargs: shapes.append(tuple(kwargs["input_ids"].shape)),
        with_kwargs=True,
    )
    try:
        ActivationExtractor(model, tokenizer).extract(sentences)
        probes = [length for n, length in shapes if n == 1]
        shapes.clear()
        ActivationExtractor(model, tokenizer).extract([sentences[0]] * 3)
    finally:
        handle.remove()
    assert len(probes) == 2
    assert probes[0] > probes[1]  # with padding and without
    assert [n for n, _ in shapes] == [3]  # no padding, and no check


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_rounding_is_not_a_leak(tiny_bert, sentences, dtype):
    from copy import deepcopy

    model, tokenizer = deepcopy(tiny_bert[0]).to(getattr(torch, dtype)), tiny_bert[1]
    assert len(ActivationExtractor(model, tokenizer).extract(sentences))
    extractor = ActivationExtractor(*tiny_bert, autocast="bfloat16", device="cpu")
    assert len(extractor.extract(sentences))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_leak_is_detected_in_any_dtype(tiny_bert, sentences, dtype):
    from sklearn_neurox.extraction._encoding import Encoder
    from sklearn_neurox.extraction._network import Network

    model, tokenizer = trained(convbert, tiny_bert)
    sentence = Encoder(tokenizer).words(sentences[0], 0)
    length = len(sentence.row_ids) + 1
    for module, expected in ((model.to(dtype), True), (tiny_bert[0], False)):
        run = Run(Network(module, module), (0, 1, 2), None, "last", 0, 100, "float32", None, 0)
        assert leaks(run, sentence, length) is expected
