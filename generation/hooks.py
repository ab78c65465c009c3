"""Pythia user hooks: the thermal SUEP shower, and early vetoes of events that a filter would refuse anyway."""

from __future__ import annotations

from typing import Any

import numpy as np
import pythia8mc

from generation.suep import ThermalSpectrum, boost, shower

_MEDIATOR = 25
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
