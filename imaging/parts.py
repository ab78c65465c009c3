"""Rows made from a piece of a file, as a worker leaves them on disk until the output is complete."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pyarrow as pa

from darktrigger import __version__
from darktrigger.config import StrictModel
from darktrigger.errors import UnreadableFileError
from darktrigger.files import hash_of
from imaging.events import NO_EVENTS, Cutflow
from imaging.parquet_file import RowWriter, iterate_batches, metadata_of, open_parquet

#: Opens a Parquet file for writing; a function of a module, so that it can travel.
Write = Callable[[Path], AbstractContextManager[RowWriter[Any]]]

#: Rows of a part in memory at a time, when it is looked at.
_ROWS_LOOKED_AT = 1000


class PartMetadata(StrictModel):
    """What a part says of itself: what the selection did, and the bytes read from the input file."""

    cutflow: Cutflow
    bytes_read: int


class Step(NamedTuple):
    """What is in memory at a time: rows, what the selection did, and the bytes read from the file so far."""

    table: pa.Table
    cutflow: Cutflow
    bytes_read: int


class Maker(Protocol):
    """Turns a span of a file into rows; travels to worker processes."""

    @property
    def schema(self) -> pa.Schema:
        """Columns of the rows, those of the output file."""

    def names(self) -> list[str]:
        """Branches or columns that are read."""

    def key(self) -> dict[str, Any]:
        """Plain data that decide what the rows are, beside the file's content."""

    def steps(self, path: str, span: range, timeout: float) -> Iterator[Step]:
        """Rows of the entries from ``span.start`` to ``span.stop``, of ``span.step`` entries at a time.

        Raises
        ------
        InputFileError
            The file cannot be used.
        """


@dataclass(frozen=True)
class Piece:
    """Entries of a file that one task turns into rows.

    Parameters
    ----------
    path
        The file.
    content
        What tells the file from any other.
    span
        First entry, where to stop, and how many entries are in memory at a time.
    maker
        Makes the rows.
    constants
        Columns that have one value throughout, such as label and mass (GeV) of a sample.
    write
        Opens a file of such rows.
    folder
        Where the part goes.
    timeout
        Of a remote read, s.
    """

    path: str
    content: str
    span: range
    maker: Maker
    constants: Mapping[str, float]
    write: Write
    folder: Path
    timeout: float

    @property
    def part(self) -> Path:
        """The part's file, named by all that decides what is in it."""
        key = {
            "version": __version__,
            "content": self.content,
            "span": [self.span.start, self.span.stop, self.span.step],
            "maker": self.maker.key(),
            "constants": dict(self.constants),
        }
        return self.folder / f"{hash_of(key)[:32]}.parquet"


@dataclass(frozen=True)
class Part:
    """A piece that is done.

    Parameters
    ----------
    path
        Its file.
    cutflow
        What the selection did.
    bytes_read
        From the input file, by this run or an earlier one.
    taken_up
        Whether it was there before.
    """

    path: Path
    cutflow: Cutflow
    bytes_read: int
    taken_up: bool


def make_part(piece: Piece) -> Part:
    """Make the rows of a piece, unless its part is there.

    Raises
    ------
    InputFileError
        The file cannot be used.
    DarktriggerError
        The part cannot be written.
    """
    path = piece.part
    if path.exists() and (found := _look(piece)) is not None:
        return found
    cutflow, bytes_read = NO_EVENTS, 0
    with piece.write(path) as writer:
        for step in piece.maker.steps(piece.path, piece.span, piece.timeout):
            cutflow, bytes_read = cutflow + step.cutflow, step.bytes_read
            writer.write_table(_with_constants(step.table, piece.constants))
        writer.write_metadata(PartMetadata(cutflow=cutflow, bytes_read=bytes_read))
    return Part(path, cutflow, bytes_read, taken_up=False)


def _with_constants(table: pa.Table, constants: Mapping[str, float]) -> pa.Table:
    for name, value in constants.items():
        field = table.schema.field(name)
        column = pa.repeat(pa.scalar(value, field.type), len(table))
        table = table.set_column(table.schema.get_field_index(name), field, column)
    return table


def _look(piece: Piece) -> Part | None:
    """What is in a part; None where it is damaged, be it in a page that only its checksum tells from a sound one."""
    path, schema = piece.part, piece.maker.schema
    try:
        with open_parquet(path, schema, "a part") as file:
            found = metadata_of(path, file, PartMetadata)
            for _ in iterate_batches(path, file, schema, _ROWS_LOOKED_AT):
                pass
    except UnreadableFileError:
        return None
    return Part(path, found.cutflow, found.bytes_read, taken_up=True)
