"""A warning points at the first line outside of the package and of what calls it back."""

import warnings
from pathlib import Path

import pytest
import sklearn

from sklearn_neurox._warnings import stacklevel_of_user


def warn():
    warnings.warn("here", UserWarning, stacklevel=stacklevel_of_user())


def call_from(path, function):
    """Call a function from a line of another file."""
    scope = {"function": function}
    exec(compile("def call(): return function()", path, "exec"), scope)
    return scope["call"]


def test_lines_of_scikit_learn_are_passed_and_those_of_its_namesakes_are_not():
    folder = Path(sklearn.__file__).parent
    inside = call_from(f"{folder}/base.py", stacklevel_of_user)
    assert inside() == 2
    namesake = call_from(f"{folder}_of_mine/study.py", stacklevel_of_user)
    assert namesake() == 1


def test_the_line_is_that_of_the_user():
    with pytest.warns(UserWarning, match="here") as caught:
        warn()
    assert caught[0].filename == __file__
