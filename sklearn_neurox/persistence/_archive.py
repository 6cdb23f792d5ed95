"""The archive of a file: its members, checked before any of them is read into an object.

skops reserves the memory that a file declares. In a few bytes, a file can declare any amount: in
the shape of an array, in the size of its items, in a compressed member, or in a member that is read
for each of many arrays. Here, everything declared is compared with the bytes that are stored, so
loading takes memory in proportion to the size of the file.
"""

from __future__ import annotations

import io
import json
import math
import pathlib
import re
from ast import literal_eval
from collections.abc import Iterator
from typing import Any
from zipfile import ZIP_STORED, ZipFile

import numpy as np
import torch

from ._trusted import TRUSTED

Json = dict[str, Any]

# Member that lists the versions of the libraries. skops ignores it.
VERSIONS = "sklearn_neurox.txt"
_SCHEMA = "schema.json"
_PROTOCOL = 2  # of the oldest supported skops; skops itself refuses newer ones than its own
# The header that NumPy writes for arrays of booleans, numbers, strings, dates and durations, or of
# records of these. Nothing can be nested, so the dtype can be evaluated.
_ITEM = r"'[<>|][biufcSUmM]\d{1,10}(\[\w+\])?'"
_RECORD = rf"\[(\('\w*', ({_ITEM}|'\|V\d{{1,3}}')\)(, )?)+\]"
_NPY = re.compile(
    rf"\x93NUMPY\x01\x00(?P<size>..)\{{'descr': (?P<descr>{_ITEM}|{_RECORD}), "
    r"'fortran_order': (True|False), "
    r"'shape': \((?P<shape>(\d{1,18}, ?)*(\d{1,18})?)\), \} *\n".encode("latin-1"),
    re.DOTALL,
)
_MAX_HEADER = 10_000
# Size of an item of an array without items, for which NumPy reserves the memory of one.
_MAX_EMPTY_ITEM = 2**16
_READERS = {"NdArrayNode", "BytesNode", "BytearrayNode"}
_LOADERS = _READERS | {
    "ConstructorFromReduceNode", "DTypeNode", "DefaultDictNode", "DictNode", "FunctionNode",
    "JsonNode", "ListNode", "LossNode", "MaskedArrayNode", "MethodNode", "ObjectNode",
    "OperatorFuncNode", "PartialNode", "RandomStateNode", "SetNode", "SliceNode", "TreeNode",
    "TupleNode", "TypeNode",
}  # fmt: skip
# Keys under which skops looks for the nodes of a node.
_INSIDE = ("content", "key_types", "shape", "__reduce__", "attrs")
# Types that skops calls with arguments from the file. Others may reserve memory, as
# numpy.dtype and SeedSequence do, or compute, as metrics do.
_CALLED = {
    f"{each.__module__}.{each.__qualname__}"
    for each in (torch.device, pathlib.PosixPath, pathlib.WindowsPath)
}


def check_archive(content: bytes) -> str:
    """Check the members of a file, and return the text that lists its versions.

    Raises
    ------
    ValueError
        If a member is compressed or damaged, or declares more than the file stores.
    KeyError, RuntimeError, zipfile.BadZipFile
        If the file is not an archive written by :func:`~sklearn_neurox.save`, or is damaged.
    """
    with ZipFile(io.BytesIO(content)) as archive:
        _check_stored(archive, len(content))
        versions = archive.read(VERSIONS).decode()
        schema = json.loads(archive.read(_SCHEMA))
        if not isinstance(schema, dict) or type(schema.get("protocol")) is not int:
            raise ValueError(f"{_SCHEMA} is not the description of an estimator")
        if schema["protocol"] < _PROTOCOL:
            raise ValueError(f"its protocol is {schema['protocol']}, but must be {_PROTOCOL}")
        owners: dict[Any, Any] = {}
        for node in _nodes(schema):
            if node["__loader__"] in _READERS and node.get("type") != "json":
                name = node.get("file")
                owner = node.get("__id__", ("", id(node)))
                if owners.setdefault(str(name), owner) != owner:
                    raise ValueError(f"several objects are stored in {name}")
                _check_file(node, archive)
    return versions


def _check_stored(archive: ZipFile, size: int) -> None:
    """Check that the members of an archive are not compressed and do not overlap."""
    members = archive.infolist()
    for member in members:
        if member.compress_type != ZIP_STORED or member.compress_size != member.file_size:
            raise ValueError(f"its member {member.filename:.80} is compressed")
    if len({member.filename for member in members}) < len(members):
        raise ValueError("two of its members have the same name")
    total = sum(member.file_size for member in members)
    if total > size:
        raise ValueError(f"its members declare {total:,} bytes, but the file has {size:,}")


def _nodes(schema: Json) -> Iterator[Json]:
    """Yield the description of each object, and check that it can be read in one pass.

    An object that is used several times is described each time, with the same ``__id__``. skops
    reads the first description only. If the others could be shorter, a few objects could refer to
    each other in exponentially many ways.
    """
    forms, form_of = _Forms(), dict[Any, int]()
    forms.number(schema)
    left: list[Any] = [schema]
    while left:
        node = left.pop()
        _check_node(node)
        form = forms.number(node)
        if form_of.setdefault(node.get("__id__", ("", id(node))), form) != form:
            raise ValueError(f"{_SCHEMA} describes object {node['__id__']} in different ways")
        yield node
        for key in _INSIDE:
            left.extend(_inside(node, node.get(key)))


class _Forms:
    """Numbers of descriptions, which are equal if these differ only in names and numbers."""

    def __init__(self) -> None:
        self._numbers: dict[Any, int] = {}
        self._known: dict[int, int] = {}  # by the address of a dict or list of the description

    def number(self, value: Any) -> int:
        if id(value) in self._known:
            return self._known[id(value)]
        form: list[Any] = [type(value).__name__]
        if isinstance(value, dict):
            for key, item in value.items():
                if key != "__id__" and not (key == "file" and isinstance(item, str)):
                    form += (key, self.number(item))
        elif isinstance(value, list):
            for item in value:
                form.append(self.number(item))
        else:
            form.append(value)
        number = self._numbers.setdefault(tuple(form), len(self._numbers))
        if isinstance(value, dict | list):
            self._known[id(value)] = number
        return number


def _check_node(node: Any) -> None:
    if not isinstance(node, dict) or not all(
        isinstance(node.get(key), str) for key in ("__class__", "__module__", "__loader__")
    ):
        raise ValueError(f"{_SCHEMA} contains {str(node)[:80]} in place of an object")
    loader, kind = node["__loader__"], _kind(node)
    if loader not in _LOADERS:
        raise ValueError(f"it contains an object of type {kind:.80}, read by {loader:.40}")
    if loader == "ConstructorFromReduceNode" and kind in TRUSTED and kind not in _CALLED:
        raise ValueError(f"it calls {kind:.80}")
    if type(node.get("__id__", 1)) is not int:
        raise ValueError(f"{_SCHEMA} numbers an object {str(node['__id__'])[:40]}")


def _kind(node: Json) -> str:
    return f"{node['__module__']}.{node['__class__']}"


def _inside(node: Json, value: Any) -> list[Any]:
    match node["__loader__"], value:
        case ("SliceNode", dict()) | (_, None):
            return []
        case (("JsonNode" | "MethodNode"), str()):
            return []
        case _, dict() if isinstance(value.get("__loader__"), str):
            return [value]
        case "MethodNode", {"obj": owner}:
            return [owner]
        case _, dict():
            return [each for key, each in value.items()]
        case _, list():
            return value
    raise ValueError(f"{_SCHEMA} contains {str(value)[:80]} in place of an object")


def _check_file(node: Json, archive: ZipFile) -> None:
    """Check that a member contains what the description of an object declares."""
    name = node["file"]
    if not isinstance(name, str) or name not in archive.NameToInfo:
        raise ValueError(f"{str(name)[:80]} is missing")
    if node["__loader__"] == "NdArrayNode":
        dtype, shape = _check_npy(archive, name)
        _check_scalar(node, dtype, shape)


def _check_npy(archive: ZipFile, name: str) -> tuple[np.dtype, tuple[int, ...]]:
    """Check that a member is an array of the size in its header, which is returned."""
    with archive.open(name) as file:
        start = file.read(_MAX_HEADER)
    found = _NPY.match(start)
    if found is None or 10 + int.from_bytes(found["size"], "little") != found.end():
        raise ValueError(f"{name:.80} is not an array of numbers, strings or dates")
    dtype = np.lib.format.descr_to_dtype(literal_eval(found["descr"].decode()))
    shape = tuple(int(number) for number in found["shape"].split(b",") if number.strip())
    n_items, size = math.prod(shape), archive.getinfo(name).file_size - found.end()
    if n_items * dtype.itemsize != size or (n_items and not size):
        raise ValueError(f"{name:.80} declares {dtype} of shape {shape}, but has {size:,} bytes")
    if dtype.itemsize > max(size, _MAX_EMPTY_ITEM):
        raise ValueError(f"{name:.80} declares items of {dtype.itemsize:,} bytes")
    return dtype, shape


def _check_scalar(node: Json, dtype: np.dtype, shape: tuple[int, ...]) -> None:
    """Check that an array is stored as such, or as a scalar of its dtype.

    From a number, for example, ``numpy.void`` would make as many bytes.
    """
    kind = _kind(node)
    if kind == "numpy.ndarray":
        return
    scalar = getattr(np, node["__class__"], None) if node["__module__"] == "numpy" else None
    expected = np.dtype(scalar) if isinstance(scalar, type) else None
    if shape or expected is None or expected.kind != dtype.kind or expected.kind in "OV":
        raise ValueError(f"it stores {dtype} of shape {shape} as {kind:.80}")
