"""Images of many events with what belongs to each event."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.sparse import SparseImages, concatenate


@dataclass(frozen=True)
class ImageSet:
    """Images and per-event columns of the image file (CONTRACTS.md, "Image file").

    Every column has shape (n,): ``n_tracks`` uint32, ``ht`` float32 (GeV), ``weight``
    float32, ``label`` uint8 (0 background, 1 SUEP, 2 SVJ, 3 and up: others), ``mass``
    float32 (GeV, 0 for background) and ``entry`` uint64 (entry number in the source file).
    """

    images: SparseImages
    n_tracks: NDArray[np.uint32]
    ht: NDArray[np.float32]
    weight: NDArray[np.float32]
    label: NDArray[np.uint8]
    mass: NDArray[np.float32]
    entry: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.ht)

    def __getitem__(self, rows: slice | NDArray[Any]) -> ImageSet:
        """Select events by slice, index array or mask."""
        return ImageSet(*(getattr(self, field.name)[rows] for field in fields(self)))

    def with_origin(self, *, label: int, mass: float, first_entry: int = 0) -> ImageSet:
        """The same events, labelled, with entry numbers counted from ``first_entry``."""
        return replace(
            self,
            label=np.full(len(self), label, dtype=np.uint8),
            mass=np.full(len(self), mass, dtype=np.float32),
            entry=self.entry + np.uint64(first_entry),
        )


#: Type of each per-event column, in the order of the image file.
COLUMNS: dict[str, np.dtype[Any]] = {
    "n_tracks": np.dtype(np.uint32),
    "ht": np.dtype(np.float32),
    "weight": np.dtype(np.float32),
    "label": np.dtype(np.uint8),
    "mass": np.dtype(np.float32),
    "entry": np.dtype(np.uint64),
}


def concatenate_sets(parts: Iterable[ImageSet]) -> ImageSet:
    """Stack consecutive chunks of events."""
    parts = list(parts)
    columns = {
        name: np.concatenate([getattr(part, name) for part in parts] or [np.empty(0)]).astype(dtype, copy=False)
        for name, dtype in COLUMNS.items()
    }
    return ImageSet(concatenate(part.images for part in parts), **columns)
