"""One calorimeter: energy into towers, smearing, thresholds, and what tracks do not explain."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from generation.detector import card as cards
from generation.detector.propagation import Particles
from generation.detector.tracking import Tracks, log_normal
from generation.events import offsets_of


class Grid(NamedTuple):
    """Towers: ring i has ``n_phi[i]`` of them and starts with tower ``first[i]``."""

    eta_edges: NDArray[np.float64]
    n_phi: NDArray[np.int64]
    first: NDArray[np.int64]


class Sigma(NamedTuple):
    """Energy resolution by region in abs(eta); see :class:`generation.detector.card.EnergyResolution`."""

    eta_max: NDArray[np.float64]
    constant: NDArray[np.float64]
    stochastic: NDArray[np.float64]
    noise: NDArray[np.float64]
    scale: NDArray[np.float64]
    bend: NDArray[np.float64]
    eta_0: NDArray[np.float64]


class Towers(NamedTuple):
    """Towers, flat over events: energy (GeV), position, the tower's edges, its number in the grid."""

    offsets: NDArray[np.int64]
    e: NDArray[np.float64]
    eta: NDArray[np.float64]
    phi: NDArray[np.float64]
    edges: NDArray[np.float64]
    number: NDArray[np.int64]


class Deposits(NamedTuple):
    """What one calorimeter gives: all towers, neutral particle flow, and a factor on each track's p_T."""

    towers: Towers
    neutral: Towers
    track_scale: NDArray[np.float64]


def make_grid(rings: Sequence[cards.Rings]) -> Grid:
    """Towers of a card as arrays."""
    edges = [part.edges() for part in rings]
    n_phi = np.concatenate([np.full(len(part) - 1, ring.n_phi) for part, ring in zip(edges, rings, strict=True)])
    eta_edges = np.concatenate([edges[0], *(part[1:] for part in edges[1:])])
    return Grid(eta_edges, n_phi, offsets_of(n_phi))


def make_sigma(regions: Sequence[cards.EnergyResolution]) -> Sigma:
    """Energy resolution of a card as arrays."""
    return Sigma(*(np.array([getattr(region, name) for region in regions]) for name in Sigma._fields))


def deposit(
    particles: Particles,
    share: NDArray[np.float64],
    tracks: Tracks,
    card: cards.Calorimeter,
    rng: np.random.Generator,
) -> Deposits:
    """Simulate one calorimeter for all events.

    Parameters
    ----------
    particles
        At the surface.
    share
        Share of each row of :class:`generation.detector.species.Species` that stays here.
    tracks
        Those of particles without a share pass untouched.
    card
        Granularity, thresholds, resolution.
    rng
        Source of the smearing and of the positions in the towers.

    Notes
    -----
    A tower's energy is log-normal about the sum, and kept above ``energy_min`` and
    ``significance_min`` times its resolution. What exceeds the tracks pointing at it by the
    same thresholds is neutral; else the tracks are scaled to the weighted mean of their sum
    and the tower, as the particle flow of Delphes does.
    """
    grid, sigma = make_grid(card.towers), make_sigma(card.resolution)
    towers, neutral, track_scale = _deposit(
        particles, share, tracks, grid, sigma, card.energy_min, card.significance_min, rng
    )
    return Deposits(Towers(*towers), Towers(*neutral), track_scale)


@njit(cache=True)
def tower_of(eta: float, phi: float, grid: Grid) -> int:
    """Tower at a position, -1 outside the calorimeter."""
    edges = grid.eta_edges
    n = len(edges) - 1
    if not edges[0] < eta <= edges[n]:
        return -1
    # Most calorimeters have equal rings: guess so, then walk.
    ring = min(n - 1, int((eta - edges[0]) / (edges[n] - edges[0]) * n))
    while eta <= edges[ring]:
        ring -= 1
    while eta > edges[ring + 1]:
        ring += 1
    n_phi = grid.n_phi[ring]
    sector = min(n_phi - 1, int((phi + math.pi) / (2.0 * math.pi) * n_phi))
    return int(grid.first[ring] + sector)


@njit(cache=True)
def energy_sigma(eta: float, energy: float, sigma: Sigma) -> float:
    """Energy resolution, GeV; 0 beyond the last region."""
    for i in range(len(sigma.eta_max)):
        if abs(eta) <= sigma.eta_max[i]:
            square = (sigma.constant[i] * energy) ** 2 + sigma.stochastic[i] ** 2 * energy + sigma.noise[i] ** 2
            shape = float(sigma.scale[i] + sigma.bend[i] * (abs(eta) - sigma.eta_0[i]) ** 2)
            return shape * math.sqrt(square)
    return 0.0


@njit(cache=True)
def _deposit(particles, share, tracks, grid, sigma, energy_min, significance_min, rng):  # type: ignore[no-untyped-def]  # noqa: PLR0912, PLR0915
    n_events = len(particles.offsets) - 1
    n_towers = grid.first[-1]
    energy = np.zeros(n_towers)
    track_energy = np.zeros(n_towers)
    track_variance = np.zeros(n_towers)
    scale_of_tower = np.ones(n_towers)
    hit = np.zeros(n_towers, dtype=np.bool_)
    tower_of_track = np.full(len(tracks.pt), -1)
    track_scale = np.ones(len(tracks.pt))
    capacity = int(np.count_nonzero(share[particles.row])) + len(tracks.pt)
    seen, flow = np.empty((3, capacity)), np.empty((3, capacity))
    edges_seen, edges_flow = np.empty((capacity, 4)), np.empty((capacity, 4))
    number_seen, number_flow = np.empty(capacity, dtype=np.int64), np.empty(capacity, dtype=np.int64)
    offsets_seen, offsets_flow = np.zeros(n_events + 1, dtype=np.int64), np.zeros(n_events + 1, dtype=np.int64)
    n_seen = n_flow = 0
    touched = np.empty(capacity, dtype=np.int64)
    for event in range(n_events):
        n_touched = 0
        for i in range(particles.offsets[event], particles.offsets[event + 1]):
            fraction = share[particles.row[i]]
            if fraction > 0.0:
                k = tower_of(particles.eta_outer[i], particles.phi_outer[i], grid)
                if k >= 0:
                    energy[k] += fraction * particles.e[i]
                    if not hit[k]:
                        hit[k] = True
                        touched[n_touched] = k
                        n_touched += 1
        for i in range(tracks.offsets[event], tracks.offsets[event + 1]):
            j = tracks.particle[i]
            fraction = share[particles.row[j]]
            if fraction > 0.0:
                k = tower_of(particles.eta_outer[j], particles.phi_outer[j], grid)
                tower_of_track[i] = k
                if k >= 0:
                    track_energy[k] += fraction * tracks.e[i]
                    track_variance[k] += (tracks.resolution[i] * tracks.e[i]) ** 2
        touched[:n_touched].sort()
        ring = 0
        for k in touched[:n_touched]:
            while grid.first[ring + 1] <= k:
                ring += 1
            eta_low, eta_high = grid.eta_edges[ring], grid.eta_edges[ring + 1]
            d_phi = 2.0 * math.pi / grid.n_phi[ring]
            phi_low = -math.pi + d_phi * (k - grid.first[ring])
            centre = 0.5 * (eta_low + eta_high)
            smeared = log_normal(energy[k], energy_sigma(centre, energy[k], sigma), rng)
            width = energy_sigma(centre, smeared, sigma)
            if smeared < energy_min or smeared < significance_min * width:
                smeared = 0.0
            scale_of_tower[k] = 1.0
            excess = smeared - track_energy[k]
            is_neutral = excess > energy_min and excess > significance_min * math.sqrt(track_variance[k] + width**2)
            if not is_neutral and track_energy[k] > 0.0:
                weight_track = 1.0 / track_variance[k] if track_variance[k] > 0.0 else 0.0
                weight_tower = 1.0 / width**2 if width > 0.0 else 0.0
                if weight_track + weight_tower > 0.0:
                    best = (weight_track * track_energy[k] + weight_tower * smeared) / (weight_track + weight_tower)
                    scale_of_tower[k] = best / track_energy[k]
            if smeared > 0.0:
                eta = eta_low + (eta_high - eta_low) * rng.random()
                phi = phi_low + d_phi * rng.random()
                seen[0, n_seen], seen[1, n_seen], seen[2, n_seen] = smeared, eta, phi
                edges_seen[n_seen, 0], edges_seen[n_seen, 1] = eta_low, eta_high
                edges_seen[n_seen, 2], edges_seen[n_seen, 3] = phi_low, phi_low + d_phi
                number_seen[n_seen] = k
                if is_neutral:
                    flow[0, n_flow], flow[1, n_flow], flow[2, n_flow] = excess, eta, phi
                    edges_flow[n_flow] = edges_seen[n_seen]
                    number_flow[n_flow] = k
                    n_flow += 1
                n_seen += 1
            energy[k] = track_energy[k] = track_variance[k] = 0.0
            hit[k] = False
        for i in range(tracks.offsets[event], tracks.offsets[event + 1]):
            if tower_of_track[i] >= 0:
                track_scale[i] = scale_of_tower[tower_of_track[i]]
        offsets_seen[event + 1], offsets_flow[event + 1] = n_seen, n_flow
    return (
        (offsets_seen, seen[0, :n_seen], seen[1, :n_seen], seen[2, :n_seen], edges_seen[:n_seen], number_seen[:n_seen]),
        (offsets_flow, flow[0, :n_flow], flow[1, :n_flow], flow[2, :n_flow], edges_flow[:n_flow], number_flow[:n_flow]),
        track_scale,
    )
