"""Mixtures of processes in given proportions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import Field, field_validator

from darktrigger.config import StrictModel
from generation.events import concatenate_events
from generation.processes.base import Process, PythiaProcess
from generation.processes.electroweak import InclusiveTop, QcdLeptons, WToLeptons, ZToLeptons
from generation.pythia import GeneratedBatch, sum_of


class Proportions(StrictModel):
    """Shares of the lepton-triggered sample.

    The paper says "various Standard Model processes" and no more. These shares are meant to be those of the
    dataset that it uses (arXiv:2107.02157), but are quoted from memory: check them before relying on them.
    They would hold for reconstructed leptons, which QCD rarely passes; our generator-level filter has no
    isolation, and with it the cross-section of QCD is several times that of W.
    """

    w: float = Field(0.592, ge=0, description="W to leptons.")
    qcd: float = Field(0.338, ge=0, description="QCD jets.")
    z: float = Field(0.067, ge=0, description="Z to leptons.")
    ttbar: float = Field(0.003, ge=0, description="Top pairs.")


class StandardModelLeptons(Process):
    """Standard Model events with an electron or muon: the background of the double-autoencoder paper, at 13 TeV."""

    name: ClassVar[str] = "sm-leptons"

    proportions: Proportions = Field(Proportions(), description="Shares of the accepted events.")
    w: WToLeptons = Field(WToLeptons(), description="W to leptons.")
    qcd: QcdLeptons = Field(QcdLeptons(), description="QCD jets.")
    z: ZToLeptons = Field(ZToLeptons(), description="Z to leptons.")
    ttbar: InclusiveTop = Field(InclusiveTop(), description="Top pairs.")

    @field_validator("proportions")
    @classmethod
    def _sum_to_one(cls, proportions: Proportions) -> Proportions:
        total = proportions.w + proportions.qcd + proportions.z + proportions.ttbar
        if abs(total - 1) > 1e-6:
            raise ValueError(f"proportions sum to {total:g}, expected 1")
        return proportions

    def prepare(self, cache: Path) -> None:
        """See :meth:`Process.prepare`."""
        for component in (self.w, self.qcd, self.z, self.ttbar):
            component.prepare(cache)

    def batches(self, n_events: int, seed: int, batch_size: int, cache: Path | None = None) -> Iterator[GeneratedBatch]:
        """See :meth:`Process.batches`; the components come in random order."""
        shares = self.proportions.model_dump()
        sequence = np.random.SeedSequence(seed)
        rng = np.random.default_rng(sequence)
        counts = rng.multinomial(n_events, list(shares.values()))
        parts, runs = [], []
        for name, count, component_seed in zip(shares, counts.tolist(), sequence.spawn(len(shares)), strict=True):
            component: PythiaProcess = getattr(self, name)
            last = None
            for last in component.batches(count, int(component_seed.generate_state(1)[0]), batch_size, cache):
                parts.append(last.events)
            if last is not None:
                runs.append(last.normalisation)
        events = concatenate_events(parts)[rng.permutation(n_events)]
        normalisation = sum_of(runs)
        for start in range(0, n_events, batch_size):
            yield GeneratedBatch(events[start : start + batch_size], normalisation)
