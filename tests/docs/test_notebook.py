"""In a notebook, progress bars, drawings and pages are displayed, and nothing else is printed."""

from pathlib import Path

import nbclient
import nbformat
import pytest

pytestmark = pytest.mark.docs

STORY = Path(__file__).parents[2] / "docs" / "story.ipynb"
CELLS = [
    """
from sklearn.callback import ProgressBar
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
import sklearn_neurox as snx

X, y = load_digits(return_X_y=True)
pipeline = make_pipeline(snx.LayerSelector(2, n_layers=8), snx.LinearProbeClassifier(max_epochs=2))
grid = GridSearchCV(pipeline, {"linearprobeclassifier__lambda_l1": [0, 1e-3]}, cv=2)
grid.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(X, y)
""",
    "snx.layerwise_scores(snx.LinearProbeClassifier(max_epochs=1), X, y, n_layers=2, cv=2, verbose=1)",
    "snx.visualize_activations(['a', 'word'], [1.0, -2.0])",
    "snx.AnalysisReport('Title', 'Lead').add_section('One')",
]


def test_a_notebook_runs_and_shows():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    outputs = [cell.outputs for cell in notebook.cells]
    warnings = [o.text for cell in outputs for o in cell if o.get("name") == "stderr"]
    assert warnings == []
    kinds = [{kind for o in cell for kind in o.get("data", {})} for cell in outputs]
    assert "application/vnd.jupyter.widget-view+json" in kinds[0]  # the bars of rich
    assert "application/vnd.jupyter.widget-view+json" in kinds[1]  # and of tqdm
    assert "image/svg+xml" in kinds[2]
    assert "text/html" in kinds[3]


def test_the_story_runs_as_it_stands(monkeypatch):
    monkeypatch.delenv("MPLBACKEND")  # the backend of a notebook displays figures
    notebook = nbformat.read(STORY, as_version=4)
    assert len(notebook.cells) == 15
    shown = [kinds_of(cell) for cell in notebook.cells]
    nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
    assert "stderr" not in set().union(*map(kinds_of, notebook.cells))
    assert [kinds_of(cell) for cell in notebook.cells] == shown  # the outputs are those in the file


def kinds_of(cell):
    """Return the kinds of outputs of a cell: names of streams, and MIME types."""
    outputs = cell.get("outputs", [])
    return {output["name"] for output in outputs if "name" in output}.union(
        *(output.get("data", ()) for output in outputs)
    )
