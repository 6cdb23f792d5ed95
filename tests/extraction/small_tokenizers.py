"""Small tokenizers of the classes of transformers, trained on the embedded corpus."""

import json
from unittest.mock import patch

import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers.models.canine import tokenization_canine

SPECIAL = ["<unk>", "<s>", "</s>", "<pad>", "<mask>", "[CLS]", "[SEP]", "[MASK]", "<|endoftext|>"]


def _trained(tokenizer, trainer, corpus):
    tokenizer.train_from_iterator((" ".join(words) for words in corpus.sentences), trainer)
    return json.loads(tokenizer.to_str())["model"]


def byte_level(corpus):
    """Return a vocabulary and merges like those of GPT-2."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=[*SPECIAL, "<|startoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    model = _trained(tokenizer, trainer, corpus)
    return {"vocab": model["vocab"], "merges": [tuple(pair) for pair in model["merges"]]}


def metaspace_bpe(corpus):
    """Return a vocabulary and merges like those of Llama 2."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.BpeTrainer(vocab_size=600, special_tokens=SPECIAL)
    model = _trained(tokenizer, trainer, corpus)
    return {"vocab": model["vocab"], "merges": [tuple(pair) for pair in model["merges"]]}


def unigram(corpus):
    """Return a vocabulary with scores like that of T5."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=500, special_tokens=SPECIAL, unk_token="<unk>")
    return {"vocab": [tuple(entry) for entry in _trained(tokenizer, trainer, corpus)["vocab"]]}


def word_pieces(corpus):
    """Return a vocabulary like that of BERT."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=500, special_tokens=special)
    return {"vocab": _trained(tokenizer, trainer, corpus)["vocab"]}


# The class of each kind, its vocabulary, and other arguments.
KINDS = {
    "gpt2": ("GPT2Tokenizer", byte_level, {}),
    "gpt2 with a prefix space": ("GPT2Tokenizer", byte_level, {"add_prefix_space": True}),
    "qwen2": ("Qwen2Tokenizer", byte_level, {}),
    "roberta": ("RobertaTokenizer", byte_level, {}),
    "gpt-neox": ("GPTNeoXTokenizer", byte_level, {}),
    "clip": ("CLIPTokenizer", byte_level, {}),
    "llama": ("LlamaTokenizer", metaspace_bpe, {}),
    "llama without a prefix space": ("LlamaTokenizer", metaspace_bpe, {"add_prefix_space": False}),
    "gemma": ("GemmaTokenizer", metaspace_bpe, {}),
    "t5": ("T5Tokenizer", unigram, {}),
    "xlm-r": ("XLMRobertaTokenizer", unigram, {}),
    "albert": ("AlbertTokenizer", unigram, {}),
    "xlnet": ("XLNetTokenizer", unigram, {}),
    "deberta-v2": ("DebertaV2Tokenizer", unigram, {}),
    "bert": ("BertTokenizer", word_pieces, {}),
    "bert cased": ("BertTokenizer", word_pieces, {"do_lower_case": False}),
    "mpnet": ("MPNetTokenizer", word_pieces, {}),
    "byt5": ("ByT5Tokenizer", None, {}),
    "canine": ("CanineTokenizer", None, {}),
    "perceiver": ("PerceiverTokenizer", None, {}),
}
SLOW = ("byt5", "canine", "perceiver")
BYTES = ("gpt2", "gpt2 with a prefix space", "qwen2", "roberta", "gpt-neox", "byt5", "perceiver")


def make_tokenizer(kind, corpus, trained):
    """Return a new tokenizer; `trained` keeps the vocabularies between calls."""
    name, train, options = KINDS[kind]
    if kind == "canine":
        # Its vocabulary is built at each use: all 1,114,112 code points would take a second.
        with patch.object(tokenization_canine, "UNICODE_VOCAB_SIZE", 0xE010):
            return transformers.CanineTokenizer()
    if train is None:
        return getattr(transformers, name)(**options)
    if train not in trained:
        trained[train] = train(corpus)
    copied = {key: type(value)(value) for key, value in trained[train].items()}
    return getattr(transformers, name)(**copied, **options)
