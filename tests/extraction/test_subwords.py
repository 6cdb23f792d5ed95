"""Sub-words are those of the text, for every class of tokenizers, and belong to the right words."""

import unicodedata

import numpy as np
import pytest
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers

from sklearn_neurox import ActivationExtractor
from sklearn_neurox.extraction._encoding import Encoder

from .small_models import SMALL
from .small_tokenizers import BYTES, KINDS, SLOW

NORMALIZED = ("qwen2", "gpt-neox")
ODD = [
    ["naïve", "日本", "ﬁne", "É", "3.14", "x²", "İ", "ß", "👩‍👩‍👧"],
    ["(It's", "“so”", "well-known,", "he", "said;", "$5!)"],
    ["'s", "''", "``", "...", "…", "--", "#hash", "@me"],
    ["a"],
    ["日本", "語", "q\u200bq", "e\u0301", "שלום"],
]


@pytest.fixture(scope="module")
def texts(corpus):
    return [*corpus.sentences[:25], *ODD]


def known(tokenizer):
    """Return the characters that this tokenizer does not leave out."""
    return set("".join(tokenizer.get_vocab()))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("prefix", ["", " "])
def test_sub_words_are_those_of_the_text(tokenizer_of, texts, kind, prefix):
    tokenizer = tokenizer_of(kind)
    encoder = Encoder(tokenizer, add_prefix_space=bool(prefix))
    n_words = 0
    for words in texts:
        text = " ".join(words)
        expected = tokenizer(prefix + text).input_ids
        assert encoder.text(text, 0, pooling="mean").inputs["input_ids"] == expected
        assert encoder.text(words, 0, pooling="mean").inputs["input_ids"] == expected
        if kind == "llama without a prefix space" and not set("".join(words)) <= known(tokenizer):
            continue
        sentence = encoder.words(words, 0)
        assert sentence.inputs["input_ids"] == expected
        assert {row for row in sentence.row_ids if row is not None} == set(range(len(words)))
        n_words += len(words)
    assert n_words > 200


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in SLOW])
def test_words_are_those_that_the_tokenizer_reports(tokenizer_of, texts, kind):
    """If a list of words has the same sub-words as its text."""
    tokenizer = tokenizer_of(kind)
    n_same = 0
    for words in [*texts, ["日本"], ["a"]]:
        listed = tokenizer(words, is_split_into_words=True)
        if kind == "llama without a prefix space" and not set("".join(words)) <= known(tokenizer):
            continue
        if listed.input_ids == tokenizer(" ".join(words)).input_ids:
            n_same += 1
            assert Encoder(tokenizer).words(words, 0).row_ids == listed.word_ids()
    assert n_same


@pytest.mark.parametrize("kind", BYTES)
@pytest.mark.parametrize("add_prefix_space", [False, True])
def test_sub_words_spell_their_word(tokenizer_of, texts, kind, add_prefix_space):
    tokenizer = tokenizer_of(kind)
    encoder = Encoder(tokenizer, add_prefix_space=add_prefix_space)
    for words in texts:
        sentence = encoder.words(words, 0)
        inputs, row_ids = sentence.inputs, sentence.row_ids
        for row, word in enumerate(words):
            own = [i for i, owner in zip(inputs["input_ids"], row_ids, strict=True) if owner == row]
            normal = unicodedata.normalize("NFC", word) if kind in NORMALIZED else word
            assert tokenizer.decode(own).removeprefix(" ") == normal


def test_a_separate_space_belongs_to_its_word_or_to_none(tokenizer_of):
    gpt2 = Encoder(tokenizer_of("gpt2")).words(["a", "日"], 0)  # a, space, 3 bytes
    assert gpt2.row_ids == [0, 1, 1, 1, 1]
    byt5 = Encoder(tokenizer_of("byt5")).words(["a", "日"], 0)
    assert byt5.row_ids == [0, None, 1, 1, 1, None]


CONFIGS = {
    "gpt2": lambda n: transformers.GPT2Config(
        vocab_size=n, n_embd=16, n_layer=2, n_head=2, n_positions=80
    ),
    "qwen2": lambda n: transformers.Qwen2Config(vocab_size=n, num_key_value_heads=1, **SMALL),
    "roberta": lambda n: transformers.RobertaConfig(vocab_size=n, pad_token_id=3, **SMALL),
    "llama": lambda n: transformers.LlamaConfig(vocab_size=n, num_key_value_heads=1, **SMALL),
    "t5": lambda n: transformers.T5Config(
        vocab_size=n, d_model=16, d_kv=8, d_ff=24, num_layers=2, num_heads=2
    ),
    "xlm-r": lambda n: transformers.XLMRobertaConfig(vocab_size=n, pad_token_id=3, **SMALL),
    "albert": lambda n: transformers.AlbertConfig(vocab_size=n, embedding_size=8, **SMALL),
    "bert": lambda n: transformers.BertConfig(vocab_size=n, **SMALL),
    "byt5": lambda n: transformers.T5Config(
        vocab_size=n, d_model=16, d_kv=8, d_ff=24, num_layers=2, num_heads=2
    ),
}
CONFIGS["gpt2 with a prefix space"] = CONFIGS["gpt2"]


@pytest.fixture(scope="module", params=CONFIGS)
def folder(request, tokenizer_of, tmp_path_factory):
    """Return the folder of a small model and its tokenizer."""
    path = tmp_path_factory.mktemp("model")
    tokenizer = tokenizer_of(request.param)
    torch.manual_seed(0)
    model = transformers.AutoModel.from_config(CONFIGS[request.param](len(tokenizer)))
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def plain(folder, text):
    """Return the hidden states of a text, and which of its sub-words were added."""
    model = transformers.AutoModel.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    stack = model.get_encoder() if model.config.is_encoder_decoder else model
    ids = tokenizer(text, return_tensors="pt").input_ids
    with torch.no_grad():
        states = stack(input_ids=ids, output_hidden_states=True).hidden_states
    mask = tokenizer(text, return_special_tokens_mask=True).special_tokens_mask
    return torch.cat(states, dim=-1)[0].numpy(), np.array(mask, dtype=bool)


@pytest.mark.parametrize("given", ["name", "objects"])
def test_both_routes_agree_with_plain_transformers(folder, given):
    """A model by name and the same loaded objects, for texts and for words."""
    words = ["It", "is", "the", "well-known", "rain,", "again."]
    text = " ".join(words)
    states, added = plain(folder, text)
    if given == "name":
        model = (folder,)
    else:
        model = (
            transformers.AutoModel.from_pretrained(folder),
            transformers.AutoTokenizer.from_pretrained(folder),
        )
    extractor = ActivationExtractor(*model, pooling="mean")
    mean = states[~added].mean(axis=0)
    np.testing.assert_allclose(extractor.transform([text])[0], mean, atol=2e-5)
    np.testing.assert_allclose(extractor.transform([words])[0], mean, atol=2e-5)
    last = ActivationExtractor(*model, pooling="last").transform([text])[0]
    np.testing.assert_allclose(last, states[~added][-1], atol=2e-5)
    rows = extractor.extract([words]).X
    np.testing.assert_allclose(rows[-1], states[~added][-1], atol=2e-5)
    spaced, added = plain(folder, f" {text}")
    extractor.set_params(add_prefix_space=True)
    np.testing.assert_allclose(
        extractor.transform([text])[0], spaced[~added].mean(axis=0), atol=2e-5
    )
    np.testing.assert_allclose(extractor.extract([words]).X[-1], spaced[~added][-1], atol=2e-5)


@pytest.mark.parametrize("kind", ["gpt2", "qwen2", "roberta"])
def test_a_prefix_space_changes_the_first_word_only(tokenizer_of, kind):
    tokenizer = tokenizer_of(kind)
    pieces = {}
    for space in (True, False):
        sentence = Encoder(tokenizer, add_prefix_space=space).words(["rain", "rain"], 0)
        names = tokenizer.convert_ids_to_tokens(sentence.inputs["input_ids"])
        owned = list(zip(names, sentence.row_ids, strict=True))
        pieces[space] = [[n for n, owner in owned if owner == row] for row in (0, 1)]
    assert pieces[True][0] == pieces[True][1] == pieces[False][1] != pieces[False][0]


def joining(vocabulary, merges=()):
    """Return a tokenizer that does not split text before it looks up sub-words."""
    pieces = Tokenizer(
        models.BPE({piece: i for i, piece in enumerate(vocabulary)}, list(merges), unk_token=None)
    )
    pieces.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never", split=False)
    return transformers.PreTrainedTokenizerFast(tokenizer_object=pieces)


def test_a_tokenizer_that_leaves_out_unknown_characters():
    """Offsets of the following characters are then wrong, which must not go unnoticed."""
    tokenizer = joining(["▁", *"abcd"])
    found = Encoder(tokenizer).words(["ab", "cd"], 0)
    assert found.row_ids == [0, 0, 1, 1, 1]
    assert tokenizer("aé cd b", return_offsets_mapping=True).offset_mapping[-1] != (6, 7)
    with pytest.raises(ValueError, match=r"Sentence 3: .* leaves out characters of the text"):
        Encoder(tokenizer).words(["aé", "cd", "b"], 3)


def test_a_sub_word_of_two_words():
    tokenizer = joining(["▁", *"abcd", "▁c", "b▁c"], [("▁", "c"), ("b", "▁c")])
    with pytest.raises(
        ValueError, match=r"Sentence 3: .* combines 'b c' into a single sub-word, which belongs to"
    ):
        Encoder(tokenizer).words(["ab", "cd"], 3)
    assert Encoder(tokenizer).text("ab cd", 3, pooling="mean").inputs["input_ids"] == [1, 6, 4]
