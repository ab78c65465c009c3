"""HepMC2 and HepMC3 files of any generator, plain or gzipped, to :class:`GenEvents`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyhepmc

from darktrigger.errors import EmptyInputError, UnreadableFileError
from generation.events import GenEvents, offsets_of

_STABLE = 1


def read_hepmc(path: str | Path, batch_size: int = 500) -> Iterator[GenEvents]:
    """Read the stable particles of a HepMC file, ``batch_size`` events at a time.

    Units are converted to GeV and mm; an event without weights counts 1 and a file without
    a cross-section has 0.

    Raises
    ------
    UnreadableFileError
        Absent, not HepMC, or broken on the way.
    EmptyInputError
        No events.
    """
    events: list[_Event] = []
    n_read = 0
    for event in _events(path):
        events.append(event)
        n_read += 1
        if len(events) == batch_size:
            yield _join(events)
            events = []
    if n_read == 0:
        raise EmptyInputError(path, "holds no events")
    if events:
        yield _join(events)


class _Event:
    """Columns of one event."""

    def __init__(self, event: pyhepmc.GenEvent) -> None:
        event.set_units(pyhepmc.Units.GEV, pyhepmc.Units.MM)
        particles = event.numpy.particles
        stable = particles.status == _STABLE
        vertices = event.numpy.vertices
        # Vertices are numbered -1, -2, ...; a particle without one starts at the origin.
        parents = np.array(
            [p.production_vertex.id if p.production_vertex else 0 for p in event.particles], dtype=np.int64
        )
        rows = -parents[stable] - 1
        self.particles = {name: getattr(particles, name)[stable] for name in ("pid", "px", "py", "pz", "e")}
        self.particles["mass"] = particles.generated_mass[stable]
        for name in ("x", "y", "z", "t"):
            self.particles[name] = np.where(rows >= 0, np.append(getattr(vertices, name), 0.0)[rows], 0.0)
        self.number = event.event_number
        self.weight = event.weights[0] if event.weights else 1.0
        self.cross_section = event.cross_section.xsec() if event.cross_section else 0.0


def _events(path: str | Path) -> Iterator[_Event]:
    if not Path(path).is_file():
        raise UnreadableFileError(path, "no such file")
    try:
        with pyhepmc.open(str(path), "r") as stream:
            yield from map(_Event, stream)
    except (OSError, RuntimeError, EOFError) as error:
        raise UnreadableFileError(path, f"is not a sound HepMC file ({error})") from error


def _join(events: list[_Event]) -> GenEvents:
    columns: dict[str, Any] = {
        name: np.concatenate([event.particles[name] for event in events]) for name in events[0].particles
    }
    return GenEvents(
        offsets=offsets_of(np.array([len(event.particles["pid"]) for event in events])),
        pid=columns.pop("pid").astype(np.int32),
        **{name: values.astype(np.float32) for name, values in columns.items()},
        weight=np.array([event.weight for event in events], dtype=np.float64),
        cross_section=float(events[-1].cross_section),
        number=np.array([event.number for event in events], dtype=np.int64),
    )
