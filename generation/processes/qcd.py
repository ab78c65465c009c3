"""QCD jets and minimum bias."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from generation.filters import EventFilter, JetFilter
from generation.processes.base import PythiaProcess, switch


class Qcd(PythiaProcess):
    """QCD multijet events of the CoDAE and ConvAE papers, weighted: the p_T-hat spectrum is flattened."""

    name: ClassVar[str] = "qcd"

    pt_hat_min: float = Field(200.0, gt=0, description="Least p_T of the hard scattering, GeV.")
    pt_hat_max: float = Field(7000.0, gt=0, description="Largest p_T of the hard scattering, GeV.")
    bias_power: float = Field(
        4.5,
        ge=0,
        description="Events are generated p_T-hat^power too often, and weighted down; 0 for unweighted events.",
    )
    bias_reference: float = Field(200.0, gt=0, description="p_T-hat where the weight is about 1, GeV.")
    tune: int = Field(5, description="Pythia's Tune:pp.")

    def process_settings(self) -> tuple[str, ...]:
        """See :meth:`PythiaProcess.process_settings`."""
        bias = (
            "PhaseSpace:bias2Selection = on",
            f"PhaseSpace:bias2SelectionPow = {self.bias_power}",
            f"PhaseSpace:bias2SelectionRef = {self.bias_reference}",
        )
        return (
            f"Tune:pp = {self.tune}",
            "HardQCD:all = on",
            f"PhaseSpace:pTHatMin = {self.pt_hat_min}",
            f"PhaseSpace:pTHatMax = {self.pt_hat_max}",
            *(bias if self.bias_power > 0 else ()),
        )


class QcdJets(PythiaProcess):
    """QCD dijets of the NAE paper, unweighted: the leading anti-k_T jet of R = 0.8 in a p_T window.

    Top tagging (equation 12): 550 to 650 GeV, the default. Dark jets (equation 13): 150 to 300 GeV, for which
    pt_hat_min has to come down too. No multiparton interactions, as in the top-tagging dataset (arXiv:1902.09914).
    """

    name: ClassVar[str] = "qcd-jets"

    energy: float = Field(14_000.0, gt=0, description="Centre-of-mass energy of the protons, GeV.")
    filter: EventFilter | None = Field(JetFilter(), description="Window of the jet.")
    pt_hat_min: float = Field(450.0, gt=0, description="Least p_T of the hard scattering, GeV.")
    pt_hat_max: float = Field(850.0, gt=0, description="Largest p_T of the hard scattering, GeV.")
    multiparton_interactions: bool = Field(
        default=False, description="Whether further partons of the protons interact."
    )

    def process_settings(self) -> tuple[str, ...]:
        """See :meth:`PythiaProcess.process_settings`."""
        return (
            "HardQCD:all = on",
            f"PhaseSpace:pTHatMin = {self.pt_hat_min}",
            f"PhaseSpace:pTHatMax = {self.pt_hat_max}",
            f"PartonLevel:MPI = {switch(self.multiparton_interactions)}",
        )


class MinimumBias(PythiaProcess):
    """Minimum-bias events for pile-up: soft QCD, diffraction included, CMS underlying-event tune."""

    name: ClassVar[str] = "minbias"

    tune: int = Field(14, description="Pythia's Tune:pp.")
    pt0_ref: float = Field(2.4024, gt=0, description="MultipartonInteractions:pT0Ref, GeV.")
    ecm_pow: float = Field(0.25208, ge=0, description="MultipartonInteractions:ecmPow.")
    exp_pow: float = Field(1.6, gt=0, description="MultipartonInteractions:expPow.")

    def process_settings(self) -> tuple[str, ...]:
        """See :meth:`PythiaProcess.process_settings`."""
        return (
            f"Tune:pp = {self.tune}",
            "SoftQCD:nonDiffractive = on",
            "SoftQCD:singleDiffractive = on",
            "SoftQCD:doubleDiffractive = on",
            f"MultipartonInteractions:pT0Ref = {self.pt0_ref}",
            f"MultipartonInteractions:ecmPow = {self.ecm_pow}",
            f"MultipartonInteractions:expPow = {self.exp_pow}",
        )
