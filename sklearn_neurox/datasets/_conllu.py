"""The file format CoNLL-U of Universal Dependencies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from os import PathLike
from typing import NamedTuple

from ._text_files import read_lines
from .spacing import SpacedSentence

CONLLU_COLUMNS = (
    "id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc",
)  # fmt: skip
MISSING = "_"  # marks a missing value
# Columns that consist of features.
FEATURES = ("feats", "misc")
# Columns that may contain spaces between their first and last character.
_WITH_SPACES = ("form", "lemma", "misc")
# A word, a range of words that form a token, and an empty node.
_ID = re.compile(
    r"(?P<word>[1-9][0-9]{0,8})"
    r"|(?P<first>[1-9][0-9]{0,8})-(?P<last>[1-9][0-9]{0,8})"
    r"|(0|[1-9][0-9]{0,8})\.[1-9][0-9]{0,8}"
)


class MultiWordToken(NamedTuple):
    """A token of the text that consists of several words, such as "don't"."""

    first: int  # numbers of words, counted from 1
    last: int
    form: str
    misc: str


@dataclass
class ConlluSentence:
    """A sentence of a CoNLL-U file: its ``# key = value`` comments and the columns of its words."""

    comments: dict[str, str] = field(default_factory=dict)
    rows: list[dict[str, str]] = field(default_factory=list)
    n_announced: int = 0  # number of words according to the ranges of multi-word tokens
    ranges: list[MultiWordToken] = field(default_factory=list)

    def add(self, line: str, place: str) -> None:
        """Add a line of columns.

        Raises
        ------
        ValueError
            If the line does not follow the format, or is not the next one of the sentence. The
            message begins with `place`.
        """
        row = _parse_row(line, place)
        match = _ID.fullmatch(row["id"])
        if match is None:
            raise ValueError(
                f"{place}: expected an id such as 3, 3-4 or 3.1 in the first column, got "
                f"{row['id']!r:.30}."
            )
        word, first, last = match["word"], match["first"], match["last"]
        expected = str(len(self.rows) + 1)
        if (word or first or expected) != expected:
            raise ValueError(
                f"{place}: expected word {expected} of the sentence, got id {row['id']}. Sentences "
                "must be separated by an empty line."
            )
        if word:
            self.rows.append(row)
        elif first and (int(last) < int(first) or int(first) <= self.n_announced):
            raise ValueError(
                f"{place}: expected a range of words after word {self.n_announced}, such as "
                f"{first}-{int(first) + 1}, got id {row['id']}."
            )
        elif first:
            self.n_announced = int(last)
            self.ranges.append(MultiWordToken(int(first), int(last), row["form"], row["misc"]))

    def words(self) -> SpacedSentence:
        """Return the words, with the spaces of the text.

        There is no space after a token with ``SpaceAfter=No``. The words of a multi-word token are
        not separated if they are its parts, like "do" and "n't", and separated by spaces otherwise,
        like "de" and "le" for "du".
        """
        separators = ["" if _is_glued(row["misc"]) else " " for row in self.rows]
        for token in self.ranges:
            forms = [row["form"] for row in self.rows[token.first - 1 : token.last]]
            inner = "" if "".join(forms) == token.form else " "
            separators[token.first - 1 : token.last - 1] = [inner] * (token.last - token.first)
            separators[token.last - 1] = "" if _is_glued(token.misc) else " "
        return SpacedSentence([row["form"] for row in self.rows], separators[:-1])

    def labels(self, column: str) -> list[str]:
        """Return a column, or one feature of a column such as "feats:Number", of all words."""
        name, _, key = column.partition(":")
        if not key:
            return [row[name] for row in self.rows]
        return [_features(row[name]).get(key, MISSING) for row in self.rows]

    def check_end(self, place: str) -> None:
        """Check that the sentence contains all words of its last multi-word token.

        Raises
        ------
        ValueError
            If words are missing.
        """
        if len(self.rows) < self.n_announced:
            raise ValueError(
                f"{place}: the sentence ends after word {len(self.rows)}, but a multi-word token "
                f"ends with word {self.n_announced}."
            )


def _is_glued(misc: str) -> bool:
    """Return whether no space follows a token."""
    return _features(misc).get("SpaceAfter") == "No"


def _features(value: str) -> dict[str, str]:
    """Return the features in a column such as ``Case=Nom|Number=Sing``."""
    pairs = (feature.split("=", 1) for feature in value.split("|") if "=" in feature)
    return dict(pairs)


def iter_conllu(path: str | PathLike) -> Iterator[ConlluSentence]:
    """Read a CoNLL-U file sentence by sentence.

    Only syntactic words have rows: in Universal Dependencies, the ranges of multi-word tokens (id
    1-2) and empty nodes (id 1.1) are not words.

    Parameters
    ----------
    path : str or path-like
        A UTF-8 file.

    Yields
    ------
    ConlluSentence

    Raises
    ------
    ValueError
        If the file is not valid UTF-8, a line does not have ten columns, a column is empty or
        contains white space that the format does not allow, or the words of a sentence are not
        numbered 1, 2, 3, ... The message contains the line number.
    """
    sentence, number = ConlluSentence(), 0
    for number, line in enumerate(read_lines(path), start=1):
        place = f"{path}, line {number}"
        if line.startswith("#"):
            key, _, value = line[1:].partition("=")
            sentence.comments[key.strip()] = value.strip()
        elif line:
            sentence.add(line, place)
        else:
            sentence.check_end(place)
            if sentence.rows:
                yield sentence
            sentence = ConlluSentence()
    sentence.check_end(f"{path}, line {number}")
    if sentence.rows:
        yield sentence


def _parse_row(line: str, place: str) -> dict[str, str]:
    columns = line.split("\t")
    if len(columns) != len(CONLLU_COLUMNS):
        raise ValueError(
            f"{place}: expected {len(CONLLU_COLUMNS)} columns separated by tabs, got "
            f"{len(columns)}: {line[:60]!r}."
        )
    row = dict(zip(CONLLU_COLUMNS, columns, strict=True))
    if not row["form"]:
        raise ValueError(f"{place}: the second column, the word, is empty.")
    for name, value in row.items():
        if name == "id":  # checked by its pattern
            continue
        if not value:
            raise ValueError(
                f"{place}: the column {name} is empty. A missing value is written as '_'."
            )
        if value.split() != [value] and (name not in _WITH_SPACES or value != value.strip()):
            where = "at its start or end" if name in _WITH_SPACES else "in it"
            raise ValueError(
                f"{place}: expected a column {name} without white space {where}, got {value!r:.60}."
            )
    return row
