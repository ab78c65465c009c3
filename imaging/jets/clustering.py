"""Particles of many events to their leading anti-k_T jets, with FastJet."""

from __future__ import annotations

from typing import Any, NamedTuple

import awkward as ak
import fastjet
import numpy as np
from numpy.typing import NDArray

from darktrigger.quiet import captured_stdout
from imaging.jets.config import JetSelection
from imaging.jets.preprocessing import Constituents, Floats


class Particles(NamedTuple):
    """Flat particles of many events, GeV: event i owns offsets[i] to offsets[i + 1]."""

    offsets: NDArray[np.int64]
    px: Floats
    py: Floats
    pz: Floats
    e: Floats


class Jets(NamedTuple):
    """Selected jets, each with its constituents.

    Columns of shape (n,): ``event`` (index into the events given), ``rank`` in p_T within the event, ``pt``,
    ``eta``, ``phi``, ``mass`` (GeV).
    """

    event: NDArray[np.int64]
    rank: NDArray[np.int64]
    pt: Floats
    eta: Floats
    phi: Floats
    mass: Floats
    constituents: Constituents


class Momenta(NamedTuple):
    """Transverse momentum, pseudorapidity, azimuth and mass (GeV, rad)."""

    pt: Floats
    eta: Floats
    phi: Floats
    mass: Floats


def momenta(px: Floats, py: Floats, pz: Floats, e: Floats) -> Momenta:
    """The usual coordinates of four-momenta; eta is 0 where there is no p_T, mass 0 where it would be imaginary."""
    pt = np.hypot(px, py)
    eta = np.arcsinh(np.divide(pz, pt, out=np.zeros_like(pt), where=pt > 0))
    return Momenta(pt, eta, np.arctan2(py, px), np.sqrt(np.maximum(e**2 - pt**2 - pz**2, 0)))


def find_jets(particles: Particles, selection: JetSelection) -> Jets:
    """Cluster all events and take each one's leading jets where they lie in the window.

    Parameters
    ----------
    particles
        What is clustered.
    selection
        Radius and window.
    """
    counts = np.diff(particles.offsets)
    columns = {"px": particles.px, "py": particles.py, "pz": particles.pz, "E": particles.e}
    nested = ak.unflatten(ak.zip(columns), counts)
    if len(counts) == 0:
        return _no_jets()
    with captured_stdout():  # FastJet's banner
        sequence = fastjet.ClusterSequence(
            nested, fastjet.JetDefinition(fastjet.antikt_algorithm, selection.radius, fastjet.E_scheme)
        )
        # The leading jets are chosen before the window is applied, and none below it can matter.
        jets: Any = sequence.inclusive_jets(min_pt=selection.pt_min)
        members: Any = sequence.constituent_index(min_pt=selection.pt_min)
    found = momenta(*(np.asarray(ak.flatten(jets[name]), dtype=np.float64) for name in ("px", "py", "pz", "E")))
    n_jets = np.asarray(ak.num(jets))
    event = np.repeat(np.arange(len(counts)), n_jets)
    order = np.lexsort((-found.pt, event))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order)) - np.repeat(np.cumsum(n_jets) - n_jets, n_jets)
    chosen = order[(rank < selection.jets_per_event)[order] & in_window(found, selection)[order]]
    in_jet = ak.flatten(members, axis=1)[chosen]
    n_members = np.asarray(ak.num(in_jet), dtype=np.int64)
    rows = np.asarray(ak.flatten(in_jet), dtype=np.int64) + np.repeat(particles.offsets[event[chosen]], n_members)
    parts = momenta(*(column[rows] for column in particles[1:]))
    constituents = Constituents(np.concatenate(([0], np.cumsum(n_members))), parts.pt, parts.eta, parts.phi)
    pt, eta, phi, mass = (column[chosen] for column in found)
    return Jets(event[chosen], rank[chosen], pt, eta, phi, mass, constituents)


def in_window(jets: Momenta, selection: JetSelection) -> NDArray[np.bool_]:
    """Whether each jet lies in the window."""
    return (jets.pt > selection.pt_min) & (jets.pt < selection.pt_max) & (np.abs(jets.eta) < selection.eta_max)


def _no_jets() -> Jets:
    numbers, nothing = np.empty(0, dtype=np.int64), np.empty(0)
    constituents = Constituents(np.zeros(1, dtype=np.int64), nothing, nothing, nothing)
    return Jets(numbers, numbers, nothing, nothing, nothing, nothing, constituents)
