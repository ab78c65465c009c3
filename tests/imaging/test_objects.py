"""Objects of real Delphes files, of events made by hand, and of the challenge's files."""

from pathlib import Path
from typing import Any

import awkward as ak
import h5py
import numpy as np
import pytest
import uproot
from typer.testing import CliRunner

from darktrigger.errors import BadValueError, MissingBranchError, UnreadableFileError
from imaging.dense import model_input
from imaging.events import Cutflow
from imaging.image_source import open_images
from imaging.objects.branches import ObjectConfig, ObjectOverride, find_object_branches
from imaging.objects.cli import app
from imaging.objects.convert import ObjectImagingConfig, convert_objects
from imaging.objects.events import build_objects
from imaging.objects.layout import N_INPUTS, SLOTS, slot_range
from imaging.objects.object_file import is_object_file, iterate_object_file, read_object_files, read_object_metadata
from imaging.objects.object_set import ObjectSet
from imaging.sample import Sample

JAGGED = {
    "Electron.PT": [[10.0, 40.0], [], [25.0]],
    "Electron.Eta": [[0.1, 0.2], [], [-1.0]],
    "Electron.Phi": [[1.1, 1.2], [], [3.0]],
    "Muon.PT": [[], [23.0], []],
    "Muon.Eta": [[], [2.0], []],
    "Muon.Phi": [[], [-2.0], []],
    "Jet.PT": [[30.0] * 12, [50.0], []],
    "Jet.Eta": [[0.5] * 12, [1.0], []],
    "Jet.Phi": [[0.0] * 12, [2.0], []],
    "MissingET.MET": [[5.0], [6.0], [7.0]],
    "MissingET.Phi": [[0.5], [0.6], [0.7]],
    "Track.EtaOuter": [[0.0, 2.6], [], [1.0]],
    "Track.PhiOuter": [[0.0, 2.6], [], [1.0]],
    "Track.PT": [[1.0, 2.6], [], [1.0]],
}


def build(changes: dict[str, Any] | None = None, **config: Any) -> tuple[ObjectSet, Cutflow]:
    arrays = {
        name: ak.values_astype(ak.Array(values), np.float32) for name, values in (JAGGED | (changes or {})).items()
    }
    selection = ObjectConfig(**config)
    branches = find_object_branches(set(arrays), selection, "made")
    return build_objects(arrays, branches, selection, "made", first_entry=100)


def test_layout_has_57_numbers() -> None:
    assert N_INPUTS == 57
    assert [slot for kind in SLOTS for slot in slot_range(kind)] == list(range(19))


def test_objects_are_sorted_padded_and_cut() -> None:
    events, cutflow = build()
    assert (cutflow.read, cutflow.selected) == (3, 2)  # a muon of exactly 23 GeV is not above it
    assert events.entry.tolist() == [100, 102]
    assert events.n_vertices.tolist() == [0, 0]
    with_vertices, _ = build({"Vertex.Z": [[0.0, 1.0], [0.0], [0.0, 2.0, 3.0]]})
    assert with_vertices.n_vertices.tolist() == [2, 3]
    first = events.images[0].reshape(19, 3)
    np.testing.assert_allclose(first[0], [5.0, 0.0, 0.5])
    np.testing.assert_allclose(first[1:3], [[40.0, 0.2, 1.2], [10.0, 0.1, 1.1]])
    assert not first[3:9].any()
    np.testing.assert_allclose(first[9:, 0], [30.0] * 10)
    assert events.ht.tolist() == [300.0, 0.0]
    assert events.n_tracks.tolist() == [1, 1]
    assert events.weight.tolist() == [1.0, 1.0]


def test_lower_threshold_lets_more_pass() -> None:
    assert len(build(lepton_pt_min=20)[0]) == 3


def test_isolation_is_asked_of_the_hard_lepton() -> None:
    isolation = {"Electron.IsolationVar": [[0.0, 0.5], [], [0.45]], "Muon.IsolationVar": [[], [0.1], []]}
    assert build(isolation)[0].entry.tolist() == [100, 102]
    # The isolated electron of the first event is too soft, and the hard one is not isolated.
    assert build(isolation, lepton_isolation_max=0.45)[0].entry.tolist() == [102]
    assert build(isolation, lepton_isolation_max=0.45, lepton_pt_min=5)[0].entry.tolist() == [100, 101, 102]
    corrected = {
        name.replace("Var", "VarRhoCorr"): [[0.2] * len(each) for each in rows] for name, rows in isolation.items()
    }
    assert build(isolation | corrected, lepton_isolation_max=0.45)[0].entry.tolist() == [100, 102]


def test_isolation_that_the_file_lacks_is_named() -> None:
    with pytest.raises(
        MissingBranchError, match=r"made.*need IsolationVarRhoCorr or IsolationVar of Electron and Muon"
    ):
        build({"Electron.IsolationVar": [[0.0, 0.5], [], [0.45]]}, lepton_isolation_max=0.45)
    nan = {"Electron.IsolationVar": [[0.0, 0.5], [], [0.45]], "Muon.IsolationVar": [[], [float("nan")], []]}
    with pytest.raises(BadValueError, match=r"Muon\.IsolationVar holds nan"):
        build(nan, lepton_isolation_max=0.45)


def test_phase_two_muons_come_first() -> None:
    tight = {name.replace("Muon", "MuonTight"): values for name, values in JAGGED.items() if "Muon" in name}
    branches = find_object_branches({*JAGGED, *tight}, ObjectConfig(), "made")
    assert branches.muon == "MuonTight"
    assert (
        find_object_branches({*JAGGED, *tight}, ObjectConfig(branches=ObjectOverride(muon="Muon")), "made").muon
        == "Muon"
    )


def test_missing_collection_names_what_was_found() -> None:
    available = {name for name in JAGGED if not name.startswith("Electron")}
    with pytest.raises(MissingBranchError, match=r"made.*no electrons; need Electron.*found collections: Jet, Missing"):
        find_object_branches(available, ObjectConfig(), "made")


def test_infinite_momentum_is_refused() -> None:
    with pytest.raises(BadValueError, match=r"Jet\.PT holds inf"):
        build({"Jet.PT": [[30.0] * 12, [float("inf")], []]})


def write_delphes(path: Path, jagged: dict[str, Any]) -> Path:
    with uproot.recreate(path) as file:
        fields: dict[str, dict[str, ak.Array]] = {}
        for name, values in jagged.items():
            collection, member = name.split(".")
            fields.setdefault(collection, {})[member] = ak.values_astype(ak.Array(values), np.float32)
        tree = {collection: ak.zip(members) for collection, members in fields.items()}
        types = {collection: array.type.content for collection, array in tree.items()}
        file.mktree(
            "Delphes",
            types,
            counter_name=lambda name: f"{name}_size",
            field_name=lambda outer, inner: f"{outer}.{inner}",
        )
        file["Delphes"].extend(tree)
    return path


@pytest.fixture
def delphes(tmp_path: Path) -> Path:
    return write_delphes(tmp_path / "made.root", JAGGED)


def test_command_asks_for_isolated_leptons(delphes: Path, tmp_path: Path) -> None:
    isolation = {"Electron.IsolationVar": [[0.0, 0.5], [], [0.45]], "Muon.IsolationVar": [[], [0.1], []]}
    isolated = write_delphes(tmp_path / "isolated.root", JAGGED | isolation)
    output = tmp_path / "objects.parquet"
    option = ["-o", str(output), "--lepton-isolation-max", "0.45"]
    found = CliRunner().invoke(app, [str(isolated), *option], catch_exceptions=False)
    assert "1 of 3 events with a lepton above 23 GeV, isolation up to 0.45" in found.output
    assert "Muon.IsolationVar" in found.output
    assert read_object_files([output]).entry.tolist() == [2]
    assert read_object_metadata(output).selection.lepton_isolation_max == 0.45
    refused = CliRunner().invoke(app, [str(delphes), *option])
    assert isinstance(refused.exception, MissingBranchError)


def test_command_and_file(delphes: Path, tmp_path: Path) -> None:
    output = tmp_path / "objects.parquet"
    arguments = [
        "image-objects",
        str(delphes),
        "-o",
        str(output),
        "--process",
        "a-to-4l",
        "--label",
        "3",
        "--mass",
        "50",
    ]
    from darktrigger.cli import app as whole

    result = CliRunner().invoke(whole, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "2 of 3 events with a lepton above 23 GeV" in result.output
    assert "Electron.PT" in result.output
    assert app.registered_commands[0].name == "image-objects"
    metadata = read_object_metadata(output)
    assert metadata.label_names[3] == "a-to-4l"
    assert metadata.source_files[0].branches.muon == "Muon"
    events = read_object_files([output, output])
    assert events.label.tolist() == [3] * 4
    assert events.mass.tolist() == [50.0] * 4
    np.testing.assert_array_equal(events.images[:2], build()[0].images)
    assert [len(part) for part in iterate_object_file(output, 1)] == [1, 1]
    assert is_object_file(output)
    source = open_images(output)
    assert source.has_objects
    (part,) = source.iterate(10)
    np.testing.assert_array_equal(model_input(part.images, "objects"), events.images[:2])


def test_files_without_leptons_say_so(data: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingBranchError, match=r"qcd\.root.*no electrons"):
        convert_objects([str(data / "qcd.root")], tmp_path / "real.parquet", Sample(), ObjectImagingConfig())


def test_bad_file_is_left_out(delphes: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.root"
    bad.write_bytes(b"no ROOT file")
    done = convert_objects(
        [str(bad), str(delphes)], tmp_path / "o.parquet", Sample(), ObjectImagingConfig(), skip_bad_files=True
    )
    assert [file.path for file in done.skipped_files] == [str(bad)]
    assert done.events_selected == 2


def test_challenge_layout(tmp_path: Path) -> None:
    particles = np.zeros((5, 19, 4), dtype=np.float32)
    particles[:, 0] = [30.0, 0.0, 1.0, 1]
    particles[:, 9] = [50.0, -1.0, 2.0, 4]
    path = tmp_path / "background.h5"
    with h5py.File(path, "w") as file:
        file["Particles"] = particles
    events = read_object_files([path])
    np.testing.assert_array_equal(events.images.reshape(5, 19, 3), particles[:, :, :3])
    assert events.ht.tolist() == [50.0] * 5
    assert events.entry.tolist() == [0, 1, 2, 3, 4]
    assert open_images(path).label_names == {0: "background"}


def test_other_hdf5_says_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        file["Jets"] = np.zeros((2, 3))
    with pytest.raises(UnreadableFileError, match=r"no data set 'Particles'.*found: Jets \(2, 3\)"):
        read_object_files([path])
    path.write_bytes(b"nothing")
    with pytest.raises(UnreadableFileError, match="cannot be read as HDF5"):
        read_object_files([path])
