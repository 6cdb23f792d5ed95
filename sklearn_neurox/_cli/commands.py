"""What the commands do on a store of activations: extract, probe, rank, report."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np

from ..activations import TokenActivations
from ..datasets import read_conllu, read_parallel, read_sentences
from ..extraction import ActivationExtractor
from ..neurons import (
    AveragePrecisionSelector,
    GaussianSelector,
    ProbelessSelector,
    WeightMassSelector,
)
from ..probes import LinearProbeClassifier
from .sections import list_top_words
from .store_page import Study, make_page


def extract(args: Namespace) -> None:
    """Extract the activations of a corpus into a store."""
    labels = None
    is_conllu = args.corpus.endswith(".conllu")
    if is_conllu and args.labels:
        raise ValueError("A .conllu file has its labels in a column: give --column.")
    if args.column and not is_conllu:
        raise ValueError(
            f"--column={args.column} is of a .conllu file, but the corpus is {args.corpus}: give "
            "--labels, a file with a label for each word."
        )
    extractor = ActivationExtractor(
        args.model,
        layers=_layers(args.layers),
        modules=args.modules,
        aggregation=args.aggregation,
        on_truncate=args.on_truncate,
        batch_tokens=args.batch_tokens,
        dtype=args.dtype,
        device=args.device,
        verbose=1,
    ).fit()  # which sees what is wrong with them before the corpus is read
    if is_conllu:
        sentences, labels = read_conllu(args.corpus, column=args.column or "upos")
    elif args.labels:
        sentences, labels = read_parallel(args.corpus, args.labels)
    else:
        sentences = read_sentences(args.corpus)
    tokens = extractor.extract(sentences, labels, store=args.out)
    print(f"{tokens}\nin {Path(args.out).resolve()}")


def probe(args: Namespace) -> None:
    """Print the scores of a probe on each layer of a store, and keep them as a table."""
    _check_out(args.out, "table")
    tokens = _load(args.store)
    _check_folds(args.cv, tokens)
    scores = Study(tokens, args).score_layers()
    frame = scores.to_frame()
    print(frame.to_string(float_format="{:.3f}".format))
    print(f"best layer: {scores.best_layer}")
    _keep(frame, args.out)


def rank(args: Namespace) -> None:
    """Print the first neurons of a ranking and their top words, and keep the ranking."""
    _check_out(args.out, "ranking")
    if args.n_neurons < 1:
        raise ValueError(f"--n-neurons must be 1 or more, got {args.n_neurons}.")
    tokens = _load(args.store)
    frame = _rank(tokens, args.method, args.n_neurons, args.target, args.layer)
    print(frame[frame["kept"]].drop(columns="kept").to_string(float_format="{:.3f}".format))
    _keep(frame, args.out)


def report(args: Namespace) -> None:
    """Write a page about a store."""
    out = args.out or f"{Path(args.store).resolve().name}.html"
    _check_out(out, "page")
    tokens = _load(args.store)
    _check_folds(args.cv, tokens)
    description = TokenActivations.describe(args.store)
    name = Path(description["parameters"].get("model") or args.store).resolve().name
    path = make_page(Study(tokens, args), name, description).save(out)
    print(f"The page: {path.resolve().as_uri()}")


def _rank(tokens: TokenActivations, method, n_neurons, target, layer) -> Any:
    """Table of a ranking, with the top words of the neurons that are kept."""
    X = tokens.X if layer is None else tokens.layer(layer)
    if target is not None:
        target = np.asarray(target).astype(tokens.y.dtype).item()
    options = {"n_neurons": n_neurons, "target": target}
    sparse = LinearProbeClassifier(lambda_l1=1e-3, solver="owlqn", tol=1e-4)
    selector = {
        "weights": lambda: WeightMassSelector(sparse, **options),
        "probeless": lambda: ProbelessSelector(**options),
        "average-precision": lambda: AveragePrecisionSelector(**options),
        "gaussian": lambda: GaussianSelector(**options),
    }[method]()
    frame = selector.fit(X, tokens.y).to_frame()
    first = 0 if layer is None else tokens.layers.index(layer) * X.shape[1]
    columns = first + frame["neuron"].to_numpy()
    frame.index = tokens.neuron_names[columns]
    frame["top words"] = [
        list_top_words(tokens, column) if kept else ""
        for column, kept in zip(columns, frame["kept"], strict=True)
    ]
    return frame


def _load(path: str) -> TokenActivations:
    tokens = TokenActivations.load(path)
    if tokens.y is None:
        raise ValueError(f"{path} holds no labels: extract a corpus that has some.")
    if tokens.y.dtype.kind == "f":
        raise ValueError(
            f"{path} holds numbers, as {tokens.y[0]:g}, and the commands are for classes. In "
            "Python, LinearProbeRegressor and layerwise_scores take numbers."
        )
    return tokens


def _check_out(path: str | None, what: str) -> None:
    """See that a file can be written, before the work and not after it."""
    if path and not Path(path).parent.is_dir():
        raise ValueError(f"There is no folder {Path(path).parent} to write the {what} into.")
    if path and Path(path).is_dir():
        raise ValueError(f"--out={path} is a folder: give the name of a file for the {what}.")


def _check_folds(n_folds: int, tokens: TokenActivations) -> None:
    n_sentences = len(np.unique(tokens.sentence_ids))
    if not 2 <= n_folds <= n_sentences:
        raise ValueError(
            f"--cv={n_folds}, but a fold is made of whole sentences: there are {n_sentences}, and "
            "from 2 folds to as many can be made."
        )


def _layers(text: str) -> str | list[int]:
    """Layers as the command line has them: all, or numbers parted by commas."""
    if text == "all":
        return text
    try:
        return [int(number) for number in text.split(",")]
    except ValueError as error:
        raise ValueError(f"--layers must be 'all' or as 0,3,6; got {text!r}.") from error


def _keep(frame: Any, path: str | None) -> None:
    if path:
        frame.to_csv(path)
        print(f"in {Path(path).resolve()}")
