"""``python -m sklearn_neurox``: a thin command over the rooms."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

_EXAMPLES = """\
a whole analysis of a corpus of one's own, in four lines:

  python -m sklearn_neurox extract bert-base-cased corpus.conllu --out activations
  python -m sklearn_neurox probe activations
  python -m sklearn_neurox rank activations --layer 6 --target NOUN
  python -m sklearn_neurox report activations --out report.html

exit code: 0; 1 for an error that is yours to mend (its message is on stderr); 2 for a command that
is not understood; 130 if interrupted. An extraction that was broken off goes on when it is called
again.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    argv : sequence of str, default=None
        Arguments; None takes those of the process.

    Returns
    -------
    int
        0, 1 after an error that is the user's to mend, with its message on stderr, or 130 after
        an interruption.
    """
    args = _parser().parse_args(argv)
    try:
        if args.command == "demo":
            from .demo import run_demo

            run_demo(args.model, args.out)
        else:
            from . import commands as _commands

            getattr(_commands, args.command)(args)
    except (ImportError, OSError, RuntimeError, TypeError, ValueError) as error:
        print(f"sklearn_neurox: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("sklearn_neurox: interrupted", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sklearn_neurox",
        description="Probing and neuron analysis of neural networks.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add in (_add_demo, _add_extract, _add_probe, _add_rank, _add_report):
        add(commands)
    return parser


def _add_demo(commands) -> None:
    demo = commands.add_parser(
        "demo",
        help="analyse a transformer on the embedded corpus, and write a page",
        description=(
            "Extract the activations of a transformer on 480 English sentences, find out where "
            "parts of speech are encoded, and write everything into one page, report.html. Takes "
            "a minute or two on two cores."
        ),
    )
    demo.add_argument(
        "--model",
        metavar="NAME_OR_PATH",
        help="a model of transformers (default: the MiniLM that the extra 'demo' installs)",
    )
    demo.add_argument(
        "--out",
        metavar="DIR",
        default="demo-output",
        help="folder of the page (default: %(default)s)",
    )


def _add_extract(commands) -> None:
    extract = commands.add_parser(
        "extract",
        help="extract the activations of a corpus into a store on disk",
        description=(
            "Run a model of transformers over a corpus and write a row for every word into a "
            "folder. The same command goes on where it was broken off."
        ),
    )
    add = extract.add_argument
    add("model", metavar="MODEL", help="name or path of a model; 'model,tokenizer' names both")
    add(
        "corpus",
        metavar="CORPUS",
        help="a .conllu file, or a text file with a sentence a line and words parted by spaces",
    )
    add("--out", metavar="STORE", required=True, help="folder of the activations")
    add("--labels", metavar="FILE", help="labels of a text file: a line for each of its lines")
    add("--column", help="labels of a .conllu file (default: upos)")
    add("--layers", default="all", help="'all', or numbers as 0,3,6; 0 are the embeddings")
    add("--modules", help="look inside the layers: attention_heads, mlp, or a path in a block")
    add("--aggregation", choices=("last", "first", "mean"), default="last")
    add("--on-truncate", choices=("error", "warn", "drop"), default="error")
    add("--dtype", choices=("float32", "float16", "float64"), default="float32")
    add("--batch-tokens", type=int, default=2048, help="sub-words in a batch")
    add("--device", default="auto", help="auto, cpu, cuda, cuda:1 (default: %(default)s)")


def _add_probe(commands) -> None:
    probe = commands.add_parser(
        "probe",
        help="score a linear probe on each layer of a store, beside a control task",
        description=(
            "Cross-validate a linear probe on each layer, sentences kept together, beside the most "
            "frequent label and a control task of random labels."
        ),
    )
    _add_store(probe)
    _add_probe_options(probe)
    probe.add_argument("--out", metavar="FILE.csv", help="keep the table")


def _add_rank(commands) -> None:
    rank = commands.add_parser(
        "rank",
        help="rank the neurons of a store, and print what the first ones look for",
        description=(
            "Rank neurons by the weights of a sparse probe, by class means, as detectors of single "
            "labels, or by the bits that they tell together."
        ),
    )
    _add_store(rank)
    add = rank.add_argument
    methods = ("weights", "probeless", "average-precision", "gaussian")
    add("--method", choices=methods, default="weights", help="(default: %(default)s)")
    add("--layer", type=int, help="rank the neurons of one layer; all, unless given")
    add("--target", metavar="LABEL", help="rank for one label; for all, unless given")
    add("--n-neurons", type=int, default=20, help="neurons to print (default: %(default)s)")
    add("--out", metavar="FILE.csv", help="keep the whole ranking")


def _add_report(commands) -> None:
    report = commands.add_parser(
        "report",
        help="write one page about a store: layers, redundancy, neurons of each label",
        description="Write one self-contained HTML file, which opens without a network.",
    )
    _add_store(report)
    _add_probe_options(report)
    report.add_argument("--out", metavar="FILE.html", help="(default: STORE.html, here)")


def _add_store(command) -> None:
    command.add_argument("store", metavar="STORE", help="folder that extract has written")


def _add_probe_options(command) -> None:
    add = command.add_argument
    add("--lambda-l1", type=float, default=0.0, help="L1 penalty (default: %(default)s)")
    add("--lambda-l2", type=float, default=0.0, help="L2 penalty (default: %(default)s)")
    add("--cv", type=int, default=5, help="folds (default: %(default)s)")
    add("--random-state", type=int, default=0)
