"""Rows made from a piece of a file, as a worker leaves them on disk until the output is complete."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pyarrow as pa

from darktrigger import __version__
from darktrigger.files import atomic_path, hash_of
from imaging.events import NO_EVENTS, Cutflow

_CUTFLOW, _BYTES = "cutflow", "bytes"


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
    folder
        Where the part goes.
    timeout
        Of a remote read, s.
    """

    path: str
    content: str
    span: range
    maker: Maker
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
        }
        return self.folder / f"{hash_of(key)[:32]}.arrow"


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

    def tables(self, constants: Mapping[str, float]) -> Iterator[pa.Table]:
        """The rows, step by step, in the schema of the output file.

        They stay what Arrow reads: this is what one process does for all workers.

        Parameters
        ----------
        constants
            Columns that have one value throughout, such as label and mass (GeV) of a sample.
        """
        with pa.memory_map(str(self.path)) as stream:
            reader = pa.ipc.open_file(stream)
            for index in range(reader.num_record_batches):
                table = pa.Table.from_batches([reader.get_batch(index)])
                for name, value in constants.items():
                    field = table.schema.field(name)
                    column = pa.repeat(pa.scalar(value, field.type), len(table))
                    table = table.set_column(table.schema.get_field_index(name), field, column)
                yield table


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
    if path.exists() and (found := _look(path)) is not None:
        return found
    schema = piece.maker.schema
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with (
        atomic_path(path) as temporary,
        pa.OSFile(str(temporary), "wb") as sink,
        pa.ipc.new_file(sink, schema, options=options) as writer,
    ):
        cutflow, bytes_read = NO_EVENTS, 0
        for step in piece.maker.steps(piece.path, piece.span, piece.timeout):
            cutflow, bytes_read = cutflow + step.cutflow, step.bytes_read
            arrays = [column.combine_chunks() for column in step.table.columns]
            batch = pa.RecordBatch.from_arrays(arrays, schema=schema)
            # Each step carries the sums up to there, so that the last one has those of the part.
            writer.write_batch(batch, custom_metadata={_CUTFLOW: json.dumps(cutflow), _BYTES: str(bytes_read)})
    return Part(path, cutflow, bytes_read, taken_up=False)


def _look(path: Path) -> Part | None:
    """What is in a part; None where it is damaged."""
    try:
        with pa.memory_map(str(path)) as stream:
            reader = pa.ipc.open_file(stream)
            _, metadata = reader.get_batch_with_custom_metadata(reader.num_record_batches - 1)
            return Part(path, Cutflow(*json.loads(metadata[_CUTFLOW])), int(metadata[_BYTES]), taken_up=True)
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError):
        return None
