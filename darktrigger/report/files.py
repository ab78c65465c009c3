"""Reading of what a report shows: pictures, tables and text, each into a block."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from itertools import dropwhile, takewhile
from pathlib import Path

from darktrigger.errors import UnreadableFileError
from darktrigger.report.blocks import Listing, Picture, Table


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadableFileError(path, f"cannot be read ({error.strerror})") from None


def read_text(path: Path) -> str:
    """Text of a file.

    Raises
    ------
    UnreadableFileError
        Absent, or not UTF-8.
    """
    try:
        return _read(path).decode("utf-8")
    except UnicodeDecodeError:
        raise UnreadableFileError(path, "is not text (UTF-8)") from None


def picture(path: Path, caption: str = "") -> Picture:
    """A PNG file as a picture that holds all its bytes.

    Raises
    ------
    UnreadableFileError
        Absent, or not PNG.
    """
    data = _read(path)
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        raise UnreadableFileError(path, "is not a PNG picture")
    return Picture(caption or path.stem, f"data:image/png;base64,{base64.b64encode(data).decode()}")


def pictures_of(paths: Iterable[Path], prefixes: Sequence[str]) -> tuple[Picture, ...]:
    """Those pictures whose names start with one of the prefixes."""
    return tuple(picture(path) for path in paths if path.name.startswith(tuple(prefixes)))


def markdown_table(path: Path, caption: str) -> Table:
    """The first table of a Markdown file, whose cells hold no pipes; short rows are filled up.

    Raises
    ------
    UnreadableFileError
        Absent, not text, or without a table.
    """
    text = dropwhile(lambda line: not line.startswith("|"), read_text(path).splitlines())
    lines = list(takewhile(lambda line: line.startswith("|"), text))
    if len(lines) < 2:
        raise UnreadableFileError(path, "holds no Markdown table")
    header, _, *rows = (tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines)
    width = len(header)
    return Table(caption, header, tuple((row + ("",) * width)[:width] for row in rows))


def listing(path: Path, caption: str = "") -> Listing:
    """A text file as it is."""
    return Listing(caption or path.name, read_text(path))
