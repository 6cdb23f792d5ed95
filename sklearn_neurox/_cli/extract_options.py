"""The options of the command ``extract``."""

from __future__ import annotations

import argparse

from .options import Choices


def add_extract_options(command: argparse.ArgumentParser) -> None:
    """Add the arguments and options of the command."""
    _add_input_and_output(command)
    _add_token_options(command)
    _add_label_options(command)
    _add_reading_options(command)
    _add_extraction_options(command)


def _add_token_options(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add(
        "--unit",
        choices=("word", "token", "prompt"),
        help="what a row is; the texts of a .jsonl file can be read as words, too (default: prompt "
        "for a .jsonl file, and word otherwise)",
    )
    add(
        "--at",
        metavar="RULE",
        help="token that is the row of a prompt: last, first, mean, an index, or a rule "
        "(default: last)",
    )
    add(
        "--where",
        metavar="RULE",
        help="tokens that have a row, or among which --at selects: role:NAME, turn:N, span:REGEX, "
        "after:REGEX, special, first:N or last:N, joined with '&', and negated by '~'",
    )
    add(
        "--add-generation-prompt",
        action="store_true",
        help="append the markup to conversations that begins an answer",
    )


def _add_input_and_output(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add(
        "model",
        metavar="MODEL",
        help="name or path of a transformers model, or 'MODEL,TOKENIZER' if the tokenizer is "
        "elsewhere",
    )
    add(
        "corpus",
        metavar="CORPUS",
        help="a CoNLL-U file (.conllu, .conll), a file of texts or conversations with one JSON "
        "object per line (.jsonl), or a text file with one sentence per line and words separated "
        "by spaces",
    )
    add(
        "--out",
        metavar="STORE",
        required=True,
        help="folder for the activations, or a file of NeuroX (.hdf5, .json)",
    )
    add(
        "--append",
        action="store_true",
        help="append the rows to STORE if it is finished",
    )
    add(
        "--split-layers",
        action="store_true",
        help="write each layer to its own files, which can be read without the others",
    )
    add(
        "--max-file-size",
        metavar="SIZE",
        help="largest size of a file of activations in STORE, such as 5GB (default: no limit)",
    )


def _add_label_options(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("--labels", metavar="FILE", help="labels of a text file, in the same layout as its words")
    add(
        "--column",
        metavar="NAME",
        help="column of a .conllu file with labels, or a feature such as feats:Number (default: "
        "upos), or key of a .jsonl file with texts (default: messages or text)",
    )
    add(
        "--label",
        metavar="KEY",
        help="key of a .jsonl file with labels: spans, or that of a label of each text (default: "
        "label, labels or spans, of which the file has one)",
    )
    add(
        "--outside",
        metavar="LABEL",
        help="label of tokens outside of spans, which otherwise do not have a row",
    )
    add("--drop-label", metavar="LABEL", help="leave out the rows of words with this label")
    add("--drop-unlabeled", action="store_true", help="leave out texts without a label")


def _add_reading_options(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add(
        "--on-truncate",
        choices=("error", "warn", "drop"),
        default="error",
        help="what to do with sentences that are too long for the model (default: %(default)s)",
    )
    add(
        "--on-empty-word",
        choices=("error", "drop"),
        help="what to do with words that the tokenizer drops (default: error)",
    )
    add(
        "--split-special-tokens",
        action=argparse.BooleanOptionalAction,
        help="split special tokens in the corpus, such as [MASK], like ordinary text, or read them "
        "as special tokens (default: report them as an error)",
    )
    add(
        "--add-prefix-space",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="put a space before each sentence of words, for tokenizers that distinguish the first "
        "word",
    )


def _add_extraction_options(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add(
        "--layers",
        default="all",
        help="'all' or numbers such as 0,3,6, where 0 is the embeddings (default: %(default)s)",
    )
    add(
        "--modules",
        metavar="PART",
        help="extract a part of each layer: attention_heads, mlp, or the path of a module within "
        "a block",
    )
    add(
        "--aggregation",
        metavar="NAME",
        help="aggregation of sub-words into words: %(choices)s (default: last)",
    ).choices = Choices("extraction.aggregation", "AGGREGATIONS")
    add(
        "--dtype",
        metavar="NAME",
        default="float32",
        help="dtype of the stored activations: %(choices)s (default: %(default)s)",
    ).choices = Choices("activations.dtypes", "DTYPES")
    add(
        "--batch-tokens",
        metavar="N",
        type=int,
        default=2048,
        help="number of sub-words per batch (default: %(default)s)",
    )
    add(
        "--random-weights",
        action="store_true",
        help="use the model as it was before training, with random weights",
    )
    add(
        "--random-state",
        metavar="N",
        type=int,
        help="random seed of --random-weights (default: 0)",
    )
    add(
        "--device",
        default="auto",
        help="device of the model: auto, cpu, cuda or cuda:1; under torchrun, auto is the CUDA "
        "device of the local rank, if there is any (default: %(default)s)",
    )
