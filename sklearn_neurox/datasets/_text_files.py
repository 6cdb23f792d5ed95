"""Lines of text files."""

from __future__ import annotations

from os import PathLike
from pathlib import Path


def read_lines(path: str | PathLike) -> list[str]:
    """Return the lines of a file without line endings and without the byte-order mark.

    Only LF and CRLF end a line. ``str.splitlines`` would also split at U+2028, U+0085 and others.
    The text after the last line ending is a line too, which may be empty.

    Raises
    ------
    ValueError
        If the file is not valid UTF-8 or contains NUL characters. The message contains the line
        number.
    """
    content = Path(path).read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = content[: error.start].count(b"\n") + 1
        raise ValueError(
            f"{path}, line {number}: the line is not valid UTF-8 ({error.reason})."
        ) from error
    if "\0" in text:
        number = text[: text.index("\0")].count("\n") + 1
        raise ValueError(
            f"{path}, line {number}: the line contains a NUL character. Expected a text file in "
            "UTF-8, not in UTF-16 or UTF-32."
        )
    return [line.removesuffix("\r") for line in text.split("\n")]
