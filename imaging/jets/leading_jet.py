"""Events by their hardest jet: what a trigger that looks at jets sees of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import awkward as ak
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from darktrigger.config import StrictModel
from imaging.branches import find_tracks, require
from imaging.events import Cutflow, count_tracks, one_per_event
from imaging.image_set import COLUMNS
from imaging.jets.branches import JetBranchMap, JetBranchOverride, find_jet_branches
from imaging.jets.config import JetSelection
from imaging.jets.events import build_jets
from imaging.jets.jet_set import JetSet, concatenate_jets
from imaging.row_set import RowSet, stacked_columns

_HT = "ScalarHT.HT"


class JetEventBranches(StrictModel):
    """Branches in use: constituents and weight, H_T, and the tracks that are counted, where the file has any."""

    jets: JetBranchMap
    tracks: str | None
    pileup: str | None

    def names(self) -> list[str]:
        """Every branch in use, once."""
        others = [name for name in (_HT, self.tracks, self.pileup) if name]
        return list(dict.fromkeys([*self.jets.names(), *others]))


def find_jet_event_branches(available: Collection[str], override: JetBranchOverride, source: str) -> JetEventBranches:
    """Choose the branches of one file; see :func:`imaging.jets.branches.find_jet_branches`.

    Raises
    ------
    MissingBranchError
        Nothing fits, or there is no H_T.
    """
    available = set(available)
    jets = find_jet_branches(available, override, source)
    require([_HT], available, source)
    tracks = find_tracks(available)
    return JetEventBranches(jets=jets, tracks=tracks and tracks.eta, pileup=tracks and tracks.pileup)


@dataclass(frozen=True)
class JetEvents(RowSet):
    """The hardest jet of each event, and the per-event columns that images have too.

    ``jets`` are the jets, one an event; ``n_tracks`` uint32 and ``ht`` float32 (GeV) have shape (n,) and are of
    the whole event, see :class:`imaging.image_set.ImageSet`.
    """

    jets: JetSet
    n_tracks: NDArray[np.uint32]
    ht: NDArray[np.float32]

    @property
    def images(self) -> csr_array:
        """What the model sees: p_T in the pixels, GeV, shape (n, 1600)."""
        return self.jets.images

    @property
    def weight(self) -> NDArray[np.float32]:
        """Weights of the events, shape (n,)."""
        return self.jets.weight

    @property
    def entry(self) -> NDArray[np.uint64]:
        """Numbers of the events, shape (n,)."""
        return self.jets.entry

    @property
    def n_constituents(self) -> NDArray[np.uint32]:
        """Constituents of each jet, shape (n,)."""
        return self.jets.n_constituents

    @property
    def jet_mass(self) -> NDArray[np.float32]:
        """Mass of each jet, GeV, shape (n,)."""
        return self.jets.jet_mass


def build_jet_events(
    arrays: Mapping[str, ak.Array],
    branches: JetEventBranches,
    selection: JetSelection,
    source: str,
    first_entry: int = 0,
) -> tuple[JetEvents, Cutflow]:
    """Select events by their hardest jet; parameters and errors as for :func:`imaging.jets.events.build_jets`.

    Parameters
    ----------
    selection
        Window of the jet; looks at one jet an event.
    """
    alone = selection.model_copy(update={"jets_per_event": 1})
    jets, cutflow = build_jets(arrays, branches.jets, alone, source, first_entry)
    ht = one_per_event(arrays, _HT, source)
    n_tracks = count_tracks(arrays, branches.tracks, branches.pileup, len(ht))
    rows = jets.entry.astype(np.int64) - first_entry
    return JetEvents(jets, n_tracks[rows].astype(np.uint32), ht[rows]), cutflow


def concatenate_jet_events(parts: Iterable[JetEvents]) -> JetEvents:
    """Stack consecutive chunks of events."""
    parts = list(parts)
    columns = {name: COLUMNS[name] for name in ("n_tracks", "ht")}
    return JetEvents(concatenate_jets(part.jets for part in parts), **stacked_columns(parts, columns))
