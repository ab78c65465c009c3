"""A chunk of Delphes events to images, all events at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from darktrigger.errors import BadValueError
from imaging.branches import BranchMap, DepositBranches
from imaging.config import Selection
from imaging.grid import FINE, Grid
from imaging.image_set import COLUMNS, ImageSet
from imaging.sparse import CHANNELS, GRIDS, Deposits, SparseImages, pixels

#: Angles are wrapped; what has turned more often than this is none.
_MOST_TURNS = 100


class Cutflow(NamedTuple):
    """Events and sums of weights before and after the preselection."""

    read: int
    selected: int
    sum_of_weights_read: float
    sum_of_weights_selected: float

    def __add__(self, other: object) -> Cutflow:
        """Cutflow of both chunks together."""
        if not isinstance(other, Cutflow):
            return NotImplemented
        return Cutflow(
            self.read + other.read,
            self.selected + other.selected,
            self.sum_of_weights_read + other.sum_of_weights_read,
            self.sum_of_weights_selected + other.sum_of_weights_selected,
        )


#: The cutflow of no events.
NO_EVENTS = Cutflow(0, 0, 0.0, 0.0)


def build_images(
    arrays: Mapping[str, ak.Array], branches: BranchMap, selection: Selection, source: str, first_entry: int = 0
) -> tuple[ImageSet, Cutflow]:
    """Select events and bin their deposits.

    Parameters
    ----------
    arrays
        Branch name to jagged array, one entry an event, for every branch in ``branches``.
    branches
        Which branch plays which role.
    selection
        Preselection.
    source
        The file, for error messages.
    first_entry
        Entry number of the first event of this chunk.

    Returns
    -------
    tuple of ImageSet and Cutflow
        The selected events, with label and mass 0, and what the selection did.

    Raises
    ------
    BadValueError
        NaN or infinity in any branch in use, a phi that is no angle, or an event without its one H_T or weight.
    """
    ht = one_per_event(arrays, branches.ht, source)
    weight = np.ones_like(ht) if branches.weight is None else one_per_event(arrays, branches.weight, source)
    passed = ht > selection.ht_min
    deposits = {name: _deposits(arrays, getattr(branches, name), GRIDS[name], passed, source) for name in CHANNELS}
    images = SparseImages(**{name: pixels(deposits[name], GRIDS[name]) for name in CHANNELS})
    n_selected = int(passed.sum())
    columns: dict[str, NDArray[Any]] = {
        "n_tracks": np.diff(deposits["trk"].offsets),
        "ht": ht[passed],
        "weight": weight[passed],
        "label": np.zeros(n_selected),
        "mass": np.zeros(n_selected),
        "entry": np.flatnonzero(passed) + first_entry,
        "n_vertices": count_vertices(arrays, branches.vertices, len(ht))[passed],
    }
    typed = {name: columns[name].astype(dtype, copy=False) for name, dtype in COLUMNS.items()}
    sums = (float(weight.sum(dtype=np.float64)), float(weight[passed].sum(dtype=np.float64)))
    return ImageSet(images, **typed), Cutflow(len(ht), n_selected, *sums)


def one_per_event(arrays: Mapping[str, ak.Array], name: str, source: str) -> NDArray[np.float32]:
    """A branch of which Delphes keeps a single value in each event."""
    check_one_per_event(arrays[name], name, source)
    return finite(arrays[name], name, source)


def check_one_per_event(array: ak.Array, name: str, source: str) -> None:
    """Check that a branch holds a single value in each event.

    Raises
    ------
    BadValueError
        It does not.
    """
    counts = ak.to_numpy(ak.num(array))
    if not np.all(counts == 1):
        event = int(np.flatnonzero(counts != 1)[0])
        raise BadValueError(source, f"branch {name} holds {counts[event]} values in event {event}, expected 1")


def count_tracks(
    arrays: Mapping[str, ak.Array], eta: str | None, pileup: str | None, n_events: int
) -> NDArray[np.int64]:
    """Tracks inside the tracker's images, without pile-up, shape (n,), by branch names; 0 where a file has none."""
    if eta is None:
        return np.zeros(n_events, dtype=np.int64)
    counted = abs(arrays[eta]) < FINE.eta_max
    if pileup:
        counted = counted & (arrays[pileup] == 0)
    return np.asarray(ak.to_numpy(ak.sum(counted, axis=1)), dtype=np.int64)


def count_vertices(arrays: Mapping[str, ak.Array], branch: str | None, n_events: int) -> NDArray[np.int64]:
    """Vertices, shape (n,); 0 where a file has none."""
    if branch is None:
        return np.zeros(n_events, dtype=np.int64)
    return np.asarray(ak.to_numpy(ak.num(arrays[branch])), dtype=np.int64)


def _deposits(
    arrays: Mapping[str, ak.Array], branches: DepositBranches | None, grid: Grid, passed: NDArray[np.bool_], source: str
) -> Deposits:
    """Deposits on the grid, of the events that passed, with shares and pile-up flags applied."""
    if branches is None:
        nothing = np.empty(0, dtype=np.float32)
        return Deposits(np.zeros(passed.sum() + 1, dtype=np.int64), nothing, nothing, nothing)
    counts = ak.to_numpy(ak.num(arrays[branches.e_t]))
    flat = {name: finite(arrays[name], name, source) for name in branches.names()}
    if any(len(values) != counts.sum() for values in flat.values()):
        raise BadValueError(source, f"branches {', '.join(flat)} differ in length")
    phi = flat[branches.phi]
    if len(phi) and np.abs(phi).max() > _MOST_TURNS * 2 * np.pi:
        raise BadValueError(source, f"branch {branches.phi} holds {phi[np.abs(phi).argmax()]:g}, which is no angle")
    kept = grid.contains(flat[branches.eta]) & np.repeat(passed, counts)
    if branches.pileup:
        kept &= flat[branches.pileup] == 0
    e_t = flat[branches.e_t]
    if branches.numerator and branches.denominator:
        whole = flat[branches.denominator]
        e_t = e_t * np.divide(flat[branches.numerator], whole, out=np.zeros_like(whole), where=whole > 0)
    offsets = np.concatenate(([0], np.cumsum(counts, dtype=np.int64)))
    deposits = Deposits(offsets, flat[branches.eta], flat[branches.phi], e_t).where(kept)
    # Events that failed have nothing left, so dropping their offsets drops them.
    return deposits._replace(offsets=np.append(deposits.offsets[:-1][passed], deposits.offsets[-1]))


def finite(array: ak.Array, name: str, source: str) -> NDArray[np.float32]:
    """All values of a branch, flat, none of them NaN or infinite."""
    values: NDArray[np.float32] = np.asarray(ak.flatten(array), dtype=np.float32)
    if not np.isfinite(values).all():
        bad = values[~np.isfinite(values)][0]
        raise BadValueError(source, f"branch {name} holds {bad} (not a finite number)")
    return values
