"""Input paths as users give them: plain, globbed or remote."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Mapping
from pathlib import Path

import fsspec

from darktrigger.config import StrictModel
from darktrigger.errors import UnreadableFileError, first_line
from darktrigger.files import write_text
from darktrigger.names import shortened

#: As Linux has it.
_LONGEST_PATH = 4095

#: Seconds that a server may take to list a folder.
_LISTING_TIMEOUT = 60


class SkippedFile(StrictModel):
    """A file that could not be used, and why."""

    path: str
    cause: str


def listed(bad_files: Iterable[SkippedFile]) -> str:
    """One line a bad file, in the order of their paths."""
    return "\n".join(f"  {bad.path}: {bad.cause}" for bad in sorted(bad_files, key=lambda bad: bad.path))


def is_remote(path: str | Path) -> bool:
    """Whether uproot has to fetch the path (``root://``, ``https://``, ...)."""
    return "://" in str(path)


def read_list(path: str | Path) -> list[str]:
    """Paths and globs from a text file, one a line; empty lines and those that start with ``#`` do not count.

    Raises
    ------
    UnreadableFileError
        The list cannot be read.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableFileError(path, f"cannot be read as a list of files ({error})") from None
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def write_failed(path: str | Path, causes: Mapping[str, str]) -> None:
    """List files that could not be used, each after its cause, for :func:`read_list`; without any, remove the list."""
    if not causes:
        Path(path).unlink(missing_ok=True)
        return
    lines = [line for file, cause in causes.items() for line in (f"# {' '.join(cause.split())}", file)]
    write_text(path, "\n".join(lines) + "\n")


def expand_paths(patterns: Iterable[str | Path], folder: str | Path = "") -> list[str]:
    """Expand globs among local paths and ``root://`` addresses, in order; other remote paths pass through.

    Parameters
    ----------
    patterns
        Paths and globs.
    folder
        Where relative local paths start; the working directory by default.

    Raises
    ------
    UnreadableFileError
        A path that cannot be, or a glob that matches nothing. A plain path need not exist: that is for its
        reader to say.
    """
    paths: list[str] = []
    for pattern in map(str, patterns):
        if "\0" in pattern or len(pattern) > _LONGEST_PATH:
            raise UnreadableFileError(shortened(pattern), "is no path")
        local = str(Path(folder, pattern))
        if is_remote(pattern):
            paths.extend(_matches_on_server(pattern) if _is_xrootd_glob(pattern) else [pattern])
        elif glob.has_magic(pattern):
            matches = sorted(glob.glob(local, recursive=True))
            if not matches:
                raise UnreadableFileError(pattern, "matches no file")
            paths.extend(matches)
        else:
            paths.append(local)
    return paths


def _is_xrootd_glob(address: str) -> bool:
    """Whether an address has wildcards; a question mark starts its options instead."""
    return address.startswith(("root://", "xroot://")) and any(sign in address for sign in "*[")


def _matches_on_server(pattern: str) -> list[str]:
    """Addresses of the files of a server that match, in order."""
    try:
        files, path = fsspec.core.url_to_fs(pattern, timeout=_LISTING_TIMEOUT)
        matches = sorted(map(files.unstrip_protocol, files.glob(path)))
    # Clients fail in many ways, one of which is not to be installed.
    except Exception as error:  # noqa: BLE001
        raise UnreadableFileError(pattern, f"cannot be listed ({first_line(error)})") from None
    if not matches:
        raise UnreadableFileError(pattern, "matches no file, or the server does not answer")
    return matches
