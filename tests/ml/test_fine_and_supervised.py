"""Training, resuming and exporting of the families beside the CoDAE."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from darktrigger.errors import ConfigError, TrainingError
from imaging.dense import model_input
from imaging.image_file import read_image_file
from ml import registry
from ml.calibration import read_calibration
from ml.config import RunConfig, run_config
from ml.events import Labelled
from ml.export import Scorer, export_run
from ml.module import Reconstruction
from ml.registry import family
from ml.run_folder import load_checkpoint, load_model, read_config, read_record
from ml.training import train
from ml.training_config import ContaminatedTraining

MODELS = {"convae": {"filters": [8, 6, 4, 4, 2]}, "cct": {"filters": [4, 8]}, "excess": {"hidden": 4}}
FAMILIES = sorted(MODELS)


def config(name: str, **training: object) -> RunConfig[Any]:
    settings = {"epochs": 2, "batch_size": 8, "validation_fraction": 0.25, "precision": "float32"}
    settings |= {"entries": {"modulo": 2, "keep": [0]}, **training}
    return run_config(name, {"model": MODELS.get(name, {}), "training": settings})


@pytest.fixture(scope="module")
def files(background: Path, signal: Path) -> dict[str, list[Path]]:
    return {"convae": [background], "cct": [background, signal], "excess": [background]}


@pytest.fixture(scope="module")
def runs(files: dict[str, list[Path]], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Run folder of each family."""
    folders = {name: tmp_path_factory.mktemp(name) for name in FAMILIES}
    for name, folder in folders.items():
        train(name, files[name], folder, config(name, epochs=4))
    return folders


def history(folder: Path) -> list[dict[str, str]]:
    rows = [line.split(",") for line in (folder / "metrics.csv").read_text().splitlines()]
    return [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]


@pytest.mark.parametrize("name", FAMILIES)
def test_training_learns_and_keeps_the_lowest_validation_loss(name: str, runs: dict[str, Path]) -> None:
    rows = history(runs[name])
    losses = [float(row["val_loss"]) for row in rows]
    assert float(rows[-1]["train_loss"]) < float(rows[0]["train_loss"])
    assert {row["val_ssim"] for row in rows} == {""}
    assert load_checkpoint(runs[name] / "best.ckpt")["epoch"] == int(np.argmin(losses))
    assert all((runs[name] / f"curves.{suffix}").stat().st_size for suffix in ("png", "pdf"))


def test_recipes() -> None:
    recipe = run_config("convae").training
    assert (recipe.learning_rate, recipe.batch_size, recipe.epochs) == (1e-2, 128, 100)
    assert (recipe.weight_decay, recipe.augmentation) == (0, False)
    assert isinstance(run_config("cct").training.events, Labelled)
    assert run_config("codae").training.learning_rate == 1e-3


@pytest.mark.parametrize("name", FAMILIES)
def test_resolved_config_is_read_back(name: str, runs: dict[str, Path]) -> None:
    assert read_config(runs[name], name) == config(name, epochs=4)


def test_record_counts_the_labels(runs: dict[str, Path], background: Path, signal: Path) -> None:
    expected = [int((read_image_file(path).entry % 2 == 0).sum()) for path in (background, signal)]
    assert read_record(runs["cct"]).labels == {0: expected[0], 2: expected[1]}
    assert read_record(runs["cct"]).events == sum(expected)
    assert read_record(runs["convae"]).labels == {0: expected[0]}


@pytest.mark.parametrize("name", FAMILIES)
def test_scores_are_calibrated_on_background_alone(name: str, runs: dict[str, Path]) -> None:
    calibration = read_calibration(runs[name])
    assert set(calibration.scores) == set(family(name).scores)
    assert calibration.events == round(read_record(runs[name]).labels[0] * 0.25)
    assert {score.direction for score in calibration.scores.values()} == {"higher"}


@pytest.mark.parametrize("step", [1, 3])
@pytest.mark.parametrize("name", FAMILIES)
def test_resumed_run_equals_an_uninterrupted_one(
    name: str, step: int, files: dict[str, list[Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(Exception):
        pass

    settings = config(name)
    train(name, files[name], tmp_path / "whole", settings)
    with monkeypatch.context() as patch:
        steps, original = iter(range(100)), Reconstruction.optimise

        def optimise(self: Reconstruction, *args: Any) -> None:
            if next(steps) == step:
                raise KilledError
            original(self, *args)

        patch.setattr(Reconstruction, "optimise", optimise)
        with pytest.raises(KilledError):
            train(name, files[name], tmp_path / "cut", settings)
    train(name, files[name], tmp_path / "cut", settings, resume=True)
    for checkpoint in ("last.ckpt", "best.ckpt"):
        one, other = (load_checkpoint(tmp_path / run / checkpoint)["state_dict"] for run in ("whole", "cut"))
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)
    for file in ("metrics.csv", "calibration.json"):
        assert (tmp_path / "whole" / file).read_bytes() == (tmp_path / "cut" / file).read_bytes()


@pytest.fixture(scope="module")
def exported(runs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("export")
    for name, run in runs.items():
        export_run(run, folder / f"{name}.onnx")
    return {name: folder / f"{name}.onnx" for name in runs}


def session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("n", [0, 1, 64])
@pytest.mark.parametrize("name", FAMILIES)
def test_torch_and_onnx_runtime_agree(
    name: str, n: int, exported: dict[str, Path], runs: dict[str, Path], background: Path, signal: Path
) -> None:
    events = [read_image_file(path).images for path in (background, signal)]
    images = np.concatenate([model_input(part, family(name).input_kind) for part in events])
    image_NCHW = np.resize(images, (n, *images.shape[1:]))
    with torch.inference_mode():
        expected = Scorer(load_model(runs[name]), family(name).scores)(torch.from_numpy(image_NCHW))
    model = session(exported[name])
    assert [output.name for output in model.get_outputs()] == list(family(name).scores)
    for found_N, expected_N in zip(model.run(None, {"image": image_NCHW}), expected, strict=True):
        assert found_N.dtype == np.float32
        assert found_N.shape == (n,)
        np.testing.assert_allclose(found_N, expected_N, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("name", FAMILIES)
def test_metadata(name: str, exported: dict[str, Path], runs: dict[str, Path]) -> None:
    metadata = json.loads(session(exported[name]).get_modelmeta().custom_metadata_map["darktrigger"])
    assert metadata["input"] == {
        "kind": family(name).input_kind,
        "normalisation": "none",
        "sums_channels": name == "cct",
    }
    labels = {str(label): count for label, count in read_record(runs[name]).labels.items()}
    assert metadata["training"]["labels"] == labels


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "precision"),
    # The excess has no convolutions for int8.
    [
        (name, precision)
        for name in FAMILIES
        for precision in ("fp16", "int8")
        if (name, precision) != ("excess", "int8")
    ],
)
def test_reduced_precision_ranks_events_alike(
    name: str, precision: str, exported: dict[str, Path], runs: dict[str, Path], background: Path, tmp_path: Path
) -> None:
    path = tmp_path / "reduced.onnx"
    export_run(runs[name], path, precision)
    image_NCHW = model_input(read_image_file(background).images, family(name).input_kind)
    for found_N, expected_N in zip(
        session(path).run(None, {"image": image_NCHW}),
        session(exported[name]).run(None, {"image": image_NCHW}),
        strict=True,
    ):
        assert np.isfinite(found_N).all()
        assert np.corrcoef(found_N, expected_N)[0, 1] > 0.9


@pytest.mark.parametrize("name", ["codae", "convae"])
def test_background_families_refuse_signal(name: str, background: Path, signal: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=rf"{re.escape(str(signal))}: labels 2 found; .* background only"):
        train(name, [background, signal], tmp_path, config(name))
    assert not (tmp_path / "run.json").exists()


def test_supervised_training_asks_for_signal(background: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"takes background .* and signal; found label 0 alone"):
        train("cct", [background], tmp_path, config("cct"))


def test_the_paper_recipe_survives_a_high_learning_rate(files: dict[str, list[Path]], tmp_path: Path) -> None:
    train("convae", files["convae"], tmp_path, config("convae", learning_rate=0.3, epochs=3))
    state = load_checkpoint(tmp_path / "last.ckpt")["state_dict"]
    assert all(torch.isfinite(tensor).all() for tensor in state.values())


def test_a_contaminated_family(background: Path, signal: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any family becomes weakly supervised by its training configuration."""
    spec = replace(registry.FAMILIES["codae"], training=ContaminatedTraining)
    monkeypatch.setitem(registry.FAMILIES, "weak", spec)
    settings = run_config(
        "weak",
        {
            "model": {"filters": [8, 8], "groups": 2, "z_channels": 4},
            "training": {"epochs": 1, "batch_size": 16, "contamination": 0.1, "precision": "float32"},
        },
    )
    train("weak", [background, signal], tmp_path, settings)
    labels = read_record(tmp_path).labels
    assert labels[2] == round(0.1 * labels[0])
    assert read_calibration(tmp_path).events == round(0.1 * labels[0])
    assert "contamination: 0.1" in (tmp_path / "config.yaml").read_text()
    with pytest.raises(ConfigError, match="unknown key 'contamination'"):
        run_config("codae", {"training": {"contamination": 0.1}})


@pytest.mark.parametrize("name", ["cct", "excess"])
def test_a_model_that_rebuilds_nothing_has_no_reconstruction_to_export(
    name: str, runs: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=f"a {name} rebuilds no image"):
        export_run(runs[name], tmp_path / "m.onnx", reconstruction=True)
