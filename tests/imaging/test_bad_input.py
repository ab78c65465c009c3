"""Every kind of bad file: a clear error that names it, nothing half-written, or skipped and reported."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot
from typer.testing import CliRunner

import imaging.convert
from darktrigger.cli import app, main
from darktrigger.errors import DarktriggerError, InputFileError, UnreadableFileError
from imaging.config import ImagingConfig, Selection
from imaging.convert import convert
from imaging.delphes_file import check_sound
from imaging.events import build_images
from imaging.image_file import read_image_file, read_metadata
from imaging.sample import Sample

N_EVENTS = 3
JAGGED = {
    "Track_PUcorr": ("PT", "EtaOuter", "PhiOuter"),
    "ecalTower": ("ET", "Eta", "Phi"),
    "hcalTower": ("ET", "Eta", "Phi"),
    "ScalarHT": ("HT",),
}


def write_delphes(
    path: Path,
    *,
    tree: str = "Delphes",
    drop: str = "",
    n_events: int = N_EVENTS,
    bad: float = 1.0,
    phi: float = 1.0,
    repeat: int = 1,
) -> None:
    """A small file in Delphes' layout; ``bad`` takes the place of the last hcalTower.ET, and ``phi`` of its Phi."""
    rows = {}
    for collection, members in JAGGED.items():
        counts = np.full(n_events, 1 if collection == "ScalarHT" else 4)
        values = np.full(counts.sum(), 600.0 if collection == "ScalarHT" else 1.0, dtype=np.float32)
        columns = {name: values.copy() for name in members if f"{collection}.{name}" != drop}
        if collection == "hcalTower" and n_events:
            columns["ET"][-1] = bad
            if "Phi" in columns:
                columns["Phi"][-1] = phi
        rows[collection] = ak.unflatten(ak.zip(columns), counts)
    with uproot.recreate(path) as file:
        names = {"counter_name": lambda name: f"{name}_size", "field_name": lambda outer, inner: f"{outer}.{inner}"}
        file.mktree(tree, {name: array.type.content for name, array in rows.items()}, **names)
        for _ in range(repeat if n_events else 0):
            file[tree].extend(rows)


def not_root(path: Path) -> None:
    path.write_bytes(b"PAR1 this is no ROOT file")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def truncated(path: Path) -> None:
    write_delphes(path, n_events=2000)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def corrupted(path: Path) -> None:
    write_delphes(path, n_events=2000)
    content = bytearray(path.read_bytes())
    middle = slice(len(content) // 4, 3 * len(content) // 4)
    content[middle] = bytes(len(content[middle]))
    path.write_bytes(content)


CASES: dict[str, tuple[Callable[[Path], None], str]] = {
    "absent": (lambda path: None, "no such file"),
    "not ROOT": (not_root, "is not a ROOT file"),
    "zero bytes": (empty, "is not a ROOT file"),
    "truncated": (truncated, "is truncated"),
    "corrupted": (corrupted, "damaged"),
    "no tree": (lambda path: write_delphes(path, tree="Events"), "no tree 'Delphes'; found: Events"),
    "empty tree": (lambda path: write_delphes(path, n_events=0), "holds no events"),
    "missing branch": (lambda path: write_delphes(path, drop="hcalTower.Phi"), "no branches for the hcal image"),
    "NaN": (lambda path: write_delphes(path, bad=np.nan), "hcalTower.ET holds nan"),
    "no angle": (lambda path: write_delphes(path, phi=1e38), "which is no angle"),
    "infinity": (lambda path: write_delphes(path, bad=-np.inf), "hcalTower.ET holds -inf"),
}


@pytest.mark.parametrize("case", CASES)
def test_error_names_file_and_cause(case: str, tmp_path: Path) -> None:
    spoil, cause = CASES[case]
    path, output = tmp_path / "bad.root", tmp_path / "out" / "images.parquet"
    spoil(path)
    with pytest.raises(InputFileError, match=f"{path}: .*{cause}"):
        convert([str(path)], output, Sample(), ImagingConfig())
    assert not output.parent.exists() or list(output.parent.iterdir()) == []


@pytest.mark.parametrize("case", CASES)
def test_bad_file_is_skipped_and_reported(case: str, tmp_path: Path) -> None:
    spoil, cause = CASES[case]
    good, bad, output = (tmp_path / name for name in ("good.root", "bad.root", "images.parquet"))
    write_delphes(good)
    spoil(bad)
    convert([str(bad), str(good)], output, Sample(), ImagingConfig(), skip_bad_files=True)
    assert len(read_image_file(output)) == N_EVENTS
    metadata = read_metadata(output)
    assert [Path(file.path).name for file in metadata.source_files] == ["good.root"]
    assert [Path(file.path).name for file in metadata.skipped_files] == ["bad.root"]
    assert cause in metadata.skipped_files[0].cause


def test_a_file_that_turns_bad_half_way_leaves_no_events_behind(tmp_path: Path) -> None:
    good, bad, output = (tmp_path / name for name in ("good.root", "bad.root", "images.parquet"))
    write_delphes(good)
    write_delphes(bad, n_events=500, bad=np.nan)
    config = ImagingConfig(step_size="1 kB")
    convert([str(bad), str(good)], output, Sample(), config, skip_bad_files=True)
    assert len(read_image_file(output)) == N_EVENTS


def test_a_file_that_vanishes_half_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second file goes while the first is read; and a file loses its end while it is read."""
    first, second = tmp_path / "first.root", tmp_path / "second.root"
    for path in (first, second):
        write_delphes(path, n_events=1000, repeat=20)
    output = tmp_path / "out" / "images.parquet"

    with pytest.raises(InputFileError, match=r"second\.root: no such file"):
        convert([str(first), str(second)], output, Sample(), ImagingConfig(), advance=lambda _: second.unlink())

    def cut_the_file(*arguments: Any) -> object:
        with first.open("r+b") as stream:
            stream.truncate(size // 3)
        return build_images(*arguments)

    size = first.stat().st_size
    monkeypatch.setattr(imaging.convert, "build_images", cut_the_file)
    with pytest.raises(InputFileError, match=r"first\.root: (is truncated|cannot be read)"):
        convert([str(first)], output, Sample(), ImagingConfig(step_size="20 kB"))
    # What was read before waits to be taken up.
    assert [path.name for path in output.parent.iterdir()] == ["images.parquet.parts"]
    assert {path.suffix for path in (tmp_path / "out" / "images.parquet.parts").iterdir()} == {".parquet"}


def test_no_usable_file_at_all(tmp_path: Path) -> None:
    not_root(tmp_path / "bad.root")
    with pytest.raises(DarktriggerError, match=r"no usable input file:\n.*bad\.root: is not a ROOT file"):
        convert([str(tmp_path / "bad.root")], tmp_path / "o.parquet", Sample(), ImagingConfig(), skip_bad_files=True)
    assert not (tmp_path / "o.parquet").exists()


def test_nothing_selected_is_a_warning_and_a_valid_empty_file(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = ImagingConfig(selection=Selection(ht_min=1e6))
    metadata = convert([str(data / "qcd.root")], tmp_path / "images.parquet", Sample(), config)
    assert "no event has HT > 1e+06 GeV" in caplog.text
    assert len(read_image_file(tmp_path / "images.parquet")) == metadata.events_selected == 0
    assert metadata.events_read == 48


def test_output_folder_that_cannot_be_written(data: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DarktriggerError, match="cannot be written"):
        convert([str(data / "qcd.root")], tmp_path / "file" / "images.parquet", Sample(), ImagingConfig())


def test_command_line_skips_or_exits_with_1(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(data / "svj3100.root", tmp_path)
    not_root(tmp_path / "bad.root")
    arguments = [
        "image",
        str(tmp_path / "*.root"),
        "-o",
        str(tmp_path / "i.parquet"),
        "--process",
        "svj",
        "--mass",
        "3100",
    ]
    result = CliRunner().invoke(app, [*arguments, "--skip-bad-files"])
    assert result.exit_code == 0, result.output
    assert "bad.root: is not a ROOT file" in result.stderr
    images = read_image_file(tmp_path / "i.parquet")
    assert set(images.label) == {2}
    assert set(images.mass) == {3100}
    monkeypatch.setattr("sys.argv", ["darktrigger", *arguments])
    with pytest.raises(SystemExit, match="1"):
        main()
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert "bad.root" in message
    assert "Traceback" not in message


def test_lists_longer_than_their_values() -> None:
    """What uproot made of a damaged basket (fuzzing, root, seed 10, case 72); to compute with it ended Python."""
    values = ak.contents.NumpyArray(np.arange(3.0))
    sound, damaged = (
        ak.Array(ak.contents.ListArray(ak.index.Index64([0, 2]), ak.index.Index64([2, stop]), values))
        for stop in (3, 530_766_631)
    )
    check_sound(sound, "ecalTower.Eta", "events.root")
    with pytest.raises(
        UnreadableFileError, match=r"events\.root: is a damaged ROOT file \(branch ecalTower\.Eta: lists"
    ):
        check_sound(damaged, "ecalTower.Eta", "events.root")
