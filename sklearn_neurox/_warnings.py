"""Warnings of the package, issued so that they point at the user's own line."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

import joblib
import sklearn

# Frames of this package, and of the libraries that call it back, are not the user's.
_INSIDE = tuple(
    f"{Path(path).parent}{os.sep}" for path in (__file__, sklearn.__file__, joblib.__file__)
)


class UnseenLabelsWarning(UserWarning):
    """Samples have labels that were not seen during training and are scored as errors."""


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Issue a warning that points at the first frame outside the package.

    Python 3.12 can do the same with ``skip_file_prefixes`` of ``warnings.warn``.

    Parameters
    ----------
    message : str
    category : type of Warning, default=UserWarning
    """
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_INSIDE):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
