import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

# Each test with random inputs runs a few fixed inputs by default, and 20,000 random inputs with
# `--hypothesis-profile=fuzz`.
COMMON = {
    "deadline": None,
    "database": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}
settings.register_profile("short", max_examples=40, derandomize=True, **COMMON)
settings.register_profile("fuzz", max_examples=20_000, print_blob=True, **COMMON)
settings.load_profile("short")


@pytest.fixture(scope="session")
def reference():
    """Results of NeuroX (git a9ac7cd) on small inputs, by file name."""
    folder = Path(__file__).parent / "fixtures"
    return lambda name: json.loads((folder / f"{name}.json").read_text())


@pytest.fixture(scope="session")
def classification():
    """X (150 samples, 12 neurons, float64) and y with three separable classes."""
    rng = np.random.RandomState(0)
    y = rng.randint(3, size=150)
    X = rng.normal(size=(150, 12))
    X[np.arange(150), y] += 3
    return X, y


@pytest.fixture(scope="module")
def cluster():
    """Client of a dask cluster of two processes with one thread each.

    Its event loop creates objects and opens files, so it must not run during tests of leaks.
    """
    import distributed

    with (
        distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=":0") as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
        client.as_current(),
    ):
        yield client


@pytest.fixture(scope="session")
def corpus():
    from sklearn_neurox import load_tagged_sentences

    return load_tagged_sentences()


@pytest.fixture(scope="session")
def tiny_bert(corpus):
    """A BERT of two layers with random weights, and a WordPiece tokenizer trained on the corpus."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import BertConfig, BertModel, BertTokenizerFast

    wordpiece = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    wordpiece.normalizer = normalizers.BertNormalizer(lowercase=False)
    wordpiece.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=400, special_tokens=special)
    wordpiece.train_from_iterator((" ".join(s) for s in corpus.sentences), trainer)
    wordpiece.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[(token, wordpiece.token_to_id(token)) for token in ("[CLS]", "[SEP]")],
    )
    tokenizer = BertTokenizerFast(
        tokenizer_object=wordpiece, model_max_length=64, do_lower_case=False
    )
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=wordpiece.get_vocab_size(),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    return BertModel(config).eval(), tokenizer


@pytest.fixture(scope="session")
def tiny_bert_path(tiny_bert, tmp_path_factory):
    model, tokenizer = tiny_bert
    folder = tmp_path_factory.mktemp("models") / "tiny-bert"
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
