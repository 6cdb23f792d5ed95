"""The diffs on the page about extensions apply, and what they add works."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.docs

ROOT = Path(__file__).parents[2]
DIFFS = re.findall(r"^```diff\n(.*?)^```", (ROOT / "docs/extending.md").read_text(), re.S | re.M)
USE = """
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
import sklearn_neurox as snx
from sklearn_neurox.neurons.ranking_selector import RANKINGS

X, y = load_digits(return_X_y=True)
X = (X - X.mean(axis=0)) / np.maximum(X.std(axis=0), 1)

assert RANKINGS["median"] is snx.MedianSelector
pipeline = make_pipeline(
    snx.NeuronClipper(), snx.MedianSelector(n_neurons=20), RidgeClassifier()
).fit(X, y)
assert pipeline.score(X, y) > 0.8

options = dict(lambda_l2=0.1, l2_penalty="squared", max_iter=3000, tol=1e-4)
ours = snx.LinearProbeClassifier(solver="gradient_descent", learning_rate=10, **options).fit(X, y)
exact = snx.LinearProbeClassifier(solver="owlqn", **options).fit(X, y)
np.testing.assert_allclose(ours.objective_, exact.objective_, rtol=1e-5)

states = np.array([[1.0], [2.0], [3.0], [4.0]])
assert snx.aggregate_subwords(states, [0, 0, 0, 1], "middle").tolist() == [[2.0], [4.0]]
assert snx.ActivationExtractor("no-model", aggregation="middle").fit()

words = np.array([f"word{i % 40}" for i in range(len(y))])
report = snx.probe_report(
    RidgeClassifier().fit(X[:900], y[:900]), X[900:], y[900:], words=words[900:],
    train_words=words[:900][words[:900] < "word3"], random_state=0,
)
display = snx.SeenUnseenDisplay.from_result(report, bar_kw={"color": "red"})
heights = [bar.get_height() for bar in display.ax_.patches]
assert heights == [report.seen.score.value, report.unseen.score.value]
"""


def test_there_is_a_diff_for_each_extension():
    assert len(DIFFS) == 5


def test_the_diffs_apply_and_what_they_add_works(tmp_path):
    shutil.copytree(ROOT / "sklearn_neurox", tmp_path / "sklearn_neurox")
    for diff in DIFFS:
        command = ["git", "apply", "--unidiff-zero", "--whitespace=nowarn", "-"]
        applied = subprocess.run(command, cwd=tmp_path, input=diff, text=True, capture_output=True)
        assert applied.returncode == 0, applied.stderr
    used = subprocess.run(
        [sys.executable, "-W", "error", "-c", USE], cwd=tmp_path, text=True, capture_output=True
    )
    assert used.returncode == 0, used.stderr


def test_the_command_offers_the_new_ranking(tmp_path):
    shutil.copytree(ROOT / "sklearn_neurox", tmp_path / "sklearn_neurox")
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=DIFFS[0], text=True, check=True)
    command = [sys.executable, "-m", "sklearn_neurox", "rank", "--help"]
    shown = subprocess.run(command, cwd=tmp_path, text=True, capture_output=True, check=True)
    assert "median" in shown.stdout
