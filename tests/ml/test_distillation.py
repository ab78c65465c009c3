"""Training, resuming and exporting of a student of a teacher made by hand (the number of lit pixels)."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray

from analysis.trigger import Trigger
from darktrigger.errors import ConfigError, ModelFileError, TrainingError
from darktrigger.files import fingerprint
from imaging.dense import model_input
from imaging.image_file import read_image_file
from ml.calibration import read_calibration
from ml.config import RunConfig, run_config
from ml.data import ImageData, load_background
from ml.distillation import DistillationBatches, read_targets, standardise
from ml.export import Scorer, export_run
from ml.module import Reconstruction
from ml.run_folder import load_checkpoint, load_model, read_config, read_record
from ml.teacher import Teacher
from ml.training import train
from ml.training_config import DistillationTraining

#: The fixture's type: makes a run's configuration of training settings.
Configure = Callable[..., RunConfig[Any]]

KINDS = ("coarse mask", "coarse E_T")


@pytest.fixture(scope="session")
def config(teacher: Path) -> Configure:
    def build(kind: str = "coarse mask", **training: object) -> RunConfig[Any]:
        settings = {"epochs": 2, "batch_size": 8, "validation_fraction": 0.25, "precision": "float32"}
        settings |= {"teacher": str(teacher), "score": "lit", "entries": {"modulo": 2, "keep": [0]}, **training}
        return run_config(
            "student", {"model": {"input": kind, "filters": [4, 8], "hidden": 16}, "training": settings}, "test"
        )

    return build


#: Enough for the student to learn something from a few dozen events.
LONG = {"epochs": 15, "learning_rate": 1e-2, "overlays": {"fraction": 3}, "entries": {}}


@pytest.fixture(scope="module")
def runs(background: Path, config: Configure, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Run folder of a student of each input."""
    folders = {kind: tmp_path_factory.mktemp("student") for kind in KINDS}
    for kind, folder in folders.items():
        train("student", [background], folder, config(kind, **LONG))
    return folders


def lit(data: ImageData) -> NDArray[Any]:
    return np.asarray((data.pixels > 0).sum(axis=1)).ravel()


@pytest.fixture(scope="module")
def exported(runs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("export")
    paths = {kind: folder / f"{index}.onnx" for index, kind in enumerate(KINDS)}
    for kind, path in paths.items():
        export_run(runs[kind], path)
    return paths


@pytest.mark.parametrize("kind", KINDS)
def test_student_learns_its_teacher_and_signal_lies_where_the_teacher_puts_it(
    kind: str, exported: dict[str, Path], background: Path, signal: Path
) -> None:
    trigger, found, expected = Trigger(exported[kind]), [], []
    for path in (background, signal):
        images = read_image_file(path).images
        found.append(trigger.scores(images)["student"])
        expected.append(model_input(images, "coarse mask").sum((1, 2, 3)))
    found_N, expected_N = np.concatenate(found), np.concatenate(expected)
    assert np.corrcoef(found_N, expected_N)[0, 1] > 0.85


@pytest.mark.parametrize("kind", KINDS)
def test_targets_of_events_and_overlays(kind: str, runs: dict[str, Path], config: Configure, background: Path) -> None:
    settings = config(kind, **LONG)
    assert read_config(runs[kind], "student") == settings
    data = load_background([background], "coarse mask", settings.training.entries)
    assert isinstance(settings.training, DistillationTraining)
    batches = DistillationBatches(data, settings.training)
    targets = read_targets(runs[kind] / "targets.npz")
    np.testing.assert_array_equal(targets.score, lit(batches.data))
    real = lit(data)[batches.real_training]
    assert targets.location == np.median(real)
    assert targets.scale == pytest.approx(real.std(), rel=0.3)
    # Whatever the student looks at.
    assert np.array_equal(targets.score, read_targets(runs["coarse mask"] / "targets.npz").score)


def test_overlays_stay_on_their_side_of_the_split(config: Configure, background: Path) -> None:
    settings = config(overlays={"fraction": 1}).training
    assert isinstance(settings, DistillationTraining)
    data = load_background([background], "coarse mask", settings.entries)
    batches = DistillationBatches(data, settings)
    n_training, n_validation = len(batches.real_training), len(batches.real_validation)
    assert (len(batches.training_rows), len(batches.validation_rows)) == (2 * n_training, 2 * n_validation)
    assert np.isin(batches.pairs[:n_training], batches.real_training).all()
    assert np.isin(batches.pairs[n_training:], batches.real_validation).all()
    every = np.sort(np.concatenate([batches.training_rows, batches.validation_rows]))
    assert np.array_equal(every, np.arange(len(batches.data)))


def test_batches_carry_the_score_of_their_events(
    config: Configure, background: Path, teacher: Path, tmp_path: Path
) -> None:
    settings = config(augmentation=True, batch_size=5).training
    assert isinstance(settings, DistillationTraining)
    batches = DistillationBatches(load_background([background], "coarse mask", settings.entries), settings)
    batches.ask(Teacher(teacher, "lit"), [background], tmp_path)
    for loader in (batches.train_dataloader(), batches.val_dataloader()):
        found = list(loader)
        assert len(found) == len(loader) > 0
        for image_NCHW, target_N in found:
            # Neither flips nor rotations change the number of lit pixels.
            torch.testing.assert_close(image_NCHW.sum((1, 2, 3)), target_N)
    assert sum(len(batch) for batch in batches.background_batches()) == len(batches.real_validation)


def test_a_score_whose_lower_end_is_anomalous_is_turned_round(
    runs: dict[str, Path], config: Configure, background: Path, tmp_path: Path
) -> None:
    settings = config(**LONG, score="dark")
    train("student", [background], tmp_path, settings)
    one, other = (load_checkpoint(run / "best.ckpt")["state_dict"] for run in (runs["coarse mask"], tmp_path))
    assert all(torch.equal(one[key], other[key]) for key in one)
    record = read_record(tmp_path).teacher
    assert record is not None
    assert record.direction == "lower"


@pytest.mark.parametrize("kind", KINDS)
def test_calibration_leaves_overlays_out(kind: str, runs: dict[str, Path]) -> None:
    calibration = read_calibration(runs[kind])
    assert calibration.events == round(read_record(runs[kind]).events * 0.25)
    assert calibration.scores["student"].direction == "higher"


def test_record_and_metadata_name_the_teacher(
    runs: dict[str, Path], exported: dict[str, Path], teacher: Path, background: Path
) -> None:
    record = read_record(runs["coarse E_T"])
    assert record.teacher is not None
    assert record.teacher.fingerprint == fingerprint(teacher)
    metadata = json.loads(onnx.load(exported["coarse E_T"]).metadata_props[0].value)
    targets = read_targets(runs["coarse E_T"] / "targets.npz")
    assert metadata["training"]["teacher"] == {
        "path": str(teacher),
        "fingerprint": fingerprint(teacher),
        "score": "lit",
        "direction": "higher",
        "location": targets.location,
        "scale": targets.scale,
    }
    assert metadata["input"] == {"kind": "coarse E_T", "normalisation": "none", "sums_channels": False}
    assert metadata["training"]["labels"] == {"0": record.events}
    state = load_checkpoint(runs["coarse E_T"] / "best.ckpt")["state_dict"]
    assert state["model.location"].item() == pytest.approx(targets.location)
    assert state["model.scale"].item() == pytest.approx(targets.scale)


@pytest.mark.parametrize("step", [1, 5])
@pytest.mark.parametrize("kind", KINDS)
def test_resumed_run_equals_an_uninterrupted_one(
    kind: str, step: int, config: Configure, background: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(Exception):
        pass

    def refuse(*_: object) -> None:
        raise AssertionError

    train("student", [background], tmp_path / "whole", config(kind))
    with monkeypatch.context() as patch:
        steps, original = iter(range(100)), Reconstruction.optimise

        def optimise(self: Reconstruction, *args: Any) -> None:
            if next(steps) == step:
                raise KilledError
            original(self, *args)

        patch.setattr(Reconstruction, "optimise", optimise)
        with pytest.raises(KilledError):
            train("student", [background], tmp_path / "cut", config(kind))
    # The teacher has said all it has to say.
    monkeypatch.setattr(Teacher, "scores", refuse)
    train("student", [background], tmp_path / "cut", config(kind), resume=True)
    for checkpoint in ("last.ckpt", "best.ckpt"):
        one, other = (load_checkpoint(tmp_path / run / checkpoint)["state_dict"] for run in ("whole", "cut"))
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)
    for file in ("metrics.csv", "calibration.json"):
        assert (tmp_path / "whole" / file).read_bytes() == (tmp_path / "cut" / file).read_bytes()


def test_refuses_to_resume_with_another_teacher(
    config: Configure, background: Path, teacher: Path, tmp_path: Path
) -> None:
    path = tmp_path / "teacher.onnx"
    shutil.copy(teacher, path)
    settings = config(teacher=str(path))
    train("student", [background], tmp_path / "run", settings)
    model = onnx.load(path)
    model.doc_string = "retrained"
    onnx.save(model, path)
    with pytest.raises(TrainingError, match="cannot resume with another teacher"):
        train("student", [background], tmp_path / "run", settings, resume=True)


def test_bad_teachers_leave_no_run(config: Configure, background: Path, signal: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no score 'bce'"):
        train("student", [background], tmp_path / "run", config(score="bce"))
    with pytest.raises(TrainingError, match=rf"{re.escape(str(signal))}: labels 2 found; .* background only"):
        train("student", [background, signal], tmp_path / "run", config())
    assert not (tmp_path / "run").exists()


def test_centre_and_spread_are_those_of_a_gaussian_whatever_the_tail_and_the_overlays(teacher: Path) -> None:
    score_N = np.random.default_rng(1).normal(5, 2, 4000).astype(np.float32)
    score_N[:20], score_N[3000:] = 1e6, 100.0
    targets = standardise(score_N, np.arange(3000), Teacher(teacher, "lit"))
    assert targets.location == pytest.approx(5, abs=0.15)
    assert targets.scale == pytest.approx(2, rel=0.05)
    assert targets.score is score_N


def test_a_score_without_spread_teaches_nothing(teacher: Path) -> None:
    with pytest.raises(TrainingError, match="score 'lit' is the same, 3, for the central 68% of background"):
        standardise(np.full(10, 3, dtype=np.float32), np.arange(10), Teacher(teacher, "lit"))


def test_damaged_targets_are_named(tmp_path: Path) -> None:
    (tmp_path / "targets.npz").write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(ModelFileError, match=r"targets\.npz: does not hold a teacher's scores"):
        read_targets(tmp_path / "targets.npz")


def session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def score(path: Path, image_NCHW: NDArray[np.float32]) -> NDArray[np.float32]:
    model = session(path)
    assert [output.name for output in model.get_outputs()] == ["student"]
    found_N: NDArray[np.float32] = model.run(None, {"image": image_NCHW})[0]
    return found_N


@pytest.mark.parametrize("n", [0, 1, 64])
@pytest.mark.parametrize("kind", KINDS)
def test_torch_and_onnx_runtime_agree(
    kind: str, n: int, exported: dict[str, Path], runs: dict[str, Path], background: Path, signal: Path
) -> None:
    images = np.concatenate([model_input(read_image_file(path).images, kind) for path in (background, signal)])
    image_NCHW = np.resize(images, (n, *images.shape[1:]))
    with torch.inference_mode():
        (expected_N,) = Scorer(load_model(runs[kind]), ("student",))(torch.from_numpy(image_NCHW))
    found_N = score(exported[kind], image_NCHW)
    assert found_N.dtype == np.float32
    assert found_N.shape == (n,)
    np.testing.assert_allclose(found_N, expected_N, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_graph_stays_small(kind: str, exported: dict[str, Path]) -> None:
    """ONNX Runtime spends a microsecond or two on each node, whatever it computes."""
    assert len(onnx.load(exported[kind]).graph.node) <= 35


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp16", "int8"])
@pytest.mark.parametrize("kind", KINDS)
def test_reduced_precision_ranks_events_alike(
    kind: str,
    precision: str,
    exported: dict[str, Path],
    runs: dict[str, Path],
    background: Path,
    signal: Path,
    tmp_path: Path,
) -> None:
    path = tmp_path / "reduced.onnx"
    export_run(runs[kind], path, precision)
    images = np.concatenate([model_input(read_image_file(part).images, kind) for part in (background, signal)])
    found_N, expected_N = score(path, images), score(exported[kind], images)
    assert np.isfinite(found_N).all()
    assert np.corrcoef(found_N, expected_N)[0, 1] > 0.95


def test_it_rebuilds_nothing(runs: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a student rebuilds no image"):
        export_run(runs["coarse mask"], tmp_path / "m.onnx", reconstruction=True)
