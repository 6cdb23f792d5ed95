"""Corpora: sentences of words, with a label for each word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import NamedTuple

CONLLU_COLUMNS = (
    "id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc",
)  # fmt: skip


class ConlluSentence(NamedTuple):
    """A sentence of a CoNLL-U file: its ``# key = value`` comments and its words' columns."""

    comments: dict[str, str]
    rows: list[dict[str, str]]


def iter_conllu(path: str | PathLike) -> Iterator[ConlluSentence]:
    """Read a CoNLL-U file sentence by sentence.

    Only syntactic words have rows: the ranges of multi-word tokens (id 1-2) and empty nodes
    (id 1.1) are no words of their own in Universal Dependencies.

    Parameters
    ----------
    path : str or path
        A UTF-8 file.

    Yields
    ------
    ConlluSentence

    Raises
    ------
    ValueError
        With the line number, if the file is not UTF-8, a line has not ten columns, an id or a
        form is missing, or the words of a sentence are not numbered 1, 2, 3, ...
    """
    comments: dict[str, str] = {}
    rows: list[dict[str, str]] = []
    for number, line in enumerate(_lines(path), start=1):
        if line.startswith("#"):
            key, _, value = line[1:].partition("=")
            comments[key.strip()] = value.strip()
        elif line:
            row = _parse_row(line, f"{path}, line {number}")
            if row["id"].isdigit():
                if int(row["id"]) != len(rows) + 1:
                    raise ValueError(
                        f"{path}, line {number}: expected word {len(rows) + 1} of the sentence, "
                        f"got id {row['id']}. An empty line ends a sentence."
                    )
                rows.append(row)
        else:
            if rows:
                yield ConlluSentence(comments, rows)
            comments, rows = {}, []
    if rows:
        yield ConlluSentence(comments, rows)


def _lines(path: str | PathLike) -> Iterator[str]:
    """Lines without their ends, and without a byte-order mark."""
    content = Path(path).read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = content[: error.start].count(b"\n") + 1
        raise ValueError(f"{path}, line {number}: not UTF-8 ({error.reason}).") from error
    for line in text.split("\n"):
        yield line.removesuffix("\r")


def _parse_row(line: str, place: str) -> dict[str, str]:
    columns = line.split("\t")
    if len(columns) != len(CONLLU_COLUMNS):
        raise ValueError(
            f"{place}: expected {len(CONLLU_COLUMNS)} columns parted by tabs, got {len(columns)}: "
            f"{line[:60]!r}"
        )
    row = dict(zip(CONLLU_COLUMNS, columns, strict=True))
    if not re.fullmatch(r"[0-9]+([-.][0-9]+)?", row["id"]):
        raise ValueError(
            f"{place}: expected an id as 3, 3-4 or 3.1 in the first column, got {row['id']!r}."
        )
    if not row["form"]:
        raise ValueError(f"{place}: the second column, the word, is empty.")
    return row


def read_conllu(
    path: str | PathLike, column: str = "upos"
) -> tuple[list[list[str]], list[list[str]]]:
    """Words of a CoNLL-U file and one column of labels.

    Parameters
    ----------
    path : str or path
        A UTF-8 file of Universal Dependencies.
    column : str, default="upos"
        One of id, form, lemma, upos, xpos, feats, head, deprel, deps, misc.

    Returns
    -------
    sentences : list of list of str
        Words (the column form). Multi-word tokens are given as their syntactic words; empty
        nodes are left out.
    labels : list of list of str
        The same shape.

    Raises
    ------
    ValueError
        If `column` is unknown, a line has not ten columns (with its number), or there is no
        sentence.

    Examples
    --------
    >>> from sklearn_neurox import read_conllu
    >>> sentences, tags = read_conllu("en_ewt-ud-dev.conllu")  # doctest: +SKIP
    """
    if column not in CONLLU_COLUMNS:
        raise ValueError(f"column must be one of {CONLLU_COLUMNS}, got {column!r}.")
    sentences, labels = [], []
    for sentence in iter_conllu(path):
        sentences.append([row["form"] for row in sentence.rows])
        labels.append([row[column] for row in sentence.rows])
    if not sentences:
        raise ValueError(f"{path} holds no sentence.")
    return sentences, labels
