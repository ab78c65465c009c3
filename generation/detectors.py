"""The two programs that simulate the detector: ours, and Delphes where it is installed."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from darktrigger.errors import GenerationError
from generation.config import DetectorConfig
from generation.delphes_binary import EXECUTABLE, find_delphes, run_delphes, write_hepmc, write_pileup_file
from generation.delphes_read import read_delphes
from generation.detector import Collection, DelphesEvents, DetectorCard, simulate
from generation.events import GenEvents
from generation.pileup import load_pool
from generation.tcl_card import BRANCHES

#: Environment variable with the command that starts Delphes, where it is not ``DelphesHepMC3`` on the PATH.
COMMAND_VARIABLE = "DARKTRIGGER_DELPHES"

Program = Literal["embedded", "delphes"]


class Detector(Protocol):
    """Turns generated events into reconstructed ones; workers receive it by pickle."""

    def __call__(self, events: GenEvents, seed: np.random.SeedSequence) -> DelphesEvents:
        """Simulate a batch."""


@dataclass(frozen=True)
class EmbeddedDetector:
    """Our own simulation.

    Parameters
    ----------
    card
        The detector.
    pool
        File of minimum-bias events; None for no pile-up.
    mean_pileup
        Mean number of pile-up interactions.
    """

    card: DetectorCard
    pool: Path | None
    mean_pileup: float

    def __call__(self, events: GenEvents, seed: np.random.SeedSequence) -> DelphesEvents:
        """Simulate a batch."""
        pool = None if self.pool is None else _pool(self.pool)
        return simulate(events, pool, self.mean_pileup, self.card, np.random.default_rng(seed))


@lru_cache(maxsize=1)
def _pool(path: Path) -> GenEvents:
    return load_pool(path)


@dataclass(frozen=True)
class DelphesDetector:
    """Delphes itself, run on every batch.

    Parameters
    ----------
    card
        The detector.
    pileup_file
        Minimum-bias events in Delphes' own format.
    mean_pileup
        Mean number of pile-up interactions.
    command
        The executable, perhaps behind what starts a container.
    """

    card: DetectorCard
    pileup_file: Path
    mean_pileup: float
    command: tuple[str, ...]

    def __call__(self, events: GenEvents, seed: np.random.SeedSequence) -> DelphesEvents:
        """Simulate a batch."""
        positive = 1 + int(seed.generate_state(1)[0]) % (2**31 - 2)
        with TemporaryDirectory(prefix="darktrigger-") as folder:
            hepmc, output = Path(folder, "events.hepmc"), Path(folder, "events.root")
            write_hepmc(events, hepmc)
            n_written = run_delphes(
                hepmc,
                output,
                self.card,
                seed=positive,
                pileup_file=self.pileup_file,
                mean_pileup=self.mean_pileup,
                command=self.command,
            )
            if n_written != len(events):
                raise GenerationError(f"{self.command[0]} wrote {n_written} of {len(events)} events")
            reconstructed = read_delphes(output, BRANCHES)
        return DelphesEvents({"Event": _event(events), **reconstructed.collections})


def _event(events: GenEvents) -> Collection:
    """The generator's numbers: those of Delphes went through text, and come with times of day."""
    columns: dict[str, NDArray[Any]] = {
        "Number": events.number,
        "Weight": events.weight.astype(np.float32),
        "CrossSection": np.full(len(events), events.cross_section, dtype=np.float32),
    }
    return Collection(np.arange(len(events) + 1), columns)


def delphes_detector(
    card: DetectorCard, pool: Path | None, mean_pileup: float, cache: Path, command: tuple[str, ...]
) -> DelphesDetector:
    """Put the pool beside itself in Delphes' format, unless it is there, and hand out the detector."""
    pileup_file = cache / "no-pileup.pileup" if pool is None else pool.with_suffix(".pileup")
    if not pileup_file.exists():
        write_pileup_file(None if pool is None else load_pool(pool), pileup_file)
    return DelphesDetector(card, pileup_file, mean_pileup, command)


def delphes_command() -> tuple[str, ...]:
    """What starts Delphes: its executable, or what the environment variable ``DARKTRIGGER_DELPHES`` says.

    Such as ``apptainer exec IMAGE DelphesHepMC3``. No configuration file may say it: those are handed on, and must not
    run code.

    Raises
    ------
    GenerationError
        Quotes that do not match.
    """
    try:
        return tuple(shlex.split(os.environ.get(COMMAND_VARIABLE, ""))) or (EXECUTABLE,)
    except ValueError as error:
        raise GenerationError(f"{COMMAND_VARIABLE}: {error} (found {os.environ[COMMAND_VARIABLE]!r})") from None


def choose_program(config: DetectorConfig) -> tuple[Program, str]:
    """Which program to take, and why in words.

    Raises
    ------
    GenerationError
        Delphes is asked for and not installed.
    """
    if config.program == "embedded":
        return "embedded", "embedded (asked for)"
    command = delphes_command()
    if command != (EXECUTABLE,):
        return "delphes", f"delphes ({' '.join(command)})"
    found = find_delphes()
    if found is None:
        if config.program == "delphes":
            raise GenerationError(f"{EXECUTABLE} is not on the PATH; install Delphes or take --detector embedded")
        return "embedded", f"embedded ({EXECUTABLE} is not on the PATH)"
    return "delphes", f"delphes ({found})"
