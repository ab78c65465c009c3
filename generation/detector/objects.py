"""Photons, electrons and muons: identification, isolation, and which jets they displace."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from generation.detector import card as cards
from generation.detector.flow import PHOTON, TRACK, Flow
from generation.detector.jets import Clustered
from generation.detector.species import ELECTRON, MUON
from generation.detector.tracking import Tracks, efficiency, efficiency_steps
from generation.events import offsets_of


class Isolated(NamedTuple):
    """Isolated objects of one kind, flat over events: p_T, direction, isolation, row of the flow."""

    offsets: NDArray[np.int64]
    pt: NDArray[np.float64]
    eta: NDArray[np.float64]
    phi: NDArray[np.float64]
    isolation: NDArray[np.float64]
    flow: NDArray[np.int64]


class _Cone(NamedTuple):
    """Isolation cone; ``low`` and ``high`` are the pseudorapidity ranges of the densities."""

    radius: float
    pt_min: float
    isolation_max: float
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def identify(
    flow: Flow, tracks: Tracks, jets: Clustered, card: cards.DetectorCard, rng: np.random.Generator
) -> dict[str, Isolated]:
    """Isolated photons, electrons and muons.

    Photons are neutral flow of the ECAL. Electrons carry their flow momentum, muons that of
    the track itself. The density times the cone's area is taken off the neutral sum.

    Parameters
    ----------
    flow
        Without the tracks that pile-up subtraction removes.
    tracks
        That the flow's rows point at.
    jets
        Give the densities.
    card
        Efficiencies and isolation.
    rng
        Decides on efficiencies.
    """
    is_track = flow.source == TRACK
    kind = np.where(is_track, tracks.kind[np.where(is_track, flow.row, 0)] if len(tracks.kind) else -1, -1)
    pt_muon = np.where(kind == MUON, tracks.pt[np.where(kind == MUON, flow.row, 0)] if len(tracks.pt) else 0.0, flow.pt)
    chosen = {"photon": flow.source == PHOTON, "electron": kind == ELECTRON, "muon": kind == MUON}
    return {
        name: _isolate(flow, np.flatnonzero(mask), pt_muon, jets.rho, getattr(card.objects, name), card.jets, rng)
        for name, mask in chosen.items()
    }


def _isolate(
    flow: Flow,
    rows: NDArray[np.int64],
    pt: NDArray[np.float64],
    rho: NDArray[np.float64],
    card: cards.Isolated,
    jets: cards.Jets,
    rng: np.random.Generator,
) -> Isolated:
    cone = _Cone(
        card.isolation_radius,
        card.isolation_pt_min,
        card.isolation_max,
        np.array([region.rapidity_min for region in jets.rho]),
        np.array([region.rapidity_max for region in jets.rho]),
    )
    offsets = flow.candidates.offsets
    event = np.searchsorted(offsets, rows, side="right") - 1
    passed, isolation = _isolations(
        flow.eta, flow.phi, flow.pt, flow.isolates, flow.source, offsets, rows, event, pt[rows], rho, cone,
        efficiency_steps(card.efficiency), rng,
    )  # fmt: skip
    rows, event = rows[passed], event[passed]
    return Isolated(
        offsets_of(np.bincount(event, minlength=len(offsets) - 1)),
        pt[rows],
        flow.eta[rows],
        flow.phi[rows],
        isolation[passed],
        rows,
    )


@njit(cache=True)
def _isolations(eta, phi, pt_flow, isolates, source, offsets, rows, event, pt, rho, cone, steps, rng):  # type: ignore[no-untyped-def]  # noqa: PLR0913, PLR0917
    passed = np.zeros(len(rows), dtype=np.bool_)
    isolation = np.zeros(len(rows))
    for n in range(len(rows)):
        i = rows[n]
        if rng.random() > efficiency(eta[i], pt[n], steps):
            continue
        charged = neutral = density = 0.0
        for j in range(offsets[event[n]], offsets[event[n] + 1]):
            if j == i or not isolates[j] or pt_flow[j] < cone.pt_min:
                continue
            d_phi = abs(phi[i] - phi[j])
            if math.hypot(eta[i] - eta[j], min(d_phi, 2.0 * math.pi - d_phi)) <= cone.radius:
                if source[j] == TRACK:
                    charged += pt_flow[j]
                else:
                    neutral += pt_flow[j]
        for r in range(len(cone.low)):
            if cone.low[r] <= abs(eta[i]) < cone.high[r]:
                density = rho[event[n], r]
        total = charged + max(0.0, neutral - density * math.pi * cone.radius**2)
        isolation[n] = total / pt[n]
        passed[n] = isolation[n] <= cone.isolation_max
    return passed, isolation


def unique_jets(jets: Clustered, isolated: dict[str, Isolated]) -> NDArray[np.bool_]:
    """Jets without any isolated object among their constituents, as Delphes keeps them."""
    unique = np.ones(len(jets.p4), dtype=bool)
    for objects in isolated.values():
        owner = jets.jet_of[objects.flow]
        unique[owner[owner >= 0]] = False
    return unique
