"""The command ``extract`` on texts and conversations, and the page about their store."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
import torch

import sklearn_neurox as snx
from sklearn_neurox.__main__ import main
from sklearn_neurox._cli.rules import parse_at, parse_rule
from sklearn_neurox.extraction import where

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn_neurox._warnings.UnseenLabelsWarning"  # the corpora here are small
)
TEXTS = [f"the {word} fell so hard" for word in ("rain", "snow", "sun", "night") * 6]


@pytest.fixture(scope="module")
def corpus_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("texts") / "corpus.jsonl"
    rows = [{"text": text, "label": "rain" in text or "snow" in text} for text in TEXTS]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("role:assistant", where.role("assistant")),
        ("turn:-1", where.turn(-1)),
        ("last", where.last()),
        ("last:2", where.last(2)),
        ("first:3&~special", where.first(3) & ~where.special()),
        (
            "role:user&span:a&b&last",
            where.role("user") & where.span(re.compile("a&b")) & where.last(),
        ),
        ("after:</think>", where.after(re.compile("</think>"))),
    ],
)
def test_rules(text, rule):
    assert repr(parse_rule(text, option="--where")) == repr(rule)


@pytest.mark.parametrize(
    "text", ["", "last:x", "turn", "role:", "special:1", "rain", "span:(", "&last"]
)
def test_rules_that_are_not_valid(text):
    with pytest.raises(ValueError, match=r"--where: .* is not a r"):
        parse_rule(text, option="--where")


def test_positions_of_prompts():
    assert parse_at("mean") == "mean"
    assert parse_at("-2") == -2
    assert repr(parse_at("last:1")) == repr(where.last(1))


def run(model, corpus, out, *options):
    return main(["extract", str(model), str(corpus), "--out", str(out), *options])


def test_prompts(corpus_file, tiny_bert_path, tiny_bert, tmp_path):
    options = ["--where", "span:fell", "--at", "last", "--layers", "1,2"]
    assert run(tiny_bert_path, corpus_file, tmp_path / "store", *options) == 0
    stored = snx.TokenActivations.load(tmp_path / "store")
    expected = snx.ActivationExtractor(*tiny_bert, layers=[1, 2]).extract_prompts(
        TEXTS, at="last", where=where.span("fell")
    )
    np.testing.assert_allclose(stored.X, expected.X, atol=1e-5)
    assert stored.words.tolist() == expected.words.tolist()
    assert stored.y.tolist() == ["rain" in text or "snow" in text for text in TEXTS]
    assert run(tiny_bert_path, corpus_file, tmp_path / "store", *options, "--append") == 0
    assert len(snx.TokenActivations.load(tmp_path / "store")) == 2 * len(TEXTS)


def test_tokens_with_spans(tiny_bert_path, tmp_path):
    path = tmp_path / "a.jsonl"
    rows = [{"text": "the rain", "spans": [[4, 8, "noun"]]}, {"text": "so", "spans": [[0, 2, "x"]]}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    options = ["--unit", "token", "--dtype", "bfloat16", "--random-weights"]
    assert run(tiny_bert_path, path, tmp_path / "store", *options) == 0
    stored = snx.TokenActivations.load(tmp_path / "store")
    assert set(stored.y) == {"noun", "x"}
    assert stored.dtype == "bfloat16"
    assert stored.provenance["random_weights"] is True


def test_labels_of_texts_and_spans(tiny_bert_path, tiny_bert, tmp_path):
    path = tmp_path / "a.jsonl"
    rows = [{"text": "the rain", "label": "wet", "spans": [[4, 8, True]]}, {"text": "so"}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    options = ["--unit", "token", "--label"]
    spans = [*options, "spans", "--outside", "false"]
    assert run(tiny_bert_path, path, tmp_path / "spans", *spans) == 0
    expected = snx.ActivationExtractor(*tiny_bert).extract_tokens(
        ["the rain", "so"], spans=[(0, 4, 8, True)], outside=False
    )
    stored = snx.TokenActivations.load(tmp_path / "spans")
    assert stored.y.tolist() == expected.y.tolist()
    assert stored.words.tolist() == expected.words.tolist()
    labels = [*options, "label", "--drop-unlabeled", "--where", "last:2&~special"]
    assert run(tiny_bert_path, path, tmp_path / "labels", *labels) == 0
    stored = snx.TokenActivations.load(tmp_path / "labels")
    assert (stored.words.tolist(), stored.y.tolist()) == (["ain"], ["wet"])
    assert run(tiny_bert_path, path, tmp_path / "rows", "--label", "label", "--drop-unlabeled") == 0
    assert snx.TokenActivations.load(tmp_path / "rows").y.tolist() == ["wet"]


def test_words_of_json_lines(tiny_bert_path, tiny_bert, tmp_path):
    path = tmp_path / "a.jsonl"
    rows = [{"tokens": ["the", "rain"], "tags": [1, -100]}, {"tokens": ["so"], "tags": [0]}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    options = ["--unit", "word", "--column", "tokens", "--label", "tags", "--drop-label=-100"]
    assert run(tiny_bert_path, path, tmp_path / "store", *options, "--aggregation", "mean") == 0
    stored = snx.TokenActivations.load(tmp_path / "store")
    expected = snx.ActivationExtractor(*tiny_bert, aggregation="mean").extract(["the rain", "so"])
    assert (stored.words.tolist(), stored.y.tolist()) == (["the", "so"], [1, 0])
    np.testing.assert_allclose(stored.X, expected.X[[0, 2]], atol=1e-6)


def test_files_of_neurox(tiny_bert_path, tiny_bert, tmp_path):
    (tmp_path / "words.txt").write_text("the rain\nso\n", encoding="utf-8")
    out = tmp_path / "acts.json"
    assert run(tiny_bert_path, tmp_path / "words.txt", out) == 0
    tokens = snx.read_activations(out, sentences=["the rain", "so"])
    np.testing.assert_array_equal(
        tokens.X, snx.ActivationExtractor(*tiny_bert).extract(["the rain", "so"]).X
    )


def test_rows_that_are_left_out(tiny_bert_path, tmp_path, capsys):
    (tmp_path / "words.txt").write_text("the \u2060 rain\n", encoding="utf-8")
    (tmp_path / "tags.txt").write_text("_ X N\n", encoding="utf-8")
    options = ["--labels", str(tmp_path / "tags.txt"), "--drop-label", "_"]
    assert run(tiny_bert_path, tmp_path / "words.txt", tmp_path / "store", *options) == 1
    assert "--on-empty-word" in capsys.readouterr().err
    options += ["--on-empty-word", "drop"]
    with pytest.warns(UserWarning, match="drops 1 word"):
        assert run(tiny_bert_path, tmp_path / "words.txt", tmp_path / "store", *options) == 0
    assert snx.TokenActivations.load(tmp_path / "store").words.tolist() == ["rain"]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("a.jsonl", ["--labels", "x"], "--labels=x cannot be used with prompts of a.jsonl"),
        ("a.txt", ["--column", "x"], "--column=x cannot be used with words of a.txt"),
        ("a.txt", ["--label", "x"], "--label=x cannot be used with words of a.txt"),
        ("a.txt", ["--unit", "token"], "--unit=token requires a .jsonl file"),
        ("a.txt", ["--where", "last"], "It requires --unit prompt or token and a .jsonl file"),
        ("a.txt", ["--at", "last"], "It requires --unit prompt"),
        ("a.txt", ["--outside", "x"], "It requires --unit token"),
        ("a.txt", ["--drop-unlabeled"], "--drop-unlabeled cannot be used with words"),
        ("a.txt", ["--add-generation-prompt"], "It requires a .jsonl file with conversations"),
        ("a.txt", ["--random-state", "1"], "--random-state=1 is the seed of --random-weights"),
        ("a.jsonl", ["--at", "last", "--unit", "token"], "It requires --unit prompt"),
        ("a.jsonl", ["--at", "last", "--unit", "word"], "It requires --unit prompt"),
        ("a.jsonl", ["--where", "last", "--unit", "word"], "It requires --unit prompt or token"),
        ("a.jsonl", ["--at", "nothing"], "--at: 'nothing' is not a rule"),
        ("a.jsonl", ["--aggregation", "mean"], "Use --at mean for the mean over a prompt"),
        ("a.jsonl", ["--on-empty-word", "drop"], "It requires words"),
        ("a.jsonl", ["--drop-label", "x"], "Use --drop-unlabeled to leave out texts"),
        ("a.jsonl", ["--drop-unlabeled"], "--drop-unlabeled leaves out texts without a label, but"),
        ("a.jsonl", ["--outside", "x", "--unit", "token"], "so it needs spans"),
        ("a.jsonl", ["--add-generation-prompt"], "but a.jsonl does not contain any"),
        ("a.jsonl", ["--label", "tag"], "a.jsonl does not have the column 'tag'"),
        ("a.jsonl", ["--add-prefix-space"], "--add-prefix-space applies to sentences of words"),
        ("a.jsonl", ["--on-truncate", "warn"], "--on-truncate 'warn' leaves out the ends"),
        ("words.jsonl", [], "words.jsonl contains lists of words. Set --unit word"),
        ("words.jsonl", ["--unit", "token"], "words.jsonl contains lists of words. Set --unit"),
        ("chats.jsonl", ["--unit", "word"], "contains conversations. Set --unit token or prompt"),
        ("prompts.jsonl", [], "Pass the one with the texts, such as --column 'prompt'"),
        (
            "two.jsonl",
            ["--label", "label"],
            "both 'messages' and 'text'. Pass --column 'messages' or --column",
        ),
        ("two.jsonl", ["--column", "text"], "Pass --label 'label' or --label 'labels'"),
        (
            "a.jsonl",
            ["--out", "acts.hdf5"],
            "a file of NeuroX cannot be used for tokens and prompts",
        ),
        (
            "a.txt",
            ["--out", "acts.json", "--append"],
            "a file of NeuroX cannot be used for --append",
        ),
        (
            "a.txt",
            ["--out", "acts.json", "--labels", "a.txt"],
            "a file of NeuroX does not contain labels. Leave out --labels",
        ),
        ("a.txt", ["--out", "missing/acts.json"], "the folder missing does not exist"),
        ("a.txt", ["--drop-label", "_"], "so it needs --labels"),
        ("spans.jsonl", [], "contains spans, which are labels of tokens. Set --unit token."),
        ("spans.jsonl", ["--label", "spans"], "Set --unit token."),
        ("spans.jsonl", ["--unit", "token", "--outside", "1", "--drop-unlabeled"], "no labels of"),
        ("both.jsonl", [], "Set --unit token, or --label to the key of the labels of texts"),
        ("both.jsonl", ["--unit", "token"], "both labels of texts and spans. Set --label to spans"),
        (
            "both.jsonl",
            ["--unit", "token", "--label", "spans", "--outside", "x"],
            "--outside=x: the labels are not strings, so expected a JSON value such as 3 or false",
        ),
    ],
)
def test_options_that_contradict_each_other(
    tiny_bert_path, tmp_path, monkeypatch, capsys, name, options, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("so\n")
    (tmp_path / "a.jsonl").write_text('"so"\n')
    (tmp_path / "spans.jsonl").write_text('{"text": "so", "spans": [[0, 2, "x"]]}\n')
    (tmp_path / "both.jsonl").write_text('{"text": "so", "label": "a", "spans": [[0, 2, true]]}\n')
    (tmp_path / "words.jsonl").write_text('{"text": ["so", "so"]}\n')
    (tmp_path / "chats.jsonl").write_text('[{"role": "user", "content": "so"}]\n')
    (tmp_path / "prompts.jsonl").write_text('{"prompt": "so"}\n')
    (tmp_path / "two.jsonl").write_text('{"text": "a", "messages": [], "label": 1, "labels": 2}\n')
    assert run(tiny_bert_path, name, "store", *options) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "store").exists()


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["token", "prompt"])
@pytest.mark.filterwarnings("ignore:In 2 of 2 folds:UserWarning")  # each prompt is its own type
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # a random model
def test_the_page_describes_tokens_and_prompts(corpus_file, tiny_bert_path, tmp_path, unit):
    store, page = tmp_path / "store", tmp_path / "page.html"
    assert run(tiny_bert_path, corpus_file, store, "--unit", unit, "--layers", "2") == 0
    assert main(["report", str(store), "--cv", "2", "--out", str(page)]) == 0
    html = page.read_text(encoding="utf-8")
    assert {"prompt": "An analysis of 24 prompts with 2 labels", "token": " tokens in 24 texts"}[
        unit
    ] in html
    assert f"test {unit}s" in html
    assert f"top {unit}s" in html
    assert "test words" not in html


def files(path):
    return {name: (path / name).read_bytes() for name in sorted(os.listdir(path))}


def test_processes_of_torchrun(corpus_file, tiny_bert_path, tmp_path, monkeypatch, capsys):
    """Each process writes its shard of one store, according to the environment variables."""
    pytest.importorskip("fcntl")
    monkeypatch.setattr("sklearn_neurox.extraction._batching._WORDS", 5)
    assert run(tiny_bert_path, corpus_file, tmp_path / "whole", "--device", "cpu") == 0
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank in ("1", "0"):
        monkeypatch.setenv("RANK", rank)
        assert run(tiny_bert_path, corpus_file, tmp_path / "store", "--device", "cpu") == 0
        if rank == "1":
            with pytest.raises(
                ValueError, match=r"some rows of ranks 0 \(of 2 processes\) are missing"
            ):
                snx.TokenActivations.load(tmp_path / "store")
    assert files(tmp_path / "store") == files(tmp_path / "whole")
    capsys.readouterr()
    assert run(tiny_bert_path, corpus_file, tmp_path / "more", "--append") == 1
    assert "--append cannot be used with shard=(0, 2)" in capsys.readouterr().err
    out = tmp_path / "words.json"
    assert run(tiny_bert_path, corpus_file, out, "--unit", "word") == 1
    assert "several processes cannot write a file of NeuroX" in capsys.readouterr().err
    monkeypatch.setenv("RANK", "first")
    assert run(tiny_bert_path, corpus_file, tmp_path / "more") == 1
    assert "variable RANK must be a number, got 'first'" in capsys.readouterr().err


def test_the_device_of_a_process(monkeypatch):
    from sklearn_neurox._cli.processes import device_of, shard_of

    assert shard_of({}) is shard_of({"RANK": "0"}) is None
    assert shard_of({"RANK": "0", "WORLD_SIZE": "1"}) is None
    assert shard_of({"RANK": "2", "WORLD_SIZE": "3"}) == (2, 3)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device_of("auto", {"LOCAL_RANK": "1"}) == "cuda:1"
    assert device_of("auto", {}) == "auto"
    assert device_of("cpu", {"LOCAL_RANK": "1"}) == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_of("auto", {"LOCAL_RANK": "1"}) == "auto"


@pytest.mark.slow
def test_torchrun(tiny_bert_path, tmp_path):
    pytest.importorskip("fcntl")
    sentences = snx.load_tagged_sentences(subset="test").sentences * 60  # several windows
    (tmp_path / "corpus.txt").write_text("\n".join(map(" ".join, sentences)))
    options = [str(tiny_bert_path), str(tmp_path / "corpus.txt"), "--device", "cpu"]
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    for name, launcher in (("whole", []), ("store", torchrun)):
        command = [*launcher, "-m", "sklearn_neurox", "extract", *options]
        done = subprocess.run(
            [sys.executable, *command, "--out", str(tmp_path / name)],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
    assert files(tmp_path / "store") == files(tmp_path / "whole")
