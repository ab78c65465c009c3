"""Stable particles of many generated events, flat, as generators and readers hand them to a detector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Columns of particles with their types; the event columns are ``weight`` and ``number``.
PARTICLE_COLUMNS: dict[str, type[np.generic]] = {
    "pid": np.int32,
    **dict.fromkeys(("px", "py", "pz", "e", "mass", "x", "y", "z", "t"), np.float32),
}


@dataclass(frozen=True)
class GenEvents:
    """Stable particles of n events, flat: those of event i are ``offsets[i]:offsets[i + 1]``.

    Parameters
    ----------
    offsets
        First particle of each event and the end of the last one, (n + 1,).
    pid
        Particle numbers of the PDG.
    px, py, pz, e
        Momentum, GeV.
    mass
        Generated mass, GeV.
    x, y, z, t
        Production vertex, mm and mm/c, relative to the primary interaction.
    weight
        Event weights, (n,).
    cross_section
        Generator's estimate after these events, pb.
    number
        Generator's event numbers, (n,).
    """

    offsets: NDArray[np.int64]
    pid: NDArray[np.int32]
    px: NDArray[np.float32]
    py: NDArray[np.float32]
    pz: NDArray[np.float32]
    e: NDArray[np.float32]
    mass: NDArray[np.float32]
    x: NDArray[np.float32]
    y: NDArray[np.float32]
    z: NDArray[np.float32]
    t: NDArray[np.float32]
    weight: NDArray[np.float64]
    cross_section: float
    number: NDArray[np.int64]

    def __post_init__(self) -> None:
        n_particles = int(self.offsets[-1])
        for name in PARTICLE_COLUMNS:
            if len(getattr(self, name)) != n_particles:
                raise ValueError(f"{name} has {len(getattr(self, name))} entries, expected {n_particles}")
        if not len(self.weight) == len(self.number) == len(self):
            raise ValueError(f"expected {len(self)} weights and numbers, found {len(self.weight)}, {len(self.number)}")

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, selection: slice | NDArray[Any] | Sequence[int]) -> GenEvents:
        """Events of a slice, a mask or an array of indices, in that order."""
        events = np.arange(len(self))[selection]
        counts = np.diff(self.offsets)[events]
        offsets = offsets_of(counts)
        rows = ranges(self.offsets[events], counts)
        columns: dict[str, Any] = {name: getattr(self, name)[rows] for name in PARTICLE_COLUMNS}
        return GenEvents(
            offsets,
            **columns,
            weight=self.weight[events],
            cross_section=self.cross_section,
            number=self.number[events],
        )


def offsets_of(counts: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Offsets (n + 1,) of n consecutive groups of the given sizes."""
    return np.concatenate(([0], np.cumsum(counts, dtype=np.int64)))


def ranges(starts: NDArray[np.integer[Any]], counts: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Concatenation of the index ranges ``start, ..., start + count - 1``."""
    offsets = offsets_of(counts)
    indices: NDArray[np.int64] = np.arange(offsets[-1]) + np.repeat(np.asarray(starts) - offsets[:-1], counts)
    return indices


def sum_per_event(values: NDArray[np.float64], offsets: NDArray[np.int64]) -> NDArray[np.float64]:
    """Sum of the values of each event, (n,)."""
    event = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    return np.bincount(event, weights=values, minlength=len(offsets) - 1).astype(np.float64)


def concatenate_events(parts: Sequence[GenEvents]) -> GenEvents:
    """Join consecutive parts of one run; the cross-section is the last one's, the best estimate.

    Raises
    ------
    ValueError
        No parts.
    """
    if not parts:
        raise ValueError("no events to concatenate")
    counts = np.concatenate([np.diff(part.offsets) for part in parts])
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in (*PARTICLE_COLUMNS, "weight", "number")
    }
    return GenEvents(offsets_of(counts), **columns, cross_section=parts[-1].cross_section)
