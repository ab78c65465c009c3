"""The writer, and whether others read what it writes."""

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot
from numpy.typing import NDArray

from darktrigger.errors import DarktriggerError
from generation import delphes_file
from generation.delphes_file import DelphesWriter, read_metadata
from generation.detector import Collection, DelphesEvents, DetectorCard, simulate
from generation.events import GenEvents
from imaging.branches import BranchOverride, find_branches


@pytest.fixture(scope="module")
def result(make_events: Callable[..., GenEvents], cms: DetectorCard) -> DelphesEvents:
    particles = [
        (22, 50.0, 0.5, 1.0),
        (22, 45.0, -0.5, -2.0),
        (211, 20.0, 1.0, 0.0),
        (130, 40.0, 0.2, -1.0),
        (13, 30.0, 0.0, 2.0),
    ]
    return simulate(make_events(*[particles] * 20, []), None, 0.0, cms, np.random.default_rng(1))


@pytest.fixture(scope="module")
def path(result: DelphesEvents, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("file") / "events.root"
    with DelphesWriter(path) as writer:
        writer.write(result)
        writer.write(result)
        writer.metadata["process"] = "test"
    return path


def test_round_trip(path: Path, result: DelphesEvents) -> None:
    with uproot.open(path) as file:
        tree = file["Delphes"]
        assert tree.num_entries == 2 * len(result)
        for name, collection in result.collections.items():
            counts = np.diff(collection.offsets)
            np.testing.assert_array_equal(tree[f"{name}_size"].array(), np.tile(counts, 2))
            for member, values in collection.columns.items():
                array = tree[f"{name}.{member}"].array()
                np.testing.assert_array_equal(ak.to_numpy(ak.flatten(array)), np.concatenate([values, values]))
                np.testing.assert_array_equal(ak.num(array), np.tile(counts, 2))


def test_entry_numbers_are_not_mistaken_for_references(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A basket that starts at the entry whose number a reference happens to have (found with 2,000 events)."""
    numbers: list[int] = []
    refer_all = delphes_file._refer_all

    def spy(result: bytearray, begin: int, references: Mapping[int, int], n: int) -> None:
        numbers.extend(references)
        refer_all(result, begin, references, n)

    with monkeypatch.context() as patch:
        patch.setattr(delphes_file, "_refer_all", spy)
        write_scalars(tmp_path / "first.root", [3, 2])
    assert numbers
    for number in numbers:
        values = write_scalars(tmp_path / "again.root", [number, 2])
        with uproot.open(tmp_path / "again.root") as file:
            for name in ("Event.Number", "ScalarHT.HT", "MissingET.MET"):
                np.testing.assert_array_equal(ak.to_numpy(file["Delphes"][name].array())[:, 0], values)


def write_scalars(path: Path, sizes: list[int]) -> NDArray[np.int64]:
    with DelphesWriter(path) as writer:
        for start, size in zip(np.cumsum([0, *sizes[:-1]]), sizes, strict=True):
            column = np.arange(start, start + size, dtype=np.float32)
            members = {"Event": "Number", "ScalarHT": "HT", "MissingET": "MET"}
            writer.write(
                DelphesEvents({name: Collection(np.arange(size + 1), {key: column}) for name, key in members.items()})
            )
    return np.arange(sum(sizes))


def test_same_layout_as_real_delphes(path: Path, data: Path) -> None:
    with uproot.open(path) as ours, uproot.open(data / "qcd.root") as real:
        for name in ("Track_PUcorr.PT", "ecalTower.Edges[4]", "Jet.Mass", "ScalarHT.HT", "MissingET.MET"):
            assert ours["Delphes"][name].typename == real["Delphes"][name].typename
            assert any(key.endswith(f"/{name}") for key in ours["Delphes"].keys())  # noqa: SIM118
        assert ours["Delphes"].title == real["Delphes"].title


def test_contract(path: Path) -> None:
    wanted = {
        "Event": ("Number", "Weight", "CrossSection"),
        **dict.fromkeys(("Track", "Track_PUcorr"), ("PT", "Eta", "Phi", "EtaOuter", "PhiOuter", "Charge")),
        **dict.fromkeys(("ecalTower", "hcalTower"), ("ET", "Eta", "Phi", "E", "Edges[4]")),
        "EFlowTrack": ("PT", "Eta", "Phi", "Mass", "Charge"),
        **dict.fromkeys(("EFlowPhoton", "EFlowNeutralHadron"), ("ET", "Eta", "Phi", "E")),
        "Jet": ("PT", "Eta", "Phi", "Mass"),
        "MissingET": ("MET", "Eta", "Phi"),
        "ScalarHT": ("HT",),
        "Vertex": ("X", "Y", "Z", "T"),
    }
    with uproot.open(path) as file:
        for collection, members in wanted.items():
            for member in members:
                assert np.isfinite(
                    ak.to_numpy(ak.flatten(file["Delphes"][f"{collection}.{member}"].array(), axis=None))
                ).all()


def test_imaging_finds_the_branches(path: Path) -> None:
    with uproot.open(path) as file:
        found = find_branches([key.split("/")[-1] for key in file["Delphes"].keys()], BranchOverride(), "test")  # noqa: SIM118
    assert found.trk.eta == "Track_PUcorr.EtaOuter"
    assert found.weight == "Event.Weight"


@pytest.mark.parametrize("mode", ["eager", "virtual"])
def test_coffea_reads_it(path: Path, result: DelphesEvents, mode: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from coffea.nanoevents import DelphesSchema, NanoEventsFactory

        events = NanoEventsFactory.from_root({str(path): "Delphes"}, schemaclass=DelphesSchema, mode=mode).events()
        assert ak.to_list(ak.flatten(events.Jet.pt)[:3]) == result["Jet"].columns["PT"][:3].tolist()
        assert ak.to_list(events.MissingET.MET[:2]) == result["MissingET"].columns["MET"][:2].tolist()
        assert ak.to_list(events.ecalTower.Edges_4[0][0]) == result["ecalTower"].columns["Edges[4]"][0].tolist()
        assert ak.sum(ak.num(events.Track_PUcorr)) == 2 * result["Track_PUcorr"].offsets[-1]


def test_metadata(path: Path, data: Path) -> None:
    assert read_metadata(path) == {"process": "test"}
    assert read_metadata(data / "qcd.root") == {}


def test_nothing_is_left_of_a_failed_file(result: DelphesEvents, tmp_path: Path) -> None:
    def fail() -> None:
        with DelphesWriter(tmp_path / "events.root") as writer:
            writer.write(result)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_no_events_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DarktriggerError, match="no events"), DelphesWriter(tmp_path / "events.root"):
        pass
    assert list(tmp_path.iterdir()) == []
