"""The code on the pages runs, the examples run, and the site builds without a warning."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.docs

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [
    ROOT / "README.md",
    DOCS / "quickstart.md",
    DOCS / "pitfalls.md",
    DOCS / "extending.md",
    *sorted((DOCS / "guide").glob("*.md")),
]
EXAMPLES = sorted((DOCS / "examples").glob("plot_*.py"))


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = {}
    for block in re.findall(r"^```python\n(.*?)^```", page.read_text(), flags=re.S | re.M):
        exec(compile(block, page.name, "exec"), namespace)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_runs(example, monkeypatch):
    from matplotlib import pyplot

    monkeypatch.setattr(pyplot, "show", lambda: None)
    monkeypatch.syspath_prepend(example.parent)
    runpy.run_path(str(example))
    pyplot.close("all")


def test_the_site_builds_without_a_warning(tmp_path):
    pytest.importorskip("sphinx_gallery")
    source = tmp_path / "docs"
    copy_documents(source)
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    command += [
        "-D",
        "plot_gallery=0",
        str(source),
        str(tmp_path / "html"),
    ]  # the examples ran above
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    assert broken_links(tmp_path / "html") == []


def copy_documents(target):
    """Copy the sources, so that a build leaves nothing in docs/."""
    import shutil

    shutil.copytree(
        DOCS, target, ignore=shutil.ignore_patterns("_build", "api", "api.md", "gallery")
    )


def broken_links(html):
    """Return the relative links of the site whose target is missing."""
    return [
        (page.name, link)
        for page in html.rglob("*.html")
        if "_static" not in page.parts  # templates of the theme
        for link in re.findall(r'href="([^"#?]+)', page.read_text(encoding="utf-8"))
        if ":" not in link and not (page.parent / link).exists()
    ]
