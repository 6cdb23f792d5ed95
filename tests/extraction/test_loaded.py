"""A model is loaded once in each process, and has the same weights everywhere."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from sklearn_neurox import ActivationExtractor
from sklearn_neurox.extraction import loaded as module
from sklearn_neurox.extraction.loaded import LoadedModel


def weights(loaded):
    return torch.cat([each.flatten() for each in loaded.whole.parameters()])


def test_a_name_is_pickled_without_weights(tiny_bert_path):
    loaded = LoadedModel(ActivationExtractor(str(tiny_bert_path), device="cpu"))
    pickled = pickle.dumps(loaded)
    assert len(pickled) < 5000 < weights(loaded).nbytes
    other = pickle.loads(pickled)
    assert torch.equal(weights(other), weights(loaded))
    assert other.whole is not loaded.whole
    assert other.tokenizer("The rain") == loaded.tokenizer("The rain")


def test_a_relative_path_is_that_of_the_first_process(tiny_bert_path, monkeypatch, tmp_path):
    monkeypatch.chdir(tiny_bert_path.parent)
    loaded = LoadedModel(ActivationExtractor(tiny_bert_path.name, device="cpu"))
    pickled = pickle.dumps(loaded)
    monkeypatch.chdir(tmp_path)
    assert torch.equal(weights(pickle.loads(pickled)), weights(loaded))


def test_a_loaded_model_is_copied(tiny_bert):
    model, tokenizer = tiny_bert
    loaded = LoadedModel(ActivationExtractor(model, tokenizer))
    assert loaded.whole is model
    other = pickle.loads(pickle.dumps(loaded))
    assert other.whole is not model
    assert torch.equal(weights(other), weights(loaded))


def test_random_weights_are_drawn_once(tiny_bert):
    model, tokenizer = copy.deepcopy(tiny_bert)
    extractor = ActivationExtractor(
        model, tokenizer, random_weights=True, random_state=np.random.RandomState(0)
    )
    one, other = LoadedModel(extractor), LoadedModel(extractor)
    assert not torch.equal(weights(one), weights(other))
    assert torch.equal(weights(pickle.loads(pickle.dumps(one))), weights(one))


def test_threads_load_it_once(tiny_bert_path, monkeypatch):
    loaded = pickle.loads(
        pickle.dumps(LoadedModel(ActivationExtractor(str(tiny_bert_path), device="cpu")))
    )
    calls, load = [], module.load_with_head
    monkeypatch.setattr(module, "load_with_head", lambda *a, **k: calls.append(1) or load(*a, **k))
    with ThreadPoolExecutor(4) as pool:
        models = list(pool.map(lambda _: loaded.whole, range(8)))
    assert len({id(model) for model in models}) == len(calls) == 1


@pytest.mark.parametrize(("layers", "expected"), [("all", (0, 1, 2)), ([1], (1,))])
def test_layers(tiny_bert, layers, expected):
    assert LoadedModel(ActivationExtractor(*tiny_bert)).layers(layers, None) == expected


def test_layers_that_do_not_exist(tiny_bert):
    with pytest.raises(ValueError, match="3"):
        LoadedModel(ActivationExtractor(*tiny_bert)).layers([3], None)
