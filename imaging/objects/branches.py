"""Which branches of a Delphes file give leptons, jets, missing E_T and the rest."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated

from pydantic import Field

from darktrigger.config import StrictModel
from darktrigger.errors import MissingBranchError
from imaging.branches import VERTICES, find_tracks, found_collections, require

#: Collections that may give each kind, best first; Phase-II cards name their muons by identification.
_COLLECTIONS = {"electron": ("Electron",), "muon": ("MuonTight", "Muon"), "jet": ("Jet",)}

_MISSING_E_T = ["MissingET.MET", "MissingET.Phi"]

#: Members that may give a lepton's relative isolation, best first: with the density of the pile-up taken off, and not.
_ISOLATION = ("IsolationVarRhoCorr", "IsolationVar")


class ObjectOverride(StrictModel):
    """Collections that the user names; where None, they are found."""

    electron: str | None = None
    muon: str | None = None
    jet: str | None = None


class ObjectBranches(StrictModel):
    """Collections and branches in use.

    Parameters
    ----------
    electron, muon, jet
        Collections with PT, Eta and Phi.
    tracks
        Pseudorapidity of the tracks that are counted; None where the file has none.
    pileup
        Flag of the tracks that are not.
    ht, weight
        Scalar E_T sum and weight of the event; without them the jets' p_T sum, and 1.
    vertices
        Any member of the vertices, which are counted; None where the file has none.
    isolation
        Member of electrons and muons that tells how isolated they are; None where nobody asks.
    """

    electron: str
    muon: str
    jet: str
    tracks: str | None
    pileup: str | None
    ht: str | None
    weight: str | None
    vertices: str | None = None
    isolation: str | None = None

    def of(self, kind: str) -> list[str]:
        """Branches of one kind of object: p_T, eta, phi."""
        return [f"{getattr(self, kind)}.{member}" for member in ("PT", "Eta", "Phi")]

    def names(self) -> list[str]:
        """Every branch in use, once."""
        objects = [name for kind in _COLLECTIONS for name in self.of(kind)]
        others = [name for name in (self.tracks, self.pileup, self.ht, self.weight, self.vertices) if name]
        isolations = [name for name in (self.isolation_of("electron"), self.isolation_of("muon")) if name]
        return list(dict.fromkeys([*_MISSING_E_T, *objects, *isolations, *others]))

    def isolation_of(self, kind: str) -> str | None:
        """Branch with the isolation of electrons or muons."""
        return self.isolation and f"{getattr(self, kind)}.{self.isolation}"


class ObjectConfig(StrictModel):
    """Selection and branches of objects.

    Parameters
    ----------
    lepton_pt_min
        At least one electron or muon lies above it, GeV, strictly (double-autoencoder paper, section III).
    lepton_isolation_max
        Such a lepton counts only where the p_T sum around it, over its own p_T, is not above this; by default
        wherever it is. The events of the 40 MHz challenge have 0.45, in a cone of 0.3 (their authors' conversion to
        HDF5, github.com/ocerri/AnomalyDetection).
    branches
        Collections that the user names.
    """

    lepton_pt_min: Annotated[float, Field(ge=0)] = 23.0
    lepton_isolation_max: Annotated[float, Field(ge=0)] | None = None
    branches: ObjectOverride = ObjectOverride()

    @property
    def isolation_label(self) -> str:
        """What to say of the isolation behind the threshold; nothing where it does not matter."""
        return "" if self.lepton_isolation_max is None else f", isolation up to {self.lepton_isolation_max:g}"


def find_object_branches(available: Collection[str], config: ObjectConfig, source: str) -> ObjectBranches:
    """Choose the branches of one file that the selection needs.

    Raises
    ------
    MissingBranchError
        Nothing fits some kind of object; says what is missing and what was found.
    """
    available = set(available)
    chosen = {
        kind: _first(kind, (named,) if (named := getattr(config.branches, kind)) else collections, available, source)
        for kind, collections in _COLLECTIONS.items()
    }
    require(_MISSING_E_T, available, source)
    tracks = find_tracks(available)
    isolated = config.lepton_isolation_max is not None
    return ObjectBranches(
        **chosen,
        isolation=_isolation((chosen["electron"], chosen["muon"]), available, source) if isolated else None,
        tracks=tracks and tracks.eta,
        pileup=tracks and tracks.pileup,
        ht="ScalarHT.HT" if "ScalarHT.HT" in available else None,
        weight="Event.Weight" if "Event.Weight" in available else None,
        vertices=VERTICES if VERTICES in available else None,
    )


def _first(kind: str, collections: tuple[str, ...], available: set[str], source: str) -> str:
    for collection in collections:
        if available.issuperset(f"{collection}.{member}" for member in ("PT", "Eta", "Phi")):
            return collection
    wanted = " or ".join(collections)
    raise MissingBranchError(source, f"no {kind}s; need {wanted} with PT, Eta and Phi; {found_collections(available)}")


def _isolation(leptons: tuple[str, ...], available: set[str], source: str) -> str:
    for member in _ISOLATION:
        if available.issuperset(f"{collection}.{member}" for collection in leptons):
            return member
    wanted = f"{' or '.join(_ISOLATION)} of {' and '.join(leptons)}"
    raise MissingBranchError(source, f"no isolation of the leptons; need {wanted}; {found_collections(available)}")
