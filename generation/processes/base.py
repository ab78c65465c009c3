"""What every process has: settings for Pythia, and perhaps a filter."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import awkward as ak
import numpy as np
import pythia8mc
from numpy.typing import NDArray
from pydantic import Field

from darktrigger.config import StrictModel
from generation.events import GenEvents
from generation.filters import EventFilter
from generation.pythia import GeneratedBatch, Generator, make_tables


class Process(StrictModel, ABC):
    """A sample that can be generated."""

    name: ClassVar[str]

    #: Whether it is new physics, so that `image` warns where it is labelled background.
    is_signal: ClassVar[bool] = False

    @abstractmethod
    def batches(self, n_events: int, seed: int, batch_size: int, cache: Path | None = None) -> Iterator[GeneratedBatch]:
        """Exactly ``n_events`` accepted events in batches of at most ``batch_size``, and their normalisation.

        ``cache`` is a folder where the generator may keep its tables.
        """

    @abstractmethod
    def prepare(self, cache: Path) -> None:
        """Make the generator's tables now, so that workers which start together need not all do it."""


class PythiaProcess(Process):
    """A process of Pythia 8."""

    energy: float = Field(13_600.0, gt=0, description="Centre-of-mass energy of the protons, GeV.")
    filter: EventFilter | None = Field(None, description="Refuses generated events; efficiencies count them.")
    extra_settings: tuple[str, ...] = Field((), description="Pythia settings, read last.")

    def settings(self) -> tuple[str, ...]:
        """Everything that Pythia is told, seed apart."""
        return (f"Beams:eCM = {self.energy}", *self.process_settings(), *self.extra_settings)

    @abstractmethod
    def process_settings(self) -> tuple[str, ...]:
        """Settings of this process."""

    def hooks(self, rng: np.random.Generator) -> list[pythia8mc.UserHooks]:  # noqa: ARG002
        """User hooks to give to Pythia; ``rng`` serves those that draw."""
        return self.filter.hooks() if self.filter else []

    def accept(self, events: GenEvents, record: ak.Array | None = None) -> NDArray[np.bool_]:
        """Mask (n,) of the events that pass the filter; ``record`` is all that Pythia says of them."""
        return self.filter.accept(events, record) if self.filter else np.ones(len(events), dtype=np.bool_)

    def adapt(self, events: GenEvents) -> GenEvents:
        """Change accepted events before they reach the detector; nothing by default."""
        return events

    def batches(self, n_events: int, seed: int, batch_size: int, cache: Path | None = None) -> Iterator[GeneratedBatch]:
        """See :meth:`Process.batches`."""
        return Generator(self, seed, cache).batches(n_events, batch_size)

    def prepare(self, cache: Path) -> None:
        """See :meth:`Process.prepare`."""
        make_tables(self, cache)


def switch(on: bool) -> str:
    """Pythia's word for a flag."""
    return "on" if on else "off"
