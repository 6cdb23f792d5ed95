"""Hook points: what is read at a point is what the next module computes with."""

from ast import literal_eval

import numpy as np
import pytest
import torch
import transformers

from sklearn_neurox import ActivationExtractor
from sklearn_neurox.extraction.hook_points import (
    HookPoint,
    blocks_of,
    hooked,
    layer_points,
    module_points,
    points_in_blocks,
)

from .small_models import SMALL, stack, word_ids_of


@pytest.mark.parametrize("kind", ["bert", "distilbert", "gpt2", "llama", "bart", "t5", "xlm-r"])
def test_the_next_module_computes_with_what_was_read(zoo, sentences, kind):
    """The matrix behind the point maps what was read there to its own output."""
    model, tokenizer = zoo(kind)
    for modules, width in (("attention_heads", 16), ("mlp", 24 if kind != "gpt2" else 64)):
        inside = ActivationExtractor(model, tokenizer, modules=modules).extract(sentences)
        assert inside.layers == (1, 2, 3)
        assert inside.X.shape[1] == 3 * width
        for layer in (1, 3):
            block = blocks_of(stack(model))[layer - 1]
            behind = points_in_blocks({layer: block}, modules)[layer].module
            path = next(path for path, module in block.named_modules() if module is behind)
            outputs = ActivationExtractor(model, tokenizer, modules=path, layers=[layer]).extract(
                sentences
            )
            with torch.no_grad():
                computed = behind(torch.from_numpy(inside.layer(layer))).numpy()
            np.testing.assert_allclose(computed, outputs.X, atol=1e-5)


def test_mlp_neurons_have_been_activated(zoo, sentences):
    tokens = ActivationExtractor(*zoo("bart"), modules="mlp").extract(sentences)
    gelu_floor = -0.17
    assert tokens.X.min() > gelu_floor
    assert tokens.neuron_names[0] == "layer_1_mlp_0"


def test_the_unit_is_the_module(zoo, sentences):
    heads = ActivationExtractor(*zoo("bert"), modules="attention_heads", layers=[2])
    assert heads.extract(sentences).neuron_names[15] == "layer_2_attention_15"
    path = ActivationExtractor(*zoo("bert"), modules="attention.output", layers=[2])
    assert path.extract(sentences).neuron_names[0] == "layer_2_attention.output_0"


@pytest.mark.parametrize(
    ("kind", "parameters", "message"),
    [
        (
            "bert",
            dict(modules="mpl"),
            r"modules='mpl' was not found in BertLayer\. Expected 'attention_heads' or 'mlp', or one of",
        ),
        (
            "bert",
            dict(modules="mlp", layers=[0, 1]),
            r"layers must be between 1 \(the first block\) and 3 for this model, got \[0, 1\]",
        ),
        (
            "albert",
            dict(modules="mlp"),
            "requires a list of blocks, but AlbertModel does not have one",
        ),
    ],
)
def test_modules_that_do_not_exist(zoo, sentences, kind, parameters, message):
    with pytest.raises(ValueError, match=message):
        ActivationExtractor(*zoo(kind), **parameters).extract(sentences)


@pytest.mark.parametrize("kind", ["Mixtral", "Qwen2Moe"])
def test_a_mixture_of_experts_does_not_have_one_mlp(zoo, sentences, kind):
    """What the message lists can be read, and what cannot be read is not listed."""
    tokenizer = zoo("gpt2")[1]
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=len(tokenizer), pad_token_id=0, num_key_value_heads=1, num_experts_per_tok=1,
        num_local_experts=2, num_experts=2, moe_intermediate_size=8,
        shared_expert_intermediate_size=8, **SMALL,
    )  # fmt: skip
    model = getattr(transformers, f"{kind}Model")(config).eval()
    message = (
        rf"modules='mlp' cannot be read in {kind}DecoderLayer: its feed-forward network is a "
        r"mixture of experts \('mlp\.experts'\), .*\. Expected 'attention_heads', or one of the paths "
    )
    with pytest.raises(ValueError, match=message) as raised:
        ActivationExtractor(model, tokenizer, modules="mlp").extract(sentences)
    paths = literal_eval(str(raised.value).partition("paths ")[2].rstrip("."))
    assert "mlp" not in paths
    assert "mlp.gate" in paths
    for modules, width in (("attention_heads", 16), ("self_attn.o_proj", 16), ("mlp.gate", 2)):
        tokens = ActivationExtractor(model, tokenizer, modules=modules).extract(sentences)
        assert tokens.X.shape[1] == 3 * width


def mixture(kind, n_words, **options):
    """Return a model whose blocks have different feed-forward networks."""
    torch.manual_seed(0)
    config = dict(
        vocab_size=n_words, pad_token_id=0, num_experts_per_tok=1, num_experts=2,
        num_local_experts=2, moe_intermediate_size=8, shared_expert_intermediate_size=8,
    )  # fmt: skip
    name = kind.removesuffix("Encoder")
    config = getattr(transformers, f"{name}Config")(**config, **options)
    return getattr(transformers, f"{kind}Model")(config).eval()


DEEPSEEK = SMALL | dict(
    num_key_value_heads=2, n_routed_experts=4, n_group=1, topk_group=1, first_k_dense_replace=1,
    kv_lora_rank=8, q_lora_rank=8, qk_rope_head_dim=4, qk_nope_head_dim=4, v_head_dim=8,
)  # fmt: skip
QWEN = SMALL | dict(num_key_value_heads=1, mlp_only_layers=[0])
SWITCH = dict(d_model=16, d_kv=8, d_ff=24, num_layers=2, num_sparse_encoder_layers=1, num_heads=2)
JET = dict(hidden_size=16, num_hidden_layers=2, num_key_value_heads=2, kv_channels=4)


@pytest.mark.parametrize(
    ("kind", "options", "modules", "block", "reason"),
    [
        ("DeepseekV3", DEEPSEEK, "mlp", 2, r"a mixture of experts \('mlp\.experts'\)"),
        ("DeepseekV3", DEEPSEEK, "mlp.experts", 1, "'mlp.experts' was not found"),
        ("Qwen2Moe", QWEN, "mlp", 2, r"a mixture of experts \('mlp\.experts'\)"),
        ("Qwen2Moe", QWEN, "mlp.down_proj", 2, "'mlp.down_proj' was not found"),
        (
            "SwitchTransformersEncoder", SWITCH, "mlp", 2,
            r"a mixture of experts \('layer\.1\.mlp\.experts'\)",
        ),
        ("JetMoe", JET, "mlp", None, r"a mixture of experts \('mlp\.router'\)"),
    ],
    ids=lambda value: "options" if isinstance(value, dict) else None,
)  # fmt: skip
def test_blocks_with_different_modules(zoo, sentences, kind, options, modules, block, reason):
    """The message names a layer without the module, and lists what all layers contain."""
    tokenizer = zoo("gpt2")[1]
    model = mixture(kind, len(tokenizer), **options)
    extractor = ActivationExtractor(model, tokenizer, modules=modules)
    with pytest.raises(ValueError, match=reason) as raised:
        extractor.extract(sentences)
    message = str(raised.value)
    assert (block is None) == ("the block of layer" not in message)
    if block is not None:
        assert f", the block of layer {block}" in message
        others = [2, 3] if block == 1 else [1]
        assert f"It can be read in the layers {others}." in message
        rows = extractor.set_params(layers=others).extract(sentences[:1]).X
        assert np.isfinite(rows).all()
    listed = literal_eval("[" + message.rpartition("[")[2].rstrip("."))
    assert not any(".experts." in path for path in listed)
    for path in ("mlp.experts", "mlp.down_proj"):
        assert (path in listed) == all(
            path in dict(each.named_modules()) for each in blocks_of(stack(model))
        )


def test_the_dense_blocks_of_switch(zoo, sentences):
    """Their "mlp" is what the last matrix of the feed-forward network multiplies."""
    tokenizer = zoo("gpt2")[1]
    model = mixture("SwitchTransformersEncoder", len(tokenizer), **SWITCH)
    read = [
        ActivationExtractor(model, tokenizer, modules=modules, layers=[1]).extract(sentences).X
        for modules in ("mlp", "layer.1.mlp.wo")
    ]
    weight = blocks_of(model)[0].layer[1].mlp.wo.weight.detach().numpy()
    np.testing.assert_allclose(read[0] @ weight.T, read[1], atol=1e-5)


def test_parts_that_a_block_does_not_have_are_not_listed(zoo, sentences):
    tokenizer = zoo("gpt2")[1]
    config = transformers.MambaConfig(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=3, state_size=4
    )
    extractor = ActivationExtractor(transformers.MambaModel(config), tokenizer, modules="mlp")
    with pytest.raises(ValueError, match=r"not found in MambaBlock\. Expected one of \['norm'"):
        extractor.extract(sentences)


def test_hidden_states_of_mamba_count_from_the_first_block(zoo, sentences):
    """Layer k is the output of block k, whatever transformers numbers it."""
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


def test_a_point_passes_on_each_state():
    """Also if the input is a keyword argument, or the output a tuple."""

    class Block(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = torch.nn.LSTM(2, 3)

        def forward(self, hidden_states):
            return self.lstm(hidden_states)

    block, inputs, seen = Block(), torch.ones(4, 2), []
    points = {"in": HookPoint(block, "input"), "out": HookPoint(block.lstm, "output")}
    with hooked(points, lambda layer, state: seen.append((layer, state))):
        output, _ = block(hidden_states=inputs)
    block(inputs)
    assert [layer for layer, _ in seen] == ["in", "out"]
    assert seen[0][1] is inputs
    assert seen[1][1] is output


def test_hooks_are_removed_after_an_error():
    net = torch.nn.Sequential(torch.nn.Linear(2, 3))

    def stop(layer, state):
        raise RuntimeError(f"stopped at {layer}")

    points = module_points(net, ["0"])
    with pytest.raises(RuntimeError, match="stopped at 0"), hooked(points, stop):
        net(torch.ones(1, 2))
    assert not net[0]._forward_hooks


def test_points_of_hidden_states(zoo):
    """Each layer is the input of a block, and the last layer is the output of the model."""
    model, _ = zoo("gpt2")
    assert layer_points(model, [0, 2, 3]) == {
        0: HookPoint(model.h[0], "input"),
        2: HookPoint(model.h[2], "input"),
        3: HookPoint(model, "output"),
    }
    assert layer_points(zoo("albert")[0], [0]) is None
