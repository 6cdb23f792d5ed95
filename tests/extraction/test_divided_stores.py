"""Extraction into stores whose X is divided into files: the rows are the same, bit for bit."""

import os

import numpy as np
import pytest
import torch

from sklearn_neurox import ActivationExtractor, ModuleActivations, StoreWriter, TokenActivations
from sklearn_neurox.__main__ import main

LAYOUTS = [
    {"split_layers": True},
    {"max_file_size": "2000B"},
    {"split_layers": True, "max_file_size": 1000},
]
SENTENCES = [["the", "rain"], ["it", "fell"], ["so"], ["the", "end", "of", "it"]]
TEXTS = ["the rain", "it fell so", "so", "the end of it"]
CALLS = {"extract": SENTENCES, "extract_tokens": TEXTS, "extract_prompts": TEXTS}


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    monkeypatch.setattr("sklearn_neurox.extraction._batching._WORDS", 3)


@pytest.fixture
def extractor(tiny_bert):
    return ActivationExtractor(*tiny_bert, layers=[0, 2])


def same(first, second):
    assert repr(first) == repr(second)
    for name in ("X", "words", "sentence_ids", "positions", "offsets", "y"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


@pytest.mark.parametrize("method", CALLS)
@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_every_method(extractor, tmp_path, method, layout, dtype):
    run = getattr(extractor.set_params(dtype=dtype), method)
    expected = run(CALLS[method], store=tmp_path / "one")
    stored = run(CALLS[method], store=tmp_path / "store", **layout)
    same(stored, expected)
    for rank in (1, 0):
        run(CALLS[method], store=tmp_path / "shards", shard=(rank, 2), **layout)
    assert {path.name: path.read_bytes() for path in (tmp_path / "shards").iterdir()} == {
        path.name: path.read_bytes() for path in (tmp_path / "store").iterdir()
    }
    run(CALLS[method], store=tmp_path / "one", append=True)
    run(CALLS[method], store=tmp_path / "store", append=True, **layout)
    same(
        TokenActivations.load(tmp_path / "store", verify=True),
        TokenActivations.load(tmp_path / "one"),
    )


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_an_interrupted_run_is_resumed(extractor, tmp_path, monkeypatch, layout):
    expected = extractor.extract(SENTENCES, store=tmp_path / "one")
    append, calls = StoreWriter.append, []

    def stop(self, X, n_sentences=None):
        calls.append(n_sentences)
        if len(calls) == 2:
            raise KeyboardInterrupt
        append(self, X, n_sentences)

    with monkeypatch.context() as patch:
        patch.setattr(StoreWriter, "append", stop)
        with pytest.raises(KeyboardInterrupt):
            extractor.extract(SENTENCES, store=tmp_path / "store", **layout)
    assert 0 < TokenActivations.describe(tmp_path / "store")["n_done"] < len(SENTENCES)
    same(extractor.extract(SENTENCES, store=tmp_path / "store", **layout), expected)


@pytest.mark.parametrize("method", CALLS)
def test_a_layout_needs_a_store(extractor, tmp_path, method):
    run = getattr(extractor, method)
    with pytest.raises(ValueError, match="split_layers=True divides a store into files, so it"):
        run(CALLS[method], split_layers=True)
    with pytest.raises(ValueError, match="max_file_size must be a positive number of bytes"):
        run(CALLS[method], store=tmp_path / "store", max_file_size=-1)
    assert not (tmp_path / "store").exists()


def test_activations_of_modules_are_saved(tmp_path):
    module = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Linear(3, 3))
    extractor = ModuleActivations(module, layers=["0", "1"])
    tokens = extractor.extract(
        [["a", "b"]], encode=lambda words: torch.ones(1, len(words), 4), labels=[[0, 1]]
    )
    tokens.save(tmp_path / "store", split_layers=True)
    same(TokenActivations.load(tmp_path / "store", verify=True), tokens)


def test_the_command(tiny_bert_path, tmp_path, capsys):
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("the rain\nit fell\n")
    command = ["extract", str(tiny_bert_path), str(corpus), "--layers", "0,2"]
    options = ["--split-layers", "--max-file-size", "5GB"]
    assert main([*command, "--out", str(tmp_path / "store"), *options]) == 0
    assert main([*command, "--out", str(tmp_path / "one")]) == 0
    same(TokenActivations.load(tmp_path / "store"), TokenActivations.load(tmp_path / "one"))
    assert sorted(name for name in os.listdir(tmp_path / "store") if name.startswith("X")) == [
        "X.layer_0.part_00000.npy", "X.layer_2.part_00000.npy",
    ]  # fmt: skip
    for option in (options[:1], options[1:]):
        assert main([*command, "--out", str(tmp_path / "a.json"), *option]) == 1
        assert f"cannot be used for {option[0]}. Pass a folder" in capsys.readouterr().err
