"""The same seed returns the same bits: in another process, in threads, on disk, in any order."""

import json
import os
import random
import subprocess
import sys

import numpy as np
import pytest
import torch

from .calls import CALLS, EVALUATION, NETWORKS, NEURONS, PROBES
from .digests_in_a_process import digests
from .process_state import settings

SCRIPT = __name__.replace("test_same_bits", "digests_in_a_process")
# Each of them depends on chance, hashes, or the order of sums.
FEW = [
    "Adam", "Adam, standardize", "ridge", "LDA", "RandomSelector", "CorrelationClustering",
    "NeuronAblator, resample", "transfer_scores", "audit_corpus", "controls and samples",
    "ActivationExtractor, random weights",
]  # fmt: skip
IN_PARALLEL = [
    "Adam, grid", "exact, grid", "regressor, grid", "layerwise_scores", "nested_layer_scores",
    "ablation_curve", "selectivity_score", "selectivity_curve", "codelength",
    "conditional_codelength", "operating_point", "transfer_scores", "audit_corpus",
]  # fmt: skip
OF_ARRAYS = [*PROBES, *NEURONS, *(set(EVALUATION) - {"audit_corpus"})]


def in_a_process(names, *, environment=None, **options):
    """Return the digests of calls in a new process."""
    found = subprocess.run(
        [sys.executable, "-m", SCRIPT, json.dumps({"names": names, **options})],
        env=os.environ | {"OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"} | (environment or {}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    return json.loads(found.stdout)


@pytest.fixture(scope="module")
def expected():
    """Digests of all calls, in this process."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield digests(list(CALLS))
    torch.set_num_threads(threads)


def test_another_process_with_other_hashes():
    found = in_a_process(FEW, environment={"PYTHONHASHSEED": "1"}, backwards=True)
    assert found == digests(FEW)


def test_global_generators_have_no_influence():
    assert digests(FEW) == digests(FEW, after_other_work=True)


def test_settings_and_global_generators_are_not_changed():
    with torch.random.fork_rng():
        random.seed(1)
        np.random.seed(2)  # noqa: NPY002
        torch.manual_seed(3)
        before = settings()
        digests(FEW)
        assert settings() == before


@pytest.mark.slow
@pytest.mark.parametrize("seed", ["0", "1", "random"])
def test_hashes(expected, seed):
    assert in_a_process(list(CALLS), environment={"PYTHONHASHSEED": seed}) == expected


@pytest.mark.slow
def test_after_other_work_and_in_another_order(expected):
    assert in_a_process(list(CALLS), after_other_work=True, backwards=True) == expected


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_threads_and_processes(expected, backend):
    found = in_a_process(IN_PARALLEL, backend=backend)
    assert found == {name: expected[name] for name in IN_PARALLEL}


@pytest.mark.slow
@pytest.mark.parametrize("place", ["on_disk", "in_a_store"])
def test_files(expected, place):
    found = in_a_process(OF_ARRAYS, place=place)
    assert found == {name: expected[name] for name in OF_ARRAYS}


@pytest.mark.slow
@pytest.mark.parametrize("threads", ["2", "4"])
def test_other_numbers_of_threads(threads):
    """The order of sums in products depends on the number of threads."""
    names = [*PROBES, *NEURONS, *NETWORKS]
    one = in_a_process(names, values=True)
    other = in_a_process(names, values=True, environment={"OMP_NUM_THREADS": threads})
    for name in names:
        np.testing.assert_allclose(one[name], other[name], rtol=1e-5, atol=1e-6, err_msg=name)
