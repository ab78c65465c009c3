"""HepMC2 and HepMC3 files of any generator, plain or gzipped, to :class:`GenEvents`."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import pyhepmc

from darktrigger.errors import BadValueError, DarktriggerError, EmptyInputError, UnreadableFileError
from darktrigger.isolation import CrashedError, isolated
from generation.events import GenEvents, offsets_of

_STABLE = 1

#: Far beyond any collider, and its square still fits float32.
_LARGEST = 1e15


def read_hepmc(path: str | Path, batch_size: int = 500) -> Iterator[GenEvents]:
    """Read the stable particles of a HepMC file, ``batch_size`` events at a time.

    Units are converted to GeV and mm; an event without weights counts 1 and a file without
    a cross-section has 0. A process beside does the reading, since there are damaged files at which pyhepmc crashes.

    Raises
    ------
    UnreadableFileError
        Absent, not HepMC, or broken on the way.
    BadValueError
        Numbers that are not finite or beyond all scales.
    EmptyInputError
        No events.
    """
    try:
        yield from isolated(_batches, path, batch_size)
    except CrashedError as error:
        raise UnreadableFileError(path, f"is damaged, so that its reader crashed ({error})") from None


def _batches(path: str | Path, batch_size: int) -> Iterator[GenEvents]:
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

    def problem(self) -> str | None:
        """What no generator writes: numbers that are not finite, or too large for the detector's arithmetic."""
        for name, values in self.particles.items():
            if name != "pid" and not (np.abs(values) < _LARGEST).all():
                return f"{name} of a particle is not a number below {_LARGEST:g} GeV or mm"
        # The smallest int32 has no opposite, the antiparticle.
        if (self.particles["pid"] <= np.iinfo(np.int32).min).any():
            return f"{self.particles['pid'].min()} is no PDG number of a particle"
        if not (np.abs([self.weight, self.cross_section]) < np.finfo(np.float32).max).all():
            return f"weight {self.weight} or cross-section {self.cross_section} is not finite in single precision"
        return None


class _CountingFile(io.RawIOBase):
    """A binary file that counts the event records that pass through; pyhepmc skips what it cannot parse."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._tail = b"\n"
        self.n_events = 0

    def readable(self) -> bool:
        """Reading is all that it does."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer, counting lines that start an event."""
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        seen = self._tail + data
        self.n_events += seen.count(b"\nE ")
        self._tail = seen[-2:]
        return len(data)

    def seekable(self) -> bool:
        """Only back to the start, which pyhepmc does once it knows the format."""
        return True

    def seek(self, position: int, whence: int = io.SEEK_SET) -> int:
        """Go back to the start and count anew."""
        self._tail, self.n_events = b"\n", 0
        return self._file.seek(position, whence)

    def tell(self) -> int:
        """Position in the file."""
        return self._file.tell()


def _events(path: str | Path) -> Iterator[_Event]:
    """Events one by one.

    Raises
    ------
    UnreadableFileError
        Also where the file has more event records than can be parsed.
    """
    if not Path(path).is_file():
        raise UnreadableFileError(path, "no such file")
    n_read = 0
    try:
        with gzip.open(path) if Path(path).suffix == ".gz" else Path(path).open("rb") as plain:
            file = _CountingFile(cast("BinaryIO", plain))
            buffered = io.BufferedReader(file)
            with pyhepmc.open(cast("Any", buffered)) as stream:
                for found in stream:
                    n_read += 1
                    yield _checked(_Event(found), path, n_read)
            while buffered.read(1 << 20):
                pass
    except DarktriggerError:
        raise
    # What pyhepmc cannot parse surfaces as almost any exception.
    except Exception as error:
        raise UnreadableFileError(path, f"is not a sound HepMC file ({error})") from error
    if n_read != file.n_events:
        raise UnreadableFileError(path, f"is truncated or damaged ({n_read} of {file.n_events} events can be read)")


def _checked(event: _Event, path: str | Path, number: int) -> _Event:
    if problem := event.problem():
        raise BadValueError(path, f"event {number}: {problem}")
    return event


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
