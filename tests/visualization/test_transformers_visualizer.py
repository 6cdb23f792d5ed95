"""The drawing shows the activations that the extractor returns."""

import re

import numpy as np
import pytest
import torch

from sklearn_neurox import ActivationExtractor, TransformersVisualizer, visualize_activations
from sklearn_neurox.extraction import extractor as extraction

SENTENCE = ["The", "rain", "in", "Spain"]


@pytest.fixture
def runs(tiny_bert):
    """The number of blocks in each run of the model."""
    model, _ = tiny_bert
    counts = []
    hooks = [
        model.embeddings.register_forward_hook(lambda *_: counts.append(0)),
        *(
            block.register_forward_hook(lambda *_: counts.append(counts.pop() + 1))
            for block in model.encoder.layer
        ),
    ]
    yield counts
    for hook in hooks:
        hook.remove()


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_it_draws_the_extracted_activations(tiny_bert, layer):
    every = ActivationExtractor(*tiny_bert).extract([SENTENCE])
    drawing = TransformersVisualizer(*tiny_bert)(SENTENCE, layer, 5)
    expected = visualize_activations(SENTENCE, every.layer(layer)[:, 5])
    assert drawing.tostring() == expected.tostring()
    other = visualize_activations(SENTENCE, every.layer(layer)[:, 6])
    assert drawing.tostring() != other.tostring()


def test_words_may_be_a_string_or_an_array(tiny_bert):
    visualizer = TransformersVisualizer(*tiny_bert)
    expected = visualizer(SENTENCE, 1, 0).tostring()
    for words in (" ".join(SENTENCE), np.array(SENTENCE), tuple(SENTENCE)):
        fresh = TransformersVisualizer(*tiny_bert)
        assert fresh(words, np.int64(1), np.int64(0)).tostring() == expected


@pytest.mark.parametrize("kind", ["path", "name", "pair"])
def test_a_model_by_name_is_loaded_once_on_first_use(tiny_bert, tiny_bert_path, monkeypatch, kind):
    loads = []
    load = extraction.load_model
    monkeypatch.setattr(
        extraction, "load_model", lambda *args, **kwargs: loads.append(1) or load(*args, **kwargs)
    )
    name = {
        "path": tiny_bert_path,
        "name": str(tiny_bert_path),
        "pair": f"{tiny_bert_path},{tiny_bert_path}",
    }[kind]
    visualizer = TransformersVisualizer(name)
    assert loads == []
    found = visualizer(SENTENCE, 2, 3).tostring()
    visualizer(["Other", "words"], 1, 3)
    assert visualizer.model.config.num_hidden_layers == 2
    assert visualizer.tokenizer.model_max_length == 64
    assert loads == [1]

    def opacities(svg):
        return [float(o) for o in re.findall(r'opacity="([\d.]+)"', svg)]

    expected = TransformersVisualizer(*tiny_bert)(SENTENCE, 2, 3).tostring()
    np.testing.assert_allclose(opacities(found), opacities(expected), atol=1e-3)


def test_a_relative_path_is_resolved_when_the_visualizer_is_made(
    tiny_bert, tiny_bert_path, monkeypatch, tmp_path
):
    monkeypatch.chdir(tiny_bert_path.parent)
    visualizer = TransformersVisualizer(tiny_bert_path.name)
    monkeypatch.chdir(tmp_path)
    expected = TransformersVisualizer(*tiny_bert)(["She", "ran"], 1, 7).tostring()
    assert visualizer(["She", "ran"], 1, 7).tostring() == expected
    with pytest.raises(ValueError, match=r"the folder '.*' does not exist"):
        TransformersVisualizer("./" + tiny_bert_path.name)


def test_the_model_runs_once_for_a_sentence_and_layer(tiny_bert, runs):
    visualizer = TransformersVisualizer(*tiny_bert)
    for neuron in (0, 7, 15):
        visualizer(SENTENCE, 1, neuron)
    assert runs == [1]  # only up to the requested layer
    visualizer(SENTENCE, 2, 0)
    visualizer(SENTENCE, 1, 1)
    assert runs == [1, 2]
    visualizer(["Other"], 0, 0)
    assert runs == [1, 2, 0]
    visualizer(SENTENCE, 1, 0)  # only the last sentence is kept
    assert runs == [1, 2, 0, 1]


def test_random_weights_are_initialized_once(tiny_bert):
    visualizer = TransformersVisualizer(*tiny_bert, random_weights=True)
    first = visualizer(SENTENCE, 1, 0).tostring()
    visualizer(["Other"], 1, 0)
    assert visualizer(SENTENCE, 1, 0).tostring() == first
    assert TransformersVisualizer(*tiny_bert)(SENTENCE, 1, 0).tostring() != first


def test_the_encoder_of_an_encoder_decoder():
    from transformers import BartConfig, BartModel, ByT5Tokenizer

    tokenizer = ByT5Tokenizer()
    torch.manual_seed(0)
    config = BartConfig(
        vocab_size=len(tokenizer), d_model=8, encoder_layers=2, decoder_layers=1, encoder_ffn_dim=8,
        encoder_attention_heads=2, decoder_attention_heads=2, decoder_ffn_dim=8,
    )  # fmt: skip
    model = BartModel(config).eval()
    visualizer = TransformersVisualizer(model, tokenizer)
    every = ActivationExtractor(model, tokenizer).extract([SENTENCE])
    for layer in (1, 2):
        expected = visualize_activations(SENTENCE, every.layer(layer)[:, 7]).tostring()
        assert visualizer(SENTENCE, layer, 7).tostring() == expected


def test_parameters_are_passed_to_the_extractor_and_options_to_the_drawing(tiny_bert):
    visualizer = TransformersVisualizer(
        *tiny_bert, include_special_tokens=True, modules="mlp", aggregation="mean"
    )
    drawing = visualizer(SENTENCE, 1, 31, text_direction="rtl", font_size=11).tostring()
    assert 'font-size="11"' in drawing
    assert re.findall(r"<title>(\S+): ", drawing) == ["[CLS]", *SENTENCE, "[SEP]"]


def test_words_without_a_row_are_not_drawn(tiny_bert):
    visualizer = TransformersVisualizer(*tiny_bert, max_length=4, on_truncate="warn")
    with pytest.warns(UserWarning, match="2 words do not have a row in X"):
        drawing = visualizer(["a", "a", "a", "a"], 1, 0)
    assert re.findall(r"<title>(\S+): ", drawing.tostring()) == ["a", "a"]


def test_repr(tiny_bert):
    assert repr(TransformersVisualizer("some/model")) == "TransformersVisualizer('some/model')"
    assert repr(TransformersVisualizer(*tiny_bert)) == "TransformersVisualizer(BertModel)"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            (SENTENCE, 3, 0),
            ValueError,
            r"layers must be between 0 \(embeddings\) and 2 for this model, got \[3\]",
        ),
        ((SENTENCE, -1, 0), ValueError, "layer must be non-negative, got -1"),
        ((SENTENCE, 1, -1), ValueError, "neuron must be non-negative, got -1"),
        ((SENTENCE, 1.0, 0), TypeError, r"layer must be an integer, got float 1\.0"),
        ((SENTENCE, True, 0), TypeError, "layer must be an integer, got bool True"),
        ((SENTENCE, 1, "0"), TypeError, "neuron must be an integer, got str '0'"),
        ((None, 1, 0), TypeError, "words must be a list of words or a string, got NoneType"),
        (([1, 2], 1, 0), TypeError, "word 0: expected a string, got int 1"),
        (([], 1, 0), ValueError, "Sentence 0 is empty"),
        (("", 1, 0), ValueError, "Sentence 0 is empty"),
        (("two  spaces", 1, 0), ValueError, "word 1: expected a word without white space, got ''"),
    ],
)
def test_errors_are_raised_before_the_model_runs(tiny_bert, runs, arguments, error, message):
    with pytest.raises(error, match=message):
        TransformersVisualizer(*tiny_bert)(*arguments)
    assert runs == []


def test_the_layer_does_not_have_the_neuron(tiny_bert, runs):
    visualizer = TransformersVisualizer(*tiny_bert)
    for words in (SENTENCE, ["Other"]):  # for the second, the width is known
        with pytest.raises(ValueError, match="neuron must be from 0 to 15 in layer 1, got 16"):
            visualizer(words, 1, 16)
    assert runs == [1]


def test_unknown_parameters(tiny_bert):
    with pytest.raises(TypeError, match="unexpected keyword argument 'leyers'"):
        TransformersVisualizer(*tiny_bert, leyers=[1])
    with pytest.raises(
        TypeError, match=r"layers cannot be passed. Pass layer to each call instead"
    ):
        TransformersVisualizer(*tiny_bert, layers=[1])
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        TransformersVisualizer(*tiny_bert)(SENTENCE, 1, 0, colour="red")
    with pytest.raises(ValueError, match="A loaded model requires its tokenizer"):
        TransformersVisualizer(tiny_bert[0])(SENTENCE, 1, 0)
