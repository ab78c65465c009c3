"""Soft unclustered energy patterns from a scalar mediator."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pythia8mc
from pydantic import Field, field_validator, model_validator

from darktrigger.config import StrictModel
from generation.hooks import SuepHook
from generation.processes.base import PythiaProcess

DARK_MESON = 999999
DARK_PHOTON = 999998


class Decay(StrictModel):
    """One decay channel."""

    fraction: float = Field(gt=0, le=1, description="Branching fraction.")
    products: tuple[int, ...] = Field(min_length=2, max_length=8, description="Particle numbers of the PDG.")


class Suep(PythiaProcess):
    """gg -> H -> dark mesons phi_D, thermal in the mediator's rest frame; phi_D -> 2 Z_D -> hadrons and leptons."""

    name: ClassVar[str] = "suep"
    is_signal: ClassVar[bool] = True

    mass: float = Field(125.0, gt=50, description="Mass of the mediator, GeV; papers: 125, 200, 300, 400, 700, 1000.")
    width: float | None = Field(
        None, gt=0, description="Width of the mediator, GeV; by default that of a Higgs boson of its mass."
    )
    temperature: float = Field(2.0, gt=0, description="Dark temperature T_D, GeV.")
    meson_mass: float = Field(2.0, gt=0, description="Mass of phi_D, GeV.")
    photon_mass: float = Field(0.7, gt=0, description="Mass of Z_D, GeV.")
    meson_decays: tuple[Decay, ...] = Field(
        (Decay(fraction=1.0, products=(DARK_PHOTON, DARK_PHOTON)),),
        min_length=1,
        description="Decays of phi_D; 999998 is Z_D.",
    )
    photon_decays: tuple[Decay, ...] = Field(
        (
            Decay(fraction=0.70, products=(211, -211)),
            Decay(fraction=0.15, products=(11, -11)),
            Decay(fraction=0.15, products=(13, -13)),
        ),
        min_length=1,
        description="Decays of Z_D.",
    )
    tune: int = Field(14, description="Pythia's Tune:pp.")

    @field_validator("meson_decays", "photon_decays")
    @classmethod
    def _complete(cls, decays: tuple[Decay, ...]) -> tuple[Decay, ...]:
        total = sum(decay.fraction for decay in decays)
        if abs(total - 1) > 1e-6:
            raise ValueError(f"branching fractions sum to {total:g}, expected 1")
        return decays

    @model_validator(mode="after")
    def _open(self) -> Suep:
        to_photons = any(DARK_PHOTON in decay.products for decay in self.meson_decays)
        if to_photons and 2 * self.photon_mass >= self.meson_mass:
            raise ValueError(f"meson_mass {self.meson_mass:g} GeV does not allow two Z_D of {self.photon_mass:g} GeV")
        return self

    def process_settings(self) -> tuple[str, ...]:
        """See :meth:`PythiaProcess.process_settings`."""
        width = () if self.width is None else ("25:doForceWidth = on", f"25:mWidth = {self.width}")
        return (
            f"Tune:pp = {self.tune}",
            "HiggsSM:gg2H = on",
            f"25:m0 = {self.mass}",
            *width,
            "25:mayDecay = off",
            *_particle(DARK_MESON, "phi_D", self.meson_mass, self.meson_decays, spin=1),
            *_particle(DARK_PHOTON, "Z_D", self.photon_mass, self.photon_decays, spin=3),
        )

    def hooks(self, rng: np.random.Generator) -> list[pythia8mc.UserHooks]:
        """See :meth:`PythiaProcess.hooks`; the shower comes first."""
        return [SuepHook(DARK_MESON, self.meson_mass, self.temperature, rng), *super().hooks(rng)]


def _particle(pid: int, name: str, mass: float, decays: tuple[Decay, ...], *, spin: int) -> tuple[str, ...]:
    channels = (
        f"{pid}:{'one' if index == 0 else 'add'}Channel = 1 {decay.fraction} 0 {' '.join(map(str, decay.products))}"
        for index, decay in enumerate(decays)
    )
    return (
        f"{pid}:all = {name} void {spin} 0 0 {mass} 0 0 0 0",
        f"{pid}:isResonance = off",
        f"{pid}:mayDecay = on",
        *channels,
    )
