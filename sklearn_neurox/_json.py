"""JSON without the inputs that Python's parser changes silently."""

from __future__ import annotations

import json
import math
from typing import Any


def load_json(text: str | bytes) -> Any:
    """Parse JSON, in which every key is unique and every decimal number is finite.

    Of a repeated key, ``json.loads`` keeps the last value, and it converts ``1e999`` to infinity.
    ``NaN`` and ``Infinity``, which Python writes, are read.

    Raises
    ------
    ValueError
        If the text is not JSON in UTF-8, a key is repeated, or a number exceeds float64.
    RecursionError
        If lists are nested too deeply.
    """
    text = text.decode() if isinstance(text, bytes) else text
    return json.loads(text, object_pairs_hook=_unique, parse_float=_finite)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        repeated = next(key for key in content if keys.count(key) > 1)
        raise ValueError(f"the key {repeated!r:.60} is repeated")
    return content


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"the number {digits:.60} exceeds the range of float64")
    return number
