"""Save a fitted probe as a safetensors file and load it again: data only, nothing that can run."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import secrets
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save
from sklearn.base import BaseEstimator, is_classifier
from sklearn.utils.validation import check_is_fitted

# The classes that a file may name, and their modules. A name in a file is looked up here alone.
_MODULES = {
    "LinearProbeClassifier": "linear_classifier",
    "LinearProbeRegressor": "linear_regressor",
    "LinearProbeClassifierCV": "linear_cv",
    "LinearProbeRegressorCV": "linear_cv",
    "GaussianProbeClassifier": "gaussian",
}
_LEFT_OUT = {"net_"}  # an object, not data; prediction does not need it
_SCHEMA = 1
_KEY = "sklearn_neurox"
_MAX_TEXT = 16 * 2**20  # characters; a probe with the names of 100,000 neurons has about 2 million
# The dtypes that a file may name: numbers that safetensors stores, and strings of fixed width.
_DTYPE = re.compile(r"\|[biu]1|[<>]([iuf][248]|U\d{1,7})")
# What reading, decoding and checking raise on a file that is not as it should be.
_BAD_FILE = (
    SafetensorError,
    ValueError,
    TypeError,
    AttributeError,
    OverflowError,
    RecursionError,
    np.ma.MAError,
)


def save_probe(probe: BaseEstimator, path: str | os.PathLike[str]) -> None:
    """Save a fitted probe in one safetensors file.

    The file holds numbers and text and no code: the numeric arrays as tensors, all else as JSON
    in the metadata. Saved are the parameters and the fitted attributes, public names that end
    with an underscore, except ``net_``: prediction does not
    need them. Callbacks and metadata requests are not saved. A ``torch.device`` becomes its name.

    Parameters
    ----------
    probe : estimator
        A fitted probe of this package; it is not changed.
    path : str or path-like
        The file, by custom with the suffix ``.safetensors``. A file that is there is replaced,
        all at once: if saving fails, it stays as it was.

    Raises
    ------
    TypeError
        If `probe` is no probe, such as a Pipeline; or if it holds what is neither a number
        nor text, such as a ``RandomState`` or a splitter, naming the parameter.
    sklearn.exceptions.NotFittedError
        If the probe is not fitted.
    ValueError
        If a parameter is out of range, or what is fitted could not predict, such as a NaN in
        ``coef_``.
    FileNotFoundError
        If the folder of `path` is not there.
    IsADirectoryError
        If `path` is a folder.

    See Also
    --------
    load_probe : Loads the file.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_neurox import LinearProbeClassifier, load_probe, save_probe
    >>> X, y = load_iris(return_X_y=True)
    >>> probe = LinearProbeClassifier(random_state=0).fit(X, y)
    >>> with TemporaryDirectory() as folder:
    ...     save_probe(probe, Path(folder) / "iris.safetensors")
    ...     loaded = load_probe(Path(folder) / "iris.safetensors")
    >>> bool((loaded.predict(X) == probe.predict(X)).all())
    True
    """
    if hasattr(path, "fit"):
        raise TypeError("save_probe takes the probe first, and then the path.")
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: name a file in it to save a probe in.")
    name = type(probe).__name__
    if name not in _MODULES or type(probe) is not _class_of(name):
        raise TypeError(f"save_probe takes one of {', '.join(_MODULES)}; got {name}.")
    check_is_fitted(probe)
    content, tensors = _describe(probe)
    text = json.dumps(content | {"sha256": _digest(content, tensors)}, separators=(",", ":"))
    _make_probe(text, tensors)  # what load_probe would refuse is refused before any writing
    _replace_file(path, save(tensors, {_KEY: text}))


def load_probe(path: str | os.PathLike[str]) -> Any:
    """Load a probe that ``save_probe`` saved.

    Nothing in the file is executed, so a file from a stranger does no harm: it makes a probe or an
    error. A checksum tells files that were damaged; it does not tell who wrote them.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    estimator
        A fitted probe of the class that was saved, with its predictions, bit for bit.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a file of ``save_probe``, is damaged or truncated, contradicts itself, or was
        written by a newer version.

    See Also
    --------
    save_probe : Saves a probe, with an example of both.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        raise ValueError(f"Cannot load a probe from {path}: it is not a file.")
    try:
        return _make_probe(*_read(path))
    except _BAD_FILE as error:
        raise ValueError(f"Cannot load a probe from {path}: {error}") from error


def _class_of(name):
    if name not in _MODULES:
        raise ValueError(f"its class {name[:80]!r} is not one of {', '.join(_MODULES)}.")
    return getattr(import_module(f".{_MODULES[name]}", __package__), name)


def _is_fitted_name(cls, name):
    return (
        name.isidentifier()
        and name.endswith("_")
        and not name.startswith("_")
        and name not in _LEFT_OUT
        and not hasattr(cls, name)  # a method or property
    )


def _describe(probe):
    """Describe a probe by what JSON can hold, and tensors by name."""
    tensors: dict[str, np.ndarray] = {}
    cls = type(probe)
    parameters = probe.get_params(deep=False)
    fitted = {name: value for name, value in vars(probe).items() if _is_fitted_name(cls, name)}
    content = {
        "schema": _SCHEMA,
        "version": import_module(__package__.partition(".")[0]).__version__,
        "class": cls.__name__,
        "parameters": {name: _encode(value, name, tensors) for name, value in parameters.items()},
        "fitted": {name: _encode(value, name, tensors) for name, value in fitted.items()},
    }
    return content, tensors


def _make_probe(text, tensors):
    """Make the probe that a JSON text and tensors describe."""
    if len(text) > _MAX_TEXT:
        raise ValueError(f"its description has {len(text):,} characters of {_MAX_TEXT:,} at most.")
    content = json.loads(text, object_pairs_hook=_unique)
    match content:
        case {"schema": int(schema), "version": str(version)} if schema != _SCHEMA:
            raise ValueError(
                f"sklearn_neurox {version} wrote it in schema {schema}, but this one reads schema "
                f"{_SCHEMA}{'; upgrade sklearn_neurox.' if schema > _SCHEMA else '.'}"
            )
        case {"schema": int(), "class": str(name), "parameters": dict(), "fitted": dict()}:
            cls = _class_of(name)
        case _:
            raise ValueError(f"its description is not in schema {_SCHEMA}.")
    if content.get("sha256") != _digest(content, tensors):
        raise ValueError("it is damaged: its checksum is not that of its content.")
    parameters, fitted = content["parameters"], content["fitted"]
    # A parameter that is missing came with a later version: its default is what was before.
    if wrong := sorted(parameters.keys() - set(cls._get_param_names())):
        raise ValueError(f"its parameters {wrong} are unknown to {name}.")
    if wrong := [key for key in fitted if not _is_fitted_name(cls, key)]:
        raise ValueError(f"{wrong} cannot be fitted attributes of {name}.")
    left = dict(tensors)
    probe = cls(**{key: _decode(value, left) for key, value in parameters.items()})
    probe._validate_params()
    for key, value in fitted.items():
        setattr(probe, key, _decode(value, left))
    if left:
        raise ValueError(f"nothing refers to the tensors {sorted(left)}.")
    _check_consistent(probe)
    return probe


def _unique(pairs):
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError(f"a key is there twice among {[key for key, _ in pairs][:20]}.")
    return fields


def _encode(value, name, tensors):
    """Turn a value into JSON, and put its numeric arrays into `tensors`."""
    kind = type(value)
    if value is None or kind in (bool, int, str) or (kind is float and math.isfinite(value)):
        return value
    if kind is float:  # JSON has no infinity
        return {"type": "float", "value": str(value)}
    if kind is list:
        return [_encode(item, f"{name}[{i}]", tensors) for i, item in enumerate(value)]
    if kind is tuple:
        return {"type": "tuple", "items": _encode([*value], name, tensors)}
    if kind is dict:  # as pairs, because JSON has only strings for keys
        keys = _encode([*value], f"{name}.keys", tensors)
        values = [_encode(item, f"{name}[{key!r}]", tensors) for key, item in value.items()]
        return {"type": "dict", "items": [*map(list, zip(keys, values, strict=True))]}
    if kind is torch.device:
        return str(value)
    if isinstance(value, np.generic) and _DTYPE.fullmatch(value.dtype.str):
        return {"type": "scalar", "value": _encode(np.asarray(value), name, tensors)}
    if kind is np.ma.MaskedArray:
        data = _encode(value.data, f"{name}.data", tensors)
        mask = _encode(np.ma.getmaskarray(value), f"{name}.mask", tensors)
        return {"type": "masked", "data": data, "mask": mask}
    if kind is np.ndarray and value.dtype.kind in "OU":
        items = _encode(value.ravel().tolist(), name, tensors)
        return {"type": "array", "dtype": value.dtype.str, "shape": value.shape, "items": items}
    if kind is np.ndarray and _DTYPE.fullmatch(value.dtype.str):
        tensors[name] = value.astype(value.dtype.newbyteorder("="), order="C", copy=False)
        # The layout is kept, because a product can differ with it in the last bit.
        order = "F" if value.flags.fnc else "C"
        return {"type": "tensor", "name": name, "dtype": value.dtype.str, "order": order}
    raise TypeError(
        f"{name} is a {kind.__name__}, but only None, booleans, numbers, strings, and lists, "
        f"tuples, dicts and arrays of these can be saved. Set {name.partition('[')[0]} to None or "
        "a number first; that changes no prediction."
    )


def _decode(value, tensors):
    """Turn JSON back into the value that it was, taking its arrays out of `tensors`."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case list():
            return [_decode(item, tensors) for item in value]
        case {"type": "float", "value": "nan" | "inf" | "-inf" as number}:
            return float(number)
        case {"type": "tuple", "items": list(items)}:
            return tuple(_decode(items, tensors))
        case {"type": "dict", "items": list(items)}:
            return _unique(_decode(items, tensors))
        case {"type": "scalar", "value": {"type": "tensor" | "array"} as array}:
            return _decode(array, tensors)[()]
        case {"type": "masked", "data": data, "mask": mask}:
            return np.ma.MaskedArray(_decode(data, tensors), mask=_decode(mask, tensors))
        case {"type": "tensor", "name": str(name), "dtype": dtype, "order": "C" | "F" as order}:
            return _numbers(dtype, order, name, tensors.pop(name, None))
        case {"type": "array", "dtype": "|O", "shape": list(shape), "items": list(items)}:
            return np.fromiter(_decode(items, tensors), object, len(items)).reshape(shape)
        case {"type": "array", "dtype": dtype, "shape": list(shape), "items": list(items)}:
            return _strings(dtype, items).reshape(shape)
    raise ValueError(f"save_probe does not write {str(value)[:80]}.")


def _numbers(dtype, order, name, tensor):
    if tensor is None:
        raise ValueError(f"the tensor {name!r} is missing, or referred to twice.")
    if not _DTYPE.fullmatch(dtype) or tensor.dtype != np.dtype(dtype).newbyteorder("="):
        raise ValueError(f"the tensor {name!r} should be of {dtype[:80]!r}, got {tensor.dtype}.")
    return np.array(tensor, dtype=dtype, order=order)


def _strings(dtype, items):
    width = int(dtype[2:]) if _DTYPE.fullmatch(dtype) and dtype[1] == "U" else -1
    fits = all(isinstance(item, str) and len(item) <= width for item in items)
    # A width takes a few characters in the file, and could ask for all of the memory.
    if width < 0 or not fits or width * len(items) > _MAX_TEXT:
        raise ValueError(f"{str(items)[:80]} cannot be an array of dtype {dtype[:80]!r}.")
    return np.array(items, dtype=dtype)


def _check_consistent(probe):
    """Check that what is fitted can predict: shapes that agree, numbers that are finite."""
    n_neurons = probe.n_features_in_
    if type(n_neurons) is not int or n_neurons < 1:
        raise ValueError(f"n_features_in_ must be a positive int, got {str(n_neurons)[:80]}.")
    if "feature_names_in_" in vars(probe):
        _check_array(probe, "feature_names_in_", "O", (n_neurons,))
    if not getattr(probe, "refit", True):  # a search without refit has scores, and no weights
        return
    if is_classifier(probe):
        classes = probe.classes_
        _check_array(probe, "classes_", "biufUO", (np.size(classes),))
        if len(classes) < 2 or not (classes[1:] > classes[:-1]).all():
            raise ValueError("classes_ must be two labels or more, different and sorted.")
    for name, shape in _expected_shapes(probe).items():
        _check_array(probe, name, "f", shape)


def _expected_shapes(probe):
    n_neurons = probe.n_features_in_
    if not is_classifier(probe):
        rows = np.shape(probe.coef_)[:-1][:1]  # none for a y of one dimension
        return {"coef_": (*rows, n_neurons), "intercept_": rows}
    n_classes = len(probe.classes_)
    if type(probe).__name__ == "GaussianProbeClassifier":
        means = (n_classes, n_neurons)
        return {"class_prior_": means[:1], "means_": means, "covariances_": (*means, n_neurons)}
    n_rows = 1 if n_classes == 2 else n_classes
    return {"coef_": (n_rows, n_neurons), "intercept_": (n_rows,)}


def _check_array(probe, name, kinds, shape):
    array = getattr(probe, name)
    if not isinstance(array, np.ndarray | np.generic) or array.dtype.kind not in kinds:
        raise ValueError(f"{name} must be an array of dtype kind {kinds}, got {str(array)[:80]}.")
    if array.shape != shape:
        raise ValueError(f"{name} should have the shape {shape}, got {array.shape}.")
    if kinds == "f" and not np.isfinite(array).all():
        raise ValueError(f"{name} contains NaN or infinity.")
    if array.dtype == object and not all(isinstance(item, str) for item in array.tolist()):
        raise ValueError(f"{name} of dtype object must hold strings.")


def _digest(content, tensors):
    """Checksum of a description: safetensors does not notice a flipped bit."""
    content = {key: value for key, value in content.items() if key != "sha256"}
    digest = hashlib.sha256(json.dumps(content).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tensor.shape}".encode())
        digest.update(tensor.tobytes())
    return digest.hexdigest()


def _read(path):
    with safe_open(path, framework="numpy") as file:
        text = (file.metadata() or {}).get(_KEY)
        if text is None:  # a model may be large: leave its tensors
            raise ValueError("it is a safetensors file, but not one that save_probe wrote.")
        return text, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 -- no iterator


def _replace_file(path, content):
    """Write a file in one step, so that no one ever finds half of it."""
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {path.parent} to save a probe in.")
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
