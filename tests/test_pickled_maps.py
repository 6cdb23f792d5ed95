import pickle

import numpy as np
import pytest

from sklearn_neurox._files import mapping_of
from sklearn_neurox._pickled_maps import dumps, loads


@pytest.fixture
def mapped(tmp_path):
    X = np.memmap(tmp_path / "X", np.float16, "w+", offset=128, shape=(5000, 6))
    X[:] = np.arange(X.size).reshape(X.shape) % 1000
    return X


@pytest.mark.parametrize(
    "part",
    [
        lambda X: X,
        np.asarray,
        lambda X: X[7:, ::2],
        lambda X: X[::-1],
        lambda X: X.T,
        lambda X: X[:, 3],
        lambda X: X[5:6, 2:3].view(np.uint16),
    ],
    ids=["all", "ndarray", "columns", "reversed", "transposed", "column", "cell"],
)
def test_views_of_a_file(mapped, part):
    X = part(mapped)
    pickled = dumps({"X": [X]})
    assert len(pickled) < 1000
    (found,) = loads(pickled)["X"]
    np.testing.assert_array_equal(found, X)
    assert (found.dtype, found.strides) == (X.dtype, X.strides)
    assert mapping_of(found) is not None
    assert not found.flags.writeable


def test_what_is_not_a_view_of_a_file(mapped):
    mapped.flush()
    changed = np.memmap(mapped.filename, np.float16, "c", offset=128, shape=(5000, 6))
    changed[0, 0] = 7  # in memory only
    for X in (mapped[[3, 1]], changed, mapped[:0]):
        found = pickle.loads(dumps(X))
        np.testing.assert_array_equal(found, X)
        assert mapping_of(found) is None


def test_a_function_of_a_test(mapped):
    n = len(mapped)
    assert loads(dumps(lambda: mapped[n - 1, 0]))() == mapped[n - 1, 0]


def test_a_missing_file(mapped, tmp_path):
    pickled = dumps(mapped)
    (tmp_path / "X").unlink()
    with pytest.raises(FileNotFoundError, match=r"(?s)This worker does not have.*TMPDIR.*X'"):
        loads(pickled)


@pytest.mark.parametrize("n_bytes", [100, 60128])
def test_another_file_of_this_name(mapped, tmp_path, n_bytes):
    pickled = dumps(mapped)
    (tmp_path / "X").unlink()
    (tmp_path / "X").write_bytes(bytes(n_bytes))
    with pytest.raises(ValueError, match=r"X is not the file of the memory-mapped array that was"):
        loads(pickled)
