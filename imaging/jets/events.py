"""A chunk of Delphes events, or of ready-made jets, to jet images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from darktrigger.errors import BadValueError
from imaging.events import Cutflow, finite, one_per_event
from imaging.jets.branches import JetBranchMap
from imaging.jets.clustering import Jets, Particles, find_jets
from imaging.jets.config import JetSelection
from imaging.jets.jet_set import JET_COLUMNS, JetSet
from imaging.jets.preprocessing import pixelate, preprocess


def build_jets(
    arrays: Mapping[str, ak.Array], branches: JetBranchMap, selection: JetSelection, source: str, first_entry: int = 0
) -> tuple[JetSet, Cutflow]:
    """Find and draw the jets of Delphes events.

    Parameters
    ----------
    arrays
        Branch name to jagged array, one entry an event, for every branch in ``branches``.
    branches
        Which branch plays which role.
    selection
        Radius and window.
    source
        The file, for error messages.
    first_entry
        Entry number of the first event of this chunk.

    Returns
    -------
    tuple of JetSet and Cutflow
        The jets, with label and mass 0, and what the selection did: events read, jets selected.

    Raises
    ------
    BadValueError
        NaN or infinity in any branch in use, branches of one kind that differ in length, or an event without its
        one weight.
    """
    particles = _particles(arrays, branches, source)
    n_events = len(particles.offsets) - 1
    weight = np.ones(n_events) if branches.weight is None else one_per_event(arrays, branches.weight, source)
    jets = jets_of_particles(particles, selection, weight, first_entry)
    return jets, Cutflow(n_events, len(jets), float(weight.sum(dtype=np.float64)), _sum(jets.weight))


def jets_of_particles(
    particles: Particles, selection: JetSelection, weight: NDArray[np.floating[Any]] | None = None, first_entry: int = 0
) -> JetSet:
    """Jet images of particle lists (any source: detector, generator).

    Parameters
    ----------
    particles
        Of n events, GeV.
    selection
        Radius and window.
    weight
        Of the events, shape (n,); 1 by default.
    first_entry
        Number of the first event.
    """
    weight = np.ones(len(particles.offsets) - 1) if weight is None else weight
    return draw(find_jets(particles, selection), weight, first_entry)


def draw(jets: Jets, weight: NDArray[np.floating[Any]], first_entry: int = 0) -> JetSet:
    """Images and columns of jets; ``weight`` has one value an event."""
    columns: dict[str, NDArray[Any]] = {
        "pt": jets.pt,
        "eta": jets.eta,
        "phi": jets.phi,
        "jet_mass": jets.mass,
        "n_constituents": np.diff(jets.constituents.offsets),
        "weight": weight[jets.event],
        "label": np.zeros(len(jets.pt)),
        "mass": np.zeros(len(jets.pt)),
        "entry": jets.event + first_entry,
        "jet": jets.rank,
    }
    typed = {name: columns[name].astype(dtype) for name, dtype in JET_COLUMNS.items()}
    return JetSet(pixelate(preprocess(jets.constituents)), **typed)


def _sum(weight: NDArray[np.floating[Any]]) -> float:
    return float(weight.sum(dtype=np.float64))


def _particles(arrays: Mapping[str, ak.Array], branches: JetBranchMap, source: str) -> Particles:
    """All kinds of constituents with p_T, event by event."""
    counts, columns = [], []
    for kind in branches.constituents.kinds:
        flat = {name: finite(arrays[name], name, source).astype(np.float64) for name in kind.names()}
        lengths = {name: ak.to_numpy(ak.num(arrays[name])) for name in kind.names()}
        if any(not np.array_equal(lengths[kind.pt], other) for other in lengths.values()):
            raise BadValueError(source, f"branches {', '.join(flat)} differ in length")
        counts.append(lengths[kind.pt])
        mass = np.zeros_like(flat[kind.pt]) if kind.mass is None else flat[kind.mass]
        columns.append(np.stack([flat[kind.pt], flat[kind.eta], flat[kind.phi], mass]))
    event = np.concatenate([np.repeat(np.arange(len(count)), count) for count in counts])
    values = np.concatenate(columns, axis=1)
    order = np.argsort(event, kind="stable")
    order = order[values[0, order] > 0]
    pt, eta, phi, mass = values[:, order]
    pz = pt * np.sinh(eta)
    offsets = np.searchsorted(event[order], np.arange(len(counts[0]) + 1))
    return Particles(offsets, pt * np.cos(phi), pt * np.sin(phi), pz, np.sqrt(pt**2 + pz**2 + mass**2))
