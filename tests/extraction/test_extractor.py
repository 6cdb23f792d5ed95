"""One row per word, always: against a loop that feeds one sentence at a time."""

from pathlib import Path

import numpy as np
import pytest
import torch

from sklearn_neurox import ActivationExtractor

WORD_JOINER = "\N{WORD JOINER}"  # BERT's normalizer drops it


def one_by_one(model, tokenizer, sentence, how="last"):
    """States (n_words, n_layers * width) of a sentence by itself, word by word."""
    encoding = tokenizer(sentence, is_split_into_words=True, return_tensors="pt")
    with torch.no_grad():
        states = model(**encoding, output_hidden_states=True).hidden_states
    states = torch.cat(states, dim=-1)[0].numpy()
    ids = encoding.word_ids()
    pieces = [[i for i, word in enumerate(ids) if word == w] for w in range(len(sentence))]
    pick = {"first": lambda p: states[p[0]], "last": lambda p: states[p[-1]]}
    pick["mean"] = lambda p: states[p].mean(axis=0)
    return np.array([pick[how](p) for p in pieces])


@pytest.mark.parametrize("how", ["first", "last", "mean"])
@pytest.mark.parametrize("batch_tokens", [1, 50, 4096])
def test_rows_are_those_of_each_sentence_alone(tiny_bert, corpus, how, batch_tokens):
    sentences = corpus.sentences[:40]
    extractor = ActivationExtractor(
        *tiny_bert, aggregation=how, batch_tokens=batch_tokens, device="cpu"
    )
    tokens = extractor.extract(sentences)
    expected = np.vstack([one_by_one(*tiny_bert, sentence, how) for sentence in sentences])
    np.testing.assert_allclose(tokens.X, expected, atol=1e-5)
    assert tokens.words.tolist() == [word for sentence in sentences for word in sentence]
    assert tokens.n_layers == 3
    assert tokens.neuron_names[-1] == "layer_2_neuron_15"


@pytest.mark.parametrize("batch_tokens", [1, 30, 200])
def test_batches_keep_to_their_budget_and_need_little_padding(tiny_bert, corpus, batch_tokens):
    model, tokenizer = tiny_bert
    shapes, real = [], []

    def see(module, args, kwargs):
        shapes.append(tuple(kwargs["input_ids"].shape))
        real.append(int(kwargs["attention_mask"].sum()))

    handle = model.register_forward_pre_hook(see, with_kwargs=True)
    try:
        ActivationExtractor(model, tokenizer, batch_tokens=batch_tokens).extract(corpus.sentences)
    finally:
        handle.remove()
    if batch_tokens > 1:  # the first two tell whether padding leaks, on one sentence
        assert [n for n, _ in shapes[:2]] == [1, 1]
        del shapes[:2], real[:2]
    assert sum(n for n, _ in shapes) == len(corpus.sentences)
    assert all(n == 1 or n * length <= batch_tokens for n, length in shapes)
    assert sum(real) > 0.9 * sum(n * length for n, length in shapes)
    assert batch_tokens == 1 or len(shapes) < len(corpus.sentences)


def test_a_special_token_in_the_text_is_a_word(tiny_bert):
    model, tokenizer = tiny_bert
    seen = []
    handle = model.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(kwargs["input_ids"]), with_kwargs=True
    )
    try:
        tokens = ActivationExtractor(model, tokenizer).extract([["a", "[SEP]", *"bcdI"]])
    finally:
        handle.remove()
    assert tokens.words.tolist() == ["a", "[SEP]", *"bcdI"]
    assert (seen[0] == tokenizer.sep_token_id).sum() == 1
    assert (
        tokenizer(["[SEP]"], is_split_into_words=True).input_ids.count(tokenizer.sep_token_id) == 2
    )


def test_activations_that_are_not_finite(tiny_bert):
    from copy import deepcopy

    model, tokenizer = deepcopy(tiny_bert[0]), tiny_bert[1]
    with torch.no_grad():
        model.embeddings.word_embeddings.weight[tokenizer.convert_tokens_to_ids("z")] = torch.nan
    extractor = ActivationExtractor(model, tokenizer)
    assert len(extractor.extract(["a", "b"])) == 2
    with pytest.raises(
        ValueError, match="Sentence 1 has activations that are NaN or infinite as float32"
    ):
        extractor.extract(["a", "z", "b"])


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


def test_a_path_loads_model_and_tokenizer(tiny_bert, tiny_bert_path, corpus):
    sentences = corpus.sentences[:5]
    expected = ActivationExtractor(*tiny_bert).extract(sentences)
    for path in (tiny_bert_path, str(tiny_bert_path)):
        loaded = ActivationExtractor(path, device="cpu").extract(sentences)
        np.testing.assert_allclose(loaded.X, expected.X, atol=1e-6)


def test_a_model_in_training_mode_is_evaluated_and_put_back(tiny_bert, corpus):
    model, tokenizer = tiny_bert
    expected = ActivationExtractor(model, tokenizer).extract(corpus.sentences[:5])
    try:
        model.train()
        model.encoder.layer[0].eval()  # as when its dropout is frozen
        modes = [module.training for module in model.modules()]
        tokens = ActivationExtractor(model, tokenizer).extract(corpus.sentences[:5])
        assert [module.training for module in model.modules()] == modes
    finally:
        model.eval()
    np.testing.assert_array_equal(tokens.X, expected.X)


def test_roberta_counts_positions_from_its_padding(corpus):
    """Byte-level BPE, and a model with fewer positions than its config says."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import RobertaConfig, RobertaModel, RobertaTokenizerFast

    bpe = ByteLevelBPETokenizer(add_prefix_space=True)
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    bpe.train_from_iterator(
        (" ".join(s) for s in corpus.sentences), vocab_size=600, special_tokens=special
    )
    tokenizer = RobertaTokenizerFast(tokenizer_object=bpe._tokenizer, add_prefix_space=True)
    torch.manual_seed(0)
    model = RobertaModel(
        RobertaConfig(
            vocab_size=bpe.get_vocab_size(), hidden_size=8, num_hidden_layers=1,
            num_attention_heads=1, intermediate_size=8, max_position_embeddings=34, pad_token_id=1,
        )
    ).eval()  # fmt: skip
    extractor = ActivationExtractor(model, tokenizer)
    sentences = [s for s in corpus.sentences if len(s) < 8][:20]
    expected = np.vstack([one_by_one(model, tokenizer, sentence) for sentence in sentences])
    np.testing.assert_allclose(extractor.extract(sentences).X, expected, atol=1e-5)
    with pytest.raises(ValueError, match="limit of 32 sub-words"):
        extractor.extract([["sandwiches"] * 40])


class TestTruncation:
    long = ("word " * 100).split()

    def test_error_names_sentence_and_word(self, tiny_bert):
        with pytest.raises(
            ValueError,
            match=r"1 of 2 sentences are longer than the limit of 64 sub-words; sentence 1 has \d+, "
            r"and its word \d+ \('word'\) is past the limit",
        ):
            ActivationExtractor(*tiny_bert).extract([["Short"], self.long])

    def test_warn_keeps_the_words_that_fit(self, tiny_bert):
        model, tokenizer = tiny_bert
        extractor = ActivationExtractor(model, tokenizer, on_truncate="warn")
        sentences = [["Short"], self.long, ["End"]]
        labels = [["a"], ["b"] * 100, ["c"]]
        with pytest.warns(UserWarning, match=r"sentence 1 has \d+\. \d+ words get no row"):
            tokens = extractor.extract(sentences, labels)
        pieces = len(tokenizer(["word"], is_split_into_words=True).input_ids) - 2
        kept = 62 // pieces
        assert tokens.y.tolist() == ["a"] + ["b"] * kept + ["c"]
        alone = one_by_one(model, tokenizer, self.long[:kept])
        np.testing.assert_allclose(tokens.X[1:-1], alone, atol=1e-5)

    def test_drop_leaves_the_sentence_out(self, tiny_bert):
        extractor = ActivationExtractor(*tiny_bert, on_truncate="drop")
        tokens = extractor.extract([["Short"], self.long, ["End"]], [["a"], ["b"] * 100, ["c"]])
        assert tokens.words.tolist() == ["Short", "End"]
        assert tokens.sentence_ids.tolist() == [0, 2]
        assert tokens.y.tolist() == ["a", "c"]
        with pytest.raises(ValueError, match="no sentence is left"):
            extractor.extract([self.long])

    def test_max_length(self, tiny_bert):
        with pytest.raises(ValueError, match="limit of 5 sub-words"):
            ActivationExtractor(*tiny_bert, max_length=5).extract([self.long[:20]])
        with pytest.raises(ValueError, match="max_length=65, but the model's limit is 64"):
            ActivationExtractor(*tiny_bert, max_length=65).extract([["Short"]])


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
            ((s for s in ["a"]), r"got the generator .*, which can be read only once: give list\("),
            (map(str, ["a"]), r"got the map .*, which can be read only once"),
            ({"a b", "c"}, "got the set .*, which has no order"),
            ([{"a", "b"}], "Sentence 0: expected a string or a list .* the set .* has no order"),
            (["a", iter(["b"])], "Sentence 1: .* the list_iterator .* can be read only once"),
            (["a", {"b": 1}], "Sentence 1: expected a string or a list of words, got dict"),
        ],
    )
    def test_what_is_no_list(self, tiny_bert, use, sentences, message):
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
    def test_labels_that_are_no_lists(self, tiny_bert, labels, message):
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

    def test_embeddings_asked_for_and_left_out(self, tiny_bert):
        extractor = ActivationExtractor(*tiny_bert, layers=[0, 1], include_embeddings=False)
        for use in (extractor.extract, extractor.transform, extractor.fit):
            with pytest.raises(ValueError, match=r"layers=\[0, 1\] asks for layer 0, the embeddin"):
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
            (np.int32, "dtype must be one of float16, float32, float64, got .*int32"),
            (str, "dtype must be one of"),
            (np.ndarray, "dtype must be one of"),
            (torch.float16, "The 'dtype' parameter of ActivationExtractor"),
        ],
    )
    def test_what_is_no_dtype(self, tiny_bert, dtype, message):
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
    def test_what_is_no_store(self, tiny_bert, store, error, message):
        with pytest.raises(error, match=message):
            ActivationExtractor(*tiny_bert).extract(["a"], store=store)

    def test_a_word_that_is_no_string(self, tiny_bert):
        with pytest.raises(TypeError, match="Sentence 0, word 1: expected a string, got float nan"):
            ActivationExtractor(*tiny_bert).extract([["a", float("nan")]])

    def test_not_a_corpus(self, tiny_bert):
        import pandas

        extractor = ActivationExtractor(*tiny_bert)
        for corpus in ("A sentence .", pandas.DataFrame({"text": ["A b"]}), {"a": ["b"]}):
            with pytest.raises(TypeError, match="Expected a list of sentences, got one"):
                extractor.extract(corpus)
        with pytest.raises(TypeError, match=r"Sentence 1: expected a string or a list .* NoneType"):
            extractor.extract([["a"], None])
        assert len(extractor.extract(pandas.Series(["A b", "c"]))) == 3

    @pytest.mark.parametrize(
        "labels", [[[1, "x"]], [[True, 2]], [[None, "x"]], [["x", ["y"]]], ["xy"]]
    )
    def test_labels_are_never_turned_into_others(self, tiny_bert, labels):
        with pytest.raises(TypeError, match=r"of one kind; got|expected a list of labels"):
            ActivationExtractor(*tiny_bert).extract(["a b"], labels)

    @pytest.mark.parametrize("layers", [["a"], [0.5], [True]])
    def test_layers_are_integers(self, tiny_bert, layers):
        with pytest.raises(TypeError, match="'all' or a list of integers"):
            ActivationExtractor(*tiny_bert, layers=layers).extract(["a"])

    def test_a_module_that_is_no_transformer(self, tiny_bert):
        with pytest.raises(ValueError, match=r"Linear is no model of transformers .* ModuleActiv"):
            ActivationExtractor(torch.nn.Linear(2, 2), tiny_bert[1]).extract(["a"])

    def test_labels(self, tiny_bert):
        extractor = ActivationExtractor(*tiny_bert)
        with pytest.raises(ValueError, match="Got 2 sentences, but labels for 1"):
            extractor.extract(["a", "b"], [["X"]])
        with pytest.raises(ValueError, match="Sentence 1 has 2 words, but 1 labels: 'b c'"):
            extractor.extract(["a", "b c"], [["X"], ["X"]])

    @pytest.mark.parametrize(
        ("layers", "message"),
        [
            ([3], r"layers 0 \(embeddings\) to 2, got \[3\]"),
            ([-1], r"got \[-1\]"),
            ([1, 0], "different and ascending"),
            ([1, 1], "different and ascending"),
            ([], "different and ascending"),
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

    def test_a_model_that_is_not_there(self, tmp_path):
        missing = tmp_path / "bert-base-casde"
        with pytest.raises(
            ValueError, match=r"Cannot load the model '.*bert-base-casde'; expected"
        ):
            ActivationExtractor(missing).extract(["a"])

    @pytest.mark.parametrize("name", ["./nope", "../nope", "/nowhere/nope", "~/nope", Path("nope")])
    def test_a_folder_that_is_not_there(self, tiny_bert, name):
        """What can only be a path is not looked for on a hub."""
        for what, given in (("model", (name, None)), ("tokenizer", (tiny_bert[0], name))):
            for use in (
                lambda e: e.extract(["a"]),
                lambda e: e.transform(["a"]),
                lambda e: e.fit(),
            ):
                with pytest.raises(
                    ValueError, match=rf"Cannot load the {what} '.*nope'; .* there is no folder '/"
                ):
                    use(ActivationExtractor(*given))

    def test_a_tokenizer_that_is_not_there(self, tiny_bert, tmp_path):
        with pytest.raises(ValueError, match=r"Cannot load the tokenizer '.*nothing'; expected"):
            ActivationExtractor(tiny_bert[0], tmp_path / "nothing").extract(["a"])

    def test_a_loaded_model_needs_its_tokenizer(self, tiny_bert):
        with pytest.raises(ValueError, match="needs its tokenizer"):
            ActivationExtractor(tiny_bert[0]).extract(["a"])

    def test_what_is_no_tokenizer(self, tiny_bert):
        with pytest.raises(TypeError, match="Expected a tokenizer of transformers, got function"):
            ActivationExtractor(tiny_bert[0], lambda words: words).extract(["a"])
