"""One finished batch on disk: reconstructed events and their normalisation."""

from __future__ import annotations

import zipfile
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darktrigger.errors import UnreadableFileError
from darktrigger.files import atomic_path
from generation.detector.output import Collection, DelphesEvents
from generation.pythia import Normalisation

_OFFSETS = "offsets"
_NORMALISATION = "normalisation"


def save_part(path: Path, events: DelphesEvents, normalisation: Normalisation) -> None:
    """Write a batch, whole or not at all."""
    arrays: dict[str, Any] = {_NORMALISATION: np.array(astuple(normalisation), dtype=np.float64)}
    for name, collection in events.collections.items():
        arrays[f"{name}/{_OFFSETS}"] = collection.offsets
        arrays |= {f"{name}/{member}": values for member, values in collection.columns.items()}
    with atomic_path(path) as temporary:
        np.savez(temporary, **arrays)


def load_part(path: Path) -> tuple[DelphesEvents, Normalisation]:
    """Read what :func:`save_part` wrote.

    Raises
    ------
    UnreadableFileError
        Absent, truncated, or another kind of file.
    """
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            arrays: dict[str, NDArray[Any]] = dict(stored)
        generated, accepted, *sums = arrays.pop(_NORMALISATION).tolist()
    except (OSError, zipfile.BadZipFile, AttributeError, KeyError, ValueError, EOFError) as error:
        raise UnreadableFileError(path, f"is not a finished batch ({error}); remove it") from None
    columns: dict[str, dict[str, NDArray[Any]]] = {}
    for key, values in arrays.items():
        name, member = key.split("/", 1)
        columns.setdefault(name, {})[member] = values
    collections = {name: Collection(members.pop(_OFFSETS), members) for name, members in columns.items()}
    return DelphesEvents(collections), Normalisation(int(generated), int(accepted), *sums)
