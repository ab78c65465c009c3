"""Signals that would be labelled background."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from darktrigger.cli import app
from generation.processes import PROCESSES
from imaging.generated_signal import warn_of_signals

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
    for options, count in ((["--process", "svj", "--label", "6"], 0), ([], 1)):
        caplog.clear()
        done = CliRunner().invoke(app, [command, str(path), "-o", str(tmp_path / "out.parquet"), *options])
        assert done.exit_code == exit_code, done.output
        assert sum("generated as a signal" in record.getMessage() for record in caplog.records) == count
