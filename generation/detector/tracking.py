"""Which charged particles become tracks, and with what momentum."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from generation.detector.card import EfficiencyRegion, MomentumResolution, Tracking
from generation.detector.propagation import Particles
from generation.detector.species import Species
from generation.events import offsets_of


class Steps(NamedTuple):
    """Efficiency of one kind: regions in abs(eta) by steps in p_T, padded with steps at infinity."""

    eta_max: NDArray[np.float64]
    pt_min: NDArray[np.float64]
    value: NDArray[np.float64]
    exponent: NDArray[np.float64]
    slope: NDArray[np.float64]


class Resolution(NamedTuple):
    """Momentum resolution of one kind, by region in abs(eta)."""

    eta_max: NDArray[np.float64]
    constant: NDArray[np.float64]
    linear: NDArray[np.float64]


class Tracks(NamedTuple):
    """Tracks, flat over events.

    ``particle`` is the row of :class:`Particles` that made each; ``resolution`` the relative
    one of p_T; ``survives`` marks those that pile-up subtraction keeps.
    """

    offsets: NDArray[np.int64]
    particle: NDArray[np.int64]
    kind: NDArray[np.int8]
    pt: NDArray[np.float64]
    e: NDArray[np.float64]
    resolution: NDArray[np.float64]
    survives: NDArray[np.bool_]


def track(
    particles: Particles, hard_z: NDArray[np.float64], species: Species, card: Tracking, rng: np.random.Generator
) -> Tracks:
    """Apply efficiencies and momentum smearing.

    Efficiency and resolution are looked up at the true p_T and at eta on the surface, as
    Delphes does; p_T is log-normal about the true one, its spread at most 100%. Pile-up
    subtraction drops pile-up tracks that start farther in z from the hard vertex (``hard_z``,
    mm) than the card's resolution.
    """
    models = (card.hadron, card.electron, card.muon)
    steps = tuple(_steps(model.efficiency) for model in models)
    resolutions = tuple(_resolution(model.resolution) for model in models)
    chosen, kind, pt, e, resolution = _track(particles, species.kind, steps, resolutions, rng)
    event = np.searchsorted(particles.offsets, chosen, side="right") - 1
    near = np.abs(particles.z[chosen] - hard_z[event]) <= card.pileup_z_resolution
    offsets = offsets_of(np.bincount(event, minlength=len(particles.offsets) - 1))
    return Tracks(offsets, chosen, kind, pt, e, resolution, near | ~particles.is_pileup[chosen])


def _steps(regions: Sequence[EfficiencyRegion]) -> Steps:
    shape = (len(regions), max(len(region.steps) for region in regions))
    pt_min = np.full(shape, np.inf)
    value, exponent, slope = np.zeros((3, *shape))
    for i, region in enumerate(regions):
        for j, step in enumerate(region.steps):
            pt_min[i, j], value[i, j], exponent[i, j], slope[i, j] = step.pt_min, step.value, step.exponent, step.slope
    return Steps(np.array([region.eta_max for region in regions]), pt_min, value, exponent, slope)


def _resolution(regions: Sequence[MomentumResolution]) -> Resolution:
    return Resolution(*(np.array([getattr(region, name) for region in regions]) for name in Resolution._fields))


def efficiency_steps(regions: Sequence[EfficiencyRegion]) -> Steps:
    """Efficiency regions of a card as arrays."""
    return _steps(regions)


@njit(cache=True)
def efficiency(eta: float, pt: float, steps: Steps) -> float:
    """Efficiency at eta and p_T."""
    for i in range(len(steps.eta_max)):
        if abs(eta) <= steps.eta_max[i]:
            result = 0.0
            for j in range(steps.pt_min.shape[1]):
                if pt > steps.pt_min[i, j]:
                    result = steps.value[i, j] * math.exp(steps.exponent[i, j] + steps.slope[i, j] * pt)
            return result
    return 0.0


@njit(cache=True)
def pt_resolution(eta: float, pt: float, regions: Resolution) -> float:
    """Relative p_T resolution at eta and p_T, at most 1."""
    for i in range(len(regions.eta_max)):
        if abs(eta) <= regions.eta_max[i]:
            return min(1.0, math.hypot(regions.constant[i], regions.linear[i] * pt))
    return 0.0


@njit(cache=True)
def log_normal(mean: float, sigma: float, rng: np.random.Generator) -> float:
    """Draw from the log-normal distribution of this mean and standard deviation."""
    if mean <= 0.0:
        return 0.0
    width = math.sqrt(math.log1p((sigma / mean) ** 2))
    return mean * math.exp(width * (rng.standard_normal() - 0.5 * width))


@njit(cache=True)
def _track(particles, kinds, steps, resolutions, rng):  # type: ignore[no-untyped-def]
    capacity = int(np.count_nonzero(particles.charge))
    chosen = np.empty(capacity, dtype=np.int64)
    kind_out = np.empty(capacity, dtype=np.int8)
    pt_out, e_out, resolution_out = np.empty(capacity), np.empty(capacity), np.empty(capacity)
    n = 0
    for i in range(len(particles.charge)):
        if particles.charge[i] == 0:
            continue
        kind = kinds[particles.row[i]]
        eta, pt = particles.eta_outer[i], particles.pt[i]
        if rng.random() > efficiency(eta, pt, steps[kind]):
            continue
        resolution = pt_resolution(eta, pt, resolutions[kind])
        smeared = log_normal(pt, resolution * pt, rng)
        chosen[n], kind_out[n], pt_out[n], resolution_out[n] = i, kind, smeared, resolution
        e_out[n] = math.hypot(smeared * math.cosh(particles.eta[i]), particles.mass[i])
        n += 1
    return chosen[:n], kind_out[:n], pt_out[:n], e_out[:n], resolution_out[:n]
