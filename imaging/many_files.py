"""Many input files into one output, bad ones refused or left out whole."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

import pyarrow as pa

from darktrigger.errors import DarktriggerError, InputFileError
from imaging.image_file import SkippedFile

logger = logging.getLogger(__name__)


class Source(Protocol):
    """An input file."""

    @property
    def path(self) -> str:
        """Where it lies."""


SourceT = TypeVar("SourceT", bound=Source)
PartT = TypeVar("PartT")


def write_all(
    sources: Sequence[SourceT],
    read: Callable[[SourceT], Iterator[PartT]],
    write: Callable[[PartT], None],
    *,
    spool: Callable[[Iterator[PartT], str], Iterator[PartT]] | None,
    advance: Callable[[int], None],
) -> tuple[list[SourceT], list[SkippedFile]]:
    """Read every file part by part and write the parts.

    Parameters
    ----------
    sources
        The files.
    read, write
        What gives the parts of a file, and takes one.
    spool
        Leave out a file that cannot be used, as a whole: what hands out the parts once all of them are safely
        read (see :func:`spooled`). None: the first such file ends the work.
    advance
        Called with 1 after each file.

    Returns
    -------
    tuple
        The files used, and those left out.

    Raises
    ------
    InputFileError
        A file cannot be used, and there is no ``spool``.
    DarktriggerError
        No file can be used.
    """
    used: list[SourceT] = []
    skipped: list[SkippedFile] = []
    for source in sources:
        parts = read(source)
        try:
            for part in spool(parts, source.path) if spool else parts:
                write(part)
            used.append(source)
        except InputFileError as error:
            if not spool:
                raise
            logger.warning("skipped %s", error)
            skipped.append(SkippedFile(path=source.path, cause=error.cause))
        advance(1)
    if not used:
        raise DarktriggerError("no usable input file:\n" + "\n".join(f"  {bad.path}: {bad.cause}" for bad in skipped))
    return used, skipped


def spooled(
    parts: Iterator[PartT],
    path: str,
    schema: pa.Schema,
    to_table: Callable[[PartT], pa.Table],
    from_batch: Callable[[pa.RecordBatch, str], PartT],
) -> Iterator[PartT]:
    """The same parts, once all of them are safely read: a bad file must leave no trace in the output."""
    with tempfile.TemporaryFile() as spool:
        with pa.ipc.new_file(spool, schema) as writer:
            for part in parts:
                writer.write_table(to_table(part))
        spool.seek(0)
        reader = pa.ipc.open_file(spool)
        for index in range(reader.num_record_batches):
            yield from_batch(reader.get_batch(index), path)
