"""Pythia 8 in batches: a process configuration in, flat columns of stable particles out."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import awkward as ak
import numpy as np
import pythia8mc
from numpy.typing import NDArray

from darktrigger.errors import GenerationError
from darktrigger.files import atomic_path, hash_of
from darktrigger.quiet import captured_stdout
from generation.events import PARTICLE_COLUMNS, GenEvents, offsets_of

if TYPE_CHECKING:
    from generation.processes.base import Process, PythiaProcess

PB_PER_MB = 1e9
_QUIET = ("Print:quiet = on", "Next:numberCount = 0")
_MAX_SEED = 900_000_000  # Pythia's own limit
_MAX_FRUITLESS = 200_000  # events in a row of which a filter takes none


@dataclass(frozen=True)
class Normalisation:
    """What a run of the generator amounts to, its filters included.

    Parameters
    ----------
    generated
        Events generated, those that a filter or veto refused included.
    accepted
        Events handed out.
    sum_of_weights
        Of the accepted events.
    cross_section
        Of the accepted events, pb: the process's times the efficiency of the filters.
    cross_section_error
        Its statistical error, pb.
    """

    generated: int
    accepted: int
    sum_of_weights: float
    cross_section: float
    cross_section_error: float

    @property
    def filter_efficiency(self) -> float:
        """Accepted events per generated event (unweighted)."""
        return self.accepted / self.generated


def sum_of(runs: Sequence[Normalisation]) -> Normalisation:
    """Normalisation of different processes put together."""
    return Normalisation(
        sum(run.generated for run in runs),
        sum(run.accepted for run in runs),
        sum(run.sum_of_weights for run in runs),
        sum(run.cross_section for run in runs),
        math.hypot(*(run.cross_section_error for run in runs)),
    )


def mean_of(runs: Sequence[Normalisation]) -> Normalisation:
    """Normalisation of independent runs of one process put together; cross-sections are weighted by events."""
    total = sum_of(runs)
    shares = [run.accepted / total.accepted for run in runs]
    return replace(
        total,
        cross_section=sum(share * run.cross_section for share, run in zip(shares, runs, strict=True)),
        cross_section_error=math.hypot(
            *(share * run.cross_section_error for share, run in zip(shares, runs, strict=True))
        ),
    )


@dataclass(frozen=True)
class GeneratedBatch:
    """Events and the normalisation of the run up to and with them."""

    events: GenEvents
    normalisation: Normalisation


class Generator:
    """One initialised Pythia.

    Parameters
    ----------
    process
        What to generate.
    seed
        Any non-negative integer. Pythia's own seed and that of our hooks are derived from it.
    cache
        Folder where Pythia's tables of multiparton interactions are kept; they depend on nothing
        but the settings, and take from 0.3 to 8 s to make. By default nothing is kept.

    Raises
    ------
    GenerationError
        Pythia refuses the settings; the message quotes it.
    """

    def __init__(self, process: PythiaProcess, seed: int, cache: Path | None = None) -> None:
        self._process = process
        self._made = self._used = self._accepted = 0  # events from Pythia, those a filter has judged, those it took
        self._weights_used = self._weights_accepted = 0.0
        self._pythia, self._hooks = initialised_pythia(process, seed, cache)

    def batches(self, n_events: int, batch_size: int) -> Iterator[GeneratedBatch]:
        """Exactly ``n_events`` accepted events, in batches of at most ``batch_size``."""
        fruitless = 0
        while self._accepted < n_events:
            missing = n_events - self._accepted
            events, record = self._next(self._batch_size(missing, batch_size))
            keep = np.flatnonzero(self._process.accept(events, record))[:missing]
            used = len(events) if len(keep) < missing else int(keep[-1]) + 1
            self._used += used
            self._weights_used += float(events.weight[:used].sum())
            self._accepted += len(keep)
            self._weights_accepted += float(events.weight[keep].sum())
            fruitless = 0 if len(keep) else fruitless + used
            if fruitless > _MAX_FRUITLESS:
                raise GenerationError(f"{self._process.name}: the filter took none of {fruitless} events")
            if len(keep):
                yield GeneratedBatch(self._process.adapt(events[keep]), self.normalisation)

    def _batch_size(self, missing: int, largest: int) -> int:
        """Events to make next: about as many as the missing ones take, as far as the filter is known."""
        if not self._process.filter:
            return min(largest, missing)
        share = (self._accepted + 1) / (self._used + 1)
        return min(largest, math.ceil(missing / share))

    @property
    def normalisation(self) -> Normalisation:
        """Of the run so far."""
        info = self._pythia.infoPython()
        to_pb = PB_PER_MB * self._weights_accepted / self._weights_used
        return Normalisation(
            round(info.nSelected() * self._used / self._made),  # Pythia counts what hooks vetoed, too
            self._accepted,
            self._weights_accepted,
            float(info.sigmaGen()) * to_pb,
            float(info.sigmaErr()) * to_pb,
        )

    def _next(self, n_events: int) -> tuple[GenEvents, ak.Array]:
        """Stable particles of some events, and their whole records."""
        with captured_stdout() as said:
            batch = self._pythia.nextBatch(n_events)
            if not len(batch):
                raise GenerationError(f"{self._process.name}: Pythia cannot make an event: {' '.join(said().split())}")
        first = self._made
        self._made += len(batch)
        cross_section = float(self._pythia.infoPython().sigmaGen()) * PB_PER_MB
        return _stable_particles(batch, cross_section, np.arange(first, self._made)), batch.prt


def generate_batches(process: Process, n_events: int, seed: int, batch_size: int = 100) -> Iterator[GenEvents]:
    """Generate exactly ``n_events`` events that the process's filter accepts.

    Parameters
    ----------
    process
        What to generate.
    n_events
        How many events.
    seed
        Any non-negative integer; same seed and batch size, same events.
    batch_size
        Events that Pythia makes at a time: bounds the memory, about 0.5 MB an event.

    Raises
    ------
    GenerationError
        Pythia cannot be initialised or makes no events, or the filter takes none.
    """
    for batch in process.batches(n_events, seed, batch_size):
        yield replace(batch.events, cross_section=batch.normalisation.cross_section)


def initialised_pythia(
    process: PythiaProcess, seed: int, cache: Path | None, *settings: str
) -> tuple[pythia8mc.Pythia, list[pythia8mc.UserHooks]]:
    """A Pythia ready to run, and its hooks, which the caller must keep: Pythia does not own them.

    See :class:`Generator` for what it takes and raises; ``settings`` come last.
    """
    pythia_seed, hook_seed = np.random.SeedSequence(seed).spawn(2)
    hooks = process.hooks(np.random.default_rng(hook_seed))
    seeds = ("Random:setSeed = on", f"Random:seed = {1 + int(pythia_seed.generate_state(1)[0]) % _MAX_SEED}")
    tables = () if cache is None else _tables(process, cache)
    return _initialised(process, (*tables, *seeds, *settings), hooks), hooks


#: Settings of Pythia that load shared libraries, in the case and spacing that it ignores.
_LOADS_CODE = ("init:plugins",)


def _initialised(process: PythiaProcess, settings: Sequence[str], hooks: Sequence[Any]) -> pythia8mc.Pythia:
    commands = (*_QUIET, *process.settings(), *_QUIET, *settings)
    with captured_stdout():
        pythia = pythia8mc.Pythia("", False)
        for command in commands:
            if "".join(command.split()).lower().startswith(_LOADS_CODE):
                raise GenerationError(f"{process.name}: '{command}' would load a library; settings must not run code")
            if not pythia.readString(command):
                raise GenerationError(f"{process.name}: Pythia does not know the setting '{command}'")
        for hook in hooks:
            pythia.addUserHooksPtr(hook)
        if not pythia.init():
            reason = _reason([command for command in commands if command not in _QUIET])
            raise GenerationError(f"{process.name}: Pythia cannot be initialised: {reason}")
    return pythia


def _reason(commands: Sequence[str]) -> str:
    """What Pythia complains of when it is not told to be quiet."""
    with captured_stdout() as said:
        pythia = pythia8mc.Pythia("", False)
        for command in commands:
            pythia.readString(command)
        pythia.init()
        complaints = re.findall(r"PYTHIA (?:Error|Abort) (.*)", said())
    return "; ".join(complaint.strip() for complaint in complaints) or "it gives no reason"


def make_tables(process: PythiaProcess, cache: Path) -> Path:
    """Put Pythia's tables of multiparton interactions into the cache, unless they are there, and return their path.

    The file is empty for a process without such interactions.
    """
    name = hash_of({"settings": process.settings(), "pythia": metadata.version("pythia8mc")})[:16]
    path = cache / f"pythia-{name}.tables"
    if not path.exists():
        with atomic_path(path) as temporary:
            temporary.touch()
            writing = ("MultipartonInteractions:reuseInit = 1", f"MultipartonInteractions:initFile = {temporary}")
            _initialised(process, (*writing, "Random:setSeed = on", "Random:seed = 1"), ())
    return path


def _tables(process: PythiaProcess, cache: Path) -> tuple[str, ...]:
    path = make_tables(process, cache)
    if path.stat().st_size == 0:
        return ()
    return ("MultipartonInteractions:reuseInit = 2", f"MultipartonInteractions:initFile = {path}")


def _stable_particles(batch: ak.Array, cross_section: float, number: NDArray[np.int64]) -> GenEvents:
    particles = batch.prt[batch.prt.status > 0]
    offsets = offsets_of(ak.to_numpy(ak.num(particles.id)))

    columns = {
        "pid": particles.id,
        **{name: particles.p[name] for name in ("px", "py", "pz", "e")},
        "mass": particles.m,
        # No vertex is recorded where a particle comes from the primary interaction.
        **{
            to: ak.fill_none(particles.vProd[name], 0.0)
            for to, name in zip("xyzt", ("px", "py", "pz", "e"), strict=True)
        },
    }
    flat: dict[str, Any] = {
        name: ak.to_numpy(ak.flatten(column)).astype(PARTICLE_COLUMNS[name]) for name, column in columns.items()
    }
    weight = ak.to_numpy(batch.info.weights[:, 0]).astype(np.float64)
    return GenEvents(offsets, **flat, weight=weight, cross_section=cross_section, number=number)
