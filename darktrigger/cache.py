"""Where generated things that are worth keeping lie."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder(folder: Path | None = None) -> Path:
    """``folder`` if given, else ``$DARKTRIGGER_CACHE``, else ``darktrigger`` in the user's cache directory."""
    if folder is not None:
        return folder.expanduser()
    if chosen := os.environ.get("DARKTRIGGER_CACHE"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "darktrigger"


def fileset_cache() -> Path:
    """Where it is remembered what input files hold."""
    return cache_folder() / "filesets"
