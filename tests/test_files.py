"""Released pages of a mapped file keep their content, and files are replaced atomically."""

import mmap
import os

import numpy as np
import pytest

from sklearn_neurox._files import mapping_of, release, replace_file, replacing


@pytest.fixture
def path(tmp_path):
    np.arange(10_000, dtype=np.float32).tofile(tmp_path / "X")
    return tmp_path / "X"


@pytest.mark.parametrize("mode", ["r", "r+"])
def test_released_pages_are_read_again(path, mode):
    mapped = np.memmap(path, np.float32, mode).reshape(100, 100)
    if mode == "r+":
        mapped[3] = -1
    before = mapped.copy()
    view = np.asarray(mapped)[10:, ::2]
    assert isinstance(mapping_of(view), mmap.mmap)
    release(mapping_of(view))
    np.testing.assert_array_equal(mapped, before)


def test_a_private_mapping_is_not_released(path):
    mapped = np.memmap(path, np.float32, "c")
    mapped[:5000] = -1
    assert mapping_of(np.asarray(mapped)[5:]) is None


def test_anonymous_memory_is_not_released():
    """After a release, the pages of an anonymous mapping would contain zeros."""
    anonymous = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    cells = np.ndarray((1024,), np.float32, buffer=anonymous)
    cells[:] = 3
    assert mapping_of(cells) is None
    release(mapping_of(cells))
    assert (cells == 3).all()


def test_an_array_in_memory_has_no_mapping():
    assert mapping_of(np.zeros((3, 3))[1:]) is None
    release(None)


class TestReplacing:
    def test_all_targets_are_replaced_at_the_end(self, tmp_path):
        targets = [tmp_path / "a", tmp_path / "b"]
        targets[0].write_text("old")
        with replacing(targets) as unfinished:
            for place, file in enumerate(unfinished):
                file.write_text(f"new {place}")
            assert targets[0].read_text() == "old"
            assert not targets[1].exists()
        assert [target.read_text() for target in targets] == ["new 0", "new 1"]
        assert sorted(os.listdir(tmp_path)) == ["a", "b"]

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
    def test_after_an_error_nothing_is_changed(self, tmp_path, error):
        target = tmp_path / "a"
        target.write_text("old")

        def interrupted(file):
            file.write(b"half")
            raise error

        with pytest.raises(error):
            replace_file(target, interrupted)
        assert target.read_text() == "old"
        assert os.listdir(tmp_path) == ["a"]

    def test_content_is_bytes_or_a_function_that_writes_them(self, tmp_path):
        replace_file(tmp_path / "a", b"bytes")
        replace_file(tmp_path / "b", lambda file: file.write(b"bytes"))
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == b"bytes"

    def test_content_is_on_disk_before_the_file_is_replaced(self, tmp_path, monkeypatch):
        steps = []
        monkeypatch.setattr(
            os, "fsync", lambda number, fsync=os.fsync: (steps.append("fsync"), fsync(number))
        )
        monkeypatch.setattr(
            os,
            "replace",
            lambda *paths, replace=os.replace: (steps.append("replace"), replace(*paths)),
        )
        replace_file(tmp_path / "a", b"bytes")
        assert steps == ["fsync", "replace", "fsync"]  # the last call syncs the folder
