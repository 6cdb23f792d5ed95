"""X of a store that is divided into files by layers and by rows."""

import json
import os
import pickle
import re
import zlib

import numpy as np
import pytest

from sklearn_neurox import StoreWriter, TokenActivations
from sklearn_neurox.activations import _store_rows
from sklearn_neurox.activations._store_layout import Layout
from sklearn_neurox.activations.shards import ShardWriter, load_part

from .small_stores import DIVIDED, LAYOUTS, NAMES, WORDS, about, content, rows, write


def blocks_of(path, name):
    """The rows and columns that each file is expected to have."""
    columns = {"X": slice(0, 8), "X.layer_0": slice(0, 4), "X.layer_3": slice(4, 8)}
    stem, _, part = name.removesuffix(".npy").partition(".part_")
    own = slice(3 * int(part), 3 * int(part) + 3) if part else slice(None)
    return np.load(path / name), rows()[own, columns[stem]]


def without_x(files):
    """Files whose bytes do not depend on the layout."""
    others = ("store.json", "progress.json")
    return {k: v for k, v in files.items() if not k.startswith("X.") and k not in others}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_file_has_its_rows_and_columns(tmp_path, layout):
    path = write(tmp_path / "store", **LAYOUTS[layout])
    assert sorted(name for name in os.listdir(path) if name.startswith("X")) == NAMES[layout]
    for name in NAMES[layout]:
        stored, expected = blocks_of(path, name)
        np.testing.assert_array_equal(stored, expected, strict=True)
        size = LAYOUTS[layout].get("max_file_size")
        assert size is None or (path / name).stat().st_size <= size
    assert without_x(content(path)) == without_x(content(write(tmp_path / "one")))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "bfloat16"])
@pytest.mark.parametrize("layout", DIVIDED)
def test_what_is_read_does_not_depend_on_the_layout(tmp_path, layout, dtype):
    X = rows() if dtype == "bfloat16" else rows(dtype=dtype)
    sizes = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8}
    options = dict(LAYOUTS[layout])
    if "max_file_size" in options:
        n_columns = 4 if "split_layers" in options else 8
        options["max_file_size"] = 128 + 3 * n_columns * sizes[dtype]
    one = TokenActivations.load(write(tmp_path / "one", X, dtype=dtype), verify=True)
    tokens = TokenActivations.load(
        write(tmp_path / "store", X, dtype=dtype, **options), verify=True
    )
    assert repr(tokens) == repr(one)
    assert tokens.dtype == one.dtype == dtype
    for name in ("X", "words", "sentence_ids", "positions", "y"):
        np.testing.assert_array_equal(getattr(tokens, name), getattr(one, name), strict=True)
    for layer in (0, 3):
        np.testing.assert_array_equal(tokens.layer(layer), one.layer(layer), strict=True)
    mask = np.arange(8) % 3 == 1
    for some in (
        slice(2, 7), slice(3, 6), slice(4, 4), slice(None, None, 2), slice(None, None, -1), mask,
        [7, 0, -2, 3, 3], [],
    ):  # fmt: skip
        np.testing.assert_array_equal(tokens[some].X, one[some].X, strict=True)
        np.testing.assert_array_equal(tokens[some].layer(3), one[some].layer(3), strict=True)
        np.testing.assert_array_equal(tokens[2:][1:5].X, one[3:7].X)
    for layers in ([3], [3, 0], [0]):
        selected = tokens.select(layers=layers)
        assert selected.layers == tuple(layers)
        np.testing.assert_array_equal(selected.X, one.select(layers=layers).X, strict=True)
        np.testing.assert_array_equal(selected[[6, 1]].X, one.select(layers=layers)[[6, 1]].X)
    texts = tokens.by_text()
    np.testing.assert_array_equal(texts[2], one.by_text()[2])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(tokens)).X, one.X)


@pytest.mark.parametrize("layout", ["one file", *DIVIDED])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_some_layers_are_loaded(tmp_path, layout, dtype):
    path = write(tmp_path / "store", dtype=dtype, **LAYOUTS[layout])
    whole = TokenActivations.load(path)
    for layers in ([3], [0], [3, 0], [0, 3]):
        tokens = TokenActivations.load(path, layers=layers, verify=True)
        assert tokens.layers == tuple(layers)
        np.testing.assert_array_equal(tokens.X, whole.select(layers=layers).X, strict=True)
        for layer in layers:
            np.testing.assert_array_equal(tokens.layer(layer), whole.layer(layer))
    with pytest.raises(ValueError, match=r"does not contain layer 2\. It contains the layers 0, 3"):
        TokenActivations.load(path, layers=[3, 2])
    with pytest.raises(TypeError, match=r"layers must be a list of integers or module paths"):
        TokenActivations.load(path, layers=3)


def test_a_layer_is_a_memory_map_of_its_file(tmp_path):
    path = write(tmp_path / "store", split_layers=True)
    tokens = TokenActivations.load(path)
    for each in (
        tokens.layer(3), tokens[2:6].layer(3), TokenActivations.load(path, layers=[3]).X,
        tokens.select(layers=[3]).X,
    ):  # fmt: skip
        assert isinstance(each, np.memmap)
        assert each.filename == path / "X.layer_3.npy"
        assert not each.flags.writeable
    assert each.flags.c_contiguous


def test_a_large_x_is_joined_in_a_temporary_file(tmp_path, monkeypatch):
    """As other copies of memory maps, so that it may be larger than the memory."""
    from sklearn_neurox import _row_copies

    monkeypatch.setattr(_row_copies, "_LARGEST_IN_MEMORY", 100)
    monkeypatch.setattr(_row_copies, "_AT_ONCE", 64)  # two rows
    for number, layout in enumerate(DIVIDED):
        path = write(tmp_path / f"store{number}", **LAYOUTS[layout])
        tokens = TokenActivations.load(path)
        X = tokens.X
        assert isinstance(X, np.memmap)
        assert tokens.X is X
        assert os.path.dirname(X.filename) != str(path)
        np.testing.assert_array_equal(X, rows(), strict=True)
        assert os.path.exists(X.filename)


# --- Writing --------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", LAYOUTS)
def test_in_pieces_and_by_shards_the_files_are_the_same(tmp_path, layout):
    options = about(**LAYOUTS[layout])
    whole = content(write(tmp_path / "whole", **LAYOUTS[layout]))
    for some in (slice(0, 2), slice(2, 6), slice(6, 8)):
        with StoreWriter(tmp_path / "pieces", **options) as writer:
            writer.append(rows()[some])
    assert content(tmp_path / "pieces") == whole
    pytest.importorskip("fcntl")
    ends, own = [1, 3, 3, 4], [slice(0, 2), slice(2, 6), slice(6, 6), slice(6, 8)]
    for rank in (3, 1, 2, 0):
        with ShardWriter(tmp_path / "shards", rank=rank, ends=ends, **options) as writer:
            if own[rank].stop > own[rank].start:
                writer.append(rows()[own[rank]])
        part = load_part(tmp_path / "shards", slice(ends[rank - 1] if rank else 0, ends[rank]))
        np.testing.assert_array_equal(part.X, rows()[own[rank]])
        if rank == 2:  # the rows of rank 0 are missing
            partial = TokenActivations.load(tmp_path / "shards", partial=True, verify=True)
            assert len(partial) == 0
    assert content(tmp_path / "shards") == whole


@pytest.mark.parametrize("layout", DIVIDED)
def test_rows_before_the_first_gap_of_shards(tmp_path, layout):
    pytest.importorskip("fcntl")
    for rank, own in ((0, slice(0, 3)), (1, slice(3, 6))):
        with ShardWriter(
            tmp_path / "store", rank=rank, ends=[2, 3, 4], **about(**LAYOUTS[layout])
        ) as writer:
            writer.append(rows()[own])
    partial = TokenActivations.load(tmp_path / "store", partial=True, verify=True)
    np.testing.assert_array_equal(partial.X, rows()[:6])


class Killed(BaseException):
    pass


def stopping(call, left):
    def run(*args):
        if not left[0]:
            raise Killed
        left[0] -= 1
        return call(*args)

    return run


@pytest.mark.parametrize("layout", DIVIDED)
def test_killed_after_any_step(tmp_path, monkeypatch, layout):
    """The same calls complete the store, whichever file was the last one that was written."""
    options = LAYOUTS[layout]
    whole, n_killed = content(write(tmp_path / "whole", **options)), 0
    for after in range(21):
        path, left = tmp_path / f"store{after}", [after]
        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", stopping(os.replace, left))
            patch.setattr(_store_rows, "open_to_write", stopping(_store_rows.open_to_write, left))
            patch.setattr(_store_rows.Path, "unlink", lambda *args, **kwargs: None)
            try:
                with StoreWriter(path, **about(**options)) as writer:
                    writer.append(rows()[:3])
                    writer.append(rows()[3:])
            except Killed:
                n_killed += 1
        with StoreWriter(path, **about(**options)) as writer:
            if not writer.n_done:
                writer.append(rows()[:6])
            if writer.n_words_done < 8:
                writer.append(rows()[writer.n_words_done :])
        assert content(path) == whole
    assert n_killed == {"layers": 13, "rows": 13, "layers and rows": 19}[layout]


def part_of(sentences, words, **changes):
    ids = np.array(about()["sentence_ids"])[sentences]
    own = {"words": WORDS[sentences], "sentence_ids": ids - ids[0]}
    return about(**own, labels=about()["labels"][words], **changes)


@pytest.mark.parametrize("layout", DIVIDED)
@pytest.mark.parametrize("n_steps", [None, *range(0, 24, 3)])
def test_a_store_grows(tmp_path, monkeypatch, layout, n_steps):
    options, path = LAYOUTS[layout], tmp_path / "store"
    first = part_of(slice(0, 2), slice(0, 3), **options)
    rest = part_of(slice(2, 4), slice(3, 8), **options) | {"append": True}
    with StoreWriter(path, **first) as writer:
        writer.append(rows()[:3])
    before = TokenActivations.load(path)
    left = [n_steps]
    with monkeypatch.context() as patch:
        if n_steps is not None:
            patch.setattr(os, "replace", stopping(os.replace, left))
            patch.setattr(_store_rows, "reserve", stopping(_store_rows.reserve, left))
        try:
            with StoreWriter(path, **rest) as writer:
                writer.append(rows()[3:])
        except Killed:
            pass
    partial = TokenActivations.load(path, partial=True, verify=True)
    np.testing.assert_array_equal(partial.X, rows()[: len(partial)])
    if len(partial) < 8:
        with StoreWriter(path, **rest) as writer:
            writer.append(rows()[3:])
    tokens = TokenActivations.load(path, verify=True)
    np.testing.assert_array_equal(tokens.X, rows())
    np.testing.assert_array_equal(before.X, rows()[:3])  # its memory maps are still valid
    assert sorted(name for name in os.listdir(path) if name.startswith("X")) == NAMES[layout]
    for name in NAMES[layout]:
        np.testing.assert_array_equal(*blocks_of(path, name))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_saved_in_a_layout(tmp_path, layout, monkeypatch):
    from sklearn_neurox.activations import _saving

    monkeypatch.setattr(_saving, "_AT_ONCE", 96)  # three rows at a time
    for number, dtype in enumerate(("float32", "bfloat16")):
        first = write(tmp_path / f"first{number}", dtype=dtype, split_layers=True)
        tokens = TokenActivations.load(first)
        tokens.save(tmp_path / f"saved{number}", **LAYOUTS[layout])
        again = TokenActivations.load(tmp_path / f"saved{number}", verify=True)
        assert again.dtype == dtype
        np.testing.assert_array_equal(again.X, tokens.X, strict=True)
        about_ = TokenActivations.describe(tmp_path / f"saved{number}")
        assert about_["split_layers"] == LAYOUTS[layout].get("split_layers", False)


def test_another_layout_is_another_store(tmp_path):
    path = write(tmp_path / "store", split_layers=True)
    for append in (False, True):
        with pytest.raises(
            ValueError, match="split_layers is True in the store, but False was passed"
        ):
            StoreWriter(path, append=append, **about())
        with pytest.raises(
            ValueError, match="max_file_size is None in the store, but 5000000000 was passed"
        ):
            StoreWriter(path, append=append, **about(split_layers=True, max_file_size="5GB"))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"split_layers": "yes"}, TypeError, "split_layers must be True or False, got 'yes'"),
        ({"max_file_size": 0}, ValueError, "max_file_size must be a positive number of bytes"),
        ({"max_file_size": True}, ValueError, "max_file_size must be a positive number of bytes"),
        ({"max_file_size": "5 gigs"}, ValueError, "or a size such as '5GB', got '5 gigs'"),
        ({"max_file_size": 2.5}, ValueError, "max_file_size must be a positive number of bytes"),
        ({"max_file_size": 159}, ValueError, "a row of a file and its header have 160 bytes"),
    ],
)
def test_bad_layouts(tmp_path, changes, error, message):
    with pytest.raises(error, match=message):
        StoreWriter(tmp_path / "store", **about(**changes))
    assert not (tmp_path / "store").exists()


def test_more_files_than_a_folder_should_have(tmp_path):
    words, n = [["a"] * 9901], 9901
    options = about(words=words, sentence_ids=[0], labels=None, max_file_size=160)
    with pytest.raises(ValueError, match=r"divided into 9,901 files, but .* at most 9,900"):
        StoreWriter(tmp_path / "store", **options)
    assert n == len(words[0])


@pytest.mark.parametrize(
    ("size", "n_bytes"),
    [
        ("5GB", 5 * 10**9),
        ("1.5 GiB", 3 * 2**29),
        ("300MB", 300 * 10**6),
        ("2000B", 2000),
        (300, 300),
    ],
)
def test_sizes(tmp_path, size, n_bytes):
    path = write(tmp_path / "store", max_file_size=size)
    assert TokenActivations.describe(path)["max_file_size"] == n_bytes


# --- Format ---------------------------------------------------------------------------------


def test_the_schema_says_whether_x_is_divided(tmp_path):
    """Versions that know only schema 1 read a store with a single file, and reject all others."""
    one = write(tmp_path / "one")
    description = json.loads((one / "store.json").read_text())
    assert description["schema"] == 1
    assert not {"split_layers", "max_file_size"} & description.keys()
    assert json.loads((one / "progress.json").read_text())["crc32"] == zlib.crc32(rows().tobytes())
    two = write(tmp_path / "two", split_layers=True)
    assert json.loads((two / "store.json").read_text())["schema"] == 2
    assert json.loads((two / "progress.json").read_text())["crc32"] == {
        "X.layer_0.npy": zlib.crc32(rows()[:, :4].tobytes()),
        "X.layer_3.npy": zlib.crc32(rows()[:, 4:].tobytes()),
    }


@pytest.mark.parametrize(
    ("layers", "names"),
    [
        ((0, 12), ["0", "12"]),
        (("encoder.0", "lm-head_1"), ["encoder.0", "lm-head_1"]),
        (("a/b", "c"), ["0", "1"]),
        (("A", "a"), ["0", "1"]),  # which some file systems do not distinguish
        ((".hidden", "x"), ["0", "1"]),
        (("x" * 101, "y"), ["0", "1"]),
        (("שכבה", "a:b"), ["0", "1"]),
    ],
)
def test_names_of_files_are_portable(tmp_path, layers, names):
    path = write(tmp_path / "store", layers=layers, split_layers=True)
    files = TokenActivations.describe(path)["files"]
    assert files == {
        layer: [f"X.layer_{name}.npy"] for layer, name in zip(layers, names, strict=True)
    }
    for layer in layers:
        loaded = TokenActivations.load(path, layers=[layer]).X
        np.testing.assert_array_equal(loaded, TokenActivations.load(path).layer(layer))
        assert all(re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", name) for name in os.listdir(path))


def test_files_of_rows_are_computed_for_any_rows():
    store = about(n_words=10, max_file_size=128 + 4 * 32)
    layout = Layout.of(store | {"split_layers": False})
    found = [
        (file.name[7:12], rows.start, rows.stop) for file, rows in layout.files_of_rows(slice(3, 9))
    ]
    assert found == [("00000", 3, 4), ("00001", 4, 8), ("00002", 8, 9)]
    assert [file.n_rows for file in layout.files()] == [4, 4, 2]
    assert layout.n_files == 3
