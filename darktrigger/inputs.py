"""Input paths as users give them: plain, globbed or remote."""

from __future__ import annotations

import glob
from collections.abc import Iterable
from pathlib import Path

from darktrigger.errors import UnreadableFileError
from darktrigger.names import shortened

#: As Linux has it.
_LONGEST_PATH = 4095


def is_remote(path: str | Path) -> bool:
    """Whether uproot has to fetch the path (``root://``, ``https://``, ...)."""
    return "://" in str(path)


def expand_paths(patterns: Iterable[str | Path], folder: str | Path = "") -> list[str]:
    """Expand globs among local paths, in order; remote paths pass through.

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
            paths.append(pattern)
        elif glob.has_magic(pattern):
            matches = sorted(glob.glob(local, recursive=True))
            if not matches:
                raise UnreadableFileError(pattern, "matches no file")
            paths.extend(matches)
        else:
            paths.append(local)
    return paths
