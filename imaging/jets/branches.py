"""Which branches of a Delphes file give the constituents of jets."""

from __future__ import annotations

from collections.abc import Collection

from darktrigger.config import StrictModel
from imaging.branches import first_complete, require


class ConstituentBranches(StrictModel):
    """One kind of constituents: p_T (or E_T) and direction; massless unless ``mass`` is given."""

    pt: str
    eta: str
    phi: str
    mass: str | None = None

    def names(self) -> list[str]:
        """Branches in use."""
        return [name for name in self.model_dump().values() if name is not None]


class Constituents(StrictModel):
    """Kinds of constituents that together make up an event."""

    kinds: tuple[ConstituentBranches, ...]

    def names(self) -> list[str]:
        """Branches in use."""
        return [name for kind in self.kinds for name in kind.names()]


class JetBranchOverride(StrictModel):
    """Branches that the user names; where None, they are found."""

    constituents: tuple[ConstituentBranches, ...] | None = None
    weight: str | None = None


class JetBranchMap(StrictModel):
    """Branches in use. Without ``weight``, each event counts 1."""

    constituents: Constituents
    weight: str | None

    def names(self) -> list[str]:
        """Every branch in use, once."""
        return list(dict.fromkeys([*self.constituents.names(), *([self.weight] if self.weight else [])]))


def _towers(*collections: str) -> Constituents:
    return Constituents(
        kinds=tuple(ConstituentBranches(pt=f"{c}.ET", eta=f"{c}.Eta", phi=f"{c}.Phi") for c in collections)
    )


def _flow(mass: str | None) -> Constituents:
    track = ConstituentBranches(pt="EFlowTrack.PT", eta="EFlowTrack.Eta", phi="EFlowTrack.Phi", mass=mass)
    return Constituents(kinds=(track, *_towers("EFlowPhoton", "EFlowNeutralHadron").kinds))


#: What may give the constituents, best first. Without particle flow, calorimeter towers alone: tracks beside
#: them would count charged particles twice.
CANDIDATES = (
    _flow("EFlowTrack.Mass"),
    _flow(None),
    _towers("ecalTower", "hcalTower"),
    _towers("ECalTower", "HCalTower"),
    _towers("Tower"),
)


def find_jet_branches(available: Collection[str], override: JetBranchOverride, source: str) -> JetBranchMap:
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
        Nothing fits; says what is missing and what was found.
    """
    available = set(available)
    candidates = CANDIDATES if override.constituents is None else (Constituents(kinds=override.constituents),)
    constituents = first_complete("constituents of jets", candidates, available, source)
    if override.weight:
        require([override.weight], available, source)
    weight = override.weight or ("Event.Weight" if "Event.Weight" in available else None)
    return JetBranchMap(constituents=constituents, weight=weight)
