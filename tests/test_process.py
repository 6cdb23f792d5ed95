"""Settings of the process have the same value after overlapping threads, errors and nesting."""

import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from threadpoolctl import ThreadpoolController

from sklearn_neurox import GaussianProbeClassifier, LinearProbeClassifier
from sklearn_neurox._device import as_tensor
from sklearn_neurox._process import ProcessSetting, blas_threads, torch_threads
from sklearn_neurox._warnings import silenced, warn

N_THREADS = 8


def blas_counts():
    return [each["num_threads"] for each in ThreadpoolController().select(user_api="blas").info()]


@pytest.fixture
def two_threads():
    """Let BLAS and torch use two threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    with ThreadpoolController().limit(limits=2, user_api="blas"):
        yield
    torch.set_num_threads(before)


def in_threads(work, *, n_times=1):
    """Call `work` with 0, ..., N_THREADS - 1, each in a thread, all at the same time."""
    barrier = threading.Barrier(N_THREADS)

    def call(number):
        results = []
        for _ in range(n_times):
            barrier.wait()
            results.append(work(number))
        return results

    with ThreadPoolExecutor(N_THREADS) as pool:
        return list(pool.map(call, range(N_THREADS)))


class Setting:
    """A setting that records its values."""

    def __init__(self):
        self.value, self.history = "before", []
        self.block = ProcessSetting(self.change)

    def change(self):
        before = self.value
        self.set("changed")
        return lambda: self.set(before)

    def set(self, value):
        self.value = value
        self.history.append(value)


class TestProcessSetting:
    def test_overlapping_blocks(self):
        setting = Setting()
        first_is_in, second_is_in, first_is_out = (threading.Event() for _ in range(3))

        def first():
            with setting.block:
                first_is_in.set()
                second_is_in.wait()
            first_is_out.set()

        thread = threading.Thread(target=first)
        thread.start()
        first_is_in.wait()
        with setting.block:
            second_is_in.set()
            first_is_out.wait()
            assert setting.value == "changed"  # the first to leave does not restore it
        thread.join()
        assert setting.history == ["changed", "before"]

    def test_nested_blocks_and_errors(self):
        setting = Setting()
        with setting.block:
            with pytest.raises(KeyError), setting.block:
                raise KeyError
            assert setting.value == "changed"
        with pytest.raises(KeyError), setting.block:
            raise KeyError
        assert setting.history == ["changed", "before"] * 2

    def test_many_threads(self):
        setting = Setting()

        def work(number):
            with setting.block:
                assert setting.value == "changed"

        in_threads(work, n_times=20)
        assert setting.value == "before"

    def test_a_change_that_fails_can_be_tried_again(self):
        fails = [True]

        def change():
            if fails:
                fails.pop()
                raise OSError
            return lambda: None

        block = ProcessSetting(change)
        with pytest.raises(OSError), block:  # noqa: PT011 -- it has no message
            pass
        with block:
            pass


@pytest.mark.usefixtures("two_threads")
class TestNumbersOfThreads:
    def test_inside(self):
        with blas_threads(10), torch_threads(10):
            assert set(blas_counts()) == {1}
            assert torch.get_num_threads() == 1
            with blas_threads(10), torch_threads(10):
                pass
            assert set(blas_counts()) == {1}  # nested blocks do not restore the number
            assert torch.get_num_threads() == 1
        with blas_threads(10_000), torch_threads(10**9):  # more threads are faster
            assert set(blas_counts()) == {2}
            assert torch.get_num_threads() == 2

    def test_overlapping_blocks(self):
        def work(number):
            with blas_threads(10), torch_threads(10):
                one = torch.get_num_threads()
            return one, torch.get_num_threads()

        assert in_threads(work, n_times=30) == [[(1, 2)] * 30] * N_THREADS
        assert set(blas_counts()) == {2}
        assert torch.get_num_threads() == 2

    def test_the_thread_that_entered_first_leaves_last(self):
        inside, out = threading.Event(), threading.Event()

        def other():
            inside.wait()
            with blas_threads(10), torch_threads(10):
                pass
            out.set()
            return torch.get_num_threads()

        with ThreadPoolExecutor(1) as pool:
            number = pool.submit(other)
            with blas_threads(10), torch_threads(10):
                inside.set()
                out.wait()
            assert number.result() == torch.get_num_threads() == 2
        assert set(blas_counts()) == {2}

    def test_a_thread_that_first_uses_torch_during_the_block_of_another(self):
        with ThreadPoolExecutor(1) as pool:
            with torch_threads(10):
                assert pool.submit(torch.get_num_threads).result() == 1

            def work():
                with torch_threads(10):
                    pass
                return torch.get_num_threads()

            assert pool.submit(work).result() == 2
        assert torch.get_num_threads() == 2

    def test_one_thread_stays_one(self):
        torch.set_num_threads(1)
        with torch_threads(10):
            pass
        assert torch.get_num_threads() == 1
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(torch.get_num_threads).result() == 1

    def test_a_limit_of_threadpoolctl_stays(self):
        with ThreadpoolController().limit(limits=1):
            with blas_threads(10), torch_threads(10):
                pass
            assert torch.get_num_threads() == 1
            assert set(blas_counts()) == {1}

    @pytest.mark.parametrize("solver", ["adam", "owlqn"])
    def test_fits_and_predictions(self, solver):
        rng = np.random.RandomState(0)
        X, y = rng.normal(size=(60, 5)), np.arange(60) % 3
        gaussian = GaussianProbeClassifier().fit(X, y)
        params = {"solver": solver, "tol": 1e-3, "max_epochs": 1, "lambda_l2": 0.01}

        def work(number):
            LinearProbeClassifier(**params, device="cpu", random_state=0).fit(X, y)
            GaussianProbeClassifier().fit(X, y).rank_neurons(2)
            gaussian.predict(X)
            return torch.get_num_threads()

        assert in_threads(work, n_times=2) == [[2] * 2] * N_THREADS
        assert set(blas_counts()) == {2}
        assert torch.get_num_threads() == 2

    @pytest.mark.parametrize("solver", ["adam", "owlqn"])
    def test_a_callback_that_fails(self, solver):
        seen = []

        class Fails:
            def setup(self, estimator, context): ...
            def teardown(self, estimator, context): ...
            def on_fit_task_begin(self, estimator, context): ...

            def on_fit_task_end(self, estimator, context):
                seen.append(torch.get_num_threads())
                raise ZeroDivisionError

        rng = np.random.RandomState(0)
        X, y = rng.normal(size=(60, 5)), np.arange(60) % 3
        probe = LinearProbeClassifier(solver=solver, device="cpu").set_callbacks(Fails())
        with pytest.raises(ZeroDivisionError) as kept:  # with the frames of the fit
            probe.fit(X, y)
        assert torch.get_num_threads() == 2
        assert seen == [2]  # the callback itself may use all threads
        del kept


def test_reading_a_read_only_array_does_not_touch_the_filters_of_warnings():
    array = np.arange(6.0).reshape(2, 3)
    array.flags.writeable = False
    filters = list(warnings.filters)
    tensors = in_threads(lambda number: as_tensor(array), n_times=20)
    assert warnings.filters == filters
    assert not array.flags.writeable
    assert tensors[0][0].data_ptr() == array.ctypes.data
    assert tensors[0][0].tolist() == array.tolist()
    alias = as_tensor(array[:, ::2])
    assert alias.tolist() == [[0, 2], [3, 5]]
    array = None
    assert alias.tolist() == [[0, 2], [3, 5]]  # the memory is kept alive


def test_the_buffer_and_the_error_state_of_numpy():
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(60, 5)), np.arange(60) % 3
    before = np.getbufsize(), np.geterr()

    def work(number):
        GaussianProbeClassifier().fit(X, y).rank_neurons(2)
        return np.getbufsize(), np.geterr()

    assert in_threads(work) == [[before]] * N_THREADS
    assert (np.getbufsize(), np.geterr()) == before


def test_silenced_warnings_are_those_of_one_thread():
    filters = list(warnings.filters)
    with ThreadPoolExecutor(1) as pool, silenced(FutureWarning):
        with silenced(RuntimeWarning):
            warn("not shown", FutureWarning)
        assert warnings.filters == filters
        with pytest.raises(RuntimeWarning, match="shown"):  # warnings are errors in the tests
            warn("shown", RuntimeWarning)
        with pytest.raises(FutureWarning, match="shown"):
            pool.submit(warn, "shown", FutureWarning).result()
    with pytest.raises(FutureWarning, match="shown"):
        warn("shown", FutureWarning)
