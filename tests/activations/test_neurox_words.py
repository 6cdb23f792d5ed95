"""Words that NeuroX stores, compared with those of the corpus."""

import time

import pytest

from sklearn_neurox.activations._neurox_words import is_same_word

SAME = [
    ("", "word"),
    ("some##thing", "something"),
    ("something", "SomeThing"),
    ("facade", "Façade"),
    ("façade", "fac\u0327ade"),
    ("Ġfacade", "facade"),
    ("Ġfa" + "Ã§" + "ade", "façade"),  # UTF-8 in the vocabulary of GPT-2
    ("æĹ¥æľ¬", "日本"),
    ("ðŁ" + "ĺ" + "Ģ", "😀"),
    ("fa\u00c3\u00a7ade", "façade"),  # the bytes of ByT5
    ("▁▁<0xF0><0x9F><0x98><0x80>", "😀"),
    ("▁100", "100"),
    ("▁...", "…"),
    ("Ａ", "A"),
    ("low@@er", "lower"),
    ("low</w>", "low"),
    ("[UNK]", "☃"),
    ("x[UNK]y", "X☃y"),
    ("▁<unk>a<unk>", "☃a☃"),
    ('"', "``"),
    ('▁"', "''"),
    ("strasse", "Straße"),
    ("ab", "a\u200db"),
    ("ab", "a\ufffdb"),
    ("C####", "C##"),
    ("Ġ", "Ġ"),
    ("[UNK]", "[UNK]"),
]
DIFFERENT = [
    ("the", "a"),
    ("something", "some"),
    ("some##thing", "somethings"),
    ("Ġb", "a"),
    ("x[UNK]y", "xa"),
    ("x[UNK]x", "x"),
    ("[UNK]a[UNK]b", "cabd"),
    ("[UNK]a[UNK]a", "ca"),
    ("<0xFF>", "a"),
    ("##", "a"),
    ("1", "2"),
    ("日", "本"),
]


@pytest.mark.parametrize(("stored", "word"), SAME, ids=ascii)
def test_the_same_word(stored, word):
    assert is_same_word(stored, word)


@pytest.mark.parametrize(("stored", "word"), DIFFERENT, ids=ascii)
def test_another_word(stored, word):
    assert not is_same_word(stored, word)


@pytest.mark.parametrize("tokenizer", ["wordpiece", "bytes"])
def test_every_word_of_a_corpus(corpus, tokenizer):
    """Of tokenizers that the library `tokenizers` trains on the corpus."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    if tokenizer == "wordpiece":
        model = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        model.normalizer = normalizers.BertNormalizer(lowercase=True)
        model.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer = trainers.WordPieceTrainer(vocab_size=300, special_tokens=["[UNK]"])
    else:
        model = Tokenizer(models.BPE())
        model.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
        model.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=300, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
        )
    model.train_from_iterator((" ".join(words) for words in corpus.sentences[:200]), trainer)
    words = sorted({word for words in corpus.sentences for word in words})
    words += ["Zoë", "日本", "😀", "e\u0301te\u0301", "ß", "İstanbul", "ﬁn", "µ", "½", "²", "``"]
    stored = ["".join(model.encode(word).tokens) for word in words]
    assert stored != words
    assert [pair for pair in zip(stored, words, strict=True) if not is_same_word(*pair)] == []
    # Almost every word is distinguished from the next one.
    shifted = [is_same_word(*pair) for pair in zip(stored[1:], words, strict=False)]
    assert sum(shifted) < len(words) / 20


def test_many_unknown_tokens_take_little_time():
    start = time.monotonic()
    assert not is_same_word("[UNK]a" * 5000, "a" * 9999 + "b")
    assert time.monotonic() - start < 5  # exponential with a regular expression
