"""From files to the jet image file: branches, bad input, the command line."""

from collections.abc import Callable
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot
from typer.testing import CliRunner

from darktrigger.cli import app
from darktrigger.errors import DarktriggerError, InputFileError, MissingBranchError
from imaging.jets.branches import ConstituentBranches, JetBranchOverride, find_jet_branches
from imaging.jets.clustering import Particles
from imaging.jets.config import JetConfig, JetSelection
from imaging.jets.convert import JetSample, convert_jets
from imaging.jets.events import build_jets, jets_of_particles
from imaging.jets.jet_file import read_jet_files, read_jet_metadata

FLOW = [
    f"{name}.{member}"
    for name, members in {"EFlowTrack": ("PT", "Eta", "Phi"), "EFlowPhoton": ("ET", "Eta", "Phi")}.items()
    for member in members
] + [f"EFlowNeutralHadron.{member}" for member in ("ET", "Eta", "Phi")]
TOWERS = [f"{name}.{member}" for name in ("ecalTower", "hcalTower") for member in ("ET", "Eta", "Phi")]
LOW = JetConfig(selection=JetSelection(pt_min=50.0, pt_max=5000.0, jets_per_event=2))


def test_particle_flow_is_preferred_and_towers_stand_in() -> None:
    nothing = JetBranchOverride()
    both = find_jet_branches([*FLOW, *TOWERS, "Event.Weight"], nothing, "f.root")
    assert both.constituents.names() == FLOW
    assert both.weight == "Event.Weight"
    assert find_jet_branches([*FLOW, "EFlowTrack.Mass"], nothing, "f.root").constituents.kinds[0].mass
    towers = find_jet_branches(TOWERS, nothing, "f.root")
    assert towers.constituents.names() == TOWERS
    assert towers.weight is None


def test_override_and_what_is_missing() -> None:
    mine = JetBranchOverride(constituents=(ConstituentBranches(pt="Puppi.PT", eta="Puppi.Eta", phi="Puppi.Phi"),))
    names = ["Puppi.PT", "Puppi.Eta", "Puppi.Phi"]
    assert find_jet_branches([*names, *FLOW], mine, "f.root").constituents.names() == names
    with pytest.raises(MissingBranchError, match=r"constituents of jets; need Puppi\.PT.*found collections: EFlow"):
        find_jet_branches(FLOW, mine, "f.root")
    with pytest.raises(MissingBranchError, match=r"branch W\.W is missing"):
        find_jet_branches(FLOW, JetBranchOverride(weight="W.W"), "f.root")


def test_kinds_of_constituents_are_joined_event_by_event() -> None:
    branches = find_jet_branches([*FLOW, "Event.Weight"], JetBranchOverride(), "f.root")
    arrays = {
        "EFlowTrack.PT": [[100.0, 0.0], []],
        "EFlowTrack.Eta": [[0.0, 1.0], []],
        "EFlowTrack.Phi": [[0.0, 1.0], []],
        "EFlowPhoton.ET": [[50.0], [80.0]],
        "EFlowPhoton.Eta": [[0.1], [-1.0]],
        "EFlowPhoton.Phi": [[0.1], [2.0]],
        "EFlowNeutralHadron.ET": [[], [20.0]],
        "EFlowNeutralHadron.Eta": [[], [-1.0]],
        "EFlowNeutralHadron.Phi": [[], [2.0]],
        "Event.Weight": [[0.5], [2.0]],
    }
    chunk = {name: ak.Array(values) for name, values in arrays.items()}
    jets, cutflow = build_jets(chunk, branches, LOW.selection, "f.root", 10)
    assert jets.pt == pytest.approx([149.8, 100], abs=0.2)
    assert jets.n_constituents.tolist() == [2, 2]
    assert jets.entry.tolist() == [10, 11]
    assert jets.weight.tolist() == [0.5, 2.0]
    assert cutflow == (2, 2, 2.5, 2.5)
    assert jets.images[[1]].nnz == 1


def test_particle_lists_need_no_file() -> None:
    jets = jets_of_particles(
        Particles(np.array([0, 2]), *np.array([[60.0, 0], [0, 1], [0, 0], [60, 1]])), LOW.selection
    )
    assert jets.pt == pytest.approx([60])
    assert jets.weight.tolist() == [1]


def test_command_line_from_end_to_end(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "jets.parquet"
    arguments = ["image-jets", str(data / "qcd.root"), "-o", str(output), "--window", "dark", "--pt-max", "1000"]
    result = CliRunner().invoke(app, [*arguments, "--process", "qcd"])
    assert result.exit_code == 0, result.output
    assert "jets of 150 to 1000 GeV from 48 events" in result.output
    assert "constituents: ecalTower.ET" in result.output
    jets, metadata = read_jet_files([output]), read_jet_metadata(output)
    assert len(jets) == metadata.jets_selected > 20
    assert metadata.selection == JetSelection(pt_min=150, pt_max=1000)
    assert ((jets.pt > 150) & (jets.pt < 1000) & (np.abs(jets.eta) < 2) & (jets.jet == 0)).all()
    assert (np.diff(jets.entry.astype(int)) > 0).all()
    # Most of a jet is on its image, and most of that lower left.
    share = jets.images.sum(axis=1) / jets.pt
    assert 0.8 < np.median(share) < 1.1
    images_NHW = jets.images.toarray().reshape(-1, 40, 40)
    quadrants = [images_NHW[:, r : r + 20, c : c + 20].sum(axis=(1, 2)) for r in (20, 0) for c in (0, 20)]
    assert (np.argmax(quadrants, axis=0) == 0).mean() > 0.9


def test_chunks_do_not_matter(data: Path, tmp_path: Path) -> None:
    for name, step_size in (("small", "20 kB"), ("large", "1 GB")):
        config = LOW.model_copy(update={"step_size": step_size})
        convert_jets([str(data / "qcd.root")], tmp_path / name, JetSample(), config)
    small, large = (read_jet_files([tmp_path / name]) for name in ("small", "large"))
    np.testing.assert_array_equal(small.pt, large.pt)
    np.testing.assert_array_equal(small.entry, large.entry)
    assert (small.images != large.images).nnz == 0


def write_towers(path: Path, *, drop: str = "", bad: float = 100.0) -> None:
    rows = {
        name: ak.Array(
            [
                [
                    {
                        m: bad if (name, m) == ("hcalTower", "ET") else 1.0
                        for m in ("ET", "Eta", "Phi")
                        if f"{name}.{m}" != drop
                    }
                ]
            ]
        )
        for name in ("ecalTower", "hcalTower")
    }
    with uproot.recreate(path) as file:
        names = {"counter_name": lambda name: f"{name}_size", "field_name": lambda outer, inner: f"{outer}.{inner}"}
        file.mktree("Delphes", {name: array.type.content for name, array in rows.items()}, **names)
        file["Delphes"].extend(rows)


CASES: dict[str, tuple[Callable[[Path], object], str]] = {
    "absent": (lambda path: None, "no such file"),
    "not ROOT": (lambda path: path.write_bytes(b"PAR1 this is no ROOT file"), "is not a ROOT file"),
    "missing branch": (
        lambda path: write_towers(path, drop="hcalTower.Phi"),
        "no branches for the constituents of jets",
    ),
    "NaN": (lambda path: write_towers(path, bad=np.nan), "hcalTower.ET holds nan"),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_input(case: str, tmp_path: Path) -> None:
    spoil, cause = CASES[case]
    bad, good, output = tmp_path / "bad.root", tmp_path / "good.root", tmp_path / "out" / "jets.parquet"
    spoil(bad)
    write_towers(good)
    with pytest.raises(InputFileError, match=f"{bad}: .*{cause}"):
        convert_jets([str(bad)], output, JetSample(), LOW)
    assert not output.parent.exists() or list(output.parent.iterdir()) == []
    done = convert_jets([str(bad), str(good)], output, JetSample(), LOW, skip_bad_files=True)
    assert cause in done.skipped_files[0].cause
    assert done.jets_selected == len(read_jet_files([output])) == 1
    with pytest.raises(DarktriggerError, match="no usable input file"):
        convert_jets([str(bad)], output, JetSample(), LOW, skip_bad_files=True)


def test_nothing_selected_is_a_warning(data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = JetConfig(selection=JetSelection(pt_min=6000.0, pt_max=6500.0))
    convert_jets([str(data / "qcd.root")], tmp_path / "jets.parquet", JetSample(), config)
    assert "no jet of 6000 to 6500 GeV" in caplog.text
    assert len(read_jet_files([tmp_path / "jets.parquet"])) == 0


@pytest.mark.parametrize(
    ("options", "code", "cause"),
    [
        (["--process", "wprime"], 1, "process 'wprime' has no label of its own"),
        (["--pt-min", "700"], 1, "pt_min 700 GeV is not below pt_max 650 GeV"),
        (["--window", "wide"], 2, "'wide' is not one of"),
    ],
)
def test_bad_options(data: Path, tmp_path: Path, options: list[str], code: int, cause: str) -> None:
    result = CliRunner().invoke(app, ["image-jets", str(data / "qcd.root"), "-o", str(tmp_path / "j"), *options])
    assert result.exit_code == code
    assert cause in result.output + result.stderr + str(result.exception)
