"""``python -m sklearn_neurox``: a thin command over the rooms."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    argv : sequence of str, default=None
        Arguments; None takes those of the process.

    Returns
    -------
    int
        0, or 1 after an error that is the user's to mend; its message is on stderr.
    """
    args = _parser().parse_args(argv)
    from ._demo import run_demo

    try:
        run_demo(args.model, args.out)
    except (ImportError, OSError, ValueError) as error:
        print(f"sklearn_neurox: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sklearn_neurox",
        description="Probing and neuron analysis of neural networks.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
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
    return parser


if __name__ == "__main__":
    sys.exit(main())
