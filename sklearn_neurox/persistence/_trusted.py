"""The types that a file may contain."""

from __future__ import annotations

import pathlib
from importlib import import_module
from typing import Any

import numpy as np
import sklearn.model_selection
import torch
from sklearn.base import BaseEstimator
from sklearn.metrics import get_scorer, get_scorer_names

from ..evaluation.decision_metrics import DecisionScorer
from ..evaluation.metrics import METRICS

ESTIMATORS = [
    each
    for package in ("extraction", "interventions", "neurons", "probes")
    for each in vars(import_module(f"..{package}", __package__)).values()
    if isinstance(each, type) and issubclass(each, BaseEstimator)
]
# A fitted search contains a scorer, which contains its metric.
_SCORERS = ["_MultimetricScorer", "_PassthroughScorer", "_Scorer"]
_METRICS = [*METRICS.values(), *(get_scorer(name)._score_func for name in get_scorer_names())]
# Values of the parameter `cv`, such as GroupKFold.
_SPLITTERS = [
    each
    for each in vars(sklearn.model_selection).values()
    if isinstance(each, type) and hasattr(each, "split")
]
# Types of the parameters `device`, `dtype` and `model`.
_VALUES = [torch.device, np.dtype, pathlib.PosixPath, pathlib.WindowsPath]
# Types that a file may contain besides those that skops trusts: the estimators, arrays and random
# states of scikit-learn, NumPy and SciPy. A file can call everything trusted with its own
# arguments, so nothing here may execute its arguments or touch files. Hence neither the holder of
# loaded networks, which unpickles, nor SciPy's distributions, which compile text, can be trusted.
TRUSTED = [
    *[
        f"{each.__module__}.{each.__qualname__}"
        for each in (*ESTIMATORS, DecisionScorer, *_METRICS, *_SPLITTERS, *_VALUES)
    ],
    *[f"sklearn.metrics._scorer.{name}" for name in _SCORERS],
    "sklearn.utils._bunch.Bunch",  # names the estimators of VotingSelector and of ensembles
]


def skops() -> Any:
    """Import skops, which takes 0.4 s, when it is used."""
    import skops.io

    return skops.io


def untrusted(content: bytes) -> list[str]:
    """Return the names of the types in a file that are not trusted. No object is created."""
    return sorted(set(skops().get_untrusted_types(data=content)) - set(TRUSTED))
