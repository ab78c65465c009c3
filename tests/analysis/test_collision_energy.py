"""The energy on plots is the one that the events were generated at."""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from analysis.collision_energy import energies_of, told
from analysis.config import AnalysisConfig, StyleConfig
from analysis.estimation.config import EstimateConfig
from darktrigger.cli import app
from imaging.generation_record import generated_energy


def generated(folder: Path, data: Path, name: str, energy: object) -> Path:
    """A Delphes file with what ``generate`` leaves beside it."""
    path = Path(shutil.copy(data / f"{name}.root", folder))
    record = {"process": name, "signal": name != "qcd", "process_settings": {"energy": energy}}
    path.with_name(f"{path.name}.json").write_text(json.dumps(record))
    return path


@pytest.mark.parametrize(
    ("energies", "expected"), [([13_000.0] * 3, 13), ([13_000.0, 14_000.0], None), ([13_000.0, None], None), ([], None)]
)
def test_files_have_to_agree(energies: list[float | None], expected: float | None) -> None:
    assert told(StyleConfig(), energies).energy == expected
    assert told(StyleConfig(energy=7), energies).energy == 7


@pytest.mark.parametrize("energy", ["high", None, True, [13_000]])
def test_records_of_others_tell_nothing(energy: object, data: Path, tmp_path: Path) -> None:
    assert generated_energy(str(generated(tmp_path, data, "qcd", energy))) is None
    assert generated_energy("root://eos.example//qcd.root") is None


@pytest.mark.parametrize("command", ["image", "image-jets"])
def test_files_of_events_remember_it(command: str, data: Path, tmp_path: Path) -> None:
    path = generated(tmp_path, data, "qcd", 13_000)
    told_by, silent = tmp_path / "told.parquet", tmp_path / "silent.parquet"
    for source, output in ((path, told_by), (data / "qcd.root", silent)):
        done = CliRunner().invoke(app, [command, str(source), "-o", str(output)])
        assert done.exit_code == 0, done.output
    assert energies_of(str(told_by)) == {13_000.0}
    assert energies_of(str(silent)) == {None}


def test_the_papers_files_tell_nothing(shared: Path) -> None:
    files = sorted((shared / "paper-events").rglob("*.npz"))
    if not files:
        pytest.skip(f"needs the paper's events in {shared / 'paper-events'}")
    assert energies_of(str(files[0])) == {None}


def test_commands_state_it(data: Path, trigger_path: Path, tmp_path: Path) -> None:
    names = ("qcd", "svj3100")
    paths = {name: generated(tmp_path, data, name, 14_000) for name in names}
    fileset = {name: {"files": [str(path)], "metadata": {"process": name[:3]}} for name, path in paths.items()}
    (tmp_path / "fileset.yaml").write_text(yaml.safe_dump(fileset))
    images = []
    for name, path in paths.items():
        images.append(str(path.with_suffix(".parquet")))
        assert CliRunner().invoke(app, ["image", str(path), "-o", images[-1], "--process", name[:3]]).exit_code == 0
    (tmp_path / "few.yaml").write_text("dominance: {subsets: 20, bootstraps: 20}")
    (tmp_path / "wide.yaml").write_text("{efficiencies: [0.5], working_point: 0.5}")
    calls = {
        "analyze": [str(tmp_path / "fileset.yaml"), "--trigger", str(trigger_path)],
        "evaluate": [str(trigger_path), *images, "--config", str(tmp_path / "few.yaml")],
        "estimate": [str(trigger_path), *images, "--scores", "pixel_sum", "total_e_t_hcal", "--weights", "unit"],
    }
    calls["estimate"] += ["--truth", "closing", "--experiments", "2", "--config", str(tmp_path / "wide.yaml")]
    for command, arguments in calls.items():
        done = CliRunner().invoke(app, [command, *arguments, "-o", str(tmp_path / command)])
        assert done.exit_code == 0, (command, done.output)
    assert AnalysisConfig.from_yaml(tmp_path / "analyze" / "config.yaml").style.energy == 14
    assert EstimateConfig.from_yaml(tmp_path / "estimate" / "config.yaml").style.energy == 14
    evaluation = json.loads((tmp_path / "evaluate" / "evaluation.json").read_text())
    assert evaluation["config"]["style"]["energy"] == 14
