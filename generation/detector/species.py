"""What the detector sees of each particle type: charge, kind of track, calorimeter shares."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from particle import PDGID, Particle

from generation.detector.card import DetectorCard

#: Kinds of charged tracks.
HADRON, ELECTRON, MUON = 0, 1, 2
_KINDS = {11: ELECTRON, 13: MUON}
_TABLE_SIZE = 8192


class Species(NamedTuple):
    """Properties by abs(PDG number): the table's row, or for the few large numbers a search.

    ``charge`` is that of the particle with positive number.
    """

    large: NDArray[np.int32]
    charge: NDArray[np.int8]
    kind: NDArray[np.int8]
    ecal: NDArray[np.float64]
    hcal: NDArray[np.float64]


def make_species(card: DetectorCard, pids: Sequence[NDArray[np.int32]]) -> Species:
    """Tables for a card.

    Parameters
    ----------
    card
        Gives calorimeter shares, and what is invisible.
    pids
        PDG numbers that may occur, in any number of arrays; only those of 8192 and up matter.
    """
    large = np.array(sorted({number for part in pids for number in _large_numbers(part)}), dtype=np.int32)
    numbers: NDArray[np.int64] = np.concatenate((np.arange(_TABLE_SIZE), large))
    charge = np.zeros(len(numbers), dtype=np.int8)
    for number in _known_numbers():
        charge[number] = _charge(number)
    charge[_TABLE_SIZE:] = [_charge(number) for number in large.tolist()]
    kind = np.zeros(len(numbers), dtype=np.int8)
    for number, track_kind in _KINDS.items():
        kind[number] = track_kind
    invisible = np.zeros(len(numbers), dtype=bool)
    for entry in card.invisible:
        invisible |= (numbers >= entry.first) & (numbers <= entry.last)
    charge[invisible] = 0
    shares = []
    for calorimeter in (card.ecal, card.hcal):
        share = np.full(len(numbers), calorimeter.fractions[0])
        for number, value in calorimeter.fractions.items():
            share[numbers == number] = value
        share[0] = calorimeter.fractions[0]
        share[invisible] = 0.0
        shares.append(share)
    return Species(large, charge, kind, *shares)


def _large_numbers(pids: NDArray[np.int32]) -> list[int]:
    beyond = pids[(pids >= _TABLE_SIZE) | (pids <= -_TABLE_SIZE)]
    return [abs(number) for number in np.unique(beyond).tolist()]


@cache
def _known_numbers() -> frozenset[int]:
    return frozenset(number for p in Particle.all() if 0 < (number := int(p.pdgid)) < _TABLE_SIZE)


@cache
def _charge(number: int) -> int:
    """Charge in units of e, towards zero as Delphes has it; 0 where the number has no meaning."""
    return int(PDGID(number).charge or 0)


@njit(cache=True)
def row_of(pid: int, large: NDArray[np.int32]) -> int:
    """Row of a particle in the tables."""
    number = abs(pid)
    if number < _TABLE_SIZE:
        return number
    return _TABLE_SIZE + int(np.searchsorted(large, number))
