"""The parser of the command line, and its exit codes."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from typing import Any

from . import commands
from .extract_options import add_extract_options
from .options import Choices, add_random_state

_EPILOG = """\
a complete analysis of your own corpus:

  python -m sklearn_neurox extract bert-base-cased corpus.conllu --out activations
  python -m sklearn_neurox probe activations
  python -m sklearn_neurox rank activations --layer 6 --target NOUN
  python -m sklearn_neurox report activations --out report.html

Repeat an interrupted extract command to resume it.

exit codes: 0 on success, 1 on invalid input (with a message on stderr), 2 if the command line
cannot be parsed, 130 if interrupted.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    argv : sequence of str, default=None
        Arguments. If None, use those of the process.

    Returns
    -------
    int
        The exit code: 0 on success, 1 on invalid input, with a message on stderr, or 130 if
        interrupted.
    """
    usage = ""
    try:
        args = make_parser().parse_args(argv)
        usage = args.usage()
        args.run(args)
    except (ImportError, OSError, RuntimeError, TypeError, ValueError) as error:
        message = " ".join([str(error), *getattr(error, "__notes__", [])])
        message = _with_options(message, usage)
        print(f"sklearn_neurox: error: {message}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("sklearn_neurox: interrupted", file=sys.stderr)
        return 130
    return 0


def make_parser() -> argparse.ArgumentParser:
    """Create the parser, whose result has the handler of the command as ``run``."""
    parser = argparse.ArgumentParser(
        prog="python -m sklearn_neurox",
        description="Probe and analyze the neurons of neural networks.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add in (_add_demo, _add_extract, _add_probe, _add_rank, _add_report, _add_card):
        add(subparsers)
    return parser


# A parameter of Python with its value, if any, that is not part of a path or a longer name.
_PARAMETER = re.compile(
    r"""(?<![\w/.'"-])(?P<name>[a-z]\w*)(=(?P<value>'[^']*'|"[^"]*"|\w+(\.\w+)*))?(?!\.?\w|[/'"=(\[])"""
)


def _with_options(message: str, usage: str) -> str:
    """Spell the parameters in a message as the options of a command, given its usage.

    A name without a value is a parameter only if it contains an underscore. Otherwise, it is a
    word.
    """
    options = {each.replace("-", "_"): f"--{each}" for each in re.findall(r"--([\w-]+)", usage)}

    def spell(found: re.Match[str]) -> str:
        name, value = found["name"], found["value"]
        if name not in options or (value is None and "_" not in name):
            return found[0]
        if value in (None, "True"):
            return options[name]
        if value == "False":
            return options.get(f"no_{name}", found[0])
        return f"{options[name]} {value}"

    return _PARAMETER.sub(spell, message)


def _add_demo(subparsers: Any) -> None:
    demo = subparsers.add_parser(
        "demo",
        help="analyze a transformer on the embedded corpus and write a page",
        description=(
            "Extract the activations of a transformer on 480 English sentences, find out where "
            "parts of speech are encoded, and write the results to one page, report.html. This "
            "takes under a minute on two cores."
        ),
    )
    demo.set_defaults(run=commands.demo, usage=demo.format_usage)
    demo.add_argument(
        "--model",
        metavar="NAME_OR_PATH",
        help="name or path of a transformers model (default: the MiniLM model installed by the "
        "extra 'demo')",
    )
    demo.add_argument(
        "--out",
        metavar="DIR",
        default="demo-output",
        help="folder for the page (default: %(default)s)",
    )


def _add_extract(subparsers: Any) -> None:
    extract = subparsers.add_parser(
        "extract",
        help="extract the activations of a corpus into a store on disk",
        description=(
            "Run a transformers model over a corpus and write one row of activations per word, "
            "token or prompt to a store, which is a folder. Repeat an interrupted command to "
            "resume it. Under torchrun, as in 'torchrun --nproc-per-node 4 -m sklearn_neurox "
            "extract ...', several processes write one store, each on its own CUDA device."
        ),
    )
    extract.set_defaults(run=commands.extract, usage=extract.format_usage)
    add_extract_options(extract)


def _add_probe(subparsers: Any) -> None:
    probe = subparsers.add_parser(
        "probe",
        help="score a linear probe on each layer of a store and on a control task",
        description=(
            "Cross-validate a linear probe on each layer of a store, with each sentence in one "
            "fold. For comparison, score a control task of random labels, a table of the words, "
            "and the most frequent label."
        ),
    )
    probe.set_defaults(run=commands.probe, usage=probe.format_usage)
    _add_store(probe)
    _add_probe_options(probe)
    probe.add_argument(
        "--metric",
        metavar="NAME",
        default="accuracy",
        help="metric: %(choices)s, where F1 is averaged over the labels (default: %(default)s)",
    ).choices = Choices("evaluation.metrics", "METRICS")
    probe.add_argument("--out", metavar="FILE.csv", help="save the table")


def _add_rank(subparsers: Any) -> None:
    rank = subparsers.add_parser(
        "rank",
        help="rank the neurons of a store and show the words that activate the first ones",
        description="Rank the neurons of a store by their relevance for the labels.",
    )
    rank.set_defaults(run=commands.rank, usage=rank.format_usage)
    _add_store(rank)
    add = rank.add_argument
    add(
        "--method",
        metavar="NAME",
        default="weight-mass",
        help="the ranking: %(choices)s (default: %(default)s)",
    ).choices = Choices("neurons.ranking_selector", "RANKINGS")
    add(
        "--layer",
        metavar="LAYER",
        help="rank only the neurons of this layer (default: all layers)",
    )
    add("--target", metavar="LABEL", help="rank for this label (default: all labels)")
    add(
        "--n-neurons",
        metavar="N",
        type=int,
        default=20,
        help="number of neurons to show (default: %(default)s)",
    )
    add_random_state(rank)
    add("--out", metavar="FILE.csv", help="save the complete ranking")


def _add_report(subparsers: Any) -> None:
    report = subparsers.add_parser(
        "report",
        help="write a page about a store: layers, labels, neurons and redundancy",
        description="Write the analysis of a store to one self-contained HTML file.",
    )
    report.set_defaults(run=commands.report, usage=report.format_usage)
    _add_store(report)
    _add_probe_options(report)
    report.add_argument(
        "--model",
        metavar="NAME_OR_PATH",
        help="the model of the store, to also measure whether it uses the most frequent label "
        "(default: do not run a model)",
    )
    report.add_argument(
        "--out", metavar="FILE.html", help="the page (default: STORE.html in the current folder)"
    )


def _add_card(subparsers: Any) -> None:
    card = subparsers.add_parser(
        "card",
        help="write the card of a store for the Hugging Face Hub",
        description=(
            "Write a README.md into a store, which describes it on the Hugging Face Hub: the "
            "model, the layers, the number of rows and the checksums. It does not contain words or "
            "labels."
        ),
    )
    card.set_defaults(run=commands.card, usage=card.format_usage)
    _add_store(card)
    add = card.add_argument
    add("--repository", metavar="USER/NAME", help="name of the repository on the Hub")
    add("--license", metavar="ID", help="license, such as cc-by-4.0 (default: none)")
    add("--language", metavar="CODES", help="languages of the texts, such as en or en,de")
    add("--title", help="title (default: the name of the model)")
    add("--description", metavar="TEXT", help="text that follows the title")
    add("--tags", metavar="TAGS", help="more tags, separated by commas")
    add("--overwrite", action="store_true", help="replace a README.md that was edited")


def _add_store(command: argparse.ArgumentParser) -> None:
    command.add_argument("store", metavar="STORE", help="folder written by extract")


def _add_probe_options(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    for penalty, name in (("L1", "--lambda-l1"), ("L2", "--lambda-l2")):
        add(
            name,
            metavar="LAMBDA",
            type=float,
            default=0.0,
            help=f"{penalty} penalty of the probe (default: %(default)s)",
        )
    add("--cv", metavar="N", type=int, default=5, help="number of folds (default: %(default)s)")
    add_random_state(command)
