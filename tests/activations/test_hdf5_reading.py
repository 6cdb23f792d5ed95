"""A file never takes the process of the user down, and no byte of another file is read."""

import json
import os
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from sklearn_neurox import read_activations
from sklearn_neurox.activations import _hdf5_reading

h5py = pytest.importorskip("h5py")

FIXTURES = Path(__file__).parents[1] / "fixtures"
DAMAGED = "is truncated, damaged or not an HDF5 file"
VALUES = np.arange(1, 25, dtype="float32").reshape(2, 3, 4)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "acts.hdf5"


def write(path, index, *, libver=None, **datasets):
    """Write the datasets n0, n1, ... (arrays, or functions that create them) and their index."""
    with h5py.File(path, "w", libver=libver) as file:
        for name, values in datasets.items():
            if callable(values):
                values(file, name[1:])
            else:
                file[name[1:]] = values
        if index is not None:
            text = json.dumps({key: str(i) for i, key in enumerate(index)})
            file.create_dataset("sentence_to_index", data=[text], dtype=h5py.string_dtype())


def chunked(values=VALUES, **options):
    return lambda file, name: file.create_dataset(name, data=values, **options)


# Everything that h5py writes is read.


@pytest.mark.parametrize("libver", [None, "latest"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"chunks": True},
        {"chunks": (1, 2, 3), "maxshape": (None, None, None)},
        {"chunks": (1, 2, 3), "compression": "gzip", "shuffle": True, "fletcher32": True},
        {"chunks": (2, 3, 4), "compression": "lzf"},
        {"chunks": (5, 5, 5), "compression": "gzip", "maxshape": (None, 5, 5)},
    ],
    ids=lambda options: "-".join(options) or "contiguous",
)
def test_layouts_of_h5py(path, libver, options):
    write(path, ["a b c"], libver=libver, n0=chunked(**options))
    tokens = read_activations(path)
    np.testing.assert_array_equal(tokens.X, VALUES.swapaxes(0, 1).reshape(3, 8))
    assert tokens.words.tolist() == ["a", "b", "c"]


def ones(n_values):
    """Return the largest compression: all values are equal."""
    options = dict(chunks=(1, 1, min(n_values, 2**20)), compression="gzip")
    return chunked(np.ones((1, 1, n_values), "float32"), **options)


def test_values_that_are_compressed_well(path):
    """A small file may contain up to 64 MB of values."""
    write(path, ["a"], n0=ones(2**24))
    assert path.stat().st_size < 4 * 2**24 / 500
    X = read_activations(path).X
    assert X.shape == (1, 2**24)
    assert (X == 1).all()


@pytest.mark.parametrize("n_values", [[2**24 + 1], [2**23 + 1] * 2], ids=["one", "two"])
def test_values_that_are_compressed_too_well(path, n_values):
    index = [f"a{i}" for i in range(len(n_values))]
    write(path, index, **{f"n{i}": ones(n) for i, n in enumerate(n_values)})
    size = path.stat().st_size
    message = (
        rf"acts.hdf5 has {size:,} bytes, but its compressed values take 7\d,\d+,\d+ bytes, more"
    )
    with pytest.raises(ValueError, match=rf"{message}.* `h5repack -f NONE`"):
        read_activations(path)
    write(path, index, **{f"n{i}": np.ones((1, 1, n), "f4") for i, n in enumerate(n_values)})
    assert len(read_activations(path)) == len(n_values)  # as h5repack writes them


@pytest.mark.parametrize(("n_words", "is_read"), [(500, True), (50_000, False)])
def test_values_may_take_a_hundred_times_the_file(path, monkeypatch, n_words, is_read):
    monkeypatch.setattr(_hdf5_reading, "_SMALL", 0)
    values = np.zeros((1, n_words, 100), "float32")  # most words are missing
    values[0, 0] = np.random.RandomState(0).normal(size=100)
    sentence = " ".join("a" * n_words)
    write(path, [sentence], n0=chunked(values, chunks=(1, 500, 100), compression="gzip"))
    if is_read:
        assert values.nbytes > 10 * path.stat().st_size
        with pytest.warns(UserWarning, match="zero"):
            np.testing.assert_array_equal(read_activations(path).X, values[0])
    else:
        with pytest.raises(ValueError, match="more than 100 times as many"):
            read_activations(path)


@pytest.mark.parametrize("index", ["fixed", "padded", "scalar", "variable"])
def test_kinds_of_strings(path, index):
    with h5py.File(path, "w") as file:
        file["0"] = VALUES
        text = json.dumps({"é b c": "0"}, ensure_ascii=False)
        if index == "fixed":
            file["sentence_to_index"] = np.array([text.encode()])
        elif index == "padded":
            file["sentence_to_index"] = np.array([text.encode()], dtype="S64")
        elif index == "scalar":
            file["sentence_to_index"] = text
        else:
            file.create_dataset("sentence_to_index", data=[text], dtype=h5py.string_dtype())
    assert read_activations(path).words.tolist() == ["é", "b", "c"]


# Sizes that are declared but not stored


def unallocated(shape, **options):
    return lambda file, name: file.create_dataset(name, shape, "float32", **options)


@pytest.mark.parametrize(
    "make",
    [
        unallocated((1, 2**31, 4)),
        unallocated((1, 2**31, 4), chunks=(1, 64, 4)),
        unallocated((1, 2**31, 4), chunks=(1, 64, 4), compression="gzip"),
        unallocated((2**20, 2**20, 2**20), chunks=(1, 64, 4)),
        unallocated((2, 3, 4)),
        unallocated((2, 3, 4), chunks=(1, 3, 4)),
        unallocated((2, 3, 4), chunks=(1, 3, 4), compression="gzip"),
        unallocated((2, 3, 4), fillvalue=7.0),
    ],
    ids=range(8),
)
@pytest.mark.parametrize("libver", [None, "latest"])
def test_values_that_are_not_stored(path, libver, make):
    """They would be read as zeros, of any number."""
    write(path, ["a b c"], libver=libver, n0=make)
    with pytest.raises(ValueError, match=rf"acts.hdf5 {DAMAGED}: the dataset '0' declares the"):
        read_activations(path)


def test_some_chunks_that_are_not_stored(path):
    def make(file, name):
        file.create_dataset(name, (2, 3, 4), "float32", chunks=(1, 3, 4))[0] = 1.0

    write(path, ["a b c"], n0=make)
    with pytest.raises(ValueError, match=r"the dataset '0' declares the shape .* only 48 bytes"):
        read_activations(path)


def test_an_index_that_is_not_stored(path):
    def index(file, name):
        file.create_dataset("sentence_to_index", (2**40,), h5py.string_dtype())

    write(path, None, n0=VALUES, n1=index)
    with pytest.raises(ValueError, match="the dataset 'sentence_to_index' declares the shape"):
        read_activations(path)


def test_layers_that_are_too_many(path):
    write(path, ["a b c"], n0=VALUES)
    with h5py.File(path, "a", libver="latest") as file:
        file.attrs.create("layers", np.arange(5000))
    with pytest.raises(ValueError, match="got 2 layers, but the attribute 'layers' is"):
        read_activations(path)


# Other files


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "secret"
    np.full(24, 7.25, "float32").tofile(path)
    return path


def test_values_in_another_file_are_refused(path, secret):
    def make(file, name):
        file.create_dataset(name, (2, 3, 4), "float32", external=[(str(secret), 0, 96)])

    write(path, ["a b c"], n0=make)
    with pytest.raises(ValueError, match="got dataset whose values are in other files"):
        read_activations(path)


@pytest.mark.parametrize("link", ["external", "soft"])
@pytest.mark.parametrize("name", ["0", "sentence_to_index"])
def test_links_are_refused(path, tmp_path, link, name):
    write(tmp_path / "other.hdf5", ["a b c"], n0=VALUES)
    write(path, ["a b c"], n0=VALUES)
    with h5py.File(path, "a") as file:
        file.move(name, "hidden")
        is_soft = link == "soft"
        file[name] = h5py.SoftLink("/hidden") if is_soft else h5py.ExternalLink("other.hdf5", name)
    with pytest.raises(ValueError, match=r"does not contain (sentence_to_index|a sentence for)"):
        read_activations(path)
    with h5py.File(path, "a") as file:
        del file["hidden"]
    with pytest.raises(ValueError, match=r"does not contain sentence_to_index|got \w+Link"):
        read_activations(path)


def test_virtual_datasets_are_refused(path, tmp_path):
    write(tmp_path / "other.hdf5", ["a b c"], n0=VALUES)
    layout = h5py.VirtualLayout((2, 3, 4), "float32")
    layout[:] = h5py.VirtualSource(tmp_path / "other.hdf5", "0", (2, 3, 4))
    write(path, ["a b c"], n0=lambda file, name: file.create_virtual_dataset(name, layout))
    with pytest.raises(ValueError, match="got dataset whose values are in other files"):
        read_activations(path)


def test_one_array_for_many_sentences(path):
    """Their declared sizes add up to more than the file."""
    write(path, [f"{i} b c" for i in range(1000)], n0=VALUES)
    with h5py.File(path, "a") as file:
        for i in range(1, 1000):
            file[str(i)] = file["0"]
    size = path.stat().st_size
    with h5py.File(path, "a") as file:
        del file["0"]
        del file["1"]
        large = file.create_dataset("0", data=np.zeros((1, 3, 10_000), "float32"))
        for i in range(1, 1000):
            if str(i) in file:
                del file[str(i)]
            file[str(i)] = large
    assert path.stat().st_size < size + 10**6
    with pytest.raises(ValueError, match=rf"{DAMAGED}: its datasets declare 120000\d\d\d bytes"):
        read_activations(path)


# A process that ends or hangs


def test_a_file_that_makes_the_library_hang(monkeypatch):
    monkeypatch.setattr(_hdf5_reading, "_SECONDS", 1.0)
    start = time.monotonic()
    with pytest.raises(ValueError, match=rf"hangs.hdf5 {DAMAGED}"):
        read_activations(FIXTURES / "hangs.hdf5")
    assert time.monotonic() - start < 30  # without the limit, it does not end


def test_a_file_that_crashes_the_library():
    with pytest.raises(ValueError, match=rf"crashes.hdf5 {DAMAGED}"):
        read_activations(FIXTURES / "crashes.hdf5")


SCRIPTS = {
    "crash": ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "library crashes"),
    "fatal": ("import os; os.write(2, b'Fatal Python error'); os._exit(3)", "library crashes"),
    "hang": (
        "import faulthandler, time; faulthandler.dump_traceback_later(.1, exit=True); time.sleep(60)",
        "reading it takes too long",
    ),
    "error": ("raise KeyError('a message')", "KeyError: 'a message'"),
    "half": (
        "sys.stdout.buffer.write((9).to_bytes(8, 'little') + b'half'); sys.exit('the end')",
        "the end",
    ),
}


@pytest.mark.parametrize("kind", SCRIPTS)
def test_a_process_that_ends(path, tmp_path, monkeypatch, kind):
    source, message = SCRIPTS[kind]
    script = tmp_path / "script.py"
    ready = "import sys; sys.stdout.buffer.write(bytes(8)); sys.stdout.flush()\n"
    script.write_text(ready + source)
    path.touch()
    monkeypatch.setattr(_hdf5_reading, "_hdf5_process", SimpleNamespace(__file__=str(script)))
    with pytest.raises(ValueError, match=rf"acts.hdf5 {DAMAGED}: .*{message}"):
        read_activations(path)


def test_a_process_that_does_not_start(path, tmp_path, monkeypatch):
    script = tmp_path / "script.py"
    script.write_text("import no_such_module")
    path.touch()
    monkeypatch.setattr(_hdf5_reading, "_hdf5_process", SimpleNamespace(__file__=str(script)))
    with pytest.raises(RuntimeError, match=r"Could not start .* to read .*no_such_module"):
        read_activations(path)


def test_a_process_that_ends_while_datasets_are_read(path):
    write(path, ["a b c"], n0=VALUES)
    with _hdf5_reading.open_hdf5(path) as file:
        values = file.dataset("0")
        blocks = [block for _, _, block in values.blocks()]
        np.testing.assert_array_equal(np.stack(blocks), VALUES)
        os.kill(file.process.pid, signal.SIGKILL)
        file.process.wait()
        with pytest.raises(ValueError, match=f"{DAMAGED}: the HDF5 library crashes"):
            list(values.blocks())


def test_the_process_ends_with_the_file(path):
    write(path, ["a b c"], n0=VALUES)
    with pytest.raises(KeyError), _hdf5_reading.open_hdf5(path) as file:  # noqa: PT012 -- it is raised within
        process = file.process
        raise KeyError
    assert process.returncode is not None


def test_files_that_are_not_regular(tmp_path):
    os.mkfifo(tmp_path / "pipe.hdf5")
    (tmp_path / "folder.hdf5").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(ValueError, match=rf"{name}.hdf5 must be a regular file"):
            read_activations(tmp_path / f"{name}.hdf5")


def test_the_folder_and_modules_of_the_user(tmp_path, monkeypatch):
    """Modules in the current folder do not hide those of the process, nor does its path matter."""
    (tmp_path / "json.py").write_text("raise RuntimeError")
    (tmp_path / "numpy.py").write_text("raise RuntimeError")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    write(tmp_path / "ä 日\udcff.hdf5", ["a b c"], n0=VALUES)
    assert len(read_activations("ä 日\udcff.hdf5")) == 3


# What a file cannot contain


@pytest.mark.parametrize(
    ("values", "layers", "message"),
    [
        (np.ones((0, 3, 4)), None, r"expected at least one layer, got shape \(0, 3, 4\)"),
        (VALUES, np.array([(1, 2)], "i4,i4"), r"'layers' is \(\[1, 2\],\) \(1 values\)"),
        (VALUES, np.arange(8000), r"'layers' is .{80} \(8000 values\)[.]$"),
        (VALUES, np.array(["a", "b"], "S1"), r"'layers' is .* \(2 values\)"),
    ],
    ids=["none", "records", "many", "text"],
)
def test_wrong_layers(path, values, layers, message):
    write(path, ["a b c"], n0=values)
    if layers is not None:
        with h5py.File(path, "r+") as file:
            file.attrs["layers"] = layers
    with pytest.raises(ValueError, match=message):
        read_activations(path)


def test_a_file_that_is_open_for_writing(path):
    write(path, ["a b c"], n0=VALUES)
    with (
        h5py.File(path, "r+"),
        pytest.raises(ValueError, match=r"acts.hdf5 is open for writing, possibly in another"),
    ):
        read_activations(path)


# The environment of the process


def test_a_sitecustomize_that_prints(path, tmp_path, monkeypatch):
    write(path, ["a b c"], n0=VALUES)
    (tmp_path / "sitecustomize.py").write_text("print('hello')")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert read_activations(path).X.shape == (3, 8)


def test_a_process_that_prints(path, tmp_path, monkeypatch):
    write(path, ["a b c"], n0=VALUES)
    script = tmp_path / "script.py"
    script.write_text("print('hello to everyone')")
    monkeypatch.setattr(_hdf5_reading, "_hdf5_process", SimpleNamespace(__file__=str(script)))
    with pytest.raises(RuntimeError, match=r"Could not start .*: it printed something before"):
        read_activations(path)


@pytest.mark.parametrize("executable", [None, ""])
def test_no_python(path, monkeypatch, executable):
    write(path, ["a b c"], n0=VALUES)
    monkeypatch.setattr(sys, "executable", executable)
    with pytest.raises(RuntimeError, match=rf"sys\.executable is {executable!r}"):
        read_activations(path)


def test_a_working_directory_that_was_deleted(path, tmp_path, monkeypatch):
    write(path, ["a b c"], n0=VALUES)
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    try:
        assert read_activations(path).X.shape == (3, 8)
    finally:
        os.chdir(tmp_path)  # to which monkeypatch returns


def test_blocks(path, monkeypatch):
    """Values do not depend on the size of the blocks in which they are received."""
    values = np.random.RandomState(0).normal(size=(3, 7, 6)).astype("float32")
    write(path, ["a b c d e f g"], n0=values)
    write(path.with_name("one.hdf5"), ["a b c d e f g"], n0=values[0])
    for block in (1, 24, 50, 2**23):
        monkeypatch.setattr(_hdf5_reading, "_BLOCK", block)
        X = read_activations(path, layers=[2, 0]).X
        np.testing.assert_array_equal(X, np.hstack([values[2], values[0]]))
        X = read_activations(path.with_name("one.hdf5"), n_layers=3, layers=[2, 1]).X
        np.testing.assert_array_equal(X, np.hstack([values[0][:, 4:], values[0][:, 2:4]]))
