"""Anti-k_T jets with active areas, and the median density that pile-up subtraction needs.

FastJet spends most of its time on ghosts. They carry no momentum, so they cannot change how
the particles cluster: we cluster the particles alone, and then give each ghost to the
pseudojet that would have taken it first. Jets are FastJet's, areas too but for where the
ghosts happen to lie.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from generation.detector import card as cards


class Candidates(NamedTuple):
    """Momenta to be clustered, flat over events (GeV)."""

    offsets: NDArray[np.int64]
    px: NDArray[np.float64]
    py: NDArray[np.float64]
    pz: NDArray[np.float64]
    e: NDArray[np.float64]


class Clustered(NamedTuple):
    """Jets after pile-up subtraction, flat over events, hardest first.

    ``p4`` is (n, 4): px, py, pz, e; ``jet_of`` gives each candidate's jet, counted over all
    events, or -1; ``rho`` is (events, regions), GeV per unit area.
    """

    offsets: NDArray[np.int64]
    p4: NDArray[np.float64]
    area: NDArray[np.float64]
    jet_of: NDArray[np.int64]
    rho: NDArray[np.float64]


class _Regions(NamedTuple):
    """Rapidity ranges of the density estimate and their tiles."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    n_rapidity: NDArray[np.int64]
    n_phi: NDArray[np.int64]


def find_jets(candidates: Candidates, card: cards.Jets, rapidity_max: float) -> Clustered:
    """Cluster, estimate the density, subtract it from each jet.

    Parameters
    ----------
    candidates
        Particle flow.
    card
        Radius, threshold, ghosts, density regions.
    rapidity_max
        No candidate lies beyond; ghosts are laid out as far as its jets reach.
    """
    regions = _Regions(
        low=np.array([region.rapidity_min for region in card.rho]),
        high=np.array([region.rapidity_max for region in card.rho]),
        n_rapidity=np.array([_tiles(r.rapidity_max - r.rapidity_min, r.d_rapidity) for r in card.rho], dtype=np.int64),
        n_phi=np.array([_tiles(2 * np.pi, region.d_phi) for region in card.rho], dtype=np.int64),
    )
    rho = _densities(candidates, regions)
    reach = rapidity_max + card.radius
    offsets, p4, area, jet_of = _find_jets(
        candidates, card.radius, card.pt_min, math.sqrt(card.ghost_area), reach, regions, rho
    )
    return Clustered(offsets, p4, area, jet_of, rho)


def _tiles(extent: float, size: float) -> int:
    return max(1, int(extent / size + 0.5))


@njit(cache=True)
def _rapidity(pz: float, e: float) -> float:
    return 0.5 * math.log((e + pz) / (e - pz)) if e > abs(pz) else math.copysign(1e5, pz)


@njit(cache=True)
def _densities(candidates, regions):  # type: ignore[no-untyped-def]
    """Median over equal tiles of scalar p_T per area, for each event and region."""
    n_events = len(candidates.offsets) - 1
    rho = np.zeros((n_events, len(regions.low)))
    for r in range(len(regions.low)):
        low, high = regions.low[r], regions.high[r]
        n_rapidity, n_phi = regions.n_rapidity[r], regions.n_phi[r]
        tile_area = (high - low) / n_rapidity * 2.0 * math.pi / n_phi
        tiles = np.zeros(n_rapidity * n_phi)
        for event in range(n_events):
            tiles[:] = 0.0
            for i in range(candidates.offsets[event], candidates.offsets[event + 1]):
                y = _rapidity(candidates.pz[i], candidates.e[i])
                if low <= y < high:
                    phi = math.atan2(candidates.py[i], candidates.px[i]) % (2.0 * math.pi)
                    column = min(n_phi - 1, int(phi / (2.0 * math.pi) * n_phi))
                    line = min(n_rapidity - 1, int((y - low) / (high - low) * n_rapidity))
                    tiles[line * n_phi + column] += math.hypot(candidates.px[i], candidates.py[i])
            rho[event, r] = np.median(tiles) / tile_area
    return rho


@njit(cache=True)
def _find_jets(candidates, radius, pt_min, spacing, reach, regions, rho):  # type: ignore[no-untyped-def]
    n_events = len(candidates.offsets) - 1
    offsets = np.zeros(n_events + 1, dtype=np.int64)
    p4_out = np.empty((len(candidates.px), 4))
    area_out = np.empty(len(candidates.px))
    jet_of = np.full(len(candidates.px), -1)
    n_out = 0
    for event in range(n_events):
        begin, end = candidates.offsets[event], candidates.offsets[event + 1]
        history = cluster(
            candidates.px[begin:end],
            candidates.py[begin:end],
            candidates.pz[begin:end],
            candidates.e[begin:end],
            radius,
        )
        p4, root = history[0], history[4]
        areas = ghost_areas(history, radius, spacing, reach)
        hard = np.flatnonzero((root == np.arange(len(root))) & (p4[:, 0] ** 2 + p4[:, 1] ** 2 > pt_min**2))
        order = np.argsort(-(p4[hard, 0] ** 2 + p4[hard, 1] ** 2))
        number = np.full(len(root), -1)
        for node in hard[order]:
            jet = p4[node].copy()
            area = areas[node]
            pt = math.hypot(jet[0], jet[1])
            eta = math.asinh(jet[2] / pt)
            density = 0.0
            for r in range(len(regions.low)):
                if regions.low[r] <= eta < regions.high[r]:
                    density = rho[event, r]
            area_pt = math.hypot(area[0], area[1])
            if pt <= density * area_pt:
                continue
            jet -= density * area
            if math.hypot(jet[0], jet[1]) <= pt_min:
                continue
            p4_out[n_out] = jet
            area_out[n_out] = area_pt
            number[node] = n_out
            n_out += 1
        for i in range(end - begin):
            jet_of[begin + i] = number[root[i]]
        offsets[event + 1] = n_out
    return offsets, p4_out[:n_out], area_out[:n_out], jet_of


@njit(cache=True)
def cluster(px, py, pz, e, radius):  # type: ignore[no-untyped-def]  # noqa: PLR0912, PLR0915
    """Anti-k_T clustering of one event, E scheme, in O(n^2).

    Returns
    -------
    tuple
        Of all n particles and then all merged pseudojets, in order of their making: momenta
        (m, 4), (rapidity, phi, 1/p_T^2) (m, 3), the largest distance measure before each came to
        be and the largest in its life, and the jet that each ends in (a pseudojet that is a jet
        ends in itself).
    """
    n = len(px)
    p4 = np.empty((2 * n, 4))
    where = np.empty((2 * n, 3))
    birth, reached = np.zeros(2 * n), np.zeros(2 * n)
    parent = np.full(2 * n, -1)
    for i in range(n):
        p4[i, 0], p4[i, 1], p4[i, 2], p4[i, 3] = px[i], py[i], pz[i], e[i]
        _locate(p4, where, i)
    # The live pseudojets, dense: node, position, weight, nearest neighbour (-1: the beam) and its squared distance.
    node = np.arange(n)
    y, phi, weight = where[:n, 0].copy(), where[:n, 1].copy(), where[:n, 2].copy()
    near = np.full(n, -1)
    near_2 = np.full(n, radius**2)
    # Most pairs are far apart in rapidity alone, which is cheap to see.
    for i in range(n):
        for j in range(i):
            if abs(y[i] - y[j]) >= radius:
                continue
            d_2 = _distance_2(y[i], phi[i], y[j], phi[j])
            if d_2 < near_2[i]:
                near_2[i], near[i] = d_2, j
            if d_2 < near_2[j]:
                near_2[j], near[j] = d_2, i
    measure, highest = np.empty(n), np.zeros(n)
    for i in range(n):
        measure[i] = near_2[i] * (min(weight[i], weight[near[i]]) if near[i] >= 0 else weight[i])
    n_live, n_nodes, now = n, n, 0.0
    while n_live > 0:
        a = 0
        for i in range(1, n_live):
            if measure[i] < measure[a]:
                a = i
        smallest = measure[a]
        now = max(now, smallest)
        b = near[a]
        reached[node[a]] = max(highest[a], smallest)
        if b >= 0:
            reached[node[b]] = max(highest[b], smallest)
            parent[node[a]] = parent[node[b]] = n_nodes
            p4[n_nodes] = p4[node[a]] + p4[node[b]]
            _locate(p4, where, n_nodes)
            birth[n_nodes] = now
            # The merged one takes the place of b.
            node[b] = n_nodes
            y[b], phi[b], weight[b] = where[n_nodes]
            n_nodes += 1
        n_live -= 1
        last = n_live
        node[a], y[a], phi[a], weight[a] = node[last], y[last], phi[last], weight[last]
        near[a], near_2[a], measure[a], highest[a] = near[last], near_2[last], measure[last], highest[last]
        merged = -1
        if b >= 0:
            merged = a if b == last else b
            near[merged], near_2[merged] = -1, radius**2
        for i in range(n_live):
            if i == merged:
                highest[i] = 0.0
                continue
            highest[i] = max(highest[i], smallest)
            if near[i] == a or (b >= 0 and near[i] == b):
                # The neighbour is gone: search anew. The merged one has its turn below.
                near[i], near_2[i] = -1, radius**2
                for j in range(n_live):
                    if abs(y[i] - y[j]) < radius and j not in (i, merged):
                        d_2 = _distance_2(y[i], phi[i], y[j], phi[j])
                        if d_2 < near_2[i]:
                            near_2[i], near[i] = d_2, j
                measure[i] = near_2[i] * (min(weight[i], weight[near[i]]) if near[i] >= 0 else weight[i])
            elif near[i] == last:
                near[i] = a
            if merged >= 0 and abs(y[i] - y[merged]) < radius:
                d_2 = _distance_2(y[i], phi[i], y[merged], phi[merged])
                if d_2 < near_2[i]:
                    near_2[i], near[i] = d_2, merged
                    measure[i] = d_2 * min(weight[i], weight[merged])
                if d_2 < near_2[merged]:
                    near_2[merged], near[merged] = d_2, i
        if merged >= 0:
            nearest = near[merged]
            lightest = min(weight[merged], weight[nearest]) if nearest >= 0 else weight[merged]
            measure[merged] = near_2[merged] * lightest
    root = np.arange(n_nodes)
    for i in range(n_nodes - 1, -1, -1):
        if parent[i] >= 0:
            root[i] = root[parent[i]]
    return p4[:n_nodes], where[:n_nodes], birth[:n_nodes], reached[:n_nodes], root


@njit(cache=True)
def _locate(p4, where, i):  # type: ignore[no-untyped-def]
    """Rapidity, phi and 1/p_T^2 of a node."""
    pt_2 = max(p4[i, 0] ** 2 + p4[i, 1] ** 2, 1e-300)
    where[i, 0] = _rapidity(p4[i, 2], p4[i, 3])
    where[i, 1] = math.atan2(p4[i, 1], p4[i, 0])
    where[i, 2] = 1.0 / pt_2


@njit(cache=True)
def _distance_2(y_a: float, phi_a: float, y_b: float, phi_b: float) -> float:
    d_phi = abs(phi_a - phi_b)
    d_phi = min(d_phi, 2.0 * math.pi - d_phi)
    return (y_a - y_b) ** 2 + d_phi**2


@njit(cache=True)
def ghost_areas(history, radius, spacing, reach):  # type: ignore[no-untyped-def]
    """Four-vector areas (m, 4) of the jets of :func:`cluster`: what their ghosts add up to.

    A ghost's distance measure from a pseudojet is their squared distance over the pseudojet's
    p_T^2. It is taken once clustering has come that far, or when a pseudojet is born so near;
    the first pseudojet to get there keeps it.
    """
    _, where, birth, reached, root = history
    n_y = max(1, math.ceil(2.0 * reach / spacing))
    n_phi = max(1, math.ceil(2.0 * math.pi / spacing))
    d_y, d_phi = 2.0 * reach / n_y, 2.0 * math.pi / n_phi
    taken = np.full((n_y, n_phi), math.inf)
    closeness = np.full((n_y, n_phi), math.inf)
    owner = np.full((n_y, n_phi), -1)
    for i in range(len(root)):
        y, phi, weight = where[i]
        limit_2 = min(radius**2, reached[i] / weight)
        limit = math.sqrt(limit_2)
        first = max(0, math.ceil((y - limit + reach) / d_y - 0.5))
        last = min(n_y - 1, math.floor((y + limit + reach) / d_y - 0.5))
        for line in range(first, last + 1):
            off_y = -reach + (line + 0.5) * d_y - y
            span_2 = limit_2 - off_y**2
            if span_2 <= 0.0:
                continue
            span = math.sqrt(span_2)
            left = math.ceil((phi - span + math.pi) / d_phi - 0.5)
            right = math.floor((phi + span + math.pi) / d_phi - 0.5)
            for column in range(left, right + 1):
                off_phi = -math.pi + (column + 0.5) * d_phi - phi
                at = (off_y**2 + off_phi**2) * weight
                when = max(at, birth[i])
                c = column % n_phi
                if when < taken[line, c] or (when == taken[line, c] and at < closeness[line, c]):
                    taken[line, c], closeness[line, c], owner[line, c] = when, at, root[i]
    areas = np.zeros((len(root), 4))
    for line in range(n_y):
        y = -reach + (line + 0.5) * d_y
        sinh_y, cosh_y = math.sinh(y), math.cosh(y)
        for column in range(n_phi):
            jet = owner[line, column]
            if jet >= 0:
                phi = -math.pi + (column + 0.5) * d_phi
                areas[jet, 0] += d_y * d_phi * math.cos(phi)
                areas[jet, 1] += d_y * d_phi * math.sin(phi)
                areas[jet, 2] += d_y * d_phi * sinh_y
                areas[jet, 3] += d_y * d_phi * cosh_y
    return areas
