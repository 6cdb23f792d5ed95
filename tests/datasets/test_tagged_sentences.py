"""The embedded corpus is as it is described."""

import numpy as np
import pytest

from sklearn_neurox import load_tagged_sentences

UPOS = {
    "ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM", "PART", "PRON", "PROPN",
    "PUNCT", "SCONJ", "SYM", "VERB", "X",
}  # fmt: skip


def test_size_and_tags(corpus):
    assert len(corpus.sentences) >= 400
    assert sum(map(len, corpus.sentences)) >= 4_000
    assert len(set(corpus.genres)) >= 10
    assert len({tuple(sentence) for sentence in corpus.sentences}) == len(corpus.sentences)
    for words, tags in zip(corpus.sentences, corpus.tags, strict=True):
        assert len(words) == len(tags) > 0
        assert all(word and word.split() == [word] for word in words)


@pytest.mark.parametrize("subset", ["train", "test"])
def test_both_parts_have_all_tags(subset):
    part = load_tagged_sentences(subset=subset)
    assert set(np.concatenate(part.tags)) == UPOS
    assert part.is_train.all() == (subset == "train")


def test_the_parts_make_up_the_whole(corpus):
    train, test = (load_tagged_sentences(subset=subset) for subset in ("train", "test"))
    assert len(train.sentences) + len(test.sentences) == len(corpus.sentences)
    assert [
        s for s, is_train in zip(corpus.sentences, corpus.is_train, strict=True) if is_train
    ] == train.sentences
    assert 0.15 < 1 - corpus.is_train.mean() < 0.25


# Words of closed classes may only have these tags in UD English.
CLOSED = {
    "the": {"DET"}, "and": {"CCONJ"}, "of": {"ADP"}, "n't": {"PART"}, "was": {"AUX"}, "my": {"PRON"},
    "is": {"AUX", "VERB"}, "were": {"AUX", "VERB"}, "to": {"ADP", "PART"}, "who": {"PRON"},
    "that": {"SCONJ", "PRON", "DET", "ADV"}, "'s": {"PART", "AUX", "PRON", "VERB"}, ".": {"PUNCT"},
    "when": {"ADV"}, "if": {"SCONJ"}, "should": {"AUX"}, "please": {"INTJ"}, "$": {"SYM"}, "%": {"SYM"},
}  # fmt: skip


def test_closed_classes_are_tagged_alike(corpus):
    for words, tags in zip(corpus.sentences, corpus.tags, strict=True):
        for word, tag in zip(words, tags, strict=True):
            assert tag in CLOSED.get(word.lower(), UPOS), (word, tag, " ".join(words))


def test_existential_be_is_a_verb(corpus):
    for words, tags in zip(corpus.sentences, corpus.tags, strict=True):
        for i in range(len(words) - 1):
            if (
                words[i].lower() == "there"
                and tags[i] == "PRON"
                and words[i + 1] in ("is", "are", "were", "was")
            ):
                assert tags[i + 1] == "VERB", " ".join(words)


def test_unknown_subset():
    with pytest.raises(ValueError, match="The 'subset' parameter"):
        load_tagged_sentences(subset="dev")
