"""Objects of many events with what belongs to each event."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.image_set import COLUMNS
from imaging.objects.layout import N_INPUTS


@dataclass(frozen=True)
class ObjectSet:
    """Objects and the per-event columns that images have too, see :class:`imaging.image_set.ImageSet`.

    ``images`` holds what the model sees, as the images of an ``ImageSet`` do: shape (n, 57), GeV and radians, in
    the order of :mod:`imaging.objects.layout`.
    """

    images: NDArray[np.float32]
    n_tracks: NDArray[np.uint32]
    ht: NDArray[np.float32]
    weight: NDArray[np.float32]
    label: NDArray[np.uint8]
    mass: NDArray[np.float32]
    entry: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.ht)

    def __getitem__(self, rows: slice | NDArray[Any]) -> ObjectSet:
        """Select events by slice, index array or mask."""
        return ObjectSet(*(getattr(self, field.name)[rows] for field in fields(self)))

    def with_origin(self, *, label: int, mass: float) -> ObjectSet:
        """The same events, labelled."""
        return replace(
            self,
            label=np.full(len(self), label, dtype=np.uint8),
            mass=np.full(len(self), mass, dtype=np.float32),
        )


def concatenate_objects(parts: Iterable[ObjectSet]) -> ObjectSet:
    """Stack consecutive chunks of events."""
    parts = list(parts)
    columns = {
        name: np.concatenate([getattr(part, name) for part in parts] or [np.empty(0)]).astype(dtype, copy=False)
        for name, dtype in COLUMNS.items()
    }
    empty = np.empty((0, N_INPUTS), dtype=np.float32)
    return ObjectSet(np.concatenate([empty, *(part.images for part in parts)]), **columns)
