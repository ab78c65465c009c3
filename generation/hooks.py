"""Pythia user hooks: the thermal SUEP shower, and early vetoes of events that a filter would refuse anyway."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pythia8mc

from generation.suep import ThermalSpectrum, boost, shower

_MEDIATOR = 25
_TOP, _W = 6, 24
_OUTGOING = 22  # status of the mediator in the process record
_FROM_DECAY = 23  # status of what a hard process leaves


class SuepHook(pythia8mc.UserHooks):
    """Replace the undecayed mediator of the hard process by a thermal shower of dark mesons.

    Parameters
    ----------
    pid
        Particle number of the dark meson.
    mass, temperature
        Of the dark mesons, GeV.
    rng
        Source of random numbers.
    """

    def __init__(self, pid: int, mass: float, temperature: float, rng: np.random.Generator) -> None:
        super().__init__()
        self._pid, self._mass, self._rng = pid, mass, rng
        self._spectrum = ThermalSpectrum(temperature, mass)

    def canVetoProcessLevel(self) -> bool:
        """Pythia shall ask."""
        return True

    def doVetoProcessLevel(self, process: Any) -> bool:
        """Append the shower; veto the event where the mediator is too light for one."""
        index = next(i for i in range(process.size()) if process[i].id() == _MEDIATOR)
        mediator = process[index]
        momenta = shower(mediator.m(), self._mass, self._spectrum, self._rng)
        if momenta is None:
            return True
        frame = np.array([mediator.px(), mediator.py(), mediator.pz(), mediator.e()])
        first = process.size()
        for px, py, pz, e in boost(momenta, self._mass, frame).tolist():
            process.append(self._pid, _FROM_DECAY, index, 0, 0, 0, 0, 0, px, py, pz, e, self._mass)
        mediator.status(-_OUTGOING)
        mediator.daughters(first, process.size() - 1)
        return False


class PartonHtHook(pythia8mc.UserHooks):
    """Veto events whose partons cannot make the HT that is asked for.

    Parameters
    ----------
    ht_min
        Least scalar p_T sum of parton-level jets, GeV.
    radius, pt_min, eta_max
        Of those anti-k_T jets (GeV).
    """

    def __init__(self, ht_min: float, radius: float, pt_min: float, eta_max: float) -> None:
        super().__init__()
        self._ht_min = ht_min
        select_all_final = 1
        self._jets = pythia8mc.SlowJet(-1, radius, pt_min, eta_max, select_all_final)

    def canVetoPartonLevel(self) -> bool:
        """Pythia shall ask."""
        return True

    def doVetoPartonLevel(self, event: Any) -> bool:
        """Whether the partons fall short."""
        self._jets.analyze(event)
        return bool(sum(self._jets.pT(i) for i in range(self._jets.sizeJet())) < self._ht_min)


class PartonJetHook(pythia8mc.UserHooks):
    """Veto events whose leading parton-level jet is far from the p_T window that is asked for.

    Parameters
    ----------
    low, high
        The window, GeV, as wide as hadronisation and resolution call for.
    radius, eta_max
        Of the anti-k_T jets.
    """

    def __init__(self, low: float, high: float, radius: float, eta_max: float) -> None:
        super().__init__()
        self._high = high
        select_all_final = 1
        self._jets = pythia8mc.SlowJet(-1, radius, low, eta_max, select_all_final)

    def canVetoPartonLevel(self) -> bool:
        """Pythia shall ask."""
        return True

    def doVetoPartonLevel(self, event: Any) -> bool:
        """Whether the leading jet lies outside."""
        self._jets.analyze(event)
        return self._jets.sizeJet() == 0 or bool(self._jets.pT(0) > self._high)


class ContainedTopHook(pythia8mc.UserHooks):
    """Veto top pairs of which a top's decay quarks do not all lie close to it.

    Parameters
    ----------
    radius
        Largest DeltaR (eta, phi) between a top and the quarks that it decays to.
    """

    def __init__(self, radius: float) -> None:
        super().__init__()
        self._radius = radius

    def canVetoProcessLevel(self) -> bool:
        """Pythia shall ask."""
        return True

    def doVetoProcessLevel(self, process: Any) -> bool:
        """Whether either top is wide."""
        tops = [i for i in range(process.size()) if process[i].idAbs() == _TOP]
        return not all(
            math.hypot(quark.eta() - process[top].eta(), _d_phi(quark.phi(), process[top].phi())) < self._radius
            for top in tops
            for quark in _decay_products(process, top)
        )


def _decay_products(process: Any, top: int) -> list[Any]:
    """What a top decays to in the process record, through its W."""
    daughters = list(process[top].daughterList())
    bosons = [i for i in daughters if process[i].idAbs() == _W]
    found = [i for i in daughters if i not in bosons]
    return [process[i] for i in found + [j for boson in bosons for j in process[boson].daughterList()]]


def _d_phi(phi_a: float, phi_b: float) -> float:
    return math.remainder(phi_a - phi_b, 2 * math.pi)


class HeavyQuarkHook(pythia8mc.UserHooks):
    """Veto events without a c or b quark hard enough to give a lepton of the p_T that is asked for."""

    def __init__(self, pt_min: float) -> None:
        super().__init__()
        self._pt_min = pt_min

    def canVetoPartonLevel(self) -> bool:
        """Pythia shall ask."""
        return True

    def doVetoPartonLevel(self, event: Any) -> bool:
        """Whether all heavy quarks are too soft."""
        return not any(
            event[i].idAbs() in (4, 5) and event[i].isFinal() and event[i].pT() > self._pt_min
            for i in range(event.size())
        )
