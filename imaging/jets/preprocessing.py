"""Jets into a common frame (NAE paper, section 2.3), all jets at once.

Each step takes and gives flat constituents; jets without any, or with a single one, pass through.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from imaging.jets.grid import N_PIXELS, pixel
from imaging.sparse import canonical

Floats = NDArray[np.float64]


class Constituents(NamedTuple):
    """Flat constituents of many jets: jet i owns offsets[i] to offsets[i + 1].

    ``offsets`` has shape (n + 1,); ``pt`` (GeV), ``eta`` and ``phi`` (rad) have one value a constituent.
    """

    offsets: NDArray[np.int64]
    pt: Floats
    eta: Floats
    phi: Floats

    @property
    def jet(self) -> NDArray[np.int64]:
        """Which jet each constituent belongs to."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))

    def total(self, values: Floats) -> Floats:
        """Sum over each jet's constituents, shape (n,)."""
        # bincount gives integers where there is nothing to sum.
        return np.bincount(self.jet, weights=values, minlength=len(self.offsets) - 1).astype(np.float64)


def preprocess(constituents: Constituents) -> Constituents:
    """Centre, rotate and flip, in this order."""
    return flip(rotate(centre(constituents)))


def centre(constituents: Constituents) -> Constituents:
    """Move the p_T-weighted centroid of each jet to the origin.

    phi is taken relative to the jet's hardest constituent first, so that jets across phi = pi stay whole.
    """
    reference = _at_hardest(constituents, constituents.phi)
    phi = np.remainder(constituents.phi - reference + np.pi, 2 * np.pi) - np.pi
    jet, pt = constituents.jet, constituents.total(constituents.pt)
    return constituents._replace(
        eta=constituents.eta - _mean(constituents, constituents.eta, pt)[jet],
        phi=phi - _mean(constituents, phi, pt)[jet],
    )


def rotate(constituents: Constituents) -> Constituents:
    """Turn the principal axis, the major one of the p_T-weighted covariance about the origin, to 12 o'clock (phi)."""
    pt, eta, phi = constituents.pt, constituents.eta, constituents.phi
    ee, pp, ep = (constituents.total(pt * square) for square in (eta * eta, phi * phi, eta * phi))
    # Angle of the major axis from the eta axis; 0 where there is none.
    turn = np.pi / 2 - 0.5 * np.arctan2(2 * ep, ee - pp)
    cos, sin = np.cos(turn)[constituents.jet], np.sin(turn)[constituents.jet]
    return constituents._replace(eta=cos * eta - sin * phi, phi=sin * eta + cos * phi)


def flip(constituents: Constituents) -> Constituents:
    """Mirror each jet so that, of the quadrants about the origin, the lower left one (eta, phi < 0) has most p_T."""
    right, upper = constituents.eta > 0, constituents.phi > 0
    quadrants = np.stack(
        [
            constituents.total(constituents.pt * ((right == r) & (upper == u)))
            for u in (False, True)
            for r in (False, True)
        ]
    )
    hardest = quadrants.argmax(axis=0)[constituents.jet]
    return constituents._replace(
        eta=np.where(hardest % 2 == 1, -constituents.eta, constituents.eta),
        phi=np.where(hardest // 2 == 1, -constituents.phi, constituents.phi),
    )


def pixelate(constituents: Constituents) -> csr_array:
    """Sum p_T in the pixels, shape (n, 1600), float32, canonical; what lies off the grid is dropped."""
    number, inside = pixel(constituents.eta, constituents.phi)
    kept = np.flatnonzero(inside)
    offsets = np.searchsorted(kept, constituents.offsets)
    return canonical(constituents.pt[kept].astype(np.float32), number[kept], offsets, N_PIXELS**2)


def _mean(constituents: Constituents, values: Floats, total_pt: Floats) -> Floats:
    """p_T-weighted mean of each jet, 0 for a jet without p_T."""
    sums = constituents.total(constituents.pt * values)
    return np.divide(sums, total_pt, out=np.zeros_like(sums), where=total_pt > 0)


def _at_hardest(constituents: Constituents, values: Floats) -> Floats:
    """Value of each jet's hardest constituent, repeated for every constituent."""
    jet = constituents.jet
    by_pt = np.lexsort((constituents.pt, jet))
    last = constituents.offsets[1:] - 1
    filled = np.diff(constituents.offsets) > 0
    found = np.zeros(len(last))
    found[filled] = values[by_pt[last[filled]]]
    return found[jet]
