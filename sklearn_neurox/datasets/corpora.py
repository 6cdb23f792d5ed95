"""Corpora from files: sentences of words, with a label for each word or sentence."""

from __future__ import annotations

from itertools import zip_longest
from os import PathLike

from ._conllu import CONLLU_COLUMNS, FEATURES, MISSING, iter_conllu
from ._text_files import read_lines

# Number of errors in a file that an error message lists.
_N_FAULTS_SHOWN = 5


def read_conllu(
    path: str | PathLike, column: str = "upos"
) -> tuple[list[list[str]], list[list[str]]]:
    """Read the words of a CoNLL-U file and one column of labels.

    Parameters
    ----------
    path : str or path-like
        A UTF-8 file of Universal Dependencies.
    column : str, default="upos"
        Column of the labels, one of "id", "form", "lemma", "upos", "xpos", "feats", "head",
        "deprel", "deps" and "misc", or one of the features in a column, such as "feats:Number".

    Returns
    -------
    sentences : list of SpacedSentence
        The words (the column form), unchanged, with the spaces of the text (``SpaceAfter=No``).
        Multi-word tokens are represented by their syntactic words, and empty nodes are left out.
        Universal Dependencies allows spaces within words ("100 000", Vietnamese).
    labels : list of list of str
        The labels, in the same shape. In this format, "_" marks a missing label. Pass
        ``drop_label="_"`` to :meth:`ActivationExtractor.extract` to leave out the rows of these
        words.

    Raises
    ------
    ValueError
        If `column` is unknown, no word has the feature, the file is not valid UTF-8, a line does
        not follow the format (for example, a column is empty, or words are missing), or there are
        no sentences. The message contains the number of the line and the name of the column.

    Examples
    --------
    >>> from sklearn_neurox import read_conllu
    >>> sentences, tags = read_conllu("en_ewt-ud-dev.conllu")  # doctest: +SKIP
    >>> _, numbers = read_conllu("en_ewt-ud-dev.conllu", "feats:Number")  # doctest: +SKIP
    """
    _check_column(column)
    sentences: list[list[str]] = []
    labels = []
    for sentence in iter_conllu(path):
        sentences.append(sentence.words())
        labels.append(sentence.labels(column))
    if not sentences:
        raise ValueError(f"{path} does not contain any sentences.")
    if ":" in column and all(label == MISSING for each in labels for label in each):
        raise ValueError(f"{path}: no word has the feature {column!r}.")
    return sentences, labels


def _check_column(column: str) -> None:
    name, colon, key = column.partition(":")
    if colon and name in FEATURES and key:
        return
    if colon or column not in CONLLU_COLUMNS:
        raise ValueError(
            f"column must be one of {CONLLU_COLUMNS}, or a feature such as 'feats:Number' or "
            f"'misc:Gloss', got {column!r}."
        )


def read_sentences(path: str | PathLike) -> list[list[str]]:
    """Read the words of a text file with one sentence per line.

    Parameters
    ----------
    path : str or path-like
        A UTF-8 file with one sentence per line and single spaces between words. Only LF and CRLF
        end a line. Spaces at the end of a line and blank lines at the end of the file are ignored.

    Returns
    -------
    list of list of str
        The words, unchanged, including zero-width characters.

    Raises
    ------
    ValueError
        If the file is not valid UTF-8 or is empty, or a line is empty, has a leading or double
        space, or has other white space (a tab, a no-break space) within a word. The message
        contains the line numbers.

    See Also
    --------
    annotate : Label the words by a set, a regular expression or a function.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn_neurox import read_sentences
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "words.txt"
    ...     _ = path.write_text("The kettle sulked .", encoding="utf-8")
    ...     read_sentences(path)
    [['The', 'kettle', 'sulked', '.']]
    """
    lines = _text_lines(path)
    _raise_faults(
        [
            f"{path}, line {number}: {fault}"
            for number, line in enumerate(lines, start=1)
            if (fault := _spacing_fault(line, "word"))
        ]
    )
    return [line.split(" ") for line in lines]


def read_parallel(
    source: str | PathLike, labels: str | PathLike
) -> tuple[list[list[str]], list[list[str]]]:
    """Read words from one file and a label for each word from another, as NeuroX does.

    Either all lines are read, or an error is raised: a sentence is never skipped because it does
    not match its labels or is long (see `on_truncate` of
    :class:`~sklearn_neurox.ActivationExtractor`).

    Parameters
    ----------
    source : str or path-like
        A UTF-8 file with one sentence per line and single spaces between words. Only LF and CRLF
        end a line. Spaces at the end of a line and blank lines at the end of the file are ignored.
    labels : str or path-like
        A file of the same format, with as many labels in each line as `source` has words.

    Returns
    -------
    sentences : list of list of str
        The words, unchanged, including zero-width characters.
    labels : list of list of str
        The labels, in the same shape.

    Raises
    ------
    ValueError
        If the files differ in the number of lines, or a line in the number of words and labels; if
        a file is not valid UTF-8 or is empty; or if a line is empty, has a leading or double space,
        or has other white space (a tab, a no-break space) within a word or label. The message lists
        up to five errors with their line numbers, and the total number of errors.

    See Also
    --------
    read_labeled_sentences : Read one label per sentence.
    numeric_labels : Convert labels to numbers.
    binarize_labels : Convert labels to booleans.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn_neurox import read_parallel
    >>> with TemporaryDirectory() as folder:
    ...     words, tags = Path(folder) / "words.txt", Path(folder) / "tags.txt"
    ...     _ = words.write_text("The kettle sulked .", encoding="utf-8")
    ...     _ = tags.write_text("DET NOUN VERB PUNCT", encoding="utf-8")
    ...     read_parallel(words, tags)
    ([['The', 'kettle', 'sulked', '.']], [['DET', 'NOUN', 'VERB', 'PUNCT']])
    """
    lines = _read_pair(source, labels, per_word=True)
    sentences, tags = ([line.split(" ") for line in column] for column in lines)
    return sentences, tags


def read_labeled_sentences(
    source: str | PathLike, labels: str | PathLike
) -> tuple[list[list[str]], list[str]]:
    """Read words from one file and a label for each sentence from another.

    Parameters
    ----------
    source : str or path-like
        A UTF-8 file with one sentence per line and single spaces between words. Only LF and CRLF
        end a line. Spaces at the end of a line and blank lines at the end of the file are ignored.
    labels : str or path-like
        A UTF-8 file with one label per line, without white space.

    Returns
    -------
    sentences : list of n_sentences lists of str
        The words, unchanged, including zero-width characters.
    labels : list of n_sentences str
        The labels. ``np.array(labels)[tokens.sentence_ids]`` is the label of the sentence of each
        row of :class:`~sklearn_neurox.TokenActivations`.

    Raises
    ------
    ValueError
        As :func:`read_parallel`; also if a line of `labels` has more than one label.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn_neurox import read_labeled_sentences
    >>> with TemporaryDirectory() as folder:
    ...     words, moods = Path(folder) / "words.txt", Path(folder) / "moods.txt"
    ...     _ = words.write_text("The kettle sulked .", encoding="utf-8")
    ...     _ = moods.write_text("bad", encoding="utf-8")
    ...     read_labeled_sentences(words, moods)
    ([['The', 'kettle', 'sulked', '.']], ['bad'])
    """
    lines, tags = _read_pair(source, labels, per_word=False)
    return [line.split(" ") for line in lines], tags


def _read_pair(
    source: str | PathLike, labels: str | PathLike, *, per_word: bool
) -> tuple[list[str], list[str]]:
    """Read the lines of two files, and check that they match."""
    lines, tags = _text_lines(source), _text_lines(labels)
    faults = []
    if len(lines) != len(tags):
        faults.append(
            f"{source} and {labels} must have the same number of lines, got {len(lines)} and "
            f"{len(tags)}"
        )
    for number, (line, tag) in enumerate(zip_longest(lines, tags), start=1):
        spacing = [
            f"{path}, line {number}: {fault}"
            for path, text, noun in ((source, line, "word"), (labels, tag, "label"))
            if text is not None and (fault := _spacing_fault(text, noun))
        ]
        faults += spacing
        # With stray spaces, or beyond the end of a file, the counts would be meaningless.
        if not spacing and line is not None and tag is not None:
            n_words, n_labels = line.count(" ") + 1, tag.count(" ") + 1
            if n_labels != (n_words if per_word else 1):
                expected = f"{n_words}, one per word" if per_word else "1"
                faults.append(
                    f"{labels}, line {number}: the number of labels must be {expected}, got "
                    f"{n_labels}: {tag[:60]!r} for {line[:60]!r}"
                )
    _raise_faults(faults)
    return lines, tags


def _text_lines(path: str | PathLike) -> list[str]:
    """Return the lines of a file without spaces at their ends and blank lines at the end.

    NeuroX ignores these too. No word or label is lost.
    """
    lines = [line.rstrip(" ") for line in read_lines(path)]
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        raise ValueError(f"{path} does not contain any sentences.")
    return lines


def _spacing_fault(line: str, noun: str) -> str | None:
    """Describe what is wrong with the white space of a line, or return None."""
    tokens = line.split(" ")
    if tokens == line.split():
        return None
    if not line:
        return "the line is empty"
    if line.startswith(" "):
        return f"a leading space: {line[:60]!r}"
    if "  " in line:
        place = line.index("  ")
        return f"two spaces in a row: {line[max(0, place - 30) : place + 30]!r}"
    token = next(token for token in tokens if token.split() != [token])
    place = next(i for i, character in enumerate(token) if character.isspace())
    return (
        f"white space (U+{ord(token[place]):04X}) within the {noun} "
        f"{token[max(0, place - 30) : place + 30]!r}; {noun}s must be separated by a single space"
    )


def _raise_faults(faults: list[str]) -> None:
    if not faults:
        return
    if len(faults) == 1:
        raise ValueError(f"{faults[0]}.")
    more = f"; the first {_N_FAULTS_SHOWN} are" if len(faults) > _N_FAULTS_SHOWN else ""
    shown = "\n".join(f"  {fault}" for fault in faults[:_N_FAULTS_SHOWN])
    raise ValueError(f"Found {len(faults)} errors{more}:\n{shown}")
