"""Reading Delphes ROOT files in bounded steps."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

import awkward as ak
import uproot

from darktrigger.errors import (
    DarktriggerError,
    EmptyInputError,
    MissingBranchError,
    UnreadableFileError,
    first_line,
)
from darktrigger.inputs import is_remote
from imaging.patient_source import PatientSource

T = TypeVar("T")

#: Seconds that one read of a remote file may take.
READ_TIMEOUT = 60.0


class Branches(Protocol):
    """Branches in use."""

    def names(self) -> list[str]:
        """Each of them once."""


class Chunk(NamedTuple):
    """Consecutive events of a file: branch name to jagged array, and the first one's entry number."""

    arrays: dict[str, ak.Array]
    first_entry: int


@contextmanager
def open_delphes(path: str, tree: str = "Delphes", timeout: float = READ_TIMEOUT) -> Iterator[Any]:
    """Open the event tree of a Delphes file; ``timeout`` is that of one read of a remote file, s.

    Raises
    ------
    UnreadableFileError
        Absent, not ROOT, or truncated.
    MissingBranchError
        No such tree.
    EmptyInputError
        The tree holds no events.
    """
    with explain_read_errors(path), uproot.open(path, handler=PatientSource, timeout=timeout) as file:
        if tree not in file:
            found = ", ".join(sorted(set(file.keys(cycle=False)))) or "nothing"
            raise MissingBranchError(path, f"no tree '{tree}'; found: {found}")
        events = file[tree]
        if events.num_entries == 0:
            raise EmptyInputError(path, f"tree '{tree}' holds no events")
        yield events


@contextmanager
def explain_read_errors(path: str) -> Iterator[None]:
    """Turn whatever uproot raises on a bad file into one error that names the file and cause."""
    try:
        yield
    except DarktriggerError:
        raise
    # A damaged file surfaces as almost any exception: struct, zlib, KeyError, ValueError, ...
    except Exception as error:
        raise UnreadableFileError(path, _diagnose(path, error)) from error


def _diagnose(path: str, error: Exception) -> str:
    """One sentence on why a file could not be read."""
    if isinstance(error, FileNotFoundError):
        return "no such file" if not is_remote(path) else f"cannot be opened ({error})"
    reason = first_line(error)
    if is_remote(path) or not os.path.isfile(path):  # noqa: PTH113 (no error on names that no file can have)
        return f"cannot be read ({reason})"
    with Path(path).open("rb") as stream:
        header = stream.read(20)
        size = os.fstat(stream.fileno()).st_size
    if header[:4] != b"root":
        return f"is not a ROOT file (starts with {header[:4]!r})"
    if len(header) == 20:
        # TFile header: version, begin, end; end takes 8 bytes from version 1,000,000 on.
        version, _, end = struct.unpack(">iii", header[4:16])
        end = struct.unpack(">q", header[12:20])[0] if version >= 1_000_000 else end
        if size < end:
            return f"is truncated ({size} of {end} bytes)"
    return f"is a damaged ROOT file ({reason})"


def check_sound(array: ak.Array, name: str, path: str) -> None:
    """Check that lists end within their values: what computes with others ends the interpreter.

    Raises
    ------
    UnreadableFileError
        A damaged basket, of which uproot makes such an array without a complaint.
    """
    if ak.validity_error(array):
        raise UnreadableFileError(path, f"is a damaged ROOT file (branch {name}: lists longer than their values)")


def iterate_chunks(path: str, events: Any, branches: Branches, span: range) -> Iterator[Chunk]:
    """Read the branches of some entries.

    ``span`` gives the first entry, where to stop, and the step. Of a remote file, the next step is read while the
    last one is in use: that takes waiting. A local one takes work, which a second thread would steal from other
    workers, or from other jobs of a batch system.

    Raises
    ------
    UnreadableFileError
        The file ends, changes or vanishes on the way.
    """

    def read() -> Iterator[Chunk]:
        with explain_read_errors(path):
            steps = events.iterate(
                branches.names(),
                entry_start=span.start,
                entry_stop=span.stop,
                step_size=span.step,
                library="ak",
                how=dict,
                report=True,
            )
            for arrays, report in steps:
                for name, array in arrays.items():
                    check_sound(array, name, path)
                yield Chunk(arrays, report.tree_entry_start)

    return prefetch(read()) if is_remote(path) else read()


def prefetch(items: Iterator[T]) -> Iterator[T]:
    """Compute the next item in a thread while the caller works on the last one."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        upcoming = pool.submit(next, items, None)
        while (item := upcoming.result()) is not None:
            upcoming = pool.submit(next, items, None)
            yield item
