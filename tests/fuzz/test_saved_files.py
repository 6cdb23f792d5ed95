"""Damaged files of estimators: the original is loaded, or an error says what is wrong."""

import copy
import io
import json
import re
import tempfile
import warnings
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import BaseEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sklearn_neurox as snx

from ..persistence.archives import probe
from ..persistence.estimators import assert_same
from .mutations import damaged

N_NEURONS = 4
pytestmark = [pytest.mark.filterwarnings("ignore")]  # of other versions, and of small data


def _data():
    rng = np.random.RandomState(0)
    y = np.arange(30) % 3
    return rng.normal(size=(30, N_NEURONS)) + y[:, np.newaxis], np.array(["a", "b", "c"])[y]


ESTIMATORS = {
    "probe": probe,
    "gaussian": snx.GaussianProbeClassifier,
    "pipeline": lambda: make_pipeline(
        StandardScaler(), snx.ProbelessSelector(n_neurons=2), probe(class_weight={"a": 2.0, "b": 1, "c": 1})
    ),
    "clustering": lambda: snx.CorrelationClustering(random_state=np.random.RandomState(0)),
    "ablator": lambda: snx.NeuronAblator([0, 2], mode="resample", random_state=0),
    "search": lambda: snx.LinearProbeClassifierCV(
        lambdas_l1=[0.0, 1e-3], lambdas_l2=[0.0], cv=2, solver="owlqn", device="cpu"
    ),
}  # fmt: skip


@cache
def saved(name):
    """Return a fitted estimator, and the content of its file."""
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        fitted = ESTIMATORS[name]().fit(*_data())
        snx.save(fitted, Path(folder) / "a.skops")
        return fitted, (Path(folder) / "a.skops").read_bytes()


# The forms of the messages with which a file is refused.
REASONS = "|".join(
    [
        r"the attribute \w+(\[\d+\])? of \w+ (must|is|has|was|contains) .+",
        r"it contains objects of types that are not trusted: .+",
        r"it contains a \w+, not an estimator",
        r"it is damaged \(\w+: .+\)",
        r"it does not fit in memory",
        r"the position of a RandomState is .+",
    ]
)
NOT_WRITTEN = r"it was not written by save, or it is damaged \(.+\)\.$"
REFUSED = rf"{NOT_WRITTEN}|({REASONS})\. It was written with .+"


@cache
def folder():
    return tempfile.TemporaryDirectory()


def load(content):
    """Load a file, or return None if it is refused with a message."""
    path = Path(folder().name) / "a.skops"
    path.write_bytes(content)
    try:
        return snx.load(path)
    except ValueError as error:
        message = str(error)
    start = f"Cannot load {path}: "
    assert message.startswith(start), message
    assert re.match(REFUSED, message.removeprefix(start), re.DOTALL), message
    return None


names = st.sampled_from(sorted(ESTIMATORS))


@given(data=st.data(), name=names)
def test_damaged_bytes(data, name):
    """Each member has a checksum, so what is loaded is the original."""
    fitted, content = saved(name)
    loaded = load(data.draw(damaged(content)))
    if loaded is not None:
        assert_same(loaded, fitted)


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.sampled_from([0, 1, -1, N_NEURONS, N_NEURONS + 1, 2**31, 2**62]),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(
        ["null", "true", "-1", "5", "1e999", "NaN", '"a"', "[]", "{}", "999999999999", "builtins",
         "numpy", "void", "dtype", "ndarray", "ListNode", "DictNode", "JsonNode", "NdArrayNode",
         "ObjectNode", "TypeNode", "FunctionNode", "BytesNode", "TupleNode", "numpy.random",
         "RandomState", "MaskedArray", "float64", "str_", "LinearProbeClassifier", "schema.json"]
    ),
    st.just([]),
    st.just({}),
)  # fmt: skip


def places(value, place=()):
    """Yield the places of all values in JSON, at any depth."""
    yield place
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, item in items:
        yield from places(item, (*place, key))


@st.composite
def changed_json(draw, schema):
    """Draw a copy of JSON in which values are replaced, removed, repeated or exchanged."""
    schema = copy.deepcopy(schema)
    for _ in range(draw(st.integers(1, 3))):
        known = list(places(schema))[1:]
        *parents, last = known[draw(st.integers(0, len(known) - 1))]
        owner = schema
        for key in parents:
            owner = owner[key]
        change = draw(st.sampled_from(["replace", "remove", "repeat", "graft", "rename"]))
        if change == "replace":
            owner[last] = draw(values)
        elif change == "remove":
            del owner[last]
        elif change == "repeat" and isinstance(owner, list):
            owner.extend([owner[last]] * draw(st.integers(1, 3)))
        elif change == "rename" and isinstance(owner, dict):
            owner[str(draw(values))] = owner.pop(last)
        else:
            other = schema
            for key in known[draw(st.integers(0, len(known) - 1))]:
                other = other[key]
            owner[last] = copy.deepcopy(other)
    return schema


@st.composite
def changed_array(draw, content):
    """Draw an array of another dtype, shape or values, or a damaged .npy file."""
    array = np.load(io.BytesIO(content))
    change = draw(st.sampled_from(["bytes", "value", "rows", "dtype", "shape"]))
    if change == "bytes":
        return draw(damaged(content))
    if change == "value" and array.size and array.dtype.kind in "fi":
        kinds = (
            [np.nan, np.inf, -1.0, 0.0, 1e300] if array.dtype.kind == "f" else [-1, 0, 5, 2**31 - 1]
        )
        array.reshape(-1)[draw(st.integers(0, array.size - 1))] = draw(st.sampled_from(kinds))
    elif change == "rows":
        array = array[: draw(st.integers(0, 2))] if array.ndim else array
    elif change == "dtype":
        kind = draw(st.sampled_from(["f4", "f8", "i8", "u1", "U3", "b1", "c16", "M8[s]"]))
        array = np.zeros(array.shape, kind)
    else:
        array = array.T if draw(st.booleans()) else array.reshape(-1)
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@given(data=st.data(), name=names)
def test_changed_members(data, name):
    """What is loaded is an estimator that predicts, or raises an error with a message."""
    _, content = saved(name)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {each: archive.read(each) for each in archive.namelist()}
    arrays = sorted(each for each in members if each.endswith(".npy"))
    if data.draw(st.booleans()):
        schema = json.loads(members["schema.json"])
        members["schema.json"] = json.dumps(data.draw(changed_json(schema))).encode()
    else:
        each = arrays[data.draw(st.integers(0, len(arrays) - 1))]
        members[each] = data.draw(changed_array(members[each]))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for each, member in members.items():
            archive.writestr(each, member)
    loaded = load(file.getvalue())
    if loaded is not None:
        assert isinstance(loaded, BaseEstimator)
        use(loaded)


def use(estimator):
    X = np.ones((2, N_NEURONS))
    for method in ("predict", "predict_proba", "transform"):
        if hasattr(estimator, method):
            try:
                assert len(getattr(estimator, method)(X)) == 2
            except (ValueError, TypeError, AttributeError) as error:
                message = str(error)
                assert message
