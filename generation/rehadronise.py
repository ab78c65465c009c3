"""Rare products of hadronisation: every parton-level event is hadronised, and its heavy hadrons decay, many times."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pythia8mc

from darktrigger.errors import GenerationError
from darktrigger.quiet import captured_stdout
from generation.events import PARTICLE_COLUMNS, GenEvents, concatenate_events
from generation.pythia import PB_PER_MB, GeneratedBatch, Normalisation, initialised_pythia

if TYPE_CHECKING:
    from generation.processes.electroweak import QcdLeptons

_MAX_FRUITLESS = 1_000_000  # decays in a row of which the filter takes none

#: A lepton may exceed the p_T of the hadron it comes from by (E - p)/2, at most a third of a GeV at 20 GeV.
_EXCESS_PT = 1.0


def rehadronised_batches(
    process: QcdLeptons, n_events: int, seed: int, batch_size: int, cache: Path | None
) -> Iterator[GeneratedBatch]:
    """Exactly ``n_events`` events that pass the filter, in batches of at most ``batch_size``.

    Leptons of high p_T from heavy quarks are so rare, a few in a thousand decays, that the parton
    level would take nearly all the time. Three steps, none of which changes an expectation value:

    - Hard scatterings are drawn with a bias towards high p_T, ``process.bias_power``. The weight
      that would undo the bias is used up as a number of hadronisations, ``process.hadronisations``
      for weight 1, rounded up or down at random. So soft scatterings, which rarely give a lepton, are
      tried often and hard ones seldom, and all events that come out weigh the same.
    - In each hadronisation the hadrons with c or b quarks decay ``process.decays`` times. Those without a
      hard enough one are dropped at once.
    - All that pass the filter are kept.

    Events that share their partons, or even their hadrons, follow each other and are correlated. With the
    default settings most have such a neighbour, so that a sample has larger statistical errors than its size
    says, and splits better by file than by entry; fewer hadronisations leave fewer neighbours, and take longer.
    A generated event is one decay, counted as if hard scatterings were not biased.

    Raises
    ------
    GenerationError
        Pythia cannot be initialised or makes no events, or the filter takes none.
    """
    pythia, _hooks = initialised_pythia(process, seed, cache, "HadronLevel:all = off")
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(2,)))
    heavy = HeavyDecays(pythia, process.filter.pt_min)
    taken: list[GenEvents] = []
    n_taken = fruitless = 0
    sum_of_weights = 0.0
    while n_taken < n_events:
        weight = _next_partons(pythia)
        sum_of_weights += weight
        times = int(weight * process.hadronisations + rng.random())
        for event in heavy.trials(times, process.decays):
            fruitless += 1
            if fruitless > _MAX_FRUITLESS:
                raise GenerationError(f"{process.name}: the filter took none of {fruitless} decays")
            if n_taken == n_events:
                break
            candidate = _one_event(event, n_taken)
            if process.accept(candidate)[0]:
                taken.append(candidate)
                n_taken += 1
                fruitless = 0
        if len(taken) >= batch_size or (taken and n_taken == n_events):
            tried = sum_of_weights * process.hadronisations * process.decays
            normalisation = _normalisation(pythia, n_taken, tried)
            events = concatenate_events(taken)
            taken = []
            for start in range(0, len(events), batch_size):
                yield GeneratedBatch(events[start : start + batch_size], normalisation)


class HeavyDecays:
    """Decays of the hadrons with c or b quarks of a parton-level event, many times over.

    Parameters
    ----------
    pythia
        Initialised, with hadronisation switched off.
    pt_min
        Least p_T of an electron or muon that is looked for, GeV.
    """

    def __init__(self, pythia: pythia8mc.Pythia, pt_min: float) -> None:
        self._pythia, self._pt_min = pythia, pt_min
        self._heavy = frozenset(pid for pid in _known_particles(pythia) if _is_open_heavy(pid))

    def trials(self, hadronisations: int, decays: int) -> Iterator[Any]:
        """Event records with an electron or muon above ``pt_min`` from such a decay, valid until the next one."""
        partons = pythia8mc.Event(self._pythia.event)
        for _ in range(hadronisations):
            self._pythia.event = partons
            self._let_decay(allowed=False)
            find_junctions = False
            made = self._pythia.forceHadronLevel(find_junctions)
            if not made or not self._has_hard_hadron(self._pythia.event, partons.size()):
                continue
            hadrons = pythia8mc.Event(self._pythia.event)
            n_hadrons = hadrons.size()
            self._let_decay(allowed=True)
            for _ in range(decays):
                self._pythia.event = hadrons
                if self._pythia.moreDecays() and self._has_lepton(self._pythia.event, n_hadrons):
                    yield self._pythia.event

    def _let_decay(self, *, allowed: bool) -> None:
        for pid in self._heavy:
            self._pythia.particleData.mayDecay(pid, allowed)

    def _has_hard_hadron(self, event: Any, first: int) -> bool:
        """Whether the products of hadronisation, from row ``first`` on, have one that decays to such a lepton."""
        return any(
            event[i].idAbs() in self._heavy and event[i].pT() > self._pt_min - _EXCESS_PT
            for i in range(first, event.size())
        )

    def _has_lepton(self, event: Any, first: int) -> bool:
        """Whether the products of the last decays, from row ``first`` on, have one."""
        return any(
            event[i].idAbs() in (11, 13) and event[i].isFinal() and event[i].pT() > self._pt_min
            for i in range(first, event.size())
        )


def _known_particles(pythia: pythia8mc.Pythia) -> Iterator[int]:
    pid = 1
    while pid := pythia.particleData.nextId(pid):
        yield pid


def _is_open_heavy(pid: int) -> bool:
    """Whether a hadron decays weakly, or into one that does: it holds one c or b quark or several, no quarkonium."""
    quarks = [int(digit) for digit in f"{pid % 10_000:04d}"[:3]]
    is_hadron = 400 < pid < 1_000_000 and min(quarks[1:]) > 0
    is_quarkonium = quarks[0] == 0 and quarks[1] == quarks[2]
    return is_hadron and max(quarks) in (4, 5) and not is_quarkonium


def _next_partons(pythia: pythia8mc.Pythia) -> float:
    """Make a parton-level event and return its weight, which undoes the bias."""
    with captured_stdout() as said:
        if not pythia.next():
            raise GenerationError(f"Pythia cannot make an event: {' '.join(said().split())}")
    return float(pythia.infoPython().weight())


def _normalisation(pythia: pythia8mc.Pythia, n_taken: int, tried: float) -> Normalisation:
    """Of the run so far, in which an unbiased one would have tried so many decays."""
    info = pythia.infoPython()  # a copy, as of now
    cross_section, error = (float(value) * PB_PER_MB * n_taken / tried for value in (info.sigmaGen(), info.sigmaErr()))
    vetoed_too = round(tried * info.nSelected() / info.nAccepted())
    return Normalisation(
        vetoed_too, n_taken, float(n_taken), cross_section, float(np.hypot(error, cross_section / n_taken**0.5))
    )


def _one_event(event: Any, number: int) -> GenEvents:
    stable = [event[i] for i in range(event.size()) if event[i].isFinal()]
    rows = [(p.id(), p.px(), p.py(), p.pz(), p.e(), p.m(), p.xProd(), p.yProd(), p.zProd(), p.tProd()) for p in stable]
    columns: dict[str, Any] = {
        name: np.array(values, dtype=PARTICLE_COLUMNS[name])
        for name, values in zip(PARTICLE_COLUMNS, zip(*rows, strict=True), strict=True)
    }
    return GenEvents(
        np.array([0, len(rows)]),
        **columns,
        weight=np.ones(1),
        cross_section=0.0,
        number=np.array([number]),
    )
