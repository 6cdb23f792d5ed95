"""The command ``extract``: which corpus is read, and what becomes a row."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any, Literal

from ..activations import TokenActivations, write_activations
from ..datasets import read_conllu, read_parallel, read_sentences, read_texts
from ..extraction import ActivationExtractor
from .rules import parse_at, parse_rule

_NEUROX = (".hdf5", ".json")


def check_options(args: Namespace) -> None:
    """Check the options of the command that contradict each other.

    Raises
    ------
    ValueError
        If they do. The message contains the options.
    """
    suffix = Path(args.corpus).suffix.lower()
    # .conll is also the suffix of other formats, for which the reader raises an error.
    is_conllu, is_json = suffix in {".conllu", ".conll"}, suffix == ".jsonl"
    if args.labels and (is_conllu or is_json):
        raise ValueError(
            f"--labels cannot be used with a {suffix} file, which contains its labels."
            + (" Use --column to select a column of labels." if is_conllu else "")
        )
    if args.column and not is_conllu:
        raise ValueError(
            f"--column={args.column} requires a .conllu file, but the corpus is {args.corpus}. Use "
            "--labels for a file with one label per word."
        )
    if (args.unit in ("token", "prompt")) > is_json or (args.unit == "word" and is_json):
        raise ValueError(
            f"--unit={args.unit} cannot be used with {args.corpus}: rows are tokens or prompts "
            "of a .jsonl file, and words of other files."
        )
    if args.at is not None and (not is_json or args.unit == "token"):
        raise ValueError("--at selects the token of a prompt, so it requires --unit prompt.")
    if args.where is not None and not is_json:
        raise ValueError(f"--where requires a .jsonl file, but the corpus is {args.corpus}.")
    _check_out(Path(args.out), is_words=not is_json, append=args.append)


def extract(args: Namespace) -> TokenActivations:
    """Extract the activations of a corpus, and write them to a store or a file of NeuroX."""
    check_options(args)
    layers = _layers(args.layers)
    rule = None if args.where is None else parse_rule(args.where, option="--where")
    at = parse_at(args.at or "last")
    extractor = ActivationExtractor(
        args.model,
        layers=layers,
        modules=args.modules,
        aggregation=args.aggregation,
        on_truncate=args.on_truncate,
        on_empty_word=args.on_empty_word,
        split_special_tokens=args.split_special_tokens,
        add_prefix_space=args.add_prefix_space,
        add_generation_prompt=args.add_generation_prompt,
        batch_tokens=args.batch_tokens,
        dtype=args.dtype,
        random_weights=args.random_weights,
        device=args.device,
        random_state=args.random_state,
        verbose=1,
    ).fit()  # validates the options before the corpus, which may be large, is read
    is_file = Path(args.out).suffix.lower() in _NEUROX
    into: dict[str, Any] = {} if is_file else {"store": args.out, "append": args.append}
    if Path(args.corpus).suffix.lower() != ".jsonl":
        sentences, labels = _read_words(args)
        drop = args.drop_label if labels is not None else None
        tokens = extractor.extract(sentences, labels, drop_label=drop, **into)
    else:
        tokens = _extract_texts(args, extractor, rule, at, into)
    if is_file:
        write_activations(args.out, tokens)
    return tokens


def _extract_texts(
    args: Namespace, extractor: ActivationExtractor, rule: Any, at: Any, into: dict[str, Any]
) -> TokenActivations:
    texts, labels, spans = read_texts(args.corpus)
    if args.unit == "token":
        if spans is not None:
            labels = None
        return extractor.extract_tokens(texts, labels, spans=spans, where=rule, **into)
    if spans is not None:
        raise ValueError(
            f"{args.corpus} contains spans, which are labels of tokens. Set --unit token."
        )
    return extractor.extract_prompts(texts, labels, at=at, where=rule, **into)


def _read_words(args: Namespace) -> tuple[Any, Any]:
    if Path(args.corpus).suffix.lower() in {".conllu", ".conll"}:
        return read_conllu(args.corpus, column=args.column or "upos")
    if args.labels:
        return read_parallel(args.corpus, args.labels)
    if args.drop_label is not None:
        raise ValueError("--drop-label is a label of words without a row, so it needs --labels.")
    return read_sentences(args.corpus), None


def _check_out(out: Path, *, is_words: bool, append: bool) -> None:
    """Check that a file of NeuroX can be written before the work starts."""
    if out.suffix.lower() not in _NEUROX:
        return
    if not is_words or append:
        what = "tokens and prompts" if not is_words else "--append"
        raise ValueError(
            f"--out={out}: a file of NeuroX cannot be used for {what}. Pass a folder for a store."
        )
    if out.exists():
        raise ValueError(f"--out={out} already exists.")
    if not out.parent.is_dir():
        raise ValueError(f"Cannot write {out}: the folder {out.parent} does not exist.")


def _layers(text: str) -> Literal["all"] | list[int]:
    """Convert the value of --layers: "all", or numbers separated by commas."""
    if text == "all":
        return "all"
    numbers = text.split(",")
    # int() would also accept "1_2" and " 3".
    if not all(number.isascii() and number.isdigit() for number in numbers):
        raise ValueError(f"--layers must be 'all' or numbers such as 0,3,6, got {text!r}.")
    return [int(number) for number in numbers]
