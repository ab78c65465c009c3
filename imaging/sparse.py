"""Sparse detector images of many events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from imaging.grid import FINE, HCAL, Grid

#: Sub-detectors in channel order.
CHANNELS = ("trk", "ecal", "hcal")

#: The grid that each channel is kept on.
GRIDS: dict[str, Grid] = {"trk": FINE, "ecal": FINE, "hcal": HCAL}


@dataclass(frozen=True)
class SparseImages:
    """E_T images of ``n`` events, one row each, in GeV (tracks: p_T).

    Each channel is a float32 CSR array of shape (n, pixels of its grid), with
    ascending, unique column indices and no stored zero: HCAL on its own coarse grid,
    tracker and ECAL on the fine one.
    """

    trk: csr_array
    ecal: csr_array
    hcal: csr_array

    def __len__(self) -> int:
        return int(self.trk.shape[0])

    def __getitem__(self, rows: slice | NDArray[Any]) -> SparseImages:
        """Select events by slice, index array or mask."""
        return SparseImages(*(self.channel(name)[rows] for name in CHANNELS))

    def channel(self, name: str) -> csr_array:
        """One channel by its name in :data:`CHANNELS`."""
        matrix: csr_array = getattr(self, name)
        return matrix


def pixels(
    offsets: NDArray[np.integer],
    eta: NDArray[np.floating],
    phi: NDArray[np.floating],
    e_t: NDArray[np.floating],
    grid: Grid,
) -> csr_array:
    """Sum deposits into pixels for many events at once.

    Parameters
    ----------
    offsets
        Shape (n + 1,); event i owns deposits offsets[i] to offsets[i + 1].
    eta, phi, e_t
        Flat deposits: pseudorapidity, azimuth (rad), transverse energy (GeV).
        Those outside the grid are dropped.
    grid
        Pixel grid.

    Returns
    -------
    csr_array
        Shape (n, grid.n_pixels), float32, canonical.
    """
    inside = grid.contains(eta)
    kept = np.concatenate(([0], np.cumsum(inside, dtype=np.int64)))[offsets]
    values = np.ascontiguousarray(e_t[inside], dtype=np.float32)
    index = grid.pixel(eta[inside], phi[inside])
    return canonical(values, index, kept, grid.n_pixels)


def canonical(
    values: NDArray[np.float32], index: NDArray[np.integer], offsets: NDArray[np.integer], n_pixels: int
) -> csr_array:
    """CSR array with repeated pixels summed, columns ascending and zeros removed."""
    matrix = csr_array((values, index.astype(np.int32, copy=False), offsets), shape=(len(offsets) - 1, n_pixels))
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    return matrix


def concatenate(parts: Iterable[SparseImages]) -> SparseImages:
    """Stack images of consecutive chunks of events."""
    parts = list(parts)
    if not parts:
        return SparseImages(*(csr_array((0, GRIDS[name].n_pixels), dtype=np.float32) for name in CHANNELS))
    return SparseImages(*(vstack([part.channel(name) for part in parts], format="csr") for name in CHANNELS))
