"""Words with the spaces of their text, with spaces inside, and words that the tokenizer drops."""

import numpy as np
import pytest
import torch

from sklearn_neurox import ActivationExtractor, SpacedSentence, TokenActivations
from sklearn_neurox.extraction._encoding import Encoder

from .small_models import stack
from .small_tokenizers import KINDS, SLOW

JOINER = "\N{WORD JOINER}"  # BERT's normalizer drops it
SENTENCE = SpacedSentence.from_text(
    "The rain isn't (so) bad: 100 000 drops.",
    ["The", "rain", "is", "n't", "(", "so", ")", "bad", ":", "100 000", "drops", "."],
)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"canine", "perceiver"}))
def test_the_text_is_that_of_the_corpus(tokenizer_of, kind):
    """The sub-words are those of the text, and a word has those that contain its characters."""
    tokenizer = tokenizer_of(kind)
    sentence = Encoder(tokenizer).words(SENTENCE, 0)
    encoding = tokenizer(SENTENCE.text, return_offsets_mapping=kind not in SLOW)
    assert sentence.inputs["input_ids"] == encoding["input_ids"]
    assert sentence.words == SENTENCE
    if kind in SLOW:
        return
    own = range(sentence.n_subwords) if sentence.pieces is None else sentence.pieces
    found = [[] for _ in SENTENCE]
    for place, row in zip(own, sentence.row_ids, strict=True):
        if row is not None:
            found[row].append(place)
    end = 0
    for word, places in zip(SENTENCE, found, strict=True):
        start = SENTENCE.text.index(word, end)
        end = start + len(word)
        inside = {
            i
            for i, (a, b) in enumerate(encoding["offset_mapping"])
            if SENTENCE.text[max(a, start) : min(b, end)].strip()
        }
        assert inside <= set(places)


def test_states_are_those_of_the_text(zoo):
    model, tokenizer = zoo("gpt2")
    tokens = ActivationExtractor(model, tokenizer, layers=[3], aggregation="last").extract(
        [SENTENCE, ["The", "rain"]]
    )
    encoding = tokenizer(SENTENCE.text, return_offsets_mapping=True)
    with torch.no_grad():
        output = stack(model)(torch.tensor([encoding["input_ids"]]), output_hidden_states=True)
    states = output.hidden_states[3][0].numpy()
    for row, (start, stop) in enumerate(tokens.offsets[: len(SENTENCE)].tolist()):
        assert SENTENCE.text[start:stop] == tokens.words[row] == SENTENCE[row]
        places = [
            i
            for i, (a, b) in enumerate(encoding["offset_mapping"])
            if SENTENCE.text[max(a, start) : min(b, stop)].strip()
        ]
        np.testing.assert_allclose(tokens.X[row], states[places[-1]], atol=1e-5)
    assert tokens.offsets[-2:].tolist() == [[0, 3], [4, 8]]


@pytest.mark.parametrize("on_truncate", ["warn", "drop"])
@pytest.mark.filterwarnings("ignore:1 of 2 sentences exceed")
def test_shared_subwords_at_the_limit(zoo, on_truncate):
    """A word whose sub-words are cut does not have a row, also if it shares one that is kept."""
    model, tokenizer = zoo("gpt2")
    sentence = SpacedSentence(list("therain"), [""] * 6)
    whole = ActivationExtractor(model, tokenizer, layers=[3]).extract([sentence, ["a"]])
    n_subwords = len(tokenizer(sentence.text)["input_ids"])
    assert n_subwords < len(sentence)
    extractor = ActivationExtractor(
        model, tokenizer, layers=[3], on_truncate=on_truncate, max_length=n_subwords - 1
    )
    cut = extractor.extract([sentence, ["a"]])
    if on_truncate == "drop":
        assert cut.words.tolist() == ["a"]
    else:
        n_kept = len(cut) - 1
        assert 0 < n_kept < len(sentence)
        np.testing.assert_allclose(cut.X[:n_kept], whole.X[:n_kept], atol=1e-5)


def test_special_tokens_with_shared_subwords(zoo):
    model, tokenizer = zoo("xlm-r")
    extractor = ActivationExtractor(model, tokenizer, layers=[3], include_special_tokens=True)
    tokens = extractor.extract([SENTENCE])
    assert tokens.words.tolist() == ["<s>", *SENTENCE, "</s>"]
    assert tokens.positions.tolist() == [-1, *range(len(SENTENCE)), -1]
    plain = extractor.set_params(include_special_tokens=False).extract([SENTENCE])
    np.testing.assert_allclose(plain.X, tokens[tokens.positions >= 0].X, atol=1e-6)


def test_stores(tiny_bert, tmp_path):
    extractor = ActivationExtractor(*tiny_bert, layers=[2])
    tokens = extractor.extract([SENTENCE], store=tmp_path / "store")
    again = TokenActivations.load(tmp_path / "store")
    assert again.words.tolist() == SENTENCE
    assert [SENTENCE.text[a:b] for a, b in again.offsets.tolist()] == SENTENCE
    again.save(tmp_path / "other")
    assert TokenActivations.load(tmp_path / "other").words.tolist() == tokens.words.tolist()
    assert repr(again).startswith("TokenActivations(12 words in 1 sentence")


class TestDroppedWords:
    CORPUS = [["the", JOINER, "rain"], ["rain"], [JOINER], ["a", JOINER * 2]]
    LABELS = [["D", "X", "N"], ["N"], ["X"], ["D", "X"]]

    def test_all_are_listed(self, tiny_bert):
        message = (
            r"drops 3 words in 3 sentences, such as sentence 0, word 1 \('\\u2060'\), sentence 2, "
            r"word 0 .*, sentence 3, word 1 .*on_empty_word='drop'"
        )
        with pytest.raises(ValueError, match=message):
            ActivationExtractor(*tiny_bert).extract(self.CORPUS, self.LABELS)

    def test_their_rows_are_left_out(self, tiny_bert, tmp_path):
        extractor = ActivationExtractor(*tiny_bert, layers=[2], on_empty_word="drop")
        with pytest.warns(UserWarning, match="drops 3 words in 3 sentences"):
            tokens = extractor.extract(self.CORPUS, self.LABELS)
        assert tokens.words.tolist() == ["the", "rain", "rain", "a"]
        assert tokens.y.tolist() == ["D", "N", "N", "D"]
        assert tokens.positions.tolist() == [0, 2, 0, 0]
        assert tokens.sentence_ids.tolist() == [0, 0, 1, 3]
        plain = ActivationExtractor(*tiny_bert, layers=[2]).extract(
            [["the", "rain"], ["rain"], ["a"]]
        )
        np.testing.assert_allclose(tokens.X, plain.X, atol=1e-6)
        with pytest.warns(UserWarning, match="drops 3 words"):
            stored = extractor.extract(self.CORPUS, self.LABELS, store=tmp_path / "store")
        assert stored.positions.tolist() == [0, 2, 0, 0]
        assert (
            TokenActivations.describe(tmp_path / "store")["parameters"]["on_empty_word"] == "drop"
        )

    def test_nothing_is_left(self, tiny_bert):
        extractor = ActivationExtractor(*tiny_bert, on_empty_word="drop")
        with (
            pytest.warns(UserWarning, match="drops 1 word"),
            pytest.raises(ValueError, match="drops all words of the corpus"),
        ):
            extractor.extract([[JOINER]])


class TestDropLabel:
    CORPUS = [["the", "rain", "fell"], ["so"], ["the", "end"]]
    LABELS = [["_", "Sing", "_"], ["_"], ["_", "Sing"]]

    def test_words_with_this_label_are_read_but_do_not_have_a_row(self, tiny_bert, tmp_path):
        extractor = ActivationExtractor(*tiny_bert, layers=[1, 2])
        whole = extractor.extract(self.CORPUS, self.LABELS)
        tokens = extractor.extract(self.CORPUS, self.LABELS, drop_label="_")
        assert tokens.words.tolist() == ["rain", "end"]
        assert tokens.positions.tolist() == [1, 1]
        assert tokens.sentence_ids.tolist() == [0, 2]
        np.testing.assert_array_equal(tokens.X, whole[whole.y == "Sing"].X)
        stored = extractor.extract(self.CORPUS, self.LABELS, drop_label="_", store=tmp_path / "s")
        np.testing.assert_array_equal(stored.X, tokens.X)
        assert stored.y.tolist() == ["Sing", "Sing"]

    def test_errors(self, tiny_bert):
        extractor = ActivationExtractor(*tiny_bert)
        with pytest.raises(ValueError, match="so it needs labels"):
            extractor.extract(self.CORPUS, drop_label="_")
        with pytest.raises(ValueError, match="All words have the label drop_label='_'"):
            extractor.extract([["a"]], [["_"]], drop_label="_")
