import pytest

from darktrigger.errors import MissingBranchError
from imaging.branches import BranchOverride, DepositBranches, find_branches

PAPER = {f"Track_PUcorr.{name}" for name in ("PT", "EtaOuter", "PhiOuter")} | {
    f"{tower}.{name}" for tower in ("ecalTower", "hcalTower") for name in ("ET", "Eta", "Phi")
}
STOCK = {f"Track.{name}" for name in ("PT", "EtaOuter", "PhiOuter", "IsPU")} | {
    f"Tower.{name}" for name in ("ET", "Eta", "Phi", "E", "Eem", "Ehad")
}
PARTICLE_FLOW = {f"EFlowTrack.{name}" for name in ("PT", "EtaOuter", "PhiOuter")} | {
    f"{flow}.{name}" for flow in ("EFlowPhoton", "EFlowNeutralHadron") for name in ("ET", "Eta", "Phi")
}
HT = {"ScalarHT.HT"}


def test_the_papers_card_wins_over_the_stock_one() -> None:
    branches = find_branches(PAPER | STOCK | HT | {"Event.Weight"}, BranchOverride(), "f.root")
    assert branches.trk.e_t == "Track_PUcorr.PT"
    assert branches.hcal is not None
    assert branches.hcal.numerator is None
    assert branches.weight == "Event.Weight"


def test_vertices_are_found_or_named() -> None:
    available = PAPER | HT | {"Vertex.Z"}
    assert find_branches(available, BranchOverride(), "f.root").vertices == "Vertex.Z"
    assert find_branches(PAPER | HT, BranchOverride(), "f.root").vertices is None
    mine = BranchOverride(vertices="PV.Z")
    assert find_branches(available | {"PV.Z"}, mine, "f.root").vertices == "PV.Z"
    with pytest.raises(MissingBranchError, match=r"PV\.Z is missing"):
        find_branches(available, mine, "f.root")


def test_stock_towers_are_shared_and_tracks_lose_pileup() -> None:
    branches = find_branches(STOCK | HT, BranchOverride(), "f.root")
    assert branches.ecal is not None
    assert branches.hcal is not None
    assert (branches.ecal.numerator, branches.hcal.numerator) == ("Tower.Eem", "Tower.Ehad")
    assert branches.trk.pileup == "Track.IsPU"
    assert branches.weight is None
    assert len(branches.names()) == len(set(branches.names()))


def test_particle_flow_is_the_last_resort() -> None:
    ecal = find_branches(PARTICLE_FLOW | HT, BranchOverride(), "f.root").ecal
    assert ecal is not None
    assert ecal.e_t == "EFlowPhoton.ET"


def test_missing_branches_are_named_with_what_was_found() -> None:
    with pytest.raises(MissingBranchError, match=r"f\.root: .*trk.*Track_PUcorr\.PT.*found collections: .*Tower"):
        find_branches({name for name in STOCK if not name.startswith("Track")} | HT, BranchOverride(), "f.root")
    with pytest.raises(MissingBranchError, match=r"ScalarHT\.HT is missing"):
        find_branches(STOCK, BranchOverride(), "f.root")


def test_override_is_taken_or_refused() -> None:
    mine = DepositBranches(e_t="My.PT", eta="My.Eta", phi="My.Phi")
    available = PAPER | HT | {"My.PT", "My.Eta", "My.Phi"}
    assert find_branches(available, BranchOverride(trk=mine), "f.root").trk == mine
    with pytest.raises(MissingBranchError, match=r"My\.PT"):
        find_branches(PAPER | HT, BranchOverride(trk=mine), "f.root")
    with pytest.raises(MissingBranchError, match=r"MyHT\.HT"):
        find_branches(PAPER | HT, BranchOverride(ht="MyHT.HT"), "f.root")
