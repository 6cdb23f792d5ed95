"""Every package that is imported is declared, and every declared dependency is imported."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import sklearn_neurox

from .sources import tree_of

PACKAGE = Path(sklearn_neurox.__file__).parent
ROOT = PACKAGE.parent
MODULES = sorted(PACKAGE.rglob("*.py"))


def normalized(requirement):
    return re.match(r"[\w.-]+", requirement)[0].lower().replace("_", "-")


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
RUNTIME = {normalized(line) for line in PROJECT["dependencies"]}
EXTRAS = {
    extra: {normalized(line) for line in lines}
    for extra, lines in PROJECT["optional-dependencies"].items()
}


DISTRIBUTIONS = packages_distributions()


def distribution(module):
    """Name the distribution that a module belongs to, such as scikit-learn for sklearn."""
    package = module.partition(".")[0]
    return normalized(DISTRIBUTIONS.get(package, [package])[0])


def is_third_party(module):
    return module.partition(".")[0] not in {*sys.stdlib_module_names, "sklearn_neurox"}


def imported(path):
    """Yield what a module imports when it runs; type checkers alone see `if TYPE_CHECKING`."""
    body = [node for node in tree_of(path).body if not _is_for_type_checkers(node)]
    for node in chain.from_iterable(map(ast.walk, body)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module


def _is_for_type_checkers(node):
    return isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"


def optional(path):
    """Yield (module, extra) for the calls of ``import_optional`` that name a module."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "import_optional":
            extra = next(keyword.value for keyword in node.keywords if keyword.arg == "extra")
            if isinstance(node.args[0], ast.Constant):
                yield node.args[0].value, extra.value


def test_every_import_is_a_declared_dependency():
    found = {
        distribution(name) for path in MODULES for name in imported(path) if is_third_party(name)
    }
    assert found == RUNTIME


def test_every_optional_import_is_in_its_extra():
    found = [pair for path in MODULES for pair in optional(path)]
    assert found
    for module, extra in found:
        assert distribution(module) in EXTRAS[extra], (module, extra)


@pytest.mark.parametrize("name", sorted(RUNTIME.union(*EXTRAS.values()) - {"sklearn-neurox"}))
def test_every_dependency_has_a_reason(name):
    assert re.search(rf"\b{name}\b", (ROOT / "docs" / "dependencies.md").read_text())


@pytest.mark.parametrize("name", sorted(RUNTIME))
def test_every_dependency_is_pinned_for_the_tests(name):
    pinned = {
        normalized(line)
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line
    }
    assert name in pinned


REQUIREMENTS = {
    requirement.name: requirement.specifier
    for lines in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    for requirement in map(Requirement, lines)
    if requirement.name != PROJECT["name"]
}


def pins(file):
    lines = (ROOT / file).read_text().splitlines()
    found = dict(line.split("==") for line in lines if not line.startswith("#"))
    return {canonicalize_name(name): Version(version) for name, version in found.items()}


def test_the_lowest_versions_are_the_bounds():
    bounds = {}
    for name, specifiers in REQUIREMENTS.items():
        ((operator, version),) = [(each.operator, each.version) for each in specifiers]
        assert operator == ">=", name
        bounds[name] = Version(version)
    assert pins("constraints-lowest.txt") == bounds


def test_the_pinned_versions_are_allowed():
    pinned = pins("constraints.txt")
    for name, specifiers in REQUIREMENTS.items():
        if name in pinned:
            assert specifiers.contains(pinned[name]), name
