"""Production of samples: independent batches on all cores, part files that outlive an interruption, one merged file."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from darktrigger import __version__
from darktrigger.executors import HERE, Executor
from darktrigger.files import hash_of, read_json, write_json
from darktrigger.run_report import Meter, RunReport
from generation.delphes_file import DelphesWriter
from generation.detectors import Detector
from generation.events import GenEvents, concatenate_events
from generation.part_file import load_part, save_part
from generation.processes.base import Process
from generation.pythia import Normalisation, mean_of

_log = logging.getLogger(__name__)

#: Batches for each worker that may be done before the oldest one is: they differ in the time they take.
_AHEAD = 3


class Source(Protocol):
    """Where a batch's events come from."""

    def __call__(self, seed: int) -> tuple[GenEvents, Normalisation]:
        """The events and what they amount to; ``seed`` serves those that draw."""


@dataclass(frozen=True)
class Generated:
    """Events that the worker generates.

    Parameters
    ----------
    process
        What to generate.
    n_events
        How many events pass its filter.
    chunk
        Events made at a time; bounds the memory.
    first_event
        Number of the first one in the sample.
    cache
        Folder of the generator's tables.
    """

    process: Process
    n_events: int
    first_event: int
    cache: Path
    chunk: int = 100

    def __call__(self, seed: int) -> tuple[GenEvents, Normalisation]:
        """Generate."""
        batches = list(self.process.batches(self.n_events, seed, self.chunk, self.cache))
        normalisation = batches[-1].normalisation
        events = replace(
            concatenate_events([batch.events for batch in batches]),
            cross_section=normalisation.cross_section,
            number=self.first_event + np.arange(self.n_events),
        )
        return events, normalisation


@dataclass(frozen=True)
class Read:
    """Events that were read already."""

    events: GenEvents

    def __call__(self, seed: int) -> tuple[GenEvents, Normalisation]:  # noqa: ARG002
        """Hand them out."""
        n_events, weights = len(self.events), float(self.events.weight.sum())
        return self.events, Normalisation(n_events, n_events, weights, self.events.cross_section, 0.0)


@dataclass(frozen=True)
class Batch:
    """One task."""

    index: int
    source: Source
    seed: int
    detector: Detector
    part: Path


def generated_batches(process: Process, n_events: int, batch_events: int, cache: Path) -> Iterator[Source]:
    """Sources of ``n_events`` generated events."""
    for first in range(0, n_events, batch_events):
        yield Generated(process, min(batch_events, n_events - first), first, cache)


def produce(
    sources: Iterable[Source],
    detector: Detector,
    output: Path,
    *,
    seed: int,
    settings: dict[str, Any],
    executor: Executor = HERE,
    report: RunReport | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> Normalisation:
    """Generate or read, simulate, and write one Delphes ROOT file and its JSON sidecar.

    Finished batches lie beside the output in the folder ``OUTPUT.parts`` until the file is written. A production
    that was interrupted takes up the parts of the same settings and version of darktrigger, and discards others.

    Parameters
    ----------
    sources
        Where each batch's events come from.
    detector
        What simulates a batch.
    output
        ROOT file to write, whole or not at all.
    seed
        Seed of everything: batch i derives its own from (seed, i), so it does not matter who does the work.
    settings
        Everything else that the output depends on; stored with it.
    executor
        Who does the work; dask workers need the output's folder and the cache under the same path.
    report
        Told what the production costs.
    advance
        Told the number of events of every finished batch.

    Raises
    ------
    DarktriggerError
        Generator or detector fail, or the disk is full.
    """
    report = report or RunReport("generate")
    folder = output.with_name(f"{output.name}.parts")
    _claim(folder, {"version": __version__, "seed": seed, "settings": settings})
    batches = (
        Batch(index, source, seed, detector, folder / f"{index:06d}.npz") for index, source in enumerate(sources)
    )
    runs: list[Normalisation] = []
    with report.phase("batches"):
        for done in report.count(executor.map(Meter(_run), batches, ahead=_AHEAD)):
            runs.append(done.normalisation)
            report.events += done.normalisation.accepted
            report.taken_up += done.taken_up
            advance(done.normalisation.accepted)
    total = mean_of(runs)
    record = {"seed": seed, **settings, "normalisation": asdict(total)}
    with report.phase("merge"):
        _merge([folder / f"{index:06d}.npz" for index in range(len(runs))], output, record)
    shutil.rmtree(folder)
    return total


def _claim(folder: Path, plan: dict[str, Any]) -> None:
    """Make the folder of parts, empty unless it belongs to this plan."""
    stamp = folder / "plan.json"
    key = {"plan": hash_of(plan)}
    if stamp.exists() and read_json(stamp) == key:
        _log.info("%s: finished batches are taken up", folder)
        return
    if folder.exists():
        shutil.rmtree(folder)
    write_json(stamp, key)


@dataclass(frozen=True)
class _Done:
    normalisation: Normalisation
    taken_up: bool


def _run(batch: Batch) -> _Done:
    """Do one batch, unless its part is there."""
    if batch.part.exists():
        return _Done(load_part(batch.part)[1], taken_up=True)
    generator, detector = np.random.SeedSequence([batch.seed, batch.index]).spawn(2)
    events, normalisation = batch.source(int(generator.generate_state(1)[0]))
    save_part(batch.part, batch.detector(events, detector), normalisation)
    return _Done(normalisation, taken_up=False)


def _merge(parts: list[Path], output: Path, record: dict[str, Any]) -> None:
    with DelphesWriter(output) as writer:
        for part in parts:
            writer.write(load_part(part)[0])
        writer.metadata.update(record)
    write_json(sidecar_of(output), record)


def sidecar_of(output: Path) -> Path:
    """The JSON file beside a Delphes file that says how it was made."""
    return output.with_name(f"{output.name}.json")
