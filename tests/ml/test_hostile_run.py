"""Run folders from elsewhere: nothing is unpickled, and what does not fit is refused."""

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from darktrigger.errors import DarktriggerError, ModelFileError
from ml.export import export_run
from ml.run_folder import load_checkpoint, load_model, read_config
from ml.training import train


def spring(path: str) -> None:
    Path(path).write_text("sprung")


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return spring, (self.path,)


@pytest.mark.parametrize("zipped", [True, False])
def test_checkpoints_are_never_unpickled(tmp_path: Path, zipped: bool) -> None:
    path, trap = tmp_path / "best.ckpt", Trap(tmp_path / "mark")
    for content in (trap, {"state_dict": {"weight": trap}}):
        torch.save(content, path, _use_new_zipfile_serialization=zipped)
        with pytest.raises(ModelFileError, match="not a checkpoint that can be read"):
            load_checkpoint(path)
    path.write_bytes(pickle.dumps(trap))
    with pytest.raises(ModelFileError, match="not a checkpoint that can be read"):
        load_checkpoint(path)
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("content", [None, [], {}, torch.zeros(3), {"state_dict": None}, {"state_dict": {"a": "b"}}])
def test_what_is_no_checkpoint(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "x.ckpt")
    with pytest.raises(ModelFileError, match="no state_dict of tensors"):
        load_checkpoint(tmp_path / "x.ckpt")


def test_zeros_in_the_place_of_a_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "x.ckpt").write_bytes(bytes(4096))
    with pytest.raises(ModelFileError, match="not a checkpoint that can be read"):
        load_checkpoint(tmp_path / "x.ckpt")


CHANGES: dict[str, tuple[Callable[[torch.Tensor], Any], str]] = {
    "another shape": (lambda _: torch.zeros(3, 3, 3), "does not fit the model"),
    "not finite": (lambda weight: torch.full_like(weight, torch.nan), "is not finite"),
    "absent": (lambda _: None, "no state_dict of tensors"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_weights_that_do_not_fit(trained_run: Path, tmp_path: Path, case: str) -> None:
    change, message = CHANGES[case]
    run = tmp_path / "run"
    shutil.copytree(trained_run, run)
    checkpoint = torch.load(run / "best.ckpt", weights_only=True)
    key = next(iter(checkpoint["state_dict"]))
    checkpoint["state_dict"][key] = change(checkpoint["state_dict"][key])
    torch.save(checkpoint, run / "best.ckpt")
    with pytest.raises(DarktriggerError, match=message):
        load_model(run)


#: What a checkpoint may lack or hold instead, so that a training cannot go on from it.
DAMAGES: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "no optimiser": (lambda checkpoint: checkpoint.pop("optimizer_states"), "cannot be resumed from"),
    "another optimiser": (lambda checkpoint: checkpoint.update(optimizer_states=[[]]), "cannot be resumed from"),
    "no loops": (lambda checkpoint: checkpoint.update(loops=[]), "cannot be resumed from"),
    "a weight too many": (
        lambda checkpoint: checkpoint["state_dict"].update(extra=torch.zeros(1)),
        "cannot be resumed from",
    ),
    "no history": (lambda checkpoint: checkpoint.pop("callbacks"), "has no history of a training"),
    "a history of nothing": (
        lambda checkpoint: checkpoint["callbacks"].update({"RunFolder": {"history": [[0, 1.0, None]]}}),
        "has no history of a training",
    ),
}


@pytest.mark.parametrize("case", DAMAGES)
def test_checkpoints_that_cannot_be_resumed_from(
    trained_run: Path, background: Path, tmp_path: Path, case: str
) -> None:
    damage, message = DAMAGES[case]
    run = tmp_path / "run"
    shutil.copytree(trained_run, run)
    checkpoint = torch.load(run / "last.ckpt", weights_only=True)
    damage(checkpoint)
    torch.save(checkpoint, run / "last.ckpt")
    config = read_config(run, "codae")
    longer = config.model_copy(update={"training": config.training.model_copy(update={"epochs": 3})})
    with pytest.raises(ModelFileError, match=rf"last\.ckpt: {message}"):
        train("codae", [background], run, longer, resume=True)


def test_a_score_without_calibration_is_not_exported(trained_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained_run, run)
    calibration = json.loads((run / "calibration.json").read_text())
    del calibration["scores"]["dice"]
    (run / "calibration.json").write_text(json.dumps(calibration))
    with pytest.raises(ModelFileError, match=r"calibration\.json: lacks the scores dice"):
        export_run(run, tmp_path / "trigger.onnx")
    assert not (tmp_path / "trigger.onnx").exists()
