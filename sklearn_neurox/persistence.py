"""Persistence: save estimators as skops files, and load them without running code from the file."""

from __future__ import annotations

import io
import os
import pathlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version
from typing import Any
from zipfile import ZipFile

import numpy as np
import sklearn.model_selection
import torch
from sklearn.base import BaseEstimator
from sklearn.metrics import get_scorer, get_scorer_names

from ._files import replace_file
from ._warnings import warn
from .evaluation.metrics import METRICS

__all__ = ["load", "save"]

_ESTIMATORS = [
    each
    for package in ("extraction", "interventions", "neurons", "probes")
    for each in vars(import_module(f"{__package__}.{package}")).values()
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
_TRUSTED = [
    *[
        f"{each.__module__}.{each.__qualname__}"
        for each in (*_ESTIMATORS, *_METRICS, *_SPLITTERS, *_VALUES)
    ],
    *[f"sklearn.metrics._scorer.{name}" for name in _SCORERS],
    "sklearn.utils._bunch.Bunch",  # names the estimators of VotingSelector and of ensembles
]
# Callbacks and metadata requests belong to the running program. No fitted attribute depends on
# them.
_LEFT_OUT = ("_metadata_request", "_skl_callbacks")
# Member of the zip archive that lists the versions of the libraries. skops ignores it.
_VERSIONS = "sklearn_neurox.txt"


def save(estimator: BaseEstimator, path: str | os.PathLike[str]) -> None:
    """Save an estimator to a file that contains data and names of types, but no code.

    The file contains the parameters and all fitted attributes except ``net_``, which prediction
    does not need. Callbacks and metadata requests are left out.

    Parameters
    ----------
    estimator : estimator
        An estimator of this package, or a Pipeline, search, selector, clustering or other
        estimator of scikit-learn, fitted or not. It is not changed.
    path : str or path-like
        Path of the file, usually with the suffix ``.skops``. An existing file is replaced in one
        step. If saving fails, it is left unchanged.

    Raises
    ------
    TypeError
        If `estimator` is not an estimator, or contains an object that :func:`load` would not
        accept, such as a function, a loaded network or a user-defined class. The message names
        the parameter, and nothing is written.
    FileNotFoundError
        If the folder of `path` does not exist.
    IsADirectoryError
        If `path` is a folder.

    See Also
    --------
    load : Load the file.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> import sklearn_neurox as snx
    >>> X, y = load_iris(return_X_y=True)
    >>> pipeline = make_pipeline(StandardScaler(), snx.LinearProbeClassifier(random_state=0))
    >>> pipeline = pipeline.fit(X, y)
    >>> with TemporaryDirectory() as folder:
    ...     snx.save(pipeline, Path(folder) / "iris.skops")
    ...     loaded = snx.load(Path(folder) / "iris.skops")
    >>> bool((loaded.predict(X) == pipeline.predict(X)).all())
    True
    """
    if not isinstance(estimator, BaseEstimator):
        raise TypeError(f"The first argument of save must be an estimator, got {estimator!r:.80}.")
    path = pathlib.Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"Cannot save to {path}: the folder {path.parent} does not exist.")
    if path.is_dir():
        raise IsADirectoryError(f"Cannot save to {path}: it is a folder. Pass the path of a file.")
    with _without_callbacks(estimator):
        try:
            content = _dump(estimator)
        except Exception as error:
            raise TypeError(f"Cannot save {_blame(estimator)}") from error
    replace_file(path, content)


def load(path: str | os.PathLike[str]) -> Any:
    """Load an estimator that was saved by :func:`save`.

    Only objects of trusted types are created, and no code from the file is executed. Loading a file
    from an unknown source therefore returns an estimator or raises an error. However, the author of
    the file still controls the parameters and the fitted values of the estimator.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    estimator
        The estimator that was saved. Its predictions are bit-for-bit identical.

    Warns
    -----
    UserWarning
        If the file was written by another version of this package.
    sklearn.exceptions.InconsistentVersionWarning
        If the estimators were saved with another version of scikit-learn.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ValueError
        If the file was not written by :func:`save`, is damaged or truncated, or contains types that
        are not trusted. In the last case, the message names the types, and no object is created.

    See Also
    --------
    save : Save an estimator, with an example of both.
    """
    content = pathlib.Path(path).read_bytes()
    try:
        with ZipFile(io.BytesIO(content)) as archive:
            written = archive.read(_VERSIONS).decode()
    except Exception as error:
        raise ValueError(
            f"Cannot load {path}: it was not written by save, or it is damaged ({error})."
        ) from error
    current = _versions()
    about = f"It was written with {written:.200}, and the installed versions are {current}."
    try:
        if unknown := _untrusted(content):
            raise ValueError(
                f"it contains objects of types that are not trusted: {unknown}. If you trust them, "
                "use skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path))."
            )
        estimator = _skops().loads(content, trusted=_TRUSTED)
        if not isinstance(estimator, BaseEstimator):
            raise ValueError(f"it contains a {type(estimator).__name__}, not an estimator.")
    except Exception as error:
        raise ValueError(f"Cannot load {path}: {str(error).rstrip('.')}. {about}") from error
    if written.split(",")[0] != current.split(",")[0]:
        warn(f"The estimator in {path} may not work or may return different results. {about}")
    return estimator


def _dump(value: Any) -> bytes:
    """Return the content of a file, and check that it can be loaded."""
    for part in _parts(value):
        if isinstance(part, torch.nn.Module):
            raise TypeError("it is a loaded network. Pass the name or path of the model instead.")
    file = io.BytesIO()
    _skops().dump(value, file)
    with ZipFile(file, "a") as archive:
        archive.writestr(_VERSIONS, _versions())
    content = file.getvalue()
    if unknown := _untrusted(content):
        raise TypeError(f"load does not accept objects of the types {unknown}.")
    # skops writes keys as text, and reads the text "False" as True.
    if _keys(_skops().loads(content, trusted=_TRUSTED)) != _keys(value):
        raise TypeError(
            "a dict would be loaded with different keys. Use 1 and 0 as keys instead of True and "
            "False."
        )
    return content


def _parts(value: Any) -> Iterator[Any]:
    """Yield a value and, recursively, its parameters, fitted attributes and items."""
    yield value
    inside: Iterable[Any] = ()
    if isinstance(value, BaseEstimator):
        inside = (value.__getstate__() | value.get_params(deep=False)).values()
    elif isinstance(value, dict):
        inside = value.values()
    elif isinstance(value, list | tuple):
        inside = value
    for part in inside:
        yield from _parts(part)


def _keys(value: Any) -> list[list[Any]]:
    return [list(part) for part in _parts(value) if isinstance(part, dict)]


@contextmanager
def _without_callbacks(estimator: Any) -> Iterator[None]:
    owners = [vars(part) for part in _parts(estimator) if isinstance(part, BaseEstimator)]
    removed = [
        (owner, name, owner.pop(name)) for owner in owners for name in _LEFT_OUT if name in owner
    ]
    try:
        yield
    finally:
        for owner, name, value in removed:
            owner[name] = value


def _blame(estimator: Any) -> str:
    """Describe the innermost parameter or attribute that cannot be saved, and why."""
    owner = type(estimator).__name__
    places = {"parameter": estimator.get_params(), "attribute": estimator.__getstate__()}
    for kind, values in places.items():
        errors = {name: error for name, value in values.items() if (error := _error_of(value))}
        if errors:
            # The last, because a Pipeline lists `steps` before the steps themselves.
            deepest = sorted(errors, key=lambda name: name.count("__"))[-1]
            return f"the {kind} {deepest} of {owner}: {errors[deepest]}"
    return f"{owner}: {_error_of(estimator)}"


def _error_of(value: Any) -> str:
    try:
        _dump(value)
    except Exception as error:
        return str(error) or type(error).__name__
    return ""


def _skops() -> Any:
    import skops.io  # takes 0.4 s, so it is imported only when it is used

    return skops.io


def _untrusted(content: bytes) -> str:
    unknown = set(_skops().get_untrusted_types(data=content)) - set(_TRUSTED)
    return ", ".join(sorted(unknown))


def _versions() -> str:
    numbers = {"sklearn-neurox": import_module(__package__).__version__}
    numbers |= {name: version(name) for name in ("scikit-learn", "numpy", "torch", "skops")}
    return ", ".join(f"{name} {number}" for name, number in numbers.items())
