"""Hidden states, heads and MLP neurons of many architectures, compared with plain transformers."""

import warnings

import numpy as np
import pytest
import torch
import transformers as t

from sklearn_neurox import ActivationExtractor
from sklearn_neurox.extraction.hook_points import blocks_of, points_in_blocks

from .small_models import byte_level_bpe, stack

SIZES = dict(
    hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24,
    max_position_embeddings=80,
)  # fmt: skip
SHORT = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2)
MODELS = {
    "Longformer": SIZES | dict(attention_window=[4, 4]),
    "LED": dict(
        d_model=16, encoder_layers=2, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=24, decoder_ffn_dim=24, attention_window=4,
        max_encoder_position_embeddings=80, max_decoder_position_embeddings=80,
    ),
    "ModernBert": SIZES | dict(cls_token_id=0, sep_token_id=1),
    "Phi": SIZES,
    "Falcon": SHORT,
    "Falcon with ALiBi": SHORT | dict(alibi=True),
    "GPTJ": dict(n_embd=16, n_layer=2, n_head=2, n_positions=80, rotary_dim=4),
    "Bloom": dict(hidden_size=16, n_layer=2, n_head=2),
}  # fmt: skip


@pytest.fixture(scope="module")
def tokenizer(corpus):
    return byte_level_bpe(corpus, bos_token="<s>", eos_token="</s>")


def build(name, tokenizer, **options):
    kind = name.split(maxsplit=1)[0]
    config = getattr(t, f"{kind}Config")(
        vocab_size=len(tokenizer), bos_token_id=0, eos_token_id=1, pad_token_id=1,
        **MODELS.get(name, SIZES) | options,
    )  # fmt: skip
    torch.manual_seed(0)
    return getattr(t, f"{kind}Model")(config).eval()


@pytest.mark.parametrize("name", MODELS)
def test_states_heads_and_neurons(tokenizer, sentences, name):
    """The states are those of transformers, and the next module computes with what was read."""
    if name.startswith("Falcon") and torch.__version__ < (2, 6):
        pytest.skip("In transformers, the masks of Falcon require torch 2.6.")
    model = build(name, tokenizer)
    tokens = ActivationExtractor(model, tokenizer).extract(sentences[:4])
    row = 0
    for sentence in sentences[:4]:
        encoding = tokenizer(sentence, is_split_into_words=True)
        ids = torch.tensor([encoding["input_ids"]])
        with torch.no_grad():
            states = stack(model)(
                input_ids=ids, attention_mask=torch.ones_like(ids), output_hidden_states=True
            ).hidden_states
        lasts = {word: place for place, word in enumerate(encoding.word_ids())}
        for word in range(len(sentence)):
            expected = torch.cat([state[0, lasts[word]] for state in states]).numpy()
            np.testing.assert_allclose(tokens.X[row], expected, atol=1e-5)
            row += 1
    for modules in ("attention_heads", "mlp"):
        inside = ActivationExtractor(model, tokenizer, modules=modules, layers=[2])
        block = blocks_of(stack(model))[1]
        behind = points_in_blocks({2: block}, modules)[2].module
        path = next(path for path, module in block.named_modules() if module is behind)
        outputs = ActivationExtractor(model, tokenizer, modules=path, layers=[2])
        with torch.no_grad():
            computed = behind(torch.from_numpy(inside.extract(sentences[:4]).X)).numpy()
        np.testing.assert_allclose(computed, outputs.extract(sentences[:4]).X, atol=1e-5)


def test_quantized_weights(tokenizer, sentences, tmp_path):
    """Weights of 8 bits are read as they are, and their digest distinguishes them."""

    def quantized(model):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecated
            return torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, torch.qint8)

    options = dict(num_key_value_heads=2, **SIZES)
    config = t.LlamaConfig(vocab_size=len(tokenizer), bos_token_id=0, eos_token_id=1, **options)
    torch.manual_seed(0)
    plain = t.LlamaModel(config).eval()
    model = quantized(plain)
    tokens = ActivationExtractor(model, tokenizer, layers=[2]).extract(sentences[:4])
    exact = ActivationExtractor(plain, tokenizer, layers=[2]).extract(sentences[:4])
    assert 0 < np.abs(tokens.X - exact.X).max() < 0.5
    stored = ActivationExtractor(model, tokenizer, layers=[2]).extract(
        sentences[:4], store=tmp_path / "store"
    )
    np.testing.assert_allclose(stored.X, tokens.X, atol=1e-6)
    digest = tokens.provenance["weights_sha256"]
    assert digest not in (None, exact.provenance["weights_sha256"])
    with torch.no_grad():
        plain.layers[0].mlp.up_proj.weight.mul_(1.5)
    other = ActivationExtractor(quantized(plain), tokenizer, layers=[2]).extract(sentences[:4])
    assert other.provenance["weights_sha256"] not in (None, digest)
