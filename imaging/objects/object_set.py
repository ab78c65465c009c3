"""Objects of many events with what belongs to each event."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imaging.image_set import COLUMNS
from imaging.objects.layout import N_INPUTS
from imaging.row_set import RowSet, stacked_columns


@dataclass(frozen=True)
class ObjectSet(RowSet):
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
    n_vertices: NDArray[np.uint32]


def concatenate_objects(parts: Iterable[ObjectSet]) -> ObjectSet:
    """Stack consecutive chunks of events."""
    parts = list(parts)
    empty = np.empty((0, N_INPUTS), dtype=np.float32)
    return ObjectSet(np.concatenate([empty, *(part.images for part in parts)]), **stacked_columns(parts, COLUMNS))
