"""The text of the project avoids the expressions that CONTRIBUTING.md lists."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SUFFIXES = {".py", ".md", ".rst", ".toml", ".css", ".ipynb"}
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()


def avoided():
    """Return the expressions in the first column of the table, where commas separate them."""
    table = CONTRIBUTING.partition("| avoid | write |")[2]
    rows = re.findall(r"^\| ([^|]+) \|", table, flags=re.MULTILINE)
    return [
        re.sub(r" \(.*\)", "", expression).strip() for row in rows for expression in row.split(",")
    ]


def text_files():
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    files = [ROOT / name for name in listed.stdout.splitlines()] or [
        path for path in ROOT.rglob("*") if ".venv" not in path.parts
    ]
    skipped = {ROOT / "CONTRIBUTING.md", Path(__file__)}
    return [
        path for path in files if path.suffix in SUFFIXES and path.is_file() and path not in skipped
    ]


FILES = text_files()
PAGES = [path for path in FILES if path.suffix == ".md"]


def test_the_table_is_read():
    assert {"has not", "parted by", "broken off", "room"} <= set(avoided())
    assert len(FILES) > 200


@pytest.mark.parametrize("expression", avoided())
def test_an_expression_is_avoided(expression):
    pattern = re.compile(rf"\b{expression}\b".replace(" ", r"\s+"), re.IGNORECASE)
    if expression in ("has not", "have not"):  # "has not been trained" is fine
        pattern = re.compile(
            rf"\b{expression}".replace(" ", r"\s+") + r"(?!\s+(?:\w+ed|been|yet|seen)\b)",
            re.IGNORECASE,
        )
    found = [
        f"{path.relative_to(ROOT)}:{text.count(chr(10), 0, match.start()) + 1}: {match[0]!r}"
        for path in FILES
        for text in [path.read_text(encoding="utf-8")]
        for match in pattern.finditer(text)
    ]
    assert found == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_a_line_of_a_page_has_one_sentence(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    several = [
        line
        for line in text.splitlines()
        if not line.startswith(("|", "!["))
        and re.search(
            r"(?<!\be\.g)(?<!\bi\.e)(?<!\bal)(?<!\bvs)(?<!\b[A-Z])[.!?][)*`]* +(?=[A-Z`{*\[])",
            re.sub(r"^\d+\. ", "", line),
        )
    ]
    assert several == []
