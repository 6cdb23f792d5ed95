"""Print the digests of calls in a new process, whose state may be disturbed.

Run: python -m tests.reliability.digests_in_a_process '{"names": ["Adam"], "place": "memory"}'
"""

import json
import random
import sys
import tempfile
import warnings
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from joblib import parallel_config

from .calls import CALLS
from .digests import digest, numbers
from .inputs import Inputs


def disturb() -> None:
    """Change the states of all global random generators, and fit something."""
    random.seed(7)
    np.random.seed(8)  # noqa: NPY002 -- the global generator must have no influence
    torch.manual_seed(9)
    torch.rand(100)


def digests(
    names: list[str],
    *,
    place: str = "memory",
    backend: str | None = None,
    after_other_work: bool = False,
    backwards: bool = False,
    values: bool = False,
) -> dict:
    """Return the digest of each call, or its numbers if `values` is True."""
    with tempfile.TemporaryDirectory() as folder:
        inputs = Inputs.make(Path(folder))
        inputs = inputs if place == "memory" else getattr(inputs, place)()
        if after_other_work:
            for name in ("Adam", "mean difference", "NeuronAblator, resample", "intervene"):
                CALLS[name](inputs, 5, None)
            disturb()
        found = {}
        for name in reversed(names) if backwards else names:
            with parallel_config(backend=backend) if backend else nullcontext():
                result = CALLS[name](inputs, 3, 2 if backend else None)
            found[name] = numbers(result).tolist() if values else digest(result)
    return found


if __name__ == "__main__":
    warnings.simplefilter("error")
    print(json.dumps(digests(**json.loads(sys.argv[1]))))
