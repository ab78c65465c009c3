"""Images of a piece of a file, as a worker leaves them on disk until the image file is complete."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from darktrigger import __version__
from darktrigger.errors import UnreadableFileError
from darktrigger.files import atomic_path, hash_of
from imaging.branches import BranchMap
from imaging.config import Selection
from imaging.delphes_file import iterate_chunks, open_delphes
from imaging.events import NO_EVENTS, Cutflow, build_images
from imaging.image_file import SCHEMA, to_table

_CUTFLOW, _BYTES = "cutflow", "bytes"


@dataclass(frozen=True)
class Piece:
    """Entries of a file that one task turns into images.

    Parameters
    ----------
    path, tree
        File and tree.
    content
        What tells the file from any other.
    span
        First entry, where to stop, and how many entries are in memory at a time.
    branches, selection
        As for :func:`imaging.events.build_images`.
    folder
        Where the part goes.
    timeout
        Of a remote read, s.
    """

    path: str
    tree: str
    content: str
    span: range
    branches: BranchMap
    selection: Selection
    folder: Path
    timeout: float

    @property
    def part(self) -> Path:
        """The part's file, named by all that decides what is in it."""
        key = {
            "version": __version__,
            "content": self.content,
            "tree": self.tree,
            "span": [self.span.start, self.span.stop, self.span.step],
            "branches": self.branches.model_dump(mode="json"),
            "selection": self.selection.model_dump(mode="json"),
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
        From the Delphes file, by this run or an earlier one.
    taken_up
        Whether it was there before.
    """

    path: Path
    cutflow: Cutflow
    bytes_read: int
    taken_up: bool

    def tables(self, label: int, mass: float) -> Iterator[pa.Table]:
        """The selected events, step by step, in the schema of the image file.

        They stay what Arrow reads: this is what one process does for all workers.

        Parameters
        ----------
        label, mass
            Of every event; mass in GeV.
        """
        with pa.memory_map(str(self.path)) as stream:
            reader = pa.ipc.open_file(stream)
            for index in range(reader.num_record_batches):
                table = pa.Table.from_batches([reader.get_batch(index)])
                for name, value in (("label", label), ("mass", mass)):
                    field = SCHEMA.field(name)
                    column = pa.repeat(pa.scalar(value, field.type), len(table))
                    table = table.set_column(SCHEMA.get_field_index(name), field, column)
                yield table


def make_part(piece: Piece) -> Part:
    """Image a piece, unless its part is there.

    Raises
    ------
    InputFileError
        The Delphes file cannot be used.
    DarktriggerError
        The part cannot be written.
    """
    path = piece.part
    if path.exists() and (found := _look(path)) is not None:
        return found
    with atomic_path(path) as temporary, open_delphes(piece.path, piece.tree, piece.timeout) as events:
        if events.num_entries < piece.span.stop:
            raise UnreadableFileError(piece.path, f"has {events.num_entries} events, had {piece.span.stop} or more")
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        with pa.OSFile(str(temporary), "wb") as sink, pa.ipc.new_file(sink, SCHEMA, options=options) as writer:
            return Part(path, *_write(writer, events, piece), taken_up=False)


def _write(writer: Any, events: Any, piece: Piece) -> tuple[Cutflow, int]:
    """Write the steps, each with the cutflow and the bytes read up to there."""
    cutflow, bytes_read = NO_EVENTS, 0
    for chunk in iterate_chunks(piece.path, events, piece.branches, piece.span):
        images, counted = build_images(chunk.arrays, piece.branches, piece.selection, piece.path, chunk.first_entry)
        cutflow += counted
        bytes_read = int(events.file.source.num_requested_bytes)
        arrays = [column.combine_chunks() for column in to_table(images).columns]
        batch = pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)
        writer.write_batch(batch, custom_metadata={_CUTFLOW: json.dumps(cutflow), _BYTES: str(bytes_read)})
    return cutflow, bytes_read


def _look(path: Path) -> Part | None:
    """What is in a part; None where it is damaged."""
    try:
        with pa.memory_map(str(path)) as stream:
            reader = pa.ipc.open_file(stream)
            _, metadata = reader.get_batch_with_custom_metadata(reader.num_record_batches - 1)
            return Part(path, Cutflow(*json.loads(metadata[_CUTFLOW])), int(metadata[_BYTES]), taken_up=True)
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError):
        return None
