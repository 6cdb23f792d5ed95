"""Which network is read: the states are those of plain transformers, whatever is around it."""

import copy
import warnings
from dataclasses import replace

import joblib
import numpy as np
import pytest
import torch
import transformers as t

from sklearn_neurox import ActivationExtractor, DirectionProjector
from sklearn_neurox.extraction.model_identity import identity_of

from .small_models import byte_level_bpe

SIZES = dict(
    vocab_size=500, hidden_size=16, num_hidden_layers=3, num_attention_heads=2,
    intermediate_size=24, max_position_embeddings=80, pad_token_id=1, bos_token_id=0,
    eos_token_id=1,
)  # fmt: skip
GPT2 = dict(vocab_size=500, n_embd=16, n_layer=3, n_head=2, n_positions=80, bos_token_id=0,
            eos_token_id=1)  # fmt: skip
BART = dict(
    vocab_size=500, d_model=16, encoder_layers=3, decoder_layers=2, encoder_ffn_dim=24,
    decoder_ffn_dim=24, encoder_attention_heads=2, decoder_attention_heads=2,
    max_position_embeddings=80, pad_token_id=1,
)  # fmt: skip
T5 = dict(
    vocab_size=500, d_model=16, d_kv=8, d_ff=24, num_layers=3, num_decoder_layers=2, num_heads=2,
    decoder_start_token_id=0, pad_token_id=1,
)  # fmt: skip
# A model, and where plain transformers computes the hidden states.
MODELS = {
    "BartForCausalLM": (t.BartConfig, BART, lambda m: m.model.decoder),
    "MBartForCausalLM": (t.MBartConfig, BART, lambda m: m.model.decoder),
    "BartForConditionalGeneration": (t.BartConfig, BART, lambda m: m.model.encoder),
    "T5EncoderModel": (t.T5Config, T5, lambda m: m.encoder),
    "T5ForTokenClassification": (t.T5Config, T5, lambda m: m.transformer.encoder),
    "T5ForConditionalGeneration": (t.T5Config, T5, lambda m: m.encoder),
    "GPT2LMHeadModel": (t.GPT2Config, GPT2, lambda m: m.transformer),
    "LlamaForCausalLM": (t.LlamaConfig, SIZES, lambda m: m.model),
    "Llama4ForCausalLM": (
        t.Llama4TextConfig,
        SIZES | dict(head_dim=8, intermediate_size_mlp=24, num_local_experts=2, num_key_value_heads=1),
        lambda m: m.model,
    ),
    "OPTForCausalLM": (
        t.OPTConfig, SIZES | dict(ffn_dim=24, word_embed_proj_dim=16), lambda m: m.model,
    ),
    "MixtralForCausalLM": (
        t.MixtralConfig, SIZES | dict(num_local_experts=2, num_key_value_heads=1), lambda m: m.model,
    ),
    "AlbertForMaskedLM": (t.AlbertConfig, SIZES | dict(embedding_size=8), lambda m: m.albert),
    "XLNetLMHeadModel": (
        t.XLNetConfig, dict(vocab_size=500, d_model=16, n_layer=2, n_head=2, d_inner=24),
        lambda m: m.transformer,
    ),
    "BigBirdForMaskedLM": (t.BigBirdConfig, SIZES, lambda m: m.bert),
}  # fmt: skip


@pytest.fixture(scope="module")
def tokenizer(corpus):
    return byte_level_bpe(corpus, bos_token="<s>", eos_token="</s>")


def build(name, **options):
    kind, sizes, _ = MODELS[name]
    torch.manual_seed(0)
    return trained(getattr(t, name)(kind(**sizes, **options)))


def trained(model):
    """Give a model weights as large as after training."""
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.normal_(0, 0.2)
    return model.eval()


def states_alone(run, tokenizer, sentences):
    """Return all hidden states of the last sub-words of words, with one sentence at a time."""
    rows = []
    for sentence in sentences:
        encoding = tokenizer(sentence, is_split_into_words=True)
        ids = torch.tensor([encoding.input_ids])
        with torch.no_grad():
            states = run(input_ids=ids, attention_mask=torch.ones_like(ids))
        states = torch.cat([state[0, -ids.shape[1] :] for state in states], dim=-1).numpy()
        owners = encoding.word_ids()
        rows += [
            states[max(i for i, w in enumerate(owners) if w == word)]
            for word in range(len(sentence))
        ]
    return np.array(rows)


def plain(model):
    return lambda **inputs: (
        model(**inputs, output_hidden_states=True, return_dict=True).hidden_states
    )


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("return_dict", [True, False])
def test_hidden_states_are_those_of_plain_transformers(tokenizer, sentences, name, return_dict):
    """Also in training mode, and if the configuration asks for tuples."""
    model = build(name)
    part = copy.deepcopy(MODELS[name][2](model))
    model.config.return_dict = return_dict
    model.config.output_hidden_states = False
    model.train()
    tokens = ActivationExtractor(model, tokenizer, batch_tokens=64).extract(sentences[:4])
    expected = states_alone(plain(part), tokenizer, sentences[:4])
    np.testing.assert_allclose(tokens.X, expected, atol=1e-5)
    assert all(module.training for module in model.modules())


@pytest.mark.parametrize("name", ["RwkvModel", "RwkvForCausalLM"])
@pytest.mark.parametrize("rescale_every", [0, 2])  # 2: halves the states, and divides weights
@pytest.mark.parametrize("training", [True, False])
def test_layers_of_rwkv(tokenizer, sentences, name, rescale_every, training):
    """Plain transformers leaves out the embeddings, and lists the last layer twice."""
    config = t.RwkvConfig(
        vocab_size=500, hidden_size=16, num_hidden_layers=4, attention_hidden_size=16,
        intermediate_size=24, context_length=40, rescale_every=rescale_every,
    )  # fmt: skip
    torch.manual_seed(0)
    model = trained(getattr(t, name)(config))
    part = copy.deepcopy(model if name == "RwkvModel" else model.rwkv)
    tokens = ActivationExtractor(model.train(training), tokenizer).extract(sentences[:4])
    assert tokens.layers == (0, 1, 2, 3, 4)

    def states(input_ids, attention_mask):
        *first, _, after = part(input_ids, output_hidden_states=True).hidden_states
        return [part.embeddings(input_ids), *first, after]

    expected = states_alone(states, tokenizer, sentences[:4])
    np.testing.assert_allclose(tokens.X, expected, atol=1e-5)


@pytest.mark.parametrize("name", ["BartForCausalLM", "BartForConditionalGeneration"])
def test_the_number_of_layers_is_that_of_the_part_that_is_read(tokenizer, name):
    n_layers = len(MODELS[name][2](build(name)).layers)
    message = f"layers must be between 0 .embeddings. and {n_layers} for this model, got .4."
    with pytest.raises(ValueError, match=message):
        ActivationExtractor(build(name), tokenizer, layers=[4]).extract(["a b"])


@pytest.mark.parametrize("n_left", [1, 2])
def test_blocks_that_were_removed(tokenizer, sentences, n_left):
    model = build("LlamaForCausalLM")
    every = ActivationExtractor(model, tokenizer).extract(sentences)
    model.model.layers = model.model.layers[:n_left]
    tokens = ActivationExtractor(model, tokenizer).extract(sentences)
    assert tokens.layers == tuple(range(n_left + 1))
    np.testing.assert_array_equal(tokens.layer(n_left - 1), every.layer(n_left - 1))
    expected = states_alone(lambda **inputs: (model.model(**inputs)[0],), tokenizer, sentences)
    np.testing.assert_allclose(tokens.layer(n_left), expected, atol=1e-5)


def test_a_decoder_of_its_own(tokenizer, sentences):
    decoder = build("BartForConditionalGeneration").get_decoder()
    tokens = ActivationExtractor(decoder, tokenizer).extract(sentences)
    np.testing.assert_allclose(
        tokens.X, states_alone(plain(decoder), tokenizer, sentences), atol=1e-5
    )


def test_an_encoder_within_a_pair_of_models(tokenizer, sentences):
    config = t.BertConfig(**SIZES)
    decoder = t.BertConfig(**SIZES, is_decoder=True, add_cross_attention=True)
    model = trained(
        t.EncoderDecoderModel(
            config=t.EncoderDecoderConfig.from_encoder_decoder_configs(config, decoder)
        )
    )
    tokens = ActivationExtractor(model, tokenizer).extract(sentences)
    expected = states_alone(plain(model.encoder), tokenizer, sentences)
    np.testing.assert_allclose(tokens.X, expected, atol=1e-5)


class TestContainers:
    def test_of_parallel_copies(self, tokenizer, sentences):
        model = build("GPT2LMHeadModel")
        expected = ActivationExtractor(model, tokenizer).extract(sentences).X
        found = ActivationExtractor(torch.nn.DataParallel(model), tokenizer).extract(sentences)
        np.testing.assert_array_equal(found.X, expected)

    def test_that_is_compiled(self, tokenizer, sentences):
        model = build("GPT2LMHeadModel")
        expected = ActivationExtractor(model, tokenizer).extract(sentences).X
        compiled = torch.compile(model, backend="eager")
        found = ActivationExtractor(compiled, tokenizer).extract(sentences)
        np.testing.assert_array_equal(found.X, expected)

    def test_of_a_user(self, tokenizer):
        class Tagger(torch.nn.Module):
            def __init__(self, encoder):
                super().__init__()
                self.encoder, self.config = encoder, encoder.config

        message = (
            r"model must be a model of transformers with hidden layers, got Tagger\. Pass one of "
            r"the models that it contains \(GPT2LMHeadModel 'encoder', GPT2Model "
            r"'encoder\.transformer'\)\. Use ModuleActivations"
        )
        with pytest.raises(ValueError, match=message):
            ActivationExtractor(Tagger(build("GPT2LMHeadModel")), tokenizer).extract(["a"])

    def test_of_several_modalities(self, tokenizer):
        text = t.LlamaConfig(**SIZES).to_dict()
        vision = dict(model_type="clip_vision_model", hidden_size=16, intermediate_size=24,
                      num_hidden_layers=1, num_attention_heads=2, image_size=8, patch_size=4)  # fmt: skip
        model = t.LlavaForConditionalGeneration(
            t.LlavaConfig(text_config=text, vision_config=vision)
        )
        message = r"got LlavaForConditionalGeneration. Pass one of .*LlamaModel 'model.language_mo"
        with pytest.raises(ValueError, match=message):
            ActivationExtractor(model, tokenizer).extract(["a"])
        inside = ActivationExtractor(model.model.language_model, tokenizer).extract(["a b"])
        assert inside.X.shape == (2, 64)

    def test_a_model_that_does_not_read_text(self, tokenizer):
        config = t.ViTConfig(
            hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24
        )
        with pytest.raises(ValueError, match="ViTModel reads 'pixel_values', not the sub-words"):
            ActivationExtractor(t.ViTModel(config), tokenizer).extract(["a"])


def test_sentence_transformers(tiny_bert_path, tiny_bert, sentences):
    library = pytest.importorskip("sentence_transformers")
    parts = library.sentence_transformer.modules
    body = parts.Transformer(str(tiny_bert_path))
    model = library.SentenceTransformer(modules=[body, parts.Pooling(16)], device="cpu")
    found = ActivationExtractor(model, tiny_bert[1]).extract(sentences)
    np.testing.assert_array_equal(found.X, ActivationExtractor(*tiny_bert).extract(sentences).X)
    static = library.SentenceTransformer(
        modules=[parts.StaticEmbedding(tiny_bert[1].backend_tokenizer, embedding_dim=4)],
        device="cpu",
    )
    with pytest.raises(ValueError, match=r"with hidden layers, got SentenceTransformer\."):
        ActivationExtractor(static, tiny_bert[1]).extract(["a"])


class TestAdapters:
    """With PEFT: the adapter is active, and virtual tokens do not get rows."""

    @pytest.fixture
    def peft(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of PEFT, when it is imported
            return pytest.importorskip("peft")

    CASES = {
        "LoRA on a decoder": (
            "GPT2LMHeadModel", "CAUSAL_LM", "LoraConfig",
            dict(init_lora_weights=False, target_modules=["c_attn"], fan_in_fan_out=True),
        ),
        "LoRA on an encoder-decoder": (
            "T5ForConditionalGeneration", "SEQ_2_SEQ_LM", "LoraConfig",
            dict(init_lora_weights=False),
        ),
        # The adapter is active from a sub-word on, which only the model of PEFT looks for.
        "activated LoRA": (
            "LlamaForCausalLM", "CAUSAL_LM", "LoraConfig",
            dict(init_lora_weights=False, alora_invocation_tokens=[20], target_modules=["q_proj"]),
        ),
        "IA3": ("LlamaForCausalLM", "CAUSAL_LM", "IA3Config", dict(init_ia3_weights=False)),
        "prefix": ("GPT2LMHeadModel", "CAUSAL_LM", "PrefixTuningConfig", dict(num_virtual_tokens=4)),
        "prompt": ("GPT2LMHeadModel", "CAUSAL_LM", "PromptTuningConfig", dict(num_virtual_tokens=4)),
        "prompt of a network": (
            "LlamaForCausalLM", "CAUSAL_LM", "PromptEncoderConfig",
            dict(num_virtual_tokens=4, encoder_hidden_size=8),
        ),
        "prompt of an encoder-decoder": (
            "BartForConditionalGeneration", "SEQ_2_SEQ_LM", "PromptTuningConfig",
            dict(num_virtual_tokens=4),
        ),
        "prompt without blocks": (
            "AlbertForMaskedLM", "FEATURE_EXTRACTION", "PromptTuningConfig",
            dict(num_virtual_tokens=4, token_dim=8, num_layers=3, num_attention_heads=2),
        ),
    }  # fmt: skip

    def adapted(self, peft, case):
        name, task, kind, options = self.CASES[case]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of PEFT, about transformers
            model = peft.get_peft_model(build(name), getattr(peft, kind)(task_type=task, **options))
        torch.manual_seed(0)
        return trained(model)

    @pytest.mark.parametrize("case", CASES)
    def test_states_are_those_of_peft(self, peft, tokenizer, sentences, case):
        model = self.adapted(peft, case)

        def run(**inputs):
            is_pair = model.config.is_encoder_decoder
            more = {"decoder_input_ids": inputs["input_ids"][:, :1]} if is_pair else {}
            output = model(**inputs, **more, output_hidden_states=True)
            return output.encoder_hidden_states if is_pair else output.hidden_states

        expected = states_alone(run, tokenizer, sentences)
        for layers, columns in (("all", slice(None)), ([1], slice(16, 32))):
            extractor = ActivationExtractor(model, tokenizer, layers=layers, batch_tokens=64)
            found = extractor.extract(sentences).X
            np.testing.assert_allclose(found, expected[:, columns], atol=1e-5)
        bare = build(self.CASES[case][0])
        assert (
            np.abs(ActivationExtractor(bare, tokenizer).extract(sentences).X - expected).max() > 0.1
        )

    def test_modules_within_the_blocks(self, peft, tokenizer, sentences):
        model = self.adapted(peft, "prompt")
        tokens = ActivationExtractor(model, tokenizer, modules="mlp", layers=[2]).extract(sentences)
        assert tokens.X.shape == (sum(map(len, sentences)), 64)

    @pytest.mark.parametrize("case", ["prefix", "prompt"])
    def test_virtual_tokens_take_positions(self, peft, tokenizer, case):
        extractor = ActivationExtractor(self.adapted(peft, case), tokenizer)
        assert extractor.extract([["a"] * 76]).X.shape == (76, 64)
        with pytest.raises(ValueError, match="limit of 76 sub-words"):
            extractor.extract([["a"] * 77])

    def test_a_store_depends_on_the_adapter(self, peft, tokenizer, tmp_path):
        model = self.adapted(peft, "prompt")
        ActivationExtractor(model, tokenizer).extract(["a b"], store=tmp_path / "store")
        with torch.no_grad():
            model.prompt_encoder.default.embedding.weight.mul_(2)
        with pytest.raises(ValueError, match="another"):
            ActivationExtractor(model, tokenizer).extract(["a b"], store=tmp_path / "store")

    @pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated")  # of PEFT
    @pytest.mark.parametrize("kind", ["PrefixTuningConfig", "PromptTuningConfig"])
    def test_a_folder_that_transformers_cannot_load(self, peft, tokenizer, tmp_path, kind):
        base = build("GPT2LMHeadModel")
        base.save_pretrained(tmp_path / "base")
        base = type(base).from_pretrained(tmp_path / "base")
        config = getattr(peft, kind)(task_type="CAUSAL_LM", num_virtual_tokens=3)
        peft.get_peft_model(base, config).save_pretrained(tmp_path / "adapter")
        with pytest.raises(
            ValueError,
            match=r"^Cannot load the model '.*adapter'\. .* It is an adapter of PEFT that transformers "
            r"does not load.*Load it with PEFT.* and pass the model and its tokenizer\.",
        ):
            ActivationExtractor(tmp_path / "adapter", tokenizer).extract(["a b"])
        model = peft.AutoPeftModelForCausalLM.from_pretrained(tmp_path / "adapter")
        assert ActivationExtractor(model, tokenizer).extract(["a b"]).X.shape[0] == 2

    @pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated")  # of PEFT
    def test_a_folder_with_lora(self, peft, tokenizer, sentences, tmp_path):
        """transformers loads it, so the name and the model are the same."""
        base = build("GPT2LMHeadModel")
        base.save_pretrained(tmp_path / "base")
        base = type(base).from_pretrained(tmp_path / "base")
        config = peft.LoraConfig(
            task_type="CAUSAL_LM", init_lora_weights=False, fan_in_fan_out=True
        )
        model = peft.get_peft_model(base, config).eval()
        model.save_pretrained(tmp_path / "adapter")
        expected = ActivationExtractor(model, tokenizer).extract(sentences).X
        found = ActivationExtractor(tmp_path / "adapter", tokenizer).extract(sentences).X
        np.testing.assert_allclose(found, expected, atol=1e-5)

    def test_random_weights(self, peft, tokenizer):
        model = self.adapted(peft, "IA3")
        extractor = ActivationExtractor(model, tokenizer, random_weights=True)
        with pytest.raises(ValueError, match="cannot be used with PeftModelForCausalLM"):
            extractor.extract(["a"])


class TestWeightsElsewhere:
    def test_that_were_never_loaded(self, tokenizer):
        with torch.device("meta"):
            model = t.GPT2Model(t.GPT2Config(**GPT2))
        message = "weights of GPT2Model are on the device 'meta'.* first is 'wte.weight'. Load"
        with pytest.raises(ValueError, match=message):
            ActivationExtractor(model, tokenizer).extract(["a"])

    @pytest.mark.parametrize("where", ["cpu", "disk"])
    def test_that_are_loaded_while_the_model_runs(self, tokenizer, sentences, tmp_path, where):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            accelerate = pytest.importorskip("accelerate")
        model = build("GPT2LMHeadModel")
        tokens = ActivationExtractor(model, tokenizer).extract(sentences)
        expected, weights = tokens.X, tokens.provenance["weights_sha256"]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if where == "cpu":
                accelerate.cpu_offload(model, execution_device="cpu")
            else:
                accelerate.disk_offload(model, str(tmp_path / "weights"), execution_device="cpu")
        for layers, columns in (("all", slice(None)), ([1], slice(16, 32))):
            extractor = ActivationExtractor(model, tokenizer, layers=layers)
            np.testing.assert_array_equal(extractor.extract(sentences).X, expected[:, columns])
            assert all(weight.is_meta for weight in model.parameters())
        with pytest.raises(ValueError, match=r"cannot be moved to cpu\. Leave out device"):
            ActivationExtractor(model, tokenizer, device="cpu").extract(["a"])
        extractor = ActivationExtractor(model, tokenizer)
        stored = extractor.extract(sentences, store=tmp_path / "store")
        np.testing.assert_array_equal(stored.X, expected)
        assert stored.provenance["weights_sha256"] == weights
        with pytest.raises(ValueError, match="'meta', so their values cannot be saved or compared"):
            joblib.hash(extractor)

    def test_that_a_device_map_leaves_on_disk(self, tokenizer, tmp_path):
        model = build("LlamaForCausalLM")
        model.save_pretrained(tmp_path / "model")
        places = dict.fromkeys(
            ("model.layers.1", "model.layers.2", "model.norm", "lm_head"), "disk"
        )
        places |= dict.fromkeys(("model.embed_tokens", "model.rotary_emb", "model.layers.0"), "cpu")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pytest.importorskip("accelerate")
            offloaded = type(model).from_pretrained(
                tmp_path / "model", device_map=places, offload_folder=tmp_path / "weights"
            )
        assert offloaded.model.layers[1].mlp.up_proj.weight.is_meta
        texts = ["the house", "a man by the sea"]
        edits = {1: DirectionProjector(np.eye(16)[:1])}

        def results(model, **options):
            extractor = ActivationExtractor(model, tokenizer, **options)
            return [
                extractor.extract_tokens(texts).X,
                extractor.extract_prompts(texts, edits=edits).X,
                extractor.generate(texts, max_new_tokens=3, do_sample=False)[1].X,
                ActivationExtractor(model, tokenizer, modules="mlp", **options).transform(texts),
            ]

        for ours, expected in zip(results(offloaded), results(model), strict=True):
            np.testing.assert_array_equal(ours, expected)
        assert identity_of(offloaded) == replace(identity_of(model), name=str(tmp_path / "model"))
        options = {"random_weights": True, "random_state": 0}
        np.testing.assert_array_equal(
            *(
                ActivationExtractor(each, tokenizer, **options).transform(texts)
                for each in (offloaded, model)
            )
        )


@pytest.mark.parametrize("kind", ["llama", "gpt2", "gpt2 with a head"])
def test_decoders_do_not_build_a_cache(zoo, kind, monkeypatch):
    made = []
    monkeypatch.setattr(t.DynamicCache, "__init__", lambda *args, **kwargs: made.append(1))
    model, tokenizer = zoo(kind)
    ActivationExtractor(model, tokenizer).extract(["the house", "a man"])
    assert not made
