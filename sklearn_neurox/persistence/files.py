"""Persistence: save estimators as skops files, and load them without running code from the file."""

from __future__ import annotations

import io
import os
import pathlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version
from typing import Any
from zipfile import ZipFile

import numpy as np
import torch
from sklearn.base import BaseEstimator

from .._files import replace_file
from .._warnings import warn
from ._archive import VERSIONS, check_archive
from ._difference import check_same
from ._fitted import check_fitted
from ._fitted_others import RefusalError
from ._parts import check_depth, parts
from ._trusted import TRUSTED, skops, untrusted

# Callbacks and metadata requests belong to the running program. No fitted attribute depends on
# them.
_LEFT_OUT = ("_metadata_request", "_skl_callbacks")

_MAX_BITS = 10_000  # of an integer, which is written as text; Python refuses very long ones


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
    >>> probe = snx.LinearProbeClassifier(lambda_l2=0.01, solver="owlqn")
    >>> pipeline = make_pipeline(StandardScaler(), probe)
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
    try:
        check_depth(estimator)
    except TypeError as error:
        raise TypeError(f"Cannot save {error}") from None
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
    try:
        content = pathlib.Path(path).read_bytes()
    except MemoryError:
        size = pathlib.Path(path).stat().st_size
        raise ValueError(f"Cannot load {path}: its {size:,} bytes do not fit in memory.") from None
    try:
        written = check_archive(content)
    except Exception as error:  # of the readers of zip, JSON and text, for damaged content
        raise ValueError(
            f"Cannot load {path}: it was not written by save, or it is damaged "
            f"({str(error) or type(error).__name__})."
        ) from error
    current = _versions()
    about = f"It was written with {written:.200}, and the installed versions are {current}."
    try:
        if unknown := untrusted(content):
            raise RefusalError(
                f"it contains objects of types that are not trusted: {', '.join(unknown)}. If you "
                "know who wrote the file and expect these types, use skops.io.load(path, "
                f"trusted={unknown})."
            )
        estimator = skops().loads(content, trusted=TRUSTED)
        if not isinstance(estimator, BaseEstimator):
            raise RefusalError(f"it contains a {type(estimator).__name__}, not an estimator.")
        check_fitted(estimator)
    except Exception as error:  # of any class that the file names, for attributes it cannot have
        reason = str(error).rstrip(".")
        if isinstance(error, MemoryError):
            reason = "it does not fit in memory"
        elif not isinstance(error, RefusalError):
            reason = f"it is damaged ({type(error).__name__}: {reason})"
        raise ValueError(f"Cannot load {path}: {reason}. {about}") from error
    if written.split(",")[0] != current.split(",")[0]:
        warn(f"The estimator in {path} may not work or may return different results. {about}")
    return estimator


def _dump(value: Any) -> bytes:
    """Return the content of a file, and check that it can be loaded."""
    for part in parts(value):
        _check_part(part)
    file = io.BytesIO()
    try:
        skops().dump(value, file)
    except TypeError as error:
        if unknown := re.findall("cannot pickle '(.+)' object", str(error)):
            raise _not_accepted(unknown) from error
        raise
    with ZipFile(file, "a") as archive:
        archive.writestr(VERSIONS, _versions())
    content = file.getvalue()
    if unknown := untrusted(content):
        raise _not_accepted(unknown)
    check_archive(content)
    loaded = skops().loads(content, trusted=TRUSTED)
    check_same(value, loaded)
    check_fitted(loaded)
    return content


def _not_accepted(types: list[str]) -> TypeError:
    return TypeError(
        "load accepts estimators, arrays, strings, numbers and containers of these, but not "
        f"objects of the types {', '.join(types)}."
    )


def _check_part(part: Any) -> None:
    if isinstance(part, torch.nn.Module):
        raise TypeError("it is a loaded network. Pass the name or path of the model instead.")
    if isinstance(part, np.random.Generator | np.random.BitGenerator):
        raise TypeError(
            f"it is a {type(part).__name__}. Pass an integer or a RandomState as random_state."
        )
    if isinstance(part, int) and part.bit_length() > _MAX_BITS:
        raise TypeError(f"it is an integer of {part.bit_length():,} bits, more than {_MAX_BITS:,}.")
    if isinstance(part, dict):
        _check_keys(part)


def _check_keys(content: dict[Any, Any]) -> None:
    """Check the keys of a dict, which skops writes as text."""
    for key in content:
        if isinstance(key, bool | np.bool_):
            raise TypeError(
                "a dict would be loaded with different keys. Use 1 and 0 as keys instead of True "
                "and False."
            )
        if not isinstance(key, str | int | float | np.integer | np.floating):
            raise TypeError(
                f"a dict has the key {key!r:.80} of type {type(key).__name__}. Use strings or "
                "numbers as keys."
            )


@contextmanager
def _without_callbacks(estimator: Any) -> Iterator[None]:
    owners = [vars(part) for part in parts(estimator) if isinstance(part, BaseEstimator)]
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


def _versions() -> str:
    numbers = {"sklearn-neurox": import_module("..", __package__).__version__}
    numbers |= {name: version(name) for name in ("scikit-learn", "numpy", "torch", "skops")}
    return ", ".join(f"{name} {number}" for name, number in numbers.items())
