"""Images of many jets with what belongs to each jet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from imaging.jets.grid import N_PIXELS
from imaging.row_set import RowSet, stacked_columns


@dataclass(frozen=True)
class JetSet(RowSet):
    """Jet images and per-jet columns of the jet image file.

    ``images`` is a float32 CSR array (n, 1600), GeV: summed p_T of the constituents in each pixel after
    centring, rotation and flip, before any normalisation; column indices ascend, no zero is stored
    (:mod:`imaging.jets.grid`). Every other column has shape (n,): ``pt``, ``eta``, ``phi``, ``jet_mass``
    of the jet (float32, GeV), ``n_constituents`` uint32, ``weight`` float32, ``label`` uint8 (0 QCD),
    ``mass`` float32 (GeV, of the mediator or model), ``entry`` uint64 (event of the source file) and
    ``jet`` uint8 (rank in p_T within the event, from 0).
    """

    images: csr_array
    pt: NDArray[np.float32]
    eta: NDArray[np.float32]
    phi: NDArray[np.float32]
    jet_mass: NDArray[np.float32]
    n_constituents: NDArray[np.uint32]
    weight: NDArray[np.float32]
    label: NDArray[np.uint8]
    mass: NDArray[np.float32]
    entry: NDArray[np.uint64]
    jet: NDArray[np.uint8]


#: Type of each per-jet column, in the order of the jet image file.
JET_COLUMNS: dict[str, np.dtype[Any]] = {
    "pt": np.dtype(np.float32),
    "eta": np.dtype(np.float32),
    "phi": np.dtype(np.float32),
    "jet_mass": np.dtype(np.float32),
    "n_constituents": np.dtype(np.uint32),
    "weight": np.dtype(np.float32),
    "label": np.dtype(np.uint8),
    "mass": np.dtype(np.float32),
    "entry": np.dtype(np.uint64),
    "jet": np.dtype(np.uint8),
}


def concatenate_jets(parts: Iterable[JetSet]) -> JetSet:
    """Stack consecutive chunks of jets."""
    parts = list(parts)
    empty = csr_array((0, N_PIXELS**2), dtype=np.float32)
    images = vstack([part.images for part in parts], format="csr") if parts else empty
    return JetSet(images, **stacked_columns(parts, JET_COLUMNS))
