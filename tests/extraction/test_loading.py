"""Models and tokenizers by name, by path, and with random weights."""

from pathlib import Path

import numpy as np
import pytest
import torch

from sklearn_neurox import ActivationExtractor
from sklearn_neurox.extraction._loading import load_model

from .small_models import stack


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
