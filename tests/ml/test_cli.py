from pathlib import Path

import onnx
from typer.testing import CliRunner, Result

from ml.cli import app
from ml.run_folder import read_config


def invoke(*arguments: object) -> Result:
    runner = CliRunner(env={"COLUMNS": "240"})
    return runner.invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)


def test_train_resume_and_export(background: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        "model: {filters: [8, 8], groups: 2}\ntraining: {batch_size: 16, validation_fraction: 0.2, epochs: 9}\n"
    )
    folder, model = tmp_path / "run", tmp_path / "model.onnx"
    result = invoke("train", "codae", background, "-o", folder, "--config", config, "--epochs", 1, "--seed", 7)
    assert result.exit_code == 0
    settings = read_config(folder, "codae").training
    assert (settings.epochs, settings.seed, settings.batch_size) == (1, 7, 16)
    assert invoke("train", "codae", background, "-o", folder, "--resume", "--epochs", 2).exit_code == 0
    assert len((folder / "metrics.csv").read_text().splitlines()) == 3
    assert invoke("export", folder, "-o", model, "--scores", "z1, z2").exit_code == 0
    assert [output.name for output in onnx.load(model).graph.output] == ["z1", "z2"]
    assert invoke("export", folder, "-o", model, "--scores", "z1, z2", "--reconstruction").exit_code == 0
    assert [output.name for output in onnx.load(model).graph.output] == ["z1", "z2", "reconstruction"]


def test_help_gives_defaults() -> None:
    assert "the paper's for the model, or as configured" in invoke("train", "--help").output
    assert "fp32" in invoke("export", "--help").output
