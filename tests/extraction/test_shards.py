"""Several processes extract into one store, whose files are those of a single process."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from sklearn_neurox import ActivationExtractor, TokenActivations
from sklearn_neurox.interventions import SteeringVector

pytest.importorskip("fcntl")

CHILD = """
import sys, time
from sklearn_neurox import ActivationExtractor, StoreWriter, load_tagged_sentences
from sklearn_neurox.extraction import _batching
_batching._WORDS = 40
model, store, rank, world_size, pause = sys.argv[1:]
append = StoreWriter.append

def append_slowly(self, X, n_sentences=None):
    append(self, X, n_sentences)
    print("appended", flush=True)
    time.sleep(float(pause))

StoreWriter.append = append_slowly
corpus = load_tagged_sentences()
extractor = ActivationExtractor(model, device="cpu", dtype="float16")
extractor.extract(
    corpus.sentences[:90], corpus.tags[:90], store=store, shard=(int(rank), int(world_size)))
"""


@pytest.fixture
def small_pieces(monkeypatch):
    monkeypatch.setattr("sklearn_neurox.extraction._batching._WORDS", 40)


def content(path):
    return {name: (path / name).read_bytes() for name in sorted(os.listdir(path))}


def calls_of(extractor, corpus):
    """Return a function for each method, which extracts into a store."""
    sentences, tags = corpus.sentences[:25], corpus.tags[:25]
    texts = [" ".join(words) for words in corpus.sentences[:90]]
    return {
        "extract": lambda **into: extractor.extract(sentences, tags, **into),
        "extract_tokens": lambda **into: extractor.extract_tokens(iter(texts[:25]), **into),
        "extract_prompts": lambda **into: extractor.extract_prompts(
            texts, [len(text) % 2 for text in texts], **into
        ),
    }


@pytest.mark.parametrize(
    ("method", "world_size"), [("extract", 2), ("extract_tokens", 3), ("extract_prompts", 5)]
)
def test_one_rank_after_the_other(tiny_bert, corpus, tmp_path, small_pieces, method, world_size):
    call = calls_of(ActivationExtractor(*tiny_bert, layers=[0, 2]), corpus)[method]
    whole = call(store=tmp_path / "whole")
    ranks = list(range(world_size))[::-1]
    parts = {rank: call(store=tmp_path / "store", shard=(rank, world_size)) for rank in ranks}
    assert content(tmp_path / "store") == content(tmp_path / "whole")
    # Each call returns its own rows.
    np.testing.assert_array_equal(np.concatenate([parts[rank].X for rank in ranks[::-1]]), whole.X)
    for name in ("words", "sentence_ids", "positions"):
        joined = np.concatenate([getattr(parts[rank], name) for rank in ranks[::-1]])
        np.testing.assert_array_equal(joined, getattr(whole, name))
    again = call(store=tmp_path / "store", shard=(0, world_size))
    np.testing.assert_array_equal(again.X, parts[0].X)
    assert content(tmp_path / "store") == content(tmp_path / "whole")
    # 90 prompts are 3 windows of 40, so 2 of 5 processes are idle.
    n_empty = sum(len(part) == 0 for part in parts.values())
    assert n_empty == (2 if method == "extract_prompts" else 0)


def test_one_process_is_a_store_without_shards(tiny_bert, corpus, tmp_path, small_pieces):
    extractor = ActivationExtractor(*tiny_bert, layers=[2])
    for name, into in (("whole", {}), ("store", {"shard": (0, 1)})):
        extractor.extract(corpus.sentences[:5], store=tmp_path / name, **into)
        extractor.extract(corpus.sentences[5:9], store=tmp_path / name, append=True, **into)
    assert content(tmp_path / "store") == content(tmp_path / "whole")


@pytest.mark.parametrize(
    ("shard", "error", "message"),
    [
        ((2, 2), ValueError, r"must be from 0 to world_size - 1, got \(2, 2\)"),
        ((-1, 2), ValueError, r"must be from 0 to world_size - 1, got \(-1, 2\)"),
        ((0, 0), ValueError, r"must be from 0 to world_size - 1, got \(0, 0\)"),
        ((0, 2, 3), TypeError, r"a pair of integers, \(rank, world_size\), got \(0, 2, 3\)"),
        ((True, 2), TypeError, r"a pair of integers, \(rank, world_size\), got \(True, 2\)"),
        (("0", "2"), TypeError, r"a pair of integers, \(rank, world_size\), got \('0', '2'\)"),
        (2, TypeError, r"a pair of integers, \(rank, world_size\), got 2"),
    ],
)
def test_shards_that_are_not_valid(tmp_path, shard, error, message):
    extractor = ActivationExtractor("nowhere")  # the model is not loaded
    for method in (extractor.extract, extractor.extract_tokens, extractor.extract_prompts):
        with pytest.raises(error, match=message):
            method(["a b"], store=tmp_path / "store", shard=shard)
    assert not os.listdir(tmp_path)


def test_what_cannot_be_used_with_shards(tiny_bert, tmp_path):
    extractor = ActivationExtractor(*tiny_bert)
    for method in (extractor.extract, extractor.extract_tokens, extractor.extract_prompts):
        with pytest.raises(ValueError, match=r"shard=\(0, 2\) divides a store .* needs store"):
            method(["a b"], shard=(0, 2))
        with pytest.raises(ValueError, match=r"append=True cannot be used with shard=\(0, 2\)"):
            method(["a b"], shard=(0, 2), store=tmp_path / "store", append=True)
    edits = {1: SteeringVector(np.ones(16))}
    with pytest.raises(ValueError, match="edits cannot be used with store"):
        extractor.extract(["a b"], shard=(0, 2), store=tmp_path / "store", edits=edits)
    assert not os.listdir(tmp_path)


def begin(model, store, rank, world_size, pause=0.0):
    command = [sys.executable, "-c", CHILD, str(model), str(store), str(rank), str(world_size)]
    return subprocess.Popen([*command, str(pause)], stdout=subprocess.PIPE, text=True)


def finish(children):
    for child in children:
        child.communicate(timeout=300)
        assert child.returncode == 0


@pytest.fixture(scope="module")
def whole(tiny_bert_path, tmp_path_factory):
    path = tmp_path_factory.mktemp("shards") / "whole"
    finish([begin(tiny_bert_path, path, 0, 1)])
    return path


@pytest.mark.slow
@pytest.mark.parametrize("world_size", [2, 3])
def test_real_processes(tiny_bert_path, tmp_path, world_size, whole):
    finish([begin(tiny_bert_path, tmp_path / "store", r, world_size) for r in range(world_size)])
    assert content(tmp_path / "store") == content(whole)


@pytest.mark.slow
def test_a_killed_process_resumes(tiny_bert_path, tmp_path, whole):
    store = tmp_path / "store"
    killed, other = (begin(tiny_bert_path, store, rank, 2, pause=0.2) for rank in (0, 1))
    with killed.stdout:
        assert killed.stdout.readline() == "appended\n"
        assert killed.stdout.readline() == "appended\n"
        killed.kill()
        assert killed.wait() == -signal.SIGKILL
    finish([other])
    with pytest.raises(ValueError, match=r"some rows of ranks 0 \(of 2 processes\) are missing"):
        TokenActivations.load(store)
    partial = TokenActivations.load(store, partial=True, verify=True)
    expected = TokenActivations.load(whole)
    assert 0 < len(partial) < len(expected) / 2
    np.testing.assert_array_equal(partial.X, expected.X[: len(partial)])
    again = begin(tiny_bert_path, store, 0, 2)
    printed, _ = again.communicate(timeout=300)
    assert again.returncode == 0
    assert 0 < printed.count("appended") < 20  # what was written is not written again
    assert content(store) == content(whole)
