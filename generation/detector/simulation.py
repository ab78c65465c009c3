"""The embedded detector: generated events in, Delphes collections out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generation.detector.calorimeter import Deposits, Towers, deposit
from generation.detector.card import DetectorCard
from generation.detector.flow import NEUTRAL_HADRON, PHOTON, TRACK, Flow, build_flow, missing_momentum
from generation.detector.jets import Clustered, find_jets
from generation.detector.objects import Isolated, identify, unique_jets
from generation.detector.output import Collection, DelphesEvents, concatenate
from generation.detector.pileup import Crossings, draw_crossings
from generation.detector.propagation import Particles, propagate
from generation.detector.species import Species, make_species
from generation.detector.tracking import Tracks, track
from generation.events import GenEvents, offsets_of, sum_per_event

#: Events that are simulated together; more would not fit the processor's cache.
_BLOCK = 16

#: Wraps each module's work, for instance to time it.
Stage = Callable[[str], AbstractContextManager[object]]


def simulate(
    events: GenEvents,
    pool: GenEvents | None,
    mean_pileup: float,
    card: DetectorCard,
    rng: np.random.Generator,
    stage: Stage = nullcontext,
) -> DelphesEvents:
    """Simulate the detector's response.

    Parameters
    ----------
    events
        Hard interactions, at the origin: the card's vertex spread is applied here.
    pool
        Minimum-bias events that pile-up is drawn from; None for no pile-up.
    mean_pileup
        Mean number of pile-up interactions, Poisson distributed.
    card
        The detector.
    rng
        Source of all random numbers: the same state gives the same output.
    stage
        Called with each module's name; what it returns surrounds the module's work.

    Returns
    -------
    DelphesEvents
        One entry for each of ``events``, in order.
    """
    if mean_pileup > 0 and pool is not None and len(pool) == 0:
        raise ValueError("the pile-up pool holds no events")
    soft = pool if mean_pileup > 0 else None
    species = make_species(card, [events.pid] if soft is None else [events.pid, soft.pid])
    return concatenate([_simulate(block, soft, mean_pileup, card, species, rng, stage) for block in _blocks(events)])


def _blocks(events: GenEvents) -> Iterator[GenEvents]:
    for start in range(0, max(len(events), 1), _BLOCK):
        yield events[start : start + _BLOCK]


def _simulate(
    events: GenEvents,
    pool: GenEvents | None,
    mean_pileup: float,
    card: DetectorCard,
    species: Species,
    rng: np.random.Generator,
    stage: Stage,
) -> DelphesEvents:
    eta_max = max(calorimeter.towers[-1].eta_edges[-1] for calorimeter in (card.ecal, card.hcal))
    with stage("propagation"):
        crossings = draw_crossings(len(events), 0 if pool is None else len(pool), mean_pileup, card.vertex, rng)
        particles = propagate(events, pool, crossings, species, card.solenoid, eta_max)
    with stage("tracks"):
        tracks = track(particles, crossings.z[crossings.offsets[:-1]], species, card.tracking, rng)
    with stage("ecal"):
        ecal = deposit(particles, species.ecal, tracks, card.ecal, rng)
    with stage("hcal"):
        hcal = deposit(particles, species.hcal, tracks, card.hcal, rng)
    with stage("flow"):
        track_pt = tracks.pt * ecal.track_scale * hcal.track_scale
        all_flow = build_flow(particles, tracks, track_pt, ecal.neutral, hcal.neutral)
        flow = all_flow.select(all_flow.survives)
    with stage("jets"):
        jets = find_jets(flow.candidates, card.jets, eta_max)
    with stage("objects"):
        isolated = identify(flow, tracks, jets, card, rng)
        unique = unique_jets(jets, isolated)
    with stage("output"):
        return DelphesEvents(
            {
                "Event": _event(events),
                "Track": _tracks(particles, tracks, np.ones(len(tracks.pt), dtype=bool)),
                "Track_PUcorr": _tracks(particles, tracks, tracks.survives),
                "ecalTower": _towers(ecal),
                "hcalTower": _towers(hcal),
                "EFlowTrack": _flow_tracks(flow, particles, tracks),
                "EFlowPhoton": _flow_neutrals(flow, PHOTON),
                "EFlowNeutralHadron": _flow_neutrals(flow, NEUTRAL_HADRON),
                "Jet": _jets(jets, unique),
                "Electron": _isolated(isolated["electron"], _charge(isolated["electron"], flow, particles, tracks)),
                "Photon": _isolated(isolated["photon"], {}),
                "Muon": _isolated(isolated["muon"], _charge(isolated["muon"], flow, particles, tracks)),
                "MissingET": _met(all_flow if card.met_tracks == "all" else flow),
                "ScalarHT": _scalar_ht(jets, unique, isolated),
                "Rho": _rho(jets, card),
                "Vertex": _vertices(crossings),
            }
        )


def _float(values: NDArray[Any]) -> NDArray[np.float32]:
    return values.astype(np.float32)


def _single(columns: dict[str, NDArray[Any]]) -> Collection:
    """One object for each event."""
    return Collection(np.arange(len(next(iter(columns.values()))) + 1), columns)


def _event(events: GenEvents) -> Collection:
    cross_section = np.full(len(events), events.cross_section, dtype=np.float32)
    return _single({"Number": events.number, "Weight": _float(events.weight), "CrossSection": cross_section})


def _tracks(particles: Particles, tracks: Tracks, chosen: NDArray[np.bool_]) -> Collection:
    rows = tracks.particle[chosen]
    columns: dict[str, NDArray[Any]] = {
        "PID": particles.pid[rows],
        "Charge": particles.charge[rows].astype(np.int32),
        "IsPU": particles.is_pileup[rows].astype(np.int32),
        "PT": _float(tracks.pt[chosen]),
        "Eta": _float(particles.eta[rows]),
        "Phi": _float(particles.phi[rows]),
        "Mass": _float(particles.mass[rows]),
        "EtaOuter": _float(particles.eta_outer[rows]),
        "PhiOuter": _float(particles.phi_outer[rows]),
        "Z": _float(particles.z[rows]),
        "D0": _float(particles.d0[rows]),
        "DZ": _float(particles.dz[rows]),
    }
    kept = np.concatenate(([0], np.cumsum(chosen)))
    return Collection(kept[tracks.offsets], columns)


def _towers(deposits: Deposits) -> Collection:
    towers: Towers = deposits.towers
    columns: dict[str, NDArray[Any]] = {
        "ET": _float(towers.e / np.cosh(towers.eta)),
        "Eta": _float(towers.eta),
        "Phi": _float(towers.phi),
        "E": _float(towers.e),
        "Edges[4]": _float(towers.edges),
    }
    return Collection(towers.offsets, columns)


def _flow_tracks(flow: Flow, particles: Particles, tracks: Tracks) -> Collection:
    """Charged particle flow: tracks that survive pile-up subtraction, p_T after the calorimeters have had their say."""
    chosen = flow.source == TRACK
    rows = tracks.particle[flow.row[chosen]]
    columns: dict[str, NDArray[Any]] = {
        "PID": particles.pid[rows],
        "Charge": particles.charge[rows].astype(np.int32),
        "IsPU": particles.is_pileup[rows].astype(np.int32),
        "PT": _float(flow.pt[chosen]),
        "Eta": _float(flow.eta[chosen]),
        "Phi": _float(flow.phi[chosen]),
        "Mass": _float(particles.mass[rows]),
        "EtaOuter": _float(particles.eta_outer[rows]),
        "PhiOuter": _float(particles.phi_outer[rows]),
    }
    return Collection(_offsets_of_chosen(chosen, flow), columns)


def _flow_neutrals(flow: Flow, source: int) -> Collection:
    """Neutral particle flow of one calorimeter."""
    chosen = flow.source == source
    pt, eta = flow.pt[chosen], flow.eta[chosen]
    columns: dict[str, NDArray[Any]] = {
        "ET": _float(pt),
        "Eta": _float(eta),
        "Phi": _float(flow.phi[chosen]),
        "E": _float(pt * np.cosh(eta)),
    }
    return Collection(_offsets_of_chosen(chosen, flow), columns)


def _offsets_of_chosen(chosen: NDArray[np.bool_], flow: Flow) -> NDArray[np.int64]:
    kept: NDArray[np.int64] = np.concatenate(([0], np.cumsum(chosen)))[flow.candidates.offsets]
    return kept


def _jets(jets: Clustered, unique: NDArray[np.bool_]) -> Collection:
    px, py, pz, e = jets.p4[unique].T
    pt = np.hypot(px, py)
    square = e**2 - px**2 - py**2 - pz**2
    columns: dict[str, NDArray[Any]] = {
        "PT": _float(pt),
        "Eta": _float(np.arcsinh(pz / pt)),
        "Phi": _float(np.arctan2(py, px)),
        # Subtraction may leave less energy than momentum; ROOT then gives a negative mass.
        "Mass": _float(np.copysign(np.sqrt(np.abs(square)), square)),
    }
    return Collection(np.concatenate(([0], np.cumsum(unique)))[jets.offsets], columns)


def _charge(objects: Isolated, flow: Flow, particles: Particles, tracks: Tracks) -> dict[str, NDArray[Any]]:
    return {"Charge": particles.charge[tracks.particle[flow.row[objects.flow]]].astype(np.int32)}


def _isolated(objects: Isolated, more: dict[str, NDArray[Any]]) -> Collection:
    columns: dict[str, NDArray[Any]] = {
        "PT": _float(objects.pt),
        "Eta": _float(objects.eta),
        "Phi": _float(objects.phi),
        "IsolationVarRhoCorr": _float(objects.isolation),
    }
    return Collection(objects.offsets, columns | more)


def _met(flow: Flow) -> Collection:
    met, eta, phi = missing_momentum(flow.candidates)
    return _single({"MET": _float(met), "Eta": _float(eta), "Phi": _float(phi)})


def _scalar_ht(jets: Clustered, unique: NDArray[np.bool_], isolated: dict[str, Isolated]) -> Collection:
    jet_pt = np.where(unique, np.hypot(jets.p4[:, 0], jets.p4[:, 1]), 0.0)
    ht = sum_per_event(jet_pt, jets.offsets)
    for objects in isolated.values():
        ht += sum_per_event(objects.pt, objects.offsets)
    return _single({"HT": _float(ht)})


def _rho(jets: Clustered, card: DetectorCard) -> Collection:
    n_events, n_regions = jets.rho.shape
    edges = np.array([[region.rapidity_min, region.rapidity_max] for region in card.jets.rho])
    columns: dict[str, NDArray[Any]] = {
        "Rho": _float(jets.rho.ravel()),
        "Edges[2]": _float(np.tile(edges, (n_events, 1))),
    }
    return Collection(offsets_of(np.full(n_events, n_regions)), columns)


def _vertices(crossings: Crossings) -> Collection:
    zero = np.zeros(len(crossings.z), dtype=np.float32)
    is_pileup = np.ones(len(zero), dtype=np.int32)
    is_pileup[crossings.offsets[:-1]] = 0
    columns: dict[str, NDArray[Any]] = {
        "X": zero,
        "Y": zero,
        "Z": _float(crossings.z),
        "T": _float(crossings.t),
        "IsPU": is_pileup,
    }
    return Collection(crossings.offsets, columns)
