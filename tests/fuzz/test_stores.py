"""Stores whose files are damaged, and writers that are interrupted and resumed."""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from unittest import mock

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sklearn_neurox import StoreWriter, TokenActivations
from sklearn_neurox.activations._store_format import seal
from sklearn_neurox.activations.shards import ShardWriter

from ..activations.small_stores import about, content, rows
from .mutations import damaged

JSON = ("store.json", "progress.json")
LENGTHS = [2, 1, 3, 2]  # words of the sentences of `about()`
LAYOUTS = {
    "one file": {},
    "layers": {"split_layers": True},
    "rows": {"max_file_size": 128 + 3 * 32},
    "layers and rows": {"split_layers": True, "max_file_size": 128 + 3 * 16},
}


@cache
def folder():
    """A folder that is removed at the end of the process."""
    return tempfile.TemporaryDirectory()


def fresh(name):
    path = Path(folder().name) / name
    shutil.rmtree(path, ignore_errors=True)
    return path


@cache
def whole(kind):
    """The files of a finished store."""
    path = fresh("whole")
    with StoreWriter(path, **arguments(kind)) as writer:
        writer.append(rows())
    return content(path)


def arguments(kind):
    labels, layout = kind
    return about(
        labels={"text": about()["labels"], "none": None, "bool": [True, False] * 4}[labels],
        **LAYOUTS[layout],
    )


def put(path, files):
    path.mkdir()
    for name, each in files.items():
        (path / name).write_bytes(each)
    (path / ".sklearn_neurox.lock").touch()


kinds = st.tuples(st.sampled_from(["text", "none", "bool"]), st.sampled_from(sorted(LAYOUTS)))


def use(path, kind):
    """Read and resume a store, each of which succeeds or says what is wrong, and return its content."""
    tokens = None
    for call in (
        lambda: TokenActivations.load(path, verify=True, partial=True),
        lambda: TokenActivations.load(path),
        lambda: TokenActivations.describe(path),
        lambda: StoreWriter(path, **arguments(kind)).close(),
        lambda: StoreWriter(
            path, **arguments(kind) | {"words": [["x"] * n for n in LENGTHS]}
        ).close(),
    ):
        try:
            result = call()
        except ValueError as error:
            message = str(error)
            assert str(path) in message
            continue
        tokens = result if isinstance(result, TokenActivations) else tokens
    return tokens


@given(data=st.data(), kind=kinds)
def test_damaged_bytes(data, kind):
    """All files have checksums, so what is loaded is the original."""
    files = dict(whole(kind))
    name = data.draw(st.sampled_from(sorted(files)))
    files[name] = data.draw(damaged(files[name]))
    path = fresh("damaged")
    put(path, files)
    tokens = use(path, kind)
    if tokens is not None and files[name] != whole(kind)[name]:
        assert name.startswith("X.")  # whose values are only compared with verify=True
    elif tokens is not None:
        np.testing.assert_array_equal(tokens.X, rows())


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**64), 2**64),
    st.sampled_from([0, 1, 4, 8, 2**31, 2**40, 2**47, 2**62]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=4),
    st.sampled_from(
        ["|b1", "<i8", "<U5", "<U9999999", "|O", "float16", "float64", "X.npy", "../x"]
    ),
    st.just([]),
    st.just({}),
    st.lists(st.integers(0, 2**48), max_size=3),
)


# The ends of shards, most of which are not those of the store.
shards = st.one_of(values, st.lists(st.sampled_from([[0, 0], [1, 2], [3, 6], [4, 8]]), max_size=4))


@given(data=st.data(), kind=kinds)
def test_changed_descriptions(data, kind):
    """Someone who knows how the checksums are made can write anything, and it is checked."""
    files = dict(whole(kind))
    store = json.loads(files["store.json"])
    if data.draw(st.booleans()):
        name = data.draw(st.sampled_from(sorted(store["files"])))
        files[name] = data.draw(damaged(files[name]))
        store["files"][name] = hashlib.sha256(files[name]).hexdigest()
    for _ in range(data.draw(st.integers(0, 2))):
        store[data.draw(st.sampled_from(sorted(store)))] = data.draw(values)
    store.pop("sha256", None)
    files["store.json"] = seal(store)
    progress = json.loads(files["progress.json"])
    progress["store"] = json.loads(files["store.json"])["sha256"]
    if data.draw(st.booleans()):
        progress[data.draw(st.sampled_from(sorted(progress)))] = data.draw(values)
    if data.draw(st.booleans()):
        progress["shards"] = data.draw(shards)
    progress.pop("sha256", None)
    files["progress.json"] = seal(progress)
    path = fresh("changed")
    put(path, files)
    tokens = use(path, kind)
    if tokens is not None:
        assert len(tokens) == len(tokens.words) == len(tokens.X)
        assert tokens.X.shape[1] == tokens.n_layers * tokens.neurons.width


class KilledError(BaseException):
    """The process ends here."""


@contextlib.contextmanager
def killed_after(n_steps):
    """End the process at one of the calls that reach the disk; a process that ends cleans nothing."""
    left = [n_steps]

    def counting(call):
        def run(*args):
            if not left[0]:
                raise KilledError
            left[0] -= 1
            return call(*args)

        return run

    with (
        mock.patch.object(os, "fsync", counting(os.fsync)),
        mock.patch.object(os, "replace", counting(os.replace)),
        mock.patch.object(Path, "unlink", return_value=None),
        contextlib.suppress(KilledError),
    ):
        yield


@mock.patch.object(os, "fsync", lambda _: None)  # noqa: PT008 -- another value would be an argument
@given(
    kind=kinds,
    sessions=st.lists(
        st.tuples(st.lists(st.integers(1, 4), max_size=4), st.integers(0, 12), st.booleans()),
        max_size=6,
    ),
)
def test_any_interruptions_end_in_the_same_store(kind, sessions):
    """Each session appends some sentences, and ends by itself or between any two steps."""
    path = fresh("resumed")
    starts = np.cumsum([0, *LENGTHS])
    with contextlib.chdir(path.parent):
        for appends, n_steps, moves in sessions:
            writer = None
            with killed_after(n_steps):
                writer = StoreWriter(path.name, **arguments(kind))
                with contextlib.chdir("/") if moves else contextlib.nullcontext():
                    for n_sentences in appends:
                        i = writer.n_done
                        last = min(i + n_sentences, len(LENGTHS))
                        if i < last:
                            writer.append(rows()[starts[i] : starts[last]])
            if writer is not None:
                writer.close()  # as the end of a process releases the lock
            if all((path / name).exists() for name in whole(kind) if name.startswith("X.")):
                tokens = TokenActivations.load(path, verify=True, partial=True)
                np.testing.assert_array_equal(tokens.X, rows()[: len(tokens)])
    with StoreWriter(path, **arguments(kind)) as writer:
        if writer.n_done < len(LENGTHS):
            writer.append(rows()[writer.n_words_done :])
    assert content(path) == whole(kind)


@mock.patch.object(os, "fsync", lambda _: None)  # noqa: PT008 -- another value would be an argument
@given(
    kind=kinds,
    ends=st.lists(st.integers(0, 4), min_size=1, max_size=3).map(lambda ends: [*sorted(ends), 4]),
    sessions=st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 14)), max_size=8
    ),
)
def test_any_interruptions_of_several_processes_end_in_the_same_store(kind, ends, sessions):
    """Each session appends some sentences of a rank, and ends by itself or between any two steps."""
    path = fresh("shards")
    starts = np.cumsum([0, *LENGTHS])

    def write_some(rank, n_sentences):
        writer = None
        try:
            writer = ShardWriter(path, rank=rank, ends=ends, **arguments(kind))
            last = min(writer.n_done + n_sentences, ends[rank])
            if writer.n_done < last:
                writer.append(rows()[starts[writer.n_done] : starts[last]])
        finally:
            if writer is not None:
                writer.close()  # as the end of a process releases the lock

    for rank, n_sentences, n_steps in sessions:
        with killed_after(n_steps):
            write_some(rank % len(ends), n_sentences)
        if all((path / name).exists() for name in whole(kind) if name.startswith("X.")):
            tokens = TokenActivations.load(path, verify=True, partial=True)
            np.testing.assert_array_equal(tokens.X, rows()[: len(tokens)])
    for rank in range(len(ends)):
        write_some(rank, 4)
    assert content(path) == whole(kind)
