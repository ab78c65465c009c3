"""Which interactions make up each bunch crossing, and where each of them lies."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from generation.detector.card import Vertex
from generation.events import offsets_of

#: Speed of light, mm/s.
C_LIGHT = 2.99792458e11


class Crossings(NamedTuple):
    """Interactions of each crossing, flat; the first of each is the hard one.

    Parameters
    ----------
    offsets
        (n + 1,)
    source
        Event of the pile-up pool; for the hard interaction, the event itself.
    z, t
        Vertex, mm and mm/c.
    phi
        Rotation about the beam, 0 for the hard interaction.
    """

    offsets: NDArray[np.int64]
    source: NDArray[np.int64]
    z: NDArray[np.float64]
    t: NDArray[np.float64]
    phi: NDArray[np.float64]


def draw_crossings(
    n_events: int, pool_size: int, mean_pileup: float, vertex: Vertex, rng: np.random.Generator
) -> Crossings:
    """Draw a Poisson number of pile-up interactions for each event, and all vertices.

    Without a pool (``pool_size`` 0) or with a mean of 0 only the hard interactions remain.
    """
    n_pileup = rng.poisson(mean_pileup if pool_size else 0.0, n_events)
    offsets = offsets_of(n_pileup + 1)
    total = int(offsets[-1])
    source = rng.integers(max(pool_size, 1), size=total)
    phi = rng.uniform(-np.pi, np.pi, total)
    source[offsets[:-1]] = np.arange(n_events)
    phi[offsets[:-1]] = 0.0
    z = _truncated_normal(total, vertex.z_sigma, vertex.z_max, rng)
    t = _truncated_normal(total, vertex.t_sigma, vertex.t_max, rng) * C_LIGHT
    return Crossings(offsets, source, z, t, phi)


def _truncated_normal(size: int, sigma: float, limit: float, rng: np.random.Generator) -> NDArray[np.float64]:
    values = rng.normal(0.0, sigma, size)
    while (outside := np.abs(values) > limit).any():
        values[outside] = rng.normal(0.0, sigma, int(outside.sum()))
    return values
