"""Generated events on disk: NumPy's ``.npz`` without pickles."""

from __future__ import annotations

import zipfile
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from darktrigger.errors import UnreadableFileError
from darktrigger.files import atomic_path
from generation.events import GenEvents

_COLUMNS = tuple(field.name for field in fields(GenEvents))


def save_events(path: str | Path, events: GenEvents) -> None:
    """Write events, whole or not at all.

    Raises
    ------
    DarktriggerError
        The file cannot be written.
    """
    with atomic_path(path) as temporary:
        columns: dict[str, Any] = {name: np.asarray(getattr(events, name)) for name in _COLUMNS}
        np.savez(temporary, **columns)


def load_events(path: str | Path) -> GenEvents:
    """Read what :func:`save_events` wrote.

    Raises
    ------
    UnreadableFileError
        Absent, truncated, or another kind of file.
    """
    try:
        with Path(path).open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            columns = {name: arrays[name] for name in _COLUMNS}
        return GenEvents(**columns | {"cross_section": float(columns["cross_section"])})
    except OSError as error:
        raise UnreadableFileError(path, f"cannot be read ({error.strerror or error})") from None
    except (zipfile.BadZipFile, AttributeError, KeyError, TypeError, ValueError, EOFError) as error:
        raise UnreadableFileError(path, f"is not a file of generated events ({error})") from None
