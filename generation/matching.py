"""Which particle of the hard process a jet stems from."""

from __future__ import annotations

import awkward as ak
import numpy as np
from numpy.typing import NDArray

#: Pythia's status of what leaves the hard process or is the last of its chain of decays: tops give three quarks.
_OUTGOING = -23

#: Particles between a product and its parent: intermediate bosons, and copies that recoil and radiate.
_MAX_STEPS = 100


def holds_parent(record: ak.Array, parent: int, jet: ak.Array, radius: float) -> NDArray[np.bool_]:
    """Whether jets hold a certain particle of the hard process and everything that it decays to there, (n,).

    Parameters
    ----------
    record
        Pythia's event records (events * var).
    parent
        Particle number; antiparticles count too.
    jet
        One jet for each event, or None; fields ``eta`` and ``phi``.
    radius
        Largest DeltaR (eta, phi) between the jet and the particle, and each of the products.
    """
    products = ak.local_index(record.id)[record.status == _OUTGOING]
    origin = _climb(record, products, parent)
    products, origin = products[origin >= 0], origin[origin >= 0]
    inside = (_distance(record[products], jet) < radius) & (_distance(record[origin], jet) < radius)
    siblings = origin[:, :, np.newaxis] == origin[:, np.newaxis, :]
    complete = ak.all(inside[:, np.newaxis, :] | ~siblings, axis=2)
    return np.asarray(ak.to_numpy(ak.fill_none(ak.any(complete, axis=1), False)), dtype=np.bool_)


def _climb(record: ak.Array, rows: ak.Array, parent: int) -> ak.Array:
    """Rows of the nearest parents, mother after mother, or themselves; -1 where there is none."""
    for _ in range(_MAX_STEPS):
        found = abs(record.id[rows]) == parent
        if ak.all(found | (rows == 0)):
            break
        rows = ak.where(found, rows, record.mother1[rows])
    return ak.where(abs(record.id[rows]) == parent, rows, -1)


def _distance(particles: ak.Array, jet: ak.Array) -> ak.Array:
    """DeltaR between each event's particles and its jet (events * var)."""
    eta = np.arcsinh(particles.p.pz / np.hypot(particles.p.px, particles.p.py))
    phi = np.arctan2(particles.p.py, particles.p.px)
    d_phi = np.remainder(phi - jet.phi + np.pi, 2 * np.pi) - np.pi
    return np.hypot(eta - jet.eta, d_phi)
