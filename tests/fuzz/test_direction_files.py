"""Damaged files of directions: a direction is loaded that can be used, or an error names the file."""

import json
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_neurox import (
    DirectionProjector,
    SteeringVector,
    intervene,
    load_direction,
    save_direction,
)

from .mutations import damaged
from .outcomes import attempt
from .test_saved_files import changed_json

NETWORK = torch.nn.Sequential(torch.nn.Linear(3, 3))
EDITS = (
    SteeringVector([1.0, -2.0, 0.5], strength=2),
    DirectionProjector([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]], center=[0.0, 1.0, 2.0]),
)


@cache
def folder():
    return tempfile.TemporaryDirectory()


@cache
def content(index):
    path = Path(folder().name) / "saved.json"
    save_direction(EDITS[index], path, model=NETWORK, layer="0", label="up")
    return path.read_bytes()


def check(text):
    path = Path(folder().name) / "a.json"
    path.write_bytes(text)
    direction, message = attempt(load_direction, path)
    if direction is None:
        assert message.startswith(f"Cannot load {path}: it was not written by save_direction")
        return
    n_neurons = direction.edit.n_features_in_
    assert np.isfinite(direction.edit.transform(np.ones((2, n_neurons)))).all()
    if direction.layer == "0":
        with torch.no_grad(), intervene(NETWORK, direction.edits):
            NETWORK(torch.ones(1, 3))


@given(data=st.data(), index=st.sampled_from(range(len(EDITS))))
def test_damaged_bytes(data, index):
    check(data.draw(damaged(content(index))))


@given(data=st.data(), index=st.sampled_from(range(len(EDITS))))
def test_changed_facts(data, index):
    check(json.dumps(data.draw(changed_json(json.loads(content(index))))).encode())
