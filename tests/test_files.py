"""Released pages of a mapped file keep their content, and files are replaced atomically."""

import errno
import mmap
import os
import resource
import stat
from pathlib import Path

import numpy as np
import pytest

import sklearn_neurox as snx
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

    def test_a_relative_path_is_resolved_at_the_start(self, tmp_path, monkeypatch):
        (tmp_path / "other").mkdir()
        monkeypatch.chdir(tmp_path)
        with replacing([Path("a")]) as (unfinished,):
            unfinished.write_text("new")
            monkeypatch.chdir("other")
        assert sorted(os.listdir(tmp_path)) == ["a", "other"]
        assert os.listdir(tmp_path / "other") == []

    def test_a_link_stays_a_link(self, tmp_path):
        (tmp_path / "folder").mkdir()
        target, link = tmp_path / "folder" / "target", tmp_path / "link"
        target.write_text("old")
        link.symlink_to(target)
        replace_file(link, b"new")
        assert link.is_symlink()
        assert target.read_text() == "new"
        assert os.listdir(tmp_path / "folder") == ["target"]

    def test_permissions_are_kept(self, tmp_path):
        (tmp_path / "a").write_text("old")
        (tmp_path / "a").chmod(0o600)
        replace_file(tmp_path / "a", b"new")
        assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600

    def test_a_protected_file_is_not_replaced(self, tmp_path, monkeypatch):
        (tmp_path / "a").write_text("old")
        monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
        with pytest.raises(PermissionError, match=r"The file is write-protected: '.*a'"):
            replace_file(tmp_path / "a", b"new")
        assert (tmp_path / "a").read_text() == "old"
        assert os.listdir(tmp_path) == ["a"]

    def test_a_protected_content_is_protected_while_it_is_written(self, tmp_path):
        (tmp_path / "a").write_text("old")
        (tmp_path / "a").chmod(0o640)
        with replacing([tmp_path / "a", tmp_path / "b"]) as (old, new):
            assert old.stat().st_mode & 0o777 == 0o600
            assert new.stat().st_mode & 0o200
        assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640

    def test_no_target_is_replaced_if_one_became_a_folder(self, tmp_path):
        targets = [tmp_path / "a", tmp_path / "b"]
        targets[0].write_text("old")

        def write():
            with replacing(targets) as unfinished:
                for file in unfinished:
                    file.write_text("new")
                targets[1].mkdir()

        with pytest.raises(IsADirectoryError, match=r"'.*b'"):
            write()
        assert targets[0].read_text() == "old"
        assert sorted(os.listdir(tmp_path)) == ["a", "b"]

    def test_a_link_that_is_changed_in_the_meantime(self, tmp_path):
        first, second, link = tmp_path / "first", tmp_path / "second", tmp_path / "link"
        link.symlink_to(first)
        second.write_text("old")
        with replacing([link]) as (unfinished,):
            unfinished.write_text("new")
            link.unlink()
            link.symlink_to(second)
        assert (first.read_text(), second.read_text()) == ("new", "old")

    def test_a_link_to_itself(self, tmp_path):
        (tmp_path / "a").symlink_to(tmp_path / "a")
        with pytest.raises(OSError, match=r"Too many levels of symbolic links: '.*a'"):
            replace_file(tmp_path / "a", b"new")

    @pytest.mark.parametrize("name", ["b", "c", "c/file"])
    def test_links_in_a_circle(self, tmp_path, name):
        for link, target in [("a", "b"), ("b", "a"), ("c", "a")]:
            (tmp_path / link).symlink_to(tmp_path / target)
        with pytest.raises(OSError, match="Too many levels of symbolic links: '"):
            replace_file(tmp_path / name, b"new")
        assert sorted(os.listdir(tmp_path)) == ["a", "b", "c"]

    def test_an_error_without_a_path_names_the_target(self, tmp_path):
        """It must not name the temporary file, which is removed."""

        def full(file):
            raise OSError(errno.ENOSPC, "full")

        with pytest.raises(OSError, match=rf"full: '{tmp_path / 'a'}'$"):
            replace_file(tmp_path / "a", full)
        with (
            pytest.raises(OSError, match=rf"full: '{tmp_path}'$"),
            replacing([tmp_path / "a", tmp_path / "b"]),
        ):
            full(None)
        with pytest.raises(OSError, match=r"^\[Errno 5\] odd: '.*a'$"):
            replace_file(tmp_path / "a", lambda file: (_ for _ in ()).throw(OSError("odd")))

    def test_a_folder(self, tmp_path):
        with pytest.raises(IsADirectoryError, match="Expected a file, got a folder"):
            replace_file(tmp_path, b"new")

    def test_a_pipe_is_written_to(self, tmp_path):
        """It has no content to keep, and a file in its place would be read by no one."""
        os.mkfifo(tmp_path / "pipe")
        reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
        try:
            replace_file(tmp_path / "pipe", b"new")
            assert os.read(reader, 10) == b"new"
        finally:
            os.close(reader)
        assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)

    @pytest.mark.parametrize("letter", ["a", "名"])
    def test_the_longest_name_of_a_file(self, tmp_path, letter):
        name = letter * (255 // len(letter.encode()))
        replace_file(tmp_path / name, b"new")
        assert os.listdir(tmp_path) == [name]

    def test_a_failure_between_two_files_leaves_no_temporary_file(self, tmp_path, monkeypatch):
        targets = [tmp_path / "a", tmp_path / "b"]
        for target in targets:
            target.write_text("old")

        def write():
            with replacing(targets) as (first, second):
                first.write_text("new")
                second.unlink()

        with pytest.raises(FileNotFoundError, match=f"'{targets[1]}'"):
            write()
        assert [target.read_text() for target in targets] == ["old", "old"]
        assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def tokens():
    return snx.TokenActivations.from_sentences([np.eye(2)], ["to be"])


def save_probe(path):
    snx.save(snx.LinearProbeClassifier(), path)


def save_page(path):
    snx.AnalysisReport("Title").add_section("One").add_text("Text").save(path)


def save_table(path):
    snx.TopWordsTable(tokens(), [0]).save(path)


def save_grid(path):
    snx.NeuronGrid(tokens(), [0, 1]).save(path)


def save_drawing(path):
    snx.visualize_activations(["a", "b"], [1.0, -1.0]).saveas(path)


def save_activations(path):
    snx.write_activations(path, tokens(), overwrite=True)


SAVED = {
    "probe.skops": save_probe,
    "page.html": save_page,
    "table.html": save_table,
    "grid.html": save_grid,
    "drawing.svg": save_drawing,
    "activations.json": save_activations,
    "activations.hdf5": save_activations,
}


@pytest.mark.parametrize("name", SAVED)
@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_every_saved_file_is_replaced_when_it_is_complete(tmp_path, monkeypatch, name, step):
    """After a full disk, the old file is unchanged, and there is no other file."""
    if name.endswith(".hdf5"):
        pytest.importorskip("h5py")
    path = tmp_path / name

    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for before in (b"old", None):  # an existing file, and a new one
        if before is None:
            path.unlink()
        else:
            path.write_bytes(before)
        with monkeypatch.context() as patch:
            patch.setattr(os, step, full)
            with pytest.raises(OSError, match=f"No space left on device: '{path}'$"):
                SAVED[name](path)
        assert [each.read_bytes() for each in tmp_path.iterdir()] == ([before] if before else [])
    SAVED[name](path)
    assert os.listdir(tmp_path) == [name]


@pytest.mark.filterwarnings(  # h5py tries to write again when its objects are destroyed
    "ignore::pytest.PytestUnraisableExceptionWarning"
)
@pytest.mark.parametrize("name", SAVED)
def test_a_file_that_exceeds_the_size_limit(tmp_path, name):
    if name.endswith(".hdf5"):
        pytest.importorskip("h5py")
    path = tmp_path / name
    path.write_bytes(b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(OSError, match=f"File too large: '{path}'$"):
            SAVED[name](path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("name", SAVED)
def test_a_link_to_a_device(tmp_path, name):
    if name.endswith(".hdf5"):
        pytest.importorskip("h5py")
    (tmp_path / name).symlink_to("/dev/null")
    SAVED[name](tmp_path / name)
    assert (tmp_path / name).is_symlink()
    assert os.listdir(tmp_path) == [name]


def test_a_drawing_keeps_the_absolute_path_of_its_file(tmp_path, monkeypatch):
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    drawing = snx.visualize_activations(["a", "b"], [1.0, -1.0])
    drawing.saveas("drawing.svg", pretty=True)
    before = (tmp_path / "drawing.svg").read_text()
    assert before.startswith("<?xml")
    (tmp_path / "drawing.svg").unlink()
    monkeypatch.chdir("other")
    drawing.save(pretty=True)
    assert (tmp_path / "drawing.svg").read_text() == before
    assert os.listdir(tmp_path / "other") == []
