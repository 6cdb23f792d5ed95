"""Small models and tokenizers of every kind, and a loop that runs them on one sentence."""

import numpy as np
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

SMALL = dict(
    hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=24,
    max_position_embeddings=80,
)  # fmt: skip


def byte_level_bpe(corpus, **special):
    """Train a tokenizer like that of GPT-2; words may start with a space."""
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
    """Train a tokenizer like those of SentencePiece."""
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
        tokenizer = byte_level_bpe(
            corpus, bos_token="<s>", eos_token="</s>"
        )  # without a padding token
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
        config = lambda n: t.T5Config(  # noqa: E731 -- an entry like the others
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
        config = lambda n: t.XLMRobertaConfig(vocab_size=n, pad_token_id=1, **SMALL)  # noqa: E731 -- an entry like the others
    else:
        tokenizer = t.ByT5Tokenizer()  # bytes, without word_ids
        config = lambda n: t.T5Config(  # noqa: E731 -- an entry like the others
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


def stack(model):
    model = model.base_model
    return model.get_encoder() if model.config.is_encoder_decoder else model


def word_ids_of(tokenizer, sentence):
    """Return the sub-words of a sentence and the word of each, from the text alone."""
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


def alone(model, tokenizer, sentence, aggregation="last"):
    """Return all hidden states of the words of a sentence that is run alone."""
    ids, word_ids = word_ids_of(tokenizer, sentence)
    with torch.no_grad():
        output = stack(model)(input_ids=torch.tensor([ids]), output_hidden_states=True)
    states = torch.cat(output.hidden_states, dim=-1)[0].numpy()
    pieces = [[i for i, word in enumerate(word_ids) if word == w] for w in range(len(sentence))]
    pick = {"first": lambda p: states[p[0]], "last": lambda p: states[p[-1]]}
    pick["mean"] = lambda p: states[p].mean(axis=0)
    return np.array([pick[aggregation](p) for p in pieces])
