"""The words and labels of the corpus return to the rows that NeuroX wrote."""

import json

import numpy as np
import pytest

from sklearn_neurox import TokenActivations, read_activations, write_activations

from .foreign_files import write_foreign

CORPUS = [["The", "kettle", "sulked", "."], ["Ça", "va"], ["The", "kettle", "sulked", "."]]
LABELS = [["DET", "NOUN", "VERB", "PUNCT"], ["PRON", "VERB"], ["a", "b", "c", "d"]]
# The same corpus as NeuroX stores it, by the tokenizer of the model.
STORED = {
    "unchanged": CORPUS,
    "WordPiece": [["The", "k##ettle", "su##lk##ed", "."], ["Ça", "va"], CORPUS[2]],
    "uncased": [["the", "kettle", "sulked", "."], ["ca", "va"], CORPUS[2]],
    "byte-level": [["The", "Ġkettle", "Ġsulked", "Ġ."], ["Ãĩa", "Ġva"], CORPUS[2]],
    "SentencePiece": [["▁The", "▁kettle", "▁sulked", "▁."], ["▁Ça", "▁va"], CORPUS[2]],
    "words without tokens": [["The", "", "sulked", "."], ["", ""], CORPUS[2]],
    "unknown words": [["The", "[UNK]", "[UNK]##ed", "."], ["<unk>a", "va"], CORPUS[2]],
}


def flat(lists):
    return [value for values in lists for value in values]


def tokens_of(corpus, *, numbers=None):
    n_words = sum(map(len, corpus))
    X = np.arange(1.0, 2 * n_words + 1).reshape(n_words, 2)
    sentence_ids = numbers or range(len(corpus))
    lengths = [len(words) for words in corpus]
    return TokenActivations(
        X=X,
        words=np.array(flat(corpus), dtype=object),
        sentence_ids=np.repeat(np.array(sentence_ids), lengths),
        positions=np.concatenate([np.arange(length) for length in lengths]),
        layers=(0, 1),
    )


@pytest.fixture(params=["hdf5", "json"])
def path(tmp_path, request):
    if request.param == "hdf5":
        pytest.importorskip("h5py")
    return tmp_path / f"acts.{request.param}"


@pytest.mark.parametrize("stored", STORED.values(), ids=STORED.keys())
def test_words_and_labels_of_the_corpus(path, stored):
    write_foreign(path, tokens_of(stored))
    for sentences in (CORPUS, [" ".join(words) for words in CORPUS]):
        tokens = read_activations(path, sentences=sentences, labels=LABELS, dtype="float64")
        assert tokens.words.tolist() == flat(CORPUS)
        assert tokens.y.tolist() == flat(LABELS)
        assert tokens.sentence_ids.tolist() == [0] * 4 + [1] * 2 + [2] * 4
        np.testing.assert_array_equal(tokens.X, tokens_of(CORPUS).X)
    assert read_activations(path, sentences=CORPUS).y is None


def test_layers_in_files_of_their_own(path):
    write_activations(path, tokens_of(STORED["WordPiece"]), decompose_layers=True)
    tokens = read_activations(path, sentences=CORPUS, labels=LABELS, decompose_layers=True)
    assert tokens.words.tolist() == flat(CORPUS)
    assert tokens.layers == (0, 1)


def test_labels_alone(path):
    write_activations(path, tokens_of(CORPUS))
    numbers = [[0.5, 1, 2, 3], [4, 5], [6, 7, 8, 9]]
    assert read_activations(path, labels=numbers).y.tolist() == [0.5, *range(1, 10)]
    with pytest.raises(ValueError, match="Sentence 1 has 2 words, but 3 labels: 'Ça va'"):
        read_activations(path, labels=[LABELS[0], ["a", "b", "c"], LABELS[2]])
    with pytest.raises(
        ValueError, match="has 3 sentences, but labels has 2: sentence 2 is missing in labels"
    ):
        read_activations(path, labels=LABELS[:2])
    with pytest.raises(
        ValueError, match="has 3 sentences, but labels has 4: sentence 3 is missing in the file"
    ):
        read_activations(path, labels=[*LABELS, ["a"]])
    with pytest.raises(TypeError, match="Expected a list of labels for each sentence"):
        read_activations(path, labels=(tags for tags in LABELS))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({0: ["The", "kettle", "sang", "."]}, r"sentence 0 \('The kettle sang .'\): word 2 is 'sang' in sentences, but 'sulked' in the file"),
        ({1: ["va", "Ça"]}, r"sentence 1 \('va Ça'\): word 0 is 'va' in sentences, but 'Ça' in"),
        ({1: ["Ça"]}, r"sentence 1 .*got 1 word in sentences, but 2 rows in the file. NeuroX cuts"),
        ({1: ["Ça", "va", "?"]}, r"sentence 1 .*got 3 words in sentences, but 2 rows in the file"),
        ({3: ["more"]}, "has 3 sentences, but sentences has 4: sentence 3 is missing in the file"),
        ({2: None}, "has 3 sentences, but sentences has 2: sentence 2 is missing in sentences"),
        ({0: None}, r"sentence 0 \('Ça va'\): word 0 is 'Ça' in sentences, but 'The' in the file"),
    ],
    ids=range(7),
)  # fmt: skip
def test_another_corpus(path, change, message):
    write_activations(path, tokens_of(CORPUS))
    corpus = dict(enumerate(CORPUS)) | change
    sentences = [words for words in corpus.values() if words]
    with pytest.raises(ValueError, match=rf"{path.name}.*{message}"):
        read_activations(path, sentences=sentences)


def test_a_file_with_gaps(path):
    write_activations(path, tokens_of(CORPUS, numbers=[0, 1, 3]))
    assert read_activations(path).sentence_ids[-1] == 3
    for name in ("sentences", "labels"):
        with pytest.raises(
            ValueError,
            match=f"3 sentences, as {name}, but .* not numbered from 0 to 2: sentence 2 is missing in "
            "the file, which contains sentence 3",
        ):
            read_activations(path, **{name: CORPUS})
    with pytest.raises(ValueError, match="3 sentences, but sentences has 4: sentence 2 is missing"):
        read_activations(path, sentences=[*CORPUS[:2], ["x"], CORPUS[2]])


def test_the_corpus_is_checked_before_the_file(tmp_path):
    path = tmp_path / "none.json"
    with pytest.raises(ValueError, match="Sentence 0, word 1: expected a word without white space"):
        read_activations(path, sentences=[["a", "b c"]])
    with pytest.raises(TypeError, match="Expected a list of sentences, got a single str"):
        read_activations(path, sentences="a b")
    with pytest.raises(ValueError, match="Sentence 0 has 1 word, but 2 labels"):
        read_activations(path, sentences=["a"], labels=[["X", "Y"]])
    for labels, message in (
        ([["X", "Y\0"]], r"cannot hold sentence 0, word 1 = 'Y\\x00' exactly"),
        ([[2.5, 2**53 + 1]], "cannot hold sentence 0, word 1 = 9007199254740993 exactly"),
        ([[0.5, float("nan")]], "must not contain NaN or infinity: sentence 0, word 1 = nan"),
    ):
        with pytest.raises(ValueError, match=message):
            read_activations(path, sentences=["a b"], labels=labels)
    with pytest.raises(
        TypeError,
        match="number and string labels; the first that differs is sentence 0, word 1 = 1",
    ):
        read_activations(path, sentences=["a b"], labels=[["X", 1]])


def test_rows_of_zeros(path):
    """NeuroX writes them for words without tokens."""
    tokens = tokens_of([["The", "", "sulked"], ["", "."]])
    tokens.X[[1, 3]] = 0
    write_foreign(path, tokens)
    sentences = [["The", "\u200d", "sulked"], ["\u00ad", "."]]
    with pytest.warns(UserWarning, match=r"2 of 5 rows are all zero.*\(sentence 0, word 1\)"):
        joined = read_activations(path, sentences=sentences)
    assert joined[joined.X.any(axis=1)].words.tolist() == ["The", "sulked", "."]
    with pytest.warns(UserWarning, match="all zero"):
        read_activations(path, sentences=sentences, layers=[1])
    tokens.X[[1, 3], 1] = [-0.0, np.nan]
    write_foreign(path, tokens)
    with pytest.warns(UserWarning, match="1 of 5 rows are all zero"):
        read_activations(path, sentences=sentences)


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        ([["a", "some##thing"]], r"1 word that no corpus contains.* 'some##thing' \(sentence 0, word 1\)"),
        ([["a", "Ġb", "Ġc"]], r"2 words .* 'Ġb' \(sentence 0, word 1\)"),
        ([["▁a"], ["▁b"]], r"2 words .* '▁a' \(sentence 0, word 0\)"),
        ([["a", ""]], r"1 word .* '' \(sentence 0, word 1\)"),
        ([["a", "b\tc"]], r"1 word .* 'b\\tc'"),
        ([["a\ud800", "b"]], r"1 word .* 'a\\ud800'"),
    ],
    ids=["WordPiece", "byte-level", "SentencePiece", "empty", "tab", "surrogate"],
)  # fmt: skip
def test_words_that_no_corpus_contains(path, stored, message):
    write_foreign(path, tokens_of(stored))
    with pytest.warns(
        UserWarning, match=rf"{path.name} contains {message}.*pass sentences="
    ) as caught:
        tokens = read_activations(path)
    assert tokens.words.tolist() == flat(stored)
    assert len(caught) == 1
    assert caught[0].filename == __file__


def test_labels_are_checked_before_warnings(path):
    tokens = tokens_of([["a", "b##c"]])
    tokens.X[0] = 0
    write_activations(path, tokens)
    for labels in ([["X", None]], [["X"]], [["X", "Y"], ["Z"]]):  # warnings are errors
        with pytest.raises((TypeError, ValueError), match=r"NoneType|but 1 label|labels has 2"):
            read_activations(path, labels=labels)


def test_words_that_only_look_like_tokens(path):
    """Ġ is a letter of Maltese, and ## can be a word."""
    stored = [["Il-", "ktieb", "ta'", "Ġanni", "huwa", "#", "##", "##x", "C##"]]
    write_activations(path, tokens_of(stored))
    assert read_activations(path).words.tolist() == stored[0]


def test_files_that_do_not_fit_in_memory(tmp_path, monkeypatch):
    path = tmp_path / "acts.json"
    write_activations(path, tokens_of(CORPUS))

    def full(*_, **__):
        raise MemoryError("Unable to allocate 9 EiB")

    monkeypatch.setattr(json, "loads", full)
    with pytest.raises(
        ValueError, match=r"acts.json: the activations do not fit in memory .*9 EiB"
    ):
        read_activations(path)
