"""Small transformers with known causes: neurons that are read downstream, and copies that are not.

A word of the made-up language is of class 0 or 1, and words of the two classes alternate. Neurons A
of the residual stream contain the class of the word, and so do their copies B: their activations
are equal in every layer, so every probe has the same score on both. Only one block reads A, and no
block and no head reads B. There are no normalization layers, which would read all neurons. At their
end, the networks remove A and B, so that editing these below the last layer changes the output only
through what the network computes from them.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

N_WORDS = 12
WIDTH = 32
N_BLOCKS = 3
USED, COPIES = (3, 17), (8, 25)  # A and B
MLP_USED, MLP_COPIES = (0, 1), (5, 9)  # neurons of the feed-forward network that read A
PREDICTS, REMEMBERS = (28, 29), 30  # what these neurons, and attention, write
LAYER = 1  # the block that reads A reads the states of this layer
SIZES = dict(
    hidden_size=WIDTH, num_hidden_layers=N_BLOCKS, num_attention_heads=2, intermediate_size=24,
    max_position_embeddings=32,
)  # fmt: skip


@dataclass
class Planted:
    """A network with known causes.

    Parameters
    ----------
    model : torch.nn.Module
    tokenizer : tokenizer
    texts : list of str
    labels : list of list of int
        The class of each word.
    layer : int
        The block above this layer is the only one that reads A.
    used, copies : tuple of int
        A and B, columns of the residual stream.
    mlp_used, mlp_copies : tuple of int
        Neurons of the feed-forward network of layer `layer` + 1 that are read, and their copies.
    """

    model: Any
    tokenizer: Any
    texts: list[str]
    labels: list[list[int]]
    layer: int = LAYER
    used: tuple[int, ...] = USED
    copies: tuple[int, ...] = COPIES
    mlp_used: tuple[int, ...] = MLP_USED
    mlp_copies: tuple[int, ...] = MLP_COPIES


def planted(kind="decoder", seed=0, *, n_texts=12):
    """Return a network of three blocks with random weights and known causes.

    Parameters
    ----------
    kind : {"decoder", "encoder"}
        A Llama with its head, which predicts the class of the next word from A, or a BERT.
    seed : int
        Of the weights and texts.
    n_texts : int

    Returns
    -------
    Planted
    """
    import transformers

    torch.manual_seed(seed)
    tokenizer = _tokenizer(kind)
    common = dict(vocab_size=len(tokenizer), pad_token_id=0)
    if kind == "decoder":
        config = transformers.LlamaConfig(**SIZES, **common, bos_token_id=1, eos_token_id=2)
        model = transformers.LlamaForCausalLM(config).eval()
        stack, blocks, embedding = model.model, model.model.layers, model.model.embed_tokens
    else:
        config = transformers.BertConfig(**SIZES, **common)
        model = transformers.BertModel(config, add_pooling_layer=False).eval()
        stack, blocks = model, model.encoder.layer
        embedding = model.embeddings.word_embeddings
    _remove_norms(stack)
    if kind == "decoder":
        stack.norm = _Remove()
    else:
        blocks[-1].output.LayerNorm = _Remove()
    readers = [_readers(block) for block in blocks]
    writers = [_writers(block) for block in blocks]
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(0, 0.1)
        _plant_classes(model, embedding)
        for read, written in zip(readers, writers, strict=True):
            for linear in read:
                linear.weight[:, [*USED, *COPIES]] = 0
            for linear in written:
                _write_nothing(linear, [*USED, *COPIES, *PREDICTS, REMEMBERS])
        _plant_readers(blocks[LAYER])
        if kind == "decoder":
            _plant_head(model.lm_head)
    texts, labels = _texts(n_texts, np.random.RandomState(seed))
    return Planted(model, tokenizer, texts, labels)


def word_class(word):
    """Return the class of a word such as "w3"."""
    return int(word[1:]) % 2


def _tokenizer(kind):
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    special = ["[PAD]", "<s>", "</s>", "[UNK]"]
    vocabulary = special + [f"w{i}" for i in range(N_WORDS)]
    words = Tokenizer(
        models.WordLevel({word: i for i, word in enumerate(vocabulary)}, unk_token="[UNK]")
    )
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    words.post_processor = processors.TemplateProcessing(
        single="<s> $A" if kind == "decoder" else "<s> $A </s>",
        special_tokens=[("<s>", 1), ("</s>", 2)],
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, model_max_length=32, pad_token="[PAD]", bos_token="<s>",
        eos_token="</s>", unk_token="[UNK]",
    )  # fmt: skip


def _texts(n_texts, rng):
    texts = []
    for _ in range(n_texts):
        first, length = rng.randint(2), rng.randint(5, 9)
        texts.append([f"w{2 * rng.randint(N_WORDS // 2) + (first + i) % 2}" for i in range(length)])
    return [" ".join(text) for text in texts], [list(map(word_class, text)) for text in texts]


class _Remove(nn.Module):
    """Set A and B to 0."""

    def forward(self, states):
        states = states.clone()
        states[..., [*USED, *COPIES]] = 0
        return states


def _remove_norms(stack):
    for module in list(stack.modules()):
        for name, child in module.named_children():
            if "Norm" in type(child).__name__:
                setattr(module, name, nn.Identity())


def _readers(block):
    """Return the modules that read the residual stream."""
    if hasattr(block, "mlp"):
        attention, mlp = block.self_attn, block.mlp
        return [attention.q_proj, attention.k_proj, attention.v_proj, mlp.gate_proj, mlp.up_proj]
    attention = block.attention.self
    return [attention.query, attention.key, attention.value, block.intermediate.dense]


def _writers(block):
    """Return the modules that write to the residual stream: those of attention, and of the MLP."""
    if hasattr(block, "mlp"):
        return [block.self_attn.o_proj, block.mlp.down_proj]
    return [block.attention.output.dense, block.output.dense]


def _write_nothing(linear, columns):
    linear.weight[columns] = 0
    if linear.bias is not None:
        linear.bias[columns] = 0


def _plant_classes(model, embedding):
    """Let A and B contain the class of each word, and nothing else."""
    planted = [*USED, *COPIES, *PREDICTS, REMEMBERS]
    for module in model.modules():
        if isinstance(module, nn.Embedding):  # also those of positions and types
            module.weight[:, planted] = 0
    words = torch.arange(N_WORDS)
    first = len(embedding.weight) - N_WORDS
    for column in (*USED, *COPIES):
        embedding.weight[first:, column] = 1.0 - 2.0 * (words % 2)


def _plant_readers(block):
    """Let some neurons of the MLP, their copies, and attention read A."""
    query, key, value, *inner = _readers(block)
    attention_out, mlp_out = _writers(block)
    for linear in (query, key):
        linear.weight.zero_()  # uniform attention
        if linear.bias is not None:
            linear.bias.zero_()
    value.weight[0].zero_()
    value.weight[0, list(USED)] = 0.5
    attention_out.weight[REMEMBERS].zero_()
    attention_out.weight[REMEMBERS, 0] = 1
    for linear in inner:
        for neurons in (MLP_USED, MLP_COPIES):
            linear.weight[list(neurons)] = 0
            if linear.bias is not None:
                linear.bias[list(neurons)] = 0
            # The first neuron is active for class 0, the second for class 1.
            for neuron, sign in zip(neurons, (1.0, -1.0), strict=True):
                linear.weight[neuron, list(USED)] = sign
    mlp_out.weight[:, [*MLP_USED, *MLP_COPIES]] = 0
    for neuron, column in zip(MLP_USED, PREDICTS, strict=True):
        mlp_out.weight[column, neuron] = 1


def _plant_head(head):
    """Predict a word of the other class, and a little from what attention remembers."""
    head.weight[:, [*USED, *COPIES, *PREDICTS, REMEMBERS]] = 0
    words = torch.arange(N_WORDS)
    first = len(head.weight) - N_WORDS
    head.weight[first:, PREDICTS[0]] = 2.0 * (words % 2)
    head.weight[first:, PREDICTS[1]] = 2.0 * (1 - words % 2)
    head.weight[first:, REMEMBERS] = torch.linspace(-1, 1, N_WORDS)
