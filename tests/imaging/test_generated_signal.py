"""Signals that would be labelled background."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from darktrigger.cli import app
from darktrigger.errors import DarktriggerError
from generation.processes import PROCESSES
from imaging.generated_signal import sample_options, warn_of_signals
from imaging.image_file import read_image_file

SIGNALS = {"suep", "svj", "aachen", "heidelberg", "leptoquark", "a-to-4l", "h0-to-tautau", "hplus-to-taunu"}


def left_beside(path: Path, record: object) -> str:
    path.with_name(f"{path.name}.json").write_text(json.dumps(record))
    return str(path)


def test_every_signal_says_so() -> None:
    assert {name for name, process in PROCESSES.items() if process.is_signal} == SIGNALS


def test_signals_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    svj = left_beside(tmp_path / "svj.root", {"process": "svj", "signal": True})
    suep = left_beside(tmp_path / "suep.root", {"process": "suep", "signal": True})
    qcd = left_beside(tmp_path / "qcd.root", {"process": "qcd", "signal": False})
    warn_of_signals([qcd, svj, suep], 2)
    warn_of_signals([qcd], 0)
    assert not caplog.records
    warn_of_signals([qcd, svj, suep], 0)
    (record,) = caplog.records
    assert record.getMessage().startswith(f"{svj} and 1 more: generated as a signal, 'svj', and labelled 0, background")


@pytest.mark.parametrize("record", [[], {"process": "svj"}, {"signal": "yes"}, "signal", None])
def test_files_of_others_say_nothing(record: object, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = left_beside(tmp_path / "svj.root", record)
    warn_of_signals([path, str(tmp_path / "alone.root"), "root://eos.example//svj.root"], 0)
    (tmp_path / "svj.root.json").write_bytes(b"\xff{")
    warn_of_signals([path], 0)
    assert not caplog.records


SUEP = {"process": "suep", "signal": True, "process_settings": {"mass": 125.0}}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((None, None, None), ("suep", 125.0)),
        ((None, None, 300.0), ("suep", 300.0)),
        (("suep", None, None), ("suep", 125.0)),
        (("svj", None, None), ("svj", 0.0)),
        (("background", None, None), ("background", 0.0)),
        ((None, 7, None), (None, 0.0)),
    ],
)
def test_events_are_what_they_were_generated_as_unless_told_otherwise(
    given: tuple[str | None, int | None, float | None], expected: tuple[str | None, float], tmp_path: Path
) -> None:
    paths = [left_beside(tmp_path / f"{name}.root", SUEP) for name in ("a", "b")]
    assert sample_options(paths, *given) == expected


def test_background_and_files_of_others_need_no_process(tmp_path: Path) -> None:
    qcd = left_beside(tmp_path / "qcd.root", {"process": "qcd", "signal": False})
    assert sample_options([qcd, str(tmp_path / "alone.root")], None, None, None) == (None, 0.0)
    no_mass = left_beside(tmp_path / "mine.root", {"process": "mine", "signal": True})
    assert sample_options([no_mass], None, None, None) == ("mine", 0.0)


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"process": "qcd", "signal": False}, "not as a signal"),
        (SUEP | {"process_settings": {"mass": 200}}, "suep of 200 GeV"),
    ],
)
def test_one_label_for_several_processes_has_to_be_asked_for(
    other: dict[str, object], told: str, tmp_path: Path
) -> None:
    paths = [left_beside(tmp_path / "suep.root", SUEP), left_beside(tmp_path / "other.root", other)]
    with pytest.raises(DarktriggerError, match="different processes") as caught:
        sample_options(paths, None, None, None)
    assert f"{paths[0]} suep of 125 GeV" in str(caught.value)
    assert f"{paths[1]} {told}" in str(caught.value)
    assert sample_options(paths, "suep", None, None)[0] == "suep"


@pytest.mark.parametrize(
    ("command", "exit_code"),
    # The file has no electrons, which comes out after the warning.
    [("image", 0), ("image-objects", 1), ("image-jets", 0)],
)
def test_commands_warn(
    command: str, exit_code: int, data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "signal.root"
    shutil.copy(data / "svj3100.root", path)
    left_beside(path, {"process": "svj", "signal": True})
    for options, count in ((["--process", "svj", "--label", "6"], 0), (["--label", "0"], 1)):
        caplog.clear()
        done = CliRunner().invoke(app, [command, str(path), "-o", str(tmp_path / "out.parquet"), *options])
        assert done.exit_code == exit_code, done.output
        assert sum("generated as a signal" in record.getMessage() for record in caplog.records) == count


def test_image_labels_a_generated_signal(data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path, output = tmp_path / "signal.root", tmp_path / "signal.parquet"
    shutil.copy(data / "svj3100.root", path)
    left_beside(path, {"process": "svj", "signal": True, "process_settings": {"mass": 3100.0}})
    done = CliRunner().invoke(app, ["image", str(path), "-o", str(output)])
    assert done.exit_code == 0, done.output
    assert "events: svj of 3100 GeV, label 2" in done.output
    images = read_image_file(output)
    assert set(images.label) == {2}
    assert set(images.mass) == {3100.0}
    assert "generated as a signal" not in caplog.text


@pytest.mark.parametrize(("command", "least"), [("image", 3), ("image-objects", 3), ("image-jets", 6)])
def test_a_signal_without_a_label_of_its_own_is_an_error(command: str, least: int, data: Path, tmp_path: Path) -> None:
    path = tmp_path / "signal.root"
    shutil.copy(data / "svj3100.root", path)
    left_beside(path, {"process": "emerging", "signal": True})
    done = CliRunner().invoke(app, [command, str(path), "-o", str(tmp_path / "out.parquet")])
    assert done.exit_code == 1
    assert f"process 'emerging' has no label of its own: give --label, {least} or higher" in " ".join(
        str(done.exception).split()
    )
