"""``python -m sklearn_neurox``."""

import subprocess
import sys

import pytest

from sklearn_neurox import _demo
from sklearn_neurox.__main__ import main


def test_the_demo_on_a_tiny_model(tiny_bert_path, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(_demo.analysis, "LAMBDAS", (0.0, 1e-3))
    monkeypatch.setattr(_demo.page, "LAMBDAS", (0.0, 1e-3))
    monkeypatch.setattr(_demo.analysis, "FRACTIONS", (0.1, 1.0))
    assert main(["demo", "--model", str(tiny_bert_path), "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "best layer:" in printed
    assert "report.html" in printed
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Parts of speech in tiny-bert" in page
    for heading in ("which layer", "regularisation", "How many neurons", "which tag", "look for"):
        assert heading in page


@pytest.mark.slow
def test_the_demo_on_the_real_model(tmp_path):
    command = [sys.executable, "-m", "sklearn_neurox", "demo", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "all-MiniLM-L6-v2: TokenActivations(6,378 words" in done.stdout
    assert (tmp_path / "report.html").stat().st_size < 5_000_000


def test_a_model_that_is_not_there(tmp_path, capsys):
    assert main(["demo", "--model", str(tmp_path / "nothing"), "--out", str(tmp_path)]) == 1
    assert "Cannot load the model" in capsys.readouterr().err


def test_help_teaches():
    done = subprocess.run(
        [sys.executable, "-m", "sklearn_neurox", "demo", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "--model NAME_OR_PATH" in done.stdout
    assert "report.html" in done.stdout
