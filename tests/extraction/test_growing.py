"""Corpora that are read from iterators, stores that grow, and what activations know of their origin."""

import copy
import json
import weakref

import numpy as np
import pytest
import torch

from sklearn_neurox import ActivationExtractor, TokenActivations, intervene, where
from sklearn_neurox.extraction import _storing, _text_encoding
from sklearn_neurox.interventions import SteeringVector

SENTENCES = [["the", "rain"], ["it", "fell"], ["so"], ["the", "end", "of", "it"]]
TEXTS = ["the rain", "it fell so", "so", "the end of it"]


@pytest.fixture
def extractor(tiny_bert):
    return ActivationExtractor(*tiny_bert, layers=[1, 2])


def equal(first, second):
    np.testing.assert_allclose(first.X, second.X, atol=1e-6)
    for name in ("words", "sentence_ids", "positions", "offsets", "y"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


@pytest.mark.parametrize("method", ["extract", "extract_tokens", "extract_prompts"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_store_grows_to_that_of_all_texts(extractor, tmp_path, method, dtype):
    extractor.set_params(dtype=dtype)
    run = getattr(extractor, method)
    corpus = SENTENCES if method == "extract" else TEXTS
    labels = [["a"] * len(words) for words in SENTENCES] if method == "extract" else list("abab")
    run(corpus[:2], labels[:2], store=tmp_path / "store", append=True)
    run(corpus[2:], labels[2:], store=tmp_path / "store", append=True)
    grown = TokenActivations.load(tmp_path / "store", verify=True)
    equal(grown, run(corpus, labels))
    assert grown.dtype == dtype
    assert grown.provenance["rows"] == {"extract": "word", "extract_tokens": "token"}.get(
        method, "prompt"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"aggregation": "mean"}, r"parameters\['aggregation'\] is \"last\""),
        ({"layers": [1]}, "layers is"),
        ({"random_weights": True, "random_state": 0}, r"parameters\['weights_sha256'\] is"),
    ],
)
def test_a_store_of_another_model_does_not_grow(extractor, tmp_path, change, message):
    extractor.extract(SENTENCES, store=tmp_path / "store")
    with pytest.raises(ValueError, match=message):
        extractor.set_params(**change).extract(SENTENCES, store=tmp_path / "store", append=True)
    assert len(TokenActivations.load(tmp_path / "store", verify=True)) == 9


def test_append_needs_a_store(extractor):
    with pytest.raises(ValueError, match="append=True appends rows to a store, so it needs store"):
        extractor.extract(SENTENCES, append=True)
    with pytest.raises(ValueError, match="append=True appends rows to a store, so it needs store"):
        extractor.extract_prompts(TEXTS, append=True)


class TestIterators:
    @pytest.mark.parametrize("method", ["extract", "extract_tokens", "extract_prompts"])
    def test_they_equal_lists(self, extractor, tmp_path, method):
        corpus = SENTENCES if method == "extract" else TEXTS
        run = getattr(extractor, method)
        tokens = run(iter(corpus), store=tmp_path / "store")
        equal(tokens, run(corpus))
        again = run(iter(corpus), store=tmp_path / "store")  # the same call, which is finished
        equal(again, tokens)
        if method == "extract":
            with pytest.raises(TypeError, match="which can be read only once"):
                run(iter(corpus))

    def test_texts_are_not_kept(self, extractor, tmp_path, monkeypatch):
        """At most one chunk for the tokenizer is alive at a time."""
        monkeypatch.setattr(_text_encoding, "_AT_ONCE", 2)
        alive = weakref.WeakSet()
        most = []

        class Text(str):
            __slots__ = ("__weakref__",)
            __hash__ = object.__hash__

        def texts():
            for number in range(20):
                text = Text("the rain " * (number % 3 + 1))
                alive.add(text)
                most.append(len(alive))
                yield text

        labels = (f"label {number % 2}" for number in range(20))
        tokens = extractor.extract_prompts(texts(), labels, at="mean", store=tmp_path / "store")
        assert len(tokens) == 20
        assert tokens.y[:2].tolist() == ["label 0", "label 1"]
        assert max(most) <= 6

    def test_labels_and_spans(self, extractor, tmp_path):
        spans = [(1, 3, 7, "verb"), (3, 4, 7, "noun")]
        run = extractor.extract_tokens
        tokens = run(iter(TEXTS), spans=spans, store=tmp_path / "store")
        equal(tokens, run(TEXTS, spans=spans))

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"labels": list("abc")}, "labels for 3 texts, but more texts"),
            ({"labels": list("abcde")}, "Got 4 texts, but labels for 5"),
            ({"spans": [(4, 0, 1, "x")]}, r"spans\[0\] is in text 4, but there are 4 texts"),
            ({"spans": [(-1, 0, 1, "x")]}, r"spans\[0\] is in text -1"),
        ],
    )
    def test_errors(self, extractor, tmp_path, options, message):
        with pytest.raises(ValueError, match=message):
            extractor.extract_tokens(iter(TEXTS), **options, store=tmp_path / "store")
        assert not (tmp_path / "store").exists()

    def test_no_texts(self, extractor, tmp_path):
        with pytest.raises(ValueError, match="at least one text, got an empty iterable"):
            extractor.extract_prompts(iter([]), store=tmp_path / "store")


class TestProvenance:
    def test_it_survives_selections_and_saving(self, extractor, tmp_path):
        tokens = extractor.extract(SENTENCES)
        assert tokens.provenance["model_class"] == "BertModel"
        assert len(tokens.provenance["weights_sha256"]) == 64
        assert tokens.provenance["aggregation"] == "last"
        json.dumps(tokens.provenance)
        some = tokens[tokens.positions == 0].select(layers=[2])
        assert some.provenance == tokens.provenance
        some.save(tmp_path / "store")
        assert TokenActivations.load(tmp_path / "store").provenance == tokens.provenance
        assert TokenActivations.describe(tmp_path / "store")["parameters"] == tokens.provenance

    def test_it_is_that_of_a_store(self, extractor, tmp_path):
        rows = extractor.extract_prompts(TEXTS, at=where.last())
        stored = extractor.extract_prompts(TEXTS, at=where.last(), store=tmp_path / "store")
        assert stored.provenance == rows.provenance
        assert repr(rows).startswith("TokenActivations(4 prompts in 4 texts")

    def test_edits_are_recorded(self, extractor):
        edit = SteeringVector(np.ones(16))
        edits = {1: edit.fit(np.zeros((2, 16)))}
        assert extractor.extract(SENTENCES, edits=edits).provenance["edited"] is True
        with intervene(extractor.model, edits):
            assert extractor.extract(SENTENCES).provenance["edited"] is True
        assert "edited" not in extractor.extract(SENTENCES).provenance

    def test_large_weights_are_not_hashed_without_a_store(self, extractor, tmp_path, monkeypatch):
        monkeypatch.setattr(_storing, "_MAX_HASHED", 1)
        assert extractor.extract(SENTENCES).provenance["weights_sha256"] is None
        stored = extractor.extract(SENTENCES, store=tmp_path / "store")
        assert stored.provenance["weights_sha256"] is not None

    def test_the_digest_is_that_of_the_weights(self, extractor):
        model = copy.deepcopy(extractor.model)
        before = extractor.extract(SENTENCES).provenance["weights_sha256"]
        extractor = ActivationExtractor(model, extractor.tokenizer)
        assert extractor.extract(SENTENCES).provenance["weights_sha256"] == before
        with torch.no_grad():
            model.embeddings.word_embeddings.weight[5] += 1
        assert extractor.extract(SENTENCES).provenance["weights_sha256"] != before
