"""Warnings that point at the line of the user, however deep they arise."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import joblib
import sklearn

# The folders of this package, and of what calls it back.
_INSIDE = tuple(
    f"{Path(path).parent}{os.sep}" for path in (__file__, sklearn.__file__, joblib.__file__)
)


def stacklevel_of_user() -> int:
    """Count the frames from the caller up to the first outside, for ``warnings.warn``."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_INSIDE):
        frame, level = frame.f_back, level + 1
    return level
