"""Particle flow: tracks, and what the calorimeters saw beyond them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from generation.detector.calorimeter import Towers
from generation.detector.jets import Candidates
from generation.detector.propagation import Particles
from generation.detector.species import HADRON
from generation.detector.tracking import Tracks
from generation.events import offsets_of, sum_per_event

#: Origin of a flow candidate; tracks are 0.
TRACK, PHOTON, NEUTRAL_HADRON = 0, 1, 2


class Flow(NamedTuple):
    """Flow candidates, flat over events.

    ``source`` says what each is, ``row`` which row of the tracks, photons or neutral hadrons;
    ``survives`` is false for tracks that pile-up subtraction removes; ``isolates`` marks what
    counts in isolation sums: all but electrons, muons and removed tracks.
    """

    candidates: Candidates
    pt: NDArray[np.float64]
    eta: NDArray[np.float64]
    phi: NDArray[np.float64]
    source: NDArray[np.int8]
    row: NDArray[np.int64]
    survives: NDArray[np.bool_]
    isolates: NDArray[np.bool_]

    def select(self, chosen: NDArray[np.bool_]) -> Flow:
        """Chosen candidates, event by event as before."""
        offsets = self.candidates.offsets
        kept = np.concatenate(([0], np.cumsum(chosen)))[offsets]
        momenta = (column[chosen] for column in self.candidates[1:])
        columns: dict[str, Any] = {name: getattr(self, name)[chosen] for name in self._fields[1:]}
        return Flow(Candidates(kept, *momenta), **columns)


def build_flow(
    particles: Particles, tracks: Tracks, track_pt: NDArray[np.float64], photons: Towers, neutral_hadrons: Towers
) -> Flow:
    """Join tracks and neutral particle flow of each event.

    Parameters
    ----------
    particles
        What the tracks' rows point at.
    tracks
        All tracks.
    track_pt
        Their p_T after the calorimeters have had their say; eta, phi and mass stay.
    photons, neutral_hadrons
        What ECAL and HCAL saw beyond the tracks; massless.
    """
    made_by = tracks.particle
    counts = [np.diff(part.offsets) for part in (tracks, photons, neutral_hadrons)]
    event = np.concatenate([np.repeat(np.arange(len(count)), count) for count in counts])
    order = np.argsort(event, kind="stable")
    source = np.repeat(np.array([TRACK, PHOTON, NEUTRAL_HADRON], dtype=np.int8), [count.sum() for count in counts])
    row = np.concatenate([np.arange(count.sum()) for count in counts])
    towers_pt = [part.e / np.cosh(part.eta) for part in (photons, neutral_hadrons)]
    pt = np.concatenate([track_pt, *towers_pt])
    eta = np.concatenate([particles.eta[made_by], photons.eta, neutral_hadrons.eta])
    phi = np.concatenate([particles.phi[made_by], photons.phi, neutral_hadrons.phi])
    mass = np.concatenate([particles.mass[made_by], np.zeros(len(pt) - len(made_by))])
    n_neutral = len(pt) - len(made_by)
    survives = np.concatenate([tracks.survives, np.ones(n_neutral, dtype=bool)])
    isolates = np.concatenate([tracks.survives & (tracks.kind == HADRON), np.ones(n_neutral, dtype=bool)])
    pt, eta, phi, mass = pt[order], eta[order], phi[order], mass[order]
    pz = pt * np.sinh(eta)
    momenta = Candidates(
        offsets_of(np.sum(counts, axis=0)), pt * np.cos(phi), pt * np.sin(phi), pz, np.sqrt(pt**2 + pz**2 + mass**2)
    )
    return Flow(momenta, pt, eta, phi, source[order], row[order], survives[order], isolates[order])


def missing_momentum(candidates: Candidates) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Missing p_T, and eta and phi of the vector opposite to the sum of each event."""
    momenta = (candidates.px, candidates.py, candidates.pz)
    px, py, pz = (-sum_per_event(column, candidates.offsets) for column in momenta)
    met = np.hypot(px, py)
    eta = np.arcsinh(np.divide(pz, met, out=np.zeros_like(pz), where=met > 0))
    return met, eta, np.arctan2(py, px)
