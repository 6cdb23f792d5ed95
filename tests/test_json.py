"""JSON that Python's parser would change silently."""

import json
import math

import pytest

from sklearn_neurox._json import load_json


@pytest.mark.parametrize(
    "content", [None, [1, -0.5, 1e308, 5e-324, 0.1], {"a": {"b": "é\ud800"}, "": [{}]}, 10**30]
)
def test_valid_json(content):
    assert load_json(json.dumps(content)) == content
    assert load_json(json.dumps(content).encode()) == content


def test_values_that_python_writes():
    assert load_json("[Infinity, -Infinity]") == [math.inf, -math.inf]
    assert math.isnan(load_json("NaN"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1, "b": 2, "a": 1}', "the key 'a' is repeated"),
        ('[{"b": {"c": 1, "\\u0063": 2}}]', "the key 'c' is repeated"),
        ("1e999", "the number 1e999 exceeds the range of float64"),
        ('{"a": [0, -1.5e400]}', "the number -1.5e400 exceeds"),
        ("9" * 400 + ".5", "the number 9{60} exceeds"),
        (b'"\xed\xa0\x80"', "invalid continuation byte"),
        ("{", "Expecting property name"),
        ("", "Expecting value"),
    ],
)
def test_values_that_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        load_json(text)
