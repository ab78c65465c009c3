"""Rare products of hadronisation: every parton-level event is hadronised many times."""

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

_MAX_FRUITLESS = 1_000_000  # hadronisations in a row of which the filter takes none


def rehadronised_batches(
    process: QcdLeptons, n_events: int, seed: int, batch_size: int, cache: Path | None
) -> Iterator[GeneratedBatch]:
    """Exactly ``n_events`` events that pass the filter, in batches of at most ``batch_size``.

    Leptons of high p_T from heavy quarks are so rare, a few in a thousand hadronisations, that the
    parton level would take nearly all the time. So each parton-level event is hadronised
    ``process.hadronisations`` times, and all that pass are kept: expectation values stay what they
    are, and the few events that share their partons are slightly correlated.
    A generated event is one hadronisation.

    Raises
    ------
    GenerationError
        Pythia cannot be initialised or makes no events, or the filter takes none.
    """
    pythia, _hooks = initialised_pythia(process, seed, cache, "HadronLevel:all = off")
    taken: list[GenEvents] = []
    n_taken = n_tried = fruitless = 0
    while n_taken < n_events:
        for event in _hadronisations(pythia, process.hadronisations):
            n_tried += 1
            fruitless += 1
            if fruitless > _MAX_FRUITLESS:
                raise GenerationError(f"{process.name}: the filter took none of {fruitless} hadronisations")
            if n_taken == n_events or not _may_pass(event, process.filter.pt_min):
                continue
            candidate = _one_event(event, float(pythia.infoPython().weight()), n_taken)
            if process.accept(candidate)[0]:
                taken.append(candidate)
                n_taken += 1
                fruitless = 0
        if len(taken) >= batch_size or n_taken == n_events:
            info = pythia.infoPython()  # a copy, as of now
            efficiency = n_taken / n_tried
            cross_section, error = (
                float(value) * PB_PER_MB * efficiency for value in (info.sigmaGen(), info.sigmaErr())
            )
            vetoed_too = round(n_tried * info.nSelected() / info.nAccepted())
            normalisation = Normalisation(
                vetoed_too, n_taken, float(n_taken), cross_section, float(np.hypot(error, cross_section / n_taken**0.5))
            )
            events = concatenate_events(taken)
            taken = []
            for start in range(0, len(events), batch_size):
                yield GeneratedBatch(events[start : start + batch_size], normalisation)


def _hadronisations(pythia: pythia8mc.Pythia, times: int) -> Iterator[Any]:
    with captured_stdout() as said:
        if not pythia.next():
            raise GenerationError(f"Pythia cannot make an event: {' '.join(said().split())}")
    partons = pythia8mc.Event(pythia.event)
    for _ in range(times):
        pythia.event = partons
        find_junctions = False
        if pythia.forceHadronLevel(find_junctions):
            yield pythia.event


def _may_pass(event: Any, pt_min: float) -> bool:
    """Whether there is an electron or muon at all; a quick look before the columns are made."""
    return any(
        event[i].idAbs() in (11, 13) and event[i].isFinal() and event[i].pT() > pt_min for i in range(event.size())
    )


def _one_event(event: Any, weight: float, number: int) -> GenEvents:
    stable = [event[i] for i in range(event.size()) if event[i].isFinal()]
    rows = [(p.id(), p.px(), p.py(), p.pz(), p.e(), p.m(), p.xProd(), p.yProd(), p.zProd(), p.tProd()) for p in stable]
    columns: dict[str, Any] = {
        name: np.array(values, dtype=PARTICLE_COLUMNS[name])
        for name, values in zip(PARTICLE_COLUMNS, zip(*rows, strict=True), strict=True)
    }
    return GenEvents(
        np.array([0, len(rows)]),
        **columns,
        weight=np.array([weight]),
        cross_section=0.0,
        number=np.array([number]),
    )
