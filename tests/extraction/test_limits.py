"""Sentences that exceed the limit of the model."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from sklearn.base import clone

from sklearn_neurox import ActivationExtractor
from sklearn_neurox.extraction._encoding import Encoder
from sklearn_neurox.extraction._limits import encode_words

from .small_models import alone, stack


def test_roberta_counts_positions_from_its_padding(corpus):
    """Byte-level BPE, and a model with fewer positions than its configuration says."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import RobertaConfig, RobertaModel, RobertaTokenizerFast

    bpe = ByteLevelBPETokenizer(add_prefix_space=True)
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    bpe.train_from_iterator(
        (" ".join(s) for s in corpus.sentences), vocab_size=600, special_tokens=special
    )
    tokenizer = RobertaTokenizerFast(tokenizer_object=bpe._tokenizer, add_prefix_space=True)
    torch.manual_seed(0)
    model = RobertaModel(
        RobertaConfig(
            vocab_size=bpe.get_vocab_size(), hidden_size=8, num_hidden_layers=1,
            num_attention_heads=1, intermediate_size=8, max_position_embeddings=34, pad_token_id=1,
        )
    ).eval()  # fmt: skip
    extractor = ActivationExtractor(model, tokenizer)
    sentences = [s for s in corpus.sentences if len(s) < 8][:20]
    expected = np.vstack([alone(model, tokenizer, sentence) for sentence in sentences])
    np.testing.assert_allclose(extractor.extract(sentences).X, expected, atol=1e-5)
    with pytest.raises(ValueError, match="limit of 32 sub-words"):
        extractor.extract([["sandwiches"] * 40])


class TestTruncation:
    long = ("word " * 100).split()

    def test_error_names_sentence_and_word(self, tiny_bert):
        with pytest.raises(
            ValueError,
            match=r"1 of 2 sentences exceed the limit of 64 sub-words; sentence 1 has \d+, "
            r"and its word \d+ \('word'\) is beyond the limit",
        ):
            ActivationExtractor(*tiny_bert).extract([["Short"], self.long])

    def test_warn_keeps_the_words_that_fit(self, tiny_bert):
        model, tokenizer = tiny_bert
        extractor = ActivationExtractor(model, tokenizer, on_truncate="warn")
        sentences = [["Short"], self.long, ["End"]]
        labels = [["a"], ["b"] * 100, ["c"]]
        with pytest.warns(
            UserWarning, match=r"sentence 1 has \d+\. \d+ words do not have a row in X"
        ):
            tokens = extractor.extract(sentences, labels)
        pieces = len(tokenizer(["word"], is_split_into_words=True).input_ids) - 2
        kept = 62 // pieces
        assert tokens.y.tolist() == ["a"] + ["b"] * kept + ["c"]
        expected = alone(model, tokenizer, self.long[:kept])
        np.testing.assert_allclose(tokens.X[1:-1], expected, atol=1e-5)

    def test_drop_leaves_the_sentence_out(self, tiny_bert):
        extractor = ActivationExtractor(*tiny_bert, on_truncate="drop")
        tokens = extractor.extract([["Short"], self.long, ["End"]], [["a"], ["b"] * 100, ["c"]])
        assert tokens.words.tolist() == ["Short", "End"]
        assert tokens.sentence_ids.tolist() == [0, 2]
        assert tokens.y.tolist() == ["a", "c"]
        with pytest.raises(ValueError, match="No sentence is left"):
            extractor.extract([self.long])

    @pytest.mark.parametrize("side", ["left", "right"])
    @pytest.mark.parametrize("kind", ["bert", "gpt2", "xlm-r", "t5", "byt5"])
    def test_the_beginning_of_a_text_is_kept(self, zoo, kind, side):
        """Regardless of the side that the tokenizer is set to, as the warning says."""
        model, tokenizer = zoo(kind)
        tokenizer = deepcopy(tokenizer)
        text = "It was the summer of the long rain . " * 9
        ids = tokenizer(text, truncation=True, max_length=20, return_tensors="pt").input_ids
        with torch.no_grad():
            states = stack(model)(input_ids=ids, output_hidden_states=True).hidden_states
        states = torch.cat(states, dim=-1)[0].numpy()
        mask = tokenizer(
            text, truncation=True, max_length=20, return_special_tokens_mask=True
        ).special_tokens_mask
        own = states[np.array(mask) == 0]
        tokenizer.truncation_side = side
        for pooling, expected in (("mean", own.mean(axis=0)), ("last", own[-1])):
            extractor = ActivationExtractor(
                model, tokenizer, pooling=pooling, max_length=20, on_truncate="warn"
            )
            with pytest.warns(UserWarning, match="These sentences are truncated"):
                X = extractor.transform(["It was", text])
            np.testing.assert_allclose(X[1], expected, atol=2e-5)

    @pytest.mark.parametrize("special", [False, True])
    def test_the_spaces_of_lost_words_need_no_place(self, zoo, special):
        """In a model of bytes, 8 words of 4 letters have 39 sub-words, and </s> has one."""
        extractor = ActivationExtractor(
            *zoo("byt5"), max_length=40, on_truncate="warn", include_special_tokens=special
        )
        with pytest.warns(UserWarning, match=r"has 500\. 92 words do not have a row in X"):
            tokens = extractor.extract([self.long])
        assert tokens.words.tolist() == ["word"] * 8 + ["</s>"] * special
        assert tokens.positions.tolist() == [*range(8), *[-1] * special]
        expected = alone(*zoo("byt5"), ["word"] * 8)
        np.testing.assert_allclose(tokens.X[:8], expected, atol=2e-5)
        with pytest.raises(ValueError, match=r"has 500, and its word 8 \('word'\) is beyond"):
            extractor.set_params(on_truncate="error").extract([self.long])

    def test_max_length(self, tiny_bert):
        with pytest.raises(ValueError, match="limit of 5 sub-words"):
            ActivationExtractor(*tiny_bert, max_length=5).extract([self.long[:20]])
        with pytest.raises(ValueError, match="max_length=65 exceeds the model's limit of 64"):
            ActivationExtractor(*tiny_bert, max_length=65).extract([["Short"]])


def test_long_sentences(zoo):
    extractor = ActivationExtractor(*zoo("bert"), on_truncate="warn", pooling="cls")
    long = "word " * 100
    with pytest.warns(UserWarning, match="the first is sentence 1. These sentences are truncated"):
        X = extractor.transform(["Short .", long])
    assert X.shape == (2, 64)
    with pytest.raises(
        ValueError,
        match="returns one row for every sentence, so on_truncate='drop' is not supported",
    ):
        clone(extractor).set_params(on_truncate="drop").transform(["Short ."])


@pytest.mark.parametrize("max_length", [1, 2])
def test_no_space_beside_the_special_tokens(zoo, max_length):
    extractor = ActivationExtractor(*zoo("bert"), max_length=max_length, on_truncate="warn")
    with (
        pytest.warns(UserWarning, match="These sentences are truncated"),
        pytest.raises(
            ValueError, match=f"A limit of {max_length} sub-words leaves no space for text"
        ),
    ):
        extractor.transform(["Tomorrow : rain"])


@pytest.mark.filterwarnings("ignore:.*exceed the limit")
@pytest.mark.parametrize("on_truncate", ["warn", "drop"])
def test_sentences_in_a_temporary_file(tiny_bert, corpus, on_truncate):
    encoder = Encoder(tiny_bert[1], split_special_tokens=None)
    options = dict(limit=25, on_truncate=on_truncate, special_tokens=False)
    listed, spooled = (
        encode_words(encoder, corpus.sentences[:80], **options, spooled=spooled)
        for spooled in (False, True)
    )
    assert len(listed) > 10
    assert not isinstance(spooled, list)
    assert list(spooled) == listed
