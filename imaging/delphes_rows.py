"""Rows made from Delphes files: what images, jets and objects of events have in common."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from darktrigger.config import StrictModel
from darktrigger.errors import InputFileError, UnreadableFileError
from imaging import delphes_file
from imaging.config import ReadingConfig
from imaging.delphes_file import iterate_chunks, open_delphes
from imaging.events import Cutflow
from imaging.parts import Step
from imaging.preprocess import look_at_all
from imaging.production import InputFile


class Branches(delphes_file.Branches, Protocol):
    """Branches in use, a pydantic model."""

    def model_dump(self, *, mode: str) -> dict[str, Any]:
        """Plain data."""


@dataclass(frozen=True)
class DelphesRows:
    """Makes rows of the events of a Delphes file; a :class:`imaging.parts.Maker`.

    Parameters
    ----------
    schema
        Of the rows.
    build
        Makes them of arrays, branches, selection, path and number of the first entry, and says what the selection
        did, such as :func:`imaging.events.build_images`; a function of a module, so that it can travel.
    to_table
        Arrow table of rows.
    tree, branches, selection
        Where the events are, what is read of them, which are kept.
    """

    schema: pa.Schema
    build: Callable[..., tuple[Any, Cutflow]]
    to_table: Callable[[Any], pa.Table]
    tree: str
    branches: Branches
    selection: StrictModel

    def names(self) -> list[str]:
        """Branches that are read."""
        return self.branches.names()

    def key(self) -> dict[str, Any]:
        """What decides the rows."""
        return {
            "rows": self.schema.names,
            "tree": self.tree,
            "branches": self.branches.model_dump(mode="json"),
            "selection": self.selection.model_dump(mode="json"),
        }

    def steps(self, path: str, span: range, timeout: float) -> Iterator[Step]:
        """Rows of some entries.

        Raises
        ------
        InputFileError
            The file cannot be used.
        """
        with open_delphes(path, self.tree, timeout) as events:
            if events.num_entries < span.stop:
                raise UnreadableFileError(path, f"has {events.num_entries} events, had {span.stop} or more")
            for chunk in iterate_chunks(path, events, self.branches, span):
                rows, cutflow = self.build(chunk.arrays, self.branches, self.selection, path, chunk.first_entry)
                yield Step(self.to_table(rows), cutflow, int(events.file.source.num_requested_bytes))


def look_at_delphes(
    paths: Sequence[str],
    config: ReadingConfig,
    cache: Path | None,
    rows_of: Callable[[Collection[str], str], DelphesRows],
    constants: Mapping[str, float],
) -> Iterator[InputFile | InputFileError]:
    """Each file as it is to be read, or why it cannot be, in order.

    Parameters
    ----------
    paths
        Delphes files, local or remote.
    config
        How they are read.
    cache
        Folder that remembers what files hold; None to look in any case.
    rows_of
        Makes the rows of a file, given the names of its branches and its path; raises where branches are missing.
    constants
        Columns that have one value in all rows.
    """
    files = ((path, config.tree) for path in paths)
    for path, info in zip(paths, look_at_all(files, cache, config.read_timeout), strict=False):
        if isinstance(info, InputFileError):
            yield info
            continue
        try:
            rows = rows_of(info.branches, path)
        except InputFileError as error:
            yield error
            continue
        step = info.step(rows.names(), config.step_size)
        yield InputFile(path, info.content, info.entries, step, rows, constants, config.read_timeout)
