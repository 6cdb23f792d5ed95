"""Encoded texts in a few arrays are the same texts as in a list."""

import numpy as np
import pytest

from sklearn_neurox.extraction._encoded_sentence import EncodedSentence
from sklearn_neurox.extraction._packed_sentences import (
    PackedSentences,
    ids_of,
    n_rows_of,
    n_subwords_of,
)


def random_sentences(n, seed=0):
    rng = np.random.RandomState(seed)
    sentences = []
    for i in range(n):
        length, n_rows = rng.randint(1, 9), rng.randint(1, 4)
        row_ids = np.sort(np.r_[np.arange(n_rows), rng.randint(n_rows, size=rng.randint(3))])
        ids = rng.randint(2**31 - 1, size=(2, length)).astype(np.int32)
        sentences.append(
            EncodedSentence(
                3 * i,
                [f"w{rng.randint(3)}" for _ in range(n_rows)],
                rng.randint(length, size=n_rows).tolist(),
                {"input_ids": ids[0], "token_type_ids": ids[1]},
                row_ids.tolist(),
                rng.randint(length, size=len(row_ids)).tolist(),
            )
        )
    return sentences


def packed(sentences):
    result = PackedSentences()
    for sentence in sentences:
        result.append(sentence)
    return result


def plain(sentence):
    inputs = {name: ids.tolist() for name, ids in sentence.inputs.items()}
    return tuple(sentence._replace(inputs=inputs))


def test_a_list_and_its_parts():
    sentences = random_sentences(40)
    both = packed(sentences), sentences
    for part in (slice(None), slice(3, 9), slice(-5, None), slice(7, 7), slice(0, 100)):
        ours, expected = (each[part] for each in both)
        assert [plain(each) for each in ours] == [plain(each) for each in expected]
        assert n_subwords_of(ours) == n_subwords_of(expected)
        assert n_rows_of(ours) == n_rows_of(expected)
        if expected:
            np.testing.assert_array_equal(*(np.concatenate(list(ids_of(e))) for e in both))
            assert plain(ours[-1]) == plain(ours[1:][-1] if len(ours) > 1 else ours[0])
    part = both[0][10:30][5:10]
    assert [plain(each) for each in part] == [plain(each) for each in sentences[15:20]]
    with pytest.raises(IndexError):
        part[5]


def test_what_cannot_be_packed():
    sentences = packed(random_sentences(3))
    with pytest.raises(ValueError, match=r"Only adjacent texts are a part, got the step 2"):
        sentences[::2]
    (other,) = random_sentences(1)
    message = r"Text 0 has the inputs \['input_ids'\], but those before it have"
    with pytest.raises(ValueError, match=message):
        sentences.append(other._replace(inputs={"input_ids": other.inputs["input_ids"]}))
    assert len(sentences) == 3
