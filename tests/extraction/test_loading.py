"""Models and tokenizers by name, by path, and with random weights."""

from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from sklearn_neurox import ActivationExtractor
from sklearn_neurox.extraction._loading import load_model

from .small_models import stack

BART = dict(
    d_model=16, encoder_layers=3, decoder_layers=2, encoder_ffn_dim=24, decoder_ffn_dim=24,
    encoder_attention_heads=2, decoder_attention_heads=2, max_position_embeddings=80,
)  # fmt: skip


class TestRandomWeights:
    @pytest.mark.parametrize("kind", ["bert", "gpt2 with a head", "t5"])
    def test_all_weights_are_new(self, zoo, sentences, kind):
        model, _ = zoo(kind)
        fresh = load_model(model, "cpu", random_weights=True, seed=1).stack
        old = dict(stack(model).named_parameters())
        assert dict(fresh.named_parameters()).keys() == old.keys()
        matrices = [name for name, weight in old.items() if weight.ndim > 1]
        assert matrices
        for name, weight in fresh.named_parameters():
            if weight.ndim > 1:
                assert not torch.isclose(weight, old[name]).float().mean() > 0.1, name

    def test_they_follow_the_random_state_and_leave_torch_alone(self, zoo, sentences):
        def draw(seed):
            extractor = ActivationExtractor(*zoo("bert"), random_weights=True, random_state=seed)
            return extractor.extract(sentences).X

        torch.manual_seed(3)
        expected = torch.rand(3)
        torch.manual_seed(3)
        first, second, other = draw(0), draw(0), draw(1)
        assert torch.equal(torch.rand(3), expected)
        np.testing.assert_array_equal(first, second)
        assert np.abs(first - other).max() > 0.1
        trained = ActivationExtractor(*zoo("bert")).extract(sentences).X
        assert np.abs(first - trained).max() > 0.1

    def test_by_name(self, tiny_bert_path, sentences):
        extractor = ActivationExtractor(str(tiny_bert_path), random_weights=True, random_state=0)
        trained = ActivationExtractor(str(tiny_bert_path)).extract(sentences)
        assert np.abs(extractor.extract(sentences).X - trained.X).max() > 0.1


def test_model_and_tokenizer_in_one_string(tiny_bert, tiny_bert_path, sentences):
    expected = ActivationExtractor(*tiny_bert).extract(sentences).X
    pair = f"{tiny_bert_path},{tiny_bert_path}"
    np.testing.assert_allclose(ActivationExtractor(pair).extract(sentences).X, expected, atol=1e-6)
    with pytest.raises(ValueError, match="Expected 'model' or 'model,tokenizer', got 'a,b,c'"):
        ActivationExtractor("a,b,c").extract(sentences)


def test_a_path_loads_model_and_tokenizer(tiny_bert, tiny_bert_path, corpus):
    sentences = corpus.sentences[:5]
    expected = ActivationExtractor(*tiny_bert).extract(sentences)
    for path in (tiny_bert_path, str(tiny_bert_path)):
        loaded = ActivationExtractor(path, device="cpu").extract(sentences)
        np.testing.assert_allclose(loaded.X, expected.X, atol=1e-6)


def test_a_model_in_training_mode_is_evaluated_and_restored(tiny_bert, corpus):
    model, tokenizer = tiny_bert
    expected = ActivationExtractor(model, tokenizer).extract(corpus.sentences[:5])
    try:
        model.train()
        model.encoder.layer[0].eval()  # as if its dropout were frozen
        modes = [module.training for module in model.modules()]
        tokens = ActivationExtractor(model, tokenizer).extract(corpus.sentences[:5])
        assert [module.training for module in model.modules()] == modes
    finally:
        model.eval()
    np.testing.assert_array_equal(tokens.X, expected.X)


def test_a_module_that_is_not_a_transformer(tiny_bert):
    with pytest.raises(
        ValueError,
        match=r"must be a model of transformers .* got Linear\. Use ModuleActivations for",
    ):
        ActivationExtractor(torch.nn.Linear(2, 2), tiny_bert[1]).extract(["a"])


def test_a_model_that_does_not_exist(tmp_path):
    missing = tmp_path / "bert-base-casde"
    with pytest.raises(
        ValueError,
        match=r"Cannot load the model '.*bert-base-casde': the folder '/.*' does not exist",
    ):
        ActivationExtractor(missing).extract(["a"])


@pytest.mark.parametrize("name", ["./nope", "../nope", "/nowhere/nope", "~/nope", Path("nope")])
def test_a_folder_that_does_not_exist(tiny_bert, name):
    """A string that can only be a path is not searched for on a hub."""
    for what, given in (("model", (name, None)), ("tokenizer", (tiny_bert[0], name))):
        for use in (
            lambda e: e.extract(["a"]),
            lambda e: e.transform(["a"]),
            lambda e: e.fit(),
        ):
            with pytest.raises(
                ValueError,
                match=rf"Cannot load the {what} '.*nope': the folder '/.*' does not exist\.",
            ):
                use(ActivationExtractor(*given))


def test_a_tokenizer_that_does_not_exist(tiny_bert, tmp_path):
    with pytest.raises(
        ValueError, match=r"Cannot load the tokenizer '.*nothing': the folder '/.*' does not exist"
    ):
        ActivationExtractor(tiny_bert[0], tmp_path / "nothing").extract(["a"])


def test_a_loaded_model_needs_its_tokenizer(tiny_bert):
    with pytest.raises(ValueError, match="requires its tokenizer"):
        ActivationExtractor(tiny_bert[0]).extract(["a"])


def test_a_tokenizer_of_another_type(tiny_bert):
    with pytest.raises(TypeError, match="must be a tokenizer of transformers, got function"):
        ActivationExtractor(tiny_bert[0], lambda words: words).extract(["a"])


class TestWeightsMissingInFiles:
    """transformers initializes them randomly, so they are an error if they affect the states."""

    DECODERS = {
        "BartForCausalLM": lambda t, n: t.BartForCausalLM(t.BartConfig(vocab_size=n, **BART)),
        "MBartForCausalLM": lambda t, n: t.MBartForCausalLM(t.MBartConfig(vocab_size=n, **BART)),
        "PegasusForCausalLM": lambda t, n: t.PegasusForCausalLM(
            t.PegasusConfig(vocab_size=n, **BART)
        ),
    }

    @staticmethod
    def change(folder, change):
        """Change the weights in the file of a saved model."""
        weights = load_file(folder / "model.safetensors")
        save_file(change(weights), folder / "model.safetensors", metadata={"format": "pt"})

    @pytest.fixture
    def bert(self, tiny_bert, tmp_path):
        for each in tiny_bert:
            each.save_pretrained(tmp_path)
        return tmp_path

    @pytest.mark.parametrize("name", DECODERS)
    @pytest.mark.parametrize("random_weights", [False, True])
    def test_a_decoder_by_name_is_that_of_the_object(
        self, zoo, sentences, tmp_path, name, random_weights
    ):
        _, tokenizer = zoo("bart")
        torch.manual_seed(0)
        model = self.DECODERS[name](transformers, len(tokenizer)).eval()
        for each in (model, tokenizer):
            each.save_pretrained(tmp_path)
        options = dict(random_weights=random_weights, random_state=0)
        expected = ActivationExtractor(model, tokenizer, **options).extract(sentences).X
        assert expected.shape[1] == 3 * 16  # the embeddings and two layers of the decoder
        actual = ActivationExtractor(tmp_path, **options).extract(sentences).X
        np.testing.assert_allclose(actual, expected, atol=1e-6)

    @pytest.mark.parametrize("kind", ["bert", "bart", "t5", "gpt2 with a head", "albert"])
    def test_a_complete_file(self, zoo, sentences, tmp_path, kind):
        model, tokenizer = zoo(kind)
        for each in (model, tokenizer):
            each.save_pretrained(tmp_path)
        expected = ActivationExtractor(model, tokenizer).extract(sentences).X
        actual = ActivationExtractor(tmp_path).extract(sentences).X
        np.testing.assert_allclose(actual, expected, atol=1e-6)

    def test_only_the_layers_that_are_read_are_required(self, zoo, sentences, tmp_path):
        """The decoder of T5, which is not read, is missing in the file of an encoder."""
        model, tokenizer = zoo("t5")
        encoder = transformers.T5EncoderModel(model.config)
        encoder.load_state_dict(model.state_dict(), strict=False)
        for each in (encoder, tokenizer):
            each.save_pretrained(tmp_path)
        expected = ActivationExtractor(model, tokenizer).extract(sentences).X
        actual = ActivationExtractor(tmp_path).extract(sentences).X
        np.testing.assert_allclose(actual, expected, atol=1e-6)

    def test_a_layer(self, bert, sentences):
        first = "encoder.layer.1.attention.self.query.weight"
        removed = [name for name in load_file(bert / "model.safetensors") if "layer.1." in name]
        self.change(bert, lambda w: {name: w[name] for name in w if name not in removed})
        message = rf"{len(removed)} weights of the layers of BertModel are .* first is '{first}'"
        with pytest.raises(ValueError, match=message):
            ActivationExtractor(bert).extract(sentences)

    def test_embeddings_of_another_shape(self, bert, sentences):
        name = "embeddings.position_embeddings.weight"
        self.change(bert, lambda weights: weights | {name: weights[name][:-1].clone()})
        with pytest.raises(ValueError, match=f"1 weights of .* other shapes .* '{name}'"):
            ActivationExtractor(bert).extract(sentences)

    def test_shared_embeddings(self, zoo, sentences, tmp_path):
        for each in zoo("t5"):
            each.save_pretrained(tmp_path)
        self.change(tmp_path, lambda w: {name: w[name] for name in w if name != "shared.weight"})
        with pytest.raises(
            ValueError, match=r"weights of the layers of T5Model .*'shared\.weight'"
        ):
            ActivationExtractor(tmp_path).extract(sentences)

    @pytest.mark.parametrize("change", ["removed", "of another shape"])
    def test_a_pooler_is_not_required(self, bert, tiny_bert, sentences, change):
        def without(weights):
            if change == "removed":
                return {name: weights[name] for name in weights if "pooler" not in name}
            return weights | {"pooler.dense.bias": torch.zeros(3)}

        self.change(bert, without)
        expected = ActivationExtractor(*tiny_bert).extract(sentences).X
        actual = ActivationExtractor(bert).extract(sentences).X
        np.testing.assert_allclose(actual, expected, atol=1e-6)
