"""The command ``extract``: which corpus is read, and what becomes a row."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any, Literal, NamedTuple

from .._json import load_json
from ..activations import TokenActivations, write_activations
from ..datasets import read_conllu, read_parallel, read_sentences, read_texts
from ..datasets.texts import TextCorpus
from ..extraction import ActivationExtractor
from .processes import device_of, shard_of
from .rules import parse_at, parse_rule

_NEUROX = (".hdf5", ".json")
_ALL = {"conllu", "jsonl", "txt"}
_WORDS, _TEXTS = {"word"}, {"token", "prompt"}


class _Use(NamedTuple):
    """What an option can be used with."""

    corpora: set[str]
    units: set[str]
    needs: str  # for the error message


_USES = {
    "labels": _Use(
        {"txt"},
        _WORDS,
        "a text file. Use --column for a .conllu file, and --label for a .jsonl file",
    ),
    "column": _Use(
        {"conllu", "jsonl"},
        _WORDS | _TEXTS,
        "a .conllu file or a .jsonl file. Use --labels for a file with one label per word",
    ),
    "label": _Use(
        {"jsonl"},
        _WORDS | _TEXTS,
        "a .jsonl file. Use --column for a .conllu file, and --labels for a file with one label "
        "per word",
    ),
    "outside": _Use({"jsonl"}, {"token"}, "--unit token and a .jsonl file with spans"),
    "drop_unlabeled": _Use(
        {"jsonl"}, _WORDS | _TEXTS, "a .jsonl file. Use --drop-label to leave out words"
    ),
    "drop_label": _Use(
        _ALL,
        _WORDS,
        "words. Use --drop-unlabeled to leave out texts, and --where or spans to select tokens",
    ),
    "at": _Use({"jsonl"}, {"prompt"}, "--unit prompt and a .jsonl file"),
    "where": _Use({"jsonl"}, _TEXTS, "--unit prompt or token and a .jsonl file"),
    "add_generation_prompt": _Use({"jsonl"}, _TEXTS, "a .jsonl file with conversations"),
    "aggregation": _Use(_ALL, _WORDS, "words. Use --at mean for the mean over a prompt"),
    "on_empty_word": _Use(_ALL, _WORDS, "words"),
}


def check_options(args: Namespace) -> None:
    """Check that all options are used, and do not contradict each other.

    Raises
    ------
    ValueError
        If an option cannot be used. The message contains the option.
    """
    corpus, unit = _kind_of(args.corpus), _unit_of(args)
    if corpus != "jsonl" and unit != "word":
        raise ValueError(f"--unit={unit} requires a .jsonl file, but the corpus is {args.corpus}.")
    for name, use in _USES.items():
        value = getattr(args, name)
        if value is None or value is False or (corpus in use.corpora and unit in use.units):
            continue
        option = "--" + name.replace("_", "-") + ("" if value is True else f"={value}")
        raise ValueError(
            f"{option} cannot be used with {unit}s of {args.corpus}. It requires {use.needs}."
        )
    if args.random_state is not None and not args.random_weights:
        raise ValueError(
            f"--random-state={args.random_state} is the seed of --random-weights, which is missing."
        )
    if args.drop_label is not None and corpus == "txt" and args.labels is None:
        raise ValueError("--drop-label is a label of words without a row, so it needs --labels.")
    if Path(args.out).suffix.lower() in _NEUROX:
        _check_file(Path(args.out), args, unit)


def extract(args: Namespace) -> TokenActivations:
    """Extract the activations of a corpus, and write them to a store or a file of NeuroX."""
    check_options(args)
    shard = shard_of(os.environ)
    rule = None if args.where is None else parse_rule(args.where, option="--where")
    at = parse_at(args.at or "last")
    extractor = ActivationExtractor(
        args.model,
        layers=_layers(args.layers),
        modules=args.modules,
        aggregation=args.aggregation or "last",
        on_truncate=args.on_truncate,
        on_empty_word=args.on_empty_word or "error",
        split_special_tokens=args.split_special_tokens,
        add_prefix_space=args.add_prefix_space,
        add_generation_prompt=args.add_generation_prompt,
        batch_tokens=args.batch_tokens,
        dtype=args.dtype,
        random_weights=args.random_weights,
        device=device_of(args.device, os.environ),
        random_state=args.random_state or 0,
        verbose=int(shard is None or shard[0] == 0),
    ).fit()  # validates the options before the corpus, which may be large, is read
    is_file, unit = Path(args.out).suffix.lower() in _NEUROX, _unit_of(args)
    into: dict[str, Any] = {} if is_file else {
        "store": args.out, "append": args.append, "shard": shard,
        "split_layers": args.split_layers, "max_file_size": args.max_file_size,
    }  # fmt: skip
    if unit == "word":
        sentences, labels = _read_words(args)
        drop = _label_of(args.drop_label, chain.from_iterable(labels or []), "--drop-label")
        tokens = extractor.extract(sentences, labels, drop_label=drop, **into)
    else:
        texts, labels, spans = _read_texts(args, unit)
        if unit == "token":
            outside = _label_of(args.outside, [span[-1] for span in spans or []], "--outside")
            tokens = extractor.extract_tokens(
                texts, labels, spans=spans, outside=outside, where=rule, **into
            )
        else:
            tokens = extractor.extract_prompts(texts, labels, at=at, where=rule, **into)
    if is_file:
        write_activations(args.out, tokens)
    return tokens


def _kind_of(corpus: str) -> str:
    """Return the format of a corpus, which its suffix specifies."""
    suffix = Path(corpus).suffix.lower()
    # .conll is also the suffix of other formats, for which the reader raises an error.
    return {".conllu": "conllu", ".conll": "conllu", ".jsonl": "jsonl"}.get(suffix, "txt")


def _unit_of(args: Namespace) -> str:
    """Return what a row is."""
    return args.unit or ("prompt" if _kind_of(args.corpus) == "jsonl" else "word")


def _read_words(args: Namespace) -> tuple[Any, Any]:
    """Read sentences, and labels of their words if there are any."""
    kind = _kind_of(args.corpus)
    if kind == "jsonl":
        texts, labels, _ = _read_texts(args, "word")
        return texts, labels
    if kind == "conllu":
        return read_conllu(args.corpus, column=args.column or "upos")
    if args.labels:
        return read_parallel(args.corpus, args.labels)
    return read_sentences(args.corpus), None


def _read_texts(args: Namespace, unit: str) -> TextCorpus:
    """Read texts with labels or spans, but not both."""
    corpus = read_texts(
        args.corpus, column=args.column, label=args.label, drop_unlabeled=args.drop_unlabeled
    )
    if args.label not in (None, "spans"):
        corpus = corpus._replace(spans=None)
    if corpus.spans is not None and unit != "token":
        others = "" if corpus.labels is None else ", or --label to the key of the labels of texts"
        raise ValueError(
            f"{args.corpus} contains spans, which are labels of tokens. Set --unit token{others}."
        )
    if corpus.spans is not None and corpus.labels is not None:
        raise ValueError(
            f"{args.corpus} contains both labels of texts and spans. Set --label to spans or to "
            "the key of the labels."
        )
    has_words = isinstance(corpus.texts[0], list) and isinstance(corpus.texts[0][0], str)
    if has_words and unit != "word":
        raise ValueError(f"{args.corpus} contains lists of words. Set --unit word.")
    has_messages = any(isinstance(text, list) for text in corpus.texts) and not has_words
    if has_messages and unit == "word":
        raise ValueError(f"{args.corpus} contains conversations. Set --unit token or prompt.")
    if args.add_generation_prompt and not has_messages:
        raise ValueError(
            f"--add-generation-prompt applies to conversations, but {args.corpus} does not contain "
            "any."
        )
    return corpus


def _label_of(text: str | None, labels: Iterable[Any], option: str) -> Any:
    """Return the label that a text describes: a string, as the others, or another JSON value."""
    if text is None or all(isinstance(label, str) for label in labels):
        return text
    try:
        return load_json(text)
    except ValueError:
        raise ValueError(
            f"{option}={text}: the labels are not strings, so expected a JSON value such as 3 or "
            "false."
        ) from None


def _check_file(out: Path, args: Namespace, unit: str) -> None:
    """Check that a file of NeuroX can be written before the work starts."""
    used = [
        option
        for option, value in (
            ("--append", args.append),
            ("--split-layers", args.split_layers),
            ("--max-file-size", args.max_file_size),
        )
        if value
    ]
    if unit != "word" or used:
        what = used[0] if used else "tokens and prompts"
        raise ValueError(
            f"--out={out}: a file of NeuroX cannot be used for {what}. Pass a folder for a store."
        )
    if shard_of(os.environ) is not None:
        raise ValueError(
            f"--out={out}: several processes cannot write a file of NeuroX. Pass a folder for a "
            "store, or run a single process."
        )
    labels = {"conllu": "column", "jsonl": "label", "txt": "labels"}[_kind_of(args.corpus)]
    if getattr(args, labels) is not None and args.drop_label is None:
        raise ValueError(
            f"--out={out}: a file of NeuroX does not contain labels. Leave out --{labels}, or pass "
            "a folder for a store."
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
