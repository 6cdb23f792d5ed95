"""A warning points at the first line outside the package and the libraries that call back into it."""

import contextlib
from pathlib import Path

import pytest
import sklearn
import torch
import tqdm

import sklearn_neurox
from sklearn_neurox._warnings import UnseenLabelsWarning, issued_once, warn

PACKAGE = Path(sklearn_neurox.__file__).parent
SKLEARN, TORCH = (Path(each.__file__).parent for each in (sklearn, torch))


def called_from(*paths):
    """Return a function that calls `warn` through one function in each file, outermost first."""
    scope = {"function": warn}
    for path in reversed(paths):
        exec(compile("def call(message): function(message)", str(path), "exec"), scope)
        scope = {"function": scope["call"]}
    return scope["function"]


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        ([], __file__),
        ([PACKAGE / "probes" / "gaussian.py"], __file__),
        ([SKLEARN / "base.py", PACKAGE / "probes" / "gaussian.py"], __file__),
        (["study.py", SKLEARN / "base.py", PACKAGE / "probes" / "gaussian.py"], "study.py"),
        (["study.py", TORCH / "module.py", PACKAGE / "extraction" / "editing.py"], "study.py"),
        (["study.py", Path(tqdm.__file__).parent / "std.py", PACKAGE / "_labels.py"], "study.py"),
        (["study.py", contextlib.__file__, PACKAGE / "extraction" / "editing.py"], "study.py"),
        ([f"{SKLEARN}_of_mine/study.py", PACKAGE / "_labels.py"], f"{SKLEARN}_of_mine/study.py"),
    ],
)
def test_a_warning_points_at_the_line_of_the_user(paths, expected):
    with pytest.warns(UserWarning, match="here") as caught:
        called_from(*paths)("here")
    assert [Path(each.filename).name for each in caught] == [Path(expected).name]


def test_a_kind_of_warning_is_issued_once():
    def issue():
        for message, kind in (("one", "a"), ("two", "a"), ("three", "b"), ("four", None)):
            warn(message, UnseenLabelsWarning, kind=kind)

    def run():
        with issued_once():
            issue()
            with issued_once():  # of a function that is called
                issue()
        issue()

    with pytest.warns(UnseenLabelsWarning) as caught:
        run()
    found = [str(each.message) for each in caught]
    assert found == ["one", "three", "four", "four", "one", "two", "three", "four"]


def test_the_category_is_the_one_passed():
    with pytest.warns(UnseenLabelsWarning, match="here"):
        warn("here", UnseenLabelsWarning)
