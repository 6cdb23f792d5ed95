import errno
import hashlib
import json
import multiprocessing
import os
import random
import shutil
import time
import tracemalloc
from dataclasses import dataclass

import joblib
import numpy as np
import pytest

from sklearn_neurox import StoreWriter, TokenActivations
from sklearn_neurox.activations import _store_folder as folder_
from sklearn_neurox.activations._store_format import seal as seal_

WORDS = [["To", "be"], ["or"], ["not", "to", "be"], ["that", "is"]]
FILES = ["X.npy", "labels.npy", "progress.json", "sentence_ids.npy", "store.json", "words.json"]


def about(**changes):
    return {
        "layers": (0, 3),
        "width": 4,
        "dtype": "float32",
        "words": WORDS,
        "sentence_ids": [0, 1, 3, 7],
        "labels": ["PART", "AUX", "CCONJ", "PART", "PART", "AUX", "PRON", "AUX"],
        "parameters": {"model": "bert-base-cased", "revision": "cd5ef92", "limits": [1, 2.5, None]},
    } | changes


def rows(n_words=8, n_columns=8, dtype="float32"):
    return np.random.default_rng(0).normal(size=(n_words, n_columns)).astype(dtype)


def write(path, X=None, **changes):
    with StoreWriter(path, **about(**changes)) as writer:
        writer.append(rows() if X is None else X)
    return path


def content(path):
    """The bytes of all files but the lock, which is empty."""
    names = sorted(name for name in os.listdir(path) if not name.endswith(".lock"))
    return {name: (path / name).read_bytes() for name in names}


def seal(path, name, **changes):
    """Change JSON as one would who knows how its checksum is made."""
    kept = json.loads((path / name).read_text()) | changes
    del kept["sha256"]
    (path / name).write_bytes(seal_(kept))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_what_is_written_is_read(tmp_path, dtype):
    X = rows(dtype=dtype)
    tokens = TokenActivations.load(write(tmp_path / "store", X, dtype=dtype), verify=True)
    assert isinstance(tokens.X, np.memmap)
    assert isinstance(tokens.X.base, np.memmap)
    assert tokens.X.mode == tokens.X.base.mode == "r"
    assert not tokens.X.flags.writeable
    assert tokens.X.dtype == dtype
    np.testing.assert_array_equal(tokens.X, X)
    np.testing.assert_array_equal(tokens.layer(3), X[:, 4:])
    assert tokens.words.tolist() == ["To", "be", "or", "not", "to", "be", "that", "is"]
    assert tokens.sentence_ids.tolist() == [0, 0, 1, 3, 3, 3, 7, 7]
    assert tokens.positions.tolist() == [0, 1, 0, 0, 1, 2, 0, 1]
    assert tokens.sentence_ids.dtype == tokens.positions.dtype == np.intp
    assert tokens.layers == (0, 3)
    assert tokens.y.tolist() == about()["labels"]


@pytest.mark.parametrize("order", ["<", ">"])
def test_rows_of_any_byte_order_are_written(tmp_path, order):
    X = rows().astype(f"{order}f4")
    np.testing.assert_array_equal(TokenActivations.load(write(tmp_path / "one", X)).X, rows())
    TokenActivations.from_sentences(X, WORDS).save(tmp_path / "other")
    saved = TokenActivations.load(tmp_path / "other", verify=True).X
    np.testing.assert_array_equal(saved, rows())
    assert saved.dtype.isnative


def test_the_files_open_without_the_library(tmp_path):
    path = write(tmp_path / "store")
    assert sorted(content(path)) == FILES
    np.testing.assert_array_equal(np.load(path / "X.npy", mmap_mode="r"), rows())
    assert np.load(path / "labels.npy").tolist() == about()["labels"]
    assert np.load(path / "sentence_ids.npy").tolist() == [0, 1, 3, 7]
    assert json.loads((path / "words.json").read_text()) == WORDS
    digest = hashlib.sha256((path / "words.json").read_bytes()).hexdigest()
    assert json.loads((path / "store.json").read_text())["files"]["words.json"] == digest


@pytest.mark.parametrize(
    "labels",
    [
        np.array(list("abcdefgh")),
        np.arange(8),
        np.arange(8, dtype=np.uint8),
        np.arange(8) % 2 == 0,
        np.array([0.1, -0.0, 1e308, 1e-300, 2, 3, 4, 5]),
        np.arange(8, dtype=np.float32),
        np.arange(8, dtype=">i4"),
    ],
    ids=lambda y: y.dtype.str,
)
def test_labels_come_back(tmp_path, labels):
    y = TokenActivations.load(write(tmp_path / "store", labels=labels)).y
    np.testing.assert_array_equal(y, labels)
    assert y.dtype == labels.dtype.newbyteorder("=")
    y[0] = y[1]  # the caller's own


def test_labels_need_not_be(tmp_path):
    path = write(tmp_path / "store", labels=None)
    assert TokenActivations.load(path).y is None
    assert "labels.npy" not in content(path)


def test_labels_of_objects_are_strings_in_the_end(tmp_path):
    labels = np.array(["", "שלום", "😀", *"abcde"], dtype=object)
    y = TokenActivations.load(write(tmp_path / "store", labels=labels)).y
    assert y.dtype.kind == "U"
    assert y.tolist() == labels.tolist()


def test_any_script(tmp_path):
    words = [["a\u200bb", "\u202eשלום", "مرحبا"], ["👩‍👩‍👧", "e\u0301", "é"], ["日本", "本"]]
    path = write(tmp_path / "store", words=words, sentence_ids=[0, 1, 2])
    assert TokenActivations.load(path).words.tolist() == [
        word for sentence in words for word in sentence
    ]
    with pytest.raises(ValueError, match=r"Sentence 0, word 1: .* a word without lone surrogates"):
        StoreWriter(
            tmp_path / "other", **about(words=[["a", "\ud800"]], sentence_ids=[0], labels=None)
        )


def test_parameters_come_back(tmp_path):
    path = tmp_path / "store"
    with StoreWriter(path, **about()) as writer:
        writer.append(rows(3), n_sentences=2)
        assert (writer.n_done, writer.n_words_done) == (2, 3)
        assert (writer.n_sentences, writer.n_words) == (4, 8)
    description = TokenActivations.describe(path)
    assert description["parameters"] == about()["parameters"]
    assert [description[key] for key in ("n_done", "n_words_done", "n_sentences")] == [2, 3, 4]
    assert (description["layers"], description["dtype"]) == ([0, 3], "float32")


def test_in_pieces_it_is_the_same_to_the_bit(tmp_path):
    whole = content(write(tmp_path / "whole"))
    X = rows()
    with StoreWriter(tmp_path / "pieces", **about()) as writer:
        writer.append(X[:2])
    with StoreWriter(tmp_path / "pieces", **about(), n_sentences=4) as writer:
        assert writer.n_done == 1
        writer.append(np.asfortranarray(X[2:6]))
        writer.append(X[6:], n_sentences=1)
    assert content(tmp_path / "pieces") == whole
    with StoreWriter(tmp_path / "pieces", **about()) as writer:
        assert writer.n_done == writer.n_sentences == 4
        with pytest.raises(
            ValueError, match="X must contain the rows of at least one whole sentence"
        ):
            writer.append(X[:1])
    assert content(tmp_path / "pieces") == whole


def test_leftovers_past_the_journal_are_written_again(tmp_path):
    path = tmp_path / "store"
    with StoreWriter(path, **about()) as writer:
        writer.append(rows()[:2])
    with open(path / "X.npy", "r+b") as file:  # the rows came, the journal did not
        file.seek(128 + 2 * 32)
        file.write(b"\xff" * 5 * 32)
    with StoreWriter(path, **about()) as writer:
        writer.append(rows()[2:])
    assert content(path) == content(write(tmp_path / "whole"))


def test_an_unfinished_store(tmp_path):
    path = tmp_path / "store"
    with StoreWriter(path, **about()) as writer:
        with pytest.raises(ValueError, match=r"is unfinished: 0 of 4 sentences are written"):
            TokenActivations.load(path)
        assert len(TokenActivations.load(path, partial=True, verify=True)) == 0
        writer.append(rows()[:3])
        tokens = TokenActivations.load(path, partial=True, verify=True)  # while it is written
    np.testing.assert_array_equal(tokens.X, rows()[:3])
    assert tokens.words.tolist() == ["To", "be", "or"]
    assert tokens.y.tolist() == ["PART", "AUX", "CCONJ"]
    with pytest.raises(
        ValueError,
        match=r"2 of 4 sentences are written. Repeat the call that created it .* or load these sentences with TokenActivations.load\(path, partial=True\)",
    ):
        TokenActivations.load(path)


@pytest.mark.parametrize("damage", [b"", b"{", b"null", b"[1, 2"])
def test_a_damaged_journal_is_named(tmp_path, damage):
    path = write(tmp_path / "store")
    (path / "progress.json").write_bytes(damage)
    whole = "Intact files: store.json, words.json, sentence_ids.npy, labels.npy, X.npy"
    for use in (
        TokenActivations.describe,
        TokenActivations.load,
        lambda path: StoreWriter(path, **about()),
    ):
        with pytest.raises(ValueError, match=rf"store is damaged. progress.json: it is .* {whole}"):
            use(path)


@pytest.mark.parametrize("damage", [b"", b"{", b"null", b"[1, 2"])
def test_a_damaged_description_is_named(tmp_path, damage):
    path = write(tmp_path / "store")
    (path / "store.json").write_bytes(damage)
    rest = "progress.json, X.npy, words.json, sentence_ids.npy, labels.npy"
    for use in (
        TokenActivations.describe,
        TokenActivations.load,
        lambda path: StoreWriter(path, **about()),
    ):
        with pytest.raises(
            ValueError,
            match=rf"or is damaged: store.json: it (is|was) not .* cannot be verified: {rest}\.",
        ):
            use(path)


# --- A process that is killed ---------------------------------------------------------------


@dataclass
class Corpus:
    """Sentences of 1 to 4 words, and their rows."""

    n_sentences: int = 150

    def __post_init__(self):
        self.lengths = [1 + i % 4 for i in range(self.n_sentences)]
        self.starts = np.cumsum([0, *self.lengths])
        self.X = rows(self.starts[-1], 32, "float16")
        self.about = about(
            width=16,
            dtype="float16",
            words=[[f"w{i}"] * n for i, n in enumerate(self.lengths)],
            sentence_ids=np.arange(self.n_sentences),
            labels=np.arange(self.starts[-1]) % 3,
        )

    def finish(self, path, pause=0.0):
        with StoreWriter(path, **self.about) as writer:
            while (i := writer.n_done) < self.n_sentences:
                last = min(i + 2, self.n_sentences)
                writer.append(self.X[self.starts[i] : self.starts[last]])
                time.sleep(pause)


def child(path, begun):
    corpus = Corpus()
    begun.set()
    corpus.finish(path, pause=0.001)


def forkserver():
    """A server that has imported all that takes long forks the children."""
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["pytest", "sklearn_neurox.activations.store"])
    return processes


def test_killed_at_any_moment_it_goes_on_and_the_result_is_the_same(tmp_path):
    Corpus().finish(tmp_path / "whole")
    whole = content(tmp_path / "whole")
    processes, chance = forkserver(), random.Random(0)
    n_kills = n_begun = round_ = 0
    while n_kills < 25:
        path = tmp_path / f"store{(round_ := round_ + 1)}"
        killed = -1
        while killed:
            begun = processes.Event()
            process = processes.Process(target=child, args=(path, begun))
            process.start()
            assert begun.wait(30)
            # Some while the folder is made, most when rows are written.
            process.join(chance.choice([0.02, 0.2, 0.5]) * chance.random())
            process.kill()
            process.join()
            killed = process.exitcode
            assert killed in (0, -9)
            n_kills += killed == -9
            if killed and (path / "X.npy").exists():
                tokens = TokenActivations.load(path, partial=True, verify=True)
                np.testing.assert_array_equal(tokens.X, Corpus().X[: len(tokens)])
                n_begun += 0 < len(tokens) < len(Corpus().X)
            process.close()
        assert content(path) == whole
    assert n_begun >= 3  # or the kills came when there was nothing to lose


def test_killed_between_any_two_files(tmp_path, monkeypatch):
    """What a crash leaves after each step of the beginning and of an append is continued."""
    whole = content(write(tmp_path / "whole"))
    n_steps, replace = 0, os.replace

    class Killed(BaseException):
        pass

    for after in range(20):
        left = [after]

        def stop(source, target, left=left):
            if not left[0]:
                raise Killed
            left[0] -= 1
            replace(source, target)

        path = tmp_path / f"store{after}"
        monkeypatch.setattr(os, "replace", stop)
        # A process that is gone takes no file back.
        monkeypatch.setattr(folder_.Path, "unlink", lambda *a, **k: None)
        try:
            write(path)
        except Killed:
            n_steps += 1
        monkeypatch.undo()
        with StoreWriter(path, **about()) as writer:
            if not writer.n_done:
                writer.append(rows())
        assert content(path) == whole
    assert n_steps == 7  # three files, the journal, the description, X, and the journal again


def test_a_lock_keeps_the_second_writer_out(tmp_path):
    pytest.importorskip("fcntl")
    path = tmp_path / "store"
    with StoreWriter(path, **about()):
        before = content(path)
        with pytest.raises(
            ValueError, match=r"is open in another writer\. Close that writer first"
        ):
            StoreWriter(path, **about())
        assert content(path) == before
    StoreWriter(path, **about()).close()


def hold(path, ready):
    with StoreWriter(path, **about()):
        ready.set()
        time.sleep(60)


def test_a_dead_process_keeps_no_lock(tmp_path):
    pytest.importorskip("fcntl")
    processes = forkserver()
    ready = processes.Event()
    process = processes.Process(target=hold, args=(tmp_path / "store", ready))
    process.start()
    try:
        assert ready.wait(30)
        with pytest.raises(ValueError, match="is open in another writer"):
            StoreWriter(tmp_path / "store", **about())
    finally:
        process.kill()
        process.join()
        process.close()
    write(tmp_path / "store")


@pytest.mark.parametrize("without", ["module", "file system"])
def test_without_locks_it_says_so(tmp_path, monkeypatch, without):
    if without == "module":
        monkeypatch.setattr(folder_, "fcntl", None)
    else:
        monkeypatch.setattr(folder_.fcntl, "flock", fail(errno.ENOLCK))
    with pytest.warns(UserWarning, match="store cannot be locked on this file system"):
        write(tmp_path / "store")
    assert len(TokenActivations.load(tmp_path / "store")) == 8


# --- The working directory ----------------------------------------------------------------


def test_a_relative_path_means_the_same_folder_to_the_end(tmp_path, monkeypatch):
    """Another store of the same name in another working directory is not touched."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    write(there / "store")
    before = content(there / "store")
    monkeypatch.chdir(here)
    with StoreWriter("store", **about()) as writer:
        assert writer.path == here / "store"
        writer.append(rows()[:2])
        monkeypatch.chdir(there)
        writer.append(rows()[2:])
    assert content(there / "store") == before
    assert content(here / "store") == before  # of the same words and rows
    assert sorted(os.listdir(tmp_path)) == ["here", "there"]


def test_a_loaded_store_is_found_from_another_working_directory(tmp_path, monkeypatch):
    """A memory map is pickled by the path of its file."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "store")
    tokens = TokenActivations.load("store")
    monkeypatch.chdir("/")
    assert os.path.isabs(tokens.X.filename)
    np.testing.assert_array_equal(rows(), tokens.X)
    got = joblib.Parallel(2, backend="loky", max_nbytes=1)([joblib.delayed(np.sum)(tokens.X)] * 2)
    assert got == [tokens.X.sum()] * 2


# --- A full disk ----------------------------------------------------------------------------


def fail(number):
    def failing(*args):
        raise OSError(number, os.strerror(number))

    return failing


class Full:
    """File that accepts `capacity` bytes, and then raises an error."""

    def __init__(self, file, capacity):
        self.file, self.capacity = file, capacity

    def __getattr__(self, name):
        return getattr(self.file, name)

    def write(self, part):
        if not self.capacity:
            fail(errno.ENOSPC)()
        # A system call may write only a part.
        n = self.file.write(part[: min(7, self.capacity)])
        self.capacity -= n
        return n


@pytest.mark.parametrize("where", ["rows", "fsync", "replace"])
def test_a_full_disk_keeps_whole_sentences(tmp_path, monkeypatch, where):
    path = tmp_path / "store"
    with StoreWriter(path, **about()) as writer:
        writer.append(rows()[:3])
        before = content(path)
        with monkeypatch.context() as patch:
            if where == "rows":
                patch.setattr(writer, "_file", Full(writer._file, 41))
            else:
                patch.setattr(os, where, fail(errno.ENOSPC))
            with pytest.raises(OSError, match="2 of 4 sentences are kept") as caught:
                writer.append(rows()[3:6])
        assert caught.value.errno == errno.ENOSPC
        assert caught.value.filename == str(path)
        assert writer.n_done == 2
        after = content(path)
        assert after | {"X.npy": b""} == before | {"X.npy": b""}
        np.testing.assert_array_equal(
            TokenActivations.load(path, partial=True, verify=True).X, rows()[:3]
        )
        writer.append(rows()[3:6])  # there is space again
    with StoreWriter(path, **about()) as writer:
        assert writer.n_done == 3
        writer.append(rows()[6:])
    assert content(path) == content(write(tmp_path / "whole"))


def test_a_part_at_a_time_is_all_in_the_end(tmp_path, monkeypatch):
    with StoreWriter(tmp_path / "store", **about()) as writer:
        monkeypatch.setattr(writer, "_file", Full(writer._file, 10**6))
        writer.append(rows())
    assert content(tmp_path / "store") == content(write(tmp_path / "whole"))


def test_a_disk_too_small_is_said_before_the_work(tmp_path, monkeypatch):
    path = tmp_path / "store"
    monkeypatch.setattr(os, "posix_fallocate", fail(errno.ENOSPC), raising=False)
    with pytest.raises(OSError, match="0 of 4 sentences are kept") as caught:
        StoreWriter(path, **about())
    assert caught.value.errno == errno.ENOSPC
    assert not [name for name in os.listdir(path) if name.startswith("X.npy")]
    monkeypatch.undo()
    write(path)


def test_a_file_system_that_cannot_reserve_space(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "posix_fallocate", fail(errno.EOPNOTSUPP), raising=False)
    path = write(tmp_path / "store")
    monkeypatch.undo()
    assert content(path) == content(write(tmp_path / "whole"))


# --- Another store --------------------------------------------------------------------------

OTHERS = [
    ({"layers": (0, 4)}, r"layers is \[0, 3\] in the store, but \[0, 4\] was passed"),
    ({"layers": (3, 0)}, r"layers is \[0, 3\] in the store, but \[3, 0\] was passed"),
    ({"width": 5}, "width is 4 in the store, but 5 was passed"),
    ({"dtype": "float64"}, "dtype is float32 in the store, but float64 was passed"),
    (
        {"words": [["To", "be"], ["or"], ["not", "to", "bee"], ["that", "is"]]},
        r"sentence 2 is \['not', 'to', 'be'\] in the store, but \['not', 'to', 'bee'\] was passed",
    ),
    (
        {"words": WORDS[:3], "sentence_ids": [0, 1, 3], "labels": None},
        r"sentence 3 is \['that', 'is'\] in the store, but missing was passed",
    ),
    ({"sentence_ids": [0, 1, 3, 8]}, "sentence_ids differ"),
    ({"labels": None}, "the store has labels, but no labels were passed"),
    (
        {"labels": ["PART", "AUX", "CCONJ", "PART", "X", "AUX", "PRON", "AUX"]},
        r"the label of sentence 2, word 1 \('to'\), is 'PART' in the store, but 'X' was passed",
    ),
    (
        {"labels": list(range(8))},
        r"the label of sentence 0, word 0 \('To'\), is 'PART' in the store, but 0 was passed",
    ),
    (
        {"labels": np.array(about()["labels"], dtype="U9")},
        "the dtype of the labels is <U5 in the store, but <U9 was passed",
    ),
    (
        {"parameters": about()["parameters"] | {"revision": "main"}},
        r"parameters\['revision'\] is \"cd5ef92\" in the store, but \"main\" was passed",
    ),
    (
        {"parameters": about()["parameters"] | {"limits": [True, 2.5, None]}},
        r"parameters\['limits'\] is \[1, 2.5, null\] in the store, but \[true, 2.5, null\] was passed",
    ),
    (
        {"parameters": about()["parameters"] | {"more": None}},
        r"parameters\['more'\] is missing in the store, but null was passed",
    ),
    (
        {"parameters": None},
        r"parameters\['model'\] is \"bert-base-cased\" in the store, but missing was passed",
    ),
]


@pytest.mark.parametrize(("changes", "message"), OTHERS, ids=[m[:40] for _, m in OTHERS])
def test_another_store_is_refused_and_left(tmp_path, changes, message):
    path = tmp_path / "store"
    with StoreWriter(path, **about()) as writer:
        writer.append(rows()[:2])
    before = content(path)
    with pytest.raises(ValueError, match=f"contains another store: {message}"):
        StoreWriter(path, **about(**changes))
    assert content(path) == before
    with StoreWriter(path, **about()) as writer:  # and the lock was given back
        assert writer.n_done == 1


def test_the_order_of_parameters_is_no_difference(tmp_path):
    path = write(tmp_path / "store")
    turned = dict(reversed(about()["parameters"].items()))
    with StoreWriter(path, **about(parameters=turned | {"limits": (1, 2.5, None)})) as writer:
        assert writer.n_done == 4


@pytest.mark.parametrize("name", ["notes.txt", "X.npy", "words.json", "store.json", ".hidden"])
def test_a_folder_that_is_no_store_is_left_as_it_is(tmp_path, name):
    (tmp_path / name).write_text("{}")
    with pytest.raises(ValueError, match=r"not a store|not contain a store"):
        StoreWriter(tmp_path, **about())
    assert os.listdir(tmp_path) == [name]
    assert (tmp_path / name).read_text() == "{}"
    with pytest.raises(ValueError, match="is not a store, or is damaged"):
        TokenActivations.load(tmp_path)


def test_a_store_that_lost_its_description_is_not_begun_again(tmp_path):
    path = write(tmp_path / "store")
    (path / "store.json").unlink()
    before = content(path)
    with pytest.raises(
        ValueError, match=r"does not contain a store, because store.json is missing"
    ):
        StoreWriter(path, **about())
    assert content(path) == before


def test_paths(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"file is a file, but a store is a folder"):
        StoreWriter(tmp_path / "file", **about())
    with pytest.raises(
        FileNotFoundError, match=r"Cannot create the store .* the folder .*nowhere does not exist"
    ):
        StoreWriter(tmp_path / "nowhere" / "store", **about())
    with pytest.raises(FileNotFoundError, match=r"The store .*nowhere does not exist"):
        TokenActivations.load(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="is not a store"):
        TokenActivations.load(tmp_path / "file")
    (tmp_path / "empty").mkdir()
    write(tmp_path / "empty")


# --- Bad input ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"words": []}, ValueError, "The corpus is empty"),
        ({"words": [["a"], []]}, ValueError, "Sentence 1 is empty"),
        ({"words": [["a", 1]]}, TypeError, "Sentence 0, word 1: expected a string, got int"),
        ({"n_sentences": 5}, ValueError, "n_sentences=5, but words contains 4 sentences"),
        (
            {"sentence_ids": [0, 1]},
            ValueError,
            r"sentence_ids must contain 4 integers.*got an array of shape \(2,\)",
        ),
        (
            {"sentence_ids": [0.0, 1, 2, 3]},
            ValueError,
            "sentence_ids must contain 4 integers.*dtype float64",
        ),
        ({"labels": ["a"]}, ValueError, r"labels must have shape \(8,\), got \(1,\)"),
        (
            {"labels": ["a", *range(7)]},
            TypeError,
            "labels must contain labels of one kind, but contains number and string",
        ),
        (
            {"labels": np.array([None] * 8)},
            TypeError,
            r"labels must contain strings, booleans or numbers, but labels\[0\] = None",
        ),
        (
            {"labels": np.zeros(8, complex)},
            TypeError,
            "labels must not contain complex numbers, got dtype complex128",
        ),
        ({"labels": ["a\0"] * 8}, ValueError, r"An array cannot hold labels\[0\] = 'a\\x00'"),
        (
            {"labels": np.ma.array(np.arange(8), mask=[0, 1] * 4)},
            ValueError,
            r"labels must not have masked values, but labels\[1\] is masked",
        ),
        ({"labels": [0.5] * 7 + [np.nan]}, ValueError, r"NaN or infinity: labels\[7\] = nan"),
        ({"labels": ["a"] * 7 + [None]}, TypeError, r"contains NoneType and string labels"),
        ({"labels": [2**64] * 8}, ValueError, r"An array cannot hold labels\[0\]"),
        (
            {"labels": np.zeros(8, np.longdouble)},
            TypeError,
            "labels must be strings, booleans or numbers, got dtype",
        ),
        (
            {"layers": ()},
            ValueError,
            r"layers must be a list of at least one non-negative integer, got \[\]",
        ),
        ({"parameters": {"unit": ""}}, ValueError, "'unit' must be a string that is not empty"),
        ({"layers": (1, 1)}, ValueError, "Each layer can be listed only once; 1 is repeated"),
        (
            {"layers": (-1,)},
            ValueError,
            "layer indices must be non-negative integers, got -1",
        ),
        ({"layers": (0.5,)}, TypeError, "integer"),
        ({"layers": (True,)}, TypeError, "layer indices .* dtype bool"),
        ({"layers": (0, True)}, TypeError, "layer indices .*, got booleans among them"),
        ({"sentence_ids": [0, 1, -1, 3]}, ValueError, r"negative, but sentence_ids\[2\] = -1"),
        (
            {"words": [["To", "b\0e"]]},
            ValueError,
            r"Sentence 0, word 1: expected a word without .* null .*, got 'b\\x00e'",
        ),
        ({"width": 0}, ValueError, "width must be a positive integer, got 0"),
        ({"width": 2.5}, TypeError, "integer"),
        ({"dtype": "int8"}, ValueError, "dtype must be one of float16, float32, float64, got 'in"),
        ({"parameters": {"a": [1, np.int64(2)]}}, TypeError, r"parameters\['a'\]\[1\] is '2' of"),
        ({"parameters": {"a": {1: 2}}}, TypeError, r"parameters\['a'\] is .* of type dict"),
        ({"parameters": {"a": float("nan")}}, TypeError, r"parameters\['a'\] is 'nan' of type"),
    ],
)
def test_bad_arguments_are_told_before_anything_is_written(tmp_path, changes, error, message):
    with pytest.raises(error, match=message):
        StoreWriter(tmp_path / "store", **about(**changes))
    assert not (tmp_path / "store").exists()


def test_bad_rows(tmp_path):
    path = tmp_path / "store"
    with StoreWriter(path, **about()) as writer:
        for X, error, message in [
            (rows(2, dtype="float64"), TypeError, "array of dtype float32, got dtype float64"),
            (rows(2).tolist(), TypeError, "X must be an array of dtype float32, got list"),
            (rows(2, 4), ValueError, r"X must have 8 columns, got shape \(2, 4\)"),
            (rows(2)[0], ValueError, r"X must have 8 columns, got shape \(8,\)"),
            (rows(1), ValueError, r"from sentence 0 of 4 have \[2, 1, 3, 2\] words .* has 1 rows"),
            (rows(0), ValueError, "the rows of at least one whole sentence"),
            (rows(9), ValueError, "but X has 9 rows"),
        ]:
            with pytest.raises(error, match=message):
                writer.append(X)
        with pytest.raises(
            ValueError, match="X contains the rows of 2 sentences, but n_sentences=1"
        ):
            writer.append(rows(3), n_sentences=1)
        assert writer.n_done == 0
    with pytest.raises(ValueError, match=r"The writer of .*store is closed"):
        writer.append(rows(2))
    writer.close()  # twice is once
    assert TokenActivations.describe(path)["n_done"] == 0


# --- Damage ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole_store(tmp_path_factory):
    return write(tmp_path_factory.mktemp("whole") / "store")


@pytest.fixture
def copied(whole_store, tmp_path):
    return shutil.copytree(whole_store, tmp_path / "store")


@pytest.mark.parametrize("name", FILES)
def test_damage_of_every_file_is_told(copied, name):
    raw = (copied / name).read_bytes()
    others = {other for other in FILES if other != name}
    damaged = [raw[:end] for end in (0, 1, 5, len(raw) // 2, len(raw) - 1)] + [raw + b" "]
    for place in range(0, len(raw), 7):
        flipped = bytearray(raw)
        flipped[place] ^= 1 << place % 8
        damaged.append(bytes(flipped))
    for content_ in (None, *damaged):
        if content_ is None:
            (copied / name).unlink()
        else:
            (copied / name).write_bytes(content_)
        in_rows = name == "X.npy" and content_ is not None and len(content_) == len(raw)
        if in_rows and content_[:128] == raw[:128]:
            # A valid number: only the checksum of all rows shows the damage.
            TokenActivations.load(copied)
        for options in ({"partial": True, "verify": True}, {"verify": True}):
            with pytest.raises(ValueError, match=f"damaged.*{name}") as caught:
                TokenActivations.load(copied, **options)
        whole = str(caught.value).partition("Intact files: ")[2]
        assert set(whole.rstrip(".").split(", ")) - {""} in ({*others}, set())
        assert whole or name == "store.json" or "All other files are intact" in str(caught.value)
        if not in_rows and not (content_ is None and name == "store.json"):
            before = content(copied)
            with pytest.raises(ValueError, match=name):  # and no writer writes over it
                StoreWriter(copied, **about())
            assert content(copied) == before


def test_a_truncated_array_says_how_much_of_it_is_whole(copied):
    os.truncate(copied / "X.npy", 128 + 3 * 32 + 5)
    message = "X.npy: it has 229 bytes instead of 384: at most the first 3 of 8 rows are intact"
    with pytest.raises(ValueError, match=message):
        TokenActivations.load(copied)


def test_damage_of_two_files_is_told_at_once(copied):
    (copied / "labels.npy").write_bytes(b"")
    (copied / "X.npy").unlink()
    message = (
        r"labels.npy: the checksum of its 0 bytes.* X.npy: it is missing. "
        r"Intact files: store.json, progress.json, words.json, sentence_ids.npy\."
    )
    with pytest.raises(ValueError, match=message):
        TokenActivations.load(copied)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        (
            "store.json",
            {"schema": 2},
            "sklearn_neurox .* in schema 2, but this version reads schema 1",
        ),
        ("store.json", {"format": "zarr"}, "it was not written by StoreWriter"),
        ("store.json", {"parameters": {"unit": 5}}, "'unit' must be a string"),
        (
            "store.json",
            {"layers": []},
            "layers must be a list of at least one non-negative integer",
        ),
        (
            "store.json",
            {"layers": [[0], [3]]},
            "layers must be a list of at least one non-negative integer",
        ),
        (
            "store.json",
            {"layers": [0, True]},
            "layers must be a list of at least one non-negative integer",
        ),
        ("store.json", {"width": 10**30}, "width must be a positive integer"),
        ("store.json", {"width": 2**40}, "X.npy: it has 384 bytes instead of"),
        ("store.json", {"dtype": ["float32"]}, "dtype must be one of"),
        ("store.json", {"dtype": "object"}, "dtype must be one of"),
        ("store.json", {"dtype": "float64"}, "X.npy: it has 384 bytes instead of 640"),
        ("store.json", {"files": {}}, "its values contradict each other"),
        (
            "store.json",
            {"files": {"words.json": "", "../secret": ""}},
            "its values contradict each other",
        ),
        ("store.json", {"labels": None}, "its values contradict each other"),
        ("store.json", {"labels": "|O"}, "its values contradict each other"),
        ("store.json", {"labels": "<U9999999"}, "labels.npy: it is not the array described"),
        ("store.json", {"n_words": 2**50}, "its values contradict each other"),
        ("store.json", {"n_words": 3}, "its values contradict each other"),
        (
            "store.json",
            {"n_words": 2**40},
            "words.json: its numbers of sentences and words do not match store.json",
        ),
        ("store.json", {"parameters": []}, "its values contradict each other"),
        (
            "progress.json",
            {"n_sentences": 5},
            "progress.json: it counts more sentences or words than",
        ),
        (
            "progress.json",
            {"n_sentences": 3},
            "progress.json: its word count does not match words.json",
        ),
        ("progress.json", {"n_words": -1}, "progress.json: it is not the journal of this store"),
        ("progress.json", {"store": "0" * 64}, "it is not the journal of this store"),
    ],
)
def test_what_a_stranger_wrote_makes_an_error(copied, name, changes, message):
    seal(copied, name, **changes)
    with pytest.raises(ValueError, match=message):
        TokenActivations.load(copied, partial=True)


@pytest.mark.parametrize(
    "text", ["[]", "null", "3", "{", "[" * 10**5, '{"format": 1}', "NaN", "\xff", "9" * 5000]
)
@pytest.mark.parametrize("name", ["store.json", "progress.json"])
def test_foreign_json(copied, name, text):
    (copied / name).write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=f"damaged.*{name}"):
        TokenActivations.load(copied)


@pytest.mark.parametrize(
    "text",
    ["[" * 10**5, '[["a"]' + "," * 5, "9" * 5000, "\xff"],
    ids=["deep", "comma", "digits", "byte"],
)
@pytest.mark.parametrize("name", ["words.json", "progress.json", "store.json"])
def test_no_file_stops_a_reader_with_an_error_of_another_library(copied, name, text):
    """Even if its checksum is right."""
    (copied / name).write_bytes(text.encode("latin-1"))
    if name == "words.json":
        files = json.loads((copied / "store.json").read_text())["files"]
        digest = hashlib.sha256((copied / name).read_bytes()).hexdigest()
        seal(copied, "store.json", files=files | {name: digest})
    other = about(words=[["other", "be"], *WORDS[1:]])
    uses = [TokenActivations.load, lambda path: StoreWriter(path, **about())]
    if name != "progress.json":  # which is read after the words are compared
        uses.append(lambda path: StoreWriter(path, **other))
    for use in uses:
        with pytest.raises(ValueError, match=rf"{copied} .*damaged.*{name}: it is not the JSON"):
            use(copied)


def test_the_size_of_a_file_is_compared_before_it_is_read(copied):
    """A sparse file may declare any size and take no space."""
    for name in ("labels.npy", "sentence_ids.npy"):
        os.truncate(copied / name, 2**40)
    tracemalloc.start()
    try:
        with pytest.raises(
            ValueError, match=r"sentence_ids.npy: it has 1,099,511,627,776 bytes, but"
        ):
            TokenActivations.load(copied)
        assert tracemalloc.get_traced_memory()[1] < 1e6
    finally:
        tracemalloc.stop()


def test_a_file_that_does_not_fit_in_memory(copied, monkeypatch):
    def fail(path):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(folder_.Path, "read_bytes", fail)
        with pytest.raises(ValueError, match=r"store.json: its \d+ bytes do not fit in memory"):
            TokenActivations.load(copied)
    monkeypatch.setattr(json, "loads", fail)
    with pytest.raises(ValueError, match=r"it is not the JSON that was written \(MemoryError\)"):
        TokenActivations.load(copied)


def test_booleans_other_than_0_and_1(tmp_path):
    path = write(tmp_path / "store", labels=np.arange(8) % 2 == 0)
    labels = bytearray((path / "labels.npy").read_bytes())
    labels[-1] = 2
    (path / "labels.npy").write_bytes(labels)
    files = json.loads((path / "store.json").read_text())["files"]
    seal(path, "store.json", files=files | {"labels.npy": hashlib.sha256(labels).hexdigest()})
    with pytest.raises(ValueError, match=r"labels.npy: it contains booleans other than 0 and 1"):
        TokenActivations.load(path)


@pytest.mark.parametrize(
    "options", [{"layers": range(1000), "width": 2**47}, {"layers": range(9000), "width": 2**44}]
)
def test_rows_larger_than_any_file(tmp_path, options):
    with pytest.raises(ValueError, match=r"its 8 rows of [\d,]+ numbers would have [\d,]+ bytes"):
        StoreWriter(
            tmp_path / "store",
            **about(**options | {"dtype": "float64", "n_sentences": 4}) | options,
        )
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("words", [{}, [], ["ab"], [["a"], []], [["a", 1]], [[["a"]]]], ids=str)
def test_foreign_words(copied, words):
    (copied / "words.json").write_text(json.dumps(words))
    files = json.loads((copied / "store.json").read_text())["files"]
    digest = hashlib.sha256((copied / "words.json").read_bytes()).hexdigest()
    seal(copied, "store.json", files=files | {"words.json": digest})
    with pytest.raises(ValueError, match=r"words.json: it does not contain sentences of words"):
        TokenActivations.load(copied)


def test_a_folder_in_the_place_of_a_file(copied):
    (copied / "words.json").unlink()
    (copied / "words.json").mkdir()
    with pytest.raises(ValueError, match=r"words.json: it is missing"):
        TokenActivations.load(copied)


# --- Memory ---------------------------------------------------------------------------------


def test_no_more_than_a_chunk_is_held(tmp_path):
    n, width, step = 4000, 1000, 100
    X = rows(step, 2 * width, "float16")  # 0.4 MB of 16
    store_about = about(
        width=width, dtype="float16", words=[["w"] * step] * (n // step),
        sentence_ids=np.arange(n // step), labels=None,
    )  # fmt: skip
    tracemalloc.start()
    try:
        with StoreWriter(tmp_path / "store", **store_about) as writer:
            for _ in range(n // step):
                writer.append(X)
        tokens = TokenActivations.load(tmp_path / "store")
        assert tokens.X.nbytes == 16e6
        assert tracemalloc.get_traced_memory()[1] < 2e6
    finally:
        tracemalloc.stop()


def test_a_link_that_is_changed_while_the_store_is_open(tmp_path):
    """The rows go to the store that was opened."""
    options = {"layers": (0,), "width": 2, "dtype": "float32", "words": [["a"], ["b"]]}
    options["sentence_ids"] = [0, 1]
    for name in ("first", "second"):
        StoreWriter(tmp_path / name, **options).close()
    link = tmp_path / "current"
    link.symlink_to(tmp_path / "first")
    with StoreWriter(link, **options) as writer:
        writer.append(np.ones((1, 2), np.float32))
        link.unlink()
        link.symlink_to(tmp_path / "second")
        writer.append(np.ones((1, 2), np.float32))
    assert TokenActivations.load(tmp_path / "first").X.tolist() == [[1, 1], [1, 1]]
    with pytest.raises(ValueError, match="0 of 2 sentences are written"):
        TokenActivations.load(tmp_path / "second")
