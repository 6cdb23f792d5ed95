"""Mapped files give their pages back, and lose nothing."""

import mmap

import numpy as np
import pytest

from sklearn_neurox._files import mapping_of, release


@pytest.fixture
def path(tmp_path):
    np.arange(10_000, dtype=np.float32).tofile(tmp_path / "X")
    return tmp_path / "X"


@pytest.mark.parametrize("mode", ["r", "r+"])
def test_pages_come_back(path, mode):
    mapped = np.memmap(path, np.float32, mode).reshape(100, 100)
    if mode == "r+":
        mapped[3] = -1
    before = mapped.copy()
    view = np.asarray(mapped)[10:, ::2]
    assert isinstance(mapping_of(view), mmap.mmap)
    release(mapping_of(view))
    np.testing.assert_array_equal(mapped, before)


def test_what_was_written_to_a_private_mapping_stays(path):
    mapped = np.memmap(path, np.float32, "c")
    mapped[:5000] = -1
    assert mapping_of(np.asarray(mapped)[5:]) is None


def test_memory_that_no_file_holds_is_not_released():
    """Given back, the pages of an anonymous mapping would be zeros."""
    anonymous = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    cells = np.ndarray((1024,), np.float32, buffer=anonymous)
    cells[:] = 3
    assert mapping_of(cells) is None
    release(mapping_of(cells))
    assert (cells == 3).all()


def test_an_array_in_memory_has_no_mapping():
    assert mapping_of(np.zeros((3, 3))[1:]) is None
    release(None)
