"""Special tokens that are written in sentences: an error, ordinary text, or the special token."""

import re

import numpy as np
import pytest
import torch
import transformers
from tokenizers import AddedToken

from sklearn_neurox import ActivationExtractor
from sklearn_neurox.extraction._encoding import Encoder
from sklearn_neurox.extraction._special_tokens import SpecialTokens

from .small_models import SMALL

# A word of each kind of tokenizers that is one of its special tokens.
TOKENS = {
    "gpt2": "<|endoftext|>",
    "gpt2 with a prefix space": "<|endoftext|>",
    "qwen2": "<|endoftext|>",
    "roberta": "<mask>",  # with the space before it
    "llama": "</s>",
    "t5": "<extra_id_3>",
    "xlm-r": "<mask>",
    "albert": "[SEP]",
    "bert": "[SEP]",
    "bert cased": "[MASK]",
    "byt5": "<extra_id_3>",
    "canine": "\ue000",
    "perceiver": "[SEP]",
}
SAME = ("canine", "xlm-r")  # both readings are the same: the token is a piece or character itself


@pytest.mark.parametrize("kind", TOKENS)
@pytest.mark.parametrize("split", [True, False])
@pytest.mark.parametrize("prefix", ["", " "])
def test_either_reading_is_that_of_the_tokenizer(tokenizer_of, kind, split, prefix):
    tokenizer, token = tokenizer_of(kind), TOKENS[kind]
    encoder = Encoder(tokenizer, split_special_tokens=split, add_prefix_space=bool(prefix))
    number = tokenizer.convert_tokens_to_ids(token)
    n_around = tokenizer(f"{prefix}a").input_ids.count(number)
    for words in ([token], [token, "is"], ["is", token], ["It", token, "is"], [f"so{token}!", "a"]):
        text = " ".join(words)
        expected = tokenizer(prefix + text, split_special_tokens=split).input_ids
        assert encoder.text(text, 0, pooling="mean").inputs["input_ids"] == expected
        sentence = encoder.words(words, 0)
        assert sentence.inputs["input_ids"] == expected
        assert sentence.positions == list(range(len(words)))
        assert {row for row in sentence.row_ids if row is not None} == set(range(len(words)))
        if not split:
            assert expected.count(number) == n_around + 1
            pairs = zip(expected, sentence.row_ids, strict=True)
            owners = [row for each, row in pairs if each == number and row is not None]
            assert owners == [row for row, word in enumerate(words) if token in word]


@pytest.mark.parametrize("kind", [kind for kind in TOKENS if kind not in SAME])
def test_by_default_it_is_an_error(tokenizer_of, kind):
    tokenizer, token = tokenizer_of(kind), TOKENS[kind]
    encoder = Encoder(tokenizer, add_prefix_space=True)
    name = type(tokenizer).__name__
    message = (
        f"the text contains {token!r}, a special token of {name}. Set split_special_tokens=False "
        "to read it as the special token, or split_special_tokens=True to split it into sub-words "
        "like ordinary text."
    )
    for use, place in (
        (lambda: encoder.words(["It", "is", f"({token})", "is"], 7), "word 2"),
        (lambda: encoder.text(["It", "is", f"({token})", "is"], 7, pooling="mean"), "word 2"),
        (lambda: encoder.text(f"It is {token}", 7, pooling="mean"), "character 6"),
    ):
        with pytest.raises(ValueError, match=f"^Sentence 7, {place}: {re.escape(message)}$"):
            use()


# Special tokens that extend over a space: they contain it, or remove it.
WITH_SPACES = {
    "byt5": (["a", "</s>", "b"], "</s>", 1),
    "byt5 at the end of a word": (["so", "a</s>", "b"], "</s>", 1),
    "byt5, added": (["a", "two", "words", "b"], "two words", 1),
    "qwen2, added": (["so", "a", "two", "words", "b"], "two words", 2),
    "bert, added": (["two", "words"], "two words", 0),
}


@pytest.mark.parametrize("case", WITH_SPACES)
def test_a_token_with_a_space_between_words(tokenizer_of, case):
    """Only as ordinary text does it have words; a whole text can be read in both ways."""
    words, token, place = WITH_SPACES[case]
    tokenizer = tokenizer_of(case.partition(",")[0].partition(" ")[0])
    if "added" in case:
        tokenizer.add_special_tokens({"additional_special_tokens": [token]})
    name = type(tokenizer).__name__
    remedy = "Set split_special_tokens=True to split it into sub-words like ordinary text."
    message = (
        f"the text contains {token!r}, a special token of {name}. As the special token, it would "
        f"include a space between words. {remedy}"
    )
    with pytest.raises(ValueError, match=f"^Sentence 3, word {place}: {re.escape(message)}$"):
        Encoder(tokenizer).words(words, 3)
    message = f"{name} reads {token!r} as a special token that includes a space between words."
    with pytest.raises(ValueError, match=f"^Sentence 3, word {place}: {message} {remedy}$"):
        Encoder(tokenizer, split_special_tokens=False).words(words, 3)
    split = Encoder(tokenizer, split_special_tokens=True).words(words, 3)
    assert {row for row in split.row_ids if row is not None} == set(range(len(words)))
    with pytest.raises(ValueError, match="split_special_tokens=False to read it as the special"):
        Encoder(tokenizer).text(words, 3, pooling="mean")
    text = Encoder(tokenizer, split_special_tokens=False).text(words, 3, pooling="mean")
    assert text.inputs["input_ids"] == tokenizer(" ".join(words)).input_ids


LEAVES_OUT = (
    "LlamaTokenizer leaves out characters of the text, so sub-words cannot be assigned to words."
)
SPLIT_IT = "Set split_special_tokens=True to split it into sub-words like ordinary text."
READ_IT = "Set split_special_tokens=False to read it as the special token."
# Words with a special token that is not the reason why a reading fails: kind, words, what is said
# if no reading is chosen, and what is said for each reading, or None if it can be read.
OTHER_REASONS = {
    "unknown characters": (
        "llama",
        ["the", "日本", "<s>"],
        f"word 2: .* If it is read as the special token, {LEAVES_OUT} {SPLIT_IT}",
        {False: LEAVES_OUT, True: None},
    ),
    "unknown characters, if it is split": (
        "llama without a prefix space",
        ["[UNK]", "<s><s>\0"],
        f"word 1: .* If it is split, {LEAVES_OUT} {READ_IT}",
        {False: None, True: LEAVES_OUT},
    ),
    "unknown characters in both": (
        "llama without a prefix space",
        ["[UNK]\u200b", "</s>", "\ue000", "'"],
        f"word 1: .*token, {LEAVES_OUT} If it is split, {LEAVES_OUT} Change the sentence.",
        {False: LEAVES_OUT, True: LEAVES_OUT},
    ),
    "a dropped word": (
        "bert",
        ["a", "\u200b", "[SEP]"],
        "word 2: .*token, the tokenizer drops '\\\\u200b'. If it is split, the tokenizer drops .*",
        {False: "the tokenizer drops", True: "the tokenizer drops"},
    ),
    "another added token": (
        "byt5",
        ["two", "words", "<extra_id_1>"],
        f"word 2: .* token, ByT5Tokenizer tokenizes the sentence differently .* {SPLIT_IT}",
        {False: "ByT5Tokenizer tokenizes the sentence differently", True: None},
    ),
    "another added token after a token that removes spaces": (
        "byt5",
        ["</s>", "two", "words"],
        f"word 0: .* token, ByT5Tokenizer tokenizes the sentence differently .* {SPLIT_IT}",
        {False: "ByT5Tokenizer tokenizes the sentence differently", True: None},
    ),
}


@pytest.mark.parametrize("case", OTHER_REASONS)
def test_the_reason_is_not_always_the_special_token(tokenizer_of, case):
    kind, words, without_choice, readings = OTHER_REASONS[case]
    tokenizer = tokenizer_of(kind)
    if "another" in case:
        tokenizer.add_tokens(["two words"])
    with pytest.raises(ValueError, match=f"^Sentence 0, {without_choice}$"):
        Encoder(tokenizer).words(words, 0)
    for split, message in readings.items():
        encoder = Encoder(tokenizer, split_special_tokens=split)
        if message is None:
            assert set(encoder.words(words, 0).row_ids) - {None} == set(range(len(words)))
        else:
            with pytest.raises(ValueError, match=f"^Sentence 0(, word 1)?: {message}"):
                encoder.words(words, 0)
    encoder = Encoder(tokenizer)
    with pytest.raises(ValueError, match=r"tokens=False to .*tokens=True to"):
        encoder.text(words, 0, pooling="mean")  # a whole text does not have words


def test_two_tokens_that_remove_a_space(tokenizer_of):
    encoder = Encoder(tokenizer_of("byt5"), split_special_tokens=False)
    message = "^Sentence 0, word 0: .* reads '</s>' as a special token that includes a space"
    with pytest.raises(ValueError, match=message):
        encoder.words(["</s>", "<extra_id_1>", "a"], 0)


def test_an_unknown_sub_word_is_not_a_token_in_the_text(tiny_bert):
    tokenizer = tiny_bert[1]
    special = SpecialTokens(tokenizer, split=False)
    assert special.written("a [UNK] b", tokenizer.unk_token_id) == "[UNK]"
    assert special.written("日 本", tokenizer.unk_token_id) is None
    assert special.written("a [SEP] b", tokenizer.convert_tokens_to_ids("a")) is None


@pytest.mark.parametrize("kind", SAME)
def test_readings_that_agree_are_not_ambiguous(tokenizer_of, kind):
    text = f"It{TOKENS[kind]} is"
    ids = [
        Encoder(tokenizer_of(kind), split_special_tokens=split).words(text.split(), 0)
        for split in (None, True, False)
    ]
    assert ids[0] == ids[1] == ids[2]


@pytest.mark.parametrize("use", ["extract", "transform"])
def test_the_extractor_has_the_parameter(tiny_bert, use):
    model, tokenizer = tiny_bert
    extractor = ActivationExtractor(model, tokenizer)
    with pytest.raises(ValueError, match=r"^Sentence 1, \w+ \d: the text contains '\[MASK\]'"):
        getattr(extractor, use)(["She ran", "She [MASK] home"])
    for split in (True, False):
        ids = tokenizer("She [MASK] home", split_special_tokens=split, return_tensors="pt")
        with torch.no_grad():
            states = model(**ids, output_hidden_states=True).hidden_states
        states = torch.cat(states, dim=-1)[0].numpy()
        found = extractor.set_params(split_special_tokens=split)
        found = getattr(found, use)(["She [MASK] home"])
        if use == "transform":
            np.testing.assert_allclose(found[0], states[1:-1].mean(axis=0), atol=1e-5)
        else:
            assert found.words.tolist() == ["She", "[MASK]", "home"]
            np.testing.assert_allclose(found.X[2], states[-2], atol=1e-5)


def test_a_rendered_conversation(tokenizer_of):
    tokenizer = tokenizer_of("qwen2")
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|user|>", "<|end|>"]})
    prompt = "<|user|>\nIs it raining?<|end|>\n<|user|>"
    with pytest.raises(
        ValueError, match=r"Sentence 0, character 0: the text contains '<\|user\|>'"
    ):
        Encoder(tokenizer).text(prompt, 0, pooling="last")
    read = Encoder(tokenizer, split_special_tokens=False).text(prompt, 0, pooling="last")
    ids = read.inputs["input_ids"]
    assert ids == tokenizer(prompt).input_ids
    assert ids[read.row_ids.index(0)] == tokenizer.convert_tokens_to_ids("<|user|>")
    assert len(
        Encoder(tokenizer, split_special_tokens=True).text(prompt, 0, pooling="last").row_ids
    ) > len(ids)


class TestDistinguishedFromAddedOnes:
    """With split_special_tokens=False, a token in the text is equal to those around it."""

    def test_rows(self, tiny_bert):
        extractor = ActivationExtractor(
            *tiny_bert, include_special_tokens=True, split_special_tokens=False
        )
        tokens = extractor.extract([["[CLS]", "a", "[SEP]", "[SEP]"]])
        assert tokens.words.tolist() == ["[CLS]", "[CLS]", "a", "[SEP]", "[SEP]", "[SEP]"]
        assert tokens.positions.tolist() == [-1, 0, 1, 2, 3, -1]

    @pytest.mark.parametrize(
        ("kind", "text", "mean", "last"),
        [
            ("bert", "[CLS] a [SEP]", [1, 2, 3], [3]),  # [CLS] [CLS] a [SEP] [SEP]
            ("byt5", "</s>a", [0, 1], [1]),  # </s> a </s>
            ("byt5", "a<extra_id_0>", [0, 1], [1]),
            ("canine", "\ue000a\ue001", [1, 2, 3], [3]),
            ("perceiver", "[CLS][SEP]", [1, 2], [2]),
            ("gpt2", "<|endoftext|>", [0], [0]),
            ("xlm-r", "<s></s>", [1, 2], [2]),
            ("t5", "</s></s>", [0, 1], [1]),
        ],
    )
    def test_pooling(self, tokenizer_of, kind, text, mean, last):
        encoder = Encoder(tokenizer_of(kind), split_special_tokens=False)
        for pooling, expected in (("mean", mean), ("last", last)):
            row_ids = encoder.text(text, 0, pooling=pooling).row_ids
            assert [place for place, row in enumerate(row_ids) if row == 0] == expected

    def test_cls_must_be_added(self, tokenizer_of):
        encoder = Encoder(tokenizer_of("gpt2"), split_special_tokens=False)
        with pytest.raises(ValueError, match="GPT2Tokenizer does not add one"):
            encoder.text("<|endoftext|>a", 0, pooling="cls")

    def test_a_text_of_special_tokens_is_not_unknown(self, tiny_bert):
        extractor = ActivationExtractor(*tiny_bert, split_special_tokens=False)
        assert extractor.transform(["[MASK] [SEP]"]).shape[0] == 1


class TestUnusualTokens:
    """Special tokens need not look like them."""

    @pytest.mark.parametrize("kind", ["bert", "gpt2", "t5", "byt5"])
    @pytest.mark.parametrize("token", ["rain", "é", ">>de<<", "<end of turn>", "日"])
    def test_letters_words_and_phrases(self, tokenizer_of, kind, token):
        tokenizer = tokenizer_of(kind)
        tokenizer.add_special_tokens({"additional_special_tokens": [token]})
        words = f"It's {token} now".split()
        text = " ".join(words)
        message = f"Sentence 2, word 1: the text contains {token!r}"
        with pytest.raises(ValueError, match=f"^{message}"):
            Encoder(tokenizer).words(words, 2)
        ids = tokenizer(text).input_ids
        assert tokenizer.convert_tokens_to_ids(token) in ids
        read = Encoder(tokenizer, split_special_tokens=False)
        assert read.text(text, 0, pooling="mean").inputs["input_ids"] == ids
        if " " not in token:
            assert read.words(words, 0).inputs["input_ids"] == ids
        else:
            message = f"^Sentence 0, word 1: .* reads '{token}' as a special token that includes a"
            with pytest.raises(ValueError, match=message):
                read.words(words, 0)

    def test_a_normalized_token(self, tokenizer_of):
        """CLIP lowercases the text before it looks for these tokens."""
        tokenizer = tokenizer_of("gpt2")
        from tokenizers import normalizers

        tokenizer.backend_tokenizer.normalizer = normalizers.Lowercase()
        tokenizer.add_tokens(AddedToken("<|User|>", normalized=True, special=True))
        assert tokenizer.convert_tokens_to_ids("<|User|>") in tokenizer("It <|USER|> is").input_ids
        with pytest.raises(ValueError, match=r"Sentence 0, word 1: the text contains '<\|User\|>'"):
            Encoder(tokenizer).words(["It", "<|USER|>", "is"], 0)
        with pytest.raises(ValueError, match=r"Sentence 0, character 3: the text contains"):
            Encoder(tokenizer).text("It <|USER|> is", 0, pooling="mean")

    def test_a_token_that_must_be_a_single_word(self, tokenizer_of):
        tokenizer = tokenizer_of("gpt2")
        tokenizer.add_tokens(AddedToken("NAME", single_word=True, special=True))
        with pytest.raises(ValueError, match="Sentence 0, word 0: the text contains 'NAME'"):
            Encoder(tokenizer).words(["NAME", "is"], 0)
        ids = Encoder(tokenizer).words(["NAMES", "unNAMEd"], 0).inputs["input_ids"]
        assert ids == tokenizer("NAMES unNAMEd").input_ids

    @pytest.mark.parametrize("kind", ["gpt2", "byt5"])
    @pytest.mark.parametrize("split", [None, True, False])
    def test_other_added_tokens_are_always_read(self, tokenizer_of, kind, split):
        tokenizer = tokenizer_of(kind)
        tokenizer.add_tokens(["rain"])
        sentence = Encoder(tokenizer, split_special_tokens=split).words(["It", "rain"], 0)
        assert sentence.inputs["input_ids"] == tokenizer("It rain").input_ids
        assert tokenizer.convert_tokens_to_ids("rain") in sentence.inputs["input_ids"]

    def test_the_names_of_neurons_need_no_text(self, tokenizer_of):
        tokenizer = tokenizer_of("bert")
        tokenizer.add_special_tokens({"additional_special_tokens": ["a"]})
        config = transformers.BertConfig(vocab_size=len(tokenizer), **SMALL)
        extractor = ActivationExtractor(transformers.BertModel(config), tokenizer)
        assert len(extractor.get_feature_names_out()) == 4 * 16
