"""The syntax trees of the package's modules, parsed once for all tests about the code."""

import ast
from functools import cache


@cache
def tree_of(path):
    return ast.parse(path.read_text(encoding="utf-8"))
