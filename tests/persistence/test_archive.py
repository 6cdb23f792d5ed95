"""A file takes memory in proportion to its size, whatever it declares."""

import io
import json
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

import sklearn_neurox as snx
from sklearn_neurox.persistence import _archive

from .archives import (
    attribute,
    members_of,
    npy,
    npy_header,
    probe,
    rewrite,
    set_array,
    write_members,
)

_MEMORY = 20e6  # bytes; the smallest bomb declares 100 times as much


@pytest.fixture
def path(tmp_path, classification):
    path = tmp_path / "probe.skops"
    snx.save(probe().fit(*classification), path)
    snx.load(path)  # imports what is needed
    return path


def node(loader, kind="builtins.list", **content):
    module, _, name = kind.rpartition(".")
    return {"__class__": name, "__module__": module, "__loader__": loader} | content


def compressed(path):
    members = members_of(path)
    name = next(name for name in members if name.endswith(".npy"))
    members[name] = npy(np.zeros(10**7))
    write_members(path, members, zipfile.ZIP_DEFLATED)


def compressed_schema(path):
    members = members_of(path)
    members["schema.json"] += b" " * 10**8
    write_members(path, members, zipfile.ZIP_DEFLATED)


def declared_shape(path):
    set_array(path, "coef_", npy_header("<f8", (10**9,), bytes(8)))


def many_items_of_nothing(path):
    set_array(path, "coef_", npy_header("<U0", (10**9,)))


def huge_item(path):
    set_array(path, "loss_curve_", npy_header("<U500000000", (0,)))


def subarray(path):
    set_array(path, "loss_curve_", npy_header(("<f8", (10**9,)), (0,)))


def structure(path):
    set_array(path, "loss_curve_", npy_header([("a", "<f8", (10**9,))], (0,)))


def void(path):
    """From a number, numpy.void makes as many bytes."""

    def change(schema, members):
        members[attribute(schema, "coef_")["file"]] = npy(np.int64(10**8))
        attribute(schema, "coef_").update({"__class__": "void"})

    rewrite(path, change)


def dtype(path):
    def change(schema, members):
        members["dtype.npy"] = npy_header("<U500000000", (0,))
        array = node("NdArrayNode", "numpy.ndarray", type="numpy", file="dtype.npy")
        schema["content"]["content"]["a_"] = node("DTypeNode", "numpy.dtype", content=array)

    rewrite(path, change)


def same_member_many_times(path):
    def change(schema, members):
        members["large.npy"] = npy(np.zeros(10**5))
        schema["content"]["content"]["a_"] = node(
            "ListNode",
            content=[
                node("NdArrayNode", "numpy.ndarray", type="numpy", file="large.npy", __id__=i + 1)
                for i in range(3000)
            ],
        )

    rewrite(path, change)


def without_numbers(path):
    def change(schema, members):
        members["large.bin"] = bytes(10**6)
        schema["content"]["content"]["a_"] = node(
            "ListNode",
            content=[node("BytesNode", "builtins.bytes", file="large.bin") for _ in range(3000)],
        )

    rewrite(path, change)


def overlapping_members(path):
    """Many entries of the directory that point to the same bytes."""
    members = members_of(path)
    schema = json.loads(members["schema.json"])
    schema["content"]["content"]["a_"] = node(
        "ListNode",
        content=[node("BytesNode", "builtins.bytes", file=f"{i:04}.bin") for i in range(3000)],
    )
    members["schema.json"] = json.dumps(schema).encode()
    members["0000.bin"] = bytes(10**6)
    write_members(path, members)
    content = path.read_bytes()
    start = content.rindex(b"PK\x01\x02")  # the entry of the last member
    end = content.rindex(b"PK\x05\x06")
    entry = content[start:end]
    copies = b"".join(entry.replace(b"0000.bin", b"%04d.bin" % i) for i in range(1, 3000))
    tail = bytearray(content[end:])
    n, size = struct.unpack_from("<HH", tail, 8)[0], struct.unpack_from("<I", tail, 12)[0]
    struct.pack_into("<HHI", tail, 8, n + 2999, n + 2999, size + len(copies))
    path.write_bytes(content[:end] + copies + tail)


def references(path):
    """Objects that are described once and used by number, twice at each level."""

    def change(schema, members):
        inner = node("JsonNode", "builtins.str", content='"a"', __id__=1)
        for i in range(2, 60):
            inner = node("ListNode", content=[inner, {"__id__": i - 1}], __id__=i)
        schema["content"]["content"]["a_"] = inner

    rewrite(path, change)


def short_references(path):
    """The same, with another object in place of each reference."""

    def change(schema, members):
        inner = node("JsonNode", "builtins.str", content='"a"', __id__=1)
        for i in range(2, 60):
            other = node("JsonNode", "builtins.str", content='"a"', __id__=i - 1)
            inner = node("ListNode", content=[inner, other], __id__=i)
        schema["content"]["content"]["a_"] = inner

    rewrite(path, change)


def cached(path):
    def change(schema, members):
        inner = node("JsonNode", "builtins.str", content='"a"', __id__=1)
        for i in range(2, 60):
            other = node("CachedNode", __id__=i - 1)
            inner = node("ListNode", content=[inner, other], __id__=i)
        schema["content"]["content"]["a_"] = inner

    rewrite(path, change)


def text(value):
    return node("JsonNode", "builtins.str", content=json.dumps(value))


def a_dict(**content):
    key_types = node("ListNode", content=[node("TypeNode", "builtins.str") for _ in content])
    return node("DictNode", "builtins.dict", content=content, key_types=key_types)


def seed_sequence(path):
    def change(schema, members):
        schema["content"]["content"]["a_"] = node(
            "RandomGeneratorNode",
            "numpy.random.Generator",
            content={
                "bit_generator": a_dict(bit_generator=text("PCG64")),
                "seed_seq": a_dict(entropy=text(1), pool_size=text(10**9)),
            },
        )

    rewrite(path, change)


def call_of_a_metric(path):
    def change(schema, members):
        arguments = node(
            "TupleNode", "builtins.tuple", content=[text(list(range(9))), text([1] * 9)]
        )
        kind = "sklearn.metrics.cluster._supervised.rand_score"
        schema["content"]["content"]["a_"] = node(
            "ConstructorFromReduceNode", kind, content=arguments
        )

    rewrite(path, change)


BOMBS = {
    compressed: "its member .*npy is compressed",
    compressed_schema: "its member .* is compressed",
    declared_shape: r"npy declares float64 of shape \(1000000000,\), but has 8 bytes",
    many_items_of_nothing: r"npy declares <U0 of shape \(1000000000,\), but has 0 bytes",
    huge_item: "npy declares items of 2,000,000,000 bytes",
    subarray: "npy is not an array of numbers, strings or dates",
    structure: "npy is not an array of numbers, strings or dates",
    void: r"it stores int64 of shape \(\) as numpy.void",
    dtype: "dtype.npy declares items of 2,000,000,000 bytes",
    same_member_many_times: "several objects are stored in large.npy",
    without_numbers: "several objects are stored in large.bin",
    overlapping_members: "its members declare 3,000,.* bytes, but the file has 1,",
    references: "schema.json contains .* in place of an object",
    short_references: "schema.json describes object .* in different ways",
    cached: "it contains an object of type builtins.list, read by CachedNode",
    seed_sequence: "an object of type numpy.random.Generator, read by RandomGeneratorNode",
    call_of_a_metric: "it calls sklearn.metrics.cluster._supervised.rand_score",
}


@pytest.mark.parametrize("bomb", BOMBS, ids=lambda bomb: bomb.__name__)
def test_small_files_that_declare_much(path, bomb):
    bomb(path)
    assert path.stat().st_size < 5e6
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=f"Cannot load .*{BOMBS[bomb]}"):
            snx.load(path)
        assert tracemalloc.get_traced_memory()[1] < _MEMORY
    finally:
        tracemalloc.stop()


class TestOtherContent:
    def test_sparse_matrices(self, path):
        """SciPy uses their indices as addresses, and compresses them."""

        def change(schema, members):
            matrix = node(
                "SparseMatrixNode", "scipy.sparse._base.spmatrix", type="scipy", file="a.npz"
            )
            schema["content"]["content"]["a_"] = matrix

        rewrite(path, change)
        with pytest.raises(ValueError, match=r"type scipy.sparse._base.spmatrix, read by Sparse"):
            snx.load(path)

    def test_a_number_outside_the_state_of_a_random_state(self, tmp_path):
        path = tmp_path / "random.skops"
        snx.save(snx.RandomSelector(n_neurons=1, random_state=np.random.RandomState(0)), path)

        def change(schema, members):
            state = attribute(schema, "random_state")["content"]["content"]["state"]
            state["content"]["pos"]["content"] = "1000000"

        rewrite(path, change)
        with pytest.raises(ValueError, match="position of a RandomState is 1000000 of 624"):
            snx.load(path)

    def test_two_members_of_one_name(self, path):
        members = members_of(path)
        with (
            pytest.warns(UserWarning, match="Duplicate name"),
            zipfile.ZipFile(path, "a") as archive,
        ):
            archive.writestr("schema.json", members["schema.json"])
        with pytest.raises(ValueError, match="two of its members have the same name"):
            snx.load(path)

    @pytest.mark.parametrize("protocol", [None, True, 1, -1, "2", 10**6])
    def test_other_protocols(self, path, protocol):
        rewrite(path, lambda schema, members: schema.update(protocol=protocol))
        with pytest.raises(ValueError, match=r"Cannot load .*(protocol|not the description)"):
            snx.load(path)

    def test_a_missing_member(self, path):
        rewrite(path, lambda schema, members: members.pop(attribute(schema, "coef_")["file"]))
        with pytest.raises(ValueError, match=r"\d+\.npy is missing"):
            snx.load(path)

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"\x93NUMPY",
            b"\x93NUMPY\x01\x00\xff\xff{",
            npy(np.zeros(3))[:-1],
            npy(np.zeros(3)) + b"\0",
            npy_header("<f8", (-1,), bytes(8)),
            npy_header("<f8", (2**62, 4), b""),
            npy_header("|O", (1,), bytes(8)),
            npy_header([("a", "|O")], (1,), bytes(8)),
            npy_header([("a", [("b", "<f8")])], (1,), bytes(8)),
            npy_header([("a", "<f8"), ("a", "<f8")], (1,), bytes(16)),
            npy_header("<q9", (1,), bytes(9)),
            npy_header("<M8[centuries]", (1,), bytes(8)),
        ],
    )
    def test_arrays_that_are_not_as_declared(self, path, content):
        set_array(path, "coef_", content)
        with pytest.raises(ValueError, match="Cannot load"):
            snx.load(path)

    def test_a_file_larger_than_memory(self, path, monkeypatch):
        def fail(self):
            raise MemoryError

        monkeypatch.setattr("pathlib.Path.read_bytes", fail)
        with pytest.raises(ValueError, match=r"its [\d,]+ bytes do not fit in memory"):
            snx.load(path)


def test_memory_grows_with_the_file(tmp_path):
    """The description of each object takes a bounded multiple of its length."""
    path = tmp_path / "params.skops"
    snx.save(probe(net_params={"list": [[i] for i in range(2_000)]}), path)
    size = path.stat().st_size
    tracemalloc.start()
    try:
        snx.load(path)
        assert tracemalloc.get_traced_memory()[1] < 50 * size
    finally:
        tracemalloc.stop()


def test_the_header_that_numpy_writes_is_read():
    for array in (
        np.zeros((2, 0)),
        np.array("a"),
        np.asfortranarray(np.ones((2, 3))),
        np.array([], "M8[25s]"),
        np.zeros(3, [("a", "<f8"), ("b", "<U3")]),
        np.zeros(2, np.dtype([("a", "i1"), ("b", "f8")], align=True)),
    ):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("a.npy", npy(array))
        with zipfile.ZipFile(file) as archive:
            assert _archive._check_npy(archive, "a.npy") == (array.dtype, array.shape)
