"""Damaged and foreign files of a store are an error that names them."""

import hashlib
import json
import os
import shutil
import tracemalloc

import numpy as np
import pytest

from sklearn_neurox import StoreWriter, TokenActivations
from sklearn_neurox.activations import _store_folder as folder_

from .small_stores import FILES, WORDS, about, content, seal, write

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
        r"labels.npy: the checksum of its 0 bytes.* X.npy: it is missing. Restore .* repeat the calls that created it. "
        r"Intact files: store.json, progress.json, words.json, sentence_ids.npy\."
    )
    with pytest.raises(ValueError, match=message):
        TokenActivations.load(copied)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        (
            "store.json",
            {"schema": 3},
            "sklearn_neurox .* in schema 3, but this version reads schemas 1 and 2",
        ),
        ("store.json", {"schema": 2}, "its schema does not match its values"),
        ("store.json", {"split_layers": True}, "its schema does not match its values"),
        (
            "store.json",
            {"schema": 2, "split_layers": 1},
            "what it says about the files of X is not valid",
        ),
        (
            "store.json",
            {"schema": 2, "max_file_size": 0},
            "what it says about the files of X is not valid",
        ),
        (
            "store.json",
            {"schema": 2, "max_file_size": 159},
            "max_file_size=159 is too small: a row of a file and its header have 160 bytes",
        ),
        (
            "store.json",
            {"schema": 2, "n_words": 2**40, "max_file_size": 160},
            "would be divided into 1,099,511,627,776 files",
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


@pytest.mark.parametrize("store", ["", "0" * 64, None, 3])
def test_a_journal_of_another_store(tmp_path, store):
    path = write(tmp_path / "store")
    seal(path, "progress.json", store=store)
    with pytest.raises(ValueError, match=r"progress.json: it is not the journal of this store"):
        TokenActivations.load(path)
