"""A first look at Delphes files: what they hold, remembered by their content."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import uproot

from darktrigger.config import StrictModel, validate
from darktrigger.errors import DarktriggerError, InputFileError, UnreadableFileError
from darktrigger.files import fingerprint, hash_of, read_json, write_json
from darktrigger.inputs import is_remote
from imaging.delphes_file import READ_TIMEOUT, explain_read_errors, open_delphes
from imaging.patient_source import PatientSource

_log = logging.getLogger(__name__)

#: Files that are opened at a time; opening waits for disks and networks, not for the processor.
_THREADS = 8

#: Of the records in the cache; to be raised when these change.
_VERSION = 1


class FileInfo(StrictModel):
    """What a sound file holds.

    Parameters
    ----------
    content
        Fingerprint of a local file, ROOT's own identifier and the size of a remote one.
    uuid
        ROOT's identifier, hexadecimal.
    entries
        Events in the tree.
    branches
        Uncompressed size of each branch, bytes.
    """

    content: str
    uuid: str
    entries: int
    branches: dict[str, int]

    def step(self, names: Iterable[str], step_size: str) -> int:
        """Events of which the named branches take about ``step_size``, such as ``16 MB``; at least one."""
        n_bytes = sum(self.branches[name] for name in names)
        return max(1, int(uproot._util.memory_size(step_size)) * self.entries // max(1, n_bytes))  # noqa: SLF001


def look_at(path: str, tree: str, cache: Path | None = None, timeout: float = READ_TIMEOUT) -> FileInfo:
    """Open a file, unless one of the same content was looked at before.

    Parameters
    ----------
    path, tree
        File and name of the tree.
    cache
        Folder of what is known; None to look in any case.
    timeout
        Of a remote read, s.

    Raises
    ------
    InputFileError
        The file cannot be used.
    """
    content = content_of(path, timeout)
    record = None if cache is None else cache / f"{hash_of({'v': _VERSION, 'content': content, 'tree': tree})}.json"
    if record is not None and record.exists():
        with suppress(DarktriggerError):
            return validate(FileInfo, read_json(record), str(record))
    with open_delphes(path, tree, timeout) as events:
        sizes = {branch.name: int(branch.uncompressed_bytes) for branch in events.itervalues(recursive=True)}
        info = FileInfo(content=content, uuid=events.file.fUUID.hex(), entries=int(events.num_entries), branches=sizes)
    if record is not None:
        try:
            write_json(record, info.model_dump())
        except DarktriggerError as error:
            _log.debug("not remembered: %s", error)
    return info


def content_of(path: str, timeout: float = READ_TIMEOUT) -> str:
    """What tells a file from any other.

    Raises
    ------
    UnreadableFileError
        It cannot be read.
    """
    if not is_remote(path):
        if not Path(path).exists():
            raise UnreadableFileError(path, "no such file")
        return fingerprint(path)
    with explain_read_errors(path), uproot.open(path, handler=PatientSource, timeout=timeout) as file:
        return f"{file.file.fUUID.hex()}-{file.file.fEND}"


def look_at_all(
    files: Iterable[tuple[str, str]], cache: Path | None = None, timeout: float = READ_TIMEOUT
) -> Iterator[FileInfo | InputFileError]:
    """What each (path, tree) holds, or why it cannot be used, in order."""

    def look(file: tuple[str, str]) -> FileInfo | InputFileError:
        try:
            return look_at(*file, cache, timeout)
        except InputFileError as error:
            return error

    pool = ThreadPoolExecutor(_THREADS)
    try:
        yield from pool.map(look, files)
    finally:
        pool.shutdown(cancel_futures=True)
