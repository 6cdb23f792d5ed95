"""Extraction into a store: after any interruption, the result is that of an uninterrupted run."""

import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from sklearn_neurox import (
    ActivationExtractor,
    StoreWriter,
    TokenActivations,
)

CHILD = """
import sys, time
from sklearn_neurox import ActivationExtractor, StoreWriter, load_tagged_sentences
from sklearn_neurox.extraction import _batching
_batching._WORDS = 40
open_store, append = StoreWriter.__init__, StoreWriter.append

def begin(self, *args, **kwargs):
    print("begin", flush=True)
    open_store(self, *args, **kwargs)

def append_slowly(self, X, n_sentences=None):
    append(self, X, n_sentences)
    time.sleep(0.05)

StoreWriter.__init__, StoreWriter.append = begin, append_slowly
corpus = load_tagged_sentences()
extractor = ActivationExtractor(sys.argv[1], device="cpu", dtype="float16")
extractor.extract(corpus.sentences, corpus.tags, store=sys.argv[2])
"""


@pytest.fixture
def small_pieces(monkeypatch):
    monkeypatch.setattr("sklearn_neurox.extraction._batching._WORDS", 40)


def same(first, second):
    np.testing.assert_array_equal(first.X, second.X)
    for name in ("words", "sentence_ids", "positions", "y"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    assert (first.layers, first.unit) == (second.layers, second.unit)


def test_it_contains_what_is_returned_without_a_store(tiny_bert, corpus, tmp_path):
    extractor = ActivationExtractor(*tiny_bert, layers=[0, 2])
    expected = extractor.extract(corpus.sentences[:50], corpus.tags[:50])
    stored = extractor.extract(corpus.sentences[:50], corpus.tags[:50], store=tmp_path / "store")
    same(stored, expected)
    assert isinstance(stored.X, np.memmap)
    same(TokenActivations.load(tmp_path / "store"), expected)


def test_parts_change_only_the_rounding(tiny_bert, corpus, tmp_path, small_pieces):
    extractor = ActivationExtractor(*tiny_bert)
    expected = extractor.extract(corpus.sentences[:50])
    stored = extractor.extract(corpus.sentences[:50], store=tmp_path / "store")
    np.testing.assert_allclose(stored.X, expected.X, atol=1e-5)


def test_an_interrupted_run_is_resumed(tiny_bert, corpus, tmp_path, small_pieces, monkeypatch):
    extractor = ActivationExtractor(*tiny_bert)
    whole = extractor.extract(corpus.sentences[:60], corpus.tags[:60], store=tmp_path / "whole")
    append, calls = StoreWriter.append, []

    def stop_at_third(self, X, n_sentences=None):
        calls.append(n_sentences)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return append(self, X, n_sentences)

    monkeypatch.setattr(StoreWriter, "append", stop_at_third)
    with pytest.raises(KeyboardInterrupt):
        extractor.extract(corpus.sentences[:60], corpus.tags[:60], store=tmp_path / "interrupted")
    done = TokenActivations.describe(tmp_path / "interrupted")["n_done"]
    assert done == sum(calls[:2])
    assert len(TokenActivations.load(tmp_path / "interrupted", partial=True)) == sum(
        map(len, corpus.sentences[:done])
    )
    monkeypatch.setattr(StoreWriter, "append", append)
    same(
        extractor.extract(corpus.sentences[:60], corpus.tags[:60], store=tmp_path / "interrupted"),
        whole,
    )


@pytest.mark.slow
def test_killed_at_random_moments(tiny_bert_path, tmp_path):
    """A process is killed twenty times with signal 9; the result is identical to the last bit."""

    def begin(store):
        command = [sys.executable, "-c", CHILD, str(tiny_bert_path), str(store)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        with child.stdout:
            assert child.stdout.readline() == "begin\n"
        return child

    assert begin(tmp_path / "whole").wait() == 0
    rng, done = random.Random(0), []
    for _ in range(20):
        child = begin(tmp_path / "killed")
        time.sleep(rng.uniform(0, 0.4))
        child.kill()
        assert child.wait() == -signal.SIGKILL
        if (tmp_path / "killed" / "progress.json").exists():
            done.append(TokenActivations.describe(tmp_path / "killed")["n_done"])
    assert done == sorted(done)
    assert 0 < done[-1] < 480  # it made progress and did not finish
    assert begin(tmp_path / "killed").wait() == 0
    for name in ("X.npy", "words.json", "labels.npy", "sentence_ids.npy", "store.json"):
        first, second = ((tmp_path / which / name).read_bytes() for which in ("whole", "killed"))
        assert first == second, name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(aggregation="mean"), "aggregation"),
        (dict(layers=[0, 1]), "layers"),
        (dict(dtype="float16"), "dtype"),
        (dict(modules="mlp", layers=[1, 2]), "layers|unit|width"),
        (dict(random_weights=True, random_state=0), "weights|random"),
    ],
)
def test_other_parameters_are_an_error(tiny_bert, corpus, tmp_path, change, message):
    extractor = ActivationExtractor(*tiny_bert)
    extractor.extract(corpus.sentences[:5], store=tmp_path / "store")
    with pytest.raises(ValueError, match=message):
        extractor.set_params(**change).extract(corpus.sentences[:5], store=tmp_path / "store")


def test_another_corpus_or_model_is_an_error(tiny_bert, corpus, tmp_path):
    import copy

    import torch

    extractor = ActivationExtractor(*tiny_bert)
    extractor.extract(corpus.sentences[:5], corpus.tags[:5], store=tmp_path / "store")
    for sentences, labels in (
        (corpus.sentences[1:6], corpus.tags[1:6]),
        (corpus.sentences[:5], None),
        (corpus.sentences[:6], corpus.tags[:6]),
    ):
        with pytest.raises(ValueError, match="store"):
            extractor.extract(sentences, labels, store=tmp_path / "store")
    other = copy.deepcopy(tiny_bert[0])
    with torch.no_grad():
        other.encoder.layer[0].output.dense.weight[0, 0] += 1e-3
    with pytest.raises(ValueError, match="weights_sha256"):
        ActivationExtractor(other, tiny_bert[1]).extract(
            corpus.sentences[:5], corpus.tags[:5], store=tmp_path / "store"
        )


def test_another_label_is_named(tiny_bert, corpus, tmp_path):
    extractor = ActivationExtractor(*tiny_bert)
    extractor.extract(corpus.sentences[:5], corpus.tags[:5], store=tmp_path / "store")
    tags = [list(row) for row in corpus.tags[:5]]
    before, tags[3][1] = tags[3][1], "MINE"
    word = corpus.sentences[3][1]
    with pytest.raises(
        ValueError,
        match=rf"label of sentence 3, word 1 \('{word}'\), is '{before}' in the store, but 'MINE' was passed",
    ):
        extractor.extract(corpus.sentences[:5], tags, store=tmp_path / "store")
    with pytest.raises(ValueError, match="the store has labels, but no labels were passed"):
        extractor.extract(corpus.sentences[:5], store=tmp_path / "store")


def test_another_tokenizer_is_an_error(tiny_bert, corpus, tmp_path):
    from copy import deepcopy

    from tokenizers import normalizers

    model, tokenizer = tiny_bert
    ActivationExtractor(model, tokenizer).extract(corpus.sentences[:5], store=tmp_path / "store")
    other = deepcopy(tokenizer)
    other.backend_tokenizer.normalizer = normalizers.Lowercase()
    with pytest.raises(ValueError, match="subwords_sha256"):
        ActivationExtractor(model, other).extract(corpus.sentences[:5], store=tmp_path / "store")


def test_rows_that_cannot_be_stored(tiny_bert, corpus, tmp_path):
    with pytest.raises(ValueError, match="random weights to a store, random_state must be an int"):
        ActivationExtractor(*tiny_bert, random_weights=True).extract(
            ["a b"], store=tmp_path / "store"
        )
    special = ActivationExtractor(*tiny_bert).extract(["a b", "a"])
    special[[0, 2, 1]].save(tmp_path / "special")  # the rows of a sentence need not be adjacent
    assert TokenActivations.load(tmp_path / "special").sentence_ids.tolist() == [0, 1, 0]
    none = TokenActivations(
        special.X[:0], special.words[:0], special.sentence_ids[:0], special.positions[:0], (0, 1, 2)
    )
    with pytest.raises(
        ValueError, match="The TokenActivations is empty: expected at least one word"
    ):
        none.save(tmp_path / "none")


def test_rows_of_special_tokens_can_be_stored(tiny_bert, tmp_path):
    extractor = ActivationExtractor(*tiny_bert, include_special_tokens=True)
    tokens = extractor.extract(["a b", "a"])
    tokens.save(tmp_path / "saved")
    same(TokenActivations.load(tmp_path / "saved"), tokens)
    stored = extractor.extract(["a b", "a"], store=tmp_path / "store")
    assert stored.positions.tolist() == tokens.positions.tolist() == [-1, 0, 1, -1, -1, 0, -1]
    np.testing.assert_allclose(stored.X, tokens.X, atol=1e-6)


@pytest.mark.parametrize("rows", [slice(1, None, 2), [0, 3, 4], [2]])
def test_any_selection_of_rows_can_be_saved(tiny_bert, corpus, tmp_path, rows):
    tokens = ActivationExtractor(*tiny_bert).extract(corpus.sentences[:5], corpus.tags[:5])[rows]
    tokens.select(layers=[2, 0]).save(tmp_path / "saved")
    same(TokenActivations.load(tmp_path / "saved"), tokens.select(layers=[2, 0]))


def test_save_and_load(tiny_bert, corpus, tmp_path):
    tokens = ActivationExtractor(*tiny_bert, modules="mlp").extract(
        corpus.sentences[:9], corpus.tags[:9]
    )
    tokens.save(tmp_path / "saved")
    loaded = TokenActivations.load(tmp_path / "saved")
    same(loaded, tokens)
    assert loaded.neuron_names[0] == "layer_1_mlp_0"


@pytest.mark.slow
def test_memory_does_not_grow_with_the_activations(tiny_bert, corpus, tmp_path, small_pieces):
    import tracemalloc

    extractor = ActivationExtractor(*tiny_bert)
    sentences = corpus.sentences * 3
    tracemalloc.start()
    try:
        tokens = extractor.extract(sentences, store=tmp_path / "store")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(tokens) == 3 * 6378
    per_word = (peak - 2**20) / len(tokens)
    assert per_word < 1500  # words and sub-words as Python objects; a row of X takes 192 bytes
