"""The pixel grids of the image file (CONTRACTS.md, "Image file")."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Grid:
    """A regular grid in eta and phi; pixel index = eta_bin * n_phi + phi_bin.

    Parameters
    ----------
    n_eta, n_phi
        Number of bins.
    eta_width
        Width of an eta bin; the grid is symmetric about eta = 0. In phi it covers
        [-pi, pi) and closes on itself.
    """

    n_eta: int
    n_phi: int
    eta_width: float

    @property
    def eta_max(self) -> float:
        """Upper edge in abs(eta), exclusive."""
        return self.n_eta * self.eta_width / 2

    @property
    def n_pixels(self) -> int:
        """Number of pixels."""
        return self.n_eta * self.n_phi

    @property
    def eta_edges(self) -> NDArray[np.float64]:
        """Bin edges in eta, shape (n_eta + 1,)."""
        return np.linspace(-self.eta_max, self.eta_max, self.n_eta + 1)

    @property
    def phi_edges(self) -> NDArray[np.float64]:
        """Bin edges in phi (rad), shape (n_phi + 1,)."""
        return np.linspace(-np.pi, np.pi, self.n_phi + 1)

    def contains(self, eta: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Whether each eta lies on the grid: abs(eta) < eta_max."""
        inside: NDArray[np.bool_] = np.abs(eta) < self.eta_max
        return inside

    def pixel(self, eta: NDArray[np.floating], phi: NDArray[np.floating]) -> NDArray[np.int32]:
        """Pixel index of points that :meth:`contains` accepts; phi is wrapped."""
        # Double precision: in single precision a point near an edge changes its bin.
        eta_bin = _bin(eta, self.eta_max, self.n_eta)
        phi_bin = _bin(phi, np.pi, self.n_phi)
        # One ulp below the upper edge may round up to n_eta.
        np.minimum(eta_bin, self.n_eta - 1, out=eta_bin)
        phi_bin %= self.n_phi
        eta_bin *= self.n_phi
        eta_bin += phi_bin
        return eta_bin


def _bin(values: NDArray[np.floating], limit: float, n_bins: int) -> NDArray[np.int32]:
    """Bin number on a regular axis from -limit to limit, not bounded."""
    position = values.astype(np.float64)
    position += limit
    position *= n_bins / (2 * limit)
    return np.floor(position, out=position).astype(np.int32)


#: Tracker and ECAL: 143 towers of 0.01745 on each side, 1 degree in phi.
FINE = Grid(n_eta=286, n_phi=360, eta_width=0.01745)

#: HCAL towers, 5 x 5 fine pixels each; its outermost rows stick out of the fine grid.
HCAL = Grid(n_eta=58, n_phi=72, eta_width=0.08725)

#: Fine pixels along either side of a coarse pixel; also of an HCAL pixel.
BLOCK = 5

#: Zero bins that SAME padding adds on either eta side of the fine grid before down-sampling,
#: which is also how far the HCAL grid reaches beyond it.
ETA_PADDING = (HCAL.n_eta * BLOCK - FINE.n_eta) // 2
