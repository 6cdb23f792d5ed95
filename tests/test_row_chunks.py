"""Chunks of rows: their values, their memory, and the rows that are read."""

import numpy as np
import pytest
import torch

from sklearn_neurox import _row_chunks
from sklearn_neurox._device import as_tensor
from sklearn_neurox._files import mapping_of
from sklearn_neurox._row_chunks import RowChunks, linear_outputs, read_arrays, rows_at_once

RNG = np.random.RandomState(0)
FLOATS = [np.float16, np.float32, np.float64]


def make(n_rows=50, n_columns=6, dtype=np.float16):
    return RNG.normal(size=(n_rows, n_columns)).astype(dtype)


def mapped(tmp_path, X):
    np.save(tmp_path / "X.npy", X)
    return np.load(tmp_path / "X.npy", mmap_mode="r")


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("target", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1, 7, 50, 1000, None])
def test_chunks_are_the_rows(dtype, target, size):
    X = make(dtype=dtype)
    parts = [(rows, chunk.copy()) for rows, chunk in read_arrays(X, target, size=size)]
    np.testing.assert_array_equal(np.concatenate([chunk for _, chunk in parts]), X.astype(target))
    assert [rows.start for rows, _ in parts] == [0, *(rows.stop for rows, _ in parts[:-1])]
    assert parts[-1][0].stop == 50
    assert all(chunk.dtype == target for _, chunk in parts)


@pytest.mark.parametrize("view", ["columns", "every second row", "Fortran", "reversed"])
def test_any_strides(view):
    X = make(60, 8)
    X = {
        "columns": X[:, 2:5],
        "every second row": X[::2],
        "Fortran": np.asfortranarray(X),
        "reversed": X[::-1],
    }[view]
    found = np.concatenate([chunk.copy() for _, chunk in read_arrays(X, np.float32, size=7)])
    np.testing.assert_array_equal(found, X.astype(np.float32))


def test_no_rows():
    assert list(read_arrays(make(0), np.float32)) == []


def test_nothing_is_copied_without_a_conversion():
    X = make(dtype=np.float32)
    for _, chunk in read_arrays(X, np.float32, size=9):
        assert np.shares_memory(chunk, X)


@pytest.mark.parametrize("dtype", FLOATS)
def test_copies_can_be_modified(dtype, tmp_path):
    X = make(dtype=dtype)
    before = X.copy()
    for given in (X, mapped(tmp_path, X)):
        for _, chunk in read_arrays(given, dtype, size=9, copy=True):
            chunk[:] = 0
        np.testing.assert_array_equal(given, before)


def test_all_chunks_share_a_buffer():
    addresses = {chunk.ctypes.data for _, chunk in read_arrays(make(), np.float32, size=9)}
    assert len(addresses) == 1


@pytest.mark.parametrize("dtype", FLOATS)
def test_rows_in_any_order(dtype):
    X = make(dtype=dtype)
    chunks = RowChunks(as_tensor(X), torch.empty(0))
    for size in (30, 5, 50):
        rows = RNG.randint(50, size=size)
        found = chunks.take(torch.from_numpy(rows)).numpy()
        np.testing.assert_array_equal(found, X[rows].astype(np.float32))


@pytest.mark.parametrize("largest", [0, 1 << 28])
def test_some_columns_of_a_file(tmp_path, monkeypatch, largest):
    monkeypatch.setattr(_row_chunks, "_LARGEST_COPY", largest)
    X = make()
    file = mapped(tmp_path, X)
    chunks = RowChunks(as_tensor(file), torch.empty(0), mapping=mapping_of(file))
    some = chunks.select(torch.tensor([5, 0, 3])).select(torch.tensor([2, 0]))
    assert some.shape == (50, 2)
    assert (some.mapping is None) == (largest > 0)
    found = np.concatenate([chunk.numpy().copy() for _, chunk in some.read(11)])
    np.testing.assert_array_equal(found, X[:, [3, 5]].astype(np.float32))


def test_pages_are_released_while_a_file_is_read(tmp_path, monkeypatch):
    released = []
    monkeypatch.setattr(_row_chunks, "release", released.append)
    monkeypatch.setattr(_row_chunks, "_RELEASED_AFTER", 60)
    file = mapped(tmp_path, make())
    assert len(list(read_arrays(file, np.float32, size=5))) == 10
    assert len(released) == 5  # before every second chunk but the first, and at the end
    assert set(released) == {mapping_of(file)}


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("is_mapped", [False, True])
def test_linear_outputs(dtype, is_mapped, tmp_path, monkeypatch):
    monkeypatch.setattr(_row_chunks, "_ELEMENTS", 40)
    monkeypatch.setattr(_row_chunks, "_LEAST_ROWS", 1)
    X = make(dtype=dtype)
    coef, intercept = make(3, dtype=np.float32), make(3, 1, dtype=np.float32)[:, 0]
    given = mapped(tmp_path, X) if is_mapped else X
    expected = X.astype(np.float64) @ coef.T + intercept
    np.testing.assert_allclose(
        linear_outputs(given, coef, intercept), expected, rtol=1e-4, atol=1e-5
    )


def test_the_number_of_rows_is_bounded():
    for width in (1, 100, 1024, 4096, 10**6):
        n_rows = rows_at_once(width)
        assert n_rows >= 256
        assert n_rows * width <= max(1 << 19, 256 * width)
