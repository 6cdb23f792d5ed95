"""Random mixed calls of the public API, with checks after each of them.

Each step is one call, the same call in several threads, a call with bad input, or a call that is
interrupted at a random moment. After each step, its inputs, the settings of the process and the
global random generators are unchanged, results are finite, nothing is left open, and the same call
has returned the same bits as before. Steps are written to a log of JSON lines.
Run: python -m tests.reliability.soak --minutes 60 --seed 0 --log soak.jsonl
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from joblib import parallel_config
from joblib.externals.loky import get_reusable_executor

from sklearn_neurox import _row_copies

from .bad_inputs import BAD, ESTIMATORS
from .calls import CALLS, DISPLAYS, EVALUATION, PROBES
from .digests import digest, numbers
from .inputs import Inputs, network
from .process_state import handles, hooks, resident, settings

SIZES = {"tiny": (96, 12), "medium": (1000, 40)}
SEEDS = (0, 1)
# Shares of the kinds of steps.
STEPS = {"call": 0.6, "threads": 0.1, "processes": 0.04, "bad input": 0.13, "interrupt": 0.13}
# Seconds after which a step counts as hanging: tracebacks are printed, and the soak ends.
LONGEST = 1800
# MB that the process may grow after each call has run once.
GROWTH = 300
# Part of the message if two threads edit one network, which they may not.
IN_USE = "is being edited by `intervene` in another thread"
# matplotlib keeps the current figure of the process.
FOR_ONE_THREAD = {*DISPLAYS}
PARALLEL = {
    *EVALUATION, *(name for name in PROBES if name.endswith("grid")),
} - {"probe_report", "compare_scores", "erasure_report", "tune_threshold", "controls and samples"}  # fmt: skip


class Interruption:
    """Raise KeyboardInterrupt in the main thread after a delay, unless the block has ended."""

    def __init__(self, delay: float):
        self.delay, self.armed = delay, False

    def __enter__(self) -> None:
        self.before = signal.signal(signal.SIGALRM, self._interrupt)
        self.armed = True
        signal.setitimer(signal.ITIMER_REAL, self.delay)

    def _interrupt(self, *args: Any) -> None:
        if self.armed:
            self.armed = False
            raise KeyboardInterrupt

    def __exit__(self, *error: Any) -> None:
        self.armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self.before)


@dataclass
class Soak:
    """The state of a soak.

    Parameters
    ----------
    folder : Path
        Of the files that calls read and write.
    seed : int
    log : file
        Receives one line for each step.
    """

    folder: Path
    seed: int
    log: Any
    inputs: dict[tuple[str, str], Inputs] = field(default_factory=dict)
    known: dict[tuple[str, str, int], str] = field(default_factory=dict)
    seconds: dict[tuple[str, str], float] = field(default_factory=dict)
    counts: Counter = field(default_factory=Counter)
    called: Counter = field(default_factory=Counter)
    refused: Counter = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def prepare(self) -> None:
        """Make the inputs, and run each call once, so that what is loaded once is loaded."""
        for size, (n_rows, n_neurons) in SIZES.items():
            folder = self.folder / size
            folder.mkdir()
            made = Inputs.make(folder, n_rows=n_rows, n_neurons=n_neurons)
            self.inputs[size, "memory"] = made
            self.inputs[size, "map"] = made.on_disk()
            self.inputs[size, "store"] = made.in_a_store()
        self.arrays = self._digest_of_inputs()
        for size in SIZES:
            for name in CALLS:
                self._run(name, size, "memory", 0)
        self.settings, self.handles, self.memory = settings(), handles(), resident()
        self.hooks = hooks(network("encoder").model, network("decoder").model)

    def step(self, number: int) -> None:
        """Run one step, which depends on the seed and its number alone, and check what it left."""
        rng = np.random.RandomState([self.seed, number])
        kind = str(rng.choice(list(STEPS), p=list(STEPS.values())))
        about = {"step": number, "kind": kind}
        faults: list[str] = []
        start = time.perf_counter()
        faulthandler.dump_traceback_later(LONGEST, exit=True)
        try:
            about |= getattr(self, f"_{kind.replace(' ', '_')}")(rng)
        except BaseException:
            faults.append(traceback.format_exc())
        faulthandler.cancel_dump_traceback_later()
        faults += self._violations()
        self.counts[kind] += 1
        self.faults += [f"step {number}: {fault}" for fault in faults]
        about |= {"seconds": round(time.perf_counter() - start, 3), "rss": round(resident(), 1)}
        self.log.write(json.dumps(about | handles() | {"faults": faults}) + "\n")
        self.log.flush()

    def _call(self, rng: np.random.RandomState) -> dict[str, Any]:
        about = self._choose(rng, list(CALLS))
        self._run(**about)
        return about

    def _threads(self, rng: np.random.RandomState) -> dict[str, Any]:
        names = [name for name in CALLS if name not in FOR_ONE_THREAD]
        chosen = [self._choose(rng, names) for _ in range(3)]
        with ThreadPoolExecutor(3) as pool:
            for each in [pool.submit(self._run, **about) for about in chosen]:
                try:
                    each.result()
                except RuntimeError as error:
                    if IN_USE not in str(error):
                        raise
                    self.refused[IN_USE] += 1
        return {"names": [about["name"] for about in chosen]}

    def _processes(self, rng: np.random.RandomState) -> dict[str, Any]:
        about = self._choose(rng, sorted(PARALLEL))
        backend = str(rng.choice(["threading", "loky"]))
        try:
            with parallel_config(backend=backend):
                self._run(**about, n_jobs=2)
        finally:
            if backend == "loky":
                get_reusable_executor(reuse=True).shutdown(wait=True)
        return about | {"backend": backend}

    def _bad_input(self, rng: np.random.RandomState) -> dict[str, Any]:
        name, bad = str(rng.choice(list(ESTIMATORS))), str(rng.choice(list(BAD)))
        size, where = self._place(rng)
        estimator, inputs = ESTIMATORS[name](0), self.inputs[size, where]
        if rng.uniform() < 0.5:
            estimator.fit(inputs.X, inputs.labels)
        X, y = BAD[bad](inputs)
        before = digest(estimator)
        try:
            estimator.fit(X, y)
        except (TypeError, ValueError) as error:
            self.refused[type(error).__name__] += 1
            if digest(estimator) != before:
                raise AssertionError(f"The estimator {name} has changed.") from error
            return {"name": name, "bad": bad, "error": str(error)[:100]}
        raise AssertionError(f"{name} accepts {bad}.")

    def _interrupt(self, rng: np.random.RandomState) -> dict[str, Any]:
        about = self._choose(rng, list(CALLS))
        delay = max(1e-4, rng.uniform() * self.seconds[about["name"], about["size"]])
        try:
            with Interruption(delay):
                self._run(**about)
            ended = "finished"
        except KeyboardInterrupt:
            ended = "interrupted"
            self._restore_filters()
        if "matplotlib.pyplot" in sys.modules:
            sys.modules["matplotlib.pyplot"].close("all")
        self.counts[ended] += 1
        return about | {"ended": ended}

    def _restore_filters(self) -> None:
        """Remove the filter that scikit-learn's check_array leaves if its end is interrupted."""
        left = ("error", None, np.exceptions.ComplexWarning, None, 0)
        if left in warnings.filters and left not in self.settings["warnings"]:
            warnings.filters.remove(left)  # type: ignore[attr-defined]
            self.counts["filters of scikit-learn"] += 1

    def _choose(self, rng: np.random.RandomState, names: list[str]) -> dict[str, Any]:
        size, where = self._place(rng)
        return {
            "name": str(rng.choice(names)), "size": size, "where": where,
            "seed": int(rng.choice(SEEDS)),
        }  # fmt: skip

    def _place(self, rng: np.random.RandomState) -> tuple[str, str]:
        places = list(self.inputs)
        return places[rng.randint(len(places))]

    def _run(self, name: str, size: str, where: str, seed: int, n_jobs: int | None = None) -> None:
        """Run a call, and check that its result is finite and has the same bits as before."""
        start = time.perf_counter()
        result = CALLS[name](self.inputs[size, where], seed, n_jobs)
        self.seconds[name, size] = time.perf_counter() - start
        self.called[name] += 1
        if not np.isfinite(numbers(result)).all():
            raise AssertionError(f"The result of {name} is not finite.")
        found = digest(result)
        if self.known.setdefault((name, size, seed), found) != found:
            raise AssertionError(
                f"{name} with {size} inputs in {where}, seed {seed} and {n_jobs} jobs has other bits."
            )

    def _digest_of_inputs(self) -> list[str]:
        return [digest(inputs.arrays()) for inputs in self.inputs.values()]

    def _violations(self) -> list[str]:
        """Return what has changed, or was left."""
        found, now = [], settings()
        found += [
            f"changed: {name}, from {self.settings[name]} to {now[name]}"
            for name in now
            if now[name] != self.settings[name]
        ]
        if self._digest_of_inputs() != self.arrays:
            found.append("inputs were changed")
        if hooks(network("encoder").model, network("decoder").model) != self.hooks:
            found.append("hooks were left")
        left = handles()
        # The processes of joblib that track resources, and their pipes, stay.
        spare = {"files": 4, "processes": 2}
        found += [
            f"{count} {name} instead of {self.handles[name]}"
            for name, count in left.items()
            if count > self.handles[name] + spare.get(name, 0)
        ]
        self.settings = now  # each change is reported once
        if resident() > self.memory + GROWTH:
            found.append(f"{resident():.0f} MB of memory instead of {self.memory:.0f}")
        return found

    def summary(self) -> dict[str, Any]:
        """Return the figures of all steps."""
        return {
            "steps": dict(self.counts),
            "calls": sum(self.called.values()),
            "kinds of calls": len(self.called),
            "least often": min(self.called.values()),
            "refused": dict(self.refused),
            "memory after each call ran once": round(self.memory),
            "memory at the end": round(resident()),
            "handles at the start": self.handles,
            "handles at the end": handles(),
            "faults": len(self.faults),
        }


def main(arguments: list[str] | None = None) -> int:
    """Run the soak, and return 1 if it found faults."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log", type=Path, default=Path("soak.jsonl"))
    parser.add_argument("--steps", type=int, nargs="*", help="run these steps instead")
    options = parser.parse_args(arguments)
    faulthandler.enable()
    warnings.simplefilter("error")
    _row_copies._LARGEST_IN_MEMORY = 1 << 15  # copies of rows of memory maps are files
    with tempfile.TemporaryDirectory() as folder, open(options.log, "w") as log:
        (temporary := Path(folder) / "temporary").mkdir()
        tempfile.tempdir = str(temporary)
        soak = Soak(Path(folder), options.seed, log)
        soak.prepare()
        _until(options.minutes, options.steps, soak.step)
        summary = soak.summary()
        log.write(json.dumps(summary) + "\n")
        tempfile.tempdir = None
    print(json.dumps(summary, indent=1))
    print("\n".join(soak.faults))
    return 1 if soak.faults else 0


def _until(minutes: float, steps: list[int] | None, run: Callable[[int], None]) -> None:
    if steps is not None:
        for number in steps:
            run(number)
        return
    end, number = time.monotonic() + 60 * minutes, 0
    while time.monotonic() < end:
        run(number)
        number += 1


if __name__ == "__main__":
    sys.exit(main())
