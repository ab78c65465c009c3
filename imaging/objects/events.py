"""A chunk of Delphes events to objects, all events at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from imaging.events import Cutflow, count_tracks, count_vertices, finite, one_per_event
from imaging.image_set import COLUMNS
from imaging.objects.branches import ObjectBranches, ObjectConfig
from imaging.objects.layout import MEMBERS, N_INPUTS, SLOTS, slot_range
from imaging.objects.object_set import ObjectSet


def build_objects(
    arrays: Mapping[str, ak.Array], branches: ObjectBranches, config: ObjectConfig, source: str, first_entry: int = 0
) -> tuple[ObjectSet, Cutflow]:
    """Lay out the objects of the events with a hard enough lepton.

    Parameters
    ----------
    arrays
        Branch name to jagged array, one entry an event, for every branch in ``branches``.
    branches
        Which branch plays which role.
    config
        Selection.
    source
        The file, for error messages.
    first_entry
        Entry number of the first event of this chunk.

    Returns
    -------
    tuple of ObjectSet and Cutflow
        The selected events, with label and mass 0, and what the selection did.

    Raises
    ------
    BadValueError
        NaN or infinity in any branch in use, or an event without its one missing E_T, H_T or weight.
    """
    met_N = one_per_event(arrays, "MissingET.MET", source)
    objects_NSM = np.zeros((len(met_N), N_INPUTS // len(MEMBERS), len(MEMBERS)), dtype=np.float32)
    objects_NSM[:, 0, 0], objects_NSM[:, 0, 2] = met_N, one_per_event(arrays, "MissingET.Phi", source)
    for kind in ("electron", "muon", "jet"):
        objects_NSM[:, slot_range(kind)] = _hardest(arrays, branches.of(kind), SLOTS[kind], source)
    weight = np.ones_like(met_N) if branches.weight is None else one_per_event(arrays, branches.weight, source)
    ht = (
        objects_NSM[:, slot_range("jet"), 0].sum(1)
        if branches.ht is None
        else one_per_event(arrays, branches.ht, source)
    )
    passed = _has_lepton(arrays, branches, config, source)
    n_selected = int(passed.sum())
    columns: dict[str, NDArray[Any]] = {
        "n_tracks": count_tracks(arrays, branches.tracks, branches.pileup, len(met_N))[passed],
        "ht": ht[passed],
        "weight": weight[passed],
        "label": np.zeros(n_selected),
        "mass": np.zeros(n_selected),
        "entry": np.flatnonzero(passed) + first_entry,
        "n_vertices": count_vertices(arrays, branches.vertices, len(met_N))[passed],
    }
    typed = {name: columns[name].astype(dtype, copy=False) for name, dtype in COLUMNS.items()}
    sums = (float(weight.sum(dtype=np.float64)), float(weight[passed].sum(dtype=np.float64)))
    images = objects_NSM[passed].reshape(n_selected, N_INPUTS)
    return ObjectSet(images, **typed), Cutflow(len(met_N), n_selected, *sums)


def _has_lepton(
    arrays: Mapping[str, ak.Array], branches: ObjectBranches, config: ObjectConfig, source: str
) -> NDArray[np.bool_]:
    """Whether each event has an electron or muon as the selection wants it."""
    passed = np.zeros(len(arrays["MissingET.MET"]), dtype=np.bool_)
    for kind in ("electron", "muon"):
        chosen = arrays[branches.of(kind)[0]] > config.lepton_pt_min
        if (isolation := branches.isolation_of(kind)) is not None:
            finite(arrays[isolation], isolation, source)
            chosen = chosen & (arrays[isolation] <= config.lepton_isolation_max)
        passed |= np.asarray(ak.to_numpy(ak.any(chosen, axis=1)))
    return passed


def _hardest(arrays: Mapping[str, ak.Array], names: list[str], slots: int, source: str) -> NDArray[np.float32]:
    """The hardest objects of a collection, shape (n, slots, 3), padded with zeros."""
    order = ak.argsort(arrays[names[0]], axis=1, ascending=False)
    columns = []
    for name in names:
        finite(arrays[name], name, source)
        padded = ak.fill_none(ak.pad_none(arrays[name][order], slots, axis=1, clip=True), 0.0)
        columns.append(np.asarray(ak.to_numpy(padded), dtype=np.float32))
    return np.stack(columns, axis=2)
