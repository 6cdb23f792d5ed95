"""Copies of rows of memory maps: they are files, have the right values, and are deleted."""

import gc
import os
import pickle
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sklearn_neurox as snx
from sklearn_neurox import _row_copies
from sklearn_neurox._files import mapping_of
from sklearn_neurox._row_copies import (
    copy_blocks,
    copy_rows,
    map_rows,
    map_slices,
    own_copy,
    read_columns,
)


@pytest.fixture
def mapped(tmp_path):
    """A memory map of float16 activations."""
    X = np.random.RandomState(0).normal(size=(120, 8)).astype(np.float16)
    np.save(tmp_path / "X.npy", X)
    return np.load(tmp_path / "X.npy", mmap_mode="r")


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Files for every copy, however small, in a folder of their own."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setattr(_row_copies, "_LARGEST_IN_MEMORY", 0)
    monkeypatch.setattr(_row_copies, "_AT_ONCE", 100)
    return folder


@pytest.mark.parametrize("dtype", [None, np.float32])
def test_rows_of_a_memory_map_are_a_file_that_is_deleted(mapped, temporary, dtype):
    rows = np.random.RandomState(1).randint(120, size=150)
    copied = copy_rows(mapped, rows, dtype)
    np.testing.assert_array_equal(copied, mapped[rows])
    assert copied.dtype == (dtype or mapped.dtype)
    assert mapping_of(copied) is not None
    (file,) = temporary.iterdir()
    assert file.stat().st_size == copied.nbytes
    copied[:] = 0  # a step of a Pipeline may modify it
    view = copied[3:, 1:]
    del copied
    gc.collect()
    assert list(temporary.iterdir()) == [file]  # it is still in use
    assert not view.any()
    del view
    gc.collect()
    assert not list(temporary.iterdir())
    assert mapped[:].any()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="requires fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_process_does_not_delete_the_file(mapped, temporary):
    copied = copy_rows(mapped, np.arange(50))
    child = os.fork()
    if not child:
        del copied
        gc.collect()
        os._exit(0)
    os.waitpid(child, 0)
    assert len(list(temporary.iterdir())) == 1
    np.testing.assert_array_equal(copied, mapped[:50])


def test_small_copies_and_arrays_in_memory_are_not_files(mapped, temporary, monkeypatch):
    rows = np.arange(5)
    assert mapping_of(copy_rows(np.array(mapped), rows)) is None
    monkeypatch.setattr(_row_copies, "_LARGEST_IN_MEMORY", 5 * 16)
    assert mapping_of(copy_rows(mapped, rows)) is None
    assert mapping_of(copy_rows(mapped, np.arange(6))) is not None


def test_a_function_of_rows(mapped, temporary):
    result = map_rows(mapped, lambda rows: rows[:, :3] * 2, width=3, dtype=np.float32)
    np.testing.assert_array_equal(result, mapped[:, :3] * 2)
    assert result.dtype == np.float32
    assert mapping_of(result) is not None
    in_memory = map_rows(np.array(mapped), lambda rows: rows * 2, width=8, dtype=np.float16)
    np.testing.assert_array_equal(in_memory, mapped * 2)


def test_a_function_of_slices(mapped, temporary):
    seen = []

    def positions(some):
        seen.append(some)
        return np.arange(some.start, some.stop)[:, np.newaxis]

    result = map_slices(mapped, positions, width=1, dtype=np.intp)
    np.testing.assert_array_equal(result[:, 0], np.arange(120))
    assert mapping_of(result) is not None
    assert len(seen) == 20  # 6 rows at a time
    seen.clear()
    result = map_slices(np.array(mapped), positions, width=1, dtype=np.intp)
    np.testing.assert_array_equal(result[:, 0], np.arange(120))
    assert seen == [slice(0, 120)]


def test_blocks_of_columns_of_different_dtypes(mapped, temporary):
    other = np.arange(360, dtype=np.float32).reshape(120, 3)
    joined = copy_blocks([[mapped[:50], mapped[50:]], [other[:50], other[50:]]])
    expected = np.hstack([mapped, other])
    np.testing.assert_array_equal(joined, expected)
    assert joined.dtype == expected.dtype == np.float32
    assert mapping_of(joined) is not None
    np.testing.assert_array_equal(copy_blocks([[np.array(mapped)], [other]]), expected)


@pytest.mark.parametrize("mode", ["resample", "interchange"])
def test_the_values_of_an_ablator(mapped, temporary, tmp_path, mode):
    """They are a file if X is one, also if the ablator is pickled or saved."""
    in_memory = snx.NeuronAblator([1, 5], mode=mode, random_state=0).fit(np.array(mapped))
    ablator = snx.NeuronAblator([1, 5], mode=mode, random_state=0).fit(mapped)
    assert mapping_of(in_memory.fill_) is None
    assert mapping_of(ablator.fill_) is not None
    np.testing.assert_array_equal(ablator.fill_, mapped[:, [1, 5]])
    expected = in_memory.transform(np.array(mapped))
    assert mapping_of(ablator.transform(mapped)) is not None
    np.testing.assert_array_equal(ablator.transform(mapped), expected)
    states = torch.from_numpy(expected).float().reshape(30, 4, 8)
    edits = [each.state_edit(torch.float32, states.device) for each in (ablator, in_memory)]
    assert torch.equal(edits[0](states), edits[1](states))
    copies = [pickle.loads(pickle.dumps(ablator))]
    snx.save(ablator, tmp_path / "ablator.skops")
    copies.append(snx.load(tmp_path / "ablator.skops"))
    del ablator, edits
    gc.collect()
    assert not list(temporary.iterdir())
    for copied in copies:
        np.testing.assert_array_equal(copied.transform(np.array(mapped)), expected)


@pytest.mark.parametrize(
    "transformer",
    [
        snx.NeuronSelector([1, 5, 2]),
        snx.LayerSelector(1, n_layers=2),
        snx.ProbelessSelector(n_neurons=3),
        snx.IndependentNeuronSelector(),
        snx.CorrelationClustering(),
        snx.CorrelationClustering(pooling="representative"),
        snx.SteeringVector(np.arange(8)),
        snx.NeuronAblator([1], mode="remove"),
    ],
    ids=lambda each: type(each).__name__ + getattr(each, "pooling", ""),
)
def test_transformed_rows_are_files(mapped, temporary, transformer):
    transformer.fit(np.array(mapped), np.arange(120) % 2)
    expected = transformer.transform(np.array(mapped))
    assert mapping_of(expected) is None
    found = transformer.transform(mapped)
    assert mapping_of(found) is not None
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
    if hasattr(transformer, "inverse_transform") and expected.dtype == np.float32:
        inverse = transformer.inverse_transform(found)
        assert mapping_of(inverse) is not None
        np.testing.assert_array_equal(inverse, transformer.inverse_transform(expected))
    transformer.set_output(transform="pandas")
    np.testing.assert_array_equal(transformer.transform(mapped).to_numpy(), expected)


def test_selecting_nothing_of_a_file(mapped, temporary):
    selector = snx.NeuronSelector([]).fit(mapped)
    with pytest.warns(UserWarning, match="No features were selected"):
        assert selector.transform(mapped).shape == (120, 0)


def test_an_own_copy_protects_what_can_be_modified(mapped, temporary):
    assert own_copy(mapped) is mapped  # it is read-only
    copied = copy_rows(mapped, np.arange(120))
    own = own_copy(copied)
    own[:] = 0
    assert copied.any()
    assert mapping_of(own) is not None


def test_a_full_disk_is_an_error_without_a_file(mapped, temporary, monkeypatch):
    def full(descriptor, start, size):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match=r"No space left"):
        copy_rows(mapped, np.arange(50))
    assert not list(temporary.iterdir())


@pytest.mark.parametrize(
    "estimator",
    [
        snx.LinearProbeClassifier(solver="owlqn", lambda_l2=0.1, device="cpu"),
        make_pipeline(
            StandardScaler(copy=False),
            snx.LinearProbeClassifier(solver="owlqn", lambda_l2=0.1, device="cpu"),
        ),
    ],
    ids=["probe", "pipeline"],
)
def test_results_are_those_of_arrays_in_memory(mapped, temporary, estimator):
    y, groups = np.arange(120) % 3, np.arange(120) // 6
    X = np.array(mapped)
    options = dict(y=y, groups=groups, cv=GroupKFold(3))

    def results(X):
        yield snx.layerwise_scores(estimator, X, n_layers=2, **options).scores
        curve = snx.ablation_curve(
            estimator, X, ranking=snx.ProbelessSelector(), random_state=0, **options
        )
        yield curve.scores["top"]
        yield snx.selectivity_score(
            estimator, X, words=np.arange(120) % 7, random_state=0, **options
        ).control
        yield snx.NullspaceEraser(
            snx.MeanDifferenceClassifier(), n_iter=2
        ).fit(X, y).transform(X)  # fmt: skip
        yield snx.conditional_codelength(
            estimator, X[:, 4:], y, given=X[:, :4], groups=groups, random_state=0
        ).joint.sample_bits
        yield snx.NeuronAblator([1, 3], mode="mean").fit_transform(X)
        yield snx.LeaceEraser().fit_transform(X, y)

    found = list(results(mapped))
    for one, other in zip(found, results(X), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)
    del found, one
    gc.collect()
    assert not list(Path(temporary).iterdir())


@pytest.mark.parametrize("n_columns", [1, 31, 32, 70])
def test_columns_of_an_array_are_contiguous(n_columns):
    X = np.random.RandomState(0).normal(size=(2100, n_columns)).astype(np.float32)
    columns = []
    for column in read_columns(X):
        assert column.flags.c_contiguous
        assert column.dtype == X.dtype
        columns.append(column.copy())
    np.testing.assert_array_equal(columns, X.T)


def test_columns_of_a_large_memory_map_are_those_of_a_file_that_is_deleted(mapped, temporary):
    columns = read_columns(mapped)
    np.testing.assert_array_equal(next(columns), mapped[:, 0])
    (file,) = temporary.iterdir()
    assert file.stat().st_size == mapped.nbytes
    np.testing.assert_array_equal(list(map(np.array, columns)), mapped[:, 1:].T)
    del columns
    gc.collect()
    assert not list(temporary.iterdir())
