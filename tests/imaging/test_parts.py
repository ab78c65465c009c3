"""Images in parts: whoever does the work, and however often it is interrupted, the file is the same."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

import imaging.production
from darktrigger.cli import app
from darktrigger.errors import UnreadableFileError
from darktrigger.executors import ExecutorConfig, open_executor
from darktrigger.inputs import read_list, write_failed
from darktrigger.run_report import RunReport
from imaging.config import ImagingConfig, Selection
from imaging.convert import convert
from imaging.image_file import read_metadata
from imaging.parts import Part, Piece, make_part
from imaging.preprocess import look_at
from imaging.production import Limits
from imaging.sample import Sample

CONFIG = ImagingConfig(step_size="20 kB")


@pytest.fixture(autouse=True)
def _several_parts_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imaging.production, "_STEPS", 4)


@pytest.fixture
def paths(data: Path) -> list[str]:
    return [str(data / f"{name}.root") for name in ("qcd", "suep1000")]


@pytest.fixture
def reference(paths: list[str], tmp_path: Path) -> bytes:
    convert(paths, tmp_path / "reference.parquet", Sample(), CONFIG)
    return (tmp_path / "reference.parquet").read_bytes()


@pytest.mark.parametrize(
    "who",
    [
        ExecutorConfig(kind="futures", workers=2),
        pytest.param(ExecutorConfig(kind="futures", workers=4), marks=pytest.mark.slow),
        pytest.param(ExecutorConfig(kind="dask", workers=1), marks=pytest.mark.slow),
        pytest.param(ExecutorConfig(kind="dask", workers=2), marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_who_does_the_work_does_not_matter(
    who: ExecutorConfig, paths: list[str], reference: bytes, tmp_path: Path
) -> None:
    with open_executor(who) as executor:
        convert(paths, tmp_path / "images.parquet", Sample(), CONFIG, executor=executor)
    assert (tmp_path / "images.parquet").read_bytes() == reference
    assert not (tmp_path / "images.parquet.parts").exists()


def cut_short(content: bytes) -> bytes:
    return content[:100]


def one_bit_flipped(content: bytes) -> bytes:
    """In the middle, far from the footer: Arrow opens the file without complaint."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize("damage", [cut_short, one_bit_flipped])
def test_an_interrupted_conversion_takes_up_what_is_done(
    damage: Callable[[bytes], bytes], paths: list[str], reference: bytes, tmp_path: Path
) -> None:
    output = tmp_path / "images.parquet"

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(paths, output, Sample(), CONFIG, advance=interrupt)
    parts = sorted((tmp_path / "images.parquet.parts").iterdir())
    assert len(parts) > 1
    assert not output.exists()
    parts[0].write_bytes(damage(parts[0].read_bytes()))
    report = RunReport("image")
    convert(paths, output, Sample(), CONFIG, report=report)
    # A part that was damaged is made again.
    assert report.taken_up == len(parts) - 1 > 0
    assert report.tasks > len(parts)
    assert output.read_bytes() == reference


def test_other_settings_take_up_nothing(paths: list[str], tmp_path: Path) -> None:
    output = tmp_path / "images.parquet"
    bad = tmp_path / "bad.root"
    bad.write_bytes(b"not ROOT, for sure")
    convert([*paths, str(bad)], output, Sample(), CONFIG, skip_bad_files=True)
    report = RunReport("image")
    other = CONFIG.model_copy(update={"selection": Selection(ht_min=700.0)})
    convert(paths, output, Sample(), other, report=report)
    assert report.taken_up == 0


def test_a_repaired_file_is_all_that_is_left_to_do(paths: list[str], reference: bytes, tmp_path: Path) -> None:
    output, second = tmp_path / "images.parquet", tmp_path / "second.root"
    second.write_bytes(Path(paths[1]).read_bytes()[:50_000])
    first = RunReport("image")
    convert([paths[0], str(second)], output, Sample(), CONFIG, skip_bad_files=True, report=first)
    assert list(first.bad_files) == [str(second)]
    write_failed(tmp_path / "failed.txt", first.bad_files)
    assert "is truncated" in (tmp_path / "failed.txt").read_text()
    assert read_list(tmp_path / "failed.txt") == [str(second)]
    second.write_bytes(Path(paths[1]).read_bytes())
    again = RunReport("image")
    convert([paths[0], str(second)], output, Sample(), CONFIG, report=again)
    assert again.taken_up == first.tasks
    assert again.tasks > again.taken_up
    assert not (tmp_path / "images.parquet.parts").exists()
    write_failed(tmp_path / "failed.txt", again.bad_files)
    assert not (tmp_path / "failed.txt").exists()


def test_the_command_takes_the_list_that_it_wrote(
    paths: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DARKTRIGGER_CACHE", str(tmp_path / "cache"))
    bad, output = tmp_path / "bad.root", tmp_path / "i.parquet"
    bad.write_bytes(b"not ROOT, for sure")
    result = CliRunner().invoke(app, ["image", paths[0], str(bad), "-o", str(output), "--skip-bad-files"])
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "i.parquet.report.json").read_text())["bad_files"][0]["path"] == str(bad)
    assert list((tmp_path / "cache" / "filesets").iterdir())
    bad.write_bytes(Path(paths[1]).read_bytes())
    again = tmp_path / "again.parquet"
    result = CliRunner().invoke(app, ["image", "--files-from", f"{output}.failed.txt", "-o", str(again)])
    assert result.exit_code == 0, result.output
    assert read_metadata(again).events_read == 34
    assert CliRunner().invoke(app, ["image", "-o", str(again)]).exit_code == 2


def test_limits(paths: list[str], tmp_path: Path) -> None:
    convert(paths, tmp_path / "i.parquet", Sample(), CONFIG, limits=Limits(files=1))
    assert read_metadata(tmp_path / "i.parquet").events_read == 48
    convert(paths, tmp_path / "i.parquet", Sample(), CONFIG, limits=Limits(chunks=1))
    assert 0 < read_metadata(tmp_path / "i.parquet").events_read < 48


def test_a_file_that_changes_while_it_is_read(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "qcd.root"
    path.write_bytes((data / "qcd.root").read_bytes())

    def swap(piece: Piece) -> Part:
        part = make_part(piece)
        path.write_bytes((data / "svj3100.root").read_bytes())
        return part

    monkeypatch.setattr(imaging.production, "make_part", swap)
    with pytest.raises(UnreadableFileError, match=r"qcd\.root: changed while it was read"):
        convert([str(path)], tmp_path / "i.parquet", Sample(), ImagingConfig())


def test_what_a_file_holds_is_remembered_by_content(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    found = look_at(str(data / "qcd.root"), "Delphes", cache)
    assert found.entries == 48
    assert found.branches["Track_PUcorr.PT"] > 0
    (tmp_path / "copy.root").write_bytes((data / "qcd.root").read_bytes())
    monkeypatch.setattr("imaging.preprocess.open_delphes", None)
    assert look_at(str(tmp_path / "copy.root"), "Delphes", cache) == found
    with pytest.raises(TypeError):
        look_at(str(data / "qcd.root"), "Other", cache)


def test_a_report_adds_up_and_names_bad_files(paths: list[str], tmp_path: Path) -> None:
    report = RunReport("image", {"kind": "iterative"})
    convert(paths, tmp_path / "i.parquet", Sample(), CONFIG, report=report)
    report.bad_files["bad.root"] = "is truncated"
    report.write(tmp_path / "report.json")
    found = json.loads((tmp_path / "report.json").read_text())
    assert found["events"] == 48 + 34
    assert found["events_per_second"] == pytest.approx(found["events"] / found["seconds"], rel=0.05)
    assert 0 < found["bytes_read"] < 10 * sum(Path(path).stat().st_size for path in paths)
    assert "Track_PUcorr.PT" in found["columns"]
    assert found["tasks"] > 2
    assert found["peak_memory"]["main"] > 10
    assert found["bad_files"] == [{"path": "bad.root", "cause": "is truncated"}]
    assert replace(report).data()["phases"].keys() == {"look at files", "image"}


def test_jets_are_made_the_same_way(paths: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever does the work; what is done is taken up; failed files are listed."""
    monkeypatch.setattr(imaging.production, "_STEPS", 1)
    bad, config = tmp_path / "bad.root", tmp_path / "config.yaml"
    bad.write_bytes(b"no ROOT file")
    config.write_text("step_size: 60 kB\n")
    call = ["image-jets", "--config", str(config), "--pt-min", "100"]
    here, there = tmp_path / "here.parquet", tmp_path / "there.parquet"
    spoiled = CliRunner().invoke(app, [*call, str(bad), *paths, "-o", str(here), "--skip-bad-files"])
    assert spoiled.exit_code == 0
    assert f"skipped {bad}: is not a ROOT file" in spoiled.stderr
    assert read_list(f"{here}.failed.txt") == [str(bad)]
    n_parts = len(list(Path(f"{here}.parts").iterdir()))
    assert n_parts > 2
    assert CliRunner().invoke(app, [*call, *paths, "-o", str(here)]).exit_code == 0
    report = json.loads(Path(f"{here}.report.json").read_text())
    assert report["tasks"] == report["tasks_taken_up"] == n_parts
    assert not Path(f"{here}.failed.txt").exists()
    assert not Path(f"{here}.parts").exists()
    assert CliRunner().invoke(app, [*call, *paths, "-o", str(there), "--workers", "2"]).exit_code == 0
    assert there.read_bytes() == here.read_bytes()
