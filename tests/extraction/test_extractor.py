"""One row per word or per sentence, compared with a loop over single sentences."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_neurox import ActivationExtractor

from .small_models import alone, stack

WORD_JOINER = "\N{WORD JOINER}"  # BERT's normalizer drops it


@pytest.mark.parametrize("aggregation", ["first", "last", "mean"])
@pytest.mark.parametrize("batch_tokens", [1, 50, 4096])
def test_rows_are_those_of_each_sentence_alone(tiny_bert, corpus, aggregation, batch_tokens):
    sentences = corpus.sentences[:40]
    extractor = ActivationExtractor(
        *tiny_bert, aggregation=aggregation, batch_tokens=batch_tokens, device="cpu"
    )
    tokens = extractor.extract(sentences)
    expected = np.vstack([alone(*tiny_bert, sentence, aggregation) for sentence in sentences])
    np.testing.assert_allclose(tokens.X, expected, atol=1e-5)
    assert tokens.words.tolist() == [word for sentence in sentences for word in sentence]
    assert tokens.n_layers == 3
    assert tokens.neuron_names[-1] == "layer_2_neuron_15"


def test_a_special_token_in_the_text_is_a_word(tiny_bert):
    model, tokenizer = tiny_bert
    seen = []
    handle = model.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(kwargs["input_ids"]), with_kwargs=True
    )
    try:
        extractor = ActivationExtractor(model, tokenizer, split_special_tokens=True)
        tokens = extractor.extract([["a", "[SEP]", *"bcdI"]])
    finally:
        handle.remove()
    assert tokens.words.tolist() == ["a", "[SEP]", *"bcdI"]
    assert (seen[0] == tokenizer.sep_token_id).sum() == 1
    assert (
        tokenizer(["[SEP]"], is_split_into_words=True).input_ids.count(tokenizer.sep_token_id) == 2
    )


def test_words_and_labels_keep_their_places(tiny_bert, corpus):
    tokens = ActivationExtractor(*tiny_bert).extract(corpus.sentences, corpus.tags)
    assert len(tokens) == sum(map(len, corpus.sentences))
    for i in (0, 17, 479):
        place = tokens.sentence_ids == i
        assert tokens.words[place].tolist() == corpus.sentences[i]
        assert tokens.y[place].tolist() == corpus.tags[i]
        assert tokens.positions[place].tolist() == list(range(len(corpus.sentences[i])))
    assert np.isfinite(tokens.X).all()


def test_strings_are_split_on_spaces(tiny_bert):
    extractor = ActivationExtractor(*tiny_bert)
    np.testing.assert_array_equal(
        extractor.extract(["She ran home ."]).X, extractor.extract([["She", "ran", "home", "."]]).X
    )


def test_layers_and_dtypes(tiny_bert, corpus):
    sentences = corpus.sentences[:5]
    every = ActivationExtractor(*tiny_bert).extract(sentences)
    some = ActivationExtractor(*tiny_bert, layers=[0, 2], dtype="float16").extract(sentences)
    assert some.layers == (0, 2)
    assert some.X.dtype == np.float16
    np.testing.assert_array_equal(some.layer(2), every.layer(2).astype(np.float16))
    bare = ActivationExtractor(*tiny_bert, include_embeddings=False).extract(sentences)
    np.testing.assert_array_equal(bare.X, every.X[:, 16:])
    assert bare.neuron_names[0] == "layer_1_neuron_0"


class TestTransform:
    TEXTS = ["She ran home .", "Nobody had asked it to sing .", "Stop !", "They never came back ."]

    def alone(self, model, tokenizer, text, pooling):
        encoding = tokenizer(text, return_tensors="pt", return_special_tokens_mask=True)
        own = ~encoding.pop("special_tokens_mask")[0].bool()
        with torch.no_grad():
            output = stack(model)(**encoding, output_hidden_states=True)
        states = torch.cat(output.hidden_states, dim=-1)[0]
        return {"mean": states[own].mean(0), "cls": states[0], "last": states[own][-1]}[pooling]

    @pytest.mark.parametrize("kind", ["bert", "gpt2", "t5", "byt5"])
    @pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
    def test_rows_are_those_of_each_sentence_alone(self, zoo, kind, pooling):
        model, tokenizer = zoo(kind)
        extractor = ActivationExtractor(model, tokenizer, pooling=pooling)
        if pooling == "cls" and kind != "bert":
            with pytest.raises(
                ValueError, match="requires a special token at the beginning of a sentence"
            ):
                extractor.transform(self.TEXTS)
            return
        expected = [self.alone(model, tokenizer, text, pooling).numpy() for text in self.TEXTS]
        np.testing.assert_allclose(extractor.transform(self.TEXTS), expected, atol=2e-5)

    def test_a_pipeline_cross_validates_on_text(self, zoo, corpus):
        texts = np.array([" ".join(s) for s in corpus.sentences[:60]], dtype=object)
        y = np.array([text.endswith("?") or len(text) > 60 for text in texts])
        model = make_pipeline(
            ActivationExtractor(*zoo("bert"), layers=[2]), StandardScaler(), LogisticRegression()
        )
        assert cross_val_score(model, texts, y, cv=3).mean() > 0.6
        assert clone(model).fit(texts, y)[:-1].get_feature_names_out()[0] == "layer_2_neuron_0"

    def test_with_memory_the_model_runs_once(self, tiny_bert_path, tmp_path, monkeypatch):
        from sklearn_neurox.extraction import extractor as extraction

        loads = []
        load = extraction.load_model
        monkeypatch.setattr(
            extraction,
            "load_model",
            lambda *args, **kwargs: loads.append(1) or load(*args, **kwargs),
        )
        steps = make_pipeline(
            ActivationExtractor(str(tiny_bert_path)), LogisticRegression(), memory=str(tmp_path)
        )
        y = [0, 1, 0, 1]
        for C in (0.1, 1.0):
            steps.set_params(logisticregression__C=C).fit(self.TEXTS, y)
        assert len(loads) == 1

    def test_words_are_accepted_too(self, zoo):
        extractor = ActivationExtractor(*zoo("bert"))
        words = [text.split() for text in self.TEXTS]
        np.testing.assert_allclose(
            extractor.transform(words), extractor.transform(self.TEXTS), atol=1e-5
        )

    def test_names_without_fitting(self, zoo):
        names = ActivationExtractor(*zoo("bert"), layers=[1]).get_feature_names_out()
        assert names.tolist() == [f"layer_1_neuron_{i}" for i in range(16)]

    @pytest.mark.parametrize(
        ("texts", "error", "message"),
        [
            ("one text", TypeError, "list of at least one sentence, got str"),
            ([], TypeError, "at least one sentence"),
            (
                ["a", ""],
                ValueError,
                "Sentence 1: the tokenizer does not return any sub-words for ''",
            ),
            (["a", None], TypeError, "Sentence 1: expected a string or a list of words"),
            (["word " * 100], ValueError, "1 of 1 sentences exceed the limit of 64"),
        ],
    )
    def test_errors(self, zoo, texts, error, message):
        with pytest.raises(error, match=message):
            ActivationExtractor(*zoo("bert")).transform(texts)

    def test_a_series_in_another_order(self, zoo):
        pandas = pytest.importorskip("pandas")
        extractor = ActivationExtractor(*zoo("bert"), max_length=6, on_truncate="warn")
        texts = pandas.Series(["rain again and again and again , again", "short a"], index=[1, 0])
        with pytest.warns(UserWarning, match="These sentences are truncated"):
            found = extractor.transform(texts)
        with pytest.warns(UserWarning, match="These sentences are truncated"):
            np.testing.assert_array_equal(found, extractor.transform(texts.tolist()))


class TestBadInput:
    @pytest.mark.parametrize(
        ("sentences", "message"),
        [
            ([], "The corpus is empty"),
            ([["a"], []], "Sentence 1 is empty"),
            (["a", ""], "Sentence 1 is empty"),
            (
                ["a  b"],
                r"Sentence 0, word 1: expected a word without white space, got '' in 'a  b'",
            ),
            ([["a", "b c"]], "Sentence 0, word 1: .* got 'b c'"),
            ([["a", "b\N{NO-BREAK SPACE}c"]], "Sentence 0, word 1"),
            ([["ok"], ["a", WORD_JOINER]], "Sentence 1, word 1: the tokenizer drops '\\\\u2060'"),
        ],
    )
    def test_sentences(self, tiny_bert, sentences, message):
        with pytest.raises(ValueError, match=message):
            ActivationExtractor(*tiny_bert).extract(sentences)

    @pytest.mark.parametrize("use", ["extract", "transform"])
    @pytest.mark.parametrize(
        ("sentences", "message"),
        [
            (None, "Expected a list of sentences, got NoneType None"),
            (3, "Expected a list of sentences, got int 3"),
            ((s for s in ["a"]), r"got the generator .*, which can be read only once: pass list\("),
            (map(str, ["a"]), r"got the map .*, which can be read only once"),
            ({"a b", "c"}, "got the set .*, which has no order"),
            ([{"a", "b"}], "Sentence 0: expected a string or a list .* the set .* has no order"),
            (["a", iter(["b"])], "Sentence 1: .* the list_iterator .* can be read only once"),
            (["a", {"b": 1}], "Sentence 1: expected a string or a list of words, got dict"),
        ],
    )
    def test_sentences_that_are_not_lists(self, tiny_bert, use, sentences, message):
        with pytest.raises(TypeError, match=message):
            getattr(ActivationExtractor(*tiny_bert), use)(sentences)

    @pytest.mark.parametrize(
        ("labels", "message"),
        [
            ([{"x", "y"}], "Sentence 0: expected a list of labels, got the set .* has no order"),
            (iter([["x", "y"]]), "Expected a list of labels for each sentence, got the list_iter"),
            ([iter(["x", "y"])], "Sentence 0: expected a list of labels, got the list_iterator"),
            ({0: ["x", "y"]}, "Expected a list of labels for each sentence, got dict"),
            ([None], "Sentence 0: expected a list of labels, got NoneType"),
        ],
    )
    def test_labels_that_are_not_lists(self, tiny_bert, labels, message):
        with pytest.raises(TypeError, match=message):
            ActivationExtractor(*tiny_bert).extract(["a b"], labels)

    def test_arrays_and_tuples_are_lists(self, tiny_bert):
        extractor = ActivationExtractor(*tiny_bert)
        expected = extractor.extract([["a", "b"], ["c", "d"]], [["x", "y"], ["z", "w"]])
        for kind in (np.array, lambda rows: tuple(map(tuple, rows))):
            found = extractor.extract(
                kind([["a", "b"], ["c", "d"]]), kind([["x", "y"], ["z", "w"]])
            )
            np.testing.assert_array_equal(found.X, expected.X)
            assert found.y.tolist() == ["x", "y", "z", "w"]

    def test_embeddings_listed_and_excluded(self, tiny_bert):
        extractor = ActivationExtractor(*tiny_bert, layers=[0, 1], include_embeddings=False)
        for use in (extractor.extract, extractor.transform, extractor.fit):
            with pytest.raises(
                ValueError,
                match=r"layers=\[0, 1\] contains layer 0, the embeddings, but include_embeddings=False",
            ):
                use(["a"])
        assert extractor.set_params(layers=[1]).extract(["a"]).layers == (1,)

    @pytest.mark.parametrize("dtype", [np.float16, np.dtype("float16"), np.dtype(">f2")])
    def test_dtypes_of_numpy(self, tiny_bert, tmp_path, dtype):
        extractor = ActivationExtractor(*tiny_bert, dtype=dtype)
        expected = ActivationExtractor(*tiny_bert, dtype="float16").extract(["a b"])
        for tokens in (
            extractor.extract(["a b"]),
            extractor.extract(["a b"], store=tmp_path / "s"),
        ):
            np.testing.assert_array_equal(tokens.X, expected.X)
            assert tokens.X.dtype == np.float16

    @pytest.mark.parametrize(
        ("dtype", "message"),
        [
            (np.int32, "dtype must be one of float16, float32, float64, bfloat16, got .*int32"),
            (str, "dtype must be one of"),
            (np.ndarray, "dtype must be one of"),
            (torch.float16, "The 'dtype' parameter of ActivationExtractor"),
        ],
    )
    def test_dtypes_that_are_not_supported(self, tiny_bert, dtype, message):
        with pytest.raises(ValueError, match=message):
            ActivationExtractor(*tiny_bert, dtype=dtype).fit()

    @pytest.mark.parametrize(
        ("store", "error", "message"),
        [
            (3, TypeError, "store must be the path of a folder, got int 3"),
            (True, TypeError, "store must be the path of a folder, got bool True"),
            ("", ValueError, "store must be the path of a folder, got an empty string"),
        ],
    )
    def test_stores_that_are_not_paths(self, tiny_bert, store, error, message):
        with pytest.raises(error, match=message):
            ActivationExtractor(*tiny_bert).extract(["a"], store=store)

    def test_a_word_that_is_not_a_string(self, tiny_bert):
        with pytest.raises(TypeError, match="Sentence 0, word 1: expected a string, got float nan"):
            ActivationExtractor(*tiny_bert).extract([["a", float("nan")]])

    def test_not_a_corpus(self, tiny_bert):
        import pandas

        extractor = ActivationExtractor(*tiny_bert)
        for corpus in ("A sentence .", pandas.DataFrame({"text": ["A b"]}), {"a": ["b"]}):
            with pytest.raises(TypeError, match="Expected a list of sentences, got a single"):
                extractor.extract(corpus)
        with pytest.raises(TypeError, match=r"Sentence 1: expected a string or a list .* NoneType"):
            extractor.extract([["a"], None])
        assert len(extractor.extract(pandas.Series(["A b", "c"]))) == 3

    @pytest.mark.parametrize(
        "labels", [[[1, "x"]], [[True, 2]], [[None, "x"]], [["x", ["y"]]], ["xy"]]
    )
    def test_labels_are_never_converted(self, tiny_bert, labels):
        with pytest.raises(
            TypeError,
            match=r"sentence 0, word [01] = |expected a list of labels",
        ):
            ActivationExtractor(*tiny_bert).extract(["a b"], labels)

    @pytest.mark.parametrize("layers", [["a"], [0.5], [True]])
    def test_layers_are_integers(self, tiny_bert, layers):
        with pytest.raises(
            TypeError,
            match=r"'all' or a list of integers|list of layer indices .non-negative integers., got",
        ):
            ActivationExtractor(*tiny_bert, layers=layers).extract(["a"])

    def test_labels(self, tiny_bert):
        extractor = ActivationExtractor(*tiny_bert)
        with pytest.raises(ValueError, match="Got 2 sentences, but labels for 1"):
            extractor.extract(["a", "b"], [["X"]])
        with pytest.raises(ValueError, match="Sentence 1 has 2 words, but 1 label: 'b c'"):
            extractor.extract(["a", "b c"], [["X"], ["X"]])

    @pytest.mark.parametrize(
        ("layers", "message"),
        [
            ([3], r"layers must be between 0 \(embeddings\) and 2 for this model, got \[3\]"),
            ([-1], "layer indices must be non-negative integers, got -1"),
            ([1, 0], r"layers must be in ascending order, got \[1, 0\]"),
            ([1, 1], "Each layer can be listed only once; 1 is repeated"),
            ([], "layers is empty"),
        ],
    )
    def test_layers(self, tiny_bert, layers, message):
        with pytest.raises(ValueError, match=message):
            ActivationExtractor(*tiny_bert, layers=layers).extract(["a"])

    @pytest.mark.parametrize(
        ("parameter", "value"),
        [
            ("aggregation", "average"),
            ("on_truncate", "cut"),
            ("batch_tokens", 0),
            ("dtype", "int8"),
        ],
    )
    def test_parameters(self, tiny_bert, parameter, value):
        with pytest.raises(ValueError, match=f"The '{parameter}' parameter"):
            ActivationExtractor(*tiny_bert, **{parameter: value}).extract(["a"])
