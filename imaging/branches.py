"""Which branches of a Delphes file give tracks, towers, H_T and weight.

The card decides the names of the branches. The card of the CoDAE paper writes
pile-up-corrected tracks and one tower collection for each calorimeter; the stock CMS and
ATLAS cards write one ``Tower`` collection whose energy is split in two, and particle-flow
candidates.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol, TypeVar

from darktrigger.config import StrictModel
from darktrigger.errors import MissingBranchError


class DepositBranches(StrictModel):
    """Branches that give the deposits of one sub-detector.

    ``numerator`` and ``denominator`` scale E_T to one calorimeter's share of a common
    tower; ``pileup`` is a flag that removes a deposit where it is set.
    """

    e_t: str
    eta: str
    phi: str
    numerator: str | None = None
    denominator: str | None = None
    pileup: str | None = None

    def names(self) -> list[str]:
        """Branches in use."""
        return [name for name in self.model_dump().values() if name is not None]


class BranchOverride(StrictModel):
    """Branches that the user names; where None, they are found."""

    trk: DepositBranches | None = None
    ecal: DepositBranches | None = None
    hcal: DepositBranches | None = None
    ht: str | None = None
    weight: str | None = None
    vertices: str | None = None


class BranchMap(StrictModel):
    """Branches in use for every role.

    Without ``weight``, each event counts 1; a calorimeter without branches has empty images. ``vertices`` is any
    member of the vertices, of which only the number is used, if a file has them.
    """

    trk: DepositBranches
    ecal: DepositBranches | None
    hcal: DepositBranches | None
    ht: str
    weight: str | None
    vertices: str | None = None

    def names(self) -> list[str]:
        """Every branch in use, once."""
        deposits = [name for channel in (self.trk, self.ecal, self.hcal) if channel for name in channel.names()]
        return list(dict.fromkeys([*deposits, self.ht, *(name for name in (self.weight, self.vertices) if name)]))

    def only(self, channels: Collection[str]) -> BranchMap:
        """Leave the vertices unread, and the calorimeters that are not among ``channels``; tracks always count."""
        unread = {name: None for name in ("ecal", "hcal") if name not in channels}
        return self.model_copy(update=unread | {"vertices": None})


def _tracks(collection: str, pileup: str | None = None) -> DepositBranches:
    """Tracks at the calorimeter surface, weighted with p_T."""
    return DepositBranches(
        e_t=f"{collection}.PT",
        eta=f"{collection}.EtaOuter",
        phi=f"{collection}.PhiOuter",
        pileup=pileup and f"{collection}.{pileup}",
    )


def _towers(collection: str, share: str | None = None) -> DepositBranches:
    """Calorimeter towers; ``share`` is the energy of one calorimeter in a common tower."""
    return DepositBranches(
        e_t=f"{collection}.ET",
        eta=f"{collection}.Eta",
        phi=f"{collection}.Phi",
        numerator=share and f"{collection}.{share}",
        denominator=share and f"{collection}.E",
    )


#: What may give each sub-detector, best first. ``Track`` still holds pile-up, which ``IsPU``
#: removes; particle flow keeps only what tracks do not explain, hence comes last.
CANDIDATES: dict[str, tuple[DepositBranches, ...]] = {
    "trk": (_tracks("Track_PUcorr"), _tracks("Track", "IsPU"), _tracks("Track"), _tracks("EFlowTrack")),
    "ecal": (_towers("ecalTower"), _towers("ECalTower"), _towers("Tower", "Eem"), _towers("EFlowPhoton")),
    "hcal": (_towers("hcalTower"), _towers("HCalTower"), _towers("Tower", "Ehad"), _towers("EFlowNeutralHadron")),
}


#: One vertex each of the hard scatter and of every pile-up event; any member would do.
VERTICES = "Vertex.Z"


def find_tracks(available: Collection[str]) -> DepositBranches | None:
    """The tracks of a file, those without pile-up before others; None where it has none."""
    return next((track for track in CANDIDATES["trk"] if set(available).issuperset(track.names())), None)


def find_branches(available: Collection[str], override: BranchOverride, source: str) -> BranchMap:
    """Choose the branches of one file.

    Parameters
    ----------
    available
        Branch names of the file, ``Collection.Member``.
    override
        Branches that the user names.
    source
        The file, for error messages.

    Raises
    ------
    MissingBranchError
        Nothing fits some role; says what is missing and what was found.
    """
    available = set(available)
    roles: dict[str, DepositBranches] = {}
    for role, candidates in CANDIDATES.items():
        chosen: DepositBranches | None = getattr(override, role)
        roles[role] = first_complete(f"{role} image", (chosen,) if chosen else candidates, available, source)
    ht = override.ht or "ScalarHT.HT"
    require([ht], available, source)
    if override.weight:
        require([override.weight], available, source)
    weight = override.weight or ("Event.Weight" if "Event.Weight" in available else None)
    if override.vertices:
        require([override.vertices], available, source)
    vertices = override.vertices or (VERTICES if VERTICES in available else None)
    return BranchMap(**roles, ht=ht, weight=weight, vertices=vertices)


class Named(Protocol):
    """What needs some branches."""

    def names(self) -> list[str]:
        """Branches in use."""


NamedT = TypeVar("NamedT", bound=Named)


def first_complete(role: str, candidates: Sequence[NamedT], available: set[str], source: str) -> NamedT:
    """The first candidate whose branches are all there.

    Raises
    ------
    MissingBranchError
        There is none.
    """
    for candidate in candidates:
        if available.issuperset(candidate.names()):
            return candidate
    wanted = " or ".join(", ".join(candidate.names()) for candidate in candidates)
    raise MissingBranchError(source, f"no branches for the {role}; need {wanted}; {found_collections(available)}")


def require(names: list[str], available: set[str], source: str) -> None:
    """Check that branches are there.

    Raises
    ------
    MissingBranchError
        Some are not.
    """
    missing = [name for name in names if name not in available]
    if missing:
        raise MissingBranchError(source, f"branch {', '.join(missing)} is missing; {found_collections(available)}")


def found_collections(available: set[str]) -> str:
    """What a file holds, for an error message."""
    collections = sorted({name.split(".")[0] for name in available if "." in name})
    return f"found collections: {', '.join(collections) or 'none'}"
