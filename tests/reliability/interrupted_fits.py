"""Fit in two worker processes until Ctrl-C, and print what is left. Run by the tests."""

import json
import signal
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
from joblib import parallel_config
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sklearn_neurox as snx
from sklearn_neurox import _row_copies
from sklearn_neurox.extraction._locks import reserved

from ..planted import planted
from .process_state import settings


def calls(X, y, backend):
    """Return an estimator that is fitted, or None, and a call that takes long."""
    probe = snx.LinearProbeClassifier(max_epochs=50, random_state=0, device="cpu")
    search = snx.LinearProbeClassifierCV(
        lambdas_l1=np.geomspace(1e-4, 1, 8), max_epochs=50, cv=3, n_jobs=2, device="cpu"
    )
    pipeline = make_pipeline(StandardScaler(copy=False), probe)
    network = planted("decoder", n_texts=40)
    return {
        "search": (search, lambda: search.fit(X, y)),
        "layers": (
            None,
            lambda n_jobs=2: snx.layerwise_scores(pipeline, X, y, n_layers=4, cv=5, n_jobs=n_jobs),
        ),
        "codelength": (None, lambda: snx.codelength(probe, X, y, random_state=0, n_jobs=2)),
        # Threads finish their parts before the call ends, so these must not be long.
        "placebos": (None, partial(placebos, network, 1_500 if backend == "threading" else 5_000)),
    }


def placebos(network, n_placebos, n_jobs=2):
    """Measure placebos, which takes minutes, and check that the hooks are removed."""
    try:
        snx.causal_effect(
            network.model, network.texts, tokenizer=network.tokenizer, layer=1,
            edit=snx.SteeringVector(np.ones(32)), placebos="norm", n_placebos=n_placebos, random_state=0,
            n_jobs=n_jobs,
        )  # fmt: skip
    finally:
        with reserved(network.model):  # once threads have finished their part
            assert not any(module._forward_hooks for module in network.model.modules())


def main(name: str, backend: str) -> None:
    """Fit until Ctrl-C, and print the error, the settings that changed, and what was fitted."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # shells may ignore it
    _row_copies._LARGEST_IN_MEMORY = 0  # copies of rows are temporary files
    rng = np.random.RandomState(0)
    path = Path(tempfile.gettempdir()).parent / "X.npy"
    np.save(path, rng.normal(size=(20_000, 64)).astype(np.float32))
    X, y = np.load(path, mmap_mode="r"), rng.randint(3, size=20_000)
    estimator, call = calls(X, y, backend)[name]
    calls(X[:60], y[:60], backend)["layers"][1](None)  # what is loaded once is loaded
    placebos(planted("decoder", n_texts=40), 1, None)
    before, ended, n_threads = settings(), "finished", threading.active_count()
    with parallel_config(backend=backend):
        print("begun", flush=True)
        try:
            call()
        except KeyboardInterrupt:
            ended = "interrupted"
    # Threads finish the fit that they are in. Those of loky wait for other jobs.
    while backend == "threading" and threading.active_count() > n_threads:
        time.sleep(0.01)
    now = settings()
    fitted = [] if estimator is None else [each for each in vars(estimator) if each[-1] == "_"]
    changed = [setting for setting in now if now[setting] != before[setting]]
    print(json.dumps({"ended": ended, "fitted": fitted, "changed": changed}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
