"""Layout of an event of objects: 19 slots of three numbers, 57 in all (arXiv:2107.02157, section 2).

Missing E_T, four electrons, four muons and ten jets, each kind by falling p_T and padded with zeros; of each p_T
(GeV), eta and phi. Missing E_T has eta 0.
"""

from __future__ import annotations

#: Slots of each kind, in the order of the layout.
SLOTS: dict[str, int] = {"met": 1, "electron": 4, "muon": 4, "jet": 10}

#: What each slot holds.
MEMBERS = ("pt", "eta", "phi")

N_SLOTS = sum(SLOTS.values())

#: Numbers of an event.
N_INPUTS = N_SLOTS * len(MEMBERS)


def slot_range(kind: str) -> range:
    """Slots of one kind."""
    kinds = list(SLOTS)
    first = sum(SLOTS[name] for name in kinds[: kinds.index(kind)])
    return range(first, first + SLOTS[kind])
