"""The state of this process: what calls must not change, and what they must not accumulate."""

import gc
import os
import random
import signal
import sys
import tempfile
import threading
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
import torch
from threadpoolctl import ThreadpoolController

from .digests import digest


def settings() -> dict[str, Any]:
    """Return the settings of the process, and the states of its global random generators."""
    return {
        "random": digest(random.getstate()),
        "numpy.random": digest(np.random.get_state()),  # noqa: NPY002 -- unused
        "torch.random": digest(torch.get_rng_state()),
        "warnings": list(warnings.filters),
        "numpy errors": np.geterr() | {"buffer": np.getbufsize()},
        "torch threads": torch.get_num_threads(),
        "torch gradients": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "torch dtype": torch.get_default_dtype(),
        "torch algorithms": torch.are_deterministic_algorithms_enabled(),
        "BLAS threads": [pool["num_threads"] for pool in _blas_pools()],
        "sklearn": sklearn.get_config(),
        "working directory": os.getcwd(),
        "environment": {k: v for k, v in os.environ.items() if k not in _SET_BY_LIBRARIES},
        "SIGINT": signal.getsignal(signal.SIGINT),
        "recursion": sys.getrecursionlimit(),
        "garbage collector": gc.isenabled(),
    }


# joblib and pytest set these variables.
_SET_BY_LIBRARIES = ("JOBLIB_SPAWNED_PROCESS", "PYTEST_CURRENT_TEST", "KMP_INIT_AT_FORK")


def _blas_pools() -> list[dict[str, Any]]:
    return ThreadpoolController().select(user_api="blas").info()


def hooks(*modules: torch.nn.Module) -> int:
    """Return the number of hooks on networks."""
    names = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_state_dict_hooks")
    return sum(
        len(getattr(part, name)) for net in modules for part in net.modules() for name in names
    )


def handles() -> dict[str, int]:
    """Return the numbers of open files, threads, child processes, figures and temporary files."""
    return {
        "files": len(os.listdir("/proc/self/fd")) - 1,  # one of them lists the others
        "threads": threading.active_count(),
        "processes": len(children()),
        "figures": len(sys.modules["matplotlib.pyplot"].get_fignums())
        if "matplotlib.pyplot" in sys.modules
        else 0,
        "temporary files": sum(1 for _ in Path(tempfile.gettempdir()).rglob("*")),
    }


def children(of: int | str = "self") -> list[int]:
    """Return the child processes of a process."""
    found = []
    for task in Path(f"/proc/{of}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # the thread has ended
            found += map(int, (task / "children").read_text().split())
    return found


def resident() -> float:
    """Return the resident memory of this process in MB."""
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def objects() -> dict[str, int]:
    """Return the numbers of objects of the garbage collector, and of tensors among them."""
    gc.collect()
    found = gc.get_objects()
    return {"objects": len(found), "tensors": sum(type(each) is torch.Tensor for each in found)}
