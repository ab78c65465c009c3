"""The two programs that simulate the detector: ours, and Delphes where it is installed."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from darktrigger.errors import GenerationError
from generation.config import DetectorConfig
from generation.detector import DelphesEvents, DetectorCard, simulate
from generation.events import GenEvents
from generation.pileup import load_pool

Program = Literal["embedded", "delphes"]
_DELPHES = "DelphesHepMC3"


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


def choose_program(config: DetectorConfig) -> tuple[Program, str]:
    """Which program to take, and why in words.

    Raises
    ------
    GenerationError
        Delphes is asked for and not installed.
    """
    if config.program == "embedded":
        return "embedded", "embedded (asked for)"
    found = shutil.which(_DELPHES)
    if found is None:
        if config.program == "delphes":
            raise GenerationError(f"{_DELPHES} is not on the PATH; install Delphes or take --detector embedded")
        return "embedded", f"embedded ({_DELPHES} is not on the PATH)"
    return "delphes", f"delphes ({found})"
