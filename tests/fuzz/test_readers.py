"""Readers: the result is right, or an error that says where the file is wrong.

A reader never raises another error, and never ends, blocks or fills the process of the user.
"""

import json
import math
import re
import time
import tracemalloc
import warnings

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sklearn_neurox import TokenActivations, read_activations, write_activations
from sklearn_neurox.datasets import (
    annotate,
    numeric_labels,
    read_conllu,
    read_labeled_sentences,
    read_parallel,
    read_sentences,
)
from sklearn_neurox.datasets._conllu import CONLLU_COLUMNS
from sklearn_neurox.datasets.sentences import check_corpus, find_fault

from ..activations.foreign_files import write_foreign
from .mutations import damaged

# Characters that careless code strips, splits at, normalizes, cannot encode, or parses.
NASTY = "\u200b\u200d\ufeff\u0301\u00ad\u2028\x85\xa0\x0b\x1c\r\t\n\0 \ud800\udffféĠ▁#'\"\\/<>[]{}_1-.+eE٣²ß日😀"
characters = st.one_of(st.sampled_from(NASTY), st.characters())
texts = st.text(characters, max_size=8)
words = st.text(characters, min_size=1, max_size=8).filter(lambda word: find_fault(word) is None)
written = words.filter(lambda word: "\0" not in word)  # in a text file
corpora = st.lists(st.lists(written, min_size=1, max_size=4), min_size=1, max_size=4)
raw = st.one_of(
    st.binary(max_size=80), texts.map(lambda text: text.encode("utf-8", "surrogatepass"))
)


def save(path, content):
    path.write_bytes(content)
    return path


def is_helpful(error, path):
    """Return whether an error names the file, and says something else in a limited length."""
    return str(path) in str(error) and len(str(error)) < 1500 + 5 * len(str(path))


def read_or_refuse(read, *paths):
    """Return what a reader returns, or None if it raises one of its own errors."""
    try:
        return read(*paths)
    except ValueError as error:
        assert any(is_helpful(error, path) for path in paths), error  # noqa: PT017 -- not every input raises an error
        return None


def lines_of(corpus):
    return "\n".join(" ".join(sentence) for sentence in corpus).encode()


# Text files


@given(corpora, st.sampled_from(["", "\n", "\r\n", " \n\n"]))
@example([["\ufeffa"]], "")
def test_words_that_were_written_are_read(tmp_path, corpus, end):
    content = b"\xef\xbb\xbf" + lines_of(corpus) + end.encode()
    path = save(tmp_path / "words.txt", content)
    assert read_sentences(path) == corpus
    assert read_parallel(path, path) == (corpus, corpus)
    first = "\n".join(line[0] for line in corpus)
    labels = save(tmp_path / "labels.txt", first.encode("utf-8-sig"))
    assert read_labeled_sentences(path, labels) == (corpus, [line[0] for line in corpus])


@given(raw, raw)
def test_any_text_file(tmp_path, first, second):
    paths = save(tmp_path / "a.txt", first), save(tmp_path / "b.txt", second)
    corpus = read_or_refuse(read_sentences, paths[0])
    if corpus is not None:
        assert check_corpus(corpus) == corpus
        text = first.decode("utf-8-sig")
        assert [word for line in corpus for word in line] == re.findall(r"[^ \r\n]+", text)
    pair = read_or_refuse(read_parallel, *paths)
    if pair is not None:
        assert [len(line) for line in pair[0]] == [len(line) for line in pair[1]]
    pair = read_or_refuse(read_labeled_sentences, *paths)
    if pair is not None:
        assert len(pair[0]) == len(pair[1])
        assert all(find_fault(label) is None for label in pair[1])


@given(corpora.flatmap(lambda corpus: damaged(lines_of(corpus))), st.data())
def test_damaged_text_files(tmp_path, content, data):
    paths = save(tmp_path / "a.txt", content), save(tmp_path / "b.txt", data.draw(damaged(content)))
    corpus = read_or_refuse(read_sentences, paths[0])
    assert corpus is None or check_corpus(corpus) == corpus
    pair = read_or_refuse(read_parallel, *paths)
    assert pair is None or [*map(len, pair[0])] == [*map(len, pair[1])]


# CoNLL-U

cells = st.text(characters, min_size=1, max_size=5).filter(
    lambda cell: cell.split() == [cell] and find_fault(cell) is None and "\0" not in cell
)
rows = st.lists(cells, min_size=9, max_size=9)
sentences = st.lists(st.lists(rows, min_size=1, max_size=4), min_size=1, max_size=3)


def conllu(corpus, end="\n"):
    lines = []
    for sentence in corpus:
        lines += ["\t".join([str(i), *row]) for i, row in enumerate(sentence, start=1)] + [""]
    return end.join(lines).encode()


@given(sentences, st.sampled_from(["\n", "\r\n"]), st.sampled_from(CONLLU_COLUMNS))
def test_every_column_that_was_written_is_read(tmp_path, corpus, end, column):
    path = save(tmp_path / "a.conllu", conllu(corpus, end))
    place = CONLLU_COLUMNS.index(column) - 1
    forms, labels = read_conllu(path, column)
    assert forms == [[row[0] for row in sentence] for sentence in corpus]
    if column != "id":
        assert labels == [[row[place] for row in sentence] for sentence in corpus]


ids = st.one_of(
    st.integers(0, 9).map(str),
    st.from_regex(r"[0-9]{1,3}[-.][0-9]{1,3}", fullmatch=True),
    st.sampled_from(["", "01", "²", "1" * 5000, "1-" + "9" * 5000, "0.1", "1e3", "-1", "#"]),
)


@given(st.lists(st.lists(st.one_of(ids, st.just("_"), texts), min_size=9, max_size=11), max_size=5))
def test_any_columns(tmp_path, lines):
    content = "\n".join("\t".join(line) for line in lines)
    path = save(tmp_path / "a.conllu", content.encode("utf-8", "surrogatepass"))
    for column in ("id", "upos", "misc"):
        result = read_or_refuse(lambda path, column=column: read_conllu(path, column), path)
        if result is not None:
            forms, labels = result
            assert all(cell and cell == cell.strip() for line in forms + labels for cell in line)
            if column == "id":
                assert labels == [[str(i + 1) for i in range(len(line))] for line in forms]


@given(sentences.flatmap(lambda corpus: damaged(conllu(corpus))))
def test_damaged_conllu(tmp_path, content):
    result = read_or_refuse(read_conllu, save(tmp_path / "a.conllu", content))
    if result is not None:
        assert all(label and label.split() == [label] for line in result[1] for label in line)


# Labels from files and words


@given(st.lists(st.one_of(texts, st.from_regex(r"[+-]?[0-9.]{1,5}([eE][0-9]{1,3})?")), min_size=1))
@example(["1_0"])
@example(["٣"])
def test_numbers_in_label_files(labels):
    try:
        numbers = numeric_labels([labels])
    except ValueError as error:
        assert re.match(r"Sentence 0, word \d+: expected a finite number", str(error))  # noqa: PT017 -- not every input raises an error
    else:
        assert numbers == [[float(label) for label in labels]]
        assert all(map(math.isfinite, numbers[0]))
        assert all(re.fullmatch(r"[-+.0-9eE]+", label, re.ASCII) for label in labels)


@given(st.lists(st.lists(st.one_of(words, texts), max_size=3), max_size=3), st.sets(texts))
def test_any_words_to_annotate(corpus, chosen):
    try:
        labels = annotate(corpus, chosen)
    except ValueError as error:
        assert len(str(error)) < 2000  # noqa: PT017 -- not every input raises an error
    else:
        assert labels == [[word in chosen for word in line] for line in corpus]
        assert {label for line in labels for label in line} == {True, False}


# Activations

DTYPES = ["float16", "float32", "float64"]


@st.composite
def activations(draw, tokens):
    corpus = draw(st.lists(st.lists(tokens, min_size=1, max_size=3), min_size=1, max_size=3))
    n_layers, width = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    shape = sum(map(len, corpus)), n_layers * width
    dtype = draw(st.sampled_from(DTYPES))
    seed = draw(st.integers(0, 2**32 - 1))
    bits = np.random.RandomState(seed).bytes(math.prod(shape) * np.dtype(dtype).itemsize)
    X = np.nan_to_num(np.frombuffer(bits, dtype).reshape(shape), copy=True)
    numbers = draw(
        st.lists(
            st.one_of(st.integers(0, 9), st.integers(0, 2**63 - 1)),
            min_size=len(corpus), max_size=len(corpus), unique=True,
        )
    )  # fmt: skip
    return TokenActivations(
        X=X,
        words=np.array([word for line in corpus for word in line], dtype=object),
        sentence_ids=np.repeat(sorted(numbers), [len(line) for line in corpus]),
        positions=np.concatenate([np.arange(len(line)) for line in corpus]),
        layers=tuple(draw(st.permutations(range(9)))[:n_layers]),
    )


def is_writable(word):
    separators = set("\0\t\n\v\f\r\x1c\x1d\x1e\x1f\x85")
    return word and not separators & set(word) and word == word.encode("utf-8", "ignore").decode()


def assert_round_trip(path, tokens):
    if all(map(is_writable, tokens.words)):
        write_activations(path, tokens, overwrite=True)
    else:
        with pytest.raises(ValueError, match="expected a word without tabs, line breaks"):
            write_activations(path, tokens, overwrite=True)
        write_foreign(path, tokens)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # rows of zeros, words that no corpus contains
        again = read_activations(path, dtype=tokens.X.dtype.name)
    assert again.X.tobytes() == tokens.X.tobytes()
    assert again.layers == tokens.layers
    for name in ("words", "sentence_ids", "positions"):
        assert getattr(again, name).tolist() == getattr(tokens, name).tolist()


@given(activations(texts))
def test_any_words_in_json(tmp_path, tokens):
    assert_round_trip(tmp_path / "acts.json", tokens)


# A process is started for each .hdf5 file, so that there are fewer of them.
few = settings(max_examples=max(settings().max_examples // 50, 4))


@few
@given(activations(texts.filter(lambda text: " " not in text)))
def test_any_words_in_hdf5(tmp_path, tokens):
    pytest.importorskip("h5py")
    assert_round_trip(tmp_path / "acts.hdf5", tokens)


@given(activations(words), st.randoms(use_true_random=False))
def test_a_corpus_is_joined_with_its_own_file(tmp_path, tokens, random):
    """Tokens are the words with the marks of WordPiece, or the bytes of GPT-2."""
    from tokenizers.pre_tokenizers import ByteLevel

    stored = []
    for word in tokens.words:
        place = random.randrange(len(word) + 1)
        ((text, _),) = ByteLevel(add_prefix_space=True, use_regex=False).pre_tokenize_str(word)
        stored.append(random.choice([word, word.lower(), f"{word[:place]}##{word[place:]}", text]))
    changes = np.flatnonzero(np.diff(tokens.sentence_ids)) + 1
    corpus = [line.tolist() for line in np.split(tokens.words, changes)]
    ids = np.unique(tokens.sentence_ids, return_inverse=True)[1]
    file = TokenActivations(
        X=tokens.X, words=np.array(stored, dtype=object), sentence_ids=ids,
        positions=tokens.positions, layers=tokens.layers,
    )  # fmt: skip
    path = tmp_path / "acts.json"
    write_foreign(path, file)
    labels = [[word.replace("\0", "N") for word in line] for line in corpus]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        joined = read_activations(path, sentences=corpus, labels=labels, dtype="float64")
    assert joined.words.tolist() == tokens.words.tolist()
    assert joined.y.tolist() == [label for line in labels for label in line]


def check_activations(path):
    """Read a damaged file, and check the result."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        tokens = read_or_refuse(read_activations, path)
    if tokens is not None:
        assert len(tokens) == len(tokens.words) == len(tokens.sentence_ids)
        assert min(tokens.layers) >= 0
        assert all(type(word) is str for word in tokens.words)


keys = st.sampled_from(["linex_index", "features", "token", "layers", "index", "values", "x"])
values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-3, 3), st.floats(), texts, st.just(10**400),
        st.sampled_from([2**63, -(2**63), 1e308]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=4)),
    max_leaves=20,
)  # fmt: skip


@given(st.data())
def test_damaged_json(tmp_path, data):
    tokens = data.draw(activations(texts))
    path = tmp_path / "acts.json"
    write_foreign(path, tokens)
    check_activations(save(path, data.draw(damaged(path.read_bytes()))))


@given(st.data(), values)
def test_json_with_another_value(tmp_path, data, value):
    """Any value in any place of a valid line."""
    layers = [{"index": 0, "values": [1.0, 2]}, {"index": 1, "values": [0.5, 3]}]
    line = {"linex_index": 0, "features": [{"token": "a", "layers": layers}] * 2}
    line = json.loads(json.dumps(line))
    place, key = line, data.draw(st.sampled_from(["linex_index", "features"]))
    while isinstance(place[key], list | dict) and place[key] and data.draw(st.booleans()):
        place = place[key]
        key = data.draw(
            st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place)))
        )
    place[key] = value
    check_activations(save(tmp_path / "acts.json", json.dumps(line).encode()))


@given(values)
def test_any_json(tmp_path, value):
    check_activations(save(tmp_path / "acts.json", json.dumps(value).encode()))


def in_limits(path):
    """Read a damaged file in limited time and memory, and check the result."""
    tracemalloc.start()
    start = time.monotonic()
    try:
        check_activations(path)
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()
    assert time.monotonic() - start < 60


@few
@given(st.data())
def test_damaged_hdf5(tmp_path, data):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "acts.hdf5"
    options = data.draw(
        st.sampled_from([{}, {"chunks": (1, 2, 3)}, {"chunks": (1, 2, 3), "compression": "gzip"}])
    )
    with h5py.File(path, "w", libver=data.draw(st.sampled_from([None, "latest"]))) as file:
        for i in range(3):
            file.create_dataset(str(i), data=np.full((2, 2, 3), i + 1, "float32"), **options)
        index = json.dumps({f"a{i} b": str(i) for i in range(3)})
        file.create_dataset("sentence_to_index", data=[index], dtype=h5py.string_dtype())
        file.attrs["layers"] = (4, 8)
    content = path.read_bytes()
    save(
        path,
        data.draw(
            st.one_of(
                damaged(content), damaged(content[:800]).map(lambda head: head + content[800:])
            )
        ),
    )
    in_limits(path)


@few
@given(st.dictionaries(texts, st.one_of(st.integers(-1, 3).map(str), texts, values), max_size=3))
def test_any_index_of_hdf5(tmp_path, index):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "acts.hdf5"
    with h5py.File(path, "w") as file:
        for i in range(len(index)):
            file[str(i)] = np.ones((1, 2, 3), "float32")
        text = json.dumps(index)
        file.create_dataset("sentence_to_index", data=[text], dtype=h5py.string_dtype())
    in_limits(path)
