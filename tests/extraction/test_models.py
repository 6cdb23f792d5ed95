"""Every kind of transformer and tokenizer: rows are those of each sentence fed alone."""

import numpy as np
import pytest
import torch
import transformers
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from sklearn_neurox import ActivationExtractor
from sklearn_neurox.extraction._states import blocks_of, find_module

SMALL = dict(
    hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=24,
    max_position_embeddings=80,
)  # fmt: skip


def byte_level_bpe(corpus, **special):
    """A tokenizer as that of GPT-2, trained here; words may start with a space."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=list(special.values()),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    bpe.train_from_iterator((" ".join(s) for s in corpus.sentences), trainer)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=bpe, add_prefix_space=True, model_max_length=80, **special
    )


def unigram(corpus, template, **special):
    """A tokenizer as those of SentencePiece."""
    pieces = Tokenizer(models.Unigram())
    pieces.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=400, special_tokens=list(special.values()), unk_token=special["unk_token"]
    )
    pieces.train_from_iterator((" ".join(s) for s in corpus.sentences), trainer)
    tokens = [t for t in template.split() if not t.startswith("$")]
    pieces.post_processor = processors.TemplateProcessing(
        single=template, special_tokens=[(t, pieces.token_to_id(t)) for t in set(tokens)]
    )
    return transformers.PreTrainedTokenizerFast(tokenizer_object=pieces, **special)


def make(kind, corpus, tiny_bert):
    t = transformers
    torch.manual_seed(0)
    if kind in ("bert", "albert", "distilbert"):
        tokenizer = tiny_bert[1]
        config = {
            "bert": lambda n: t.BertConfig(vocab_size=n, **SMALL),
            "albert": lambda n: t.AlbertConfig(vocab_size=n, embedding_size=8, **SMALL),
            "distilbert": lambda n: t.DistilBertConfig(
                vocab_size=n, dim=16, n_layers=3, n_heads=2, hidden_dim=24,
                max_position_embeddings=80,
            ),
        }[kind]  # fmt: skip
    elif kind in ("gpt2", "gpt2 with a head", "llama", "bart"):
        tokenizer = byte_level_bpe(corpus, bos_token="<s>", eos_token="</s>")  # no padding token
        tokenizer.padding_side = "left"
        ids = dict(bos_token_id=0, eos_token_id=1, pad_token_id=None)
        config = {
            "gpt2": lambda n: t.GPT2Config(vocab_size=n, n_embd=16, n_layer=3, n_head=2, n_positions=80, **ids),
            "llama": lambda n: t.LlamaConfig(vocab_size=n, num_key_value_heads=1, **SMALL, **ids),
            "bart": lambda n: t.BartConfig(
                vocab_size=n, d_model=16, encoder_layers=3, decoder_layers=2, encoder_ffn_dim=24,
                encoder_attention_heads=2, decoder_attention_heads=2, decoder_ffn_dim=24,
                max_position_embeddings=80, pad_token_id=1,
            ),
        }[kind.split()[0]]  # fmt: skip
    elif kind == "t5":
        tokenizer = unigram(
            corpus, "$A </s>", pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
        )
        config = lambda n: t.T5Config(  # noqa: E731 -- one of a table
            vocab_size=n, d_model=16, d_kv=8, d_ff=24, num_layers=3, num_heads=2,
            decoder_start_token_id=0,
        )  # fmt: skip
    elif kind == "xlm-r":
        tokenizer = unigram(
            corpus,
            "<s> $A </s>",
            bos_token="<s>",
            pad_token="<pad>",
            eos_token="</s>",
            unk_token="<unk>",
        )
        config = lambda n: t.XLMRobertaConfig(vocab_size=n, pad_token_id=1, **SMALL)  # noqa: E731 -- one of a table
    else:
        tokenizer = t.ByT5Tokenizer()  # bytes, and no word_ids
        config = lambda n: t.T5Config(  # noqa: E731 -- one of a table
            vocab_size=n, d_model=16, d_kv=8, d_ff=24, num_layers=3, num_heads=2,
            decoder_start_token_id=0,
        )  # fmt: skip
    config = config(len(tokenizer))
    if kind == "gpt2 with a head":
        return t.GPT2LMHeadModel(config).eval(), tokenizer
    return t.AutoModel.from_config(config).eval(), tokenizer


KINDS = (
    "bert",
    "albert",
    "distilbert",
    "gpt2",
    "gpt2 with a head",
    "llama",
    "bart",
    "t5",
    "xlm-r",
    "byt5",
)


@pytest.fixture(scope="module")
def zoo(corpus, tiny_bert):
    made = {}

    def get(kind):
        if kind not in made:
            made[kind] = make(kind, corpus, tiny_bert)
        return made[kind]

    return get


@pytest.fixture(scope="module")
def sentences(corpus):
    return [s for s in corpus.sentences if 2 < len(s) < 9][:12]


def stack(model):
    model = model.base_model
    return model.get_encoder() if model.config.is_encoder_decoder else model


def word_ids_of(tokenizer, sentence):
    """Word of each sub-word, from the text alone."""
    if tokenizer.is_fast:
        encoding = tokenizer(sentence, is_split_into_words=True)
        return encoding.input_ids, encoding.word_ids()
    owners = [w for w, word in enumerate(sentence) for _ in (" " * (w > 0) + word).encode()]
    spaces, place = [], 0
    for w, word in enumerate(sentence):
        spaces += [place] if w else []
        place += len(word.encode()) + (w > 0)
    for space in spaces:
        owners[space] = None
    return tokenizer(" ".join(sentence)).input_ids, [*owners, None]


def alone(model, tokenizer, sentence, how):
    """All hidden states of a sentence fed by itself, word by word."""
    ids, word_ids = word_ids_of(tokenizer, sentence)
    with torch.no_grad():
        output = stack(model)(input_ids=torch.tensor([ids]), output_hidden_states=True)
    states = torch.cat(output.hidden_states, dim=-1)[0].numpy()
    pieces = [[i for i, word in enumerate(word_ids) if word == w] for w in range(len(sentence))]
    pick = {"first": lambda p: states[p[0]], "last": lambda p: states[p[-1]]}
    pick["mean"] = lambda p: states[p].mean(axis=0)
    return np.array([pick[how](p) for p in pieces])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", ["first", "last", "mean"])
def test_rows_are_those_of_each_sentence_alone(zoo, sentences, kind, how):
    model, tokenizer = zoo(kind)
    extractor = ActivationExtractor(model, tokenizer, aggregation=how, batch_tokens=200)
    tokens = extractor.extract(sentences)
    expected = np.vstack([alone(model, tokenizer, sentence, how) for sentence in sentences])
    np.testing.assert_allclose(tokens.X, expected, atol=2e-5)
    assert tokens.layers == (0, 1, 2, 3)
    assert tokens.words.tolist() == [word for sentence in sentences for word in sentence]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layers", [[0], [1, 2], [3], [0, 3]])
def test_a_subset_of_layers(zoo, sentences, kind, layers):
    every = ActivationExtractor(*zoo(kind)).extract(sentences)
    some = ActivationExtractor(*zoo(kind), layers=layers).extract(sentences)
    np.testing.assert_array_equal(some.X, np.hstack([every.layer(layer) for layer in layers]))


@pytest.mark.parametrize("top", [0, 1, 2, 3])
def test_layers_above_the_last_are_not_computed(zoo, sentences, top):
    model, tokenizer = zoo("bert")
    ran = []
    handles = [
        block.register_forward_hook(lambda *_, i=i: ran.append(i))
        for i, block in enumerate(blocks_of(model))
    ]
    try:
        ActivationExtractor(model, tokenizer, layers=[top]).extract(sentences)
    finally:
        for handle in handles:
            handle.remove()
    assert set(ran) == set(range(top))


def test_no_hook_is_left_behind(corpus, sentences):
    model, tokenizer = make("gpt2", corpus, None)

    def hooks():
        return [(len(m._forward_hooks), len(m._forward_pre_hooks)) for m in model.modules()]

    before = hooks()
    ActivationExtractor(model, tokenizer, layers=[1]).extract(sentences)
    with pytest.raises(ValueError, match="is not in GPT2Block"):
        ActivationExtractor(model, tokenizer, modules="no.such").extract(sentences)
    broken = ActivationExtractor(model, tokenizer, dtype="float16", layers=[0, 2])
    with torch.no_grad():
        model.wte.weight.mul_(1e9)
    with pytest.raises(ValueError, match="NaN or infinite"):
        broken.extract(sentences)
    with torch.no_grad():
        model.wte.weight.mul_(1e-9)
    assert hooks() == before
    with torch.no_grad():
        assert model(input_ids=torch.tensor([[5, 6]])).last_hidden_state.shape == (1, 2, 16)


class TestUnusualModels:
    """What a review of this room proved wrong, and is right now."""

    def gluing(self, corpus):
        """Byte-level BPE as Llama 3 has it: words given one by one would be glued together."""
        from tokenizers import Regex

        tokenizer = byte_level_bpe(corpus, bos_token="<s>", eos_token="</s>")
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(r" ?\p{L}+| ?[^\s\p{L}]+|\s+"), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
        return transformers.PreTrainedTokenizerFast(
            tokenizer_object=tokenizer.backend_tokenizer, bos_token="<s>", eos_token="</s>"
        )

    @pytest.mark.parametrize("words", [["to", "the", "rain"], ["naïve", "日本", "👩‍👩‍👧", "!"]])
    def test_words_are_not_glued_together(self, zoo, corpus, words):
        model, tokenizer = zoo("llama")[0], self.gluing(corpus)
        tokens = ActivationExtractor(model, tokenizer).extract([words])
        ids = tokenizer(" ".join(words), return_tensors="pt").input_ids
        with torch.no_grad():
            states = model(input_ids=ids, output_hidden_states=True).hidden_states
        states = torch.cat(states, dim=-1)[0].numpy()
        last = [len(tokenizer(" ".join(words[: n + 1])).input_ids) - 1 for n in range(len(words))]
        np.testing.assert_allclose(tokens.X, states[last], atol=2e-5)
        sentence = ActivationExtractor(model, tokenizer)
        np.testing.assert_allclose(
            sentence.transform([words]), sentence.transform([" ".join(words)]), atol=1e-5
        )

    def test_layers_of_different_width_are_refused(self, zoo, corpus, sentences):
        tokenizer = zoo("gpt2")[1]
        config = transformers.OPTConfig(
            vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=3, num_attention_heads=2,
            ffn_dim=24, max_position_embeddings=80, word_embed_proj_dim=8, pad_token_id=1,
        )  # fmt: skip
        model = transformers.OPTModel(config).eval()
        with pytest.raises(
            ValueError, match=r"have \[16, 16, 16, 8\] neurons; extract layers of one"
        ):
            ActivationExtractor(model, tokenizer).extract(sentences)
        assert ActivationExtractor(model, tokenizer, layers=[3]).extract(sentences).X.shape[1] == 8

    def test_a_mean_in_half_precision(self, zoo):
        from copy import deepcopy

        model, tokenizer = zoo("gpt2")
        text = ["the rain " * 9]
        exact = ActivationExtractor(model, tokenizer, layers=[0]).transform(text)
        half = ActivationExtractor(deepcopy(model).bfloat16(), tokenizer, layers=[0]).transform(
            text
        )
        assert np.abs(half - exact).max() < 0.02 * np.abs(exact).max()

    def test_positions_before_sentences(self, zoo):
        """XLNet has (positions, sentences, units) inside, which a square batch would hide."""
        tokenizer = zoo("gpt2")[1]
        torch.manual_seed(0)
        config = transformers.XLNetConfig(
            vocab_size=len(tokenizer), d_model=16, n_layer=2, n_head=2, d_inner=24
        )
        model = transformers.XLNetModel(config).eval()
        corpus = [["a", "b", "c"], ["a", "a", "b"], ["c", "c", "a"]]
        extractor = ActivationExtractor(model, tokenizer)
        one_by_one = np.vstack([extractor.extract([words]).X for words in corpus])
        np.testing.assert_allclose(extractor.extract(corpus).X, one_by_one, atol=2e-5)

    def test_spaces_of_a_model_of_bytes_are_no_special_tokens(self, zoo):
        extractor = ActivationExtractor(*zoo("byt5"), include_special_tokens=True)
        tokens = extractor.extract([["a", "b"]])
        assert tokens.words.tolist() == ["a", "b", "</s>"]
        assert tokens.positions.tolist() == [0, 1, -1]

    def test_words_of_a_model_of_bytes_are_not_glued(self, zoo):
        extractor = ActivationExtractor(*zoo("byt5"))
        np.testing.assert_array_equal(
            extractor.transform([["ab", "c"]]), extractor.transform(["ab c"])
        )

    def test_a_series_in_another_order(self, zoo):
        pandas = pytest.importorskip("pandas")
        extractor = ActivationExtractor(*zoo("bert"), max_length=6, on_truncate="warn")
        texts = pandas.Series(["rain again and again and again , again", "short a"], index=[1, 0])
        with pytest.warns(UserWarning, match="Their ends are cut off"):
            found = extractor.transform(texts)
        with pytest.warns(UserWarning, match="Their ends are cut off"):
            np.testing.assert_array_equal(found, extractor.transform(texts.tolist()))

    @pytest.mark.parametrize("max_length", [1, 2])
    def test_no_room_beside_the_special_tokens(self, zoo, max_length):
        extractor = ActivationExtractor(*zoo("bert"), max_length=max_length, on_truncate="warn")
        with (
            pytest.warns(UserWarning, match="cut off"),
            pytest.raises(ValueError, match=f"A limit of {max_length} sub-words leaves no room"),
        ):
            extractor.transform(["Tomorrow : rain"])

    def test_a_module_that_does_not_run(self, zoo, sentences):
        extractor = ActivationExtractor(*zoo("bert"), modules="attention.self.dropout")
        with pytest.raises(
            ValueError, match=r"The module of layer 1 did not run: BertModel does not use it\. Take"
        ):
            extractor.extract(sentences)

    @pytest.mark.parametrize(
        ("kind", "options", "message"),
        [
            (
                "SqueezeBert",
                dict(embedding_size=16, **{f"{part}_groups": 1 for part in (
                    "q", "k", "v", "post_attention", "intermediate", "output",
                )}),
                "The module of layer 0 did not run: SqueezeBertModel lays out its blocks otherwise",
            ),
            (
                "Longformer",
                dict(attention_window=16, pad_token_id=0),
                r"Layer 0 has states of shape \(\d+, 16, 16\) .* LongformerModel pads, shortens or",
            ),
        ],
    )  # fmt: skip
    def test_models_with_states_of_another_kind(self, zoo, kind, options, message):
        tokenizer = zoo("bert")[1]
        config = getattr(transformers, f"{kind}Config")(
            vocab_size=len(tokenizer), **SMALL, **options
        )
        model = getattr(transformers, f"{kind}Model")(config).eval()
        with pytest.raises(ValueError, match=f"{message}.*Take modules=.*ModuleActivations"):
            ActivationExtractor(model, tokenizer).extract([["a", "b"], ["c", "d"]])


def test_hidden_states_of_mamba_count_from_the_first_block(zoo, sentences):
    """Layer k is what block k gives, whatever transformers calls it."""
    tokenizer = zoo("gpt2")[1]
    torch.manual_seed(0)
    config = transformers.MambaConfig(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=3, state_size=4
    )
    model = transformers.MambaModel(config).eval()
    tokens = ActivationExtractor(model, tokenizer, aggregation="first").extract(sentences[:1])
    ids, word_ids = word_ids_of(tokenizer, sentences[0])
    first = [word_ids.index(word) for word in range(len(sentences[0]))]
    with torch.no_grad():
        states = model(torch.tensor([ids]), output_hidden_states=True).hidden_states
        embedded = model.embeddings(torch.tensor([ids]))
    assert len(states) == 4
    for layer, expected in ((0, embedded), (1, states[0]), (2, states[1]), (3, states[3])):
        np.testing.assert_allclose(tokens.layer(layer), expected[0, first], atol=1e-5)


def test_autocast_is_less_exact(zoo, sentences):
    exact = ActivationExtractor(*zoo("bert")).extract(sentences).X
    narrow = (
        ActivationExtractor(*zoo("bert"), autocast="bfloat16", device="cpu").extract(sentences).X
    )
    assert narrow.dtype == np.float32
    difference = np.abs(narrow - exact).max()
    assert 1e-5 < difference < 0.1


class TestInsideTheLayers:
    @pytest.mark.parametrize("kind", ["bert", "distilbert", "gpt2", "llama", "bart", "t5", "xlm-r"])
    def test_the_block_goes_on_from_what_was_caught(self, zoo, sentences, kind):
        """What the next matrix makes of it is what the module behind it gave."""
        model, tokenizer = zoo(kind)
        for modules, width in (("attention_heads", 16), ("mlp", 24 if kind != "gpt2" else 64)):
            inside = ActivationExtractor(model, tokenizer, modules=modules).extract(sentences)
            assert inside.layers == (1, 2, 3)
            assert inside.X.shape[1] == 3 * width
            for layer in (1, 3):
                behind = find_module(blocks_of(stack(model))[layer - 1], modules)
                path = next(
                    n for n, m in blocks_of(stack(model))[layer - 1].named_modules() if m is behind
                )
                outputs = ActivationExtractor(
                    model, tokenizer, modules=path, layers=[layer]
                ).extract(sentences)
                with torch.no_grad():
                    made = behind(torch.from_numpy(inside.layer(layer))).numpy()
                np.testing.assert_allclose(made, outputs.X, atol=1e-5)

    def test_mlp_neurons_have_been_activated(self, zoo, sentences):
        tokens = ActivationExtractor(*zoo("bart"), modules="mlp").extract(sentences)
        gelu_floor = -0.17
        assert tokens.X.min() > gelu_floor
        assert tokens.neuron_names[0] == "layer_1_mlp_0"

    def test_names_tell_the_module(self, zoo, sentences):
        heads = ActivationExtractor(*zoo("bert"), modules="attention_heads", layers=[2])
        assert heads.extract(sentences).neuron_names[17 - 2] == "layer_2_attention_15"
        path = ActivationExtractor(*zoo("bert"), modules="attention.output", layers=[2])
        assert path.extract(sentences).neuron_names[0] == "layer_2_attention_output_0"

    @pytest.mark.parametrize(
        ("kind", "parameters", "message"),
        [
            (
                "bert",
                dict(modules="mpl"),
                r"'mpl' is not in BertLayer; expected attention_heads or mlp, or",
            ),
            (
                "bert",
                dict(modules="mlp", layers=[0, 1]),
                r"layers 1 \(the first block\) to 3, got \[0, 1\]",
            ),
            ("albert", dict(modules="mlp"), "AlbertModel has no list of blocks"),
        ],
    )
    def test_errors(self, zoo, sentences, kind, parameters, message):
        with pytest.raises(ValueError, match=message):
            ActivationExtractor(*zoo(kind), **parameters).extract(sentences)


class TestSpecialTokens:
    def test_they_have_rows_of_their_own(self, zoo, sentences):
        model, tokenizer = zoo("bert")
        tokens = ActivationExtractor(model, tokenizer, include_special_tokens=True).extract(
            sentences
        )
        without = ActivationExtractor(model, tokenizer).extract(sentences)
        special = tokens.positions < 0
        np.testing.assert_array_equal(tokens.X[~special], without.X)
        np.testing.assert_array_equal(tokens.words[~special], without.words)
        assert set(tokens.words[special]) == {"[CLS]", "[SEP]"}
        assert special.sum() == 2 * len(sentences)
        first = np.flatnonzero(tokens.sentence_ids == 1)
        assert tokens.words[first].tolist() == ["[CLS]", *sentences[1], "[SEP]"]
        assert tokens.positions[first].tolist() == [-1, *range(len(sentences[1])), -1]
        ids = tokenizer(sentences[1], is_split_into_words=True, return_tensors="pt").input_ids
        with torch.no_grad():
            cls = model(input_ids=ids).last_hidden_state[0, 0]
        np.testing.assert_allclose(tokens.layer(3)[first[0]], cls, atol=2e-5)

    def test_a_word_that_looks_like_one_is_a_word(self, zoo):
        extractor = ActivationExtractor(*zoo("bert"), include_special_tokens=True)
        tokens = extractor.extract([["[SEP]", *"abc"]])
        assert tokens.words.tolist() == ["[CLS]", "[SEP]", *"abc", "[SEP]"]
        assert tokens.positions.tolist() == [-1, 0, 1, 2, 3, -1]

    def test_they_have_no_labels(self, zoo):
        extractor = ActivationExtractor(*zoo("bert"), include_special_tokens=True)
        with pytest.raises(ValueError, match="Special tokens have no labels"):
            extractor.extract([["a"]], [["X"]])


class TestRandomWeights:
    @pytest.mark.parametrize("kind", ["bert", "gpt2 with a head", "t5"])
    def test_all_weights_are_drawn_anew(self, zoo, sentences, kind):
        from sklearn_neurox.extraction._loading import load_model

        model, _ = zoo(kind)
        fresh = load_model(model, "cpu", random_weights=True, seed=1)
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


class TestSentences:
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
            with pytest.raises(ValueError, match="needs a special token in front of a sentence"):
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

    def test_words_are_taken_too(self, zoo):
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
            (["a", ""], ValueError, "Sentence 1: the tokenizer leaves nothing of ''"),
            (["a", None], TypeError, "Sentence 1: expected a string or a list of words"),
            (["word " * 100], ValueError, "1 of 1 sentences are longer than the limit of 64"),
        ],
    )
    def test_errors(self, zoo, texts, error, message):
        with pytest.raises(error, match=message):
            ActivationExtractor(*zoo("bert")).transform(texts)

    def test_long_sentences(self, zoo):
        extractor = ActivationExtractor(*zoo("bert"), on_truncate="warn", pooling="cls")
        long = "word " * 100
        with pytest.warns(UserWarning, match="the first is sentence 1. Their ends are cut off"):
            X = extractor.transform(["Short .", long])
        assert X.shape == (2, 64)
        with pytest.raises(ValueError, match="keeps a row for every sentence"):
            clone(extractor).set_params(on_truncate="drop").transform(["Short ."])


def test_model_and_tokenizer_in_one_string(tiny_bert, tiny_bert_path, sentences):
    expected = ActivationExtractor(*tiny_bert).extract(sentences).X
    pair = f"{tiny_bert_path},{tiny_bert_path}"
    np.testing.assert_allclose(ActivationExtractor(pair).extract(sentences).X, expected, atol=1e-6)
    with pytest.raises(ValueError, match="Expected 'model' or 'model,tokenizer', got 'a,b,c'"):
        ActivationExtractor("a,b,c").extract(sentences)


def test_a_tokenizer_of_one_s_own_kind(zoo):
    """Bytes of words in several scripts."""
    model, tokenizer = zoo("byt5")
    words = [["naïve", "日本", "שלום", "👩‍👩‍👧", "a"]]
    tokens = ActivationExtractor(model, tokenizer, aggregation="first").extract(words)
    np.testing.assert_allclose(tokens.X, alone(model, tokenizer, words[0], "first"), atol=2e-5)
