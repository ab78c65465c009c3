"""Top pairs, and the lepton-triggered Standard Model and signals of the double-autoencoder paper."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import pythia8mc
from pydantic import Field

from generation.filters import EventFilter, JetFilter, LeptonFilter
from generation.hooks import ContainedTopHook
from generation.processes.base import PythiaProcess, switch
from generation.pythia import GeneratedBatch
from generation.rehadronise import rehadronised_batches

_LEPTONS = "11 13 15"
_TOP = 6


class HadronicTop(PythiaProcess):
    """Top pairs that decay to hadrons: the top jets of the NAE paper (equation 12).

    As in the top-tagging dataset (arXiv:1902.09914) there are no multiparton interactions, and the leading jet has
    a top and all its decay quarks within DeltaR = 0.8: without that a few percent are others, mostly from
    initial-state radiation. Besides, the quarks of both tops lie within 0.8 of their top.
    """

    name: ClassVar[str] = "ttbar"

    energy: float = Field(14_000.0, gt=0, description="Centre-of-mass energy of the protons, GeV.")
    filter: EventFilter | None = Field(JetFilter(parent=_TOP), description="Window of the jet, and what it holds.")
    pt_hat_min: float = Field(450.0, ge=0, description="Least p_T of the hard scattering, GeV.")
    pt_hat_max: float = Field(850.0, gt=0, description="Largest p_T of the hard scattering, GeV.")
    multiparton_interactions: bool = Field(
        default=False, description="Whether further partons of the protons interact."
    )
    containment: float | None = Field(
        0.8, gt=0, description="Largest DeltaR between either top and its decay quarks; null for no such cut."
    )

    def hooks(self, rng: np.random.Generator) -> list[pythia8mc.UserHooks]:
        """See :meth:`PythiaProcess.hooks`; tops that are wider than a jet are stopped first."""
        contained = [] if self.containment is None else [ContainedTopHook(self.containment)]
        return [*contained, *super().hooks(rng)]

    def process_settings(self) -> tuple[str, ...]:
        """See :meth:`PythiaProcess.process_settings`."""
        return (
            "Top:gg2ttbar = on",
            "Top:qqbar2ttbar = on",
            f"PhaseSpace:pTHatMin = {self.pt_hat_min}",
            f"PhaseSpace:pTHatMax = {self.pt_hat_max}",
            "24:onMode = off",
            "24:onIfAny = 1 2 3 4 5",
            f"PartonLevel:MPI = {switch(self.multiparton_interactions)}",
        )


class LeptonTriggered(PythiaProcess):
    """Base of what the double-autoencoder paper uses: 13 TeV, one electron or muon above 23 GeV."""

    energy: float = Field(13_000.0, gt=0, description="Centre-of-mass energy of the protons, GeV.")
    filter: EventFilter | None = Field(LeptonFilter(), description="The lepton trigger.")


class WToLeptons(LeptonTriggered):
    """W -> l nu."""

    name: ClassVar[str] = "w"

    def process_settings(self) -> tuple[str, ...]:
        """See :meth:`PythiaProcess.process_settings`."""
        return ("WeakSingleBoson:ffbar2W = on", "24:onMode = off", f"24:onIfAny = {_LEPTONS}")


class ZToLeptons(LeptonTriggered):
    """Z, gamma* -> l+ l-."""

    name: ClassVar[str] = "z"

    mass_min: float = Field(20.0, gt=10, description="Least mass of the lepton pair, GeV.")

    def process_settings(self) -> tuple[str, ...]:
        """See :meth:`PythiaProcess.process_settings`."""
        return (
            "WeakSingleBoson:ffbar2gmZ = on",
            f"PhaseSpace:mHatMin = {self.mass_min}",
            "23:onMode = off",
            f"23:onIfAny = {_LEPTONS}",
        )


class InclusiveTop(LeptonTriggered):
    """Top pairs, all decays."""

    name: ClassVar[str] = "ttbar-leptons"

    def process_settings(self) -> tuple[str, ...]:
        """See :meth:`PythiaProcess.process_settings`."""
        return ("Top:gg2ttbar = on", "Top:qqbar2ttbar = on")


class QcdLeptons(LeptonTriggered):
    """QCD jets with a lepton, from decays of b and c hadrons."""

    name: ClassVar[str] = "qcd-leptons"

    filter: LeptonFilter = Field(LeptonFilter(heavy_quarks_only=True), description="The lepton trigger.")
    hadronisations: int = Field(
        250, gt=0, description="How often a parton-level event at pt_hat_min is hadronised, harder ones less often."
    )
    decays: int = Field(8, gt=0, description="How often the hadrons with c or b quarks decay in each hadronisation.")
    pt_hat_min: float = Field(25.0, gt=0, description="Least p_T of the hard scattering, GeV.")
    bias_power: float = Field(2.0, ge=0, description="Hard scatterings are drawn more often by pT-hat to this power.")

    def process_settings(self) -> tuple[str, ...]:
        """See :meth:`PythiaProcess.process_settings`."""
        return (
            "HardQCD:all = on",
            f"PhaseSpace:pTHatMin = {self.pt_hat_min}",
            f"PhaseSpace:bias2Selection = {switch(self.bias_power > 0)}",
            f"PhaseSpace:bias2SelectionPow = {self.bias_power}",
            f"PhaseSpace:bias2SelectionRef = {self.pt_hat_min}",
        )

    def batches(self, n_events: int, seed: int, batch_size: int, cache: Path | None = None) -> Iterator[GeneratedBatch]:
        """See :meth:`Process.batches`; with :func:`rehadronised_batches`."""
        return rehadronised_batches(self, n_events, seed, batch_size, cache)


class Leptoquark(LeptonTriggered):
    """Pairs of scalar leptoquarks, each to a b quark and a tau."""

    name: ClassVar[str] = "leptoquark"
    is_signal: ClassVar[bool] = True

    mass: float = Field(80.0, gt=10, description="Mass of the leptoquark, GeV.")

    def process_settings(self) -> tuple[str, ...]:
        """See :meth:`PythiaProcess.process_settings`."""
        return (
            "LeptoQuark:gg2LQLQbar = on",
            "LeptoQuark:qqbar2LQLQbar = on",
            f"42:m0 = {self.mass}",
            "42:0:products = 5 15",
        )


class NeutralScalar(LeptonTriggered):
    """A scalar from gluon fusion; base of two signals."""

    def production(self, mass: float) -> tuple[str, ...]:
        """Gluon fusion of a scalar of that mass."""
        return ("HiggsSM:gg2H = on", f"25:m0 = {mass}", "25:mMin = 10", "25:onMode = off")


class AToFourLeptons(NeutralScalar):
    """A -> Z* Z* -> 4 leptons."""

    name: ClassVar[str] = "a-to-4l"
    is_signal: ClassVar[bool] = True

    mass: float = Field(50.0, gt=10, description="Mass of the scalar, GeV.")

    def process_settings(self) -> tuple[str, ...]:
        """See :meth:`PythiaProcess.process_settings`."""
        return (
            *self.production(self.mass),
            "25:onIfMatch = 23 23",
            "23:mMin = 1",
            "23:onMode = off",
            f"23:onIfAny = {_LEPTONS}",
        )


class H0ToTauTau(NeutralScalar):
    """h0 -> tau tau."""

    name: ClassVar[str] = "h0-to-tautau"
    is_signal: ClassVar[bool] = True

    mass: float = Field(60.0, gt=10, description="Mass of the scalar, GeV.")

    def process_settings(self) -> tuple[str, ...]:
        """See :meth:`PythiaProcess.process_settings`."""
        return (*self.production(self.mass), "25:onIfMatch = 15 -15")


class HPlusToTauNu(LeptonTriggered):
    """h+- -> tau nu.

    The paper does not say how it is made. Quark fusion gives what a lighter W -> tau nu would, which passes the
    trigger once in a hundred and no autoencoder finds; those of the challenge are found more easily than h0 -> tau tau
    (the paper's appendix A). So by default a top comes with it, and one in four passes.
    """

    name: ClassVar[str] = "hplus-to-taunu"
    is_signal: ClassVar[bool] = True

    mass: float = Field(60.0, gt=10, description="Mass of the charged scalar, GeV.")
    production: Literal["top", "quarks"] = Field("top", description="With a top quark, or by fusion of quarks.")

    def process_settings(self) -> tuple[str, ...]:
        """See :meth:`PythiaProcess.process_settings`."""
        return (
            "Higgs:useBSM = on",
            f"HiggsBSM:{'bg2H+-t' if self.production == 'top' else 'ffbar2H+-'} = on",
            f"37:m0 = {self.mass}",
            "37:mMin = 10",
            "37:onMode = off",
            "37:onIfMatch = 15 16",
        )
