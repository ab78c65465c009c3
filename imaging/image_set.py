"""Images of many events with what belongs to each event."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.row_set import RowSet, stacked_columns
from imaging.sparse import SparseImages, concatenate


@dataclass(frozen=True)
class ImageSet(RowSet):
    """Images and per-event columns of the image file (CONTRACTS.md, "Image file").

    Every column has shape (n,): ``n_tracks`` uint32, ``ht`` float32 (GeV), ``weight``
    float32, ``label`` uint8 (0 background, 1 SUEP, 2 SVJ, 3 and up: others), ``mass``
    float32 (GeV, 0 for background), ``entry`` uint64 (entry number in the source file) and
    ``n_vertices`` uint32 (of the hard scatter and pile-up; 0 where the file does not tell).
    """

    images: SparseImages
    n_tracks: NDArray[np.uint32]
    ht: NDArray[np.float32]
    weight: NDArray[np.float32]
    label: NDArray[np.uint8]
    mass: NDArray[np.float32]
    entry: NDArray[np.uint64]
    n_vertices: NDArray[np.uint32]


#: Type of each per-event column, in the order of the image file.
COLUMNS: dict[str, np.dtype[Any]] = {
    "n_tracks": np.dtype(np.uint32),
    "ht": np.dtype(np.float32),
    "weight": np.dtype(np.float32),
    "label": np.dtype(np.uint8),
    "mass": np.dtype(np.float32),
    "entry": np.dtype(np.uint64),
    "n_vertices": np.dtype(np.uint32),
}

#: Those that files of earlier versions lack; 0 then.
LATER_COLUMNS = frozenset({"n_vertices"})


def concatenate_sets(parts: Iterable[ImageSet]) -> ImageSet:
    """Stack consecutive chunks of events."""
    parts = list(parts)
    return ImageSet(concatenate(part.images for part in parts), **stacked_columns(parts, COLUMNS))
