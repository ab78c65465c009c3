"""Sparse detector images of many events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

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


class Deposits(NamedTuple):
    """Flat deposits of many events: event i owns offsets[i] to offsets[i + 1].

    ``offsets`` has shape (n + 1,); ``eta``, ``phi`` (rad) and ``e_t`` (GeV) have one value a deposit.
    """

    offsets: NDArray[np.int64]
    eta: NDArray[np.float32]
    phi: NDArray[np.float32]
    e_t: NDArray[np.float32]

    def where(self, kept: NDArray[np.bool_]) -> Deposits:
        """Only the deposits that ``kept`` marks, of as many events."""
        index = np.flatnonzero(kept)
        # Counting what was kept before each event by bisection beats a running sum over all deposits.
        return Deposits(np.searchsorted(index, self.offsets), self.eta[index], self.phi[index], self.e_t[index])


def pixels(deposits: Deposits, grid: Grid) -> csr_array:
    """Sum deposits, all of them on the grid, into pixels; shape (n, grid.n_pixels), float32, canonical."""
    index = grid.pixel(deposits.eta, deposits.phi)
    return canonical(deposits.e_t, index, deposits.offsets, grid.n_pixels)


def canonical(
    values: NDArray[np.float32], index: NDArray[np.integer], offsets: NDArray[np.integer], n_pixels: int
) -> csr_array:
    """CSR array with repeated pixels summed, columns ascending and zeros removed."""
    # A copy, since summing duplicates works in place on all three arrays.
    columns = index.astype(np.int32, copy=False)
    matrix = csr_array((values, columns, offsets), shape=(len(offsets) - 1, n_pixels), copy=True)
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    return matrix


def concatenate(parts: Iterable[SparseImages]) -> SparseImages:
    """Stack images of consecutive chunks of events."""
    parts = list(parts)
    if not parts:
        return SparseImages(*(csr_array((0, GRIDS[name].n_pixels), dtype=np.float32) for name in CHANNELS))
    return SparseImages(*(vstack([part.channel(name) for part in parts], format="csr") for name in CHANNELS))
